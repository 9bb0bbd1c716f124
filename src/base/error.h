/* error.h - the registry of errors (tbl/errors.def) and the value that carries one up. Knows nothing of HTTP but the number. */
#ifndef DMS_BASE_ERROR_H
#define DMS_BASE_ERROR_H

#include "base/base.h"

#define X(name, http, code, title) ERR_##name,
enum err {
#include "tbl/errors.def"
    ERR_COUNT
};
#undef X

struct error_info {
    unsigned    http;  /* status of the answer */
    const char *code;  /* stable, snake_case, for programs */
    const char *title; /* one sentence for people */
};
extern const struct error_info error_info[ERR_COUNT];

/* One wrong input of several; lives in the arena of whoever read the input. */
struct field_error {
    const struct field_error *next;
    const char               *field, *message;
};

/* detail: for the log. message: one sentence that the client may read (may be ""). field: which input (may be "").
   fields: all wrong inputs where more than one was looked at (or NULL). members: more members of the problem document, as JSON without
   braces (or NULL); lives as fields do. */
struct error {
    enum err                  code;
    char                      detail[256];
    char                      message[256];
    char                      field[64];
    const struct field_error *fields;
    const char               *members;
};

/* Always -1, so that a failing function can end in `return error_set(...)`. The first cause wins. Only for the log. */
PRINTF_LIKE(3, 4) int error_set(struct error *e, enum err code, const char *fmt, ...);

/* The same for the client's eyes: fmt must hold no secret, no SQL, no path. field names the input or is NULL. */
PRINTF_LIKE(4, 5) int error_say(struct error *e, enum err code, const char *field, const char *fmt, ...);

#ifdef __clang_analyzer__ /* it does not look into error.c */
static inline int error_minus_one(int always)
{
    return always < 0 ? always : -1;
}
#define error_set(...) error_minus_one(error_set(__VA_ARGS__))
#define error_say(...) error_minus_one(error_say(__VA_ARGS__))
#endif

/* What to show to a person: message, else the registry's title. */
const char *error_text(const struct error *e);

#endif
