/* limiter.h - counts against limits by GCRA (generic cell rate algorithm): a limit's worth may come at once, and comes back evenly over its
   window. In this process, and through Redis with every other replica; never waits for it. Knows neither requests nor plans. */
#ifndef DMS_API_LIMITER_H
#define DMS_API_LIMITER_H

#include "base/error.h"

struct limiter;

struct limiter_count {
    uint64_t key;      /* whose, and of what; never 0 */
    uint64_t limit;    /* so many */
    unsigned window_s; /* in so many seconds */
};

struct limiter_state {
    uint64_t remaining;
    int64_t  reset_us; /* until nothing is used */
    int64_t  wait_us;  /* until one more fits; 0: now */
};

/* redis_url: as for queue_open; NULL or "": this process counts alone. */
struct limiter *limiter_open(const char *redis_url, struct error *err);
void            limiter_close(struct limiter *l);
/* Any thread. Takes one; false: it does not fit, and nothing was taken. */
bool limiter_take(struct limiter *l, const struct limiter_count *c, struct limiter_state *ret);
void limiter_give_back(struct limiter *l, const struct limiter_count *c);

#endif
