/* second_factor.c - one-time codes of an authenticator app beside the password: set up, asked for, taken away. Its secret is sealed, its recovery codes
   are stored as keyed hashes; each code is taken once, and every one that is looked at was counted before. Knows no sessions but the one that asks. */
#include "api/second_factor.h"
#include "api/account.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/totp.h"

enum {
    FREE_TRIES = 5, /* then waiting, which doubles */
    FIRST_WAIT_S = 30,
    LONGEST_WAIT_S = 900,
    RECOVERY_CODES = 10,
    CODE_LETTERS = 12, /* of five bits: 60 */
    CODE_GROUP = 4,
    SEALED_MAX = TOTP_KEY_BYTES + SEAL_OVERHEAD,
};

#define PURPOSE "dms totp secret"
#define ISSUER  "CODITECT DMS"

static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's: none looks like another */

/* Bytes as PostgreSQL reads them. */
static const char *bytea(struct arena *a, const void *bytes, size_t n)
{
    char *text = arena_alloc(a, 2 * n + 3);

    if (!text)
        return "";
    db_bytea(text, bytes, n);
    return text;
}

/* --- recovery codes --- */

static const char *code_hash(struct request *req, const char *user_id, const char code[CODE_LETTERS])
{
    struct api   *api = api_of(req);
    unsigned char hash[HASH_SIZE];
    struct sb     b = SB(&req->arena);

    sb_printf(&b, "recovery|%s|", user_id);
    sb_put(&b, (struct str){ code, CODE_LETTERS });
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), hash);
    return bytea(&req->arena, hash, sizeof hash);
}

/* As typed: capitals, dashes and spaces do not matter, nor what looks alike. False: not the form of a code. */
static bool code_read(struct str typed, char ret[CODE_LETTERS])
{
    size_t n = 0;

    for (size_t i = 0; i < typed.n; i++) {
        char c = typed.p[i];

        if (c == '-' || c == ' ')
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c;
        if (n == CODE_LETTERS || c == '\0' || !strchr(letters, c))
            return false;
        ret[n++] = c;
    }
    return n == CODE_LETTERS;
}

/* New codes: their hashes, and as JSON what is shown this once. */
static const char *const *codes_make(struct request *req, const char *user_id, struct sb *shown)
{
    const char **hashes = arena_alloc_array(&req->arena, RECOVERY_CODES + 1, sizeof *hashes);

    for (unsigned i = 0; hashes && i < RECOVERY_CODES; i++) {
        unsigned char random[CODE_LETTERS];
        char          code[CODE_LETTERS];

        random_bytes(random, sizeof random);
        sb_puts(shown, i > 0 ? ",\"" : "\"");
        for (unsigned k = 0; k < CODE_LETTERS; k++) {
            code[k] = letters[random[k] & 31];
            if (k > 0 && k % CODE_GROUP == 0)
                sb_putc(shown, '-');
            sb_putc(shown, code[k]);
        }
        sb_putc(shown, '"');
        hashes[i] = code_hash(req, user_id, code);
        bytes_wipe(code, sizeof code);
        bytes_wipe(random, sizeof random);
    }
    return hashes;
}

/* --- the secret --- */

static const char *secret_seal(struct request *req, const char *user_id, const unsigned char key[TOTP_KEY_BYTES])
{
    struct str sealed;

    if (seal_make(api_of(req)->pepper, PURPOSE, str_of(user_id), (struct str){ (const char *)key, TOTP_KEY_BYTES },
                  &req->arena, &sealed, &req->err)
        < 0)
        return NULL;
    return bytea(&req->arena, sealed.p, sealed.n);
}

/* text: bytea as PostgreSQL writes it. */
static int secret_open(struct request *req, const char *user_id, const char *text, unsigned char ret[TOTP_KEY_BYTES])
{
    unsigned char sealed[SEALED_MAX];
    struct str    key;

    if (strlen(text) != 2 + 2 * SEALED_MAX || !hex_decode(sealed, SEALED_MAX, str_of(text + 2)))
        return error_set(&req->err, ERR_INTERNAL, "a second factor's secret is not as long as one");
    if (seal_open(api_of(req)->pepper, PURPOSE, str_of(user_id), (struct str){ (const char *)sealed, SEALED_MAX },
                  &req->arena, &key, &req->err)
        < 0)
        return -1;
    memcpy(ret, key.p, TOTP_KEY_BYTES);
    bytes_wipe((void *)(uintptr_t)key.p, key.n);
    return 0;
}

/* --- a code that somebody typed --- */

struct trial {
    bool          known, in_force; /* there is a second factor; it has been confirmed */
    unsigned char key[TOTP_KEY_BYTES];
};

/* Counts a try and fetches what the code is compared with; RATE_LIMITED when it has to wait. In a transaction of its own: what follows may fail. */
static int trial_begin(struct request *req, const char *user_id, struct trial *ret)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    *ret = (struct trial){ 0 };
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_SECOND_FACTOR_TRY,
                       ARGS(user_id, db_int(&req->arena, FREE_TRIES), db_int(&req->arena, FIRST_WAIT_S),
                            db_int(&req->arena, LONGEST_WAIT_S)),
                       &r, &req->err)
        < 0)
        return -1;
    ret->known = row_next(&r);
    if (!ret->known)
        return 0;
    ret->in_force = row_bool(&r, "in_force");
    int64_t wait_s = row_int(&r, "wait_s");
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "SECOND_FACTOR_TRY: unexpected columns");
    if (wait_s > 0) {
        response_header(req, "Retry-After", db_int(&req->arena, wait_s));
        return error_say(&req->err, ERR_RATE_LIMITED, "otp", "Too many codes that were not right; try again in %lld s.",
                         (long long)wait_s);
    }
    return secret_open(req, user_id, row_text(&r, "sealed"), ret->key);
}

/* What an authenticator app shows, without the space that some put in the middle. */
static struct str digits_of(struct arena *a, const char *typed)
{
    struct sb b = SB(a);

    for (const char *c = typed; *c; c++)
        if (*c != ' ')
            sb_putc(&b, *c);
    return sb_str(&b);
}

static int taken(struct request *req, enum sql sql, const char *user_id, const char *what, bool *ret)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    if (db_query_alone(api_db(req), nobody, &req->arena, sql, ARGS(user_id, what), &r, &req->err) < 0)
        return -1;
    *ret = row_next(&r) && row_bool(&r, "taken");
    return r.bad ? error_set(&req->err, ERR_INTERNAL, "%s: unexpected columns", sql_info[sql].name) : 0;
}

/* Whether it is a code of the app or a recovery code, and has not been taken before; now it is. */
static int code_take(struct request *req, const char *user_id, const struct trial *t, const char *typed, bool *ret)
{
    char code[CODE_LETTERS];

    assert(typed); /* who calls has refused a request without one */
    int64_t step = totp_match(t->key, digits_of(&req->arena, typed), clock_wall_us() / 1000000);
    *ret = false;
    if (step >= 0)
        return taken(req, SQL_SECOND_FACTOR_USE, user_id, db_int(&req->arena, step), ret);
    if (!code_read(str_of(typed), code))
        return 0;
    return taken(req, SQL_SECOND_FACTOR_USE_CODE, user_id, code_hash(req, user_id, code), ret);
}

static int audit_failed_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = arg;

    return api_audit(db, req, "auth.login_failed", "user", req->who.user_id, NULL, "{\"reason\":\"second factor\"}",
                     err);
}

static int refuse_code(struct request *req, const char *tenant_id, const char *user_id)
{
    memcpy(req->who.tenant_id, tenant_id, 36); /* for whom it was, for the audit row */
    memcpy(req->who.user_id, user_id, 36);
    if (db_in_tx(api_db(req), api_scope(req), audit_failed_tx, req, &req->err) < 0)
        return -1;
    return error_say(&req->err, ERR_UNAUTHORIZED, "otp", "This code is not right, or was used before.");
}

static int in_force(struct request *req, const char *user_id, bool *ret)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_SECOND_FACTOR_STATE, ARGS(user_id), &r, &req->err) < 0)
        return -1;
    *ret = row_next(&r);
    return 0;
}

int second_factor_check(struct request *req, const char *tenant_id, const char *user_id, const char *otp,
                        bool *ret_used)
{
    struct trial t;

    if (in_force(req, user_id, ret_used) < 0)
        return -1;
    if (!*ret_used)
        return 0;
    if (!otp)
        return error_say(&req->err, ERR_UNAUTHORIZED, "otp",
                         "Enter the code that your authenticator app shows, or a recovery code.");
    if (trial_begin(req, user_id, &t) < 0)
        return -1;
    bool good = false;
    int  rc = t.in_force ? code_take(req, user_id, &t, otp, &good) : 0;
    bytes_wipe(&t, sizeof t);
    if (rc < 0)
        return -1;
    return good ? 0 : refuse_code(req, tenant_id, user_id);
}

/* --- the routes --- */

/* Secrets are shown once and not kept, so that there is nothing to repeat an answer with; and a key has no second factor. */
static int check_caller(struct request *req)
{
    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key has no second factor; sign in.");
    if (request_header(req, "Idempotency-Key"))
        return error_say(&req->err, ERR_VALIDATION, "Idempotency-Key",
                         "a secret is shown once and not kept, so this request cannot be repeated");
    return 0;
}

/* The password is theirs, or NULL and they have none. */
static int check_password(struct request *req, const char *password, struct account_proof *ret)
{
    if (account_read(req, ret) < 0)
        return -1;
    if (!password)
        return ret->hash ? error_say(&req->err, ERR_VALIDATION, "password", "is required") : 0;
    return account_prove(req, "password", password, ret) < 0 ? -1 : login_passed(req, &ret->attempt);
}

static int begin_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = ((void **)arg)[0];
    const char     *sealed = ((void **)arg)[1];
    struct rows     r;

    if (db_query(db, &req->arena, SQL_SECOND_FACTOR_BEGIN, ARGS(req->who.user_id, sealed), &r, err) < 0)
        return -1;
    if (!row_next(&r) || !row_bool(&r, "begun"))
        return error_say(err, ERR_CONFLICT, NULL, "There is a second factor already; take it away first.");
    return api_audit(db, req, "mfa.begin", "user", req->who.user_id, NULL, NULL, err);
}

/* What authenticator apps read out of a picture or a link. */
static void put_otpauth(struct sb *b, const char *email, const char *secret)
{
    sb_puts(b, "otpauth://totp/");
    url_encode(b, S(ISSUER));
    sb_putc(b, ':');
    url_encode(b, str_of(email));
    sb_printf(b, "?secret=%s&issuer=", secret);
    url_encode(b, S(ISSUER));
    sb_printf(b, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_S);
}

int totp_enrol(struct request *req)
{
    struct json_fields   f;
    unsigned char        key[TOTP_KEY_BYTES];
    char                 secret[TOTP_BASE32_SIZE];
    struct account_proof by;
    struct sb            b = SB(&req->arena), url = SB(&req->arena);

    if (check_caller(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    const char *password = json_has(&f, "password") ? field_password(&f, "password", 1, NULL) : NULL;
    if (json_fields_end(&f, &req->err) < 0 || check_password(req, password, &by) < 0)
        return -1;
    random_bytes(key, sizeof key);
    totp_base32(key, secret);
    const char *sealed = secret_seal(req, req->who.user_id, key);
    bytes_wipe(key, sizeof key);
    if (!sealed
        || db_in_tx(api_db(req), api_scope(req), begin_tx, (void *[]){ req, (void *)(uintptr_t)sealed }, &req->err) < 0)
        return -1;
    put_otpauth(&url, by.email, secret);
    sb_printf(&b, "{\"secret\":\"%s\",\"otpauth_url\":", secret);
    bytes_wipe(secret, sizeof secret);
    sb_json(&b, url.p);
    sb_putc(&b, '}');
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* What changed for whoever else is signed in as this person: they sign in anew. */
struct change {
    struct request    *req;
    int64_t            step;
    const char *const *hashes; /* NULL: it is taken away */
    struct rows        ended;
};

static int change_sessions(struct db *db, struct change *c, const char *why, struct error *err)
{
    struct request *req = c->req;

    if (db_query(db, &req->arena, SQL_SESSION_END_OTHERS, ARGS(req->who.user_id, req->who.session_id, why), &c->ended,
                 err)
        < 0)
        return -1;
    return db_exec(db, SQL_SESSION_SECOND_FACTOR, ARGS(req->who.session_id, c->hashes ? "t" : "f"), err) < 0 ? -1 : 0;
}

static void forget_sessions(struct change *c)
{
    struct auth_cache *cache = api_of(c->req)->auth;

    while (row_next(&c->ended))
        auth_cache_forget_session(cache, row_text(&c->ended, "id"));
    auth_cache_forget_session(cache, c->req->who.session_id); /* it may do more now, or less */
}

static int confirm_tx(struct db *db, void *arg, struct error *err)
{
    struct change  *c = arg;
    struct request *req = c->req;
    struct rows     r;

    if (db_query(db, &req->arena, SQL_SECOND_FACTOR_CONFIRM,
                 ARGS(req->who.user_id, db_int(&req->arena, c->step), db_array(&req->arena, c->hashes)), &r, err)
        < 0)
        return -1;
    if (!row_next(&r) || !row_bool(&r, "confirmed"))
        return error_say(err, ERR_CONFLICT, NULL, "The second factor is set up already.");
    if (change_sessions(db, c, "second factor set up", err) < 0)
        return -1;
    return api_audit(db, req, "mfa.enable", "user", req->who.user_id, NULL, NULL, err);
}

static int prove_tx(struct db *db, void *arg, struct error *err)
{
    struct request *req = arg;

    if (db_exec(db, SQL_SESSION_SECOND_FACTOR, ARGS(req->who.session_id, "t"), err) < 0)
        return -1;
    return api_audit(db, req, "mfa.prove", "session", req->who.session_id, NULL, NULL, err);
}

/* A code that is not asked for at signing in, as after a provider's, is shown later: this session counts as opened with it. */
static int prove(struct request *req, struct trial *t, const char *code)
{
    bool good = false;
    int  rc = code_take(req, req->who.user_id, t, code, &good);

    bytes_wipe(t, sizeof *t);
    if (rc < 0)
        return -1;
    if (!good)
        return error_say(&req->err, ERR_UNPROCESSABLE, "code", "This code is not right, or was used before.");
    if (db_in_tx(api_db(req), api_scope(req), prove_tx, req, &req->err) < 0)
        return -1;
    auth_cache_forget_session(api_of(req)->auth, req->who.session_id);
    response_json(req, 200, S("{\"recovery_codes\":[]}"));
    return 0;
}

int totp_confirm(struct request *req)
{
    struct json_fields f;
    struct trial       t;
    struct change      c = { .req = req };
    struct sb          b = SB(&req->arena);

    if (check_caller(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    const char *code = json_name(&f, "code", /* required= */ true, OTP_MAX, NULL);
    if (json_fields_end(&f, &req->err) < 0 || trial_begin(req, req->who.user_id, &t) < 0)
        return -1;
    if (!t.known)
        return error_say(&req->err, ERR_CONFLICT, NULL, "Begin with POST /api/v1/auth/mfa/totp.");
    if (t.in_force)
        return prove(req, &t, code);
    c.step = totp_match(t.key, digits_of(&req->arena, code), clock_wall_us() / 1000000);
    bytes_wipe(&t, sizeof t);
    if (c.step < 0)
        return error_say(&req->err, ERR_UNPROCESSABLE, "code",
                         "This code is not right; look at the clock of the phone.");
    sb_puts(&b, "{\"recovery_codes\":[");
    c.hashes = codes_make(req, req->who.user_id, &b);
    sb_puts(&b, "]}");
    if (!c.hashes)
        return error_set(&req->err, ERR_UNAVAILABLE, "no memory for recovery codes");
    if (db_in_tx(api_db(req), api_scope(req), confirm_tx, &c, &req->err) < 0)
        return -1;
    forget_sessions(&c);
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int remove_tx(struct db *db, void *arg, struct error *err)
{
    struct change  *c = arg;
    struct request *req = c->req;
    struct rows     r;

    if (db_query(db, &req->arena, SQL_SECOND_FACTOR_REMOVE, ARGS(req->who.user_id), &r, err) < 0)
        return -1;
    if (!row_next(&r) || !row_bool(&r, "removed"))
        return error_set(err, ERR_NOT_FOUND, "there is no second factor");
    if (change_sessions(db, c, "second factor taken away", err) < 0)
        return -1;
    return api_audit(db, req, "mfa.disable", "user", req->who.user_id, NULL, NULL, err);
}

/* The password or a code: a token alone, which may be stolen, is not enough. */
static int check_removal(struct request *req, const char *password, const char *code)
{
    struct account_proof by;
    struct trial         t;
    bool                 good = false;

    if (password)
        return check_password(req, password, &by);
    if (trial_begin(req, req->who.user_id, &t) < 0)
        return -1;
    int  rc = t.known && t.in_force ? code_take(req, req->who.user_id, &t, code, &good) : 0;
    bool known = t.known && t.in_force;
    bytes_wipe(&t, sizeof t);
    if (rc < 0 || good)
        return rc;
    return known ? error_say(&req->err, ERR_UNPROCESSABLE, "code", "This code is not right, or was used before.")
                 : error_set(&req->err, ERR_NOT_FOUND, "there is no second factor");
}

int totp_remove(struct request *req)
{
    struct json_fields f;
    struct change      c = { .req = req };

    if (check_caller(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    const char *password = json_has(&f, "password") ? field_password(&f, "password", 1, NULL) : NULL;
    const char *code = json_name(&f, "code", /* required= */ false, OTP_MAX, NULL);
    if (!password == !code)
        json_fields_note(&f, "password", "or code: one of them is required");
    if (json_fields_end(&f, &req->err) < 0 || check_removal(req, password, code) < 0)
        return -1;
    if (db_in_tx(api_db(req), api_scope(req), remove_tx, &c, &req->err) < 0)
        return -1;
    forget_sessions(&c);
    response_empty(req, 204);
    return 0;
}
