/* frame.h - writes frames (domain/frame.h) through a buffer to a descriptor. A reader that went away ends the process. */
#ifndef DMS_EXTRACT_FRAME_H
#define DMS_EXTRACT_FRAME_H

#include "domain/extraction.h"

struct frame_writer {
    int      fd;
    size_t   used;
    uint64_t blocks, text_bytes;
    char     buffer[64 << 10];
};

void frame_json(struct frame_writer *w, char kind, struct str json);
void frame_block(struct frame_writer *w, enum block_kind kind, unsigned level, unsigned page, struct str text);
/* These two flush. */
void frame_end(struct frame_writer *w);
void frame_fail(struct frame_writer *w, enum extract_cause cause);

#endif
