/* seal.h - small secrets that have to be read again, sealed for the database: AES-256-GCM under a key of their purpose, bound to whose they are. */
#ifndef DMS_CRYPTO_SEAL_H
#define DMS_CRYPTO_SEAL_H

#include "base/text.h"

enum { SEAL_ROOT_BYTES = 32, SEAL_OVERHEAD = 1 + 12 + 16 }; /* version, nonce, tag */

/* root: the installation's pepper; purpose: names what is sealed ("totp"), each with a key of its own (HKDF, RFC 5869); owner: whose it is, must be
   the same to open it. *ret in the arena. -1 without memory. */
MUST_CHECK int seal_make(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, struct str owner,
                         struct str plain, struct arena *a, struct str *ret, struct error *err);
/* -1 and ERR_INTERNAL when it is not what seal_make made, to the bit, for this owner. */
MUST_CHECK int seal_open(const unsigned char root[SEAL_ROOT_BYTES], const char *purpose, struct str owner,
                         struct str sealed, struct arena *a, struct str *ret, struct error *err);

#endif
