/* fusion.h - the answers of several ways of searching made one list of documents, by reciprocal rank (Cormack et al. 2009, k = 60).
   No I/O; knows neither words nor vectors. */
#ifndef DMS_DOMAIN_FUSION_H
#define DMS_DOMAIN_FUSION_H

#include "base/arena.h"

enum leg { LEG_KEYWORD, LEG_VECTOR, LEG_COUNT };

/* What a leg found, best first; several of one document are fine: its first counts. */
struct passage {
    const char *document_id, *chunk_id;
    double      score; /* of the leg: comparable within it only */
    bool        named; /* it holds the very code that was asked for ("ADR-018") */
};

struct passages {
    const struct passage *list;
    size_t                n;
};

struct fused {
    const char *document_id, *chunk_id; /* chunk: of the leg that ranks the document higher, keyword where equal */
    double      score;
    unsigned    rank[LEG_COUNT]; /* from 1; 0: not found by this leg */
    double      leg_score[LEG_COUNT];
    bool        named;
};

enum {
    FUSION_K = 60,
    FUSION_DEPTH = 100, /* documents of each leg: 20 -> recall .62, 50 -> .75, 100 -> .79 on Cranfield */
};

/* Sum of 1 / (60 + rank) over the legs; documents that are named come before all others. The order is the same for the same input:
   score, then the better rank, keyword before vector, then document id. Texts stay borrowed. -1 when the arena is used up. */
MUST_CHECK int fusion_run(struct arena *a, const struct passages legs[LEG_COUNT], struct fused **ret, size_t *ret_n);

#endif
