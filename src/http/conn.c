/* conn.c - connections: accepted ones wait here until their first head is whole and in order, so that whatever is wrong with it gets a
   proper answer; then libmicrohttpd has them. The sweep ends those that are too slow. */
#include "http/private.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct http_limits *limits_of(const struct conn *c)
{
    return &c->loop->server->limits;
}

static void set_ip(struct conn *c)
{
    const void *address = c->addr.ss_family == AF_INET
                              ? (const void *)&((const struct sockaddr_in *)(const void *)&c->addr)->sin_addr
                              : (const void *)&((const struct sockaddr_in6 *)(const void *)&c->addr)->sin6_addr;

    if (!inet_ntop(c->addr.ss_family, address, c->ip, sizeof c->ip)) {
        c->ip[0] = '\0';
        return;
    }
    if (strncmp(c->ip, "::ffff:", 7) == 0 && strchr(c->ip, '.')) /* an IPv4 address on a socket for both */
        memmove(c->ip, c->ip + 7, sizeof c->ip - 7);
}

struct conn *conn_new(struct http_loop *l, int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    *c = (struct conn){ .loop = l, .fd = fd, .watch = { .fd = fd }, .next = l->conns, .since_us = clock_steady_us() };
    if (c->next)
        c->next->prev = c;
    l->conns = c;
    atomic_fetch_add(&l->server->connections, 1);
    return c;
}

/* Closes the descriptor only while it is ours. */
void conn_free(struct conn *c)
{
    struct error ignored = { 0 }; /* the descriptor is closed next */

    wire_close(c);
    if (c->watch.events != 0 && loop_watch(c->loop->loop, &c->watch, 0, &ignored) < 0)
        log_bug("a connection could not be unwatched");
    if (c->phase == CONN_GATE || c->phase == CONN_LINGER)
        closep(&c->fd);
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        c->loop->conns = c->next;
    atomic_fetch_sub(&c->loop->server->connections, 1);
    server_room(c->loop);
    free(c);
}

void conn_phase(struct conn *c, enum conn_phase phase)
{
    if (c->phase == CONN_CLOSED)
        return;
    c->phase = phase;
    c->since_us = clock_steady_us();
    c->acked = 0;
}

/* --- answers past libmicrohttpd --- */

void raw_answer(struct conn *c, const struct error *err, const struct request *req)
{
    struct arena a = ARENA(32768);
    struct sb    b = SB(&a);
    struct str   body = problem_body(&a, err, req->id);

    sb_printf(&b, "HTTP/1.1 %u %s\r\n", error_info[err->code].http, error_info[err->code].code);
    sb_printf(
        &b,
        "Content-Type: application/problem+json\r\nContent-Length: %zu\r\nConnection: close\r\nCache-Control: no-store\r\n",
        body.n);
    sb_puts(
        &b,
        "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n");
    sb_printf(&b, "X-Request-Id: %s\r\ntraceparent: 00-%s-%s-01\r\n", req->id, req->trace_id, req->span_id);
    if (error_info[err->code].http == 503)
        sb_puts(&b, "Retry-After: 1\r\n");
    sb_puts(&b, "\r\n");
    sb_put(&b, body);
    if (!a.failed) {
        ssize_t ignored =
            send(c->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT); /* a client that does not read gets no answer */
        (void)ignored;
    }
    arena_free(&a);
}

static void linger_ready(struct loop_fd *w, uint32_t events)
{
    struct conn *c = container_of(w, struct conn, watch);

    (void)events;
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(c->fd, c->loop->scratch, SCRATCH, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            conn_free(c);
            return;
        }
    }
}

static void linger_watch(struct conn *c)
{
    struct error ignored = {
        0
    }; /* without a watch the connection is closed at once: the answer may be lost, nothing else */

    c->watch = (struct loop_fd){ .fd = c->fd, .ready = linger_ready };
    c->since_us = clock_steady_us();
    c->phase = CONN_LINGER;
    if (loop_watch(c->loop->loop, &c->watch, EPOLLIN, &ignored) < 0)
        conn_free(c);
}

void linger_open(struct conn *c)
{
    int          fd = dup(c->fd);
    struct conn *rest = fd < 0 ? NULL : conn_new(c->loop, fd);

    if (!rest) {
        closep(&fd);
        return;
    }
    memcpy(rest->ip, c->ip, sizeof rest->ip);
    linger_watch(rest);
}

/* --- the gate --- */

/* Answers past libmicrohttpd. Nothing may be known of the request but what the log and the counters want to know. */
static void say(struct conn *c, const struct error *err)
{
    struct http_app        *app = &c->loop->server->app;
    int64_t                 took_us = clock_steady_us() - c->since_us;
    struct request_private *p = c->request;

    if (p) {
        raw_answer(c, err, &p->req);
        p->req.err = *err; /* request_over tells it */
        if (p->answer.kind != ANSWER_NONE)
            p->answer.status = error_info[err->code].http;
        return;
    }
    p = request_open(c->loop, c, NULL, "");
    if (!p)
        return;
    p->req.err = *err;
    raw_answer(c, err, &p->req);
    access_log(p, error_info[err->code].http, took_us);
    if (app->finished)
        app->finished(&p->req, error_info[err->code].http, 0, 0, took_us);
    c->request = NULL;
    request_release(p);
}

/* Says why, lets the client read it, and forgets the connection. */
static void gate_refuse(struct conn *c, const struct error *err)
{
    struct error ignored = { 0 }; /* linger_watch watches anew */

    say(c, err);
    if (loop_watch(c->loop->loop, &c->watch, 0, &ignored) < 0)
        log_bug("a connection could not be unwatched");
    shutdown(c->fd, SHUT_WR);
    linger_watch(c);
}

static void hand_over(struct conn *c, bool is_large)
{
    struct http_loop  *l = c->loop;
    struct MHD_Daemon *d = is_large ? l->large : l->small;
    struct error       ignored = { 0 }; /* the descriptor has another owner now */
    int                fd = c->fd;

    if (loop_watch(l->loop, &c->watch, 0, &ignored) < 0)
        log_bug("a connection could not be unwatched");
    if (!wire_open(c, is_large ? POOL_LARGE : POOL_SMALL)) {
        conn_free(c);
        return;
    }
    conn_phase(c, CONN_IDLE);
    enum MHD_Result ok = MHD_add_connection(d, fd, (struct sockaddr *)&c->addr, c->addr_len);
    l->resumed = true;
    if (ok != MHD_YES && wire_conn(l, fd) == c) /* refused before anybody was told; the socket is closed */
        conn_free(c);
}

static void gate_ready(struct loop_fd *w, uint32_t events)
{
    struct conn *c = container_of(w, struct conn, watch);
    struct error err = { 0 };
    struct head  facts;
    size_t       size;
    ssize_t      n = recv(c->fd, c->loop->scratch, SCRATCH, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (events & (EPOLLERR | EPOLLHUP)) != 0) {
        conn_free(c);
        return;
    }
    int r = head_check((struct str){ c->loop->scratch, (size_t)n }, &request_head_limits, &size, &facts, &err);
    if (r < 0)
        gate_refuse(c, &err);
    else if (r == 1)
        hand_over(c, /* is_large */ size > MAX_HEAD_SMALL || head_memory(&facts) > POOL_SMALL || facts.chunked
                         || facts.length > MAX_BODY_SMALL);
    else if (n > MAX_HEAD_SMALL) /* the rest is looked at as it is read, and not from its beginning each time */
        hand_over(c, /* is_large */ true);
    else if (events & EPOLLRDHUP)
        conn_free(c);
}

void gate_open(struct conn *c)
{
    struct error err = { 0 };

    c->addr_len = sizeof c->addr;
    if (getpeername(c->fd, (struct sockaddr *)&c->addr, &c->addr_len) < 0) {
        conn_free(c);
        return;
    }
    set_ip(c);
    c->watch.ready = gate_ready;
    /* Edge triggered: what has been looked at stays in the socket. */
    if (loop_watch(c->loop->loop, &c->watch, EPOLLIN | EPOLLRDHUP | EPOLLET, &err) < 0)
        conn_free(c);
}

/* --- too slow --- */

static uint64_t bytes_acked(int fd)
{
    struct tcp_info info;
    socklen_t       n = sizeof info;

    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? info.tcpi_bytes_acked : 0;
}

void conn_cut(struct conn *c)
{
    c->phase = CONN_CLOSED;
    shutdown(c->fd, SHUT_RDWR); /* both: libmicrohttpd looks at nothing less while it waits for room in its buffer */
}

static void cut_slow(struct conn *c)
{
    struct error err = { 0 };

    error_set(&err, ERR_TIMEOUT, "the request took too long to arrive");
    say(c, &err);
    linger_open(c);
    conn_cut(c);
}

void conn_refuse(struct conn *c)
{
    if (c->fault)
        say(c, c->fault);
    linger_open(c);
    conn_cut(c);
}

void conn_completed(struct conn *c, bool is_whole)
{
    c->completed++;
    if (!is_whole)
        return;
    conn_phase(c, framing_idle(&c->framing) ? CONN_IDLE : CONN_HEAD);
    if (c->fault && c->completed == c->framing.whole && c->phase != CONN_CLOSED)
        conn_refuse(c);
}

/* What came or went since the phase began, against the slowest that is waited for. */
static bool below_rate(const struct conn *c, uint64_t bytes, int64_t now_us)
{
    int64_t beyond_us = now_us - c->since_us - (int64_t)limits_of(c)->header_timeout_s * 1000000;

    return beyond_us > 0 && bytes < (uint64_t)beyond_us / 1000000 * limits_of(c)->min_body_rate;
}

/* The other end is through and everything is read. libmicrohttpd misses that when it came together with the last bytes. */
static bool has_ended(const struct conn *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void sweep_body(struct conn *c, int64_t now_us)
{
    struct request_private *p = c->request;

    if (!p)
        return;
    if (p->suspended)
        c->since_us += SWEEP_US; /* it is us who are slow */
    else if (has_ended(c))
        conn_cut(c);
    else if (below_rate(c, p->seen, now_us))
        cut_slow(c);
}

static void sweep_send(struct conn *c, int64_t now_us)
{
    uint64_t acked;

    if (now_us - c->since_us < 1000000)
        return;
    acked = bytes_acked(c->fd);
    if (c->acked == 0)
        c->acked = acked;
    else if (below_rate(c, acked - c->acked, now_us))
        conn_cut(c);
}

static void sweep_gate(struct conn *c)
{
    struct error err = { 0 };
    char         byte;

    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) { /* never said a word */
        conn_free(c);
        return;
    }
    error_set(&err, ERR_TIMEOUT, "the request took too long to arrive");
    gate_refuse(c, &err);
}

void conn_sweep(struct conn *c, int64_t now_us)
{
    int64_t age_us = now_us - c->since_us, header_us = (int64_t)limits_of(c)->header_timeout_s * 1000000;

    switch (c->phase) {
    case CONN_GATE:
        if (age_us > header_us)
            sweep_gate(c);
        break;
    case CONN_IDLE:
        if (age_us > (int64_t)limits_of(c)->idle_timeout_s * 1000000 || (age_us < 2 * SWEEP_US && has_ended(c)))
            conn_cut(c);
        break;
    case CONN_HEAD:
        if (age_us > header_us)
            cut_slow(c);
        else if (has_ended(c))
            conn_cut(c);
        break;
    case CONN_BODY:
        sweep_body(c, now_us);
        break;
    case CONN_SEND:
        sweep_send(c, now_us);
        break;
    case CONN_LINGER:
        if (age_us > LINGER_MS * INT64_C(1000))
            conn_free(c);
        break;
    case CONN_RUN:
    case CONN_STREAM:
    case CONN_CLOSED:
        break;
    }
}
