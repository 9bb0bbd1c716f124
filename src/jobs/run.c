/* run.c - one job from claim to end, see jobs.h: what is tried again, what has failed, and what is said about it. */
#include "jobs/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "domain/file_type.h"

#include <pthread.h>
#include <stdio.h>

enum { JOB_MEMORY = 1 << 30 /* at most; a job takes what its document needs */ };

#define X(name, kind, task, queue, function) [JOB_##name] = function,
static job_fn *const functions[JOB_KINDS] = {
#include "tbl/job_kinds.def"
};
#undef X

struct job_slot {
    pthread_mutex_t lock;
    bool            busy; /* job is in hand */
    struct job      job;
    atomic_bool     lost;
};

struct job_slot *job_slot_open(void)
{
    struct job_slot *s = calloc(1, sizeof *s);

    if (s)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

void job_slot_close(struct job_slot *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void slot_set(struct job_slot *s, const struct job *job)
{
    pthread_mutex_lock(&s->lock);
    s->busy = job != NULL;
    if (job) {
        s->job = *job;
        atomic_store(&s->lost, false);
    }
    pthread_mutex_unlock(&s->lock);
}

static bool slot_get(struct job_slot *s, struct job *ret)
{
    pthread_mutex_lock(&s->lock);
    bool busy = s->busy;
    *ret = s->job;
    pthread_mutex_unlock(&s->lock);
    return busy;
}

/* Only if it is still the same job: the thread may have gone on meanwhile. */
static void slot_lose(struct job_slot *s, const struct job *job)
{
    pthread_mutex_lock(&s->lock);
    if (s->busy && s->job.fence == job->fence && strcmp(s->job.ref.id.text, job->ref.id.text) == 0)
        atomic_store(&s->lost, true);
    pthread_mutex_unlock(&s->lock);
}

void job_slot_renew(struct job_slot *s, struct db *db, unsigned lease_s)
{
    struct job   job;
    struct error err = { 0 };

    if (!slot_get(s, &job))
        return;
    int rc = job_renew(db, &job, lease_s, &err);
    if (rc > 0)
        slot_lose(s, &job);
    else if (rc < 0)
        log_at(LOG_WARNING, "the lease of job %s was not renewed: %s", job.ref.id.text, err.detail);
}

void job_slot_give_back(struct job_slot *s, struct db *db, struct queue *queue)
{
    struct job   job;
    struct error err = { 0 };

    if (!slot_get(s, &job))
        return;
    slot_lose(s, &job);
    if (job_give_back(db, &job, &err) != 0)
        return; /* its lease ends it */
    job.ref.attempts--;
    queue_publish(queue, &job.ref);
    log_at(LOG_INFO, "job %s given back", job.ref.id.text);
}

void jobs_count(enum job_kind kind, enum job_outcome outcome, int64_t took_us)
{
#define X(name, kind, task, queue, function)                         \
    [JOB_##name] = { [JOB_SUCCEEDED] = METRIC_JOBS_SUCCEEDED_##name, \
                     [JOB_RETRIED] = METRIC_JOBS_RETRIED_##name,     \
                     [JOB_FAILED] = METRIC_JOBS_FAILED_##name,       \
                     [JOB_DEAD] = METRIC_JOBS_DEAD_##name },
    static const enum metric ends[JOB_KINDS][JOB_OUTCOMES] = {
#include "tbl/job_kinds.def"
    };
#undef X
#define X(name, kind, task, queue, function) [JOB_##name] = { METRIC_JOBS_STARTED_##name, METRIC_JOB_TIME_##name },
    static const enum metric always[JOB_KINDS][2] = {
#include "tbl/job_kinds.def"
    };
#undef X

    metric_add(always[kind][0], 1);
    metric_observe(always[kind][1], took_us);
    if (outcome <= JOB_DEAD) /* lost and given back: somebody else ends it */
        metric_add(ends[kind][outcome], 1);
}

void job_tell(struct job_run *run, const char *status, const char *step)
{
    struct arena a = ARENA(4096); /* the job's own may be used up */
    struct sb    data = SB(&a);

    if (!run->job->document_id.text[0])
        return;
    sb_printf(&data, "{\"id\": \"%s\", \"version\": %u, \"status\": \"%s\", \"step\": \"%s\", \"job_id\": \"%s\"}",
              run->job->document_id.text, run->job->version, status, step, run->job->ref.id.text);
    queue_notify(run->env->queue, run->job->ref.tenant_id.text, "document", sb_str(&data));
    arena_free(&a);
}

/* The same of the job itself. */
static void tell_job(struct job_run *run, const char *state)
{
    const struct job *job = run->job;
    struct arena      a = ARENA(4096); /* the job's own may be used up */
    struct sb         data = SB(&a);

    sb_printf(&data, "{\"id\": \"%s\", \"kind\": \"%s\", \"state\": \"%s\", \"attempts\": %u, \"document_id\": ",
              job->ref.id.text, job_kinds[job->ref.kind].kind, state, job->ref.attempts);
    sb_json(&data, job->document_id.text[0] ? job->document_id.text : NULL);
    sb_putc(&data, '}');
    queue_notify(run->env->queue, job->ref.tenant_id.text, "job", sb_str(&data));
    arena_free(&a);
}

/* What went wrong, as it is shown to people and kept in the rows. */
struct failure {
    const char *code, *message;
    bool        again; /* a later try may end otherwise */
};

static struct failure failure_of(const struct error *err)
{
    if (err->code == ERR_UNPROCESSABLE && err->field[0])
        return (struct failure){ err->field, error_text(err), extract_cause_retryable(err->field) };
    if (err->code == ERR_TOO_LARGE)
        return (struct failure){ "too_large", "The document is too large to be processed.", false };
    if (err->code == ERR_STORAGE_FULL)
        return (struct failure){ "storage_full", error_text(err), true };
    if (err->code == ERR_UNAVAILABLE)
        return (struct failure){ "unavailable", "Something that processing needs is not available right now.", true };
    return (struct failure){ "internal", "Something broke on our side while the document was processed.", true };
}

struct ending {
    struct job_run *run;
    const char     *error, *line; /* JSON of the rows; of the timeline */
    bool            again;
    uint64_t        wait_ms;
};

static int ending_tx(struct db *db, void *arg, struct error *err)
{
    struct ending    *e = arg;
    const struct job *job = e->run->job;

    if ((e->again ? job_retry(db, job, e->wait_ms, e->error, err) : job_fail(db, job, e->error, err)) < 0)
        return -1;
    if (!job->document_id.text[0])
        return 0;
    return job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts, "error", e->line,
                         0, err);
}

static void put_failure(struct sb *b, const struct failure *f)
{
    sb_puts(b, "{\"code\": ");
    sb_json(b, f->code);
    sb_puts(b, ", \"message\": ");
    sb_json(b, f->message);
    sb_printf(b, ", \"retryable\": %s", f->again ? "true" : "false");
}

/* Once more later, or the end. */
static enum job_outcome end_badly(struct job_run *run, const struct failure *f, struct error *ret_why)
{
    const struct settings *set = run->env->settings;
    struct arena           a = ARENA(64 << 10); /* the job's own may be used up */
    struct sb              error = SB(&a), line = SB(&a);
    uint32_t               chance;
    bool                   last = run->job->ref.attempts >= set->job_attempts;
    struct ending          e = { .run = run, .again = f->again && !last };

    random_bytes(&chance, sizeof chance);
    e.wait_ms = job_backoff_ms(set->job_backoff, run->job->ref.attempts, chance);
    put_failure(&error, f);
    put_failure(&line, f);
    sb_putc(&error, '}');
    if (e.again) {
        char at[32];

        clock_rfc3339(at, clock_wall_us() + (int64_t)e.wait_ms * 1000);
        sb_printf(&line, ", \"retry_at\": \"%s\"", at);
    }
    sb_putc(&line, '}');
    e.error = sb_str(&error).p;
    e.line = sb_str(&line).p;
    int rc = db_in_tx(run->db, db_scope_system(run->job->ref.tenant_id.text), ending_tx, &e, ret_why);
    arena_free(&a);
    if (rc < 0)
        return JOB_LOST; /* no longer ours, or the database is away: then the lease ends it, and the job comes again */
    return e.again ? JOB_RETRIED : f->again ? JOB_DEAD : JOB_FAILED;
}

static enum job_outcome end_unfinished(struct job_run *run)
{
    struct error   err = { 0 };
    struct job_ref ref = run->job->ref;

    if (job_give_back(run->db, run->job, &err) != 0)
        return JOB_LOST;
    ref.attempts--;
    queue_publish(run->env->queue, &ref);
    return JOB_GIVEN_BACK;
}

/* The function, and what follows from its answer. */
static enum job_outcome run_claimed(struct job_run *run, struct error *why)
{
    static const struct failure deaths = { "worker_lost",
                                           "Processing was interrupted again and again; the document may be what "
                                           "brings the reader down.",
                                           true };

    if (run->job->ref.attempts
        > run->env->settings->job_attempts) { /* the tries before ended without a word: workers died */
        error_set(why, ERR_INTERNAL, "%u tries ended without a word", run->job->ref.attempts - 1);
        return end_badly(run, &deaths, &(struct error){ 0 });
    }
    int rc = functions[run->job->ref.kind](run, why);
    if (rc == JOB_UNFINISHED)
        return end_unfinished(run);
    if (rc == 0)
        return JOB_SUCCEEDED;
    if (atomic_load(run->lost) || job_is_lost(why))
        return JOB_LOST;
    struct failure f = failure_of(why);
    return end_badly(run, &f, &(struct error){ 0 });
}

static void log_end(const struct job *job, enum job_outcome outcome, int64_t took_us, const struct error *why)
{
    static const char *const    names[JOB_OUTCOMES] = { "succeeded", "will be tried again", "failed", "failed for good",
                                                        "lost",      "given back" };
    static const enum log_level levels[JOB_OUTCOMES] = { LOG_INFO,  LOG_WARNING, LOG_INFO,
                                                         LOG_ERROR, LOG_WARNING, LOG_INFO };
    struct arena                a = ARENA(8192);
    struct sb                   b = SB(&a), members = SB(&a);

    sb_printf(&b, "%s %s", job_kinds[job->ref.kind].kind, names[outcome]);
    sb_printf(&members, ",\"document\":\"%s\",\"version\":%u,\"attempt\":%u,\"ms\":%lld", job->document_id.text,
              job->version, job->ref.attempts, (long long)(took_us / 1000));
    if (outcome != JOB_SUCCEEDED && why->code != ERR_NONE) {
        sb_puts(&members, ",\"error\":");
        struct str detail = str_of(why->detail[0] ? why->detail : error_text(why));
        sb_json_str(&members, utf8_valid(detail) ? detail : S("(not printable)"));
    }
    log_line(levels[outcome], sb_str(&b).p, sb_str(&members));
    arena_free(&a);
}

/* What other processes should show now; a lost job is told of by who has it. */
static void tell_end(struct job_run *run, enum job_outcome outcome)
{
    static const char *const states[JOB_OUTCOMES] = { "succeeded", "queued", "failed", "failed", NULL, "queued" };

    if (outcome == JOB_FAILED || outcome == JOB_DEAD)
        job_tell(run, "error", "error");
    else if (outcome == JOB_RETRIED || outcome == JOB_GIVEN_BACK)
        job_tell(run, "processing", "queued");
    if (states[outcome])
        tell_job(run, states[outcome]);
}

enum job_result job_run_one(const struct job_env *env, struct job_slot *slot, struct db *db, const char *worker,
                            const char *tenant_id, const char *id, const atomic_bool *stopping,
                            enum job_outcome *ret_outcome, struct error *ret_why)
{
    struct arena   arena = ARENA(JOB_MEMORY);
    struct job     job;
    char           trace_id[33];
    struct job_run run = {
        .env = env, .job = &job, .db = db, .arena = &arena, .lost = &slot->lost, .stopping = stopping
    };
    int64_t start_us = clock_steady_us();

    *ret_why = (struct error){ 0 };
    int claimed = job_claim(db, tenant_id, id, worker, (unsigned)env->settings->job_lease, &job, ret_why);
    if (claimed <= 0)
        return claimed == 0 ? JOB_NOT_OURS : JOB_NO_DATABASE;
    snprintf(trace_id, sizeof trace_id, "%.32s", strlen(job.ref.traceparent) >= 35 ? job.ref.traceparent + 3 : "");
    log_context.job = job.ref.id.text;
    log_context.tenant = job.ref.tenant_id.text;
    log_context.trace_id = trace_id[0] ? trace_id : NULL;
    slot_set(slot, &job);
    job_tell(&run, "processing", job.ref.kind == JOB_DOCUMENT_EMBED ? "chunks" : "queued");
    tell_job(&run, "running");
    *ret_outcome = run_claimed(&run, ret_why);
    slot_set(slot, NULL);
    tell_end(&run, *ret_outcome);
    int64_t took_us = clock_steady_us() - start_us;
    jobs_count(job.ref.kind, *ret_outcome, took_us);
    log_end(&job, *ret_outcome, took_us, ret_why);
    log_context.job = log_context.tenant = log_context.trace_id = NULL;
    arena_free(&arena);
    return JOB_RAN;
}
