/* take.h - the worker's side of the queue: takes Celery messages of some queues, one at a time, and tells how they ended. A taker
   belongs to one thread. Knows nothing of PostgreSQL: whether the job is to be done is for the caller to find out. */
#ifndef DMS_QUEUE_TAKE_H
#define DMS_QUEUE_TAKE_H

#include "queue/celery.h"

struct taker;
struct node;

/* queues: NULL-terminated, borrowed. node: how this worker looks to Celery's tools, or NULL. url NULL or "": Redis is always away. */
struct taker *taker_open(const char *url, const char *const *queues, struct node *node, struct error *err);
void          taker_close(struct taker *t);

struct delivery {
    struct celery_message message;
    int64_t               taken_us; /* steady clock */
    int                   slot;     /* of node */
};

/* Most urgent first, in turns between queues; each eighth time the least urgent first, so that a steady stream of urgent work delays
   the rest but does not starve it. Registers the message as kombu does (unacked), in the same step that takes it: a crash loses nothing.
   1: *ret, in the arena. 0: nothing came within wait_ms (whole seconds; 0 looks once). -1: Redis is away. */
MUST_CHECK int taker_take(struct taker *t, struct arena *a, unsigned wait_ms, struct delivery *ret);

/* The work has begun: events for Flower. */
void taker_started(struct taker *t, struct delivery *d);
/* After the commit: result where the sender wants one, events, and the message is forgotten. end NULL: forgotten without a word (a second
   delivery of what is done, or one that was given back). */
void taker_ended(struct taker *t, struct delivery *d, const struct celery_end *end);

/* What housekeeping does, on its own taker. Messages that were taken VISIBILITY_S ago and neither finished nor renewed go back to their
   queue; returns how many. */
enum { VISIBILITY_S = 2 * 3600 };
unsigned taker_restore(struct taker *t);
/* Still at work on these (delivery tags). */
void taker_renew(struct taker *t, const char *const *tags, size_t n);
/* Messages that wait in a queue; -1: Redis is away. */
int64_t taker_depth(struct taker *t, const char *queue);

#endif
