/* extract.h - one file being read: its bytes, the limits, and where readers put what they find. Readers know nothing of frames,
   of the sandbox, or of each other. */
#ifndef DMS_EXTRACT_EXTRACT_H
#define DMS_EXTRACT_EXTRACT_H

#include "domain/extraction.h"

struct extract_options {
    uint64_t   max_text_bytes, max_pages, max_memory_bytes, max_file_bytes, cpu_seconds;
    struct str name; /* of the file, for its ending; may be empty */
};

struct frame_writer; /* frame.h */
struct preload;      /* preload.h */

enum { METADATA_MAX_KEYS = 100 };

struct reading {
    struct arena                 *arena; /* bounded; freed with the process */
    const struct extract_options *options;
    struct str                    bytes; /* the file, or its first max_file_bytes */
    bool                          whole; /* bytes are all of it */
    const struct preload         *preload;
    struct frame_writer          *out;
    enum extract_cause            cause; /* the first one wins */

    const struct file_type *type;
    struct sb               title, metadata; /* metadata: members of an object, ready made */
    const char             *language, *note; /* NULL: none */
    unsigned                page_count, metadata_keys;
    struct str              metadata_names[METADATA_MAX_KEYS];
    struct sb               scratch; /* put_block's */
};

/* Notes why the file cannot be read; always -1, for `return reading_fail(...)`. */
int reading_fail(struct reading *r, enum extract_cause cause);

/* A block of text. Bad UTF-8 is replaced, control characters and white space at the ends are dropped; nothing left is no block.
   level: 1-6 of a heading, else 0. -1: too much text. */
MUST_CHECK int put_block(struct reading *r, enum block_kind kind, unsigned level, unsigned page, struct str text);

/* The title, cleaned and cut to its limit. The first one wins; empty is none. */
void put_title(struct reading *r, struct str title);
/* language: a tag such as "en" or "de-AT"; anything else is ignored. The first one wins. */
void put_language(struct reading *r, struct str tag);
/* A member of metadata, cleaned and cut; left out when empty, there already, or when there are too many. */
void put_metadata(struct reading *r, struct str key, struct str value);
void put_metadata_flag(struct reading *r, const char *key);
/* value: JSON, made by put_clean_json and brackets. */
void put_metadata_json(struct reading *r, struct str key, struct str value);

/* s as text for people: valid UTF-8, no control characters, white space runs as one blank, at most max bytes. */
struct str clean_line(struct arena *a, struct str s, size_t max);
/* clean_line(s), quoted as a JSON string. */
void put_clean_json(struct sb *b, struct str s);

/* True when needle stands in hay. */
bool str_has(struct str hay, struct str needle);

/* The readers (tbl/file_types.def: READ_*). r->type is set. -1: reading_fail was called. */
MUST_CHECK int read_none(struct reading *r);
MUST_CHECK int read_text(struct reading *r);
MUST_CHECK int read_table(struct reading *r);
MUST_CHECK int read_code(struct reading *r);
MUST_CHECK int read_markdown(struct reading *r);
MUST_CHECK int read_html(struct reading *r);
MUST_CHECK int read_pdf(struct reading *r);
MUST_CHECK int read_docx(struct reading *r);

/* The blocks of a piece of HTML (UTF-8) in another format. */
MUST_CHECK int html_put_blocks(struct reading *r, struct str html);

/* The members of a mapping (front matter) as metadata, title and language too. False: no mapping, or one that is not taken. */
bool yaml_put_metadata(struct reading *r, struct str yaml);

/* The type by content; the name only tells kinds of text apart. -1: reading_fail was called. */
MUST_CHECK int type_detect(struct reading *r);

#endif
