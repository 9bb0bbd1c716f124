/* arena.h - memory with the lifetime of a request or a job, bounded, zeroed, freed at once. Not for threads to share. */
#ifndef DMS_BASE_ARENA_H
#define DMS_BASE_ARENA_H

#include "base/base.h"

struct arena_chunk;
struct arena_release;

struct arena {
    struct arena_chunk   *chunk;
    struct arena_release *releases;
    size_t                used, limit; /* bytes; used <= limit, always */
    bool                  failed;      /* sticky: one place looks at the end, nobody can forget a failure */
};

#define ARENA(bytes) ((struct arena){ .limit = (bytes) })

/* Zeroed, aligned for any type; NULL once the arena has failed. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_alloc_array(struct arena *a, size_t count, size_t size);

/* n bytes of p as a NUL-terminated text; "" (static) once the arena has failed. */
const char *arena_text(struct arena *a, const char *p, size_t n);

/* From here on the arena owns ptr: fn(ptr) runs in arena_free, newest first. False (and fn has run) without memory. */
MUST_CHECK bool arena_defer(struct arena *a, void (*fn)(void *), void *ptr);

/* Memory to begin with, before anything is taken: what the owner has at hand anyway. Not freed, must outlive the arena and be aligned
   for any type. (Not used where every piece is a malloc of its own.) */
void arena_lend(struct arena *a, void *mem, size_t size);

/* Releases everything; the arena can be used again with the same limit. */
void arena_free(struct arena *a);

#endif
