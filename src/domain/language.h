/* language.h - the languages of tbl/languages.def. Knows no texts. */
#ifndef DMS_DOMAIN_LANGUAGE_H
#define DMS_DOMAIN_LANGUAGE_H

#include "base/text.h"

/* Our own name of it; NULL: not one of ours. Exactly "en", "de". */
const char *language_find(struct str name);
/* The one of ours that an Accept-Language header (NULL: none) wants most; the first of the table when it wants none. */
const char *language_wanted(const char *accept_language);

#endif
