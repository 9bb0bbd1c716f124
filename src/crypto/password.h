/* password.h - passwords as Argon2id (RFC 9106), in the PHC string form. Knows nothing of users. */
#ifndef DMS_CRYPTO_PASSWORD_H
#define DMS_CRYPTO_PASSWORD_H

#include "base/text.h"

enum { PASSWORD_MAX = 128, PASSWORD_HASH_SIZE = 128 };

/* About 40 ms and 19 MiB of a core; at most as many at once as there are cores, others wait. Any thread. */
MUST_CHECK int password_hash(const char *password, char ret[PASSWORD_HASH_SIZE], struct error *err);
/* hash NULL (nobody has that address): does the same work and says no, so that time tells nothing. */
bool password_verify(const char *password, const char *hash);
/* The hash was made with weaker parameters than today's: make it anew at this sign-in. */
bool password_outdated(const char *hash);
/* Among the tens of thousands that are guessed first: leaked ones, words, names; whatever the case of its letters. */
bool password_common(const char *password);

#endif
