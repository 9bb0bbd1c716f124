/* token_private.h - what token.c sees of the keys. */
#ifndef DMS_CRYPTO_TOKEN_PRIVATE_H
#define DMS_CRYPTO_TOKEN_PRIVATE_H

#include "crypto/token_keys.h"

#include <openssl/evp.h>
#include <pthread.h>

enum { TOKEN_KEY_BYTES = 32 };

struct token_key {
    struct token_key_info info;
    EVP_PKEY             *key; /* Ed25519, and nothing else: TOKEN_ALG */
    unsigned char         public_key[TOKEN_KEY_BYTES];
};
#define TOKEN_ALG "EdDSA"

/* As read from the folder; in the order of signs_from. */
struct token_key_set {
    struct token_key keys[TOKEN_KEYS_MAX];
    size_t           count;
    unsigned char    digest[32]; /* of the files */
};

struct token_keys {
    char                *folder, *issuer;
    int64_t              life_s;
    pthread_rwlock_t     lock; /* for set; held while a key is used */
    struct token_key_set set;
};

/* With the lock held. The one that signs; there is always one. */
const struct token_key *token_key_signing(const struct token_keys *k, int64_t now);
/* NULL: unknown, or its time is over. Compares texts, looks nowhere else. */
const struct token_key *token_key_find(const struct token_keys *k, const char *kid, int64_t now);

#endif
