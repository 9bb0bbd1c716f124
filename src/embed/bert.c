/* bert.c - see bert.h. The rows of all sequences of a batch go through each matrix product together; only attention looks at one
   sequence at a time. The only includer of OpenBLAS, which is told to use one thread: who calls decides about threads. */
#include "embed/bert.h"

#include "embed/kernels.h"
#include "embed/safetensors.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    WIDTH = BERT_WIDTH,
    LAYERS = 6,
    HEADS = 12,
    HEAD = WIDTH / HEADS,
    INNER = 1536,
    POSITIONS = 512,
    QKV = 3 * WIDTH,
    PER_TOKEN = WIDTH + INNER + WIDTH, /* floats of scratch */
    NAME = 96,
    FEW_ROWS = 40, /* up to here our own product is faster than the packing one (a query) */
};
static_assert(QKV + WIDTH == INNER, "the attention's output lies behind q, k and v in the room of the inner layer");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are read as they lie in the file");

struct dense {
    const float *weight, *bias; /* [out][in], [out] */
};

struct norm {
    const float *gain, *shift;
};

struct layer {
    struct dense query, key, value, attention, inner, outer;
    struct norm  attention_norm, norm;
};

struct bert {
    struct safetensors   *file;
    const struct kernels *kernels;
    const float          *words, *positions, *types;
    struct norm           norm;
    struct layer          layers[LAYERS];
};

struct bert_scratch {
    size_t max_tokens, bytes;
    float *x, *inner, *context; /* rows of WIDTH, INNER, WIDTH */
    float *scores;              /* one head of one sequence */
};

/* What to find where: the place in struct bert or struct layer, the name in the file, the shape. */
struct weight {
    size_t      at;
    const char *name;
    size_t      rows, columns; /* columns 0: a vector */
};

#define DENSE(member, name, out, in)                                    \
    { offsetof(struct layer, member.weight), name ".weight", out, in }, \
        { offsetof(struct layer, member.bias), name ".bias", out, 0 }
#define NORM(type, member, name) \
    { offsetof(type, member.gain), name ".weight", WIDTH, 0 }, { offsetof(type, member.shift), name ".bias", WIDTH, 0 }

static const struct weight embedding_weights[] = {
    { offsetof(struct bert, words), "embeddings.word_embeddings.weight", BERT_VOCAB, WIDTH },
    { offsetof(struct bert, positions), "embeddings.position_embeddings.weight", POSITIONS, WIDTH },
    { offsetof(struct bert, types), "embeddings.token_type_embeddings.weight", 2, WIDTH },
    NORM(struct bert, norm, "embeddings.LayerNorm"),
};
static const struct weight layer_weights[] = {
    DENSE(query, "attention.self.query", WIDTH, WIDTH),
    DENSE(key, "attention.self.key", WIDTH, WIDTH),
    DENSE(value, "attention.self.value", WIDTH, WIDTH),
    DENSE(attention, "attention.output.dense", WIDTH, WIDTH),
    NORM(struct layer, attention_norm, "attention.output.LayerNorm"),
    DENSE(inner, "intermediate.dense", INNER, WIDTH),
    DENSE(outer, "output.dense", WIDTH, INNER),
    NORM(struct layer, norm, "output.LayerNorm"),
};

/* Fills the members of `owner` (a struct bert or layer) that the rows name. */
static int find_weights(const struct bert *b, void *owner, const char *prefix, const struct weight *w, size_t n,
                        struct error *err)
{
    const char *model = safetensors_has(b->file, "bert.embeddings.word_embeddings.weight") ? "bert." : "";

    for (size_t i = 0; i < n; i++) {
        char         name[NAME];
        size_t       shape[] = { w[i].rows, w[i].columns };
        const float *p;

        snprintf(name, sizeof name, "%s%s%s", model, prefix, w[i].name);
        p = safetensors_f32(b->file, name, shape, w[i].columns > 0 ? 2 : 1, err);
        if (!p)
            return -1;
        memcpy((char *)owner + w[i].at, &p, sizeof p);
    }
    return 0;
}

static int find_all(struct bert *b, struct error *err)
{
    if (find_weights(b, b, "", embedding_weights, ARRAY_LEN(embedding_weights), err) < 0)
        return -1;
    for (unsigned i = 0; i < LAYERS; i++) {
        char prefix[NAME / 2];

        snprintf(prefix, sizeof prefix, "encoder.layer.%u.", i);
        if (find_weights(b, &b->layers[i], prefix, layer_weights, ARRAY_LEN(layer_weights), err) < 0)
            return -1;
    }
    return 0;
}

struct bert *bert_open(const char *path, struct error *err)
{
    struct bert *b = calloc(1, sizeof *b);

    if (!b) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the model");
        return NULL;
    }
    b->kernels = kernels_best();
    b->file = safetensors_open(path, err);
    if (b->file && find_all(b, err) == 0) {
        openblas_set_num_threads(1);
        return b;
    }
    bert_close(b);
    return NULL;
}

void bert_close(struct bert *b)
{
    if (!b)
        return;
    safetensors_close(b->file);
    free(b);
}

struct bert_scratch *bert_scratch_open(size_t max_tokens, struct error *err)
{
    struct bert_scratch *s = calloc(1, sizeof *s);
    size_t               scores = (size_t)BERT_MAX_TOKENS * BERT_MAX_TOKENS;

    assert(max_tokens >= BERT_MAX_TOKENS && max_tokens <= 1 << 20);
    if (!s)
        goto fail;
    s->max_tokens = max_tokens;
    s->bytes = (max_tokens * PER_TOKEN + scores) * sizeof(float);
    void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0); /* not touched, so not yet there */
    if (p == MAP_FAILED)
        goto fail;
    s->scores = p;
    s->x = s->scores + scores;
    s->inner = s->x + max_tokens * WIDTH;
    s->context = s->inner + max_tokens * INNER;
    return s;
fail:
    error_set(err, ERR_UNAVAILABLE, "no memory for embedding %zu tokens", max_tokens);
    free(s);
    return NULL;
}

void bert_scratch_close(struct bert_scratch *s)
{
    if (!s)
        return;
    munmap(s->scores, s->bytes);
    free(s);
}

/* y[rows][out] = x[rows][in] times the transposed weight[out][in]; the rows of y lie `stride` apart. */
static void multiply(const struct bert *b, const float *x, size_t rows, size_t in, const float *weight, size_t out,
                     float *y, size_t stride)
{
    if (rows <= FEW_ROWS) {
        b->kernels->multiply_few(x, rows, in, weight, out, y, stride);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)out, (int)in, 1.0f, x, (int)in, weight,
                (int)in, 0.0f, y, (int)stride);
}

static size_t embed(const struct bert *b, struct bert_scratch *s, const struct bert_sequence *sequences, size_t n)
{
    size_t rows = 0;

    for (size_t i = 0; i < n; i++) {
        assert(sequences[i].n > 0 && sequences[i].n <= BERT_MAX_TOKENS && rows + sequences[i].n <= s->max_tokens);
        memcpy(s->context + rows * WIDTH, b->positions, sequences[i].n * WIDTH * sizeof(float));
        for (size_t t = 0; t < sequences[i].n; t++, rows++) {
            assert(sequences[i].ids[t] < BERT_VOCAB);
            memcpy(s->x + rows * WIDTH, b->words + (size_t)sequences[i].ids[t] * WIDTH, WIDTH * sizeof(float));
        }
    }
    b->kernels->add_norm(s->x, s->context, b->types, b->norm.gain, b->norm.shift, rows, WIDTH);
    return rows;
}

/* The attention of one sequence of n tokens: q, k, v side by side in, the context out. */
static void attend(const struct bert *b, float *scores, const float *qkv, size_t n, float *context)
{
    size_t stride = (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    int    tokens = (int)n;

    for (size_t h = 0; h < HEADS; h++) {
        const float *q = qkv + h * HEAD, *k = q + WIDTH, *v = k + WIDTH;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, tokens, tokens, HEAD, 1.0f / sqrtf(HEAD), q, QKV, k, QKV,
                    0.0f, scores, (int)stride);
        b->kernels->softmax(scores, stride, n, n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, tokens, HEAD, tokens, 1.0f, scores, (int)stride, v, QKV,
                    0.0f, context + h * HEAD, WIDTH);
    }
}

static void run_layer(const struct bert *b, const struct layer *l, struct bert_scratch *s, size_t rows,
                      const struct bert_sequence *sequences, size_t n)
{
    const struct dense *qkv[] = { &l->query, &l->key, &l->value };
    float              *attended = s->inner + rows * QKV;

    for (size_t i = 0; i < ARRAY_LEN(qkv); i++) {
        multiply(b, s->x, rows, WIDTH, qkv[i]->weight, WIDTH, s->inner + i * WIDTH, QKV);
        b->kernels->add_bias(s->inner + i * WIDTH, QKV, qkv[i]->bias, rows, WIDTH);
    }
    for (size_t i = 0, row = 0; i < n; row += sequences[i].n, i++)
        attend(b, s->scores, s->inner + row * QKV, sequences[i].n, s->context + row * WIDTH);
    multiply(b, s->context, rows, WIDTH, l->attention.weight, WIDTH, attended, WIDTH);
    b->kernels->add_norm(s->x, attended, l->attention.bias, l->attention_norm.gain, l->attention_norm.shift, rows,
                         WIDTH);

    multiply(b, s->x, rows, WIDTH, l->inner.weight, INNER, s->inner, INNER);
    b->kernels->bias_gelu(s->inner, l->inner.bias, rows, INNER);
    multiply(b, s->inner, rows, INNER, l->outer.weight, WIDTH, s->context, WIDTH);
    b->kernels->add_norm(s->x, s->context, l->outer.bias, l->norm.gain, l->norm.shift, rows, WIDTH);
}

/* The mean of n rows, made to length 1. */
static void pool(const float *x, size_t n, float *ret)
{
    double sum[WIDTH] = { 0 }, square = 0;

    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < WIDTH; i++)
            sum[i] += (double)x[t * WIDTH + i];
    for (size_t i = 0; i < WIDTH; i++) {
        sum[i] /= (double)n;
        square += sum[i] * sum[i];
    }
    double length = sqrt(square);
    for (size_t i = 0; i < WIDTH; i++)
        ret[i] = (float)(sum[i] / (length > 1e-12 ? length : 1e-12));
}

void bert_run(const struct bert *b, struct bert_scratch *s, const struct bert_sequence *sequences, size_t n)
{
    size_t rows = embed(b, s, sequences, n);

    for (size_t i = 0; i < LAYERS; i++)
        run_layer(b, &b->layers[i], s, rows, sequences, n);
    for (size_t i = 0, row = 0; i < n; row += sequences[i].n, i++)
        pool(s->x + row * WIDTH, sequences[i].n, sequences[i].ret);
}
