/* test_settings.c - where a setting's value comes from, what is refused and what is suggested. */
#include "domain/settings.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static const char *none(const char *name)
{
    (void)name;
    return NULL;
}

static const char *some(const char *name)
{
    static const char *const rows[][2] = { { "DMS_PORT", "2000" },
                                           { "DMS_LISTEN", "::" },
                                           { "API_DATABASE_URL", "postgresql://api" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i][0], name) == 0)
            return rows[i][1];
    return NULL;
}

static const char *both_urls(const char *name)
{
    return strcmp(name, "API_DATABASE_URL") == 0   ? "postgresql://api"
           : strcmp(name, "DMS_DATABASE_URL") == 0 ? "postgresql://dms"
                                                   : NULL;
}

struct outcome {
    struct arena           arena;
    struct settings_loaded loaded;
    struct error           err;
    int                    rc, argc;
    char                  *argv[16];
};

static struct outcome *load(const char *file, const char *(*lookup)(const char *), const char *const *args)
{
    static char     words[16][200];
    struct outcome *o = calloc(1, sizeof *o);

    assert_non_null(o);
    o->arena = ARENA(1 << 20);
    for (; args && *args; args++) {
        snprintf(words[o->argc], sizeof words[0], "%s", *args);
        o->argv[o->argc] = words[o->argc];
        o->argc++;
    }
    o->rc = settings_load(&o->arena, str_of(file), lookup, &o->argc, o->argv, &o->loaded, &o->err);
    return o;
}

static void done(struct outcome *o)
{
    arena_free(&o->arena);
    free(o);
}

static size_t row(const char *name)
{
    const struct setting *s = setting_find(str_of(name));

    assert_non_null(s);
    return (size_t)(s - setting_table);
}

#define ARGUMENTS(...)           \
    (const char *const[])        \
    {                            \
        "dms", __VA_ARGS__, NULL \
    }

static void test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(void **state)
{
    (void)state;
    const char     *file = "port = 1000\nlisten=0.0.0.0\nwork_threads = 9 \n# env = prod\n";
    struct outcome *o = load(file, some, ARGUMENTS("--port", "3000"));

    assert_int_equal(o->rc, 0);
    assert_int_equal(o->loaded.values.port, 3000);
    assert_int_equal(o->loaded.source[row("port")], SOURCE_ARGUMENT);
    assert_string_equal(o->loaded.values.listen, "::");
    assert_int_equal(o->loaded.source[row("listen")], SOURCE_ENVIRONMENT);
    assert_int_equal(o->loaded.values.work_threads, 9);
    assert_int_equal(o->loaded.source[row("work_threads")], SOURCE_FILE);
    assert_string_equal(o->loaded.values.env, "dev");
    assert_int_equal(o->loaded.source[row("env")], SOURCE_DEFAULT);
    done(o);
}

static void test_api_database_url_counts_where_the_own_name_is_not_set(void **state)
{
    (void)state;
    struct outcome *o = load("", some, NULL);

    assert_string_equal(o->loaded.values.database_url, "postgresql://api");
    done(o);
    o = load("", both_urls, NULL);
    assert_string_equal(o->loaded.values.database_url, "postgresql://dms");
    done(o);
}

static void test_what_is_no_setting_stays_in_the_arguments_in_order(void **state)
{
    (void)state;
    struct outcome *o =
        load("", none, ARGUMENTS("up", "--demo", "--port=1", "x", "--no-registration", "--", "--port=2"));

    assert_int_equal(o->rc, 0);
    assert_int_equal(o->argc, 6);
    static const char *const left[] = { "dms", "up", "--demo", "x", "--", "--port=2" };
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        assert_string_equal(o->argv[i], left[i]);
    assert_int_equal(o->loaded.values.port, 1);
    assert_false(o->loaded.values.registration);
    done(o);
}

static void test_a_switch_takes_no_word_after_it(void **state)
{
    (void)state;
    struct outcome *o = load("", none, ARGUMENTS("--require-verified-email", "true-story.md"));

    assert_int_equal(o->rc, 0);
    assert_true(o->loaded.values.require_verified_email);
    assert_int_equal(o->argc, 2);
    done(o);
}

static void test_what_is_wrong_ends_it_with_a_sentence(void **state)
{
    static const struct {
        const char *file, *argument, *sentence;
    } rows[] = {
        { "", "--port=65536", "port must be a whole number from 0 to 65535." },
        { "", "--port=80x", "port must be a whole number from 0 to 65535." },
        { "", "--port=", "port must be a whole number from 0 to 65535." },
        { "", "--port=-1", "port must be a whole number from 0 to 65535." },
        { "", "--port", "--port needs a value." },
        { "", "--env=production", "env must be one of: dev staging prod." },
        { "", "--env=", "env must be one of: dev staging prod." },
        { "", "--embed-precision=int8", "embed_precision must be one of: fp32 bf16." },
        { "", "--registration=maybe", "registration must be true or false." },
        { "", "--listen=0123456789012345678901234567890123456789012345678901234567890123456789",
          "listen must be text of at most 64 bytes." },
        { "prot = 1\n", "x", "dms.conf line 1: there is no setting prot. Did you mean port?" },
        { "\n\nzzzzzzzzzzzz = 1\n", "x",
          "dms.conf line 3: there is no setting zzzzzzzzzzzz. `dms config` lists them." },
        { "port 80\n", "x", "dms.conf line 1: expected `name = value`." },
        { "port = 1\nport = 2\n", "x", "dms.conf line 2: port is set a second time." },
        { "config = other.conf\n", "x", "dms.conf line 1: config cannot be set in the file itself." },
        { "port = many\n", "x", "port must be a whole number from 0 to 65535." },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome *o = load(rows[i].file, none, ARGUMENTS(rows[i].argument));

        assert_int_equal(o->rc, -1);
        assert_string_equal(o->err.message, rows[i].sentence);
        done(o);
    }
}

static void test_the_nearest_name_is_an_option_of_the_command_or_a_setting(void **state)
{
    static const char *const options[] = { "demo", "ready-file", NULL };
    struct arena             a = ARENA(65536);

    (void)state;
    assert_string_equal(name_nearest(&a, S("dmo"), options), "demo");
    assert_string_equal(name_nearest(&a, S("ready_fil"), options), "ready-file");
    assert_string_equal(name_nearest(&a, S("work-thread"), options), "work-threads");
    assert_null(name_nearest(&a, S("entirely-different"), options));
    arena_free(&a);
}

static void test_secrets_are_masked_and_nothing_else(void **state)
{
    (void)state;
    struct outcome *o = load("", some, ARGUMENTS("--embed-key=sesame"));

    assert_string_equal(setting_show(&o->arena, &o->loaded.values, row("embed_key")), "********");
    assert_string_equal(setting_show(&o->arena, &o->loaded.values, row("database_url")), "********");
    assert_string_equal(setting_show(&o->arena, &o->loaded.values, row("redis_url")), "");
    assert_string_equal(setting_show(&o->arena, &o->loaded.values, row("port")), "2000");
    assert_string_equal(setting_show(&o->arena, &o->loaded.values, row("registration")), "true");
    done(o);
}

/* Each argument makes one finding of its own, in production only. */
static void test_production_refuses_what_is_unsafe(void **state)
{
    static const char *const arguments[] = { "--public-url=http://dms.example",
                                             "--redis-url=redis://10.0.0.1/",
                                             "--embed-url=http://far.example/v1",
                                             "--access-ttl=7200",
                                             "--min-body-rate=0",
                                             "--min-free-disk=0",
                                             "--log-level=debug",
                                             "--database-url=postgresql://db/dms?sslmode=disable" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
        struct outcome *o = load("", none, ARGUMENTS("--env=prod", "--public-url=https://dms.example", arguments[i]));
        const char *const *found = settings_unsafe(&o->arena, &o->loaded.values);

        assert_int_equal(o->rc, 0);
        assert_non_null(found[0]);
        assert_null(found[1]);
        o->loaded.values.env = "staging";
        assert_null(settings_unsafe(&o->arena, &o->loaded.values)[0]);
        done(o);
    }
    struct outcome *o = load(
        "", none, ARGUMENTS("--env=prod", "--public-url=https://dms.example", "--redis-url=redis://:x@127.0.0.1:6379"));
    assert_null(settings_unsafe(&o->arena, &o->loaded.values)[0]);
    done(o);
}

/* Walks the table: every row can be set by each of its names, to both ends of its range, and not beyond. */
static void test_every_row_keeps_to_its_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        char                  least[100], most[100], over[100];

        if (s->type != 'u')
            continue;
        snprintf(least, sizeof least, "--%s=%lu", s->name, (unsigned long)s->min);
        snprintf(most, sizeof most, "--%s=%lu", s->name, (unsigned long)s->max);
        snprintf(over, sizeof over, "--%s=%lu", s->name, (unsigned long)s->max + 1);
        const struct {
            const char *argument;
            int         rc;
        } tries[] = { { least, 0 }, { most, 0 }, { over, -1 } };
        for (size_t k = 0; k < ARRAY_LEN(tries); k++) {
            struct outcome *o = load("", none, ARGUMENTS(tries[k].argument));

            assert_int_equal(o->rc, tries[k].rc);
            done(o);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_command_line_beats_the_environment_beats_the_file_beats_the_default),
        cmocka_unit_test(test_api_database_url_counts_where_the_own_name_is_not_set),
        cmocka_unit_test(test_what_is_no_setting_stays_in_the_arguments_in_order),
        cmocka_unit_test(test_a_switch_takes_no_word_after_it),
        cmocka_unit_test(test_what_is_wrong_ends_it_with_a_sentence),
        cmocka_unit_test(test_the_nearest_name_is_an_option_of_the_command_or_a_setting),
        cmocka_unit_test(test_secrets_are_masked_and_nothing_else),
        cmocka_unit_test(test_production_refuses_what_is_unsafe),
        cmocka_unit_test(test_every_row_keeps_to_its_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
