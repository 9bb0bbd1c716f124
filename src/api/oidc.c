/* oidc.c - signing in by an OpenID provider: the browser goes there from `start` and comes back to `callback`, and the page fetches its tokens by
   `exchange`. A cookie ties the three to one browser; it opens nothing by itself. Whose identity it is, is decided here; who it is, in oidc_provider.c. */
#include "api/oidc.h"
#include "api/account.h"
#include "api/handlers.h"
#include "api/second_factor.h"

#include "base/log.h"
#include "crypto/hash.h"

enum { JOURNEY_SECONDS = 600, HANDOVER_SECONDS = 300, COOKIE_LENGTH = 43 };

/* One browser's way to a provider and back. All of it comes out of two secrets: the state, which the provider sends back, and the cookie. */
struct journey {
    const char         *cookie;
    char                browser_hash[SECRET_HASH_SIZE], state_hash[SECRET_HASH_SIZE];
    struct oidc_secrets secrets;
};

static bool is_https(const struct request *req)
{
    return strncmp(api_of(req)->issuer, "https:", 6) == 0;
}

/* With __Host- no neighbouring host can plant one. */
static const char *cookie_name(const struct request *req)
{
    return is_https(req) ? "__Host-dms_oidc" : "dms_oidc";
}

static void cookie_send(struct request *req, const char *value, unsigned seconds)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "%s=%s; Max-Age=%u; HttpOnly; SameSite=Lax; Path=%s", cookie_name(req), value, seconds,
              is_https(req) ? "/; Secure" : "/api/v1/auth/oidc");
    response_header(req, "Set-Cookie", b.p ? b.p : "");
}

/* The cookie's value; NULL when there is none, or more than one. */
static const char *cookie_read(struct request *req)
{
    const char *header = request_header(req, "Cookie"), *found = NULL;
    struct str  rest = str_of(header ? header : "");

    while (rest.p) {
        struct str value = str_trim(str_cut(&rest, ';')), name = str_cut(&value, '=');

        if (!value.p || !str_eq(name, str_of(cookie_name(req))))
            continue;
        if (found || value.n != COOKIE_LENGTH)
            return NULL;
        found = str_dup(&req->arena, value);
    }
    return found;
}

/* Another secret out of the two, for one purpose. */
static const char *derive(struct request *req, const char *purpose, const struct journey *j)
{
    struct api   *api = api_of(req);
    unsigned char mac[HASH_SIZE];
    char          text[HASH_SIZE * 4 / 3 + 4];
    struct sb     b = SB(&req->arena);

    sb_printf(&b, "oidc %s|%s|%s", purpose, j->secrets.state, j->cookie);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), mac);
    return arena_text(&req->arena, text, base64url_encode(text, mac, sizeof mac));
}

static void journey_complete(struct request *req, struct journey *j)
{
    secret_hash(str_of(j->cookie), j->browser_hash);
    secret_hash(str_of(j->secrets.state), j->state_hash);
    j->secrets.nonce = derive(req, "nonce", j);
    j->secrets.verifier = derive(req, "verifier", j);
}

static void redirect(struct request *req, const char *there)
{
    response_empty(req, 302);
    response_header(req, "Location", there);
}

/* Back to the page with what went wrong as one of our words; why is for the log. */
static int send_back(struct request *req, const struct oidc_provider *p, const char *word, const char *why)
{
    struct sb there = SB(&req->arena);

    log_at(LOG_WARNING, "sign-in by %s: %s%s%s", p->name, word, *why ? ": " : "", why);
    sb_printf(&there, "/sign-in?error=%s", word);
    redirect(req, there.p ? there.p : "/sign-in");
    return 0;
}

static int find_provider(struct request *req, const struct oidc_provider **ret)
{
    *ret = oidc_provider_by_name(api_of(req)->oidc, req->args[0]);
    return *ret ? 0 : error_set(&req->err, ERR_NOT_FOUND, "no such OpenID provider");
}

/* Sets out: who is signed in and adds a way to sign in, or NULL. *ret NULL: the provider cannot be reached, why says how. */
static int set_out(struct request *req, const struct oidc_provider *p, const struct principal *who, const char **ret,
                   struct error *why)
{
    struct journey  j = { 0 };
    char            ignored_hash[SECRET_HASH_SIZE]; /* journey_complete makes them, as it does on the way back */
    struct db_scope nobody = { 0 };
    struct rows     r;

    j.cookie = secret_make(&req->arena, ignored_hash);
    j.secrets.state = secret_make(&req->arena, ignored_hash);
    journey_complete(req, &j);
    *ret = NULL;
    if (oidc_address(api_of(req)->oidc, p, &req->arena, &j.secrets, ret, why) < 0)
        return 0;
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_OIDC_BEGIN,
                       ARGS(j.state_hash, j.browser_hash, p->name, who ? who->user_id : NULL,
                            who ? who->tenant_id : NULL, db_int(&req->arena, JOURNEY_SECONDS)),
                       &r, &req->err)
        < 0)
        return -1;
    cookie_send(req, j.cookie, JOURNEY_SECONDS);
    return 0;
}

int auth_oidc_list(struct request *req)
{
    const struct oidc_provider *p;
    struct sb                   b = SB(&req->arena);

    sb_puts(&b, "{\"items\":[");
    for (size_t i = 0; (p = oidc_provider_at(api_of(req)->oidc, i)); i++) {
        sb_printf(&b, "%s{\"name\":\"%s\",\"label\":", i > 0 ? "," : "", p->name);
        sb_json(&b, p->label);
        sb_printf(&b, ",\"start\":\"/api/v1/auth/oidc/%s/start\"}", p->name);
    }
    sb_puts(&b, "]}");
    response_json(req, 200, sb_str(&b));
    return 0;
}

int auth_oidc_start(struct request *req)
{
    const struct oidc_provider *p;
    const char                 *there;
    struct error                why = { 0 };

    if (find_provider(req, &p) < 0 || set_out(req, p, NULL, &there, &why) < 0)
        return -1;
    if (!there)
        return send_back(req, p, "provider_unavailable", why.detail);
    redirect(req, there);
    return 0;
}

static int persons_only(struct request *req)
{
    if (req->who.kind == 'u')
        return 0;
    return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key has no ways to sign in; a person has.");
}

int auth_oidc_link(struct request *req)
{
    const struct oidc_provider *p;
    const char                 *there;
    struct error                why = { 0 };
    struct sb                   b = SB(&req->arena);

    if (persons_only(req) < 0 || find_provider(req, &p) < 0 || set_out(req, p, &req->who, &there, &why) < 0)
        return -1;
    if (!there) {
        log_at(LOG_WARNING, "linking %s: %s", p->name, why.detail);
        return error_say(&req->err, ERR_UNAVAILABLE, NULL, "The provider does not answer; try again later.");
    }
    sb_puts(&b, "{\"location\":");
    sb_json(&b, there);
    sb_putc(&b, '}');
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* --- the way back --- */

struct arrival {
    struct request             *req;
    const struct oidc_provider *provider;
    const struct journey       *journey;
    struct oidc_identity        who;
    const char                 *email; /* as accounts have it: lower case, plausible; NULL otherwise */
    const char                 *person_id, *tenant_id;
    const char *organization; /* name of the one that is made with a new person; NULL: the person is there */
    bool        confirmed;    /* this proves the account's address */
    bool        linked;
};

static int link_tx(struct db *db, void *arg, struct error *err)
{
    struct arrival *x = arg;
    struct request *req = x->req;
    struct uuid     id = uuid_v7();
    struct sb       after = SB(&req->arena);
    struct rows     r;

    if (x->organization
        && db_exec(db, SQL_OIDC_REGISTER,
                   ARGS(x->person_id, x->email, x->who.name ? x->who.name : x->email, x->tenant_id, x->organization,
                        api_of(req)->settings->default_plan),
                   err)
               < 0)
        return -1;
    if (db_query(db, &req->arena, SQL_OIDC_LINK,
                 ARGS(id.text, x->who.issuer, x->who.subject, x->person_id, x->provider->name, x->email,
                      x->confirmed ? "t" : "f"),
                 &r, err)
        < 0)
        return -1;
    x->linked = row_next(&r) && row_bool(&r, "linked");
    if (!x->linked)
        return x->organization ? error_set(err, ERR_CONFLICT, "the identity was linked meanwhile") : 0;
    sb_printf(&after, "{\"provider\":\"%s\",\"issuer\":", x->provider->name);
    sb_json(&after, x->who.issuer);
    sb_putc(&after, '}');
    return api_audit(db, req, "identity.link", "user", x->person_id, NULL, after.p ? after.p : "{}", err);
}

/* Links in one transaction with the audit row, as the person that it is. */
static int link_identity(struct arrival *x)
{
    struct request *req = x->req;

    memcpy(req->who.tenant_id, x->tenant_id, 36); /* who acts, for the audit row */
    memcpy(req->who.user_id, x->person_id, 36);
    return db_in_tx(api_db(req), api_scope(req), link_tx, x, &req->err);
}

/* A race for the same address or identity: the next try finds what this one did not. */
static int lost_race(struct arrival *x)
{
    if (x->req->err.code != ERR_CONFLICT)
        return -1;
    x->req->err = (struct error){ 0 };
    return send_back(x->req, x->provider, "try_again", "lost a race");
}

static int hand_over(struct arrival *x)
{
    struct request *req = x->req;
    struct db_scope nobody = { 0 };
    char            hash[SECRET_HASH_SIZE];
    const char     *code = secret_make(&req->arena, hash);
    struct sb       there = SB(&req->arena);
    struct rows     r;

    if (db_query_alone(
            api_db(req), nobody, &req->arena, SQL_OIDC_HAND_OVER,
            ARGS(hash, x->journey->browser_hash, x->who.issuer, x->who.subject, db_int(&req->arena, HANDOVER_SECONDS)),
            &r, &req->err)
        < 0)
        return -1;
    if (!row_next(&r) || !row_bool(&r, "handed"))
        return send_back(req, x->provider, "try_again", "the identity is gone");
    sb_printf(&there, "/sign-in#code=%s", code); /* behind #, so that no server and no log sees it */
    redirect(req, there.p ? there.p : "/sign-in");
    return 0;
}

/* Why this identity, seen for the first time, may not become somebody; NULL: it may. The address proves nothing unless its provider says so. */
static const char *newcomer_refused(const struct arrival *x)
{
    if (!x->email)
        return "email_missing";
    return x->who.email_verified ? NULL : "email_unverified";
}

/* Somebody new, with an organization of their own, as registering makes them. */
static int newcomer(struct arrival *x)
{
    struct request *req = x->req;
    struct uuid     person = uuid_v7(), tenant = uuid_v7();
    const char     *name = x->who.name ? x->who.name : x->email;
    struct sb       organization = SB(&req->arena);

    if (!api_of(req)->settings->registration)
        return send_back(req, x->provider, "registration_closed", "");
    sb_put(&organization, utf8_head(str_of(name), PERSON_NAME_MAX - 20));
    sb_puts(&organization, "'s documents");
    x->person_id = person.text;
    x->tenant_id = tenant.text;
    x->organization = organization.p;
    x->confirmed = true;
    return link_identity(x) < 0 ? lost_race(x) : hand_over(x);
}

/* The account with that address: opened by the address alone only where the operator trusts this provider for its domain, and where nobody
   else can have set it up beforehand. Else its owner signs in and links the provider. */
static int known_address(struct arrival *x, bool safe)
{
    if (!safe || !oidc_domain_listed(x->provider->domains, x->email))
        return send_back(x->req, x->provider, "account_exists", "");
    if (!x->tenant_id)
        return send_back(x->req, x->provider, "no_organization", "");
    x->confirmed = true;
    return link_identity(x) < 0 ? lost_race(x) : hand_over(x);
}

static int sign_in(struct arrival *x)
{
    struct request *req = x->req;
    const char     *domains = api_of(req)->settings->oidc_allowed_domains;
    struct db_scope nobody = { 0 };
    struct rows     r;
    bool            found;

    x->email = email_read(&req->arena, x->who.email);
    if (*domains && !(x->email && oidc_domain_listed(domains, x->email)))
        return send_back(req, x->provider, "domain_not_allowed", "");
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_OIDC_FIND, ARGS(x->who.issuer, x->who.subject, x->email),
                       &r, &req->err)
        < 0)
        return -1;
    found = row_next(&r);
    if (found) {
        x->person_id = row_text(&r, "person_id");
        x->tenant_id = row_opt(&r, "tenant_id");
    }
    if (found && row_bool(&r, "known"))
        return x->tenant_id ? hand_over(x) : send_back(req, x->provider, "no_organization", "");
    const char *refused = newcomer_refused(x);
    if (refused)
        return send_back(req, x->provider, refused, "");
    return found ? known_address(x, row_bool(&r, "safe")) : newcomer(x);
}

/* Who set out was signed in: the identity becomes a way for them to sign in. */
static int add_identity(struct arrival *x)
{
    x->email = email_read(&x->req->arena, x->who.email);
    if (link_identity(x) < 0)
        return -1;
    if (!x->linked)
        return send_back(x->req, x->provider, "identity_taken", "");
    struct sb there = SB(&x->req->arena);
    sb_printf(&there, "/account/providers?linked=%s", x->provider->name);
    redirect(x->req, there.p ? there.p : "/account/providers");
    return 0;
}

/* The journey that this browser began; false: none, another's, over, or back already. */
static int journey_take(struct request *req, const struct oidc_provider *p, struct journey *j, struct arrival *x,
                        bool *ret_found)
{
    const char     *state = request_param(req, "state");
    struct db_scope nobody = { 0 };
    struct rows     r;

    *ret_found = false;
    j->cookie = cookie_read(req);
    j->secrets.state = state;
    if (!state || !j->cookie)
        return 0;
    journey_complete(req, j);
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_OIDC_TAKE, ARGS(j->state_hash, j->browser_hash, p->name),
                       &r, &req->err)
        < 0)
        return -1;
    *ret_found = row_next(&r);
    if (*ret_found) {
        x->person_id = row_opt(&r, "person_id");
        x->tenant_id = row_opt(&r, "organization_id");
    }
    return 0;
}

int auth_oidc_callback(struct request *req)
{
    struct journey              j = { 0 };
    struct arrival              x = { .req = req, .journey = &j };
    const struct oidc_provider *p;
    struct error                why = { 0 };
    bool                        found;
    const char                 *code = request_param(req, "code"), *error = request_param(req, "error");

    if (find_provider(req, &p) < 0 || journey_take(req, p, &j, &x, &found) < 0)
        return -1;
    x.provider = p;
    if (!found)
        return send_back(req, p, "sign_in_expired", "");
    if (error || !code)
        return send_back(req, p, error && strcmp(error, "access_denied") == 0 ? "provider_denied" : "provider_refused",
                         "");
    if (oidc_identify(api_of(req)->oidc, p, &req->arena, code, request_param(req, "iss"), &j.secrets, &x.who, &why) < 0)
        return send_back(req, p, why.code == ERR_UNAUTHORIZED ? "provider_refused" : "provider_unavailable",
                         why.detail);
    return x.tenant_id ? add_identity(&x) : sign_in(&x);
}

static int sign_in_over(struct request *req)
{
    return error_say(&req->err, ERR_UNAUTHORIZED, NULL, "This sign-in is over; begin again.");
}

/* Who set up a second factor here is asked for it here, whatever the provider asked for; the code stays good until it was right. */
static int check_second_factor(struct request *req, const char *code_hash, const char *browser_hash, const char *otp,
                               bool *ret_used)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_OIDC_PEEK, ARGS(code_hash, browser_hash), &r, &req->err)
        < 0)
        return -1;
    if (!row_next(&r))
        return sign_in_over(req);
    return second_factor_check(req, row_text(&r, "tenant_id"), row_text(&r, "user_id"), otp, ret_used);
}

int auth_oidc_exchange(struct request *req)
{
    struct json_fields f;
    struct db_scope    nobody = { 0 };
    struct rows        r;
    char               code_hash[SECRET_HASH_SIZE], browser_hash[SECRET_HASH_SIZE];
    bool               second = false;

    json_fields_begin(&f, &req->arena, req->json);
    const char *code = json_text(&f, "code", /* required= */ true, 100, NULL);
    const char *otp = json_text(&f, "otp", /* required= */ false, OTP_MAX, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    const char *cookie = cookie_read(req);
    secret_hash(str_of(code), code_hash);
    secret_hash(str_of(cookie ? cookie : ""), browser_hash);
    if (check_second_factor(req, code_hash, browser_hash, otp, &second) < 0
        || db_query_alone(api_db(req), nobody, &req->arena, SQL_OIDC_EXCHANGE, ARGS(code_hash, browser_hash), &r,
                          &req->err)
               < 0)
        return -1;
    if (!row_next(&r))
        return sign_in_over(req);
    if (strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) == 0)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "This account works by API keys only; it cannot sign in.");
    cookie_send(req, "", 0);
    return session_start(req, row_text(&r, "tenant_id"), row_text(&r, "user_id"), row_text(&r, "role"),
                         second ? "oidc+otp" : "oidc");
}

/* --- a person's own identities --- */

int auth_identities(struct request *req)
{
    if (persons_only(req) < 0)
        return -1;
    return api_answer_query(req, 200, SQL_OIDC_IDENTITIES, NO_ARGS);
}

static int unlink_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    const char *id = arg;
    struct sb   before = SB(&req->arena);
    struct rows r;

    if (db_query(db, &req->arena, SQL_OIDC_UNLINK, ARGS(id), &r, err) < 0)
        return -1;
    const char *issuer = row_next(&r) ? row_opt(&r, "issuer") : NULL;
    if (!issuer)
        return error_set(err, ERR_NOT_FOUND, "no such identity of this person");
    if (!*issuer)
        return error_say(err, ERR_CONFLICT, NULL, "This is your only way to sign in: set a password first.");
    sb_puts(&before, "{\"issuer\":");
    sb_json(&before, issuer);
    sb_putc(&before, '}');
    ret->status = 204;
    return api_audit(db, req, "identity.unlink", "user", req->who.user_id, before.p, NULL, err);
}

int auth_identities_delete(struct request *req)
{
    if (persons_only(req) < 0)
        return -1;
    return api_answer_in_tx(req, "unlink", unlink_tx, (void *)(uintptr_t)req->args[0]);
}
