/* search.h - the two ways of finding passages and the reading of those that are shown. Knows no fusion rules beyond the types. Each leg is
   a transaction of its own with a time limit, so that one that fails or is late takes nothing else with it. */
#ifndef DMS_STORE_SEARCH_H
#define DMS_STORE_SEARCH_H

#include "domain/fusion.h"
#include "store/db.h"

struct search_ask {
    const char *text;       /* valid UTF-8, not blank */
    const char *filter;     /* JSON object with members of dms.search_documents, checked; "{}": every live document */
    bool        sees_few;   /* the person may see few documents: that is a filter as well */
    uint64_t    exact_rows; /* up to so many passages are compared one by one */
    unsigned    timeout_ms;
};

struct search_found {
    struct passages passages; /* best of each document, best first, at most FUSION_DEPTH */
    bool            exact;    /* proved to be what comparing everything would give */
    const char     *plan;     /* "bm25", "all", "hnsw" */
};

/* What limits hold: documents that a filter or the trash hides are made up for by looking at more passages (up to 3,000), and where that is
   not enough by looking at all that fit, if they are no more than exact_rows. */
MUST_CHECK int search_keyword(struct db *db, struct db_scope scope, struct arena *a, const struct search_ask *ask,
                              struct search_found *ret, struct error *err);
/* vector: dims numbers of length 1. HNSW only for models with an index (tbl in search.c), else all vectors are compared. */
MUST_CHECK int search_vector(struct db *db, struct db_scope scope, struct arena *a, const struct search_ask *ask,
                             const char *model, const float *vector, size_t dims, struct search_found *ret,
                             struct error *err);

/* One passage on the page; texts live as long as the arena. */
struct search_hit {
    const char *document_id, *chunk_id, *title, *name, *mime_type, *section;
    const char *type, *updated_at; /* type: NULL when the document has none */
    int64_t     version, page;     /* page 0: the document has none */
    struct str  text;
    const char *marked; /* with U+E000 and U+E001 around the question's words; NULL when not asked for */
};
/* In the order of chunk_ids; what has gone meanwhile is left out. */
MUST_CHECK int search_hits(struct db *db, struct db_scope scope, struct arena *a, const char *const *chunk_ids,
                           const char *text, bool mark, unsigned timeout_ms, struct search_hit **ret, size_t *ret_n,
                           struct error *err);
/* How many of these documents have which type, tag, ...: {"type": [{"value", "count"}, ...], ...} as JSON text. */
MUST_CHECK int search_facets(struct db *db, struct db_scope scope, struct arena *a, const char *const *document_ids,
                             const char **ret, struct error *err);

#endif
