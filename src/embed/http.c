/* http.c - vectors from any service that speaks the OpenAI embeddings protocol. Answers are believed in nothing: count, index, length
   and numbers are checked. Texts are sent in batches; 429 and 5xx are tried again within the time of the call. */
#include "embed/provider.h"

#include "base/clock.h"
#include "base/json.h"
#include "net/http_client.h"

#include <stdio.h>

enum {
    MAX_TEXT_BYTES = 8192, /* so at most 8,192 tokens, which the protocol's first server allows */
    MAX_BATCH = 64,
    MAX_BATCH_BYTES = 256 << 10,
    MAX_DIMS = 8192,
    NUMBER_BYTES = 32, /* of JSON a number */
    MAX_TRIES = 4,
    FIRST_WAIT_MS = 250,
    MAX_RETRY_AFTER = 60, /* s */
    MAX_SETTINGS_BYTES = 16384,
};

struct remote {
    struct embedder    embedder;
    struct arena       arena; /* the settings; not used after opening */
    struct net_client *client;
    const char        *url, *headers[4];
    unsigned           timeout_ms;
};

static void sb_body(struct sb *b, const struct remote *r, const struct str *texts, size_t n)
{
    sb_puts(b, "{\"model\":");
    sb_json(b, r->embedder.model);
    sb_puts(b, ",\"encoding_format\":\"float\",\"input\":[");
    for (size_t i = 0; i < n; i++) {
        struct str t = utf8_head(texts[i], MAX_TEXT_BYTES);

        if (i > 0)
            sb_putc(b, ',');
        sb_json_str(b, t.n > 0 ? t : S(" ")); /* the empty text is refused by some */
    }
    sb_puts(b, "]}");
}

/* The vector as base64 of little-endian floats, which some servers answer whatever they are asked for. */
static int read_base64(struct arena *a, const char *text, size_t dims, float *ret)
{
    size_t     n = strlen(text);
    char      *url = arena_alloc(a, n + 1);
    struct str bytes;

    while (n > 0 && text[n - 1] == '=')
        n--;
    for (size_t i = 0; url && i < n; i++)
        url[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    if (!url || !base64url_decode(a, (struct str){ url, n }, &bytes) || bytes.n != dims * sizeof(float))
        return -1;
    memcpy(ret, bytes.p, bytes.n);
    return 0;
}

static int read_vector(struct arena *a, const json_t *v, size_t dims, float *ret)
{
    if (jv_string(v))
        return read_base64(a, jv_string(v), dims, ret);
    if (!jv_is_array(v) || jv_count(v) != dims)
        return -1;
    for (size_t i = 0; i < dims; i++)
        ret[i] = (float)jv_number(jv_at(v, i),
                                  (double)__builtin_nanf("")); /* what is no number is found by embedder_normalise */
    return 0;
}

static int read_answer(struct arena *a, const struct remote *r, struct str body, size_t n, float *ret,
                       struct error *err)
{
    struct error  why = { 0 };
    const json_t *v = json_read(a, body, 8, 16 * MAX_BATCH, &why), *data = v ? jv_get(v, "data") : NULL;
    uint64_t      seen = 0;

    if (!jv_is_array(data) || jv_count(data) != n)
        return error_set(err, ERR_UNAVAILABLE, "the embedding service did not answer with %zu vectors", n);
    for (size_t i = 0; i < n; i++) {
        int64_t index = jv_int(jv_at(data, i), "index", (int64_t)i);

        if (index < 0 || index >= (int64_t)n || seen >> index & 1)
            return error_set(err, ERR_UNAVAILABLE, "the embedding service answers with wrong indexes");
        seen |= UINT64_C(1) << index;
        if (read_vector(a, jv_get(jv_at(data, i), "embedding"), r->embedder.dims,
                        ret + (size_t)index * r->embedder.dims)
            < 0)
            return error_set(err, ERR_UNAVAILABLE, "the embedding service does not answer with vectors of %zu numbers",
                             r->embedder.dims);
    }
    return 0;
}
static_assert(MAX_BATCH <= 64, "`seen` has a bit for each");

/* Milliseconds to wait before the next try, or -1: no further one. */
static int64_t next_wait(const struct net_response *answer, unsigned tries, int64_t left_ms)
{
    int64_t wait = FIRST_WAIT_MS << tries;

    if (answer->status != 0 && answer->status != 429 && answer->status < 500)
        return -1;
    if (answer->status != 0)
        wait = net_response_retry_after(answer, 0, MAX_RETRY_AFTER) > 0
                   ? net_response_retry_after(answer, 0, MAX_RETRY_AFTER) * 1000
                   : wait;
    return tries + 1 < MAX_TRIES && wait < left_ms ? wait : -1;
}

/* The answer to one body, 200 or an error. */
static int ask(const struct remote *r, struct str body, size_t max_answer, struct arena *a, struct net_response *ret,
               struct error *err)
{
    int64_t end_us = clock_steady_us() + (int64_t)r->timeout_ms * 1000;

    for (unsigned tries = 0;; tries++) {
        int64_t            left_ms = (end_us - clock_steady_us()) / 1000;
        struct net_request req = {
            .method = "POST", .url = r->url, .headers = r->headers, .body = body, .max_body = max_answer
        };
        struct error why = { 0 };

        req.timeout_ms = left_ms < 1 ? 1 : (unsigned)left_ms;
        *ret = (struct net_response){ 0 };
        int sent = net_run(r->client, &req, a, ret, &why);
        if (sent == 0 && ret->status == 200)
            return 0;
        if (sent < 0 && why.code != ERR_UNAVAILABLE)
            return error_set(err, why.code, "embedding service: %s", why.detail);
        int64_t wait = next_wait(ret, tries, (end_us - clock_steady_us()) / 1000);
        if (wait < 0 && sent < 0)
            return error_set(err, ERR_UNAVAILABLE, "embedding service: %s", why.detail);
        if (wait < 0)
            return error_set(err, ERR_UNAVAILABLE, "the embedding service answers with status %u", ret->status);
        clock_sleep_ms((unsigned)wait);
    }
}

static int run_batch(const struct remote *r, const struct str *texts, size_t n, float *ret, struct error *err)
{
    size_t                             max_answer = n * r->embedder.dims * NUMBER_BYTES + 65536;
    _cleanup_(arena_free) struct arena a =
        ARENA((size_t)8 * MAX_BATCH_BYTES + 16 * max_answer); /* bodies grow by doubling */
    struct sb           body = SB(&a);
    struct net_response answer;

    sb_body(&body, r, texts, n);
    if (a.failed)
        return error_set(err, ERR_UNAVAILABLE, "no memory to ask the embedding service");
    if (ask(r, sb_str(&body), max_answer, &a, &answer, err) < 0)
        return -1;
    return read_answer(&a, r, answer.body, n, ret, err);
}

static int remote_run(struct embedder *e, enum embed_priority priority, const struct str *texts, size_t n, float *ret,
                      struct error *err)
{
    (void)priority; /* the service decides */
    for (size_t at = 0, count; at < n; at += count) {
        size_t bytes = 0;

        for (count = 0; at + count < n && count < MAX_BATCH && bytes + MAX_TEXT_BYTES <= MAX_BATCH_BYTES; count++)
            bytes += texts[at + count].n < MAX_TEXT_BYTES ? texts[at + count].n : MAX_TEXT_BYTES;
        if (run_batch((const struct remote *)e, texts + at, count, ret + at * e->dims, err) < 0)
            return -1;
    }
    return 0;
}

/* Four ASCII bytes or one other code point a token: near enough to cut passages by. */
static size_t remote_count_tokens(const struct embedder *e, struct str text)
{
    size_t quarters = 0;

    (void)e;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];

        quarters += c < 0x80 ? 1 : c >= 0xc0 ? 4 : 0;
    }
    return (quarters + 3) / 4;
}

static void remote_close(struct embedder *e)
{
    struct remote *r = (struct remote *)e;

    net_client_close(r->client);
    arena_free(&r->arena); /* holds the key */
    free(r);
}

static const struct provider remote_provider = { remote_close, remote_count_tokens, remote_run };

static int open_remote(struct remote *r, const char *base_url, const char *api_key, const char *model,
                       struct error *err)
{
    struct str base = str_of(base_url);
    struct sb  url = SB(&r->arena), key = SB(&r->arena);

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    sb_put(&url, base);
    sb_puts(&url, "/embeddings");
    r->url = url.p;
    r->embedder.model = str_dup(&r->arena, str_of(model));
    r->headers[0] = "Content-Type: application/json";
    r->headers[1] = "Accept: application/json";
    if (api_key) {
        sb_printf(&key, "Authorization: Bearer %s", api_key);
        r->headers[2] = key.p;
    }
    if (r->arena.failed)
        return error_set(err, ERR_INTERNAL, "the settings of the embedding service are too long");
    r->client = net_client_open(NULL, err);
    return r->client ? 0 : -1;
}

struct embedder *embedder_open_http(const char *base_url, const char *api_key, const char *model, size_t dims,
                                    unsigned timeout_ms, struct error *err)
{
    if (dims < 1 || dims > MAX_DIMS) {
        error_set(err, ERR_INTERNAL, "the embedding model's vectors must have 1 to %d numbers", MAX_DIMS);
        return NULL;
    }
    struct remote *r = calloc(1, sizeof *r);
    if (!r) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the embedding service");
        return NULL;
    }
    r->embedder = (struct embedder){ &remote_provider, NULL, dims };
    r->arena = ARENA(MAX_SETTINGS_BYTES);
    r->timeout_ms = timeout_ms;
    if (open_remote(r, base_url, api_key, model, err) == 0)
        return &r->embedder;
    remote_close(&r->embedder);
    return NULL;
}
