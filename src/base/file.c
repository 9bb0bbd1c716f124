/* file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void closep(int *fd)
{
    int keep = errno;

    if (*fd >= 0)
        close(*fd);
    errno = keep;
}

enum err err_of_errno(int e)
{
    if (e == ENOSPC || e == EDQUOT || e == EFBIG)
        return ERR_STORAGE_FULL;
    return e == EMFILE || e == ENFILE || e == ENOMEM || e == EAGAIN ? ERR_UNAVAILABLE : ERR_INTERNAL;
}

static int fail(struct error *err, const char *what, const char *path)
{
    return error_set(err, err_of_errno(errno), "cannot %s %s: %s", what, path, strerror(errno));
}

const char *path_join(struct arena *a, const char *dir, const char *name)
{
    struct sb b = SB(a);

    sb_printf(&b, "%s/%s", dir, name);
    return b.p ? b.p : "";
}

int file_read(struct arena *a, const char *path, size_t max, struct str *ret, struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat           st;
    size_t                n = 0;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail(err, "open", path);
    if (fstat(fd, &st) < 0)
        return fail(err, "look at", path);
    if (st.st_size > (off_t)max)
        return error_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
    size_t cap = st.st_size > 0 ? (size_t)st.st_size : max < 65536 ? max : 65536; /* files of /proc say 0 */
    char  *p = arena_alloc(a, cap + 1);
    if (!p)
        return error_set(err, ERR_UNAVAILABLE, "no memory to read %s", path);
    while (n < cap) {
        ssize_t got = read(fd, p + n, cap - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(err, "read", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret = (struct str){ p, n };
    return 1;
}

int file_write_all(int fd, struct str bytes, struct error *err)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, err_of_errno(errno), "cannot write: %s", strerror(errno));
        bytes = (struct str){ bytes.p + n, bytes.n - (size_t)n };
    }
    return 0;
}

int file_sync_dir(const char *path, struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0 ? 0 : fail(err, "sync the folder", path);
}

int file_write(const char *path, struct str content, unsigned mode, struct error *err)
{
    struct arena a = ARENA(32768);
    struct sb    tmp = SB(&a);
    const char  *slash = strrchr(path, '/');
    const char  *dir = slash ? arena_text(&a, path, slash > path ? (size_t)(slash - path) : 1) : ".";
    int          rc = -1;

    sb_printf(&tmp, "%s.%d.new", path, (int)getpid());
    {
        _cleanup_(closep) int fd = open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        if (fd < 0)
            rc = fail(err, "create", tmp.p);
        else if (file_write_all(fd, content, err) == 0 && fsync(fd) < 0)
            rc = fail(err, "sync", tmp.p);
        else if (err->code == ERR_NONE && rename(tmp.p, path) < 0)
            rc = fail(err, "rename", tmp.p);
        else if (err->code == ERR_NONE)
            rc = file_sync_dir(dir, err);
        if (rc < 0 && fd >= 0)
            unlink(tmp.p);
    }
    arena_free(&a);
    return rc;
}

int file_make_dirs(const char *path, unsigned mode, struct error *err)
{
    struct arena a = ARENA(16384);
    char        *p = (char *)(uintptr_t)arena_text(&a, path, strlen(path));
    int          rc = 0;

    for (char *at = p; rc == 0 && *at; at++) {
        while (*at == '/')
            at++;
        while (*at && *at != '/')
            at++;
        char keep = *at;
        *at = '\0';
        if (*p && mkdir(p, mode) < 0 && errno != EEXIST)
            rc = fail(err, "create the folder", p);
        *at = keep;
        if (!keep)
            break;
    }
    arena_free(&a);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int file_remove_tree(const char *path, struct error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return fail(err, "remove", path);
    return 0;
}

void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}
