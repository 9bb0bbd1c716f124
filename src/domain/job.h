/* job.h - kinds of jobs (tbl/job_kinds.def), what names a job to the queue, and the rules of trying again. No I/O. */
#ifndef DMS_DOMAIN_JOB_H
#define DMS_DOMAIN_JOB_H

#include "base/uuid.h"

#define X(name, kind, task, queue, function) JOB_##name,
enum job_kind {
#include "tbl/job_kinds.def"
    JOB_KINDS
};
#undef X

struct job_kind_info {
    const char *kind, *task, *queue;
};
extern const struct job_kind_info job_kinds[JOB_KINDS];

/* By the kind in the table, or by the Celery task; -1 unknown. */
MUST_CHECK int job_kind_of(const char *kind, enum job_kind *ret);
MUST_CHECK int job_kind_of_task(const char *task, enum job_kind *ret);

/* What a message says about a job: enough to find it, nothing of what is in it. A plain value, free to copy. */
struct job_ref {
    struct uuid   tenant_id, id;
    enum job_kind kind;
    unsigned      priority;        /* 0 (most urgent) to 9 */
    unsigned      attempts;        /* tries so far */
    char          traceparent[56]; /* W3C, "" without */
};

/* Milliseconds until the next try: doubles from first_s with each try, at most an hour; the last half of it is chance, so that what
   failed together does not come back together. attempts: tries so far, from 1. chance: any random number. */
uint64_t job_backoff_ms(uint64_t first_s, unsigned attempts, uint32_t chance);

/* Fairness between tenants: of a tenant's JOB_LOOK newest jobs, how many wait? From each threshold on a new job's priority is a step of
   3 lower (towards 9) than what was asked for, and workers take the most urgent first. So who brings 10,000 documents waits behind who
   brings one; that the lowest are not forgotten under steady load is the taker's part (queue/worker.h). */
enum { JOB_LOOK = 64, JOB_WAITING_SOME = 16, JOB_WAITING_MANY = 48 };

#endif
