/* kernels.c - see kernels.h. Written with the compilers' vector types, so that neither the optimiser's mood nor the compiler decides
   whether it is vectorised. Built several times: KERNELS names the table, LANES the floats of one register. */
#include "embed/kernels.h"

#include <math.h>

extern const struct kernels KERNELS;

typedef float    vf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

enum { TILE_ROWS = LANES == 16 ? 4 : 2 }; /* so that a tile's sums fit the registers */

static inline vf all(float c)
{
    return (vf){ 0 } + c;
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

/* Of all lanes, by halves. */
static inline float sum(vf v)
{
    float part[LANES];

    store(part, v);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            part[i] += part[i + half];
    return part[0];
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

/* Lane numbers over two vectors a, b (those of b follow those of a), for each group of 4 from lane i: every second one of a and b by
   turns, or every second pair; k is 0 for the first, 1 for its neighbour. */
#define ONES(i, k)  i + k, LANES + i + k, i + 2 + k, LANES + i + 2 + k
#define PAIRS(i, k) i + 2 * k, i + 1 + 2 * k, LANES + i + 2 * k, LANES + i + 1 + 2 * k
#if LANES == 4
#define ALL_LANES(of, k) of(0, k)
#elif LANES == 8
#define ALL_LANES(of, k) of(0, k), of(4, k)
#else
#define ALL_LANES(of, k) of(0, k), of(4, k), of(8, k), of(12, k)
#endif
#define ADD_LANES(a, b, of) \
    (__builtin_shufflevector(a, b, ALL_LANES(of, 0)) + __builtin_shufflevector(a, b, ALL_LANES(of, 1)))

/* y[o] = the sum over all lanes of v[o], the four together, for alone each would cost as much. */
static inline void sum4(const vf v[4], float *y)
{
    vf    ab = ADD_LANES(v[0], v[1], ONES), cd = ADD_LANES(v[2], v[3], ONES); /* a b a b ... */
    float part[LANES];

    store(part, ADD_LANES(ab, cd, PAIRS)); /* a b c d a b c d ... */
    for (size_t o = 0; o < 4; o++) {
        y[o] = part[o];
        for (size_t i = 4; i < LANES; i += 4)
            y[o] += part[i + o];
    }
}

/* A tile of the product: `rows` (a constant after inlining) rows of x against 4 of the weights. */
static inline __attribute__((always_inline)) void multiply_tile(const float *x, size_t rows, size_t in,
                                                                const float *weight, float *y, size_t stride)
{
    vf total[TILE_ROWS][4] = { 0 };

    for (size_t i = 0; i < in; i += LANES) {
        vf w[4] = { load(weight + i), load(weight + in + i), load(weight + 2 * in + i), load(weight + 3 * in + i) };

        for (size_t r = 0; r < rows; r++) {
            vf v = load(x + r * in + i);

            for (size_t o = 0; o < 4; o++)
                total[r][o] += v * w[o];
        }
    }
    for (size_t r = 0; r < rows; r++)
        sum4(total[r], y + r * stride);
}

static void multiply_few(const float *x, size_t rows, size_t in, const float *weight, size_t out, float *y,
                         size_t stride)
{
    for (size_t o = 0; o < out; o += 4, weight += 4 * in) {
        size_t r = 0;

        for (; r + TILE_ROWS <= rows; r += TILE_ROWS)
            multiply_tile(x + r * in, TILE_ROWS, in, weight, y + r * stride + o, stride);
        if (r + 2 <= rows) {
            multiply_tile(x + r * in, 2, in, weight, y + r * stride + o, stride);
            r += 2;
        }
        if (r < rows)
            multiply_tile(x + r * in, 1, in, weight, y + r * stride + o, stride);
    }
}

static void add_bias(float *x, size_t stride, const float *bias, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, x += stride)
        for (size_t i = 0; i < width; i += LANES)
            store(x + i, load(x + i) + load(bias + i));
}

static void bias_gelu(float *x, const float *bias, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, x += width)
        for (size_t i = 0; i < width; i += LANES)
            store(x + i, gelu(load(x + i) + load(bias + i)));
}

static void add_norm(float *x, const float *y, const float *bias, const float *gain, const float *shift, size_t rows,
                     size_t width)
{
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        vf total = all(0), square = all(0);

        for (size_t i = 0; i < width; i += LANES) {
            vf v = load(x + i) + load(y + i) + load(bias + i);

            store(x + i, v);
            total += v;
        }
        float mean = sum(total) / (float)width;
        for (size_t i = 0; i < width; i += LANES) {
            vf v = load(x + i) - mean;

            square += v * v;
        }
        float scale = 1.0f / sqrtf(sum(square) / (float)width + 1e-12f);
        for (size_t i = 0; i < width; i += LANES)
            store(x + i, (load(x + i) - mean) * scale * load(gain + i) + load(shift + i));
    }
}

static float largest(const float *x, size_t n)
{
    vf    v = load(x);
    float ret;

    for (size_t i = LANES; i < n; i += LANES)
        v = larger(v, load(x + i));
    ret = v[0];
    for (size_t i = 1; i < LANES; i++)
        ret = v[i] > ret ? v[i] : ret;
    return ret;
}

static void softmax(float *x, size_t stride, size_t rows, size_t n)
{
    size_t padded = (n + LANES - 1) / LANES * LANES;

    for (size_t r = 0; r < rows; r++, x += stride) {
        vf total = all(0);

        for (size_t i = n; i < padded; i++)
            x[i] = -1e30f;
        float top = largest(x, padded);
        for (size_t i = 0; i < padded; i += LANES) {
            vf e = exp_negative(load(x + i) - top);

            store(x + i, e);
            total += e;
        }
        float scale = 1.0f / sum(total);
        for (size_t i = 0; i < padded; i += LANES)
            store(x + i, load(x + i) * scale);
    }
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
const struct kernels KERNELS = { .name = TEXT(KERNELS),
                                 .multiply_few = multiply_few,
                                 .add_bias = add_bias,
                                 .bias_gelu = bias_gelu,
                                 .add_norm = add_norm,
                                 .softmax = softmax };
