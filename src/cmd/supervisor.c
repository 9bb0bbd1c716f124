/* supervisor.c - see supervisor.h. */
#include "cmd/supervisor.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SERVICES_MAX = 8,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MOST_MS = 5000,
    LIVED_MS = 5000, /* who lived so long starts again at once */
    ORPHAN_PATIENCE_MS = 2000,
    HURRY_MS = 5000,     /* from hurry_signal to SIGKILL */
    TELL_TAIL_AFTER = 3, /* quick deaths in a row */
    ROTATE_EVERY_MS = 5000,
    READY_FD = 3,
};
static const off_t log_most_bytes = 16 << 20;

struct service {
    struct service_spec spec;
    pid_t               pid;        /* 0: does not run */
    int64_t             started_us; /* steady clock */
    int64_t             due_us;     /* when to start it again */
    unsigned            quick_deaths;
    int                 ready_fd; /* -1: none */
    char                ready[64];
    size_t              ready_n;
    bool                ready_full; /* the line is complete */
};

struct supervisor {
    struct service services[SERVICES_MAX];
    size_t         count;
    int            signals; /* signalfd */
    sigset_t       old_mask;
    unsigned       stop_requests;
    bool           closing;
    pid_t          step; /* of supervisor_run */
    int            step_status;
    int64_t        orphans_since_us; /* 0: there are none as far as we know */
    int64_t        rotated_us;
};

static int64_t ms_since(int64_t us)
{
    return (clock_steady_us() - us) / 1000;
}

static void on_broken_pipe(void (*what)(int))
{
    struct sigaction action = { .sa_handler = what };

    sigaction(SIGPIPE, &action, NULL);
}

struct supervisor *supervisor_open(struct error *err)
{
    struct supervisor *sup = calloc(1, sizeof *sup);
    sigset_t           mask;

    if (!sup) {
        error_set(err, ERR_UNAVAILABLE, "no memory");
        return NULL;
    }
    sigemptyset(&mask);
    for (size_t i = 0; i < 4; i++)
        sigaddset(&mask, (const int[]){ SIGINT, SIGTERM, SIGHUP, SIGCHLD }[i]);
    sup->signals = -1;
    if (sigprocmask(SIG_BLOCK, &mask, &sup->old_mask) < 0
        || (sup->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)) < 0
        || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        error_set(err, ERR_INTERNAL, "cannot supervise: %s", strerror(errno));
        supervisor_close(sup);
        return NULL;
    }
    on_broken_pipe(SIG_IGN); /* who reads our progress may go away */
    return sup;
}

void log_show_tail(const char *path)
{
    enum { MOST = 3000, LINES = 12 };
    char                  text[MOST + 1];
    _cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    off_t                 size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t               n = size <= 0 ? -1 : pread(fd, text, MOST, size > MOST ? size - MOST : 0);

    if (n <= 0)
        return;
    const char *from = text + n - 1; /* the last byte is a line's end */
    for (unsigned lines = 0; from > text; from--)
        if (from[-1] == '\n' && ++lines == LINES)
            break;
    fprintf(stderr, "  the end of %s:\n", path);
    struct str rest = { from, (size_t)(text + n - from) };
    while (rest.n > 0) {
        struct str line = str_cut(&rest, '\n');

        fprintf(stderr, "  | %.*s\n", (int)line.n, line.p);
    }
}

/* In the child: from here on only what is safe between fork and exec. */
NORETURN static void become(const struct supervisor *sup, const struct service_spec *spec, pid_t parent, int ready)
{
    static const char no_program[] = "dms: cannot run this program: ";
    int               null = open("/dev/null", O_RDONLY);
    int               log = spec->log ? open(spec->log, O_WRONLY | O_CREAT | O_APPEND, 0600) : STDERR_FILENO;

    prctl(PR_SET_PDEATHSIG, spec->death_signal);
    if (getppid() != parent)
        _exit(1); /* the supervisor died before the line above */
    setsid();     /* the terminal's Ctrl-C is for the supervisor alone */
    on_broken_pipe(SIG_DFL);
    sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    if (log >= 0 && log != STDERR_FILENO) {
        dup2(log, STDERR_FILENO);
        dup2(log, STDOUT_FILENO);
    } else
        dup2(STDERR_FILENO, STDOUT_FILENO);
    int program = spec->program >= 0 ? fcntl(spec->program, F_DUPFD_CLOEXEC, READY_FD + 1) : -1;
    if (ready == READY_FD)
        fcntl(ready, F_SETFD, 0);
    else if (ready >= 0)
        dup2(ready, READY_FD);
    close_range(ready >= 0 ? READY_FD + 1 : READY_FD, ~0U, CLOSE_RANGE_CLOEXEC); /* what our own parent left open */
    if (spec->folder && chdir(spec->folder) < 0)
        _exit(126);
    if (program >= 0)
        fexecve(program, (char *const *)(uintptr_t)spec->argv, environ);
    else
        execv(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
    const char *why = strerrorname_np(errno);
    if (write(STDERR_FILENO, no_program, sizeof no_program - 1) > 0 && why
        && write(STDERR_FILENO, why, strlen(why)) > 0)
        _exit(127);
    _exit(126);
}

static void forget_ready(struct service *s)
{
    closep(&s->ready_fd);
    s->ready_fd = -1;
    s->ready_n = 0;
    s->ready_full = false;
}

static void postpone(struct service *s)
{
    unsigned wait = BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < s->quick_deaths && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    wait = wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS;
    s->due_us = clock_steady_us() + (int64_t)wait * 1000;
}

static void launch(struct supervisor *sup, struct service *s)
{
    pid_t parent = getpid();
    int   ready[2] = { -1, -1 };

    if (s->spec.prepare && s->spec.prepare(s->spec.arg, s->quick_deaths) == NOT_YET) {
        s->due_us = clock_steady_us() + BACKOFF_FIRST_MS * 1000;
        return;
    }
    forget_ready(s);
    if (s->spec.tells_ready && pipe2(ready, O_CLOEXEC | O_NONBLOCK) == 0)
        s->ready_fd = ready[0];
    s->pid = fork();
    if (s->pid == 0)
        become(sup, &s->spec, parent, ready[1]);
    closep(&ready[1]);
    s->started_us = clock_steady_us();
    if (s->pid < 0) { /* no process or memory to be had: later */
        s->pid = 0;
        s->quick_deaths++;
        postpone(s);
    }
}

struct service *supervisor_start(struct supervisor *sup, const struct service_spec *spec, struct error *err)
{
    if (sup->count == SERVICES_MAX) {
        error_set(err, ERR_INTERNAL, "too many services");
        return NULL;
    }
    struct service *s = &sup->services[sup->count++];

    *s = (struct service){ .spec = *spec, .ready_fd = -1 };
    launch(sup, s);
    return s;
}

static void tell_death(const struct service *s, int status)
{
    char why[64];

    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "signal %s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(why, sizeof why, "status %d", WEXITSTATUS(status));
    fprintf(stderr, "dms: %s ended (%s); starting it again\n", s->spec.name, why);
    if (s->quick_deaths == TELL_TAIL_AFTER)
        log_show_tail(s->spec.log);
}

static void buried(struct supervisor *sup, struct service *s, int status)
{
    s->pid = 0;
    sup->orphans_since_us = clock_steady_us();
    if (sup->closing || sup->stop_requests > 0)
        return;
    s->quick_deaths = ms_since(s->started_us) < LIVED_MS ? s->quick_deaths + 1 : 1;
    tell_death(s, status);
    postpone(s);
}

static void reap(struct supervisor *sup)
{
    pid_t pid;
    int   status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (struct service *s = sup->services; s < sup->services + sup->count; s++)
            if (s->pid == pid)
                buried(sup, s, status);
        if (pid == sup->step) {
            sup->step = 0;
            sup->step_status = status;
        }
    }
}

struct orphans {
    const struct supervisor *sup;
    int                      signal;
    unsigned                 count;
};

static void end_orphan(pid_t pid, void *arg)
{
    struct orphans *o = arg;

    for (const struct service *s = o->sup->services; s < o->sup->services + o->sup->count; s++)
        if (s->pid == pid)
            return;
    if (pid == o->sup->step)
        return;
    o->count++;
    kill(pid, o->signal);
}

/* What a dead child left behind: it has no owner any more. True when nothing of it is left. */
static bool orphans_gone(struct supervisor *sup)
{
    if (sup->orphans_since_us == 0)
        return true;
    struct orphans o = { sup, ms_since(sup->orphans_since_us) < ORPHAN_PATIENCE_MS ? SIGQUIT : SIGKILL, 0 };

    process_each_child(end_orphan, &o);
    if (o.count > 0)
        return false;
    sup->orphans_since_us = 0;
    return true;
}

static void start_due(struct supervisor *sup)
{
    if (!orphans_gone(sup) || sup->closing || sup->stop_requests > 0)
        return;
    for (struct service *s = sup->services; s < sup->services + sup->count; s++)
        if (s->pid == 0 && s->due_us <= clock_steady_us())
            launch(sup, s);
}

/* How long the loop may sleep: until something is due. */
static int longest_wait(const struct supervisor *sup, unsigned wait_ms)
{
    int64_t wait = (int64_t)wait_ms, now = clock_steady_us();

    if (sup->orphans_since_us > 0 && wait > 20)
        wait = 20;
    for (const struct service *s = sup->services; s < sup->services + sup->count && !sup->closing; s++)
        if (s->pid == 0 && (s->due_us - now) / 1000 + 1 < wait)
            wait = (s->due_us - now) / 1000 + 1;
    return wait > 0 ? (int)wait : 0;
}

static void read_signals(struct supervisor *sup)
{
    struct signalfd_siginfo info;

    while (read(sup->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            sup->stop_requests++;
}

static void read_ready(struct service *s)
{
    ssize_t n = read(s->ready_fd, s->ready + s->ready_n, sizeof s->ready - 1 - s->ready_n);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        closep(&s->ready_fd);
        s->ready_fd = -1;
        return;
    }
    s->ready_n += (size_t)n;
    char *end = memchr(s->ready, '\n', s->ready_n);
    if (end)
        *end = '\0';
    s->ready_full = s->ready_full || end;
}

/* A log over the limit becomes LOG.1; the writer keeps its descriptor, so the bytes are moved, not the file. */
static void rotate(const char *path)
{
    struct arena          a = ARENA(8192);
    struct sb             old = SB(&a);
    struct stat           st;
    _cleanup_(closep) int from = open(path, O_RDWR | O_CLOEXEC);

    sb_printf(&old, "%s.1", path);
    if (from >= 0 && fstat(from, &st) == 0 && st.st_size > log_most_bytes) {
        _cleanup_(closep) int to = open(sb_str(&old).p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        off_t                 left = st.st_size;

        while (to >= 0 && left > 0) {
            ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)left, 0);

            if (n <= 0)
                break;
            left -= n;
        }
        if (ftruncate(from, 0) < 0)
            fprintf(stderr, "dms: cannot shorten %s: %s\n", path, strerror(errno));
    }
    arena_free(&a);
}

static void rotate_logs(struct supervisor *sup)
{
    if (ms_since(sup->rotated_us) < ROTATE_EVERY_MS)
        return;
    sup->rotated_us = clock_steady_us();
    for (const struct service *s = sup->services; s < sup->services + sup->count; s++)
        if (s->spec.log)
            rotate(s->spec.log);
}

void supervisor_turn(struct supervisor *sup, unsigned wait_ms)
{
    struct pollfd fds[SERVICES_MAX + 1] = { { .fd = sup->signals, .events = POLLIN } };

    for (size_t i = 0; i < sup->count; i++)
        fds[i + 1] = (struct pollfd){ .fd = sup->services[i].ready_fd, .events = POLLIN };
    if (poll(fds, sup->count + 1, longest_wait(sup, wait_ms)) > 0) {
        for (size_t i = 0; i < sup->count; i++)
            if (fds[i + 1].revents != 0)
                read_ready(&sup->services[i]);
    }
    read_signals(sup);
    reap(sup);
    start_due(sup);
    rotate_logs(sup);
}

unsigned supervisor_stop_requests(const struct supervisor *sup)
{
    return sup->stop_requests;
}

pid_t service_pid(const struct service *s)
{
    return s->pid;
}

unsigned service_quick_deaths(const struct service *s)
{
    return s->quick_deaths;
}

const char *service_ready_line(const struct service *s)
{
    return s->ready_full ? s->ready : NULL;
}

const char *service_name(const struct service *s)
{
    return s->spec.name;
}

const char *service_log(const struct service *s)
{
    return s->spec.log;
}

int supervisor_run(struct supervisor *sup, const char *what, int (*fn)(void *arg), void *arg, const char *log,
                   struct error *err)
{
    pid_t parent = getpid();
    bool  told = false;

    fflush(NULL);
    sup->step = fork();
    if (sup->step < 0)
        return error_set(err, ERR_UNAVAILABLE, "cannot start a process for %s: %s", what, strerror(errno));
    if (sup->step == 0) {
        int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        setsid();
        on_broken_pipe(SIG_DFL);
        sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
        if (fd >= 0 && (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0))
            _exit(1);
        int status = fn(arg);
        fflush(NULL);
        _exit(status);
    }
    while (sup->step > 0) {
        if (sup->stop_requests > 0 && !told)
            told = kill(sup->step, SIGKILL) == 0;
        supervisor_turn(sup, 1000);
    }
    sup->orphans_since_us = clock_steady_us(); /* initdb killed half-way leaves its backend */
    if (told)
        return -1;
    if (WIFEXITED(sup->step_status) && WEXITSTATUS(sup->step_status) == 0)
        return 0;
    return error_set(err, ERR_INTERNAL, "%s failed", what);
}

/* Ends one service: asks, urges, kills. A person who asks again is in a hurry. */
static void stop(struct supervisor *sup, struct service *s)
{
    int64_t  begun = clock_steady_us();
    unsigned urged = 0;

    if (s->pid > 0)
        kill(s->pid, sup->stop_requests > 1 ? s->spec.hurry_signal : s->spec.stop_signal);
    while (s->pid > 0) {
        if (urged == 0 && (ms_since(begun) > s->spec.stop_ms || sup->stop_requests > 1)) {
            kill(s->pid, s->spec.hurry_signal);
            begun = clock_steady_us();
            urged = 1;
        } else if (urged == 1 && ms_since(begun) > HURRY_MS) {
            kill(s->pid, SIGKILL);
            urged = 2;
        }
        supervisor_turn(sup, 100);
    }
    forget_ready(s);
}

void supervisor_close(struct supervisor *sup)
{
    if (!sup)
        return;
    sup->closing = true;
    for (size_t i = sup->count; i > 0; i--)
        stop(sup, &sup->services[i - 1]);
    int64_t begun = sup->orphans_since_us = clock_steady_us();
    while (sup->signals >= 0 && !orphans_gone(sup) && ms_since(begun) < 2 * HURRY_MS)
        supervisor_turn(sup, 20);
    closep(&sup->signals);
    sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
    free(sup);
}
