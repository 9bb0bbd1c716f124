/* pdf.c - PDF by Poppler (GPL, and therefore only in dms-extract-pdf). Lines become paragraphs by their distance, headings by their size.
   Poppler repairs what it can and only logs it: its complaints are counted here, so that a damaged file is called damaged. */
#include "extract/character_maps.h"
#include "extract/extract.h"
#include "extract/frame.h"
#include "extract/preload.h"

#include "base/clock.h"

#include <poppler.h>
#include <stdio.h>

enum {
    END_WITHIN_BYTES = 4096, /* where readers look for %%EOF */
    MAX_FILTERS = 8,
    LEAST_SIDE = 9,   /* points; a page must be larger to show a line of text */
    SIZE_STEPS = 256, /* of the histogram of font sizes, half points */
    HEADING_MAX_CHARACTERS = 200,
};

/* What Poppler said while it read. */
struct complaints {
    unsigned errors;
    unsigned tables; /* of East Asian characters that it did not find */
};

/* Poppler hands its complaints to GLib's log. Warnings are about style; errors are about content that is lost. */
static void count_complaint(const char *domain UNUSED, GLogLevelFlags level UNUSED, const char *message, void *count)
{
    struct complaints *c = count;
    struct str         s = str_of(message);

    if (str_has(s, S("CMap file for")) || str_has(s, S("language pack")) || str_has(s, S("character collection")))
        c->tables++;
    else if (str_starts(s, S("Syntax error")) || str_starts(s, S("Internal error")))
        c->errors++;
}

int pdf_preload(char **argv UNUSED, struct error *err UNUSED)
{
    static const char least[] =
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        "trailer<</Root 1 0 R>>\n%%EOF\n";

    /* Never closed: as long as one document is open, Poppler's settings stay loaded. */
    poppler_document_new_from_bytes(g_bytes_new_static(least, sizeof least - 1), NULL, NULL);
    character_maps_load();
    return 0;
}

/* ---- before Poppler: rules over the bytes ---- */

/* The last %%EOF must be near the end, with no object behind it: else the end of the file is missing. Filling is passed over. */
static bool is_complete(struct str b)
{
    while (b.n > 0
           && (b.p[b.n - 1] == '\0' || b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'
               || b.p[b.n - 1] == ' ')) /* filled up */
        b.n--;
    struct str  tail = b.n > END_WITHIN_BYTES ? (struct str){ b.p + b.n - END_WITHIN_BYTES, END_WITHIN_BYTES } : b;
    const char *last = NULL;

    for (const char *at = tail.p; (at = memmem(at, (size_t)(tail.p + tail.n - at), "%%EOF", 5)) != NULL; at += 5)
        last = at;
    if (!last)
        return false;
    struct str behind = { last + 5, (size_t)(b.p + b.n - last) - 5 };
    return !str_has(behind, S(" obj")) && !str_has(behind, S("xref"));
}

static bool has_long_filter_chain(struct str b)
{
    for (const char *end = b.p + b.n, *at = b.p; (at = memmem(at, (size_t)(end - at), "/Filter", 7)) != NULL;) {
        unsigned names = 0;

        at += 7;
        while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
            at++;
        if (at == end || *at != '[')
            continue;
        for (; at < end && *at != ']' && names <= MAX_FILTERS; at++)
            names += *at == '/';
        if (names > MAX_FILTERS)
            return true;
    }
    return false;
}

/* Bytes behind what the last signature covers: "/ByteRange [a b c d]" ends at c + d. */
static bool updated_after_signing(struct str b)
{
    size_t covered = 0;

    for (const char *end = b.p + b.n, *at = b.p; (at = memmem(at, (size_t)(end - at), "/ByteRange", 10)) != NULL;) {
        uint64_t numbers[4] = { 0 };
        unsigned n = 0;

        for (at += 10; at < end && *at != ']' && n < 4; at++) {
            if (*at >= '0' && *at <= '9')
                numbers[n] = numbers[n] > b.n ? numbers[n] : numbers[n] * 10 + (uint64_t)(*at - '0');
            else if (at[-1] >= '0' && at[-1] <= '9')
                n++;
        }
        if (numbers[2] + numbers[3] > covered)
            covered = numbers[2] + numbers[3];
    }
    return covered > 0 && covered < b.n && str_has((struct str){ b.p + covered, b.n - covered }, S(" obj"));
}

/* ---- a page ---- */

struct line {
    struct str text;
    double     top, bottom, left, size; /* points; size of most of its characters */
    size_t     characters;
};

struct page {
    struct reading *r;
    unsigned        number;
    double          body_size;
    struct sb       text;   /* of the block being gathered */
    unsigned        level;  /* its heading level, 0: a paragraph */
    struct line     before; /* the line before, characters 0: none */
};

/* How many characters of each size (in half points) the document has so far. */
struct sizes {
    uint64_t characters[SIZE_STEPS];
};

static void count_size(struct sizes *s, double size, size_t characters)
{
    size_t step = size > 0 && size * 2 < SIZE_STEPS - 1 ? (size_t)(size * 2 + 0.5) : 0;

    s->characters[step] += characters;
}

static double body_size(const struct sizes *s)
{
    size_t most = 0;

    for (size_t i = 1; i < SIZE_STEPS; i++)
        if (most == 0 || s->characters[i] > s->characters[most])
            most = i;
    return (double)most / 2;
}

/* Page numbers, rows of dots and lines of a table of contents are large at times, and never headings. */
static bool reads_like_heading(struct str s)
{
    bool letters = false;

    for (size_t i = 0; i < s.n; i++)
        letters = letters || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z')
                  || (unsigned char)s.p[i] >= 0x80;
    return letters && !str_has(s, S(". . .")) && !str_has(s, S("....."));
}

static unsigned heading_level(const struct page *p, const struct line *l)
{
    if (p->body_size <= 0 || l->characters > HEADING_MAX_CHARACTERS || l->size < 1.15 * p->body_size)
        return 0;
    if (!reads_like_heading(l->text))
        return 0;
    double ratio = l->size / p->body_size;
    return ratio >= 1.8 ? 1 : ratio >= 1.4 ? 2 : 3;
}

static int flush(struct page *p)
{
    struct str text = sb_str(&p->text);
    unsigned   level = p->level;

    p->text.n = 0;
    p->level = 0;
    return put_block(p->r, level > 0 ? BLOCK_HEADING : BLOCK_PARAGRAPH, level, p->number, text);
}

static bool ends_sentence(struct str s)
{
    char c = s.n > 0 ? s.p[s.n - 1] : '\0';

    return c == '.' || c == '!' || c == '?' || c == ':';
}

/* Whether a new block begins with this line. */
static bool begins_block(const struct page *p, const struct line *l, unsigned level)
{
    const struct line *b = &p->before;
    double             height = b->bottom - b->top, gap = l->top - b->bottom;

    if (b->characters == 0 || level != p->level)
        return true;
    if (gap < -height) /* a new column */
        return ends_sentence(b->text);
    return gap > 0.75 * height;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* "exam-" + "ple" is one word; "e-" + "Mail" and "1990-" + "1999" are not touched. */
static void join_line(struct sb *text, struct str line)
{
    bool hyphen = text->n > 1 && text->p[text->n - 1] == '-' && is_lower(text->p[text->n - 2]) && line.n > 0
                  && is_lower(line.p[0]);

    if (hyphen)
        text->n--;
    else if (text->n > 0)
        sb_putc(text, ' ');
    sb_put(text, line);
}

static int put_line(struct page *p, const struct line *l)
{
    unsigned level = heading_level(p, l);

    if (begins_block(p, l, level) && flush(p) < 0)
        return -1;
    p->level = level;
    join_line(&p->text, l->text);
    p->before = *l;
    return 0;
}

/* ---- Poppler's text of a page, cut into lines ---- */

struct layout {
    char             *text;
    PopplerRectangle *boxes; /* one a character of text */
    guint             box_count;
    GList            *fonts; /* runs of characters with one font */
};

static void release_layout(struct layout *l)
{
    g_free(l->text);
    g_free(l->boxes);
    poppler_page_free_text_attributes(l->fonts);
}

static void read_layout(PopplerPage *page, struct layout *ret)
{
    *ret = (struct layout){ .text = poppler_page_get_text(page) };
    if (!poppler_page_get_text_layout(page, &ret->boxes, &ret->box_count))
        ret->box_count = 0;
    ret->fonts = poppler_page_get_text_attributes(page);
}

/* The font size at a character; *run moves forward only. */
static double size_at(GList **run, size_t character)
{
    for (; *run; *run = (*run)->next) {
        const PopplerTextAttributes *at = (*run)->data;

        if (at->end_index >= 0 && (size_t)at->end_index >= character)
            return at->font_size;
    }
    return 0;
}

static struct line make_line(const struct layout *layout, GList **run, struct str text, size_t first)
{
    struct line l = { .text = str_trim(text), .characters = utf8_count(text) };
    size_t      middle = first + l.characters / 2;

    l.size = size_at(run, middle);
    if (middle < layout->box_count) {
        l.top = layout->boxes[middle].y1;
        l.bottom = layout->boxes[middle].y2;
        l.left = layout->boxes[first].x1;
    }
    return l;
}

static int put_page(struct page *p, const struct layout *layout, struct sizes *sizes)
{
    struct str text = str_of(layout->text ? layout->text : ""), rest = text;
    GList     *run = layout->fonts;
    size_t     at = 0;

    while (rest.n > 0) { /* the sizes first: a heading is told by what is usual */
        struct line l = make_line(layout, &run, str_cut(&rest, '\n'), at);

        count_size(sizes, l.size, l.characters);
        at += l.characters + 1;
    }
    p->body_size = body_size(sizes);
    run = layout->fonts;
    at = 0;
    for (rest = text; rest.n > 0;) {
        struct line l = make_line(layout, &run, str_cut(&rest, '\n'), at);

        at += l.characters + 1;
        if (l.text.n > 0 && put_line(p, &l) < 0)
            return -1;
    }
    return flush(p);
}

static int read_page(struct reading *r, PopplerDocument *doc, unsigned number, struct sizes *sizes, struct sb *scratch)
{
    PopplerPage *page = poppler_document_get_page(doc, (int)number - 1);

    if (!page)
        return reading_fail(r, CAUSE_DAMAGED);
    _cleanup_(release_layout) struct layout layout;
    read_layout(page, &layout);
    g_object_unref(page);
    struct page p = { .r = r, .number = number, .text = *scratch };
    p.text.n = 0;
    int result = put_page(&p, &layout, sizes);
    *scratch = p.text;
    return result;
}

/* ---- the whole ---- */

static void put_time(struct reading *r, const char *key, GDateTime *t)
{
    char    text[32];
    int64_t seconds = t ? g_date_time_to_unix(t) : 0;

    if (t)
        g_date_time_unref(t);
    if (seconds <= 0 || seconds > INT64_C(253402300799)) /* year 9999 */
        return;
    clock_rfc3339(text, seconds * 1000000);
    put_metadata(r, str_of(key), str_of(text));
}

static void put_properties(struct reading *r, PopplerDocument *doc)
{
    static const struct {
        const char *key;
        char *(*get)(PopplerDocument *doc);
    } rows[] = {
        { "title", poppler_document_get_title },     { "author", poppler_document_get_author },
        { "subject", poppler_document_get_subject }, { "keywords", poppler_document_get_keywords },
        { "creator", poppler_document_get_creator }, { "producer", poppler_document_get_producer },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *value = rows[i].get(doc);

        if (value && i == 0)
            put_title(r, str_of(value));
        if (value)
            put_metadata(r, str_of(rows[i].key), str_of(value));
        g_free(value);
    }
    put_time(r, "created", poppler_document_get_creation_date_time(doc));
    put_time(r, "modified", poppler_document_get_modification_date_time(doc));
}

/* What a careful reader wants to know before opening it: never run here. */
static void put_warnings(struct reading *r, PopplerDocument *doc)
{
    char number[16];

    if (poppler_document_has_javascript(doc))
        put_metadata_flag(r, "has_javascript");
    if (str_has(r->bytes, S("/Launch")) || str_has(r->bytes, S("/SubmitForm")) || str_has(r->bytes, S("/RichMedia")))
        put_metadata_flag(r, "has_active_content");
    if (poppler_document_has_attachments(doc)) {
        snprintf(number, sizeof number, "%u", poppler_document_get_n_attachments(doc));
        put_metadata(r, S("embedded_files"), str_of(number));
    }
    if (updated_after_signing(r->bytes))
        put_metadata_flag(r, "updated_after_signing");
}

static void unref_document(PopplerDocument **doc)
{
    if (*doc)
        g_object_unref(*doc);
}

static PopplerDocument *open_document(struct reading *r)
{
    GError          *why = NULL;
    GBytes          *bytes = g_bytes_new_static(r->bytes.p, r->bytes.n);
    PopplerDocument *doc = poppler_document_new_from_bytes(bytes, NULL, &why);

    g_bytes_unref(bytes);
    if (!doc) {
        bool locked = g_error_matches(why, POPPLER_ERROR, POPPLER_ERROR_ENCRYPTED) || str_has(r->bytes, S("/Encrypt"));

        reading_fail(r, locked ? CAUSE_ENCRYPTED : CAUSE_DAMAGED);
        g_clear_error(&why);
        return NULL;
    }
    /* Opened without a password, but its author forbids taking text out. */
    if (!(poppler_document_get_permissions(doc) & POPPLER_PERMISSIONS_OK_TO_COPY)) {
        reading_fail(r, CAUSE_ENCRYPTED);
        unref_document(&doc);
        return NULL;
    }
    return doc;
}

static int read_pages(struct reading *r, PopplerDocument *doc)
{
    struct sizes sizes = { 0 };
    struct sb    scratch = SB(r->arena);
    int          pages = poppler_document_get_n_pages(doc);

    if (pages < 1)
        return reading_fail(r, CAUSE_DAMAGED);
    if ((uint64_t)pages > r->options->max_pages)
        return reading_fail(r, CAUSE_TOO_MANY_PAGES);
    r->page_count = (unsigned)pages;
    for (unsigned i = 1; i <= r->page_count; i++)
        if (read_page(r, doc, i, &sizes, &scratch) < 0)
            return -1;
    return 0;
}

/* What the pages show where no text is: pictures, or not even room for any. */
static void look_at_pages(const struct reading *r, PopplerDocument *doc, bool *ret_pictures, bool *ret_room)
{
    *ret_pictures = *ret_room = false;
    for (unsigned i = 0; i < r->page_count && !(*ret_pictures && *ret_room); i++) {
        PopplerPage *page = poppler_document_get_page(doc, (int)i);
        double       width = 0, height = 0;

        if (!page)
            continue;
        GList *pictures = poppler_page_get_image_mapping(page);
        poppler_page_get_size(page, &width, &height);
        *ret_pictures = *ret_pictures || pictures;
        *ret_room = *ret_room || (width >= (double)LEAST_SIDE && height >= (double)LEAST_SIDE);
        poppler_page_free_image_mapping(pictures);
        g_object_unref(page);
    }
}

/* No text, and complaints or pages that have no size: damaged. Text and complaints: said. No text but pictures: a scan. */
static int judge(struct reading *r, PopplerDocument *doc, const struct complaints *c)
{
    bool pictures, room;

    if (r->out->blocks > 0) {
        if (c->errors > 0 || c->tables > 0)
            r->note = "parts of the file could not be read; the text may be incomplete";
        return 0;
    }
    if (c->tables > 0) /* more complaints follow from that one */
        return reading_fail(r, CAUSE_UNSUPPORTED);
    if (c->errors > 0)
        return reading_fail(r, CAUSE_DAMAGED);
    look_at_pages(r, doc, &pictures, &room);
    if (!room)
        return reading_fail(r, CAUSE_DAMAGED);
    if (pictures)
        r->note = "no text layer: this looks like a scan";
    return 0;
}

static int read_document(struct reading *r, const struct complaints *complaints)
{
    _cleanup_(unref_document) PopplerDocument *doc = open_document(r);

    if (!doc)
        return -1;
    put_properties(r, doc);
    put_warnings(r, doc);
    return read_pages(r, doc) < 0 ? -1 : judge(r, doc, complaints);
}

int read_pdf(struct reading *r)
{
    struct complaints complaints = { 0 };

    if (!is_complete(r->bytes))
        return reading_fail(r, CAUSE_DAMAGED);
    if (has_long_filter_chain(r->bytes))
        return reading_fail(r, CAUSE_BOMB);
    guint handler = g_log_set_handler("Poppler", G_LOG_LEVEL_MASK, count_complaint, &complaints);
    int   result = read_document(r, &complaints);
    g_log_remove_handler("Poppler", handler);
    return result;
}
