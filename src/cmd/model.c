/* model.c - see model.h. */
#include "cmd/model.h"

#include <unistd.h>

struct embedder *model_open(const struct app *app, struct error *err)
{
    const struct settings *s = app->settings;
    long                   cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = s->embed_threads ? (unsigned)s->embed_threads : cores > 1 ? (unsigned)cores / 2 : 1;

    if (strcmp(s->embed_provider, "none") == 0)
        return NULL;
    if (strcmp(s->embed_provider, "http") == 0)
        return embedder_open_http(s->embed_url, *s->embed_key ? s->embed_key : NULL, s->embed_model, s->embed_dims,
                                  (unsigned)s->embed_timeout_ms, err);
    return embedder_open_local(app->model_dir, threads, err);
}
