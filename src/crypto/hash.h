/* hash.h - SHA-256, HMAC-SHA-256, comparison in constant time. */
#ifndef DMS_CRYPTO_HASH_H
#define DMS_CRYPTO_HASH_H

#include "base/text.h"

enum { HASH_SIZE = 32 };

struct hash; /* SHA-256 of a stream */

struct hash *hash_open(struct error *err);
void         hash_add(struct hash *h, struct str bytes);
void         hash_end(struct hash *h, unsigned char ret[HASH_SIZE]); /* the stream may not go on */
void         hash_close(struct hash *h);

void hash_of(struct str bytes, unsigned char ret[HASH_SIZE]);
void hash_keyed(struct str key, struct str bytes, unsigned char ret[HASH_SIZE]); /* HMAC-SHA-256 */
bool bytes_equal(const void *a, const void *b, size_t n);                        /* time depends on n alone */
void bytes_wipe(void *p, size_t n);

#endif
