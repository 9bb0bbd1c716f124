/* base.h - what every file of the tree may use: attributes, clean-up, small helpers. Knows no DMS. */
#ifndef DMS_BASE_H
#define DMS_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN          __attribute__((noreturn))
#define UNUSED            __attribute__((unused))

/* A local that cleans up after itself: _cleanup_(freep) char *p = NULL; */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define DEFINE_CLEANUP(type, fn)      \
    static inline void fn##p(type *p) \
    {                                 \
        if (*p)                       \
            fn(*p);                   \
    }
/* Hands a cleaned-up local over to somebody else: return TAKE(p). */
#define TAKE(p)                             \
    ({                                      \
        __typeof__(p) *p_ = &(p), v_ = *p_; \
        *p_ = NULL;                         \
        v_;                                 \
    })

static inline void freep(void *p)
{
    free(*(void **)p);
}

/* Closes a descriptor local; -1 is "none". Keeps errno. */
void closep(int *fd);

#endif
