/* auth.c - register, sign in, refresh, sign out. Passwords are checked in crypto/, sessions live in the database. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/password.h"
#include "domain/plan.h"
#include "net/mail.h"

#include <utf8proc.h>

enum { EMAIL_MAX = 254, NAME_MAX_BYTES = 200, REFRESH_BYTES = 32, VERIFY_HOURS = 48 };

/* Lower case and plausible: one @, no white space or quotes, a dot in the domain, plain ASCII. */
static const char *email_field(struct json_fields *f, const char *name)
{
    const char *s = json_name(f, name, /* required= */ true, EMAIL_MAX, NULL);
    char       *lower = s ? arena_alloc(f->arena, strlen(s) + 1) : NULL;
    size_t      at = 0, n = 0;
    bool        ok = lower;

    for (; ok && s[n]; n++) {
        unsigned char c = (unsigned char)s[n];

        ok = c > ' ' && c < 0x7f && !strchr("\"(),:;<>[\\]", c) && !(c == '@' && at > 0);
        at = c == '@' ? n : at;
        lower[n] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    const char *dot = ok && at > 0 ? strrchr(lower + at, '.') : NULL;
    if (s && !(dot && dot > lower + at + 1 && dot[1] != '\0'))
        json_fields_note(f, name, "is not an e-mail address");
    return lower;
}

/* NFC, so that the same letters typed on another machine are the same password. */
static const char *password_field(struct request *req, struct json_fields *f, const char *name, uint64_t min,
                                  const char *email)
{
    const char *s = json_text(f, name, /* required= */ true, PASSWORD_MAX * 4, NULL);
    uint8_t    *nfc = s ? utf8proc_NFC((const uint8_t *)s) : NULL;
    const char *ret = nfc ? arena_text(&req->arena, (const char *)nfc, strlen((const char *)nfc)) : s;
    size_t      n = ret ? utf8_count(str_of(ret)) : 0;

    if (nfc)
        bytes_wipe(nfc, strlen((const char *)nfc));
    free(nfc);
    if (s && (n < min || n > PASSWORD_MAX))
        json_fields_note(f, name, n < min ? "is too short" : "is too long: at most 128 characters");
    else if (s && email && strcasecmp(ret, email) == 0)
        json_fields_note(f, name, "must not be the e-mail address");
    return ret;
}

/* A link's token: who, until when, and a MAC over both. Stateless: verifying twice is harmless. */
static const char *verify_token(struct request *req, const char *user_id, int64_t expires)
{
    struct api   *api = api_of(req);
    unsigned char mac[HASH_SIZE];
    char          hex[2 * HASH_SIZE + 1];
    struct sb     b = SB(&req->arena), token = SB(&req->arena);

    sb_printf(&b, "verify|%s|%lld", user_id, (long long)expires);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), mac);
    hex_encode(hex, mac, HASH_SIZE);
    sb_printf(&token, "%s.%lld.%s", user_id, (long long)expires, hex);
    return token.p ? token.p : "";
}

static void send_verification(struct request *req, const char *email, const char *name, const char *user_id)
{
    struct api  *api = api_of(req);
    struct sb    text = SB(&req->arena);
    struct error err = { 0 };

    sb_printf(
        &text, "Hello %s,\n\nconfirm your e-mail address by opening this link within %d hours:\n\n%s/verify?token=%s\n",
        name, VERIFY_HOURS, api->issuer, verify_token(req, user_id, clock_wall_us() / 1000000 + VERIFY_HOURS * 3600));
    if (mail_file(api->settings->mail_dir, email, "Confirm your e-mail address", sb_str(&text), &err) < 0)
        log_at(LOG_WARNING, "verification mail not written: %s", err.detail);
}

static void send_known_address(struct request *req, const char *email)
{
    struct api  *api = api_of(req);
    struct error err = { 0 };

    if (mail_file(
            api->settings->mail_dir, email, "You already have an account",
            S("Hello,\n\nsomebody tried to register with this address. You have an account already: sign in with your password.\n"
              "If it was not you, there is nothing to do.\n"),
            &err)
        < 0)
        log_at(LOG_WARNING, "mail not written: %s", err.detail);
}

int auth_register(struct request *req)
{
    struct api        *api = api_of(req);
    struct json_fields f;
    struct uuid        user = uuid_v7(), tenant = uuid_v7();
    char               hash[PASSWORD_HASH_SIZE];
    struct db_scope    nobody = { 0 };
    struct rows        r;
    struct sb          b = SB(&req->arena);

    if (!api->settings->registration)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "Registration is closed on this server; ask its operator.");
    json_fields_begin(&f, &req->arena, req->json);
    const char *email = email_field(&f, "email");
    const char *password = password_field(req, &f, "password", api->settings->password_min, email);
    const char *name = json_name(&f, "name", /* required= */ true, NAME_MAX_BYTES, NULL);
    const char *organization = json_name(&f, "organization", /* required= */ true, NAME_MAX_BYTES, NULL);
    if (json_fields_end(&f, &req->err) < 0 || password_hash(password, hash, &req->err) < 0)
        return -1;
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_REGISTER,
                       ARGS(user.text, email, name, hash, tenant.text, organization, api->settings->default_plan), &r,
                       &req->err)
        < 0)
        return -1;
    if (row_next(&r) && row_bool(&r, "created"))
        send_verification(req, email, name, user.text);
    else
        send_known_address(req, email); /* the answer is the same, with ids that lead nowhere */
    sb_printf(&b, "{\"user\":{\"id\":\"%s\",\"email\":", user.text);
    sb_json(&b, email);
    sb_put(&b, S(",\"name\":"));
    sb_json(&b, name);
    sb_printf(&b, "},\"organization\":{\"id\":\"%s\",\"name\":", tenant.text);
    sb_json(&b, organization);
    sb_put(&b, S("},\"verification\":\"sent\"}"));
    response_json(req, 201, sb_str(&b));
    return 0;
}

int auth_verify(struct request *req)
{
    struct json_fields f;
    struct db_scope    nobody = { 0 };
    struct error       ignored = { 0 };
    struct rows        r;
    uint64_t           expires = 0;

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "token", /* required= */ true, 200, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    struct str  rest = str_of(token), user = str_cut(&rest, '.'), until = str_cut(&rest, '.');
    const char *user_id = str_dup(&req->arena, user);
    if (!uuid_valid(user) || parse_u64("token", until, 0, INT64_MAX, &expires, &ignored) < 0
        || expires < (uint64_t)(clock_wall_us() / 1000000)
        || strlen(token) != strlen(verify_token(req, user_id, (int64_t)expires))
        || !bytes_equal(token, verify_token(req, user_id, (int64_t)expires), strlen(token)))
        return error_say(&req->err, ERR_UNPROCESSABLE, "token", "This link is not valid or has expired.");
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_VERIFY, ARGS(user_id), &r, &req->err) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}

/* --- sessions --- */

struct session {
    const char *tenant_id, *user_id, *id;
    char        role[16];
    const char *refresh; /* the whole token, as the client gets it */
    char        refresh_hash[2 * HASH_SIZE + 3];
};

/* tenant.session.secret: the first two find the row inside its tenant, the third is stored as a hash alone. */
static void refresh_make(struct arena *a, struct session *s)
{
    unsigned char secret[REFRESH_BYTES], digest[HASH_SIZE];
    char          text[REFRESH_BYTES * 4 / 3 + 4];
    struct sb     b = SB(a);

    random_bytes(secret, sizeof secret);
    base64url_encode(text, secret, sizeof secret);
    hash_of(str_of(text), digest);
    memcpy(s->refresh_hash, "\\x", 3);
    hex_encode(s->refresh_hash + 2, digest, HASH_SIZE);
    sb_printf(&b, "%s.%s.%s", s->tenant_id, s->id, text);
    s->refresh = b.p ? b.p : "";
    bytes_wipe(secret, sizeof secret);
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
    memcpy(c.role, s->role, sizeof c.role);
    sb_printf(&b, "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%llu}",
              token_sign(api->keys, &req->arena, &c), s->refresh, (unsigned long long)api->settings->access_ttl);
    response_json(req, 200, sb_str(&b));
}

static int refuse_login(struct request *req)
{
    return error_say(&req->err, ERR_UNAUTHORIZED, NULL, "E-mail address or password is not right.");
}

static int session_create_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = ((void **)arg)[0];
    struct session *s = ((void **)arg)[1];
    struct api     *api = api_of(req);
    const char     *agent = request_header(req, "User-Agent");
    const char     *shown =
        agent && text_printable(str_of(agent)) ? str_dup(&req->arena, utf8_head(str_of(agent), 200)) : NULL;

    if (db_exec(db, SQL_SESSION_CREATE,
                ARGS(s->id, s->user_id, s->refresh_hash, db_int(&req->arena, (int64_t)api->settings->refresh_ttl),
                     shown, req->ip),
                err)
        < 0)
        return -1;
    return api_audit(db, req, "auth.login", "session", s->id, NULL, NULL, err);
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
    struct rows        r;
    struct uuid        id = uuid_v7();

    json_fields_begin(&f, &req->arena, req->json);
    const char *email = email_field(&f, "email");
    const char *password = password_field(req, &f, "password", 1, NULL);
    const char *organization = json_name(&f, "organization", /* required= */ false, NAME_MAX_BYTES, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_PASSWORD, ARGS(email, organization), &r, &req->err)
        < 0)
        return -1;
    bool        known = row_next(&r);
    const char *hash = known ? row_text(&r, "password_hash") : NULL;
    if (!password_verify(password, hash))
        return refuse_login(req);
    if (!row_bool(&r, "verified") && (api->settings->require_verified_email || strcmp(api->settings->env, "prod") == 0))
        return error_say(&req->err, ERR_FORBIDDEN, NULL,
                         "Confirm your e-mail address first: open the link that was sent to you.");
    if (strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) == 0)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "This account works by API keys only; it cannot sign in.");
    struct session s = { .tenant_id = row_text(&r, "tenant_id"), .user_id = row_text(&r, "user_id"), .id = id.text };
    memcpy(s.role, row_text(&r, "role"), strnlen(row_text(&r, "role"), sizeof s.role - 1));
    if (password_outdated(hash))
        rehash(req, s.user_id, password, hash);
    memcpy(req->who.tenant_id, s.tenant_id, 36); /* who acts, for the audit row */
    memcpy(req->who.user_id, s.user_id, 36);
    refresh_make(&req->arena, &s);
    if (db_in_tx(api_db(req), api_scope(req), session_create_tx, (void *[]){ req, &s }, &req->err) < 0)
        return -1;
    answer_tokens(req, &s);
    return 0;
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
    memcpy(x->s.role, row_text(&r, "role"), strnlen(row_text(&r, "role"), sizeof x->s.role - 1));
    return r.bad ? error_set(err, ERR_INTERNAL, "SESSION_REFRESH: unexpected columns") : 0;
}

/* Splits a refresh token; false when it has not the form of one. */
static bool refresh_parse(struct request *req, const char *token, struct session *s, char old_hash[2 * HASH_SIZE + 3])
{
    struct str    rest = str_of(token), tenant = str_cut(&rest, '.'), id = str_cut(&rest, '.');
    unsigned char digest[HASH_SIZE];

    if (!uuid_valid(tenant) || !uuid_valid(id) || rest.n < 20 || rest.n > 100)
        return false;
    s->tenant_id = str_dup(&req->arena, tenant);
    s->id = str_dup(&req->arena, id);
    hash_of(rest, digest);
    memcpy(old_hash, "\\x", 3);
    hex_encode(old_hash + 2, digest, HASH_SIZE);
    return true;
}

int auth_refresh(struct request *req)
{
    struct json_fields f;
    struct refresh     x = { .req = req };
    char               old_hash[2 * HASH_SIZE + 3];

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

int auth_logout(struct request *req)
{
    struct json_fields f;
    struct rows        r;
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
    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_SESSION_END,
                       ARGS(req->who.session_id, all ? "t" : "f"), &r, &req->err)
        < 0)
        return -1;
    while (row_next(&r))
        auth_cache_forget_session(api_of(req)->auth, row_text(&r, "id"));
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
