/* wordpiece.h - text into the token ids of BERT uncased, as the reference tokenizer does it. Knows no model. */
#ifndef DMS_EMBED_WORDPIECE_H
#define DMS_EMBED_WORDPIECE_H

#include "base/text.h"

enum { WORDPIECE_PAD = 0, WORDPIECE_UNK = 100, WORDPIECE_CLS = 101, WORDPIECE_SEP = 102 };

struct wordpiece; /* read-only once open: any thread */

/* vocab.txt: one token a line, its id is its line from 0. ERR_INTERNAL for a file that is not a BERT vocabulary, ERR_UNAVAILABLE
   when there is none. */
struct wordpiece *wordpiece_open(const char *path, struct error *err);
void              wordpiece_close(struct wordpiece *w);      /* NULL is fine */
size_t            wordpiece_size(const struct wordpiece *w); /* all ids are below */

/* The ids of the text's tokens, at most max of them, without [CLS] and [SEP]; returns how many. The text may hold any bytes. Names of
   special tokens in it are plain text. Reads on only as far as needed for max. */
size_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ret_ids, size_t max);
/* How many tokens the whole text has. */
size_t wordpiece_count(const struct wordpiece *w, struct str text);

#endif
