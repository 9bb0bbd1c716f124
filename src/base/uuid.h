/* uuid.h - UUIDs as text: version 7 made (RFC 9562), any version checked. */
#ifndef DMS_BASE_UUID_H
#define DMS_BASE_UUID_H

#include "base/text.h"

struct uuid {
    char text[37]; /* lower case, NUL-terminated */
};

struct uuid uuid_v7(void); /* time-ordered; random bits from getrandom */
/* The same from bits at hand, for who makes many: milliseconds since 1970 and 10 random bytes. */
struct uuid uuid_v7_from(uint64_t ms, const unsigned char random[10]);
bool        uuid_valid(struct str s);          /* 8-4-4-4-12 lower or upper case hex, not nil */
void        random_bytes(void *out, size_t n); /* from the kernel; ends the process when there are none */

#endif
