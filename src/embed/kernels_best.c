/* kernels_best.c - which of the built kernels this processor can run. */
#include "embed/kernels.h"

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

const struct kernels *kernels_at(size_t i)
{
    const struct kernels *fit[4];
    size_t                n = 0;

#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        fit[n++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        fit[n++] = &kernels_avx2;
#endif
    fit[n++] = &kernels_plain;
    return i < n ? fit[i] : NULL;
}

const struct kernels *kernels_best(void)
{
    return kernels_at(0);
}
