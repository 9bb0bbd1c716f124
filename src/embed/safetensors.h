/* safetensors.h - a file of named tensors, mapped read-only and checked from end to end before anything is read from it. */
#ifndef DMS_EMBED_SAFETENSORS_H
#define DMS_EMBED_SAFETENSORS_H

#include "base/error.h"

struct safetensors; /* read-only once open: any thread, and the pages are shared with other processes */

/* ERR_UNAVAILABLE when there is no such file, ERR_INTERNAL (and the reason) when it is damaged. The file must not be changed in place
   while it is mapped: replace it by a rename. */
struct safetensors *safetensors_open(const char *path, struct error *err);
void                safetensors_close(struct safetensors *s); /* NULL is fine */

bool safetensors_has(const struct safetensors *s, const char *name);

/* The numbers of an F32 tensor of exactly that shape, row by row, in the mapped file. NULL and ERR_INTERNAL when it is absent or another. */
const float *safetensors_f32(const struct safetensors *s, const char *name, const size_t *shape, size_t rank,
                             struct error *err);

#endif
