/* totp.c - see totp.h; OpenSSL makes the HMAC. */
#include "crypto/totp.h"

#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SHA1_BYTES = 20 };

void totp_code(const unsigned char key[TOTP_KEY_BYTES], uint64_t step, unsigned digits, char ret[9])
{
    unsigned char message[8], mac[SHA1_BYTES];
    unsigned      n = sizeof mac;
    uint32_t      v;

    assert(digits >= 6 && digits <= 8);
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)(step >> (56 - 8 * i));
    if (!HMAC(EVP_sha1(), key, TOTP_KEY_BYTES, message, sizeof message, mac, &n) || n != sizeof mac)
        abort();                             /* without it nobody with a second factor could sign in */
    unsigned at = mac[SHA1_BYTES - 1] & 0xf; /* dynamic truncation, RFC 4226 section 5.3 */
    v = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    for (unsigned i = digits; i > 0; i--, v /= 10)
        ret[i - 1] = (char)('0' + v % 10);
    ret[digits] = '\0';
    bytes_wipe(mac, sizeof mac);
}

int64_t totp_match(const unsigned char key[TOTP_KEY_BYTES], struct str code, int64_t now)
{
    int64_t step = now / TOTP_STEP_S, found = -1;
    char    right[9];

    if (code.n != TOTP_DIGITS || step < 1)
        return -1;
    for (int64_t at = step - 1; at <= step + 1; at++) {
        totp_code(key, (uint64_t)at, TOTP_DIGITS, right);
        if (bytes_equal(right, code.p, TOTP_DIGITS))
            found = at; /* the latest, if two should be the same: then neither can be used again */
    }
    bytes_wipe(right, sizeof right);
    return found;
}

void totp_base32(const unsigned char key[TOTP_KEY_BYTES], char ret[TOTP_BASE32_SIZE])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t            n = 0;

    static_assert(TOTP_KEY_BYTES % 5 == 0, "whole groups: no padding");
    for (size_t i = 0; i < TOTP_KEY_BYTES; i += 5) {
        uint64_t group = 0;

        for (size_t k = 0; k < 5; k++)
            group = group << 8 | key[i + k];
        for (int shift = 35; shift >= 0; shift -= 5)
            ret[n++] = letters[group >> shift & 31];
    }
    ret[n] = '\0';
}
