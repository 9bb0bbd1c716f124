/* limits_exchange.h - how replicas tell one another through Redis what their rate limiters have let through. Knows neither limits nor whose they are:
   a cell is a number, and how far ahead of the clock it is used up (GCRA's theoretical arrival time). Blocking; one thread at a time. */
#ifndef DMS_QUEUE_LIMITS_EXCHANGE_H
#define DMS_QUEUE_LIMITS_EXCHANGE_H

#include "base/error.h"

struct limit_use {
    uint64_t key;
    int64_t  owed_us;  /* used here since it was last told; below 0: given back */
    int64_t  least_us; /* it is at least so far ahead, whatever Redis remembers */
    int64_t  ahead_us; /* comes back: how far ahead it is with everybody's use */
};

struct limits_exchange;

/* url as for queue_open, not empty. */
struct limits_exchange *limits_exchange_open(const char *url, struct error *err);
void                    limits_exchange_close(struct limits_exchange *x);
/* Connected, or connects now unless that failed a moment ago. *ret_connections grows when Redis was away for a while or has lost its memory. */
bool limits_exchange_ready(struct limits_exchange *x, unsigned *ret_connections);
/* False: no answer; what was owed has mostly arrived all the same. */
bool limits_exchange_run(struct limits_exchange *x, struct limit_use *uses, size_t n);

#endif
