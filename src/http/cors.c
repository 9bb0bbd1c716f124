/* cors.c - which pages of other origins may read our answers (Fetch standard, "CORS protocol"). Never with credentials of the browser: there are
   no cookies, a page sends a token or key of its own. */
#include "http/private.h"

static const char allowed_headers[] =
    "Authorization, X-API-Key, Content-Type, Content-Digest, Idempotency-Key, If-Match, If-None-Match, If-Range, Range, traceparent";
static const char exposed_headers[] =
    "ETag, Location, Content-Disposition, Content-Range, Accept-Ranges, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, Retry-After, X-Request-Id, traceparent, Idempotent-Replay";
static const char preflight_seconds[] = "7200"; /* Chrome takes no more */

static struct str next_origin(struct str *rest)
{
    struct str origin = { "", 0 };

    while (rest->n > 0 && origin.n == 0) {
        size_t n = 0;

        while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',')
            n++;
        origin = (struct str){ rest->p, n };
        n += n < rest->n;
        *rest = (struct str){ rest->p + n, rest->n - n };
    }
    return origin;
}

/* scheme://host[:port] in lower case, as browsers write it. */
static bool is_origin(struct str s)
{
    static const struct str host_letters = { "abcdefghijklmnopqrstuvwxyz0123456789.-:[]", 41 };
    struct str              host = s;

    if (str_starts(s, S("https://")))
        host = (struct str){ s.p + 8, s.n - 8 };
    else if (str_starts(s, S("http://")))
        host = (struct str){ s.p + 7, s.n - 7 };
    else
        return false;
    for (size_t i = 0; i < host.n; i++)
        if (!memchr(host_letters.p, host.p[i], host_letters.n))
            return false;
    return host.n > 0;
}

int cors_check(const char *origins, struct error *err)
{
    struct str rest = str_of(origins ? origins : ""), origin;

    while ((origin = next_origin(&rest)).n > 0)
        if (!is_origin(origin))
            return error_say(
                err, ERR_VALIDATION, "cors_origins",
                "cors_origins: %.*s is not an origin such as https://app.example.com, in small letters and without a path.",
                origin.n < 60 ? (int)origin.n : 60, origin.p);
    return 0;
}

static bool is_used(const struct request_private *p)
{
    const char *origins = p->loop->server->limits.cors_origins;

    return origins && origins[0] != '\0';
}

/* The request's origin, if its pages may read what we say; else NULL. */
static const char *allowed_origin(struct request_private *p)
{
    struct str  rest = str_of(p->loop->server->limits.cors_origins), origin;
    const char *asks = request_header(&p->req, "Origin");

    while (asks && (origin = next_origin(&rest)).n > 0)
        if (str_eq(origin, str_of(asks)))
            return asks;
    return NULL;
}

void cors_answer(struct request_private *p)
{
    if (!is_used(p))
        return;
    const char *origin = allowed_origin(p);

    response_header(&p->req, "Vary",
                    "Origin"); /* said to everybody: a cache must not give one origin's answer to another */
    if (!origin)
        return;
    response_header(&p->req, "Access-Control-Allow-Origin", origin);
    response_header(&p->req, "Access-Control-Expose-Headers", exposed_headers);
}

void cors_preflight(struct request_private *p, const char *methods)
{
    if (!is_used(p) || !request_header(&p->req, "Access-Control-Request-Method") || !allowed_origin(p))
        return;
    response_header(&p->req, "Access-Control-Allow-Methods", methods);
    response_header(&p->req, "Access-Control-Allow-Headers", allowed_headers);
    response_header(&p->req, "Access-Control-Max-Age", preflight_seconds);
}
