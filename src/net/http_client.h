/* http_client.h - outgoing HTTP(S), blocking, over libcurl: small answers into memory, large bodies streamed either way.
   TLS is always verified, redirects are not followed, only http and https are spoken. Knows nothing of what is asked for. */
#ifndef DMS_NET_HTTP_CLIENT_H
#define DMS_NET_HTTP_CLIENT_H

#include "base/text.h"

#include <sys/types.h>

struct sockaddr;

/* Keeps idle connections for the next request. Any number of threads may run requests on one client at the same time. */
struct net_client;

struct net_client_options {
    unsigned    connect_timeout_ms; /* 0: 10,000 */
    unsigned    max_idle;           /* connections' owners kept for later; 0: 4 */
    const char *ca_file;            /* PEM of further trusted roots instead of the system's; NULL: the system's */
    const char *user_agent;         /* NULL: "dms" */
    const char *unix_socket;        /* connect there whatever the URL's host is; NULL: over the network */
    /* The address guard, asked with the resolved address right before each connect (so a second look-up cannot change the
       answer): false refuses. NULL: all are allowed. Called on the thread that runs the request. Proxies from the
       environment are used only without a guard. */
    bool (*may_connect)(void *arg, const struct sockaddr *address);
    void *may_connect_arg;
};

/* options may be NULL; its texts are copied. NULL and err on failure. */
struct net_client *net_client_open(const struct net_client_options *options, struct error *err);
void               net_client_close(struct net_client *c); /* no request may be running; NULL is fine */

/* A body that is read piece by piece while it is sent. */
struct net_source {
    ssize_t (*read)(void *arg, char *buf, size_t n); /* bytes put into buf, 0 at the end, -1 gives up */
    int (*rewind)(void *arg);                        /* back to the first byte; -1 cannot; may be NULL */
    void   *arg;
    int64_t size; /* bytes in all; -1 unknown (sent chunked) */
};

/* One field of a multipart/form-data body: data, a file streamed from disk, or a source; the first that is set. */
struct net_part {
    const char              *name;
    const char              *filename;     /* as the server is told; NULL: a plain field */
    const char              *content_type; /* NULL: none is named */
    const char              *path;         /* streams this file */
    const struct net_source *source;
    struct str               data; /* where path and source are NULL; may be empty */
};

struct net_request {
    const char        *method;  /* "GET", "POST", ...; NULL: GET, or POST with a body */
    const char        *url;     /* absolute, already escaped */
    const char *const *headers; /* NULL-terminated "Name: value"; NULL: none. CR, LF are refused */

    /* The body: none, or one of these three. */
    struct str               body; /* p == NULL: none */
    const struct net_source *source;
    const struct net_part   *parts;
    size_t                   parts_n;

    unsigned timeout_ms; /* the whole exchange; 0: no bound, then stall_timeout_ms should be set */
    /* Gives up after so long at under 1 byte per second (rounded up to seconds); 0: never. For streams. */
    unsigned stall_timeout_ms;

    size_t
        max_body; /* bytes of answer kept in memory; more is ERR_TOO_LARGE; 0: 1 MiB. Not for what goes to the sink */
    /* Takes the body of a 2xx answer piece by piece, as it arrives (a download, a stream of events); any other answer still
       goes into memory. Non-zero ends the request: net_run returns -1, err is what sink set, else ERR_UNAVAILABLE. */
    int (*sink)(void *arg, struct str piece);
    void *sink_arg;

    /* Called about once a second at least, and with each progress: bytes done and in all (0: not known yet). Non-zero ends the request. */
    int (*progress)(void *arg, int64_t sent, int64_t send_total, int64_t received, int64_t receive_total);
    void *progress_arg;
};

struct net_header {
    struct str name, value; /* trimmed */
};

struct net_response {
    unsigned                 status; /* of the final answer, not of a 100 or a proxy's CONNECT */
    struct str               body;   /* NUL-terminated behind n; empty where the sink took it */
    const struct net_header *headers;
    size_t                   headers_n;
};

/* https, or with local_http http to this machine; no user name before the host, nothing that two readers of addresses could take differently. */
bool net_url_safe(const char *url, bool local_http);

/* Sends and waits. 0: there is an answer, of whatever status, in the arena (which bounds it as well). -1: there is none:
   ERR_UNAVAILABLE (no connection, time-out, TLS, refused by the guard), ERR_TOO_LARGE, ERR_VALIDATION (the URL or a header).
   Never logs and never puts URLs' queries or headers into err. */
MUST_CHECK int net_run(struct net_client *c, const struct net_request *req, struct arena *a, struct net_response *ret,
                       struct error *err);

/* The first header of that name, any case; p == NULL when there is none. */
struct str net_response_header(const struct net_response *r, const char *name);
/* Content-Type without its parameters: "application/json"; "" when there is none. */
struct str net_response_type(const struct net_response *r);
/* Seconds of a Retry-After in seconds, at most max; fallback when absent or a date. */
unsigned net_response_retry_after(const struct net_response *r, unsigned fallback, unsigned max);

/* A source over a descriptor (size bytes from its present position; rewind goes back to `start`), and a sink that writes to
   one: .sink = net_sink_fd, .sink_arg = &fd. The descriptors stay the caller's. */
struct net_fd {
    int   fd;
    off_t start;
};
struct net_source net_source_fd(struct net_fd *f, int64_t size); /* f must outlive the request */
int               net_sink_fd(void *arg, struct str piece);      /* arg: int * */

/* A sink that cuts a stream into lines (SSE): .sink = net_sink_lines, .sink_arg = &lines. line is called without the line's
   end (LF or CRLF); non-zero ends the request. A line longer than max_line ends it too. Free with net_lines_free. */
struct net_lines {
    int (*line)(void *arg, struct str line);
    void  *arg;
    size_t max_line; /* bytes, a CR at its end included */
    char  *p;        /* the part of a line that has arrived */
    size_t n, cap;
};
int  net_sink_lines(void *arg, struct str piece);
void net_lines_free(struct net_lines *l);

#endif
