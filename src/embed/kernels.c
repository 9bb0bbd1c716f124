/* kernels.c - see kernels.h. Written with the compilers' vector types, so that neither the optimiser's mood nor the compiler decides
   whether it is vectorised. Built several times: KERNELS names the table, LANES the floats of one register; with
   AMX there are products of bfloat16, too. */
#include "embed/kernels.h"

#if defined(__AMX_BF16__)
#include <immintrin.h>
#endif

extern const struct kernels KERNELS;

typedef float    vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

enum {
    PANEL = 2 * LANES,
    NARROW = 12,                     /* outputs of a tile of one register */
    WIDE = LANES == 16 ? NARROW : 6, /* and of two: its sums fit the registers */
    PART = LANES == 16 ? 8 : 4,      /* keys, and features of a head, at a time */
};
static_assert(PANEL <= (int)KERNEL_PANEL_MAX && PART <= (int)KERNEL_BEHIND && (int)KERNEL_HEAD % PART == 0, "");

static inline vf all(float c)
{
    return c - (vf){ 0 }; /* not +, which would have to turn -0 into 0 */
}

static inline vf load(const float *p)
{
    return *(const vf *)p;
}

static inline void store(float *p, vf v)
{
    *(vf *)p = v;
}

/* a where the mask is all ones, else b. */
static inline vf choose(vu mask, vf a, vf b)
{
    return (vf)(((vu)a & mask) | ((vu)b & ~mask));
}

static inline vf smaller(vf a, vf b)
{
    return choose((vu)(a < b), a, b);
}

static inline vf larger(vf a, vf b)
{
    return choose((vu)(a > b), a, b);
}

/* e^x for x <= 0: 2^n times a polynomial on [-ln2/2, ln2/2] (Chebyshev fit, 3e-9). Adding 1.5 * 2^23 rounds, and leaves n in the low bits. */
static inline vf exp_negative(vf x)
{
    x = larger(x, all(-87.0f));
    vf round = x * 1.44269504f + 12582912.0f;
    vf n = round - 12582912.0f;
    vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    vf p = all(1.394858083e-03f);

    p = p * r + 8.375128891e-03f;
    p = p * r + 4.166621827e-02f;
    p = p * r + 1.666641548e-01f;
    p = p * r + 5.000000108e-01f;
    p = p * r + 1.000000038e+00f;
    p = p * r + 1.0f;
    return (vf)((vu)p + ((vu)round << 23));
}

/* erf(|x| / sqrt 2) as a polynomial in |x| * 2 / 5.5 - 1 (Chebyshev fit on [0, 5.5], 2e-9; behind that it is 1 in float). */
static inline vf gelu(vf x)
{
    static const float c[] = { -1.215718127e-03f, 1.384862512e-02f,  -8.302152272e-03f, -6.851070270e-02f,
                               8.671273204e-02f,  1.080384220e-01f,  -2.686620603e-01f, 6.399600791e-02f,
                               3.281284256e-01f,  -4.350882968e-01f, 1.020950225e-01f,  3.540684700e-01f,
                               -5.436754913e-01f, 4.136316243e-01f,  -1.891212896e-01f, 5.001590272e-02f,
                               9.940404952e-01f };
    vf                 magnitude = (vf)((vu)x & 0x7fffffffu);
    vf                 s = smaller(magnitude, all(5.5f)) * (2.0f / 5.5f) - 1.0f;
    vf                 erf = all(c[0]);

    for (size_t i = 1; i < ARRAY_LEN(c); i++)
        erf = erf * s + c[i];
    erf = smaller(erf, all(1.0f));
    return (x + magnitude * erf) * 0.5f;
}

static inline vf one_by_root(vf x)
{
    for (size_t i = 0; i < LANES; i++)
        x[i] = 1.0f / __builtin_sqrtf(x[i]);
    return x;
}

/* sums[r][v] += a[r][k] * b[k][v] over k < depth, for `rows` numbers r and `vectors` registers v. Where a lies is told by the steps. All
   sizes but depth are constants after inlining, and the sums registers. What is wanted next (NARROW numbers a step, NULL: nothing) is
   brought nearer meanwhile: the processor does not guess it where rows are short. */
static inline __attribute__((always_inline)) void add_products(vf *sums, size_t rows, size_t vectors, const float *a,
                                                               size_t row_step, size_t k_step, const float *b,
                                                               size_t depth, const float *next)
{
    for (size_t k = 0; k < depth; k++) {
        vf v[2];

        if (next)
            __builtin_prefetch(next + k * NARROW, /* write= */ 0, /* nearness= */ 2);

        for (size_t i = 0; i < vectors; i++)
            v[i] = load(b + k * PANEL + i * LANES);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < vectors; i++)
                sums[r * vectors + i] += all(a[r * row_step + k * k_step]) * v[i];
    }
}

/* What is stored at `at`: the sum of output o with its bias, after the step. */
static inline vf finish(const struct product *p, size_t o, vf sum, const float *at)
{
    sum += p->bias[o];
    if (p->then == PRODUCT_GELU)
        return gelu(sum);
    if (p->then == PRODUCT_ADD)
        sum += load(at);
    return sum;
}

/* `rows` outputs of a panel, from output o. */
static inline __attribute__((always_inline)) void multiply_tile(const struct product *p, size_t o, size_t rows,
                                                                size_t next, size_t vectors, size_t in, const float *x,
                                                                float *y)
{
    vf sums[NARROW * 2] = { 0 };

    add_products(sums, rows, vectors, p->weight + o * in, in, 1, x, in, p->weight + next * in);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < vectors; i++) {
            float *at = y + (o + r) * PANEL + i * LANES;

            store(at, finish(p, o + r, sums[r * vectors + i], at));
        }
}

/* Each weight is read once and meets all tokens. */
static inline __attribute__((always_inline)) void multiply_deep(const struct product *p, size_t in, const float *x,
                                                                size_t tokens, float *y, size_t y_features)
{
    for (size_t o = 0; o < p->out; o += NARROW) {
        for (size_t t = 0; t < tokens; t += PANEL) {
            const float *from = x + t * in;
            float       *to = y + t * y_features;

            if (tokens - t <= LANES)
                multiply_tile(p, o, NARROW, o + NARROW, 1, in, from, to);
            else
                for (size_t part = 0; part < NARROW; part += WIDE)
                    multiply_tile(p, o + part, WIDE, o + NARROW, 2, in, from, to);
        }
    }
}

#if defined(__AMX_BF16__)
/* Products of bfloat16 by the processor's tiles: 16 rows of 64 bytes. A tile of weights is 16 outputs of 32 inputs, one of x is 16 pairs of
   features of 16 tokens, one of sums is 16 outputs of 16 tokens. */
enum { TILE = 16, DEPTH = 32, MOST_IN = 1536 };

/* The upper half is the nearest bfloat16. */
static inline vu rounded(const float *p)
{
    return *(const vu *)p + 0x8000u;
}

static size_t packed_at(const struct product *p, size_t o, size_t i)
{
    return (o / TILE * (p->in / DEPTH) + i / DEPTH) * TILE * DEPTH + o % TILE * DEPTH + i % DEPTH;
}

/* Tile by tile, so that each lies together. */
static void pack(const struct product *p, uint16_t *ret)
{
    for (size_t o = 0; o < p->out; o++)
        for (size_t i = 0; i < p->in; i += LANES) {
            vu v = rounded(p->weight + o * p->in + i) >> 16;

            for (size_t lane = 0; lane < LANES; lane++)
                ret[packed_at(p, o, i) + lane] = (uint16_t)v[lane];
        }
}

/* Two features of a token beside one another, the first below. */
static void pair_up(const float *x, size_t features, size_t vectors, uint32_t *ret)
{
    for (size_t f = 0; f < features; f += 2, ret += PANEL)
        for (size_t i = 0; i < vectors * LANES; i += LANES)
            *(vu *)(ret + i) = rounded(x + f * PANEL + i) >> 16 | (rounded(x + (f + 1) * PANEL + i) & 0xffff0000u);
}

/* sums[r][t] of 2 * TILE outputs, whose first weights these are, and the tokens of a panel or of its first half. */
static void multiply_tiles(const uint16_t *weights, const uint32_t *pairs, size_t in, size_t vectors, float *sums)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t i = 0; i < in; i += DEPTH, weights += TILE * DEPTH, pairs += DEPTH / 2 * PANEL) {
        _tile_loadd(4, weights, DEPTH * sizeof *weights);
        _tile_loadd(5, weights + TILE * in, DEPTH * sizeof *weights);
        _tile_loadd(6, pairs, PANEL * sizeof *pairs);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        if (vectors < 2)
            continue;
        _tile_loadd(7, pairs + LANES, PANEL * sizeof *pairs);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, PANEL * sizeof *sums);
    _tile_stored(1, sums + TILE * PANEL, PANEL * sizeof *sums);
    _tile_stored(2, sums + LANES, PANEL * sizeof *sums);
    _tile_stored(3, sums + TILE * PANEL + LANES, PANEL * sizeof *sums);
}

static void multiply_packed(const struct product *p, const float *x, size_t tokens, float *y, size_t y_features)
{
    static const struct {
        uint8_t  palette, start, reserved[14];
        uint16_t bytes[16]; /* of a row */
        uint8_t  rows[16];
    } shape = { 1, 0, { 0 }, { 64, 64, 64, 64, 64, 64, 64, 64 }, { TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE } };
    __attribute__((uninitialized)) uint32_t pairs[MOST_IN / 2 * PANEL];
    float                                   sums[2 * TILE * PANEL];

    _tile_loadconfig(&shape);
    for (size_t t = 0; t < tokens; t += PANEL) {
        size_t vectors = tokens - t <= LANES ? 1 : 2;

        pair_up(x + t * p->in, p->in, vectors, pairs);
        __asm__ volatile("" ::: "memory"); /* the compiler does not know that tiles read memory */
        for (size_t o = 0; o < p->out; o += 2 * TILE) {
            multiply_tiles(p->packed + o * p->in, pairs, p->in, vectors, sums);
            for (size_t r = 0; r < 2 * TILE; r++)
                for (size_t i = 0; i < vectors * LANES; i += LANES) {
                    float *at = y + t * y_features + (o + r) * PANEL + i;

                    store(at, finish(p, o + r, load(sums + r * PANEL + i), at));
                }
        }
    }
    _tile_release();
}
#endif

static void multiply(const struct product *p, const float *x, size_t tokens, float *y, size_t y_features)
{
#if defined(__AMX_BF16__)
    if (p->packed) {
        multiply_packed(p, x, tokens, y, y_features);
        return;
    }
#endif
    if (p->in == 384)
        multiply_deep(p, 384, x, tokens, y, y_features);
    else
        multiply_deep(p, 1536, x, tokens, y, y_features);
}

/* Sums are made in four parts: more exact, and no addition waits for the one before. */
static inline vf sum_of(const vf part[4])
{
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static void norm_lanes(float *x, size_t features, const float *gain, const float *shift)
{
    vf total[4] = { 0 }, square[4] = { 0 };

    for (size_t f = 0; f < features; f += 4)
        for (size_t i = 0; i < 4; i++)
            total[i] += load(x + (f + i) * PANEL);
    vf mean = sum_of(total) * (1.0f / (float)features);
    for (size_t f = 0; f < features; f += 4)
        for (size_t i = 0; i < 4; i++) {
            vf v = load(x + (f + i) * PANEL) - mean;

            square[i] += v * v;
        }
    vf scale = one_by_root(sum_of(square) * (1.0f / (float)features) + 1e-12f);
    for (size_t f = 0; f < features; f++)
        store(x + f * PANEL, (load(x + f * PANEL) - mean) * scale * gain[f] + shift[f]);
}

static void norm(float *x, size_t tokens, size_t features, const float *gain, const float *shift)
{
    for (size_t t = 0; t < tokens; t += LANES)
        norm_lanes(x + t / PANEL * PANEL * features + t % PANEL, features, gain, shift);
}

/* The tokens of [first, end) that one panel holds. */
struct run {
    size_t panel, from, to;
};

static inline bool next_run(struct run *r, size_t first, size_t end)
{
    size_t at = r->to == 0 ? first : (r->panel + 1) * PANEL;

    if (at >= end)
        return false;
    *r = (struct run){ at / PANEL, at % PANEL, end - at / PANEL * PANEL };
    r->to = r->to < PANEL ? r->to : PANEL;
    return true;
}

/* scores[j] = q . key j, for all keys j of the sequence. */
static inline __attribute__((always_inline)) void score(const float *q, size_t vectors, const float *k, size_t features,
                                                        size_t first, size_t n, float *scores)
{
    for (struct run r = { 0 }; next_run(&r, first, first + n);) {
        const float *keys = k + r.panel * features * PANEL;
        float       *to = scores + (r.panel * PANEL + r.from - first) * PANEL;

        for (size_t j = r.from; j < r.to; j += PART, to += PART * PANEL) {
            vf sums[PART * 2] = { 0 };

            add_products(sums, PART, vectors, keys + j, 1, PANEL, q, KERNEL_HEAD, NULL);
            for (size_t i = 0; i < PART * vectors; i++)
                store(to + i / vectors * PANEL + i % vectors * LANES, sums[i]);
        }
    }
}

/* The scores of each lane become e to their distance from the largest; returns 1 / the sum of those. */
static inline vf soften(float *scores, size_t n)
{
    vf top = load(scores), total = all(0);

    for (size_t j = 1; j < n; j++)
        top = larger(top, load(scores + j * PANEL));
    for (size_t j = 0; j < n; j++) {
        vf e = exp_negative((load(scores + j * PANEL) - top) * 0.1767766953f); /* 1 / sqrt KERNEL_HEAD */

        store(scores + j * PANEL, e);
        total += e;
    }
    return 1.0f / total;
}

/* The softened mean of the values into the lanes of `tokens`; other lanes stay. */
static inline __attribute__((always_inline)) void mix(const float *scores, size_t vectors, const vf *share,
                                                      const float *v, size_t features, size_t first, size_t n,
                                                      const uint32_t *mine, float *context)
{
    for (size_t f = 0; f < KERNEL_HEAD; f += PART) {
        vf sums[PART * 2] = { 0 };

        for (struct run r = { 0 }; next_run(&r, first, first + n);)
            add_products(sums, PART, vectors, v + (r.panel * features + f) * PANEL + r.from, PANEL, 1,
                         scores + (r.panel * PANEL + r.from - first) * PANEL, r.to - r.from, NULL);
        for (size_t i = 0; i < PART * vectors; i++) {
            float *at = context + (f + i / vectors) * PANEL + i % vectors * LANES;

            store(at, choose(*(const vu *)(mine + i % vectors * LANES), sums[i] * share[i % vectors], load(at)));
        }
    }
}

/* All heads of the queries of `vectors` registers, of which those in [from, to) belong to the sequence. */
static inline __attribute__((always_inline)) void attend_lanes(const float *qkv, size_t width, size_t first, size_t n,
                                                               size_t at, size_t vectors, float *scores, float *context)
{
    const float *q = qkv + at / PANEL * PANEL * 3 * width + at % PANEL;
    uint32_t     mine[PANEL];
    vf           share[2];

    for (size_t i = 0; i < PANEL; i++)
        mine[i] = at + i >= first && at + i < first + n ? ~0u : 0;
    context += at / PANEL * PANEL * width + at % PANEL;
    for (size_t h = 0; h < width; h += KERNEL_HEAD) {
        score(q + h * PANEL, vectors, qkv + (width + h) * PANEL, 3 * width, first, n, scores);
        for (size_t i = 0; i < vectors; i++)
            share[i] = soften(scores + i * LANES, n);
        mix(scores, vectors, share, qkv + (2 * width + h) * PANEL, 3 * width, first, n, mine, context + h * PANEL);
    }
}

static void attend(const float *qkv, size_t width, size_t first, size_t n, float *scores, float *context)
{
    for (size_t at = first / LANES * LANES; at < first + n;) {
        if (at % PANEL == 0 && first + n - at > LANES) {
            attend_lanes(qkv, width, first, n, at, 2, scores, context);
            at += PANEL;
        } else {
            attend_lanes(qkv, width, first, n, at, 1, scores, context);
            at += LANES;
        }
    }
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
const struct kernels KERNELS = {
    .name = TEXT(KERNELS),
    .panel = PANEL,
#if defined(__AMX_BF16__)
    .pack = pack,
#endif
    .multiply = multiply,
    .norm = norm,
    .attend = attend,
};
