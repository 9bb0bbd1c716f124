/* work.h - a bounded pool of threads that run straight-line code: the work lane. Knows nothing of requests or databases. */
#ifndef DMS_BASE_WORK_H
#define DMS_BASE_WORK_H

#include "base/error.h"

struct work_pool;

struct work_hooks {
    /* Once per thread, on it: what the thread needs (a database connection). NULL is allowed: run gets NULL. */
    void *(*thread_open)(void *shared);
    void (*thread_close)(void *thread);
    void *shared;
};

struct work_pool *work_pool_open(unsigned threads, unsigned max_queued, struct work_hooks hooks, struct error *err);
/* Runs what is queued, joins the threads. NULL is fine. */
void work_pool_close(struct work_pool *p);

/* One piece of work, embedded in its owner; must live until run has returned. */
struct work {
    struct work *next;
    void (*run)(struct work *w, void *thread);
    int64_t queued_us; /* steady clock, set by work_submit */
};

/* Any thread. False when the queue is full: answer 503, never wait. */
MUST_CHECK bool work_submit(struct work_pool *p, struct work *w);
/* Now: pieces that wait, threads that run one. */
unsigned work_queued(struct work_pool *p);
unsigned work_running(struct work_pool *p);

#endif
