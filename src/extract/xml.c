/* xml.c - see xml.h. libxml2's push parser with SAX2 callbacks; no tree is built. */
#include "extract/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

struct xml_attributes {
    int             count;
    const xmlChar **five; /* local name, prefix, URI, value, end of value */
};

struct xml_reader {
    const struct xml_events *events;
    xmlParserCtxtPtr         parser;
    xmlSAXHandler            sax;
    unsigned                 depth;
    enum extract_cause       cause;
};

static void stop(struct xml_reader *x, enum extract_cause cause)
{
    if (x->cause == CAUSE_NONE)
        x->cause = cause;
    xmlStopParser(x->parser);
}

static void on_doctype(void *arg, const xmlChar *name UNUSED, const xmlChar *public_id UNUSED,
                       const xmlChar *system_id UNUSED)
{
    stop(arg, CAUSE_UNSAFE);
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix UNUSED, const xmlChar *uri UNUSED,
                     int namespaces, const xmlChar **ns UNUSED, int attributes, int defaulted UNUSED,
                     const xmlChar **five)
{
    struct xml_reader    *x = arg;
    struct xml_attributes at = { attributes, five };

    if (++x->depth > XML_READER_MAX_DEPTH || attributes > XML_READER_MAX_ATTRIBUTES
        || namespaces > XML_READER_MAX_ATTRIBUTES)
        stop(x, CAUSE_BOMB);
    else if (x->events->start)
        x->events->start(x->events->arg, (const char *)name, &at);
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix UNUSED, const xmlChar *uri UNUSED)
{
    struct xml_reader *x = arg;

    x->depth -= x->depth > 0;
    if (x->events->end)
        x->events->end(x->events->arg, (const char *)name);
}

static void on_text(void *arg, const xmlChar *p, int n)
{
    struct xml_reader *x = arg;

    if (x->events->text && n > 0)
        x->events->text(x->events->arg, (struct str){ (const char *)p, (size_t)n });
}

const char *xml_attribute(const struct xml_attributes *at, struct arena *a, const char *local_name)
{
    for (int i = 0; i < at->count; i++) {
        const xmlChar **f = at->five + 5 * i;

        if (strcmp((const char *)f[0], local_name) == 0)
            return arena_text(a, (const char *)f[3], (size_t)(f[4] - f[3]));
    }
    return NULL;
}

static void release_parser(void *p)
{
    xmlFreeParserCtxt(p);
}

struct xml_reader *xml_open(struct arena *a, const struct xml_events *events)
{
    struct xml_reader *x = arena_alloc(a, sizeof *x);

    if (!x)
        return NULL;
    *x = (struct xml_reader){ .events = events,
                              .sax = { .initialized = XML_SAX2_MAGIC,
                                       .internalSubset = on_doctype,
                                       .startElementNs = on_start,
                                       .endElementNs = on_end,
                                       .characters = on_text,
                                       .cdataBlock = on_text } };
    x->parser = xmlCreatePushParserCtxt(&x->sax, x, NULL, 0, NULL);
    if (!x->parser || !arena_defer(a, release_parser, x->parser))
        return NULL;
    xmlCtxtUseOptions(x->parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    return x;
}

static enum extract_cause parse(struct xml_reader *x, struct str piece, int last)
{
    while (x->cause == CAUSE_NONE && (piece.n > 0 || last)) {
        size_t n = piece.n < (1u << 20) ? piece.n : 1u << 20;

        if (xmlParseChunk(x->parser, piece.p, (int)n, last) != 0 && x->cause == CAUSE_NONE)
            x->cause = CAUSE_DAMAGED;
        if (last)
            break;
        piece = (struct str){ piece.p + n, piece.n - n };
    }
    return x->cause;
}

enum extract_cause xml_feed(void *reader, struct str piece)
{
    return parse(reader, piece, 0);
}

enum extract_cause xml_finish(struct xml_reader *x)
{
    return parse(x, (struct str){ "", 0 }, 1);
}
