/* markdown.c - Markdown by cmark-gfm: the tree flattened into blocks, front matter into metadata. */
#include "extract/extract.h"
#include "extract/preload.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

enum { FRONT_MATTER_MAX_BYTES = 64 << 10, MAX_INDENT = 20 };

/* Takes "---\\n...\\n---\\n" off the start of *text; ret->p is NULL when it does not begin so. */
static struct str cut_front_matter(struct str *text)
{
    struct str rest = *text, none = { NULL, 0 };

    if (!str_eq(str_trim(str_cut(&rest, '\n')), S("---")) || text->p[0] != '-')
        return none;
    for (const char *from = rest.p; rest.n > 0;) {
        struct str line = str_cut(&rest, '\n');
        size_t     n = (size_t)(line.p - from);
        bool       ends = line.n > 0 && (line.p[0] == '-' || line.p[0] == '.');

        line = str_trim(line);
        if (ends && (str_eq(line, S("---")) || str_eq(line, S("...")))) {
            *text = rest.p ? rest : (struct str){ "", 0 };
            return (struct str){ from, n };
        }
        if (n > FRONT_MATTER_MAX_BYTES)
            break;
    }
    return none;
}

static void put_indent(struct sb *b, unsigned depth)
{
    for (unsigned i = 1; i < depth && i < MAX_INDENT; i++)
        sb_put(b, S("  "));
}

/* Where a flattening stands. */
struct flat {
    struct reading *r;
    struct sb       text;
    unsigned        lists, tables;       /* open now */
    int             numbers[MAX_INDENT]; /* of the next item of each open list; -1: bullets */
};

/* The nodes of the table extension have no names in cmark's headers but these. */
static bool is_a(cmark_node *node, const char *type)
{
    return strcmp(cmark_node_get_type_string(node), type) == 0;
}

/* A new line, unless the text is at the start of one. */
static void start_line(struct flat *f)
{
    if (f->text.n > 0 && f->text.p[f->text.n - 1] != '\n')
        sb_putc(&f->text, '\n');
}

static int flush(struct flat *f, enum block_kind kind, unsigned level)
{
    struct str text = sb_str(&f->text);

    if (kind == BLOCK_HEADING && level == 1)
        put_title(f->r, text);
    f->text.n = 0;
    return put_block(f->r, kind, level, 0, text);
}

static void open_list(struct flat *f, cmark_node *list)
{
    bool numbered = cmark_node_get_list_type(list) == CMARK_ORDERED_LIST;

    if (f->lists < MAX_INDENT)
        f->numbers[f->lists] = numbered ? cmark_node_get_list_start(list) : -1;
    f->lists++;
}

static void put_marker(struct flat *f)
{
    int *number = f->lists >= 1 && f->lists <= MAX_INDENT ? &f->numbers[f->lists - 1] : NULL;

    start_line(f);
    put_indent(&f->text, f->lists);
    if (number && *number >= 0)
        sb_printf(&f->text, "%d. ", (*number)++);
    else
        sb_put(&f->text, S("- "));
}

static void put_literal(struct flat *f, cmark_node *node)
{
    const char *literal = cmark_node_get_literal(node);

    if (literal)
        sb_puts(&f->text, literal);
}

/* Nodes without children. */
static int put_leaf(struct flat *f, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    bool            inside = f->lists > 0 || f->tables > 0;

    if (type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE)
        put_literal(f, node);
    else if (type == CMARK_NODE_SOFTBREAK)
        sb_putc(&f->text, ' ');
    else if (type == CMARK_NODE_LINEBREAK)
        sb_putc(&f->text, f->tables > 0 ? ' ' : '\n');
    else if (type == CMARK_NODE_CODE_BLOCK && inside) {
        start_line(f);
        put_literal(f, node);
    } else if (type == CMARK_NODE_CODE_BLOCK)
        return put_block(f->r, BLOCK_CODE, 0, 0, str_of(cmark_node_get_literal(node)));
    else if (type == CMARK_NODE_HTML_BLOCK && !inside)
        return html_put_blocks(f->r, str_of(cmark_node_get_literal(node)));
    return 0;
}

static void enter(struct flat *f, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_LIST)
        open_list(f, node);
    else if (type == CMARK_NODE_ITEM)
        put_marker(f);
    else if (is_a(node, "table"))
        f->tables++;
    else if (is_a(node, "table_cell") && cmark_node_previous(node))
        sb_put(&f->text, S(" | "));
}

static int leave(struct flat *f, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_LIST && --f->lists == 0 && f->tables == 0)
        return flush(f, BLOCK_LIST, 0);
    if (is_a(node, "table") && --f->tables == 0 && f->lists == 0)
        return flush(f, BLOCK_TABLE, 0);
    if (is_a(node, "table_row") || is_a(node, "table_header"))
        start_line(f);
    if (type != CMARK_NODE_PARAGRAPH && type != CMARK_NODE_HEADING)
        return 0;
    if (f->lists > 0 || f->tables > 0) {
        start_line(f);
        return 0;
    }
    bool heading = type == CMARK_NODE_HEADING;
    return flush(f, heading ? BLOCK_HEADING : BLOCK_PARAGRAPH,
                 heading ? (unsigned)cmark_node_get_heading_level(node) : 0);
}

static int flatten(struct reading *r, cmark_node *root)
{
    struct flat      f = { .r = r, .text = SB(r->arena) };
    cmark_iter      *walk = cmark_iter_new(root);
    cmark_event_type event;
    int              result = 0;

    while (result == 0 && (event = cmark_iter_next(walk)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(walk);

        if (event == CMARK_EVENT_EXIT)
            result = leave(&f, node);
        else {
            enter(&f, node);
            result = put_leaf(&f, node);
        }
    }
    cmark_iter_free(walk);
    return result;
}

static cmark_node *parse(struct str text)
{
    static const char *const extensions[] = { "table", "strikethrough", "tasklist" };

    cmark_gfm_core_extensions_ensure_registered();
    cmark_parser *parser = cmark_parser_new(CMARK_OPT_VALIDATE_UTF8);
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(extensions[i]));
    cmark_parser_feed(parser, text.p, text.n);
    cmark_node *root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    return root;
}

int read_markdown(struct reading *r)
{
    struct str text = charset_decode(r->arena, &r->preload->charset, r->bytes, &r->note);
    struct str whole = text, front = cut_front_matter(&text);

    if (front.p && !yaml_put_metadata(r, front)) {
        r->note = "the front matter could not be read and was taken as text";
        text = whole;
    }
    cmark_node *root = parse(text);
    int         result = flatten(r, root);

    cmark_node_free(root);
    return result;
}
