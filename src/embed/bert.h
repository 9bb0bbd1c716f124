/* bert.h - the forward pass of all-MiniLM-L6-v2: token ids in, unit vectors out. Sequences of any lengths are packed, nothing is padded.
   The shape is fixed here; safetensors files of another are refused. */
#ifndef DMS_EMBED_BERT_H
#define DMS_EMBED_BERT_H

#include "embed/embedder.h"

enum {
    BERT_WIDTH = 384,
    BERT_VOCAB = 30522,
    BERT_MAX_TOKENS = 256, /* of a sequence, as the model was trained for (it has 512 positions) */
};

struct bert;         /* weights: read-only once open, any thread */
struct bert_scratch; /* room for one batch: one thread at a time */

/* Maps the weights. ERR_UNAVAILABLE when there is no such file, ERR_INTERNAL when it is not this model. */
struct bert *bert_open(const char *path, enum embed_precision precision, struct error *err);
void         bert_close(struct bert *b); /* NULL is fine */

/* Memory is taken as it is used: 7.5 KiB a token of the largest batch so far, and 0.5 MB. */
struct bert_scratch *bert_scratch_open(size_t max_tokens, struct error *err);
void                 bert_scratch_close(struct bert_scratch *s); /* NULL is fine */

struct bert_sequence {
    const uint32_t *ids; /* with [CLS] and [SEP]; each below BERT_VOCAB */
    size_t          n;   /* 1 to BERT_MAX_TOKENS */
    float          *ret; /* BERT_WIDTH numbers: the mean over the tokens, of length 1 */
};

/* All sequences in one go on this thread; together at most the scratch's max_tokens. */
void bert_run(const struct bert *b, struct bert_scratch *s, const struct bert_sequence *sequences, size_t n);

#endif
