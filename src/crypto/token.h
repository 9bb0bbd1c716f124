/* token.h - access tokens: JWT signed with Ed25519 (RFC 7519, 8037, 8725, 9068). Strict in what it reads; knows no database. */
#ifndef DMS_CRYPTO_TOKEN_H
#define DMS_CRYPTO_TOKEN_H

#include "crypto/token_keys.h"

enum {
    TOKEN_MAX = 4096, /* bytes; longer is refused unread */
    TOKEN_SIGNATURE = 64
};

struct token_claims {
    char    subject[37], tenant[37], session[37], id[37]; /* sub, tid, sid, jti */
    char    role[64];
    int64_t issued_at, not_before, expires_at; /* Unix seconds */
};

/* The token as text in the arena, signed with the key whose turn it is at issued_at. */
const char *token_sign(struct token_keys *k, struct arena *a, const struct token_claims *c);
/* -1 and ERR_UNAUTHORIZED on anything that is not exactly a token of ours, for now (TOKEN_LEEWAY_S). */
MUST_CHECK int token_verify(struct token_keys *k, struct str token, int64_t now, struct token_claims *ret,
                            struct error *err);
/* Another text than a token, with the key that signs now; it must begin so that it is never taken for one. ret_kid: that key's id. */
MUST_CHECK int token_sign_text(struct token_keys *k, struct str text, char ret_kid[TOKEN_KID_SIZE],
                               unsigned char ret[TOKEN_SIGNATURE], struct error *err);
/* 1: signed so, 0: not, -1: the key of that id is not here (any more). */
int token_check_text(struct token_keys *k, const char *kid, struct str text,
                     const unsigned char signature[TOKEN_SIGNATURE]);
/* The JSON Web Key Set: the public keys that sign, will sign, or are still accepted. */
void token_jwks(struct token_keys *k, int64_t now, struct sb *out);

#endif
