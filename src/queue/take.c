/* take.c - see take.h. The scripts leave the text of a message as it is: Redis' cjson would turn [] into {}. */
#include "queue/take.h"

#include "base/clock.h"
#include "base/log.h"
#include "queue/names.h"
#include "queue/node.h"
#include "queue/redis.h"

#include <stdio.h>

enum {
    COMMAND_MS = 2000,
    MAX_QUEUES = 8,
    REVERSED_EACH = 8,
    RESTORE_AT_ONCE = 100,
    RESULT_S = 86400,
    TEXT_ARENA = 512 << 10,
};

/* KEYS: unacked_index, unacked, dead letters, lists by urgency. ARGV: now, bytes of the largest message, dead letters kept. */
static const char take_lua[] =
    "local max = tonumber(ARGV[2])\n"
    "local function read(raw)\n"
    "  if #raw > max then return end\n"
    "  local ok, m = pcall(cjson.decode, raw)\n"
    "  local p = ok and type(m) == 'table' and m.properties\n"
    "  if type(p) ~= 'table' or type(p.delivery_info) ~= 'table' then return end\n"
    "  if type(p.delivery_tag) ~= 'string' or p.delivery_tag == '' then return end\n"
    "  return p\n"
    "end\n"
    "for i = 4, #KEYS do\n"
    "  for _ = 1, 100 do\n"
    "    local raw = redis.call('RPOP', KEYS[i])\n"
    "    if not raw then break end\n"
    "    local p = read(raw)\n"
    "    if p then\n"
    "      local ex, rk = p.delivery_info.exchange, p.delivery_info.routing_key\n"
    "      if type(ex) ~= 'string' then ex = '' end\n"
    "      if type(rk) ~= 'string' or rk == '' then rk = string.match(KEYS[i], '^[^\\6]*') end\n"
    "      redis.call('ZADD', KEYS[1], ARGV[1], p.delivery_tag)\n"
    "      redis.call('HSET', KEYS[2], p.delivery_tag, '['..raw..', '..cjson.encode(ex)..', '..cjson.encode(rk)..']')\n"
    "      return raw\n"
    "    end\n"
    "    redis.call('LPUSH', KEYS[3], string.sub(raw, 1, max))\n"
    "    redis.call('LTRIM', KEYS[3], 0, ARGV[3] - 1)\n"
    "  end\n"
    "end\n"
    "return false\n";

/* KEYS: unacked_index, unacked, dead letters. ARGV: score up to which messages are late, how many at once, prefix of bindings, separator,
   dead letters kept. A message goes to the end that is taken from, as kombu does it, marked as redelivered in its headers. */
static const char restore_lua[] =
    "local function queues(ex, rk)\n"
    "  if ex == '' then return {rk} end\n"
    "  local found = {}\n"
    "  for _, m in ipairs(redis.call('SMEMBERS', ARGV[3]..ex)) do\n"
    "    local a = string.find(m, ARGV[4], 1, true)\n"
    "    local b = a and string.find(m, ARGV[4], a + 2, true)\n"
    "    if b and string.sub(m, 1, a - 1) == rk then found[#found + 1] = string.sub(m, b + 2) end\n"
    "  end\n"
    "  return found\n"
    "end\n"
    "local function split(entry)\n"
    "  local ok, m = pcall(cjson.decode, entry)\n"
    "  if not ok or type(m) ~= 'table' or type(m[2]) ~= 'string' or type(m[3]) ~= 'string' then return end\n"
    "  local raw = string.match(entry, '^%[(.*), \"[^\"]*\", \"[^\"]*\"%]$')\n"
    "  if not raw then return end\n"
    "  local a, b = string.find(raw, '\"headers\": {', 1, true)\n"
    "  if a and not string.find(raw, '\"redelivered\": true', 1, true) then\n"
    "    raw = string.sub(raw, 1, b)..'\"redelivered\": true, '..string.sub(raw, b + 1)\n"
    "  end\n"
    "  return raw, m[2], m[3]\n"
    "end\n"
    "local n = 0\n"
    "for _, tag in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], 0, 'LIMIT', 0, ARGV[2])) do\n"
    "  local entry = redis.call('HGET', KEYS[2], tag)\n"
    "  redis.call('ZREM', KEYS[1], tag)\n"
    "  redis.call('HDEL', KEYS[2], tag)\n"
    "  if entry then\n"
    "    local raw, ex, rk = split(entry)\n"
    "    local to = raw and queues(ex, rk) or {}\n"
    "    for _, q in ipairs(to) do redis.call('RPUSH', q, raw) end\n"
    "    if #to == 0 then\n"
    "      redis.call('LPUSH', KEYS[3], entry)\n"
    "      redis.call('LTRIM', KEYS[3], 0, ARGV[5] - 1)\n"
    "    end\n"
    "    n = n + 1\n"
    "  end\n"
    "end\n"
    "return n\n";

struct taker {
    struct redis      *redis; /* NULL: none */
    const char *const *queues;
    struct node       *node;
    size_t             queue_count;
    unsigned           turn;
    char               take_sha[48], restore_sha[48];
};

static bool load_one(struct redis *r, const char *script, char sha[static 48])
{
    REDIS(r, S("SCRIPT"), S("LOAD"), str_of(script));
    _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(r);

    if (!reply || reply->type != REDIS_REPLY_STRING || reply->len >= 48)
        return false;
    memcpy(sha, reply->str, reply->len + 1);
    return true;
}

static bool load_scripts(struct redis *r, void *arg)
{
    struct taker *t = arg;

    return load_one(r, take_lua, t->take_sha) && load_one(r, restore_lua, t->restore_sha);
}

struct taker *taker_open(const char *url, const char *const *queues, struct node *node, struct error *err)
{
    struct taker *t = calloc(1, sizeof *t);

    if (!t) {
        error_set(err, ERR_UNAVAILABLE, "no memory for a taker");
        return NULL;
    }
    t->queues = queues;
    t->node = node;
    while (queues[t->queue_count])
        t->queue_count++;
    if (t->queue_count == 0 || t->queue_count > MAX_QUEUES)
        error_set(err, ERR_VALIDATION, "a worker takes from 1 to %d queues", MAX_QUEUES);
    else if (!url || !url[0])
        return t;
    else if ((t->redis = redis_open(url, COMMAND_MS, err))) {
        redis_on_connect(t->redis, load_scripts, t);
        return t;
    }
    taker_close(t);
    return NULL;
}

void taker_close(struct taker *t)
{
    if (!t)
        return;
    redis_close(t->redis);
    free(t);
}

/* Calls a script; NULL: Redis is away, or the script failed (logged). */
static redisReply *script(struct taker *t, const char *sha, const struct str *words, size_t n)
{
    struct str all[3 + 3 + MAX_QUEUES * CELERY_STEPS + 8];

    assert(n + 2 <= ARRAY_LEN(all));
    all[0] = S("EVALSHA");
    all[1] = str_of(sha);
    memcpy(all + 2, words, n * sizeof *words);
    redis_put(t->redis, n + 2, all);
    redisReply *reply = redis_next(t->redis);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        log_at(LOG_WARNING, "Redis: %s", reply->str);
        freeReplyObject(reply);
        redis_drop(t->redis); /* a flushed script is loaded again with the new connection */
        return NULL;
    }
    return reply;
}

static struct str put_now(struct sb *b, double offset_s)
{
    sb_printf(b, "%.6f", (double)clock_wall_us() / 1e6 + offset_s);
    return sb_str(b);
}

/* What cannot be read goes to the dead letters; nobody else takes it again. */
static void bury(struct taker *t, struct str raw, const char *why)
{
    struct arena  a = ARENA(TEXT_ARENA);
    struct error  ignored = { 0 };
    const json_t *v = json_read(&a, raw, 16, 500, &ignored);
    const char   *tag = jv_text(jv_get(v, "properties"), "delivery_tag", "");

    log_at(LOG_WARNING, "a message went to the dead letters: %s", why);
    REDIS(t->redis, S("MULTI"));
    REDIS(t->redis, S("LPUSH"), S(NAME_DEAD), raw);
    REDIS(t->redis, S("LTRIM"), S(NAME_DEAD), S("0"), S("999"));
    static_assert(DEAD_MAX == 1000, "the number above");
    REDIS(t->redis, S("ZREM"), S(NAME_UNACKED_AT), str_of(tag));
    REDIS(t->redis, S("HDEL"), S(NAME_UNACKED), str_of(tag));
    REDIS(t->redis, S("EXEC"));
    redis_skip(t->redis, 6);
    arena_free(&a);
}

/* The lists, most urgent first: step outside, queue inside, queues in turns; each REVERSED_EACH-th time the other way round. */
static size_t lists(struct taker *t, struct arena *a, struct str *ret)
{
    bool   reversed = ++t->turn % REVERSED_EACH == 0;
    size_t n = 0;

    for (unsigned s = 0; s < CELERY_STEPS; s++)
        for (size_t q = 0; q < t->queue_count; q++)
            ret[n++] =
                str_of(celery_list(a, t->queues[(q + t->turn) % t->queue_count], reversed ? CELERY_STEPS - 1 - s : s));
    return n;
}

/* 1 one, 0 none, -1 Redis is away. */
static int look(struct taker *t, struct arena *a, struct delivery *ret)
{
    struct str words[1 + 3 + MAX_QUEUES * CELERY_STEPS + 3] = {
        { 0 }, S(NAME_UNACKED_AT), S(NAME_UNACKED), S(NAME_DEAD)
    };
    struct sb    now = SB(a);
    struct error err = { 0 };
    size_t       n = 4 + lists(t, a, words + 4);

    words[0] = str_of(arena_text(a, "", 0));
    struct sb keys = SB(a);
    sb_printf(&keys, "%zu", n - 1);
    words[0] = sb_str(&keys);
    words[n++] = put_now(&now, 0);
    words[n++] = S("65536");
    static_assert(CELERY_MAX_MESSAGE == 65536, "the number above");
    words[n++] = S("1000");
    _cleanup_(freeReplyObjectp) redisReply *reply = script(t, t->take_sha, words, n);
    if (!reply)
        return -1;
    if (reply->type != REDIS_REPLY_STRING)
        return 0;
    *ret = (struct delivery){ .taken_us = clock_steady_us(), .slot = -1 };
    if (celery_read(a, reply_str(reply), &ret->message, &err) == 0 && !a->failed)
        return 1;
    bury(t, reply_str(reply), err.detail);
    return 0;
}

/* Until a producer of ours rings, or a second is over (others do not ring). False: Redis is away. */
static bool wait_for_bell(struct taker *t, struct arena *a, unsigned wait_ms)
{
    struct str words[2 + MAX_QUEUES];
    struct sb  seconds = SB(a);
    size_t     n = 0;

    words[n++] = S("BRPOP");
    for (size_t q = 0; q < t->queue_count; q++) {
        struct sb key = SB(a);

        sb_printf(&key, NAME_WAKE "%s", t->queues[q]);
        words[n++] = sb_str(&key);
    }
    sb_printf(&seconds, "%u", wait_ms / 1000);
    words[n++] = sb_str(&seconds);
    redis_patience(t->redis, wait_ms + COMMAND_MS);
    redis_put(t->redis, n, words);
    bool good = redis_skip(t->redis, 1);
    redis_patience(t->redis, 0);
    return good;
}

int taker_take(struct taker *t, struct arena *a, unsigned wait_ms, struct delivery *ret)
{
    if (!t->redis || !redis_ready(t->redis))
        return -1;
    int got = look(t, a, ret);
    if (got != 0 || wait_ms < 1000)
        return got;
    return wait_for_bell(t, a, wait_ms) ? look(t, a, ret) : -1;
}

void taker_started(struct taker *t, struct delivery *d)
{
    if (t->redis && t->node)
        node_started(t->node, t->redis, &d->message, &d->slot);
}

static unsigned put_result(struct taker *t, struct arena *a, const struct celery_message *m,
                           const struct celery_end *end)
{
    struct sb key = SB(a), value = SB(a);

    sb_printf(&key, NAME_RESULT "%s", m->id);
    celery_write_result(&value, m->id, end, clock_wall_us());
    REDIS(t->redis, S("MULTI"));
    REDIS(t->redis, S("SETEX"), sb_str(&key), S("86400"), sb_str(&value));
    static_assert(RESULT_S == 86400, "the number above");
    REDIS(t->redis, S("PUBLISH"), sb_str(&key), sb_str(&value));
    REDIS(t->redis, S("EXEC"));
    return 4;
}

void taker_ended(struct taker *t, struct delivery *d, const struct celery_end *end)
{
    struct arena a = ARENA(TEXT_ARENA);
    unsigned     n = 0;

    if (t->node)
        n += node_ended(t->node, t->redis, &a, &d->message, d->slot, end, clock_steady_us() - d->taken_us);
    if (t->redis && end && !d->message.ignore_result)
        n += put_result(t, &a, &d->message, end);
    if (t->redis) {
        REDIS(t->redis, S("MULTI"));
        REDIS(t->redis, S("ZREM"), S(NAME_UNACKED_AT), str_of(d->message.tag));
        REDIS(t->redis, S("HDEL"), S(NAME_UNACKED), str_of(d->message.tag));
        REDIS(t->redis, S("EXEC"));
        redis_skip(t->redis, n + 4);
    }
    arena_free(&a);
}

unsigned taker_restore(struct taker *t)
{
    struct arena a = ARENA(4096);
    struct sb    late = SB(&a);
    unsigned     n = 0;

    if (t->redis && redis_ready(t->redis)) {
        const struct str words[] = {
            S("3"),   S(NAME_UNACKED_AT), S(NAME_UNACKED),   S(NAME_DEAD), put_now(&late, -VISIBILITY_S),
            S("100"), S(NAME_BINDING),    S(NAME_SEPARATOR), S("1000")
        };
        static_assert(RESTORE_AT_ONCE == 100, "the number above");
        _cleanup_(freeReplyObjectp) redisReply *reply = script(t, t->restore_sha, words, ARRAY_LEN(words));

        n = reply && reply->type == REDIS_REPLY_INTEGER ? (unsigned)reply->integer : 0;
    }
    arena_free(&a);
    return n;
}

void taker_renew(struct taker *t, const char *const *tags, size_t n)
{
    struct arena a = ARENA(4096);
    struct sb    now = SB(&a);
    unsigned     put = 0;

    if (t->redis && redis_ready(t->redis)) {
        put_now(&now, 0);
        for (; put < n; put++)
            REDIS(t->redis, S("ZADD"), S(NAME_UNACKED_AT), S("XX"), sb_str(&now), str_of(tags[put]));
        redis_skip(t->redis, put);
    }
    arena_free(&a);
}

int64_t taker_depth(struct taker *t, const char *queue)
{
    struct arena a = ARENA(4096);
    int64_t      depth = -1;

    if (t->redis && redis_ready(t->redis)) {
        for (unsigned s = 0; s < CELERY_STEPS; s++)
            REDIS(t->redis, S("LLEN"), str_of(celery_list(&a, queue, s)));
        depth = 0;
        for (unsigned s = 0; s < CELERY_STEPS; s++) {
            _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(t->redis);

            depth = reply && reply->type == REDIS_REPLY_INTEGER && depth >= 0 ? depth + reply->integer : -1;
        }
    }
    arena_free(&a);
    return depth;
}
