/* session.c - sign in, refresh, switch of organisation, sign out, who am I. A session is a row; its refresh tokens rotate inside it. */
#include "api/account.h"
#include "api/handlers.h"
#include "api/second_factor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/password.h"

#include <stdio.h>

enum { AGENT_MAX = 200, REFRESH_MAC = 16, REFRESH_MAC_TEXT = 22, REFRESH_SECRET_TEXT = 43 };

struct session {
    const char *tenant_id, *user_id, *id, *method;
    const char *proved_at; /* when the person showed who they are; NULL: now */
    bool        second_factor;
    char        role[64];
    const char *refresh; /* the whole token, as the client gets it */
    char        refresh_hash[SECRET_HASH_SIZE];
};

/* What shows that a refresh token, of whatever age, was ours: of one that nobody ever got nothing is ended. */
static const char *refresh_mac(struct request *req, const char *tenant_id, const char *id, struct str secret)
{
    struct api   *api = api_of(req);
    unsigned char mac[HASH_SIZE];
    char         *text = arena_alloc(&req->arena, REFRESH_MAC_TEXT + 1);
    struct sb     b = SB(&req->arena);

    sb_printf(&b, "refresh|%s|%s|", tenant_id, id);
    sb_put(&b, secret);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), mac);
    if (text)
        base64url_encode(text, mac, REFRESH_MAC);
    return text ? text : "";
}

/* tenant.session.secret+mac: the first two find the row inside its tenant, the secret is stored as a hash alone. */
static void refresh_make(struct request *req, struct session *s)
{
    struct sb   b = SB(&req->arena);
    const char *secret = secret_make(&req->arena, s->refresh_hash);

    sb_printf(&b, "%s.%s.%s%s", s->tenant_id, s->id, secret, refresh_mac(req, s->tenant_id, s->id, str_of(secret)));
    s->refresh = b.p ? b.p : "";
}

static void answer_tokens(struct request *req, const struct session *s)
{
    struct api         *api = api_of(req);
    int64_t             now = clock_wall_us() / 1000000;
    struct token_claims c = { .issued_at = now,
                              .not_before = now,
                              .expires_at = now + (int64_t)api->settings->access_ttl };
    struct sb           b = SB(&req->arena);
    struct uuid         jti = uuid_v7();

    memcpy(c.subject, s->user_id, sizeof c.subject);
    memcpy(c.tenant, s->tenant_id, sizeof c.tenant);
    memcpy(c.session, s->id, sizeof c.session);
    memcpy(c.id, jti.text, sizeof c.id);
    snprintf(c.role, sizeof c.role, "%s", s->role);
    sb_printf(&b, "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%llu}",
              token_sign(api->keys, &req->arena, &c), s->refresh, (unsigned long long)api->settings->access_ttl);
    response_json(req, 200, sb_str(&b));
}

/* How a session shows its client, and how two requests are seen to be the same one's. */
static const char *client_name(struct request *req)
{
    const char *agent = request_header(req, "User-Agent");

    return agent && text_printable(str_of(agent)) ? str_dup(&req->arena, utf8_head(str_of(agent), AGENT_MAX)) : NULL;
}

static int session_create_tx(struct db *db, void *arg, struct error *err)
{
    struct request        *req = ((void **)arg)[0];
    struct session        *s = ((void **)arg)[1];
    const struct settings *set = api_of(req)->settings;

    int n = db_exec(db, SQL_SESSION_CREATE,
                    ARGS(s->id, s->user_id, s->refresh_hash, db_int(&req->arena, (int64_t)set->refresh_ttl),
                         client_name(req), req->ip, db_int(&req->arena, (int64_t)set->session_max),
                         s->second_factor ? "t" : "f", s->proved_at),
                    err);
    if (n <= 0)
        return n < 0 ? -1 : error_set(err, ERR_UNAUTHORIZED, "no member any more");
    struct sb after = SB(&req->arena);
    sb_puts(&after, "{\"method\":");
    sb_json(&after, s->method);
    sb_puts(&after, s->second_factor ? ",\"second_factor\":true}" : ",\"second_factor\":false}");
    return api_audit(db, req, "auth.login", "session", s->id, NULL, after.p, err);
}

/* id is made here. */
static int session_begin(struct request *req, struct session *s)
{
    struct uuid id = uuid_v7();

    s->id = id.text;
    memcpy(req->who.tenant_id, s->tenant_id, 36); /* who acts, for the audit row */
    memcpy(req->who.user_id, s->user_id, 36);
    refresh_make(req, s);
    if (db_in_tx(api_db(req), api_scope(req), session_create_tx, (void *[]){ req, s }, &req->err) < 0)
        return -1;
    answer_tokens(req, s);
    return 0;
}

int session_start(struct request *req, const char *tenant_id, const char *user_id, const char *role, const char *method)
{
    struct session s = { .tenant_id = tenant_id, .user_id = user_id, .method = method };
    const char    *factor = strchr(method, '+'); /* "password+otp": the second one */

    s.second_factor = factor != NULL;
    snprintf(s.role, sizeof s.role, "%s", role);
    return session_begin(req, &s);
}

static int refuse_login(struct request *req)
{
    return error_say(&req->err, ERR_UNAUTHORIZED, NULL, "E-mail address or password is not right.");
}

/* Makes what was too weakly hashed anew, now that the password is known. */
static void rehash(struct request *req, const char *user_id, const char *password, const char *old)
{
    char            hash[PASSWORD_HASH_SIZE];
    struct db_scope nobody = { 0 };
    struct rows     r;
    struct error    err = { 0 };

    if (password_hash(password, hash, &err) < 0
        || db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_REHASH, ARGS(user_id, old, hash), &r, &err) < 0)
        log_at(LOG_WARNING, "password not hashed anew: %s", err.detail);
}

int auth_login(struct request *req)
{
    struct api        *api = api_of(req);
    struct json_fields f;
    struct db_scope    nobody = { 0 };
    struct login_try   attempt;
    struct rows        r;

    json_fields_begin(&f, &req->arena, req->json);
    const char *email = field_email(&f, "email");
    const char *password = field_password(&f, "password", 1, NULL);
    const char *organization = json_name(&f, "organization", /* required= */ false, PERSON_NAME_MAX, NULL);
    const char *otp = json_name(&f, "otp", /* required= */ false, OTP_MAX, NULL);
    bool        second = false;
    if (json_fields_end(&f, &req->err) < 0 || login_begin(req, email, &attempt) < 0)
        return -1;
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_PASSWORD, ARGS(email, organization), &r, &req->err)
        < 0)
        return -1;
    bool        known = row_next(&r);
    const char *hash = known ? row_opt(&r, "password_hash") : NULL; /* NULL, too: signs in by a provider only */
    if (!password_verify(password, hash))
        return login_failed(req, &attempt, known ? row_text(&r, "tenant_id") : NULL,
                            known ? row_text(&r, "user_id") : NULL)
                       < 0
                   ? -1
                   : refuse_login(req);
    if (!row_bool(&r, "verified") && (api->settings->require_verified_email || strcmp(api->settings->env, "prod") == 0))
        return error_say(&req->err, ERR_FORBIDDEN, NULL,
                         "Confirm your e-mail address first: open the link that was sent to you.");
    if (strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) == 0)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "This account works by API keys only; it cannot sign in.");
    const char *user_id = row_text(&r, "user_id");
    if (password_outdated(hash))
        rehash(req, user_id, password, hash);
    if (login_passed(req, &attempt) < 0)
        return -1;
    if (second_factor_check(req, row_text(&r, "tenant_id"), user_id, otp, &second) < 0)
        return -1;
    return session_start(req, row_text(&r, "tenant_id"), user_id, row_text(&r, "role"),
                         second ? "password+otp" : "password");
}

struct refresh {
    struct request *req;
    struct session  s;
    const char     *old_hash, *outcome;
};

/* The values of the mail: those of every account, and of which sign-in it speaks. */
static const char *notice_values(struct request *req, struct rows *r)
{
    const char *values = account_values(req, row_text(r, "name"), "", NULL), *device = client_name(req);
    struct sb   b = SB(&req->arena);

    sb_put(&b, (struct str){ values, strlen(values) - 1 }); /* the object, left open */
    sb_puts(&b, ",\"organization\":");
    sb_json(&b, row_text(r, "organization"));
    sb_puts(&b, ",\"device\":");
    sb_json(&b, device ? device : "-");
    sb_putc(&b, '}');
    return b.p ? b.p : "{}";
}

/* Somebody used a token that was used before: its owner or a thief, and the session has ended for both. The owner is told. */
static int refresh_reused(struct db *db, struct refresh *x, struct rows *r, struct error *err)
{
    struct request *req = x->req;

    memcpy(req->who.tenant_id, x->s.tenant_id, 36); /* whose session it was, for the audit row */
    memcpy(req->who.user_id, x->s.user_id, 36);
    if (api_mail(db, req, "sign_in_new", row_text(r, "email"), notice_values(req, r), err) < 0)
        return -1;
    return api_audit(db, req, "auth.refresh_reused", "session", x->s.id, NULL, "{\"session\":\"ended\"}", err);
}

static int refresh_tx(struct db *db, void *arg, struct error *err)
{
    struct refresh        *x = arg;
    struct arena          *a = &x->req->arena;
    const struct settings *set = api_of(x->req)->settings;
    struct rows            r;

    if (db_query(db, a, SQL_SESSION_REFRESH,
                 ARGS(x->s.id, x->old_hash, x->s.refresh_hash, db_int(a, (int64_t)set->refresh_grace),
                      db_int(a, (int64_t)set->refresh_ttl), db_int(a, (int64_t)set->session_max), client_name(x->req),
                      x->req->ip),
                 &r, err)
        < 0)
        return -1;
    x->outcome = "unknown";
    if (!row_next(&r))
        return 0;
    x->outcome = row_text(&r, "outcome");
    x->s.user_id = row_text(&r, "user_id");
    snprintf(x->s.role, sizeof x->s.role, "%s", row_text(&r, "role"));
    if (r.bad)
        return error_set(err, ERR_INTERNAL, "SESSION_REFRESH: unexpected columns");
    return strcmp(x->outcome, "reused") == 0 ? refresh_reused(db, x, &r, err) : 0;
}

/* Splits a refresh token; false when it is none of ours. */
static bool refresh_parse(struct request *req, const char *token, struct session *s, char old_hash[SECRET_HASH_SIZE])
{
    struct str rest = str_of(token), tenant = str_cut(&rest, '.'), id = str_cut(&rest, '.');

    if (!uuid_valid(tenant) || !uuid_valid(id) || rest.n != REFRESH_SECRET_TEXT + REFRESH_MAC_TEXT)
        return false;
    struct str secret = { rest.p, REFRESH_SECRET_TEXT };
    s->tenant_id = str_dup(&req->arena, tenant);
    s->id = str_dup(&req->arena, id);
    secret_hash(secret, old_hash);
    const char *right = refresh_mac(req, s->tenant_id, s->id, secret);
    return strlen(right) == REFRESH_MAC_TEXT && bytes_equal(right, rest.p + REFRESH_SECRET_TEXT, REFRESH_MAC_TEXT);
}

int auth_refresh(struct request *req)
{
    struct json_fields f;
    struct refresh     x = { .req = req };
    char               old_hash[SECRET_HASH_SIZE];

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "refresh_token", /* required= */ true, 200, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    if (!refresh_parse(req, token, &x.s, old_hash))
        return error_set(&req->err, ERR_UNAUTHORIZED, "not a refresh token");
    x.old_hash = old_hash;
    refresh_make(req, &x.s);
    struct db_scope scope = { .tenant_id = x.s.tenant_id };
    if (db_in_tx(api_db(req), scope, refresh_tx, &x, &req->err) < 0)
        return -1;
    if (strcmp(x.outcome, "rotated") != 0 && strcmp(x.outcome, "again") != 0) {
        if (strcmp(x.outcome, "reused") == 0)
            auth_cache_forget_session(api_of(req)->auth, x.s.id);
        return error_set(&req->err, ERR_UNAUTHORIZED, "refresh token %s", x.outcome);
    }
    answer_tokens(req, &x.s);
    return 0;
}

/* --- from one organisation to another --- */

/* What the new session has from the one that asks, which is looked at in its own organisation. */
static int carry_over(struct request *req, struct session *s)
{
    struct rows r;

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_SESSION_PROVED, ARGS(req->who.session_id), &r,
                       &req->err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_UNAUTHORIZED, "the session has ended");
    s->second_factor = row_bool(&r, "second_factor");
    s->proved_at = row_text(&r, "proved_at");
    return r.bad ? error_set(&req->err, ERR_INTERNAL, "SESSION_PROVED: unexpected columns") : 0;
}

int auth_switch(struct request *req)
{
    struct json_fields f;
    struct session     s = { .method = "switch" };
    struct rows        r;

    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key belongs to its organization and cannot switch.");
    json_fields_begin(&f, &req->arena, req->json);
    const char *organization = json_text(&f, "organization", /* required= */ true, 36, NULL);
    if (organization && !uuid_valid(str_of(organization)))
        json_fields_note(&f, "organization", "must be the id of an organization");
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    struct db_scope there = { .tenant_id = organization, .user_id = req->who.user_id };
    if (carry_over(req, &s) < 0
        || db_query_alone(api_db(req), there, &req->arena, SQL_MEMBERSHIP_ROLE, ARGS(req->who.user_id), &r, &req->err)
               < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_NOT_FOUND, "no membership there");
    if (strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) == 0)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "There this account works by API keys only.");
    s.tenant_id = organization;
    s.user_id = str_dup(&req->arena, str_of(req->who.user_id));
    snprintf(s.role, sizeof s.role, "%s", row_text(&r, "role"));
    return session_begin(req, &s);
}

/* --- ending --- */

struct ending {
    struct request *req;
    enum sql        sql;
    const char     *id, *action;
    struct rows     ended;
};

static int end_tx(struct db *db, void *arg, struct error *err)
{
    struct ending *e = arg;

    if (db_query(db, &e->req->arena, e->sql, ARGS(e->id), &e->ended, err) < 0)
        return -1;
    for (struct rows each = e->ended; row_next(&each);)
        if (api_audit(db, e->req, e->action, "session", row_text(&each, "id"), NULL, NULL, err) < 0)
            return -1;
    return 0;
}

/* SQL_SESSION_END: session id; SQL_SESSION_END_ALL: all but id, which may be NULL. *ret_count: how many there were. */
static int end_sessions(struct request *req, enum sql sql, const char *id, const char *action, int *ret_count)
{
    struct ending e = { .req = req, .sql = sql, .id = id, .action = action };

    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key has no sessions; revoke the key.");
    if (db_in_tx(api_db(req), api_scope(req), end_tx, &e, &req->err) < 0)
        return -1;
    while (row_next(&e.ended))
        auth_cache_forget_session(api_of(req)->auth, row_text(&e.ended, "id"));
    *ret_count = e.ended.count;
    return 0;
}

int auth_logout(struct request *req)
{
    struct json_fields f;
    bool               all = false;
    int                n;

    if (req->json) {
        json_fields_begin(&f, &req->arena, req->json);
        all = json_bool(&f, "all", false);
        json_text(&f, "refresh_token", /* required= */ false, 200,
                  NULL); /* taken for clients that send it; the session is the token's */
        if (json_fields_end(&f, &req->err) < 0)
            return -1;
    }
    if (end_sessions(req, all ? SQL_SESSION_END_ALL : SQL_SESSION_END, all ? NULL : req->who.session_id, "auth.logout",
                     &n)
        < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}

int sessions_end(struct request *req)
{
    int n;

    if (end_sessions(req, SQL_SESSION_END, req->args[0], "session.end", &n) < 0)
        return -1;
    if (n == 0)
        return error_set(&req->err, ERR_NOT_FOUND, "no such session of this person");
    response_empty(req, 204);
    return 0;
}

int sessions_end_others(struct request *req)
{
    int n;

    if (end_sessions(req, SQL_SESSION_END_ALL, req->who.session_id, "session.end", &n) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}

int auth_jwks(struct request *req)
{
    struct sb b = SB(&req->arena);

    token_jwks(api_of(req)->keys, clock_wall_us() / 1000000, &b);
    response_header(req, "Cache-Control", "public, max-age=60"); /* a new key stands here far longer before it signs */
    response_json(req, 200, sb_str(&b));
    return 0;
}

int auth_me(struct request *req)
{
    struct rows r;
    struct sb   b = SB(&req->arena);
    const char *comma = "";

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_AUTH_ME, ARGS(req->who.kind == 'u' ? "t" : "f"),
                       &r, &req->err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_NOT_FOUND, "AUTH_ME: no row");
    struct str body = row_str(&r, "body");
    sb_put(&b, (struct str){ body.p, body.n - 1 }); /* the object, left open */
    sb_put(&b, S(", \"permissions\": ["));
    for (unsigned i = 0; i < PERM_COUNT; i++) {
        if (!(req->who.granted >> i & 1))
            continue;
        sb_printf(&b, "%s\"%s\"", comma, permission_name(i));
        comma = ", ";
    }
    sb_put(&b, S("]}"));
    response_json(req, 200, sb_str(&b));
    return 0;
}
