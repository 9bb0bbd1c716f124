/* json.c - the only includer of jansson. Depth and member counts are checked before jansson sees the text. */
#include "base/json.h"

#include <jansson.h>
#include <stdio.h>

static void release_json(void *v)
{
    json_decref(v);
}

/* Refuses by counting, without recursion, what would be deep or wide; strings are passed over. */
static int json_precheck(struct str t, unsigned max_depth, size_t max_keys, struct error *err)
{
    unsigned depth = 0;
    size_t   colons = 0;
    bool     in_string = false;

    if (memchr(t.p, '\0', t.n))
        return error_say(err, ERR_VALIDATION, NULL, "the JSON holds a NUL byte"); /* jansson passes over it */
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return error_say(err, ERR_VALIDATION, NULL, "the JSON is nested deeper than %u levels", max_depth);
        } else if (c == '}' || c == ']')
            depth -= depth > 0;
        else if (c == ':' && ++colons > max_keys)
            return error_say(err, ERR_VALIDATION, NULL, "the JSON has more than %zu members", max_keys);
    }
    return 0;
}

json_t *json_read(struct arena *a, struct str text, unsigned max_depth, size_t max_keys, struct error *err)
{
    json_error_t why;

    if (json_precheck(text, max_depth, max_keys, err) < 0)
        return NULL;
    json_t *v = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!v) {
        error_say(err, ERR_VALIDATION, NULL, "the body is not valid JSON (line %d, column %d)", why.line, why.column);
        return NULL;
    }
    if (!arena_defer(a, release_json, v)) {
        error_set(err, ERR_TOO_LARGE, "no memory left for the JSON value");
        return NULL;
    }
    return v;
}

static int put_callback(const char *p, size_t n, void *b)
{
    sb_put(b, (struct str){ p, n });
    return 0;
}

void json_write(struct sb *b, const json_t *v)
{
    json_dump_callback(v, put_callback, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

void json_fields_note(struct json_fields *f, const char *field, const char *message)
{
    struct field_error *e = arena_alloc(f->arena, sizeof *e);

    if (!e)
        return;
    *e = (struct field_error){ .next = f->errors,
                               .field = arena_text(f->arena, field, strlen(field)),
                               .message = message };
    f->errors = e;
}

void json_fields_begin(struct json_fields *f, struct arena *a, const json_t *v)
{
    *f = (struct json_fields){ .arena = a, .object = v };
    if (!json_is_object(v) || json_object_size(v) > 64) {
        f->object = NULL;
        json_fields_note(f, "", "must be an object of at most 64 members");
    }
}

/* The member, marked as asked for; NULL when absent. */
static const json_t *take(struct json_fields *f, const char *name)
{
    unsigned i = 0;

    if (!f->object)
        return NULL;
    for (void *it = jv_first(f->object); it; it = jv_next(f->object, it), i++) {
        if (strcmp(jv_key(it), name) == 0) {
            f->seen |= UINT64_C(1) << i;
            return jv_value(it);
        }
    }
    return NULL;
}

int json_fields_end(struct json_fields *f, struct error *err)
{
    unsigned i = 0;

    for (void *it = f->object ? jv_first(f->object) : NULL; it; it = jv_next(f->object, it), i++)
        if (!(f->seen >> i & 1))
            json_fields_note(f, jv_key(it), "is not a field of this request");
    if (!f->errors)
        return 0;
    error_say(err, ERR_VALIDATION, f->errors->field, "%s", f->errors->message);
    err->fields = f->errors;
    return -1;
}

bool json_has(const struct json_fields *f, const char *name)
{
    return f->object && json_object_get(f->object, name);
}

const char *json_text(struct json_fields *f, const char *name, bool required, size_t max, const char *fallback)
{
    const json_t *v = take(f, name);

    if (!v || json_is_null(v)) {
        if (required)
            json_fields_note(f, name, "is required");
        return fallback;
    }
    if (!json_is_string(v)) {
        json_fields_note(f, name, "must be a text");
        return fallback;
    }
    size_t n = json_string_length(v);
    if (n > max || (required && n == 0)) {
        json_fields_note(f, name, n > max ? "is too long" : "must not be empty");
        return fallback;
    }
    return json_string_value(v);
}

const char *json_name(struct json_fields *f, const char *name, bool required, size_t max, const char *fallback)
{
    const char *s = json_text(f, name, required, max, fallback);

    if (!s || s == fallback || text_printable(str_of(s)))
        return s;
    json_fields_note(f, name, "must not hold control or direction characters");
    return fallback;
}

uint64_t json_u64(struct json_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t fallback)
{
    const json_t *v = take(f, name);

    if (!v)
        return fallback;
    json_int_t n = json_integer_value(v);
    if (json_is_integer(v) && n >= 0 && (uint64_t)n >= min && (uint64_t)n <= max)
        return (uint64_t)n;
    json_fields_note(f, name, "must be a whole number within its range");
    return fallback;
}

bool json_bool(struct json_fields *f, const char *name, bool fallback)
{
    const json_t *v = take(f, name);

    if (!v)
        return fallback;
    if (!json_is_boolean(v))
        json_fields_note(f, name, "must be true or false");
    return json_is_true(v);
}

const json_t *json_member(struct json_fields *f, const char *name, char type)
{
    const json_t *v = take(f, name);

    if (!v)
        return NULL;
    if (type == 'o' ? json_is_object(v) : json_is_array(v))
        return v;
    json_fields_note(f, name, type == 'o' ? "must be an object" : "must be a list");
    return NULL;
}

const char *const *json_texts(struct json_fields *f, const char *name, size_t max_items, size_t max_bytes)
{
    const json_t *v = json_member(f, name, 'a');
    size_t        n = jv_count(v);

    if (!v)
        return NULL;
    const char **ret = arena_alloc_array(f->arena, n + 1, sizeof *ret);
    if (!ret || n > max_items) {
        json_fields_note(f, name, "has too many items");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const char *s = jv_string(jv_at(v, i));

        if (!s || s[0] == '\0' || strlen(s) > max_bytes || !text_printable(str_of(s))) {
            json_fields_note(f, name, "must be a list of short texts without control characters");
            return NULL;
        }
        ret[i] = s;
    }
    return ret;
}

const json_t *jv_get(const json_t *v, const char *name)
{
    return json_object_get(v, name);
}

const char *jv_text(const json_t *v, const char *name, const char *fallback)
{
    const char *s = json_string_value(json_object_get(v, name));

    return s ? s : fallback;
}

int64_t jv_int(const json_t *v, const char *name, int64_t fallback)
{
    const json_t *m = json_object_get(v, name);

    return json_is_integer(m) ? json_integer_value(m) : fallback;
}

double jv_real(const json_t *v, const char *name, double fallback)
{
    const json_t *m = json_object_get(v, name);

    return json_is_number(m) ? json_number_value(m) : fallback;
}

bool jv_bool(const json_t *v, const char *name, bool fallback)
{
    const json_t *m = json_object_get(v, name);

    return json_is_boolean(m) ? json_is_true(m) : fallback;
}

size_t jv_count(const json_t *array)
{
    return json_array_size(array);
}

const json_t *jv_at(const json_t *array, size_t i)
{
    return json_array_get(array, i);
}

int64_t jv_integer(const json_t *v, int64_t fallback)
{
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double jv_number(const json_t *v, double fallback)
{
    return json_is_number(v) ? json_number_value(v) : fallback;
}

const char *jv_string(const json_t *v)
{
    return json_string_value(v);
}

bool jv_is_null(const json_t *v)
{
    return json_is_null(v);
}

bool jv_is_object(const json_t *v)
{
    return json_is_object(v);
}

bool jv_is_array(const json_t *v)
{
    return json_is_array(v);
}

void *jv_first(const json_t *object)
{
    return json_object_iter((json_t *)(uintptr_t)object);
}

void *jv_next(const json_t *object, void *it)
{
    return json_object_iter_next((json_t *)(uintptr_t)object, it);
}

const char *jv_key(void *it)
{
    return json_object_iter_key(it);
}

const json_t *jv_value(void *it)
{
    return json_object_iter_value(it);
}
