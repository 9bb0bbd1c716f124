/* yaml.c - front matter: a small mapping as metadata. A safe subset of YAML by libyaml's events: no aliases, no tags, every scalar
   a text ("no" stays "no", 1.10 stays 1.10), bounded in depth and number. */
#include "extract/extract.h"

#include <yaml.h>

enum { MAX_DEPTH = 4, MAX_EVENTS = 5000, MAX_KEYS = 50 };

struct walk {
    struct reading *r;
    yaml_parser_t   parser;
    unsigned        events;
};

static void release_parser(struct walk *w)
{
    yaml_parser_delete(&w->parser);
}

/* The next event; false at a fault, an alias, a tag, or one too many. The text of a scalar is copied. */
static bool next(struct walk *w, yaml_event_type_t *type, struct str *text)
{
    yaml_event_t e;

    if (w->events++ >= MAX_EVENTS || !yaml_parser_parse(&w->parser, &e))
        return false;
    bool tagged = (e.type == YAML_SCALAR_EVENT && e.data.scalar.tag)
                  || (e.type == YAML_SEQUENCE_START_EVENT && e.data.sequence_start.tag)
                  || (e.type == YAML_MAPPING_START_EVENT && e.data.mapping_start.tag);
    *type = e.type;
    *text = (struct str){ "", 0 };
    if (e.type == YAML_SCALAR_EVENT) {
        size_t n = e.data.scalar.length;

        *text = (struct str){ arena_text(w->r->arena, (const char *)e.data.scalar.value, n), n };
    }
    yaml_event_delete(&e);
    return !tagged && *type != YAML_ALIAS_EVENT;
}

static bool put_value(struct walk *w, struct sb *b, yaml_event_type_t type, struct str text, unsigned depth);

static bool put_list(struct walk *w, struct sb *b, unsigned depth)
{
    yaml_event_type_t type;
    struct str        text;

    sb_putc(b, '[');
    for (bool first = true;; first = false) {
        if (!next(w, &type, &text))
            return false;
        if (type == YAML_SEQUENCE_END_EVENT)
            break;
        if (!first)
            sb_putc(b, ',');
        if (!put_value(w, b, type, text, depth + 1))
            return false;
    }
    sb_putc(b, ']');
    return true;
}

/* A key that is there already, or empty once cleaned, is refused: JSON must not hold it twice. */
static bool new_key(struct str *seen, unsigned *count, struct str key)
{
    for (unsigned i = 0; i < *count; i++)
        if (str_eq(seen[i], key))
            return false;
    if (key.n == 0 || *count == MAX_KEYS)
        return false;
    seen[(*count)++] = key;
    return true;
}

static bool put_mapping(struct walk *w, struct sb *b, unsigned depth)
{
    yaml_event_type_t type;
    struct str        text, seen[MAX_KEYS];
    unsigned          count = 0;

    sb_putc(b, '{');
    for (;;) {
        if (!next(w, &type, &text))
            return false;
        if (type == YAML_MAPPING_END_EVENT)
            break;
        struct str key = clean_line(w->r->arena, text, 100);
        if (type != YAML_SCALAR_EVENT || !new_key(seen, &count, key))
            return false;
        if (count > 1)
            sb_putc(b, ',');
        sb_json_str(b, key);
        sb_putc(b, ':');
        if (!next(w, &type, &text) || !put_value(w, b, type, text, depth + 1))
            return false;
    }
    sb_putc(b, '}');
    return true;
}

/* Recursion is bounded by MAX_DEPTH. */
static bool put_value(struct walk *w, struct sb *b, yaml_event_type_t type, struct str text, unsigned depth)
{
    if (depth > MAX_DEPTH)
        return false;
    if (type == YAML_SEQUENCE_START_EVENT)
        return put_list(w, b, depth);
    if (type == YAML_MAPPING_START_EVENT)
        return put_mapping(w, b, depth);
    put_clean_json(b, text);
    return type == YAML_SCALAR_EVENT;
}

struct member {
    struct str key, json, text; /* text: of a scalar */
};

/* All members, or false: nothing is put before the whole is known to be good. */
static bool read_members(struct walk *w, struct member *members, unsigned *count)
{
    yaml_event_type_t type;
    struct str        text, seen[MAX_KEYS];

    for (int i = 0; i < 3; i++) /* start of the stream, of the document, of the mapping */
        if (!next(w, &type, &text))
            return false;
    if (type != YAML_MAPPING_START_EVENT)
        return false;
    for (;;) {
        struct sb b = SB(w->r->arena);

        if (!next(w, &type, &text))
            return false;
        if (type == YAML_MAPPING_END_EVENT)
            return !w->r->arena->failed;
        struct str key = clean_line(w->r->arena, text, 100);
        if (type != YAML_SCALAR_EVENT || !new_key(seen, count, key) || !next(w, &type, &text)
            || !put_value(w, &b, type, text, 1))
            return false;
        members[*count - 1] = (struct member){ key, sb_str(&b), text };
    }
}

bool yaml_put_metadata(struct reading *r, struct str yaml)
{
    _cleanup_(release_parser) struct walk w = { .r = r };
    struct member                         members[MAX_KEYS];
    unsigned                              count = 0;

    if (!yaml_parser_initialize(&w.parser))
        return false;
    yaml_parser_set_input_string(&w.parser, (const unsigned char *)yaml.p, yaml.n);
    yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
    if (!read_members(&w, members, &count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        const struct member *m = &members[i];

        put_metadata_json(r, m->key, m->json);
        if (str_eq(m->key, S("title")))
            put_title(r, m->text);
        if (str_eq(m->key, S("language")) || str_eq(m->key, S("lang")))
            put_language(r, m->text);
    }
    return true;
}
