/* kernels_best.c - which of the built kernels this processor can run. */
#include "embed/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct kernels kernels_avx2, kernels_avx512, kernels_amx;
#endif
extern const struct kernels kernels_plain;

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

const struct kernels *kernels_bf16(void)
{
#if defined(__x86_64__)
    enum { ASK = 0x1023 /* ARCH_REQ_XCOMP_PERM */, TILES = 18 /* XFEATURE_XTILEDATA */ };
    unsigned a, b, c, d = 0, wanted = 1u << 22 | 1u << 24; /* AMX-BF16, AMX-TILE */

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & wanted) == wanted
        && syscall(SYS_arch_prctl, ASK, TILES) == 0)
        return &kernels_amx;
#endif
    return NULL;
}
