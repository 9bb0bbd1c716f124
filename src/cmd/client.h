/* client.h - what the client commands share: where the server is, who asks, a call and its answer. The same API as everybody's. */
#ifndef DMS_CMD_CLIENT_H
#define DMS_CMD_CLIENT_H

#include "base/json.h"
#include "net/http_client.h"

#include <argp.h>

struct client {
    struct arena       arena;
    struct net_client *net;
    const char        *url, *api_key;
    bool               json;             /* --json: print values as they came */
    const char        *access, *refresh; /* of this url, from the credentials file; NULL: not signed in */
    const char        *credentials;      /* path of the file */
};

/* The options of every client command: --url, --json, --api-key; put it into the command's argp children. */
extern const struct argp client_argp;

/* After the arguments are parsed. -1 has told why. */
MUST_CHECK int client_open(struct client *c);
void           client_close(struct client *c);

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
   server's own sentence, or why it was not reached. Everything lives in c->arena. */
MUST_CHECK int client_run(struct client *c, const struct client_call *call, const json_t **ret, struct error *err);
/* GET of a path. */
MUST_CHECK int client_get(struct client *c, const char *path, const json_t **ret, struct error *err);

/* Keeps (or with access NULL forgets) the tokens of this url, mode 0600. */
MUST_CHECK int client_keep(struct client *c, const char *access, const char *refresh, struct error *err);

/* "dms: SENTENCE" on stderr; 1. */
int client_fail(const struct error *err);
/* The value as one line of JSON on stdout. */
void client_print(struct client *c, const json_t *v);

#endif
