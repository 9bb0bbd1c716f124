/* job.h - the table of jobs: made inside the caller's transaction, claimed under a lease, ended only by who holds the newest fence.
   Knows nothing of Redis: publish what job_enqueue returned after the commit (queue.h); what is never published is found by job_due. */
#ifndef DMS_STORE_JOB_H
#define DMS_STORE_JOB_H

#include "domain/job.h"
#include "store/db.h"

/* Inside db_in_tx. Writes the job and, for document.process, the line "queued" of the document's timeline. priority: 3 is usual, 0 to 9;
   lowered for a tenant with a backlog. traceparent may be NULL. ret is for queue_publish after the commit. */
MUST_CHECK int job_enqueue(struct db *db, const char *tenant_id, enum job_kind kind, const char *document_id,
                           unsigned version, unsigned priority, const char *traceparent, struct job_ref *ret,
                           struct error *err);

/* A line of a document's timeline; inside db_in_tx. step: stored queued typed text chunks vectors done error. job_id may be NULL.
   detail: a JSON object as text, NULL for {}. at_us: wall clock, 0 for now. */
MUST_CHECK int job_event_add(struct db *db, const char *document_id, unsigned version, const char *job_id,
                             unsigned attempt, const char *step, const char *detail, int64_t at_us, struct error *err);

/* A job in hand. */
struct job {
    struct job_ref ref; /* attempts counts this try */
    int64_t        fence;
    struct uuid    document_id;
    unsigned       version;
    char           worker[80];
};

/* Takes a job whose time has come or whose worker is silent for longer than its lease. 1 taken, 0 nothing to do (done, cancelled, in other
   hands, not due, unknown), -1 error. */
MUST_CHECK int job_claim(struct db *db, const char *tenant_id, const char *id, const char *worker, unsigned lease_s,
                         struct job *ret, struct error *err);
/* Longer lease. 0 renewed, 1 the job is no longer ours (or cancelled): drop it, -1 error. */
MUST_CHECK int job_renew(struct db *db, const struct job *job, unsigned lease_s, struct error *err);

/* Inside db_in_tx, first of all that the transaction writes: -1 and job_is_lost(err) when the job is no longer ours; the transaction must
   end then, so nothing of it is written. */
bool           job_is_lost(const struct error *err);
MUST_CHECK int job_hold(struct db *db, const struct job *job, unsigned lease_s,
                        struct error *err); /* goes on afterwards */
MUST_CHECK int job_succeed(struct db *db, const struct job *job, struct error *err);
/* Inside db_in_tx. error: JSON {"code", "message", "retryable"}. job_fail also gives it to the document, if that is still of this version. */
MUST_CHECK int job_retry(struct db *db, const struct job *job, uint64_t wait_ms, const char *error, struct error *err);
MUST_CHECK int job_fail(struct db *db, const struct job *job, const char *error, struct error *err);
/* Back into the queue as if never taken, at a clean stop. 0 given back, 1 no longer ours, -1 error. */
MUST_CHECK int job_give_back(struct db *db, const struct job *job, struct error *err);

/* Not before eta_us (wall clock), unless it runs already. */
MUST_CHECK int job_delay(struct db *db, const char *tenant_id, const char *id, int64_t eta_us, struct error *err);
/* Inside db_in_tx. 1: will not be done, and its document says so; 0: it has ended already, or there is none. */
MUST_CHECK int job_cancel(struct db *db, const char *id, struct error *err);

/* Jobs of these queues (NULL-terminated) that should be sent: their time has come after a pause, or their worker is silent, or (most
   urgent first) the message that was sent resend_s seconds ago or earlier seems lost; 0: none of these. Marks them as sent. For the reconciler, and for
   workers without Redis. Crosses tenants. *ret lives in the arena. */
MUST_CHECK int job_due(struct db *db, struct arena *a, const char *const *queues, unsigned limit, unsigned resend_s,
                       struct job_ref **ret, size_t *ret_n, struct error *err);

#endif
