/* range.c - see range.h. */
#include "http/range.h"

enum { MAX_RANGES = 16 };

struct span {
    uint64_t first, last;
};

static bool read_number(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            v = UINT64_MAX; /* beyond any end */
    }
    *ret = v;
    return true;
}

/* 1: a range inside, 0: outside, -1: malformed */
static int read_span(struct str s, uint64_t size, struct span *ret)
{
    struct str last = s, first = str_cut(&last, '-');
    uint64_t   a = 0, b = UINT64_MAX;

    if (!last.p || (first.n > 0 && !read_number(first, &a)) || (last.n > 0 && !read_number(last, &b))
        || (first.n == 0 && last.n == 0))
        return -1;
    if (first.n == 0) { /* the last b bytes */
        if (b == 0 || size == 0)
            return 0;
        *ret = (struct span){ b >= size ? 0 : size - b, size - 1 };
        return 1;
    }
    if (b < a)
        return -1;
    if (a >= size)
        return 0;
    *ret = (struct span){ a, b >= size ? size - 1 : b };
    return 1;
}

/* Into one, or false when a gap stays. */
static bool merge(struct span *spans, size_t n)
{
    for (bool moved = true; moved && n > 1;) {
        moved = false;
        for (size_t i = 1; i < n; i++) {
            if (spans[i].first > spans[0].last + 1 || spans[0].first > spans[i].last + 1)
                continue;
            spans[0].first = spans[i].first < spans[0].first ? spans[i].first : spans[0].first;
            spans[0].last = spans[i].last > spans[0].last ? spans[i].last : spans[0].last;
            spans[i] = spans[--n];
            moved = true;
        }
    }
    return n == 1;
}

enum range_kind range_parse(struct str value, uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
    struct span spans[MAX_RANGES];
    size_t      n = 0, seen = 0;

    if (value.n < 6 || strncasecmp(value.p, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    value = (struct str){ value.p + 6, value.n - 6 };
    while (value.p) {
        struct str one = str_trim(str_cut(&value, ','));

        if (one.n == 0)
            continue;
        if (++seen > MAX_RANGES)
            return RANGE_WHOLE;
        int r = read_span(one, size, &spans[n]);
        if (r < 0)
            return RANGE_WHOLE;
        n += (size_t)r;
    }
    if (seen == 0)
        return RANGE_WHOLE;
    if (n == 0)
        return RANGE_NONE;
    if (!merge(spans, n))
        return RANGE_WHOLE;
    *ret_first = spans[0].first;
    *ret_last = spans[0].last;
    return RANGE_PART;
}

bool etag_listed(struct str list, const char *etag, bool weak)
{
    if (str_eq(str_trim(list), S("*")))
        return true;
    while (list.p) {
        struct str one = str_trim(str_cut(&list, ','));
        bool       is_weak = one.n > 2 && one.p[0] == 'W' && one.p[1] == '/';

        if (is_weak)
            one = (struct str){ one.p + 2, one.n - 2 };
        if (one.n < 2 || one.p[0] != '"' || one.p[one.n - 1] != '"' || (is_weak && !weak))
            continue;
        if (str_eq((struct str){ one.p + 1, one.n - 2 }, str_of(etag)))
            return true;
    }
    return false;
}
