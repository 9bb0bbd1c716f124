/* blob.h - keeps the bytes of files, by tenant and SHA-256. Knows no documents and no SQL. Any thread. */
#ifndef DMS_BLOB_BLOB_H
#define DMS_BLOB_BLOB_H

#include "base/text.h"

struct blob_store;
struct blob_writer;

/* A folder, made when missing. min_free: bytes that writers leave on the disk. */
struct blob_store *blob_store_open(const char *dir, uint64_t min_free, struct error *err);
void               blob_store_close(struct blob_store *s);

/* A file on its way in: it has no name until it is whole, so a crash leaves nothing behind. */
struct blob_writer *blob_writer_open(struct blob_store *s, uint64_t max_bytes, struct error *err);
MUST_CHECK int      blob_writer_add(struct blob_writer *w, struct str bytes,
                                    struct error *err); /* TOO_LARGE over max_bytes, STORAGE_FULL */
uint64_t            blob_writer_size(const struct blob_writer *w);
/* Makes it durable under its name: fsync of the file, link, fsync of the folder. After this the bytes survive a power cut.
   The same bytes twice are kept once. ret_sha256 is 64 hex digits. */
MUST_CHECK int blob_writer_commit(struct blob_writer *w, const char *tenant_id, char ret_sha256[65], struct error *err);
void           blob_writer_close(struct blob_writer *w); /* without a commit before: the bytes are gone. NULL is fine */

/* For reading; NOT_FOUND when there is none. */
MUST_CHECK int blob_open(struct blob_store *s, const char *tenant_id, const char *sha256, int *ret_fd,
                         uint64_t *ret_size, struct error *err);

/* Calls fn for each blob older than min_age_s (by tenant and hash); fn says true to have it removed. For the collection of blobs that no row
   names: an upload whose transaction failed. */
MUST_CHECK int blob_sweep(struct blob_store *s, unsigned                                          min_age_s,
                          bool (*fn)(void *arg, const char *tenant_id, const char *sha256), void *arg,
                          struct error *err);

#endif
