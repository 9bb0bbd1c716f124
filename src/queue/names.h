/* names.h - the names of ours in Redis, beside those of kombu. */
#ifndef DMS_QUEUE_NAMES_H
#define DMS_QUEUE_NAMES_H

#define NAME_EVENTS     "dms.events" /* pub/sub: {"tenant_id", "type", "data"} */
#define NAME_WAKE       "dms.wake." /* + queue: a list with an entry per message sent, so that idle workers need not poll */
#define NAME_DEAD       "dms.dead"    /* list: messages that no worker can read, newest first */
#define NAME_METRICS    "dms.metrics" /* hash: counters of all workers since Redis is empty */
#define NAME_LIMIT      "dms.limit." /* + cell: until when it is used up, in microseconds since 1970 (limits_exchange.h) */
#define NAME_UNACKED    "unacked"
#define NAME_UNACKED_AT "unacked_index"
#define NAME_BINDING    "_kombu.binding."
#define NAME_RESULT     "celery-task-meta-"
#define NAME_SEPARATOR  "\x06\x16"

enum { WAKE_MAX = 64, DEAD_MAX = 1000 }; /* entries kept */

#endif
