/* json.h - strict JSON in (RFC 8259, by jansson) and the reading of one object field by field. JSON out is text.h. */
#ifndef DMS_BASE_JSON_H
#define DMS_BASE_JSON_H

#include "base/text.h"

typedef struct json_t json_t; /* jansson's; read it through the functions here */

/* Bounded and strict: UTF-8, one value, no duplicate keys, no NUL, at most max_depth levels and max_keys members in all.
   The value belongs to the arena. NULL and ERR_VALIDATION otherwise. */
json_t *json_read(struct arena *a, struct str text, unsigned max_depth, size_t max_keys, struct error *err);

/* The value as compact JSON text. */
void json_write(struct sb *b, const json_t *v);

/* Reads one object's members by name. Each reader notes what is wrong and goes on; json_fields_end tells all at once. */
struct json_fields {
    struct arena       *arena;
    const json_t       *object;
    struct field_error *errors;
    uint64_t seen; /* bit i: member i (in order of iteration) was asked for; objects have <= 64 members here */
};

/* False (and noted) when v is no object or has over 64 members. */
void json_fields_begin(struct json_fields *f, struct arena *a, const json_t *v);
/* Notes one wrong input. */
void json_fields_note(struct json_fields *f, const char *field, const char *message);
/* -1 and ERR_VALIDATION with all notes in err->fields when anything is wrong or a member was never asked for. */
MUST_CHECK int json_fields_end(struct json_fields *f, struct error *err);

/* required: absent is an error. Optional and absent (or null): the fallback. Lengths in bytes, 1 <= max. */
const char *json_text(struct json_fields *f, const char *name, bool required, size_t max, const char *fallback);
/* The same, and printable in the sense of text_printable: names, titles. */
const char *json_name(struct json_fields *f, const char *name, bool required, size_t max, const char *fallback);
uint64_t    json_u64(struct json_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t fallback);
bool        json_bool(struct json_fields *f, const char *name, bool fallback);
/* An object or array as it is, NULL when absent. type: 'o' or 'a'. */
const json_t *json_member(struct json_fields *f, const char *name, char type);
/* A list of printable texts, as a NULL-terminated array in the arena; NULL when absent. */
const char *const *json_texts(struct json_fields *f, const char *name, size_t max_items, size_t max_bytes);
/* True when the member is there at all (null counts): PATCH tells "leave" from "clear". */
bool json_has(const struct json_fields *f, const char *name);

/* Plain look-ups for JSON of our own making (answers of the API in the CLI, results of dms-extract, Celery messages). NULL or fallback
   when the path is absent or of another type; object members only. */
const json_t *jv_get(const json_t *v, const char *name);
const char   *jv_text(const json_t *v, const char *name, const char *fallback);
int64_t       jv_int(const json_t *v, const char *name, int64_t fallback);
double        jv_real(const json_t *v, const char *name, double fallback);
bool          jv_bool(const json_t *v, const char *name, bool fallback);
size_t        jv_count(const json_t *array); /* 0 for anything but an array */
const json_t *jv_at(const json_t *array, size_t i);
const char   *jv_string(const json_t *v);                    /* NULL for anything but a string */
int64_t       jv_integer(const json_t *v, int64_t fallback); /* fallback for anything but a whole number */
double        jv_number(const json_t *v, double fallback);   /* fallback for anything but a number */
bool          jv_is_null(const json_t *v);
bool          jv_is_object(const json_t *v);
bool          jv_is_array(const json_t *v);
/* Walks an object: for (it = jv_first(o); it; it = jv_next(o, it)) jv_key(it), jv_value(it). */
void         *jv_first(const json_t *object);
void         *jv_next(const json_t *object, void *it);
const char   *jv_key(void *it);
const json_t *jv_value(void *it);

#endif
