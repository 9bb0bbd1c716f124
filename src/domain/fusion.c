/* fusion.c - see fusion.h. A few hundred documents at most: plain loops. */
#include "domain/fusion.h"

#include <string.h>

/* More than both legs together can give (2 / 61), so that a document that is named comes first. */
static const double NAMED_BONUS = 2.0 / (double)FUSION_K;

static struct fused *find(struct fused *list, size_t n, const char *document_id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].document_id, document_id) == 0)
            return &list[i];
    return NULL;
}

/* One leg's passages into the list; each document once, at most FUSION_DEPTH of them. */
static void add_leg(struct fused *list, size_t *n, enum leg leg, struct passages found)
{
    unsigned rank = 0;

    for (size_t i = 0; i < found.n && rank < FUSION_DEPTH; i++) {
        const struct passage *p = &found.list[i];
        struct fused         *f = find(list, *n, p->document_id);

        if (f && f->rank[leg] > 0) {
            f->named |= p->named;
            continue;
        }
        if (!f) {
            f = &list[(*n)++];
            *f = (struct fused){ .document_id = p->document_id };
        }
        f->rank[leg] = ++rank;
        f->leg_score[leg] = p->score;
        f->named |= p->named;
        f->score += 1.0 / (FUSION_K + rank);
        if (!f->chunk_id || rank < f->rank[LEG_KEYWORD])
            f->chunk_id = p->chunk_id;
    }
}

/* The better of its ranks; a leg that did not find it ranks it last. */
static unsigned best_rank(const struct fused *f)
{
    unsigned best = FUSION_DEPTH + 1;

    for (unsigned leg = 0; leg < LEG_COUNT; leg++)
        if (f->rank[leg] > 0 && f->rank[leg] < best)
            best = f->rank[leg];
    return best;
}

static int compare(const void *a, const void *b)
{
    const struct fused *x = a, *y = b;

    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    if (best_rank(x) != best_rank(y))
        return best_rank(x) < best_rank(y) ? -1 : 1;
    if ((x->rank[LEG_KEYWORD] > 0) != (y->rank[LEG_KEYWORD] > 0))
        return x->rank[LEG_KEYWORD] > 0 ? -1 : 1;
    return strcmp(x->document_id, y->document_id);
}

int fusion_run(struct arena *a, const struct passages legs[LEG_COUNT], struct fused **ret, size_t *ret_n)
{
    struct fused *list = arena_alloc_array(a, LEG_COUNT * FUSION_DEPTH, sizeof *list);
    size_t        n = 0;

    if (!list)
        return -1;
    for (unsigned leg = 0; leg < LEG_COUNT; leg++)
        add_leg(list, &n, (enum leg)leg, legs[leg]);
    for (size_t i = 0; i < n; i++)
        list[i].score += list[i].named ? NAMED_BONUS : 0;
    qsort(list, n, sizeof *list, compare);
    *ret = list;
    *ret_n = n;
    return 0;
}
