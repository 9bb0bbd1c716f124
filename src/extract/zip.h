/* zip.h - the ZIP container of Office files, strict: the central directory rules, and a local header that disagrees, entries that
   overlap, or sizes that lie end the reading. Only what Office writes: stored and deflated entries, no ZIP64.
   Own code over zlib because a general archive library forgives exactly what has to be refused here. */
#ifndef DMS_EXTRACT_ZIP_H
#define DMS_EXTRACT_ZIP_H

#include "base/text.h"
#include "domain/file_type.h"

enum {
    ZIP_MAX_ENTRIES = 10000,
    ZIP_MAX_RATIO = 100,            /* unpacked to packed, all entries together */
    ZIP_RATIO_FREE_BYTES = 4 << 20, /* below this much unpacked the ratio harms nobody */
    ZIP_MAX_TOTAL_BYTES = 1 << 30,
};

struct zip_entry {
    struct str name; /* borrowed */
    size_t     at, header_at, packed, size;
    uint32_t   crc;
    unsigned   method;
    bool       encrypted;
};

struct zip {
    struct str        bytes;
    struct zip_entry *entries;
    size_t            count;
};

/* CAUSE_NONE, or why the container cannot be trusted. */
MUST_CHECK enum extract_cause zip_open(struct arena *a, struct str bytes, struct zip *ret);

/* NULL when there is none of that name. */
const struct zip_entry *zip_find(const struct zip *z, struct str name);
bool                    zip_has_folder(const struct zip *z, struct str prefix);

/* Unpacks in pieces; take returns CAUSE_NONE to go on. Length and CRC are checked at the end. */
MUST_CHECK enum extract_cause zip_read(const struct zip *z, const struct zip_entry                   *e,
                                       enum extract_cause (*take)(void *arg, struct str piece), void *arg);

#endif
