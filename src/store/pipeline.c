/* pipeline.c - see pipeline.h. Per query: the scope, the statement and a Sync, so that the two are one transaction. All that one loop
   turn submitted leaves in one write. A lost connection fails what is in flight (reads: the client asks again) and is opened anew. */
#include "store/pipeline.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/db_error.h"

#include <stdio.h>

enum { RECONNECT_MS = 250, CONNECT_MS = 5000 };

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_PREPARING, LINK_UP };

struct link {
    struct loop_fd         watch;
    struct loop_timer      again;
    struct pipeline       *owner;
    PGconn                *conn;
    enum link_state        state;
    unsigned               in_flight, results; /* results: of the statement at the head, since its first */
    struct pipeline_query *first, **last;
    struct rows            rows;
    struct error           err;
    bool                   dirty;
    unsigned               preparing; /* answers still to come */
};

struct pipeline {
    struct loop *loop;
    char        *conninfo;
    unsigned     count, max_waiting, waiting;
    /* Submitted while the first connections are still being made: sent with the first that stands, failed with the last that does not. */
    struct pipeline_query *pending, **pending_last;
    struct link            links[];
};

static void link_connect(struct loop_timer *t);
static void link_ready(struct loop_fd *w, uint32_t events);

static void release_result(void *res)
{
    PQclear(res);
}

static void finish(struct link *l, struct pipeline_query *q, struct rows *rows, const struct error *err)
{
    l->in_flight--;
    l->owner->waiting--;
    q->done(q, rows, err);
}

static bool any_link(const struct pipeline *p, enum link_state least)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->links[i].state >= least)
            return true;
    return false;
}

static struct pipeline_query *take_pending(struct pipeline *p)
{
    struct pipeline_query *q = p->pending;

    p->pending = NULL;
    p->pending_last = &p->pending;
    return q;
}

static void fail_pending(struct pipeline *p, const struct error *err)
{
    for (struct pipeline_query *q = take_pending(p), *next; q; q = next) {
        next = q->next;
        p->waiting--;
        q->done(q, NULL, err);
    }
}

static void send_pending(struct pipeline *p)
{
    struct error err = { 0 };

    error_set(&err, ERR_UNAVAILABLE, "database: no connection stands");
    for (struct pipeline_query *q = take_pending(p), *next; q; q = next) {
        next = q->next;
        p->waiting--;
        if (!pipeline_submit(p, q))
            q->done(q, NULL, &err);
    }
}

/* Everything in flight fails, and a new connection is tried soon. */
static void link_lost(struct link *l, const char *why)
{
    struct error           err = { 0 }, ignored = { 0 };
    struct pipeline_query *q = l->first;

    error_set(&err, ERR_UNAVAILABLE, "database: %s", why);
    if (l->state == LINK_UP || l->in_flight > 0)
        log_at(LOG_WARNING, "read lane: lost a database connection: %s", why);
    if (l->watch.events != 0 && loop_watch(l->owner->loop, &l->watch, 0, &ignored) < 0)
        l->watch.events = 0; /* the descriptor is gone already */
    l->first = NULL;
    l->last = &l->first;
    l->state = LINK_DOWN;
    PQfinish(TAKE(l->conn));
    for (struct pipeline_query *next; q; q = next) {
        next = q->next;
        finish(l, q, NULL, &err);
    }
    if (!any_link(l->owner, LINK_CONNECTING))
        fail_pending(l->owner, &err);
    loop_timer_set(l->owner->loop, &l->again, clock_steady_us() + RECONNECT_MS * 1000);
}

static void watch(struct link *l, uint32_t events)
{
    struct error err = { 0 };

    if (loop_watch(l->owner->loop, &l->watch, events, &err) < 0)
        link_lost(l, err.detail);
}

static void flush_link(struct link *l)
{
    int rc = PQflush(l->conn);

    l->dirty = false;
    if (rc < 0)
        link_lost(l, PQerrorMessage(l->conn));
    else
        watch(l, rc > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* All statements of the read lane are prepared at once, in one round trip, before the connection is used. */
static void link_prepare(struct link *l)
{
    bool ok = PQsetnonblocking(l->conn, 1) == 0 && PQenterPipelineMode(l->conn);

    for (unsigned i = 0; ok && i < SQL_COUNT; i++)
        if (strncmp(sql_info[i].name, "GET_", 4) == 0 || i == SQL_SCOPE_SET)
            ok = PQsendPrepare(l->conn, sql_info[i].name, sql_info[i].text, sql_info[i].params, NULL)
                 && ++l->preparing > 0;
    if (!ok || !PQpipelineSync(l->conn)) {
        link_lost(l, PQerrorMessage(l->conn));
        return;
    }
    l->state = LINK_PREPARING;
    flush_link(l);
}

static void link_connecting(struct link *l)
{
    PostgresPollingStatusType st = PQconnectPoll(l->conn);

    if (st == PGRES_POLLING_OK) {
        link_prepare(l);
        return;
    }
    if (st == PGRES_POLLING_FAILED) {
        link_lost(l, PQerrorMessage(l->conn));
        return;
    }
    if (l->watch.fd != PQsocket(l->conn)) { /* libpq may open another socket while it tries addresses */
        l->watch.events = 0;
        l->watch.fd = PQsocket(l->conn);
    }
    watch(l, st == PGRES_POLLING_WRITING ? EPOLLOUT : EPOLLIN);
}

static void link_connect(struct loop_timer *t)
{
    struct link *l = (struct link *)((char *)t - offsetof(struct link, again));

    if (l->state != LINK_DOWN) { /* the timer of an attempt, not of the pause between two */
        link_lost(l, "connecting took too long");
        return;
    }
    const char *keys[] = { "dbname", "application_name", "client_encoding", "connect_timeout", NULL };
    const char *values[] = { l->owner->conninfo, "dms read lane", "UTF8", "5", NULL };

    l->conn = PQconnectStartParams(keys, values, /* expand_dbname= */ 1);
    l->preparing = 0;
    l->results = 0;
    l->err = (struct error){ 0 };
    if (!l->conn || PQstatus(l->conn) == CONNECTION_BAD) {
        link_lost(l, l->conn ? PQerrorMessage(l->conn) : "no memory");
        return;
    }
    l->state = LINK_CONNECTING;
    loop_timer_set(l->owner->loop, &l->again, clock_steady_us() + CONNECT_MS * 1000);
    l->watch = (struct loop_fd){ .fd = PQsocket(l->conn), .ready = link_ready };
    watch(l, EPOLLOUT);
}

/* One result of the query at the head: first the scope's, then the statement's, then the Sync. */
static void take_result(struct link *l, PGresult *res)
{
    struct pipeline_query *q = l->first;
    ExecStatusType         st = PQresultStatus(res);

    if (st == PGRES_PIPELINE_SYNC) {
        struct error err = l->err;
        struct rows  rows = l->rows;

        PQclear(res);
        l->results = 0;
        l->err = (struct error){ 0 };
        l->rows = (struct rows){ 0 };
        l->first = q->next;
        if (!l->first)
            l->last = &l->first;
        if (err.code == ERR_NONE && !rows.res)
            error_set(&err, ERR_INTERNAL, "%s: no result", sql_info[q->sql].name);
        finish(l, q, &rows, &err);
        return;
    }
    if (st == PGRES_TUPLES_OK && l->results++ == 1 && arena_defer(q->arena, release_result, res)) {
        l->rows = (struct rows){ .res = res, .at = -1, .count = PQntuples(res) };
        return;
    }
    if (st == PGRES_TUPLES_OK && l->results > 1)
        error_set(&l->err, ERR_TOO_LARGE, "%s: no room for the result",
                  sql_info[q->sql].name); /* arena_defer has cleared it */
    else {
        if (st != PGRES_TUPLES_OK && st != PGRES_PIPELINE_ABORTED)
            db_error_of(res, l->conn, sql_info[q->sql].name, &l->err);
        PQclear(res);
    }
}

/* While preparing: an answer a statement, then the Sync. */
static bool take_prepared(struct link *l, PGresult *res)
{
    ExecStatusType st = PQresultStatus(res);

    if (st == PGRES_PIPELINE_SYNC) {
        l->state = LINK_UP;
        loop_timer_set(l->owner->loop, &l->again, 0);
        send_pending(l->owner);
    } else if (st != PGRES_COMMAND_OK)
        log_bug("read lane: a statement does not prepare: %s", PQresultErrorMessage(res));
    PQclear(res);
    return st == PGRES_COMMAND_OK || st == PGRES_PIPELINE_SYNC;
}

static void link_results(struct link *l)
{
    bool idle = false; /* a NULL ends a statement; two in a row: nothing is left */

    while ((l->first || l->state == LINK_PREPARING) && !PQisBusy(l->conn)) {
        PGresult *res = PQgetResult(l->conn);

        if (!res) {
            if (idle)
                return;
            idle = true;
            continue;
        }
        idle = false;
        if (PQresultStatus(res) == PGRES_FATAL_ERROR && PQstatus(l->conn) != CONNECTION_OK) {
            PQclear(res);
            link_lost(l, "the connection broke");
            return;
        }
        if (l->state == LINK_PREPARING) {
            if (!take_prepared(l, res)) {
                link_lost(l, "cannot prepare (is the schema up to date?)");
                return;
            }
        } else
            take_result(l, res);
    }
}

static void link_ready(struct loop_fd *w, uint32_t events)
{
    struct link *l = (struct link *)((char *)w - offsetof(struct link, watch));

    if (l->state == LINK_CONNECTING) {
        link_connecting(l);
        return;
    }
    if (l->state == LINK_DOWN)
        return;
    if ((events & EPOLLOUT) != 0)
        flush_link(l);
    if (l->state == LINK_DOWN || (events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    if (!PQconsumeInput(l->conn)) {
        link_lost(l, PQerrorMessage(l->conn));
        return;
    }
    link_results(l);
}

struct pipeline *pipeline_open(struct loop *loop, const char *conninfo, unsigned connections, unsigned max_waiting,
                               struct error *err)
{
    struct pipeline *p = calloc(1, sizeof *p + connections * sizeof p->links[0]);

    if (!p || !(p->conninfo = strdup(conninfo))) {
        free(p);
        error_set(err, ERR_UNAVAILABLE, "no memory for the read lane");
        return NULL;
    }
    p->loop = loop;
    p->count = connections;
    p->max_waiting = max_waiting;
    p->pending_last = &p->pending;
    for (unsigned i = 0; i < connections; i++) {
        struct link *l = &p->links[i];

        l->owner = p;
        l->last = &l->first;
        l->again.fire = link_connect;
        link_connect(&l->again);
    }
    return p;
}

void pipeline_close(struct pipeline *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->count; i++) {
        if (p->links[i].conn)
            link_lost(&p->links[i], "the server stops");
        loop_timer_set(p->loop, &p->links[i].again, 0);
    }
    free(p->conninfo);
    free(p);
}

/* The connection with the least in flight. */
static struct link *best_link(struct pipeline *p)
{
    struct link *best = NULL;

    for (unsigned i = 0; i < p->count; i++) {
        struct link *l = &p->links[i];

        if (l->state == LINK_UP && (!best || l->in_flight < best->in_flight))
            best = l;
    }
    return best;
}

bool pipeline_submit(struct pipeline *p, struct pipeline_query *q)
{
    struct link *l = best_link(p);
    const char  *scope[] = { q->scope.tenant_id ? q->scope.tenant_id : "", q->scope.user_id ? q->scope.user_id : "" };

    assert(q->nargs == sql_info[q->sql].params);
    if (p->waiting >= p->max_waiting || (!l && !any_link(p, LINK_CONNECTING)))
        return false;
    q->next = NULL;
    q->started_us = clock_steady_us();
    if (!l) {
        *p->pending_last = q;
        p->pending_last = &q->next;
        p->waiting++;
        return true;
    }
    if (!PQsendQueryPrepared(l->conn, sql_info[SQL_SCOPE_SET].name, 2, scope, NULL, NULL, 0)
        || !PQsendQueryPrepared(l->conn, sql_info[q->sql].name, q->nargs, q->args, NULL, NULL, 0)
        || !PQpipelineSync(l->conn)) {
        link_lost(l, PQerrorMessage(l->conn));
        return false;
    }
    *l->last = q;
    l->last = &q->next;
    l->in_flight++;
    p->waiting++;
    l->dirty = true;
    return true;
}

void pipeline_flush(struct pipeline *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->links[i].dirty && p->links[i].state == LINK_UP)
            flush_link(&p->links[i]);
}

unsigned pipeline_waiting(const struct pipeline *p)
{
    return p->waiting;
}

bool pipeline_up(const struct pipeline *p)
{
    return any_link(p, LINK_UP);
}
