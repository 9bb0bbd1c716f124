/* queue.c - see queue.h. */
#include "queue/queue.h"

#include "base/clock.h"
#include "base/json.h"
#include "queue/celery.h"
#include "queue/names.h"
#include "queue/redis.h"

#include <pthread.h>
#include <time.h>

enum { MESSAGE_ARENA = 512 << 10, GOOD_US = 1000 * 1000 };

struct queue {
    pthread_mutex_t      lock;
    struct redis        *redis; /* NULL: there is none */
    struct celery_sender sender;
    int64_t              good_at_us; /* the last answer */
};

/* Once per connection: restored messages of a named exchange find their queue by this (kombu). */
static bool declare_queues(struct redis *r, void *arg)
{
    static const char *const queues[] = { "default", "embeddings", "processing" };
    struct arena             a = ARENA(4096);

    (void)arg;
    for (unsigned i = 0; i < ARRAY_LEN(queues); i++) {
        struct sb key = SB(&a), member = SB(&a);

        sb_printf(&key, NAME_BINDING "%s", queues[i]);
        sb_printf(&member, "%s" NAME_SEPARATOR NAME_SEPARATOR "%s", queues[i], queues[i]);
        REDIS(r, S("SADD"), sb_str(&key), sb_str(&member));
    }
    bool good = redis_skip(r, ARRAY_LEN(queues));
    arena_free(&a);
    return good;
}

struct queue *queue_open(const char *url, struct error *err)
{
    struct queue *q = calloc(1, sizeof *q);

    if (!q) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the queue");
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    celery_sender_init(&q->sender);
    if (!url || !url[0])
        return q;
    q->redis = redis_open(url, QUEUE_SEND_MS, err);
    if (q->redis) {
        redis_on_connect(q->redis, declare_queues, NULL);
        return q;
    }
    queue_close(q);
    return NULL;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    redis_close(q->redis);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* Never waits longer for the others than a command may take. */
static bool enter(struct queue *q)
{
    struct timespec until;

    if (!q->redis || clock_gettime(CLOCK_MONOTONIC, &until) < 0)
        return false;
    until.tv_nsec += QUEUE_SEND_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_mutex_clocklock(&q->lock, CLOCK_MONOTONIC, &until) == 0;
}

typedef unsigned put_fn(struct redis *r, void *arg); /* puts commands, returns how many */

/* Once more on a fresh connection when the old one turns out at once to be dead: Redis was restarted. */
static bool send_commands(struct queue *q, put_fn *put, void *arg)
{
    int64_t start_us = clock_steady_us();
    bool    good = false;

    if (!enter(q))
        return false;
    for (int i = 0; i < 2 && !good && redis_ready(q->redis); i++) {
        good = redis_skip(q->redis, put(q->redis, arg));
        if (redis_fd(q->redis) >= 0 || clock_steady_us() - start_us > QUEUE_SEND_MS * 1000 / 2)
            break; /* answered with an error, or slow: asking again makes it no better */
    }
    if (good)
        q->good_at_us = clock_steady_us();
    pthread_mutex_unlock(&q->lock);
    return good;
}

static unsigned put_ping(struct redis *r, void *arg)
{
    (void)arg;
    REDIS(r, S("PING"));
    return 1;
}

bool queue_up(struct queue *q)
{
    if (!enter(q))
        return false;
    bool fresh = redis_fd(q->redis) >= 0 && clock_steady_us() - q->good_at_us < GOOD_US;
    pthread_mutex_unlock(&q->lock);
    return fresh || send_commands(q, put_ping, NULL);
}

struct outgoing {
    struct str list, message, wake;
};

static unsigned put_message(struct redis *r, void *arg)
{
    const struct outgoing *o = arg;

    REDIS(r, S("LPUSH"), o->list, o->message);
    REDIS(r, S("LPUSH"), o->wake, S("1"));
    REDIS(r, S("LTRIM"), o->wake, S("0"), S("63"));
    static_assert(WAKE_MAX == 64, "the number above");
    return 3;
}

bool queue_publish(struct queue *q, const struct job_ref *job)
{
    struct arena a = ARENA(MESSAGE_ARENA);
    struct sb    message = SB(&a), wake = SB(&a);
    struct uuid  tag = uuid_v7();
    const char  *queue = job_kinds[job->kind].queue, *list = celery_list(&a, queue, celery_step(job->priority));

    celery_write_job(&message, &q->sender, job, tag.text);
    sb_printf(&wake, NAME_WAKE "%s", queue);
    bool good =
        !a.failed && send_commands(q, put_message, &(struct outgoing){ str_of(list), sb_str(&message), sb_str(&wake) });
    arena_free(&a);
    return good;
}

static unsigned put_event(struct redis *r, void *arg)
{
    const struct str *text = arg;

    REDIS(r, S("PUBLISH"), S(NAME_EVENTS), *text);
    return 1;
}

bool queue_notify(struct queue *q, const char *tenant_id, const char *type, struct str data)
{
    struct arena a = ARENA(MESSAGE_ARENA);
    struct sb    b = SB(&a);

    sb_puts(&b, "{\"tenant_id\": ");
    sb_json(&b, tenant_id);
    sb_puts(&b, ", \"type\": ");
    sb_json(&b, type);
    sb_puts(&b, ", \"data\": ");
    sb_put(&b, data);
    sb_putc(&b, '}');
    struct str text = sb_str(&b);
    bool       good = !a.failed && send_commands(q, put_event, &text);
    arena_free(&a);
    return good;
}

/* Counters. */

struct shares {
    struct arena *arena;
    uint64_t      now[METRICS_OF_WORKERS];
    uint64_t     *told;
};

static unsigned put_shares(struct redis *r, void *arg)
{
    struct shares *s = arg;
    unsigned       put = 0;

    for (unsigned i = 0; i < METRICS_OF_WORKERS; i++) {
        struct sb grown = SB(s->arena);

        if (s->now[i] == s->told[i])
            continue;
        sb_printf(&grown, "%llu", (unsigned long long)(s->now[i] - s->told[i]));
        REDIS(r, S("HINCRBY"), S(NAME_METRICS), str_of(metric_series(s->arena, (enum metric)(METRIC_WORKER_FIRST + i))),
              sb_str(&grown));
        put++;
    }
    return put;
}

bool queue_metrics_share(struct queue *q, uint64_t told[METRICS_OF_WORKERS])
{
    struct arena  a = ARENA(64 << 10);
    struct shares s = { .arena = &a, .told = told };

    for (unsigned i = 0; i < METRICS_OF_WORKERS; i++)
        s.now[i] = metric_get((enum metric)(METRIC_WORKER_FIRST + i));
    bool good = memcmp(s.now, told, sizeof s.now) == 0 || send_commands(q, put_shares, &s);
    if (good)
        memcpy(told, s.now, sizeof s.now);
    arena_free(&a);
    return good;
}

bool queue_metrics_load(struct queue *q)
{
    struct arena a = ARENA(64 << 10);
    struct str   words[2 + METRICS_OF_WORKERS] = { S("HMGET"), S(NAME_METRICS) };
    struct error ignored = { 0 }; /* what is no number stays as it was */
    bool         good = false;

    for (unsigned i = 0; i < METRICS_OF_WORKERS; i++)
        words[2 + i] = str_of(metric_series(&a, (enum metric)(METRIC_WORKER_FIRST + i)));
    if (enter(q)) {
        if (redis_ready(q->redis)) {
            redis_put(q->redis, ARRAY_LEN(words), words);
            _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(q->redis);

            good = reply && reply->elements == METRICS_OF_WORKERS;
            for (unsigned i = 0; good && i < METRICS_OF_WORKERS; i++) {
                uint64_t n = 0;

                if (reply->element[i]->type == REDIS_REPLY_STRING
                    && parse_u64("counter", reply_str(reply->element[i]), 0, UINT64_MAX, &n, &ignored) == 0)
                    metric_set((enum metric)(METRIC_WORKER_FIRST + i), n);
            }
        }
        pthread_mutex_unlock(&q->lock);
    }
    arena_free(&a);
    return good;
}
