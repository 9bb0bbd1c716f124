/* upload_files.c - see upload_files.h. A file is tried again while the server is away for a moment or asks to wait, under one idempotency
   key, so that a lost answer never doubles it. */
#include "cmd/upload_files.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { ATTEMPTS = 5, FIRST_WAIT_MS = 500, WAITS = 1000, READ_BYTES = 64 << 10, PAGE = 100 };

const char *upload_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void fail(struct upload_file *f, const char *reason)
{
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    atomic_store(&f->state, UPLOAD_FAILED);
}

int upload_add(struct upload_batch *b, const char *path, int64_t size, const char *reason)
{
    if (b->count == b->room) {
        size_t              room = b->room ? 2 * b->room : 64;
        struct upload_file *grown = realloc(b->files, room * sizeof *grown);

        if (!grown)
            return -1;
        b->files = grown;
        b->room = room;
    }
    struct upload_file *f = &b->files[b->count];
    *f = (struct upload_file){ .path = strdup(path), .size = size };
    if (!f->path)
        return -1;
    b->count++;
    b->size += size;
    if (reason)
        fail(f, reason);
    return 0;
}

/* What is there. */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int remember(struct upload_batch *b, const json_t *items, struct error *err)
{
    size_t n = jv_count(items);
    char **grown = realloc(b->known, (b->known_count + n + 1) * sizeof *grown);

    if (!grown)
        return error_set(err, ERR_UNAVAILABLE, "no memory");
    b->known = grown;
    for (size_t i = 0; i < n; i++) {
        const json_t *d = jv_at(items, i);
        char         *line = NULL;

        if (asprintf(&line, "%s %s", jv_text(d, "sha256", ""), jv_text(d, "name", "")) < 0)
            return error_set(err, ERR_UNAVAILABLE, "no memory");
        b->known[b->known_count++] = line;
    }
    return 0;
}

int upload_learn(struct upload_batch *b, struct error *err)
{
    struct client c = client_share(b->client);
    char          cursor[2100] = "";
    int           rc = 0;

    do {
        struct sb     path = SB(&c.arena);
        const json_t *page = NULL;

        sb_printf(&path, "/api/v1/documents?limit=%d", PAGE);
        if (cursor[0]) {
            sb_puts(&path, "&cursor=");
            url_encode(&path, str_of(cursor));
        }
        rc = client_get(&c, path.p, &page, err);
        if (rc == 0)
            rc = remember(b, jv_get(page, "items"), err);
        snprintf(cursor, sizeof cursor, "%s", jv_text(page, "next_cursor", ""));
        arena_free(&c.arena);
    } while (rc == 0 && cursor[0]);
    if (b->known_count > 0)
        qsort(b->known, b->known_count, sizeof *b->known, by_text);
    return rc;
}

static int hash_file(const char *path, char ret[2 * HASH_SIZE + 1], struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct hash          *h = fd >= 0 ? hash_open(err) : NULL;
    unsigned char         sum[HASH_SIZE];
    char                  bytes[READ_BYTES];
    ssize_t               n = -1;

    if (!h)
        return -1;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        hash_add(h, (struct str){ bytes, (size_t)n });
    hash_end(h, sum);
    hash_close(h);
    hex_encode(ret, sum, sizeof sum);
    return n < 0 ? -1 : 0;
}

/* What cannot be hashed is sent, and fails there. */
static bool is_there(const struct upload_batch *b, const struct upload_file *f)
{
    char                   sum[2 * HASH_SIZE + 1];
    struct error           ignored = { 0 };
    _cleanup_(freep) char *line = NULL;

    if (b->known_count == 0 || hash_file(f->path, sum, &ignored) < 0
        || asprintf(&line, "%s %s", sum, upload_name(f->path)) < 0)
        return false;
    return bsearch(&line, b->known, b->known_count, sizeof *b->known, by_text) != NULL;
}

/* A connection. */

struct connection {
    struct upload_batch *batch;
    struct client        client;
    int64_t              counted; /* bytes of the file under way that are in batch->sent */
};

static int on_progress(void *arg, int64_t sent, int64_t send_total, int64_t received, int64_t receive_total)
{
    struct connection *c = arg;

    (void)send_total;
    (void)received;
    (void)receive_total;
    atomic_fetch_add(&c->batch->sent, sent - c->counted);
    c->counted = sent;
    return 0;
}

/* One that may end otherwise next time: waits, and says so. */
static bool again(struct connection *c, const struct error *why, unsigned *attempts, unsigned *waits)
{
    if (why->code == ERR_RATE_LIMITED && ++*waits < WAITS) {
        clock_sleep_ms(1000 * (c->client.retry_after > 0 ? c->client.retry_after : 1));
        return true;
    }
    if (why->code != ERR_UNAVAILABLE || ++*attempts == ATTEMPTS)
        return false;
    unsigned ms = (unsigned)FIRST_WAIT_MS << (*attempts - 1);
    clock_sleep_ms(c->client.retry_after * 1000 > ms ? c->client.retry_after * 1000 : ms);
    return true;
}

static int send_file(struct connection *c, const struct upload_file *f, const json_t **ret, struct error *err)
{
    struct net_part    parts[3] = { { .name = "file",
                                      .filename = upload_name(f->path),
                                      .content_type = "application/octet-stream",
                                      .path = f->path } };
    size_t             n = 1;
    unsigned           attempts = 0, waits = 0;
    struct uuid        key = uuid_v7();
    struct client_call call = { .method = "POST",
                                .path = "/api/v1/documents",
                                .parts = parts,
                                .idempotency_key = key.text,
                                .progress = on_progress,
                                .progress_arg = c };

    if (c->batch->folder_id)
        parts[n++] = (struct net_part){ .name = "folder_id", .data = str_of(c->batch->folder_id) };
    if (c->batch->tags)
        parts[n++] = (struct net_part){ .name = "tags", .data = str_of(c->batch->tags) };
    call.parts_n = n;
    do {
        *err = (struct error){ 0 };
        if (client_run(&c->client, &call, ret, err) == 0)
            return 0;
    } while (again(c, err, &attempts, &waits));
    return -1;
}

char *upload_json(struct arena *a, const json_t *v)
{
    struct sb b = SB(a);

    json_write(&b, v);
    return strdup(b.p);
}

static void take(struct connection *c, struct upload_file *f)
{
    struct error  err = { 0 };
    const json_t *v = NULL;

    if (send_file(c, f, &v, &err) < 0) {
        if (err.code == ERR_UNAVAILABLE || err.code == ERR_UNAUTHORIZED)
            atomic_store(&c->batch->give_up, true);
        fail(f, err.message[0] ? err.message : err.detail);
        return;
    }
    f->id = strdup(jv_text(v, "id", ""));
    f->title = strdup(jv_text(v, "title", ""));
    f->json = c->batch->keep_json ? upload_json(&c->client.arena, v) : NULL;
    atomic_store(&f->state, UPLOAD_SENT);
}

static void *run(void *arg)
{
    struct upload_batch *b = arg;
    struct connection    c = { .batch = b, .client = client_share(b->client) };

    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) < b->count;) {
        struct upload_file *f = &b->files[i];

        if (atomic_load(&f->state) == UPLOAD_OPEN) {
            c.counted = 0;
            if (atomic_load(&b->give_up))
                fail(f, "not tried: the server did not take the files before it");
            else if (is_there(b, f))
                atomic_store(&f->state, UPLOAD_SKIPPED);
            else
                take(&c, f);
            arena_free(&c.client.arena);
        }
        atomic_fetch_add(&b->sent, f->size - c.counted);
        c.counted = 0;
        atomic_fetch_add(&b->done, 1);
    }
    return NULL;
}

int upload_start(struct upload_batch *b, unsigned connections, struct error *err)
{
    while (b->thread_count < connections && b->thread_count < b->count && b->thread_count < UPLOAD_MAX_CONNECTIONS) {
        if (pthread_create(&b->threads[b->thread_count], NULL, run, b) != 0)
            break;
        b->thread_count++;
    }
    return b->thread_count > 0 || b->count == 0 ? 0 : error_set(err, ERR_UNAVAILABLE, "the system gives no threads");
}

void upload_join(struct upload_batch *b)
{
    for (unsigned i = 0; i < b->thread_count; i++)
        pthread_join(b->threads[i], NULL);
    b->thread_count = 0;
}

void upload_free(struct upload_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->files[i].path);
        free(b->files[i].id);
        free(b->files[i].title);
        free(b->files[i].json);
    }
    free(b->files);
    for (size_t i = 0; i < b->known_count; i++)
        free(b->known[i]);
    free(b->known);
}
