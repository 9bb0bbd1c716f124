/* body.c - bodies: JSON gathered whole, multipart streamed to the app's sink over two buffers of fixed size. The sink is called on the work
   lane only, one call after another; all else runs on the loop. */
#include "http/private.h"

#include "base/log.h"

enum { PARSER_SLACK = 256 /* what the parser may hold back and emit with later bytes */ };

static bool type_is(const char *header, const char *want)
{
    struct str rest = str_of(header ? header : ""), type = str_trim(str_cut(&rest, ';'));

    return type.n == strlen(want) && strncasecmp(type.p, want, type.n) == 0;
}

/* JSON is UTF-8 (RFC 8259): another charset is said by mistake, and is refused rather than guessed at. */
static bool charset_is_utf8(const char *header)
{
    const char *at = strcasestr(header, "charset=");

    return !at || strncasecmp(at + 8, "utf-8", 5) == 0 || strncasecmp(at + 8, "\"utf-8\"", 7) == 0;
}

static int too_large(struct request_private *p, uint64_t max)
{
    return error_say(&p->req.err, ERR_TOO_LARGE, NULL, "at most %llu bytes are taken here", (unsigned long long)max);
}

static uint64_t json_max(const struct request_private *p)
{
    return p->req.route->max_body > 0 ? p->req.route->max_body : p->loop->server->limits.max_body;
}

static int admit_json(struct request_private *p)
{
    const char *encoding = request_header(&p->req, "Content-Encoding");

    if (p->declared == 0) {
        if (p->req.route->body == BODY_JSON_OPT)
            return 0;
        return error_say(&p->req.err, ERR_VALIDATION, NULL, "a JSON body is required");
    }
    const struct dialect *d = p->req.route->dialect;
    const char           *type = request_header(&p->req, "Content-Type");
    if (!(type_is(type, "application/json") || (d && type_is(type, d->type))) || !charset_is_utf8(type))
        return error_say(&p->req.err, ERR_MEDIA_TYPE, NULL, "this address takes %s in UTF-8",
                         d ? d->type : "application/json");
    if (encoding && strcasecmp(encoding, "identity") != 0)
        return error_say(&p->req.err, ERR_MEDIA_TYPE, NULL, "bodies must not be compressed");
    if (p->declared != UINT64_MAX && p->declared > json_max(p))
        return too_large(p, json_max(p));
    p->body = SB(&p->req.arena);
    if (p->declared == UINT64_MAX)
        return 0;
    p->body.cap = (size_t)p->declared + 1;
    p->body.p = arena_alloc(&p->req.arena, p->body.cap);
    return p->body.p ? 0 : error_set(&p->req.err, ERR_TOO_LARGE, "no memory for the body");
}

/* --- multipart --- */

static int part_begin(void *arg, const struct multipart_part *part, struct error *err)
{
    struct request_private *p = arg;
    struct upload          *u = p->upload;
    struct request_upload  *up = &p->req.upload;

    u->in_file = strcmp(part->name, "file") == 0;
    if (u->in_file != (part->filename != NULL))
        return error_say(err, ERR_VALIDATION, part->name, "%s",
                         u->in_file ? "file must have a file name" : "only file may have a file name");
    if (!u->in_file) {
        if (up->field_count == ARRAY_LEN(up->fields))
            return error_say(err, ERR_VALIDATION, part->name, "too many fields");
        u->field = SB(&p->req.arena);
        u->field_name = part->name;
        return 0;
    }
    if (u->has_file)
        return error_say(err, ERR_VALIDATION, "file", "one file at a time");
    u->has_file = true;
    up->filename = part->filename;
    up->mime_type = part->type ? part->type : "";
    return 0;
}

static int part_data(void *arg, struct str bytes, struct error *err)
{
    struct request_private *p = arg;
    struct upload          *u = p->upload;

    if (!u->in_file) {
        u->fields_bytes += bytes.n;
        if (u->fields_bytes > p->loop->server->limits.max_body)
            return error_say(err, ERR_TOO_LARGE, u->field_name, "the fields beside the file are too large");
        sb_put(&u->field, bytes);
        return 0;
    }
    p->req.upload.size += bytes.n;
    if (p->req.upload.size > u->max)
        return error_say(err, ERR_TOO_LARGE, "file", "a file has at most %llu bytes here", (unsigned long long)u->max);
    assert(u->fill_n + bytes.n <= UPLOAD_BUFFER);
    memcpy(u->fill + u->fill_n, bytes.p, bytes.n);
    u->fill_n += bytes.n;
    return 0;
}

static int part_end(void *arg, struct error *err)
{
    struct request_private *p = arg;
    struct upload          *u = p->upload;
    struct request_upload  *up = &p->req.upload;

    if (u->in_file)
        return 0;
    if (!utf8_valid(sb_str(&u->field)))
        return error_say(err, ERR_VALIDATION, u->field_name, "must be UTF-8");
    up->fields[up->field_count].name = u->field_name;
    up->fields[up->field_count++].value = sb_str(&u->field);
    return p->req.arena.failed ? error_set(err, ERR_TOO_LARGE, "no memory for the fields") : 0;
}

/* What a multipart body may have beside its file. */
static uint64_t upload_overhead(const struct http_limits *l)
{
    return l->max_body + (uint64_t)l->max_parts * (MULTIPART_MAX_HEAD + MULTIPART_MAX_BOUNDARY + 8);
}

uint64_t body_upload_least(const struct request_private *p)
{
    uint64_t overhead = upload_overhead(&p->loop->server->limits);

    return p->declared != UINT64_MAX && p->declared > overhead ? p->declared - overhead : 0;
}

static int admit_upload(struct request_private *p)
{
    struct http_server *s = p->loop->server;
    const char         *type = request_header(&p->req, "Content-Type");
    struct upload      *u = arena_alloc(&p->req.arena, sizeof *u);

    if (!u)
        return error_set(&p->req.err, ERR_TOO_LARGE, "no memory for an upload");
    struct multipart_events events = { part_begin, part_data, part_end, p };
    if (multipart_open(&u->parser, &p->req.arena, str_of(type ? type : ""), s->limits.max_parts, events, &p->req.err)
        < 0)
        return -1;
    u->max = s->app.max_upload ? s->app.max_upload(&p->req) : s->limits.max_body;
    if (p->req.route->max_body > 0 && p->req.route->max_body < u->max)
        u->max = p->req.route->max_body;
    if (body_upload_least(p) > u->max)
        return too_large(p, u->max);
    if (p->declared == 0)
        return error_say(&p->req.err, ERR_VALIDATION, NULL, "a multipart body is required");
    p->upload = u;
    return 0;
}

static int admit_kind(struct request_private *p)
{
    switch (p->req.route->body) {
    case BODY_NONE:
        return p->declared == 0 ? 0 : error_say(&p->req.err, ERR_VALIDATION, NULL, "this address takes no body");
    case BODY_JSON:
    case BODY_JSON_OPT:
        return admit_json(p);
    case BODY_MULTIPART:
        return admit_upload(p);
    }
    return 0;
}

int body_admit(struct request_private *p)
{
    struct http_body_check *check = &p->loop->server->app.check;

    if (admit_kind(p) < 0)
        return -1;
    return check->open && p->declared > 0 ? check->open(&p->req, &p->check) : 0;
}

/* --- the sink, on the work lane --- */

static int sink_put(struct request_private *p, struct str bytes, struct error *err)
{
    struct http_upload_sink *sink = &p->loop->server->app.sink;
    struct request_upload   *up = &p->req.upload;

    if (!up->sink) {
        up->sink = sink->open(&p->req, up->filename, err);
        if (!up->sink)
            return -1;
    }
    return bytes.n > 0 ? sink->write(up->sink, bytes, err) : 0;
}

static void run_write(struct work *w, void *thread)
{
    struct request_private *p = container_of(w, struct request_private, work);
    struct upload          *u = p->upload;

    p->req.thread = thread;
    p->result = sink_put(p, (struct str){ u->spare, u->write_n }, &u->write_err);
    p->req.thread = NULL;
    loop_call(p->loop->loop, &p->back);
}

int body_finish(struct request_private *p)
{
    struct upload *u = p->upload;

    if (!u || !u->has_file)
        return 0;
    return sink_put(p, (struct str){ u->fill, u->fill_n }, &p->req.err);
}

static void write_done(struct request_private *p)
{
    struct upload *u = p->upload;

    u->writing = false;
    u->failed = u->failed || p->result < 0;
    if (p->over)
        body_abort(p);
    else
        request_resume(p);
}

/* The full buffer goes to the work lane, the other one is filled. */
static int write_out(struct request_private *p)
{
    struct upload *u = p->upload;
    char          *empty = u->spare ? u->spare : arena_alloc(&p->req.arena, UPLOAD_BUFFER);

    if (!empty)
        return error_set(&p->req.err, ERR_TOO_LARGE, "no memory for an upload");
    u->spare = u->fill;
    u->write_n = u->fill_n;
    u->fill = empty;
    u->fill_n = 0;
    u->writing = request_work(p, run_write, write_done);
    return u->writing ? 0 : error_set(&p->req.err, ERR_UNAVAILABLE, "the work lane is full");
}

static int upload_error(struct request_private *p)
{
    struct upload *u = p->upload;

    if (u->failed && p->req.err.code == ERR_NONE)
        p->req.err = u->write_err;
    return u->failed ? -1 : 0;
}

/* 0: all taken, 1: nothing taken, suspended, -1 err */
static int take_upload(struct request_private *p, struct str bytes)
{
    struct upload *u = p->upload;

    if (upload_error(p) < 0)
        return -1;
    if (!u->fill && !(u->fill = arena_alloc(&p->req.arena, UPLOAD_BUFFER)))
        return error_set(&p->req.err, ERR_TOO_LARGE, "no memory for an upload");
    if (u->fill_n + bytes.n + PARSER_SLACK > UPLOAD_BUFFER) {
        if (u->writing) {
            request_suspend(p);
            return 1;
        }
        bool opens = !p->req.upload.sink; /* open may use the request, its arena too: nothing else does meanwhile */

        if (write_out(p) < 0)
            return -1;
        if (opens) {
            request_suspend(p);
            return 1;
        }
    }
    return multipart_feed(&u->parser, bytes, &p->req.err);
}

static int take_json(struct request_private *p, struct str bytes)
{
    if (p->body.n + bytes.n > json_max(p))
        return too_large(p, json_max(p));
    sb_put(&p->body, bytes);
    return p->req.arena.failed ? error_set(&p->req.err, ERR_TOO_LARGE, "no memory for the body") : 0;
}

/* Wrong in the middle of the body: what is left is dropped if it is little, else the answer goes out past the library and the connection
   is closed, as that takes no answer before the body's end. */
static enum MHD_Result refuse(struct request_private *p)
{
    request_fail(p);
    p->state = REQ_DISCARD;
    if (p->declared != UINT64_MAX && p->declared - p->seen <= DRAIN_BYTES)
        return MHD_YES;
    if (p->upload
        && p->upload->writing) { /* the connection must stay until the writer is back; then it comes here again */
        p->cut_off = true;
        request_suspend(p);
        return MHD_YES;
    }
    raw_answer(p->conn, &p->req.err, &p->req);
    linger_open(p->conn);
    return MHD_NO;
}

enum MHD_Result body_take(struct request_private *p, const char *data, size_t *size)
{
    struct str bytes = { data, *size };
    int        r = 0;

    if (p->cut_off) {
        raw_answer(p->conn, &p->req.err, &p->req);
        linger_open(p->conn);
        return MHD_NO;
    }
    if (p->state == REQ_BODY) {
        r = p->upload ? take_upload(p, bytes) : take_json(p, bytes);
        if (r == 1)
            return MHD_YES;
        if (p->check)
            p->loop->server->app.check.add(p->check, bytes);
    }
    p->seen += bytes.n;
    *size = 0;
    return r < 0 ? refuse(p) : MHD_YES;
}

int body_end(struct request_private *p)
{
    struct upload *u = p->upload;

    if (u) {
        if (u->writing) {
            request_suspend(p);
            return 1;
        }
        if (upload_error(p) < 0)
            return -1;
    }
    if (p->check && p->loop->server->app.check.end(p->check, &p->req.err) < 0)
        return -1;
    if (u)
        return multipart_close(&u->parser, &p->req.err);
    p->req.body = sb_str(&p->body);
    p->req.json = json_read(&p->req.arena, p->req.body, p->loop->server->limits.max_json_depth,
                            p->loop->server->limits.max_json_keys, &p->req.err);
    return p->req.json ? 0 : -1;
}

/* --- the end of a sink that nobody took --- */

static void run_abort(struct work *w, void *thread)
{
    struct request_private *p = container_of(w, struct request_private, work);

    (void)thread;
    p->loop->server->app.sink.abort(p->req.upload.sink);
    p->req.upload.sink = NULL;
    loop_call(p->loop->loop, &p->back);
}

void body_abort(struct request_private *p)
{
    if (p->upload && p->upload->writing)
        return; /* write_done comes back */
    if (!p->req.upload.sink) {
        request_release(p);
        return;
    }
    if (request_work(p, run_abort, request_release))
        return;
    p->next = p->loop->aborts;
    p->loop->aborts = p;
}
