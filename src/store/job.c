/* job.c - see job.h. */
#include "store/job.h"

#include <stdio.h>

enum { JOB_ARENA = 64 << 10 };

#define LOST "lease" /* error.field of a job in other hands */

static struct uuid uuid_copy(const char *text)
{
    struct uuid u = { 0 };

    if (text && strlen(text) < sizeof u.text)
        memcpy(u.text, text, strlen(text));
    return u;
}

/* Without a traceparent, or with one that is none, the message goes without. */
static void trace_copy(char ret[static 56], const char *text)
{
    size_t n = text ? strlen(text) : 0;

    if (n < 56)
        memcpy(ret, text ? text : "", n + 1);
}

int job_enqueue(struct db *db, const char *tenant_id, enum job_kind kind, const char *document_id, unsigned version,
                unsigned priority, const char *traceparent, struct job_ref *ret, struct error *err)
{
    struct arena   a = ARENA(JOB_ARENA);
    struct rows    r;
    struct job_ref ref = { .tenant_id = uuid_copy(tenant_id), .id = uuid_v7(), .kind = kind };

    trace_copy(ref.traceparent, traceparent);
    const char *args[] = { ref.id.text,
                           job_kinds[kind].kind,
                           job_kinds[kind].queue,
                           db_int(&a, priority),
                           document_id,
                           db_int(&a, version),
                           ref.traceparent[0] ? ref.traceparent : NULL,
                           db_int(&a, JOB_LOOK),
                           db_int(&a, JOB_WAITING_SOME),
                           db_int(&a, JOB_WAITING_MANY) };
    int         rc = db_query(db, &a, SQL_JOB_ENQUEUE, args, ARRAY_LEN(args), &r, err);
    if (rc == 0 && row_next(&r)) {
        ref.priority = (unsigned)row_int(&r, "priority");
        *ret = ref;
    }
    arena_free(&a);
    return rc;
}

int job_event_add(struct db *db, const char *document_id, unsigned version, const char *job_id, unsigned attempt,
                  const char *step, const char *detail, int64_t at_us, struct error *err)
{
    struct arena a = ARENA(4096);
    int          rc = db_exec(db, SQL_JOB_EVENT_ADD,
                              ARGS(document_id, db_int(&a, version), job_id, db_int(&a, attempt), step, detail,
                          at_us > 0 ? db_int(&a, at_us) : NULL),
                              err);
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

struct claim {
    const char *id, *worker;
    unsigned    lease_s;
    struct job *ret;
    bool        taken;
};

static int claim_read(struct rows *r, struct claim *c, struct error *err)
{
    struct job *job = c->ret;

    c->taken = row_next(r);
    if (!c->taken)
        return 0;
    if (job_kind_of(row_text(r, "kind"), &job->ref.kind) < 0)
        return error_set(err, ERR_INTERNAL, "job %s is of the unknown kind %s", c->id, row_text(r, "kind"));
    job->ref.priority = (unsigned)row_int(r, "priority");
    job->ref.attempts = (unsigned)row_int(r, "attempts");
    trace_copy(job->ref.traceparent, row_opt(r, "traceparent"));
    job->fence = row_int(r, "fence");
    job->document_id = uuid_copy(row_opt(r, "document_id"));
    job->version = row_null(r, "version") ? 0 : (unsigned)row_int(r, "version");
    return 0;
}

static int claim_tx(struct db *db, void *arg, struct error *err)
{
    struct claim *c = arg;
    struct arena  a = ARENA(JOB_ARENA);
    struct rows   r;
    int           rc = -1;

    if (db_query(db, &a, SQL_JOB_CLAIM, ARGS(c->id, c->worker, db_int(&a, c->lease_s)), &r, err) == 0)
        rc = claim_read(&r, c, err);
    arena_free(&a);
    return rc;
}

int job_claim(struct db *db, const char *tenant_id, const char *id, const char *worker, unsigned lease_s,
              struct job *ret, struct error *err)
{
    struct claim c = { .id = id, .worker = worker, .lease_s = lease_s, .ret = ret };

    *ret = (struct job){ .ref = { .tenant_id = uuid_copy(tenant_id), .id = uuid_copy(id) } };
    snprintf(ret->worker, sizeof ret->worker, "%s", worker);
    if (db_in_tx(db, db_scope_system(tenant_id), claim_tx, &c, err) < 0)
        return -1;
    return c.taken ? 1 : 0;
}

/* One statement about a job in hand: no row touched means that somebody else has it. */
static int held(int touched, const struct job *job, struct error *err)
{
    if (touched == 0) {
        snprintf(err->field, sizeof err->field, LOST);
        return error_set(err, ERR_CONFLICT, "job %s is no longer ours (fence %lld)", job->ref.id.text,
                         (long long)job->fence);
    }
    return touched < 0 ? -1 : 0;
}

bool job_is_lost(const struct error *err)
{
    return err->code == ERR_CONFLICT && strcmp(err->field, LOST) == 0;
}

int job_hold(struct db *db, const struct job *job, unsigned lease_s, struct error *err)
{
    struct arena a = ARENA(4096);
    int rc = db_exec(db, SQL_JOB_HOLD, ARGS(job->ref.id.text, db_int(&a, job->fence), db_int(&a, lease_s)), err);

    arena_free(&a);
    return held(rc, job, err);
}

struct in_hand {
    const struct job *job;
    unsigned          lease_s;
};

static int renew_tx(struct db *db, void *arg, struct error *err)
{
    struct in_hand *x = arg;

    return job_hold(db, x->job, x->lease_s, err);
}

/* 0 done, 1 no longer ours, -1 error, of a transaction about a job in hand. */
static int in_hand_tx(struct db *db, tx_fn *fn, struct in_hand *x, struct error *err)
{
    if (db_in_tx(db, db_scope_system(x->job->ref.tenant_id.text), fn, x, err) == 0)
        return 0;
    return job_is_lost(err) ? 1 : -1;
}

int job_renew(struct db *db, const struct job *job, unsigned lease_s, struct error *err)
{
    struct in_hand x = { job, lease_s };

    return in_hand_tx(db, renew_tx, &x, err);
}

int job_succeed(struct db *db, const struct job *job, struct error *err)
{
    struct arena a = ARENA(4096);
    int          rc = db_exec(db, SQL_JOB_SUCCEED, ARGS(job->ref.id.text, db_int(&a, job->fence)), err);

    arena_free(&a);
    return held(rc, job, err);
}

int job_retry(struct db *db, const struct job *job, uint64_t wait_ms, const char *error, struct error *err)
{
    struct arena a = ARENA(4096);
    int          rc = db_exec(db, SQL_JOB_RETRY,
                              ARGS(job->ref.id.text, db_int(&a, job->fence), db_int(&a, (int64_t)wait_ms), error), err);

    arena_free(&a);
    return held(rc, job, err);
}

int job_fail(struct db *db, const struct job *job, const char *error, struct error *err)
{
    struct arena a = ARENA(4096);
    int          rc = db_exec(db, SQL_JOB_FAIL, ARGS(job->ref.id.text, db_int(&a, job->fence), error), err);

    if (rc > 0 && job->document_id.text[0]
        && db_exec(db, SQL_JOB_DOCUMENT_FAILED, ARGS(job->document_id.text, db_int(&a, job->version), error), err) < 0)
        rc = -1;
    arena_free(&a);
    return held(rc, job, err);
}

static int give_back_tx(struct db *db, void *arg, struct error *err)
{
    struct in_hand *x = arg;
    struct arena    a = ARENA(4096);
    int             rc = db_exec(db, SQL_JOB_GIVE_BACK, ARGS(x->job->ref.id.text, db_int(&a, x->job->fence)), err);

    arena_free(&a);
    return held(rc, x->job, err);
}

int job_give_back(struct db *db, const struct job *job, struct error *err)
{
    struct in_hand x = { .job = job };

    return in_hand_tx(db, give_back_tx, &x, err);
}

int job_delay(struct db *db, const char *tenant_id, const char *id, int64_t eta_us, struct error *err)
{
    struct arena a = ARENA(JOB_ARENA);
    struct rows  r;
    int rc = db_query_alone(db, db_scope_system(tenant_id), &a, SQL_JOB_DELAY, ARGS(id, db_int(&a, eta_us)), &r, err);

    arena_free(&a);
    return rc;
}

int job_cancel(struct db *db, const char *id, struct error *err)
{
    return db_exec(db, SQL_JOB_CANCEL, ARGS(id), err);
}

static void due_read(struct rows *r, struct job_ref *refs, size_t *ret_n)
{
    while (row_next(r)) {
        struct job_ref ref = { .tenant_id = uuid_copy(row_text(r, "tenant_id")), .id = uuid_copy(row_text(r, "id")) };

        if (job_kind_of(row_text(r, "kind"), &ref.kind) < 0)
            continue; /* of a newer version of this program: its workers will take it */
        ref.priority = (unsigned)row_int(r, "priority");
        ref.attempts = (unsigned)row_int(r, "attempts");
        trace_copy(ref.traceparent, row_opt(r, "traceparent"));
        refs[(*ret_n)++] = ref;
    }
}

int job_due(struct db *db, struct arena *a, const char *const *queues, unsigned limit, unsigned resend_s,
            struct job_ref **ret, size_t *ret_n, struct error *err)
{
    struct rows r;
    const char *resend = resend_s > 0 ? db_int(a, resend_s) : NULL;

    *ret_n = 0;
    if (db_query_alone(db, (struct db_scope){ 0 }, a, SQL_JOB_DUE, ARGS(db_array(a, queues), db_int(a, limit), resend),
                       &r, err)
        < 0)
        return -1;
    *ret = arena_alloc_array(a, (size_t)r.count + 1, sizeof **ret);
    if (!*ret)
        return error_set(err, ERR_INTERNAL, "no memory for %d jobs", r.count);
    due_read(&r, *ret, ret_n);
    return 0;
}
