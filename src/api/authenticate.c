/* authenticate.c - from a credential to a principal. What was checked is trusted for auth_cache_ms, so that most requests ask nobody and
   a revoked session, key or member is out everywhere within that time; after it one statement of the read lane sees whether it still holds.
   Only what is new, or holds no more, goes the slow way, which alone refuses. Knows no passwords: those are session.c's. */
#include "api/api.h"

#include "base/address.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "domain/plan.h"
#include "store/pipeline.h"

/* The credential of a request: exactly one of the two headers, a key in either. kind: 'u' or 'k'. */
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
    *ret = str_of(bearer + 7);
    *ret_kind = str_starts(*ret, S("dms_")) ? 'k' : 'u'; /* clients that know Bearer alone send their API key so */
    return ret->n <= TOKEN_MAX ? 0 : error_set(err, ERR_UNAUTHORIZED, "a credential of %zu bytes", ret->n);
}

/* What an Owner may still do in an organization that is to be deleted, beside taking that back: look, and carry away. */
static const uint64_t CLOSING = PERM(document_read) | PERM(document_download) | PERM(folder_read) | PERM(member_read)
                                | PERM(billing_read) | PERM(audit_read) | PERM(audit_export);

/* What a key never goes beyond: columns kind and scopes. */
static uint64_t key_ceiling(struct rows *r)
{
    uint64_t bits = permission_bits(row_text(r, "scopes"));

    return strcmp(row_text(r, "kind"), "pk") == 0 ? bits & (PERM(document_read) | PERM(search_query)) : bits;
}

/* What grants say of the person (my_access): column access, of a key also kind and scopes, beyond which it never goes. */
static void set_access(struct principal *who, struct rows *r)
{
    int64_t  access = row_int(r, "access");
    uint64_t bits = grant_permissions((enum grant_level)(access & 3));

    if (who->kind == 'k')
        bits &= key_ceiling(r);
    who->by_grant = bits & ~who->granted;
    who->sees_few = access >= 4 || (who->by_grant & PERM(document_read)) != 0;
}

/* What this credential may do: columns role, permissions (of a role of the organization's own), plan, closing and access, of a key also kind and scopes. */
static int set_grants(struct principal *who, struct rows *r, struct error *err)
{
    enum role role = ROLE_VIEWER;

    if (role_parse(row_text(r, "role"), &role) < 0)
        r->bad = true;
    bool closing = row_bool(r, "closing");
    who->role = role;
    who->plan = plan_by_name(row_text(r, "plan"));
    who->granted = role_granted(role, row_opt(r, "permissions"));
    if (who->kind == 'k') /* Keys are all that API_Only has: what they may do was bounded by whoever made them. */
        who->granted = key_ceiling(r) & (role == ROLE_API_ONLY ? PERM_ALL : who->granted);
    set_access(who, r);
    if (closing && role != ROLE_OWNER)
        return error_say(err, ERR_FORBIDDEN, NULL,
                         "This organization is to be deleted. Only its Owners still get in; they can take it back.");
    if (closing)
        who->granted &= CLOSING;
    who->granted |= PERM_SIGNED_IN;
    return r->bad ? error_set(err, ERR_INTERNAL, "a principal with unexpected columns") : 0;
}

static int refuse_address(struct error *err)
{
    return error_say(err, ERR_FORBIDDEN, NULL, "This API key may not be used from this address.");
}

/* The addresses that a key may be used from, NULL: any; -1 when the request comes from another. */
static int read_allowed(const char *ip, const char *text, struct address_list **ret, struct error *err)
{
    _cleanup_(freep) struct address_list *l = NULL;
    struct address                        a;

    *ret = NULL;
    if (!text)
        return 0;
    l = address_list_open("allowed_ips", str_of(text), err);
    if (!l)
        return -1;
    if (!address_read(str_of(ip), &a) || !address_in_list(l, &a))
        return refuse_address(err);
    *ret = TAKE(l);
    return 0;
}

/* Of a session: column must_enrol. */
static void set_confined(struct principal *who, struct rows *r)
{
    who->confined =
        row_bool(r, "must_enrol")
            ? "This organization asks for a second factor: set one up (POST /api/v1/auth/mfa/totp), or give its code (.../verify)."
            : NULL;
}

/* One that was known is asked for again in one statement, on the loop's own connections. */
struct recheck {
    struct pipeline_query query;
    struct request       *req;
    struct principal      who;
    unsigned char         digest[HASH_SIZE];
    const char           *args[2];
};

static void rechecked(struct pipeline_query *q, struct rows *rows, const struct error *err)
{
    struct recheck      *again = (struct recheck *)q;
    struct address_list *allowed = NULL;
    struct error         ignored = { 0 };
    bool                 known = err->code == ERR_NONE && row_next(rows);

    if (known && again->who.kind == 'u')
        set_confined(&again->who, rows);
    known = known && set_grants(&again->who, rows, &ignored) == 0; /* which sees whether a column was missing */
    if (known && again->who.kind == 'k')
        known = read_allowed(again->req->ip, row_opt(rows, "allowed_ips"), &allowed, &ignored) == 0;
    if (known) {
        auth_cache_put(api_of(again->req)->auth, again->digest, &again->who, allowed);
        again->req->who = again->who;
    }
    request_authenticated(again->req, known);
}

static enum auth_state recheck(struct request *req, const struct principal *who, const unsigned char digest[HASH_SIZE])
{
    struct recheck *again = arena_alloc(&req->arena, sizeof *again);

    if (!again)
        return AUTH_UNKNOWN;
    again->req = req;
    again->who = *who;
    memcpy(again->digest, digest, sizeof again->digest);
    again->args[0] = again->who.session_id;
    again->args[1] = again->who.user_id;
    again->query =
        (struct pipeline_query){ .sql = who->kind == 'k' ? SQL_GET_PRINCIPAL_OF_KEY : SQL_GET_PRINCIPAL_OF_SESSION,
                                 .scope = { .tenant_id = again->who.tenant_id, .user_id = again->who.user_id },
                                 .args = again->args,
                                 .nargs = 2,
                                 .arena = &req->arena,
                                 .done = rechecked };
    struct api_loop *loop = req->loop_state;
    struct error     ignored = { 0 };
    return pipeline_submit(loop->quick, &again->query, &ignored) == 0 ? AUTH_ASKED : AUTH_UNKNOWN;
}

enum auth_state api_authenticate(struct request *req)
{
    unsigned char    digest[HASH_SIZE];
    struct principal who;
    struct str       secret;
    char             kind;

    if (credential(req, &kind, &secret, &req->err) < 0)
        return AUTH_REFUSED;
    if (kind == 'k' && !api_key_plausible(api_of(req)->settings->env, secret)) {
        error_set(&req->err, ERR_UNAUTHORIZED, "not an API key of this environment (form or checksum)");
        return AUTH_REFUSED;
    }
    hash_of(secret, digest);
    switch (auth_cache_get(api_of(req)->auth, digest, req->ip, &who)) {
    case CACHED_FRESH:
        req->who = who;
        return AUTH_KNOWN;
    case CACHED_ELSEWHERE:
        refuse_address(&req->err);
        return AUTH_REFUSED;
    case CACHED_STALE:
        return recheck(req, &who, digest);
    case CACHED_NOT:
        break;
    }
    return AUTH_UNKNOWN;
}

/* What a session or key whose ids stand in who may do now. A key's use is noted, unless it comes from an address that is not its own. */
static int look_up(struct db *db, struct arena *a, const char *ip, struct principal *who,
                   struct address_list **ret_allowed, struct error *err)
{
    bool            is_key = who->kind == 'k';
    struct db_scope scope = { .tenant_id = who->tenant_id, .user_id = who->user_id };
    struct rows     r;

    if (is_key) {
        if (db_query_alone(db, scope, a, SQL_API_KEY_ADDRESSES, ARGS(who->session_id), &r, err) < 0)
            return -1;
        if (!row_next(&r))
            return error_set(err, ERR_UNAUTHORIZED, "the API key is gone");
        if (read_allowed(ip, row_opt(&r, "allowed_ips"), ret_allowed, err) < 0
            || db_query_alone(db, scope, a, SQL_API_KEY_USED, ARGS(who->session_id), &r, err) < 0)
            return -1;
    }
    if (db_query_alone(db, scope, a, is_key ? SQL_GET_PRINCIPAL_OF_KEY : SQL_GET_PRINCIPAL_OF_SESSION,
                       ARGS(who->session_id, who->user_id), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_UNAUTHORIZED,
                         is_key ? "the key or its holder's membership has ended" : "the session has ended");
    if (!is_key)
        set_confined(who, &r);
    return set_grants(who, &r, err);
}

int api_principal_renew(struct db *db, struct arena *a, const char *ip, struct principal *who, struct error *err)
{
    _cleanup_(freep) struct address_list *allowed = NULL;

    if (who->expires_us <= clock_wall_us())
        return error_set(err, ERR_UNAUTHORIZED, "the token has expired");
    return look_up(db, a, ip, who, &allowed, err);
}

static int check_token(struct request *req, struct str token, struct principal *ret)
{
    struct token_claims c;

    if (token_verify(api_of(req)->keys, token, clock_wall_us() / 1000000, &c, &req->err) < 0)
        return -1;
    memcpy(ret->tenant_id, c.tenant, sizeof ret->tenant_id);
    memcpy(ret->user_id, c.subject, sizeof ret->user_id);
    memcpy(ret->session_id, c.session, sizeof ret->session_id);
    ret->kind = 'u';
    ret->expires_us = (c.expires_at + TOKEN_LEEWAY_S) * 1000000;
    return 0;
}

static int check_key(struct request *req, struct str key, struct principal *ret)
{
    unsigned char   hash[HASH_SIZE];
    char            hex[2 * HASH_SIZE + 3];
    struct db_scope nobody = { 0 };
    struct rows     r;

    api_key_hash(api_of(req), key, hash);
    db_bytea(hex, hash, sizeof hash);
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_KEY, ARGS(hex), &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_UNAUTHORIZED, "unknown, revoked or expired API key");
    memcpy(ret->tenant_id, row_text(&r, "tenant_id"), 36);
    memcpy(ret->user_id, row_text(&r, "user_id"), 36);
    memcpy(ret->session_id, row_text(&r, "id"), 36);
    ret->kind = 'k';
    ret->expires_us = INT64_MAX;
    return 0;
}

int api_authenticate_slow(struct request *req)
{
    _cleanup_(freep) struct address_list *allowed = NULL;
    struct principal                      who = { 0 };
    unsigned char                         digest[HASH_SIZE];
    struct str                            secret;
    char                                  kind;

    if (credential(req, &kind, &secret, &req->err) < 0)
        return -1;
    if ((kind == 'k' ? check_key(req, secret, &who) : check_token(req, secret, &who)) < 0
        || look_up(api_db(req), &req->arena, req->ip, &who, &allowed, &req->err) < 0)
        return -1;
    hash_of(secret, digest);
    auth_cache_put(api_of(req)->auth, digest, &who, TAKE(allowed));
    req->who = who;
    return 0;
}
