/* jws.h - tokens that others have signed (JWS in compact form, RFC 7515), checked against the signer's key set (RFC 7517, 8725). The key says
   which algorithm, never the token: RS256 from 2,048 bits, ES256, EdDSA over Ed25519. Knows no claims, fetches nothing. */
#ifndef DMS_CRYPTO_JWS_H
#define DMS_CRYPTO_JWS_H

#include "base/json.h"

enum { JWS_MAX = 16384 }; /* bytes; longer is refused unread */

enum jws_alg { JWS_RS256, JWS_ES256, JWS_EDDSA, JWS_ALGS };

struct jws {
    enum jws_alg  alg;
    const json_t *claims; /* an object */
};

/* keys: a JSON Web Key Set. -1 and ERR_UNAUTHORIZED on anything but a token that one of its keys has signed. ret_key_unknown: the token names a
   key that the set does not have; a newer set may. */
MUST_CHECK int jws_verify(struct arena *a, struct str token, const json_t *keys, struct jws *ret, bool *ret_key_unknown,
                          struct error *err);

/* The left half of the algorithm's hash of a text, as base64url: at_hash of OpenID Connect Core 3.1.3.6. "" when the arena has failed. */
const char *jws_half_hash(struct arena *a, enum jws_alg alg, struct str text);

#endif
