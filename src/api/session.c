/* session.c - sign in, refresh, sign out, who am I. A session is a row; its refresh tokens rotate inside it. */
#include "api/account.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/password.h"

#include <stdio.h>

struct session {
    const char *tenant_id, *user_id, *id, *method;
    char        role[64];
    const char *refresh; /* the whole token, as the client gets it */
    char        refresh_hash[SECRET_HASH_SIZE];
};

/* tenant.session.secret: the first two find the row inside its tenant, the third is stored as a hash alone. */
static void refresh_make(struct arena *a, struct session *s)
{
    struct sb b = SB(a);

    sb_printf(&b, "%s.%s.%s", s->tenant_id, s->id, secret_make(a, s->refresh_hash));
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

static int session_create_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = ((void **)arg)[0];
    struct session *s = ((void **)arg)[1];
    struct api     *api = api_of(req);
    const char     *agent = request_header(req, "User-Agent");
    const char     *shown =
        agent && text_printable(str_of(agent)) ? str_dup(&req->arena, utf8_head(str_of(agent), 200)) : NULL;

    int n = db_exec(db, SQL_SESSION_CREATE,
                    ARGS(s->id, s->user_id, s->refresh_hash, db_int(&req->arena, (int64_t)api->settings->refresh_ttl),
                         shown, req->ip),
                    err);
    if (n <= 0)
        return n < 0 ? -1 : error_set(err, ERR_UNAUTHORIZED, "no member any more");
    struct sb after = SB(&req->arena);
    sb_puts(&after, "{\"method\":");
    sb_json(&after, s->method);
    sb_putc(&after, '}');
    return api_audit(db, req, "auth.login", "session", s->id, NULL, after.p, err);
}

int session_start(struct request *req, const char *tenant_id, const char *user_id, const char *role, const char *method)
{
    struct uuid    id = uuid_v7();
    struct session s = { .tenant_id = tenant_id, .user_id = user_id, .id = id.text, .method = method };

    snprintf(s.role, sizeof s.role, "%s", role);
    memcpy(req->who.tenant_id, s.tenant_id, 36); /* who acts, for the audit row */
    memcpy(req->who.user_id, s.user_id, 36);
    refresh_make(&req->arena, &s);
    if (db_in_tx(api_db(req), api_scope(req), session_create_tx, (void *[]){ req, &s }, &req->err) < 0)
        return -1;
    answer_tokens(req, &s);
    return 0;
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
    return session_start(req, row_text(&r, "tenant_id"), user_id, row_text(&r, "role"), "password");
}

struct refresh {
    struct request *req;
    struct session  s;
    const char     *old_hash, *outcome;
};

static int refresh_tx(struct db *db, void *arg, struct error *err)
{
    struct refresh *x = arg;
    struct api     *api = api_of(x->req);
    struct rows     r;

    if (db_query(db, &x->req->arena, SQL_SESSION_REFRESH,
                 ARGS(x->s.id, x->old_hash, x->s.refresh_hash,
                      db_int(&x->req->arena, (int64_t)api->settings->refresh_grace),
                      db_int(&x->req->arena, (int64_t)api->settings->refresh_ttl)),
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
    if (strcmp(x->outcome, "reused") != 0)
        return 0;
    memcpy(x->req->who.tenant_id, x->s.tenant_id, 36); /* whose session it is, for the audit row */
    memcpy(x->req->who.user_id, x->s.user_id, 36);
    return api_audit(db, x->req, "auth.refresh_reused", "session", x->s.id, NULL, "{\"session\":\"ended\"}", err);
}

/* Splits a refresh token; false when it has not the form of one. */
static bool refresh_parse(struct request *req, const char *token, struct session *s, char old_hash[SECRET_HASH_SIZE])
{
    struct str rest = str_of(token), tenant = str_cut(&rest, '.'), id = str_cut(&rest, '.');

    if (!uuid_valid(tenant) || !uuid_valid(id) || rest.n < 20 || rest.n > 100)
        return false;
    s->tenant_id = str_dup(&req->arena, tenant);
    s->id = str_dup(&req->arena, id);
    secret_hash(rest, old_hash);
    return true;
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
    refresh_make(&req->arena, &x.s);
    struct db_scope scope = { x.s.tenant_id, NULL };
    if (db_in_tx(api_db(req), scope, refresh_tx, &x, &req->err) < 0)
        return -1;
    if (strcmp(x.outcome, "rotated") != 0) {
        if (strcmp(x.outcome, "reused") == 0)
            auth_cache_forget_session(api_of(req)->auth, x.s.id);
        return error_set(&req->err, ERR_UNAUTHORIZED, "refresh token %s", x.outcome);
    }
    answer_tokens(req, &x.s);
    return 0;
}

static int logout_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = ((void **)arg)[0];
    bool            all = *(bool *)((void **)arg)[1];
    struct rows    *ended = ((void **)arg)[2];

    if (db_query(db, &req->arena, SQL_SESSION_END, ARGS(req->who.session_id, all ? "t" : "f"), ended, err) < 0)
        return -1;
    for (struct rows each = *ended; row_next(&each);)
        if (api_audit(db, req, "auth.logout", "session", row_text(&each, "id"), NULL, NULL, err) < 0)
            return -1;
    return 0;
}

int auth_logout(struct request *req)
{
    struct json_fields f;
    struct rows        ended;
    bool               all = false;

    if (req->json) {
        json_fields_begin(&f, &req->arena, req->json);
        all = json_bool(&f, "all", false);
        json_text(&f, "refresh_token", /* required= */ false, 200,
                  NULL); /* taken for clients that send it; the session is the token's */
        if (json_fields_end(&f, &req->err) < 0)
            return -1;
    }
    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key has no session to end; revoke the key.");
    if (db_in_tx(api_db(req), api_scope(req), logout_tx, (void *[]){ req, &all, &ended }, &req->err) < 0)
        return -1;
    while (row_next(&ended))
        auth_cache_forget_session(api_of(req)->auth, row_text(&ended, "id"));
    response_empty(req, 204);
    return 0;
}

int auth_jwks(struct request *req)
{
    struct sb b = SB(&req->arena);

    token_jwks(api_of(req)->keys, &b);
    response_json(req, 200, sb_str(&b));
    return 0;
}

int auth_me(struct request *req)
{
    struct rows r;
    struct sb   b = SB(&req->arena);
    const char *comma = "";

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_AUTH_ME, NO_ARGS, &r, &req->err) < 0)
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
