/* response.c - the answer of a request as it is put together by handlers, and how it becomes libmicrohttpd's. */
#include "http/private.h"
#include "http/range.h"

#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

static const char csp_api[] = "default-src 'none'; frame-ancestors 'none'";
static const char csp_download[] = "sandbox; default-src 'none'";
#define CSP_PAGE                                                                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; " \
    "worker-src 'self'; frame-src 'self' blob:; object-src 'none'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "   \
    "frame-ancestors 'none'"
static const char csp_page[] = CSP_PAGE;
static const char csp_page_https[] = CSP_PAGE "; upgrade-insecure-requests";
static const char json_type[] = "application/json";
static const char problem_type[] = "application/problem+json";

static struct answer *begin(struct request *req, enum answer_kind kind, unsigned status)
{
    struct request_private *p = private_of(req);

    if (p->answer.kind != ANSWER_NONE) {
        log_bug("two answers for one request: %u after %u", status, p->answer.status);
        answer_drop(&p->answer);
    }
    struct header *headers = p->answer.headers;
    const char    *etag = p->answer.etag;
    p->answer = (struct answer){
        .kind = kind, .status = status, .headers = headers, .etag = etag, .fd = -1, .csp = csp_api, .cache = "no-store"
    };
    return &p->answer;
}

void answer_drop(struct answer *a)
{
    if (a->kind == ANSWER_FILE)
        closep(&a->fd);
    if (a->kind == ANSWER_EVENTS && a->stream)
        events_drop(a->stream);
    a->kind = ANSWER_NONE;
}

void response_json(struct request *req, unsigned status, struct str body)
{
    struct answer        *a = begin(req, ANSWER_BYTES, status);
    const struct dialect *d = req->route ? req->route->dialect : NULL;

    a->type = d ? d->type : json_type;
    a->body = body;
}

void response_text(struct request *req, unsigned status, const char *type, struct str body)
{
    struct answer *a = begin(req, ANSWER_BYTES, status);

    a->type = type;
    a->body = body;
    if (strncmp(type, "text/html", 9) == 0)
        a->csp = csp_page;
}

void response_empty(struct request *req, unsigned status)
{
    begin(req, ANSWER_BYTES, status);
}

void response_file(struct request *req, int fd, uint64_t size, const char *type, const char *filename, bool is_inline,
                   const char *etag)
{
    struct answer *a = begin(req, ANSWER_FILE, 200);

    a->fd = fd;
    a->size = a->length = size;
    a->type = type;
    a->filename = filename;
    a->is_inline = is_inline;
    a->etag = etag;
    a->csp = csp_download;
    a->cache = "private, no-cache";
}

void answer_events(struct request_private *p, struct event_stream *s)
{
    struct answer *a = begin(&p->req, ANSWER_EVENTS, 200);

    a->type = "text/event-stream";
    a->stream = s;
    response_header(&p->req, "X-Accel-Buffering", "no");
}

void answer_asset(struct request_private *p, struct str body, const char *type, const char *encoding, const char *etag)
{
    struct answer *a = begin(&p->req, ANSWER_BYTES, 200);

    a->type = type;
    a->body = body;
    a->encoding = encoding;
    a->etag = etag;
    a->csp = csp_page;
    a->cache = strncmp(p->req.path, "/assets/", 8) == 0 ? "public, max-age=31536000, immutable" : "no-cache";
    response_header(&p->req, "Vary", "Accept-Encoding");
}

void response_header(struct request *req, const char *name, const char *value)
{
    struct request_private *p = private_of(req);
    struct header          *h = arena_alloc(&req->arena, sizeof *h);

    if (!h || strpbrk(value, "\r\n") || strpbrk(name, "\r\n: "))
        return;
    *h = (struct header){ .next = p->answer.headers, .name = name, .value = value };
    p->answer.headers = h;
}

void response_etag(struct request *req, const char *etag)
{
    private_of(req)->answer.etag = etag;
}

static bool has_header(const struct answer *a, const char *name)
{
    for (const struct header *h = a->headers; h; h = h->next)
        if (strcasecmp(h->name, name) == 0)
            return true;
    return false;
}

void request_fail(struct request_private *p)
{
    struct request *req = &p->req;

    if (req->err.code == ERR_NONE)
        error_set(&req->err, ERR_INTERNAL, "a handler failed without saying why");
    if (p->answer.kind != ANSWER_NONE)
        answer_drop(&p->answer);
    if (req->arena.failed) { /* what failed stays allocated until the end; the problem needs a little more */
        req->arena.failed = false;
        req->arena.limit = req->arena.used + PREFIX_SIZE * 4;
    }
    const struct dialect *d = req->route ? req->route->dialect : NULL;
    struct str            body = (d ? d->problem : problem_body)(&req->arena, &req->err, req->id);
    struct answer        *a = begin(req, ANSWER_BYTES, error_info[req->err.code].http);
    a->type = d ? d->type : problem_type;
    a->body = body;
    a->etag = NULL;
    if (a->status == 401 && !has_header(a, "WWW-Authenticate"))
        response_header(req, "WWW-Authenticate", "Bearer realm=\"dms\"");
    if ((a->status == 429 || a->status == 503) && !has_header(a, "Retry-After"))
        response_header(req, "Retry-After", "1");
    p->state = REQ_ANSWER;
}

static void add(struct MHD_Response *r, const char *name, const char *value)
{
    if (value && MHD_add_response_header(r, name, value) != MHD_YES)
        log_bug("the header %s was refused", name);
}

static const char *csp_of(const struct request_private *p)
{
    return p->answer.csp == csp_page && p->loop->server->limits.hsts ? csp_page_https : p->answer.csp;
}

/* The headers that every answer has. */
static void add_common(struct request_private *p, struct MHD_Response *r)
{
    const struct request *req = &p->req;
    char                  trace[] = "00-tttttttttttttttttttttttttttttttt-ssssssssssssssss-01";

    memcpy(trace + 3, req->trace_id, 32);
    memcpy(trace + 36, req->span_id, 16);
    add(r, "X-Request-Id", req->id);
    add(r, "traceparent", trace);
    add(r, "Cache-Control", has_header(&p->answer, "Cache-Control") ? NULL : p->answer.cache);
    add(r, "Content-Security-Policy", has_header(&p->answer, "Content-Security-Policy") ? NULL : csp_of(p));
    add(r, "X-Content-Type-Options", "nosniff");
    add(r, "Referrer-Policy", "no-referrer");
    add(r, "Cross-Origin-Resource-Policy", "same-origin");
    if (p->loop->server->limits.hsts)
        add(r, "Strict-Transport-Security", "max-age=63072000; includeSubDomains");
    if (p->answer.csp == csp_page) {
        add(r, "Cross-Origin-Opener-Policy", "same-origin");
        add(r, "X-Frame-Options", "DENY");
        add(r, "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
    }
    for (const struct header *h = p->answer.headers; h; h = h->next)
        add(r, h->name, h->value);
    if (p->close_after || p->loop->stopping)
        add(r, "Connection", "close");
}

static void add_etag(struct request_private *p, struct MHD_Response *r)
{
    struct sb b = SB(&p->req.arena);

    if (!p->answer.etag)
        return;
    sb_putc(&b, '"');
    sb_puts(&b, p->answer.etag);
    sb_putc(&b, '"');
    if (b.n > 0)
        add(r, "ETag", b.p);
}

/* 200 of a GET becomes 304 where the client has it already. */
static void check_not_modified(struct request_private *p)
{
    struct answer *a = &p->answer;
    const char    *known = a->etag && a->status == 200 && strcmp(p->req.method, "GET") == 0
                               ? request_header(&p->req, "If-None-Match")
                               : NULL;

    if (!known || !etag_listed(str_of(known), a->etag, /* weak */ true))
        return;
    if (a->kind == ANSWER_FILE)
        closep(&a->fd);
    a->kind = ANSWER_BYTES;
    a->status = 304;
    a->body = S("");
    a->type = NULL;
}

static struct MHD_Response *make_response(struct request_private *p)
{
    struct answer *a = &p->answer;

    if (a->kind == ANSWER_FILE)
        return file_response(p);
    if (a->kind == ANSWER_EVENTS) {
        struct MHD_Response *r = events_response(a->stream);

        a->stream = r ? NULL : a->stream; /* the response drops it */
        return r;
    }
    p->bytes_out = p->is_head ? 0 : a->body.n;
    return MHD_create_response_from_buffer(a->body.n, (void *)(uintptr_t)(a->body.n > 0 ? a->body.p : ""),
                                           MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_queue(struct request_private *p)
{
    check_not_modified(p);
    if (p->answer.csp != csp_page)
        cors_answer(p);
    if (p->answer.kind == ANSWER_NONE || p->req.arena.failed) {
        error_set(&p->req.err, ERR_INTERNAL,
                  p->req.arena.failed ? "the request's memory is used up" : "no answer was set");
        request_fail(p);
    }
    struct MHD_Response *r = make_response(p);

    if (!r)
        return MHD_NO;
    if (p->answer.type)
        add(r, "Content-Type", p->answer.type);
    if (p->answer.encoding)
        add(r, "Content-Encoding", p->answer.encoding);
    add_etag(p, r);
    add_common(p, r);
    enum MHD_Result ok = MHD_queue_response(p->mhd, p->answer.status, r);
    MHD_destroy_response(r);
    p->answered = ok == MHD_YES;
    conn_phase(p->conn, p->answer.kind == ANSWER_EVENTS ? CONN_STREAM : CONN_SEND);
    return ok;
}

const char *request_header(struct request *req, const char *name)
{
    return MHD_lookup_connection_value(private_of(req)->mhd, MHD_HEADER_KIND, name);
}

const char *request_param(const struct request *req, const char *name)
{
    for (size_t i = 0; req->params && req->route && req->route->params && req->route->params[i].name; i++)
        if (strcmp(req->route->params[i].name, name) == 0)
            return req->params[i];
    return NULL;
}

uint64_t request_param_u64(const struct request *req, const char *name, uint64_t fallback)
{
    struct error ignored = { 0 }; /* the row's range was checked when the request came in */
    const char  *v = request_param(req, name);
    uint64_t     n = fallback;

    return v && parse_u64(name, str_of(v), 0, UINT64_MAX, &n, &ignored) == 0 ? n : fallback;
}

bool request_param_bool(const struct request *req, const char *name, bool fallback)
{
    const char *v = request_param(req, name);

    return v ? strcmp(v, "true") == 0 : fallback;
}

int request_if_match(struct request *req, const char *etag)
{
    const char *given = request_header(req, "If-Match");

    if (!given || etag_listed(str_of(given), etag, /* weak */ false))
        return 0;
    return error_say(&req->err, ERR_PRECONDITION, "If-Match", "it was changed by somebody else; read it again");
}
