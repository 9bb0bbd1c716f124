/* address.h - IP addresses and ranges of them (CIDR) as text and as bits. Knows no sockets and no names. */
#ifndef DMS_BASE_ADDRESS_H
#define DMS_BASE_ADDRESS_H

#include "base/text.h"

enum { ADDRESS_TEXT = 46 }; /* the longest, with its NUL */

struct address {
    unsigned char bytes[16]; /* an IPv4 address as ::ffff:a.b.c.d */
    bool          is_v4;
};

struct address_range {
    struct address first;
    unsigned       bits; /* of the 128 */
};

struct address_list {
    size_t               count;
    struct address_range ranges[];
};

/* "192.0.2.1", "2001:db8::1"; "::ffff:192.0.2.1" is the IPv4 address. False: anything else, with a zone, a port or a space too. */
MUST_CHECK bool address_read(struct str text, struct address *ret);
/* Keeps of it what one client has: all of an IPv4 address, of an IPv6 address the /64. */
void address_to_network(struct address *a);
void address_write(const struct address *a, char ret[ADDRESS_TEXT]);
/* "192.0.2.0/24", or an address alone. False also when bits behind the prefix are set: a slip of the hand would open more than was meant. */
MUST_CHECK bool address_range_read(struct str text, struct address_range *ret);

/* The ranges of a text, separated by commas or spaces, in one piece of memory for free(). NULL and err when one of them is none; what names the
   text in the message. */
struct address_list *address_list_open(const char *what, struct str text, struct error *err);
bool                 address_in_list(const struct address_list *l, const struct address *a);

#endif
