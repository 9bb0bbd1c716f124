/* zip.c - see zip.h. Numbers are little endian; every offset is checked against the bytes before it is used. */
#include "extract/zip.h"

#include <zlib.h>

enum {
    END_BYTES = 22,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_COMMENT_BYTES = 65535,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    PIECE_BYTES = 64 << 10,
};

static size_t number(const char *p, size_t n)
{
    size_t v = 0;

    while (n-- > 0)
        v = v << 8 | (unsigned char)p[n];
    return v;
}

/* The end record: the last one whose comment reaches exactly to the end of the file. NULL without one. */
static const char *find_end(struct str b)
{
    size_t least = b.n > END_BYTES + MAX_COMMENT_BYTES ? b.n - END_BYTES - MAX_COMMENT_BYTES : 0;

    for (size_t at = b.n >= END_BYTES ? b.n - END_BYTES + 1 : 0; at-- > least;)
        if (memcmp(b.p + at, "PK\5\6", 4) == 0 && at + END_BYTES + number(b.p + at + 20, 2) == b.n)
            return b.p + at;
    return NULL;
}

/* The entry's own header must say the same name, and its data must end before the central directory. */
static enum extract_cause check_local(struct str b, size_t directory_at, struct zip_entry *e)
{
    size_t at = e->header_at;

    if (at > directory_at || directory_at - at < LOCAL_BYTES || memcmp(b.p + at, "PK\3\4", 4) != 0)
        return CAUSE_DAMAGED;
    size_t name = number(b.p + at + 26, 2), extra = number(b.p + at + 28, 2);
    e->at = at + LOCAL_BYTES + name + extra;
    if (e->at > directory_at || e->packed > directory_at - e->at)
        return CAUSE_DAMAGED;
    return str_eq(e->name, (struct str){ b.p + at + LOCAL_BYTES, name }) ? CAUSE_NONE : CAUSE_DAMAGED;
}

/* One record of the central directory at *at, which moves on. */
static enum extract_cause read_central(struct str b, size_t directory_at, size_t end, size_t *at, struct zip_entry *ret)
{
    const char *p = b.p + *at;

    if (end - *at < CENTRAL_BYTES || memcmp(p, "PK\1\2", 4) != 0)
        return CAUSE_DAMAGED;
    size_t name = number(p + 28, 2), length = CENTRAL_BYTES + name + number(p + 30, 2) + number(p + 32, 2);
    if (length > end - *at || name == 0)
        return CAUSE_DAMAGED;
    *ret = (struct zip_entry){ .name = { p + CENTRAL_BYTES, name },
                               .header_at = number(p + 42, 4),
                               .packed = number(p + 20, 4),
                               .size = number(p + 24, 4),
                               .crc = (uint32_t)number(p + 16, 4),
                               .method = (unsigned)number(p + 10, 2),
                               .encrypted = number(p + 8, 2) & FLAG_ENCRYPTED };
    *at += length;
    if (ret->size == UINT32_MAX || ret->packed == UINT32_MAX || ret->header_at == UINT32_MAX)
        return CAUSE_UNSUPPORTED; /* ZIP64 */
    return check_local(b, directory_at, ret);
}

static int by_place(const void *a, const void *b)
{
    const struct zip_entry *x = *(const struct zip_entry *const *)a, *y = *(const struct zip_entry *const *)b;

    return x->header_at < y->header_at ? -1 : x->header_at > y->header_at;
}

/* Entries that share bytes are how a small file becomes an endless one. */
static enum extract_cause check_overlap(struct arena *a, const struct zip *z)
{
    const struct zip_entry **order = arena_alloc_array(a, z->count, sizeof *order);

    if (!order)
        return CAUSE_MEMORY;
    for (size_t i = 0; i < z->count; i++)
        order[i] = &z->entries[i];
    qsort(order, z->count, sizeof *order, by_place);
    for (size_t i = 1; i < z->count; i++)
        if (order[i]->header_at < order[i - 1]->at + order[i - 1]->packed)
            return CAUSE_BOMB;
    return CAUSE_NONE;
}

static enum extract_cause check_totals(const struct zip *z)
{
    size_t total = 0;

    for (size_t i = 0; i < z->count; i++)
        total += z->entries[i].size; /* at most 10,000 times 4 GB */
    if (total > ZIP_MAX_TOTAL_BYTES || (total > ZIP_RATIO_FREE_BYTES && total / ZIP_MAX_RATIO > z->bytes.n))
        return CAUSE_BOMB;
    return CAUSE_NONE;
}

enum extract_cause zip_open(struct arena *a, struct str bytes, struct zip *ret)
{
    const char *end = find_end(bytes);

    *ret = (struct zip){ .bytes = bytes };
    if (!end)
        return CAUSE_DAMAGED;
    size_t end_at = (size_t)(end - bytes.p), count = number(end + 10, 2), size = number(end + 12, 4),
           at = number(end + 16, 4);
    if (count == UINT16_MAX || at == UINT32_MAX || size == UINT32_MAX)
        return CAUSE_UNSUPPORTED; /* ZIP64 */
    if (count > ZIP_MAX_ENTRIES)
        return CAUSE_BOMB;
    /* One disk, and nothing between the directory and the end record: nothing put before, behind or in between. */
    if (number(end + 8, 2) != count || number(end + 4, 4) != 0 || at > end_at || end_at - at != size)
        return CAUSE_DAMAGED;
    ret->entries = arena_alloc_array(a, count, sizeof *ret->entries);
    if (!ret->entries)
        return CAUSE_MEMORY;
    size_t             directory_at = at;
    enum extract_cause cause = CAUSE_NONE;
    for (; cause == CAUSE_NONE && ret->count < count; ret->count++)
        cause = read_central(bytes, directory_at, end_at, &at, &ret->entries[ret->count]);
    if (cause != CAUSE_NONE)
        return cause;
    if (at != end_at)
        return CAUSE_DAMAGED; /* more entries than were counted */
    cause = check_overlap(a, ret);
    return cause != CAUSE_NONE ? cause : check_totals(ret);
}

const struct zip_entry *zip_find(const struct zip *z, struct str name)
{
    for (size_t i = 0; i < z->count; i++)
        if (str_eq(z->entries[i].name, name))
            return &z->entries[i];
    return NULL;
}

bool zip_has_folder(const struct zip *z, struct str prefix)
{
    for (size_t i = 0; i < z->count; i++)
        if (str_starts(z->entries[i].name, prefix))
            return true;
    return false;
}

static enum extract_cause read_stored(struct str data, const struct zip_entry                       *e,
                                      enum extract_cause (*take)(void *arg, struct str piece), void *arg)
{
    if (e->size != e->packed || crc32(crc32(0, NULL, 0), (const Bytef *)data.p, (uInt)data.n) != e->crc)
        return CAUSE_DAMAGED;
    return data.n > 0 ? take(arg, data) : CAUSE_NONE;
}

static enum extract_cause read_deflated(z_stream *s, const struct zip_entry                           *e,
                                        enum extract_cause (*take)(void *arg, struct str piece), void *arg)
{
    char   piece[PIECE_BYTES];
    size_t total = 0;
    uLong  crc = crc32(0, NULL, 0);

    for (int state = Z_OK; state != Z_STREAM_END;) {
        s->next_out = (Bytef *)piece;
        s->avail_out = sizeof piece;
        state = inflate(s, Z_NO_FLUSH);
        size_t n = sizeof piece - s->avail_out;
        total += n;
        if ((state != Z_OK && state != Z_STREAM_END) || total > e->size)
            return CAUSE_DAMAGED;
        if (n == 0 && state == Z_OK)
            return CAUSE_DAMAGED; /* the data ends in the middle */
        crc = crc32(crc, (const Bytef *)piece, (uInt)n);
        enum extract_cause cause = n > 0 ? take(arg, (struct str){ piece, n }) : CAUSE_NONE;
        if (cause != CAUSE_NONE)
            return cause;
    }
    return total == e->size && crc == e->crc && s->avail_in == 0 ? CAUSE_NONE : CAUSE_DAMAGED;
}

enum extract_cause zip_read(const struct zip *z, const struct zip_entry                   *e,
                            enum extract_cause (*take)(void *arg, struct str piece), void *arg)
{
    struct str data = { z->bytes.p + e->at, e->packed };
    z_stream   s = { .next_in = (Bytef *)(uintptr_t)data.p, .avail_in = (uInt)data.n };

    if (e->encrypted)
        return CAUSE_ENCRYPTED;
    if (e->method == METHOD_STORED)
        return read_stored(data, e, take, arg);
    if (e->method != METHOD_DEFLATED)
        return CAUSE_UNSUPPORTED;
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
        return CAUSE_MEMORY;
    enum extract_cause cause = read_deflated(&s, e, take, arg);
    inflateEnd(&s);
    return cause;
}
