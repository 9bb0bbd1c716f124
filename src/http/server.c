/* server.c - opens, runs and ends the loops. Each has its listening socket, its two libmicrohttpd daemons without threads of their own (one
   with little memory a connection, one for clients with large heads) and its connections; nothing is shared but counters. */
#include "http/private.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void loop_random(struct http_loop *l, void *out, size_t n)
{
    assert(n <= sizeof l->random);
    if (l->random_left < n) {
        random_bytes(l->random, sizeof l->random);
        l->random_left = sizeof l->random;
    }
    l->random_left -= n;
    memcpy(out, l->random + l->random_left, n);
}

/* --- libmicrohttpd's calls --- */

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void *on_target(void *loop, const char *target, struct MHD_Connection *mhd)
{
    return request_open(loop, conn_of(mhd), mhd, target ? target : "");
}

static enum MHD_Result on_request(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request)
{
    (void)loop;
    (void)mhd;
    (void)url;
    (void)version;
    return *request ? request_step(*request, method, data, size) : MHD_NO;
}

static void on_completed(void *loop, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why)
{
    (void)loop;
    if (*request)
        request_over(*request, why);
    *request = NULL;
    conn_completed(conn_of(mhd), why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_loop *l = arg;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = wire_conn(l, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        assert(*context);
    } else if (*context) {
        struct conn *c = *context;

        c->phase = CONN_CLOSED; /* the descriptor is libmicrohttpd's to close */
        conn_free(c);
        *context = NULL;
    }
}

/* --- accepting --- */

static bool has_room(const struct http_server *s)
{
    return atomic_load(&s->connections) < s->limits.max_connections;
}

static void watch_listen(struct http_loop *l, bool accept)
{
    struct error err = { 0 };

    if (l->listen_watch.fd < 0 || l->accepting == accept)
        return;
    if (loop_watch(l->loop, &l->listen_watch, accept ? EPOLLIN : 0, &err) < 0)
        log_bug("cannot watch the listening socket: %s", err.detail);
    else
        l->accepting = accept;
}

void server_room(struct http_loop *l)
{
    if (!l->accepting && has_room(l->server))
        watch_listen(l, true);
}

static void accept_ready(struct loop_fd *w, uint32_t events)
{
    struct http_loop *l = container_of(w, struct http_loop, listen_watch);

    (void)events;
    for (int i = 0; i < 64; i++) {
        if (!has_room(l->server)) { /* the rest waits in the backlog */
            watch_listen(l, false);
            return;
        }
        int          fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct conn *c = fd < 0 ? NULL : conn_new(l, fd);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                watch_listen(l, false); /* until a connection ends, or the next sweep */
            return;
        }
        if (c)
            gate_open(c);
        else
            closep(&fd);
    }
}

/* --- turns --- */

static void run_small(struct loop_fd *w, uint32_t events)
{
    (void)events;
    struct http_loop *l = container_of(w, struct http_loop, small_watch);

    wire_run(l, l->small);
}

static void run_large(struct loop_fd *w, uint32_t events)
{
    (void)events;
    struct http_loop *l = container_of(w, struct http_loop, large_watch);

    wire_run(l, l->large);
}

static bool is_pending(struct MHD_Daemon *d)
{
    MHD_UNSIGNED_LONG_LONG ms;

    return MHD_get_timeout(d, &ms) == MHD_YES && ms == 0;
}

/* What was resumed in this turn goes on in this turn; a few rounds, so that other descriptors are heard too. */
static void end_of_turn(void *arg)
{
    struct http_loop *l = arg;

    for (int i = 0; i < 4; i++) {
        bool again = l->resumed;

        l->resumed = false;
        if (again || is_pending(l->small))
            wire_run(l, l->small);
        if (again || is_pending(l->large))
            wire_run(l, l->large);
        if (!l->resumed && !is_pending(l->small) && !is_pending(l->large))
            break;
    }
    if (l->state && l->server->app.loop_flush)
        l->server->app.loop_flush(l->state);
    access_log_flush(l);
}

static int before_wait(void *arg)
{
    struct http_loop *l = arg;

    return l->resumed || is_pending(l->small) || is_pending(l->large) ? 0 : -1;
}

static void retry_aborts(struct http_loop *l)
{
    struct request_private *p = l->aborts, *next;

    for (l->aborts = NULL; p; p = next) {
        next = p->next;
        body_abort(p);
    }
}

static void sweep(struct loop_timer *t)
{
    struct http_loop *l = container_of(t, struct http_loop, sweep);
    int64_t           now_us = clock_steady_us();

    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        conn_sweep(c, now_us);
    }
    events_sweep(l, now_us);
    retry_aborts(l);
    server_room(l);
    loop_timer_set(l->loop, &l->sweep, now_us + SWEEP_US);
}

/* --- the end --- */

static void check_stopped(struct loop_timer *t)
{
    struct http_loop *l = container_of(t, struct http_loop, stop_timer);
    int64_t           now_us = clock_steady_us();
    bool              busy = l->in_flight > 0;

    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        if (c->phase == CONN_IDLE && now_us - c->since_us > STOP_TICK_US * 2)
            conn_cut(c);
        else if (c->phase == CONN_GATE && now_us - c->since_us > STOP_TICK_US * 2)
            conn_free(c);
    }
    retry_aborts(l);
    if (!busy || now_us > l->stop_deadline_us)
        loop_stop(l->loop);
    else
        loop_timer_set(l->loop, &l->stop_timer, now_us + STOP_TICK_US);
}

static void stop_ready(struct loop_fd *w, uint32_t events)
{
    struct http_loop *l = container_of(w, struct http_loop, stop_watch);
    struct error      ignored = { 0 }; /* both descriptors are done with */

    (void)events;
    watch_listen(l, false);
    closep(&l->listen_watch.fd);
    l->listen_watch.fd = -1;
    if (loop_watch(l->loop, &l->stop_watch, 0, &ignored) < 0)
        log_bug("the stop signal could not be unwatched");
    l->stopping = true;
    l->stop_deadline_us = clock_steady_us() + (int64_t)l->server->limits.stop_s * 1000000;
    events_stop(l);
    check_stopped(&l->stop_timer);
}

void http_server_stop(struct http_server *s)
{
    uint64_t one = 1;
    ssize_t  ignored = write(s->stop_fd, &one, sizeof one); /* a full counter stops as well */

    (void)ignored;
}

static void *loop_thread(void *arg)
{
    struct http_loop *l = arg;

    loop_run(l->loop);
    return NULL;
}

void http_server_run(struct http_server *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the main thread */
    for (unsigned i = 1; i < s->loop_count; i++) {
        s->loops[i].has_thread = pthread_create(&s->loops[i].thread, NULL, loop_thread, &s->loops[i]) == 0;
        if (!s->loops[i].has_thread)
            log_at(LOG_ERROR, "cannot start event loop %u", i);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop_run(s->loops[0].loop);
    for (unsigned i = 1; i < s->loop_count; i++)
        if (s->loops[i].has_thread)
            pthread_join(s->loops[i].thread, NULL);
}

/* --- opening --- */

static int make_address(const struct http_limits *limits, unsigned port, struct sockaddr_storage *ret,
                        socklen_t *ret_len, struct error *err)
{
    struct sockaddr_in  *v4 = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
    const char          *listen = strcmp(limits->listen, "localhost") == 0 ? "127.0.0.1" : limits->listen;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, listen, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_len = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, listen, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof *v6;
        return 0;
    }
    return error_say(err, ERR_VALIDATION, "listen", "%s is not an address to listen on", limits->listen);
}

/* A listening socket; with port 0 the first loop picks the port for all. */
static int open_listen(struct http_server *s, struct http_loop *l, struct error *err)
{
    struct sockaddr_storage a;
    socklen_t               n;
    int                     on = 1, off = 0;

    if (make_address(&s->limits, s->port, &a, &n, err) < 0)
        return -1;
    int  fd = l->listen_watch.fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
              && (s->loop_count == 1 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0)
              && (a.ss_family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0)
              && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, SOMAXCONN) == 0
              && getsockname(fd, (struct sockaddr *)&a, &n) == 0;
    if (!ok)
        return error_say(err, ERR_UNAVAILABLE, "port", "cannot listen on %s port %u: %s", s->limits.listen, s->port,
                         strerror(errno));
    s->port = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                           : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
    return 0;
}

static struct MHD_Daemon *open_daemon(struct http_loop *l, size_t memory, struct loop_fd *watch, struct error *err)
{
    unsigned           flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_Daemon *d = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, l, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096, MHD_OPTION_CONNECTION_LIMIT,
        l->server->limits.max_connections + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, l, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_URI_LOG_CALLBACK, on_target, l,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

    if (!info) {
        error_set(err, ERR_UNAVAILABLE, "libmicrohttpd does not start: %s", strerror(errno));
        return d;
    }
    watch->fd = info->epoll_fd;
    if (loop_watch(l->loop, watch, EPOLLIN, err) < 0)
        watch->fd = -1;
    return d;
}

static int open_loop(struct http_server *s, struct http_loop *l, struct error *err)
{
    l->server = s;
    l->listen_watch = (struct loop_fd){ .fd = -1, .ready = accept_ready };
    l->small_watch = (struct loop_fd){ .fd = -1, .ready = run_small };
    l->large_watch = (struct loop_fd){ .fd = -1, .ready = run_large };
    l->stop_watch = (struct loop_fd){ .fd = s->stop_fd, .ready = stop_ready };
    l->sweep.fire = sweep;
    l->stop_timer.fire = check_stopped;
    l->scratch = malloc(SCRATCH);
    if (!l->scratch)
        return error_set(err, ERR_UNAVAILABLE, "no memory for an event loop");
    l->loop = loop_open(err);
    if (!l->loop || open_listen(s, l, err) < 0)
        return -1;
    l->small = open_daemon(l, POOL_SMALL, &l->small_watch, err);
    l->large = open_daemon(l, POOL_LARGE, &l->large_watch, err);
    if (err->code != ERR_NONE || loop_watch(l->loop, &l->stop_watch, EPOLLIN, err) < 0)
        return -1;
    if (s->app.loop_open) {
        l->state = s->app.loop_open(s->app.arg, l->loop, err);
        if (!l->state)
            return -1;
    }
    loop_on_turn(l->loop, end_of_turn, before_wait, l);
    loop_timer_set(l->loop, &l->sweep, clock_steady_us() + SWEEP_US);
    watch_listen(l, true);
    return 0;
}

struct http_server *http_server_open(const struct http_app *app, const struct http_limits *limits,
                                     struct work_pool *pool, struct error *err)
{
    unsigned            loops = limits->loops > 0 ? limits->loops : 1;
    struct http_server *s = calloc(1, sizeof *s + loops * sizeof s->loops[0]);

    if (!s) {
        error_set(err, ERR_UNAVAILABLE, "no memory for %u event loops", loops);
        return NULL;
    }
    s->app = *app;
    s->limits = *limits;
    s->pool = pool;
    s->port = limits->port;
    s->loop_count = loops;
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->routes =
        cors_check(limits->cors_origins, err) == 0 ? route_index_open(app->routes, app->route_count, err) : NULL;
    signal(SIGPIPE, SIG_IGN); /* libmicrohttpd sends files with sendfile, which has no flag for it */
    if (s->stop_fd < 0)
        error_set(err, ERR_UNAVAILABLE, "cannot make an eventfd: %s", strerror(errno));
    for (unsigned i = 0; err->code == ERR_NONE && i < loops; i++)
        if (open_loop(s, &s->loops[i], err) < 0)
            break;
    if (err->code == ERR_NONE)
        return s;
    http_server_close(s);
    return NULL;
}

/* What still runs when the time was up: the work lane is closed by now, so its results are among the loop's calls. */
static void finish_loop(struct http_loop *l)
{
    loop_run_calls(l->loop);
    for (struct conn *c = l->conns; c; c = c->next)
        if (c->request && c->request->suspended)
            request_give_up(c->request);
    events_stop(l);
    for (int i = 0; i < 8;
         i++) { /* a few rounds: what ends a request may hand over a call, and a call may end a request */
        loop_run_calls(l->loop);
        end_of_turn(l);
    }
}

/* The work lane is gone: what it would have done is done here. */
static void abort_sinks(struct http_loop *l)
{
    for (struct request_private *p = l->aborts, *next; p; p = next) {
        next = p->next;
        l->server->app.sink.abort(p->req.upload.sink);
        p->req.upload.sink = NULL;
        request_release(p);
    }
    l->aborts = NULL;
}

static void close_loop(struct http_loop *l)
{
    if (l->state && l->server->app.loop_close) /* while the requests live whose statements it ends */
        l->server->app.loop_close(TAKE(l->state));
    if (l->small && l->large)
        finish_loop(l);
    if (l->small)
        MHD_stop_daemon(l->small);
    if (l->large)
        MHD_stop_daemon(l->large);
    if (l->loop)
        loop_run_calls(l->loop);
    abort_sinks(l);
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        conn_free(c);
    }
    closep(&l->listen_watch.fd);
    for (struct request_private *p = l->spare, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    access_log_flush(l);
    free(l->log);
    free(l->wires);
    free(l->scratch);
    loop_close(l->loop);
}

void http_server_close(struct http_server *s)
{
    if (!s)
        return;
    s->pool = NULL; /* closed by now; connections that end next must not hand it anything */
    for (unsigned i = 0; i < s->loop_count; i++)
        if (s->loops[i].server)
            close_loop(&s->loops[i]);
    route_index_close(s->routes);
    closep(&s->stop_fd);
    free(s);
}

unsigned http_server_port(const struct http_server *s)
{
    return s->port;
}

unsigned http_server_connections(const struct http_server *s)
{
    return atomic_load(&s->connections);
}
