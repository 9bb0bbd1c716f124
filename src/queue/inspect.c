/* inspect.c - questions about the queues from outside a worker, for operators: who answers, what is declared. */
#include "queue/names.h"
#include "queue/queue.h"
#include "queue/redis.h"

#include <stdio.h>

enum { ASK_MS = 2000 };

/* The integer or array length of one command's answer. */
static int ask(const char *url, struct str a, struct str b, struct str c, size_t words,
               bool (*read)(const redisReply *, unsigned *), unsigned *ret, struct error *err)
{
    struct redis *r = redis_open(url, ASK_MS, err);

    if (!r)
        return -1;
    bool connected = redis_ready(r);
    if (connected)
        redis_put(r, words, (const struct str[]){ a, b, c });
    _cleanup_(freeReplyObjectp) redisReply *reply = connected ? redis_next(r) : NULL;
    bool                                    ok = reply && read(reply, ret);
    redis_close(r);
    return ok ? 0 : error_set(err, ERR_UNAVAILABLE, "no answer, or not the one expected");
}

/* PUBSUB NUMSUB channel: [channel, count] */
static bool read_subscribers(const redisReply *reply, unsigned *ret)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    *ret = (unsigned)reply->element[1]->integer;
    return true;
}

static bool read_integer(const redisReply *reply, unsigned *ret)
{
    if (reply->type != REDIS_REPLY_INTEGER)
        return false;
    *ret = (unsigned)reply->integer;
    return true;
}

int queue_count_workers(const char *url, unsigned *ret, struct error *err)
{
    struct redis *r = redis_open(url, ASK_MS, err);
    char          channel[64];

    if (!r)
        return -1;
    snprintf(channel, sizeof channel, "/%u.celery.pidbox", redis_db(r));
    redis_close(r);
    return ask(url, S("PUBSUB"), S("NUMSUB"), str_of(channel), 3, read_subscribers, ret, err);
}

int queue_is_bound(const char *url, const char *queue, bool *ret, struct error *err)
{
    char     key[128];
    unsigned n = 0;

    snprintf(key, sizeof key, NAME_BINDING "%s", queue);
    if (ask(url, S("EXISTS"), str_of(key), S(""), 2, read_integer, &n, err) < 0)
        return -1;
    *ret = n > 0;
    return 0;
}
