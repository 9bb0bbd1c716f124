/* totp.h - one-time codes by time (RFC 6238: SHA-1, 30 seconds), as authenticator apps make them. Knows no users and remembers nothing. */
#ifndef DMS_CRYPTO_TOTP_H
#define DMS_CRYPTO_TOTP_H

#include "base/text.h"

enum { TOTP_KEY_BYTES = 20, TOTP_DIGITS = 6, TOTP_STEP_S = 30, TOTP_BASE32_SIZE = TOTP_KEY_BYTES * 8 / 5 + 1 };

/* The code of a step (Unix seconds / TOTP_STEP_S), 6 to 8 digits and a NUL. */
void totp_code(const unsigned char key[TOTP_KEY_BYTES], uint64_t step, unsigned digits, char ret[9]);
/* The step whose code this is, of the one before now to the one after; -1: none. Takes the same time for all. */
int64_t totp_match(const unsigned char key[TOTP_KEY_BYTES], struct str code, int64_t now);
/* Base32 without padding (RFC 4648), for people and otpauth:// addresses. */
void totp_base32(const unsigned char key[TOTP_KEY_BYTES], char ret[TOTP_BASE32_SIZE]);

#endif
