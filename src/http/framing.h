/* framing.h - follows the bytes of a connection from head to body to head (RFC 9112), as strictly as head.h reads a head. No I/O. */
#ifndef DMS_HTTP_FRAMING_H
#define DMS_HTTP_FRAMING_H

#include "http/head.h"

enum framing_at {
    AT_REQUEST_LINE,
    AT_HEADERS,
    AT_BODY, /* left bytes of it are to come */
    AT_CHUNK_SIZE,
    AT_CHUNK,     /* left bytes of it are to come */
    AT_CHUNK_END, /* the line end behind a chunk */
    AT_TRAILERS,
    AT_FAULT
};

struct framing {
    const struct head_limits *limits;
    size_t                    memory; /* that a head may take, see head_memory; 0: any */
    enum framing_at           at;
    struct head               head; /* of the message that is passing */
    uint64_t                  left;
    struct arena              arena;        /* of held */
    struct sb                 held;         /* the beginning of a line whose end is to come */
    unsigned                  heads, whole; /* how many have passed: heads, whole messages */
};

/* Looks at the next bytes as they came. 0: all is in order; -1 and err: a message is not, and nothing behind it can be read. *ret_good: so
   many of these bytes belong to whole messages before it, or to none that began earlier. */
MUST_CHECK int framing_take(struct framing *f, struct str bytes, size_t *ret_good, struct error *err);
/* Between two messages: nothing of the next one has come. */
bool framing_idle(const struct framing *f);
void framing_close(struct framing *f);

#endif
