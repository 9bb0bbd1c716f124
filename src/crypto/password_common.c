/* password_common.c - whether a password is among those that are tried first; the table is made by passwords2c.py. */
#include "crypto/password.h"

#include "crypto/hash.h"

static const uint64_t known[] = {
#define X(number) number,
#include "common_passwords.def"
#undef X
};

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

bool password_common(const char *password)
{
    char          lower[PASSWORD_MAX + 1];
    size_t        n = strlen(password);
    unsigned char digest[HASH_SIZE];
    uint64_t      number = 0;

    if (n > PASSWORD_MAX)
        return false; /* no word of the table is longer */
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(password[i] >= 'A' && password[i] <= 'Z' ? password[i] + 32 : password[i]);
    hash_of((struct str){ lower, n }, digest);
    bytes_wipe(lower, sizeof lower);
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | digest[i];
    return bsearch(&number, known, ARRAY_LEN(known), sizeof known[0], compare) != NULL;
}
