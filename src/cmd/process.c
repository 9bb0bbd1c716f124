/* process.c - see process.h. */
#include "cmd/process.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4096 };

static int spawn(const char *const *argv, int out, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    int                        rc;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    rc = rc ? rc : posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    rc = rc ? rc : posix_spawnp(ret, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? 0 : -1;
}

int process_capture(struct arena *a, const char *const *argv, const char **ret)
{
    char   text[OUTPUT_MAX];
    size_t n = 0;
    int    ends[2], status = 0;
    pid_t  pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    int rc = spawn(argv, ends[1], &pid);
    close(ends[1]);
    while (rc == 0 && n < sizeof text) {
        ssize_t got = read(ends[0], text + n, sizeof text - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(ends[0]);
    while (rc == 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    if (rc < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return -1;
    *ret = str_dup(a, str_trim((struct str){ text, n }));
    return 0;
}

const char *process_find_program(struct arena *a, const char *name)
{
    struct sb  folders = SB(a);
    struct str rest;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? name : NULL;
    sb_printf(&folders, "%s:/usr/local/bin:/usr/bin:/usr/sbin:/bin", getenv("PATH") ? getenv("PATH") : "");
    for (rest = sb_str(&folders); rest.n > 0;) {
        struct str folder = str_cut(&rest, ':');
        struct sb  path = SB(a);

        sb_put(&path, folder);
        sb_printf(&path, "/%s", name);
        if (folder.n > 0 && access(sb_str(&path).p, X_OK) == 0)
            return sb_str(&path).p;
    }
    return NULL;
}

/* Calls fn for each process for which wanted is true. */
static unsigned each(bool (*wanted)(const char *pid, const void *what), const void *what, void (*fn)(pid_t, void *),
                     void *arg)
{
    DIR           *proc = opendir("/proc");
    struct dirent *entry;
    unsigned       count = 0;

    while (proc && (entry = readdir(proc))) {
        uint64_t     pid;
        struct error ignored = { 0 }; /* other entries of /proc are no numbers */

        if (parse_u64("pid", str_of(entry->d_name), 1, INT32_MAX, &pid, &ignored) < 0 || !wanted(entry->d_name, what))
            continue;
        count++;
        if (fn)
            fn((pid_t)pid, arg);
    }
    if (proc)
        closedir(proc);
    return count;
}

static bool works_in(const char *pid, const void *what)
{
    const struct stat *dir = what;
    struct stat        st;
    char               path[64];

    snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
    return stat(path, &st) == 0 && st.st_dev == dir->st_dev && st.st_ino == dir->st_ino;
}

unsigned process_each_in(const char *dir, void (*fn)(pid_t pid, void *arg), void *arg)
{
    struct stat st;

    return stat(dir, &st) == 0 ? each(works_in, &st, fn, arg) : 0;
}

static bool is_child(const char *pid, const void *what)
{
    char         path[64], text[512];
    uint64_t     parent;
    struct error ignored = { 0 };

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t               n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *end = strrchr(text, ')'); /* the name before it may hold anything: "pid (name) S ppid ..." */
    if (!end || strlen(end) < 5)
        return false;
    struct str rest = str_of(end + 4);
    return parse_u64("ppid", str_cut(&rest, ' '), 0, INT32_MAX, &parent, &ignored) == 0
           && (pid_t)parent == *(const pid_t *)what;
}

unsigned process_each_child(void (*fn)(pid_t pid, void *arg), void *arg)
{
    pid_t self = getpid();

    return each(is_child, &self, fn, arg);
}
