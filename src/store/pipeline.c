/* pipeline.c - see pipeline.h. What one loop turn submits leaves as a batch: the statements with their scopes inside (sql_info.scoped), then one Sync,
   so they are one transaction and cost one write, one answer and one commit. A statement that fails takes those behind it in its batch along:
   they are sent again. What a lost connection had in flight (reads) goes out on another, or waits for the one that is opened at once in its place. */
#include "store/pipeline.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/db_error.h"

#include <stdio.h>

enum {
    RECONNECT_MS = 250,
    GRACE_MS = 1000, /* so long statements wait for a connection when the last one was lost */
    CONNECT_MS = 5000,
    MAX_ARGS = 24,
    MAX_BATCH = 32,
    MAX_TRIES = 8,
    LOSS_TRIES = 4 /* what a lost connection counts */
};

/* Who is nobody, so that row level security shows nothing before a statement has said who acts; and one plan a statement for all tenants, along
   an index always: a plan must not depend on whose request came first (docs/decisions/0009). */
#define NOBODY "00000000-0000-0000-0000-000000000000"
static const char nobody[] = NOBODY;
static const char session_options[] =
    "-c app.tenant_id=" NOBODY " -c app.user_id=" NOBODY " -c app.level=0"
    " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c jit=off";

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_PREPARING, LINK_UP };

struct link {
    struct loop_fd         watch;
    struct loop_timer      again;
    struct pipeline       *owner;
    PGconn                *conn;
    enum link_state        state;
    unsigned               in_flight;
    unsigned               unsynced, syncs; /* statements since the last Sync; Syncs that are not answered yet */
    struct pipeline_query *first, **last, *newest;
    bool                   expects_end; /* the head's batch is answered but for its Sync */
    struct pipeline_query *aborted,
        **aborted_last; /* of the batch that is being answered: another one's error took them along */
};

struct pipeline {
    struct loop            *loop;
    char                   *conninfo;
    char                    options[512];
    unsigned                count, waiting;
    bool                    closing;
    int64_t                 lost_us; /* when the last connection was lost, or the pipeline opened */
    struct pipeline_options with;
    /* Submitted while no connection stands: sent with the first that does, failed when none is worth waiting for. */
    struct pipeline_query *pending, **pending_last;
    struct link            links[];
};

static void link_connect(struct loop_timer *t);
static void link_ready(struct loop_fd *w, uint32_t events);

static void append(struct pipeline_query ***last, struct pipeline_query *q)
{
    q->next = NULL;
    **last = q;
    *last = &q->next;
}

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

/* Whether a connection is worth waiting for. */
static bool may_come(const struct pipeline *p)
{
    return !p->closing && (any_link(p, LINK_CONNECTING) || clock_steady_us() - p->lost_us < GRACE_MS * INT64_C(1000));
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
    for (struct pipeline_query *q = take_pending(p), *next; q; q = next) {
        struct error err = { 0 };

        next = q->next;
        p->waiting--;
        if (pipeline_submit(p, q, &err) < 0)
            q->done(q, NULL, &err);
    }
}

static void link_empty(struct link *l)
{
    l->first = l->aborted = NULL;
    l->last = &l->first;
    l->aborted_last = &l->aborted;
    l->unsynced = l->syncs = 0;
    l->expects_end = false;
}

/* Sends what lost its connection or its batch again, as another try; one that has had enough of them fails. */
static void send_again(struct link *l, struct pipeline_query *q, unsigned tries, const char *why)
{
    for (struct pipeline_query *next; q; q = next) {
        struct error err = { 0 };

        next = q->next;
        l->in_flight--;
        l->owner->waiting--;
        q->tries += tries;
        if (q->tries > MAX_TRIES)
            error_set(&err, ERR_UNAVAILABLE, "database: %s", why);
        else if (pipeline_submit(l->owner, q, &err) == 0)
            continue;
        q->done(q, NULL, &err);
    }
}

/* A connection that stood is replaced at once; one that could not be made is tried again after a pause. */
static void link_lost(struct link *l, const char *reason)
{
    struct error           err = { 0 }, ignored = { 0 };
    struct pipeline_query *q;
    char                   why[256];
    int64_t                pause_us = l->state == LINK_UP ? 0 : RECONNECT_MS * 1000;

    snprintf(why, sizeof why, "%s", reason); /* libpq's text goes with the connection */
    if (l->state == LINK_UP)
        log_at(LOG_WARNING, "%s: lost a database connection: %s", l->owner->with.name, why);
    if (l->watch.events != 0 && loop_watch(l->owner->loop, &l->watch, 0, &ignored) < 0)
        l->watch.events = 0; /* the descriptor is gone already */
    *l->last = l->aborted;
    q = l->first;
    link_empty(l);
    l->state = LINK_DOWN;
    PQfinish(TAKE(l->conn));
    loop_timer_set(l->owner->loop, &l->again, clock_steady_us() + pause_us);
    if (pause_us == 0 && !any_link(l->owner, LINK_UP))
        l->owner->lost_us = clock_steady_us();
    send_again(l, q, LOSS_TRIES, why);
    error_set(&err, ERR_UNAVAILABLE, "database: %s", why);
    if (!may_come(l->owner))
        fail_pending(l->owner, &err);
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

    if (rc < 0)
        link_lost(l, PQerrorMessage(l->conn));
    else
        watch(l, rc > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* The end of a batch: now it is written. */
static void sync_link(struct link *l)
{
    if (!PQpipelineSync(l->conn)) {
        link_lost(l, PQerrorMessage(l->conn));
        return;
    }
    l->newest->ends_batch = true;
    l->unsynced = 0;
    l->syncs++;
    flush_link(l);
}

/* All statements of the read lane are prepared at once, in one round trip, before the connection is used. */
static void link_prepare(struct link *l)
{
    bool ok = PQsetnonblocking(l->conn, 1) == 0 && PQenterPipelineMode(l->conn);

    for (unsigned i = 0; ok && i < SQL_COUNT; i++)
        if (sql_info[i].scoped)
            ok = PQsendPrepare(l->conn, sql_info[i].name, sql_info[i].scoped, sql_info[i].params + 3, NULL);
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
    const char *keys[] = { "dbname", "application_name", "client_encoding", "connect_timeout", "options", NULL };
    const char *values[] = { l->owner->conninfo, l->owner->with.name, "UTF8", "5", l->owner->options, NULL };

    l->conn = PQconnectStartParams(keys, values, /* expand_dbname= */ 1);
    if (!l->conn || PQstatus(l->conn) == CONNECTION_BAD) {
        link_lost(l, l->conn ? PQerrorMessage(l->conn) : "no memory");
        return;
    }
    l->state = LINK_CONNECTING;
    loop_timer_set(l->owner->loop, &l->again, clock_steady_us() + CONNECT_MS * 1000);
    l->watch = (struct loop_fd){ .fd = PQsocket(l->conn), .ready = link_ready };
    watch(l, EPOLLOUT);
}

/* A batch is over: what its error took along goes out again, without the one that failed. */
static void take_end(struct link *l)
{
    struct pipeline_query *q = l->aborted;

    l->expects_end = false;
    l->syncs--;
    l->aborted = NULL;
    l->aborted_last = &l->aborted;
    send_again(l, q, 1, "others' errors took it along too often");
}

/* What the statement at the head came to. */
static void take_answer(struct link *l, PGresult *res)
{
    struct pipeline_query *q = l->first;
    struct error           err = { 0 };
    struct rows            rows = { .res = res, .at = -1, .count = PQntuples(res) };
    ExecStatusType         st = PQresultStatus(res);

    l->expects_end = q->ends_batch;
    l->first = q->next;
    if (!l->first)
        l->last = &l->first;
    if (st == PGRES_PIPELINE_ABORTED) {
        append(&l->aborted_last, q);
        PQclear(res);
        return;
    }
    if (st != PGRES_TUPLES_OK) {
        db_error_of(res, l->conn, sql_info[q->sql].name, &err);
        PQclear(res);
    } else if (!arena_defer(q->arena, release_result, res)) /* which has cleared it */
        error_set(&err, ERR_TOO_LARGE, "%s: no room for the result", sql_info[q->sql].name);
    metric_observe(METRIC_DB_TIME_READ, clock_steady_us() - q->started_us);
    finish(l, q, &rows, &err);
}

/* False when it does not fit: a batch is answered statement by statement and then by its Sync. An error of the Sync itself would shift every
   answer to the next one's asker, who may be of another tenant. */
static bool take_result(struct link *l, PGresult *res)
{
    bool is_end = PQresultStatus(res) == PGRES_PIPELINE_SYNC;

    if (is_end != l->expects_end || (!is_end && !l->first)) {
        PQclear(res);
        return false;
    }
    if (is_end) {
        PQclear(res);
        take_end(l);
    } else
        take_answer(l, res);
    return true;
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

/* FATAL is PostgreSQL's word for an error that ends the session (an administrator's command, a crash), not the statement. */
static bool ends_connection(const struct link *l, const PGresult *res)
{
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

    return PQresultStatus(res) == PGRES_FATAL_ERROR
           && (PQstatus(l->conn) != CONNECTION_OK || (severity && str_eq(str_of(severity), S("FATAL"))));
}

static void link_results(struct link *l)
{
    bool idle = false; /* a NULL ends a statement; two in a row: nothing is left */

    while ((l->syncs > 0 || l->state == LINK_PREPARING) && !PQisBusy(l->conn)) {
        PGresult *res = PQgetResult(l->conn);

        if (!res) {
            if (idle)
                return;
            idle = true;
            continue;
        }
        idle = false;
        if (ends_connection(l, res)) {
            PQclear(res);
            link_lost(l, "PostgreSQL ended the connection");
            return;
        }
        if (l->state == LINK_PREPARING) {
            if (!take_prepared(l, res)) {
                link_lost(l, "cannot prepare (is the schema up to date?)");
                return;
            }
        } else if (!take_result(l, res)) {
            link_lost(l, "an answer came that nobody waits for");
            return;
        }
    }
}

static void link_ready(struct loop_fd *w, uint32_t events)
{
    struct link *l = (struct link *)((char *)w - offsetof(struct link, watch));

    if (l->state == LINK_CONNECTING) {
        link_connecting(l);
        return;
    }
    if ((events & EPOLLOUT) != 0 && l->state > LINK_CONNECTING)
        flush_link(l);
    if (l->state <= LINK_CONNECTING || (events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    if (!PQconsumeInput(l->conn)) {
        link_lost(l, PQerrorMessage(l->conn));
        return;
    }
    link_results(l);
}

struct pipeline *pipeline_open(struct loop *loop, const char *conninfo, struct pipeline_options with, struct error *err)
{
    struct pipeline *p = calloc(1, sizeof *p + with.connections * sizeof p->links[0]);

    if (!p || !(p->conninfo = strdup(conninfo))) {
        free(p);
        error_set(err, ERR_UNAVAILABLE, "no memory for the read lane");
        return NULL;
    }
    p->loop = loop;
    p->count = with.connections;
    p->with = with;
    p->lost_us = clock_steady_us();
    p->with.batch = with.batch < MAX_BATCH ? with.batch : MAX_BATCH;
    snprintf(p->options, sizeof p->options, "%s -c statement_timeout=%u", session_options, with.timeout_ms);
    p->pending_last = &p->pending;
    for (unsigned i = 0; i < p->count; i++) {
        struct link *l = &p->links[i];

        l->owner = p;
        link_empty(l);
        l->again.fire = link_connect;
        link_connect(&l->again);
    }
    return p;
}

void pipeline_close(struct pipeline *p)
{
    struct error err = { 0 };

    if (!p)
        return;
    p->closing = true;
    for (unsigned i = 0; i < p->count; i++) {
        if (p->links[i].conn)
            link_lost(&p->links[i], "the server stops");
        loop_timer_set(p->loop, &p->links[i].again, 0);
    }
    error_set(&err, ERR_UNAVAILABLE, "the server stops");
    fail_pending(p, &err);
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

/* Queues the statement with its scope behind its own arguments. */
static bool send_query(struct link *l, const struct pipeline_query *q)
{
    const char *args[MAX_ARGS];
    int         n = 0;

    for (; n < q->nargs; n++)
        args[n] = q->args[n];
    args[n++] = q->scope.tenant_id ? q->scope.tenant_id : nobody;
    args[n++] = q->scope.user_id ? q->scope.user_id : nobody;
    args[n++] = db_scope_level(&q->scope);
    return PQsendQueryPrepared(l->conn, sql_info[q->sql].name, n, args, NULL, NULL, 0);
}

/* How many of a tenant's statements are with the connections. */
static unsigned waiting_of(const struct pipeline *p, const char *tenant_id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->count; i++)
        for (const struct pipeline_query *q = p->links[i].first; q; q = q->next)
            n += q->scope.tenant_id && strcmp(q->scope.tenant_id, tenant_id) == 0;
    return n;
}

static int admit(const struct pipeline *p, const struct pipeline_query *q, const struct link *l, struct error *err)
{
    if (!p || (!l && !may_come(p)))
        return error_set(err, ERR_UNAVAILABLE, "the read lane has no database connection");
    if (p->waiting >= p->with.max_waiting)
        return error_set(err, ERR_UNAVAILABLE, "too many statements wait in the read lane");
    if (p->with.per_tenant > 0 && q->scope.tenant_id && waiting_of(p, q->scope.tenant_id) >= p->with.per_tenant)
        return error_set(err, ERR_RATE_LIMITED, "too many slow lists of this organization wait");
    return 0;
}

int pipeline_submit(struct pipeline *p, struct pipeline_query *q, struct error *err)
{
    struct link *l = p ? best_link(p) : NULL;

    assert(sql_info[q->sql].scoped && q->nargs == sql_info[q->sql].params && q->nargs + 3 <= MAX_ARGS);
    if (admit(p, q, l, err) < 0)
        return -1;
    q->started_us = clock_steady_us();
    if (!l) {
        append(&p->pending_last, q);
        p->waiting++;
        return 0;
    }
    if (!send_query(l, q)) {
        link_lost(l, PQerrorMessage(l->conn));
        return error_set(err, ERR_UNAVAILABLE, "the read lane lost its database connection");
    }
    q->ends_batch = false;
    append(&l->last, q);
    l->newest = q;
    l->in_flight++;
    p->waiting++;
    if (++l->unsynced >= p->with.batch)
        sync_link(l);
    return 0;
}

void pipeline_flush(struct pipeline *p)
{
    for (unsigned i = 0; p && i < p->count; i++)
        if (p->links[i].unsynced > 0)
            sync_link(&p->links[i]);
}
