/* db.c - see db.h. Statements are prepared at their first use on each connection; BEGIN and the scope go out in one round trip. */
#include "store/db.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "store/db_error.h"

#include <stdio.h>

#define X(name, params, tenant, text, scoped) [SQL_##name] = { #name, params, tenant, text, scoped },
const struct sql_info sql_info[SQL_COUNT] = {
#include "sql.def"
};
#undef X

enum { TX_ATTEMPTS = 4, MAX_ARGS = 24 };

struct db {
    PGconn     *conn;
    const char *conninfo, *application_name, *options;
    const char *tenant_id;    /* of the transaction */
    bool        in_tx, retry; /* retry: the last error was a serialization failure */
    bool        prepared[SQL_COUNT];
};

DEFINE_CLEANUP(PGresult *, PQclear)

static void release_result(void *res)
{
    PQclear(res);
}

struct db *db_open(const char *conninfo, const char *application_name, struct error *err)
{
    struct db *db = calloc(1, sizeof *db);

    if (!db || !(db->conninfo = strdup(conninfo)) || !(db->application_name = strdup(application_name))) {
        db_close(db);
        error_set(err, ERR_UNAVAILABLE, "no memory for a database connection");
        return NULL;
    }
    return db;
}

void db_plan_once(struct db *db)
{
    db->options = "-c plan_cache_mode=force_generic_plan";
}

void db_close(struct db *db)
{
    if (!db)
        return;
    PQfinish(db->conn);
    free((void *)(uintptr_t)db->conninfo);
    free((void *)(uintptr_t)db->application_name);
    free(db);
}

/* Server messages go into our log by way of errors, never to stderr by themselves. */
static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static int db_connect(struct db *db, struct error *err)
{
    if (db->conn && PQstatus(db->conn) == CONNECTION_OK)
        return 0;
    const char *keys[] = {
        "dbname", "application_name", "client_encoding", "connect_timeout", db->options ? "options" : NULL, NULL
    };
    const char *values[] = { db->conninfo, db->application_name, "UTF8", "5", db->options, NULL };

    PQfinish(db->conn);
    memset(db->prepared, 0, sizeof db->prepared);
    db->conn = PQconnectdbParams(keys, values, /* expand_dbname= */ 1);
    if (PQstatus(db->conn) == CONNECTION_OK) {
        PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
        return 0;
    }
    error_set(err, ERR_UNAVAILABLE, "database: %s", PQerrorMessage(db->conn));
    PQfinish(TAKE(db->conn));
    return -1;
}

static int parameters(enum sql q)
{
    return sql_info[q].params + (sql_info[q].tenant ? 1 : 0);
}

static int db_prepare(struct db *db, enum sql q, struct error *err)
{
    if (db->prepared[q])
        return 0;
    _cleanup_(PQclearp) PGresult *res = PQprepare(db->conn, sql_info[q].name, sql_info[q].text, parameters(q), NULL);

    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        return db_error_of(res, db->conn, sql_info[q].name, err);
    db->prepared[q] = true;
    return 0;
}

static int simple(struct db *db, const char *sql, struct error *err)
{
    _cleanup_(PQclearp) PGresult *res = PQexec(db->conn, sql);

    if (PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK)
        return 0;
    db->retry = db_error_retryable(res);
    return db_error_of(res, db->conn, "transaction", err);
}

/* A transaction with a failed statement in it answers COMMIT with ROLLBACK, which libpq calls success. */
static int commit(struct db *db, struct error *err)
{
    _cleanup_(PQclearp) PGresult *res = PQexec(db->conn, "COMMIT");

    if (PQresultStatus(res) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(res), "COMMIT") == 0)
        return 0;
    if (PQresultStatus(res) == PGRES_COMMAND_OK)
        return error_set(err, ERR_INTERNAL, "COMMIT: an error in the transaction was passed over");
    db->retry = db_error_retryable(res);
    return db_error_of(res, db->conn, "COMMIT", err);
}

/* A server that ends a session (a restart, a crash of another session) leaves results out, on a connection that still looks well: PQgetResult
   then says NULL for ever. One NULL ends a statement, two in a row mean that nothing more comes. */
static int begin(struct db *db, struct db_scope scope, struct error *err)
{
    const char *args[] = { scope.tenant_id ? scope.tenant_id : "", scope.user_id ? scope.user_id : "",
                           db_scope_level(&scope) };
    bool ended = false;
    int  results = 3; /* BEGIN, the scope, the end of the pipeline */

    if (db_prepare(db, SQL_SCOPE_SET, err) < 0)
        return -1;
    bool sent = PQenterPipelineMode(db->conn) && PQsendQueryParams(db->conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 0)
                && PQsendQueryPrepared(db->conn, sql_info[SQL_SCOPE_SET].name, 3, args, NULL, NULL, 0)
                && PQpipelineSync(db->conn);
    while (sent && results > 0) {
        PGresult *res = PQgetResult(db->conn);

        if (!res) {
            if (ended || PQstatus(db->conn) != CONNECTION_OK)
                break;
            ended = true;
            continue;
        }
        ended = false;
        ExecStatusType st = PQresultStatus(res);
        if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK && st != PGRES_PIPELINE_SYNC
            && st != PGRES_PIPELINE_ABORTED)
            db_error_of(res, db->conn, "BEGIN", err);
        PQclear(res);
        results--;
    }
    if (results > 0 || !PQexitPipelineMode(db->conn))
        return error_set(err, ERR_UNAVAILABLE, "database: the connection broke: %s", PQerrorMessage(db->conn));
    return err->code == ERR_NONE ? 0 : -1;
}

/* One attempt. *ret_again: a new one may succeed and nothing of this one was committed. */
static int attempt(struct db *db, struct db_scope scope, tx_fn *fn, void *arg, bool *ret_again, struct error *err)
{
    struct error ignored = { 0 }; /* a failed ROLLBACK: the connection is gone, and with it the transaction */
    bool         committing = false;

    db->retry = false;
    *ret_again = false;
    if (db_connect(db, err) < 0)
        return -1;
    if (begin(db, scope, err) < 0) {
        *ret_again = err->code == ERR_UNAVAILABLE; /* an idle connection had died; nothing was done */
        if (*ret_again)
            PQfinish(TAKE(db->conn)); /* it may look well for a while yet */
        goto fail;
    }
    db->in_tx = true;
    db->tenant_id = scope.tenant_id;
    if (fn(db, arg, err) >= 0) {
        committing = true;
        if (commit(db, err) == 0) {
            db->in_tx = false;
            return 0;
        }
    }
    *ret_again = db->retry || (!committing && PQstatus(db->conn) != CONNECTION_OK);
fail:
    db->in_tx = false;
    if (PQstatus(db->conn) != CONNECTION_OK || PQpipelineStatus(db->conn) != PQ_PIPELINE_OFF)
        PQfinish(TAKE(db->conn));
    else if (PQtransactionStatus(db->conn) != PQTRANS_IDLE && simple(db, "ROLLBACK", &ignored) < 0)
        PQfinish(TAKE(db->conn));
    return -1;
}

int db_in_tx(struct db *db, struct db_scope scope, tx_fn *fn, void *arg, struct error *err)
{
    bool again = true;

    assert(!db->in_tx);
    for (unsigned i = 0; again && i < TX_ATTEMPTS; i++) {
        *err = (struct error){ 0 };
        if (i > 0)
            clock_sleep_ms(5u << i);
        if (attempt(db, scope, fn, arg, &again, err) == 0)
            return 0;
    }
    return -1;
}

int db_query(struct db *db, struct arena *a, enum sql q, const char *const *args, int nargs, struct rows *ret,
             struct error *err)
{
    const char *all[MAX_ARGS];

    assert(db->in_tx && nargs == sql_info[q].params && nargs < MAX_ARGS);
    if (a->failed)
        return error_set(err, ERR_TOO_LARGE, "%s: the memory of this request is used up", sql_info[q].name);
    if (db_prepare(db, q, err) < 0)
        return -1;
    for (int i = 0; i < nargs; i++)
        all[i] = args[i];
    all[nargs] = db->tenant_id;
    int64_t   start_us = clock_steady_us();
    PGresult *res = PQexecPrepared(db->conn, sql_info[q].name, parameters(q), all, NULL, NULL, 0);
    metric_observe(METRIC_DB_TIME_WORK, clock_steady_us() - start_us);
    if (!arena_defer(a, release_result, res))
        return error_set(err, ERR_TOO_LARGE, "%s: no room for the result", sql_info[q].name);
    if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK) {
        db->retry = db_error_retryable(res);
        return db_error_of(res, db->conn, sql_info[q].name, err);
    }
    *ret = (struct rows){ .res = res, .at = -1, .count = db_result_count(res) };
    return 0;
}

int db_exec(struct db *db, enum sql q, const char *const *args, int nargs, struct error *err)
{
    struct arena a = ARENA(4096);
    struct rows  r = { 0 };
    int          rc = db_query(db, &a, q, args, nargs, &r, err);

    arena_free(&a);
    return rc < 0 ? -1 : r.count;
}

struct alone {
    struct arena      *arena;
    enum sql           sql;
    const char *const *args;
    int                nargs;
    struct rows       *ret;
};

static int alone_tx(struct db *db, void *arg, struct error *err)
{
    struct alone *x = arg;

    return db_query(db, x->arena, x->sql, x->args, x->nargs, x->ret, err);
}

int db_query_alone(struct db *db, struct db_scope scope, struct arena *a, enum sql q, const char *const *args,
                   int nargs, struct rows *ret, struct error *err)
{
    struct alone x = { a, q, args, nargs, ret };

    return db_in_tx(db, scope, alone_tx, &x, err);
}

int db_script(struct db *db, const char *sql, struct error *err)
{
    if (db_connect(db, err) < 0)
        return -1;
    return simple(db, sql, err);
}
