/* serve.c - `dms serve`: opens the parts, puts them into the server, runs it until it is told to stop. */
#include "cmd/app.h"
#include "cmd/cmd.h"
#include "cmd/model.h"

#include "api/api.h"
#include "api/limiter.h"
#include "api/oidc.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "version.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The one thing a signal handler may reach. */
static struct http_server *running;

static void on_stop(int sig)
{
    (void)sig;
    if (running)
        http_server_stop(running);
}

/* 32 random bytes, made at the first start: what API keys, cursors and links are signed with. */
static int pepper_open(const char *path, unsigned char ret[32], struct error *err)
{
    struct arena a = ARENA(4096);
    struct str   text;
    struct stat  st;
    char         hex[65];
    int          rc = file_read(&a, path, 1024, &text, err);

    if (rc == 0) {
        random_bytes(ret, 32);
        hex_encode(hex, ret, 32);
        rc = file_write(path, (struct str){ hex, 64 }, 0600, err);
    } else if (rc > 0 && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        rc = error_set(err, ERR_INTERNAL, "%s may be read by others: chmod 600 it", path);
    else if (rc > 0 && !hex_decode(ret, 32, str_trim(text)))
        rc = error_set(err, ERR_INTERNAL, "%s does not hold a key (64 hex digits)", path);
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

static void *thread_open(void *shared)
{
    struct api        *api = shared;
    struct api_thread *t = calloc(1, sizeof *t);
    struct error       err = { 0 };

    if (!t || !(t->db = db_open(api->conninfo, "dms work lane", &err)))
        abort(); /* at start, without memory for a few bytes */
    db_plan_once(t->db);
    t->api = api;
    return t;
}

static void thread_close(void *thread)
{
    struct api_thread *t = thread;

    db_close(t->db);
    free(t);
}

static void on_event(void *arg, const char *tenant_id, const char *type, struct str data)
{
    struct api *api = arg;

    event_hub_publish(api->events, api->events_db, tenant_id, type, data.n > 0 ? data : S("{}"));
}

static struct http_limits limits_of(const struct settings *s, const struct address_list *proxies)
{
    return (struct http_limits){ .listen = s->listen,
                                 .port = (unsigned)s->port,
                                 .loops = app_loops(s),
                                 .max_connections = (unsigned)s->max_connections,
                                 .header_timeout_s = (unsigned)s->header_timeout,
                                 .idle_timeout_s = (unsigned)s->idle_timeout,
                                 .min_body_rate = (unsigned)s->min_body_rate,
                                 .max_parts = (unsigned)s->max_parts,
                                 .max_json_depth = (unsigned)s->max_json_depth,
                                 .events_max = (unsigned)s->events_max,
                                 .stop_s = (unsigned)s->stop_seconds,
                                 .max_body = s->max_body,
                                 .max_json_keys = s->max_json_keys,
                                 .request_memory = s->request_memory,
                                 .hsts = strncmp(s->public_url, "https:", 6) == 0,
                                 .cors_origins = s->cors_origins,
                                 .trusted_proxies = proxies };
}

/* Everything that api needs before the server stands. */
static int open_parts(struct app *app, struct api *api, struct error *err)
{
    const struct settings *s = app->settings;
    struct error           why = { 0 };

    api->settings = s;
    api->issuer = app->public_url;
    api->version = DMS_VERSION;
    api->commit = DMS_COMMIT;
    api->started_us = clock_wall_us();
    api->conninfo = app_database(app, APP_ROLE_APP, err);
    if (!api->conninfo || app_guard(app, err) < 0 || file_make_dirs(app->secrets_dir, 0700, err) < 0
        || pepper_open(path_join(&app->arena, app->secrets_dir, "pepper"), api->pepper, err) < 0)
        return -1;
    api->keys = token_keys_open(app->secrets_dir, api->issuer, (int64_t)s->access_ttl, /* make= */ true, err);
    api->blobs = api->keys ? blob_store_open(app->blob_dir, s->min_free_disk, err) : NULL;
    api->auth = api->blobs ? auth_cache_open((unsigned)s->auth_cache_ms, (unsigned)s->auth_cache_entries, err) : NULL;
    api->limiter = api->auth ? limiter_open(app_redis(app, &why), err) : NULL;
    api->events = api->limiter ? event_hub_open(err) : NULL;
    api->events_db = api->events ? db_open(api->conninfo, "dms events", err) : NULL;
    if (api->events_db)
        db_plan_once(api->events_db);
    api->oidc = api->events_db ? oidc_open(s, api->issuer, err) : NULL;
    api->queue = api->oidc ? queue_open(app_redis(app, &why), err) : NULL;
    if (!api->queue)
        return -1;
    api->embedder = model_open(app, MODEL_FOR_QUERIES, &why);
    if (!api->embedder && why.code != ERR_NONE)
        log_at(LOG_WARNING, "search runs without meaning, by words alone: %s", why.detail);
    return 0;
}

static void close_parts(struct api *api)
{
    embedder_close(api->embedder);
    queue_close(api->queue);
    oidc_close(api->oidc);
    event_hub_close(api->events);
    db_close(api->events_db);
    limiter_close(api->limiter);
    auth_cache_close(api->auth);
    blob_store_close(api->blobs);
    token_keys_close(api->keys);
}

static void handle_signals(void)
{
    struct sigaction stop = { .sa_handler = on_stop }, ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* Tells the supervisor which port it became. */
static void tell_ready(int fd, unsigned port)
{
    if (fd < 0)
        return;
    dprintf(fd, "%u\n", port);
    close(fd);
}

static int run(struct app *app, struct api *api, int ready_fd, struct error *err)
{
    struct work_hooks                     hooks = { thread_open, thread_close, api };
    struct http_app                       http_app = api_http_app(api);
    struct error                          why = { 0 };
    struct queue_subscription            *events = NULL;
    struct credential_watch              *keys = NULL;
    _cleanup_(freep) struct address_list *proxies =
        address_list_open("trusted_proxies", str_of(app->settings->trusted_proxies), err);

    if (!proxies)
        return -1;
    struct http_limits limits = limits_of(app->settings, proxies);
    api->pool = work_pool_open((unsigned)app->settings->work_threads, (unsigned)app->settings->work_queue, hooks, err);
    if (!api->pool)
        return -1;
    api->server = http_server_open(&http_app, &limits, api->pool, err);
    keys = api->server ? credential_watch_open(api, err) : NULL;
    if (keys) {
        const char *redis = app_redis(app, &why);

        running = api->server;
        handle_signals();
        events = redis ? queue_subscribe(redis, on_event, api, &why) : NULL;
        log_at(LOG_INFO, "listening on %s port %u", app->settings->listen, http_server_port(api->server));
        tell_ready(ready_fd, http_server_port(api->server));
        http_server_run(api->server);
        queue_unsubscribe(events);
    }
    credential_watch_close(keys);
    work_pool_close(api->pool); /* its threads may still answer: the server goes after it */
    running = NULL;             /* a second signal finds nothing to stop */
    http_server_close(api->server);
    return err->code == ERR_NONE ? 0 : -1;
}

struct options {
    uint64_t ready_fd;
    bool     has_ready_fd;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct error    err = { 0 };

    if (key != 'r')
        return ARGP_ERR_UNKNOWN;
    o->has_ready_fd = true;
    if (parse_u64("ready-fd", str_of(arg), 0, 1 << 20, &o->ready_fd, &err) < 0)
        argp_error(state, "--ready-fd: %s", err.message);
    return 0;
}

int cmd_serve(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "ready-fd",
          .key = 'r',
          .arg = "N",
          .doc = "write the port to this descriptor when listening, then close it" },
        { 0 }
    };
    static const struct argp parser = { .options = options,
                                        .parser = parse,
                                        .doc = "Serves the HTTP API and the web application." };
    struct app               app = { 0 };
    struct api               api = { 0 };
    struct options           o = { 0 };
    struct error             err = { 0 };

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    app_arguments(&app, &parser, argc, argv, &o);
    log_open_by_name(app.settings->log_level, "api",
                     *app.settings->log_trace_project ? app.settings->log_trace_project : NULL);
    int rc = open_parts(&app, &api, &err);
    if (rc == 0)
        rc = run(&app, &api, o.has_ready_fd ? (int)o.ready_fd : -1, &err);
    close_parts(&api);
    int status = rc < 0 ? app_fail(&err) : 0;
    app_close(&app);
    return status;
}
