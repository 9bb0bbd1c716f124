/* extraction.h - what was read out of a file: its type, metadata and blocks of text. Decodes the frames of dms-extract; no I/O. */
#ifndef DMS_DOMAIN_EXTRACTION_H
#define DMS_DOMAIN_EXTRACTION_H

#include "base/json.h"
#include "domain/file_type.h"

/* The most a result may hold, whatever the limits given to dms-extract: it is not trusted. */
enum {
    EXTRACTION_MAX_TEXT_BYTES = 20 << 20,
    EXTRACTION_MAX_PAGES = 10000,
    EXTRACTION_MAX_FRAME_BYTES = 64 << 20, /* all frames together */
    EXTRACTION_MAX_TITLE_BYTES = 500,
    EXTRACTION_MAX_NOTE_BYTES = 300,
};

enum block_kind { BLOCK_HEADING, BLOCK_PARAGRAPH, BLOCK_LIST, BLOCK_CODE, BLOCK_TABLE, BLOCK_KINDS };

struct block {
    enum block_kind kind;
    unsigned        level; /* of a heading: 1-6; else 0 */
    unsigned        page;  /* from 1; 0 where the format has no pages */
    struct str      text;  /* UTF-8, not empty, no control characters but \n and \t */
};

struct extraction {
    const char   *mime_type; /* by content, from tbl/file_types.def */
    const char   *title;     /* NULL when the file names none */
    const char   *language;  /* NULL when unknown */
    const char   *note;      /* NULL, or what the reader should know: "stored without text", "encoding guessed" */
    const json_t *metadata;  /* an object, perhaps empty: front matter, PDF info, core properties */
    const json_t
            *protections; /* what dms-extract says it is confined by: {"landlock": ABI or 0, "seccomp": true, ...} */
    unsigned page_count;  /* 0 where the format has no pages */
    const struct block *blocks;
    size_t              block_count;
};

/* Checks and decodes what dms-extract wrote. Everything is copied into the arena. A cause of failure that dms-extract names
   becomes ERR_UNPROCESSABLE with err->field = stable cause (encrypted, damaged, bomb, too_many_pages, ...) and a sentence;
   frames that break the rules, or lack their end, are the cause "crashed". ERR_TOO_LARGE: the arena is too small. */
MUST_CHECK int extraction_decode(struct arena *a, struct str frames, struct extraction *ret, struct error *err);

/* The plain text of all blocks, a blank line between them, a form feed before each new page. */
struct str extraction_text(struct arena *a, const struct extraction *x);

#endif
