/* search.c - POST /search, GET /search: reads the question, has it answered, writes the page. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "search/search.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100, FILTER_TEXT_MAX = 200, TAGS_MAX = 20, CURSOR_MAX = 200 };

/* --- the filter: every member optional, checked here, passed on as JSON to dms.search_documents --- */

static const char *check_uuid(struct arena *a, const char *v)
{
    (void)a;
    return uuid_valid(str_of(v)) ? v : NULL;
}

static const char *check_time(struct arena *a, const char *v)
{
    int64_t us;
    char    text[32];

    if (clock_parse_rfc3339(v, &us) < 0)
        return NULL;
    clock_rfc3339(text, us);
    return arena_text(a, text, strlen(text));
}

static const char *check_text(struct arena *a, const char *v)
{
    (void)a;
    return v[0] != '\0' ? v : NULL;
}

/* One of the words between bars. */
static const char *one_of(const char *words, const char *v)
{
    struct str rest = str_of(words);

    while (rest.p)
        if (str_eq(str_cut(&rest, '|'), str_of(v)))
            return v;
    return NULL;
}

static const char *check_status(struct arena *a, const char *v)
{
    (void)a;
    return one_of("pending|processing|processed|error", v);
}

static const char *check_lifecycle(struct arena *a, const char *v)
{
    (void)a;
    return one_of("draft|in_review|approved|effective|obsolete|on_hold", v);
}

static const char *check_classification(struct arena *a, const char *v)
{
    (void)a;
    return one_of("public|internal|confidential|restricted", v);
}

/* The members that are one text; check gives what to pass on, or NULL. */
static const struct {
    const char *name;
    const char *(*check)(struct arena *a, const char *v);
    const char *wrong;
} filter_table[] = {
    { "status", check_status, "must be pending, processing, processed or error" },
    { "lifecycle", check_lifecycle, "must be draft, in_review, approved, effective, obsolete or on_hold" },
    { "classification", check_classification, "must be public, internal, confidential or restricted" },
    { "type", check_text, "must not be empty" },
    { "mime_type", check_text, "must not be empty" },
    { "folder_id", check_uuid, "must be a UUID" },
    { "owner_id", check_uuid, "must be a UUID" },
    { "document_id", check_uuid, "must be a UUID" },
    { "created_from", check_time, "must be a date or a time as in 2026-11-23T05:39:34Z" },
    { "created_to", check_time, "must be a date or a time as in 2026-11-23T05:39:34Z" },
    { "updated_from", check_time, "must be a date or a time as in 2026-11-23T05:39:34Z" },
    { "updated_to", check_time, "must be a date or a time as in 2026-11-23T05:39:34Z" },
};

/* A row x_from is followed by x_to. Nothing lies in a range that ends before it begins: that is a mistake, not a question. */
static void refuse_reversed(struct json_fields *f, const char *const given[ARRAY_LEN(filter_table)])
{
    for (size_t i = 0; i + 1 < ARRAY_LEN(filter_table); i++)
        if (strstr(filter_table[i].name, "_from") && given[i] && given[i + 1] && strcmp(given[i], given[i + 1]) > 0)
            json_fields_note(f, filter_table[i].name, "is later than the end of the range");
}

static void put_member(struct sb *b, const char *name)
{
    if (b->n > 1)
        sb_putc(b, ',');
    sb_json(b, name);
    sb_putc(b, ':');
}

/* filters of the request as the JSON text that the store takes; notes what is wrong into errors of f. */
static const char *read_filter(struct json_fields *f, const json_t *filters)
{
    struct json_fields inner;
    struct error       err = { 0 };
    struct sb          b = SB(f->arena);
    const char        *given[ARRAY_LEN(filter_table)];

    if (!filters)
        return "{}";
    json_fields_begin(&inner, f->arena, filters);
    sb_putc(&b, '{');
    for (size_t i = 0; i < ARRAY_LEN(filter_table); i++) {
        const char *v = json_name(&inner, filter_table[i].name, /* required= */ false, FILTER_TEXT_MAX, NULL);
        const char *checked = v ? filter_table[i].check(f->arena, v) : NULL;

        given[i] = checked;

        if (v && !checked)
            json_fields_note(&inner, filter_table[i].name, filter_table[i].wrong);
        if (!checked)
            continue;
        put_member(&b, filter_table[i].name);
        sb_json(&b, checked);
    }
    refuse_reversed(&inner, given);
    const char *const *tags = json_texts(&inner, "tags", TAGS_MAX, FILTER_TEXT_MAX);
    for (size_t i = 0; tags && tags[i]; i++) {
        if (i == 0)
            put_member(&b, "tags");
        sb_putc(&b, i == 0 ? '[' : ',');
        sb_json(&b, tags[i]);
    }
    sb_puts(&b, tags && tags[0] ? "]}" : "}");
    if (json_fields_end(&inner, &err) < 0)
        for (const struct field_error *e = err.fields; e; e = e->next)
            json_fields_note(f, e->field[0] ? e->field : "filters", e->message);
    return sb_str(&b).p;
}

/* --- the answer --- */

static void put_rank(struct sb *b, const char *name, unsigned rank)
{
    sb_printf(b, rank > 0 ? "\"%s\":%u" : "\"%s\":null", name, rank);
}

static void put_highlights(struct sb *b, const struct snippet *s)
{
    sb_puts(b, ",\"highlights\":[");
    for (unsigned i = 0; i < s->mark_count; i++)
        sb_printf(b, i > 0 ? ",[%u,%u]" : "[%u,%u]", s->marks[i].start, s->marks[i].end);
    sb_putc(b, ']');
}

static void put_explain(struct sb *b, const struct fused *f)
{
    sb_printf(b, ",\"explain\":{\"named\":%s", f->named ? "true" : "false");
    for (unsigned i = 0; i < LEG_COUNT; i++) {
        if (f->rank[i] == 0)
            continue;
        sb_printf(b, ",\"%s\":{\"rank\":%u,\"score\":%.6f,\"adds\":%.6f}", leg_name((enum leg)i), f->rank[i],
                  f->leg_score[i], 1.0 / (FUSION_K + f->rank[i]));
    }
    sb_putc(b, '}');
}

static void put_item(struct sb *b, const struct search_item *item, bool explain)
{
    const struct search_hit *h = &item->hit;

    sb_puts(b, "{\"document_id\":");
    sb_json(b, h->document_id);
    sb_puts(b, ",\"title\":");
    sb_json(b, h->title);
    sb_puts(b, ",\"name\":");
    sb_json(b, h->name);
    sb_puts(b, ",\"mime_type\":");
    sb_json(b, h->mime_type);
    sb_puts(b, ",\"type\":");
    sb_json(b, h->type);
    sb_printf(b, ",\"version\":%lld,\"chunk_id\":", (long long)h->version);
    sb_json(b, h->chunk_id);
    sb_puts(b, ",\"snippet\":");
    sb_json_str(b, item->snippet.text);
    put_highlights(b, &item->snippet);
    sb_printf(b, ",\"score\":%.6f,\"ranks\":{", item->found.score);
    put_rank(b, "keyword", item->found.rank[LEG_KEYWORD]);
    sb_putc(b, ',');
    put_rank(b, "vector", item->found.rank[LEG_VECTOR]);
    sb_puts(b, ",\"graph\":null}");
    sb_printf(b, h->page > 0 ? ",\"page\":%lld" : ",\"page\":null", (long long)h->page);
    sb_puts(b, ",\"section\":");
    sb_json(b, h->section[0] ? h->section : NULL);
    sb_puts(b, ",\"updated_at\":");
    sb_json(b, h->updated_at);
    if (explain)
        put_explain(b, &item->found);
    sb_putc(b, '}');
}

static void put_leg(struct sb *b, enum leg leg, const struct search_leg *l, bool explain)
{
    sb_puts(b, "{\"name\":");
    sb_json(b, leg_name(leg));
    sb_puts(b, ",\"state\":");
    sb_json(b, leg_state_name(l->state));
    sb_printf(b, ",\"ms\":%.1f,\"note\":", l->ms);
    sb_json(b, l->note);
    if (explain && l->plan) {
        sb_printf(b, ",\"exact\":%s,\"plan\":", l->exact ? "true" : "false");
        sb_json(b, l->plan);
    }
    sb_putc(b, '}');
}

static void put_answer(struct sb *b, const struct search_query *q, const struct search_answer *answer)
{
    sb_puts(b, "{\"items\":[");
    for (size_t i = 0; i < answer->n; i++) {
        if (i > 0)
            sb_putc(b, ',');
        put_item(b, &answer->items[i], q->explain);
    }
    sb_printf(b, "],\"total\":%zu,\"next_cursor\":", answer->total);
    sb_json(b, answer->next_cursor);
    if (answer->facets) {
        sb_puts(b, ",\"facets\":");
        sb_puts(b, answer->facets);
    }
    sb_puts(b, ",\"mode\":");
    sb_json(b, search_mode_name(q->mode));
    sb_puts(b, ",\"legs\":[");
    for (unsigned i = 0; i < LEG_COUNT; i++) {
        if (i > 0)
            sb_putc(b, ',');
        put_leg(b, (enum leg)i, &answer->legs[i], q->explain);
    }
    sb_printf(b, "],\"took_ms\":%.1f}", answer->took_ms);
}

/* Whether it found anything, by mode. */
static void count_search(enum search_mode mode, bool found)
{
    static const enum metric rows[][2] = {
        [SEARCH_HYBRID] = { METRIC_SEARCHES_HYBRID_NONE, METRIC_SEARCHES_HYBRID_OK },
        [SEARCH_KEYWORD] = { METRIC_SEARCHES_KEYWORD_NONE, METRIC_SEARCHES_KEYWORD_OK },
        [SEARCH_SEMANTIC] = { METRIC_SEARCHES_SEMANTIC_NONE, METRIC_SEARCHES_SEMANTIC_OK },
    };

    metric_add(rows[mode][found], 1);
}

static int answer_query(struct request *req, const struct search_query *q)
{
    const struct settings *s = api_of(req)->settings;
    struct search_limits   limits = { s->search_exact_rows, (unsigned)s->search_leg_timeout };
    struct search_answer   answer;
    struct sb              b = SB(&req->arena);

    if (search_run(&req->arena, api_db(req), api_of(req)->embedder, &limits, api_scope(req), q, &answer, &req->err) < 0)
        return -1;
    for (unsigned i = 0; i < LEG_COUNT; i++)
        if (answer.legs[i].state == LEG_FAILED)
            log_at(LOG_WARNING, "search: the %s leg failed: %s", leg_name((enum leg)i), answer.legs[i].err.detail);
    count_search(q->mode, answer.total > 0);
    put_answer(&b, q, &answer);
    if (req->arena.failed)
        return error_set(&req->err, ERR_TOO_LARGE, "no room for the answer of a search");
    response_json(req, 200, sb_str(&b));
    return 0;
}

int search_post(struct request *req)
{
    const struct settings *s = api_of(req)->settings;
    struct search_query    q = { 0 };
    struct json_fields     f;

    json_fields_begin(&f, &req->arena, req->json);
    q.text = json_text(&f, "query", /* required= */ true, (size_t)s->search_query_max, "");
    const char *mode = json_text(&f, "mode", /* required= */ false, 16, "hybrid");
    if (search_mode_parse(mode, &q.mode) < 0)
        json_fields_note(&f, "mode", "must be hybrid, keyword or semantic");
    q.filter = read_filter(&f, json_member(&f, "filters", 'o'));
    q.limit = (unsigned)json_u64(&f, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT);
    q.cursor = json_text(&f, "cursor", /* required= */ false, CURSOR_MAX, NULL);
    q.highlight = json_bool(&f, "highlight", true);
    q.facets = json_bool(&f, "facets", false);
    q.explain = json_bool(&f, "explain", false);
    q.sees_few = req->who.sees_few;
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    return answer_query(req, &q);
}

int search_get(struct request *req)
{
    const char         *text = request_param(req, "q"), *mode = request_param(req, "mode");
    struct search_query q = {
        .text = text ? text : "",
        .filter = "{}",
        .limit = (unsigned)request_param_u64(req, "limit", LIMIT_DEFAULT),
        .cursor = request_param(req, "cursor"),
        .highlight = true,
        .sees_few = req->who.sees_few,
    };

    if (search_mode_parse(mode ? mode : "hybrid", &q.mode) < 0)
        return error_say(&req->err, ERR_VALIDATION, "mode", "must be hybrid, keyword or semantic");
    return answer_query(req, &q);
}
