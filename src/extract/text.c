/* text.c - plain text, tables and code: decoded, then cut where people see a cut. */
#include "extract/extract.h"
#include "extract/preload.h"

enum { LINES_BLOCK_BYTES = 16 << 10 };

/* No encoding takes more than four bytes for a character: what is larger is too much text, and is not decoded to find out. */
static int decode(struct reading *r, struct str *ret)
{
    if (r->bytes.n / 4 > r->options->max_text_bytes) {
        reading_fail(r, CAUSE_TOO_LARGE_TEXT);
        return -1;
    }
    *ret = charset_decode(r->arena, &r->preload->charset, r->bytes, &r->note);
    return 0;
}

/* The next line without its end; \r\n, \n and \r end lines. */
static struct str next_line(struct str *s)
{
    size_t n = 0;

    while (n < s->n && s->p[n] != '\n' && s->p[n] != '\r')
        n++;
    struct str line = { s->p, n };
    if (n < s->n)
        n += s->p[n] == '\r' && n + 1 < s->n && s->p[n + 1] == '\n' ? 2 : 1;
    *s = (struct str){ s->p + n, s->n - n };
    return line;
}

/* Paragraphs of one page: what stands between blank lines. */
static int put_paragraphs(struct reading *r, struct str text, unsigned page)
{
    const char *from = text.p;

    while (text.n > 0) {
        struct str line = next_line(&text);

        if (str_trim(line).n > 0)
            continue;
        if (put_block(r, BLOCK_PARAGRAPH, 0, page, (struct str){ from, (size_t)(line.p - from) }) < 0)
            return -1;
        from = text.p;
    }
    return put_block(r, BLOCK_PARAGRAPH, 0, page, (struct str){ from, (size_t)(text.p - from) });
}

/* Form feeds make pages, as in listings and RFCs. */
int read_text(struct reading *r)
{
    struct str text;

    if (decode(r, &text) < 0)
        return -1;
    bool paged = memchr(text.n > 0 ? text.p : "", '\f', text.n) != NULL;

    for (unsigned page = paged; text.n > 0; page += paged) {
        if (page > r->options->max_pages)
            return reading_fail(r, CAUSE_TOO_MANY_PAGES);
        r->page_count = page;
        if (put_paragraphs(r, str_cut(&text, '\f'), page) < 0)
            return -1;
    }
    return 0;
}

/* Blocks of whole lines, so that none grows without bound. */
static int put_lines(struct reading *r, enum block_kind kind, struct str text)
{
    const char *from = text.p;

    while (text.n > 0) {
        struct str line = next_line(&text);
        size_t     have = (size_t)(text.p - from);
        bool       blank = str_trim(line).n == 0;

        if (have < LINES_BLOCK_BYTES / 2 || (have < LINES_BLOCK_BYTES && !blank))
            continue;
        if (put_block(r, kind, 0, 0, (struct str){ from, have }) < 0)
            return -1;
        from = text.p;
    }
    return put_block(r, kind, 0, 0, (struct str){ from, (size_t)(text.p - from) });
}

int read_table(struct reading *r)
{
    struct str text;

    return decode(r, &text) < 0 ? -1 : put_lines(r, BLOCK_TABLE, text);
}

int read_code(struct reading *r)
{
    struct str text;

    return decode(r, &text) < 0 ? -1 : put_lines(r, BLOCK_CODE, text);
}
