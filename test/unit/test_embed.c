/* The encoder with the real model against the reference's vectors, its kernels against the C library, and the http provider against a
   server of the test's own. */
#include "embed_test.h"
#include "fake_server.h"

#include "base/json.h"
#include "embed/bert.h"
#include "embed/embedder.h"
#include "embed/kernels.h"

#include <fcntl.h>
#include <math.h>

enum { DIMS = 384 };

static struct embedder *open_model(struct arena *a, unsigned threads, enum embed_precision precision)
{
    struct error     err = { 0 };
    struct embedder *e = embedder_open_local(model_dir(a), threads, precision, &err);

    if (!e)
        fail_msg("%s (%s)", error_text(&err), err.detail);
    return e;
}

static void embed(struct embedder *e, enum embed_priority p, const struct str *texts, size_t n, float *ret)
{
    struct error err = { 0 };

    if (embedder_run(e, p, texts, n, ret, &err) < 0)
        fail_msg("%s (%s)", error_text(&err), err.detail);
}

static double dot(const float *a, const float *b)
{
    double s = 0;

    for (size_t i = 0; i < DIMS; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

static void near(double got, double wanted, double by)
{
    if (!(fabs(got - wanted) <= by))
        fail_msg("%.9f, wanted %.9f within %g", got, wanted, by);
}

static void sentences_are_as_near_as_published(void **state)
{
    static const struct str texts[] = { { "That is a happy person", 22 },
                                        { "That is a happy dog", 19 },
                                        { "That is a very happy person", 27 },
                                        { "Today is a sunny day", 20 } };
    static const double     wanted[] = { 1, .69458, .94291, .25688 };
    struct arena            a = ARENA(1 << 20);
    struct embedder        *e = open_model(&a, 1, EMBED_FP32);
    float                   v[4 * DIMS];

    (void)state;
    assert_string_equal(embedder_model(e), "all-MiniLM-L6-v2");
    assert_int_equal(embedder_dims(e), DIMS);
    for (enum embed_priority p = EMBED_QUERY; p <= EMBED_INGEST; p++) {
        embed(e, p, texts, 4, v);
        for (size_t i = 0; i < 4; i++) {
            near(dot(v, v + i * DIMS), wanted[i], 1e-5);
            near(dot(v + i * DIMS, v + i * DIMS), 1, 1e-6);
        }
    }
    embedder_close(e);
    arena_free(&a);
}

/* What stands in golden.json; a row with "words" is its text over and over up to that many words. */
static struct str golden_text(struct arena *a, const json_t *row)
{
    struct str once = str_of(jv_text(row, "text", ""));
    int64_t    words = jv_int(row, "words", 0), per_text = 1;
    struct sb  b = SB(a);

    if (words == 0)
        return once;
    for (size_t i = 0; i < once.n; i++)
        per_text += once.p[i] == ' ';
    for (int64_t i = 0; i < words; i += per_text) {
        sb_put(&b, once);
        sb_putc(&b, ' ');
    }
    return sb_str(&b);
}

/* The cosine of each golden text with the reference is 1 within `by`. */
static void compare_with_the_reference(enum embed_precision precision, double by)
{
    struct arena     a = ARENA(64 << 20);
    struct error     err = { 0 };
    struct embedder *e = open_model(&a, 2, precision);
    struct str       file, texts[64], wanted[64];
    const char      *source = getenv("DMS_SOURCE_DIR");
    double           worst = 0;

    assert_int_equal(
        file_read(&a, path_join(&a, source ? source : ".", "test/embed/golden.json"), 1 << 20, &file, &err), 1);
    const json_t *rows = json_read(&a, file, 4, 1000, &err);
    size_t        n = jv_count(rows);
    assert_in_range(n, 20, ARRAY_LEN(texts));
    for (size_t i = 0; i < n; i++) {
        texts[i] = golden_text(&a, jv_at(rows, i));
        assert_true(base64url_decode(&a, str_of(jv_text(jv_at(rows, i), "vector", "")), &wanted[i]));
        assert_int_equal(wanted[i].n, DIMS * sizeof(float));
    }
    float *v = arena_alloc_array(&a, n * DIMS, sizeof *v), reference[DIMS];
    embed(e, EMBED_INGEST, texts, n, v);
    for (size_t i = 0; i < n; i++) {
        memcpy(reference, wanted[i].p, sizeof reference);
        worst = fmax(worst, 1 - dot(v + i * DIMS, reference));
    }
    print_message("1 - least cosine: %.2g\n", worst);
    near(worst, 0, by);
    embedder_close(e);
    arena_free(&a);
}

static void texts_of_all_kinds_equal_the_reference(void **state)
{
    (void)state;
    compare_with_the_reference(EMBED_FP32, 1e-6); /* the promise is 1e-5 */
}

static void bfloat16_is_near_the_reference(void **state)
{
    (void)state;
    print_message("%s\n", kernels_bf16() ? kernels_bf16()->name : "this processor has no tiles: in float");
    compare_with_the_reference(EMBED_BF16, 1e-4);
}

/* n texts of 0 to 300 words, the same at each run. */
static struct str *mixed_texts(struct arena *a, size_t n)
{
    static const char *const words[] = { "contract", "supplier", "renewal",       "invoice",     "audit",
                                         "payment",  "heat",     "\u00c9t\u00e9", "\u6771\u4eac" };
    struct str              *ret = arena_alloc_array(a, n, sizeof *ret);
    unsigned                 seed = 7;

    for (size_t i = 0; i < n; i++) {
        struct sb b = SB(a);

        for (size_t w = 0; w < i * 37 % 300; w++) {
            seed = seed * 1103515245u + 12345u;
            sb_puts(&b, words[(seed >> 16) % ARRAY_LEN(words)]);
            sb_putc(&b, ' ');
        }
        ret[i] = sb_str(&b);
    }
    return ret;
}

static void a_batch_gives_what_each_text_gives_alone(void **state)
{
    enum { N = 60 };
    struct arena     a = ARENA(8 << 20);
    struct embedder *e = open_model(&a, 2, EMBED_FP32);
    struct str      *texts = mixed_texts(&a, N);
    float           *together = arena_alloc_array(&a, N * DIMS, sizeof(float)), alone[DIMS];

    (void)state;
    embed(e, EMBED_INGEST, texts, N, together);
    for (size_t i = 0; i < N; i++) {
        embed(e, EMBED_QUERY, &texts[i], 1, alone);
        for (size_t d = 0; d < DIMS; d++)
            near((double)alone[d], (double)together[i * DIMS + d], 2e-6);
    }
    embedder_close(e);
    arena_free(&a);
}

struct caller {
    struct embedder    *e;
    const struct str   *texts;
    const float        *wanted;
    size_t              n;
    enum embed_priority priority;
    double              worst;
    pthread_t           thread;
};

static void *call(void *arg)
{
    struct caller *c = arg;
    struct error   err = { 0 };
    float          v[8 * DIMS];

    for (size_t i = 0; i + 8 <= c->n; i += 4) {
        if (embedder_run(c->e, c->priority, c->texts + i, 8, v, &err) < 0)
            c->worst = 1;
        for (size_t d = 0; d < 8 * DIMS; d++)
            c->worst = fmax(c->worst, fabs((double)v[d] - (double)c->wanted[i * DIMS + d]));
    }
    return NULL;
}

static void many_threads_may_ask_at_once(void **state)
{
    enum { N = 40, CALLERS = 8 };
    struct arena     a = ARENA(8 << 20);
    struct embedder *e = open_model(&a, 2, EMBED_FP32);
    struct str      *texts = mixed_texts(&a, N);
    float           *wanted = arena_alloc_array(&a, N * DIMS, sizeof(float));
    struct caller    callers[CALLERS];

    (void)state;
    for (size_t i = 0; i < N; i++) /* shorter, so that the test is quick */
        texts[i].n = texts[i].n < 60 ? texts[i].n : utf8_head(texts[i], 60).n;
    embed(e, EMBED_INGEST, texts, N, wanted);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ e, texts, wanted, N, i % 4 == 0 ? EMBED_INGEST : EMBED_QUERY, 0, 0 };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        near(callers[i].worst, 0, 2e-6);
    }
    embedder_close(e);
    arena_free(&a);
}

static void tokens_are_counted_without_the_special_ones(void **state)
{
    struct arena     a = ARENA(1 << 20);
    struct embedder *e = open_model(&a, 1, EMBED_FP32);

    (void)state;
    assert_int_equal(embedder_count_tokens(e, S("hello world")), 2);
    assert_int_equal(embedder_count_tokens(e, S("")), 0);
    assert_int_equal(embedder_count_tokens(e, S("unaffable, really")), 5);
    embedder_close(e);
    arena_free(&a);
}

static void an_absent_model_is_unavailable_and_says_how_to_add_it(void **state)
{
    struct error err = { 0 };

    (void)state;
    assert_null(embedder_open_local("/nonexistent", 1, EMBED_FP32, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(error_text(&err), "script/model"));
}

/* The real files with one changed, in a folder of their own. */
static enum err open_with(struct arena *a, const char *vocabulary, int (*change)(int fd), char *ret_detail, size_t max)
{
    struct error     err = { 0 };
    const char      *model = model_dir(a), *dir = make_dir(a), *weights = path_join(a, dir, "model.safetensors");
    struct embedder *e;
    float            v[DIMS];

    if (vocabulary)
        assert_int_equal(file_write(path_join(a, dir, "vocab.txt"), str_of(vocabulary), 0600, &err), 0);
    else
        assert_int_equal(symlink(path_join(a, model, "vocab.txt"), path_join(a, dir, "vocab.txt")), 0);
    if (change) {
        struct arena file = ARENA(100 << 20);
        struct str   bytes;

        assert_int_equal(file_read(&file, path_join(a, model, "model.safetensors"), 100 << 20, &bytes, &err), 1);
        assert_int_equal(file_write(weights, bytes, 0600, &err), 0);
        arena_free(&file);
        int fd = open(weights, O_RDWR);
        assert_int_equal(change(fd), 0);
        close(fd);
    } else
        assert_int_equal(symlink(path_join(a, model, "model.safetensors"), weights), 0);
    e = embedder_open_local(dir, 1, EMBED_FP32, &err);
    if (e && embedder_run(e, EMBED_QUERY, &S("hello"), 1, v, &err) == 0)
        err.code = ERR_NONE;
    snprintf(ret_detail, max, "%s", err.detail);
    embedder_close(e);
    remove_dir(dir);
    return err.code;
}

static int cut_end(int fd)
{
    return ftruncate(fd, lseek(fd, 0, SEEK_END) - 4);
}

/* The name of a tensor, in the header. */
static int rename_tensor(int fd)
{
    char    head[16384], *at;
    ssize_t n = pread(fd, head, sizeof head, 0);

    at = memmem(head, (size_t)n, "embeddings.LayerNorm.bias", 25);
    return at && pwrite(fd, "X", 1, at - head) == 1 ? 0 : -1;
}

/* All numbers become zero (a hole in the file). */
static int zero_weights(int fd)
{
    uint64_t header;

    if (pread(fd, &header, sizeof header, 0) != sizeof header)
        return -1;
    off_t size = lseek(fd, 0, SEEK_END), keep = (off_t)header + 8;
    return ftruncate(fd, keep) == 0 ? ftruncate(fd, size) : -1;
}

/* All numbers become not-a-number. */
static int ruin_weights(int fd)
{
    static char ones[1 << 20];
    off_t       size = lseek(fd, 0, SEEK_END);

    memset(ones, 0xff, sizeof ones);
    for (off_t at = 16384; at < size; at += (off_t)sizeof ones)
        if (pwrite(fd, ones, (size_t)(size - at < (off_t)sizeof ones ? size - at : (off_t)sizeof ones), at) < 0)
            return -1;
    return 0;
}

static void a_damaged_model_is_refused(void **state)
{
    struct arena a = ARENA(1 << 20);
    char         why[256];

    (void)state;
    assert_int_equal(open_with(&a, NULL, NULL, why, sizeof why), ERR_NONE);
    assert_int_equal(open_with(&a, "[PAD]\n", NULL, why, sizeof why), ERR_INTERNAL);
    assert_int_equal(open_with(&a, NULL, cut_end, why, sizeof why), ERR_INTERNAL);
    assert_non_null(strstr(why, "outside the data"));
    assert_int_equal(open_with(&a, NULL, rename_tensor, why, sizeof why), ERR_INTERNAL);
    assert_non_null(strstr(why, "embeddings.LayerNorm.bias\" is not there"));
    assert_int_equal(open_with(&a, NULL, zero_weights, why, sizeof why), ERR_INTERNAL);
    assert_non_null(strstr(why, "without length"));
    assert_int_equal(open_with(&a, NULL, ruin_weights, why, sizeof why), ERR_INTERNAL);
    assert_non_null(strstr(why, "without length"));
    arena_free(&a);
}

/* --- kernels: each build that this processor can run, against the C library in double --------------------------------------------- */

enum { TOKENS = 300, DEEP = 1536 };

/* Feature f of token t, as kernels.h says it. */
static float *number(const struct kernels *k, float *p, size_t features, size_t t, size_t f)
{
    return p + (t / k->panel * features + f) * k->panel + t % k->panel;
}

/* Room for so many tokens, each number of which is `fill`. */
static float *rows(const struct kernels *k, struct arena *a, size_t tokens, size_t features, float fill)
{
    size_t n = ((tokens + k->panel - 1) / k->panel * k->panel) * features + KERNEL_BEHIND;
    float *ret = arena_alloc_array(a, n, sizeof *ret);

    assert_non_null(ret);
    for (size_t i = 0; i < n; i++)
        ret[i] = fill;
    return ret;
}

/* A number from -11 to 11 that two numbers decide. */
static float mixed(size_t a, size_t b)
{
    return (float)(((a * 7919 + b * 104729 + a * b * 31) >> 3) % 23) - 11;
}

static void gelu_is_the_exact_one(const struct kernels *k, struct arena *a)
{
    float          weight[12 * DIMS] = { 0 }, bias[12] = { 0.25f };
    float         *x = rows(k, a, k->panel, DIMS, 0), *y = rows(k, a, k->panel, 12, 0);
    struct product p = { .weight = weight, .bias = bias, .in = DIMS, .out = 12, .then = PRODUCT_GELU };

    weight[0] = 1;
    for (size_t step = 0; step < 18000; step += k->panel) {
        for (size_t t = 0; t < k->panel; t++)
            x[t] = (float)(-9 + 0.001 * (double)(step + t)) - 0.25f;
        k->multiply(&p, x, k->panel, y, 12);
        for (size_t t = 0; t < k->panel; t++) {
            double v = (double)(x[t] + 0.25f);

            near((double)y[t], 0.5 * v * erfc(-v / sqrt(2)), 1.2e-6);
        }
    }
}

/* NULL: these kernels read the weights as they are. */
static const uint16_t *packed(const struct kernels *k, struct arena *a, const struct product *p)
{
    char *room = k->pack ? arena_alloc(a, p->in * p->out * sizeof *p->packed + 64) : NULL;

    if (!room)
        return NULL;
    uint16_t *ret = (void *)(room + (64 - (uintptr_t)room % 64) % 64);
    k->pack(p, ret);
    return ret;
}

static double wanted_product(const struct product *p, const struct kernels *k, float *x, size_t t, size_t o)
{
    double sum = (double)p->bias[o];

    for (size_t i = 0; i < p->in; i++)
        sum += (double)p->weight[o * p->in + i] * (double)*number(k, x, p->in, t, i);
    return sum;
}

/* Of whole numbers, so that sums are exact, also those of bfloat16: each output, and nothing beside them. */
static void products_are_right(const struct kernels *k, struct arena *a, size_t in, size_t tokens)
{
    enum { OUT = 96, BEFORE = 5, ALL = 112 };
    float         *x = rows(k, a, tokens, in, 0), *y = rows(k, a, tokens, ALL, -1), bias[OUT];
    float         *weight = arena_alloc_array(a, OUT * in, sizeof *weight);
    struct product p = { .weight = weight, .bias = bias, .in = in, .out = OUT, .then = PRODUCT_ONLY };

    for (size_t i = 0; i < OUT * in; i++)
        weight[i] = mixed(i / in, i % in);
    for (size_t o = 0; o < OUT; o++)
        bias[o] = (float)o;
    p.packed = packed(k, a, &p);
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < in; i++)
            *number(k, x, in, t, i) = mixed(t + 3, i);
    k->multiply(&p, x, tokens, y + BEFORE * k->panel, ALL);
    p.then = PRODUCT_ADD;
    k->multiply(&p, x, tokens, y + BEFORE * k->panel, ALL);
    for (size_t t = 0; t < tokens; t++)
        for (size_t f = 0; f < ALL; f++) {
            bool inside = f >= BEFORE && f < BEFORE + OUT;

            near((double)*number(k, y, ALL, t, f), inside ? 2 * wanted_product(&p, k, x, t, f - BEFORE) : -1, 0);
        }
}

static void norm_has_mean_zero_and_variance_one(const struct kernels *k, struct arena *a, size_t tokens)
{
    float *x = rows(k, a, tokens, DIMS, 0), gain[DIMS], shift[DIMS];
    double mean[TOKENS] = { 0 }, variance[TOKENS] = { 0 };

    for (size_t i = 0; i < DIMS; i++) {
        gain[i] = 1 + (float)(i % 3);
        shift[i] = (float)(i % 5);
    }
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < DIMS; i++)
            mean[t] += (double)(*number(k, x, DIMS, t, i) = mixed(t, i)) / (double)DIMS;
        for (size_t i = 0; i < DIMS; i++)
            variance[t] += pow((double)mixed(t, i) - mean[t], 2) / (double)DIMS;
    }
    k->norm(x, tokens, DIMS, gain, shift);
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < DIMS; i++)
            near((double)*number(k, x, DIMS, t, i),
                 ((double)mixed(t, i) - mean[t]) / sqrt(variance[t]) * (double)gain[i] + (double)shift[i], 3e-6);
}

/* The context of one token and head, a key at a time. */
static void wanted_context(const struct kernels *k, float *qkv, size_t first, size_t n, size_t t, size_t head,
                           double *ret)
{
    double total = 0;

    memset(ret, 0, KERNEL_HEAD * sizeof *ret);
    for (size_t j = first; j < first + n; j++) {
        double score = 0;

        for (size_t f = 0; f < KERNEL_HEAD; f++)
            score +=
                (double)*number(k, qkv, 3 * DIMS, t, head + f) * (double)*number(k, qkv, 3 * DIMS, j, DIMS + head + f);
        score = exp(score / sqrt(KERNEL_HEAD));
        total += score;
        for (size_t f = 0; f < KERNEL_HEAD; f++)
            ret[f] += score * (double)*number(k, qkv, 3 * DIMS, j, 2 * DIMS + head + f);
    }
    for (size_t f = 0; f < KERNEL_HEAD; f++)
        ret[f] /= total;
}

static void attention_is_of_the_sequence_alone(const struct kernels *k, struct arena *a, size_t first, size_t n)
{
    float *qkv = rows(k, a, TOKENS, 3 * DIMS, 0), *context = rows(k, a, TOKENS, DIMS, -1);
    float *scores = rows(k, a, KERNEL_KEYS + KERNEL_BEHIND, k->panel, 0);
    double wanted[KERNEL_HEAD];

    for (size_t t = 0; t < TOKENS; t++)
        for (size_t i = 0; i < 3 * DIMS; i++)
            *number(k, qkv, 3 * DIMS, t, i) = mixed(t, i) * 0.1f;
    k->attend(qkv, DIMS, first, n, scores, context);
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t head = 0; head < DIMS; head += KERNEL_HEAD) {
            bool inside = t >= first && t < first + n;

            if (inside)
                wanted_context(k, qkv, first, n, t, head, wanted);
            for (size_t f = 0; f < KERNEL_HEAD; f++)
                near((double)*number(k, context, DIMS, t, head + f), inside ? wanted[f] : -1, 1e-6);
        }
}

static void kernels_are_exact(const struct kernels *k, struct arena *a)
{
    static const size_t tokens[] = { 1, 7, 16, 17, 32, 47, 49 };
    static const size_t sequences[][2] = { { 0, 1 },   { 0, 16 },  { 5, 11 },  { 31, 2 },
                                           { 37, 59 }, { 16, 80 }, { 44, 256 } };

    print_message("%s\n", k->name);
    gelu_is_the_exact_one(k, a);
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        products_are_right(k, a, DIMS, tokens[i]);
        products_are_right(k, a, DEEP, tokens[i]);
        norm_has_mean_zero_and_variance_one(k, a, tokens[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
        attention_is_of_the_sequence_alone(k, a, sequences[i][0], sequences[i][1]);
}

static void every_build_of_the_kernels_is_exact(void **state)
{
    struct arena a = ARENA(512 << 20);
    size_t       n = 0;

    (void)state;
    for (const struct kernels *k; (k = kernels_at(n)); n++)
        kernels_are_exact(k, &a);
    assert_true(n >= 1);
    assert_ptr_equal(kernels_best(), kernels_at(0));
    if (kernels_bf16())
        kernels_are_exact(kernels_bf16(), &a);
    arena_free(&a);
}

/* --- the provider http -------------------------------------------------------------------------------------------------------------- */

enum mode { SHUFFLED, BASE64, BUSY_ONCE, BROKEN_ONCE, DENIED, FEW, LONG, TWICE, NO_NUMBER, ZERO, NO_JSON, ALWAYS_BUSY };

struct service {
    enum mode mode;
    unsigned  asked;
    char      request[8192];
};

/* The number of inputs of a request. */
static size_t count_inputs(struct arena *a, struct str request)
{
    struct error err = { 0 };
    const char  *body = memmem(request.p, request.n, "\r\n\r\n", 4);

    return jv_count(jv_get(json_read(a, str_of(body + 4), 4, 100, &err), "input"));
}

/* Text i gets the vector (i, 1, 0, 0), not yet of length 1. */
static struct str vectors(struct arena *a, enum mode mode, size_t n)
{
    struct sb b = SB(a);

    sb_puts(&b, "{\"object\":\"list\",\"data\":[");
    for (size_t at = 0; at < n - (mode == FEW); at++) {
        size_t i = mode == SHUFFLED ? n - 1 - at : at;
        float  v[4] = { (float)i, 1, 0, 0 };
        char   text[32];

        sb_printf(&b, "%s{\"index\":%zu,\"embedding\":", at > 0 ? "," : "", mode == TWICE ? 0 : i);
        base64url_encode(text, v, sizeof v);
        if (mode == BASE64)
            sb_printf(&b, "\"%s==\"}", text);
        else
            sb_printf(&b, "[%zu,%s,0,%s]}", i,
                      mode == NO_NUMBER ? "null"
                      : mode == ZERO    ? "0.0"
                                        : "1.0e0",
                      mode == LONG ? "0,0" : "0");
    }
    sb_puts(&b, "]}");
    return sb_str(&b);
}

static struct str serve(void *arg, struct arena *a, struct str request)
{
    struct service *s = arg;

    snprintf(s->request, sizeof s->request, "%.*s", (int)(request.n < 8000 ? request.n : 8000), request.p);
    s->asked++;
    if (s->mode == ALWAYS_BUSY || (s->mode == BUSY_ONCE && s->asked == 1))
        return fake_answer(a, "429 Too Many Requests",
                           s->mode == BUSY_ONCE ? "Retry-After: 1\r\n" : "Retry-After: 60\r\n", S("{}"));
    if (s->mode == BROKEN_ONCE && s->asked == 1)
        return fake_answer(a, "502 Bad Gateway", "", S("sorry"));
    if (s->mode == DENIED)
        return fake_answer(a, "401 Unauthorized", "", S("{}"));
    if (s->mode == NO_JSON)
        return fake_answer(a, "200 OK", "", S("<html>"));
    return fake_answer(a, "200 OK", "Content-Type: application/json\r\n",
                       vectors(a, s->mode, count_inputs(a, request)));
}

/* Asks for n texts; the vectors are checked when it succeeds. */
static enum err ask(enum mode mode, size_t n, struct service *s)
{
    struct arena       a = ARENA(4 << 20);
    struct error       err = { 0 };
    struct fake_server server = { .answer = serve, .arg = s };
    char               url[64];
    struct str        *texts = arena_alloc_array(&a, n, sizeof *texts);
    float             *v = arena_alloc_array(&a, n * 4, sizeof *v);

    *s = (struct service){ .mode = mode };
    fake_start(&server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/", server.port);
    struct embedder *e = embedder_open_http(url, "k\"ey", "m\"1", 4, 3000, &err);
    assert_non_null(e);
    assert_string_equal(embedder_model(e), "m\"1");
    assert_int_equal(embedder_dims(e), 4);
    for (size_t i = 0; i < n; i++)
        texts[i] = i % 2 == 0 ? S("a \"text\"\n") : S("");
    int done = embedder_run(e, EMBED_INGEST, texts, n, v, &err);
    for (size_t i = 0; done == 0 && i < n; i++) {
        double x = (double)(i % 64), length = sqrt(x * x + 1); /* a batch has 64 */

        near((double)v[i * 4], x / length, 1e-6);
        near((double)v[i * 4 + 1], 1 / length, 1e-6);
    }
    embedder_close(e);
    fake_stop(&server);
    arena_free(&a);
    return done == 0 ? ERR_NONE : err.code;
}

static void a_service_is_asked_in_batches_and_answers_in_any_order(void **state)
{
    struct service s;

    (void)state;
    assert_int_equal(ask(SHUFFLED, 3, &s), ERR_NONE);
    assert_int_equal(strncmp(s.request, "POST /v1/embeddings HTTP/1.1\r\n", 30), 0);
    assert_non_null(strstr(s.request, "Authorization: Bearer k\"ey\r\n"));
    assert_non_null(strstr(s.request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(
        s.request, "{\"model\":\"m\\\"1\",\"encoding_format\":\"float\",\"input\":[\"a \\\"text\\\"\\n\",\" \",\"a "));
    assert_int_equal(ask(SHUFFLED, 150, &s), ERR_NONE);
    assert_int_equal(s.asked, 3);
    assert_int_equal(ask(BASE64, 3, &s), ERR_NONE);
}

static void a_busy_service_is_asked_again(void **state)
{
    struct service s;

    (void)state;
    assert_int_equal(ask(BUSY_ONCE, 1, &s), ERR_NONE);
    assert_int_equal(s.asked, 2);
    assert_int_equal(ask(BROKEN_ONCE, 1, &s), ERR_NONE);
    assert_int_equal(s.asked, 2);
    assert_int_equal(ask(ALWAYS_BUSY, 1, &s), ERR_UNAVAILABLE); /* longer than the time of the call */
    assert_int_equal(s.asked, 1);
    assert_int_equal(ask(DENIED, 1, &s), ERR_UNAVAILABLE);
    assert_int_equal(s.asked, 1);
}

static void wrong_answers_of_a_service_are_refused(void **state)
{
    struct service s;

    (void)state;
    assert_int_equal(ask(FEW, 2, &s), ERR_UNAVAILABLE);
    assert_int_equal(ask(LONG, 2, &s), ERR_UNAVAILABLE);
    assert_int_equal(ask(TWICE, 2, &s), ERR_UNAVAILABLE);
    assert_int_equal(ask(NO_JSON, 2, &s), ERR_UNAVAILABLE);
    assert_int_equal(ask(NO_NUMBER, 2, &s), ERR_INTERNAL);
    assert_int_equal(ask(ZERO, 1, &s), ERR_INTERNAL);
}

static void tokens_of_a_service_are_estimated(void **state)
{
    struct error     err = { 0 };
    struct embedder *e = embedder_open_http("http://127.0.0.1:1/v1", NULL, "m", 4, 100, &err);
    float            v[4];

    (void)state;
    assert_int_equal(embedder_count_tokens(e, S("")), 0);
    assert_int_equal(embedder_count_tokens(e, S("four word text")), 4);
    assert_int_equal(embedder_count_tokens(e, S("\u6771\u4eac")), 2);
    assert_int_equal(embedder_run(e, EMBED_QUERY, &S("x"), 1, v, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    embedder_close(e);
    err = (struct error){ 0 };
    assert_null(embedder_open_http("http://127.0.0.1:1/v1", NULL, "m", 0, 100, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_build_of_the_kernels_is_exact),
        cmocka_unit_test(sentences_are_as_near_as_published),
        cmocka_unit_test(texts_of_all_kinds_equal_the_reference),
        cmocka_unit_test(bfloat16_is_near_the_reference),
        cmocka_unit_test(a_batch_gives_what_each_text_gives_alone),
        cmocka_unit_test(many_threads_may_ask_at_once),
        cmocka_unit_test(tokens_are_counted_without_the_special_ones),
        cmocka_unit_test(an_absent_model_is_unavailable_and_says_how_to_add_it),
        cmocka_unit_test(a_damaged_model_is_refused),
        cmocka_unit_test(a_service_is_asked_in_batches_and_answers_in_any_order),
        cmocka_unit_test(a_busy_service_is_asked_again),
        cmocka_unit_test(wrong_answers_of_a_service_are_refused),
        cmocka_unit_test(tokens_of_a_service_are_estimated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
