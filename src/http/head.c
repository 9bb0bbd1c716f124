/* head.c - see head.h. */
#include "http/head.h"

static int bad(struct error *err, const char *what)
{
    return error_say(err, ERR_VALIDATION, NULL, "the request is malformed: %s", what);
}

static int line_too_long(const struct head *h, struct error *err)
{
    return error_say(err, ERR_URI_TOO_LONG, NULL, "the request line is over %zu bytes", h->limits->line);
}

static int header_too_large(const struct head *h, struct error *err)
{
    return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "a header is over %zu bytes", h->limits->header);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || (c >= '0' && c <= '9')
              || (c != '\0' && strchr("!#$%&'*+.^_`|~", c))))
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

static size_t count_of(struct str s, char separator)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == separator;
    return n;
}

/* value without surrounding white space. */
static int take_field(struct head *h, struct str name, struct str value, struct error *err)
{
    h->bytes += name.n + value.n + 4;
    h->fields++;
    if (++h->count > h->limits->count || name.n + value.n + 2 > h->limits->header || h->bytes > h->limits->headers)
        return error_say(err, ERR_HEADERS_TOO_LARGE, NULL, "at most %u headers, %zu bytes each, %zu bytes in all",
                         h->limits->count, h->limits->header, h->limits->headers);
    if (!is_token(name))
        return bad(err, "a header's name holds characters that are not allowed");
    if (!value_clean(value))
        return bad(err, "a header's value holds control characters");
    if (name_is(name, S("Host")))
        return h->hosts++ > 0      ? bad(err, "two Host headers")
               : host_valid(value) ? 0
                                   : bad(err, "Host is not a host name");
    if (name_is(name, S("Cookie"))) {
        h->cookies += value.n + 1;
        h->fields += count_of(value, ';') + 1;
        return 0;
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
    if (name_is(name, S("Content-Digest")))
        return h->digests++ > 0 ? bad(err, "two Content-Digest headers") : 0;
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

size_t head_memory(const struct head *h)
{
    return h->size + h->cookies + h->fields * HEAD_FIELD_MEMORY + HEAD_ANSWER_MEMORY;
}

int head_line(struct head *h, struct str line, struct error *err)
{
    struct str target = line, method = str_cut(&target, ' '), version = target;

    if (line.n > h->limits->line)
        return line_too_long(h, err);
    target = str_cut(&version, ' ');
    h->size += line.n + 2;
    h->fields += count_of(target, '&') + 1;
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

int head_header(struct head *h, struct str line, struct error *err)
{
    struct str value = line, name = str_cut(&value, ':');

    h->size += line.n + 2;
    if (line.n > h->limits->header)
        return header_too_large(h, err);
    if (!value.p)
        return bad(err, "a header without a colon");
    while (value.n > 0 && (value.p[0] == ' ' || value.p[0] == '\t'))
        value = (struct str){ value.p + 1, value.n - 1 };
    bool padded = value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t');
    if (padded && (name_is(name, S("Content-Length")) || name_is(name, S("Transfer-Encoding"))))
        return bad(err, "white space behind a length"); /* parsers do not agree on it */
    while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    if (line.n > name.n + value.n + 2) /* white space counts too */
        h->bytes += line.n - name.n - value.n - 2;
    return take_field(h, name, value, err);
}

/* What stands before a CR at the end. */
static struct str without_cr(struct str part)
{
    return part.n > 0 && part.p[part.n - 1] == '\r' ? (struct str){ part.p, part.n - 1 } : part;
}

int head_line_begun(const struct head *h, struct str part, struct error *err)
{
    struct str version = without_cr(part), method = str_cut(&version, ' '), target = str_cut(&version, ' ');

    if (part.n > h->limits->line + 1)
        return line_too_long(h, err);
    for (size_t i = 0; i < method.n; i++)
        if (method.p[i] < 'A' || method.p[i] > 'Z')
            return bad(err, "the method");
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f)
            return bad(err, "the address holds characters that have to be escaped");
    if (method.n == 0 || (version.p && target.n == 0)
        || (version.p && (version.n > 8 || memcmp(version.p, "HTTP/1.1", version.n) != 0)
            && !str_eq(version, S("HTTP/1.0"))))
        return bad(err, "the request line");
    return 0;
}

int head_header_begun(const struct head *h, struct str part, struct error *err)
{
    struct str value = without_cr(part), name = str_cut(&value, ':');

    if (part.n > h->limits->header + 1)
        return header_too_large(h, err);
    if ((name.n > 0 || value.p) && !is_token(name))
        return bad(err, "a header's name holds characters that are not allowed");
    if (value.p && !value_clean(value))
        return bad(err, "a header's value holds control characters");
    return 0;
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
        if (head_header(&h, line, err) < 0)
            return -1;
    }
    if (r < 0 || rest.n == 0)
        return r;
    return rest.p == bytes.p ? head_line_begun(&h, rest, err) : head_header_begun(&h, rest, err);
}
