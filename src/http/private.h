/* private.h - what the files of http/ share among themselves: the loop, a connection, the inside of a request. Nobody else includes it. */
#ifndef DMS_HTTP_PRIVATE_H
#define DMS_HTTP_PRIVATE_H

#include "http/http.h"
#include "http/framing.h"
#include "http/multipart.h"
#include "http/route.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

enum {
    REQUEST_MAGIC = 0x7e0c51a3,
    MAX_REQUEST_LINE = 8192, /* 414 above */
    MAX_HEADER = 16384,      /* one header; 431 above */
    MAX_HEAD_SMALL = 4096,   /* first heads up to here go to the daemon with little memory a connection */
    MAX_HEADERS = 65536,     /* all headers; 431 above */
    MAX_HEADER_COUNT = 100,
    POOL_SMALL = 14336, /* memory of a connection: request head, answer head, body in pieces */
    POOL_LARGE =
        98304, /* the same where the first request's head is over MAX_HEAD_SMALL or its body over MAX_BODY_SMALL */
    MAX_BODY_SMALL = 262144,
    DRAIN_BYTES = 262144, /* so much of a refused body is read and dropped before the answer; more: answer and close */
    LINGER_MS = 2000,     /* after an early answer the rest of the body is read so long, for the answer to arrive */
    UPLOAD_BUFFER = 262144,
    REQUEST_FIRST = 1536, /* what small requests need */
    SCRATCH = MAX_REQUEST_LINE + MAX_HEADERS + 1024,
    SPARE_REQUESTS = 512,   /* request structs a loop keeps for reuse */
    PING_S = 15,            /* comment on an event stream without events */
    EVENT_BACKLOG = 262144, /* bytes a stream may be behind before it is dropped */
    PREFIX_SIZE = 2048,     /* a log line's or a raw answer's head */
    SWEEP_US = 1000000,     /* how often slow connections are looked for */
    STOP_TICK_US = 50000    /* how often a stopping loop looks whether it may end */
};

enum conn_phase {
    CONN_GATE,   /* waits for its first head; ours */
    CONN_IDLE,   /* libmicrohttpd's, between requests */
    CONN_HEAD,   /* request line seen, headers not */
    CONN_BODY,   /* body on its way */
    CONN_RUN,    /* ours to answer */
    CONN_SEND,   /* answer on its way */
    CONN_STREAM, /* event stream */
    CONN_LINGER, /* answered early, rest of the body is read and dropped; ours */
    CONN_CLOSED  /* shut down, libmicrohttpd has yet to notice */
};

struct conn {
    struct conn            *next, *prev;
    struct http_loop       *loop;
    struct loop_fd          watch; /* while CONN_GATE or CONN_LINGER */
    enum conn_phase         phase;
    int64_t                 since_us; /* steady clock: the phase began */
    uint64_t                acked;    /* TCP bytes acknowledged when it began */
    struct request_private *request;
    struct sockaddr_storage addr;
    socklen_t               addr_len;
    int                     fd;
    struct framing          framing;   /* of what libmicrohttpd has read */
    unsigned                completed; /* requests that have ended */
    struct error           *fault;     /* in what came behind the requests that are not answered yet */
    char                    ip[INET6_ADDRSTRLEN];
};

struct http_loop {
    struct http_server     *server;
    struct loop            *loop;
    struct MHD_Daemon      *small, *large;
    struct loop_fd          small_watch, large_watch, listen_watch, stop_watch;
    struct loop_timer       sweep, stop_timer;
    bool                    accepting, stopping, resumed;
    int64_t                 stop_deadline_us;
    void                   *state; /* of app->loop_open */
    struct conn            *conns;
    struct conn           **wires; /* libmicrohttpd's connections by their descriptor */
    size_t                  wire_count;
    unsigned                in_flight;
    struct request_private *spare;
    unsigned                spare_count;
    struct request_private *aborts;  /* uploads whose abort found the work lane full */
    char                   *scratch; /* SCRATCH bytes, for the length of one call */
    char                   *log;
    size_t                  log_n;
    unsigned char           random[1024];
    size_t                  random_left;
    pthread_t               thread;
    bool                    has_thread;
    struct event_stream    *event_streams;
};

struct http_server {
    struct http_app     app;
    struct http_limits  limits;
    struct work_pool   *pool;
    struct route_index *routes;
    int                 stop_fd; /* eventfd: written by http_server_stop */
    unsigned            port, loop_count;
    atomic_uint         connections, streams;
    struct http_loop    loops[];
};

enum state {
    REQ_ADMIT,   /* not all checks are done */
    REQ_BODY,    /* admitted, body is gathered */
    REQ_DISCARD, /* answer is set, what is left of the body is dropped */
    REQ_RUN,     /* with the handler */
    REQ_ANSWER   /* answer is set */
};

enum answer_kind { ANSWER_NONE, ANSWER_BYTES, ANSWER_FILE, ANSWER_EVENTS };

struct header {
    struct header *next;
    const char    *name, *value;
};

struct answer {
    enum answer_kind     kind;
    unsigned             status;
    const char          *type, *etag, *encoding, *cache, *csp; /* NULL: as the kind has it */
    struct str           body;
    struct header       *headers;
    int                  fd;
    uint64_t             size, offset, length; /* of the file; the part to send */
    const char          *filename;
    bool                 is_inline;
    struct event_stream *stream;
};

struct upload {
    struct multipart parser;
    char            *fill, *spare; /* two buffers of UPLOAD_BUFFER: one is filled, the other written */
    size_t           fill_n, write_n;
    uint64_t         max, fields_bytes;
    bool             writing, in_file, has_file, failed;
    struct sb        field;
    const char      *field_name;
    struct error     write_err; /* the writer's; req->err belongs to the loop meanwhile */
};

struct request_private {
    struct request          req; /* first: the two are cast into one another */
    struct request_private *next;
    struct http_loop       *loop;
    struct conn            *conn;
    struct MHD_Connection  *mhd;
    enum state              state;
    enum auth_state         auth;
    bool             begun, continued, suspended, asking, is_head, close_after, answered, gone, done, over, cut_off;
    const char      *target; /* as sent */
    struct str       query;
    uint64_t         declared, seen; /* body bytes; declared UINT64_MAX: chunked */
    struct sb        body;
    struct upload   *upload;
    void            *check; /* of the app, for the body's bytes; NULL: none */
    struct answer    answer;
    struct work      work;
    struct loop_call back;
    void (*after)(struct request_private *p); /* on the loop, when the work is done */
    int (*handle)(struct request *req);       /* of request_to_work; NULL: the route's */
    int      result;
    uint64_t bytes_out;
    alignas(max_align_t) char first[REQUEST_FIRST]; /* the arena's first memory; last, as it is not cleared */
};

#define container_of(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

static inline struct request_private *private_of(struct request *req)
{
    assert(req->magic == REQUEST_MAGIC);
    return (struct request_private *)(void *)req;
}

/* server.c */
void loop_random(struct http_loop *l, void *out, size_t n); /* n <= sizeof l->random */
void server_room(struct http_loop *l); /* a connection has ended: accept again if that had stopped */

/* conn.c */
struct conn *conn_new(struct http_loop *l, int fd);
void         conn_free(struct conn *c);
void         conn_phase(struct conn *c, enum conn_phase phase);
void         conn_cut(struct conn *c); /* without a word */
void         conn_sweep(struct conn *c, int64_t now_us);
void         gate_open(struct conn *c);
void         conn_completed(struct conn *c, bool is_whole); /* a request has ended, with all of its answer or not */
void         conn_refuse(struct conn *c);                   /* tells c->fault and ends it */
/* Writes a whole answer to the socket, past libmicrohttpd, before it closes. err tells what, req gives the ids. */
void raw_answer(struct conn *c, const struct error *err, const struct request *req);
/* A copy of the socket is read and dropped from for a while, so that closing it does not take the answer away from a client still sending. */
void linger_open(struct conn *c);

/* wire.c */
MUST_CHECK bool wire_open(struct conn *c,
                          size_t memory); /* before libmicrohttpd gets it; memory: its daemon's, for each connection */
void            wire_close(struct conn *c);
struct conn    *wire_conn(const struct http_loop *l, int fd);
void            wire_run(struct http_loop *l, struct MHD_Daemon *d);

/* request.c */
void           *request_open(struct http_loop *l, struct conn *c, struct MHD_Connection *mhd, const char *target);
enum MHD_Result request_step(struct request_private *p, const char *method, const char *data, size_t *size);
void            request_over(struct request_private *p, enum MHD_RequestTerminationCode why);
void            request_release(struct request_private *p);
void            request_suspend(struct request_private *p);
void            request_resume(struct request_private *p);
/* On the work lane: fn; back on the loop: after. False: the lane is full. */
MUST_CHECK bool request_work(struct request_private *p, void (*fn)(struct work *w, void *thread),
                             void (*after)(struct request_private *p));
/* req->err becomes the answer. */
void request_fail(struct request_private *p);
void request_give_up(struct request_private *p); /* the server ends: whatever it waits for does not come */
extern const struct head_limits request_head_limits;

/* body.c */
MUST_CHECK int body_admit(struct request_private *p);
uint64_t
body_upload_least(const struct request_private *p); /* so many bytes the file has at least, by the length of the body */
enum MHD_Result body_take(struct request_private *p, const char *data, size_t *size);
/* The body is whole. 0: ready to run, 1: suspended, -1 err. */
MUST_CHECK int body_end(struct request_private *p);
/* On the work lane, before the handler: the last bytes to the sink. */
MUST_CHECK int body_finish(struct request_private *p);
void           body_abort(struct request_private *p); /* the sink, if it is still ours; then request_release */

/* response.c */
enum MHD_Result      answer_queue(struct request_private *p);
struct MHD_Response *file_response(struct request_private *p);
void                 answer_drop(struct answer *a);
void answer_asset(struct request_private *p, struct str body, const char *type, const char *encoding, const char *etag);
/* The problem document of err. */
struct str problem_body(struct arena *a, const struct error *err, const char *id);

void answer_events(struct request_private *p, struct event_stream *s);

/* cors.c */
MUST_CHECK int cors_check(const char *origins, struct error *err);
void           cors_answer(struct request_private *p);                         /* the headers of an answer of the API */
void           cors_preflight(struct request_private *p, const char *methods); /* those of OPTIONS besides */

/* forwarded.c */
void forwarded_ip(struct request_private *p); /* sets req->ip */

/* events.c */
struct MHD_Response *events_response(struct event_stream *s);
void                 events_sweep(struct http_loop *l, int64_t now_us);
void                 events_stop(struct http_loop *l);
void                 events_drop(struct event_stream *s);

/* access_log.c */
void access_log(struct request_private *p, unsigned status, int64_t took_us);
void access_log_flush(struct http_loop *l);

#endif
