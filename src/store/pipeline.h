/* pipeline.h - the read lane's way to PostgreSQL: a few pipelined connections inside an event loop. One statement a request (sql/get_*.sql) with
   its tenant inside; nothing blocks. Belongs to the loop's thread. */
#ifndef DMS_STORE_PIPELINE_H
#define DMS_STORE_PIPELINE_H

#include "base/loop.h"
#include "store/db.h"

struct pipeline;

/* connections: how many; conninfo as for db_open. Connects and prepares in the background, again after a loss. */
struct pipeline *pipeline_open(struct loop *loop, const char *conninfo, unsigned connections, unsigned max_waiting,
                               struct error *err);
void             pipeline_close(struct pipeline *p);

/* Embedded in the request; must live until done has run. */
struct pipeline_query {
    struct pipeline_query *next;
    enum sql               sql;
    struct db_scope        scope;
    const char *const     *args;
    int                    nargs;
    struct arena          *arena; /* owns the result */
    /* On the loop thread. err->code ERR_NONE: rows is set. */
    void (*done)(struct pipeline_query *q, struct rows *rows, const struct error *err);
    int64_t  started_us;
    unsigned tries;      /* this lane's: how often it was sent again */
    bool     ends_batch; /* a Sync was sent behind it */
};

/* False when no connection stands, too many wait or p is NULL (closed): answer 503. done is not called then. */
MUST_CHECK bool pipeline_submit(struct pipeline *p, struct pipeline_query *q);
/* At the end of each loop turn: one write per connection for all that was submitted in it. */
void     pipeline_flush(struct pipeline *p);
unsigned pipeline_waiting(const struct pipeline *p);
bool     pipeline_up(const struct pipeline *p);

#endif
