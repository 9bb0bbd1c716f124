/* limit.c - rate limits by GCRA (generic cell rate algorithm): per tenant, who asks, and class of route. In this process alone. */
#include "api/api.h"

#include "base/clock.h"
#include "domain/plan.h"

#include <pthread.h>

enum { SLOTS = 65536, PROBES = 8, SHARDS = 64 };

struct cell {
    uint64_t key;
    int64_t  tat_us; /* theoretical arrival time of the next request, steady clock */
};

struct limiter {
    pthread_mutex_t lock[SHARDS];
    struct cell     cells[SLOTS];
};

struct limiter *limiter_open(struct error *err)
{
    struct limiter *l = calloc(1, sizeof *l);

    if (!l) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the rate limiter");
        return NULL;
    }
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&l->lock[i], NULL);
    return l;
}

void limiter_close(struct limiter *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&l->lock[i]);
    free(l);
}

static uint64_t mix(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3); /* FNV-1a; ids are random, nobody chooses collisions */
    return h;
}

/* The cell of a key; the longest idle of its run is given up for a new one. */
static struct cell *cell_of(struct limiter *l, uint64_t key)
{
    struct cell *run = &l->cells[key % (SLOTS / PROBES) * PROBES], *oldest = run;

    for (unsigned i = 0; i < PROBES; i++) {
        if (run[i].key == key)
            return &run[i];
        if (run[i].tat_us < oldest->tat_us)
            oldest = &run[i];
    }
    *oldest = (struct cell){ .key = key };
    return oldest;
}

/* Requests a minute, and whose: a key's, a person's, or for those without a credential an address's. */
static uint64_t limit_of(const struct request *req, const char *class, uint64_t *ret_key)
{
    const struct plan_limits *p = &plan_limits[req->who.plan];
    uint64_t                  h = mix(UINT64_C(0xcbf29ce484222325), class);

    if (req->who.kind == 0) {
        *ret_key = mix(mix(h, "|"), req->ip) | 1;
        return api_of(req)->settings->public_rate;
    }
    *ret_key = mix(mix(h, req->who.tenant_id), req->who.kind == 'k' ? req->who.session_id : req->who.user_id) | 1;
    return strcmp(class, "search") == 0 ? p->searches_per_minute : p->requests_per_minute;
}

/* Five of them stand on every answer: printf would be a tenth of the work. */
static void put_header(struct request *req, const char *name, const char *before, int64_t a, const char *between,
                       int64_t b)
{
    struct sb text = SB(&req->arena);

    sb_puts(&text, before);
    sb_put_u64(&text, a > 0 ? (uint64_t)a : 0);
    sb_puts(&text, between);
    if (b >= 0)
        sb_put_u64(&text, (uint64_t)b);
    if (text.n > 0)
        response_header(req, name, text.p);
}

int api_limit(struct request *req)
{
    struct limiter *l = api_of(req)->limiter;
    const char *class = req->route->rate_class ? req->route->rate_class : "request";
    uint64_t key, limit = limit_of(req, class, &key);

    if (req->who.kind == 0 && strcmp(req->route->method, "GET") == 0)
        return 0; /* health, metrics, the API's description: answers out of memory, asked for by machines */
    pthread_mutex_t *lock = &l->lock[key % (SLOTS / PROBES) % SHARDS];
    int64_t          now = clock_steady_us(), window = 60 * 1000000,
            step = window / (int64_t)limit > 0 ? window / (int64_t)limit : 0;

    pthread_mutex_lock(lock);
    struct cell *c = cell_of(l, key);
    int64_t      tat = c->tat_us > now ? c->tat_us : now;
    bool         fits = tat - now <= window - step;
    if (fits)
        c->tat_us = tat + step;
    else
        step = 0;
    pthread_mutex_unlock(lock);
    int64_t used = tat + step - now;
    int64_t remaining = (int64_t)((double)(window - used) / 60e6 * (double)limit), reset = (used + 999999) / 1000000;
    put_header(req, "X-RateLimit-Limit", "", (int64_t)limit, "", -1);
    put_header(req, "X-RateLimit-Remaining", "", remaining, "", -1);
    put_header(req, "X-RateLimit-Reset", "", clock_wall_us() / 1000000 + reset, "", -1);
    put_header(req, "RateLimit-Policy", "\"minute\";q=", (int64_t)limit, ";w=60", -1);
    put_header(req, "RateLimit", "\"minute\";r=", remaining, ";t=", reset);
    if (fits)
        return 0;
    put_header(req, "Retry-After", "", (used - window) / 1000000 + 1, "", -1);
    return error_say(&req->err, ERR_RATE_LIMITED, NULL,
                     "At most %llu requests of this kind a minute; wait and try again.", (unsigned long long)limit);
}
