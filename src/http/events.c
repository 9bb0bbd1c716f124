/* events.c - server-sent events: a bounded buffer a stream, filled by any thread, sent by the loop. A stream that falls behind is dropped. */
#include "http/private.h"

#include "base/clock.h"
#include "base/log.h"

struct event_stream {
    struct event_stream    *next, *prev; /* of the loop; the loop's thread only */
    struct http_loop       *loop;
    struct request_private *request; /* NULL once libmicrohttpd is done with it; the loop's thread only */
    int64_t                 sent_us; /* the loop's thread only */
    bool                    listed;
    pthread_mutex_t         lock; /* the rest */
    unsigned                refs; /* sender, response, wake-up under way */
    bool                    closed, waking;
    char                   *bytes;
    size_t                  n, cap;
    struct loop_call        wake;
};

/* The last one may be a sender after the server has ended: nothing of the loop is touched. */
static void unref(struct event_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s->bytes);
    free(s);
}

static void run_wake(struct loop_call *c)
{
    struct event_stream *s = container_of(c, struct event_stream, wake);

    pthread_mutex_lock(&s->lock);
    s->waking = false;
    pthread_mutex_unlock(&s->lock);
    if (s->request && s->listed)
        request_resume(s->request);
    unref(s);
}

/* With the lock held. */
static void wake(struct event_stream *s)
{
    if (s->waking)
        return;
    s->waking = true;
    s->refs++;
    s->wake.run = run_wake;
    loop_call(s->loop->loop, &s->wake);
}

static bool append(struct event_stream *s, const char *p, size_t n)
{
    if (s->cap - s->n < n) {
        size_t cap = s->cap * 2 + n + 256;
        char  *bytes = realloc(s->bytes, cap);

        if (!bytes)
            return false;
        s->bytes = bytes;
        s->cap = cap;
    }
    memcpy(s->bytes + s->n, p, n);
    s->n += n;
    return true;
}

static bool append_str(struct event_stream *s, struct str t)
{
    return t.n == 0 || append(s, t.p, t.n);
}

struct event_stream *response_events(struct request *req)
{
    struct request_private *p = private_of(req);
    struct http_server     *server = p->loop->server;
    struct event_stream    *s = NULL;

    if (atomic_fetch_add(&server->streams, 1) < server->limits.events_max)
        s = calloc(1, sizeof *s);
    if (!s) {
        atomic_fetch_sub(&server->streams, 1);
        error_say(&req->err, ERR_UNAVAILABLE, NULL, "too many event streams are open");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->loop = p->loop;
    s->request = p;
    s->refs = 2;
    append_str(s, S("retry: 3000\n\n"));
    answer_events(p, s);
    return s;
}

bool event_send(struct event_stream *s, const char *type, struct str data)
{
    pthread_mutex_lock(&s->lock);
    bool was_closed = s->closed; /* then the loop has been told, and may be gone */
    bool ok = !was_closed && s->n + data.n + 64 + strlen(type) <= EVENT_BACKLOG;
    if (ok)
        ok = append_str(s, S("event: ")) && append_str(s, str_of(type)) && append_str(s, S("\ndata: "))
             && append_str(s, data) && append_str(s, S("\n\n"));
    if (!ok)
        s->closed = true;
    if (!was_closed)
        wake(s);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

void event_end(struct event_stream *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->closed) {
        s->closed = true;
        wake(s);
    }
    pthread_mutex_unlock(&s->lock);
}

bool event_over(struct event_stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool over = s->closed;
    pthread_mutex_unlock(&s->lock);
    return over;
}

void event_release(struct event_stream *s)
{
    if (s)
        unref(s);
}

/* libmicrohttpd wants bytes. */
static ssize_t read_events(void *arg, uint64_t position, char *out, size_t max)
{
    struct event_stream *s = arg;
    ssize_t              ret = 0;

    (void)position;
    pthread_mutex_lock(&s->lock);
    if (s->n > 0) {
        size_t n = s->n < max ? s->n : max;

        memcpy(out, s->bytes, n);
        memmove(s->bytes, s->bytes + n, s->n - n);
        s->n -= n;
        ret = (ssize_t)n;
        if (s->n == 0) {
            free(s->bytes);
            s->bytes = NULL;
            s->cap = 0;
        }
    } else if (s->closed)
        ret = MHD_CONTENT_READER_END_OF_STREAM;
    pthread_mutex_unlock(&s->lock);
    if (ret > 0) {
        s->sent_us = clock_steady_us();
        s->request->bytes_out += (uint64_t)ret;
    } else if (ret == 0)
        request_suspend(s->request);
    return ret;
}

static void unlist(struct event_stream *s)
{
    if (!s->listed)
        return;
    s->listed = false;
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        s->loop->event_streams = s->next;
}

void events_drop(struct event_stream *s)
{
    unlist(s);
    atomic_fetch_sub(&s->loop->server->streams, 1);
    s->request = NULL;
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    unref(s);
}

static void free_events(void *arg)
{
    events_drop(arg);
}

struct MHD_Response *events_response(struct event_stream *s)
{
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_events, s, free_events);

    if (!r)
        return NULL;
    s->listed = true;
    s->prev = NULL;
    s->next = s->loop->event_streams;
    if (s->next)
        s->next->prev = s;
    s->loop->event_streams = s;
    s->sent_us = clock_steady_us();
    return r;
}

/* A comment where nothing was sent for a while; a stream whose client takes not even that is cut off. */
static void sweep_stream(struct event_stream *s, int64_t idle_us)
{
    pthread_mutex_lock(&s->lock);
    bool stuck = s->n > 0 && idle_us > 3 * PING_S * INT64_C(1000000);
    if (s->n == 0 && !append_str(s, S(": ping\n\n")))
        s->closed = true;
    if (stuck)
        s->closed = true;
    else
        wake(s);
    pthread_mutex_unlock(&s->lock);
    if (stuck && s->request && s->request->conn)
        conn_cut(s->request->conn);
}

void events_sweep(struct http_loop *l, int64_t now_us)
{
    for (struct event_stream *s = l->event_streams; s; s = s->next)
        if (now_us - s->sent_us >= PING_S * INT64_C(1000000))
            sweep_stream(s, now_us - s->sent_us);
}

void events_stop(struct http_loop *l)
{
    for (struct event_stream *s = l->event_streams; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        s->closed = true;
        wake(s);
        pthread_mutex_unlock(&s->lock);
    }
}
