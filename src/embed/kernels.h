/* kernels.h - the arithmetic of a transformer over the tokens of a batch, one token a lane of a register.
   kernels.c is compiled once for each instruction set that is worth it; kernels_best chooses at run time. */
#ifndef DMS_EMBED_KERNELS_H
#define DMS_EMBED_KERNELS_H

#include "base/base.h"

/* Numbers of tokens lie in panels of as many tokens as two registers hold: feature f of token t of rows with n features is
   p[(t / panel * n + f) * panel + t % panel]. So a weight meets all tokens of a register at once, weights are read as they lie in their
   file, and what goes over the features of a token (norm, softmax) never goes across a register. A panel of which only the first half is
   needed costs half; lanes that hold no token hold any numbers. */

enum {
    KERNEL_HEAD = 32,  /* features of an attention head */
    KERNEL_KEYS = 256, /* most tokens of a sequence */
    KERNEL_BEHIND =
        16, /* numbers behind the last panel of query, key and value, and rows of scores behind the last key, that may be touched */
    KERNEL_PANEL_MAX = 32,
};

enum product_step { PRODUCT_ONLY, PRODUCT_GELU, PRODUCT_ADD }; /* ADD: to what stands in y */

/* y = x times the weights + bias, then the step. `in` is 384 or 1536, out a multiple of 12. */
struct product {
    const float      *weight, *bias; /* [out][in], [out] */
    const uint16_t   *packed; /* what pack() made of the weights, used instead; out is a multiple of 32. Or NULL */
    size_t            in, out;
    enum product_step then;
};

struct kernels {
    const char *name;
    size_t      panel; /* tokens of a panel */
    /* The out * in weights as bfloat16 in an order of the kernels' own; `ret` begins at a multiple of 64 bytes. x is rounded to bfloat16,
       too, sums are float. NULL: these kernels have no faster product for it. */
    void (*pack)(const struct product *p, uint16_t *ret);
    /* Of the panels of `tokens` tokens. y's rows have y_features features, and those of the product begin at y. */
    void (*multiply)(const struct product *p, const float *x, size_t tokens, float *y, size_t y_features);
    /* Each token's `features` numbers (a multiple of 4) become (those - mean) / deviation * gain + shift. */
    void (*norm)(float *x, size_t tokens, size_t features, const float *gain, const float *shift);
    /* The sequence of tokens [first, first + n) of rows with query, key and value of all heads side by side (3 * width features) into
       its lanes of context (width features); scores has room for KERNEL_KEYS + KERNEL_BEHIND rows of a panel. */
    void (*attend)(const float *qkv, size_t width, size_t first, size_t n, float *scores, float *context);
};

/* The fastest for this processor. */
const struct kernels *kernels_best(void);
/* Those with pack(), or NULL. Asks Linux to let this process use AMX, which makes the frames of its signals 8 KiB longer. */
const struct kernels *kernels_bf16(void);
/* All others that this processor can run, for tests; NULL behind the last. i counts from 0. */
const struct kernels *kernels_at(size_t i);

#endif
