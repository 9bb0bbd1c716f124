/* address.c - see address.h. */
#include "base/address.h"

#include <arpa/inet.h>

enum { V4_PREFIX = 96, ALL_BITS = 128, V6_NETWORK = 8 /* bytes: one customer has at least a /64 */ };

static const unsigned char v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool address_read(struct str text, struct address *ret)
{
    char copy[ADDRESS_TEXT];

    if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, '\0', text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    memcpy(ret->bytes, v4_mapped, sizeof v4_mapped);
    ret->is_v4 = inet_pton(AF_INET, copy, ret->bytes + sizeof v4_mapped) == 1;
    if (ret->is_v4)
        return true;
    if (inet_pton(AF_INET6, copy, ret->bytes) != 1)
        return false;
    ret->is_v4 = memcmp(ret->bytes, v4_mapped, sizeof v4_mapped) == 0;
    return true;
}

void address_to_network(struct address *a)
{
    if (!a->is_v4)
        memset(a->bytes + V6_NETWORK, 0, sizeof a->bytes - V6_NETWORK);
}

void address_write(const struct address *a, char ret[ADDRESS_TEXT])
{
    const void *from = a->is_v4 ? a->bytes + sizeof v4_mapped : a->bytes;

    if (!inet_ntop(a->is_v4 ? AF_INET : AF_INET6, from, ret, ADDRESS_TEXT))
        ret[0] = '\0';
}

static bool equal_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool address_range_read(struct str text, struct address_range *ret)
{
    struct str           bits = text, address = str_cut(&bits, '/');
    struct error         ignored = { 0 }; /* the caller says it better */
    struct address_range r;
    unsigned char        masked[16] = { 0 };
    uint64_t             n;

    if (!address_read(address, &r.first))
        return false;
    uint64_t most = r.first.is_v4 && !memchr(address.p, ':', address.n) ? ALL_BITS - V4_PREFIX : ALL_BITS;
    if (!bits.p)
        n = most;
    else if (parse_u64("bits", bits, 0, most, &n, &ignored) < 0)
        return false;
    r.bits = (unsigned)(n + ALL_BITS - most);
    if (r.first.is_v4 && r.bits < V4_PREFIX) /* ::ffff:0:0/80 and the like: neither the one kind nor the other */
        return false;
    for (unsigned i = 0; i < r.bits; i++)
        masked[i / 8] = (unsigned char)(masked[i / 8] | (r.first.bytes[i / 8] & 0x80u >> i % 8));
    if (memcmp(masked, r.first.bytes, sizeof masked) != 0)
        return false;
    *ret = r;
    return true;
}

static struct str next_word(struct str *rest)
{
    size_t     n;
    struct str word;

    while (rest->n > 0 && strchr(", \t", rest->p[0])) {
        rest->p++;
        rest->n--;
    }
    for (n = 0; n < rest->n && !strchr(", \t", rest->p[n]); n++)
        ;
    word = (struct str){ rest->p, n };
    *rest = (struct str){ rest->p + n, rest->n - n };
    return word;
}

struct address_list *address_list_open(const char *what, struct str text, struct error *err)
{
    size_t     count = 0;
    struct str rest = text;

    while (next_word(&rest).n > 0)
        count++;
    struct address_list *l = calloc(1, sizeof *l + count * sizeof l->ranges[0]);
    if (!l) {
        error_set(err, ERR_UNAVAILABLE, "no memory for %zu address ranges", count);
        return NULL;
    }
    for (rest = text; l->count < count; l->count++) {
        struct str word = next_word(&rest);

        if (address_range_read(word, &l->ranges[l->count]))
            continue;
        error_say(err, ERR_VALIDATION, what, "%s: %.*s is not an IP address or a range such as 192.0.2.0/24.", what,
                  word.n < 60 ? (int)word.n : 60, word.p);
        free(l);
        return NULL;
    }
    return l;
}

bool address_in_list(const struct address_list *l, const struct address *a)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct address_range *r = &l->ranges[i];

        if (r->first.is_v4 == a->is_v4 && equal_bits(r->first.bytes, a->bytes, r->bits))
            return true;
    }
    return false;
}
