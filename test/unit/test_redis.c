/* Addresses of Redis in their forms; a Redis that is not there costs a sender next to nothing. */
#include "base/clock.h"
#include "queue/queue.h"
#include "queue/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        unsigned    port, db;
    } cases[] = {
        { "redis://cache", "cache", 6379, 0 },
        { "redis://", "localhost", 6379, 0 },
        { "redis://127.0.0.1:6390/3", "127.0.0.1", 6390, 3 },
        { "redis://[::1]:6390", "::1", 6390, 0 },
        { "redis://:p%40ss/word@cache:1/2", NULL, 0, 0 }, /* the slash must be escaped */
        { "redis://:p%40ss%2Fword@cache:1/2", "cache", 1, 2 },
        { "redis://user:secret@cache", "cache", 6379, 0 },
        { "redis://secret@cache", "cache", 6379, 0 },
        { "unix:///run/redis.sock", "/run/redis.sock", 0, 0 },
        { "unix://:secret@/run/redis.sock?db=2", "/run/redis.sock", 0, 2 },
        { "unix:///run/redis.sock?db=1&password=a%26b", "/run/redis.sock", 0, 1 },
        { "unix://run/redis.sock", NULL, 0, 0 },
        { "redis://cache:70000", NULL, 0, 0 },
        { "redis://cache:12x", NULL, 0, 0 },
        { "redis://[::1]x", NULL, 0, 0 },
        { "redis://cache/first", NULL, 0, 0 },
        { "redis://cache?timeout=3", NULL, 0, 0 },
        { "redis://:%zz@cache", NULL, 0, 0 },
        { "rediss://cache", NULL, 0, 0 },
        { "http://cache", NULL, 0, 0 },
        { "cache:6379", NULL, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error  err = { 0 };
        struct redis *r = redis_open(cases[i].url, 100, &err);

        if (!r != !cases[i].host)
            fail_msg("%s: %s", cases[i].url, r ? "was taken" : err.detail);
        if (r) {
            assert_string_equal(redis_host(r), cases[i].host);
            assert_int_equal(redis_port(r), cases[i].port);
            assert_int_equal(redis_db(r), cases[i].db);
        } else
            assert_int_equal(err.code, ERR_VALIDATION);
        redis_close(r);
    }
}

static void no_message_names_a_password(void **state)
{
    (void)state;
    static const char *const urls[] = { "redis://:hunter2@cache:x", "unix://:hunter2@run", "redis://:hunter2@cache?x=1",
                                        "rediss://:hunter2@cache" };

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct error err = { 0 };

        assert_null(redis_open(urls[i], 100, &err));
        assert_null(strstr(err.detail, "hunter2"));
        assert_null(strstr(err.message, "hunter2"));
    }
}

static void without_redis_nothing_is_sent_and_nobody_waits(void **state)
{
    (void)state;
    static const char *const urls[] = { NULL, "", "unix:///nonexistent/redis.sock" };
    struct job_ref           job = { .tenant_id = uuid_v7(), .id = uuid_v7() };

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct error  err = { 0 };
        struct queue *q = queue_open(urls[i], &err);
        int64_t       start_us = clock_steady_us();

        assert_non_null(q);
        for (int k = 0; k < 10000; k++)
            assert_false(queue_publish(q, &job));
        assert_false(queue_up(q));
        assert_false(queue_notify(q, job.tenant_id.text, "job", S("{}")));
        assert_true(clock_steady_us() - start_us < 5 * 1000 * 1000);
        queue_close(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(no_message_names_a_password),
        cmocka_unit_test(without_redis_nothing_is_sent_and_nobody_waits),
    };

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
