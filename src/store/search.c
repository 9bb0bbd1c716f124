/* search.c - see search.h. */
#include "store/search.h"

#include <stdio.h>

enum {
    DOCUMENTS_ENOUGH = 50, /* with fewer, and more to be had, more passages are asked for */
};

/* Passages asked for, step by step: ten documents take more than ten passages. */
static const int asked[] = { 150, 600, 3000 };

/* Models with a partial HNSW index. A new one: a migration with its index, a statement like search_vector_hnsw, a row here. */
static const struct {
    const char *model;
    size_t      dims;
    enum sql    sql;
} indexed[] = {
    { "all-MiniLM-L6-v2", 384, SQL_SEARCH_VECTOR_HNSW },
};

struct leg_run {
    const struct search_ask *ask;
    struct arena            *arena;
    const char              *documents; /* FUSION_DEPTH as text */
    const char              *model, *vector;
    const enum sql          *hnsw; /* or NULL: no index for this model */
    struct search_found     *ret;
};

/* Whether much of what the index finds may not be shown. */
static bool is_filtered(const struct search_ask *ask)
{
    return ask->sees_few || strcmp(ask->filter, "{}") != 0;
}

static int apply_settings(struct db *db, const struct leg_run *run, struct error *err)
{
    return db_exec(db, SQL_SEARCH_SETTINGS, ARGS(db_int(run->arena, run->ask->timeout_ms)), err) < 0 ? -1 : 0;
}

/* Whether all of the tenant's passages may be compared; the transaction is then set so that this costs no more than once through them. */
static int tenant_small(struct db *db, const struct leg_run *run, bool *ret, struct error *err)
{
    struct rows r;

    if (db_query(db, run->arena, SQL_SEARCH_SIZE, NO_ARGS, &r, err) < 0)
        return -1;
    bool few = row_next(&r) && (uint64_t)row_int(&r, "passages") <= run->ask->exact_rows;
    bool fast = few && (uint64_t)row_int(&r, "documents") <= run->ask->exact_rows;
    *ret = few;
    return fast && db_exec(db, SQL_SEARCH_SETTINGS_SMALL, NO_ARGS, err) < 0 ? -1 : 0;
}

/* The rows of a leg; *ret_seen: how many passages were looked at before filters and documents came in. */
static int read_passages(struct rows *r, struct leg_run *run, const char *plan, int64_t *ret_seen, struct error *err)
{
    struct passage *list = arena_alloc_array(run->arena, (size_t)r->count + 1, sizeof *list);
    size_t          n = 0;

    if (!list)
        return error_set(err, ERR_TOO_LARGE, "no room for what the search found");
    while (row_next(r)) {
        *ret_seen = row_int(r, "seen");
        run->ret->exact = row_bool(r, "exact");
        if (row_null(r, "document_id"))
            continue; /* the summary's row when nothing was found */
        list[n++] = (struct passage){ .document_id = row_text(r, "document_id"),
                                      .chunk_id = row_text(r, "chunk_id"),
                                      .score = row_real(r, "score"),
                                      .named = row_bool(r, "named") };
    }
    if (r->bad)
        return error_set(err, ERR_INTERNAL, "search: unexpected columns");
    run->ret->passages = (struct passages){ list, n };
    run->ret->plan = plan;
    return 0;
}

/* Scores all that fit the filter. 1: done; 0: they are too many. */
static int keyword_among(struct db *db, struct leg_run *run, struct error *err)
{
    struct rows r;
    int64_t     seen = 0;
    const char *args[] = { run->ask->text, run->ask->filter, db_int(run->arena, (int64_t)run->ask->exact_rows),
                           run->documents };

    if (db_query(db, run->arena, SQL_SEARCH_KEYWORD_AMONG, args, ARRAY_LEN(args), &r, err) < 0)
        return -1;
    struct search_found before = *run->ret;
    if (read_passages(&r, run, "all", &seen, err) < 0)
        return -1;
    if ((uint64_t)seen <= run->ask->exact_rows)
        return 1;
    *run->ret = before;
    return 0;
}

static int keyword_tx(struct db *db, void *arg, struct error *err)
{
    struct leg_run *run = arg;
    bool            filtered = is_filtered(run->ask), small;

    if (apply_settings(db, run, err) < 0 || (filtered && tenant_small(db, run, &small, err) < 0))
        return -1;
    int done = filtered ? keyword_among(db, run, err) : 0;
    if (done != 0)
        return done < 0 ? -1 : 0;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct rows r;
        int64_t     seen = 0;
        const char *args[] = { run->ask->text, db_int(run->arena, asked[i]), run->ask->filter, run->documents };

        if (db_query(db, run->arena, SQL_SEARCH_KEYWORD, args, ARRAY_LEN(args), &r, err) < 0
            || read_passages(&r, run, "bm25", &seen, err) < 0)
            return -1;
        if (run->ret->passages.n >= DOCUMENTS_ENOUGH || seen < asked[i])
            return 0;
    }
    return filtered ? 0 : (keyword_among(db, run, err) < 0 ? -1 : 0); /* what hides so many is the trash */
}

int search_keyword(struct db *db, struct db_scope scope, struct arena *a, const struct search_ask *ask,
                   struct search_found *ret, struct error *err)
{
    struct leg_run run = { .ask = ask, .arena = a, .documents = db_int(a, FUSION_DEPTH), .ret = ret };

    return db_in_tx(db, scope, keyword_tx, &run, err);
}

/* Compares at most cap vectors. 1: done; 0: there are more. */
static int vector_all(struct db *db, struct leg_run *run, int64_t cap, struct error *err)
{
    struct rows r;
    int64_t     seen = 0;
    const char *args[] = { run->model, run->vector, run->ask->filter, db_int(run->arena, cap), run->documents };

    if (db_query(db, run->arena, SQL_SEARCH_VECTOR_EXACT, args, ARRAY_LEN(args), &r, err) < 0
        || read_passages(&r, run, "all", &seen, err) < 0)
        return -1;
    return seen <= cap;
}

/* 1: done; 0: the scan ended before it had enough, which it does silently. */
static int vector_hnsw(struct db *db, struct leg_run *run, struct error *err)
{
    int64_t seen = 0;

    if (db_exec(db, SQL_SEARCH_SETTINGS_HNSW, NO_ARGS, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct rows r;
        const char *args[] = { run->vector, run->ask->filter, db_int(run->arena, asked[i]), run->documents };

        if (db_query(db, run->arena, *run->hnsw, args, ARRAY_LEN(args), &r, err) < 0
            || read_passages(&r, run, "hnsw", &seen, err) < 0)
            return -1;
        if (seen < asked[i])
            return 0;
        if (run->ret->passages.n >= DOCUMENTS_ENOUGH)
            return 1;
    }
    return 1;
}

static int vector_tx(struct db *db, void *arg, struct error *err)
{
    const int64_t   everything = INT32_MAX - 1;
    struct leg_run *run = arg;
    bool            small;

    if (apply_settings(db, run, err) < 0 || tenant_small(db, run, &small, err) < 0)
        return -1;
    bool filtered = is_filtered(run->ask);

    if (run->hnsw) {
        int done = small || filtered ? vector_all(db, run, (int64_t)run->ask->exact_rows, err) : 0;

        if (done == 0)
            done = vector_hnsw(db, run, err);
        if (done != 0)
            return done < 0 ? -1 : 0;
    }
    return vector_all(db, run, everything, err) < 0 ? -1 : 0;
}

/* As halfvec reads it. */
static const char *vector_text(struct arena *a, const float *v, size_t dims)
{
    struct sb b = SB(a);

    sb_putc(&b, '[');
    for (size_t i = 0; i < dims; i++)
        sb_printf(&b, i > 0 ? ",%.6g" : "%.6g", (double)v[i]);
    sb_putc(&b, ']');
    return b.p ? b.p : "[]";
}

int search_vector(struct db *db, struct db_scope scope, struct arena *a, const struct search_ask *ask,
                  const char *model, const float *vector, size_t dims, struct search_found *ret, struct error *err)
{
    struct leg_run run = { .ask = ask,
                           .arena = a,
                           .documents = db_int(a, FUSION_DEPTH),
                           .model = model,
                           .vector = vector_text(a, vector, dims),
                           .ret = ret };

    for (size_t i = 0; i < ARRAY_LEN(indexed); i++)
        if (dims == indexed[i].dims && strcmp(model, indexed[i].model) == 0)
            run.hnsw = &indexed[i].sql;
    return db_in_tx(db, scope, vector_tx, &run, err);
}

struct hits_run {
    struct arena *arena;
    const char   *chunk_ids, *text, *mark, *timeout_ms;
    struct rows   rows;
};

static int hits_tx(struct db *db, void *arg, struct error *err)
{
    struct hits_run *run = arg;

    if (db_exec(db, SQL_SEARCH_SETTINGS, ARGS(run->timeout_ms), err) < 0)
        return -1;
    return db_query(db, run->arena, SQL_SEARCH_HITS, ARGS(run->chunk_ids, run->text, run->mark), &run->rows, err);
}

int search_hits(struct db *db, struct db_scope scope, struct arena *a, const char *const *chunk_ids, const char *text,
                bool mark, unsigned timeout_ms, struct search_hit **ret, size_t *ret_n, struct error *err)
{
    struct hits_run run = { .arena = a,
                            .chunk_ids = db_array(a, chunk_ids),
                            .text = text,
                            .mark = mark ? "true" : "false",
                            .timeout_ms = db_int(a, timeout_ms) };
    size_t          n = 0;

    if (db_in_tx(db, scope, hits_tx, &run, err) < 0)
        return -1;
    struct rows       *r = &run.rows;
    struct search_hit *list = arena_alloc_array(a, (size_t)r->count + 1, sizeof *list);
    if (!list)
        return error_set(err, ERR_TOO_LARGE, "no room for the page of hits");
    while (row_next(r)) {
        list[n++] = (struct search_hit){
            .document_id = row_text(r, "document_id"),
            .chunk_id = row_text(r, "chunk_id"),
            .title = row_text(r, "title"),
            .name = row_text(r, "name"),
            .mime_type = row_text(r, "mime_type"),
            .section = row_text(r, "section"),
            .type = row_opt(r, "type"),
            .updated_at = row_text(r, "updated_at"),
            .version = row_int(r, "version"),
            .page = row_null(r, "page") ? 0 : row_int(r, "page"),
            .text = row_str(r, "text"),
            .marked = row_opt(r, "marked"),
        };
    }
    if (r->bad)
        return error_set(err, ERR_INTERNAL, "SEARCH_HITS: unexpected columns");
    *ret = list;
    *ret_n = n;
    return 0;
}

int search_facets(struct db *db, struct db_scope scope, struct arena *a, const char *const *document_ids,
                  const char **ret, struct error *err)
{
    struct rows r;

    if (db_query_alone(db, scope, a, SQL_SEARCH_FACETS, ARGS(db_array(a, document_ids)), &r, err) < 0)
        return -1;
    if (!row_next(&r) || row_null(&r, "facets"))
        return error_set(err, ERR_INTERNAL, "SEARCH_FACETS: no row");
    *ret = row_text(&r, "facets");
    return 0;
}
