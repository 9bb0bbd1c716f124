/* db.h - one blocking connection to PostgreSQL: statements by name, transactions that carry their tenant. The work lane, jobs and
   commands use it; the read lane uses pipeline.h. A struct db belongs to one thread. */
#ifndef DMS_STORE_DB_H
#define DMS_STORE_DB_H

#include "base/text.h"

/* Every file of store/sql is a statement; sql.def comes from them at build time (sql2c.py). */
#define X(name, params, tenant, text, scoped) SQL_##name,
enum sql {
#include "sql.def"
    SQL_COUNT
};
#undef X
struct sql_info {
    const char *name;
    int         params;
    bool        tenant; /* text takes one more parameter behind its own: db_query sends the tenant of the transaction */
    const char *text;
    const char *
        scoped; /* of get_*: the same with tenant, person and level (db_scope) as three more parameters behind its own, for the read lane; else NULL */
};
extern const struct sql_info sql_info[SQL_COUNT];

struct db;

/* Connects at the first use and again after a loss; opening only keeps the address. */
struct db *db_open(const char *conninfo, const char *application_name, struct error *err);
void       db_close(struct db *db);
/* Before the first use: a statement is planned once for all tenants, except in a transaction that sets plan_cache_mode itself. Else a tenant that
   has grown since the last ANALYZE pays with all its rows (docs/decisions/0009). */
void db_plan_once(struct db *db);

/* Who acts, for row level security and audit; NULL texts where unknown. Set for the whole transaction. by_grant: 0: whatever the person may see;
   else by explicit grants of at least that level alone (migrations/0012_access.up.sql), because the person's role does not allow the request. */
struct db_scope {
    const char *tenant_id, *user_id;
    unsigned    by_grant;
};

/* The system itself, at work on a tenant's behalf: it sees what was restricted too. Nobody has a credential of this id (dms.system_user_id). */
static inline struct db_scope db_scope_system(const char *tenant_id)
{
    return (struct db_scope){ .tenant_id = tenant_id, .user_id = "00000000-0000-0000-0000-000000000001" };
}
static inline const char *db_scope_level(const struct db_scope *s)
{
    static const char *const levels[] = { "0", "1", "2", "3" };

    return levels[s->by_grant < 4 ? s->by_grant : 3];
}

/* fn may run more than once (serialization failures, lost connections before COMMIT): it touches the database and *arg only.
   READ COMMITTED. ERR_UNAVAILABLE when the database cannot be reached; the outcome of a COMMIT that got no answer is reported so too. */
typedef int    tx_fn(struct db *db, void *arg, struct error *err);
MUST_CHECK int db_in_tx(struct db *db, struct db_scope scope, tx_fn *fn, void *arg, struct error *err);

#define ARGS(...) \
    (const char *const[]){ __VA_ARGS__ }, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define NO_ARGS NULL, 0

/* A result; owned by the arena. at starts before the first row. */
struct rows {
    void *res;
    int   at, count; /* count: rows returned, or rows touched by a statement without RETURNING */
    bool  bad;       /* a column was missing or not of its type */
};

/* One statement; inside db_in_tx only (the scope comes with it). Errors by SQLSTATE: unique and exclusion -> CONFLICT, foreign key ->
   NOT_FOUND, check and bad input syntax -> VALIDATION, serialization -> retried by db_in_tx, time-out and connection -> UNAVAILABLE.
   A statement may raise its own with ERRCODE 'DM' || status, e.g. 'DM412': the error of that status. */
MUST_CHECK int db_query(struct db *db, struct arena *a, enum sql q, const char *const *args, int nargs,
                        struct rows *ret, struct error *err);
/* The same for a statement whose rows nobody reads; returns the number of rows touched. */
MUST_CHECK int db_exec(struct db *db, enum sql q, const char *const *args, int nargs, struct error *err);
/* One statement in a transaction of its own. */
MUST_CHECK int db_query_alone(struct db *db, struct db_scope scope, struct arena *a, enum sql q,
                              const char *const *args, int nargs, struct rows *ret, struct error *err);

bool        row_next(struct rows *r);
bool        rows_have(const struct rows *r, const char *column); /* the result has such a column */
bool        row_null(struct rows *r, const char *column);
const char *row_text(struct rows *r, const char *column); /* "" and r->bad on any trouble; lives as long as the arena */
const char *row_opt(struct rows *r, const char *column);  /* NULL for null */
int64_t     row_int(struct rows *r, const char *column);
double      row_real(struct rows *r, const char *column);
bool        row_bool(struct rows *r, const char *column);
struct str  row_str(struct rows *r, const char *column);

/* A list as a PostgreSQL array literal, a number as text; in the arena. */
const char *db_array(struct arena *a, const char *const *texts);
const char *db_int(struct arena *a, int64_t v);
/* Bytes as a bytea literal: 2 * n + 3 characters with their NUL. */
void db_bytea(char *ret, const void *bytes, size_t n);

/* Raw connection for migrations and the guard only. */
MUST_CHECK int db_script(struct db *db, const char *sql, struct error *err);

#endif
