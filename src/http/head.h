/* head.h - the strict reading of a request's head (RFC 9112): what the library in front of us lets through is refused here. No I/O. */
#ifndef DMS_HTTP_HEAD_H
#define DMS_HTTP_HEAD_H

#include "base/text.h"

struct head_limits {
    size_t   line, header, headers; /* bytes: request line, one header, all of them */
    unsigned count;
};

enum {
    HEAD_FIELD_MEMORY = 64,    /* what the parser behind keeps for each header, argument and cookie */
    HEAD_ANSWER_MEMORY = 3072, /* what must be left for the head of the answer */
};

/* What a head said; gathered line by line. */
struct head {
    const struct head_limits *limits;
    size_t                    bytes, size;     /* of the headers; of all lines with their ends */
    size_t                    fields, cookies; /* headers, arguments and cookies; bytes of the latter */
    unsigned                  count, hosts, lengths, encodings, authorizations, types, expects, keys, digests;
    uint64_t                  length; /* Content-Length */
    bool                      chunked, http10;
};

/* METHOD SP target SP HTTP/1.1, without the line end. -1 and ERR_VALIDATION or ERR_URI_TOO_LONG. */
MUST_CHECK int head_line(struct head *h, struct str line, struct error *err);
/* A header, without the line end. -1 and ERR_VALIDATION, ERR_HEADERS_TOO_LARGE or ERR_EXPECTATION. */
MUST_CHECK int head_header(struct head *h, struct str line, struct error *err);
/* The same of a line that has begun, perhaps up to its CR: may it still become one? The parser behind refuses some before they are whole. */
MUST_CHECK int head_line_begun(const struct head *h, struct str part, struct error *err);
MUST_CHECK int head_header_begun(const struct head *h, struct str part, struct error *err);
/* After the last one. */
MUST_CHECK int head_done(const struct head *h, struct error *err);
/* Memory that libmicrohttpd needs to read this head and to answer it. With less it would run the request and then have no room to answer. */
size_t head_memory(const struct head *h);

/* Looks at the first bytes of a request as they came. 1: a whole head (its size and its facts are told), and it is in order; 0: more has to
   come; -1 and err. */
MUST_CHECK int head_check(struct str bytes, const struct head_limits *limits, size_t *ret_size, struct head *ret,
                          struct error *err);

#endif
