/* hash.c - see hash.h; OpenSSL does the work. */
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>

struct hash *hash_open(struct error *err)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1)
        return (struct hash *)c;
    EVP_MD_CTX_free(c);
    error_set(err, ERR_UNAVAILABLE, "no memory for a hash");
    return NULL;
}

void hash_add(struct hash *h, struct str bytes)
{
    EVP_DigestUpdate((EVP_MD_CTX *)h, bytes.p, bytes.n);
}

void hash_end(struct hash *h, unsigned char ret[HASH_SIZE])
{
    EVP_DigestFinal_ex((EVP_MD_CTX *)h, ret, NULL);
}

void hash_close(struct hash *h)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

void hash_of(struct str bytes, unsigned char ret[HASH_SIZE])
{
    static EVP_MD *_Atomic known; /* looked up once: OpenSSL's search by name costs more than hashing a token */
    EVP_MD *none = NULL, *md = atomic_load(&known);

    if (!md) {
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (!atomic_compare_exchange_strong(&known, &none, md)) {
            EVP_MD_free(md);
            md = none;
        }
    }
    if (!md || EVP_Digest(bytes.p, bytes.n, ret, NULL, md, NULL) != 1)
        abort(); /* without SHA-256 nothing here is safe */
}

void hash_keyed(struct str key, struct str bytes, unsigned char ret[HASH_SIZE])
{
    unsigned n = HASH_SIZE;

    if (!HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)bytes.p, bytes.n, ret, &n))
        abort();
}

bool bytes_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void bytes_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
