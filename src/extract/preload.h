/* preload.h - what readers need from the file system, loaded before the sandbox closes it. */
#ifndef DMS_EXTRACT_PRELOAD_H
#define DMS_EXTRACT_PRELOAD_H

#include "extract/charset.h"

#include <magic.h>

struct preload {
    magic_t        magic; /* NULL: no database; types are then told by our own rules alone */
    struct charset charset;
};

/* bytes are only looked at for their signature and declared encoding. */
struct preload preload_open(struct str bytes);

/* pdf.c: starts Poppler, which reads its settings once; keeps its messages from the terminal. */
void pdf_preload(void);
/* True when the bytes are to be read as PDF. */
bool pdf_signature(struct str bytes);

#endif
