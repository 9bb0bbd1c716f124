/* docx.c - Word documents: paragraphs with their heading styles, lists, tables, notes, core properties. Text only: nothing that a
   part points to outside is followed, no macro or field is looked into. */
#include "extract/extract.h"
#include "extract/xml.h"
#include "extract/zip.h"

enum {
    MAX_STYLES = 5000,
    MAX_STYLE_CHAIN = 10,
    MAX_LIST_DEPTH = 9,
    GATHER_BLOCK_BYTES = 16 << 10,
    PARAGRAPH_MAX_BYTES = 4 << 20
};

struct style {
    const char *id, *based_on;
    unsigned    level; /* 1-6 of a heading, 0: none of its own */
    bool        list;
};

struct docx {
    struct reading *r;
    struct zip      zip;
    struct style   *styles;
    size_t          style_count;
    struct style   *style; /* being read */

    const char *main_part; /* from [Content_Types].xml */

    /* The body: what is open now. */
    struct sb text;     /* of the paragraph */
    struct sb gathered; /* list or table */
    unsigned  paragraphs, tables, fallbacks, level, list_depth;
    bool      in_text, in_properties, is_list, first_cell, gathering_list, failed;

    const char *property; /* metadata key of the core property being read, NULL: none */
    struct sb   property_text;
};

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* ---- parts ---- */

/* Reads one part of the container; absent is fine. */
static int read_part(struct docx *d, struct str name, const struct xml_events *events)
{
    const struct zip_entry *e = zip_find(&d->zip, name);

    if (!e)
        return 0;
    struct xml_reader *x = xml_open(d->r->arena, events);
    if (!x)
        return reading_fail(d->r, CAUSE_MEMORY);
    enum extract_cause cause = zip_read(&d->zip, e, xml_feed, x);
    if (cause == CAUSE_NONE)
        cause = xml_finish(x);
    if (d->failed) /* put_block named the cause */
        return -1;
    return cause == CAUSE_NONE ? 0 : reading_fail(d->r, cause);
}

/* ---- [Content_Types].xml: which part is the text ---- */

static void types_start(void *arg, const char *name, const struct xml_attributes *at)
{
    struct docx *d = arg;

    if (strcmp(name, "Override") != 0 || d->main_part)
        return;
    const char *type = xml_attribute(at, d->r->arena, "ContentType"),
               *part = xml_attribute(at, d->r->arena, "PartName");
    if (!type || !part || part[0] != '/')
        return;
    bool word = strstr(type, "wordprocessingml") || strstr(type, "ms-word");
    if (word && strstr(type, ".main+xml"))
        d->main_part = part + 1;
}

/* ---- word/_rels: what points outside is told, never followed ---- */

static void relations_start(void *arg, const char *name, const struct xml_attributes *at)
{
    struct docx *d = arg;

    if (strcmp(name, "Relationship") != 0 || !same(xml_attribute(at, d->r->arena, "TargetMode"), "External"))
        return;
    const char *type = xml_attribute(at, d->r->arena, "Type");
    if (type && !strstr(type, "/hyperlink"))
        put_metadata_flag(d->r, "has_external_parts");
}

/* ---- word/styles.xml ---- */

static unsigned level_of_name(const char *name)
{
    if (!name)
        return 0;
    if (strcasecmp(name, "title") == 0)
        return 1;
    bool heading = strncasecmp(name, "heading ", 8) == 0 && name[8] >= '1' && name[8] <= '9' && name[9] == '\0';
    if (!heading)
        return 0;
    return name[8] > '6' ? 6 : (unsigned)(name[8] - '0');
}

/* Word counts from 0; 9 is "body text". */
static unsigned level_of_outline(const char *value)
{
    if (!value || value[0] < '0' || value[0] > '8' || value[1] != '\0')
        return 0;
    return value[0] > '5' ? 6 : (unsigned)(value[0] - '0' + 1);
}

static void styles_start(void *arg, const char *name, const struct xml_attributes *at)
{
    struct docx  *d = arg;
    struct arena *a = d->r->arena;

    if (strcmp(name, "style") == 0) {
        d->style = d->style_count < MAX_STYLES ? &d->styles[d->style_count++] : NULL;
        if (d->style)
            d->style->id = xml_attribute(at, a, "styleId");
    } else if (strcmp(name, "lang") == 0)
        put_language(d->r, str_of(xml_attribute(at, a, "val") ? xml_attribute(at, a, "val") : ""));
    if (!d->style)
        return;
    if (strcmp(name, "name") == 0)
        d->style->level = level_of_name(xml_attribute(at, a, "val"));
    else if (strcmp(name, "outlineLvl") == 0)
        d->style->level = level_of_outline(xml_attribute(at, a, "val"));
    else if (strcmp(name, "basedOn") == 0)
        d->style->based_on = xml_attribute(at, a, "val");
    else if (strcmp(name, "numPr") == 0)
        d->style->list = true;
}

static void styles_end(void *arg, const char *name)
{
    struct docx *d = arg;

    if (strcmp(name, "style") == 0)
        d->style = NULL;
}

static const struct style *find_style(const struct docx *d, const char *id)
{
    for (size_t i = 0; id && i < d->style_count; i++)
        if (same(d->styles[i].id, id))
            return &d->styles[i];
    return NULL;
}

/* The chain of styles may be a ring: it is followed a few steps. */
static void apply_style(struct docx *d, const char *id)
{
    for (unsigned step = 0; step < MAX_STYLE_CHAIN; step++) {
        const struct style *s = find_style(d, id);

        if (!s)
            return;
        if (d->level == 0)
            d->level = s->level;
        d->is_list |= s->list;
        id = s->based_on;
    }
}

/* ---- word/document.xml ---- */

static void put(struct docx *d, enum block_kind kind, unsigned level, struct str text)
{
    if (!d->failed && put_block(d->r, kind, level, 0, text) < 0)
        d->failed = true;
}

static void end_list(struct docx *d)
{
    if (!d->gathering_list)
        return;
    put(d, BLOCK_LIST, 0, sb_str(&d->gathered));
    d->gathered.n = 0;
    d->gathering_list = false;
}

static void gather_item(struct docx *d, struct str text)
{
    if (d->gathered.n > GATHER_BLOCK_BYTES)
        end_list(d);
    if (d->gathered.n > 0)
        sb_putc(&d->gathered, '\n');
    for (unsigned i = 0; i < d->list_depth; i++)
        sb_put(&d->gathered, S("  "));
    sb_put(&d->gathered, S("- "));
    sb_put(&d->gathered, text);
    d->gathering_list = true;
}

static void gather_cell_text(struct docx *d, struct str text)
{
    if (d->gathered.n > 0 && d->gathered.p[d->gathered.n - 1] != '\n' && d->gathered.p[d->gathered.n - 1] != ' ')
        sb_putc(&d->gathered, ' ');
    sb_put(&d->gathered, text);
}

static void end_paragraph(struct docx *d)
{
    struct str text = str_trim(sb_str(&d->text));

    if (d->tables > 0)
        gather_cell_text(d, text);
    else if (text.n > 0 && d->level == 0 && d->is_list)
        gather_item(d, text);
    else if (text.n > 0) {
        end_list(d);
        if (d->level == 1)
            put_title(d->r, text);
        put(d, d->level > 0 ? BLOCK_HEADING : BLOCK_PARAGRAPH, d->level, text);
    }
    d->text.n = 0;
}

static void end_table_rows(struct docx *d)
{
    put(d, BLOCK_TABLE, 0, sb_str(&d->gathered));
    d->gathered.n = 0;
}

/* A paragraph within a paragraph is a text box: its text joins the outer one. */
static void open_paragraph(struct docx *d)
{
    if (d->paragraphs++ > 0) {
        sb_putc(&d->text, '\n');
        return;
    }
    d->level = 0;
    d->list_depth = 0;
    d->is_list = false;
    d->text.n = 0;
}

static void paragraph_property(struct docx *d, const char *name, const struct xml_attributes *at)
{
    const char *value = xml_attribute(at, d->r->arena, "val");

    if (strcmp(name, "pStyle") == 0)
        apply_style(d, value);
    else if (strcmp(name, "outlineLvl") == 0)
        d->level = level_of_outline(value);
    else if (strcmp(name, "numPr") == 0)
        d->is_list = true;
    else if (strcmp(name, "ilvl") == 0 && value && value[0] >= '0' && value[0] < '0' + MAX_LIST_DEPTH
             && value[1] == '\0')
        d->list_depth = (unsigned)(value[0] - '0');
}

static void open_table_part(struct docx *d, const char *name)
{
    if (strcmp(name, "tbl") == 0) {
        if (d->tables++ == 0)
            end_list(d);
    } else if (strcmp(name, "tr") == 0 && d->tables == 1) {
        if (d->gathered.n > GATHER_BLOCK_BYTES)
            end_table_rows(d);
        else if (d->gathered.n > 0)
            sb_putc(&d->gathered, '\n');
        d->first_cell = true;
    } else if (strcmp(name, "tc") == 0 && d->tables == 1) {
        if (!d->first_cell)
            sb_put(&d->gathered, S(" | "));
        d->first_cell = false;
    }
}

static void body_start(void *arg, const char *name, const struct xml_attributes *at)
{
    struct docx *d = arg;

    if (strcmp(name, "Fallback") == 0) /* of mc:AlternateContent: the same again for older readers */
        d->fallbacks++;
    if (d->fallbacks > 0)
        return;
    if (strcmp(name, "p") == 0)
        open_paragraph(d);
    else if (strcmp(name, "t") == 0)
        d->in_text = true;
    else if (strcmp(name, "pPr") == 0)
        d->in_properties = d->paragraphs == 1;
    else if (d->in_properties)
        paragraph_property(d, name, at);
    else if (strcmp(name, "tab") == 0)
        sb_putc(&d->text, '\t');
    else if (strcmp(name, "br") == 0 || strcmp(name, "cr") == 0)
        sb_putc(&d->text, '\n');
    else if (strcmp(name, "noBreakHyphen") == 0)
        sb_putc(&d->text, '-');
    else
        open_table_part(d, name);
}

/* True when that was the outermost one. */
static bool closes(unsigned *open)
{
    if (*open == 0)
        return false;
    --*open;
    return *open == 0;
}

static void body_end(void *arg, const char *name)
{
    struct docx *d = arg;

    if (strcmp(name, "Fallback") == 0)
        d->fallbacks -= d->fallbacks > 0;
    if (d->fallbacks > 0)
        return;
    if (strcmp(name, "t") == 0)
        d->in_text = false;
    else if (strcmp(name, "pPr") == 0)
        d->in_properties = false;
    else if (strcmp(name, "p") == 0 && closes(&d->paragraphs))
        end_paragraph(d);
    else if (strcmp(name, "tbl") == 0 && closes(&d->tables))
        end_table_rows(d);
    else if (strcmp(name, "body") == 0 || strcmp(name, "footnotes") == 0 || strcmp(name, "endnotes") == 0)
        end_list(d);
}

static void body_text(void *arg, struct str piece)
{
    struct docx *d = arg;

    if (!d->in_text || d->fallbacks > 0 || d->failed)
        return;
    sb_put(&d->text, piece);
    if (d->text.n > PARAGRAPH_MAX_BYTES || d->gathered.n > PARAGRAPH_MAX_BYTES || d->r->arena->failed) {
        reading_fail(d->r, d->r->arena->failed ? CAUSE_MEMORY : CAUSE_TOO_LARGE_TEXT);
        d->failed = true;
    }
}

/* ---- docProps/core.xml ---- */

static const char *const properties[][2] = {
    { "title", "title" },       { "creator", "author" },
    { "subject", "subject" },   { "keywords", "keywords" },
    { "category", "category" }, { "created", "created" },
    { "modified", "modified" }, { "description", "description" },
    { "language", "language" }, { "lastModifiedBy", "modified_by" },
};

static void property_start(void *arg, const char *name, const struct xml_attributes *at UNUSED)
{
    struct docx *d = arg;

    d->property = NULL;
    for (size_t i = 0; i < ARRAY_LEN(properties); i++)
        if (strcmp(name, properties[i][0]) == 0)
            d->property = properties[i][1];
    d->property_text.n = 0;
}

static void property_text(void *arg, struct str piece)
{
    struct docx *d = arg;

    if (d->property && d->property_text.n < 64 << 10)
        sb_put(&d->property_text, piece);
}

static void property_end(void *arg, const char *name UNUSED)
{
    struct docx *d = arg;

    if (!d->property)
        return;
    if (same(d->property, "title"))
        put_title(d->r, sb_str(&d->property_text));
    if (same(d->property, "language"))
        put_language(d->r, sb_str(&d->property_text));
    put_metadata(d->r, str_of(d->property), sb_str(&d->property_text));
    d->property = NULL;
}

/* ---- the whole ---- */

static int read_all(struct docx *d)
{
    const struct xml_events types = { .start = types_start, .arg = d },
                            relations = { .start = relations_start, .arg = d },
                            styles = { .start = styles_start, .end = styles_end, .arg = d },
                            body = { .start = body_start, .end = body_end, .text = body_text, .arg = d },
                            core = { .start = property_start, .end = property_end, .text = property_text, .arg = d };

    if (read_part(d, S("[Content_Types].xml"), &types) < 0)
        return -1;
    struct str main_part = d->main_part ? str_of(d->main_part) : S("word/document.xml");
    if (!zip_find(&d->zip, main_part))
        return reading_fail(d->r, CAUSE_DAMAGED);
    if (zip_find(&d->zip, S("word/vbaProject.bin")))
        put_metadata_flag(d->r, "has_macros");
    if (zip_has_folder(&d->zip, S("word/activeX/")) || zip_has_folder(&d->zip, S("word/embeddings/")))
        put_metadata_flag(d->r, "has_embedded_objects");
    if (read_part(d, S("docProps/core.xml"), &core) < 0 || read_part(d, S("word/styles.xml"), &styles) < 0
        || read_part(d, S("word/_rels/document.xml.rels"), &relations) < 0
        || read_part(d, S("word/_rels/settings.xml.rels"), &relations) < 0)
        return -1;
    if (read_part(d, main_part, &body) < 0 || read_part(d, S("word/footnotes.xml"), &body) < 0)
        return -1;
    return read_part(d, S("word/endnotes.xml"), &body);
}

int read_docx(struct reading *r)
{
    struct docx        d = { .r = r, .text = SB(r->arena), .gathered = SB(r->arena), .property_text = SB(r->arena) };
    enum extract_cause cause = zip_open(r->arena, r->bytes, &d.zip);

    if (cause != CAUSE_NONE)
        return reading_fail(r, cause);
    d.styles = arena_alloc_array(r->arena, MAX_STYLES, sizeof *d.styles);
    if (!d.styles)
        return reading_fail(r, CAUSE_MEMORY);
    return read_all(&d);
}
