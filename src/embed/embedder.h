/* embedder.h - texts into vectors: one interface, two providers (local BERT encoder, OpenAI-compatible HTTP). Thread-safe. */
#ifndef DMS_EMBED_EMBEDDER_H
#define DMS_EMBED_EMBEDDER_H

#include "base/text.h"

struct embedder;

enum embed_priority { EMBED_QUERY, EMBED_INGEST }; /* queries go before batches of ingest */

/* EMBED_BF16: the layers multiply bfloat16 where the processor has tiles for it (AMX), which is faster and less exact; float elsewhere. */
enum embed_precision { EMBED_FP32, EMBED_BF16 };

/* Maps DIR/model.safetensors read-only and reads DIR/vocab.txt. threads: cores to use, 1 to 64. Starts threads: after forks, not before.
   ERR_UNAVAILABLE and a sentence that says how to add the model when the files are not there; ERR_INTERNAL when they are not what they
   should be (detail says what). */
struct embedder *embedder_open_local(const char *dir, unsigned threads, enum embed_precision precision,
                                     struct error *err);
/* base_url: ".../v1"; api_key may be NULL; dims: what the model answers. timeout_ms bounds each
   batch of up to 64 texts with all its tries. Texts are copied. */
struct embedder *embedder_open_http(const char *base_url, const char *api_key, const char *model, size_t dims,
                                    unsigned timeout_ms, struct error *err);
void             embedder_close(struct embedder *e); /* NULL is fine */

const char *embedder_model(const struct embedder *e); /* "all-MiniLM-L6-v2", stored beside every vector */
size_t      embedder_dims(const struct embedder *e);
/* Tokens of a text without the two special ones; an estimate for http. */
size_t embedder_count_tokens(const struct embedder *e, struct str text);

/* n texts (valid UTF-8, may be empty) into ret[n * dims], each of length 1. Blocks; any number of threads may call.
   EMBED_QUERY computes on the calling thread, EMBED_INGEST on threads of low priority. ERR_UNAVAILABLE: the service is not there or
   answers nonsense, worth trying again. ret is undefined after an error. */
MUST_CHECK int embedder_run(struct embedder *e, enum embed_priority priority, const struct str *texts, size_t n,
                            float *ret, struct error *err);

#endif
