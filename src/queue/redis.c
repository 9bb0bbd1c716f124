/* redis.c - see redis.h. */
#include "queue/redis.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <poll.h>

enum {
    PORT = 6379,
    MAX_DBS = 1 << 20,
    FIRST_PAUSE_MS = 100,
    MAX_PAUSE_MS = 5000,
    MAX_WORDS = 64,
    URL_ARENA = 64 << 10
};

struct redis {
    struct arena  arena;                                   /* of the address */
    const char   *host, *path, *user, *password, *db_text; /* path: a Unix socket */
    unsigned      port, db, timeout_ms, pause_ms;
    int64_t       retry_at_us;
    redisContext *ctx;
    unsigned      put; /* commands gathered without an answer yet */
    bool (*on_connect)(struct redis *r, void *arg);
    void *on_connect_arg;
};

static int decoded(struct redis *r, struct str s, const char **ret, struct error *err)
{
    struct str text;

    if (!url_decode(&r->arena, s, /* plus= */ false, &text))
        return error_set(err, ERR_VALIDATION, "the address of Redis has a bad %%-escape");
    *ret = text.n > 0 ? str_dup(&r->arena, text) : NULL;
    return 0;
}

static int read_db(struct redis *r, struct str value, struct error *err)
{
    uint64_t db;

    if (parse_u64("the database of Redis", value, 0, MAX_DBS, &db, err) < 0)
        return -1;
    r->db = (unsigned)db;
    r->db_text = str_dup(&r->arena, value);
    return 0;
}

/* "db=1&password=x" */
static int read_query(struct redis *r, struct str query, struct error *err)
{
    while (query.n > 0) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');

        if (str_eq(name, S("password")) || str_eq(name, S("username"))) {
            if (decoded(r, value, name.p[0] == 'p' ? &r->password : &r->user, err) < 0)
                return -1;
        } else if (str_eq(name, S("db")) || str_eq(name, S("virtual_host"))) {
            if (read_db(r, value, err) < 0)
                return -1;
        } else
            return error_set(err, ERR_VALIDATION,
                             "the address of Redis may only have the parameters db, username and password");
    }
    return 0;
}

/* "user:password@" up to the last @ before the path; *rest becomes what follows. */
static int read_user(struct redis *r, struct str *rest, size_t end, struct error *err)
{
    size_t at = end;

    while (at > 0 && rest->p[at - 1] != '@')
        at--;
    if (at == 0)
        return 0;
    struct str password = { rest->p, at - 1 }, user = str_cut(&password, ':');

    *rest = (struct str){ rest->p + at, rest->n - at };
    if (!password.p) { /* "secret@host", as some write it */
        password = user;
        user = S("");
    }
    return decoded(r, user, &r->user, err) < 0 ? -1 : decoded(r, password, &r->password, err);
}

/* "host:port", "[::1]:port" */
static int read_host(struct redis *r, struct str s, struct error *err)
{
    bool       bracketed = s.n > 0 && s.p[0] == '[';
    struct str port = bracketed ? (struct str){ s.p + 1, s.n - 1 } : s, host = str_cut(&port, bracketed ? ']' : ':');
    uint64_t   number = PORT;

    if (bracketed && port.n > 0) {
        if (port.p[0] != ':')
            return error_set(err, ERR_VALIDATION, "the address of Redis has something between host and port");
        port = (struct str){ port.p + 1, port.n - 1 };
    }
    if (port.n > 0 && parse_u64("the port of Redis", port, 1, 65535, &number, err) < 0)
        return -1;
    r->port = (unsigned)number;
    r->host = host.n > 0 ? str_dup(&r->arena, host) : "localhost";
    return 0;
}

static int read_tcp(struct redis *r, struct str rest, struct error *err)
{
    size_t slash = 0;

    while (slash < rest.n && rest.p[slash] != '/')
        slash++;
    if (read_user(r, &rest, slash, err) < 0)
        return -1;
    struct str path = rest, host = str_cut(&path, '/');

    if (path.n > 0 && read_db(r, path, err) < 0)
        return -1;
    return read_host(r, host, err);
}

static int read_unix(struct redis *r, struct str rest, struct error *err)
{
    size_t slash = 0;

    while (slash < rest.n && rest.p[slash] != '/')
        slash++;
    if (read_user(r, &rest, slash, err) < 0 || decoded(r, rest, &r->path, err) < 0)
        return -1;
    if (!r->path || r->path[0] != '/')
        return error_set(err, ERR_VALIDATION, "the address of Redis needs an absolute path after unix://");
    return 0;
}

static int read_url(struct redis *r, struct str url, struct error *err)
{
    struct str query = url, rest = str_cut(&query, '?');

    if (query.p && read_query(r, query, err) < 0)
        return -1;
    if (str_starts(rest, S("redis://")))
        return read_tcp(r, (struct str){ rest.p + 8, rest.n - 8 }, err);
    if (str_starts(rest, S("unix://")))
        return read_unix(r, (struct str){ rest.p + 7, rest.n - 7 }, err);
    return error_set(err, ERR_VALIDATION,
                     "the address of Redis must begin with redis:// or unix:// (TLS: through a local proxy)");
}

struct redis *redis_open(const char *url, unsigned timeout_ms, struct error *err)
{
    struct redis *r = calloc(1, sizeof *r);

    if (!r) {
        error_set(err, ERR_UNAVAILABLE, "no memory for a connection to Redis");
        return NULL;
    }
    *r = (struct redis){ .arena = ARENA(URL_ARENA), .timeout_ms = timeout_ms };
    if (read_url(r, str_of(url), err) == 0 && !r->arena.failed)
        return r;
    redis_close(r);
    return NULL;
}

void redis_close(struct redis *r)
{
    if (!r)
        return;
    redis_drop(r);
    arena_free(&r->arena);
    free(r);
}

void redis_drop(struct redis *r)
{
    if (r->ctx)
        redisFree(TAKE(r->ctx));
    r->put = 0;
}

unsigned redis_db(const struct redis *r)
{
    return r->db;
}

int redis_fd(const struct redis *r)
{
    return r->ctx ? r->ctx->fd : -1;
}

const char *redis_host(const struct redis *r)
{
    return r->path ? r->path : r->host;
}

unsigned redis_port(const struct redis *r)
{
    return r->port;
}

void redis_on_connect(struct redis *r, bool (*fn)(struct redis *r, void *arg), void *arg)
{
    r->on_connect = fn;
    r->on_connect_arg = arg;
}

static struct timeval time_of_ms(unsigned ms)
{
    return (struct timeval){ .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

void redis_patience(struct redis *r, unsigned ms)
{
    if (r->ctx && redisSetTimeout(r->ctx, time_of_ms(ms > 0 ? ms : r->timeout_ms)) != REDIS_OK)
        redis_drop(r);
}

static bool greet(struct redis *r)
{
    unsigned n = 0;

    if (r->password) {
        if (r->user)
            REDIS(r, S("AUTH"), str_of(r->user), str_of(r->password));
        else
            REDIS(r, S("AUTH"), str_of(r->password));
        n++;
    }
    if (r->db > 0) {
        REDIS(r, S("SELECT"), str_of(r->db_text));
        n++;
    }
    return redis_skip(r, n) && (!r->on_connect || r->on_connect(r, r->on_connect_arg));
}

static bool connect_now(struct redis *r)
{
    struct timeval wait = time_of_ms(r->timeout_ms);

    r->ctx =
        r->path ? redisConnectUnixWithTimeout(r->path, wait) : redisConnectWithTimeout(r->host, (int)r->port, wait);
    if (r->ctx && !r->ctx->err) {
        redis_patience(r, 0);
        if (r->ctx && greet(r) && r->ctx)
            return true;
    }
    redis_drop(r);
    return false;
}

bool redis_ready(struct redis *r)
{
    uint16_t chance;

    if (r->ctx)
        return true;
    if (clock_steady_us() < r->retry_at_us)
        return false;
    if (connect_now(r)) {
        r->pause_ms = 0;
        return true;
    }
    r->pause_ms = r->pause_ms == 0 ? FIRST_PAUSE_MS : r->pause_ms * 2 < MAX_PAUSE_MS ? r->pause_ms * 2 : MAX_PAUSE_MS;
    random_bytes(&chance, sizeof chance);
    r->retry_at_us = clock_steady_us() + (int64_t)(r->pause_ms / 2 + chance % (r->pause_ms / 2 + 1)) * 1000;
    return false;
}

void redis_put(struct redis *r, size_t n, const struct str *words)
{
    const char *argv[MAX_WORDS];
    size_t      lengths[MAX_WORDS];

    assert(n <= MAX_WORDS);
    if (!r->ctx)
        return;
    for (size_t i = 0; i < n; i++) {
        argv[i] = words[i].n > 0 ? words[i].p : "";
        lengths[i] = words[i].n;
    }
    if (redisAppendCommandArgv(r->ctx, (int)n, argv, lengths) != REDIS_OK)
        redis_drop(r);
    else
        r->put++;
}

redisReply *redis_next(struct redis *r)
{
    void *reply = NULL;

    if (!r->ctx || r->put == 0)
        return NULL;
    r->put--;
    if (redisGetReply(r->ctx, &reply) == REDIS_OK && reply)
        return reply;
    redis_drop(r);
    return NULL;
}

bool redis_skip(struct redis *r, unsigned n)
{
    bool good = r->ctx != NULL;

    for (unsigned i = 0; i < n; i++) {
        _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(r);

        good = good && reply && reply->type != REDIS_REPLY_ERROR;
    }
    return good;
}

bool redis_flush(struct redis *r)
{
    int done = 0;

    while (r->ctx && !done)
        if (redisBufferWrite(r->ctx, &done) != REDIS_OK)
            redis_drop(r);
    r->put = 0;
    return r->ctx != NULL;
}

/* 1 a reply that had come already, 0 none whole, -1 what came is no Redis. */
static int buffered(struct redis *r, redisReply **ret)
{
    void *reply = NULL;

    if (redisReaderGetReply(r->ctx->reader, &reply) != REDIS_OK)
        return -1;
    *ret = reply;
    return reply ? 1 : 0;
}

int redis_wait(struct redis *r, int wait_ms, redisReply **ret)
{
    struct pollfd p = { .fd = redis_fd(r), .events = POLLIN };

    if (!r->ctx)
        return -1;
    int got = buffered(r, ret);
    if (got == 0 && poll(&p, 1, wait_ms) > 0)
        got = redisBufferRead(r->ctx) == REDIS_OK ? buffered(r, ret) : -1;
    if (got < 0)
        redis_drop(r);
    return got;
}
