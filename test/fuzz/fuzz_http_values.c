/* fuzz_http_values.c - the small readers of header values, paths and queries; the first byte says which. */
#include "http/multipart.h"
#include "http/range.h"
#include "http/route.h"
#include "http/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct param params[] = {
    { .name = "limit", .type = PARAM_UINT, .min = 1, .max = 100, .fallback = "20" },
    { .name = "sort", .type = PARAM_ENUM, .values = "name|size" },
    { .name = "q", .type = PARAM_TEXT, .max = 50 },
    { .name = "deep", .type = PARAM_BOOL },
    { .name = "id", .type = PARAM_UUID },
    { .name = "at", .type = PARAM_TIME },
    { .name = "cursor", .type = PARAM_CURSOR },
    { .name = NULL },
};

static int handle(struct request *req)
{
    (void)req;
    return 0;
}

static const struct route routes[] = {
    { "GET", "/a/{id}/b", 1, LANE_READ, BODY_NONE, .handle = handle },
    { "GET", "/a/{name}/{n}.png", 1, LANE_READ, BODY_NONE, .handle = handle },
    { "POST", "/", 1, LANE_READ, BODY_NONE, .handle = handle },
};

static void try_range(struct str s)
{
    uint64_t first = 0, last = 0;

    for (uint64_t size = 0; size < 3000; size = size * 10 + 1)
        if (range_parse(s, size, &first, &last) == RANGE_PART)
            assert(first <= last && last < size);
    etag_listed(s, "v1", true);
}

static void try_query(struct arena *a, struct str s)
{
    struct error err = { 0 };
    const char **values;

    if (params_read(a, params, /* open= */ false, s, &values, &err) < 0) {
        assert(a->failed || err.code == ERR_VALIDATION);
        return;
    }
    assert(values[0] && strtoull(values[0], NULL, 10) >= 1 && strtoull(values[0], NULL, 10) <= 100);
    assert(!values[2] || (strlen(values[2]) <= 50 && text_printable(str_of(values[2]))));
    assert(!values[4] || uuid_valid(str_of(values[4])));
}

static void try_path(struct arena *a, struct str s)
{
    struct error       err = { 0 };
    struct str         segments[ROUTE_MAX_SEGMENTS];
    struct route_match match;
    int                n = path_split(a, s, segments, &err);

    for (int i = 0; i < n && i < ROUTE_MAX_SEGMENTS; i++)
        assert(utf8_valid(segments[i]) && strlen(segments[i].p) == segments[i].n);
    struct route_index *index = route_index_open(routes, ARRAY_LEN(routes), &err);
    if (n >= 0 && index)
        route_find(index, a, "GET", segments, (size_t)n, &match);
    route_index_close(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA(1 << 20);
    struct str   s, out;
    char         trace[33];

    if (size < 1)
        return 0;
    char *copy = malloc(size);
    assert(copy);
    memcpy(copy, data + 1, size - 1);
    s = (struct str){ copy, size - 1 };
    switch (data[0] % 6) {
    case 0:
        try_range(s);
        break;
    case 1:
        try_query(&a, s);
        break;
    case 2:
        try_path(&a, s);
        break;
    case 3:
        if (trace_parent(s, trace))
            assert(strlen(trace) == 32 && s.n >= 55);
        break;
    case 4:
        if (header_param(&a, s, "filename*", &out) == 1)
            assert(utf8_valid(out));
        break;
    case 5: {
        const char *base = filename_base(&a, s);

        assert(!base || (base[0] != '\0' && strlen(base) <= 255 && !strpbrk(base, "/\\\r\n")));
        break;
    }
    }
    free(copy);
    arena_free(&a);
    return 0;
}
