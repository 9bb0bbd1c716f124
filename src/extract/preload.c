/* preload.c - see preload.h. Whatever is not loaded here cannot be loaded later. */
#include "extract/preload.h"

#include <libxml/parser.h>

int preload_open(struct str bytes, char **argv, struct preload *ret, struct error *err)
{
    *ret = (struct preload){ .charset = { .converter = (iconv_t)-1 } };
    if (pdf_signature(bytes) && pdf_preload(argv, err) < 0)
        return -1;
    ret->charset = charset_prepare(bytes);
    ret->magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_TOKENS);
    if (ret->magic && magic_load(ret->magic, NULL) != 0) {
        magic_close(ret->magic);
        ret->magic = NULL;
    }
    xmlInitParser();
    return 0;
}
