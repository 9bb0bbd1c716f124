/* worker.c - `dms worker`: threads that take messages and run jobs; the main thread keeps house (leases, lost messages, statistics) and
   listens to signals. Without Redis the threads take their work from the table of jobs itself. */
#include "cmd/app.h"
#include "cmd/cmd.h"
#include "cmd/model.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/token.h"
#include "jobs/jobs.h"
#include "queue/node.h"
#include "queue/take.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MAX_THREADS = 64,
    MAX_QUEUES = 8,
    MESSAGE_MEMORY = 1 << 20,
    HOUSE_MEMORY = 4 << 20,
    TAKE_WAIT_MS = 1000,
    AWAY_WAIT_MS = 500, /* between looks at the table, without Redis or without PostgreSQL */
    TURN_MS = 200,
    RECONCILE_MS = 2000,
    FOLD_MS = 1000,
    FOLD_PASSAGES = 2000,
    SEAL_MS = 1000,
    SEAL_ROWS = 2000,
    SIGN_MS = 60 * 1000, /* how often it is looked for heads of audit logs that are to be signed */
    RESTORE_MS = 10 * 1000,
    SHARE_MS = 2000,
    ERASE_MS = 10 * 1000,
    ERASE_ROWS = 1000, /* of each table, in one transaction */
    HOURLY_MS = 3600 * 1000,
    SOON_MS = 5 * 1000,
    NICE = 5, /* people's requests come first */
    SESSIONS_AT_ONCE = 10000,
    IDEMPOTENCY_HOURS = 24,
    DUE_AT_ONCE = 200,
    MISSING_AT_ONCE = 200,
    RESEND_S = 5, /* a job that waits so long, with hardly a message in its queue: the message is lost */
};

struct worker;

struct worker_thread {
    struct worker   *worker;
    pthread_t        id;
    struct db       *db;
    struct taker    *taker;
    struct job_slot *slot;
    char             name[CELERY_NODE_BYTES + 16];
    atomic_bool      ended;

    pthread_mutex_t lock; /* for tag: of the message in hand, "" without */
    char            tag[256];
};

struct worker {
    struct app          *app;
    struct job_env       env;
    const char          *queues[MAX_QUEUES + 1], *conninfo, *redis;
    unsigned             threads;
    struct node         *node; /* NULL: no Redis */
    struct mail_sender  *mail;
    atomic_bool          stopping;
    atomic_bool          refused; /* Redis answers, but takes no messages: its memory is full */
    struct worker_thread thread[MAX_THREADS];
    struct db           *db; /* of the main thread, as the next */
    struct taker        *taker;
};

/* A thread. */

static void hold_tag(struct worker_thread *t, const char *tag)
{
    pthread_mutex_lock(&t->lock);
    snprintf(t->tag, sizeof t->tag, "%s", tag);
    pthread_mutex_unlock(&t->lock);
}

static const struct celery_end *refuse(struct celery_end *end, enum celery_state state, const char *type,
                                       const char *why)
{
    *end = (struct celery_end){ state, type, why };
    return end;
}

/* What Celery shall hear of a try; NULL: nothing, it is not over. */
static const struct celery_end *end_of(struct celery_end *end, enum job_outcome outcome, const struct error *why)
{
    if (outcome == JOB_SUCCEEDED)
        *end = (struct celery_end){ .state = CELERY_SUCCESS };
    else if (outcome == JOB_FAILED || outcome == JOB_DEAD)
        *end = (struct celery_end){ CELERY_FAILURE, "RuntimeError", error_text(why) };
    else
        return NULL;
    return end;
}

static const struct celery_end *run_job(struct worker_thread *t, struct delivery *d, const char *tenant_id,
                                        const char *id, struct celery_end *end, struct error *why)
{
    enum job_outcome outcome;

    taker_started(t->taker, d);
    switch (job_run_one(&t->worker->env, t->slot, t->db, t->name, tenant_id, id, &t->worker->stopping, &outcome, why)) {
    case JOB_RAN:
        return end_of(end, outcome, why);
    case JOB_NO_DATABASE:
        log_at(LOG_WARNING, "job %s: %s", id, why->detail);
        clock_sleep_ms(AWAY_WAIT_MS);
        return NULL; /* job_due brings it back */
    case JOB_NOT_OURS:
        break;
    }
    return refuse(end, CELERY_FAILURE, "RuntimeError",
                  "the job does not wait to be done: it has ended, is in other hands, or is unknown");
}

static int cancel_tx(struct db *db, void *arg, struct error *err)
{
    return job_cancel(db, arg, err) < 0 ? -1 : 0;
}

/* By `revoke`. The table hears of it too, or job_due would send it again. */
static void cancel(struct worker_thread *t, const char *tenant_id, const char *id)
{
    struct error err = { 0 };

    if (db_in_tx(t->db, db_scope_system(tenant_id), cancel_tx, (void *)(uintptr_t)id, &err) < 0)
        log_at(LOG_WARNING, "job %s was not cancelled: %s", id, err.detail);
}

/* What stands in a message is only asked for; what is done about it is in the table. */
static const struct celery_end *obey(struct worker_thread *t, struct delivery *d, struct celery_end *end,
                                     struct error *why)
{
    const struct celery_message *m = &d->message;
    const char   *tenant_id = jv_text(m->kwargs, "tenant_id", ""), *id = jv_text(m->kwargs, "job_id", "");
    int64_t       now = clock_wall_us();
    enum job_kind kind;

    if (job_kind_of_task(m->task, &kind) < 0)
        return refuse(end, CELERY_UNKNOWN_TASK, NULL, m->task);
    if (!uuid_valid(str_of(tenant_id)) || !uuid_valid(str_of(id)))
        return refuse(end, CELERY_FAILURE, "ValueError", "the task needs the kwargs tenant_id and job_id");
    if (m->linked)
        return refuse(end, CELERY_FAILURE, "NotImplementedError",
                      "this worker does not carry out callbacks, chains and chords");
    if (t->worker->node && node_revoked(t->worker->node, m->id)) {
        cancel(t, tenant_id, id);
        return refuse(end, CELERY_REVOKED, NULL, "revoked");
    }
    if (m->expires_us > 0 && m->expires_us < now)
        return refuse(end, CELERY_REVOKED, NULL, "expired");
    if (m->eta_us > now) {
        if (job_delay(t->db, tenant_id, id, m->eta_us, why) < 0)
            log_at(LOG_WARNING, "job %s: its time was not noted: %s", id, why->detail);
        return NULL;
    }
    return run_job(t, d, tenant_id, id, end, why);
}

static void handle(struct worker_thread *t, struct delivery *d)
{
    struct error      why = { 0 };
    struct celery_end end;

    hold_tag(t, d->message.tag);
    taker_ended(t->taker, d, obey(t, d, &end, &why));
    hold_tag(t, "");
}

/* Without Redis: what is due, from the table. */
static void work_without_redis(struct worker_thread *t)
{
    struct arena     a = ARENA(MESSAGE_MEMORY);
    struct error     err = { 0 };
    struct job_ref  *refs;
    enum job_outcome outcome;
    size_t           n = 0;

    int rc = job_due(t->db, &a, t->worker->queues, 1, 1, &refs, &n, &err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        job_run_one(&t->worker->env, t->slot, t->db, t->name, refs[i].tenant_id.text, refs[i].id.text,
                    &t->worker->stopping, &outcome, &err);
    arena_free(&a);
    if (n == 0)
        clock_sleep_ms(AWAY_WAIT_MS);
}

static void *thread_run(void *arg)
{
    struct worker_thread *t = arg;

    while (!atomic_load(&t->worker->stopping)) {
        struct arena    a = ARENA(MESSAGE_MEMORY);
        struct delivery d;
        bool            refused = atomic_load(&t->worker->refused);
        int             got = taker_take(t->taker, &a, refused ? 0 : TAKE_WAIT_MS, &d);

        if (got > 0)
            handle(t, &d);
        else if (got < 0 || refused)
            work_without_redis(t);
        arena_free(&a);
    }
    atomic_store(&t->ended, true);
    return NULL;
}

static int thread_open(struct worker *w, unsigned i, struct error *err)
{
    struct worker_thread *t = &w->thread[i];

    t->worker = w;
    pthread_mutex_init(&t->lock, NULL);
    t->slot = job_slot_open();
    t->db = db_open(w->conninfo, "dms worker", err);
    if (t->db)
        db_plan_once(t->db);
    t->taker = t->db ? taker_open(w->redis, w->queues, w->node, err) : NULL;
    if (!t->slot || !t->taker)
        return error_set(err, ERR_UNAVAILABLE, "no memory for a worker thread");
    snprintf(t->name, sizeof t->name, "%s/%u", w->node ? node_name(w->node) : "dms", i);
    if (pthread_create(&t->id, NULL, thread_run, t) != 0)
        return error_set(err, ERR_UNAVAILABLE, "the system gives no more threads");
    w->threads = i + 1;
    return 0;
}

/* The house. */

static bool is_due(int64_t *at_us, unsigned each_ms)
{
    int64_t now = clock_steady_us();

    if (now < *at_us)
        return false;
    *at_us = now + (int64_t)each_ms * 1000;
    return true;
}

static void renew(struct worker *w)
{
    char        tags[MAX_THREADS][256];
    const char *held[MAX_THREADS];
    size_t      n = 0;

    for (unsigned i = 0; i < w->threads; i++) {
        struct worker_thread *t = &w->thread[i];

        job_slot_renew(t->slot, w->db, (unsigned)w->app->settings->job_lease);
        pthread_mutex_lock(&t->lock);
        memcpy(tags[n], t->tag, sizeof tags[n]);
        pthread_mutex_unlock(&t->lock);
        if (tags[n][0]) {
            held[n] = tags[n];
            n++;
        }
    }
    taker_renew(w->taker, held, n);
}

/* Sends what no message names: retries whose time has come, jobs of dead workers; and, of a queue that is nearly empty, what waits all
   the same (Redis forgot it). A long queue is left alone, or it would grow by a copy of itself each time. What Redis does not take is
   found by the threads in the table. */
static void reconcile(struct worker *w)
{
    for (unsigned q = 0; w->queues[q]; q++) {
        struct arena      a = ARENA(HOUSE_MEMORY);
        const char *const one[] = { w->queues[q], NULL };
        int64_t           depth = taker_depth(w->taker, w->queues[q]);
        struct error      err = { 0 };
        struct job_ref   *refs;
        size_t            n = 0;

        if (depth >= 0
            && job_due(w->db, &a, one, DUE_AT_ONCE, depth <= w->threads ? RESEND_S : 0, &refs, &n, &err) == 0)
            for (size_t i = 0; i < n; i++) {
                bool sent = queue_publish(w->env.queue, &refs[i]);

                atomic_store(&w->refused, !sent);
                if (!sent)
                    break; /* marked as sent, so found again in a while */
            }
        if (n > 0)
            log_at(LOG_INFO, "%zu jobs of %s sent again", n, w->queues[q]);
        arena_free(&a);
    }
}

static int64_t call_for_number(struct worker *w, enum sql sql, int64_t arg, const char *column)
{
    struct arena a = ARENA(64 << 10);
    struct rows  r;
    struct error err = { 0 };
    int64_t      n = -1;

    if (db_query_alone(w->db, (struct db_scope){ 0 }, &a, sql, ARGS(db_int(&a, arg)), &r, &err) < 0)
        log_at(LOG_WARNING, "%s: %s", sql_info[sql].name, err.detail);
    else if (row_next(&r))
        n = row_int(&r, column);
    arena_free(&a);
    return n;
}

static void hourly(struct worker *w)
{
    struct arena a = ARENA(64 << 10);
    struct rows  r;
    struct error err = { 0 };

    call_for_number(w, SQL_JOB_IDEMPOTENCY_EXPIRE, IDEMPOTENCY_HOURS, "gone");
    call_for_number(w, SQL_SESSION_EXPIRE, SESSIONS_AT_ONCE, "gone");
    if (db_query_alone(w->db, (struct db_scope){ 0 }, &a, SQL_ACCOUNT_EXPIRE, NO_ARGS, &r, &err) < 0)
        log_at(LOG_WARNING, "old links and counts of failed sign-ins: %s", err.detail);
    arena_free(&a);
}

/* Jobs for what was read while there was no model, or another; job_due sends them. False: there is more, or it failed; call again soon. */
static bool embed_missing(struct worker *w)
{
    struct arena a = ARENA(HOUSE_MEMORY);
    const char  *ids[MISSING_AT_ONCE + 1] = { 0 };
    struct error err = { 0 };
    struct rows  r;
    int64_t      made = -1;

    for (unsigned i = 0; i < MISSING_AT_ONCE; i++) {
        struct uuid id = uuid_v7();

        ids[i] = arena_text(&a, id.text, sizeof id.text - 1);
    }
    const char *model = embedder_model(w->env.embedder);
    if (db_query_alone(w->db, (struct db_scope){ 0 }, &a, SQL_PROCESS_EMBED_MISSING, ARGS(model, db_array(&a, ids)), &r,
                       &err)
        < 0)
        log_at(LOG_WARNING, "looking for passages without vectors: %s", err.detail);
    else if (row_next(&r))
        made = row_int(&r, "made");
    if (made > 0)
        log_at(LOG_INFO, "%lld documents get their vectors of %s", (long long)made, model);
    arena_free(&a);
    return made >= 0 && made < MISSING_AT_ONCE;
}

/* The keys are read each time: they may be made after us, or followed by others. */
static void sign_audit(struct worker *w)
{
    struct error       why = { 0 };
    struct token_keys *keys = app_token_keys(w->app, &why);

    if (!keys)
        log_at(LOG_WARNING, "audit logs are not signed: %s", error_text(&why));
    else
        audit_checkpoints(w->db, keys, (unsigned)w->app->settings->audit_checkpoint);
    token_keys_close(keys);
}

struct house {
    int64_t  renew_us, reconcile_us, fold_us, seal_us, sign_us, restore_us, share_us, erase_us, missing_us, hourly_us;
    uint64_t told[METRICS_OF_WORKERS];
};

static void keep_house(struct worker *w, struct house *h)
{
    unsigned each_ms = (unsigned)w->app->settings->audit_checkpoint * 1000;
    unsigned sign_ms = each_ms < SIGN_MS ? each_ms : SIGN_MS;

    if (is_due(&h->renew_us, (unsigned)w->app->settings->job_lease * 1000 / 3))
        renew(w);
    if (is_due(&h->reconcile_us, RECONCILE_MS))
        reconcile(w);
    if (is_due(&h->fold_us, FOLD_MS) && call_for_number(w, SQL_PROCESS_FOLD, FOLD_PASSAGES, "folded") == FOLD_PASSAGES)
        h->fold_us = 0; /* there is more */
    if (is_due(&h->seal_us, SEAL_MS) && call_for_number(w, SQL_AUDIT_SEAL, SEAL_ROWS, "sealed") == SEAL_ROWS)
        h->seal_us = 0;
    if (is_due(&h->sign_us, sign_ms))
        sign_audit(w);
    if (is_due(&h->restore_us, RESTORE_MS)) {
        unsigned n = taker_restore(w->taker);

        if (n > 0)
            log_at(LOG_WARNING, "%u messages of workers that are gone were put back", n);
    }
    if (is_due(&h->share_us, SHARE_MS))
        queue_metrics_share(w->env.queue, h->told);
    if (is_due(&h->erase_us, ERASE_MS) && call_for_number(w, SQL_ORGANIZATION_ERASE, ERASE_ROWS, "gone") > 0)
        h->erase_us = 0; /* there may be more */
    if (is_due(&h->hourly_us, HOURLY_MS))
        hourly(w);
    if (w->env.embedder && is_due(&h->missing_us, HOURLY_MS) && !embed_missing(w))
        h->missing_us = clock_steady_us() + SOON_MS * INT64_C(1000);
}

/* Waits for a signal for up to ms; true when asked to stop. */
static bool stop_asked(const sigset_t *signals, unsigned ms)
{
    struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L };

    return sigtimedwait(signals, NULL, &wait) > 0;
}

static bool all_ended(struct worker *w)
{
    for (unsigned i = 0; i < w->threads; i++)
        if (!atomic_load(&w->thread[i].ended))
            return false;
    return true;
}

/* Lets the jobs in hand finish; true when all did in time. Asked a second time, it does not wait. */
static bool wind_down(struct worker *w, struct house *h, const sigset_t *signals)
{
    int64_t until_us = clock_steady_us() + (int64_t)w->app->settings->stop_seconds * 1000000;

    atomic_store(&w->stopping, true);
    log_at(LOG_INFO, "stopping");
    while (!all_ended(w) && clock_steady_us() < until_us && !stop_asked(signals, TURN_MS / 4))
        if (is_due(&h->renew_us, (unsigned)w->app->settings->job_lease * 1000 / 3))
            renew(w);
    if (all_ended(w))
        return true;
    for (unsigned i = 0; i < w->threads; i++)
        job_slot_give_back(w->thread[i].slot, w->db, w->env.queue);
    return false;
}

static int run(struct worker *w, unsigned threads, struct error *err)
{
    int64_t      soon_us = clock_steady_us() + SOON_MS * INT64_C(1000); /* the start is not to be held up */
    struct house h = { .hourly_us = soon_us, .missing_us = soon_us, .sign_us = soon_us };
    sigset_t     signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the threads: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    w->mail = mail_sender_open(w->app->settings, w->conninfo, err);
    if (!w->mail)
        return -1;
    if (w->redis && *w->redis && !(w->node = node_open(w->redis, w->queues, threads, err)))
        return -1;
    for (unsigned i = 0; i < threads; i++)
        if (thread_open(w, i, err) < 0)
            return -1;
    log_at(LOG_INFO, "%u threads take jobs", threads);
    while (!stop_asked(&signals, TURN_MS))
        keep_house(w, &h);
    if (!wind_down(w, &h, &signals)) {
        node_close(w->node);
        _exit(0); /* threads are still at work whose jobs are no longer theirs: nothing to free under their feet */
    }
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join(w->thread[i].id, NULL);
    return 0;
}

static void close_parts(struct worker *w)
{
    mail_sender_close(w->mail);
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        taker_close(w->thread[i].taker);
        db_close(w->thread[i].db);
        job_slot_close(w->thread[i].slot);
    }
    node_close(w->node);
    taker_close(w->taker);
    db_close(w->db);
    queue_close(w->env.queue);
    blob_store_close(w->env.blobs);
    embedder_close(w->env.embedder);
}

static int open_parts(struct worker *w, struct error *err)
{
    struct app            *app = w->app;
    const struct settings *s = app->settings;
    struct error           why = { 0 };

    w->conninfo = app_database(app, APP_ROLE_APP, err);
    if (!w->conninfo || app_guard(app, err) < 0)
        return -1;
    w->redis = app_redis(app, &why);
    if (!w->redis)
        log_at(LOG_WARNING, "without Redis: work is looked for in the database");
    w->env.settings = s;
    w->env.extract_program = app->extract_program;
    w->env.queue = queue_open(w->redis, err);
    w->env.blobs = w->env.queue ? blob_store_open(app->blob_dir, s->min_free_disk, err) : NULL;
    w->db = w->env.blobs ? db_open(w->conninfo, "dms worker", err) : NULL;
    w->taker = w->db ? taker_open(w->redis, w->queues, NULL, err) : NULL;
    if (!w->taker)
        return -1;
    why = (struct error){ 0 };
    w->env.embedder = model_open(app, MODEL_FOR_INGEST, &why);
    if (!w->env.embedder && why.code != ERR_NONE)
        log_at(LOG_WARNING, "passages get no vectors: %s", why.detail);
    return 0;
}

/* The command line. */

struct options {
    struct app *app;
    const char *queues[MAX_QUEUES + 1];
    uint64_t    concurrency;
};

static void read_queues(struct options *o, struct argp_state *state, const char *text)
{
    size_t n = 0;

    for (struct str rest = str_of(text); rest.p && n < MAX_QUEUES;) {
        struct str name = str_cut(&rest, ',');

        if (!str_eq(name, S("default")) && !str_eq(name, S("embeddings")) && !str_eq(name, S("processing")))
            argp_error(state, "-Q: there is no queue '%.*s'; the queues are default, embeddings, processing",
                       (int)name.n, name.p);
        o->queues[n++] = str_dup(&o->app->arena, name);
    }
    o->queues[n] = NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct error    err = { 0 };

    if (key == 'Q')
        read_queues(o, state, arg);
    else if (key != 'c')
        return ARGP_ERR_UNKNOWN;
    else if (parse_u64("concurrency", str_of(arg), 1, MAX_THREADS, &o->concurrency, &err) < 0)
        argp_error(state, "--concurrency: %s", err.message);
    return 0;
}

int cmd_worker(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "queues",
          .key = 'Q',
          .arg = "LIST",
          .doc = "queues to work on, between commas (default,embeddings,processing)" },
        { .name = "concurrency", .key = 'c', .arg = "N", .doc = "jobs at the same time (setting worker-threads)" },
        { 0 }
    };
    static const struct argp parser = { .options = options,
                                        .parser = parse,
                                        .doc = "Runs jobs: reads, cuts and embeds documents." };
    struct app               app = { 0 };
    struct options           o = { .app = &app, .queues = { "default", "embeddings", "processing" } };
    struct error             err = { 0 };

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    app_arguments(&app, &parser, argc, argv, &o);
    log_open_by_name(app.settings->log_level, "worker",
                     *app.settings->log_trace_project ? app.settings->log_trace_project : NULL);
    if (setpriority(PRIO_PROCESS, 0, NICE) < 0) /* before any thread: each inherits it */
        log_at(LOG_WARNING, "the worker runs beside people's requests at the same priority");
    struct worker *w = calloc(1, sizeof *w);
    int            rc = -1;

    if (w) {
        w->app = &app;
        memcpy(w->queues, o.queues, sizeof w->queues);
        rc = open_parts(w, &err);
        if (rc == 0)
            rc = run(w, o.concurrency ? (unsigned)o.concurrency : app_worker_threads(app.settings), &err);
        close_parts(w);
    }
    int status = rc < 0 ? app_fail(&err) : 0;
    free(w);
    app_close(&app);
    return status;
}
