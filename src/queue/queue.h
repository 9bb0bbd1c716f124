/* queue.h - Redis as messenger: wakes workers by Celery messages, spreads events. Losing any of it loses no work: PostgreSQL has the
   truth (store/job.h). The folder queue/ is the only includer of hiredis. */
#ifndef DMS_QUEUE_QUEUE_H
#define DMS_QUEUE_QUEUE_H

#include "base/metrics.h"
#include "domain/job.h"

/* The sender, for the API and for workers. Any thread. Connects when first needed and again after a loss, with growing pauses in which
   calls return at once: a dead Redis costs nobody more than QUEUE_SEND_MS, and that rarely. */
struct queue;
enum { QUEUE_SEND_MS = 100 };

/* url: redis://[:PASSWORD@]HOST[:PORT][/DB], redis://USER:PASSWORD@..., unix://[:PASSWORD@]/PATH[?db=N&password=P]; NULL or "": no Redis, every call
   returns false. ERR_VALIDATION for anything else. */
struct queue *queue_open(const char *url, struct error *err);
void          queue_close(struct queue *q);
/* Whether the last word from Redis was good; asks it when there was none for a second. */
bool queue_up(struct queue *q);

/* Sends the message of a job, after the commit of job_enqueue. False: not sent; the reconciler will. */
bool queue_publish(struct queue *q, const struct job_ref *job);
/* Tells every API process: {"tenant_id", "type", "data"}. type: "document", "job". data: a JSON value. */
bool queue_notify(struct queue *q, const char *tenant_id, const char *type, struct str data);

/* Workers have no port to be scraped at: their counters (from METRIC_WORKER_FIRST on) are summed in Redis. A worker adds what its own grew by
   since the last call (told keeps that); an API process sets its own to the sums. False: Redis is away, nothing happened. */
enum { METRIC_WORKER_FIRST = METRIC_EMBEDDINGS, METRICS_OF_WORKERS = METRIC_COUNT - METRIC_WORKER_FIRST };
bool queue_metrics_share(struct queue *q, uint64_t told[METRICS_OF_WORKERS]);
bool queue_metrics_load(struct queue *q);

/* Listens in a thread of its own until queue_unsubscribe. fn runs on that thread; data lives until it returns. After each (re)connection
   fn gets tenant_id NULL and type "resync": what was told meanwhile is lost, look again. */
struct queue_subscription;
typedef void               queue_event_fn(void *arg, const char *tenant_id, const char *type, struct str data);
struct queue_subscription *queue_subscribe(const char *url, queue_event_fn *fn, void *arg, struct error *err);
void queue_unsubscribe(struct queue_subscription *s); /* returns when the thread has ended; NULL is fine */

/* For operators: workers (of ours or of Celery) that listen to remote control now; whether a queue was declared. */
MUST_CHECK int queue_count_workers(const char *url, unsigned *ret, struct error *err);
MUST_CHECK int queue_is_bound(const char *url, const char *queue, bool *ret, struct error *err);

#endif
