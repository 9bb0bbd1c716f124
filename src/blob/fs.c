/* fs.c - the blob store in a folder: DIR/<tenant>/<first two digits>/<sha256>. Files are written without a name (O_TMPFILE) and linked
   when whole; where the file system cannot, under a temporary name that blob_store_open clears away. */
#include "blob/blob.h"

#include "base/file.h"
#include "base/uuid.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { FREE_CHECK_BYTES = 8 << 20 }; /* how often a writer looks at the room left */

struct blob_store {
    char           *dir;
    int             fd;
    uint64_t        min_free;
    pthread_mutex_t making; /* of folders */
};

struct blob_writer {
    struct blob_store *store;
    struct hash       *hash;
    int                fd;
    char               tmp[64]; /* name below DIR, or "" with O_TMPFILE */
    uint64_t           size, max, next_check;
};

static int fail(struct error *err, const char *what)
{
    return error_set(err, err_of_errno(errno), "blob store: cannot %s: %s", what, strerror(errno));
}

/* Left by writers of processes that are gone: tmp/<pid>-… */
static void clear_tmp(struct blob_store *s)
{
    _cleanup_(closep) int fd = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int                   copy = fd >= 0 ? dup(fd) : -1;
    DIR                  *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct stat           st;

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
            && st.st_mtime < time(NULL) - 3600)
            unlinkat(fd, e->d_name, 0);
    if (d)
        closedir(d);
}

struct blob_store *blob_store_open(const char *dir, uint64_t min_free, struct error *err)
{
    struct blob_store *s = calloc(1, sizeof *s);

    if (!s || !(s->dir = strdup(dir))) {
        free(s);
        error_set(err, ERR_UNAVAILABLE, "no memory for the blob store");
        return NULL;
    }
    s->min_free = min_free;
    s->fd = -1;
    pthread_mutex_init(&s->making, NULL);
    if (file_make_dirs(dir, 0700, err) == 0) {
        s->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->fd >= 0 && (mkdirat(s->fd, "tmp", 0700) == 0 || errno == EEXIST)) {
            clear_tmp(s);
            return s;
        }
        fail(err, dir);
    }
    blob_store_close(s);
    return NULL;
}

void blob_store_close(struct blob_store *s)
{
    if (!s)
        return;
    closep(&s->fd);
    pthread_mutex_destroy(&s->making);
    free(s->dir);
    free(s);
}

static int check_room(const struct blob_writer *w, struct error *err)
{
    struct statvfs v;

    if (fstatvfs(w->store->fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < w->store->min_free)
        return error_say(err, ERR_STORAGE_FULL, NULL,
                         "The disk is nearly full; nothing more is stored until there is room.");
    return 0;
}

struct blob_writer *blob_writer_open(struct blob_store *s, uint64_t max_bytes, struct error *err)
{
    struct blob_writer *w = calloc(1, sizeof *w);

    if (!w) {
        error_set(err, ERR_UNAVAILABLE, "no memory for an upload");
        return NULL;
    }
    *w = (struct blob_writer){ .store = s, .max = max_bytes, .next_check = FREE_CHECK_BYTES };
    w->fd = openat(s->fd, "tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        snprintf(w->tmp, sizeof w->tmp, "tmp/%s", uuid_v7().text);
        w->fd = openat(s->fd, w->tmp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    }
    if (w->fd < 0)
        fail(err, "create a file");
    else if (check_room(w, err) == 0 && (w->hash = hash_open(err)))
        return w;
    blob_writer_close(w);
    return NULL;
}

int blob_writer_add(struct blob_writer *w, struct str bytes, struct error *err)
{
    if (bytes.n > w->max - w->size)
        return error_say(err, ERR_TOO_LARGE, "file", "The file is larger than %llu bytes.", (unsigned long long)w->max);
    w->size += bytes.n;
    if (w->size >= w->next_check) {
        w->next_check = w->size + FREE_CHECK_BYTES;
        if (check_room(w, err) < 0)
            return -1;
        sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* start now what fsync would wait for at the end */
    }
    hash_add(w->hash, bytes);
    return file_write_all(w->fd, bytes, err);
}

uint64_t blob_writer_size(const struct blob_writer *w)
{
    return w->size;
}

/* TENANT/XX, made and made durable where it is missing. */
static int make_folder(struct blob_store *s, const char *tenant_id, const char *path, struct error *err)
{
    struct stat           st;
    _cleanup_(closep) int dir = -1;

    if (fstatat(s->fd, path, &st, 0) == 0)
        return 0;
    if (mkdirat(s->fd, tenant_id, 0700) < 0 && errno != EEXIST)
        return fail(err, "create a folder");
    if (mkdirat(s->fd, path, 0700) < 0 && errno != EEXIST)
        return fail(err, "create a folder");
    dir = openat(s->fd, tenant_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) < 0 || fsync(s->fd) < 0)
        return fail(err, "sync a folder");
    return 0;
}

/* The name of a blob below DIR. make: its folder is there and durable afterwards; one at a time, so that nobody takes a folder for durable
   that another thread has made and not yet synced. */
static int blob_path(struct blob_store *s, const char *tenant_id, const char *sha256, bool make, char ret[128],
                     struct error *err)
{
    if (!uuid_valid(str_of(tenant_id)) || strlen(sha256) != 64)
        return error_set(err, ERR_INTERNAL, "blob store: not a blob's name");
    snprintf(ret, 128, "%s/%.2s", tenant_id, sha256);
    if (make) {
        pthread_mutex_lock(&s->making);
        int rc = make_folder(s, tenant_id, ret, err);
        pthread_mutex_unlock(&s->making);
        if (rc < 0)
            return -1;
    }
    snprintf(ret, 128, "%s/%.2s/%s", tenant_id, sha256, sha256);
    return 0;
}

static int link_in(struct blob_writer *w, const char *path)
{
    char proc[64];

    if (w->tmp[0] != '\0')
        return linkat(w->store->fd, w->tmp, w->store->fd, path, 0);
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", w->fd);
    return linkat(AT_FDCWD, proc, w->store->fd, path, AT_SYMLINK_FOLLOW);
}

int blob_writer_commit(struct blob_writer *w, const char *tenant_id, char ret_sha256[65], struct error *err)
{
    unsigned char digest[HASH_SIZE];
    char          path[128], dir[128], sha256[65];

    hash_end(w->hash, digest);
    hex_encode(sha256, digest, HASH_SIZE);
    if (fsync(w->fd) < 0)
        return fail(err, "sync a file");
    if (blob_path(w->store, tenant_id, sha256, /* make= */ true, path, err) < 0)
        return -1;
    if (link_in(w, path) < 0) {
        if (errno != EEXIST)
            return fail(err, "name a file");
        utimensat(w->store->fd, path, NULL, 0); /* the sweep must not take it now: a row is about to name it */
    }
    snprintf(dir, sizeof dir, "%s/%.2s", tenant_id, sha256);
    _cleanup_(closep) int fd = openat(w->store->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return fail(err, "sync a folder");
    memcpy(ret_sha256, sha256, 65);
    return 0;
}

void blob_writer_close(struct blob_writer *w)
{
    if (!w)
        return;
    if (w->tmp[0] != '\0')
        unlinkat(w->store->fd, w->tmp, 0);
    closep(&w->fd);
    hash_close(w->hash);
    free(w);
}

int blob_open(struct blob_store *s, const char *tenant_id, const char *sha256, int *ret_fd, uint64_t *ret_size,
              struct error *err)
{
    char        path[128];
    struct stat st;

    if (blob_path(s, tenant_id, sha256, /* make= */ false, path, err) < 0)
        return -1;
    _cleanup_(closep) int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, ERR_NOT_FOUND, "blob store: there is no %s", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(err, "open a file");
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* One folder of two digits. */
static void sweep_dir(struct blob_store *s, const char *tenant, const char *two, time_t before,
                      bool (*fn)(void *, const char *, const char *), void *arg)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", tenant, two);
    _cleanup_(closep) int fd = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int                   copy = fd >= 0 ? dup(fd) : -1;
    DIR                  *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct stat           st;

    for (struct dirent *e; d && (e = readdir(d));)
        if (strlen(e->d_name) == 64 && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < before
            && fn(arg, tenant, e->d_name) && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
            && st.st_mtime < before)
            unlinkat(fd, e->d_name, 0);
    if (d)
        closedir(d);
}

int blob_sweep(struct blob_store *s, unsigned min_age_s, bool (*fn)(void *, const char *, const char *), void *arg,
               struct error *err)
{
    int    copy = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR   *d = copy >= 0 ? fdopendir(copy) : NULL;
    time_t before = time(NULL) - (time_t)min_age_s;

    if (!d)
        return fail(err, "list the tenants");
    for (struct dirent *e; (e = readdir(d));) {
        if (!uuid_valid(str_of(e->d_name)))
            continue;
        for (unsigned i = 0; i < 256; i++) {
            char two[3];

            hex_encode(two, (unsigned char[]){ (unsigned char)i }, 1);
            sweep_dir(s, e->d_name, two, before, fn, arg);
        }
    }
    closedir(d);
    return 0;
}
