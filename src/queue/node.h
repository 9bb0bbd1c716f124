/* node.h - how a worker looks to Celery's tools: its name, events, and answers to `celery inspect`, `celery status` and
   Flower. One node a worker process, shared by its threads. */
#ifndef DMS_QUEUE_NODE_H
#define DMS_QUEUE_NODE_H

#include "queue/celery.h"
#include "queue/redis.h"

struct node;
enum { NODE_MAX_SLOTS = 64, NODE_MAX_REVOKED = 4096 };

/* Starts the thread that sends heartbeats and answers. queues: NULL-terminated, borrowed. threads: jobs at the same time. */
struct node *node_open(const char *url, const char *const *queues, unsigned threads, struct error *err);
void         node_close(struct node *n);      /* says goodbye, joins the thread; NULL is fine */
const char  *node_name(const struct node *n); /* "dms-<pid>@<host>" */
/* A revoked task must not run. */
bool node_revoked(struct node *n, const char *task_id);

/* A task begins or has ended, on a worker thread with its own connection. started sends by itself and picks the slot; ended puts its
   commands and returns how many answers there will be. r may be NULL: then only the counts are kept. end NULL: no event. */
void     node_started(struct node *n, struct redis *r, const struct celery_message *m, int *ret_slot);
unsigned node_ended(struct node *n, struct redis *r, struct arena *a, const struct celery_message *m, int slot,
                    const struct celery_end *end, int64_t took_us);

#endif
