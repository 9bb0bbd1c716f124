/* The pure parts of http/: finding a route, checking a query, header values, request heads, multipart bodies. */
#include "http/framing.h"
#include "http/multipart.h"
#include "http/range.h"
#include "http/route.h"
#include "http/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID "01890000-0000-7000-8000-000000000001"

static struct arena arena;

static int fresh_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    arena = ARENA(1 << 20);
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* --- routes --- */

static int handle(struct request *req)
{
    (void)req;
    return 0;
}

#define ROUTE(method, pattern) { method, pattern, 1, LANE_READ, BODY_NONE, .handle = handle }

static const struct route routes[] = {
    ROUTE("GET", "/"),
    ROUTE("GET", "/version"),
    ROUTE("GET", "/api/v1/documents"),
    ROUTE("POST", "/api/v1/documents"),
    ROUTE("GET", "/api/v1/documents/{id}"),
    ROUTE("GET", "/api/v1/documents/types"),
    ROUTE("PATCH", "/api/v1/documents/{id}"),
    ROUTE("GET", "/api/v1/documents/{id}/versions/{a}/diff/{b}"),
    ROUTE("GET", "/api/v1/documents/{id}/pages/{n}.png"),
    ROUTE("DELETE", "/api/v1/members/{user_id}"),
    ROUTE("GET", "/api/v1/auth/oidc/{provider}/start"),
    ROUTE("GET", "/s/{token}"),
};

/* The pattern that answers method and path; "405 ..." with what is allowed; "404". */
static const char *found(const char *method, const char *path, struct route_match *match)
{
    struct error        err = { 0 };
    struct str          segments[ROUTE_MAX_SEGMENTS];
    struct route_index *index = route_index_open(routes, ARRAY_LEN(routes), &err);
    int                 n = path_split(&arena, str_of(path), segments, &err);

    assert_non_null(index);
    assert_true(n >= 0);
    route_find(index, &arena, method, segments, (size_t)n, match);
    route_index_close(index);
    if (match->route)
        return match->route->pattern;
    if (!match->allowed)
        return "404";
    struct sb b = SB(&arena);
    sb_printf(&b, "405 %s", route_allow(&arena, match->allowed));
    return b.p;
}

static void a_path_finds_its_row(void **state)
{
    struct route_match m;

    (void)state;
    assert_string_equal(found("GET", "/", &m), "/");
    assert_string_equal(found("GET", "/api/v1/documents", &m), "/api/v1/documents");
    assert_string_equal(found("GET", "/api/v1/documents/" ID, &m), "/api/v1/documents/{id}");
    assert_string_equal(m.args[0], ID);
    assert_string_equal(found("GET", "/api/v1/documents/types", &m), "/api/v1/documents/types");
    assert_string_equal(found("GET", "/api/v1/documents/" ID "/versions/1/diff/20", &m),
                        "/api/v1/documents/{id}/versions/{a}/diff/{b}");
    assert_string_equal(m.args[1], "1");
    assert_string_equal(m.args[2], "20");
    assert_string_equal(found("GET", "/api/v1/documents/" ID "/pages/7.png", &m),
                        "/api/v1/documents/{id}/pages/{n}.png");
    assert_string_equal(m.args[1], "7");
    assert_string_equal(found("GET", "/api/v1/auth/oidc/a%20b/start", &m), "/api/v1/auth/oidc/{provider}/start");
    assert_string_equal(m.args[0], "a b");
    assert_string_equal(found("GET", "/s/%2f..", &m), "/s/{token}");
    assert_string_equal(m.args[0], "/..");
}

static void what_is_no_row_is_not_found(void **state)
{
    struct route_match       m;
    static const char *const paths[] = { "/api",
                                         "/api/v1/documents/",
                                         "/api/v1/documents/x",
                                         "/api/v1//documents",
                                         "/api/v1/documents/" ID "/pages/x.png",
                                         "/api/v1/documents/" ID "/pages/01.png",
                                         "/api/v1/documents/" ID "/pages/.png",
                                         "/api/v1/members/me",
                                         "/s/",
                                         "/a/b/c/d/e/f/g/h/i/j/k/l/m/n",
                                         "/Version",
                                         "/api/v1/documents/00000000-0000-0000-0000-000000000000" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_string_equal(found("GET", paths[i], &m), "404");
}

static void other_methods_are_told_what_is_allowed(void **state)
{
    struct route_match m;

    (void)state;
    assert_string_equal(found("PUT", "/api/v1/documents", &m), "405 GET, HEAD, POST, OPTIONS");
    assert_string_equal(found("TRACE", "/api/v1/documents/" ID, &m), "405 GET, HEAD, PATCH, OPTIONS");
    assert_string_equal(found("GET", "/api/v1/members/" ID, &m), "405 DELETE, OPTIONS");
    assert_string_equal(found("HEAD", "/version", &m), "/version");
    assert_true(m.is_head);
}

static void bad_rows_do_not_open(void **state)
{
    static const struct route bad[] = { ROUTE("FETCH", "/a"),
                                        ROUTE("GET", "a"),
                                        { "GET", "/a", 0, LANE_READ, BODY_NONE, .handle = handle },
                                        ROUTE("GET", "/{a}/{b}/{c}/{d}/{e}"),
                                        ROUTE("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = { 0 };

        assert_null(route_index_open(&bad[i], 1, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
    }
}

static void paths_are_decoded_once(void **state)
{
    static const char *const bad[] = { "", "x", "/%", "/%zz", "/%00", "/%0a", "/%ff", "/%c0%ae", "/a\tb" };
    struct error             err = { 0 };
    struct str               segments[ROUTE_MAX_SEGMENTS];

    (void)state;
    assert_int_equal(path_split(&arena, S("/a%2Fb/%252e/%C3%A4"), segments, &err), 3);
    assert_string_equal(segments[0].p, "a/b");
    assert_string_equal(segments[1].p, "%2e");
    assert_string_equal(segments[2].p, "ä");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err = (struct error){ 0 };
        assert_int_equal(path_split(&arena, str_of(bad[i]), segments, &err), -1);
        assert_int_equal(err.code, ERR_VALIDATION);
    }
}

/* --- queries --- */

static const struct param params[] = {
    { .name = "limit", .type = PARAM_UINT, .min = 1, .max = 100, .fallback = "20" },
    { .name = "id", .type = PARAM_UUID, .required = true },
    { .name = "at", .type = PARAM_TIME },
    { .name = NULL },
};

static void all_wrong_parameters_are_named_at_once(void **state)
{
    struct error err = { 0 };
    const char **values;
    unsigned     n = 0;

    (void)state;
    assert_int_equal(params_read(&arena, params, /* open= */ false, S("limit=0&at=x&foo=1"), &values, &err), -1);
    for (const struct field_error *f = err.fields; f; f = f->next)
        n++;
    assert_int_equal(n, 4); /* limit, at, foo, and id that is missing */
    err = (struct error){ 0 };
    assert_int_equal(
        params_read(&arena, params, /* open= */ false, S("id=" ID "&&at=2026-02-28T23:59:59.123-05:30"), &values, &err),
        0);
    assert_string_equal(values[0], "20");
    assert_string_equal(values[2], "2026-02-28T23:59:59.123-05:30");
}

static void times_have_one_shape(void **state)
{
    static const char *const bad[] = { "",
                                       "2026",
                                       "2026-1-1",
                                       "2026-00-10",
                                       "2026-10-32",
                                       "2026-10-10T",
                                       "2026-10-10T24:00:00Z",
                                       "2026-10-10T10:60:00Z",
                                       "2026-10-10T10:00:00",
                                       "2026-10-10T10:00:00.Z",
                                       "2026-10-10T10:00:00+1:00",
                                       "2026-10-10 10:00:00Z" };
    const char             **values;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = { 0 };
        struct sb    b = SB(&arena);

        sb_printf(&b, "id=%s&at=", ID);
        url_encode(&b, str_of(bad[i]));
        assert_int_equal(params_read(&arena, params, /* open= */ false, sb_str(&b), &values, &err), -1);
        assert_string_equal(err.field, "at");
    }
}

/* --- values --- */

static void ranges(void **state)
{
    static const struct {
        const char     *value;
        uint64_t        size;
        enum range_kind kind;
        uint64_t        first, last;
    } rows[] = {
        { "bytes=0-0", 10, RANGE_PART, 0, 0 },
        { "bytes=9-", 10, RANGE_PART, 9, 9 },
        { "bytes=-3", 10, RANGE_PART, 7, 9 },
        { "bytes=0-99", 10, RANGE_PART, 0, 9 },
        { "bytes=10-", 10, RANGE_NONE, 0, 0 },
        { "bytes=-0", 10, RANGE_NONE, 0, 0 },
        { "bytes=0-", 0, RANGE_NONE, 0, 0 },
        { "bytes=5-4", 10, RANGE_WHOLE, 0, 0 },
        { "items=0-1", 10, RANGE_WHOLE, 0, 0 },
        { "bytes=0-1,2-3", 10, RANGE_PART, 0, 3 },
        { "bytes=4-5,0-1,2-3", 10, RANGE_PART, 0, 5 },
        { "bytes=0-1,3-4", 10, RANGE_WHOLE, 0, 0 },
        { "bytes=18446744073709551615-", 10, RANGE_NONE, 0, 0 },
        { "bytes=0-18446744073709551616", 10, RANGE_PART, 0, 9 },
        { "bytes=0-18446744073709551615,1-2", UINT64_MAX, RANGE_PART, 0, UINT64_MAX - 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t first = 0, last = 0;

        assert_int_equal(range_parse(str_of(rows[i].value), rows[i].size, &first, &last), rows[i].kind);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(last, rows[i].last);
    }
}

static void entity_tags(void **state)
{
    (void)state;
    assert_true(etag_listed(S("\"a\", W/\"b\""), "b", /* weak */ true));
    assert_false(etag_listed(S("\"a\", W/\"b\""), "b", /* weak */ false));
    assert_true(etag_listed(S(" * "), "b", false));
    assert_false(etag_listed(S("b"), "b", true));
    assert_false(etag_listed(S("\"b"), "b", true));
    assert_false(etag_listed(S(""), "", true));
}

static void trace_parents(void **state)
{
    static const char *const bad[] = { "",
                                       "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                       "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                       "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                       "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                       "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                       "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                                       "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
                                       "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01" };
    char                     id[33];

    (void)state;
    assert_true(trace_parent(S("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), id));
    assert_string_equal(id, "0af7651916cd43dd8448eb211c80319c");
    assert_true(trace_parent(S("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what"), id));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(trace_parent(str_of(bad[i]), id));
}

static void header_parameters(void **state)
{
    struct str v;

    (void)state;
    assert_int_equal(header_param(&arena, S("form-data; name=\"a\\\"b\"; FileName=c"), "filename", &v), 1);
    assert_true(str_eq(v, S("c")));
    assert_int_equal(header_param(&arena, S("form-data; name=\"a\\\"b\""), "name", &v), 1);
    assert_true(str_eq(v, S("a\"b")));
    assert_int_equal(header_param(&arena, S("form-data; name=a;"), "filename", &v), 0);
    assert_int_equal(header_param(&arena, S("form-data; name=a; name=b"), "name", &v), -1);
    assert_int_equal(header_param(&arena, S("form-data; name=a b"), "name", &v), -1);
    assert_int_equal(header_param(&arena, S("form-data; name"), "name", &v), -1);
    assert_int_equal(header_param(&arena, S("form-data; name=\"a"), "name", &v), -1);
    assert_int_equal(header_param(&arena, S("x; filename*=utf-8'de'%e2%82%ac"), "filename*", &v), 1);
    assert_true(str_eq(v, S("€")));
    assert_int_equal(header_param(&arena, S("x; filename*=latin1''a"), "filename*", &v), -1);
}

static void file_names(void **state)
{
    (void)state;
    assert_string_equal(filename_base(&arena, S("C:\\x/y\\z.txt")), "z.txt");
    assert_null(filename_base(&arena, S("a/")));
    assert_null(filename_base(&arena, S("/..")));
    assert_null(filename_base(&arena, S("a\nb")));
    assert_null(filename_base(&arena, S("a\xff")));
}

/* --- heads --- */

static const struct head_limits limits = { 60, 40, 100, 5 };

static enum err head_verdict(const char *text, int *ret_result)
{
    struct error err = { 0 };
    struct head  facts;
    size_t       size = 0;

    *ret_result = head_check(str_of(text), &limits, &size, &facts, &err);
    return err.code;
}

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static void heads(void **state)
{
    static const struct {
        const char *text;
        int         result;
        enum err    code;
    } rows[] = {
        { "", 0, ERR_NONE },
        { "GET", 0, ERR_NONE },
        { GET, 0, ERR_NONE },
        { GET HOST, 0, ERR_NONE },
        { GET HOST "\r\n", 1, ERR_NONE },
        { GET HOST "\r\nbody\nof any kind", 1, ERR_NONE },
        { "GET / HTTP/1.0\r\n\r\n", 1, ERR_NONE },
        { GET "\r\n", -1, ERR_VALIDATION },
        { GET HOST "\n", -1, ERR_VALIDATION },
        { "GET / HTTP/1.1\n", -1, ERR_VALIDATION },
        { "GET  / HTTP/1.1\r\n", -1, ERR_VALIDATION },
        { "get / HTTP/1.1\r\n", -1, ERR_VALIDATION },
        { "GET / HTTP/1.1 \r\n", -1, ERR_VALIDATION },
        { "GET / HTTP/1.2\r\n", -1, ERR_VALIDATION },
        { GET HOST " folded\r\n\r\n", -1, ERR_VALIDATION },
        { GET HOST "X : y\r\n\r\n", -1, ERR_VALIDATION },
        { GET HOST HOST "\r\n", -1, ERR_VALIDATION },
        { GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -1, ERR_VALIDATION },
        { GET HOST "Content-Length: 01\r\n\r\n", -1, ERR_VALIDATION },
        { GET HOST "Transfer-Encoding: gzip\r\n\r\n", -1, ERR_VALIDATION },
        { GET HOST "Expect: y\r\n\r\n", -1, ERR_EXPECTATION },
        { GET HOST "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n", 1, ERR_NONE },
        { GET HOST "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n", -1, ERR_HEADERS_TOO_LARGE },
        { GET HOST "a: 56789012345678901234567890123456789012\r\n\r\n", -1, ERR_HEADERS_TOO_LARGE },
        { GET HOST "a: 5678901234567890123456789012345678901\r\n\r\n", 1, ERR_NONE },
        { GET HOST "a: 56789012345678901234567890123456789012", 0, ERR_NONE },
        { GET HOST "a: 567890123456789012345678901234567890123", -1, ERR_HEADERS_TOO_LARGE },
        { "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1, ERR_URI_TOO_LONG },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int result;

        assert_int_equal(head_verdict(rows[i].text, &result), rows[i].code);
        assert_int_equal(result, rows[i].result);
    }
}

/* --- framing --- */

/* What was said about the bytes when they come in pieces of so many; good: how many passed with or before whole messages. */
static enum err framing_verdict(struct str bytes, size_t piece, unsigned *ret_whole, size_t *ret_good)
{
    struct framing f = { .limits = &limits, .head.limits = &limits };
    struct error   err = { 0 };

    *ret_good = 0;
    for (size_t at = 0; at < bytes.n && err.code == ERR_NONE; at += piece) {
        struct str part = { bytes.p + at, bytes.n - at < piece ? bytes.n - at : piece };
        char      *copy = malloc(part.n); /* its end is watched */
        size_t     good;

        memcpy(copy, part.p, part.n);
        int r = framing_take(&f, (struct str){ copy, part.n }, &good, &err);
        assert_int_equal(r, err.code == ERR_NONE ? 0 : -1);
        free(copy);
        *ret_good = good > 0 ? at + good : *ret_good;
    }
    *ret_whole = f.whole;
    if (err.code != ERR_NONE)
        assert_int_equal(f.at, AT_FAULT);
    framing_close(&f);
    return err.code;
}

#define POST    "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void messages(void **state)
{
    static const struct {
        const char *text;
        unsigned    whole; /* messages */
        enum err    code;
    } rows[] = {
        { GET HOST "\r\n", 1, ERR_NONE },
        { GET HOST "\r\n" GET HOST "\r\n" GET HOST "\r\n", 3, ERR_NONE },
        { POST "Content-Length: 3\r\n\r\na\n\r" GET HOST "\r\n", 2, ERR_NONE },
        { POST "Content-Length: 0\r\n\r\n" GET HOST "\r\n", 2, ERR_NONE },
        { POST "Content-Length: 3\r\n\r\nab", 0, ERR_NONE },
        { CHUNKED "3\r\nabc\r\n0\r\n\r\n" GET HOST "\r\n", 2, ERR_NONE },
        { CHUNKED "00a\r\n0123456789\r\n1\r\n\n\r\n000\r\n\r\n", 1, ERR_NONE },
        { CHUNKED "0\r\nA: b\r\n\r\n" GET HOST "\r\n", 2, ERR_NONE },
        { CHUNKED "0\r\nA: b\r\n", 0, ERR_NONE },
        { CHUNKED "3\nabc\r\n0\r\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3\r\nabc\n0\r\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3\r\nabc\r\n0\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3\r\nabc\r\n0\r\n\n", 0, ERR_VALIDATION },
        { CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3\r\nab\r\n0\r\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3 \r\n", 0, ERR_VALIDATION },
        { CHUNKED "-3", 0, ERR_VALIDATION },
        { CHUNKED "1234567890abcdef\r\n", 0, ERR_VALIDATION },
        { CHUNKED "3;a=b\r\n", 0, ERR_VALIDATION },
        { CHUNKED "0\r\nA b\r\n", 0, ERR_VALIDATION },
        { CHUNKED "0\r\nContent-Length: 1\r\n\r\n", 0, ERR_VALIDATION },
        { CHUNKED "0\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n", 0, ERR_HEADERS_TOO_LARGE },
        { GET HOST "\r\n" GET HOST "X\n", 1, ERR_VALIDATION },
        { GET HOST "\r\n\r\n", 1, ERR_VALIDATION },
        { GET HOST "\r\nGET  ", 1, ERR_VALIDATION },
        { GET HOST "\r\nGET / HTTP/2", 1, ERR_VALIDATION },
        { GET HOST "\r\n" GET "X Y", 1, ERR_VALIDATION },
        { GET HOST "\r\n" GET "X: \x01", 1, ERR_VALIDATION },
        { GET HOST "\r\n" GET " X", 1, ERR_VALIDATION },
        { GET HOST "\r\nGET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, ERR_URI_TOO_LONG },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            unsigned whole;
            size_t   good;

            if (framing_verdict(str_of(rows[i].text), piece, &whole, &good) != rows[i].code)
                fail_msg("%s, %zu bytes at a time", rows[i].text, piece);
            assert_int_equal(whole, rows[i].whole);
            assert_true((good > 0) == (whole > 0));
        }
    }
}

/* A head that the parser behind has no memory for is refused while it comes. */
static void heads_larger_than_memory(void **state)
{
    struct framing f = { .limits = &limits, .head.limits = &limits, .memory = HEAD_ANSWER_MEMORY + 300 };
    struct error   err = { 0 };
    size_t         good;

    (void)state;
    assert_int_equal(framing_take(&f, S(GET HOST "\r\n"), &good, &err), 0);
    assert_int_equal(good, sizeof(GET HOST) + 1);
    assert_int_equal(framing_take(&f, S("GET /?a&b&c&d&e HTTP/1.1\r\n"), &good, &err), -1);
    assert_int_equal(err.code, ERR_HEADERS_TOO_LARGE);
    framing_close(&f);
}

/* --- multipart --- */

struct reading {
    struct sb seen;
};

static int on_begin(void *arg, const struct multipart_part *part, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    sb_printf(&r->seen, "[%s|%s|%s:", part->name, part->filename ? part->filename : "", part->type ? part->type : "");
    return 0;
}

static int on_data(void *arg, struct str bytes, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    sb_put(&r->seen, bytes);
    return 0;
}

static int on_end(void *arg, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    sb_putc(&r->seen, ']');
    return 0;
}

/* What is read out of a body, or the message. */
static const char *read_form(const char *body)
{
    struct reading   r = { .seen = SB(&arena) };
    struct error     err = { 0 };
    struct multipart m;

    assert_int_equal(multipart_open(&m, &arena, S("multipart/form-data; boundary=\"b c\""), 3,
                                    (struct multipart_events){ on_begin, on_data, on_end, &r }, &err),
                     0);
    if (multipart_feed(&m, str_of(body), &err) < 0 || multipart_close(&m, &err) < 0)
        return arena_text(&arena, err.message, strlen(err.message));
    return r.seen.p ? r.seen.p : "";
}

#define PART(name) "--b c\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define END        "\r\n--b c--\r\n"

static void forms(void **state)
{
    (void)state;
    assert_string_equal(read_form(PART("a") "1\r\n--b"
                                            "\r\n" PART("b") END),
                        "[a||:1\r\n--b][b||:]");
    assert_string_equal(read_form(PART("a\"; filename=\"x") "\r\r\n-" END), "[a|x|:\r\r\n-]");
    assert_string_equal(
        read_form("--b c\r\ncontent-disposition: FORM-DATA; name=a\r\nContent-Type: a/b; c=d\r\nX: y\r\n\r\n" END),
        "[a||a/b; c=d:]");
    assert_string_equal(read_form(PART("a") "x\r\n--b c"), "the multipart body ends before its closing boundary");
    assert_string_equal(read_form(PART("a") "x\r\n--b c-"), "the multipart body ends before its closing boundary");
    assert_string_equal(read_form(PART("a") "x\r\n--b cd" END),
                        "the multipart body has its boundary inside a part's data");
    assert_string_equal(read_form("\r\n" PART("a") END), "the multipart body does not begin with its boundary");
    assert_string_equal(read_form("--b c--\r\n"), "");
    assert_string_equal(read_form(PART("a") "\r\n" PART("a") "\r\n" PART("a") "\r\n" PART("a") END),
                        "the multipart body has too many parts");
    assert_string_equal(read_form(PART("a") END "x"), "the multipart body goes on after its end");
}

static void content_types_of_forms(void **state)
{
    static const struct {
        const char *type;
        enum err    code;
    } rows[] = {
        { "", ERR_MEDIA_TYPE },
        { "application/json", ERR_MEDIA_TYPE },
        { "multipart/mixed; boundary=a", ERR_MEDIA_TYPE },
        { "multipart/form-data", ERR_VALIDATION },
        { "multipart/form-data; boundary=", ERR_VALIDATION },
        { "multipart/form-data; boundary=\"a \"", ERR_VALIDATION },
        { "multipart/form-data; boundary=a; boundary=a", ERR_VALIDATION },
        { "Multipart/Form-Data; charset=x; Boundary=a", ERR_NONE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error     err = { 0 };
        struct multipart m;
        int              result =
            multipart_open(&m, &arena, str_of(rows[i].type), 3, (struct multipart_events){ .arg = NULL }, &err);

        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(result, rows[i].code == ERR_NONE ? 0 : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_path_finds_its_row, fresh_arena),
        cmocka_unit_test_setup(what_is_no_row_is_not_found, fresh_arena),
        cmocka_unit_test_setup(other_methods_are_told_what_is_allowed, fresh_arena),
        cmocka_unit_test_setup(bad_rows_do_not_open, fresh_arena),
        cmocka_unit_test_setup(paths_are_decoded_once, fresh_arena),
        cmocka_unit_test_setup(all_wrong_parameters_are_named_at_once, fresh_arena),
        cmocka_unit_test_setup(times_have_one_shape, fresh_arena),
        cmocka_unit_test_setup(ranges, fresh_arena),
        cmocka_unit_test_setup(entity_tags, fresh_arena),
        cmocka_unit_test_setup(trace_parents, fresh_arena),
        cmocka_unit_test_setup(header_parameters, fresh_arena),
        cmocka_unit_test_setup(file_names, fresh_arena),
        cmocka_unit_test_setup(heads, fresh_arena),
        cmocka_unit_test(messages),
        cmocka_unit_test(heads_larger_than_memory),
        cmocka_unit_test_setup(forms, fresh_arena),
        cmocka_unit_test_setup(content_types_of_forms, fresh_arena),
    };

    return cmocka_run_group_tests(tests, NULL, free_arena);
}
