/* test_mail.c - what becomes of templates, values and headers; above all of those that would like to be more than one line. */
#include "net/mail.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

enum { MEMORY = 1 << 20 };

static const char FROM[] = "DMS <dms@example.org>";

static struct mail mail_of(struct arena *a, const char *template, const char *to, const char *language,
                           const char *given)
{
    struct error err = { 0 };

    return (struct mail){ .id = "01a2093b-0000-7000-8000-000000000001",
                          .template = template,
                          .to = to,
                          .language = language,
                          .given = json_read(a, str_of(given), 4, 64, &err) };
}

static void a_value_with_a_control_character_is_refused(void **state)
{
    static const char *const bad[] = {
        "a\\r\\nBcc: b@example.org", "a\\nb", "a\\rb", "a\\tb", "a\\u0085b", "a\\u007f", "a\\u202eb", "a\\u0000b"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a = ARENA(MEMORY);
        struct sb    given = SB(&a);
        struct error err = { 0 };
        struct str   text;

        sb_printf(&given, "{\"inviter\":\"A\",\"organization\":\"%s\"}", bad[i]);
        struct mail m = mail_of(&a, "invitation", "b@example.org", "en", given.p);
        assert_int_equal(mail_check(&m, &err), -1);
        assert_int_equal(mail_message(&a, &m, FROM, MAIL_WIRE, &text, &err), -1);
        arena_free(&a);
    }
}

static void an_address_is_one_address(void **state)
{
    static const char *const bad[] = {
        "a@b.c\r\nBcc: d@e.f", "a@b.c d@e.f", "a@b.c,d@e.f", "<a@b.c>", "a@b@c", "@b.c", "a@", "a",
        "\xc3\xa4@b.c",        "a@b.c\nX: y", "\"a b\"@c.d", "a@b.c;"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a = ARENA(MEMORY);
        struct error err = { 0 };
        struct str   text;
        struct mail  to = mail_of(&a, "verify", bad[i], "en", "{\"name\":\"A\"}");
        struct mail  good = mail_of(&a, "verify", "a@example.org", "en", "{\"name\":\"A\"}");

        assert_int_equal(mail_check(&to, &err), -1);
        assert_int_equal(mail_message(&a, &good, bad[i], MAIL_WIRE, &text, &err),
                         strcmp(bad[i], "<a@b.c>") == 0 ? 0 : -1);
        arena_free(&a);
    }
}

static void a_sender_with_a_line_break_is_refused(void **state)
{
    static const char *const bad[] = {
        "A\r\nBcc: b@c.d <a@b.c>", "A\nB <a@b.c>", "A <a@b.c>\r\nBcc: d@e.f", "A <a\n@b.c>", "A a@b.c>", ""
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a = ARENA(MEMORY);
        struct error err = { 0 };
        struct str   text;
        struct mail  m = mail_of(&a, "verify", "a@example.org", "en", "{\"name\":\"A\"}");

        assert_null(mail_address(&a, bad[i]));
        assert_int_equal(mail_message(&a, &m, bad[i], MAIL_WIRE, &text, &err), -1);
        arena_free(&a);
    }
}

/* Every template in every language, with the longest names in three scripts: 7 bits, no line over 998, no header line of encoded words over 76. */
static void every_mail_fits_the_wire(void **state)
{
    static const char *const templates[] = { "verify",         "known_address",        "reset",
                                             "invitation",     "sign_in_new",          "password_changed",
                                             "member_removed", "organization_deletion" };
    static const char *const names[] = { "Z", "\xc3\xb6", "\xe6\x96\x87", "\xf0\x9f\x98\x80", "=?x?=", "< & >" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates) * ARRAY_LEN(names) * 2; i++) {
        struct arena a = ARENA(MEMORY);
        struct sb    given = SB(&a), name = SB(&a);
        struct error err = { 0 };
        struct str   text, line;

        while (name.n < 190)
            sb_puts(&name, names[i / 2 / ARRAY_LEN(templates)]);
        sb_printf(
            &given,
            "{\"name\":\"%s\",\"inviter\":\"%s\",\"organization\":\"%s\",\"link\":\"https://example.org/x?token=y\"}",
            name.p, name.p, name.p);
        struct mail m =
            mail_of(&a, templates[i / 2 % ARRAY_LEN(templates)], "a@example.org", i % 2 ? "de" : "en", given.p);
        assert_int_equal(mail_message(&a, &m, FROM, MAIL_WIRE, &text, &err), 0);
        while (text.p) {
            line = str_cut(&text, '\n');
            assert_true(!text.p || line.p[line.n - 1] == '\r');
            assert_true(line.n <= 998 && !(memmem(line.p, line.n, "=?utf-8?", 8) && line.n > 77));
            for (size_t k = 0; k < line.n; k++)
                assert_true((unsigned char)line.p[k] < 0x80);
        }
        arena_free(&a);
    }
}

static void a_paragraph_without_its_value_is_left_out(void **state)
{
    struct arena a = ARENA(MEMORY);
    struct error err = { 0 };
    struct str   text;
    struct mail  m = mail_of(&a, "sign_in_new", "a@example.org", "en", "{\"name\":\"A\",\"device\":null}");

    (void)state;
    assert_int_equal(mail_message(&a, &m, FROM, MAIL_READABLE, &text, &err), 0);
    assert_non_null(memmem(text.p, text.n, "Hello A,", 8));
    assert_null(memmem(text.p, text.n, "Device", 6));
    assert_null(memchr(text.p, '{', text.n));
    arena_free(&a);
}

static void a_header_is_read_as_it_was_meant(void **state)
{
    static const char *const texts[] = { "plain", "=?x?= y", "gr\xc3\xbc\xc3\x9f", "\xe6\x96\x87 \xe6\x96\x87  a_b?=",
                                         "1234567890 1234567890 1234567890 1234567890 1234567890 1234567890 123" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena a = ARENA(MEMORY);
        struct sb    given = SB(&a);
        struct error err = { 0 };
        struct str   text, value;

        sb_printf(&given, "{\"organization\":\"%s\"}", texts[i]);
        struct mail m = mail_of(&a, "organization_deletion", "a@example.org", "en", given.p);
        assert_int_equal(mail_message(&a, &m, FROM, MAIL_WIRE, &text, &err), 0);
        const char *from = memmem(text.p, text.n, "Subject: ", 9);
        const char *to = memmem(from, text.n - (size_t)(from - text.p), "\r\nDate:", 7);
        value = (struct str){ from + 9, (size_t)(to - from) - 9 };
        assert_true(strncmp(mail_header_text(&a, value), texts[i], strlen(texts[i])) == 0);
        arena_free(&a);
    }
    struct arena a = ARENA(MEMORY);
    assert_string_equal(mail_header_text(&a, S("=?utf-8?Q?=FF?=")), "");
    assert_string_equal(mail_header_text(&a, S("=?utf-8?Q?cut")), "=?utf-8?Q?cut");
    assert_string_equal(mail_header_text(&a, S("")), "");
    arena_free(&a);
}

static void an_unknown_template_or_no_object_is_our_mistake(void **state)
{
    struct arena a = ARENA(MEMORY);
    struct error err = { 0 };
    struct mail  unknown = mail_of(&a, "nothing", "a@example.org", "en", "{}");
    struct mail  list = mail_of(&a, "verify", "a@example.org", "en", "[]");
    struct mail  number = mail_of(&a, "verify", "a@example.org", "en", "{\"name\":1}");

    (void)state;
    assert_int_equal(mail_check(&unknown, &err), -1);
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(mail_check(&list, &err), -1);
    assert_int_equal(mail_check(&number, &err), -1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_with_a_control_character_is_refused),
        cmocka_unit_test(an_address_is_one_address),
        cmocka_unit_test(a_sender_with_a_line_break_is_refused),
        cmocka_unit_test(every_mail_fits_the_wire),
        cmocka_unit_test(a_paragraph_without_its_value_is_left_out),
        cmocka_unit_test(a_header_is_read_as_it_was_meant),
        cmocka_unit_test(an_unknown_template_or_no_object_is_our_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
