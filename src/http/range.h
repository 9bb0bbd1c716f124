/* range.h - Range and entity tags of RFC 9110, as pure functions. */
#ifndef DMS_HTTP_RANGE_H
#define DMS_HTTP_RANGE_H

#include "base/text.h"

enum range_kind {
    RANGE_WHOLE, /* none, malformed, another unit, or more than can be answered as one: the whole is sent */
    RANGE_PART,  /* first..last, inclusive */
    RANGE_NONE   /* not satisfiable: 416 */
};

/* Several ranges (at most 16, else the whole) are merged into one when they touch or overlap; when they do not, the whole is sent. */
enum range_kind range_parse(struct str value, uint64_t size, uint64_t *ret_first, uint64_t *ret_last);

/* Is etag (without quotes) in a list such as: "a", W/"b", * . weak: If-None-Match compares weakly, If-Match strongly. */
bool etag_listed(struct str list, const char *etag, bool weak);

#endif
