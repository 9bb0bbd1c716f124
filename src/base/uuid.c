/* uuid.c - see uuid.h. */
#include "base/uuid.h"

#include "base/clock.h"

#include <sys/random.h>

void random_bytes(void *out, size_t n)
{
    unsigned char *p = out;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0)
            abort(); /* a service without randomness must not go on */
        p += got;
        n -= (size_t)got;
    }
}

struct uuid uuid_v7(void)
{
    unsigned char random[10];

    random_bytes(random, sizeof random);
    return uuid_v7_from((uint64_t)(clock_wall_us() / 1000), random);
}

struct uuid uuid_v7_from(uint64_t ms, const unsigned char random[10])
{
    unsigned char b[16];
    char          hex[33];
    struct uuid   ret;

    memcpy(b + 6, random, 10);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    hex_encode(hex, b, sizeof b);
    char *out = ret.text;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *out++ = '-';
        *out++ = hex[i];
    }
    *out = '\0';
    return ret;
}

bool uuid_valid(struct str s)
{
    bool some = false;

    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        char c = s.p[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
            continue;
        }
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
        some |= c != '0';
    }
    return some;
}
