/* http_client.c - see http_client.h. One easy handle a request, taken from and given back to a short stack, so connections are kept. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_IDLE = 64,
    DEFAULT_IDLE = 4,
    DEFAULT_CONNECT_MS = 10000,
    DEFAULT_MAX_BODY = 1 << 20,
    MAX_HEADERS = 128,
    MAX_HEADER_BYTES = 128 << 10,
    MAX_METHOD = 16,
    MAX_OPTION_BYTES = 16384,
    LINES_FIRST = 1024,
};

struct net_client {
    struct arena              arena; /* texts of the options */
    struct net_client_options options;
    pthread_mutex_t           lock; /* guards idle */
    CURL                     *idle[MAX_IDLE];
    unsigned                  idle_n;
};

/* One request on its way. */
struct exchange {
    const struct net_client  *client;
    const struct net_request *req;
    CURL                     *curl;
    struct curl_slist        *headers;
    curl_mime                *mime;
    struct arena             *arena;
    struct sb                 body;
    struct net_header        *answer_headers;
    size_t                    answer_headers_n, header_bytes;
    enum { GOES_ON, STOPPED, TOO_LARGE, REFUSED, NO_MEMORY } end;
};

static const char *const end_texts[] = {
    [STOPPED] = "the request was given up by its receiver",
    [TOO_LARGE] = "the answer is larger than allowed",
    [REFUSED] = "the address is not allowed",
    [NO_MEMORY] = "no memory for the answer",
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static const char *copy(struct arena *a, const char *text)
{
    return text ? str_dup(a, str_of(text)) : NULL;
}

struct net_client *net_client_open(const struct net_client_options *options, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct net_client    *c = calloc(1, sizeof *c);

    if (!c) {
        error_set(err, ERR_UNAVAILABLE, "no memory for an HTTP client");
        return NULL;
    }
    pthread_once(&once, global_init);
    pthread_mutex_init(&c->lock, NULL);
    c->arena = ARENA(MAX_OPTION_BYTES);
    if (options)
        c->options = *options;
    c->options.ca_file = copy(&c->arena, c->options.ca_file);
    c->options.unix_socket = copy(&c->arena, c->options.unix_socket);
    c->options.user_agent = copy(&c->arena, c->options.user_agent ? c->options.user_agent : "dms");
    if (c->options.connect_timeout_ms == 0)
        c->options.connect_timeout_ms = DEFAULT_CONNECT_MS;
    if (c->options.max_idle == 0)
        c->options.max_idle = DEFAULT_IDLE;
    if (c->options.max_idle > MAX_IDLE)
        c->options.max_idle = MAX_IDLE;
    if (!c->arena.failed)
        return c;
    error_set(err, ERR_VALIDATION, "the options of the HTTP client are too long");
    net_client_close(c);
    return NULL;
}

void net_client_close(struct net_client *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->idle_n; i++)
        curl_easy_cleanup(c->idle[i]);
    pthread_mutex_destroy(&c->lock);
    arena_free(&c->arena);
    free(c);
}

static CURL *take_handle(struct net_client *c)
{
    CURL *h = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->idle_n > 0)
        h = c->idle[--c->idle_n];
    pthread_mutex_unlock(&c->lock);
    return h ? h : curl_easy_init();
}

static void give_back_handle(struct net_client *c, CURL *h)
{
    curl_easy_reset(h); /* forgets the request, keeps its connections */
    pthread_mutex_lock(&c->lock);
    if (c->idle_n < c->options.max_idle) {
        c->idle[c->idle_n++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    if (h)
        curl_easy_cleanup(h);
}

static size_t stop(struct exchange *x, int why)
{
    if (x->end == GOES_ON)
        x->end = (unsigned)why;
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    long             status = 0;

    (void)size; /* always 1 */
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (x->req->sink && status / 100 == 2)
        return x->req->sink(x->req->sink_arg, (struct str){ p, n }) == 0 ? n : stop(x, STOPPED);
    if (n > (x->req->max_body > 0 ? x->req->max_body : DEFAULT_MAX_BODY) - x->body.n)
        return stop(x, TOO_LARGE);
    sb_put(&x->body, (struct str){ p, n });
    return x->arena->failed ? stop(x, TOO_LARGE) : n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct str       line = str_trim((struct str){ p, n });

    (void)size;
    x->header_bytes += n;
    if (x->header_bytes > MAX_HEADER_BYTES || x->answer_headers_n == MAX_HEADERS)
        return stop(x, TOO_LARGE);
    if (str_starts(line, S("HTTP/"))) { /* a new answer: after a 100, or a proxy's */
        x->answer_headers_n = 0;
        return n;
    }
    if (line.n == 0)
        return n;
    const char *text = str_dup(x->arena, line);
    if (x->arena->failed)
        return stop(x, NO_MEMORY);
    struct str value = { text, line.n }, name = str_cut(&value, ':');
    x->answer_headers[x->answer_headers_n++] = (struct net_header){ str_trim(name), value.p ? str_trim(value) : S("") };
    return n;
}

static size_t on_read(char *buf, size_t size, size_t n, void *arg)
{
    const struct net_source *s = arg;
    ssize_t                  got = s->read(s->arg, buf, size * n);

    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    const struct net_source *s = arg;

    if (offset != 0 || origin != SEEK_SET || !s->rewind)
        return CURL_SEEKFUNC_CANTSEEK;
    return s->rewind(s->arg) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int on_progress(void *arg, curl_off_t receive_total, curl_off_t received, curl_off_t send_total, curl_off_t sent)
{
    struct exchange *x = arg;

    if (x->req->progress(x->req->progress_arg, sent, send_total, received, receive_total) == 0)
        return 0;
    stop(x, STOPPED);
    return 1;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange                 *x = arg;
    const struct net_client_options *o = &x->client->options;

    (void)purpose;
    if (o->may_connect && !o->may_connect(o->may_connect_arg, &address->addr)) {
        stop(x, REFUSED);
        return CURL_SOCKET_BAD;
    }
    x->end = x->end == REFUSED ? GOES_ON : x->end; /* the host has another address, which is allowed */
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* No control character, no space: nothing that could end a line of the request. */
static bool clean_url(const char *url)
{
    for (; *url; url++)
        if ((uint8_t)*url <= 0x20 || (uint8_t)*url == 0x7f)
            return false;
    return true;
}

bool net_url_safe(const char *url, bool local_http)
{
    static const char *const local[] = { "http://localhost", "http://127.0.0.1", "http://[::1]" };
    const char              *host = strstr(url, "://");

    if (!clean_url(url) || !host || memchr(host + 3, '@', strcspn(host + 3, "/?#")) || strpbrk(url, "#\\"))
        return false;
    if (strncmp(url, "https://", 8) == 0)
        return url[8] != '\0' && url[8] != '/';
    for (size_t i = 0; local_http && i < ARRAY_LEN(local); i++) {
        size_t n = strlen(local[i]);

        if (strncmp(url, local[i], n) == 0 && (url[n] == ':' || url[n] == '/' || url[n] == '\0'))
            return true;
    }
    return false;
}

static bool clean_method(const char *method)
{
    size_t n = strlen(method);

    return n > 0 && n <= MAX_METHOD && strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

static int add_header(struct exchange *x, const char *line, struct error *err)
{
    struct curl_slist *more = curl_slist_append(x->headers, line);

    if (!more)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the headers");
    x->headers = more;
    return 0;
}

static int set_headers(struct exchange *x, struct error *err)
{
    bool typed = x->req->parts_n > 0;

    for (size_t i = 0; x->req->headers && x->req->headers[i]; i++) {
        const char *line = x->req->headers[i];

        if (strpbrk(line, "\r\n") || !strchr(line, ':'))
            return error_set(err, ERR_VALIDATION, "a header of the request is malformed");
        typed |= strncasecmp(line, "Content-Type:", strlen("Content-Type:")) == 0;
        if (add_header(x, line, err) < 0)
            return -1;
    }
    if (!typed && add_header(x, "Content-Type:", err) < 0) /* libcurl would name a form */
        return -1;
    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
    return 0;
}

static int add_part(struct exchange *x, const struct net_part *p, struct error *err)
{
    curl_mimepart *part = curl_mime_addpart(x->mime);
    CURLcode       e = part ? curl_mime_name(part, p->name) : CURLE_OUT_OF_MEMORY;

    if (e == CURLE_OK && p->path)
        e = curl_mime_filedata(part, p->path);
    else if (e == CURLE_OK && p->source)
        e = curl_mime_data_cb(part, p->source->size, on_read, p->source->rewind ? on_seek : NULL, NULL,
                              (void *)(uintptr_t)p->source);
    else if (e == CURLE_OK)
        e = curl_mime_data(part, p->data.n > 0 ? p->data.p : "", p->data.n);
    if (e == CURLE_OK)
        e = curl_mime_filename(part, p->filename);
    if (e == CURLE_OK && p->content_type)
        e = curl_mime_type(part, p->content_type);
    if (e == CURLE_READ_ERROR)
        return error_set(err, ERR_NOT_FOUND, "cannot read the file of \"%s\"", p->name);
    return e == CURLE_OK ? 0 : error_set(err, ERR_UNAVAILABLE, "cannot make the form: %s", curl_easy_strerror(e));
}

static int set_parts(struct exchange *x, struct error *err)
{
    x->mime = curl_mime_init(x->curl);
    if (!x->mime)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the form");
    for (size_t i = 0; i < x->req->parts_n; i++)
        if (add_part(x, &x->req->parts[i], err) < 0)
            return -1;
    curl_easy_setopt(x->curl, CURLOPT_MIMEPOST, x->mime);
    return 0;
}

static int set_body(struct exchange *x, struct error *err)
{
    const struct net_request *r = x->req;
    bool                      has_body = r->body.p || r->source || r->parts_n > 0;
    const char               *method = r->method ? r->method : has_body ? "POST" : "GET";

    if (!clean_method(method))
        return error_set(err, ERR_VALIDATION, "the request's method is malformed");
    if (r->parts_n > 0 && set_parts(x, err) < 0)
        return -1;
    if (r->parts_n == 0 && r->source) {
        curl_easy_setopt(x->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(x->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(x->curl, CURLOPT_READDATA, r->source);
        curl_easy_setopt(x->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(x->curl, CURLOPT_SEEKDATA, r->source);
        curl_easy_setopt(x->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->source->size);
    } else if (r->parts_n == 0 && (has_body || strcmp(method, "POST") == 0)) {
        curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, r->body.n > 0 ? r->body.p : "");
        curl_easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(x->curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(x->curl, CURLOPT_CUSTOMREQUEST, method);
    return 0;
}

static void set_connection(const struct exchange *x)
{
    const struct net_client_options *o = &x->client->options;
    CURL                            *h = x->curl;

    curl_easy_setopt(h, CURLOPT_URL, x->req->url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(h, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, x);
    if (o->may_connect)
        curl_easy_setopt(h, CURLOPT_PROXY, "");
    if (o->ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, o->ca_file);
    if (o->unix_socket)
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
}

static void set_limits(struct exchange *x)
{
    const struct net_request *r = x->req;
    CURL                     *h = x->curl;

    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    if (r->stall_timeout_ms > 0) {
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)((r->stall_timeout_ms + 999) / 1000));
    }
    if (r->progress) {
        curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(h, CURLOPT_XFERINFODATA, x);
    }
}

static int explain(const struct exchange *x, CURLcode e, struct error *err)
{
    if (x->end == TOO_LARGE)
        return error_set(err, ERR_TOO_LARGE, "%s", end_texts[x->end]);
    if (x->end != GOES_ON)
        return error_set(err, ERR_UNAVAILABLE, "%s", end_texts[x->end]);
    if (e == CURLE_URL_MALFORMAT || e == CURLE_UNSUPPORTED_PROTOCOL)
        return error_set(err, ERR_VALIDATION, "the URL is malformed or of another protocol than http and https");
    return error_set(err, ERR_UNAVAILABLE, "%s", curl_easy_strerror(e));
}

static int perform(struct exchange *x, struct net_response *ret, struct error *err)
{
    long     status = 0;
    CURLcode e = curl_easy_perform(x->curl);

    if (e != CURLE_OK)
        return explain(x, e, err);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    *ret = (struct net_response){ (unsigned)status, sb_str(&x->body), x->answer_headers, x->answer_headers_n };
    return 0;
}

int net_run(struct net_client *c, const struct net_request *req, struct arena *a, struct net_response *ret,
            struct error *err)
{
    struct exchange x = { .client = c, .req = req, .arena = a, .body = SB(a) };
    int             result = -1;

    if (!clean_url(req->url))
        return error_set(err, ERR_VALIDATION, "the URL is malformed");
    x.answer_headers = arena_alloc_array(a, MAX_HEADERS, sizeof *x.answer_headers);
    x.curl = x.answer_headers ? take_handle(c) : NULL;
    if (!x.curl)
        return error_set(err, ERR_UNAVAILABLE, "no memory for a request");
    set_connection(&x);
    set_limits(&x);
    if (set_body(&x, err) == 0 && set_headers(&x, err) == 0)
        result = perform(&x, ret, err);
    give_back_handle(c, x.curl); /* before what it refers to */
    curl_slist_free_all(x.headers);
    curl_mime_free(x.mime);
    return result;
}

struct str net_response_header(const struct net_response *r, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < r->headers_n; i++)
        if (r->headers[i].name.n == n && strncasecmp(r->headers[i].name.p, name, n) == 0)
            return r->headers[i].value;
    return (struct str){ NULL, 0 };
}

struct str net_response_type(const struct net_response *r)
{
    struct str type = net_response_header(r, "Content-Type");

    return type.p ? str_trim(str_cut(&type, ';')) : S("");
}

unsigned net_response_retry_after(const struct net_response *r, unsigned fallback, unsigned max)
{
    struct str   value = net_response_header(r, "Retry-After");
    struct error ignored = { 0 }; /* a date, or nonsense */
    uint64_t     seconds;

    if (!value.p || parse_u64("Retry-After", value, 0, UINT32_MAX, &seconds, &ignored) < 0)
        return fallback;
    return seconds < max ? (unsigned)seconds : max;
}

static ssize_t read_fd(void *arg, char *buf, size_t n)
{
    const struct net_fd *f = arg;
    ssize_t              got;

    do
        got = read(f->fd, buf, n);
    while (got < 0 && errno == EINTR);
    return got;
}

static int rewind_fd(void *arg)
{
    const struct net_fd *f = arg;

    return lseek(f->fd, f->start, SEEK_SET) == f->start ? 0 : -1;
}

struct net_source net_source_fd(struct net_fd *f, int64_t size)
{
    f->start = lseek(f->fd, 0, SEEK_CUR);
    return (struct net_source){ .read = read_fd, .rewind = f->start < 0 ? NULL : rewind_fd, .arg = f, .size = size };
}

int net_sink_fd(void *arg, struct str piece)
{
    const int *fd = arg;

    while (piece.n > 0) {
        ssize_t put = write(*fd, piece.p, piece.n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        piece.p += put;
        piece.n -= (size_t)put;
    }
    return 0;
}

static int keep(struct net_lines *l, struct str part)
{
    if (part.n > l->max_line - l->n)
        return -1;
    if (l->n + part.n > l->cap) {
        size_t cap = l->cap > 0 ? l->cap : LINES_FIRST;

        while (cap < l->n + part.n)
            cap *= 2;
        char *p = realloc(l->p, cap);
        if (!p)
            return -1;
        l->p = p;
        l->cap = cap;
    }
    if (part.n > 0)
        memcpy(l->p + l->n, part.p, part.n);
    l->n += part.n;
    return 0;
}

int net_sink_lines(void *arg, struct str piece)
{
    struct net_lines *l = arg;

    while (piece.n > 0) {
        const char *lf = memchr(piece.p, '\n', piece.n);
        struct str  part = { piece.p, lf ? (size_t)(lf - piece.p) : piece.n };

        if (keep(l, part) < 0)
            return -1;
        piece.p += part.n + (lf ? 1 : 0);
        piece.n -= part.n + (lf ? 1 : 0);
        if (!lf)
            continue;
        size_t n = l->n > 0 && l->p[l->n - 1] == '\r' ? l->n - 1 : l->n;
        l->n = 0;
        if (l->line(l->arg, (struct str){ n > 0 ? l->p : "", n }) != 0)
            return -1;
    }
    return 0;
}

void net_lines_free(struct net_lines *l)
{
    free(l->p);
    l->p = NULL;
    l->n = l->cap = 0;
}
