/* Sealed secrets open for whom they were sealed, and not when a bit of anything is another. */
#include "crypto/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const unsigned char root[SEAL_ROOT_BYTES] = "the pepper of an installation..",
                           other[SEAL_ROOT_BYTES] = "another";

static void what_is_sealed_opens(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 100; n += 25) {
        struct arena a = ARENA(65536);
        struct error err = { 0 };
        struct str   one, two, back,
            plain = { "0123456789012345678901234567890123456789012345678901234567890123456789"
                      "012345678901234567890123456789",
                      n };

        assert_int_equal(seal_make(root, "test", S("owner"), plain, &a, &one, &err), 0);
        assert_int_equal(seal_make(root, "test", S("owner"), plain, &a, &two, &err), 0);
        assert_int_equal(one.n, n + SEAL_OVERHEAD);
        assert_false(str_eq(one, two)); /* never the same nonce */
        assert_int_equal(seal_open(root, "test", S("owner"), one, &a, &back, &err), 0);
        assert_true(str_eq(back, plain));
        arena_free(&a);
    }
}

static int opens(const unsigned char *with, const char *purpose, struct str owner, struct str sealed)
{
    struct arena a = ARENA(65536);
    struct error err = { 0 };
    struct str   back;
    int          rc = seal_open(with, purpose, owner, sealed, &a, &back, &err);

    arena_free(&a);
    return rc;
}

static void nothing_else_opens(void **state)
{
    struct arena a = ARENA(65536);
    struct error err = { 0 };
    struct str   sealed;
    char         copy[128];

    (void)state;
    assert_int_equal(seal_make(root, "test", S("owner"), S("a secret of 20 bytes"), &a, &sealed, &err), 0);
    assert_int_equal(opens(root, "test", S("owner"), sealed), 0);
    assert_int_equal(opens(other, "test", S("owner"), sealed), -1);
    assert_int_equal(opens(root, "tes", S("owner"), sealed), -1);
    assert_int_equal(opens(root, "test", S("ownes"), sealed), -1);
    assert_int_equal(opens(root, "test", S(""), sealed), -1);
    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        memcpy(copy, sealed.p, sealed.n);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(opens(root, "test", S("owner"), (struct str){ copy, sealed.n }), -1);
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(opens(root, "test", S("owner"), (struct str){ sealed.p, n }), -1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(nothing_else_opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
