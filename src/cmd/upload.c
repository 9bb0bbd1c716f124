/* upload.c - `dms upload PATH...`: files and whole folders over several connections, with progress; goes on after a bad file and tells at the
   end what failed and why. */
#include "cmd/cmd.h"
#include "cmd/upload_files.h"

#include "base/clock.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONNECTIONS = 4,
    TURN_MS = 50,
    WAIT_STEP_MS = 100,
    WAIT_STEP_MAX_MS = 2000,
    LINE_MS = 10 * 1000, /* between lines of --progress without a terminal */
    QUEUE_MS = 2000,     /* between looks at the queue */
    RATE_SECONDS = 60,   /* the time to come is told by the rate of the last so many */
    REASONS = 10,        /* told in the summary */
    EXAMPLES = 3,
};

struct upload {
    struct client       client; /* first: client_argp's input */
    struct upload_batch batch;
    bool                wait, skip, progress, terminal;
    uint64_t            connections;
    char              **paths;
    size_t              sent, skipped, failed;
    const char         *comma; /* --json: before the next item */
    int64_t             start_us, shown_us, queue_us;
    int64_t             queue; /* documents that wait or are in hand, of the whole organization; -1: not asked yet */
    int64_t             seen[RATE_SECONDS]; /* ended files by second, a ring */
    int64_t             second;             /* the last one that is filled */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct upload *u = state->input;
    struct error   err = { 0 };

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &u->client;
        return 0;
    case 'f':
        u->batch.folder_id = arg;
        return 0;
    case 't':
        u->batch.tags = arg;
        return 0;
    case 'w':
        u->wait = true;
        return 0;
    case 's':
        u->skip = true;
        return 0;
    case 'p':
        u->progress = true;
        return 0;
    case 'c':
        if (parse_u64("connections", str_of(arg), 1, UPLOAD_MAX_CONNECTIONS, &u->connections, &err) < 0)
            argp_error(state, "--connections: %s", err.message);
        return 0;
    case ARGP_KEY_ARGS:
        u->paths = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which files or folders?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Progress. */

/* Files ended a second, over the last minute; 0: not known yet. */
static double rate_of(struct upload *u, int64_t done)
{
    int64_t now = (clock_steady_us() - u->start_us) / 1000000;

    for (; u->second < now; u->second++)
        u->seen[(u->second + 1) % RATE_SECONDS] = done;
    int64_t span = now < RATE_SECONDS - 1 ? now : RATE_SECONDS - 1;
    int64_t before = now < RATE_SECONDS ? 0 : u->seen[(now + 1) % RATE_SECONDS];

    return span > 0 ? (double)(done - before) / (double)span : 0;
}

/* [#####...............]  25 %  50 of 200 processed  ...  about 15 s left */
static void show(struct upload *u, size_t done, const char *verb, int percent)
{
    int64_t      now = clock_steady_us();
    struct arena a = ARENA(8192);
    struct sb    b = SB(&a);
    double       rate = rate_of(u, (int64_t)done);
    size_t       total = u->batch.count;
    int64_t      each_us = u->terminal ? 100 * 1000 : LINE_MS * INT64_C(1000);

    if ((!u->terminal && !u->progress) || now - u->shown_us < each_us)
        return;
    u->shown_us = now;
    sb_puts(&b, u->terminal ? "\r\033[K[" : "[");
    for (int i = 0; i < 20; i++)
        sb_putc(&b, i * 5 < percent ? '#' : '.');
    sb_printf(&b, "] %3d %%  %zu of %zu %s", percent, done, total, verb);
    if (total == 1)
        sb_printf(&b, "  %.40s", upload_name(u->batch.files[0].path));
    if (u->queue >= 0)
        sb_printf(&b, "  %lld in the queue", (long long)u->queue);
    else
        sb_printf(&b, "  %.1f of %.1f MB", (double)atomic_load(&u->batch.sent) / 1e6, (double)u->batch.size / 1e6);
    if (rate > 0) {
        sb_printf(&b, "  %.1f/s  ", rate);
        client_time_left(&b, (double)(total - done) / rate);
    }
    fprintf(stderr, u->terminal ? "%s" : "%s\n", b.p);
    arena_free(&a);
}

static void clear(const struct upload *u)
{
    if (u->terminal)
        fputs("\r\033[K", stderr);
}

/* Each file's end. */

static void tell_end(struct upload *u, const struct upload_file *f)
{
    unsigned state = atomic_load(&f->state);

    clear(u);
    if (state == UPLOAD_FAILED) {
        u->failed++;
        fprintf(stderr, "dms: %s: %s\n", f->path, f->reason);
    } else if (state == UPLOAD_SKIPPED)
        u->skipped++;
    else {
        u->sent++;
        if (u->client.json) {
            printf("%s%s\n", u->comma, f->json ? f->json : "null");
            u->comma = ",";
        } else
            printf("%s  %s\n", f->id ? f->id : "", f->title ? f->title : "");
    }
    if (u->terminal)
        u->shown_us = 0; /* the bar again at once */
}

/* While the threads send: the ends so far, in the order of the files. With --wait nothing is told yet. */
static void watch_sending(struct upload *u)
{
    struct upload_batch *b = &u->batch;

    for (size_t told = 0; told < b->count || atomic_load(&b->done) < b->count;) {
        while (!u->wait && told < b->count && atomic_load(&b->files[told].state) != UPLOAD_OPEN)
            tell_end(u, &b->files[told++]);
        size_t done = atomic_load(&b->done);
        if (done == b->count && (u->wait || told == b->count))
            break;
        show(u, done, "uploaded", b->size > 0 ? (int)(atomic_load(&b->sent) * 100 / b->size) : 0);
        fflush(stdout);
        clock_sleep_ms(TURN_MS);
    }
}

/* Processing. */

static void look_at_queue(struct upload *u, struct client *c)
{
    int64_t      n, now = clock_steady_us();
    struct error ignored = { 0 };

    if ((!u->terminal && !u->progress) || now - u->queue_us < QUEUE_MS * INT64_C(1000))
        return;
    u->queue_us = now;
    if (client_waiting(c, &n, &ignored) == 0)
        u->queue = n;
}

/* What became of it. True when it has ended. */
static bool take_status(struct upload *u, struct client *c, struct upload_file *f, const json_t *v)
{
    const char   *status = jv_text(v, "status", "");
    const json_t *why = jv_get(v, "processing_error");

    if (strcmp(status, "error") == 0) {
        snprintf(f->reason, sizeof f->reason, "stored, but not read (%s): %s", jv_text(why, "code", "unknown"),
                 jv_text(why, "message", "unknown cause"));
        atomic_store(&f->state, UPLOAD_FAILED);
        return true;
    }
    if (strcmp(status, "pending") == 0 || strcmp(status, "processing") == 0)
        return false;
    free(f->title);
    free(f->json);
    f->title = strdup(jv_text(v, "title", ""));
    f->json = u->client.json ? upload_json(&c->arena, v) : NULL;
    return true;
}

/* How many have ended when this one, whose predecessors have, has not: what no longer waits in the queue, which may hold others' documents too. */
static size_t ended(const struct upload *u, size_t before)
{
    size_t rest = u->queue >= 0 ? (size_t)u->queue + 1 : SIZE_MAX;

    return rest < u->batch.count && u->batch.count - rest > before ? u->batch.count - rest : before;
}

/* Until one document is processed or has failed; shows how far all are meanwhile. */
static void await_file(struct upload *u, struct client *c, size_t i)
{
    struct upload_file *f = &u->batch.files[i];
    char                path[128];
    bool                over = false;

    snprintf(path, sizeof path, "/api/v1/documents/%s", f->id ? f->id : "");
    for (unsigned ms = WAIT_STEP_MS; !over; ms = ms * 3 / 2 < WAIT_STEP_MAX_MS ? ms * 3 / 2 : WAIT_STEP_MAX_MS) {
        struct error  err = { 0 };
        const json_t *v = NULL;

        if (client_get(c, path, &v, &err) == 0)
            over = take_status(u, c, f, v);
        else if (err.code != ERR_UNAVAILABLE && err.code != ERR_RATE_LIMITED) {
            snprintf(f->reason, sizeof f->reason, "stored, but: %s", error_text(&err));
            atomic_store(&f->state, UPLOAD_FAILED);
            over = true;
        }
        look_at_queue(u, c);
        size_t done = ended(u, i);
        show(u, done, "processed", (int)(done * 100 / u->batch.count));
        arena_free(&c->arena);
        if (!over)
            clock_sleep_ms(ms);
    }
}

static void watch_processing(struct upload *u)
{
    struct client c = client_share(&u->client);

    u->start_us = clock_steady_us();
    u->second = 0;
    memset(u->seen, 0, sizeof u->seen);
    for (size_t i = 0; i < u->batch.count; i++) {
        if (atomic_load(&u->batch.files[i].state) == UPLOAD_SENT)
            await_file(u, &c, i);
        tell_end(u, &u->batch.files[i]);
        fflush(stdout);
    }
    arena_free(&c.arena);
}

/* At the end: how many failed for which reason, the most frequent first. */

static int by_reason(const void *a, const void *b)
{
    const struct upload_file *const *x = a, *const *y = b;

    return strcmp((*x)->reason, (*y)->reason);
}

struct reason {
    const struct upload_file **first;
    size_t                     n;
};

static int most_first(const void *a, const void *b)
{
    const struct reason *x = a, *y = b;

    return (x->n < y->n) - (x->n > y->n);
}

static void tell_reason(const struct reason *r)
{
    fprintf(stderr, "%6zu  %s\n", r->n, (*r->first)->reason);
    for (size_t i = 0; i < r->n && i < EXAMPLES; i++)
        fprintf(stderr, "        %s\n", r->first[i]->path);
}

static void tell_reasons(const struct upload *u, const struct upload_file **failed, struct reason *reasons)
{
    size_t n = 0, kinds = 0;

    for (size_t i = 0; i < u->batch.count && n < u->failed; i++)
        if (atomic_load(&u->batch.files[i].state) == UPLOAD_FAILED)
            failed[n++] = &u->batch.files[i];
    qsort(failed, n, sizeof *failed, by_reason);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(failed[i]->reason, failed[i - 1]->reason) != 0)
            reasons[kinds++] = (struct reason){ &failed[i], 0 };
        reasons[kinds - 1].n++;
    }
    qsort(reasons, kinds, sizeof *reasons, most_first);
    for (size_t i = 0; i < kinds && i < REASONS; i++)
        tell_reason(&reasons[i]);
    if (kinds > REASONS)
        fprintf(stderr, "        and %zu more reasons\n", kinds - REASONS);
}

static void tell_failures(const struct upload *u)
{
    const struct upload_file **failed = calloc(u->failed + 1, sizeof *failed);
    struct reason             *reasons = calloc(u->failed + 1, sizeof *reasons);

    if (failed && reasons)
        tell_reasons(u, failed, reasons);
    free(failed);
    free(reasons);
}

static void tell_all(const struct upload *u)
{
    if (u->client.json || u->sent + u->skipped + u->failed < 2)
        return;
    fprintf(stderr, "%zu uploaded, ", u->sent);
    if (u->skip)
        fprintf(stderr, "%zu there already, ", u->skipped);
    fprintf(stderr, "%zu failed%s\n", u->failed, u->failed > 1 ? ":" : "");
    if (u->failed > 1)
        tell_failures(u);
}

/* Everything below the paths; hidden files and folders inside a folder are left out. */
static int walk(struct upload *u)
{
    FTS *tree = fts_open(u->paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    int  rc = tree ? 0 : -1;

    for (FTSENT *e; rc == 0 && (e = fts_read(tree));) {
        if (e->fts_level > 0 && e->fts_name[0] == '.')
            fts_set(tree, e, FTS_SKIP);
        else if (e->fts_info == FTS_F)
            rc = upload_add(&u->batch, e->fts_path, e->fts_statp->st_size, NULL);
        else if (e->fts_info == FTS_NS || e->fts_info == FTS_ERR || e->fts_info == FTS_DNR)
            rc = upload_add(&u->batch, e->fts_path, 0, strerror(e->fts_errno));
    }
    if (tree)
        fts_close(tree);
    return rc;
}

static int run(struct upload *u, struct error *err)
{
    u->start_us = clock_steady_us();
    if (walk(u) < 0)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the list of files");
    if ((u->skip && upload_learn(&u->batch, err) < 0) || upload_start(&u->batch, (unsigned)u->connections, err) < 0)
        return -1;
    if (u->client.json)
        putchar('[');
    watch_sending(u);
    upload_join(&u->batch);
    if (u->wait)
        watch_processing(u);
    clear(u);
    if (u->client.json)
        puts("]");
    tell_all(u);
    return 0;
}

int cmd_upload(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "folder", .key = 'f', .arg = "ID", .doc = "into this folder" },
        { .name = "tags", .key = 't', .arg = "A,B", .doc = "tags for every file" },
        { .name = "wait", .key = 'w', .doc = "until each file is processed" },
        { .name = "skip-existing", .key = 's', .doc = "leave out files that are there with the same name and content" },
        { .name = "connections", .key = 'c', .arg = "N", .doc = "files sent at the same time, 1 to 32 (4)" },
        { .name = "progress", .key = 'p', .doc = "show progress without a terminal too, a line every 10 s" },
        { 0 }
    };
    static const struct argp_child children[] = { { .argp = &client_argp }, { 0 } };
    static const struct argp       parser = { .options = options,
                                              .parser = parse,
                                              .args_doc = "PATH...",
                                              .children = children,
                                              .doc =
                                                  "Uploads files and everything in folders; prints id and title of each." };
    struct error                   err = { 0 };
    struct upload                 *u = calloc(1, sizeof *u);
    int                            rc = 1;

    if (!u)
        return 1;
    u->terminal = isatty(STDERR_FILENO) == 1;
    u->comma = "";
    u->connections = CONNECTIONS;
    u->queue = -1;
    argp_parse(&parser, argc, argv, 0, NULL, u);
    if (client_open(&u->client) == 0) {
        u->batch.client = &u->client;
        u->batch.keep_json = u->client.json;
        rc = run(u, &err) < 0 ? client_fail(&err) : u->failed > 0 || u->sent + u->skipped == 0;
    }
    upload_free(&u->batch);
    client_close(&u->client);
    free(u);
    return rc;
}
