/* preload.h - what readers need from the file system, loaded before the sandbox closes it. */
#ifndef DMS_EXTRACT_PRELOAD_H
#define DMS_EXTRACT_PRELOAD_H

#include "extract/charset.h"

#include "base/error.h"

#include <magic.h>

struct preload {
    magic_t        magic; /* NULL: no database; types are then told by our own rules alone */
    struct charset charset;
};

/* bytes are only looked at for their signature and declared encoding. argv: of this program; a PDF may need another one, then this does
   not return. -1: that program is not there. */
MUST_CHECK int preload_open(struct str bytes, char **argv, struct preload *ret, struct error *err);

/* pdf.c: starts Poppler, which reads its settings once. pdf_elsewhere.c: runs dms-extract-pdf in place of this program. */
MUST_CHECK int pdf_preload(char **argv, struct error *err);
/* True when the bytes are to be read as PDF. */
bool pdf_signature(struct str bytes);

#endif
