/* text.h - text as pointer + length, a buffer that grows in an arena, and the one place that quotes, decodes and parses. */
#ifndef DMS_BASE_TEXT_H
#define DMS_BASE_TEXT_H

#include "base/arena.h"
#include "base/error.h"

#include <string.h>

struct str {
    const char *p; /* borrowed, not NUL-terminated */
    size_t      n;
};
#define S(literal) ((struct str){ literal, sizeof(literal) - 1 })
static inline struct str str_of(const char *cstr)
{
    return (struct str){ cstr, strlen(cstr) };
}
bool       str_eq(struct str a, struct str b);
bool       str_starts(struct str s, struct str prefix);
struct str str_trim(struct str s); /* ASCII white space off both ends */
/* Cuts s at the first sep: returns what stands before, *s becomes what stands after (empty, p == NULL at the end). */
struct str  str_cut(struct str *s, char sep);
const char *str_dup(struct arena *a, struct str s); /* NUL-terminated copy */

/* A growing text in an arena; keeps a NUL at p[n]. Failure is the arena's sticky flag. */
struct sb {
    struct arena *arena;
    char         *p;
    size_t        n, cap;
};
#define SB(a) ((struct sb){ .arena = (a) })
void sb_put(struct sb *b, struct str s);
void sb_puts(struct sb *b, const char *cstr);
void sb_putc(struct sb *b, char c);
void sb_put_u64(struct sb *b, uint64_t v);
PRINTF_LIKE(2, 3) void sb_printf(struct sb *b, const char *fmt, ...);
void                     sb_json_str(struct sb *b, struct str s); /* quoted and escaped; s is valid UTF-8 */
void                     sb_json(struct sb *b, const char *cstr); /* the same of a C text; NULL gives null */
static inline struct str sb_str(const struct sb *b)
{
    return (struct str){ b->n > 0 ? b->p : "", b->n };
}

/* Decimal digits only, within [min, max]; *ret is untouched on failure. what names the input in the message. */
MUST_CHECK int parse_u64(const char *what, struct str s, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above 10FFFF. */
bool utf8_valid(struct str s);
/* The next code point, moving *s on; bad bytes give U+FFFD and are passed over one by one. s must not be empty. */
uint32_t utf8_next(struct str *s);
size_t   utf8_put(char out[4], uint32_t cp); /* bytes written, 1-4 */
size_t   utf8_count(struct str s);           /* code points */
/* The longest prefix of at most max bytes that does not cut a code point. */
struct str utf8_head(struct str s, size_t max);

/* Names and titles that people give: no control characters, no bidi overrides, valid UTF-8. */
bool text_printable(struct str s);

void hex_encode(char *out, const void *bytes, size_t n); /* writes 2n + 1 bytes */
bool hex_decode(void *out, size_t n, struct str hex);    /* exactly 2n lower or upper case digits */
/* RFC 4648 section 5, no padding; strict: no foreign character, no non-zero trailing bits. */
size_t base64url_encode(char *out, const void *bytes, size_t n); /* out holds (n * 4 + 2) / 3 + 1; NUL-terminated */
bool   base64url_decode(struct arena *a, struct str s, struct str *ret);
/* Percent-decoding, once; false on bad escapes, NUL, or invalid UTF-8. plus: '+' reads as space (query strings). */
bool url_decode(struct arena *a, struct str s, bool plus, struct str *ret);
void url_encode(struct sb *b, struct str s); /* all but RFC 3986 unreserved */

#endif
