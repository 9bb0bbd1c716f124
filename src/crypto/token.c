/* token.c - see token.h. Of the header three members are looked at: alg and typ are what we write, kid is looked for among the keys in memory. What else
   stands there (jku, x5u, jwk, x5c) is not followed; crit, which would demand that we understand it, is refused. */
#include "crypto/token.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/token_private.h"

#include <stdio.h>

enum { DEPTH = 4, MEMBERS = 32, VERIFY_MEMORY = 65536 };

#define TYPE     "at+jwt"
#define AUDIENCE "dms"

static void put_base64url(struct sb *b, struct str bytes)
{
    char *text = arena_alloc(b->arena, bytes.n * 4 / 3 + 4);

    if (text)
        sb_put(b, (struct str){ text, base64url_encode(text, bytes.p, bytes.n) });
}

static void put_payload(struct sb *b, const char *issuer, const struct token_claims *c)
{
    sb_put(b, S("{\"iss\":"));
    sb_json(b, issuer);
    sb_printf(b, ",\"aud\":\"" AUDIENCE "\",\"sub\":\"%s\",\"tid\":\"%s\",\"sid\":\"%s\",\"jti\":\"%s\",\"role\":",
              c->subject, c->tenant, c->session, c->id);
    sb_json(b, c->role);
    sb_printf(b, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}", (long long)c->issued_at, (long long)c->not_before,
              (long long)c->expires_at);
}

static bool sign(const struct token_key *key, struct str text, unsigned char ret[TOKEN_SIGNATURE])
{
    size_t      n = TOKEN_SIGNATURE;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key) == 1
              && EVP_DigestSign(ctx, ret, &n, (const unsigned char *)text.p, text.n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok && n == TOKEN_SIGNATURE;
}

const char *token_sign(struct token_keys *k, struct arena *a, const struct token_claims *c)
{
    struct sb     header = SB(a), payload = SB(a), token = SB(a);
    unsigned char signature[TOKEN_SIGNATURE];

    put_payload(&payload, k->issuer, c);
    pthread_rwlock_rdlock(&k->lock);
    const struct token_key *key = token_key_signing(k, c->issued_at);
    sb_printf(&header, "{\"alg\":\"" TOKEN_ALG "\",\"typ\":\"" TYPE "\",\"kid\":\"%s\"}", key->info.kid);
    put_base64url(&token, sb_str(&header));
    sb_putc(&token, '.');
    put_base64url(&token, sb_str(&payload));
    bool ok = sign(key, sb_str(&token), signature);
    pthread_rwlock_unlock(&k->lock);
    if (!ok)
        a->failed = true; /* out of memory inside OpenSSL */
    sb_putc(&token, '.');
    put_base64url(&token, (struct str){ (const char *)signature, TOKEN_SIGNATURE });
    return token.p ? token.p : "";
}

static bool signature_good(const struct token_key *key, struct str signed_part, struct str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && signature.n == TOKEN_SIGNATURE && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->key) == 1
                && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                                    (const unsigned char *)signed_part.p, signed_part.n)
                       == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

static bool copy_uuid(char ret[37], const char *s)
{
    if (!s || !uuid_valid(str_of(s)))
        return false;
    memcpy(ret, s, 37);
    return true;
}

/* The three parts of a token: header, payload and signature decoded, signed the text that the signature is over. */
struct parts {
    struct str header, payload, signature, over;
};

static bool cut(struct arena *a, struct str token, struct parts *ret)
{
    struct str rest = token, header = str_cut(&rest, '.');

    if (token.n > TOKEN_MAX || !rest.p)
        return false;
    struct str payload = str_cut(&rest, '.');
    if (!rest.p || header.n == 0 || payload.n == 0 || rest.n == 0)
        return false;
    ret->over = (struct str){ token.p, header.n + 1 + payload.n };
    return base64url_decode(a, header, &ret->header) && base64url_decode(a, payload, &ret->payload)
           && base64url_decode(a, rest, &ret->signature); /* a fourth part's dot is none of its letters */
}

/* The name of the key; NULL: not a header of ours. */
static const char *header_read(struct arena *a, struct str header)
{
    struct error  ignored = { 0 };
    const json_t *v = json_read(a, header, DEPTH, MEMBERS, &ignored);
    const char   *type = jv_text(v, "typ", "");

    if (!jv_is_object(v) || jv_get(v, "crit") || strcmp(jv_text(v, "alg", ""), TOKEN_ALG) != 0)
        return NULL;
    if (strcmp(type, TYPE) != 0 && strcmp(type, "application/" TYPE) != 0)
        return NULL;
    return jv_text(v, "kid", NULL);
}

static bool verified(struct token_keys *k, const struct parts *p, const char *kid, int64_t now)
{
    pthread_rwlock_rdlock(&k->lock);
    const struct token_key *key = token_key_find(k, kid, now);
    bool                    good = key && signature_good(key, p->over, p->signature);
    pthread_rwlock_unlock(&k->lock);
    return good;
}

static bool claims_read(const struct token_keys *k, const json_t *v, struct token_claims *c)
{
    const char *role = jv_text(v, "role", "");

    c->issued_at = jv_int(v, "iat", -1);
    c->not_before = jv_int(v, "nbf", -1);
    c->expires_at = jv_int(v, "exp", -1);
    snprintf(c->role, sizeof c->role, "%s", role);
    return strcmp(jv_text(v, "iss", ""), k->issuer) == 0 && strcmp(jv_text(v, "aud", ""), AUDIENCE) == 0
           && copy_uuid(c->subject, jv_text(v, "sub", NULL)) && copy_uuid(c->tenant, jv_text(v, "tid", NULL))
           && copy_uuid(c->session, jv_text(v, "sid", NULL)) && copy_uuid(c->id, jv_text(v, "jti", NULL))
           && role[0] != '\0' && strlen(role) < sizeof c->role;
}

/* Every one of the three is there, and now lies between them. No token that we signed lives longer than TOKEN_LIFE_MAX_S. */
static bool in_time(const struct token_claims *c, int64_t now)
{
    return c->issued_at >= 0 && c->not_before >= 0 && c->expires_at >= 0 && c->issued_at <= now + TOKEN_LEEWAY_S
           && c->not_before <= now + TOKEN_LEEWAY_S && c->expires_at > now - TOKEN_LEEWAY_S
           && c->expires_at <= c->issued_at + TOKEN_LIFE_MAX_S;
}

int token_verify(struct token_keys *k, struct str token, int64_t now, struct token_claims *ret, struct error *err)
{
    struct arena        a = ARENA(VERIFY_MEMORY);
    struct error        ignored = { 0 };
    struct token_claims c = { 0 };
    struct parts        p = { 0 };
    const char         *fault = NULL, *kid = NULL;

    if (!cut(&a, token, &p))
        fault = "not three parts of base64url";
    else if (!(kid = header_read(&a, p.header)))
        fault = "another header";
    else if (!verified(k, &p, kid, now))
        fault = "key or signature";
    else if (!claims_read(k, json_read(&a, p.payload, DEPTH, MEMBERS, &ignored), &c))
        fault = "claims";
    else if (!in_time(&c, now))
        fault = "time";
    arena_free(&a);
    if (fault)
        return error_set(err, ERR_UNAUTHORIZED, "token refused: %s", fault);
    *ret = c;
    return 0;
}

int token_sign_text(struct token_keys *k, struct str text, char ret_kid[TOKEN_KID_SIZE],
                    unsigned char ret[TOKEN_SIGNATURE], struct error *err)
{
    pthread_rwlock_rdlock(&k->lock);
    const struct token_key *key = token_key_signing(k, clock_wall_us() / 1000000);
    bool                    ok = sign(key, text, ret);
    memcpy(ret_kid, key->info.kid, TOKEN_KID_SIZE);
    pthread_rwlock_unlock(&k->lock);
    return ok ? 0 : error_set(err, ERR_UNAVAILABLE, "no memory for a signature");
}

int token_check_text(struct token_keys *k, const char *kid, struct str text,
                     const unsigned char signature[TOKEN_SIGNATURE])
{
    int rc = -1;

    pthread_rwlock_rdlock(&k->lock);
    for (size_t i = 0; rc < 0 && i < k->set.count;
         i++) /* also one whose time is over: what it signed then stays signed */
        if (strcmp(k->set.keys[i].info.kid, kid) == 0)
            rc = signature_good(&k->set.keys[i], text, (struct str){ (const char *)signature, TOKEN_SIGNATURE });
    pthread_rwlock_unlock(&k->lock);
    return rc;
}

void token_jwks(struct token_keys *k, int64_t now, struct sb *out)
{
    const char *comma = "";
    char        x[64];

    sb_puts(out, "{\"keys\":[");
    pthread_rwlock_rdlock(&k->lock);
    for (size_t i = 0; i < k->set.count; i++) {
        const struct token_key *key = &k->set.keys[i];

        if (key->info.until <= now)
            continue;
        base64url_encode(x, key->public_key, TOKEN_KEY_BYTES);
        sb_printf(out,
                  "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"" TOKEN_ALG
                  "\",\"kid\":\"%s\",\"x\":\"%s\"}",
                  comma, key->info.kid, x);
        comma = ",";
    }
    pthread_rwlock_unlock(&k->lock);
    sb_puts(out, "]}");
}
