/* metrics.c - requests by route: counts and a histogram of their time; and GET /metrics. Lock-free: an array cell a route and status. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <stdatomic.h>

enum { ROUTES = 128, STATUSES = 24, BUCKETS = 14 };

/* Bounds in seconds; those of the objectives (0.1, 0.3, 1) are among them. */
static const double bounds[BUCKETS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 1, 2, 5, 10 };

static const unsigned statuses[STATUSES] = { 200, 201, 202, 204, 206, 304, 400, 401, 402, 403, 404, 405,
                                             408, 409, 412, 413, 414, 415, 416, 417, 422, 429, 500, 503 };

static struct route_counts {
    atomic_ullong status[STATUSES + 1]; /* the last: any other */
    atomic_ullong bucket[BUCKETS + 1];
    atomic_ullong sum_us;
} counts[ROUTES + 1]; /* the last: no route */

static size_t status_slot(unsigned status)
{
    size_t i = 0;

    while (i < STATUSES && statuses[i] != status)
        i++;
    return i;
}

void api_finished(struct request *req, unsigned status, uint64_t bytes_in, uint64_t bytes_out, int64_t took_us)
{
    size_t               route = req->route ? (size_t)(req->route - api_routes) : ROUTES;
    struct route_counts *c = &counts[route < ROUTES ? route : ROUTES];
    size_t               b = 0;

    (void)bytes_in;
    (void)bytes_out;
    while (b < BUCKETS && (double)took_us / 1e6 > bounds[b])
        b++;
    atomic_fetch_add_explicit(&c->status[status_slot(status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bucket[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum_us, (unsigned long long)took_us, memory_order_relaxed);
    if ((status < 200 || status >= 300) && status != 429)
        api_limit_not_uploaded(req);
    if (status == 401)
        metric_add(req->route && strcmp(req->route->pattern, "/api/v1/auth/login") == 0
                       ? METRIC_AUTH_FAILURES_LOGIN
                       : METRIC_AUTH_FAILURES_CREDENTIAL,
                   1);
    if (status == 429)
        metric_add(METRIC_RATE_LIMITED, 1);
}

static void write_requests(struct sb *b, size_t i, const char *method, const char *pattern)
{
    for (size_t s = 0; s <= STATUSES; s++) {
        unsigned long long n = atomic_load_explicit(&counts[i].status[s], memory_order_relaxed);

        if (n > 0)
            sb_printf(b, "dms_http_requests_total{method=\"%s\",route=\"%s\",status=\"%u\"} %llu\n", method, pattern,
                      s < STATUSES ? statuses[s] : 0, n);
    }
}

static void write_histogram(struct sb *b, size_t i, const char *method, const char *pattern)
{
    unsigned long long sum = 0;

    for (size_t k = 0; k <= BUCKETS; k++)
        sum += atomic_load_explicit(&counts[i].bucket[k], memory_order_relaxed);
    if (sum == 0)
        return;
    sum = 0;
    for (size_t k = 0; k <= BUCKETS; k++) {
        sum += atomic_load_explicit(&counts[i].bucket[k], memory_order_relaxed);
        sb_printf(b, "dms_http_request_duration_seconds_bucket{method=\"%s\",route=\"%s\",le=\"", method, pattern);
        if (k < BUCKETS)
            sb_printf(b, "%g\"} %llu\n", bounds[k], sum);
        else
            sb_printf(b, "+Inf\"} %llu\n", sum);
    }
    sb_printf(b, "dms_http_request_duration_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", method, pattern,
              (double)atomic_load_explicit(&counts[i].sum_us, memory_order_relaxed) / 1e6);
    sb_printf(b, "dms_http_request_duration_seconds_count{method=\"%s\",route=\"%s\"} %llu\n", method, pattern, sum);
}

typedef void write_fn(struct sb *b, size_t i, const char *method, const char *pattern);

static void each_route(struct sb *b, write_fn *fn)
{
    for (size_t i = 0; i < api_route_count && i < ROUTES; i++)
        fn(b, i, api_routes[i].method, api_routes[i].pattern);
    fn(b, ROUTES, "", "(none)");
}

static void gauge(struct sb *b, const char *name, const char *help, double v)
{
    sb_printf(b, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, v);
}

static void write_queues(struct request *req, struct sb *b)
{
    struct db_scope nobody = { 0 };
    struct error    err = { 0 };
    struct rows     r;

    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_JOB_COUNTS, NO_ARGS, &r, &err) < 0)
        return; /* the scrape goes on without them; dms_database_up says why */
    sb_put(b, S("# HELP dms_queue_depth Jobs waiting\n# TYPE dms_queue_depth gauge\n"));
    while (row_next(&r))
        sb_printf(b, "dms_queue_depth{queue=\"%s\"} %s\n", row_text(&r, "queue"), row_text(&r, "depth"));
    r.at = -1;
    sb_put(
        b,
        S("# HELP dms_queue_oldest_seconds Age of the oldest job that is due\n# TYPE dms_queue_oldest_seconds gauge\n"));
    while (row_next(&r))
        sb_printf(b, "dms_queue_oldest_seconds{queue=\"%s\"} %s\n", row_text(&r, "queue"),
                  row_text(&r, "oldest_seconds"));
}

int metrics_get(struct request *req)
{
    struct api *api = api_of(req);
    struct sb   b = SB(&req->arena);

    sb_put(&b, S("# HELP dms_http_requests_total Requests answered\n# TYPE dms_http_requests_total counter\n"));
    each_route(&b, write_requests);
    sb_put(
        &b,
        S("# HELP dms_http_request_duration_seconds Time from the request's headers to the end of its answer\n# TYPE dms_http_request_duration_seconds histogram\n"));
    each_route(&b, write_histogram);
    gauge(&b, "dms_http_in_flight", "Open connections", http_server_connections(api->server));
    gauge(&b, "dms_db_pool_size", "Database connections of the work lane", (double)api->settings->work_threads);
    gauge(&b, "dms_db_pool_in_use", "Those that a request has, this one too", work_running(api->pool));
    gauge(&b, "dms_db_pool_waiting", "Requests that wait for one", work_queued(api->pool));
    gauge(&b, "dms_redis_up", "Redis answers", queue_up(api->queue) ? 1 : 0);
    write_queues(req, &b);
    queue_metrics_load(api->queue);
    metrics_write(&b);
    sb_printf(&b, "# HELP dms_build_info Version\n# TYPE dms_build_info gauge\ndms_build_info{version=\"%s\"} 1\n",
              api_of(req)->version);
    metrics_write_process(&b);
    response_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", sb_str(&b));
    return 0;
}
