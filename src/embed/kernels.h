/* kernels.h - the element-wise half of a transformer: bias, GELU, layer norm, softmax, over rows of floats.
   kernels.c is compiled once for each instruction set that is worth it; kernels_best chooses at run time. */
#ifndef DMS_EMBED_KERNELS_H
#define DMS_EMBED_KERNELS_H

#include "base/base.h"

/* Widths and strides are counted in floats and are multiples of KERNEL_LANES. Pointers need be aligned to a float only. */
enum { KERNEL_LANES = 16 };

struct kernels {
    const char *name;
    /* y[r][o] = x[r] . weight[o] over `in` numbers, for few rows: reads each weight once and packs nothing, where a general matrix
       product would spend its time on packing. rows of y lie `stride` apart; out is a multiple of 4. */
    void (*multiply_few)(const float *x, size_t rows, size_t in, const float *weight, size_t out, float *y,
                         size_t stride);
    /* x[r][i] += bias[i]; rows lie `stride` apart. */
    void (*add_bias)(float *x, size_t stride, const float *bias, size_t rows, size_t width);
    /* x = gelu(x + bias), the exact one by erf: within 6e-7 of it for |x| <= 8. */
    void (*bias_gelu)(float *x, const float *bias, size_t rows, size_t width);
    /* x = norm(x + y + bias) * gain + shift: mean 0 and biased variance 1 a row. */
    void (*add_norm)(float *x, const float *y, const float *bias, const float *gain, const float *shift, size_t rows,
                     size_t width);
    /* Each row's first n numbers become their softmax; what stands behind them up to the stride is overwritten. */
    void (*softmax)(float *x, size_t stride, size_t rows, size_t n);
};

/* The fastest for this processor. */
const struct kernels *kernels_best(void);
/* All that this processor can run, for tests; NULL behind the last. i counts from 0. */
const struct kernels *kernels_at(size_t i);

#endif
