/* embedder.c - what is the same for all providers. */
#include "embed/provider.h"

#include <math.h>

void embedder_close(struct embedder *e)
{
    if (e)
        e->provider->close(e);
}

const char *embedder_model(const struct embedder *e)
{
    return e->model;
}

size_t embedder_dims(const struct embedder *e)
{
    return e->dims;
}

size_t embedder_count_tokens(const struct embedder *e, struct str text)
{
    return e->provider->count_tokens(e, text);
}

int embedder_normalise(float *vectors, size_t n, size_t dims, struct error *err)
{
    for (size_t v = 0; v < n; v++, vectors += dims) {
        double square = 0;

        for (size_t i = 0; i < dims; i++)
            square += (double)vectors[i] * (double)vectors[i];
        double length = sqrt(square);
        if (!isfinite(length) || length < 1e-6)
            return error_set(err, ERR_INTERNAL,
                             "the embedding model answers vectors without length or with impossible numbers");
        for (size_t i = 0; i < dims; i++)
            vectors[i] = (float)((double)vectors[i] / length);
    }
    return 0;
}

int embedder_run(struct embedder *e, enum embed_priority priority, const struct str *texts, size_t n, float *ret,
                 struct error *err)
{
    if (n == 0)
        return 0;
    if (e->provider->run(e, priority, texts, n, ret, err) < 0)
        return -1;
    return embedder_normalise(ret, n, e->dims, err);
}
