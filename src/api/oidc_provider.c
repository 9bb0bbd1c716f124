/* oidc_provider.c - asking OpenID providers: their configuration and keys, kept for a while, and a code for an ID token. Addresses come from the
   operator's settings and from what stands there, never from a tenant. */
#include "api/oidc.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "net/http_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

enum {
    PUBLISHED_MAX = 256 << 10, /* bytes of a configuration, of a key set */
    ANSWER_MAX = 64 << 10,     /* of a token's or userinfo's answer */
    DEPTH_MAX = 16,
    MEMBERS_MAX = 4096,
    FRESH_S = 3600,
    STALE_S = 86400, /* what is kept is used so long when nothing newer can be had */
    RETRY_S = 10,    /* after a failure */
    NEWER_S = 60,    /* between two questions for a key that is not known */
};

/* What a provider publishes, as text. */
struct published {
    char   *text;
    size_t  n;
    int64_t fetched_us, retry_us, newer_us; /* steady clock; retry_us, newer_us: not asked before */
};

struct oidc {
    struct arena       arena; /* texts that are made of settings */
    const char        *public_url;
    bool               local_http; /* http:// to this machine is allowed, for development */
    unsigned           timeout_ms;
    struct net_client *net;
    pthread_mutex_t    lock; /* guards published; never held while asking */
    atomic_uint        asking;
    unsigned asking_max; /* threads of the work lane that may wait for providers: one is left for everybody else */
    size_t   count;
    struct oidc_provider providers[OIDC_PROVIDERS];
    struct published     configuration[OIDC_PROVIDERS], keys[OIDC_PROVIDERS];
};

/* --- the settings --- */

static void add(struct oidc *o, struct oidc_provider p)
{
    if (p.issuer && *p.issuer && *p.client_id)
        o->providers[o->count++] = p;
}

static void add_all(struct oidc *o, const struct settings *s)
{
    const char *microsoft = "https://login.microsoftonline.com/{tenantid}/v2.0", *directory = s->oidc_microsoft_tenant;
    bool        any = strcmp(directory, "common") == 0 || strcmp(directory, "organizations") == 0;

    add(o, (struct oidc_provider){ .name = "google",
                                   .label = "Google",
                                   .issuer = "https://accounts.google.com",
                                   .directory = "",
                                   .client_id = s->oidc_google_client_id,
                                   .client_secret = s->oidc_google_client_secret,
                                   .domains = s->oidc_google_domains });
    add(o, (struct oidc_provider){ .name = "microsoft",
                                   .label = "Microsoft",
                                   .issuer = any ? microsoft : oidc_issuer_of(&o->arena, microsoft, directory),
                                   .directory = directory,
                                   .client_id = s->oidc_microsoft_client_id,
                                   .client_secret = s->oidc_microsoft_client_secret,
                                   .domains = s->oidc_microsoft_domains });
    add(o, (struct oidc_provider){ .name = "oidc",
                                   .label = s->oidc_name,
                                   .issuer = s->oidc_issuer,
                                   .directory = "common",
                                   .client_id = s->oidc_client_id,
                                   .client_secret = s->oidc_client_secret,
                                   .domains = s->oidc_domains });
}

struct oidc *oidc_open(const struct settings *s, const char *public_url, struct error *err)
{
    unsigned                  timeout_ms = (unsigned)s->oidc_timeout_ms;
    struct net_client_options options = { .connect_timeout_ms = timeout_ms };
    struct oidc              *o = calloc(1, sizeof *o);

    if (!o) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the OpenID providers");
        return NULL;
    }
    pthread_mutex_init(&o->lock, NULL);
    o->arena = ARENA(4096);
    o->public_url = public_url;
    o->local_http = strcmp(s->env, "dev") == 0;
    o->timeout_ms = timeout_ms;
    o->asking_max = s->work_threads > 1 ? (unsigned)s->work_threads - 1 : 1;
    add_all(o, s);
    o->net = net_client_open(&options, err);
    if (o->net)
        return o;
    oidc_close(o);
    return NULL;
}

void oidc_close(struct oidc *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < OIDC_PROVIDERS; i++) {
        free(o->configuration[i].text);
        free(o->keys[i].text);
    }
    net_client_close(o->net);
    pthread_mutex_destroy(&o->lock);
    arena_free(&o->arena);
    free(o);
}

const struct oidc_provider *oidc_provider_at(const struct oidc *o, size_t i)
{
    return i < o->count ? &o->providers[i] : NULL;
}

const struct oidc_provider *oidc_provider_by_name(const struct oidc *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->providers[i].name, name) == 0)
            return &o->providers[i];
    return NULL;
}

bool oidc_domain_listed(const char *domains, const char *email)
{
    struct str  rest = str_of(domains);
    const char *at = strrchr(email, '@');

    while (at && rest.p) {
        struct str domain = str_trim(str_cut(&rest, ' '));

        if (domain.n > 0 && domain.n == strlen(at + 1) && strncasecmp(domain.p, at + 1, domain.n) == 0)
            return true;
    }
    return false;
}

/* --- asking --- */

/* One exchange; the answer's body as JSON. */
static int ask(struct oidc *o, struct net_request *r, struct arena *a, struct net_response *answer,
               const json_t **ret_json, struct error *err)
{
    int rc = -1;

    if (!net_url_safe(r->url, o->local_http))
        return error_set(err, ERR_UNAVAILABLE, "the provider names an address that is not https");
    r->timeout_ms = o->timeout_ms;
    if (atomic_fetch_add(&o->asking, 1) < o->asking_max)
        rc = net_run(o->net, r, a, answer, err);
    else
        error_set(err, ERR_UNAVAILABLE, "too many sign-ins wait for their providers");
    atomic_fetch_sub(&o->asking, 1);
    if (rc < 0)
        return -1;
    *ret_json = json_read(a, answer->body, DEPTH_MAX, MEMBERS_MAX, err);
    return *ret_json ? 0 : -1;
}

static int fetch(struct oidc *o, const char *url, struct arena *a, struct net_response *answer, const json_t **ret_json,
                 struct error *err)
{
    static const char *const headers[] = { "Accept: application/json", NULL };
    struct net_request       r = { .url = url, .headers = headers, .max_body = PUBLISHED_MAX };
    struct error             why = { 0 };

    if (ask(o, &r, a, answer, ret_json, &why) < 0)
        return error_set(err, ERR_UNAVAILABLE, "%s", why.detail[0] ? why.detail : why.message);
    if (answer->status != 200)
        return error_set(err, ERR_UNAVAILABLE, "the provider answered %u", answer->status);
    return 0;
}

/* A copy of what is kept and not too old. p NULL: nothing. */
static struct str kept(struct oidc *o, struct published *p, struct arena *a, bool newer, bool *ret_ask)
{
    int64_t    now = clock_steady_us();
    struct str text = { NULL, 0 };

    pthread_mutex_lock(&o->lock);
    int64_t age = now - p->fetched_us;
    *ret_ask = now >= p->retry_us && (!p->text || age > FRESH_S * INT64_C(1000000) || (newer && now >= p->newer_us));
    if (newer && *ret_ask)
        p->newer_us = now + NEWER_S * INT64_C(1000000);
    if (p->text && age < STALE_S * INT64_C(1000000))
        text = (struct str){ arena_text(a, p->text, p->n), p->n };
    pthread_mutex_unlock(&o->lock);
    return text;
}

static void keep(struct oidc *o, struct published *p, struct str text)
{
    char *copy = text.p ? malloc(text.n + 1) : NULL;

    if (copy)
        memcpy(copy, text.p, text.n);
    pthread_mutex_lock(&o->lock);
    if (copy) {
        free(p->text);
        p->text = copy;
        p->n = text.n;
        p->fetched_us = clock_steady_us();
    } else
        p->retry_us = clock_steady_us() + RETRY_S * INT64_C(1000000);
    pthread_mutex_unlock(&o->lock);
}

/* What stands at url: what is kept, or asked for anew when that is old or newer is wanted. issuer: which it must name, or NULL. */
static int published_read(struct oidc *o, struct published *p, const char *url, const char *issuer, bool newer,
                          struct arena *a, const json_t **ret, struct error *err)
{
    struct net_response answer = { 0 };
    struct error        why = { 0 };
    bool                must_ask;
    struct str          text = kept(o, p, a, newer, &must_ask);

    if (must_ask) {
        int rc = fetch(o, url, a, &answer, ret, &why);

        if (rc == 0 && issuer && strcmp(jv_text(*ret, "issuer", ""), issuer) != 0)
            rc = error_set(&why, ERR_UNAVAILABLE, "the provider's configuration names another issuer");
        keep(o, p, rc == 0 ? answer.body : (struct str){ NULL, 0 });
        if (rc == 0)
            return 0;
    }
    if (!text.p)
        return error_set(err, ERR_UNAVAILABLE, "%s", why.detail[0] ? why.detail : "the provider did not answer lately");
    *ret = json_read(a, text, DEPTH_MAX, MEMBERS_MAX, err);
    return *ret ? 0 : -1;
}

static int configuration(struct oidc *o, const struct oidc_provider *p, struct arena *a, const json_t **ret,
                         struct error *err)
{
    const char *base = oidc_issuer_of(a, p->issuer, p->directory);
    struct sb   url = SB(a);

    sb_printf(&url, "%s%s.well-known/openid-configuration", base, base[strlen(base) - 1] == '/' ? "" : "/");
    return published_read(o, &o->configuration[p - o->providers], url.p, p->issuer, /* newer= */ false, a, ret, err);
}

/* --- the browser's way there --- */

static void put_parameter(struct sb *b, const char *name, const char *value)
{
    sb_printf(b, "&%s=", name);
    url_encode(b, str_of(value));
}

static const char *callback_address(const struct oidc *o, const struct oidc_provider *p, struct arena *a)
{
    struct sb b = SB(a);

    sb_printf(&b, "%s/api/v1/auth/oidc/%s/callback", o->public_url, p->name);
    return b.p ? b.p : "";
}

static const char *challenge(struct arena *a, const char *verifier)
{
    unsigned char digest[HASH_SIZE];
    char          text[HASH_SIZE * 4 / 3 + 4];

    hash_of(str_of(verifier), digest);
    return arena_text(a, text, base64url_encode(text, digest, sizeof digest));
}

int oidc_address(struct oidc *o, const struct oidc_provider *p, struct arena *a, const struct oidc_secrets *secrets,
                 const char **ret, struct error *err)
{
    const json_t *conf;
    struct sb     b = SB(a);

    if (configuration(o, p, a, &conf, err) < 0)
        return -1;
    const char *there = jv_text(conf, "authorization_endpoint", "");
    if (!net_url_safe(there, o->local_http))
        return error_set(err, ERR_UNAVAILABLE, "the provider names no address to sign in at that is https");
    sb_puts(&b, there);
    sb_puts(&b, strchr(there, '?') ? "&response_type=code" : "?response_type=code");
    put_parameter(&b, "client_id", p->client_id);
    put_parameter(&b, "redirect_uri", callback_address(o, p, a));
    put_parameter(&b, "scope", "openid email profile");
    put_parameter(&b, "state", secrets->state);
    put_parameter(&b, "nonce", secrets->nonce);
    put_parameter(&b, "code_challenge", challenge(a, secrets->verifier));
    put_parameter(&b, "code_challenge_method", "S256");
    *ret = b.p;
    return a->failed ? error_set(err, ERR_UNAVAILABLE, "no memory for the address") : 0;
}

/* --- a code for an identity --- */

/* Whose answer it is (RFC 9207): else another provider's code could be passed off as this one's. */
static int issuer_check(const struct oidc_provider *p, const json_t *conf, const char *iss, struct error *err)
{
    bool promised = jv_bool(conf, "authorization_response_iss_parameter_supported", false);

    if (iss ? strcmp(iss, p->issuer) != 0 && !strstr(p->issuer, "{tenantid}") : promised)
        return error_set(err, ERR_UNAUTHORIZED, "the answer's iss is %s", iss ? "another provider's" : "missing");
    return 0;
}

static bool offers(const json_t *conf, const char *method)
{
    const json_t *methods = jv_get(conf, "token_endpoint_auth_methods_supported");

    for (size_t i = 0; i < jv_count(methods); i++)
        if (jv_string(jv_at(methods, i)) && strcmp(jv_string(jv_at(methods, i)), method) == 0)
            return true;
    return false;
}

/* Authorization: Basic of id and secret, both escaped as a form before (RFC 6749, 2.3.1). */
static const char *basic_credential(struct arena *a, const struct oidc_provider *p)
{
    struct sb plain = SB(a), header = SB(a);

    url_encode(&plain, str_of(p->client_id));
    sb_putc(&plain, ':');
    url_encode(&plain, str_of(p->client_secret));
    char *text = arena_alloc(a, plain.n * 4 / 3 + 8);
    if (!text)
        return "";
    size_t n = base64url_encode(text, plain.p, plain.n);
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    sb_puts(&header, "Authorization: Basic ");
    sb_put(&header, (struct str){ text, n });
    sb_puts(&header, n % 4 == 2 ? "==" : n % 4 == 3 ? "=" : "");
    return header.p ? header.p : "";
}

/* The form that redeems the code; the secret goes into a header unless the provider takes it in the form only. */
static struct str code_form(const struct oidc *o, const struct oidc_provider *p, struct arena *a, const char *code,
                            const char *verifier, bool in_form)
{
    struct sb b = SB(a);

    sb_puts(&b, "grant_type=authorization_code");
    put_parameter(&b, "code", code);
    put_parameter(&b, "redirect_uri", callback_address(o, p, a));
    put_parameter(&b, "code_verifier", verifier);
    if (in_form || !*p->client_secret)
        put_parameter(&b, "client_id", p->client_id);
    if (in_form)
        put_parameter(&b, "client_secret", p->client_secret);
    return sb_str(&b);
}

static int redeem(struct oidc *o, const struct oidc_provider *p, struct arena *a, const json_t *conf, const char *code,
                  const char *verifier, struct oidc_answer *ret, struct error *err)
{
    bool in_form = *p->client_secret && offers(conf, "client_secret_post") && !offers(conf, "client_secret_basic");
    const char         *headers[4] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json" };
    struct net_response answer;
    const json_t       *json;

    if (*p->client_secret && !in_form)
        headers[2] = basic_credential(a, p);
    struct net_request r = { .method = "POST",
                             .url = jv_text(conf, "token_endpoint", ""),
                             .headers = headers,
                             .body = code_form(o, p, a, code, verifier, in_form),
                             .max_body = ANSWER_MAX };
    if (ask(o, &r, a, &answer, &json, err) < 0) {
        err->code = ERR_UNAVAILABLE;
        return -1;
    }
    if (answer.status != 200)
        return error_set(err, answer.status / 100 == 4 ? ERR_UNAUTHORIZED : ERR_UNAVAILABLE,
                         "the provider does not take the code: %u", answer.status);
    ret->id_token = jv_text(json, "id_token", NULL);
    ret->access_token = jv_text(json, "access_token", NULL);
    return ret->id_token ? 0 : error_set(err, ERR_UNAUTHORIZED, "the provider gave no ID token");
}

/* An address that the token does not tell is asked for; the answer must be about the same person. */
static int profile(struct oidc *o, struct arena *a, const json_t *conf, const struct oidc_answer *answer,
                   struct oidc_identity *who, struct error *err)
{
    const char         *url = jv_text(conf, "userinfo_endpoint", NULL);
    struct sb           credential = SB(a);
    struct net_response r;
    const json_t       *json;

    if (who->email || !url || !answer->access_token)
        return 0;
    sb_printf(&credential, "Authorization: Bearer %s", answer->access_token);
    const char        *headers[] = { "Accept: application/json", credential.p, NULL };
    struct net_request request = { .url = url, .headers = headers, .max_body = ANSWER_MAX };
    if (ask(o, &request, a, &r, &json, err) < 0) {
        err->code = ERR_UNAVAILABLE;
        return -1;
    }
    if (r.status != 200)
        return error_set(err, ERR_UNAVAILABLE, "the provider does not tell who signed in: %u", r.status);
    if (strcmp(jv_text(json, "sub", ""), who->subject) != 0)
        return error_set(err, ERR_UNAUTHORIZED, "the provider tells of another person than its token");
    oidc_profile_read(json, who);
    return 0;
}

static int token_check(struct oidc *o, const struct oidc_provider *p, struct arena *a, const json_t *conf,
                       const struct oidc_answer *answer, const char *nonce, struct oidc_identity *ret,
                       struct error *err)
{
    const char       *url = jv_text(conf, "jwks_uri", "");
    struct published *keys = &o->keys[p - o->providers];
    struct error      why = { 0 };
    const json_t     *set;
    bool              unknown = false;

    if (published_read(o, keys, url, NULL, /* newer= */ false, a, &set, err) < 0)
        return -1;
    if (oidc_token_read(p, a, answer, nonce, set, &unknown, ret, &why) == 0)
        return 0;
    if (!unknown) {
        *err = why;
        return -1;
    }
    if (published_read(o, keys, url, NULL, /* newer= */ true, a, &set, err) < 0)
        return -1;
    return oidc_token_read(p, a, answer, nonce, set, &unknown, ret, err);
}

int oidc_identify(struct oidc *o, const struct oidc_provider *p, struct arena *a, const char *code, const char *iss,
                  const struct oidc_secrets *secrets, struct oidc_identity *ret, struct error *err)
{
    struct oidc_answer answer = { 0 };
    const json_t      *conf;

    if (configuration(o, p, a, &conf, err) < 0 || issuer_check(p, conf, iss, err) < 0
        || redeem(o, p, a, conf, code, secrets->verifier, &answer, err) < 0
        || token_check(o, p, a, conf, &answer, secrets->nonce, ret, err) < 0)
        return -1;
    return profile(o, a, conf, &answer, ret, err);
}
