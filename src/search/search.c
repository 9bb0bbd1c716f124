/* search.c - see search.h. */
#include "search/search.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <stdio.h>

static const char *const mode_names[] = {
    [SEARCH_HYBRID] = "hybrid", [SEARCH_KEYWORD] = "keyword", [SEARCH_SEMANTIC] = "semantic"
};
static const char *const leg_names[] = { [LEG_KEYWORD] = "keyword", [LEG_VECTOR] = "vector" };
static const char *const state_names[] = { [LEG_SKIPPED] = "skipped", [LEG_OK] = "ok", [LEG_FAILED] = "failed" };

/* Which legs a mode asks. */
static const bool mode_legs[][LEG_COUNT] = {
    [SEARCH_HYBRID] = { [LEG_KEYWORD] = true, [LEG_VECTOR] = true },
    [SEARCH_KEYWORD] = { [LEG_KEYWORD] = true },
    [SEARCH_SEMANTIC] = { [LEG_VECTOR] = true },
};

const char *search_mode_name(enum search_mode mode)
{
    return mode_names[mode];
}

int search_mode_parse(const char *name, enum search_mode *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(mode_names); i++) {
        if (strcmp(mode_names[i], name) == 0) {
            *ret = (enum search_mode)i;
            return 0;
        }
    }
    return -1;
}

const char *leg_name(enum leg leg)
{
    return leg_names[leg];
}

const char *leg_state_name(enum leg_state state)
{
    return state_names[state];
}

/* Everything a leg needs. */
struct run {
    struct arena              *arena;
    struct db                 *db;
    struct embedder           *embedder;
    struct db_scope            scope;
    struct search_ask          ask;
    const struct search_query *query;
};

static int run_keyword(const struct run *run, struct search_found *ret, struct error *err)
{
    return search_keyword(run->db, run->scope, run->arena, &run->ask, ret, err);
}

static int run_vector(const struct run *run, struct search_found *ret, struct error *err)
{
    size_t     dims = embedder_dims(run->embedder);
    float     *v = arena_alloc_array(run->arena, dims, sizeof *v);
    struct str text = str_of(run->query->text);

    if (!v)
        return error_set(err, ERR_TOO_LARGE, "no room for the vector of a question");
    if (embedder_run(run->embedder, EMBED_QUERY, &text, 1, v, err) < 0)
        return -1;
    return search_vector(run->db, run->scope, run->arena, &run->ask, embedder_model(run->embedder), v, dims, ret, err);
}

typedef int          leg_fn(const struct run *run, struct search_found *ret, struct error *err);
static leg_fn *const leg_run[LEG_COUNT] = { [LEG_KEYWORD] = run_keyword, [LEG_VECTOR] = run_vector };

static double ms_since(int64_t start_us)
{
    return (double)(clock_steady_us() - start_us) / 1000.0;
}

static const enum metric leg_time[LEG_COUNT] = {
    [LEG_KEYWORD] = METRIC_SEARCH_TIME_KEYWORD, [LEG_VECTOR] = METRIC_SEARCH_TIME_VECTOR
};

static void ask_leg(const struct run *run, enum leg leg, struct passages *found, struct search_leg *ret)
{
    struct search_found f = { 0 };
    int64_t             start_us = clock_steady_us();

    *ret = (struct search_leg){ .state = LEG_SKIPPED };
    if (!mode_legs[run->query->mode][leg]) {
        ret->note = "not asked for";
        return;
    }
    if (leg == LEG_VECTOR && !run->embedder) {
        ret->note = "there is no embedding model";
        return;
    }
    if (leg_run[leg](run, &f, &ret->err) < 0) {
        ret->state = LEG_FAILED;
        ret->note = ret->err.code == ERR_UNAVAILABLE ? "not available, or over its time limit" : "failed";
    } else {
        ret->state = LEG_OK;
        ret->exact = f.exact;
        ret->plan = f.plan;
        *found = f.passages;
    }
    ret->ms = ms_since(start_us);
    metric_observe(leg_time[leg], (int64_t)(ret->ms * 1000));
}

/* No leg answered: why, as one error. */
static int no_leg(const struct search_answer *answer, struct error *err)
{
    for (unsigned i = 0; i < LEG_COUNT; i++)
        if (answer->legs[i].state == LEG_FAILED)
            return error_set(err, ERR_UNAVAILABLE, "search: %s", answer->legs[i].err.detail);
    return error_say(err, ERR_UNAVAILABLE, "mode",
                     "Search by meaning is not available here: there is no embedding model.");
}

/* Names the question that a cursor belongs to: FNV-1a over what decides the list. */
static uint64_t question_hash(const struct search_query *q)
{
    const char *const parts[] = { q->text, search_mode_name(q->mode), q->filter };
    uint64_t          h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *p = parts[i];; p++) {
            h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
            if (*p == '\0')
                break;
        }
    return h;
}

/* OFFSET.HASH in base64url. No secret: it only saves the client from mixing up questions. */
static const char *cursor_make(struct arena *a, const struct search_query *q, size_t offset)
{
    char  plain[64];
    int   n = snprintf(plain, sizeof plain, "%zu.%016llx", offset, (unsigned long long)question_hash(q));
    char *ret = arena_alloc(a, 96);

    if (!ret)
        return NULL;
    base64url_encode(ret, plain, (size_t)n);
    return ret;
}

static int cursor_read(struct arena *a, const struct search_query *q, size_t *ret_offset, struct error *err)
{
    struct str   plain;
    struct error ignored = { 0 }; /* whatever is wrong with it, the answer is the same */
    uint64_t     offset = 0;

    *ret_offset = 0;
    if (!q->cursor || q->cursor[0] == '\0')
        return 0;
    if (base64url_decode(a, str_of(q->cursor), &plain)) {
        struct str number = str_cut(&plain, '.');
        char       hash[17];

        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)question_hash(q));
        if (plain.p && str_eq(plain, str_of(hash))
            && parse_u64("cursor", number, 1, LEG_COUNT * FUSION_DEPTH, &offset, &ignored) == 0) {
            *ret_offset = (size_t)offset;
            return 0;
        }
    }
    return error_say(err, ERR_VALIDATION, "cursor", "is not a cursor of this question");
}

static bool blank(struct str text)
{
    while (text.n > 0) {
        uint32_t cp = utf8_next(&text);

        if (cp > ' ' && cp != 0x7F && cp != 0xA0 && cp != 0xFEFF && cp != 0x3000 && !(cp >= 0x2000 && cp <= 0x200F))
            return false;
    }
    return true;
}

/* The fused documents [offset, offset + limit) with their texts. */
static int read_page(const struct run *run, const struct fused *list, size_t n, struct search_answer *ret,
                     struct error *err)
{
    const char       **ids = arena_alloc_array(run->arena, n + 1, sizeof *ids);
    struct search_hit *hits = NULL;
    size_t             count = 0;

    ret->items = arena_alloc_array(run->arena, n + 1, sizeof *ret->items);
    if (!ids || !ret->items)
        return error_set(err, ERR_TOO_LARGE, "no room for the page of hits");
    for (size_t i = 0; i < n; i++)
        ids[i] = list[i].chunk_id;
    if (n > 0
        && search_hits(run->db, run->scope, run->arena, ids, run->query->text, run->query->highlight,
                       run->ask.timeout_ms, &hits, &count, err)
               < 0)
        return -1;
    for (size_t i = 0, h = 0; i < n && h < count; i++) {
        if (strcmp(hits[h].chunk_id, list[i].chunk_id) != 0)
            continue; /* gone since the leg saw it */
        struct search_item *item = &ret->items[ret->n++];

        item->hit = hits[h++];
        item->found = list[i];
        if (snippet_make(run->arena, item->hit.text, item->hit.marked, &item->snippet) < 0)
            return error_set(err, ERR_TOO_LARGE, "no room for a snippet");
    }
    return 0;
}

/* Over the whole fused list, not the page. */
static int count_facets(const struct run *run, const struct fused *list, size_t n, const char **ret, struct error *err)
{
    const char **ids = arena_alloc_array(run->arena, n + 1, sizeof *ids);

    if (!ids)
        return error_set(err, ERR_TOO_LARGE, "no room for the facets");
    for (size_t i = 0; i < n; i++)
        ids[i] = list[i].document_id;
    return search_facets(run->db, run->scope, run->arena, ids, ret, err);
}

int search_run(struct arena *a, struct db *db, struct embedder *embedder, const struct search_limits *limits,
               struct db_scope scope, const struct search_query *query, struct search_answer *ret, struct error *err)
{
    struct run      run = { .arena = a,
                            .db = db,
                            .embedder = embedder,
                            .scope = scope,
                            .query = query,
                            .ask = { query->text, query->filter, query->sees_few, limits->exact_rows,
                                     limits->leg_timeout_ms } };
    int64_t         start_us = clock_steady_us();
    struct passages found[LEG_COUNT] = { 0 };
    struct fused   *list;
    size_t          n, offset;
    bool            answered = false;

    *ret = (struct search_answer){ 0 };
    if (blank(str_of(query->text)))
        return error_say(err, ERR_VALIDATION, "query", "must not be blank");
    if (cursor_read(a, query, &offset, err) < 0)
        return -1;
    for (unsigned i = 0; i < LEG_COUNT; i++) {
        ask_leg(&run, (enum leg)i, &found[i], &ret->legs[i]);
        answered |= ret->legs[i].state == LEG_OK;
    }
    if (!answered)
        return no_leg(ret, err);
    if (fusion_run(a, found, &list, &n) < 0)
        return error_set(err, ERR_TOO_LARGE, "no room for the fused list");
    ret->total = n;
    offset = offset < n ? offset : n;
    size_t page = n - offset < query->limit ? n - offset : query->limit;
    if (read_page(&run, list + offset, page, ret, err) < 0)
        return -1;
    if (query->facets && count_facets(&run, list, n, &ret->facets, err) < 0)
        return -1;
    if (offset + page < n)
        ret->next_cursor = cursor_make(a, query, offset + page);
    ret->took_ms = ms_since(start_us);
    return 0;
}
