/* Addresses and ranges: what is one, and which addresses a range holds. */
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *range, *in, *out; /* out NULL: the range holds every address of its kind; in NULL: no range */
} ranges[] = {
    { "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
    { "192.0.2.7", "192.0.2.7", "192.0.2.6" },
    { "192.0.2.6/31", "192.0.2.7", "192.0.2.8" },
    { "0.0.0.0/0", "255.255.255.255", "::1" },
    { "10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0" },
    { "::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1" },
    { "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
    { "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
    { "::1", "::1", "::2" },
    { "::/0", "2001:db8::1", "192.0.2.1" },
    { "", NULL, NULL },
    { "192.0.2.1/24", NULL, NULL },
    { "192.0.2.0/33", NULL, NULL },
    { "192.0.2.0/", NULL, NULL },
    { "192.0.2.0/-1", NULL, NULL },
    { "192.0.2.0/24/24", NULL, NULL },
    { "192.0.2.256", NULL, NULL },
    { "192.0.2", NULL, NULL },
    { "0x7f.0.0.1", NULL, NULL },
    { "2130706433", NULL, NULL },
    { "192.0.2.1:80", NULL, NULL },
    { " 192.0.2.1", NULL, NULL },
    { "::ffff:0:0/80", NULL, NULL },
    { "2001:db8::/129", NULL, NULL },
    { "2001:db8::1/32", NULL, NULL },
    { "fe80::1%lo", NULL, NULL },
    { "[::1]", NULL, NULL },
    { "localhost", NULL, NULL },
    { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL, NULL },
};

static void ranges_hold_what_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        struct address_range r;
        struct address       a;
        struct error         err = { 0 };

        if (address_range_read(str_of(ranges[i].range), &r) != (ranges[i].in != NULL))
            fail_msg("%s", ranges[i].range);
        if (!ranges[i].in)
            continue;
        struct address_list *l = address_list_open("test", str_of(ranges[i].range), &err);
        assert_non_null(l);
        assert_true(address_read(str_of(ranges[i].in), &a));
        if (!address_in_list(l, &a))
            fail_msg("%s does not hold %s", ranges[i].range, ranges[i].in);
        assert_true(address_read(str_of(ranges[i].out), &a));
        if (address_in_list(l, &a))
            fail_msg("%s holds %s", ranges[i].range, ranges[i].out);
        free(l);
    }
}

static void a_list_is_all_or_nothing(void **state)
{
    (void)state;
    struct error         err = { 0 };
    struct address_list *l = address_list_open("test", S(" 10.0.0.0/8,, ::1 \t192.0.2.1,"), &err);

    assert_non_null(l);
    assert_int_equal(l->count, 3);
    free(l);
    l = address_list_open("test", S(""), &err);
    assert_non_null(l);
    assert_int_equal(l->count, 0);
    free(l);
    assert_null(address_list_open("proxies", S("10.0.0.0/8, 10.0.0.1/8"), &err));
    assert_non_null(strstr(err.message, "10.0.0.1/8"));
    assert_non_null(strstr(err.message, "proxies"));
}

static void addresses_are_written_as_they_are_known(void **state)
{
    static const char *const same[] = { "192.0.2.1", "2001:db8::1", "::", "255.255.255.255" };
    char                     text[ADDRESS_TEXT];
    struct address           a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        assert_true(address_read(str_of(same[i]), &a));
        address_write(&a, text);
        assert_string_equal(text, same[i]);
    }
    assert_true(address_read(S("::ffff:192.0.2.1"), &a));
    address_write(&a, text);
    assert_string_equal(text, "192.0.2.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_hold_what_they_should),
        cmocka_unit_test(a_list_is_all_or_nothing),
        cmocka_unit_test(addresses_are_written_as_they_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
