/* request.c - the life of a request, from its head to its log line. Everything here runs on the loop's thread but what is called run_ and takes a
   struct work. */
#include "http/private.h"
#include "http/trace.h"

#include "base/clock.h"
#include "base/log.h"
#include "domain/permission.h"

const struct head_limits request_head_limits = { MAX_REQUEST_LINE, MAX_HEADER, MAX_HEADERS, MAX_HEADER_COUNT };

/* Everything under these belongs to the API: what is not a route there is a problem, never the web application. */
static const char *const api_prefixes[] = { "/api", "/health", "/metrics", "/docs", "/s", "/mcp", "/.well-known" };

static void admit_after_auth(struct request_private *p);

/* --- ids --- */

static void make_ids(struct request *req, struct http_loop *l)
{
    unsigned char random[34];
    uint64_t      ms = (uint64_t)(clock_wall_us() / 1000);

    loop_random(l, random, sizeof random);
    memcpy(req->id, uuid_v7_from(ms, random).text, sizeof req->id);
    hex_encode(req->span_id, random + 10, 8);
    hex_encode(req->trace_id, random + 18, 16);
}

/* --- opening and closing --- */

static struct request_private *take_spare(struct http_loop *l)
{
    struct request_private *p = l->spare;

    if (!p)
        return calloc(1, sizeof *p);
    l->spare = p->next;
    l->spare_count--;
    memset(p, 0, offsetof(struct request_private, first));
    return p;
}

void *request_open(struct http_loop *l, struct conn *c, struct MHD_Connection *mhd, const char *target)
{
    struct request_private *p = take_spare(l);

    if (!p)
        return NULL;
    p->req.magic = REQUEST_MAGIC;
    p->req.arena = ARENA(l->server->limits.request_memory);
    arena_lend(&p->req.arena, p->first, sizeof p->first);
    p->req.method = "";
    p->req.path = "";
    p->req.ip = c->ip;
    p->req.started_us = clock_steady_us();
    p->req.server = l->server;
    p->req.app = l->server->app.arg;
    p->req.loop = l->loop;
    p->req.loop_state = l->state;
    p->req.priv = p;
    p->loop = l;
    p->conn = c;
    p->mhd = mhd;
    p->answer.fd = -1;
    p->target = arena_text(&p->req.arena, target, strlen(target));
    make_ids(&p->req, l);
    c->request = p;
    conn_phase(c, CONN_HEAD);
    l->in_flight++;
    return p;
}

void request_release(struct request_private *p)
{
    struct http_loop *l = p->loop;

    answer_drop(&p->answer);
    arena_free(&p->req.arena);
    p->req.magic = 0;
    l->in_flight--;
    if (l->spare_count >= SPARE_REQUESTS) {
        free(p);
        return;
    }
    p->next = l->spare;
    l->spare = p;
    l->spare_count++;
}

/* The status of a request that has no answer of its own: what was told past libmicrohttpd, else what that said by itself. It should say
   nothing: wire.c has looked at what it reads. */
static unsigned status_without_answer(const struct request_private *p)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(p->mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

    if (p->req.err.code != ERR_NONE)
        return error_info[p->req.err.code].http;
    if (!info)
        return 0;
    log_bug("libmicrohttpd answered %u by itself", info->http_status);
    return info->http_status;
}

void request_over(struct request_private *p, enum MHD_RequestTerminationCode why)
{
    struct http_app *app = &p->loop->server->app;
    int64_t          took_us = clock_steady_us() - p->req.started_us;
    unsigned         status = p->answer.kind != ANSWER_NONE ? p->answer.status : status_without_answer(p);

    p->over = true;
    p->gone = why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (p->conn)
        p->conn->request = NULL;
    access_log(p, status, took_us);
    if (app->finished)
        app->finished(&p->req, status, p->seen, p->bytes_out, took_us);
    body_abort(p); /* releases, now or when the sink is gone */
}

/* --- waiting and going on --- */

void request_suspend(struct request_private *p)
{
    if (p->suspended)
        return;
    p->suspended = true;
    MHD_suspend_connection(p->mhd);
}

void request_resume(struct request_private *p)
{
    if (!p->suspended)
        return;
    p->suspended = false;
    p->loop->resumed = true;
    MHD_resume_connection(p->mhd);
}

static void work_done(struct loop_call *c)
{
    struct request_private *p = container_of(c, struct request_private, back);

    p->after(p);
}

bool request_work(struct request_private *p, void (*fn)(struct work *, void *), void (*after)(struct request_private *))
{
    p->work = (struct work){ .run = fn };
    p->back = (struct loop_call){ .run = work_done };
    p->after = after;
    return p->loop->server->pool && work_submit(p->loop->server->pool, &p->work);
}

static void busy(struct request_private *p)
{
    error_set(&p->req.err, ERR_UNAVAILABLE, "the work lane is full");
    request_fail(p);
}

/* --- running --- */

static void enter_context(const struct request *req)
{
    log_context = (struct log_context){ .request_id = req->id,
                                        .trace_id = req->trace_id,
                                        .span_id = req->span_id,
                                        .tenant = req->who.kind ? req->who.tenant_id : NULL };
}

static void run_handler(struct work *w, void *thread)
{
    struct request_private *p = container_of(w, struct request_private, work);

    p->req.thread = thread;
    enter_context(&p->req);
    p->result = body_finish(p) < 0 ? -1 : (p->handle ? p->handle : p->req.route->handle)(&p->req);
    log_context = (struct log_context){ 0 };
    loop_call(p->loop->loop, &p->back);
}

/* The answer or the error is there. */
static void settle(struct request_private *p, int result)
{
    if (result < 0 || (p->req.err.code != ERR_NONE && p->answer.kind == ANSWER_NONE))
        request_fail(p);
    p->state = REQ_ANSWER;
}

static void handler_done(struct request_private *p)
{
    p->req.thread = NULL;
    settle(p, p->result);
    request_resume(p);
}

void request_done(struct request *req)
{
    struct request_private *p = private_of(req);

    settle(p, req->err.code != ERR_NONE && p->answer.kind == ANSWER_NONE ? -1 : 0);
    p->done = true;
    request_resume(p);
}

void request_to_work(struct request *req, int (*handle)(struct request *req))
{
    struct request_private *p = private_of(req);

    p->handle = handle;
    if (request_work(p, run_handler, handler_done))
        return;
    error_set(&req->err, ERR_UNAVAILABLE, "the work lane is full");
    request_done(req);
}

void request_give_up(struct request_private *p)
{
    if (p->state != REQ_ANSWER) {
        error_set(&p->req.err, ERR_UNAVAILABLE, "the server stopped");
        request_fail(p);
    }
    request_resume(p);
}

static void run_read(struct request_private *p)
{
    const struct route *route = p->req.route;

    if (route->handle) {
        settle(p, route->handle(&p->req));
        return;
    }
    if (p->loop->server->app.read(&p->req) < 0)
        request_fail(p);
    else if (!p->done)
        request_suspend(p);
}

static void run(struct request_private *p)
{
    p->state = REQ_RUN;
    conn_phase(p->conn, CONN_RUN);
    if (p->req.route->lane == LANE_READ) {
        run_read(p);
        return;
    }
    if (!request_work(p, run_handler, handler_done))
        busy(p);
    else
        request_suspend(p);
}

/* --- admission --- */

/* The head is in order: wire.c has read it. What is left is to see that it did, and how long the body is. */
static int read_head(struct request_private *p)
{
    const struct conn *c = p->conn;
    const char        *length = request_header(&p->req, "Content-Length");

    if (c->framing.heads <= c->completed)
        return error_set(&p->req.err, ERR_INTERNAL, "libmicrohttpd read a head past wire.c");
    if (request_header(&p->req, "Transfer-Encoding"))
        p->declared = UINT64_MAX;
    else if (length && parse_u64("Content-Length", str_of(length), 0, INT64_MAX, &p->declared, &p->req.err) < 0)
        return -1;
    return 0;
}

/* The path of what was asked for: http://this-host/path counts as /path. */
static int take_target(struct request_private *p)
{
    struct str  rest = str_of(p->target), path;
    const char *host = request_header(&p->req, "Host");

    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= 0x20 || rest.p[i] >= 0x7f)
            return error_say(&p->req.err, ERR_VALIDATION, "path",
                             "the address holds characters that have to be escaped");
    if (host && str_starts(rest, S("http://")) && str_starts((struct str){ rest.p + 7, rest.n - 7 }, str_of(host)))
        rest = (struct str){ rest.p + 7 + strlen(host), rest.n - 7 - strlen(host) };
    p->query = rest;
    path = str_cut(&p->query, '?');
    if (strcmp(p->target, "*") == 0 && strcmp(p->req.method, "OPTIONS") == 0)
        path = S("/");
    if (path.n == 0 || path.p[0] != '/' || memchr(rest.p, '#', rest.n))
        return error_say(&p->req.err, ERR_VALIDATION, "path", "the address must be a path of this server");
    p->req.path = str_dup(&p->req.arena, path);
    return 0;
}

static bool is_api(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(api_prefixes); i++) {
        size_t n = strlen(api_prefixes[i]);

        if (strncmp(path, api_prefixes[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}

/* gzip;q=0 and the like say no. */
static bool accepts_gzip(struct request *req)
{
    const char *header = request_header(req, "Accept-Encoding");
    struct str  list = str_of(header ? header : "");

    while (list.p) {
        struct str q = str_trim(str_cut(&list, ',')), coding = str_trim(str_cut(&q, ';'));

        if (!str_eq(coding, S("gzip")) && !str_eq(coding, S("*")))
            continue;
        q = str_trim(q);
        return !q.p || str_eq(q, S("q=1")) || (str_starts(q, S("q=0.")) && q.n > 4 && strspn(q.p + 4, "0") < q.n - 4)
               || str_starts(q, S("q=1."));
    }
    return false;
}

static bool looks_like_file(const char *path)
{
    const char *name = strrchr(path, '/');

    return name && strchr(name, '.');
}

/* A path that is no route: a file of the web application, or the application itself. 0 answered, -1 err. */
static int serve_asset(struct request_private *p, const struct str *segments, int count)
{
    struct request  *req = &p->req;
    struct http_app *app = &p->loop->server->app;
    const char      *type = NULL, *encoding = accepts_gzip(req) ? "gzip" : NULL, *etag = NULL;
    const char      *wanted = encoding;
    struct sb        path = SB(&req->arena);

    for (int i = 0; i < count && i < ROUTE_MAX_SEGMENTS; i++) {
        if (str_eq(segments[i], S(".")) || str_eq(segments[i], S("..")) || memchr(segments[i].p, '/', segments[i].n)
            || memchr(segments[i].p, '\\', segments[i].n))
            return error_set(&req->err, ERR_NOT_FOUND, "no such page");
        sb_putc(&path, '/');
        sb_put(&path, segments[i]);
    }
    if (path.n == 0)
        sb_putc(&path, '/');
    struct str body =
        app->asset && !req->arena.failed ? app->asset(path.p, &type, &encoding, &etag) : (struct str){ NULL, 0 };
    if (!body.p && app->asset && !req->arena.failed && !looks_like_file(path.p)) {
        encoding = wanted;
        body = app->asset("/index.html", &type, &encoding, &etag);
        req->path = "/index.html";
    }
    if (!body.p)
        return error_set(&req->err, ERR_NOT_FOUND, "no such page");
    answer_asset(p, body, type, encoding, etag);
    return 0;
}

static int wrong_method(struct request_private *p, unsigned allowed)
{
    const char *methods = route_allow(&p->req.arena, allowed);

    response_header(&p->req, "Allow", methods);
    if (strcmp(p->req.method, "OPTIONS") != 0)
        return error_set(&p->req.err, ERR_METHOD, "%s is not taken here", p->req.method);
    cors_preflight(p, methods);
    response_empty(&p->req, 204);
    return 0;
}

/* 0: route found, or answered; -1 err. */
static int find_route(struct request_private *p)
{
    struct request    *req = &p->req;
    struct str         segments[ROUTE_MAX_SEGMENTS];
    struct route_match match;
    int                count = path_split(&req->arena, str_of(req->path), segments, &req->err);

    if (count < 0)
        return -1;
    route_find(p->loop->server->routes, &req->arena, req->method, segments, (size_t)count, &match);
    if (match.route) {
        req->route = match.route;
        memcpy(req->args, match.args, sizeof req->args);
        p->is_head = match.is_head;
        if (match.is_head)
            req->method = "GET";
        return 0;
    }
    if (match.allowed)
        return wrong_method(p, match.allowed);
    bool is_get = strcmp(req->method, "GET") == 0, is_head = strcmp(req->method, "HEAD") == 0;
    if (is_api(req->path))
        return error_set(&req->err, ERR_NOT_FOUND, "no such route");
    if (!is_get && !is_head)
        return wrong_method(p, 1);
    p->is_head = is_head;
    req->method = "GET";
    return serve_asset(p, segments, count);
}

static int check_permission(struct request_private *p)
{
    const struct route *route = p->req.route;

    if (route->needs & PERM_PUBLIC)
        return 0;
    if (p->req.who.kind == 0)
        return error_set(&p->req.err, ERR_UNAUTHORIZED, "nobody is signed in");
    if (p->req.who.confined && !(route->needs & PERM_OWN))
        return error_say(&p->req.err, ERR_FORBIDDEN, NULL, "%s", p->req.who.confined);
    uint64_t needs = route->needs & ~(PERM_SIGNED_IN | PERM_OWN);
    if ((needs & ~(p->req.who.granted | p->req.who.by_grant)) != 0)
        return error_set(&p->req.err, ERR_FORBIDDEN, "the permission is missing");
    return 0;
}

/* An error while the body is still to come: read and drop a little of it, or answer at once and close. */
static void refuse_body(struct request_private *p)
{
    request_fail(p);
    if (p->declared == 0 || p->continued)
        return;
    if (p->declared <= DRAIN_BYTES && !request_header(&p->req, "Expect"))
        p->state = REQ_DISCARD;
    else
        p->close_after = true;
}

static void take_body(struct request_private *p)
{
    p->state = REQ_BODY;
    conn_phase(p->conn, CONN_BODY);
}

static void run_upload_room(struct work *w, void *thread)
{
    struct request_private *p = container_of(w, struct request_private, work);

    p->req.thread = thread;
    enter_context(&p->req);
    p->result = p->loop->server->app.upload_room(&p->req, body_upload_least(p));
    log_context = (struct log_context){ 0 };
    loop_call(p->loop->loop, &p->back);
}

static void upload_room_done(struct request_private *p)
{
    p->req.thread = NULL;
    p->asking = false;
    if (p->result < 0)
        refuse_body(p);
    else
        take_body(p);
    request_resume(p);
}

/* An upload whose place is not certain: asks before its bytes are. */
static void ask_for_room(struct request_private *p)
{
    p->asking = request_work(p, run_upload_room, upload_room_done);
    if (!p->asking) {
        error_set(&p->req.err, ERR_UNAVAILABLE, "the work lane is full");
        refuse_body(p);
        return;
    }
    conn_phase(p->conn, CONN_RUN);
    request_suspend(p);
}

static void admit_checked(struct request_private *p)
{
    struct http_app    *app = &p->loop->server->app;
    struct request     *req = &p->req;
    const struct route *route = req->route;

    if (check_permission(p) < 0
        || params_read(&req->arena, route->params, route->open_query, p->query, &req->params, &req->err) < 0
        || body_admit(p) < 0) {
        refuse_body(p);
        return;
    }
    if (route->body == BODY_NONE || p->declared == 0) {
        p->state = REQ_RUN;
        return;
    }
    if (route->body == BODY_MULTIPART && app->upload_limited && app->upload_limited(req))
        ask_for_room(p);
    else
        take_body(p);
}

static void admit_after_auth(struct request_private *p)
{
    struct http_app *app = &p->loop->server->app;

    if (p->result < 0 || (app->limit && app->limit(&p->req) < 0))
        refuse_body(p);
    else
        admit_checked(p);
}

static void run_authenticate(struct work *w, void *thread)
{
    struct request_private *p = container_of(w, struct request_private, work);

    p->req.thread = thread;
    enter_context(&p->req);
    p->result = p->loop->server->app.authenticate_slow(&p->req);
    log_context = (struct log_context){ 0 };
    loop_call(p->loop->loop, &p->back);
}

static void authenticate_done(struct request_private *p)
{
    p->req.thread = NULL;
    admit_after_auth(p);
    if (!p->asking)
        request_resume(p);
}

/* False: there is an answer, that the work lane is full. */
static bool authenticate_slowly(struct request_private *p)
{
    if (request_work(p, run_authenticate, authenticate_done))
        return true;
    error_set(&p->req.err, ERR_UNAVAILABLE, "the work lane is full");
    refuse_body(p);
    return false;
}

void request_authenticated(struct request *req, bool known)
{
    struct request_private *p = private_of(req);

    p->auth = known ? AUTH_KNOWN : AUTH_UNKNOWN;
    if (!p->suspended) /* the answer came before authenticate had returned */
        return;
    if (!known && authenticate_slowly(p))
        return;
    if (known)
        admit_after_auth(p);
    if (!p->asking)
        request_resume(p);
}

static void authenticate(struct request_private *p)
{
    struct http_app *app = &p->loop->server->app;
    enum auth_state  state;

    p->auth = AUTH_ASKED;
    state = p->req.route->needs & PERM_PUBLIC || !app->authenticate ? AUTH_KNOWN : app->authenticate(&p->req);
    if (state == AUTH_ASKED)
        state = p->auth;
    p->result = state == AUTH_REFUSED ? -1 : 0;
    if (state == AUTH_KNOWN || state == AUTH_REFUSED) {
        admit_after_auth(p);
        return;
    }
    conn_phase(p->conn, CONN_RUN);
    if (state == AUTH_ASKED || authenticate_slowly(p))
        request_suspend(p);
}

static const char *known_method(struct request_private *p, const char *method)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return arena_text(&p->req.arena, method, strnlen(method, 20));
}

static void admit(struct request_private *p, const char *method)
{
    p->begun = true;
    p->req.method = known_method(p, method);
    forwarded_ip(p);
    const char *parent = request_header(&p->req, "traceparent");
    if (parent)
        trace_parent(str_of(parent), p->req.trace_id);
    if (read_head(p) < 0) { /* where one message ends is not certain any more */
        request_fail(p);
        p->close_after = true;
        return;
    }
    if (take_target(p) < 0 || find_route(p) < 0) {
        refuse_body(p);
        return;
    }
    if (p->req.route)
        authenticate(p);
    else
        p->state = p->declared > 0 ? REQ_DISCARD : REQ_ANSWER;
}

/* --- libmicrohttpd's calls --- */

/* The rest of the body is not waited for: the client gets time to see the answer all the same. */
static enum MHD_Result answer_early(struct request_private *p)
{
    if (p->declared > 0)
        linger_open(p->conn);
    return answer_queue(p);
}

/* The head is in; nothing of the body has been asked for yet. */
static enum MHD_Result step_head(struct request_private *p)
{
    if (p->state == REQ_RUN && !p->suspended && p->answer.kind == ANSWER_NONE)
        run(p);
    if (p->suspended)
        return MHD_YES;
    if (p->close_after)
        return answer_early(p);
    p->continued = true;
    return MHD_YES;
}

/* The request is in whole. */
static enum MHD_Result step_end(struct request_private *p)
{
    if (p->state == REQ_BODY) {
        int r = body_end(p);

        if (r < 0)
            request_fail(p);
        else if (r == 0)
            run(p);
    }
    if (p->suspended)
        return MHD_YES;
    return answer_queue(p);
}

enum MHD_Result request_step(struct request_private *p, const char *method, const char *data, size_t *size)
{
    if (!p->begun)
        admit(p, method);
    if (*size > 0)
        return body_take(p, data, size);
    return p->continued ? step_end(p) : step_head(p);
}
