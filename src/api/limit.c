/* limit.c - what a request counts against: its organization's plan, its person's or key's share of that, or the address of who has no credential;
   and the headers that tell. The counting itself is limiter.c's. */
#include "api/api.h"
#include "api/limiter.h"

#include "base/address.h"
#include "base/clock.h"
#include "domain/plan.h"

enum { MINUTE = 60, HOUR = 3600, COUNTERS = 4 };

struct counter {
    struct limiter_count count;
    struct limiter_state state;
    const char          *name, *what; /* in RateLimit-Policy; in a sentence */
    bool                 is_upload;   /* given back when nothing was uploaded */
};

struct counters {
    struct counter at[COUNTERS];
    unsigned       n;
};

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n > 0; p++, n--)
        h = (h ^ *p) * UINT64_C(0x100000001b3); /* FNV-1a; it begins with a secret, so nobody chooses collisions */
    return h;
}

static uint64_t mix_text(uint64_t h, const char *s)
{
    return mix(h, s, strlen(s) + 1);
}

static uint64_t first_of(const struct request *req, const char *name)
{
    uint64_t h;

    memcpy(&h, api_of(req)->pepper, sizeof h); /* the same in all replicas */
    return mix_text(h, name);
}

static struct counter *add(struct counters *c, uint64_t key, uint64_t limit, unsigned window_s, const char *name,
                           const char *what)
{
    struct counter *new = &c->at[c->n++];

    assert(c->n <= COUNTERS);
    *new = (struct counter){ .count = { key | 1, limit > 0 ? limit : 1, window_s }, .name = name, .what = what };
    return new;
}

/* All devices of an IPv6 network count as one. */
static void add_address(struct counters *c, const struct request *req)
{
    uint64_t       h = first_of(req, "address");
    struct address a;

    if (address_read(str_of(req->ip), &a)) {
        address_to_network(&a);
        h = mix(h, a.bytes, sizeof a.bytes);
    }
    add(c, h, api_of(req)->settings->public_rate, MINUTE, "address", "requests a minute from one address");
}

/* The organization in all, and where rate_share keeps one from taking it all, whoever asks. */
static void add_tenant(struct counters *c, const struct request *req, const char *const names[2], const char *what,
                       uint64_t limit, unsigned window_s, bool is_upload)
{
    uint64_t h = mix_text(first_of(req, names[0]), req->who.tenant_id), share = api_of(req)->settings->rate_share;

    add(c, h, limit, window_s, names[0], what)->is_upload = is_upload;
    if (share < 100)
        add(c, mix_text(h, req->who.kind == 'k' ? req->who.session_id : req->who.user_id),
            limit / 100 * share + limit % 100 * share / 100, window_s, names[1], what)
            ->is_upload = is_upload;
}

static void counters_of(const struct request *req, struct counters *c)
{
    static const char *const minute[] = { "minute", "minute-own" }, *const hour[] = { "hour", "hour-own" },
                             *const searches[] = { "searches", "searches-own" };
    const struct plan_limits       *p = &plan_limits[req->who.plan];
    const char *class = req->route->rate_class ? req->route->rate_class : "request";

    c->n = 0;
    if (req->who.kind == 0) {
        /* Health, metrics, the API's description are answers out of memory, asked for by machines. */
        if (req->route->rate_class || strcmp(req->route->method, "GET") != 0)
            add_address(c, req);
        return;
    }
    if (strcmp(class, "search") == 0) {
        add_tenant(c, req, searches, "searches a minute", p->searches_per_minute, MINUTE, /* is_upload= */ false);
        return;
    }
    add_tenant(c, req, minute, "requests a minute", p->requests_per_minute, MINUTE, /* is_upload= */ false);
    if (strcmp(class, "upload") == 0)
        add_tenant(c, req, hour, "uploads an hour", p->documents_per_hour, HOUR, /* is_upload= */ true);
}

/* --- headers --- */

/* They stand on every answer: printf would be a tenth of the work. */
static void put_header(struct request *req, const char *name, struct sb *text)
{
    if (text->n > 0)
        response_header(req, name, text->p);
}

static void put_number(struct request *req, const char *name, uint64_t v)
{
    struct sb text = SB(&req->arena);

    sb_put_u64(&text, v);
    put_header(req, name, &text);
}

static uint64_t seconds(int64_t us)
{
    return us > 0 ? ((uint64_t)us + 999999) / 1000000 : 0;
}

static void put_member(struct sb *b, bool is_first, const char *name)
{
    sb_puts(b, is_first ? "\"" : ", \"");
    sb_puts(b, name);
    sb_putc(b, '"');
}

/* All of them, for who reads the newer headers. */
static void put_all(struct request *req, const struct counters *c)
{
    struct sb policy = SB(&req->arena), now = SB(&req->arena);

    for (unsigned i = 0; i < c->n; i++) {
        const struct counter *one = &c->at[i];

        put_member(&policy, i == 0, one->name);
        sb_puts(&policy, ";q=");
        sb_put_u64(&policy, one->count.limit);
        sb_puts(&policy, ";w=");
        sb_put_u64(&policy, one->count.window_s);
        put_member(&now, i == 0, one->name);
        sb_puts(&now, ";r=");
        sb_put_u64(&now, one->state.remaining);
        sb_puts(&now, ";t=");
        sb_put_u64(&now, seconds(one->state.reset_us));
    }
    put_header(req, "RateLimit-Policy", &policy);
    put_header(req, "RateLimit", &now);
}

/* The one that has the least part of its limit left. */
static const struct counter *tightest(const struct counters *c)
{
    const struct counter *least = &c->at[0];

    for (unsigned i = 1; i < c->n; i++)
        if ((double)c->at[i].state.remaining / (double)c->at[i].count.limit
            <= (double)least->state.remaining / (double)least->count.limit)
            least = &c->at[i];
    return least;
}

static void put_headers(struct request *req, const struct counters *c, const struct counter *shown)
{
    put_number(req, "X-RateLimit-Limit", shown->count.limit);
    put_number(req, "X-RateLimit-Remaining", shown->state.remaining);
    put_number(req, "X-RateLimit-Reset", (uint64_t)(clock_wall_us() / 1000000) + seconds(shown->state.reset_us));
    put_all(req, c);
}

/* --- the request --- */

int api_limit(struct request *req)
{
    struct limiter *l = api_of(req)->limiter;
    struct counters c;
    unsigned        fit = 0;

    counters_of(req, &c);
    if (c.n == 0)
        return 0;
    while (fit < c.n && limiter_take(l, &c.at[fit].count, &c.at[fit].state))
        fit++;
    if (fit == c.n) {
        put_headers(req, &c, tightest(&c));
        return 0;
    }
    for (unsigned i = 0; i < fit; i++)
        limiter_give_back(l, &c.at[i].count);
    const struct counter *over = &c.at[fit];
    c.n = fit + 1; /* the rest was not asked */
    put_headers(req, &c, over);
    put_number(req, "Retry-After", over->state.wait_us > 0 ? seconds(over->state.wait_us) : 1);
    return error_say(&req->err, ERR_RATE_LIMITED, NULL, "At most %llu %s; wait and try again.",
                     (unsigned long long)over->count.limit, over->what);
}

void api_limit_not_uploaded(struct request *req)
{
    struct counters c;

    if (!req->route || !req->route->rate_class || req->who.kind == 0)
        return;
    counters_of(req, &c);
    for (unsigned i = 0; i < c.n; i++)
        if (c.at[i].is_upload)
            limiter_give_back(api_of(req)->limiter, &c.at[i].count);
}
