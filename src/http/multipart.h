/* multipart.h - strict incremental reading of multipart/form-data (RFC 7578 over RFC 2046). Bytes in, events out; constant memory; no I/O. */
#ifndef DMS_HTTP_MULTIPART_H
#define DMS_HTTP_MULTIPART_H

#include "base/text.h"

enum { MULTIPART_MAX_BOUNDARY = 70, MULTIPART_MAX_HEAD = 4096 };

struct multipart_part {
    const char *name;     /* of the field; NULL never */
    const char *filename; /* base name of what was sent, filename* before filename; NULL: no file */
    const char *type;     /* as sent; NULL: none */
};

/* Who wants to know. -1 and err ends the reading. */
struct multipart_events {
    int (*begin)(void *arg, const struct multipart_part *part, struct error *err);
    int (*data)(void *arg, struct str bytes, struct error *err);
    int (*end)(void *arg, struct error *err);
    void *arg;
};

struct multipart {
    struct multipart_events events;
    struct arena           *arena; /* for names and file names */
    unsigned                max_parts, parts;
    unsigned                state;
    char                    delimiter[MULTIPART_MAX_BOUNDARY + 8]; /* CR LF -- boundary */
    size_t                  delimiter_n, matched;
    char                    head[MULTIPART_MAX_HEAD];
    size_t                  head_n;
};

/* content_type: the request's. -1 and ERR_MEDIA_TYPE (not multipart/form-data) or ERR_VALIDATION (no or bad boundary). */
MUST_CHECK int multipart_open(struct multipart *m, struct arena *a, struct str content_type, unsigned max_parts,
                              struct multipart_events events, struct error *err);
/* Takes all of bytes. */
MUST_CHECK int multipart_feed(struct multipart *m, struct str bytes, struct error *err);
/* The body is at its end: the closing boundary must have been there. */
MUST_CHECK int multipart_close(const struct multipart *m, struct error *err);

/* Reads one parameter of a header value such as: form-data; name="a"; filename*=UTF-8''b. 1 found, 0 absent, -1 malformed or there twice.
   name with * reads the extended form (RFC 8187). */
MUST_CHECK int header_param(struct arena *a, struct str value, const char *name, struct str *ret);
/* The last component of a name as sent by a client (both kinds of slashes), or NULL: empty, dots, control characters, not UTF-8, over 255 bytes. */
const char *filename_base(struct arena *a, struct str name);

#endif
