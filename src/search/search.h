/* search.h - a question in, one page of documents out: the legs run one after the other on the caller's connection, their lists are fused.
   Knows no HTTP. A leg that fails or is late never fails the search as long as another one answers. */
#ifndef DMS_SEARCH_SEARCH_H
#define DMS_SEARCH_SEARCH_H

#include "embed/embedder.h"
#include "search/snippet.h"
#include "store/search.h"

enum search_mode { SEARCH_HYBRID, SEARCH_KEYWORD, SEARCH_SEMANTIC };
const char    *search_mode_name(enum search_mode mode);                    /* "hybrid" */
MUST_CHECK int search_mode_parse(const char *name, enum search_mode *ret); /* exact; -1 unknown */

struct search_query {
    const char      *text; /* valid UTF-8; blank is refused */
    enum search_mode mode;
    const char      *filter;    /* see store/search.h; "{}" without */
    unsigned         limit;     /* 1-100 */
    const char      *cursor;    /* as answered before, or NULL */
    bool             highlight; /* find the places of the question's words */
    bool             facets;    /* count types, tags, ... of what was found */
    bool             explain;   /* for whoever writes the answer */
    bool             sees_few;  /* see store/search.h */
};

struct search_limits {
    uint64_t exact_rows; /* setting search_exact_rows */
    unsigned leg_timeout_ms;
};

enum leg_state { LEG_SKIPPED, LEG_OK, LEG_FAILED };
const char *leg_name(enum leg leg);               /* "keyword", "vector" */
const char *leg_state_name(enum leg_state state); /* "ok" */

struct search_leg {
    enum leg_state state;
    const char    *note; /* why it was skipped or failed, for people; NULL */
    double         ms;
    bool           exact;
    const char    *plan; /* NULL unless ok */
    struct error   err;  /* of a failed one, for the log */
};

struct search_item {
    struct search_hit hit;
    struct snippet    snippet;
    struct fused      found;
};

struct search_answer {
    struct search_item *items;
    size_t              n;
    size_t              total;       /* documents in the fused list: at most FUSION_DEPTH of each leg */
    const char         *next_cursor; /* NULL: this was the last page */
    const char         *facets;      /* JSON text; NULL when not asked for */
    struct search_leg   legs[LEG_COUNT];
    double              took_ms;
};

/* embedder NULL: no vectors; hybrid then answers by words and says so, semantic is UNAVAILABLE. VALIDATION for a blank question or a cursor
   of another question. UNAVAILABLE when no leg could answer. */
MUST_CHECK int search_run(struct arena *a, struct db *db, struct embedder *embedder, const struct search_limits *limits,
                          struct db_scope scope, const struct search_query *query, struct search_answer *ret,
                          struct error *err);

#endif
