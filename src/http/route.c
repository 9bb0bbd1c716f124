/* route.c - see route.h. Rows stand in a hash by number of segments and third segment ("documents" of /api/v1/documents/{id}). */
#include "http/route.h"

#include "base/clock.h"

#include <stdio.h>

enum { BUCKETS = 256, KEY_SEGMENT = 2 };

static const char *const method_names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

enum segment_kind { SEGMENT_TEXT, SEGMENT_UUID, SEGMENT_NUMBER, SEGMENT_ANY };

struct segment {
    enum segment_kind kind;
    struct str        text; /* SEGMENT_TEXT: itself; else what follows the closing brace: ".png" of {n}.png */
};

struct entry {
    struct entry       *next;
    const struct route *route;
    unsigned            method; /* bit */
    unsigned            literals;
    size_t              count;
    struct segment      segments[ROUTE_MAX_SEGMENTS];
};

struct route_index {
    struct entry *bucket[BUCKETS];
    struct entry  entries[];
};

static unsigned method_bit(const char *method)
{
    for (unsigned i = 0; i < ARRAY_LEN(method_names); i++)
        if (strcmp(method, method_names[i]) == 0)
            return 1u << i;
    return 0;
}

static unsigned bucket_of(size_t count, struct str key)
{
    uint32_t h = 2166136261u ^ (uint32_t)count;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 16777619u;
    return (h ^ h >> 16) % BUCKETS;
}

/* {n}, {a}, {b}: one letter is a number; {id} and {..._id}: a UUID; the rest: any text. */
static struct segment segment_of(struct str s)
{
    struct str name = s, suffix;

    if (s.n < 3 || s.p[0] != '{' || !memchr(s.p, '}', s.n))
        return (struct segment){ SEGMENT_TEXT, s };
    suffix = name;
    name = str_cut(&suffix, '}');
    if (str_eq(name, S("{id")) || (name.n > 3 && memcmp(name.p + name.n - 3, "_id", 3) == 0))
        return (struct segment){ SEGMENT_UUID, suffix };
    return (struct segment){ name.n == 2 ? SEGMENT_NUMBER : SEGMENT_ANY, suffix };
}

static int entry_init(struct entry *e, const struct route *r, struct error *err)
{
    struct str rest = str_of(r->pattern);
    unsigned   args = 0;

    *e = (struct entry){ .route = r, .method = method_bit(r->method) };
    if (e->method == 0 || r->pattern[0] != '/' || r->needs == 0)
        return error_set(err, ERR_INTERNAL, "route %s %s: bad method, pattern or permission", r->method, r->pattern);
    str_cut(&rest, '/');
    while (rest.p && r->pattern[1] != '\0') { /* "/" has no segments */
        struct str text = str_cut(&rest, '/');

        if (e->count == ROUTE_MAX_SEGMENTS)
            return error_set(err, ERR_INTERNAL, "route %s has too many segments", r->pattern);
        struct segment s = segment_of(text);
        e->segments[e->count++] = s;
        e->literals += s.kind == SEGMENT_TEXT;
        args += s.kind != SEGMENT_TEXT;
    }
    if (args > ROUTE_MAX_ARGS)
        return error_set(err, ERR_INTERNAL, "route %s has too many arguments", r->pattern);
    return 0;
}

/* Most literal first, so that /documents/types wins over /documents/{name}. */
static void insert(struct route_index *index, struct entry *e)
{
    struct str     key = { "", 0 };
    struct entry **at;

    if (e->count > 0) {
        const struct segment *s = &e->segments[e->count > KEY_SEGMENT ? KEY_SEGMENT : e->count - 1];

        if (s->kind == SEGMENT_TEXT)
            key = s->text;
    }
    for (at = &index->bucket[bucket_of(e->count, key)]; *at && (*at)->literals >= e->literals; at = &(*at)->next)
        ;
    e->next = *at;
    *at = e;
}

struct route_index *route_index_open(const struct route *routes, size_t count, struct error *err)
{
    struct route_index *index = calloc(1, sizeof *index + count * sizeof index->entries[0]);

    if (!index) {
        error_set(err, ERR_UNAVAILABLE, "no memory for %zu routes", count);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (entry_init(&index->entries[i], &routes[i], err) < 0) {
            free(index);
            return NULL;
        }
        insert(index, &index->entries[i]);
    }
    return index;
}

void route_index_close(struct route_index *index)
{
    free(index);
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0 && s.n <= 9 && (s.p[0] != '0' || s.n == 1);
}

static bool segment_fits(const struct segment *want, struct str s)
{
    if (want->kind != SEGMENT_TEXT && want->text.n > 0) {
        if (s.n < want->text.n || memcmp(s.p + s.n - want->text.n, want->text.p, want->text.n) != 0)
            return false;
        s.n -= want->text.n;
    }
    switch (want->kind) {
    case SEGMENT_TEXT:
        return str_eq(want->text, s);
    case SEGMENT_UUID:
        return uuid_valid(s);
    case SEGMENT_NUMBER:
        return is_number(s);
    case SEGMENT_ANY:
        return s.n > 0;
    }
    return false;
}

static bool entry_fits(const struct entry *e, const struct str *segments, size_t count)
{
    if (e->count != count)
        return false;
    for (size_t i = count; i > 0; i--) /* from the end: the fronts are all alike */
        if (!segment_fits(&e->segments[i - 1], segments[i - 1]))
            return false;
    return true;
}

static void take_args(struct arena *a, const struct entry *e, const struct str *segments, struct route_match *ret)
{
    unsigned n = 0;

    for (size_t i = 0; i < e->count; i++) {
        const struct segment *s = &e->segments[i];

        if (s->kind != SEGMENT_TEXT)
            ret->args[n++] = s->text.n == 0 ? segments[i].p : arena_text(a, segments[i].p, segments[i].n - s->text.n);
    }
}

static bool find_in(struct arena *a, const struct entry *e, unsigned method, const struct str *segments, size_t count,
                    struct route_match *ret)
{
    unsigned want = method == 1u << 1 ? 1u << 0 : method; /* HEAD is answered by GET */

    for (; e; e = e->next) {
        if (!entry_fits(e, segments, count))
            continue;
        ret->allowed |= e->method;
        if (e->method != want)
            continue;
        ret->route = e->route;
        ret->is_head = method != want;
        take_args(a, e, segments, ret);
        return true;
    }
    return false;
}

void route_find(const struct route_index *index, struct arena *a, const char *method, const struct str *segments,
                size_t count, struct route_match *ret)
{
    struct str key = { "", 0 };
    unsigned   bit = method_bit(method);

    *ret = (struct route_match){ 0 };
    if (count > ROUTE_MAX_SEGMENTS)
        return;
    if (count > 0)
        key = segments[count > KEY_SEGMENT ? KEY_SEGMENT : count - 1];
    unsigned one = bucket_of(count, key), other = bucket_of(count, (struct str){ "", 0 });
    if (!find_in(a, index->bucket[one], bit, segments, count, ret) && one != other)
        find_in(a, index->bucket[other], bit, segments, count, ret);
}

const char *route_allow(struct arena *a, unsigned allowed)
{
    struct sb b = SB(a);

    if (allowed & 1)
        allowed |= 2;
    allowed |= 1u << (ARRAY_LEN(method_names) - 1);
    for (unsigned i = 0; i < ARRAY_LEN(method_names); i++) {
        if (!(allowed >> i & 1))
            continue;
        if (b.n > 0)
            sb_puts(&b, ", ");
        sb_puts(&b, method_names[i]);
    }
    return b.n > 0 ? b.p : "";
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Most segments have no escape: those are copied whole. */
static int segment_decode(struct arena *a, struct str raw, struct str *ret, struct error *err)
{
    if (has_control(raw))
        return error_say(err, ERR_VALIDATION, "path", "the address holds control characters");
    if (!url_decode(a, raw, /* plus */ false, ret) || has_control(*ret))
        return error_say(err, ERR_VALIDATION, "path", "the address holds a malformed percent escape");
    return 0;
}

int path_split(struct arena *a, struct str raw, struct str segments[ROUTE_MAX_SEGMENTS], struct error *err)
{
    int count = 0;

    if (raw.n == 0 || raw.p[0] != '/')
        return error_say(err, ERR_VALIDATION, "path", "the address must begin with a slash");
    str_cut(&raw, '/');
    if (raw.n == 0)
        return 0;
    while (raw.p) {
        struct str s = str_cut(&raw, '/'), decoded;

        if (segment_decode(a, s, &decoded, err) < 0)
            return -1;
        if (count == ROUTE_MAX_SEGMENTS)
            return ROUTE_MAX_SEGMENTS + 1;
        segments[count++] = decoded;
    }
    return count;
}

/* --- query --- */

struct reading {
    struct arena       *arena;
    const struct param *params;
    const char        **values;
    struct field_error *errors;
    bool                open;
};

static void note(struct reading *r, const char *field, const char *message)
{
    struct field_error *e = arena_alloc(r->arena, sizeof *e);

    if (!e)
        return;
    *e = (struct field_error){ .next = r->errors, .field = field, .message = message };
    r->errors = e;
}

static bool enum_has(const char *values, struct str s)
{
    struct str rest = str_of(values);

    while (rest.p)
        if (str_eq(str_cut(&rest, '|'), s))
            return true;
    return false;
}

/* The database reads it again; what it would shift or guess at does not get there. */
static bool is_time(struct str s)
{
    int64_t ignored_us;

    return strlen(s.p) == s.n && clock_parse_rfc3339(s.p, &ignored_us) == 0;
}

static bool is_cursor(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
              || c == '.'))
            return false;
    }
    return s.n > 0 && s.n <= 1024;
}

/* NULL: fits; else what is wrong. */
static const char *param_wrong(const struct param *p, struct str v)
{
    struct error ignored = { 0 }; /* the message below names the range without it */
    uint64_t     n;

    switch (p->type) {
    case PARAM_TEXT:
        if (p->max > 0 && v.n > p->max)
            return "is too long";
        if (v.n < p->min)
            return p->min > 1 ? "is too short" : "must not be empty";
        return text_printable(v) ? NULL : "must not hold control or direction characters";
    case PARAM_UINT:
        return parse_u64(p->name, v, p->min, p->max > 0 ? p->max : UINT64_MAX, &n, &ignored) == 0
                   ? NULL
                   : "must be a whole number within its range";
    case PARAM_BOOL:
        return str_eq(v, S("true")) || str_eq(v, S("false")) ? NULL : "must be true or false";
    case PARAM_UUID:
        return uuid_valid(v) ? NULL : "must be a UUID";
    case PARAM_ENUM:
        return enum_has(p->values, v) ? NULL : "is not one of the allowed values";
    case PARAM_TIME:
        return is_time(v) ? NULL : "must be a time as in 2026-11-23T05:39:34Z";
    case PARAM_CURSOR:
        return is_cursor(v) ? NULL : "is not a cursor of this service";
    }
    return "is not understood";
}

/* One name=value. Names are compared after decoding, case counts. */
static void take_pair(struct reading *r, struct str pair)
{
    struct str value = pair, name = str_cut(&value, '='), key, text;

    if (!url_decode(r->arena, name, /* plus */ true, &key) || !text_printable(key)) {
        note(r, "", "the query holds a malformed percent escape");
        return;
    }
    const char *shown = str_dup(r->arena, utf8_head(key, 63));
    for (size_t i = 0; r->params && r->params[i].name; i++) {
        if (!str_eq(key, str_of(r->params[i].name)))
            continue;
        if (r->values[i])
            note(r, shown, "is given twice");
        else if (!url_decode(r->arena, value.p ? value : S(""), /* plus */ true, &text))
            note(r, shown, "holds a malformed percent escape");
        else {
            const char *wrong = param_wrong(&r->params[i], text);

            if (wrong)
                note(r, shown, wrong);
            r->values[i] = text.p ? text.p : "";
        }
        return;
    }
    if (!r->open)
        note(r, shown, "is not a parameter of this address");
}

int params_read(struct arena *a, const struct param *params, bool open, struct str query, const char ***ret,
                struct error *err)
{
    size_t count = 0;

    while (params && params[count].name)
        count++;
    struct reading r = {
        .arena = a, .params = params, .values = arena_alloc_array(a, count + 1, sizeof *r.values), .open = open
    };
    if (!r.values)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the query");
    while (query.p && query.n > 0 && !a->failed) {
        struct str pair = str_cut(&query, '&');

        if (pair.n > 0)
            take_pair(&r, pair);
    }
    for (size_t i = 0; i < count; i++) {
        if (!r.values[i] && params[i].required)
            note(&r, params[i].name, "is required");
        if (!r.values[i])
            r.values[i] = params[i].fallback;
    }
    *ret = r.values;
    if (!r.errors)
        return 0;
    if (r.errors->field[0] != '\0')
        error_say(err, ERR_VALIDATION, r.errors->field, "query parameter %s %s", r.errors->field, r.errors->message);
    else
        error_say(err, ERR_VALIDATION, NULL, "%s", r.errors->message);
    err->fields = r.errors;
    return -1;
}
