/* upload_files.h - many files to the server over several connections: the part of `dms upload` that prints nothing. */
#ifndef DMS_CMD_UPLOAD_FILES_H
#define DMS_CMD_UPLOAD_FILES_H

#include "cmd/client.h"

#include <pthread.h>
#include <stdatomic.h>

enum { UPLOAD_MAX_CONNECTIONS = 32 };

enum upload_state { UPLOAD_OPEN, UPLOAD_SENT, UPLOAD_SKIPPED, UPLOAD_FAILED };

/* Written by one thread; whoever sees a state other than UPLOAD_OPEN may read the rest. */
struct upload_file {
    char       *path;
    int64_t     size;
    atomic_uint state;
    char       *id, *title, *json; /* of a sent one; json: the answer as it came, if the batch keeps it */
    char        reason[256];       /* of a failed one */
};

struct upload_batch {
    struct client      *client;
    const char         *folder_id, *tags;
    bool                keep_json;
    struct upload_file *files;
    size_t              count, room;
    int64_t             size; /* of all files */

    /* Files that need not be sent, as "SHA-256 name", sorted. */
    char **known;
    size_t known_count;

    atomic_size_t next, done; /* files taken up, files ended */
    atomic_llong  sent;       /* bytes */
    atomic_bool   give_up;    /* the server is away, or the sign-in has ended: no use in going on */
    pthread_t     threads[UPLOAD_MAX_CONNECTIONS];
    unsigned      thread_count;
};

/* A file, or one that cannot be read (reason). -1: no memory. */
MUST_CHECK int upload_add(struct upload_batch *b, const char *path, int64_t size, const char *reason);
/* Asks the server for what is there, so that the same file under the same name is skipped. */
MUST_CHECK int upload_learn(struct upload_batch *b, struct error *err);
/* Threads that send everything; upload_join waits for them. */
MUST_CHECK int upload_start(struct upload_batch *b, unsigned connections, struct error *err);
void           upload_join(struct upload_batch *b);
void           upload_free(struct upload_batch *b);

/* The value as text, malloc'd. */
char *upload_json(struct arena *a, const json_t *v);
/* The last part of a path. */
const char *upload_name(const char *path);

#endif
