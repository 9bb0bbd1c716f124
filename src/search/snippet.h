/* snippet.h - the piece of a passage that is shown under a hit: plain text and the places of the question's words in it. No I/O. */
#ifndef DMS_SEARCH_SNIPPET_H
#define DMS_SEARCH_SNIPPET_H

#include "base/text.h"

enum {
    SNIPPET_LENGTH = 280, /* code points at most, without the ellipses */
    SNIPPET_MARKS = 64,
    MARK_OPEN = 0xE000,
    MARK_CLOSE = 0xE001,
};

struct mark {
    unsigned start, end; /* [start, end) in code points of the snippet */
};

struct snippet {
    struct str  text; /* white space run together; "…" where it was cut */
    struct mark marks[SNIPPET_MARKS];
    unsigned    mark_count;
};

/* marked: text with U+E000 and U+E001 around words, otherwise as many code points; NULL, or not fitting text: no marks. Without marks
   the beginning of the passage is shown, else where most different words lie together. -1 when the arena is used up. */
MUST_CHECK int snippet_make(struct arena *a, struct str text, const char *marked, struct snippet *ret);

#endif
