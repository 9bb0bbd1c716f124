/* Celery messages: ours are byte for byte what Celery 5.6 sends, and whatever somebody pushes into a queue is read or refused. */
#include "queue/celery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int fresh_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    arena = ARENA(4 << 20);
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* `docs.add(2, 3)` as Celery 5.6.2 pushed it. */
static const char captured[] =
    "{\"body\": \"W1syLCAzXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjogbnVsbCwgImNob3JkIjogbnVsbH1d\", "
    "\"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": {\"lang\": \"py\", \"task\": \"docs.add\", "
    "\"id\": \"11111111-1111-4111-8111-111111111111\", \"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, "
    "\"group_index\": null, \"retries\": 0, \"timelimit\": [null, null], \"root_id\": \"11111111-1111-4111-8111-111111111111\", "
    "\"parent_id\": null, \"argsrepr\": \"(2, 3)\", \"kwargsrepr\": \"{}\", \"origin\": \"gen21765@vm\", \"ignore_result\": false, "
    "\"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}, \"properties\": {\"correlation_id\": "
    "\"11111111-1111-4111-8111-111111111111\", \"reply_to\": \"5b72830d-d76f-3fd8-81e4-393f3f358908\", \"delivery_mode\": 2, "
    "\"delivery_info\": {\"exchange\": \"\", \"routing_key\": \"celery\"}, \"priority\": 0, \"body_encoding\": \"base64\", "
    "\"delivery_tag\": \"1ee3290f-053d-4768-a5a7-09f19674f892\"}}";

static void our_message_is_celerys_byte_for_byte(void **state)
{
    (void)state;
    struct celery_sender me = { .origin = "gen21765@vm", .reply_to = { "5b72830d-d76f-3fd8-81e4-393f3f358908" } };
    struct sb            b = SB(&arena);

    celery_write(&b, &me,
                 &(struct celery_task){ .task = "docs.add",
                                        .id = "11111111-1111-4111-8111-111111111111",
                                        .queue = "celery",
                                        .args = "[2, 3]",
                                        .kwargs = "{}",
                                        .argsrepr = "(2, 3)",
                                        .kwargsrepr = "{}",
                                        .tag = "1ee3290f-053d-4768-a5a7-09f19674f892" });
    assert_string_equal(b.p, captured);
}

static void a_captured_message_is_read(void **state)
{
    (void)state;
    struct celery_message m;
    struct error          err = { 0 };

    assert_int_equal(celery_read(&arena, str_of(captured), &m, &err), 0);
    assert_string_equal(m.task, "docs.add");
    assert_string_equal(m.id, "11111111-1111-4111-8111-111111111111");
    assert_string_equal(m.tag, "1ee3290f-053d-4768-a5a7-09f19674f892");
    assert_string_equal(m.routing_key, "celery");
    assert_string_equal(m.argsrepr, "(2, 3)");
    assert_int_equal(jv_count(m.args), 2);
    assert_false(m.ignore_result);
    assert_false(m.linked);
    assert_null(m.parent_id);
}

static struct job_ref some_job(void)
{
    return (struct job_ref){ .tenant_id = { "01890000-0000-7000-8000-00000000000a" },
                             .id = { "01890000-0000-7000-8000-00000000000b" },
                             .kind = JOB_DOCUMENT_PROCESS,
                             .priority = 6,
                             .attempts = 2,
                             .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
}

static void a_jobs_message_holds_its_ids_and_nothing_else(void **state)
{
    (void)state;
    struct celery_sender  me;
    struct celery_message m;
    struct error          err = { 0 };
    struct job_ref        job = some_job();
    struct sb             b = SB(&arena), kwargs = SB(&arena);

    celery_sender_init(&me);
    celery_write_job(&b, &me, &job, "tag-1");
    assert_int_equal(celery_read(&arena, sb_str(&b), &m, &err), 0);
    assert_string_equal(m.task, "dms.document.process");
    assert_string_equal(m.id, job.id.text);
    assert_string_equal(m.root_id, job.id.text);
    assert_string_equal(m.routing_key, "processing");
    assert_string_equal(m.traceparent, job.traceparent);
    assert_int_equal(m.priority, 6);
    assert_int_equal(m.retries, 2);
    assert_true(m.ignore_result);
    json_write(&kwargs, m.kwargs);
    assert_string_equal(
        kwargs.p,
        "{\"tenant_id\":\"01890000-0000-7000-8000-00000000000a\",\"job_id\":\"01890000-0000-7000-8000-00000000000b\"}");
}

static void lists_by_priority_are_kombus(void **state)
{
    (void)state;
    static const unsigned steps[] = { 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3 };

    for (unsigned p = 0; p < ARRAY_LEN(steps); p++)
        assert_int_equal(celery_step(p), steps[p]);
    assert_string_equal(celery_list(&arena, "processing", 0), "processing");
    assert_string_equal(celery_list(&arena, "processing", 1), "processing\x06\x16"
                                                              "3");
    assert_string_equal(celery_list(&arena, "processing", 3), "processing\x06\x16"
                                                              "9");
}

#define HEAD  "{\"task\":\"t\",\"id\":\"i\"}"
#define PROPS "{\"delivery_tag\":\"d\",\"delivery_info\":{\"exchange\":\"\",\"routing_key\":\"q\"}}"
#define MESSAGE(body, type, headers, properties)                                                           \
    "{\"body\":" body ",\"content-encoding\":\"utf-8\",\"content-type\":\"" type "\",\"headers\":" headers \
    ",\"properties\":" properties "}"

/* The least that a real worker executes: no lang, no encoding of the body, embed null. */
static void the_smallest_foreign_message_is_read(void **state)
{
    (void)state;
    struct celery_message m;
    struct error          err = { 0 };
    const char           *raw = MESSAGE("\"[[1,2],{},null]\"", "application/json", HEAD, PROPS);

    assert_int_equal(celery_read(&arena, str_of(raw), &m, &err), 0);
    assert_string_equal(m.task, "t");
    assert_string_equal(m.root_id, "i");
    assert_int_equal(jv_count(m.args), 2);
}

static const char *const hostile[] = {
    "",
    "not JSON",
    "null",
    "[]",
    "{}",
    "{\"body\": \"W10=\"",
    MESSAGE("\"[[],{},{}]\"", "application/x-python-serialize", HEAD, PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "null", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "{\"id\":\"i\"}", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "{\"task\":\"t\"}", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "{\"task\":7,\"id\":\"i\"}", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "{\"task\":\"a\\nb\",\"id\":\"i\"}", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", "{\"task\":\"t\",\"id\":\"i\",\"eta\":\"tomorrow\"}", PROPS),
    MESSAGE("\"[[],{},{}]\"", "application/json", HEAD, "null"),
    MESSAGE("\"[[],{},{}]\"", "application/json", HEAD, "{\"delivery_info\":{\"routing_key\":\"q\"}}"),
    MESSAGE("\"[[],{},{}]\"", "application/json", HEAD,
            "{\"delivery_tag\":\"\",\"delivery_info\":{\"routing_key\":\"q\"}}"),
    MESSAGE("\"[[],{},{}]\"", "application/json", HEAD, "{\"delivery_tag\":\"d\",\"delivery_info\":{\"exchange\":[]}}"),
    MESSAGE("7", "application/json", HEAD, PROPS),
    MESSAGE("\"[[],{}]\"", "application/json", HEAD, PROPS),
    MESSAGE("\"[{},[],{}]\"", "application/json", HEAD, PROPS),
    MESSAGE("\"W1tdLHt9LHt9XQ\"", "application/json", HEAD,
            "{\"delivery_tag\":\"d\",\"delivery_info\":{},\"body_encoding\":\"base64\"}"),
    MESSAGE("\"W1tdLHt9LHt9X*==\"", "application/json", HEAD,
            "{\"delivery_tag\":\"d\",\"delivery_info\":{},\"body_encoding\":\"base64\"}"),
    MESSAGE("\"[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],{},{}]\"", "application/json", HEAD, PROPS),
    MESSAGE("\"[[],{\\\"a\\\":1,\\\"a\\\":2},{}]\"", "application/json", HEAD, PROPS),
};

static void hostile_messages_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct celery_message m;
        struct error          err = { 0 };

        if (celery_read(&arena, str_of(hostile[i]), &m, &err) != -1)
            fail_msg("was read: %s", hostile[i]);
        assert_int_equal(err.code, ERR_VALIDATION);
    }
}

/* Each prefix and each message with one byte changed: read or refused, never more (run under the sanitizers). */
static void damaged_messages_do_no_harm(void **state)
{
    (void)state;
    char   copy[sizeof captured];
    size_t read = 0;

    for (size_t n = 0; n < sizeof captured - 1; n++) {
        struct celery_message m;
        struct error          err = { 0 };

        fresh_arena(NULL);
        assert_int_equal(celery_read(&arena, (struct str){ captured, n }, &m, &err), -1);
        memcpy(copy, captured, sizeof copy);
        copy[n] ^= 0x15;
        err = (struct error){ 0 };
        read += celery_read(&arena, str_of(copy), &m, &err) == 0;
    }
    assert_true(read > 0); /* a changed letter of a name is still a message */
}

static void a_message_over_64_kb_is_refused_unread(void **state)
{
    (void)state;
    struct celery_message m;
    struct sb             b = SB(&arena);

    for (int over = 0; over <= 1; over++) {
        struct error err = { 0 };

        b = SB(&arena);
        sb_puts(&b, "{\"body\":\"[[],{},{}]\",\"content-type\":\"application/json\",\"headers\":" HEAD
                    ",\"properties\":" PROPS ",\"pad\":\"");
        while (b.n < CELERY_MAX_MESSAGE - 2 + (size_t)over)
            sb_putc(&b, 'x');
        sb_puts(&b, "\"}");
        assert_int_equal(b.n, CELERY_MAX_MESSAGE + over);
        assert_int_equal(celery_read(&arena, sb_str(&b), &m, &err), over ? -1 : 0);
    }
}

static void chains_and_callbacks_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        bool        linked;
    } cases[] = {
        { MESSAGE("\"[[],{},{\\\"callbacks\\\":null,\\\"chain\\\":[]}]\"", "application/json", HEAD, PROPS), false },
        { MESSAGE("\"[[],{},{\\\"chain\\\":[{\\\"task\\\":\\\"u\\\"}]}]\"", "application/json", HEAD, PROPS), true },
        { MESSAGE("\"[[],{},{\\\"chord\\\":{\\\"task\\\":\\\"u\\\"}}]\"", "application/json", HEAD, PROPS), true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct celery_message m;
        struct error          err = { 0 };

        assert_int_equal(celery_read(&arena, str_of(cases[i].raw), &m, &err), 0);
        assert_int_equal(m.linked, cases[i].linked);
    }
}

static void times_come_in_the_forms_that_celery_writes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t     us;
    } cases[] = {
        { "2026-11-23T00:04:41.343838+00:00", INT64_C(1795392281343838) },
        { "2026-11-23T00:04:41.343Z", INT64_C(1795392281343000) },
        { "2026-11-23T01:04:41+01:00", INT64_C(1795392281000000) },
        { "2026-11-23T00:04:41.343838", INT64_C(1795392281343838) }, /* 5.2 without a zone */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct celery_message m;
        struct error          err = { 0 };
        struct sb             b = SB(&arena);

        sb_printf(
            &b,
            "{\"body\":\"[[],{},{}]\",\"content-type\":\"application/json\",\"headers\":{\"task\":\"t\",\"id\":\"i\",\"eta\":\"%s\","
            "\"expires\":null},\"properties\":" PROPS "}",
            cases[i].text);
        assert_int_equal(celery_read(&arena, sb_str(&b), &m, &err), 0);
        assert_true(m.eta_us == cases[i].us);
        assert_true(m.expires_us == 0);
    }
}

static void results_are_those_that_python_callers_read(void **state)
{
    (void)state;
    static const struct {
        struct celery_end end;
        const char       *text;
    } cases[] = {
        { { CELERY_SUCCESS, NULL, NULL },
          "{\"status\": \"SUCCESS\", \"result\": null, \"traceback\": null, \"children\": [], \"date_done\": "
          "\"2026-11-23T00:07:13.066133+00:00\", \"task_id\": \"i\"}" },
        { { CELERY_FAILURE, "RuntimeError", "it \"broke\"" },
          "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"RuntimeError\", \"exc_message\": [\"it \\\"broke\\\"\"], \"exc_module\": "
          "\"builtins\"}, \"traceback\": null, \"children\": [], \"date_done\": \"2026-11-23T00:07:13.066133+00:00\", \"task_id\": \"i\"}" },
        { { CELERY_UNKNOWN_TASK, NULL, "docs.unknown" },
          "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"NotRegistered\", \"exc_message\": [\"docs.unknown\"], \"exc_module\": "
          "\"celery.exceptions\"}, \"traceback\": null, \"children\": [], \"date_done\": \"2026-11-23T00:07:13.066133+00:00\", \"task_id\": "
          "\"i\"}" },
        { { CELERY_REVOKED, NULL, "expired" },
          "{\"status\": \"REVOKED\", \"result\": {\"exc_type\": \"TaskRevokedError\", \"exc_message\": [\"expired\"], \"exc_module\": "
          "\"celery.exceptions\"}, \"traceback\": null, \"children\": [], \"date_done\": \"2026-11-23T00:07:13.066133+00:00\", \"task_id\": "
          "\"i\"}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sb b = SB(&arena);

        celery_write_result(&b, "i", &cases[i].end, INT64_C(1795392433066133));
        assert_string_equal(b.p, cases[i].text);
    }
}

static void base64_is_padded_and_strict(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "\xfb\xff\xfe", "+//+" }
    };
    static const char *const wrong[] = { "Zg=", "Zg", "Z===", "Zg==Zg==", "-//-", "Zh==", "Zm9v\n", "====" };
    struct str               out;

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct sb b = SB(&arena);

        celery_base64(&b, str_of(pairs[i][0]));
        assert_true(str_eq(sb_str(&b), str_of(pairs[i][1])));
        assert_true(celery_from_base64(&arena, str_of(pairs[i][1]), &out));
        assert_true(str_eq(out, str_of(pairs[i][0])));
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (celery_from_base64(&arena, str_of(wrong[i]), &out))
            fail_msg("was decoded: %s", wrong[i]);
}

static void waits_grow_and_differ_and_end_at_an_hour(void **state)
{
    (void)state;
    assert_int_equal(job_backoff_ms(2, 1, 0), 1000);
    assert_int_equal(job_backoff_ms(2, 1, 1000), 2000);
    assert_int_equal(job_backoff_ms(2, 4, 0), 8000);
    for (unsigned attempts = 1; attempts < 100; attempts++)
        for (uint32_t chance = 0; chance < 5; chance++) {
            uint64_t ms = job_backoff_ms(3600, attempts, chance * 858993459u);

            assert_in_range(ms, 1800 * 1000, 3600 * 1000);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(our_message_is_celerys_byte_for_byte, fresh_arena),
        cmocka_unit_test_setup(a_captured_message_is_read, fresh_arena),
        cmocka_unit_test_setup(a_jobs_message_holds_its_ids_and_nothing_else, fresh_arena),
        cmocka_unit_test_setup(lists_by_priority_are_kombus, fresh_arena),
        cmocka_unit_test_setup(the_smallest_foreign_message_is_read, fresh_arena),
        cmocka_unit_test_setup(hostile_messages_are_refused, fresh_arena),
        cmocka_unit_test_setup(damaged_messages_do_no_harm, fresh_arena),
        cmocka_unit_test_setup(a_message_over_64_kb_is_refused_unread, fresh_arena),
        cmocka_unit_test_setup(chains_and_callbacks_are_noticed, fresh_arena),
        cmocka_unit_test_setup(times_come_in_the_forms_that_celery_writes, fresh_arena),
        cmocka_unit_test_setup(results_are_those_that_python_callers_read, fresh_arena),
        cmocka_unit_test_setup(base64_is_padded_and_strict, fresh_arena),
        cmocka_unit_test_setup(waits_grow_and_differ_and_end_at_an_hour, fresh_arena),
    };

    return cmocka_run_group_tests_name("celery", tests, NULL, free_arena);
}
