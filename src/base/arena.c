/* arena.c - chunks in a list, newest first. With ARENA_CHUNK=0 (sanitizer build) each piece is a malloc of its own. */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#ifndef ARENA_CHUNK
#define ARENA_CHUNK 8192
#endif

struct arena_chunk {
    struct arena_chunk *prev;
    size_t              used, cap;
    bool                lent;
    alignas(max_align_t) char mem[];
};

struct arena_release {
    struct arena_release *next;
    void (*fn)(void *);
    void *ptr;
};

void *arena_alloc(struct arena *a, size_t size)
{
    size_t              room = a->limit - a->used, align = alignof(max_align_t);
    struct arena_chunk *c = a->chunk;

    if (a->failed || size > room || (size = (size + align - 1) / align * align) > room)
        goto fail;
    if (!c || c->cap - c->used < size) {
        size_t cap = size > ARENA_CHUNK ? size : ARENA_CHUNK;

        c = malloc(sizeof *c + cap);
        if (!c)
            goto fail;
        *c = (struct arena_chunk){ .prev = a->chunk, .cap = cap };
        a->chunk = c;
    }
    void *p = memset(c->mem + c->used, 0, size);
    c->used += size;
    a->used += size;
    return p;
fail:
    a->failed = true;
    return NULL;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, bytes);
}

void arena_lend(struct arena *a, void *mem, size_t size)
{
    struct arena_chunk *c = mem;

    assert(!a->chunk && (uintptr_t)mem % alignof(max_align_t) == 0 && size > sizeof *c);
    if (ARENA_CHUNK == 0)
        return;
    *c = (struct arena_chunk){ .cap = size - sizeof *c, .lent = true };
    a->chunk = c;
}

const char *arena_text(struct arena *a, const char *p, size_t n)
{
    char *copy = arena_alloc(a, n + 1);

    if (!copy)
        return "";
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

bool arena_defer(struct arena *a, void (*fn)(void *), void *ptr)
{
    struct arena_release *r = arena_alloc(a, sizeof *r);

    if (!r) {
        fn(ptr);
        return false;
    }
    *r = (struct arena_release){ .next = a->releases, .fn = fn, .ptr = ptr };
    a->releases = r;
    return true;
}

void arena_free(struct arena *a)
{
    for (struct arena_release *r = a->releases; r; r = r->next)
        r->fn(r->ptr);
    for (struct arena_chunk *c = a->chunk, *prev; c; c = prev) {
        prev = c->prev;
        if (!c->lent)
            free(c);
    }
    *a = (struct arena){ .limit = a->limit };
}
