/* cluster.h - the private PostgreSQL under DATA/pg: which programs, how it is made, configured, and found clean before a start.
   Speaks no SQL: see store/migrate.h. */
#ifndef DMS_CMD_CLUSTER_H
#define DMS_CMD_CLUSTER_H

#include "cmd/app.h"
#include "cmd/supervisor.h"

struct cluster {
    const char *bin;     /* folder of initdb and postgres */
    const char *version; /* "15.20" */
    uint64_t    major;
    bool        vector; /* the extension's files are there */
    bool        exists; /* DATA/pg has been made */
};

/* Finds a PostgreSQL 15 or newer with pgvector; for an existing DATA/pg one of its major version. Says what to install otherwise. */
MUST_CHECK int cluster_find(struct app *app, struct cluster *ret, struct error *err);

/* Makes DATA/pg, all or nothing: the first in a process of its own (supervisor_run; it becomes initdb), then the second. Uses the
   secret postgres-admin. arg: struct cluster_job. */
struct cluster_job {
    struct app           *app;
    const struct cluster *cluster;
};
int            cluster_make(void *arg);
MUST_CHECK int cluster_adopt(struct app *app, struct error *err);

/* Writes the configuration for this machine, and what to start. The texts live in app's arena. */
MUST_CHECK int cluster_service(struct app *app, const struct cluster *c, struct service_spec *ret, struct error *err);
/* The server of that process takes connections. */
bool cluster_ready(struct app *app, pid_t pid);

#endif
