/* text.c - see text.h. Every table and escape rule of the tree stands here once. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0]))
        s = (struct str){ s.p + 1, s.n - 1 };
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_cut(struct str *s, char sep)
{
    const char *at = s->n > 0 ? memchr(s->p, sep, s->n) : NULL;
    struct str  head = *s;

    if (!at) {
        *s = (struct str){ NULL, 0 };
        return head;
    }
    head.n = (size_t)(at - s->p);
    *s = (struct str){ at + 1, s->n - head.n - 1 };
    return head;
}

const char *str_dup(struct arena *a, struct str s)
{
    return arena_text(a, s.p, s.n);
}

static bool sb_room(struct sb *b, size_t n)
{
    if (b->cap - b->n > n) /* > : room for the NUL */
        return true;
    size_t cap = 2 * b->cap + n + 64;
    char  *p = arena_alloc(b->arena, cap);

    if (!p)
        return false;
    if (b->n > 0)
        memcpy(p, b->p, b->n);
    b->p = p;
    b->cap = cap;
    return true;
}

void sb_put(struct sb *b, struct str s)
{
    if (s.n == 0 || !sb_room(b, s.n))
        return;
    memcpy(b->p + b->n, s.p, s.n);
    b->p[b->n += s.n] = '\0';
}

void sb_puts(struct sb *b, const char *cstr)
{
    sb_put(b, str_of(cstr));
}

void sb_putc(struct sb *b, char c)
{
    sb_put(b, (struct str){ &c, 1 });
}

void sb_put_u64(struct sb *b, uint64_t v)
{
    char   digits[20];
    size_t n = 0;

    do
        digits[sizeof digits - ++n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    sb_put(b, (struct str){ digits + sizeof digits - n, n });
}

void sb_printf(struct sb *b, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0 && sb_room(b, (size_t)n))
        b->n += (size_t)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
}

void sb_json_str(struct sb *b, struct str s)
{
    size_t from = 0;

    sb_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c != '"' && c != '\\' && c >= 0x20)
            continue;
        sb_put(b, (struct str){ s.p + from, i - from });
        if (c >= 0x20)
            sb_put(b, (struct str){ (const char[]){ '\\', (char)c }, 2 });
        else if (c == '\n')
            sb_put(b, S("\\n"));
        else
            sb_printf(b, "\\u%04x", c);
        from = i + 1;
    }
    sb_put(b, (struct str){ s.p + from, s.n - from });
    sb_putc(b, '"');
}

void sb_json(struct sb *b, const char *cstr)
{
    if (cstr)
        sb_json_str(b, str_of(cstr));
    else
        sb_put(b, S("null"));
}

int parse_u64(const char *what, struct str s, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
    uint64_t v = 0;
    bool     ok = s.n > 0;

    for (size_t i = 0; ok && i < s.n; i++)
        ok = s.p[i] >= '0' && s.p[i] <= '9' && !__builtin_mul_overflow(v, 10, &v)
             && !__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v);
    if (!ok || v < min || v > max)
        return error_say(err, ERR_VALIDATION, what, "must be a whole number from %llu to %llu", (unsigned long long)min,
                         (unsigned long long)max);
    *ret = v;
    return 0;
}

/* One code point of s (not empty): its length in bytes, 0 when malformed. */
static size_t utf8_decode(struct str s, uint32_t *ret)
{
    const unsigned char  *p = (const unsigned char *)s.p;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (n == 0 || s.n < n)
        return 0;
    uint32_t cp = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *ret = cp;
    return n;
}

bool utf8_valid(struct str s)
{
    uint32_t cp;

    while (s.n > 0) {
        size_t n = utf8_decode(s, &cp);

        if (n == 0)
            return false;
        s = (struct str){ s.p + n, s.n - n };
    }
    return true;
}

uint32_t utf8_next(struct str *s)
{
    uint32_t cp = 0xfffd;
    size_t   n = utf8_decode(*s, &cp);

    if (n == 0)
        n = 1;
    *s = (struct str){ s->p + n, s->n - n };
    return cp;
}

size_t utf8_put(char out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp);
    return n;
}

size_t utf8_count(struct str s)
{
    size_t count = 0;

    for (; s.n > 0; count++)
        utf8_next(&s);
    return count;
}

struct str utf8_head(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return (struct str){ s.p, max };
}

bool text_printable(struct str s)
{
    while (s.n > 0) {
        const char *at = s.p;
        uint32_t    cp = utf8_next(&s);
        bool        replaced = cp == 0xfffd && s.p - at == 1;

        if (replaced || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e)
            || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0xfeff)
            return false;
    }
    return true;
}

void hex_encode(char *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool hex_decode(void *out, size_t n, struct str hex)
{
    unsigned char *p = out;

    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(hex.p[2 * i]), lo = hex_digit(hex.p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        p[i] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(char *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t               len = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t   left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);

        for (size_t k = 0; k < (left >= 3 ? 4 : left + 1); k++)
            out[len++] = base64url[v >> (18 - 6 * k) & 63];
    }
    out[len] = '\0';
    return len;
}

bool base64url_decode(struct arena *a, struct str s, struct str *ret)
{
    char    *out = arena_alloc(a, s.n * 3 / 4 + 1);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t   n = 0;

    if (!out || s.n % 4 == 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] != '\0' ? strchr(base64url, s.p[i]) : NULL;

        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - base64url);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0)
        return false;
    *ret = (struct str){ out, n };
    return true;
}

bool url_decode(struct arena *a, struct str s, bool plus, struct str *ret)
{
    char  *out = arena_alloc(a, s.n + 1);
    size_t n = 0;

    if (!out)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (s.n - i < 3 || !hex_decode(&c, 1, (struct str){ s.p + i + 1, 2 }))
                return false;
            i += 2;
        } else if (c == '+' && plus)
            c = ' ';
        if (c == '\0')
            return false;
        out[n++] = c;
    }
    *ret = (struct str){ out, n };
    return utf8_valid(*ret);
}

void url_encode(struct sb *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
            || c == '_' || c == '~')
            sb_putc(b, (char)c);
        else
            sb_printf(b, "%%%02X", c);
    }
}
