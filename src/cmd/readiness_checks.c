/* readiness_checks.c - the checks behind the readiness table. Each looks at the running installation from outside and says what it saw;
   each was seen to fail with the thing broken (test/up/test_readiness.py). */
#include "cmd/readiness.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/file.h"
#include "crypto/token.h"
#include "queue/queue.h"
#include "store/guard.h"
#include "store/migrate.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUDIT_LAG_MOST_S = 30 };
enum { LOG_TAIL = 256 << 10, LOG_LINES_LEAST = 1, ASK_MS = 10000 };

/* Adds a sentence to the evidence; returns ok. */
PRINTF_LIKE(3, 4) static bool saw(struct readiness *r, bool ok, const char *fmt, ...)
{
    char    line[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sb_printf(&r->evidence, "%s%s", r->evidence.n > 0 ? "; " : "", line);
    return ok;
}

/* What to ask the running installation for. header and json may be NULL. */
struct question {
    const char *method, *path, *header, *json;
};

/* Its answer; status 0 and said: none. */
static unsigned ask_for(struct readiness *r, struct question q, struct net_response *ret)
{
    struct error       err = { 0 };
    struct sb          url = SB(&r->app->arena);
    const char        *headers[3] = { q.json ? "Content-Type: application/json" : "Accept: */*", q.header };
    struct net_request req = { .method = q.method,
                               .headers = headers,
                               .timeout_ms = ASK_MS,
                               .max_body = 16 << 20,
                               .body = q.json ? str_of(q.json) : (struct str){ NULL, 0 } };

    *ret = (struct net_response){ 0 };
    if (!r->url)
        return saw(r, false, "nothing runs here: start it with `dms up`"), 0u;
    sb_printf(&url, "%s%s", r->url, q.path);
    req.url = url.p;
    if (net_run(r->net, &req, &r->app->arena, ret, &err) < 0)
        return saw(r, false, "%s does not answer: %.150s", q.path, err.detail), 0u;
    return ret->status;
}

/* bearer may be NULL, ret_body too. */
static unsigned ask(struct readiness *r, const char *method, const char *path, const char *bearer, const char *json,
                    struct str *ret_body)
{
    struct net_response answer;
    struct sb           credential = SB(&r->app->arena);

    if (bearer)
        sb_printf(&credential, "Authorization: Bearer %s", bearer);
    unsigned status = ask_for(r, (struct question){ method, path, credential.p, json }, &answer);
    if (ret_body && status > 0)
        *ret_body = answer.body;
    return status;
}

/* One row of a statement as the application; false and said when there is none. */
static bool one_row(struct readiness *r, enum sql q, struct rows *ret)
{
    struct error    err = { 0 };
    struct db_scope nobody = { 0 };

    if (!r->db)
        return saw(r, false, "the database cannot be opened");
    if (db_query_alone(r->db, nobody, &r->app->arena, q, NO_ARGS, ret, &err) < 0)
        return saw(r, false, "%.200s", err.detail);
    return row_next(ret) || saw(r, false, "%s found nothing", sql_info[q].name);
}

bool check_pgvector(struct readiness *r)
{
    struct rows rows;

    if (!one_row(r, SQL_READINESS_PGVECTOR, &rows))
        return false;
    bool index = row_bool(&rows, "index_valid");
    return saw(r, index, "pgvector %s, index embedding_minilm %s", row_text(&rows, "version"),
               index ? "is valid" : "is missing or not valid");
}

bool check_workers(struct readiness *r)
{
    struct error err = { 0 };
    const char  *url = app_redis(r->app, &err);
    unsigned     n = 0;

    if (!url || queue_count_workers(url, &n, &err) < 0)
        return saw(r, false, "Redis: %.200s", err.detail);
    return saw(r, n > 0, "%u worker(s) answer to Celery's remote control", n);
}

bool check_queues(struct readiness *r)
{
    static const char *const queues[] = { "default", "embeddings", "processing" };
    struct error             err = { 0 };
    const char              *url = app_redis(r->app, &err);
    bool                     all = true;

    for (size_t i = 0; url && i < ARRAY_LEN(queues); i++) {
        bool bound = false;

        if (queue_is_bound(url, queues[i], &bound, &err) < 0)
            return saw(r, false, "Redis: %.200s", err.detail);
        all &= saw(r, bound, "queue %s %s", queues[i], bound ? "is declared" : "is not declared");
    }
    return url ? all : saw(r, false, "%.200s", err.detail);
}

/* A token of our own key for a session that does not exist: well signed, and still nobody's. life_s: seconds from now to its end. */
static const char *strangers_token(struct readiness *r, int life_s, struct error *err)
{
    struct token_claims c = { .issued_at = clock_wall_us() / 1000000, .role = "Owner" };
    struct uuid         id = uuid_v7();
    struct token_keys  *keys = app_token_keys(r->app, err);

    if (!keys)
        return NULL;
    c.not_before = c.issued_at;
    c.expires_at = c.issued_at + life_s;
    memcpy(c.subject, id.text, sizeof c.subject);
    memcpy(c.tenant, id.text, sizeof c.tenant);
    memcpy(c.session, id.text, sizeof c.session);
    memcpy(c.id, id.text, sizeof c.id);
    const char *token = token_sign(keys, &r->app->arena, &c);
    token_keys_close(keys);
    return token;
}

bool check_jwt(struct readiness *r)
{
    struct error err = { 0 };
    struct str   body = S("");
    const char  *token = strangers_token(r, 60, &err);
    unsigned     keys = ask(r, "GET", "/.well-known/jwks.json", NULL, NULL, &body);
    unsigned     none = keys ? ask(r, "GET", "/api/v1/auth/me", NULL, NULL, NULL) : 0;
    unsigned     unsigned_ =
        none ? ask(r, "GET", "/api/v1/auth/me", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", NULL, NULL) : 0;
    unsigned stranger = unsigned_ && token ? ask(r, "GET", "/api/v1/auth/me", token, NULL, NULL) : 0;

    if (!token)
        return saw(r, false, "%.200s", err.detail);
    return saw(r, keys == 200 && body.n > 20 && none == 401 && unsigned_ == 401 && stranger == 401,
               "key set %u; without a token %u, with an unsigned one %u, with a well signed one of no session %u", keys,
               none, unsigned_, stranger);
}

bool check_expiry(struct readiness *r)
{
    struct error err = { 0 };
    const char  *token = strangers_token(r, -120, &err);
    struct str   body = S("");

    if (!token)
        return saw(r, false, "%.200s", err.detail);
    unsigned past = ask(r, "GET", "/api/v1/auth/me", token, NULL, NULL);
    unsigned unknown =
        past ? ask(r, "POST", "/api/v1/auth/refresh", NULL,
                   "{\"refresh_token\":\"00000000-0000-7000-8000-000000000000.00000000-0000-7000-8000-000000000000."
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
                   &body)
             : 0;
    return saw(
        r, past == 401 && unknown == 401,
        "a token of our own key that ran out two minutes ago is answered %u, a refresh token that nobody was given %u; "
        "access tokens live %llu s, sessions %llu s without use",
        past, unknown, (unsigned long long)r->app->settings->access_ttl,
        (unsigned long long)r->app->settings->refresh_ttl);
}

/* The status of GET /auth/me with that API key. */
static unsigned ask_with_key(struct readiness *r, const char *key)
{
    struct net_response answer;
    struct sb           header = SB(&r->app->arena);

    sb_printf(&header, "X-API-Key: %s", key);
    return ask_for(r, (struct question){ "GET", "/api/v1/auth/me", header.p, NULL }, &answer);
}

bool check_api_keys(struct readiness *r)
{
    const char *key = api_key_make(&r->app->arena, r->app->settings->env, "sk");
    struct sb   typo = SB(&r->app->arena);

    sb_put(&typo, (struct str){ key, strlen(key) - 1 });
    sb_putc(&typo, key[strlen(key) - 1] == 'a' ? 'b' : 'a');
    unsigned mistyped = ask_with_key(r, typo.p), unknown = mistyped ? ask_with_key(r, key) : 0;
    return saw(r, mistyped == 401 && unknown == 401,
               "a mistyped key is answered %u, a well made one that nobody was given %u", mistyped, unknown);
}

/* The running server has the route and asks who is there before it does anything. */
static bool has_guarded_route(struct readiness *r, const char *pattern, const char *path)
{
    struct str description = S("");
    unsigned   status = ask(r, "GET", "/openapi.json", NULL, NULL, &description);
    unsigned   refused = status ? ask(r, "POST", path, NULL, "{}", NULL) : 0;
    bool       described = status == 200 && memmem(description.p, description.n, pattern, strlen(pattern));

    return saw(r, described && refused == 401, "%s is %s the running API's description and answers %u to nobody",
               pattern, described ? "in" : "not in", refused);
}

bool check_key_rotation(struct readiness *r)
{
    return has_guarded_route(r, "/api-keys/{id}/rotate",
                             "/api/v1/api-keys/00000000-0000-7000-8000-000000000000/rotate");
}

bool check_rate_limit(struct readiness *r)
{
    struct net_response first, second;
    struct question     q = { "POST", "/api/v1/auth/login", NULL, "{}" };
    uint64_t            before = 0, after = 0;
    struct error        ignored = { 0 };

    if (!ask_for(r, q, &first) || !ask_for(r, q, &second))
        return false;
    struct str left = net_response_header(&first, "X-RateLimit-Remaining"),
               then = net_response_header(&second, "X-RateLimit-Remaining");
    bool counted = left.p && then.p && parse_u64("remaining", left, 0, INT64_MAX, &before, &ignored) == 0
                   && parse_u64("remaining", then, 0, INT64_MAX, &after, &ignored) == 0;
    return saw(r, counted && before > 0 && after < before && net_response_header(&second, "RateLimit-Policy").p != NULL,
               "%llu requests of this address are left for now, after one more %llu", (unsigned long long)before,
               (unsigned long long)after);
}

bool check_csrf(struct readiness *r)
{
    static const char   foreign[] = "Origin: https://elsewhere.example", cookie[] = "Cookie: session=x; token=y";
    struct net_response asked, acted, preflight;
    struct question     look = { "GET", "/api/v1/documents", foreign, NULL },
                    act = { "POST", "/api/v1/auth/logout", cookie, "{}" },
                    before = { "OPTIONS", "/api/v1/documents", foreign, NULL };

    if (!ask_for(r, look, &asked) || !ask_for(r, act, &acted) || !ask_for(r, before, &preflight))
        return false;
    bool shared = net_response_header(&asked, "Access-Control-Allow-Origin").p
                  || net_response_header(&preflight, "Access-Control-Allow-Origin").p;
    bool set = net_response_header(&acted, "Set-Cookie").p || net_response_header(&asked, "Set-Cookie").p;
    return saw(r, acted.status == 401 && !shared && !set,
               "with cookies alone the API answers %u, sets %s, and lets a foreign page read %s", acted.status,
               set ? "some" : "none", shared ? "its answers" : "nothing");
}

bool check_verification(struct readiness *r)
{
    struct str  metrics = S("");
    unsigned    wrong = ask(r, "POST", "/api/v1/auth/verify", NULL, "{\"token\":\"not-a-token\"}", NULL);
    unsigned    page = wrong ? ask(r, "GET", "/verify", NULL, NULL, NULL) : 0;
    unsigned    counted = page ? ask(r, "GET", "/metrics", NULL, NULL, &metrics) : 0;
    const char *mail = r->app->settings->smtp_url[0] ? "goes to a mail server" : "goes to files";

    return saw(r,
               (wrong == 400 || wrong == 422) && page == 200 && counted == 200
                   && memmem(metrics.p, metrics.n, "dms_mails_total", strlen("dms_mails_total")),
               "a link that was not sent answers %u, the page of links %u; mail %s and is counted", wrong, page, mail);
}

/* The database takes the five roles, and knows the permissions of this program in their order; what each role may do is made of the same table. */
bool check_roles(struct readiness *r)
{
    struct rows rows;
    struct sb   known = SB(&r->app->arena);
    bool        ok = true;

    if (!one_row(r, SQL_READINESS_ROLES, &rows))
        return false;
    for (unsigned i = 0; i < ROLE_CUSTOM; i++) {
        struct sb quoted = SB(&r->app->arena);

        sb_printf(&quoted, "'%s'", role_name(i));
        if (!strstr(row_text(&rows, "roles"), sb_str(&quoted).p))
            ok = saw(r, false, "the database does not take the role %s", role_name(i));
    }
    for (unsigned i = 0; i < PERM_COUNT; i++)
        sb_printf(&known, "%s%s", i > 0 ? "," : "", permission_name(i));
    if (strcmp(sb_str(&known).p, row_text(&rows, "permissions")) != 0)
        ok = saw(r, false, "the permissions in the database are not this program's: run `dms migrate up`");
    return saw(
        r, ok,
        "Owner %d, Admin %d, Editor %d, Viewer %d permissions, API_Only those of its keys; further roles by organization",
        __builtin_popcountll(role_permissions(ROLE_OWNER)), __builtin_popcountll(role_permissions(ROLE_ADMIN)),
        __builtin_popcountll(role_permissions(ROLE_EDITOR)), __builtin_popcountll(role_permissions(ROLE_VIEWER)));
}

bool check_permissions(struct readiness *r)
{
    unsigned on_routes = 0;

    for (size_t i = 0; i < api_route_count; i++)
        on_routes += api_routes[i].needs != 0;
    return saw(r, PERM_COUNT >= 25 && on_routes == api_route_count, "%d permissions; %u of %zu routes name theirs",
               PERM_COUNT, on_routes, api_route_count);
}

bool check_credentials(struct readiness *r)
{
    bool ok = true;
    DIR *d = opendir(r->app->secrets_dir);

    for (size_t i = 0; i < setting_count; i++)
        if (setting_table[i].secret && setting_table[i].fallback && setting_table[i].fallback[0] != '\0')
            ok = saw(r, false, "the setting %s has a built-in secret", setting_table[i].name);
    unsigned n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;

        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        n++;
        if ((st.st_mode & 077) != 0 || st.st_size < 20)
            ok = saw(r, false, "the secret %s is short, or others may read it", e->d_name);
    }
    if (d)
        closedir(d);
    return saw(r, ok && n > 0,
               "%u secrets made at the first start, each for its owner alone; no secret has a built-in value", n);
}

bool check_row_security(struct readiness *r)
{
    struct error err = { 0 };

    if (!r->db)
        return saw(r, false, "the database cannot be opened");
    if (guard_check(r->db, /* strict= */ false, NULL, &err) < 0)
        return saw(r, false, "%.300s", *err.message ? err.message : err.detail);
    return saw(
        r, true,
        "every tenant table has forced row level security; the application's role owns nothing and cannot get around it");
}

/* Every route that changes something writes its row: test/identity/test_audit.py. Here: nobody can take one back, and the chain grows. */
bool check_audit(struct readiness *r)
{
    struct rows rows;

    if (!one_row(r, SQL_READINESS_AUDIT, &rows))
        return false;
    bool     only = row_bool(&rows, "append_only"), noted = row_bool(&rows, "noted");
    double   lag_s = row_real(&rows, "lag");
    unsigned status = ask(r, "GET", "/api/v1/audit", NULL, NULL, NULL);
    return saw(
        r, !rows.bad && only && noted && lag_s < (double)AUDIT_LAG_MOST_S && status == 401,
        "the application %s change audit rows; new rows %s noted for the chain; the oldest waits %.0f s for its number; GET /audit "
        "without a credential answers %u",
        only ? "cannot" : "CAN", noted ? "are" : "are NOT", lag_s, status);
}

static bool has_metrics(struct readiness *r, const char *const *names, size_t n)
{
    struct str body = S("");
    unsigned   status = ask(r, "GET", "/metrics", NULL, NULL, &body);
    bool       all = status == 200;

    for (size_t i = 0; status == 200 && i < n; i++)
        if (!memmem(body.p, body.n, names[i], strlen(names[i])))
            all = saw(r, false, "%s is not there", names[i]);
    return saw(r, all, "GET /metrics: %u, %zu bytes", status, body.n);
}

bool check_metrics(struct readiness *r)
{
    static const char *const names[] = { "# TYPE dms_http_requests_total counter",
                                         "dms_http_request_duration_seconds_bucket",
                                         "dms_db_pool_size",
                                         "dms_db_pool_in_use",
                                         "# TYPE dms_job_duration_seconds histogram",
                                         "# TYPE dms_search_duration_seconds histogram",
                                         "dms_redis_up",
                                         "dms_build_info",
                                         "process_resident_memory_bytes",
                                         "process_cpu_seconds_total" };

    return has_metrics(r, names, ARRAY_LEN(names));
}

bool check_business_metrics(struct readiness *r)
{
    static const char *const names[] = { "dms_documents_total", "dms_searches_total", "dms_embeddings_total" };

    return has_metrics(r, names, ARRAY_LEN(names));
}

/* The end of the API's log, whole lines. */
static bool read_log(struct readiness *r, struct str *ret)
{
    const char              *path = path_join(&r->app->arena, r->app->log_dir, "api.log");
    _cleanup_(fclosep) FILE *f = fopen(path, "re");
    char                    *buf = arena_alloc(&r->app->arena, LOG_TAIL + 1);

    if (!f || !buf)
        return saw(r, false, "there is no log at %.150s", path);
    fseek(f, 0, SEEK_END);
    long size = ftell(f), from = size > LOG_TAIL ? size - LOG_TAIL : 0;
    fseek(f, from, SEEK_SET);
    *ret = (struct str){ buf, fread(buf, 1, LOG_TAIL, f) };
    if (from > 0)
        str_cut(ret, '\n');
    return true;
}

bool check_json_logs(struct readiness *r)
{
    struct str text;
    unsigned   lines = 0, bad = 0;

    if (!read_log(r, &text))
        return false;
    while (text.p && text.n > 0) {
        struct arena  a = ARENA(1 << 20);
        struct error  ignored = { 0 };
        struct str    line = str_cut(&text, '\n');
        const json_t *v = line.n > 0 ? json_read(&a, line, 16, 1000, &ignored) : NULL;

        if (line.n > 0) {
            lines++;
            bad += !v || !jv_get(v, "severity") || !jv_get(v, "time") || !jv_get(v, "message");
        }
        arena_free(&a);
    }
    return saw(r, lines >= LOG_LINES_LEAST && bad == 0,
               "%u of the last %u lines of the log are JSON objects with severity, time and message", lines - bad,
               lines);
}

bool check_log_level(struct readiness *r)
{
    const char *level = r->app->settings->log_level, *env = r->app->settings->env;

    return saw(r, strcmp(level, "debug") != 0, "log_level is %s with env %s", level, env);
}

bool check_clean_logs(struct readiness *r)
{
    static const char *const never[] = { "Bearer ey",       "\"password\"",       "dms_dev_sk_",   "dms_prod_sk_",
                                         "dms_staging_sk_", "refresh_token\":\"", "Authorization:" };
    struct str               text;
    bool                     clean = true;

    if (!read_log(r, &text))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (memmem(text.p, text.n, never[i], strlen(never[i])))
            clean = saw(r, false, "the log holds \"%s\"", never[i]);
    bool requests = memmem(text.p, text.n, "\"httpRequest\"", 13) != NULL;
    return saw(r, clean && requests, "%zu bytes of log looked at: requests %s, credentials %s", text.n,
               requests ? "are there" : "are missing", clean ? "are not" : "are there");
}

/* What script/test wrote beside the program. */
bool check_tests(struct readiness *r)
{
    struct error err = { 0 };
    struct sb    path = SB(&r->app->arena);
    const char  *slash = strrchr(r->app->program, '/');
    struct str   text;

    sb_printf(&path, "%.*s/.results/summary.json", (int)(slash - r->app->program), r->app->program);
    if (file_read(&r->app->arena, path.p, 65536, &text, &err) <= 0)
        return saw(r, false, "no test run is recorded beside the program: run script/test");
    const json_t *v = json_read(&r->app->arena, text, 4, 100, &err);
    long long     passed = jv_int(v, "passed", 0), failed = jv_int(v, "failed", -1);
    return saw(r, failed == 0 && passed > 0, "script/test at %.40s: %lld passed, %lld failed",
               jv_text(v, "commit", "?"), passed, failed);
}

bool check_migrations(struct readiness *r)
{
    struct error            err = { 0 };
    struct migration_state *all = NULL;
    size_t                  n = 0, reversible = 0;

    const char *owner = app_database(r->app, APP_ROLE_OWNER, &err);
    struct db  *db = owner ? db_open(owner, "dms readiness", &err) : NULL;
    if (!db || migrate_status(db, &r->app->arena, &all, &n, &err) < 0) {
        db_close(db);
        return saw(r, false, "%.200s", err.detail);
    }
    for (size_t i = 0; i < n; i++)
        reversible += all[i].applied_at && !all[i].foreign;
    db_close(db);
    return saw(r, n > 0 && reversible == n,
               "%zu of %zu migrations are applied as this program has them; each has a way back that script/test walks",
               reversible, n);
}

bool check_api_docs(struct readiness *r)
{
    struct error err = { 0 };
    struct str   text = S("");
    size_t       missing = 0;

    if (ask(r, "GET", "/openapi.json", NULL, NULL, &text) != 200)
        return saw(r, false, "there is no /openapi.json");
    const json_t *paths = jv_get(json_read(&r->app->arena, text, 64, 100000, &err), "paths");
    for (size_t i = 0; i < api_route_count; i++) {
        char method[16] = "";

        for (size_t k = 0; api_routes[i].method[k] && k < sizeof method - 1; k++)
            method[k] = (char)(api_routes[i].method[k] | 0x20);
        missing += !jv_get(jv_get(paths, api_routes[i].pattern), method);
    }
    unsigned page = ask(r, "GET", "/docs", NULL, NULL, NULL);
    return saw(r, missing == 0 && page == 200, "OpenAPI describes %zu of %zu operations; /docs answers %u",
               api_route_count - missing, api_route_count, page);
}

bool check_architecture(struct readiness *r)
{
    static const char *const folders[] = { "base", "tbl",     "domain", "store",  "queue", "blob", "crypto", "http",
                                           "net",  "extract", "embed",  "search", "api",   "jobs", "cmd" };
    struct error             err = { 0 };
    struct sb                path = SB(&r->app->arena);
    const char              *slash = strrchr(r->app->program, '/');
    struct str               text;
    size_t                   missing = 0;

    sb_printf(&path, "%.*s/../docs/architecture.md", (int)(slash - r->app->program), r->app->program);
    if (file_read(&r->app->arena, path.p, 1 << 20, &text, &err) <= 0)
        return saw(r, false, "docs/architecture.md is not there");
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char name[32];
        int  n = snprintf(name, sizeof name, "%s/", folders[i]);

        missing += !memmem(text.p, text.n, name, (size_t)n);
    }
    return saw(r, missing == 0, "docs/architecture.md, %zu bytes, speaks of %zu of %zu folders", text.n,
               ARRAY_LEN(folders) - missing, ARRAY_LEN(folders));
}

/* Registers nobody: the form is refused field by field, and the page is there. */
bool check_sign_up(struct readiness *r)
{
    struct str body = S("");
    unsigned   refused = ask(r, "POST", "/api/v1/auth/register", NULL, "{}", &body);
    unsigned   page = refused ? ask(r, "GET", "/sign-up", NULL, NULL, NULL) : 0;

    return saw(r, refused == 400 && memmem(body.p, body.n, "\"organization\"", 14) && page == 200,
               "registration asks for what is missing (%u); the page to sign up answers %u", refused, page);
}
