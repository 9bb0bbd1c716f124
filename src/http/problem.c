/* problem.c - an error as the problem document of RFC 9457. */
#include "http/private.h"

static void put_errors(struct sb *b, const struct error *err)
{
    const char *separator = "";

    sb_put(b, S(",\"errors\":["));
    for (const struct field_error *f = err->fields; f; f = f->next, separator = ",") {
        sb_puts(b, separator);
        sb_put(b, S("{\"field\":"));
        sb_json(b, f->field);
        sb_put(b, S(",\"message\":"));
        sb_json(b, f->message);
        sb_putc(b, '}');
    }
    if (!err->fields) {
        sb_put(b, S("{\"field\":"));
        sb_json(b, err->field);
        sb_put(b, S(",\"message\":"));
        sb_json(b, error_text(err));
        sb_putc(b, '}');
    }
    sb_putc(b, ']');
}

struct str problem_body(struct arena *a, const struct error *err, const char *id)
{
    const struct error_info *info = &error_info[err->code];
    struct sb                b = SB(a);

    sb_put(&b, S("{\"type\":\"https://dms.coditect.ai/errors/"));
    for (const char *c = info->code; *c; c++)
        sb_putc(&b, *c == '_' ? '-' : *c);
    sb_put(&b, S("\",\"title\":"));
    sb_json(&b, info->title);
    sb_printf(&b, ",\"status\":%u,\"detail\":", info->http);
    sb_json(&b, error_text(err));
    sb_printf(&b, ",\"code\":\"%s\",\"request_id\":\"%s\"", info->code, id);
    if (err->code == ERR_VALIDATION || (err->code == ERR_UNAUTHORIZED && err->field[0] != '\0'))
        put_errors(&b, err); /* of a credential: which part is missing */
    if (err->members) {
        sb_putc(&b, ',');
        sb_puts(&b, err->members);
    }
    sb_putc(&b, '}');
    return sb_str(&b);
}
