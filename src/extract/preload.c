/* preload.c - see preload.h. Whatever is not loaded here cannot be loaded later. */
#include "extract/preload.h"

#include <libxml/parser.h>

struct preload preload_open(struct str bytes)
{
    struct preload p = { .charset = charset_prepare(bytes) };

    p.magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_TOKENS);
    if (p.magic && magic_load(p.magic, NULL) != 0) {
        magic_close(p.magic);
        p.magic = NULL;
    }
    xmlInitParser();
    if (pdf_signature(bytes))
        pdf_preload();
    return p;
}
