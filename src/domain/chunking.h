/* chunking.h - cuts blocks of text into passages for search and embedding, along headings and pages. No I/O. */
#ifndef DMS_DOMAIN_CHUNKING_H
#define DMS_DOMAIN_CHUNKING_H

#include "domain/extraction.h"

struct chunk {
    unsigned    ordinal; /* from 0 */
    unsigned    page;    /* where it begins; 0 without pages */
    const char *section; /* path of headings, "Install / On Debian"; "" at the top */
    struct str  text;
    unsigned    tokens;  /* as counted by the rules */
};

struct chunk_rules {
    size_t max_tokens, overlap_tokens, max_chunks; /* for example 240, 40, 20000 */
    /* Tokens of a text; NULL estimates from its words. */
    size_t (*count_tokens)(void *arg, struct str text);
    void *arg;
};

/* Passages never cut a word, prefer to end at a block, else at a sentence; each but the first of a section repeats the end of the one
   before (overlap). A text over max_chunks is cut there and *ret_cut says so. */
MUST_CHECK int chunk_blocks(struct arena *a, const struct block *blocks, size_t n, const struct chunk_rules *rules,
                            const struct chunk **ret, size_t *ret_n, bool *ret_cut, struct error *err);

#endif
