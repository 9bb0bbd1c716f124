/* route.h - finds the row of a path, and checks path and query against it. No I/O; knows neither requests nor answers. */
#ifndef DMS_HTTP_ROUTE_H
#define DMS_HTTP_ROUTE_H

#include "http/http.h"

enum { ROUTE_MAX_SEGMENTS = 12, ROUTE_MAX_ARGS = 4 };

struct route_index;

/* The rows must stay. NULL and err when a row is not well formed. */
struct route_index *route_index_open(const struct route *routes, size_t count, struct error *err);
void                route_index_close(struct route_index *index);

struct route_match {
    const struct route *route;
    const char         *args[ROUTE_MAX_ARGS];
    unsigned            allowed; /* bits of methods (route_methods) that the path takes, when route is NULL */
    bool                is_head; /* HEAD, answered by the row of GET */
};

/* path: decoded segment by segment, see path_split. 0: found, or route NULL and allowed set (405) or 0 (404). */
void route_find(const struct route_index *index, struct arena *a, const char *method, const struct str *segments,
                size_t count, struct route_match *ret);

/* The methods as a list for Allow: "GET, HEAD, POST, OPTIONS". */
const char *route_allow(struct arena *a, unsigned allowed);

/* Splits a raw path (from '/') into decoded segments, each decoded exactly once; texts NUL-terminated in the arena.
   Count of segments, or -1 and err: bad escape, NUL, not UTF-8, control characters. Over ROUTE_MAX_SEGMENTS gives ROUTE_MAX_SEGMENTS + 1. */
MUST_CHECK int path_split(struct arena *a, struct str raw, struct str segments[ROUTE_MAX_SEGMENTS], struct error *err);

/* Values of the rows in order (fallback or NULL where absent), checked; -1 and all wrong ones in err->fields. open: names without a row are
   passed over instead of refused. */
MUST_CHECK int params_read(struct arena *a, const struct param *params, bool open, struct str query, const char ***ret,
                           struct error *err);

#endif
