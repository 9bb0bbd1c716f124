/* limiter.c - see limiter.h. A cell says up to when its limit is used (theoretical arrival time). What a replica takes it adds at once; a thread
   tells Redis, and comes back with what all have taken together. Between two rounds replicas may let through more than the limit; as
   the time of a cell then lies further ahead, that is taken off what comes back: over a minute the sum is right (docs/limits.md). */
#include "api/limiter.h"

#include "base/clock.h"
#include "queue/limits_exchange.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum {
    RUNS = 8192,
    PROBES = 8,
    SHARDS = 64,
    BATCH = 512,       /* cells told in one go */
    ROUND_MS = 100,    /* how often cells near their limit are told */
    CALM_MS = 1000,    /* the others */
    PAUSE_MS = 1,      /* between rounds that follow at once */
    EAGER_PART = 50,   /* a part of a limit taken since the last telling: told now */
    NEAR_PART = 2,     /* a part used: near its limit */
    UNTOLD_PART = 256, /* less used than this part is not told: nobody gets near a limit by it */
};

struct cell {
    uint64_t key;
    int64_t  tat_ns;  /* theoretical arrival time of the next, steady clock */
    int64_t  owed_ns; /* taken here since it was last told */
    unsigned told;    /* over which connection; another one than now: Redis may have forgotten it */
    bool     touched, is_near;
};

struct shard {
    pthread_mutex_t lock;
    uint64_t        touched[RUNS / SHARDS / 64]; /* its runs with a touched cell */
};

struct limiter {
    struct shard            shards[SHARDS];
    struct limits_exchange *exchange; /* NULL: alone. The thread's */
    pthread_t               thread;
    pthread_mutex_t         lock; /* of wake */
    pthread_cond_t          wake;
    atomic_bool             wanted, stopping;
    atomic_uint             connection; /* the number of the one to Redis */
    struct limit_use        uses[BATCH];
    struct cell             cells[RUNS * PROBES]; /* memory that no key has touched costs nothing */
};

static struct shard *shard_of(struct limiter *l, uint64_t key)
{
    return &l->shards[key % RUNS % SHARDS];
}

static struct cell *cell_find(struct limiter *l, uint64_t key)
{
    struct cell *run = &l->cells[key % RUNS * PROBES];

    for (unsigned i = 0; i < PROBES; i++)
        if (run[i].key == key)
            return &run[i];
    return NULL;
}

/* The cell of a key; the longest idle of its run is given up for a new one. */
static struct cell *cell_of(struct limiter *l, uint64_t key)
{
    struct cell *run = &l->cells[key % RUNS * PROBES], *c = cell_find(l, key);

    if (c)
        return c;
    c = run;
    for (unsigned i = 1; i < PROBES; i++)
        if (run[i].tat_ns < c->tat_ns)
            c = &run[i];
    *c = (struct cell){ .key = key, .told = atomic_load_explicit(&l->connection, memory_order_relaxed) };
    return c;
}

/* --- the exchange --- */

static void wake(struct limiter *l)
{
    if (atomic_exchange(&l->wanted, true))
        return; /* it has been told, and has not begun */
    pthread_mutex_lock(&l->lock);
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

/* Has the cell told in the next round, or in one of the next. */
static void touch(struct limiter *l, struct cell *c, int64_t ahead_ns, int64_t window_ns)
{
    unsigned run = (unsigned)(c->key % RUNS);

    if (!l->exchange || ahead_ns < window_ns / UNTOLD_PART)
        return;
    c->touched = true;
    c->is_near = ahead_ns > window_ns / NEAR_PART || c->owed_ns > window_ns / EAGER_PART;
    l->shards[run % SHARDS].touched[run / SHARDS / 64] |= UINT64_C(1) << run / SHARDS % 64;
    if (c->owed_ns > window_ns / EAGER_PART)
        wake(l);
}

/* What there is to tell of a cell. What has come back by the passing of time is nobody's any more. */
static struct limit_use use_of(struct cell *c, int64_t now_ns, unsigned connection)
{
    int64_t          ahead_ns = c->tat_ns > now_ns ? c->tat_ns - now_ns : 0;
    struct limit_use u = { .key = c->key };

    if (c->told != connection)
        u.least_us = ahead_ns / 1000;
    else
        u.owed_us = (c->owed_ns < ahead_ns ? c->owed_ns : ahead_ns) / 1000;
    c->owed_ns = 0;
    c->touched = false;
    return u;
}

/* The touched cells of a run; true when some stay for a later round, or for want of room. */
static bool collect_run(struct limiter *l, unsigned run, bool calm_too, unsigned connection, size_t *n)
{
    int64_t now_ns = clock_steady_us() * 1000;
    bool    left = false;

    for (unsigned i = 0; i < PROBES; i++) {
        struct cell *c = &l->cells[run * PROBES + i];

        if (!c->touched)
            continue;
        if (*n < BATCH && (calm_too || c->is_near))
            l->uses[(*n)++] = use_of(c, now_ns, connection);
        else
            left = true;
    }
    return left;
}

static size_t collect(struct limiter *l, bool calm_too, unsigned connection)
{
    size_t n = 0;

    for (unsigned s = 0; s < SHARDS; s++) {
        struct shard *shard = &l->shards[s];

        pthread_mutex_lock(&shard->lock);
        for (unsigned i = 0; i < RUNS / SHARDS; i++) {
            uint64_t bit = UINT64_C(1) << i % 64;

            if ((shard->touched[i / 64] & bit) && !collect_run(l, i * SHARDS + s, calm_too, connection, &n))
                shard->touched[i / 64] &= ~bit;
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return n;
}

/* What everybody has taken, and what was taken here while it was being asked for. */
static void apply(struct limiter *l, const struct limit_use *u, int64_t asked_ns, unsigned connection)
{
    struct shard *shard = shard_of(l, u->key);

    pthread_mutex_lock(&shard->lock);
    struct cell *c = cell_find(l, u->key);
    if (c) {
        c->tat_ns = asked_ns + u->ahead_us * 1000 + c->owed_ns;
        c->told = connection;
    }
    pthread_mutex_unlock(&shard->lock);
}

static void exchange_round(struct limiter *l, bool calm_too)
{
    unsigned connection;
    size_t   n = BATCH;

    while (n == BATCH && limits_exchange_ready(l->exchange, &connection)) {
        int64_t asked_ns = clock_steady_us() * 1000;

        atomic_store_explicit(&l->connection, connection, memory_order_relaxed);
        n = collect(l, calm_too, connection);
        if (n == 0 || !limits_exchange_run(l->exchange, l->uses, n))
            return; /* what it did not hear after all is a moment's use; after an outage cells say how far they are */
        for (size_t i = 0; i < n; i++)
            apply(l, &l->uses[i], asked_ns, connection);
    }
}

static void wait_round(struct limiter *l)
{
    struct timespec until;
    int             rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ROUND_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&l->lock);
    while (rc == 0 && !atomic_load(&l->wanted) && !atomic_load(&l->stopping))
        rc = pthread_cond_clockwait(&l->wake, &l->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&l->lock);
    atomic_store(&l->wanted, false);
}

static void *exchange_run(void *arg)
{
    struct limiter *l = arg;

    for (int64_t calm_at_us = 0; !atomic_load(&l->stopping);) {
        wait_round(l);
        bool calm_too = clock_steady_us() >= calm_at_us;
        if (calm_too)
            calm_at_us = clock_steady_us() + CALM_MS * 1000;
        exchange_round(l, calm_too);
        clock_sleep_ms(PAUSE_MS);
    }
    return NULL;
}

static int exchange_open(struct limiter *l, const char *redis_url, struct error *err)
{
    if (!redis_url || redis_url[0] == '\0')
        return 0;
    l->exchange = limits_exchange_open(redis_url, err);
    if (!l->exchange)
        return -1;
    if (pthread_create(&l->thread, NULL, exchange_run, l) == 0)
        return 0;
    limits_exchange_close(TAKE(l->exchange));
    return error_set(err, ERR_UNAVAILABLE, "cannot start the thread that shares limits");
}

struct limiter *limiter_open(const char *redis_url, struct error *err)
{
    struct limiter *l = calloc(1, sizeof *l);

    if (!l) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the rate limiter");
        return NULL;
    }
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&l->shards[i].lock, NULL);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    if (exchange_open(l, redis_url, err) == 0)
        return l;
    limiter_close(l);
    return NULL;
}

void limiter_close(struct limiter *l)
{
    if (!l)
        return;
    if (l->exchange) {
        atomic_store(&l->stopping, true);
        wake(l);
        pthread_join(l->thread, NULL);
        limits_exchange_close(l->exchange);
    }
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&l->shards[i].lock);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->wake);
    free(l);
}

/* --- counting --- */

static int64_t window_of(const struct limiter_count *c)
{
    return (int64_t)c->window_s * 1000000000;
}

static int64_t step_of(const struct limiter_count *c)
{
    int64_t step = window_of(c) / (int64_t)c->limit;

    return step > 0 ? step : 1;
}

bool limiter_take(struct limiter *l, const struct limiter_count *c, struct limiter_state *ret)
{
    struct shard *shard = shard_of(l, c->key);
    int64_t       window = window_of(c), step = step_of(c), now = clock_steady_us() * 1000;

    pthread_mutex_lock(&shard->lock);
    struct cell *cell = cell_of(l, c->key);
    if (cell->tat_ns
        <= now) { /* nothing is used, so nothing is owed; but what was given back after it was told still is */
        cell->tat_ns = now;
        cell->owed_ns = cell->owed_ns < 0 ? cell->owed_ns : 0;
    }
    bool fits = cell->tat_ns - now <= window - step;
    if (fits) {
        cell->tat_ns += step;
        cell->owed_ns += step;
    }
    int64_t used = cell->tat_ns - now;
    touch(l, cell, used, window);
    pthread_mutex_unlock(&shard->lock);
    *ret = (struct limiter_state){ .remaining = used < window ? (uint64_t)((window - used) / step) : 0,
                                   .reset_us = used / 1000,
                                   .wait_us = used > window - step ? (used + step - window) / 1000 + 1 : 0 };
    return fits;
}

void limiter_give_back(struct limiter *l, const struct limiter_count *c)
{
    struct shard *shard = shard_of(l, c->key);

    pthread_mutex_lock(&shard->lock);
    struct cell *cell = cell_find(l, c->key);
    if (cell) {
        cell->tat_ns -= step_of(c);
        cell->owed_ns -= step_of(c);
        touch(l, cell, window_of(c), window_of(c));
    }
    pthread_mutex_unlock(&shard->lock);
}
