/* bert.c - see bert.h. The tokens of all sequences of a batch go through each matrix product together, panel by panel (kernels.h); only
   attention looks at one sequence at a time. Knows no threads: who calls decides about them. */
#include "embed/bert.h"

#include "embed/kernels.h"
#include "embed/safetensors.h"

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
    PER_TOKEN = WIDTH + QKV + WIDTH, /* floats of scratch */
    BLOCK = 64,                      /* tokens whose inner layer stays in the second cache; a multiple of every panel */
    NAME = 96,
};
static_assert((int)HEAD == (int)KERNEL_HEAD && (int)BERT_MAX_TOKENS == (int)KERNEL_KEYS
                  && BLOCK % KERNEL_PANEL_MAX == 0,
              "");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are read as they lie in the file");

struct norm {
    const float *gain, *shift;
};

struct layer {
    struct product query, key, value, attention, inner, outer;
    struct norm    attention_norm, norm;
};

struct bert {
    struct safetensors   *file;
    const struct kernels *kernels;
    const float          *words, *positions, *types;
    struct norm           norm;
    struct layer          layers[LAYERS];
    uint16_t             *packed; /* weights of the products as bfloat16, or NULL */
};

struct bert_scratch {
    size_t max_tokens, bytes;
    float *x, *qkv, *context; /* of all tokens, with WIDTH, QKV, WIDTH features */
    float *inner;             /* of a block, with INNER features */
    float *scores;            /* of a panel with one head of one sequence */
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

static void shape(struct product *p, size_t in, size_t out, enum product_step then)
{
    p->in = in;
    p->out = out;
    p->then = then;
}

static void shape_layer(struct layer *l)
{
    shape(&l->query, WIDTH, WIDTH, PRODUCT_ONLY);
    shape(&l->key, WIDTH, WIDTH, PRODUCT_ONLY);
    shape(&l->value, WIDTH, WIDTH, PRODUCT_ONLY);
    shape(&l->attention, WIDTH, WIDTH, PRODUCT_ADD);
    shape(&l->inner, WIDTH, INNER, PRODUCT_GELU);
    shape(&l->outer, INNER, WIDTH, PRODUCT_ADD);
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
        shape_layer(&b->layers[i]);
    }
    return 0;
}

/* The weights of all products once more, as the kernels want them. */
static int pack_all(struct bert *b, struct error *err)
{
    size_t    of_layer = 4 * WIDTH * WIDTH + 2 * WIDTH * INNER;
    uint16_t *to = b->packed = aligned_alloc(64, LAYERS * of_layer * sizeof *to);

    if (!to)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the weights as bfloat16");
    for (struct layer *l = b->layers; l < b->layers + LAYERS; l++) {
        struct product *all[] = { &l->query, &l->key, &l->value, &l->attention, &l->inner, &l->outer };

        for (size_t i = 0; i < ARRAY_LEN(all); to += all[i]->in * all[i]->out, i++) {
            b->kernels->pack(all[i], to);
            all[i]->packed = to;
        }
    }
    return 0;
}

struct bert *bert_open(const char *path, enum embed_precision precision, struct error *err)
{
    struct bert *b = calloc(1, sizeof *b);

    if (!b) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the model");
        return NULL;
    }
    b->kernels = precision == EMBED_BF16 ? kernels_bf16() : NULL;
    if (!b->kernels)
        b->kernels = kernels_best();
    b->file = safetensors_open(path, err);
    if (b->file && find_all(b, err) == 0 && (!b->kernels->pack || pack_all(b, err) == 0))
        return b;
    bert_close(b);
    return NULL;
}

void bert_close(struct bert *b)
{
    if (!b)
        return;
    safetensors_close(b->file);
    free(b->packed);
    free(b);
}

struct bert_scratch *bert_scratch_open(size_t max_tokens, struct error *err)
{
    struct bert_scratch *s = calloc(1, sizeof *s);
    size_t               scores = (size_t)(KERNEL_KEYS + KERNEL_BEHIND) * KERNEL_PANEL_MAX;

    assert(max_tokens >= BERT_MAX_TOKENS && max_tokens <= 1 << 20 && max_tokens % KERNEL_PANEL_MAX == 0);
    if (!s)
        goto fail;
    s->max_tokens = max_tokens;
    s->bytes = (max_tokens * PER_TOKEN + (size_t)BLOCK * INNER + scores) * sizeof(float);
    void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0); /* not touched, so not yet there */
    if (p == MAP_FAILED)
        goto fail;
    s->scores = p;
    s->inner = s->scores + scores;
    s->qkv = s->inner + (size_t)BLOCK * INNER;
    s->context = s->qkv + max_tokens * QKV; /* not the last: KERNEL_BEHIND */
    s->x = s->context + max_tokens * WIDTH;
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

/* Where the numbers of token t begin; they lie a panel apart. */
static float *token_at(const struct bert *b, float *rows, size_t t)
{
    size_t panel = b->kernels->panel;

    return rows + t / panel * panel * WIDTH + t % panel;
}

static size_t embed(const struct bert *b, struct bert_scratch *s, const struct bert_sequence *sequences, size_t n)
{
    size_t tokens = 0;

    for (size_t i = 0; i < n; i++) {
        assert(sequences[i].n > 0 && sequences[i].n <= BERT_MAX_TOKENS && tokens + sequences[i].n <= s->max_tokens);
        for (size_t t = 0; t < sequences[i].n; t++, tokens++) {
            const float *word = b->words + (size_t)sequences[i].ids[t] * WIDTH, *position = b->positions + t * WIDTH;
            float       *x = token_at(b, s->x, tokens);

            assert(sequences[i].ids[t] < BERT_VOCAB);
            for (size_t f = 0; f < WIDTH; f++)
                x[f * b->kernels->panel] = word[f] + position[f] + b->types[f];
        }
    }
    b->kernels->norm(s->x, tokens, WIDTH, b->norm.gain, b->norm.shift);
    return tokens;
}

/* All that a layer does before its tokens look at one another, and all after that, for a block of them. */
static void run_before(const struct bert *b, const struct layer *l, struct bert_scratch *s, size_t at, size_t tokens)
{
    const struct product *qkv[] = { &l->query, &l->key, &l->value };

    for (size_t i = 0; i < ARRAY_LEN(qkv); i++)
        b->kernels->multiply(qkv[i], s->x + at * WIDTH, tokens, s->qkv + at * QKV + i * WIDTH * b->kernels->panel, QKV);
}

static void run_after(const struct bert *b, const struct layer *l, struct bert_scratch *s, size_t at, size_t tokens)
{
    float *x = s->x + at * WIDTH;

    b->kernels->multiply(&l->attention, s->context + at * WIDTH, tokens, x, WIDTH);
    b->kernels->norm(x, tokens, WIDTH, l->attention_norm.gain, l->attention_norm.shift);
    b->kernels->multiply(&l->inner, x, tokens, s->inner, INNER);
    b->kernels->multiply(&l->outer, s->inner, tokens, x, WIDTH);
    b->kernels->norm(x, tokens, WIDTH, l->norm.gain, l->norm.shift);
}

static size_t block_at(size_t at, size_t tokens)
{
    return tokens - at < BLOCK ? tokens - at : BLOCK;
}

static void run_layer(const struct bert *b, const struct layer *l, struct bert_scratch *s, size_t tokens,
                      const struct bert_sequence *sequences, size_t n)
{
    for (size_t at = 0; at < tokens; at += BLOCK)
        run_before(b, l, s, at, block_at(at, tokens));
    for (size_t i = 0, first = 0; i < n; first += sequences[i].n, i++)
        b->kernels->attend(s->qkv, WIDTH, first, sequences[i].n, s->scores, s->context);
    for (size_t at = 0; at < tokens; at += BLOCK)
        run_after(b, l, s, at, block_at(at, tokens));
}

/* The mean of the tokens [first, first + n), made to length 1. */
static void pool(const struct bert *b, float *x, size_t first, size_t n, float *ret)
{
    double sum[WIDTH] = { 0 }, square = 0;

    for (size_t t = first; t < first + n; t++) {
        const float *token = token_at(b, x, t);

        for (size_t f = 0; f < WIDTH; f++)
            sum[f] += (double)token[f * b->kernels->panel];
    }
    for (size_t f = 0; f < WIDTH; f++) {
        sum[f] /= (double)n;
        square += sum[f] * sum[f];
    }
    double length = sqrt(square);
    for (size_t f = 0; f < WIDTH; f++)
        ret[f] = (float)(sum[f] / (length > 1e-12 ? length : 1e-12));
}

void bert_run(const struct bert *b, struct bert_scratch *s, const struct bert_sequence *sequences, size_t n)
{
    size_t tokens = embed(b, s, sequences, n);

    for (size_t i = 0; i < LAYERS; i++)
        run_layer(b, &b->layers[i], s, tokens, sequences, n);
    for (size_t i = 0, first = 0; i < n; first += sequences[i].n, i++)
        pool(b, s->x, first, sequences[i].n, sequences[i].ret);
}
