/* token_keys.h - the keys that access tokens are signed with: files of a folder, several at once, so that one follows another and nobody is
   signed out. Knows no tokens.

   A file is jwt.key or jwt-NAME.key, closed to others: the key as 64 hex digits and, on a second line, "signs-from N" (Unix seconds; without
   it: always). Of the keys whose time has come the latest signs; the one before it is accepted until everything it has signed has run out. */
#ifndef DMS_CRYPTO_TOKEN_KEYS_H
#define DMS_CRYPTO_TOKEN_KEYS_H

#include "base/text.h"

enum {
    TOKEN_KEYS_MAX = 16,
    TOKEN_KID_SIZE = 17,
    TOKEN_KEY_FILE_SIZE = 64,
    TOKEN_KEY_PICKUP_S = 300, /* how much later than others a replica may learn of a key */
    TOKEN_LEEWAY_S = 30,      /* that clocks may differ */
    TOKEN_LIFE_MAX_S = 86400, /* no token lives longer */
};

struct token_keys; /* any thread */

/* Reads the folder. make: makes jwt.key when it holds no key at all. life_s: the longest life of a token. Refuses files that others may read. */
struct token_keys *token_keys_open(const char *folder, const char *issuer, int64_t life_s, bool make,
                                   struct error *err);
void               token_keys_close(struct token_keys *k);
/* Reads the folder again. 0: the keys are those of before; 1: others came; 2: one is gone. -1: they cannot be read, those of before stay. */
MUST_CHECK int token_keys_reload(struct token_keys *k, struct error *err);

/* What there is to know of a key. until: when it stops being accepted, INT64_MAX as long as no other follows it. */
struct token_key_info {
    char    kid[TOKEN_KID_SIZE];
    char    file[TOKEN_KEY_FILE_SIZE]; /* name in the folder */
    int64_t signs_from, until;
    bool    signs; /* now */
};
/* In the order in which they sign; at most TOKEN_KEYS_MAX. */
size_t token_keys_list(struct token_keys *k, int64_t now, struct token_key_info ret[TOKEN_KEYS_MAX]);

/* A new key as the text of its file, and the file's name. */
void token_key_make(int64_t signs_from, struct sb *ret, char ret_file[TOKEN_KEY_FILE_SIZE]);

#endif
