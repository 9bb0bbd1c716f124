/* http.h - the HTTP server: routes as a type, requests, answers. Knows neither our routes nor the database; what a request means comes
   in through struct http_app. The only folder that includes libmicrohttpd. */
#ifndef DMS_HTTP_HTTP_H
#define DMS_HTTP_HTTP_H

#include "base/address.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "base/work.h"

struct request;
struct http_server;

enum lane {
    LANE_READ, /* runs on the loop thread, must not block: app->read, or handle for answers out of memory */
    LANE_WORK, /* straight-line code on a thread of the pool */
};

/* Query parameters of a route, checked before anything runs; what is not in the row is refused. */
enum param_type { PARAM_TEXT, PARAM_UINT, PARAM_BOOL, PARAM_UUID, PARAM_ENUM, PARAM_TIME, PARAM_CURSOR };
struct param {
    const char     *name;
    enum param_type type;
    const char     *fallback; /* NULL: none */
    uint64_t        min, max; /* UINT: value; TEXT: length in bytes */
    const char     *values;   /* ENUM: "a|b|c" */
    bool            required;
};

enum body_kind {
    BODY_NONE,      /* a body is refused */
    BODY_JSON,      /* gathered, at most max_body; parsed strictly into req->json before handle runs */
    BODY_JSON_OPT,  /* the same, may be absent (req->json NULL) */
    BODY_MULTIPART, /* streamed into app's upload sink part by part; see http_upload */
};

/* Another form of JSON than ours: its media type, taken beside application/json, and how it tells errors (status, code and detail are err's). */
struct dialect {
    const char *type;
    struct str (*problem)(struct arena *a, const struct error *err, const char *id);
};

struct route {
    const char *method,
        *pattern; /* "/api/v1/documents/{id}/text": {id} takes one segment and must be a UUID, {n} a number, {name} any */
    uint64_t       needs; /* permission bits; never 0: public has to be said */
    enum lane      lane;
    enum body_kind body;
    int (*handle)(struct request *req); /* 0 and an answer set, or -1 and req->err. NULL: app->read with sql */
    int                   sql;          /* of a read route without handle */
    const struct param   *params;       /* ended by a row without name; NULL: none */
    const struct dialect *dialect;      /* NULL: application/json and RFC 9457 problems */
    bool                  open_query;   /* parameters that are in no row are passed over: others decide what comes in */
    const char           *rate_class;   /* "request", "search", "upload", "sign_in" */
    uint64_t              max_body;     /* 0: the setting of its kind */
};

/* Who asks; filled in by app->authenticate, immutable afterwards. */
struct principal {
    char     tenant_id[37], user_id[37], session_id[37];
    char     name[64];
    char     kind;    /* 'u' user, 'k' API key, 0 nobody */
    uint64_t granted; /* permission bits */
    uint64_t
         by_grant; /* further ones, only on what a grant of that level opens: the app narrows such a request to that */
    bool sees_few; /* lists go along what is granted, see my_access in migrations/0012_access.up.sql */
    unsigned    plan, role;
    int64_t     expires_us; /* wall clock */
    const char *confined;   /* why it may use routes that need PERM_OWN only: a sentence (static); NULL: it is not */
};

/* One file on its way in. The sink belongs to the app (blob store + hash); calls come one after another from threads of the pool. */
struct http_upload_sink {
    void *(*open)(struct request *req, const char *filename,
                  struct error *err); /* may use all of req; write and abort only their sink */
    int (*write)(void *sink, struct str bytes, struct error *err);
    void (*abort)(
        void *
            sink); /* the client went away or the body is bad: leave nothing behind. Also called at the end of the request
                                  when the handler did not take the sink (req->upload.sink = NULL) */
};

/* Looks at the bytes of a body as they came, while they come: the digest that a client sent with them. On loop threads, must not block. */
struct http_body_check {
    int (*open)(
        struct request *req,
        void **ret); /* before the first byte. *ret in req's arena, or NULL: nothing to check. -1 and req->err */
    void (*add)(void *check, struct str bytes);
    int (*end)(void *check, struct error *err); /* the body is whole */
};

struct request_upload {
    void       *sink;      /* finished file; the handler takes it and sets this to NULL */
    const char *filename;  /* as sent, base name only, valid UTF-8; NULL: there was no file part */
    const char *mime_type; /* as sent; never the truth */
    uint64_t    size;
    /* form fields other than the file, at most max_parts of at most max_body bytes in all */
    struct {
        const char *name;
        struct str  value;
    } fields[16];
    unsigned field_count;
};

struct request {
    unsigned                magic;
    struct arena            arena;
    struct error            err;
    const struct route     *route;
    const char             *method, *path; /* path as sent, without query; args are decoded */
    const char             *args[4];       /* {…} of the pattern, in order */
    const char            **params;        /* values of route->params in order, NULL where absent without fallback */
    const json_t           *json;
    struct str              body;
    struct request_upload   upload;
    struct principal        who;
    char                    id[37]; /* X-Request-Id: ours, a UUID */
    char                    trace_id[33], span_id[17];
    const char             *ip;         /* of the client: the peer, or whom a trusted proxy names */
    int64_t                 started_us; /* steady clock */
    struct http_server     *server;
    void                   *app;        /* struct http_app's arg */
    void                   *thread;     /* on the work lane: what thread_open gave (the database connection) */
    struct loop            *loop;       /* the loop this request lives in */
    void                   *loop_state; /* what app->loop_open gave for that loop (the pipeline) */
    struct request_private *priv;
};

/* AUTH_ASKED: request_authenticated will be called, on this thread. AUTH_UNKNOWN: ask authenticate_slow. AUTH_REFUSED: req->err says why. */
enum auth_state { AUTH_REFUSED = -1, AUTH_UNKNOWN, AUTH_KNOWN, AUTH_ASKED };

/* What the application is, for the server. All run on loop threads unless said otherwise and must not block. */
struct http_app {
    const struct route *routes;
    size_t              route_count;
    void               *arg;
    void *(*loop_open)(void *arg, struct loop *loop, struct error *err); /* once per loop: state for the read lane */
    void (*loop_close)(void *loop_state);
    void (*loop_flush)(void *loop_state); /* end of each turn */
    /* Once headers and route are known. Public routes skip both. */
    enum auth_state (*authenticate)(struct request *req);
    int (*authenticate_slow)(struct request *req); /* on the work lane, may block. 0 or -1 */
    /* Rate limit, after authentication; may set answer headers. 0, or -1 and req->err (RATE_LIMITED). */
    int (*limit)(struct request *req);
    /* A read route: submit and return 0, later request_done; or -1 and req->err. */
    int (*read)(struct request *req);
    struct http_upload_sink sink;
    struct http_body_check  check;               /* open NULL: bodies are taken as they are */
    uint64_t (*max_upload)(struct request *req); /* of this principal's plan */
    /* Whether upload_room is to be asked before the first byte of an upload is (NULL: never): on the work lane, may block. least: so many bytes the
       file has at least, by the length of the body; 0: unknown. 0, or -1 and req->err. */
    bool (*upload_limited)(struct request *req);
    int (*upload_room)(struct request *req, uint64_t least);
    /* After the answer is out: metrics. */
    void (*finished)(struct request *req, unsigned status, uint64_t bytes_in, uint64_t bytes_out, int64_t took_us);
    /* The web app's file of a decoded path; p NULL: there is none. *ret_encoding comes in as "gzip" when the client takes it, else NULL, and goes
       out as what the bytes are. type, etag (without quotes) and bytes live as long as the server. */
    struct str (*asset)(const char *path, const char **ret_type, const char **ret_encoding, const char **ret_etag);
};

/* Plain values copied out of the settings by whoever opens the server. */
struct http_limits {
    const char *listen;
    unsigned port, loops, max_connections, header_timeout_s, idle_timeout_s, min_body_rate, max_parts, max_json_depth,
        events_max, stop_s;
    uint64_t                   max_body, max_json_keys, request_memory;
    bool                       hsts;
    const char                *cors_origins; /* origins whose pages may read answers, separated by spaces or commas */
    const struct address_list *trusted_proxies; /* whose X-Forwarded-For is believed; NULL: nobody's */
};

struct http_server *http_server_open(const struct http_app *app, const struct http_limits *limits,
                                     struct work_pool *pool, struct error *err);
unsigned            http_server_port(const struct http_server *s);
void     http_server_run(struct http_server *s);  /* until stopped; then lets running requests finish, at most stop_s */
void     http_server_stop(struct http_server *s); /* any thread or a signal handler */
void     http_server_close(struct http_server *s); /* after work_pool_close: what still waits gets 503 */
unsigned http_server_connections(const struct http_server *s);

/* --- the answer: exactly one of these per request; set before handle returns 0 (or before request_done on the read lane) --- */
void response_json(struct request *req, unsigned status,
                   struct str body); /* body lives in req->arena (or a result it owns) */
void response_text(struct request *req, unsigned status, const char *type, struct str body);
void response_empty(struct request *req, unsigned status);
/* A file: Range, If-Range, If-None-Match by etag, Content-Disposition by RFC 6266/8187. fd is taken over. */
void response_file(struct request *req, int fd, uint64_t size, const char *type, const char *filename, bool is_inline,
                   const char *etag);
/* Server-sent events: the stream stays open until the client goes, event_end, or the server's end. */
struct event_stream;
struct event_stream *response_events(struct request *req);
/* Any thread. False: the stream is gone or too far behind; drop it. type and data are copied; data has no newline. */
bool event_send(struct event_stream *s, const char *type, struct str data);
void event_end(struct event_stream *s);     /* any thread: once what was sent has gone out */
bool event_over(struct event_stream *s);    /* nobody listens any more; release it */
void event_release(struct event_stream *s); /* the sender's reference */
void response_header(
    struct request *req, const char *name,
    const char *value); /* additional; both live in req->arena or are static; value is refused when it holds CR or LF */
void        response_etag(struct request *req,
                          const char     *etag); /* strong, without quotes; GET answers If-None-Match with 304 */
const char *request_header(struct request *req, const char *name); /* NULL when absent */
const char *request_param(const struct request *req,
                          const char           *name); /* value or fallback of a row of route->params; NULL absent */
uint64_t    request_param_u64(const struct request *req, const char *name, uint64_t fallback);
bool        request_param_bool(const struct request *req, const char *name, bool fallback);
/* If-Match against etag: 0 fits or absent, -1 ERR_PRECONDITION. */
MUST_CHECK int request_if_match(struct request *req, const char *etag);
/* A read-lane request whose answer is set, or whose req->err is: sends it. On the loop's thread. */
void request_done(struct request *req);
/* Instead of request_done: the read turned out to need the work lane, where handle runs as a handler does. On the loop's thread. */
void request_to_work(struct request *req, int (*handle)(struct request *req));
/* What AUTH_ASKED came to. known: req->who is filled; else authenticate_slow is asked. On the loop's thread. */
void request_authenticated(struct request *req, bool known);

#endif
