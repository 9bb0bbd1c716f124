/* charset.h - bytes to UTF-8, whatever encoding they are in. */
#ifndef DMS_EXTRACT_CHARSET_H
#define DMS_EXTRACT_CHARSET_H

#include "base/text.h"

#include <iconv.h>

/* What the file declares: a converter that had to be loaded before the sandbox, (iconv_t)-1 for none. */
struct charset {
    iconv_t converter;
    bool    western; /* declared as windows-1252 or its subset ISO 8859-1: built in */
};

/* Before the sandbox: when the first bytes declare an encoding out of a fixed list ("charset=...", "encoding=..."), loads its tables.
   Looks at 1 KB, and parses nothing. */
struct charset charset_prepare(struct str bytes);

/* UTF-8 in the arena (or s itself). *ret_note is set, to a static text, where something was guessed or replaced. */
struct str charset_decode(struct arena *a, const struct charset *declared, struct str s, const char **ret_note);

/* True for bytes that are text in some encoding: no control characters that text does not have. */
bool charset_is_text(struct str bytes);

#endif
