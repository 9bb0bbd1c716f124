/* token.c - see token.h. The header is compared as bytes: we sign one algorithm with one key, so there is one right header. */
#include "crypto/token.h"

#include "base/file.h"
#include "base/json.h"
#include "base/uuid.h"
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

enum { KEY = 32, SIGNATURE = 64, LEEWAY = 30 };

struct token_keys {
    EVP_PKEY     *key;
    unsigned char public_key[KEY];
    char          kid[17];
    char          header[128]; /* base64url of the one header we write and take */
    char         *issuer;
};

/* A key made now, on disk before it is used. */
static int key_make(const char *path, unsigned char key[KEY], struct error *err)
{
    char text[2 * KEY + 1];

    random_bytes(key, KEY);
    hex_encode(text, key, KEY);
    int rc = file_write(path, (struct str){ text, 2 * KEY }, 0600, err);
    bytes_wipe(text, sizeof text);
    return rc;
}

static int key_load(const char *path, unsigned char key[KEY], struct error *err)
{
    struct arena a = ARENA(4096);
    struct str   text;
    struct stat  st;
    int          rc = file_read(&a, path, 1024, &text, err);

    if (rc == 0)
        rc = key_make(path, key, err);
    else if (rc > 0) {
        if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
            rc = error_set(err, ERR_INTERNAL, "%s may be read by others: chmod 600 it", path);
        else if (!hex_decode(key, KEY, str_trim(text)))
            rc = error_set(err, ERR_INTERNAL, "%s does not hold a key (64 hex digits)", path);
        bytes_wipe((void *)(uintptr_t)text.p, text.n);
    }
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

struct token_keys *token_keys_open(const char *path, const char *issuer, struct error *err)
{
    unsigned char      raw[KEY], digest[HASH_SIZE];
    char               header[96];
    size_t             n = KEY;
    struct token_keys *k = calloc(1, sizeof *k);

    if (!k || !(k->issuer = strdup(issuer)) || key_load(path, raw, err) < 0) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the token keys");
        token_keys_close(k);
        return NULL;
    }
    k->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, KEY);
    bytes_wipe(raw, sizeof raw);
    if (!k->key || EVP_PKEY_get_raw_public_key(k->key, k->public_key, &n) != 1) {
        error_set(err, ERR_INTERNAL, "%s is not an Ed25519 key", path);
        token_keys_close(k);
        return NULL;
    }
    hash_of((struct str){ (const char *)k->public_key, KEY }, digest);
    hex_encode(k->kid, digest, 8);
    int len = snprintf(header, sizeof header, "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", k->kid);
    base64url_encode(k->header, header, (size_t)len);
    return k;
}

void token_keys_close(struct token_keys *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k->issuer);
    free(k);
}

static void put_base64url(struct sb *b, struct str bytes)
{
    char *text = arena_alloc(b->arena, bytes.n * 4 / 3 + 4);

    if (text)
        sb_put(b, (struct str){ text, base64url_encode(text, bytes.p, bytes.n) });
}

const char *token_sign(const struct token_keys *k, struct arena *a, const struct token_claims *c)
{
    struct sb     payload = SB(a), token = SB(a);
    unsigned char signature[SIGNATURE];
    size_t        n = sizeof signature;

    sb_put(&payload, S("{\"iss\":"));
    sb_json(&payload, k->issuer);
    sb_printf(
        &payload,
        ",\"aud\":\"dms\",\"sub\":\"%s\",\"tid\":\"%s\",\"sid\":\"%s\",\"jti\":\"%s\",\"role\":\"%s\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}",
        c->subject, c->tenant, c->session, c->id, c->role, (long long)c->issued_at, (long long)c->not_before,
        (long long)c->expires_at);
    sb_printf(&token, "%s.", k->header);
    put_base64url(&token, sb_str(&payload));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1
              && EVP_DigestSign(ctx, signature, &n, (const unsigned char *)sb_str(&token).p, token.n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok || n != SIGNATURE)
        a->failed = true; /* out of memory inside OpenSSL */
    sb_putc(&token, '.');
    put_base64url(&token, (struct str){ (const char *)signature, SIGNATURE });
    return token.p ? token.p : "";
}

static bool signature_good(const struct token_keys *k, struct str signed_part, struct str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        good = ctx && signature.n == SIGNATURE && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) == 1
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

static bool claims_read(const struct token_keys *k, const json_t *v, struct token_claims *c)
{
    const char *role = jv_text(v, "role", "");

    c->issued_at = jv_int(v, "iat", -1);
    c->not_before = jv_int(v, "nbf", -1);
    c->expires_at = jv_int(v, "exp", -1);
    snprintf(c->role, sizeof c->role, "%s", role);
    return strcmp(jv_text(v, "iss", ""), k->issuer) == 0 && strcmp(jv_text(v, "aud", ""), "dms") == 0
           && copy_uuid(c->subject, jv_text(v, "sub", NULL)) && copy_uuid(c->tenant, jv_text(v, "tid", NULL))
           && copy_uuid(c->session, jv_text(v, "sid", NULL)) && copy_uuid(c->id, jv_text(v, "jti", NULL))
           && c->issued_at >= 0 && c->not_before >= 0 && c->expires_at >= 0;
}

int token_verify(const struct token_keys *k, struct str token, int64_t now, struct token_claims *ret, struct error *err)
{
    struct arena        a = ARENA(65536);
    struct error        why = { 0 };
    struct token_claims c = { 0 };
    struct str          rest = token, header = str_cut(&rest, '.'), payload = str_cut(&rest, '.'), body, signature;
    const char         *fault = NULL;

    if (token.n > TOKEN_MAX || !rest.p || memchr(rest.p, '.', rest.n))
        fault = "not three parts";
    else if (!str_eq(header, str_of(k->header)))
        fault = "another header";
    else if (!base64url_decode(&a, rest, &signature)
             || !signature_good(k, (struct str){ token.p, header.n + 1 + payload.n }, signature))
        fault = "signature";
    else if (!base64url_decode(&a, payload, &body))
        fault = "payload";
    else {
        const json_t *v = json_read(&a, body, 4, 32, &why);

        if (!v || !claims_read(k, v, &c))
            fault = "claims";
        else if (c.expires_at + LEEWAY <= now || c.not_before - LEEWAY > now)
            fault = "time";
    }
    arena_free(&a);
    if (fault)
        return error_set(err, ERR_UNAUTHORIZED, "token refused: %s", fault);
    *ret = c;
    return 0;
}

int token_sign_text(struct token_keys *k, struct str text, char ret_kid[TOKEN_KID_SIZE],
                    unsigned char ret[TOKEN_SIGNATURE], struct error *err)
{
    size_t      n = TOKEN_SIGNATURE;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1
              && EVP_DigestSign(ctx, ret, &n, (const unsigned char *)text.p, text.n) == 1;

    EVP_MD_CTX_free(ctx);
    memcpy(ret_kid, k->kid, sizeof k->kid);
    return ok && n == TOKEN_SIGNATURE ? 0 : error_set(err, ERR_UNAVAILABLE, "no memory for a signature");
}

int token_check_text(struct token_keys *k, const char *kid, struct str text,
                     const unsigned char signature[TOKEN_SIGNATURE])
{
    if (strcmp(kid, k->kid) != 0)
        return -1;
    return signature_good(k, text, (struct str){ (const char *)signature, TOKEN_SIGNATURE });
}

void token_jwks(const struct token_keys *k, struct sb *out)
{
    char x[64];

    base64url_encode(x, k->public_key, KEY);
    sb_printf(
        out,
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"%s\",\"x\":\"%s\"}]}",
        k->kid, x);
}
