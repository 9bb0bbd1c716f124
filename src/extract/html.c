/* html.c - HTML by libxml2's forgiving parser, by events: no tree, no depth, no network. Scripts and styles are not text. */
#include "extract/extract.h"
#include "extract/preload.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>

enum { MAX_INDENT = 20, TABLE_BLOCK_BYTES = 16 << 10 };

/* What an element means to us. */
enum role {
    ROLE_INLINE, /* nothing: text runs through */
    ROLE_BLOCK,
    ROLE_HEADING,
    ROLE_LIST,
    ROLE_ITEM,
    ROLE_TABLE,
    ROLE_ROW,
    ROLE_CELL,
    ROLE_PRE,
    ROLE_BREAK,
    ROLE_SKIP,
    ROLE_TITLE,
    ROLE_META,
};

static const struct {
    const char *names; /* each between blanks */
    enum role   role;
} roles[] = {
    { " p div section article header footer main aside nav address blockquote figure figcaption form fieldset dl dt dd body caption hr ",
      ROLE_BLOCK },
    { " h1 h2 h3 h4 h5 h6 ", ROLE_HEADING },
    { " ul ol menu ", ROLE_LIST },
    { " li ", ROLE_ITEM },
    { " table ", ROLE_TABLE },
    { " tr ", ROLE_ROW },
    { " td th ", ROLE_CELL },
    { " pre textarea listing ", ROLE_PRE },
    { " br ", ROLE_BREAK },
    { " script style noscript template svg math object iframe select ", ROLE_SKIP },
    { " title ", ROLE_TITLE },
    { " meta ", ROLE_META },
};

struct html {
    struct reading   *r;
    htmlParserCtxtPtr parser;
    struct sb         text, title;
    unsigned          lists, tables, pres, skips; /* open now */
    unsigned          heading;                    /* its level, 0 outside */
    bool              in_title, failed, gap;
};

static enum role role_of(const char *name)
{
    char padded[16];
    int  n = snprintf(padded, sizeof padded, " %s ", name);

    for (size_t i = 0; n > 0 && (size_t)n < sizeof padded && i < ARRAY_LEN(roles); i++)
        if (strstr(roles[i].names, padded))
            return roles[i].role;
    return ROLE_INLINE;
}

static enum block_kind kind_now(const struct html *h)
{
    return h->heading > 0  ? BLOCK_HEADING
           : h->pres > 0   ? BLOCK_CODE
           : h->tables > 0 ? BLOCK_TABLE
           : h->lists > 0  ? BLOCK_LIST
                           : BLOCK_PARAGRAPH;
}

/* Ends the block that is being gathered, as what is open now. */
static void flush(struct html *h)
{
    struct str text = sb_str(&h->text);

    h->text.n = 0;
    h->gap = false;
    if (!h->failed && put_block(h->r, kind_now(h), h->heading, 0, text) < 0) {
        h->failed = true;
        xmlStopParser(h->parser);
    }
}

static void start_line(struct html *h)
{
    h->gap = false;
    if (h->text.n > 0 && h->text.p[h->text.n - 1] != '\n')
        sb_putc(&h->text, '\n');
}

/* The edge of a block-like element: within a list or table a new line, else a new block. */
static void edge(struct html *h)
{
    if (h->lists > 0 || h->tables > 0)
        start_line(h);
    else
        flush(h);
}

static void open_item(struct html *h)
{
    start_line(h);
    for (unsigned i = 1; i < h->lists && i < MAX_INDENT; i++)
        sb_put(&h->text, S("  "));
    sb_put(&h->text, S("- "));
}

static void open_row(struct html *h)
{
    if (h->text.n > TABLE_BLOCK_BYTES)
        flush(h);
    else
        start_line(h);
}

static void open_cell(struct html *h)
{
    if (h->text.n > 0 && h->text.p[h->text.n - 1] != '\n')
        sb_put(&h->text, S(" | "));
    h->gap = false;
}

static const char *attribute(const xmlChar **at, const char *name)
{
    for (; at && at[0]; at += 2)
        if (strcasecmp((const char *)at[0], name) == 0)
            return at[1] ? (const char *)at[1] : "";
    return "";
}

/* <meta name=... content=...> of the few names that are metadata of a document. */
static void put_meta(struct html *h, const xmlChar **at)
{
    static const char *const names[] = { "author", "description", "keywords", "date", "generator" };
    const char              *name = attribute(at, "name"), *content = attribute(at, "content");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            put_metadata(h->r, str_of(names[i]), str_of(content));
}

static void open_heading(struct html *h, const char *name)
{
    flush(h);
    h->heading = (unsigned)(name[1] - '0');
}

static void on_start(void *arg, const xmlChar *element, const xmlChar **at)
{
    struct html *h = arg;
    const char  *name = (const char *)element;
    enum role    role = role_of(name);

    if (strcmp(name, "html") == 0)
        put_language(h->r, str_of(attribute(at, "lang")));
    if (role == ROLE_SKIP)
        h->skips++;
    if (h->skips > 0)
        return;
    switch (role) {
    case ROLE_BLOCK:
        edge(h);
        break;
    case ROLE_HEADING:
        open_heading(h, name);
        break;
    case ROLE_LIST:
        edge(h);
        h->lists++;
        break;
    case ROLE_ITEM:
        open_item(h);
        break;
    case ROLE_TABLE:
        edge(h);
        h->tables++;
        break;
    case ROLE_ROW:
        open_row(h);
        break;
    case ROLE_CELL:
        open_cell(h);
        break;
    case ROLE_PRE:
        edge(h);
        h->pres++;
        break;
    case ROLE_BREAK:
        start_line(h);
        break;
    case ROLE_TITLE:
        h->in_title = true;
        break;
    case ROLE_META:
        put_meta(h, at);
        break;
    case ROLE_INLINE:
    case ROLE_SKIP:
        break;
    }
}

/* The end of something that is a block of its own when it is the outermost. */
static void close_container(struct html *h, unsigned *open)
{
    if (*open == 0)
        return;
    if (h->lists + h->tables + h->pres == 1)
        flush(h);
    else
        start_line(h);
    --*open;
}

static void on_end(void *arg, const xmlChar *element)
{
    struct html *h = arg;
    enum role    role = role_of((const char *)element);

    if (role == ROLE_SKIP)
        h->skips -= h->skips > 0;
    if (h->skips > 0)
        return;
    switch (role) {
    case ROLE_BLOCK:
        edge(h);
        break;
    case ROLE_HEADING:
        flush(h);
        h->heading = 0;
        break;
    case ROLE_LIST:
        close_container(h, &h->lists);
        break;
    case ROLE_TABLE:
        close_container(h, &h->tables);
        break;
    case ROLE_PRE:
        close_container(h, &h->pres);
        break;
    case ROLE_TITLE:
        h->in_title = false;
        put_title(h->r, sb_str(&h->title));
        break;
    default:
        break;
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space runs are one blank, none at the start of a line. */
static void put_running_text(struct html *h, struct str s)
{
    size_t from = 0;

    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && !is_space(s.p[i]))
            continue;
        if (i > from) {
            bool at_start = h->text.n == 0 || is_space(h->text.p[h->text.n - 1]);

            if (h->gap && !at_start)
                sb_putc(&h->text, ' ');
            sb_put(&h->text, (struct str){ s.p + from, i - from });
            h->gap = false;
        }
        if (i < s.n)
            h->gap = true;
        from = i + 1;
    }
}

static void on_text(void *arg, const xmlChar *p, int n)
{
    struct html *h = arg;
    struct str   s = { (const char *)p, n > 0 ? (size_t)n : 0 };

    if (h->skips > 0 || h->failed)
        return;
    if (h->in_title)
        sb_put(&h->title, s);
    else if (h->pres > 0)
        sb_put(&h->text, s);
    else
        put_running_text(h, s);
    if (h->text.n + h->title.n > h->r->options->max_text_bytes + (1 << 20) || h->r->arena->failed) {
        reading_fail(h->r, h->r->arena->failed ? CAUSE_MEMORY : CAUSE_TOO_LARGE_TEXT);
        h->failed = true;
        xmlStopParser(h->parser);
    }
}

int html_put_blocks(struct reading *r, struct str html)
{
    struct html    h = { .r = r, .text = SB(r->arena), .title = SB(r->arena) };
    htmlSAXHandler sax = { .startElement = on_start,
                           .endElement = on_end,
                           .characters = on_text,
                           .cdataBlock = on_text,
                           .ignorableWhitespace = on_text };

    h.parser = htmlCreatePushParserCtxt(&sax, &h, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
    if (!h.parser)
        return reading_fail(r, CAUSE_MEMORY);
    htmlCtxtUseOptions(h.parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER
                                     | HTML_PARSE_IGNORE_ENC);
    while (html.n > 0 && !h.failed) {
        size_t n = html.n < (64 << 10) ? html.n : 64 << 10;

        htmlParseChunk(h.parser, html.p, (int)n, 0);
        html = (struct str){ html.p + n, html.n - n };
    }
    htmlParseChunk(h.parser, "", 0, 1);
    flush(&h);
    htmlFreeParserCtxt(h.parser);
    return h.failed ? reading_fail(r, CAUSE_MEMORY) : 0;
}

int read_html(struct reading *r)
{
    return html_put_blocks(r, charset_decode(r->arena, &r->preload->charset, r->bytes, &r->note));
}
