/* private_redis.h - the private Redis under DATA/redis: which program, its configuration, and its folder found clean before a start. */
#ifndef DMS_CMD_PRIVATE_REDIS_H
#define DMS_CMD_PRIVATE_REDIS_H

#include "cmd/app.h"
#include "cmd/supervisor.h"

struct private_redis {
    const char *program;
    const char *version; /* "7.0.15" */
};

/* redis-server, or valkey-server; says what to install otherwise. */
MUST_CHECK int private_redis_find(struct app *app, struct private_redis *ret, struct error *err);
/* Writes the configuration and what to start. The texts live in app's arena. */
MUST_CHECK int private_redis_service(struct app *app, const struct private_redis *r, struct service_spec *ret,
                                     struct error *err);
/* It answers. */
bool private_redis_ready(struct app *app);

#endif
