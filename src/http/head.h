/* head.h - the strict reading of a request's head (RFC 9112): what the library in front of us lets through is refused here. No I/O. */
#ifndef DMS_HTTP_HEAD_H
#define DMS_HTTP_HEAD_H

#include "base/text.h"

struct head_limits {
    size_t   line, header, headers; /* bytes: request line, one header, all of them */
    unsigned count;
};

/* What the headers said about framing; gathered header by header. */
struct head {
    const struct head_limits *limits;
    size_t                    bytes;
    unsigned                  count, hosts, lengths, encodings, authorizations, types, expects, keys;
    struct str                host;
    uint64_t                  length; /* Content-Length */
    bool                      chunked, http10;
};

/* One header; value without surrounding white space. -1 and ERR_VALIDATION, ERR_HEADERS_TOO_LARGE or ERR_EXPECTATION. */
MUST_CHECK int head_field(struct head *h, struct str name, struct str value, struct error *err);
/* After the last one. */
MUST_CHECK int head_done(const struct head *h, struct error *err);
/* METHOD SP target SP HTTP/1.1, without the line end. */
MUST_CHECK int head_line(struct head *h, struct str line, struct error *err);

/* Looks at the first bytes of a request as they came. 1: a whole head (its size and its facts are told), and it is in order; 0: more has to
   come; -1 and err. */
MUST_CHECK int head_check(struct str bytes, const struct head_limits *limits, size_t *ret_size, struct head *ret,
                          struct error *err);

/* The same for a head in which libmicrohttpd 0.9 has written NUL over line ends and colons: from behind the request line's version up to
   the end of the head. False: there was a bare LF, a NUL or a folded line. */
bool head_was_strict(const char *p, size_t n);

#endif
