/* chunking.h - cuts blocks of text into passages for search and embedding, along headings and pages. No I/O. */
#ifndef DMS_DOMAIN_CHUNKING_H
#define DMS_DOMAIN_CHUNKING_H

#include "domain/extraction.h"

struct chunk {
    unsigned    ordinal; /* from 0 */
    unsigned    page;    /* where it begins; 0 without pages */
    const char *section; /* path of headings, "Install / On Debian"; "" at the top */
    struct str  text;
    unsigned    tokens; /* as counted by the rules, piece by piece; never over max_tokens */
};

struct chunk_rules {
    size_t max_tokens, overlap_tokens, max_chunks; /* for example 240, 40, 20000; 2 * overlap <= max */
    /* Tokens of a text; NULL estimates from its words. Called on sentences, lines and words, on each a few times at most. */
    size_t (*count_tokens)(void *arg, struct str text);
    void *arg;
};

#define CHUNK_RULES_DEFAULT ((struct chunk_rules){ .max_tokens = 240, .overlap_tokens = 40, .max_chunks = 20000 })

/* Passages never cut a word (unless one word alone is over the limit), prefer to end at a block, else at a sentence or line; each but
   the first of a section repeats the end of the one before (overlap). A section of a few words is taken together with the
   subsections under it. A text over max_chunks is cut there and *ret_cut says so.
   Time and memory are linear in the text. -1: ERR_TOO_LARGE, the arena is too small. */
MUST_CHECK int chunk_blocks(struct arena *a, const struct block *blocks, size_t n, const struct chunk_rules *rules,
                            const struct chunk **ret, size_t *ret_n, bool *ret_cut, struct error *err);

/* What count_tokens == NULL counts: a token for every six letters of a word, for every mark, for every ideograph. */
size_t chunk_estimate_tokens(struct str text);

#endif
