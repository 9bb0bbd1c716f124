/* file_answer.c - a file as an answer: ranges, and the name a browser saves it under (RFC 6266, RFC 8187). */
#include "http/private.h"
#include "http/range.h"

/* If-Range holds a range back unless it names exactly this version. */
static bool range_wanted(struct request_private *p)
{
    const char *condition = request_header(&p->req, "If-Range");

    if (!condition)
        return true;
    struct str c = str_of(condition);
    return p->answer.etag && c.n >= 2 && c.p[0] == '"' && c.p[c.n - 1] == '"'
           && str_eq((struct str){ c.p + 1, c.n - 2 }, str_of(p->answer.etag));
}

static void choose_range(struct request_private *p)
{
    struct answer *a = &p->answer;
    const char    *range = p->is_head || strcmp(p->req.method, "GET") != 0 ? NULL : request_header(&p->req, "Range");
    struct sb      b = SB(&p->req.arena);
    uint64_t       first, last;

    if (!range || !range_wanted(p))
        return;
    switch (range_parse(str_of(range), a->size, &first, &last)) {
    case RANGE_WHOLE:
        return;
    case RANGE_PART:
        a->status = 206;
        a->offset = first;
        a->length = last - first + 1;
        sb_printf(&b, "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
                  (unsigned long long)a->size);
        break;
    case RANGE_NONE:
        error_set(&p->req.err, ERR_RANGE, "range outside of %llu bytes", (unsigned long long)a->size);
        sb_printf(&b, "bytes */%llu", (unsigned long long)a->size);
        request_fail(p);
        break;
    }
    response_header(&p->req, "Content-Range", sb_str(&b).p);
}

/* filename="plain"; filename*=UTF-8''exact. The plain one has _ for whatever is not harmless ASCII. */
static void add_disposition(struct request_private *p)
{
    struct answer *a = &p->answer;
    struct sb      b = SB(&p->req.arena);
    bool           exact = true;

    sb_puts(&b, a->is_inline ? "inline" : "attachment");
    if (a->filename) {
        sb_puts(&b, "; filename=\"");
        for (const char *c = a->filename; *c; c++) {
            unsigned char u = (unsigned char)*c;
            bool          plain = u >= 0x20 && u < 0x7f && u != '"' && u != '\\' && u != '%' && u != '/' && u != ';';

            if (plain || (u & 0xc0) != 0x80)
                sb_putc(&b, plain ? *c : '_');
            exact = exact && plain;
        }
        sb_putc(&b, '"');
        if (!exact) {
            sb_puts(&b, "; filename*=UTF-8''");
            url_encode(&b, str_of(a->filename));
        }
    }
    response_header(&p->req, "Content-Disposition", sb_str(&b).p);
}

struct MHD_Response *file_response(struct request_private *p)
{
    struct answer *a = &p->answer;

    choose_range(p);
    if (a->kind != ANSWER_FILE) /* became a problem */
        return MHD_create_response_from_buffer(a->body.n, (void *)(uintptr_t)a->body.p, MHD_RESPMEM_PERSISTENT);
    add_disposition(p);
    response_header(&p->req, "Accept-Ranges", "bytes");
    p->bytes_out = p->is_head ? 0 : a->length;
    struct MHD_Response *r = MHD_create_response_from_fd_at_offset64(a->length, a->fd, a->offset);
    if (r)
        a->fd = -1; /* libmicrohttpd closes it */
    return r;
}
