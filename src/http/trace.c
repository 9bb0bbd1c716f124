/* trace.c - see trace.h. 00-<32 hex>-<16 hex>-<2 hex>, lower case; later versions may be longer. */
#include "http/trace.h"

static bool is_hex(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    return true;
}

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != '0')
            return false;
    return true;
}

bool trace_parent(struct str v, char trace_id[33])
{
    if (v.n < 55 || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-')
        return false;
    if (!is_hex(v.p, 2) || !is_hex(v.p + 3, 32) || !is_hex(v.p + 36, 16) || !is_hex(v.p + 53, 2))
        return false;
    bool first = v.p[0] == '0' && v.p[1] == '0', last = v.p[0] == 'f' && v.p[1] == 'f';
    if (last || (first && v.n != 55) || (v.n > 55 && v.p[55] != '-') || is_zero(v.p + 3, 32) || is_zero(v.p + 36, 16))
        return false;
    memcpy(trace_id, v.p + 3, 32);
    trace_id[32] = '\0';
    return true;
}
