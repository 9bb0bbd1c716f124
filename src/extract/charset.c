/* charset.c - byte order marks, then UTF-8, then what the file declares, then windows-1252, which has a character for every byte. */
#include "extract/charset.h"

#include <ctype.h>
#include <errno.h>

enum { DECLARATION_BYTES = 1024, NAME_BYTES = 32, SAMPLE_BYTES = 64 << 10 };

/* Encodings that files declare and that glibc converts. The stateful ISO-2022 family is left out on purpose: rare, and a source of faults. */
static const char *const known[] = {
    "shift_jis",    "windows-31j",  "euc-jp",       "gb2312",       "gbk",          "gb18030",      "big5",
    "euc-kr",       "koi8-r",       "koi8-u",       "windows-1250", "windows-1251", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874",  "iso-8859-2",   "iso-8859-3",
    "iso-8859-4",   "iso-8859-5",   "iso-8859-6",   "iso-8859-7",   "iso-8859-8",   "iso-8859-10",  "iso-8859-13",
    "iso-8859-14",  "iso-8859-15",  "iso-8859-16",  "ibm866",       "macintosh",    "tis-620",
};

/* The word after marker, lower case; "" when there is none in the first bytes. */
static void declared_name(struct str bytes, struct str marker, char ret[NAME_BYTES])
{
    struct str  head = { bytes.p, bytes.n < DECLARATION_BYTES ? bytes.n : DECLARATION_BYTES };
    const char *at = head.n > marker.n ? memmem(head.p, head.n, marker.p, marker.n) : NULL;
    size_t      i = at ? (size_t)(at - head.p) + marker.n : head.n, n = 0;

    while (i < head.n && (head.p[i] == '"' || head.p[i] == '\'' || head.p[i] == ' '))
        i++;
    for (; i < head.n && n < NAME_BYTES - 1; i++) {
        unsigned char c = (unsigned char)head.p[i];

        if (!isalnum(c) && c != '-' && c != '_')
            break;
        ret[n++] = (char)tolower(c);
    }
    ret[n] = '\0';
}

struct charset charset_prepare(struct str bytes)
{
    static const struct str markers[] = { { "charset=", 8 }, { "CHARSET=", 8 }, { "encoding=", 9 } };
    char                    name[NAME_BYTES];

    for (size_t m = 0; m < ARRAY_LEN(markers); m++) {
        declared_name(bytes, markers[m], name);
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strcmp(name, known[i]) == 0)
                return (struct charset){ iconv_open("UTF-8", known[i]), false };
        if (strcmp(name, "windows-1252") == 0 || strcmp(name, "iso-8859-1") == 0)
            return (struct charset){ (iconv_t)-1, true };
    }
    return (struct charset){ (iconv_t)-1, false };
}

static void put_code_point(struct sb *b, uint32_t cp)
{
    char out[4];

    sb_put(b, (struct str){ out, utf8_put(out, cp) });
}

static uint32_t unit(const char *p, size_t width, bool big)
{
    uint32_t v = 0;

    for (size_t i = 0; i < width; i++)
        v = v << 8 | (unsigned char)p[big ? i : width - 1 - i];
    return v;
}

/* UTF-16 (width 2) or UTF-32 (width 4); lone surrogates and what is no code point become U+FFFD. */
static struct str decode_wide(struct arena *a, struct str s, size_t width, bool big)
{
    struct sb b = SB(a);

    for (size_t i = 0; i + width <= s.n; i += width) {
        uint32_t cp = unit(s.p + i, width, big);

        if (width == 2 && cp >= 0xd800 && cp < 0xdc00 && i + 4 <= s.n) {
            uint32_t low = unit(s.p + i + 2, 2, big);

            if (low >= 0xdc00 && low < 0xe000) {
                cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        put_code_point(&b, cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) ? 0xfffd : cp);
    }
    return sb_str(&b);
}

static struct str decode_windows_1252(struct arena *a, struct str s)
{
    static const uint16_t high[32] = {
        0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
    };
    struct sb b = SB(a);

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x80)
            sb_putc(&b, (char)c);
        else
            put_code_point(&b, c < 0xa0 ? high[c - 0x80] : c);
    }
    return sb_str(&b);
}

/* By the loaded tables; a byte that does not fit becomes U+FFFD. */
static struct str decode_declared(struct arena *a, iconv_t converter, struct str s)
{
    struct sb b = SB(a);
    char     *in = (char *)(uintptr_t)s.p, out[4096];
    size_t    left = s.n;

    while (left > 0 && !a->failed) {
        char  *to = out;
        size_t room = sizeof out, result = iconv(converter, &in, &left, &to, &room);

        sb_put(&b, (struct str){ out, sizeof out - room });
        if (result != (size_t)-1 || errno == E2BIG)
            continue;
        put_code_point(&b, 0xfffd);
        in++;
        left--;
    }
    return sb_str(&b);
}

/* Of the bytes above ASCII: how many belong to well-formed UTF-8, how many do not. */
static void count_utf8(struct str s, size_t *ret_good, size_t *ret_bad)
{
    while (s.n > 0) {
        struct str before = s;
        uint32_t   cp = utf8_next(&s);
        size_t     n = before.n - s.n;

        if (n > 1)
            *ret_good += n;
        else if (cp == 0xfffd)
            (*ret_bad)++;
    }
}

/* Of UTF-16 without a mark: mostly Latin text has its zero bytes all on one side. 0: no; 1: little; 2: big endian. */
static int guess_utf16(struct str s)
{
    size_t zeros[2] = { 0, 0 }, n = s.n < SAMPLE_BYTES ? s.n : SAMPLE_BYTES;

    for (size_t i = 0; i < n; i++)
        zeros[i % 2] += s.p[i] == '\0';
    if (n < 4 || n % 2 != 0)
        return 0;
    if (zeros[1] * 2 > n / 2 && zeros[0] == 0)
        return 1;
    return zeros[0] * 2 > n / 2 && zeros[1] == 0 ? 2 : 0;
}

struct mark {
    struct str bytes;
    size_t     width;
    bool       big;
};

/* The longer mark first: UTF-32's begins with UTF-16's. */
static const struct mark marks[] = {
    { { "\xff\xfe\0\0", 4 }, 4, false },
    { { "\0\0\xfe\xff", 4 }, 4, true },
    { { "\xff\xfe", 2 }, 2, false },
    { { "\xfe\xff", 2 }, 2, true },
};

static const struct mark *mark_of(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(s, marks[i].bytes))
            return &marks[i];
    return NULL;
}

struct str charset_decode(struct arena *a, const struct charset *declared, struct str s, const char **ret_note)
{
    const struct mark *mark = mark_of(s);
    size_t             good = 0, bad = 0;

    if (str_starts(s, S("\xef\xbb\xbf")))
        s = (struct str){ s.p + 3, s.n - 3 };
    if (mark)
        return decode_wide(a, (struct str){ s.p + mark->bytes.n, s.n - mark->bytes.n }, mark->width, mark->big);
    int utf16 = guess_utf16(s);
    if (utf16 != 0) {
        *ret_note = "encoding guessed: UTF-16";
        return decode_wide(a, s, 2, utf16 == 2);
    }
    count_utf8(s, &good, &bad);
    if (bad == 0)
        return s;
    if (declared && declared->converter != (iconv_t)-1)
        return decode_declared(a, declared->converter, s);
    if (good > 4 * bad) {
        *ret_note = "encoding broken: some characters were replaced";
        return s; /* put_block replaces what is bad */
    }
    if (!declared || !declared->western)
        *ret_note = "encoding guessed: windows-1252";
    return decode_windows_1252(a, s);
}

bool charset_is_text(struct str bytes)
{
    struct str s = { bytes.p, bytes.n < SAMPLE_BYTES ? bytes.n : SAMPLE_BYTES };
    size_t     controls = 0;

    if (mark_of(s) || guess_utf16(s) != 0)
        return true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\0')
            return false;
        controls += (c < 0x20 && !(c >= '\t' && c <= '\r') && c != 0x1b) || c == 0x7f;
    }
    return controls * 1000 <= s.n; /* one in a thousand is a slip in a text, more is something else */
}
