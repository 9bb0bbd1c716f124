/* redis.h - one connection to Redis: by URL, with short time-outs, again after a loss with growing pauses. One thread at a time.
   Inside queue/ only: the rest of the tree does not see hiredis. Knows no messages. */
#ifndef DMS_QUEUE_REDIS_H
#define DMS_QUEUE_REDIS_H

#include "base/text.h"

#include <hiredis/hiredis.h>

struct redis;

/* url as for queue_open, not empty. Opens nothing yet. timeout_ms bounds connecting, and each command. */
struct redis *redis_open(const char *url, unsigned timeout_ms, struct error *err);
void          redis_close(struct redis *r);

/* Connected, or connects now unless that failed a moment ago. Runs on_connect after each new connection (NULL: nothing); its false drops it. */
bool     redis_ready(struct redis *r);
void     redis_on_connect(struct redis *r, bool (*fn)(struct redis *r, void *arg), void *arg);
void     redis_drop(struct redis *r); /* something is wrong with this connection */
unsigned redis_db(const struct redis *r);
int      redis_fd(const struct redis *r); /* -1 when not connected */
/* Where it is, for people, without password. */
const char *redis_host(const struct redis *r);
unsigned    redis_port(const struct redis *r);

/* Commands gathered, then sent with the first redis_next; one redis_next each. A NULL: the connection is lost (dropped already). An error
   answer is a reply of type REDIS_REPLY_ERROR. */
#define REDIS(r, ...) \
    redis_put(r, sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str), (const struct str[]){ __VA_ARGS__ })
void        redis_put(struct redis *r, size_t n, const struct str *words);
redisReply *redis_next(struct redis *r);
/* The same for n answers that nobody reads; false when one was an error or the connection is lost. */
bool redis_skip(struct redis *r, unsigned n);
/* Sends what was gathered; the answers come by redis_wait (a subscribed connection). */
bool redis_flush(struct redis *r);
/* Waits for up to wait_ms for something that was not asked for (pub/sub). 1: *ret is set, 0: nothing came, -1: lost. */
int redis_wait(struct redis *r, int wait_ms, redisReply **ret);
/* The longest wait for the next answers, for commands that block; back to timeout_ms with 0. */
void redis_patience(struct redis *r, unsigned ms);

DEFINE_CLEANUP(redisReply *, freeReplyObject)

static inline struct str reply_str(const redisReply *r)
{
    return r && r->str ? (struct str){ r->str, r->len } : S("");
}

#endif
