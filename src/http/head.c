/* head.c - see head.h. */
#include "http/head.h"

static int bad(struct error *err, const char *what)
{
    return error_say(err, ERR_VALIDATION, NULL, "the request is malformed: %s", what);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
              || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return s.n > 0;
}

static bool name_is(struct str s, struct str name)
{
    return s.n == name.n && strncasecmp(s.p, name.p, s.n) == 0;
}

static bool value_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

/* host[:port], as far as it can be wrong in a way that matters: no userinfo, no path, a port that exists. */
static bool host_valid(struct str host)
{
    struct error ignored = { 0 }; /* the caller has its own words */
    struct str   port = { NULL, 0 }, name = host;
    uint64_t     n;

    if (host.n > 0 && host.p[0] == '[') {
        const char *end = memchr(host.p, ']', host.n);

        if (!end)
            return false;
        name = (struct str){ host.p + 1, (size_t)(end - host.p) - 1 };
        port = (struct str){ end + 1, host.n - name.n - 2 };
        if (port.n > 0 && port.p[0] != ':')
            return false;
        port = port.n > 0 ? (struct str){ port.p + 1, port.n - 1 } : (struct str){ NULL, 0 };
        for (size_t i = 0; i < name.n; i++)
            if (!strchr("0123456789abcdefABCDEF:.", name.p[i]))
                return false;
    } else {
        port = host;
        name = str_cut(&port, ':');
        for (size_t i = 0; i < name.n; i++)
            if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= 'A' && name.p[i] <= 'Z')
                  || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-' || name.p[i] == '.'
                  || name.p[i] == '_'))
                return false;
    }
    return name.n > 0 && name.n <= 255 && (!port.p || parse_u64("port", port, 1, 65535, &n, &ignored) == 0);
}

static int take_length(struct head *h, struct str v, struct error *err)
{
    struct error ignored = { 0 };

    if (h->lengths++ > 0)
        return bad(err, "two Content-Length headers");
    if (v.n > 19 || (v.n > 1 && v.p[0] == '0')
        || parse_u64("Content-Length", v, 0, INT64_MAX, &h->length, &ignored) < 0)
        return bad(err, "Content-Length is not a number");
    return 0;
}

int head_field(struct head *h, struct str name, struct str value, struct error *err)
{
    h->bytes += name.n + value.n + 4;
    if (++h->count > h->limits->count || name.n + value.n + 2 > h->limits->header || h->bytes > h->limits->headers)
        return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "at most %u headers, %zu bytes each, %zu bytes in all",
                         h->limits->count, h->limits->header, h->limits->headers);
    if (!is_token(name))
        return bad(err, "a header's name holds characters that are not allowed");
    if (!value_clean(value))
        return bad(err, "a header's value holds control characters");
    if (name_is(name, S("Host"))) {
        h->host = value;
        return h->hosts++ > 0      ? bad(err, "two Host headers")
               : host_valid(value) ? 0
                                   : bad(err, "Host is not a host name");
    }
    if (name_is(name, S("Content-Length")))
        return take_length(h, value, err);
    if (name_is(name, S("Transfer-Encoding"))) {
        h->chunked = true;
        return h->encodings++ == 0 && name_is(value, S("chunked"))
                   ? 0
                   : bad(err, "Transfer-Encoding is not exactly chunked");
    }
    if (name_is(name, S("Authorization")))
        return h->authorizations++ > 0 ? bad(err, "two Authorization headers") : 0;
    if (name_is(name, S("X-API-Key")))
        return h->keys++ > 0 ? bad(err, "two X-API-Key headers") : 0;
    if (name_is(name, S("Content-Type")))
        return h->types++ > 0 ? bad(err, "two Content-Type headers") : 0;
    if (name_is(name, S("Expect")) && (h->expects++ > 0 || !name_is(value, S("100-continue"))))
        return error_say(err, ERR_EXPECTATION, NULL, "only Expect: 100-continue is understood");
    return 0;
}

int head_done(const struct head *h, struct error *err)
{
    if (h->hosts == 0 && !h->http10)
        return bad(err, "the Host header is missing");
    if (h->encodings > 0 && h->lengths > 0)
        return bad(err, "both Content-Length and Transfer-Encoding");
    if (h->encodings > 0 && h->http10)
        return bad(err, "HTTP/1.0 has no Transfer-Encoding");
    return 0;
}

int head_line(struct head *h, struct str line, struct error *err)
{
    struct str target = line, method = str_cut(&target, ' '), version = target;

    if (line.n > h->limits->line)
        return error_say(err, ERR_URI_TOO_LONG, NULL, "the request line is over %zu bytes", h->limits->line);
    target = str_cut(&version, ' ');
    for (size_t i = 0; i < method.n; i++)
        if (method.p[i] < 'A' || method.p[i] > 'Z')
            return bad(err, "the method");
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f)
            return bad(err, "the address holds characters that have to be escaped");
    if (method.n == 0 || target.n == 0)
        return bad(err, "the request line");
    h->http10 = version.p && str_eq(version, S("HTTP/1.0"));
    if (!h->http10 && !(version.p && str_eq(version, S("HTTP/1.1"))))
        return bad(err, "the request line does not end in HTTP/1.1");
    return 0;
}

/* The head is not whole yet: may it still become one? 0, or -1. rest: the line that has begun. */
static int check_partial(struct str bytes, struct str rest, const struct head_limits *limits, struct error *err)
{
    if (rest.p == bytes.p && bytes.n > limits->line + 1) /* a CR may stand there already */
        return error_say(err, ERR_URI_TOO_LONG, NULL, "the request line is over %zu bytes", limits->line);
    if (rest.p != bytes.p && rest.n > limits->header + 1)
        return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "a header is over %zu bytes", limits->header);
    if (bytes.n > limits->line + limits->headers + 4)
        return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "the headers are over %zu bytes", limits->headers);
    return 0;
}

/* Cuts the next line off; its CR LF must be whole. */
static int take_line(struct str *rest, struct str *line, struct error *err)
{
    const char *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;

    if (!lf)
        return 0;
    *line = (struct str){ rest->p, (size_t)(lf - rest->p) };
    *rest = (struct str){ lf + 1, rest->n - line->n - 1 };
    if (line->n == 0 || line->p[line->n - 1] != '\r')
        return bad(err, "a line does not end in CR LF");
    line->n--;
    return 1;
}

static int check_header(struct head *h, struct str line, struct error *err)
{
    struct str value = line, name = str_cut(&value, ':');

    if (line.n > h->limits->header)
        return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "a header is over %zu bytes", h->limits->header);
    if (!value.p)
        return bad(err, "a header without a colon");
    while (value.n > 0 && (value.p[0] == ' ' || value.p[0] == '\t'))
        value = (struct str){ value.p + 1, value.n - 1 };
    while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    if (line.n > name.n + value.n + 2) /* white space counts too */
        h->bytes += line.n - name.n - value.n - 2;
    return head_field(h, name, value, err);
}

int head_check(struct str bytes, const struct head_limits *limits, size_t *ret_size, struct head *ret,
               struct error *err)
{
    struct head h = { .limits = limits };
    struct str  rest = bytes, line;
    int         r = take_line(&rest, &line, err);

    if (r > 0 && head_line(&h, line, err) < 0)
        return -1;
    while (r > 0 && (r = take_line(&rest, &line, err)) > 0) {
        if (line.n == 0) {
            *ret_size = bytes.n - rest.n;
            *ret = h;
            return head_done(&h, err) < 0 ? -1 : 1;
        }
        if (check_header(&h, line, err) < 0)
            return -1;
    }
    return r < 0 ? -1 : check_partial(bytes, rest, limits, err);
}

bool head_was_strict(const char *p, size_t n)
{
    size_t i = 2;

    if (n < 4 || p[0] != '\0' || p[1] != '\0') /* the request line's CR LF */
        return false;
    while (n - i > 2) {
        size_t name = strnlen(p + i, n - i);

        if (name == 0 || p[i] == ' ' || p[i] == '\t' || n - i - name < 3)
            return false;
        i += name + 1;
        i += strnlen(p + i, n - i);
        if (n - i < 4 || p[i] != '\0' || p[i + 1] != '\0')
            return false;
        i += 2;
    }
    return n - i == 2 && p[i] == '\0' && p[i + 1] == '\0';
}
