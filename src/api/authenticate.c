/* authenticate.c - from a credential to a principal. What was checked is trusted for auth_cache_ms, so that most requests ask nobody and
   a revoked session, key or member is out everywhere within that time. Knows no passwords: those are auth.c's. */
#include "api/api.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "domain/plan.h"

#include <pthread.h>

enum { SLOTS = 8192, PROBES = 8, SHARDS = 16 };

struct entry {
    unsigned char    digest[HASH_SIZE]; /* of the credential */
    struct principal who;
    int64_t          checked_us; /* steady; 0: empty */
};

struct auth_cache {
    int64_t         ttl_us;
    pthread_mutex_t lock[SHARDS];
    struct entry    entries[SLOTS];
};

struct auth_cache *auth_cache_open(unsigned ttl_ms, struct error *err)
{
    struct auth_cache *c = calloc(1, sizeof *c);

    if (!c) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the credential cache");
        return NULL;
    }
    c->ttl_us = (int64_t)ttl_ms * 1000;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    return c;
}

void auth_cache_close(struct auth_cache *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&c->lock[i]);
    free(c);
}

/* Entries of a digest stand next to one another in one shard's run of slots. */
static unsigned first_slot(const unsigned char digest[HASH_SIZE])
{
    unsigned at = ((unsigned)digest[0] << 8 | digest[1]) % (SLOTS / PROBES);

    return at * PROBES;
}

static bool cache_get(struct auth_cache *c, const unsigned char digest[HASH_SIZE], struct principal *ret)
{
    unsigned         from = first_slot(digest);
    pthread_mutex_t *lock = &c->lock[from / PROBES % SHARDS];
    int64_t          now = clock_steady_us();
    bool             found = false;

    pthread_mutex_lock(lock);
    for (unsigned i = from; !found && i < from + PROBES; i++) {
        struct entry *e = &c->entries[i];

        found = e->checked_us != 0 && bytes_equal(e->digest, digest, HASH_SIZE) && now - e->checked_us < c->ttl_us
                && e->who.expires_us > clock_wall_us();
        if (found)
            *ret = e->who;
    }
    pthread_mutex_unlock(lock);
    return found;
}

static void cache_put(struct auth_cache *c, const unsigned char digest[HASH_SIZE], const struct principal *who)
{
    unsigned         from = first_slot(digest);
    pthread_mutex_t *lock = &c->lock[from / PROBES % SHARDS];
    struct entry    *oldest = &c->entries[from];

    pthread_mutex_lock(lock);
    for (unsigned i = from; i < from + PROBES; i++) {
        struct entry *e = &c->entries[i];

        if (bytes_equal(e->digest, digest, HASH_SIZE)) {
            oldest = e;
            break;
        }
        if (e->checked_us < oldest->checked_us)
            oldest = e;
    }
    memcpy(oldest->digest, digest, HASH_SIZE);
    oldest->who = *who;
    oldest->checked_us = clock_steady_us();
    pthread_mutex_unlock(lock);
}

void auth_cache_forget_session(struct auth_cache *c, const char *session_id)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        pthread_mutex_t *lock = &c->lock[i / PROBES % SHARDS];

        pthread_mutex_lock(lock);
        if (strcmp(c->entries[i].who.session_id, session_id) == 0)
            c->entries[i].checked_us = 0;
        pthread_mutex_unlock(lock);
    }
}

/* The credential of a request: exactly one of the two headers. kind: 'u' or 'k'. */
static int credential(struct request *req, char *ret_kind, struct str *ret, struct error *err)
{
    const char *bearer = request_header(req, "Authorization"), *key = request_header(req, "X-API-Key");

    if (bearer && key)
        return error_say(err, ERR_VALIDATION, "Authorization", "give either Authorization or X-API-Key, not both");
    if (key) {
        *ret_kind = 'k';
        *ret = str_of(key);
        return 0;
    }
    if (!bearer)
        return error_set(err, ERR_UNAUTHORIZED, "no credential");
    if (strncasecmp(bearer, "Bearer ", 7) != 0)
        return error_set(err, ERR_UNAUTHORIZED, "another scheme than Bearer");
    *ret_kind = 'u';
    *ret = str_of(bearer + 7);
    return ret->n <= TOKEN_MAX ? 0 : error_set(err, ERR_UNAUTHORIZED, "a credential of %zu bytes", ret->n);
}

int api_authenticate(struct request *req)
{
    unsigned char digest[HASH_SIZE];
    struct str    secret;
    char          kind;

    if (credential(req, &kind, &secret, &req->err) < 0)
        return -1;
    if (kind == 'k' && !api_key_plausible(secret))
        return error_set(&req->err, ERR_UNAUTHORIZED, "not an API key (checksum)");
    hash_of(secret, digest);
    return cache_get(api_of(req)->auth, digest, &req->who) ? 1 : 0;
}

static void set_member(struct principal *who, struct rows *r)
{
    enum role role = ROLE_VIEWER;

    if (role_parse(row_text(r, "role"), &role) < 0)
        r->bad = true;
    who->role = role;
    who->plan = plan_by_name(row_text(r, "plan"));
}

static int check_token(struct request *req, struct str token, struct principal *who)
{
    struct api         *api = api_of(req);
    struct token_claims c;
    struct rows         r;

    if (token_verify(api->keys, token, clock_wall_us() / 1000000, &c, &req->err) < 0)
        return -1;
    struct db_scope scope = { c.tenant, c.subject };
    if (db_query_alone(api_db(req), scope, &req->arena, SQL_AUTH_SESSION, ARGS(c.session, c.subject), &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_UNAUTHORIZED, "the session has ended");
    memcpy(who->tenant_id, c.tenant, sizeof who->tenant_id);
    memcpy(who->user_id, c.subject, sizeof who->user_id);
    memcpy(who->session_id, c.session, sizeof who->session_id);
    who->kind = 'u';
    who->expires_us = c.expires_at * 1000000;
    set_member(who, &r);
    who->granted = role_permissions((enum role)who->role) | PERM_SIGNED_IN;
    return r.bad ? error_set(&req->err, ERR_INTERNAL, "AUTH_SESSION: unexpected columns") : 0;
}

static uint64_t scope_bits(const char *scopes)
{
    struct str rest = str_of(scopes);
    uint64_t   bits = 0;

    while (rest.p) {
        int bit = permission_bit(str_cut(&rest, ','));

        if (bit >= 0)
            bits |= UINT64_C(1) << bit;
    }
    return bits;
}

static int check_key(struct request *req, struct str key, struct principal *who)
{
    unsigned char   hash[HASH_SIZE];
    char            hex[2 * HASH_SIZE + 3] = "\\x";
    struct db_scope nobody = { 0 };
    struct rows     r;

    api_key_hash(api_of(req), key, hash);
    hex_encode(hex + 2, hash, sizeof hash);
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_KEY, ARGS(hex), &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_UNAUTHORIZED, "unknown, revoked or expired API key");
    memcpy(who->tenant_id, row_text(&r, "tenant_id"), 36);
    memcpy(who->user_id, row_text(&r, "user_id"), 36);
    memcpy(who->session_id, row_text(&r, "id"), 36);
    who->kind = 'k';
    who->expires_us = INT64_MAX;
    set_member(who, &r);
    who->granted = scope_bits(row_text(&r, "scopes")) & role_permissions((enum role)who->role);
    if (strcmp(row_text(&r, "kind"), "pk") == 0)
        who->granted &= PERM(document_read) | PERM(search_query);
    who->granted |= PERM_SIGNED_IN;
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "AUTH_KEY: unexpected columns");
    struct db_scope scope = { who->tenant_id, who->user_id };
    return db_query_alone(api_db(req), scope, &req->arena, SQL_API_KEY_USED, ARGS(who->session_id), &r, &req->err);
}

int api_authenticate_slow(struct request *req)
{
    struct principal who = { 0 };
    unsigned char    digest[HASH_SIZE];
    struct str       secret;
    char             kind;

    if (credential(req, &kind, &secret, &req->err) < 0)
        return -1;
    if ((kind == 'k' ? check_key(req, secret, &who) : check_token(req, secret, &who)) < 0)
        return -1;
    hash_of(secret, digest);
    cache_put(api_of(req)->auth, digest, &who);
    req->who = who;
    return 0;
}
