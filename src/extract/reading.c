/* reading.c - what readers put is made clean here, in one place, so that no reader can forget it. */
#include "extract/extract.h"
#include "extract/frame.h"
#include "domain/frame.h"

enum {
    METADATA_MAX_KEY_BYTES = 100,
    METADATA_MAX_VALUE_BYTES = 2000,
    METADATA_MAX_BYTES = 128 << 10,
};

int reading_fail(struct reading *r, enum extract_cause cause)
{
    if (r->cause == CAUSE_NONE)
        r->cause = cause;
    return -1;
}

bool str_has(struct str hay, struct str needle)
{
    return hay.n >= needle.n && hay.n > 0 && memmem(hay.p, hay.n, needle.p, needle.n) != NULL;
}

static bool is_plain(unsigned char c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t';
}

static void put_code_point(struct sb *b, uint32_t cp)
{
    char out[4];

    sb_put(b, (struct str){ out, utf8_put(out, cp) });
}

/* The rules of a block's text: line ends are \n, bad UTF-8 is U+FFFD, no control characters, no byte order marks. */
static void put_clean_text(struct sb *b, struct str s)
{
    while (s.n > 0) {
        size_t plain = 0;

        while (plain < s.n && is_plain((unsigned char)s.p[plain]))
            plain++;
        sb_put(b, (struct str){ s.p, plain });
        s = (struct str){ s.p + plain, s.n - plain };
        if (s.n == 0)
            break;
        bool     crlf = s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n';
        uint32_t cp = utf8_next(&s);
        if (cp == '\n' || cp == '\f' || cp == '\v' || cp == 0x85 || cp == 0x2028 || cp == 0x2029
            || (cp == '\r' && !crlf))
            sb_putc(b, '\n');
        else if (cp >= 0xa0 && cp != 0xfeff)
            put_code_point(b, cp);
    }
}

/* Without white space at the end, and without blank lines at the start; the indent of a first line of code stays. */
static struct str trim_block(struct str s, bool keep_indent)
{
    struct str all = str_trim(s);
    size_t     before = all.n > 0 ? (size_t)(all.p - s.p) : 0;

    while (keep_indent && before > 0 && s.p[before - 1] != '\n') {
        before--;
        all = (struct str){ all.p - 1, all.n + 1 };
    }
    return all;
}

int put_block(struct reading *r, enum block_kind kind, unsigned level, unsigned page, struct str text)
{
    r->scratch.arena = r->arena;
    r->scratch.n = 0;
    put_clean_text(&r->scratch, text);
    if (r->arena->failed)
        return reading_fail(r, CAUSE_MEMORY);
    struct str clean = trim_block(sb_str(&r->scratch), kind == BLOCK_CODE);
    if (clean.n == 0)
        return 0;
    if (r->out->text_bytes + clean.n > r->options->max_text_bytes)
        return reading_fail(r, CAUSE_TOO_LARGE_TEXT);
    frame_block(r->out, kind, level, page, clean);
    return 0;
}

static bool is_direction(uint32_t cp)
{
    return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f;
}

struct str clean_line(struct arena *a, struct str s, size_t max)
{
    struct sb b = SB(a);
    bool      gap = false;

    while (s.n > 0 && b.n <= max) {
        uint32_t cp = utf8_next(&s);

        if (is_direction(cp) || cp == 0xfeff)
            continue;
        if (cp <= 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0x2028 || cp == 0x2029) {
            gap = b.n > 0;
            continue;
        }
        if (gap)
            sb_putc(&b, ' ');
        gap = false;
        put_code_point(&b, cp);
    }
    return utf8_head(sb_str(&b), max);
}

void put_title(struct reading *r, struct str title)
{
    if (r->title.n > 0)
        return;
    r->title.arena = r->arena;
    sb_put(&r->title, clean_line(r->arena, title, EXTRACTION_MAX_TITLE_BYTES));
}

void put_language(struct reading *r, struct str tag)
{
    struct str s = str_trim(tag);

    if (r->language || s.n < 2 || s.n > 35)
        return;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 1 && ((c >= '0' && c <= '9') || c == '-'))))
            return;
    }
    r->language = arena_text(r->arena, s.p, s.n);
}

void put_clean_json(struct sb *b, struct str s)
{
    sb_json_str(b, clean_line(b->arena, s, METADATA_MAX_VALUE_BYTES));
}

void put_metadata_json(struct reading *r, struct str key, struct str value)
{
    struct str name = clean_line(r->arena, key, METADATA_MAX_KEY_BYTES);

    if (name.n == 0 || r->metadata_keys == METADATA_MAX_KEYS || r->metadata.n + value.n + name.n > METADATA_MAX_BYTES)
        return;
    for (unsigned i = 0; i < r->metadata_keys; i++)
        if (str_eq(r->metadata_names[i], name))
            return;
    r->metadata.arena = r->arena;
    if (r->metadata_keys > 0)
        sb_putc(&r->metadata, ',');
    r->metadata_names[r->metadata_keys++] = name;
    sb_json_str(&r->metadata, name);
    sb_putc(&r->metadata, ':');
    sb_put(&r->metadata, value);
}

void put_metadata(struct reading *r, struct str key, struct str value)
{
    struct sb  b = SB(r->arena);
    struct str line = clean_line(r->arena, value, METADATA_MAX_VALUE_BYTES);

    if (line.n == 0)
        return;
    sb_json_str(&b, line);
    put_metadata_json(r, key, sb_str(&b));
}

void put_metadata_flag(struct reading *r, const char *key)
{
    put_metadata_json(r, str_of(key), S("true"));
}
