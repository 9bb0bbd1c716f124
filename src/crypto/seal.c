/* seal.c - see seal.h; OpenSSL does the work. Layout: version (1), nonce, ciphertext, tag. */
#include "crypto/seal.h"

#include "base/uuid.h"
#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

enum { VERSION = 1, KEY = 32, NONCE = 12, TAG = 16, PLAIN_MAX = 65536 };

static_assert(SEAL_OVERHEAD == 1 + NONCE + TAG, "the layout above");

/* OpenSSL's parameters are not const, what it only reads is. */
static void *unconst(const void *p)
{
    return (void *)(uintptr_t)p;
}

static bool key_of(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, unsigned char ret[KEY])
{
    OSSL_PARAM   params[] = { OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, unconst("SHA256"), 0),
                              OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, unconst(root), SEAL_ROOT_BYTES),
                              OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, unconst(purpose), strlen(purpose)),
                              OSSL_PARAM_END };
    EVP_KDF     *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool         ok = ctx && EVP_KDF_derive(ctx, ret, KEY, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/* Starts a cipher over what is not encrypted but bound: the version and the owner. */
static EVP_CIPHER_CTX *begin(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, struct str owner,
                             const unsigned char *sealed, bool encrypt)
{
    unsigned char   key[KEY];
    int             n;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool            ok = c && key_of(root, purpose, key)
              && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, sealed + 1, encrypt ? 1 : 0) == 1
              && EVP_CipherUpdate(c, NULL, &n, sealed, 1) == 1
              && EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)owner.p, (int)owner.n) == 1;

    bytes_wipe(key, sizeof key);
    if (ok)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

int seal_make(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, struct str owner, struct str plain,
              struct arena *a, struct str *ret, struct error *err)
{
    unsigned char *out = plain.n <= PLAIN_MAX ? arena_alloc(a, plain.n + SEAL_OVERHEAD) : NULL;
    int            n = 0, rest = 0;

    if (!out)
        return error_set(err, ERR_UNAVAILABLE, "no memory to seal a secret");
    out[0] = VERSION;
    random_bytes(out + 1, NONCE);
    EVP_CIPHER_CTX *c = begin(root, purpose, owner, out, /* encrypt= */ true);
    bool ok = c && EVP_CipherUpdate(c, out + 1 + NONCE, &n, (const unsigned char *)plain.p, (int)plain.n) == 1
              && EVP_CipherFinal_ex(c, out + 1 + NONCE + n, &rest) == 1 && (size_t)n + (size_t)rest == plain.n
              && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + 1 + NONCE + plain.n) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ok)
        return error_set(err, ERR_UNAVAILABLE, "OpenSSL could not seal a secret");
    *ret = (struct str){ (const char *)out, plain.n + SEAL_OVERHEAD };
    return 0;
}

int seal_open(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, struct str owner, struct str sealed,
              struct arena *a, struct str *ret, struct error *err)
{
    const unsigned char *in = (const unsigned char *)sealed.p;
    int                  n = 0, rest = 0;

    if (sealed.n < SEAL_OVERHEAD || sealed.n > PLAIN_MAX + SEAL_OVERHEAD || in[0] != VERSION)
        return error_set(err, ERR_INTERNAL, "a sealed secret has not the form of one");
    size_t          len = sealed.n - SEAL_OVERHEAD;
    unsigned char  *out = arena_alloc(a, len + 1);
    EVP_CIPHER_CTX *c = out ? begin(root, purpose, owner, in, /* encrypt= */ false) : NULL;
    bool            ok = c && EVP_CipherUpdate(c, out, &n, in + 1 + NONCE, (int)len) == 1
              && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, unconst(in + 1 + NONCE + len)) == 1
              && EVP_CipherFinal_ex(c, out + n, &rest) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ok) {
        if (out)
            bytes_wipe(out, len);
        return error_set(err, ERR_INTERNAL, "a sealed secret does not open: another pepper, another owner, or damaged");
    }
    *ret = (struct str){ (const char *)out, len };
    return 0;
}
