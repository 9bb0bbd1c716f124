/* The parent of dms-extract: how each ending of the child is told, with a stand-in for it, and once with the real one.
   Environment: FAKE_EXTRACT, DMS_EXTRACT (paths of the two programs). */
#include "jobs/extract_run.h"

#include "base/clock.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, RUNS = 10 };

struct fixture {
    struct arena          arena;
    struct extract_limits limits;
    struct extraction     x;
    struct error          err;
    FILE                 *file;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    f->arena = ARENA(128 << 20);
    f->limits = EXTRACT_LIMITS_DEFAULT;
    f->limits.program = getenv("FAKE_EXTRACT");
    f->limits.wall_seconds = 20;
    f->file = tmpfile();
    if (!f->file)
        return -1;
    fputs("x some text in a file\n", f->file);
    fflush(f->file);
    return f->limits.program ? 0 : -1;
}

static int end(void **state)
{
    struct fixture *f = *state;

    fclose(f->file);
    arena_free(&f->arena);
    free(f);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child was left behind */
    return 0;
}

static int run(struct fixture *f, const char *name)
{
    f->err = (struct error){ 0 };
    return extract_run(&f->arena, &f->limits, fileno(f->file), name, &f->x, &f->err);
}

static void assert_cause(struct fixture *f, const char *name, const char *cause)
{
    assert_int_equal(run(f, name), -1);
    assert_string_equal(f->err.field, cause);
    assert_int_equal(f->err.code, ERR_UNPROCESSABLE);
}

static void each_ending_has_its_cause(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "whole"), 0);
    assert_string_equal(f->x.mime_type, "text/plain");
    assert_cause(f, "forbidden", "sandbox");
    assert_cause(f, "die_halfway", "crashed");
    assert_cause(f, "give_up", "crashed");
    assert_cause(f, "no_memory", "memory");
    assert_cause(f, "out_of_memory", "memory");
    assert_cause(f, "flood", "too_large_text");
    assert_cause(f, "cpu", "timeout");
    assert_int_equal(run(f, "chatter"), 0);
}

static void what_is_not_the_file_s_fault_is_tried_again(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "killed"), -1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_int_equal(run(f, "disk"), -1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void the_wall_clock_ends_what_hangs(void **state)
{
    struct fixture          *f = *state;
    static const char *const names[] = { "sleep", "hang", "trickle" };

    f->limits.wall_seconds = 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int64_t start_us = clock_steady_us();

        assert_cause(f, names[i], "timeout");
        assert_true(clock_steady_us() - start_us >= 900000);
        assert_true(clock_steady_us() - start_us < 10000000);
    }
}

static void the_child_inherits_nothing_but_the_file_and_two_pipes(void **state)
{
    struct fixture *f = *state;
    sigset_t        term, before;
    int             extra = dup(fileno(f->file)); /* not close-on-exec: a careless library's */

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    sigaction(SIGPIPE, &(const struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    setenv("SECRET", "not for the child", 1);
    assert_int_equal(run(f, "look_around"), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(extra);
}

static void a_missing_program_is_our_fault(void **state)
{
    struct fixture *f = *state;

    f->limits.program = "/nonexistent/dms-extract";
    assert_int_equal(run(f, "whole"), -1);
    assert_int_equal(f->err.code, ERR_INTERNAL);
    assert_string_equal(f->err.field, "");
    f->limits.program = NULL; /* beside this test there is none */
    assert_int_equal(run(f, "whole"), -1);
    assert_int_equal(f->err.code, ERR_INTERNAL);
}

static size_t open_descriptors(void)
{
    DIR   *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static void no_descriptor_is_left_open(void **state)
{
    struct fixture          *f = *state;
    static const char *const names[] = { "whole", "die_halfway", "flood", "give_up" };
    size_t                   before = open_descriptors();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int ignored = run(f, names[i]); /* any ending */
        (void)ignored;
    }
    assert_int_equal(open_descriptors(), before);
}

static void *run_many(void *limits)
{
    struct arena a = ARENA(16 << 20);
    FILE        *file = tmpfile();
    uintptr_t    good = 0;

    if (!file)
        return NULL;
    fputs("x\n", file);
    fflush(file);
    for (int i = 0; i < RUNS; i++) {
        struct extraction x;
        struct error      err = { 0 };

        good += extract_run(&a, limits, fileno(file), "look_around", &x, &err) == 0;
        arena_free(&a);
    }
    fclose(file);
    return (void *)good;
}

static void several_threads_run_at_once(void **state)
{
    struct fixture *f = *state;
    pthread_t       threads[THREADS];
    uintptr_t       good = 0;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &f->limits), 0);
    for (int i = 0; i < THREADS; i++) {
        void *one;

        pthread_join(threads[i], &one);
        good += (uintptr_t)one;
    }
    assert_int_equal(good, THREADS * RUNS);
}

static void the_real_program_reads_a_file(void **state)
{
    struct fixture *f = *state;

    f->limits.program = getenv("DMS_EXTRACT");
    assert_int_equal(run(f, "report.txt"), 0);
    assert_int_equal(f->x.block_count, 1);
    assert_memory_equal(f->x.blocks[0].text.p, "x some text in a file", 21);
    assert_true(jv_bool(f->x.protections, "seccomp", false));

    f->limits.max_text_bytes = 10;
    assert_cause(f, "report.txt", "too_large_text");
    f->limits.max_text_bytes = 1000;
    assert_int_equal(ftruncate(fileno(f->file), 0), 0);
    assert_cause(f, "report.txt", "empty");
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(each_ending_has_its_cause),      ROW(what_is_not_the_file_s_fault_is_tried_again),
        ROW(the_wall_clock_ends_what_hangs), ROW(the_child_inherits_nothing_but_the_file_and_two_pipes),
        ROW(a_missing_program_is_our_fault), ROW(no_descriptor_is_left_open),
        ROW(several_threads_run_at_once),    ROW(the_real_program_reads_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
