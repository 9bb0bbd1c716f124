/* fake_extract.c - stands in for dms-extract in the tests of its parent: does what its --name says, well or badly. */
#include "domain/frame.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void put(const void *p, size_t n)
{
    ssize_t ignored = write(STDOUT_FILENO, p, n); /* the test looks at what arrives */

    (void)ignored;
}

static void put_frame(char kind, const char *body, unsigned n)
{
    const char head[5] = { kind, (char)(n & 0xff), (char)(n >> 8 & 0xff), (char)(n >> 16 & 0xff), (char)(n >> 24) };

    put(head, sizeof head);
    put(body, n);
}

static void put_whole(void)
{
    static const char hello[] = "{\"version\":1}",
                      meta[] = "{\"mime_type\":\"text/plain\",\"page_count\":0,\"metadata\":{}}";
    static const char ended[16] = { 0 };

    put_frame(FRAME_HELLO, hello, sizeof hello - 1);
    put_frame(FRAME_META, meta, sizeof meta - 1);
    put_frame(FRAME_END, ended, sizeof ended);
}

static void sleep_long(void)
{
    for (;;)
        pause();
}

static void hang(void)
{
    put_whole();
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    sleep_long();
}

static void flood(void)
{
    static char zeros[1 << 20];

    for (;;)
        put(zeros, sizeof zeros);
}

static void chatter(void)
{
    for (int i = 0; i < 100000; i++)
        fputs("a diagnostic line that nobody asked for\n", stderr);
    put_whole();
}

static void trickle(void)
{
    for (;;) {
        put("H", 1);
        usleep(50000);
    }
}

/* As a program without AddressSanitizer, which would catch it. */
static void die_of(int number)
{
    const struct sigaction by_default = { .sa_handler = SIG_DFL };

    sigaction(number, &by_default, NULL);
    raise(number);
}

static void no_memory(void)
{
    fputs("terminate called after throwing an instance of 'std::bad_alloc'\n", stderr);
    die_of(SIGABRT);
}

static void out_of_memory(void)
{
    put_frame(FRAME_HELLO, "{\"version\":1}", 13);
    fputs("Out of memory\n", stderr);
    _exit(1);
}

static void give_up(void)
{
    put_frame(FRAME_HELLO, "{\"version\":1}", 13);
    _exit(1);
}

static void die_halfway(void)
{
    put_frame(FRAME_HELLO, "{\"version\":1}", 13);
    die_of(SIGSEGV);
}

static void use_up_cpu(void)
{
    struct rlimit r = { 1, 2 };

    setrlimit(RLIMIT_CPU, &r);
    for (volatile unsigned long i = 0;; i++)
        ;
}

static void call_forbidden(void)
{
    die_of(SIGSYS);
}

static void be_killed(void)
{
    die_of(SIGKILL);
}

static void lose_the_disk(void)
{
    die_of(SIGBUS);
}

/* Exits 3 when anything but the three descriptors, an empty environment and default signals was inherited. */
static void look_around(void)
{
    extern char    **environ;
    struct sigaction pipe_action;
    sigset_t         blocked;

    sigaction(SIGPIPE, NULL, &pipe_action);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    bool clean = !environ[0] && pipe_action.sa_handler == SIG_DFL && !sigismember(&blocked, SIGTERM);
    for (int fd = 3; fd < 1024; fd++)
        clean = clean && fcntl(fd, F_GETFD) < 0;
    char first;
    clean = clean && pread(STDIN_FILENO, &first, 1, 0) == 1 && first == 'x';
    if (!clean)
        _exit(3);
    put_whole();
}

static const struct {
    const char *name;
    void (*run)(void);
} rows[] = {
    { "whole", put_whole },
    { "sleep", sleep_long },
    { "hang", hang },
    { "flood", flood },
    { "chatter", chatter },
    { "trickle", trickle },
    { "no_memory", no_memory },
    { "out_of_memory", out_of_memory },
    { "give_up", give_up },
    { "die_halfway", die_halfway },
    { "cpu", use_up_cpu },
    { "forbidden", call_forbidden },
    { "killed", be_killed },
    { "disk", lose_the_disk },
    { "look_around", look_around },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(argv[argc - 1], rows[i].name) != 0)
            continue;
        rows[i].run();
        return 0;
    }
    return 2;
}
