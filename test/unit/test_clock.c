/* Times as text, both ways: what exists is read, what does not is refused. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t     us; /* -1: refused */
} cases[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "1970-01-01", 0 },
    { "2026-11-23T05:39:34Z", 1795412374000000 },
    { "2026-11-23T05:39:34.123456Z", 1795412374123456 },
    { "2026-11-23T05:39:34.1Z", 1795412374100000 },
    { "2026-11-23T05:39:34.123456789Z", 1795412374123456 },
    { "2026-11-23T06:39:34+01:00", 1795412374000000 },
    { "2026-11-22T23:09:34-06:30", 1795412374000000 },
    { "2024-02-29", 1709164800000000 },
    { "2023-02-29", -1 },
    { "2026-02-31T00:00:00Z", -1 },
    { "2026-13-01", -1 },
    { "2026-00-10", -1 },
    { "2026-11-23T24:00:00Z", -1 },
    { "2026-11-23T23:59:60Z", -1 },
    { "2026-11-23T05:39:34", -1 },
    { "2026-11-23 05:39:34Z", -1 },
    { "2026-11-23T05:39:34.Z", -1 },
    { "2026-11-23T05:39:34+0100", -1 },
    { "2026-11-23T05:39:34+01:60", -1 },
    { "2026-11-23T05:39:34Z ", -1 },
    { " 2026-11-23", -1 },
    { "2026-1-2", -1 },
    { "0000-01-01", -1 },
    { "+026-01-01", -1 },
    { "20261123", -1 },
    { "", -1 },
    { "now", -1 },
    { "2026-11-23T05:39:34.99999999999999999999999999999999999999999999Z", 1795412374999999 },
    { "9999-12-31T23:59:59.999999Z", 253402300799999999 },
    { "9999-12-31T23:59:59-00:01", -1 },
    { "0001-01-01T00:00:00+00:01", -1 },
    { "2026-11-23T05:39:34+24:00", -1 },
    { "2026-11-23T05:39:34+99:99", -1 },
    { "2038-01-19T03:14:08Z", 2147483648000000 },
};

static void times_that_exist_are_read_and_others_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t us = -1;
        int     rc = clock_parse_rfc3339(cases[i].text, &us);

        if (rc != (cases[i].us < 0 ? -1 : 0) || us != cases[i].us)
            fail_msg("%s: %d, %lld", cases[i].text, rc, (long long)us);
    }
}

static void what_is_written_is_read_back(void **state)
{
    static const int64_t times[] = { 0,  1,       999999,   951782400000000, 1795412374123456,   4102444800000000,
                                     -1, -999999, -1000000, -86400000001,    -62135596800000000, 253402300799999999 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char    text[32];
        int64_t us;

        clock_rfc3339(text, times[i]);
        assert_int_equal(clock_parse_rfc3339(text, &us), 0);
        assert_int_equal(us, times[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_exist_are_read_and_others_refused),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
