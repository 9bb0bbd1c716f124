/* access_log.c - one line a request in Google Cloud's shape, gathered in the loop and written once a turn. What a client sent is escaped and
   cut; queries, credentials and tokens in paths are never in it. */
#include "http/private.h"

#include "base/clock.h"
#include "base/log.h"

#include <unistd.h>

enum { LOG_BUFFER = 65536, LOG_LINE_MAX = 4096, AGENT_MAX = 200, URL_MAX = 1000 };

struct line {
    char  *p;
    size_t n; /* LOG_LINE_MAX at most; what does not fit is left out piece by piece */
};

static void put(struct line *l, const char *p, size_t n)
{
    if (n > LOG_LINE_MAX - l->n)
        return;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void puts_(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* A client's text between quotes: printable ASCII as it is, all else as a question mark. */
static void put_safe(struct line *l, const char *text, size_t max)
{
    if (LOG_LINE_MAX - l->n < 2 * max + 2)
        return;
    for (size_t i = 0; i < max && text[i] != '\0'; i++) {
        char c = text[i];

        if (c == '"' || c == '\\')
            l->p[l->n++] = '\\';
        l->p[l->n++] = c >= 0x20 && c < 0x7f ? c : '?';
    }
}

static void put_number(struct line *l, uint64_t v)
{
    char   digits[20];
    size_t n = 0;

    do
        digits[sizeof digits - ++n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    put(l, digits + sizeof digits - n, n);
}

/* A member whose value is ours and needs no escaping. */
static void put_member(struct line *l, const char *name, const char *value)
{
    if (!value || value[0] == '\0')
        return;
    puts_(l, ",\"");
    puts_(l, name);
    puts_(l, "\":\"");
    puts_(l, value);
    puts_(l, "\"");
}

static void put_latency(struct line *l, int64_t us)
{
    char fraction[] = ".000000s\"";

    puts_(l, "\"");
    put_number(l, (uint64_t)(us / 1000000));
    for (int64_t i = 6, rest = us % 1000000; i > 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    puts_(l, fraction);
}

static void put_request(struct line *l, struct request_private *p, unsigned status, int64_t took_us, const char *url)
{
    const char *agent = p->begun ? request_header(&p->req, "User-Agent") : NULL;

    puts_(l, ",\"httpRequest\":{\"requestMethod\":\"");
    put_safe(l, p->is_head ? "HEAD" : p->req.method, 20);
    puts_(l, "\",\"requestUrl\":\"");
    put_safe(l, url, URL_MAX);
    puts_(l, "\",\"status\":");
    put_number(l, status);
    puts_(l, ",\"requestSize\":\"");
    put_number(l, p->seen);
    puts_(l, "\",\"responseSize\":\"");
    put_number(l, p->bytes_out);
    puts_(l, "\",\"remoteIp\":\"");
    puts_(l, p->req.ip);
    if (agent) {
        puts_(l, "\",\"userAgent\":\"");
        put_safe(l, agent, AGENT_MAX);
    }
    puts_(l, "\",\"latency\":");
    put_latency(l, took_us);
    puts_(l, ",\"protocol\":\"HTTP/1.1\"}");
}

static void put_trace(struct line *l, const struct request *req)
{
    const char *project = log_trace_project();

    if (req->trace_id[0] == '\0')
        return;
    puts_(l, ",\"logging.googleapis.com/trace\":\"");
    if (project) {
        puts_(l, "projects/");
        put_safe(l, project, 100);
        puts_(l, "/traces/");
    }
    puts_(l, req->trace_id);
    puts_(l, "\"");
    put_member(l, "logging.googleapis.com/spanId", req->span_id);
}

/* A token in the path is as good as a password, also where the path is no route. */
static const char *shown_path(const struct request *req)
{
    const char *pattern = req->route ? req->route->pattern : "";

    if (strstr(pattern, "{token}"))
        return pattern;
    return strncmp(req->path, "/s/", 3) == 0 ? "/s/{token}" : req->path;
}

void access_log(struct request_private *p, unsigned status, int64_t took_us)
{
    struct http_loop     *loop = p->loop;
    const struct request *req = &p->req;
    enum log_level        level = status >= 500 ? LOG_ERROR : LOG_INFO;
    const char           *pattern = req->route ? req->route->pattern : NULL;
    char                  now[32];

    if (!log_wants(level) || (!loop->log && !(loop->log = malloc(LOG_BUFFER))))
        return;
    if (LOG_BUFFER - loop->log_n < LOG_LINE_MAX + 8)
        access_log_flush(loop);
    struct line l = { .p = loop->log + loop->log_n };
    clock_rfc3339(now, clock_wall_us());
    puts_(&l, level == LOG_ERROR ? "{\"severity\":\"ERROR\",\"time\":\"" : "{\"severity\":\"INFO\",\"time\":\"");
    puts_(&l, now);
    puts_(&l, "\",\"message\":\"request\"");
    put_member(&l, "component", log_component());
    put_member(&l, "request_id", req->id);
    if (req->who.kind)
        put_member(&l, "tenant_id", req->who.tenant_id);
    put_trace(&l, req);
    put_member(&l, "route", pattern);
    put_request(&l, p, status, took_us, shown_path(req));
    if (req->err.code != ERR_NONE) {
        put_member(&l, "error", error_info[req->err.code].code);
        puts_(&l, ",\"cause\":\"");
        put_safe(&l, req->err.detail, sizeof req->err.detail);
        puts_(&l, "\"");
    }
    if (p->gone)
        puts_(&l, ",\"aborted\":true");
    memcpy(l.p + l.n, "}\n", 2);
    loop->log_n += l.n + 2;
}

void access_log_flush(struct http_loop *l)
{
    if (l->log_n == 0)
        return;
    ssize_t ignored = write(STDERR_FILENO, l->log, l->log_n); /* nobody to tell when the log itself is gone */
    (void)ignored;
    l->log_n = 0;
}
