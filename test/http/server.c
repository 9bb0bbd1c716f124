/* server.c - a small application on the http library for the black-box tests in this folder and for measuring the library alone.
   server DIR [name=value ...]: listens on a free port of the loopback, prints "port N", ends on SIGTERM. */
#include "http/http.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "domain/permission.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char         *dir;
    struct http_server *server;
    atomic_uint         uploads, sinks, aborts;
    uint64_t            max_upload;
} app;

/* --- read lane --- */

static int get_null(struct request *req)
{
    response_json(req, 200, S("{\"ok\":true}"));
    return 0;
}

/* Stands for the database: the answer comes by a later call on the loop. */
struct later {
    struct loop_call call;
    struct request  *req;
};

static void run_later(struct loop_call *c)
{
    struct request *req = ((struct later *)(void *)c)->req;

    response_json(req, 200, S("{\"later\":true}"));
    request_done(req);
}

static int read_later(struct request *req)
{
    struct later *l = arena_alloc(&req->arena, sizeof *l);

    if (!l)
        return error_set(&req->err, ERR_UNAVAILABLE, "no memory");
    *l = (struct later){ .call.run = run_later, .req = req };
    loop_call(req->loop, &l->call);
    return 0;
}

static int get_item(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_puts(&b, "{\"args\":[");
    for (size_t i = 0; i < ARRAY_LEN(req->args) && req->args[i]; i++) {
        sb_puts(&b, i > 0 ? "," : "");
        sb_json(&b, req->args[i]);
    }
    sb_puts(&b, "]}");
    response_etag(req, "v1");
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int get_list(struct request *req)
{
    struct sb   b = SB(&req->arena);
    const char *separator = "";

    sb_putc(&b, '{');
    for (size_t i = 0; req->route->params[i].name; i++, separator = ",") {
        sb_puts(&b, separator);
        sb_json(&b, req->route->params[i].name);
        sb_putc(&b, ':');
        sb_json(&b, req->params[i]);
    }
    sb_putc(&b, '}');
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int get_counts(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "{\"connections\":%u,\"uploads\":%u,\"sinks\":%u,\"aborts\":%u}",
              http_server_connections(req->server), atomic_load(&app.uploads), atomic_load(&app.sinks),
              atomic_load(&app.aborts));
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* --- work lane --- */

static int post_echo(struct request *req)
{
    struct sb b = SB(&req->arena);

    if (!req->json) {
        response_empty(req, 204);
        return 0;
    }
    json_write(&b, req->json);
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int get_slow(struct request *req)
{
    clock_sleep_ms((unsigned)request_param_u64(req, "ms", 100));
    response_json(req, 200, S("{\"slow\":true}"));
    return 0;
}

static int get_who(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_puts(&b, "{\"name\":");
    sb_json(&b, req->who.name);
    sb_printf(&b, ",\"ip\":\"%s\",\"trace\":\"%s\",\"span\":\"%s\"}", req->ip, req->trace_id, req->span_id);
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int get_big(struct request *req)
{
    size_t n = (size_t)request_param_u64(req, "n", 1000000);
    char  *p = arena_alloc(&req->arena, n);

    if (!p)
        return error_set(&req->err, ERR_TOO_LARGE, "no memory");
    memset(p, 'x', n);
    response_text(req, 200, "text/plain; charset=utf-8", (struct str){ p, n });
    return 0;
}

static int get_broken(struct request *req)
{
    return error_set(&req->err, ERR_INTERNAL, "secret \"detail\" for the log only");
}

static int get_file(struct request *req)
{
    const char *path = path_join(&req->arena, app.dir, request_param(req, "name"));
    struct stat st;
    int         fd = strchr(request_param(req, "name"), '/') ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        closep(&fd);
        return error_set(&req->err, ERR_NOT_FOUND, "no such file");
    }
    response_file(req, fd, (uint64_t)st.st_size, "application/octet-stream", request_param(req, "as"),
                  request_param_bool(req, "inline", false), "file-v1");
    return 0;
}

/* --- upload --- */

struct sink {
    int  fd;
    char path[4200];
};

static void *sink_open(struct request *req, const char *filename, struct error *err)
{
    struct sink *s = calloc(1, sizeof *s);

    (void)req;
    (void)filename;
    if (!s) {
        error_set(err, ERR_UNAVAILABLE, "no memory");
        return NULL;
    }
    snprintf(s->path, sizeof s->path, "%s/part-%u", app.dir, atomic_fetch_add(&app.sinks, 1));
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return s;
    free(s);
    error_set(err, ERR_INTERNAL, "cannot open");
    return NULL;
}

static int sink_write(void *sink, struct str bytes, struct error *err)
{
    struct sink *s = sink;

    return file_write_all(s->fd, bytes, err);
}

static void sink_abort(void *sink)
{
    struct sink *s = sink;

    unlink(s->path);
    closep(&s->fd);
    free(s);
    atomic_fetch_add(&app.aborts, 1);
}

static int post_upload(struct request *req)
{
    struct sink *s = req->upload.sink;
    struct sb    b = SB(&req->arena);

    if (!req->upload.filename)
        return error_say(&req->err, ERR_VALIDATION, "file", "is required");
    for (unsigned i = 0; i < req->upload.field_count; i++)
        if (strcmp(req->upload.fields[i].name, "refuse") == 0) /* the sink stays where it is: the library aborts it */
            return error_say(&req->err, ERR_UNPROCESSABLE, NULL, "refused as asked");
    sb_puts(&b, "{\"filename\":");
    sb_json(&b, req->upload.filename);
    sb_printf(&b, ",\"size\":%llu,\"path\":", (unsigned long long)req->upload.size);
    sb_json(&b, s->path);
    sb_puts(&b, ",\"type\":");
    sb_json(&b, req->upload.mime_type);
    sb_puts(&b, ",\"fields\":{");
    for (unsigned i = 0; i < req->upload.field_count; i++) {
        sb_puts(&b, i > 0 ? "," : "");
        sb_json(&b, req->upload.fields[i].name);
        sb_putc(&b, ':');
        sb_json_str(&b, req->upload.fields[i].value);
    }
    sb_puts(&b, "}}");
    req->upload.sink = NULL;
    closep(&s->fd);
    free(s);
    atomic_fetch_add(&app.uploads, 1);
    response_json(req, 201, sb_str(&b));
    return 0;
}

static uint64_t max_upload(struct request *req)
{
    (void)req;
    return app.max_upload;
}

/* --- events --- */

static struct {
    pthread_mutex_t      lock;
    struct event_stream *streams[64];
} hub = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int get_events(struct request *req)
{
    struct event_stream *s = response_events(req);

    if (!s)
        return -1;
    pthread_mutex_lock(&hub.lock);
    for (size_t i = 0; i < ARRAY_LEN(hub.streams); i++) {
        if (hub.streams[i])
            continue;
        hub.streams[i] = s;
        s = NULL;
        break;
    }
    pthread_mutex_unlock(&hub.lock);
    event_release(s);
    return 0;
}

static int post_event(struct request *req)
{
    struct sb b = SB(&req->arena);
    unsigned  sent = 0, dropped = 0;

    json_write(&b, req->json);
    pthread_mutex_lock(&hub.lock);
    for (size_t i = 0; i < ARRAY_LEN(hub.streams); i++) {
        if (!hub.streams[i])
            continue;
        if (event_send(hub.streams[i], "test", sb_str(&b))) {
            sent++;
            continue;
        }
        event_release(hub.streams[i]);
        hub.streams[i] = NULL;
        dropped++;
    }
    pthread_mutex_unlock(&hub.lock);
    struct sb out = SB(&req->arena);
    sb_printf(&out, "{\"sent\":%u,\"dropped\":%u}", sent, dropped);
    response_json(req, 200, sb_str(&out));
    return 0;
}

/* --- who asks --- */

static int know(struct request *req, const char *token, bool slow)
{
    static const struct {
        const char *token;
        bool        slow;
        const char *name;
        uint64_t    granted;
    } known[] = {
        { "Bearer fast", false, "fast", PERM(document_read) },
        { "Bearer slow", true, "slow", PERM(document_read) },
        { "Bearer none", false, "none", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].token, token) != 0 || known[i].slow != slow)
            continue;
        req->who.kind = 'u';
        req->who.granted = known[i].granted;
        snprintf(req->who.name, sizeof req->who.name, "%s", known[i].name);
        snprintf(req->who.tenant_id, sizeof req->who.tenant_id, "01890000-0000-7000-8000-000000000001");
        return AUTH_KNOWN;
    }
    return AUTH_UNKNOWN;
}

static enum auth_state authenticate(struct request *req)
{
    const char *token = request_header(req, "Authorization");

    if (!token) {
        error_set(&req->err, ERR_UNAUTHORIZED, "no credential");
        return AUTH_REFUSED;
    }
    return know(req, token, /* slow */ false);
}

static int authenticate_slow(struct request *req)
{
    clock_sleep_ms(5);
    if (know(req, request_header(req, "Authorization"), /* slow */ true) == AUTH_KNOWN)
        return 0;
    return error_set(&req->err, ERR_UNAUTHORIZED, "unknown credential");
}

static int limit(struct request *req)
{
    if (!request_header(req, "X-Test-Limit"))
        return 0;
    response_header(req, "Retry-After", "7");
    return error_set(&req->err, ERR_RATE_LIMITED, "as asked");
}

static struct str asset(const char *path, const char **ret_type, const char **ret_encoding, const char **ret_etag)
{
    *ret_encoding = NULL;
    *ret_etag = "asset1";
    if (strcmp(path, "/index.html") == 0) {
        *ret_type = "text/html; charset=utf-8";
        return S("<!doctype html><title>app</title>");
    }
    if (strcmp(path, "/assets/app-1a2b.js") == 0) {
        *ret_type = "text/javascript";
        return S("console.log(1)");
    }
    return (struct str){ NULL, 0 };
}

static const struct param list_params[] = {
    { .name = "limit", .type = PARAM_UINT, .min = 1, .max = 100, .fallback = "20" },
    { .name = "sort", .type = PARAM_ENUM, .values = "name|size", .fallback = "name" },
    { .name = "q", .type = PARAM_TEXT, .max = 50 },
    { .name = "deep", .type = PARAM_BOOL },
    { .name = "owner", .type = PARAM_UUID },
    { .name = "since", .type = PARAM_TIME },
    { .name = "cursor", .type = PARAM_CURSOR },
    { .name = NULL },
};
static const struct param slow_params[] = { { .name = "ms", .type = PARAM_UINT, .max = 60000 }, { .name = NULL } };
static const struct param big_params[] = { { .name = "n", .type = PARAM_UINT, .max = 100000000 }, { .name = NULL } };
static const struct param file_params[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 100, .required = true },
    { .name = "as", .type = PARAM_TEXT, .max = 255 },
    { .name = "inline", .type = PARAM_BOOL },
    { .name = NULL },
};

static const struct route routes[] = {
    { "GET", "/api/v1/null", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_null },
    { "GET", "/s/{token}", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_null },
    { "GET", "/api/v1/later", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = NULL },
    { "GET", "/api/v1/counts", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_counts },
    { "GET", "/api/v1/items/{id}", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_item },
    { "GET", "/api/v1/items/{id}/pages/{n}.png", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_item },
    { "GET", "/api/v1/list", PERM_PUBLIC, LANE_READ, BODY_NONE, .handle = get_list, .params = list_params },
    { "POST", "/api/v1/list", PERM(document_read), LANE_WORK, BODY_JSON, .handle = post_echo, .params = slow_params },
    { "POST", "/api/v1/echo", PERM_PUBLIC, LANE_WORK, BODY_JSON, .handle = post_echo },
    { "PUT", "/api/v1/echo", PERM_PUBLIC, LANE_READ, BODY_JSON_OPT, .handle = post_echo },
    { "GET", "/api/v1/slow", PERM_PUBLIC, LANE_WORK, BODY_NONE, .handle = get_slow, .params = slow_params },
    { "GET", "/api/v1/big", PERM_PUBLIC, LANE_WORK, BODY_NONE, .handle = get_big, .params = big_params },
    { "GET", "/api/v1/broken", PERM_PUBLIC, LANE_WORK, BODY_NONE, .handle = get_broken },
    { "GET", "/api/v1/file", PERM_PUBLIC, LANE_WORK, BODY_NONE, .handle = get_file, .params = file_params },
    { "GET", "/api/v1/who", PERM(document_read), LANE_WORK, BODY_NONE, .handle = get_who },
    { "GET", "/api/v1/me", PERM_SIGNED_IN, LANE_READ, BODY_NONE, .handle = get_who },
    { "GET", "/api/v1/money", PERM(billing_manage), LANE_READ, BODY_NONE, .handle = get_who },
    { "POST", "/api/v1/upload", PERM_PUBLIC, LANE_WORK, BODY_MULTIPART, .handle = post_upload },
    { "POST", "/api/v1/secret-upload", PERM(document_create), LANE_WORK, BODY_MULTIPART, .handle = post_upload },
    { "GET", "/api/v1/events", PERM_PUBLIC, LANE_WORK, BODY_NONE, .handle = get_events },
    { "POST", "/api/v1/events", PERM_PUBLIC, LANE_WORK, BODY_JSON, .handle = post_event },
};

static void on_signal(int signal)
{
    (void)signal;
    http_server_stop(app.server); /* NOLINT(bugprone-signal-handler): one write to an eventfd */
}

struct options {
    uint64_t loops, max_connections, header_timeout, idle_timeout, min_body_rate, max_body, max_upload, threads, queue,
        quiet, stop;
};

static int read_options(struct options *o, int argc, char **argv, struct error *err)
{
    struct {
        const char *name;
        uint64_t   *value;
    } const names[] = {
        { "loops", &o->loops },
        { "max_connections", &o->max_connections },
        { "header_timeout", &o->header_timeout },
        { "idle_timeout", &o->idle_timeout },
        { "min_body_rate", &o->min_body_rate },
        { "max_body", &o->max_body },
        { "max_upload", &o->max_upload },
        { "threads", &o->threads },
        { "queue", &o->queue },
        { "quiet", &o->quiet },
        { "stop", &o->stop },
    };

    for (int i = 2; i < argc; i++) {
        struct str value = str_of(argv[i]), name = str_cut(&value, '=');

        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (str_eq(name, str_of(names[k].name))
                && parse_u64(names[k].name, value, 0, INT64_MAX, names[k].value, err) < 0)
                return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = { 1, 4200, 10, 75, 1024, 1048576, 1073741824, 4, 1024, 0, 5 };
    struct error   err = { 0 };

    if (argc < 2 || read_options(&o, argc, argv, &err) < 0)
        return 2;
    app.dir = argv[1];
    app.max_upload = o.max_upload;
    log_open(o.quiet ? LOG_ERROR : LOG_INFO, "test", NULL);
    struct http_app a = {
        .routes = routes,
        .route_count = ARRAY_LEN(routes),
        .arg = &app,
        .authenticate = authenticate,
        .authenticate_slow = authenticate_slow,
        .limit = limit,
        .read = read_later,
        .sink = { sink_open, sink_write, sink_abort },
        .max_upload = max_upload,
        .asset = asset,
    };
    struct http_limits limits = {
        .listen = "127.0.0.1",
        .loops = (unsigned)o.loops,
        .max_connections = (unsigned)o.max_connections,
        .header_timeout_s = (unsigned)o.header_timeout,
        .idle_timeout_s = (unsigned)o.idle_timeout,
        .min_body_rate = (unsigned)o.min_body_rate,
        .max_parts = 20,
        .max_json_depth = 32,
        .events_max = 10,
        .stop_s = (unsigned)o.stop,
        .max_body = o.max_body,
        .max_json_keys = 1000,
        .request_memory = 16777216,
        .hsts = false,
    };
    struct work_pool *pool = work_pool_open((unsigned)o.threads, (unsigned)o.queue, (struct work_hooks){ 0 }, &err);
    app.server = pool ? http_server_open(&a, &limits, pool, &err) : NULL;
    if (!app.server) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("port %u\n", http_server_port(app.server));
    fflush(stdout);
    http_server_run(app.server);
    for (size_t i = 0; i < ARRAY_LEN(hub.streams); i++)
        event_release(hub.streams[i]);
    work_pool_close(pool);
    http_server_close(app.server);
    return 0;
}
