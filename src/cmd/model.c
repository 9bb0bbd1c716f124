/* model.c - see model.h. */
#include "cmd/model.h"

#include <unistd.h>

static unsigned threads_of(const struct settings *s, enum model_use use)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (s->embed_threads)
        return (unsigned)s->embed_threads;
    if (use == MODEL_FOR_QUERIES)
        cores /= 2;
    return cores > 0 ? (unsigned)cores : 1;
}

struct embedder *model_open(const struct app *app, enum model_use use, struct error *err)
{
    const struct settings *s = app->settings;

    if (strcmp(s->embed_provider, "none") == 0)
        return NULL;
    if (strcmp(s->embed_provider, "http") == 0)
        return embedder_open_http(s->embed_url, *s->embed_key ? s->embed_key : NULL, s->embed_model, s->embed_dims,
                                  (unsigned)s->embed_timeout_ms, err);
    return embedder_open_local(app->model_dir, threads_of(s, use),
                               strcmp(s->embed_precision, "bf16") == 0 ? EMBED_BF16 : EMBED_FP32, err);
}
