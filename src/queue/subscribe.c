/* subscribe.c - the listening half of queue.h: a thread that keeps a subscription alive. */
#include "base/clock.h"
#include "base/json.h"
#include "queue/names.h"
#include "queue/queue.h"
#include "queue/redis.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CONNECT_MS = 1000,
    WAIT_MS = 500,
    PING_US = 10 * 1000 * 1000,
    SILENT_US = 20 * 1000 * 1000,
    MAX_EVENT = 64 << 10,
    EVENT_ARENA = 1 << 20
};

struct queue_subscription {
    pthread_t       thread;
    struct redis   *redis;
    queue_event_fn *fn;
    void           *arg;
    atomic_bool     stopping;
    int64_t         heard_us, pinged_us;
};

static void tell(struct queue_subscription *s, struct str raw)
{
    struct arena  a = ARENA(EVENT_ARENA);
    struct error  ignored = { 0 }; /* what is no event of ours is nobody's */
    const json_t *v = raw.n <= MAX_EVENT ? json_read(&a, raw, 16, 1000, &ignored) : NULL;
    const char   *tenant_id = jv_text(v, "tenant_id", NULL), *type = jv_text(v, "type", NULL);
    struct sb     data = SB(&a);

    if (tenant_id && type && uuid_valid(str_of(tenant_id)) && jv_get(v, "data")) {
        json_write(&data, jv_get(v, "data"));
        if (!a.failed)
            s->fn(s->arg, tenant_id, type, sb_str(&data));
    }
    arena_free(&a);
}

/* ["message", channel, text], or ["pong", ""] which only says that Redis lives. */
static void heard(struct queue_subscription *s, const redisReply *r)
{
    s->heard_us = clock_steady_us();
    if (r->type == REDIS_REPLY_ARRAY && r->elements == 3 && str_eq(reply_str(r->element[0]), S("message")))
        tell(s, reply_str(r->element[2]));
}

static bool subscribed(struct redis *r, void *arg)
{
    struct queue_subscription *s = arg;

    REDIS(r, S("SUBSCRIBE"), S(NAME_EVENTS));
    if (!redis_skip(r, 1))
        return false;
    s->heard_us = s->pinged_us = clock_steady_us();
    s->fn(s->arg, NULL, "resync", S("null"));
    return true;
}

/* Finds out about a peer that is gone without a word. */
static void keep_alive(struct queue_subscription *s)
{
    int64_t now = clock_steady_us();

    if (now - s->heard_us > SILENT_US)
        redis_drop(s->redis);
    else if (now - s->heard_us > PING_US && now - s->pinged_us > PING_US) {
        REDIS(s->redis, S("PING"));
        redis_flush(s->redis);
        s->pinged_us = now;
    }
}

static void *listen_run(void *arg)
{
    struct queue_subscription *s = arg;

    while (!atomic_load(&s->stopping)) {
        redisReply *reply = NULL;

        if (!redis_ready(s->redis)) {
            clock_sleep_ms(50);
            continue;
        }
        if (redis_wait(s->redis, WAIT_MS, &reply) > 0)
            heard(s, reply);
        if (reply)
            freeReplyObject(reply);
        keep_alive(s);
    }
    return NULL;
}

struct queue_subscription *queue_subscribe(const char *url, queue_event_fn *fn, void *arg, struct error *err)
{
    struct queue_subscription *s = calloc(1, sizeof *s);

    if (s && (s->redis = redis_open(url, CONNECT_MS, err))) {
        s->fn = fn;
        s->arg = arg;
        redis_on_connect(s->redis, subscribed, s);
        if (pthread_create(&s->thread, NULL, listen_run, s) == 0)
            return s;
    }
    error_set(err, ERR_UNAVAILABLE, "cannot listen for events");
    if (s)
        redis_close(s->redis);
    free(s);
    return NULL;
}

void queue_unsubscribe(struct queue_subscription *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    redis_close(s->redis);
    free(s);
}
