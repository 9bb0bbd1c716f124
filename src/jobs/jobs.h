/* jobs.h - what a job function gets, and running one job from claim to end. One function a kind (tbl/job_kinds.def), one file a function.
   Long work is done outside transactions; the effect and the end of the job are one transaction, which checks the fence. */
#ifndef DMS_JOBS_JOBS_H
#define DMS_JOBS_JOBS_H

#include "blob/blob.h"
#include "domain/settings.h"
#include "embed/embedder.h"
#include "queue/queue.h"
#include "store/job.h"

#include <stdatomic.h>

/* How a try ended. */
enum job_outcome {
    JOB_SUCCEEDED,
    JOB_RETRIED,
    JOB_FAILED,
    JOB_DEAD /* failed after its last try */,
    JOB_LOST,
    JOB_GIVEN_BACK,
    JOB_OUTCOMES
};

/* What all jobs of the process share. */
struct job_env {
    const struct settings *settings;
    struct blob_store     *blobs;
    struct embedder       *embedder; /* NULL: passages get no vectors */
    const char            *extract_program;
    struct queue          *queue;
};

struct job_run {
    const struct job_env *env;
    const struct job     *job;
    struct db            *db;
    struct arena         *arena;
    const atomic_bool
        *lost; /* the lease went to somebody else, or the job was cancelled: end early, nothing can be written */
    const atomic_bool *stopping; /* the worker stops: a long job ends at the next good place with JOB_UNFINISHED */
};

/* 0: done, and job_succeed committed. JOB_UNFINISHED: what was done is kept, give it back. -1: ERR_UNPROCESSABLE with a cause in err->field
   (tbl/extract_causes.def) is tried again only if the cause says so; ERR_TOO_LARGE never; everything else is. */
enum { JOB_UNFINISHED = 1 };
typedef int job_fn(struct job_run *run, struct error *err);

#define X(name, kind, task, queue, function) job_fn function;
#include "tbl/job_kinds.def"
#undef X

/* Tells the API processes that a document changed; best effort. status: its status word; step: the
   last line of its timeline, or what comes next. */
void job_tell(struct job_run *run, const char *status, const char *step);

/* audit.c: signs the heads of audit logs that have grown and were not signed for age_s seconds. */
struct token_keys;
void audit_checkpoints(struct db *db, struct token_keys *keys, unsigned age_s);

/* A thread's place: the job it has in hand, for who renews leases. */
struct job_slot;
struct job_slot *job_slot_open(void);
void             job_slot_close(struct job_slot *s);
/* By the housekeeping thread, each third of a lease. */
void job_slot_renew(struct job_slot *s, struct db *db, unsigned lease_s);
/* At the end of the time for stopping: what is still in hand goes back into the queue; its thread can write nothing any more. */
void job_slot_give_back(struct job_slot *s, struct db *db, struct queue *queue);

/* Claims and runs one job. Logs one line at its end. */
enum job_result {
    JOB_RAN,      /* *ret_outcome, and why (may be "") for Celery's result */
    JOB_NOT_OURS, /* done already, in other hands, not due, or unknown */
    JOB_NO_DATABASE,
};
enum job_result job_run_one(const struct job_env *env, struct job_slot *slot, struct db *db, const char *worker,
                            const char *tenant_id, const char *id, const atomic_bool *stopping,
                            enum job_outcome *ret_outcome, struct error *ret_why);

/* Sends what stands in the outbox of mail until closed. Any number of workers may. */
struct mail_sender;
struct mail_sender *mail_sender_open(const struct settings *s, const char *conninfo, struct error *err);
void                mail_sender_close(struct mail_sender *m);

/* The one place that counts (dms_jobs_*_total). */
void jobs_count(enum job_kind kind, enum job_outcome outcome, int64_t took_us);

#endif
