/* client.c - see client.h. Tokens are kept in ~/.config/dms/credentials, one entry a server. */
#include "cmd/client.h"

#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum {
    MEMORY = 256 << 20,
    SIGN_IN_MEMORY = 4 << 20,
    CREDENTIALS_MAX = 1 << 20,
    CALL_TIMEOUT_MS = 60000,
    RETRY_AFTER_MAX_S = 60,
    MAX_IDLE = 32, /* connections of `dms upload` */
};

/* Shared by the threads of a command. */
struct sign_in {
    pthread_mutex_t lock; /* for the texts, and so that one thread at a time renews */
    struct arena    arena;
    const char     *access, *refresh; /* NULL: not signed in */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct client *c = state->input;

    switch (key) {
    case 'u':
        c->url = arg;
        return 0;
    case 'j':
        c->json = true;
        return 0;
    case 'k':
        c->api_key = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { .name = "url", .key = 'u', .arg = "URL", .doc = "the server (DMS_URL; http://localhost:8000)", .group = 9 },
    { .name = "api-key",
      .key = 'k',
      .arg = "KEY",
      .doc = "an API key instead of signing in (DMS_API_KEY)",
      .group = 9 },
    { .name = "json", .key = 'j', .doc = "print one JSON value", .group = 9 },
    { 0 },
};
const struct argp client_argp = { .options = options, .parser = parse };

/* HOME/.config/dms/credentials */
static const char *credentials_path(struct arena *a)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct sb   b = SB(a);

    if (config && *config)
        sb_printf(&b, "%s/dms/credentials", config);
    else
        sb_printf(&b, "%s/.config/dms/credentials", home ? home : ".");
    return b.p;
}

/* The whole file; NULL when there is none or it is damaged (then it is made anew). */
static const json_t *credentials_read(struct client *c)
{
    struct str   text;
    struct error ignored = { 0 };

    if (file_read(&c->arena, c->credentials, CREDENTIALS_MAX, &text, &ignored) <= 0)
        return NULL;
    return json_read(&c->arena, text, 4, 1000, &ignored);
}

static const char *kept(struct arena *a, const char *text)
{
    return text ? arena_text(a, text, strlen(text)) : NULL;
}

static void sign_in_set(struct sign_in *s, const char *access, const char *refresh)
{
    s->access = kept(&s->arena, access);
    s->refresh = kept(&s->arena, refresh);
}

/* The access token as it is now; NULL: not signed in. */
static const char *sign_in_token(struct client *c)
{
    pthread_mutex_lock(&c->sign_in->lock);
    const char *token = kept(&c->arena, c->sign_in->access);
    pthread_mutex_unlock(&c->sign_in->lock);
    return token;
}

int client_open(struct client *c)
{
    struct error err = { 0 };
    const char  *url = getenv("DMS_URL"), *key = getenv("DMS_API_KEY");

    c->arena.limit = MEMORY;
    if (!c->url)
        c->url = url && *url ? url : "http://localhost:8000";
    size_t n = strlen(c->url);
    while (n > 0 && c->url[n - 1] == '/')
        n--;
    c->url = arena_text(&c->arena, c->url, n);
    if (!c->api_key && key && *key)
        c->api_key = key;
    c->credentials = credentials_path(&c->arena);
    const json_t *mine = jv_get(credentials_read(c), c->url);
    c->sign_in = calloc(1, sizeof *c->sign_in);
    if (!c->sign_in) {
        client_fail(&(struct error){ .message = "no memory" });
        return -1;
    }
    pthread_mutex_init(&c->sign_in->lock, NULL);
    c->sign_in->arena.limit = SIGN_IN_MEMORY;
    sign_in_set(c->sign_in, jv_text(mine, "access_token", NULL), jv_text(mine, "refresh_token", NULL));
    c->net = net_client_open(&(struct net_client_options){ .user_agent = "dms-cli", .max_idle = MAX_IDLE }, &err);
    if (c->net)
        return 0;
    client_fail(&err);
    return -1;
}

void client_close(struct client *c)
{
    net_client_close(c->net);
    if (c->sign_in) {
        pthread_mutex_destroy(&c->sign_in->lock);
        arena_free(&c->sign_in->arena);
        free(c->sign_in);
    }
    arena_free(&c->arena);
}

struct client client_share(const struct client *of)
{
    struct client c = *of;

    c.arena = ARENA(MEMORY);
    c.retry_after = 0;
    return c;
}

int client_keep(struct client *c, const char *access, const char *refresh, struct error *err)
{
    const json_t *all = credentials_read(c);
    struct sb     b = SB(&c->arena);
    const char   *comma = "";

    sb_putc(&b, '{');
    for (void *it = jv_first(all); it; it = jv_next(all, it)) {
        if (strcmp(jv_key(it), c->url) == 0)
            continue;
        sb_puts(&b, comma);
        sb_json(&b, jv_key(it));
        sb_putc(&b, ':');
        json_write(&b, jv_value(it));
        comma = ",";
    }
    if (access) {
        sb_puts(&b, comma);
        sb_json(&b, c->url);
        sb_put(&b, S(":{\"access_token\":"));
        sb_json(&b, access);
        sb_put(&b, S(",\"refresh_token\":"));
        sb_json(&b, refresh);
        sb_putc(&b, '}');
    }
    sb_put(&b, S("}\n"));
    sign_in_set(c->sign_in, access, refresh);
    const char *slash = strrchr(c->credentials, '/');
    if (file_make_dirs(arena_text(&c->arena, c->credentials, (size_t)(slash - c->credentials)), 0700, err) < 0)
        return -1;
    return file_write(c->credentials, sb_str(&b), 0600, err);
}

/* The server's problem as our error: its own words, and the request id for the operator. */
static int problem(struct client *c, const struct net_response *r, struct error *err)
{
    struct error  why = { 0 };
    const json_t *v = r->body.n > 0 ? json_read(&c->arena, r->body, 16, 10000, &why) : NULL;
    const json_t *first = jv_at(jv_get(v, "errors"), 0);
    const char   *detail = jv_text(v, "detail", jv_text(v, "title", NULL));

    if (!detail)
        return error_say(err, ERR_INTERNAL, NULL, "the server at %.100s answered %u", c->url, r->status);
    if (r->status == 401 && first) /* which part of the sign-in is missing: the caller may ask for it */
        return error_say(err, ERR_UNAUTHORIZED, jv_text(first, "field", NULL), "%.200s", detail);
    if (first && *jv_text(first, "field", ""))
        return error_say(err, ERR_VALIDATION, NULL, "%.60s %.150s", jv_text(first, "field", ""),
                         jv_text(first, "message", detail));
    if (r->status >= 500)
        return error_say(err, r->status == 503 ? ERR_UNAVAILABLE : ERR_INTERNAL, NULL, "%.160s (request %s)", detail,
                         jv_text(v, "request_id", "?"));
    return error_say(err,
                     r->status == 401   ? ERR_UNAUTHORIZED
                     : r->status == 404 ? ERR_NOT_FOUND
                     : r->status == 429 ? ERR_RATE_LIMITED
                                        : ERR_VALIDATION,
                     NULL, "%.200s", detail);
}

static int run_once(struct client *c, const struct client_call *call, const char *access, struct net_response *ret,
                    struct error *err)
{
    struct sb   url = SB(&c->arena), credential = SB(&c->arena), key = SB(&c->arena);
    const char *headers[5];
    size_t      n = 0;

    sb_printf(&url, "%s%s", c->url, call->path);
    headers[n++] = "Accept: application/json, */*";
    if (call->json.p)
        headers[n++] = "Content-Type: application/json";
    if (!call->anonymous && (c->api_key || access)) {
        sb_printf(&credential, c->api_key ? "X-API-Key: %s" : "Authorization: Bearer %s",
                  c->api_key ? c->api_key : access);
        headers[n++] = credential.p;
    }
    if (call->idempotency_key) {
        sb_printf(&key, "Idempotency-Key: %s", call->idempotency_key);
        headers[n++] = key.p;
    }
    headers[n] = NULL;
    bool               streams = call->parts || call->sink;
    struct net_request req = { .method = call->method,
                               .url = url.p,
                               .headers = headers,
                               .body = call->json,
                               .parts = call->parts,
                               .parts_n = call->parts_n,
                               .sink = call->sink,
                               .sink_arg = call->sink_arg,
                               .progress = call->progress,
                               .progress_arg = call->progress_arg,
                               .max_body = 64 << 20,
                               .timeout_ms = streams ? 0 : CALL_TIMEOUT_MS,
                               .stall_timeout_ms = CALL_TIMEOUT_MS };

    if (net_run(c->net, &req, &c->arena, ret, err) == 0)
        return 0;
    if (err->message[0] == '\0' && err->code == ERR_UNAVAILABLE)
        snprintf(err->message, sizeof err->message,
                 "cannot reach %.80s (%.80s). Is it running? --url names another server", c->url, err->detail);
    return -1;
}

/* With the lock held. */
static int renew_now(struct client *c, struct error *err)
{
    struct sb          b = SB(&c->arena);
    const json_t      *v = NULL;
    struct client_call call = { .method = "POST", .path = "/api/v1/auth/refresh", .anonymous = true };

    sb_put(&b, S("{\"refresh_token\":"));
    sb_json(&b, c->sign_in->refresh);
    sb_putc(&b, '}');
    call.json = sb_str(&b);
    if (client_run(c, &call, &v, err) < 0)
        return -1;
    return client_keep(c, jv_text(v, "access_token", ""), jv_text(v, "refresh_token", ""), err);
}

/* After a call with the token `used` was refused: another thread may have renewed it meanwhile. 1: there is nothing to renew it with. */
static int renew(struct client *c, const char *used, struct error *err)
{
    struct sign_in *s = c->sign_in;
    int             rc = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->refresh)
        rc = 1;
    else if (!s->access || strcmp(s->access, used) == 0)
        rc = renew_now(c, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int client_run(struct client *c, const struct client_call *call, const json_t **ret, struct error *err)
{
    struct net_response r;
    struct error        why = { 0 };
    const char         *access = call->anonymous || c->api_key ? NULL : sign_in_token(c);

    if (!call->anonymous && !c->api_key && !access)
        return error_say(err, ERR_UNAUTHORIZED, NULL, "not signed in at %.100s: run `dms login`, or give --api-key",
                         c->url);
    if (run_once(c, call, access, &r, err) < 0)
        return -1;
    if (r.status == 401 && access) {
        int rc = renew(c, access, &why);

        if (rc < 0)
            return error_say(err, ERR_UNAUTHORIZED, NULL, "the sign-in at %.100s has ended: run `dms login`", c->url);
        if (rc == 0 && run_once(c, call, sign_in_token(c), &r, err) < 0)
            return -1;
    }
    c->retry_after = r.status == 429 || r.status == 503 ? net_response_retry_after(&r, 1, RETRY_AFTER_MAX_S) : 0;
    if (r.status < 200 || r.status > 299)
        return problem(c, &r, err);
    *ret = r.body.n > 0 ? json_read(&c->arena, r.body, 64, 1000000, err) : NULL;
    return err->code == ERR_NONE ? 0 : -1;
}

int client_get(struct client *c, const char *path, const json_t **ret, struct error *err)
{
    struct client_call call = { .method = "GET", .path = path };

    return client_run(c, &call, ret, err);
}

int client_waiting(struct client *c, int64_t *ret, struct error *err)
{
    static const char *const paths[] = { "/api/v1/documents?status=pending&count=true&limit=1",
                                         "/api/v1/documents?status=processing&count=true&limit=1" };

    *ret = 0;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const json_t *v = NULL;

        if (client_get(c, paths[i], &v, err) < 0)
            return -1;
        *ret += jv_int(v, "total", 0);
    }
    return 0;
}

void client_time_left(struct sb *b, double seconds)
{
    if (seconds < 100)
        sb_printf(b, "about %.0f s left", seconds);
    else if (seconds < 6000)
        sb_printf(b, "about %.0f min left", seconds / 60);
    else
        sb_printf(b, "about %.1f h left", seconds / 3600);
}

int client_fail(const struct error *err)
{
    fprintf(stderr, "dms: %s\n", err->message[0] != '\0' ? err->message : err->detail);
    return 1;
}

void client_print(struct client *c, const json_t *v)
{
    struct sb b = SB(&c->arena);

    json_write(&b, v);
    sb_putc(&b, '\n');
    fwrite(b.p, 1, b.n, stdout);
}
