/* error.c - the registry as an array, and how a first cause is kept. */
#include "base/error.h"

#undef error_set /* the analyser's view of them, see error.h */
#undef error_say

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define X(name, http, code, title) [ERR_##name] = { http, code, title },
const struct error_info error_info[ERR_COUNT] = {
#include "tbl/errors.def"
};
#undef X

int error_set(struct error *e, enum err code, const char *fmt, ...)
{
    if (e->code != ERR_NONE)
        return -1;
    va_list ap;

    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->detail, sizeof e->detail, fmt, ap);
    va_end(ap);
    return -1;
}

int error_say(struct error *e, enum err code, const char *field, const char *fmt, ...)
{
    if (e->code != ERR_NONE)
        return -1;
    va_list ap;

    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    memcpy(e->detail, e->message, sizeof e->detail);
    if (field)
        snprintf(e->field, sizeof e->field, "%s", field);
    return -1;
}

const char *error_text(const struct error *e)
{
    return e->message[0] != '\0' ? e->message : error_info[e->code].title;
}
