/* Outgoing HTTP against a server of the test's own. */
#include "fake_server.h"

#include "base/file.h"
#include "net/http_client.h"

#include <fcntl.h>
#include <strings.h>

struct seen {
    char   text[1 << 17]; /* the last request */
    size_t n;
};

/* By path: /ok /missing /large /moved /lines /wait /never; notes the request. */
static struct str answer(void *arg, struct arena *a, struct str request)
{
    struct seen *seen = arg;
    struct str   line = request, method = str_cut(&line, ' '), path = str_cut(&line, ' ');

    seen->n = request.n < sizeof seen->text ? request.n : sizeof seen->text - 1;
    memcpy(seen->text, request.p, seen->n);
    seen->text[seen->n] = '\0';
    if (str_eq(path, S("/missing")))
        return fake_answer(a, "404 Not Found", "Content-Type: application/problem+json; charset=utf-8\r\n",
                           S("{\"no\":1}"));
    if (str_eq(path, S("/moved")))
        return fake_answer(a, "302 Found", "Location: /ok\r\n", S(""));
    if (str_eq(path, S("/wait")))
        return fake_answer(a, "429 Too Many Requests", "Retry-After: 7\r\n", S(""));
    if (str_eq(path, S("/lines")))
        return fake_answer(a, "200 OK", "Content-Type: text/event-stream\r\n",
                           S("event: a\r\ndata: 1\n\ndata: 22\n: tail"));
    if (str_eq(path, S("/never")))
        return (struct str){ NULL, 0 };
    if (str_eq(path, S("/large")))
        return fake_answer(a, "200 OK", "", (struct str){ arena_alloc(a, 100000), 100000 });
    return fake_answer(a, "200 OK", "Content-Type: text/plain\r\nX-Two:  a b \r\n",
                       str_eq(method, S("HEAD")) ? S("") : S("hello"));
}

struct fixture {
    struct fake_server server;
    struct seen        seen;
    struct net_client *client;
    struct arena       arena;
    char               url[64];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error    err = { 0 };

    assert_non_null(f);
    f->server.answer = answer;
    f->server.arg = &f->seen;
    fake_start(&f->server);
    f->arena = ARENA(4 << 20);
    f->client = net_client_open(NULL, &err);
    assert_non_null(f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    net_client_close(f->client);
    fake_stop(&f->server);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static const char *url(struct fixture *f, const char *path)
{
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u%s", f->server.port, path);
    return f->url;
}

static struct net_response run(struct fixture *f, const struct net_request *req)
{
    struct net_response r;
    struct error        err = { 0 };

    if (net_run(f->client, req, &f->arena, &r, &err) < 0)
        fail_msg("no answer: %s", err.detail);
    return r;
}

static enum err run_fails(struct fixture *f, const struct net_request *req)
{
    struct net_response r;
    struct error        err = { 0 };

    assert_int_equal(net_run(f->client, req, &f->arena, &r, &err), -1);
    assert_true(err.detail[0] != '\0');
    return err.code;
}

static void an_answer_has_status_body_and_headers(void **state)
{
    struct fixture     *f = *state;
    struct net_response r = run(f, &(struct net_request){ .url = url(f, "/ok") });

    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.p, "hello");
    assert_true(str_eq(net_response_type(&r), S("text/plain")));
    assert_true(str_eq(net_response_header(&r, "x-two"), S("a b")));
    assert_null(net_response_header(&r, "X-Three").p);
    assert_int_equal(strncmp(f->seen.text, "GET /ok HTTP/1.1\r\n", 18), 0);
    assert_non_null(strstr(f->seen.text, "User-Agent: dms\r\n"));
}

static void other_statuses_are_answers_too_and_redirects_are_not_followed(void **state)
{
    struct fixture     *f = *state;
    struct net_response r = run(f, &(struct net_request){ .url = url(f, "/missing") });

    assert_int_equal(r.status, 404);
    assert_true(str_eq(net_response_type(&r), S("application/problem+json")));
    assert_true(str_eq(r.body, S("{\"no\":1}")));
    r = run(f, &(struct net_request){ .url = url(f, "/moved") });
    assert_int_equal(r.status, 302);
    assert_int_equal(f->server.requests, 2);
    r = run(f, &(struct net_request){ .url = url(f, "/wait") });
    assert_int_equal(net_response_retry_after(&r, 1, 60), 7);
    assert_int_equal(net_response_retry_after(&r, 1, 5), 5);
    r = run(f, &(struct net_request){ .method = "HEAD", .url = url(f, "/ok") });
    assert_int_equal(net_response_retry_after(&r, 3, 60), 3);
    assert_int_equal(r.body.n, 0);
}

static void a_connection_is_kept_for_the_next_request(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5; i++)
        run(f, &(struct net_request){ .url = url(f, "/ok") });
    assert_int_equal(f->server.requests, 5);
    assert_int_equal(f->server.connections, 1);
}

static void a_body_is_sent_with_the_callers_headers_and_no_others(void **state)
{
    struct fixture *f = *state;

    run(f,
        &(struct net_request){ .url = url(f, "/ok"),
                               .headers = (const char *const[]){ "Content-Type: application/json", "X-Key: k", NULL },
                               .body = S("{\"a\":1}") });
    assert_int_equal(strncmp(f->seen.text, "POST /ok ", 9), 0);
    assert_non_null(strstr(f->seen.text, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(f->seen.text, "X-Key: k\r\n"));
    assert_non_null(strstr(f->seen.text, "\r\n\r\n{\"a\":1}"));
    run(f, &(struct net_request){ .method = "PATCH", .url = url(f, "/ok"), .body = S("x") });
    assert_int_equal(strncmp(f->seen.text, "PATCH /ok ", 10), 0);
    assert_null(strcasestr(f->seen.text, "Content-Type"));
    run(f, &(struct net_request){ .method = "POST", .url = url(f, "/ok") });
    assert_non_null(strstr(f->seen.text, "Content-Length: 0\r\n"));
    run(f, &(struct net_request){ .method = "DELETE", .url = url(f, "/ok") });
    assert_int_equal(strncmp(f->seen.text, "DELETE /ok ", 11), 0);
}

static void what_could_forge_a_request_is_refused(void **state)
{
    struct fixture   *f = *state;
    const char *const line[] = { "X: a\r\nY: b", NULL }, *const bare[] = { "X", NULL };
    const char *bad[] = { "ftp://127.0.0.1/", "file:///etc/passwd",
                          "http://a b/",      "http://127.0.0.1/\r\nX: y",
                          "http://",          "" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(run_fails(f, &(struct net_request){ .url = bad[i] }), ERR_VALIDATION);
    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/ok"), .headers = line }), ERR_VALIDATION);
    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/ok"), .headers = bare }), ERR_VALIDATION);
    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/ok"), .method = "GET /x" }), ERR_VALIDATION);
    assert_int_equal(f->server.requests, 0);
}

static void too_large_an_answer_ends_the_request(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/large"), .max_body = 99999 }), ERR_TOO_LARGE);
    assert_int_equal(run(f, &(struct net_request){ .url = url(f, "/large"), .max_body = 100000 }).body.n, 100000);
}

static void no_answer_in_time_and_no_server_are_unavailable(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/never"), .timeout_ms = 50 }), ERR_UNAVAILABLE);
    assert_int_equal(run_fails(f, &(struct net_request){ .url = "http://127.0.0.1:1/" }), ERR_UNAVAILABLE);
}

static bool refuse(void *arg, const struct sockaddr *address)
{
    int *asked = arg;

    ++*asked;
    return address->sa_family != AF_INET;
}

static void the_guard_keeps_from_connecting(void **state)
{
    struct fixture           *f = *state;
    int                       asked = 0;
    struct net_client_options o = { .may_connect = refuse, .may_connect_arg = &asked };
    struct error              err = { 0 };
    struct net_client        *guarded = net_client_open(&o, &err);
    struct net_response       r;

    assert_non_null(guarded);
    assert_int_equal(net_run(guarded, &(struct net_request){ .url = url(f, "/ok") }, &f->arena, &r, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(err.detail, "the address is not allowed");
    assert_int_equal(asked, 1);
    assert_int_equal(f->server.connections, 0);
    net_client_close(guarded);
}

/* A temporary file without a name, with that content, at its start. */
static int make_file(size_t n)
{
    FILE *file = tmpfile();
    int   fd = dup(fileno(file));

    for (size_t i = 0; i < n; i++)
        fputc('a' + (int)(i % 26), file);
    fclose(file);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

struct progress {
    int64_t sent, send_total, received;
    bool    stop;
};

static int note_progress(void *arg, int64_t sent, int64_t send_total, int64_t received, int64_t receive_total)
{
    struct progress *p = arg;

    (void)receive_total;
    p->sent = sent;
    p->send_total = send_total;
    p->received = received;
    return p->stop;
}

static void a_file_is_streamed_with_and_without_a_known_size(void **state)
{
    struct fixture   *f = *state;
    struct net_fd     file = { .fd = make_file(60000) };
    struct progress   p = { 0 };
    struct net_source source = net_source_fd(&file, 60000);

    run(f,
        &(struct net_request){
            .method = "PUT", .url = url(f, "/ok"), .source = &source, .progress = note_progress, .progress_arg = &p });
    assert_int_equal(strncmp(f->seen.text, "PUT /ok ", 8), 0);
    assert_non_null(strstr(f->seen.text, "Content-Length: 60000\r\n"));
    assert_int_equal(p.sent, 60000);
    assert_int_equal(p.send_total, 60000);
    assert_memory_equal(strstr(f->seen.text, "\r\n\r\n") + 4, "abcdef", 6);
    lseek(file.fd, 0, SEEK_SET);
    source = net_source_fd(&file, -1);
    run(f, &(struct net_request){ .method = "PUT", .url = url(f, "/ok"), .source = &source });
    assert_non_null(strstr(f->seen.text, "Transfer-Encoding: chunked\r\n"));
    close(file.fd);
}

static void progress_can_end_a_request(void **state)
{
    struct fixture *f = *state;
    struct progress p = { .stop = true };

    assert_int_equal(
        run_fails(f, &(struct net_request){ .url = url(f, "/never"), .progress = note_progress, .progress_arg = &p }),
        ERR_UNAVAILABLE);
}

static void a_form_has_its_fields_and_files(void **state)
{
    struct fixture   *f = *state;
    struct net_fd     file = { .fd = make_file(1000) };
    struct net_source source = net_source_fd(&file, 1000);
    struct error      err = { 0 };
    char              path[] = "/tmp/dms-net-XXXXXX";
    int               fd = mkstemp(path);

    assert_int_equal(file_write_all(fd, S("from disk"), &err), 0);
    close(fd);
    struct net_part parts[] = {
        { .name = "title", .data = S("T \xc3\xa4") },
        { .name = "file", .filename = "a \"b\".txt", .content_type = "text/plain", .source = &source },
        { .name = "other", .filename = "c.bin", .path = path },
        { .name = "empty" },
    };
    run(f, &(struct net_request){ .url = url(f, "/ok"), .parts = parts, .parts_n = ARRAY_LEN(parts) });
    assert_int_equal(strncmp(f->seen.text, "POST /ok ", 9), 0);
    assert_non_null(strstr(f->seen.text, "Content-Type: multipart/form-data; boundary="));
    assert_non_null(strstr(f->seen.text, "form-data; name=\"title\"\r\n\r\nT \xc3\xa4\r\n"));
    assert_non_null(strstr(f->seen.text,
                           "name=\"file\"; filename=\"a %22b%22.txt\"\r\nContent-Type: text/plain\r\n\r\nabcdefghij"));
    assert_non_null(strstr(f->seen.text, "filename=\"c.bin\"\r\n"));
    assert_non_null(strstr(f->seen.text, "\r\n\r\nfrom disk\r\n"));
    parts[2].path = "/nonexistent/file";
    assert_int_equal(run_fails(f, &(struct net_request){ .url = url(f, "/ok"), .parts = parts, .parts_n = 3 }),
                     ERR_NOT_FOUND);
    unlink(path);
    close(file.fd);
}

static void a_download_goes_to_the_sink_but_an_error_to_memory(void **state)
{
    struct fixture *f = *state;
    int             fd = make_file(0);

    struct net_response r =
        run(f, &(struct net_request){ .url = url(f, "/large"), .max_body = 10, .sink = net_sink_fd, .sink_arg = &fd });
    assert_int_equal(r.body.n, 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 100000);
    r = run(f, &(struct net_request){ .url = url(f, "/missing"), .sink = net_sink_fd, .sink_arg = &fd });
    assert_int_equal(r.body.n, 8);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 100000);
    close(fd);
    fd = open("/dev/full", O_WRONLY);
    assert_int_equal(
        run_fails(f, &(struct net_request){ .url = url(f, "/large"), .sink = net_sink_fd, .sink_arg = &fd }),
        ERR_UNAVAILABLE);
    close(fd);
}

static int note_line(void *arg, struct str line)
{
    struct sb *b = arg;

    sb_put(b, line);
    sb_putc(b, '|');
    return 0;
}

static void a_stream_is_cut_into_lines(void **state)
{
    struct fixture  *f = *state;
    struct sb        b = SB(&f->arena);
    struct net_lines lines = { .line = note_line, .arg = &b, .max_line = 9 };

    run(f, &(struct net_request){
               .url = url(f, "/lines"), .sink = net_sink_lines, .sink_arg = &lines, .stall_timeout_ms = 5000 });
    assert_string_equal(b.p, "event: a|data: 1||data: 22|");
    assert_int_equal(lines.n, 6); /* what has no end yet */
    net_lines_free(&lines);
    b.n = 0;
    for (const char *p = "ab\r\nc\n\r\nd\r"; *p; p++) /* cut at each byte */
        assert_int_equal(net_sink_lines(&lines, (struct str){ p, 1 }), 0);
    assert_memory_equal(b.p, "ab|c||", 6);
    net_lines_free(&lines);
    assert_int_equal(net_sink_lines(&lines, S("123456789\n")), 0);
    assert_int_equal(net_sink_lines(&lines, S("1234567890\n")), -1);
    net_lines_free(&lines);
}

static void only_safe_addresses_are_gone_to(void **state)
{
    static const struct {
        const char *url;
        bool        safe, safe_here; /* with http to this machine allowed */
    } cases[] = {
        { "https://example.com", true, true },
        { "https://example.com:8443/a?b=c@d", true, true },
        { "http://localhost:1/a", false, true },
        { "http://127.0.0.1", false, true },
        { "http://[::1]/", false, true },
        { "http://example.com/", false, false },
        { "http://localhost.example.com/", false, false },
        { "http://127.0.0.1.example.com/", false, false },
        { "http://127.0.0.1@example.com/", false, false },
        { "http://localhost:1@example.com/", false, false },
        { "https://good.example@127.0.0.1/", false, false },
        { "https://good.example:x@127.0.0.1/", false, false },
        { "https://good.example\\@127.0.0.1/", false, false },
        { "https://good.example#@127.0.0.1/", false, false },
        { "https://exa mple.com/", false, false },
        { "https://example.com/\r\nX: y", false, false },
        { "https://", false, false },
        { "https:///etc/passwd", false, false },
        { "HTTPS://example.com", false, false },
        { "HTTP://localhost/", false, false },
        { "file:///etc/passwd", false, false },
        { "ftp://127.0.0.1/", false, false },
        { "javascript:alert(1)", false, false },
        { "//example.com/", false, false },
        { "", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(net_url_safe(cases[i].url, false), cases[i].safe);
        assert_int_equal(net_url_safe(cases[i].url, true), cases[i].safe_here);
    }
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(an_answer_has_status_body_and_headers),
        ROW(other_statuses_are_answers_too_and_redirects_are_not_followed),
        ROW(a_connection_is_kept_for_the_next_request),
        ROW(a_body_is_sent_with_the_callers_headers_and_no_others),
        ROW(what_could_forge_a_request_is_refused),
        ROW(too_large_an_answer_ends_the_request),
        ROW(no_answer_in_time_and_no_server_are_unavailable),
        ROW(the_guard_keeps_from_connecting),
        ROW(a_file_is_streamed_with_and_without_a_known_size),
        ROW(progress_can_end_a_request),
        ROW(a_form_has_its_fields_and_files),
        ROW(a_download_goes_to_the_sink_but_an_error_to_memory),
        ROW(a_stream_is_cut_into_lines),
        ROW(only_safe_addresses_are_gone_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
