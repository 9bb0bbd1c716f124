/* limits_exchange.c - see limits_exchange.h. One script for many cells, pipelined; the times in Redis are those of its own clock, so that
   replicas need not agree on theirs. */
#include "queue/limits_exchange.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "queue/names.h"
#include "queue/redis.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ANSWER_MS = 1000,           /* nobody waits for it but the thread that shares */
    CELLS = 16,                 /* of one call */
    NUMBER = 24,                /* letters of one */
    HICCUP_US = 3 * 1000 * 1000 /* away for less, and with its memory, Redis has not been away */
};

/* The key goes away by itself when nothing of it is used any more. */
static const char script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000000 + t[2] "
    "local ahead = {} "
    "for i, key in ipairs(KEYS) do "
    "  local owed, least = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]) "
    "  local used = math.max(tonumber(redis.call('GET', key) or 0), now + least) + owed "
    "  if used <= now then redis.call('DEL', key) "
    "  elseif owed ~= 0 or least > 0 then "
    "    redis.call('SET', key, string.format('%.0f', used), 'PX', math.ceil((used - now) / 1000) + 1) "
    "  end "
    "  ahead[i] = used - now "
    "end "
    "return ahead";

struct limits_exchange {
    struct redis *redis;
    unsigned      connections;
    int64_t       heard_us;          /* its last answer */
    char          memory[2 * 8 + 1]; /* the mark found in it; another one: it has lost its memory */
};

/* What replicas have told holds as long as Redis has the mark that the first of them left. */
static bool connected(struct redis *r, void *arg)
{
    struct limits_exchange *x = arg;
    unsigned char           random[8];
    char                    mark[2 * sizeof random + 1];

    random_bytes(random, sizeof random);
    hex_encode(mark, random, sizeof random);
    REDIS(r, S("SET"), S(NAME_LIMIT "memory"), str_of(mark), S("NX"));
    REDIS(r, S("GET"), S(NAME_LIMIT "memory"));
    if (!redis_skip(r, 1))
        return false;
    _cleanup_(freeReplyObjectp) redisReply *found = redis_next(r);
    if (!found || found->type != REDIS_REPLY_STRING)
        return false;
    bool same = str_eq(reply_str(found), str_of(x->memory));
    if (!same || clock_steady_us() - x->heard_us > HICCUP_US)
        x->connections++;
    snprintf(x->memory, sizeof x->memory, "%.16s", reply_str(found).p);
    return true;
}

struct limits_exchange *limits_exchange_open(const char *url, struct error *err)
{
    struct limits_exchange *x = calloc(1, sizeof *x);

    if (!x) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the exchange of limits");
        return NULL;
    }
    x->redis = redis_open(url, ANSWER_MS, err);
    if (x->redis) {
        redis_on_connect(x->redis, connected, x);
        return x;
    }
    free(x);
    return NULL;
}

void limits_exchange_close(struct limits_exchange *x)
{
    if (!x)
        return;
    redis_close(x->redis);
    free(x);
}

bool limits_exchange_ready(struct limits_exchange *x, unsigned *ret_connections)
{
    bool ready = redis_ready(x->redis);

    *ret_connections = x->connections;
    return ready;
}

/* EVAL script n KEYS... ARGV... */
static void put_cells(struct redis *r, const struct limit_use *uses, size_t n)
{
    char       text[3 * CELLS + 1][NUMBER + sizeof NAME_LIMIT];
    struct str words[3 * CELLS + 3] = { S("EVAL"), S(script) };

    snprintf(text[3 * CELLS], sizeof text[0], "%zu", n);
    words[2] = str_of(text[3 * CELLS]);
    for (size_t i = 0; i < n; i++) {
        char *key = text[3 * i], *owed = text[3 * i + 1], *least = text[3 * i + 2];

        snprintf(key, sizeof text[0], NAME_LIMIT "%016" PRIx64, uses[i].key);
        snprintf(owed, sizeof text[0], "%" PRId64, uses[i].owed_us);
        snprintf(least, sizeof text[0], "%" PRId64, uses[i].least_us);
        words[3 + i] = str_of(key);
        words[3 + n + 2 * i] = str_of(owed);
        words[3 + n + 2 * i + 1] = str_of(least);
    }
    redis_put(r, 3 + 3 * n, words);
}

static bool take_cells(struct redis *r, struct limit_use *uses, size_t n)
{
    _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(r);

    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER)
            return false;
        uses[i].ahead_us = reply->element[i]->integer;
    }
    return true;
}

bool limits_exchange_run(struct limits_exchange *x, struct limit_use *uses, size_t n)
{
    bool good = true;

    for (size_t i = 0; i < n; i += CELLS)
        put_cells(x->redis, uses + i, n - i < CELLS ? n - i : CELLS);
    for (size_t i = 0; good && i < n; i += CELLS)
        good = take_cells(x->redis, uses + i, n - i < CELLS ? n - i : CELLS);
    if (good)
        x->heard_us = clock_steady_us();
    else
        redis_drop(x->redis);
    return good;
}
