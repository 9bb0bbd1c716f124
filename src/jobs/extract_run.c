/* extract_run.c - the parent's side of dms-extract: starts it with nothing but the file and two pipes, reads, waits, judges its end. */
#include "jobs/extract_run.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIAGNOSTIC_BYTES = 2048, READ_BYTES = 64 << 10, NUMBER_BYTES = 24, MAX_ARGUMENTS = 16 };

/* A child under way. */
struct child {
    pid_t   pid; /* 0: none, or waited for */
    int     out, diagnostics;
    int64_t deadline_us;
    char   *frames; /* malloc: the arena gets only what is decoded */
    size_t  used, room;
    char    words[DIAGNOSTIC_BYTES]; /* the first of what it said on stderr */
    size_t  word_count;
    bool    timed_out, flooded;
    int     status;
};

static void reap(struct child *c)
{
    if (c->pid <= 0)
        return;
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
}

static void child_end(struct child *c)
{
    reap(c);
    closep(&c->out);
    closep(&c->diagnostics);
    free(c->frames);
}

static int no_room(struct error *err, const char *what, int number)
{
    return error_set(err, err_of_errno(number), "dms-extract: %s: %s", what, strerror(number));
}

/* ---- start ---- */

static const char *program_path(struct arena *a, const struct extract_limits *limits, struct error *err)
{
    char own[PATH_MAX];

    if (limits->program)
        return limits->program;
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    if (n <= 0) {
        error_set(err, ERR_INTERNAL, "where this program lies is unknown: %s", strerror(errno));
        return NULL;
    }
    own[n] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    return path_join(a, own, "dms-extract");
}

struct arguments {
    const char *v[MAX_ARGUMENTS];
    size_t      n;
    char        numbers[5][NUMBER_BYTES];
    size_t      number_count;
};

static void add_number(struct arguments *args, const char *flag, uint64_t value)
{
    char *text = args->numbers[args->number_count++];

    snprintf(text, NUMBER_BYTES, "%llu", (unsigned long long)value);
    args->v[args->n++] = flag;
    args->v[args->n++] = text;
}

static void make_arguments(struct arguments *args, const struct extract_limits *limits, const char *program,
                           const char *name)
{
    size_t length = strlen(name), tail = length > 255 ? length - 255 : 0; /* the ending is what counts */

    *args = (struct arguments){ .v = { program }, .n = 1 };
    add_number(args, "--max-text-bytes", limits->max_text_bytes);
    add_number(args, "--max-pages", limits->max_pages);
    add_number(args, "--max-memory-bytes", limits->max_memory_bytes);
    add_number(args, "--max-file-bytes", limits->max_file_bytes);
    add_number(args, "--max-cpu-seconds", limits->cpu_seconds);
    args->v[args->n++] = "--name";
    args->v[args->n++] = name + tail;
}

/* What the child finds: three descriptors, default signals, nothing else. 0 or an errno. */
static int spawn(const char *program, char *const *argv, const int fds[3], pid_t *ret)
{
    static char *const         no_environment[] = { NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t          attributes;
    sigset_t                   none, all;
    int                        bad = posix_spawn_file_actions_init(&files);

    if (bad != 0)
        return bad;
    if ((bad = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return bad;
    }
    sigemptyset(&none);
    sigfillset(&all);
    for (int i = 0; bad == 0 && i < 3; i++)
        bad = posix_spawn_file_actions_adddup2(&files, fds[i], i);
    bad = bad ? bad : posix_spawn_file_actions_addclosefrom_np(&files, 3);
    bad = bad ? bad : posix_spawnattr_setsigmask(&attributes, &none);
    bad = bad ? bad : posix_spawnattr_setsigdefault(&attributes, &all);
    bad = bad ? bad : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    bad = bad ? bad : posix_spawn(ret, program, &files, &attributes, argv, no_environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return bad;
}

/* A pipe whose ends lie above 2, so that dup2 in the child cannot run over one that is still needed. */
static int high_pipe(int ret[2])
{
    int low[2];

    if (pipe2(low, O_CLOEXEC) != 0)
        return -1;
    ret[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
    ret[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 3);
    int number = errno;
    close(low[0]);
    close(low[1]);
    errno = number;
    return ret[0] >= 0 && ret[1] >= 0 ? 0 : -1;
}

static int start(struct child *c, const char *program, const struct arguments *args, int file_fd, struct error *err)
{
    _cleanup_(closep) int file = fcntl(file_fd, F_DUPFD_CLOEXEC, 3), out = -1, diagnostics = -1;
    int                   pair[2] = { -1, -1 };

    if (file < 0)
        return no_room(err, "the file", errno);
    int bad = high_pipe(pair);
    c->out = pair[0];
    out = pair[1];
    if (bad != 0)
        return no_room(err, "a pipe", errno);
    pair[0] = pair[1] = -1;
    bad = high_pipe(pair);
    c->diagnostics = pair[0];
    diagnostics = pair[1];
    if (bad != 0)
        return no_room(err, "a pipe", errno);
    bad = spawn(program, (char *const *)(uintptr_t)args->v, (const int[]){ file, out, diagnostics }, &c->pid);
    if (bad != 0)
        c->pid = 0;
    if (bad == ENOENT || bad == EACCES)
        return error_set(err, ERR_INTERNAL, "%s cannot be started: %s", program, strerror(bad));
    return bad == 0 ? 0 : no_room(err, "a process", bad);
}

/* ---- read ---- */

/* Room for one more read; false at the cap or without memory. */
static bool make_room(struct child *c)
{
    if (c->room - c->used >= READ_BYTES)
        return true;
    size_t room = c->room == 0 ? 2 * READ_BYTES : c->room * 2;
    char  *grown = room <= 2 * (size_t)EXTRACTION_MAX_FRAME_BYTES ? realloc(c->frames, room) : NULL;
    if (!grown)
        return false;
    c->frames = grown;
    c->room = room;
    return true;
}

/* 1: read some; 0: the end; -1: over the cap. */
static int read_frames(struct child *c)
{
    if (c->used > EXTRACTION_MAX_FRAME_BYTES || !make_room(c)) {
        c->flooded = true;
        return -1;
    }
    ssize_t n = read(c->out, c->frames + c->used, READ_BYTES);
    if (n > 0)
        c->used += (size_t)n;
    return n > 0 || (n < 0 && errno == EINTR) ? 1 : 0;
}

/* Keeps the first words, passes over the rest. */
static int read_words(struct child *c)
{
    char    some[1024];
    ssize_t n = read(c->diagnostics, some, sizeof some);
    size_t  room = sizeof c->words - c->word_count, kept = n > 0 ? (size_t)n : 0;

    kept = kept < room ? kept : room;
    memcpy(c->words + c->word_count, some, kept);
    c->word_count += kept;
    return n > 0 || (n < 0 && errno == EINTR) ? 1 : 0;
}

/* Reads both pipes until their end, the cap, or the deadline. */
static void read_all(struct child *c)
{
    struct pollfd p[2] = { { c->out, POLLIN, 0 }, { c->diagnostics, POLLIN, 0 } };

    while (p[0].fd >= 0 || p[1].fd >= 0) {
        int64_t left_us = c->deadline_us - clock_steady_us();
        int     ready = left_us > 0 ? poll(p, 2, (int)(left_us / 1000) + 1) : 0;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            c->timed_out = true;
            return;
        }
        int more = p[0].revents != 0 ? read_frames(c) : 1;
        if (more < 0)
            return;
        if (more == 0)
            p[0].fd = -1;
        if (p[1].revents != 0 && read_words(c) == 0)
            p[1].fd = -1;
        p[0].revents = p[1].revents = 0;
    }
}

/* Waits for the end of a child that has closed its pipes, which is a matter of microseconds; whatever is not gone then is killed.
   Asking again and again needs no process descriptor, which some container runtimes do not have. */
static void await(struct child *c)
{
    unsigned wait_ms = 0;

    while (!c->timed_out && !c->flooded) {
        pid_t done = waitpid(c->pid, &c->status, WNOHANG);

        if (done == c->pid) {
            c->pid = 0;
            return;
        }
        c->timed_out = clock_steady_us() >= c->deadline_us;
        clock_sleep_ms(wait_ms);
        wait_ms = wait_ms < 10 ? wait_ms + 1 : 10;
    }
    reap(c);
}

/* ---- judge ---- */

static bool said(const struct child *c, const char *words)
{
    return c->word_count > 0 && memmem(c->words, c->word_count, words, strlen(words)) != NULL;
}

/* How libraries end a process when malloc fails. */
static bool ran_out_of_memory(const struct child *c)
{
    return said(c, "bad_alloc") || said(c, "ut of memory") || said(c, "failed to allocate")
           || said(c, "returned null pointer");
}

static int judge_signal(const struct child *c, int number, struct error *err)
{
    if (number == SIGSYS)
        return extract_cause_error(err, CAUSE_SANDBOX);
    if (number == SIGXCPU)
        return extract_cause_error(err, CAUSE_TIMEOUT);
    if (number == SIGKILL)
        return error_set(err, ERR_UNAVAILABLE, "dms-extract was killed from outside: this machine is short of memory");
    if (number == SIGBUS)
        return error_set(err, ERR_UNAVAILABLE, "dms-extract could not read the stored bytes");
    return extract_cause_error(err, ran_out_of_memory(c) ? CAUSE_MEMORY : CAUSE_CRASHED);
}

static int judge(struct arena *a, const struct child *c, struct extraction *ret, struct error *err)
{
    if (c->timed_out)
        return extract_cause_error(err, CAUSE_TIMEOUT);
    if (c->flooded)
        return extract_cause_error(err, CAUSE_TOO_LARGE_TEXT);
    if (WIFSIGNALED(c->status))
        return judge_signal(c, WTERMSIG(c->status), err);
    if (WEXITSTATUS(c->status) == 0)
        return extraction_decode(a, (struct str){ c->frames ? c->frames : "", c->used }, ret, err);
    if (ran_out_of_memory(c))
        return extract_cause_error(err, CAUSE_MEMORY);
    if (c->used > 0) /* it had begun to read: a parser ended the process */
        return extract_cause_error(err, CAUSE_CRASHED);
    return error_set(err, ERR_INTERNAL, "dms-extract ended with %d: %.*s", WEXITSTATUS(c->status), (int)c->word_count,
                     c->words);
}

int extract_run(struct arena *a, const struct extract_limits *limits, int file_fd, const char *name,
                struct extraction *ret, struct error *err)
{
    _cleanup_(child_end) struct child c = {
        .out = -1, .diagnostics = -1, .deadline_us = clock_steady_us() + (int64_t)limits->wall_seconds * 1000000
    };
    struct arguments args;
    const char      *program = program_path(a, limits, err);

    if (!program)
        return -1;
    make_arguments(&args, limits, program, name);
    if (start(&c, program, &args, file_fd, err) < 0)
        return -1;
    read_all(&c);
    await(&c);
    return judge(a, &c, ret, err);
}
