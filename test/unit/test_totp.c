/* One-time codes: the vectors of RFC 6238 (SHA-1) and RFC 4648 (base32), and which steps are taken. */
#include "crypto/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const unsigned char key[] = "12345678901234567890"; /* RFC 6238, appendix B */

static const struct {
    int64_t     seconds;
    const char *eight;
} vectors[] = {
    { 59, "94287082" },         { 1111111109, "07081804" }, { 1111111111, "14050471" },
    { 1234567890, "89005924" }, { 2000000000, "69279037" }, { INT64_C(20000000000), "65353130" },
};

static void codes_are_those_of_the_rfc(void **state)
{
    char code[9];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        totp_code(key, (uint64_t)(vectors[i].seconds / TOTP_STEP_S), 8, code);
        assert_string_equal(code, vectors[i].eight);
        totp_code(key, (uint64_t)(vectors[i].seconds / TOTP_STEP_S), TOTP_DIGITS, code);
        assert_string_equal(code, vectors[i].eight + 2);
    }
}

static void a_code_is_taken_one_step_early_and_one_late(void **state)
{
    const int64_t now = 1111111111, step = now / TOTP_STEP_S;
    char          code[9];

    (void)state;
    for (int64_t off = -3; off <= 3; off++) {
        totp_code(key, (uint64_t)(step + off), TOTP_DIGITS, code);
        assert_int_equal(totp_match(key, str_of(code), now), off >= -1 && off <= 1 ? step + off : -1);
    }
}

static void what_is_no_code_is_not_taken(void **state)
{
    static const char *const none[] = {
        "", "0504710", "05047", "05047 ", "o50471", "050470", "\xd9\xa1\xd9\xa2\xd9\xa3"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_int_equal(totp_match(key, str_of(none[i]), 1111111111), -1);
    assert_int_equal(totp_match(key, S("050471"), 1111111111), 1111111111 / TOTP_STEP_S);
    assert_int_equal(totp_match(key, S("050471"), 0), -1);
}

static void secrets_are_shown_in_base32(void **state)
{
    char          text[TOTP_BASE32_SIZE];
    unsigned char ones[TOTP_KEY_BYTES];

    (void)state;
    totp_base32(key, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    memset(ones, 0xff, sizeof ones);
    totp_base32(ones, text);
    assert_string_equal(text, "77777777777777777777777777777777");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(a_code_is_taken_one_step_early_and_one_late),
        cmocka_unit_test(what_is_no_code_is_not_taken),
        cmocka_unit_test(secrets_are_shown_in_base32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
