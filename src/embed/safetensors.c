/* safetensors.c - the header is JSON and is believed in nothing: lengths, types, shapes, and that the ranges cover the data once. */
#include "embed/safetensors.h"

#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LENGTH_BYTES = 8,
    MAX_HEADER = 4 << 20, /* the format allows 100,000,000; a model of this kind has some 10,000 */
    MAX_TENSORS = 4096,
    MAX_RANK = 8,
    MAX_DEPTH = 4,
    MEMBERS_PER_TENSOR = 8,
};

struct tensor {
    const char *name, *dtype;
    size_t      rank, shape[MAX_RANK];
    uint64_t    begin, end; /* in the data behind the header */
};

struct safetensors {
    struct arena   arena;
    const uint8_t *map, *data;
    size_t         map_n, data_n;
    struct tensor *tensors; /* by begin */
    size_t         n;
};

static const struct {
    const char *name;
    unsigned    bytes;
} dtypes[] = {
    { "F64", 8 }, { "F32", 4 }, { "F16", 2 },  { "BF16", 2 },    { "I64", 8 },
    { "I32", 4 }, { "I16", 2 }, { "I8", 1 },   { "U64", 8 },     { "U32", 4 },
    { "U16", 2 }, { "U8", 1 },  { "BOOL", 1 }, { "F8_E4M3", 1 }, { "F8_E5M2", 1 },
};

static int damaged(struct error *err, const char *name, const char *why)
{
    return error_set(err, ERR_INTERNAL, "safetensors: \"%.80s\" %s", name, why);
}

static int map_file(struct safetensors *s, const char *path, struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat           st;

    if (fd < 0)
        return error_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_UNAVAILABLE : err_of_errno(errno),
                         "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0)
        return error_set(err, err_of_errno(errno), "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size < LENGTH_BYTES)
        return error_set(err, ERR_INTERNAL, "safetensors: %s is too short", path);
    s->map_n = (size_t)st.st_size;
    void *p = mmap(NULL, s->map_n, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return error_set(err, err_of_errno(errno), "cannot map %s: %s", path, strerror(errno));
    s->map = p;
    return 0;
}

/* The JSON between the length and the data. */
static int find_header(struct safetensors *s, struct str *ret, struct error *err)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        n |= (uint64_t)s->map[i] << (8 * i);
    if (n > s->map_n - LENGTH_BYTES)
        return error_set(err, ERR_INTERNAL, "safetensors: the header is longer than the file");
    if (n > MAX_HEADER)
        return error_set(err, ERR_INTERNAL, "safetensors: the header is longer than %d bytes", MAX_HEADER);
    *ret = (struct str){ (const char *)s->map + LENGTH_BYTES, (size_t)n };
    if (n == 0 || ret->p[0] != '{')
        return error_set(err, ERR_INTERNAL, "safetensors: the header does not begin with {");
    s->data = s->map + LENGTH_BYTES + n;
    s->data_n = s->map_n - LENGTH_BYTES - (size_t)n;
    return 0;
}

static int read_shape(struct tensor *t, const json_t *shape, uint64_t *ret_numbers, struct error *err)
{
    uint64_t numbers = 1;

    if (!jv_is_array(shape) || jv_count(shape) > MAX_RANK)
        return damaged(err, t->name, "has no shape");
    t->rank = jv_count(shape);
    for (size_t i = 0; i < t->rank; i++) {
        int64_t d = jv_integer(jv_at(shape, i), -1);

        if (d < 0 || __builtin_mul_overflow(numbers, (uint64_t)d, &numbers))
            return damaged(err, t->name, "has an impossible shape");
        t->shape[i] = (size_t)d;
    }
    *ret_numbers = numbers;
    return 0;
}

static int read_tensor(struct tensor *t, const char *name, const json_t *v, uint64_t data_n, struct error *err)
{
    const json_t *offsets = jv_get(v, "data_offsets");
    uint64_t      bytes = 0, numbers = 0;

    t->name = name;
    t->dtype = jv_text(v, "dtype", "");
    if (read_shape(t, jv_get(v, "shape"), &numbers, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(dtypes); i++)
        if (strcmp(t->dtype, dtypes[i].name) == 0)
            bytes = dtypes[i].bytes;
    if (bytes == 0)
        return damaged(err, name, "is of an unknown type");
    if (jv_count(offsets) != 2 || jv_integer(jv_at(offsets, 0), -1) < 0 || jv_integer(jv_at(offsets, 1), -1) < 0)
        return damaged(err, name, "has no data_offsets");
    t->begin = (uint64_t)jv_integer(jv_at(offsets, 0), 0);
    t->end = (uint64_t)jv_integer(jv_at(offsets, 1), 0);
    if (t->begin > t->end || t->end > data_n)
        return damaged(err, name, "lies outside the data");
    if (__builtin_mul_overflow(numbers, bytes, &bytes) || t->end - t->begin != bytes)
        return damaged(err, name, "has other bytes than its shape wants");
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* No hole, no overlap, nothing left over. */
static int check_cover(const struct safetensors *s, struct error *err)
{
    uint64_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->tensors[i].begin != at)
            return damaged(err, s->tensors[i].name,
                           s->tensors[i].begin < at ? "overlaps another" : "leaves a hole before it");
        at = s->tensors[i].end;
    }
    if (at != s->data_n)
        return error_set(err, ERR_INTERNAL, "safetensors: bytes behind the last tensor");
    return 0;
}

static int read_header(struct safetensors *s, struct error *err)
{
    struct error why = { 0 };
    struct str   header;

    if (find_header(s, &header, err) < 0)
        return -1;
    json_t *v =
        json_read(&s->arena, header, MAX_DEPTH, (size_t)MAX_TENSORS * MEMBERS_PER_TENSOR, &why); /* no name twice */
    if (!v || !jv_is_object(v))
        return error_set(err, ERR_INTERNAL, "safetensors: header: %s", v ? "not an object" : error_text(&why));
    for (void *it = jv_first(v); it; it = jv_next(v, it))
        s->n++;
    if (s->n > MAX_TENSORS)
        return error_set(err, ERR_INTERNAL, "safetensors: more than %d tensors", MAX_TENSORS);
    s->tensors = arena_alloc_array(&s->arena, s->n + 1, sizeof *s->tensors);
    if (!s->tensors)
        return error_set(err, ERR_UNAVAILABLE, "safetensors: no memory for the header");
    s->n = 0;
    for (void *it = jv_first(v); it; it = jv_next(v, it)) {
        if (strcmp(jv_key(it), "__metadata__") == 0)
            continue;
        if (read_tensor(&s->tensors[s->n++], jv_key(it), jv_value(it), s->data_n, err) < 0)
            return -1;
    }
    qsort(s->tensors, s->n, sizeof *s->tensors, by_begin);
    return check_cover(s, err);
}

struct safetensors *safetensors_open(const char *path, struct error *err)
{
    struct safetensors *s = calloc(1, sizeof *s);

    if (!s) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the model");
        return NULL;
    }
    s->arena = ARENA((MAX_TENSORS + 1) * sizeof(struct tensor) + 4096);
    if (map_file(s, path, err) == 0 && read_header(s, err) == 0)
        return s;
    safetensors_close(s);
    return NULL;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    if (s->map)
        munmap((void *)(uintptr_t)s->map, s->map_n);
    arena_free(&s->arena);
    free(s);
}

static const struct tensor *find(const struct safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

bool safetensors_has(const struct safetensors *s, const char *name)
{
    return find(s, name) != NULL;
}

const float *safetensors_f32(const struct safetensors *s, const char *name, const size_t *shape, size_t rank,
                             struct error *err)
{
    const struct tensor *t = find(s, name);
    bool                 same = t && strcmp(t->dtype, "F32") == 0 && t->rank == rank;

    for (size_t i = 0; same && i < rank; i++)
        same = t->shape[i] == shape[i];
    if (!t || !same) {
        damaged(err, name, t ? "is not of the type and shape of this model" : "is not there");
        return NULL;
    }
    const void *p = s->data + t->begin;
    if ((uintptr_t)p % alignof(float) != 0) { /* old writers */
        damaged(err, name, "is not aligned");
        return NULL;
    }
    return p;
}
