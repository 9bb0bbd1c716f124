/* pipeline.h - the read lane's way to PostgreSQL: a few pipelined connections inside an event loop. One statement a request (sql/get_*.sql) with
   its tenant inside; nothing blocks. Belongs to the loop's thread. */
#ifndef DMS_STORE_PIPELINE_H
#define DMS_STORE_PIPELINE_H

#include "base/loop.h"
#include "store/db.h"

struct pipeline;

struct pipeline_options {
    const char *name; /* static: the application_name of its connections */
    unsigned    connections;
    unsigned    max_waiting; /* statements, in all; more are refused */
    unsigned    per_tenant;  /* 0: as many as there are in all */
    unsigned batch; /* statements that share a transaction, at most 32; 1: none waits for another's result or error */
    unsigned timeout_ms; /* of a statement */
};

/* conninfo as for db_open. Connects and prepares in the background, again after a loss. */
struct pipeline *pipeline_open(struct loop *loop, const char *conninfo, struct pipeline_options with,
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

/* -1 when no connection stands, too many wait (of this tenant) or p is NULL (closed). done is not called then. */
MUST_CHECK int pipeline_submit(struct pipeline *p, struct pipeline_query *q, struct error *err);
/* At the end of each loop turn: one write per connection for all that was submitted in it. p may be NULL. */
void pipeline_flush(struct pipeline *p);

#endif
