/* provider.h - what a provider of vectors fills in; private to this folder. To add one: a file like http.c and its open function in
   embedder.h. */
#ifndef DMS_EMBED_PROVIDER_H
#define DMS_EMBED_PROVIDER_H

#include "embed/embedder.h"

struct provider {
    void (*close)(struct embedder *e);
    size_t (*count_tokens)(const struct embedder *e, struct str text);
    int (*run)(struct embedder *e, enum embed_priority priority, const struct str *texts, size_t n, float *ret,
               struct error *err);
};

/* First member of each provider's own struct. */
struct embedder {
    const struct provider *provider;
    const char            *model;
    size_t                 dims;
};

/* Checks n * dims numbers from outside or from weights: each vector finite and not zero; makes its length 1. */
MUST_CHECK int embedder_normalise(float *vectors, size_t n, size_t dims, struct error *err);

#endif
