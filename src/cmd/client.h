/* client.h - what the client commands share: where the server is, who asks, a call and its answer. The same API as everybody's. */
#ifndef DMS_CMD_CLIENT_H
#define DMS_CMD_CLIENT_H

#include "base/json.h"
#include "net/http_client.h"

#include <argp.h>

struct sign_in;

struct client {
    struct arena       arena;
    struct net_client *net;
    const char        *url, *api_key;
    bool               json;        /* --json: print values as they came */
    struct sign_in    *sign_in;     /* at this url, from the credentials file */
    const char        *credentials; /* path of the file */
    unsigned           retry_after; /* seconds that the last answer asked to wait (429, 503), else 0 */
};

/* The options of every client command: --url, --json, --api-key; put it into the command's argp children. */
extern const struct argp client_argp;

/* After the arguments are parsed. -1 has told why. */
MUST_CHECK int client_open(struct client *c);
void           client_close(struct client *c);
/* For another thread: the same server and sign-in (whoever renews it renews it for all), an arena of its own, which its owner frees.
   of must stay open. */
struct client client_share(const struct client *of);

struct client_call {
    const char            *method, *path; /* below the url: "/api/v1/…" */
    struct str             json;          /* body; p NULL: none */
    const struct net_part *parts;
    size_t                 parts_n;
    const char            *idempotency_key;
    int (*sink)(void *arg, struct str piece);
    void *sink_arg;
    int (*progress)(void *arg, int64_t sent, int64_t send_total, int64_t received, int64_t receive_total);
    void *progress_arg;
    bool  anonymous; /* no credential: sign-in itself */
};

/* Runs a call, renews the access token once when it has run out. 0: 2xx, *ret is the JSON value (NULL when there is none). -1: err holds the
   server's own sentence (of 401 also the field that is missing), or why it was not reached. Everything lives in c->arena. */
MUST_CHECK int client_run(struct client *c, const struct client_call *call, const json_t **ret, struct error *err);
/* GET of a path. */
MUST_CHECK int client_get(struct client *c, const char *path, const json_t **ret, struct error *err);

/* Documents of the organization that wait to be processed or are in hand. */
MUST_CHECK int client_waiting(struct client *c, int64_t *ret, struct error *err);
/* "about 3 min left" */
void client_time_left(struct sb *b, double seconds);

/* Keeps (or with access NULL forgets) the tokens of this url, mode 0600. */
MUST_CHECK int client_keep(struct client *c, const char *access, const char *refresh, struct error *err);

/* "dms: SENTENCE" on stderr; 1. */
int client_fail(const struct error *err);
/* The value as one line of JSON on stdout. */
void client_print(struct client *c, const json_t *v);

#endif
