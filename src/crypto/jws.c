/* jws.c - see jws.h; OpenSSL does the arithmetic. A key of one kind can never be read as a key of another: each has its own way in. */
#include "crypto/jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <strings.h>

enum {
    HEADER_MAX = 2048,
    KEYS_MAX = 64, /* of one set that are looked at */
    DEPTH_MAX = 8,
    MEMBERS_MAX = 512,
    RSA_BITS_LEAST = 2048,
    RSA_BITS_MOST = 8192,
    EXPONENT_BITS_MOST = 33,
    HALF = 32, /* bytes of a coordinate of P-256, of half a signature, of an Ed25519 key */
    DIGEST_MOST = 64,
};

static const struct {
    const char *kty, *crv, *alg, *alias; /* crv NULL: the kind has none. alias: RFC 9864's name */
} kinds[JWS_ALGS] = {
    [JWS_RS256] = { "RSA", NULL, "RS256", "RS256" },
    [JWS_ES256] = { "EC", "P-256", "ES256", "ES256" },
    [JWS_EDDSA] = { "OKP", "Ed25519", "EdDSA", "Ed25519" },
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)

/* --- keys --- */

static bool is_name(const char *alg, enum jws_alg kind)
{
    return strcmp(alg, kinds[kind].alg) == 0 || strcmp(alg, kinds[kind].alias) == 0;
}

static bool may_verify(const json_t *key)
{
    const json_t *uses = jv_get(key, "key_ops");

    for (size_t i = 0; i < jv_count(uses); i++)
        if (jv_string(jv_at(uses, i)) && strcmp(jv_string(jv_at(uses, i)), "verify") == 0)
            return true;
    return !uses && strcmp(jv_text(key, "use", "sig"), "sig") == 0;
}

/* The one algorithm of a key, by what it is. False: none that is taken here. */
static bool key_alg(const json_t *key, enum jws_alg *ret)
{
    for (unsigned i = 0; i < JWS_ALGS; i++) {
        if (strcmp(jv_text(key, "kty", ""), kinds[i].kty) != 0
            || (kinds[i].crv && strcmp(jv_text(key, "crv", ""), kinds[i].crv) != 0))
            continue;
        *ret = (enum jws_alg)i;
        return may_verify(key) && is_name(jv_text(key, "alg", kinds[i].alg), *ret);
    }
    return false;
}

static BIGNUM *number(struct arena *a, const json_t *key, const char *name)
{
    struct str bytes;

    if (!base64url_decode(a, str_of(jv_text(key, name, "")), &bytes) || bytes.n == 0 || bytes.n > RSA_BITS_MOST / 8)
        return NULL;
    return BN_bin2bn((const unsigned char *)bytes.p, (int)bytes.n, NULL);
}

static EVP_PKEY *key_make(const char *type, OSSL_PARAM_BLD *build)
{
    _cleanup_(OSSL_PARAM_freep) OSSL_PARAM     *params = OSSL_PARAM_BLD_to_param(build);
    _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY                                   *key = NULL;

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1)
        return key;
    return NULL;
}

static EVP_PKEY *key_rsa(struct arena *a, const json_t *key)
{
    _cleanup_(BN_freep) BIGNUM                     *n = number(a, key, "n");
    _cleanup_(BN_freep) BIGNUM                     *e = number(a, key, "e");
    _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    if (!n || !e || !build || BN_num_bits(n) < RSA_BITS_LEAST || BN_num_bits(n) > RSA_BITS_MOST || !BN_is_odd(n)
        || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > EXPONENT_BITS_MOST
        || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1
        || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    return key_make("RSA", build);
}

static bool coordinate(struct arena *a, const json_t *key, const char *name, unsigned char ret[HALF])
{
    struct str bytes;

    if (!base64url_decode(a, str_of(jv_text(key, name, "")), &bytes) || bytes.n != HALF)
        return false;
    memcpy(ret, bytes.p, HALF);
    return true;
}

static EVP_PKEY *key_p256(struct arena *a, const json_t *key)
{
    unsigned char                                   point[1 + 2 * HALF] = { POINT_CONVERSION_UNCOMPRESSED };
    _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    if (!build || !coordinate(a, key, "x", point + 1) || !coordinate(a, key, "y", point + 1 + HALF)
        || OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1
        || OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) != 1)
        return NULL;
    return key_make("EC", build); /* refuses a point that is not on the curve */
}

static EVP_PKEY *key_ed25519(struct arena *a, const json_t *key)
{
    unsigned char x[HALF];

    return coordinate(a, key, "x", x) ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, HALF) : NULL;
}

static EVP_PKEY *key_read(struct arena *a, enum jws_alg alg, const json_t *key)
{
    if (alg == JWS_RS256)
        return key_rsa(a, key);
    return alg == JWS_ES256 ? key_p256(a, key) : key_ed25519(a, key);
}

/* --- signatures --- */

/* r || s as the DER that OpenSSL wants; p NULL when it is not one. */
static struct str signature_der(struct arena *a, struct str raw)
{
    const unsigned char                  *bytes = (const unsigned char *)raw.p;
    _cleanup_(ECDSA_SIG_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM                               *r = raw.n == (size_t)2 * HALF ? BN_bin2bn(bytes, HALF, NULL) : NULL;
    BIGNUM                               *s = r ? BN_bin2bn(bytes + HALF, HALF, NULL) : NULL;

    if (!sig || !s || ECDSA_SIG_set0(sig, r, s) != 1) { /* takes both over */
        BN_free(r);
        BN_free(s);
        return (struct str){ NULL, 0 };
    }
    unsigned char *der = arena_alloc(a, 2 * HALF + 16), *end = der;
    int            n = der ? i2d_ECDSA_SIG(sig, &end) : 0;
    return (struct str){ n > 0 ? (const char *)der : NULL, n > 0 ? (size_t)n : 0 };
}

static bool signature_good(struct arena *a, enum jws_alg alg, EVP_PKEY *key, struct str text, struct str signature)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct str                              given = alg == JWS_ES256 ? signature_der(a, signature) : signature;

    if (alg == JWS_RS256 && given.n != (size_t)EVP_PKEY_get_size(key))
        return false;
    return ctx && given.p && EVP_DigestVerifyInit(ctx, NULL, alg == JWS_EDDSA ? NULL : EVP_sha256(), NULL, key) == 1
           && EVP_DigestVerify(ctx, (const unsigned char *)given.p, given.n, (const unsigned char *)text.p, text.n)
                  == 1;
}

/* --- the token --- */

struct parts {
    struct str    signed_part, payload, signature;
    const json_t *header;
};

static const char *split(struct arena *a, struct str token, struct parts *ret)
{
    struct str   rest = token, header = str_cut(&rest, '.'), payload = str_cut(&rest, '.'), text;
    struct error ignored = { 0 }; /* the fault is told in a word */

    if (token.n > JWS_MAX || !rest.p || memchr(rest.p, '.', rest.n))
        return "not three parts";
    ret->signed_part = (struct str){ token.p, header.n + 1 + payload.n };
    if (header.n > HEADER_MAX || !base64url_decode(a, header, &text) || !base64url_decode(a, payload, &ret->payload)
        || !base64url_decode(a, rest, &ret->signature) || ret->signature.n == 0)
        return "not base64url";
    ret->header = json_read(a, text, DEPTH_MAX, MEMBERS_MAX, &ignored);
    return jv_is_object(ret->header) ? NULL : "its header is not an object";
}

/* jku, x5u, jwk and x5c are never looked at: keys come from the set alone. */
static const char *header_fault(const json_t *h)
{
    const json_t *kid = jv_get(h, "kid");

    if (jv_get(h, "crit") || jv_get(h, "zip") || jv_get(h, "enc") || jv_get(h, "cty") || jv_get(h, "b64"))
        return "its header asks for more than a signature";
    if (jv_get(h, "typ") && strcasecmp(jv_text(h, "typ", ""), "JWT") != 0)
        return "of another type";
    return kid && !jv_string(kid) ? "the name of its key is not a text" : NULL;
}

/* The key that the header names, or without a name the only one of that algorithm. NULL and *ret_fault. */
static const json_t *key_find(const json_t *keys, const json_t *header, enum jws_alg *ret_alg, const char **ret_fault)
{
    const char   *kid = jv_text(header, "kid", NULL), *alg = jv_text(header, "alg", "");
    const json_t *list = jv_get(keys, "keys"), *found = NULL;
    bool          named = false;
    enum jws_alg  its;

    *ret_fault = NULL;
    for (size_t i = 0; i < jv_count(list) && i < KEYS_MAX; i++) {
        const json_t *key = jv_at(list, i);

        if (kid && strcmp(jv_text(key, "kid", ""), kid) != 0)
            continue;
        named = true;
        if (!key_alg(key, &its) || !is_name(alg, its))
            continue;
        if (found && !kid) {
            *ret_fault = "it names no key, and there are several";
            return NULL;
        }
        found = key;
        *ret_alg = its;
    }
    if (!found)
        *ret_fault = named ? "another algorithm than its key's" : "its key is not known";
    return found;
}

int jws_verify(struct arena *a, struct str token, const json_t *keys, struct jws *ret, bool *ret_key_unknown,
               struct error *err)
{
    struct parts  p = { 0 };
    struct error  why = { 0 };
    const json_t *jwk = NULL;
    const char   *fault = split(a, token, &p);

    *ret_key_unknown = false;
    if (!fault)
        fault = header_fault(p.header);
    if (!fault && !(jwk = key_find(keys, p.header, &ret->alg, &fault)))
        *ret_key_unknown = strcmp(fault, "its key is not known") == 0;
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = fault ? NULL : key_read(a, ret->alg, jwk);
    if (!fault && !key)
        fault = "its key is too weak or malformed";
    if (!fault && !signature_good(a, ret->alg, key, p.signed_part, p.signature))
        fault = "signature";
    ret->claims = fault ? NULL : json_read(a, p.payload, DEPTH_MAX, MEMBERS_MAX, &why);
    if (!fault && !jv_is_object(ret->claims))
        fault = "its claims are not an object";
    return fault ? error_set(err, ERR_UNAUTHORIZED, "token refused: %s", fault) : 0;
}

const char *jws_half_hash(struct arena *a, enum jws_alg alg, struct str text)
{
    unsigned char digest[DIGEST_MOST];
    char          half[DIGEST_MOST];
    unsigned      n = 0;

    if (EVP_Digest(text.p, text.n, digest, &n, alg == JWS_EDDSA ? EVP_sha512() : EVP_sha256(), NULL) != 1)
        return "";
    size_t length = base64url_encode(half, digest, n / 2);
    return arena_text(a, half, length);
}
