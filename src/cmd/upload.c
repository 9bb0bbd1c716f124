/* upload.c - `dms upload PATH...`: files and whole folders, with progress on a terminal; goes on after a bad file. */
#include "cmd/client.h"
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_STEP_MS = 150, WAIT_STEP_MAX_MS = 2000, NAME_SHOWN = 40 };

struct upload {
    struct client client; /* first: client_argp's input */
    const char   *folder_id, *tags;
    bool          wait;
    char        **paths;
    unsigned      done, failed;
    const char   *name; /* of the file under way */
    bool          terminal;
    const char   *comma; /* --json: before the next item */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct upload *u = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &u->client;
        return 0;
    case 'f':
        u->folder_id = arg;
        return 0;
    case 't':
        u->tags = arg;
        return 0;
    case 'w':
        u->wait = true;
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

/* [#####.....]  50 %  name */
static void show_bar(const struct upload *u, int percent, const char *what)
{
    char bar[21];

    for (int i = 0; i < 20; i++)
        bar[i] = i * 5 < percent ? '#' : '.';
    bar[20] = '\0';
    fprintf(stderr, "\r\033[K[%s] %3d %%  %.*s  %s", bar, percent, NAME_SHOWN, u->name, what);
}

static int on_progress(void *arg, int64_t sent, int64_t send_total, int64_t received, int64_t receive_total)
{
    const struct upload *u = arg;

    (void)received;
    (void)receive_total;
    if (u->terminal && send_total > 0)
        show_bar(u, (int)(sent * 100 / send_total), "uploading");
    return 0;
}

/* Until the document is processed or has failed. The document as it then is. */
static const json_t *wait_processed(struct upload *u, const char *id, struct error *err)
{
    struct sb     path = SB(&u->client.arena);
    const json_t *v = NULL;

    sb_printf(&path, "/api/v1/documents/%s", id);
    for (unsigned ms = WAIT_STEP_MS;; ms = ms * 3 / 2 < WAIT_STEP_MAX_MS ? ms * 3 / 2 : WAIT_STEP_MAX_MS) {
        if (client_get(&u->client, path.p, &v, err) < 0)
            return NULL;
        const char *status = jv_text(v, "status", "");
        if (strcmp(status, "processed") == 0)
            return v;
        if (strcmp(status, "error") == 0) {
            error_say(err, ERR_UNPROCESSABLE, NULL, "stored, but not read: %.200s",
                      jv_text(jv_get(v, "processing_error"), "message", "unknown cause"));
            return NULL;
        }
        if (u->terminal)
            show_bar(u, 100, status);
        clock_sleep_ms(ms);
    }
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int send_file(struct upload *u, const char *path, const json_t **ret, struct error *err)
{
    struct net_part parts[3] = {
        { .name = "file", .filename = file_name(path), .content_type = "application/octet-stream", .path = path }
    };
    size_t             n = 1;
    struct uuid        key = uuid_v7(); /* a retry below, after a lost answer, never doubles */
    struct client_call call = { .method = "POST",
                                .path = "/api/v1/documents",
                                .parts = parts,
                                .idempotency_key = key.text,
                                .progress = on_progress,
                                .progress_arg = u };

    if (u->folder_id)
        parts[n++] = (struct net_part){ .name = "folder_id", .data = str_of(u->folder_id) };
    if (u->tags)
        parts[n++] = (struct net_part){ .name = "tags", .data = str_of(u->tags) };
    call.parts_n = n;
    for (unsigned attempt = 1;; attempt++) {
        struct error once = { 0 };

        if (client_run(&u->client, &call, ret, &once) == 0)
            return 0;
        if (once.code != ERR_UNAVAILABLE || attempt == 3) {
            *err = once;
            return -1;
        }
        clock_sleep_ms(500 * attempt);
    }
}

static void upload_one(struct upload *u, const char *path)
{
    struct error  err = { 0 };
    const json_t *v = NULL;

    u->name = file_name(path);
    int rc = send_file(u, path, &v, &err);
    if (rc == 0 && u->wait && !(v = wait_processed(u, jv_text(v, "id", ""), &err)))
        rc = -1;
    if (u->terminal)
        fputs("\r\033[K", stderr);
    if (rc < 0) {
        u->failed++;
        fprintf(stderr, "dms: %s: %s\n", path, err.message[0] != '\0' ? err.message : err.detail);
    } else {
        u->done++;
        if (u->client.json) {
            fputs(u->comma, stdout);
            client_print(&u->client, v);
            u->comma = ",";
        } else
            printf("%s  %s\n", jv_text(v, "id", ""), jv_text(v, "title", ""));
        fflush(stdout);
    }
}

/* Everything below the paths, in order of names; hidden files and folders inside a folder are left out. */
static int walk(struct upload *u)
{
    FTS *tree = fts_open(u->paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);

    if (!tree)
        return -1;
    for (FTSENT *e; (e = fts_read(tree));) {
        bool hidden = e->fts_level > 0 && e->fts_name[0] == '.';

        if (hidden) {
            fts_set(tree, e, FTS_SKIP);
            continue;
        }
        if (e->fts_info == FTS_F)
            upload_one(u, e->fts_path);
        else if (e->fts_info == FTS_NS || e->fts_info == FTS_ERR || e->fts_info == FTS_DNR) {
            u->failed++;
            fprintf(stderr, "dms: %s: %s\n", e->fts_path, strerror(e->fts_errno));
        }
    }
    fts_close(tree);
    return 0;
}

int cmd_upload(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "folder", .key = 'f', .arg = "ID", .doc = "into this folder" },
        { .name = "tags", .key = 't', .arg = "A,B", .doc = "tags for every file" },
        { .name = "wait", .key = 'w', .doc = "until each file is processed" },
        { 0 }
    };
    static const struct argp_child children[] = { { .argp = &client_argp }, { 0 } };
    static const struct argp       parser = { .options = options,
                                              .parser = parse,
                                              .args_doc = "PATH...",
                                              .children = children,
                                              .doc =
                                                  "Uploads files and everything in folders; prints id and title of each." };
    struct upload                  u = { .terminal = isatty(STDERR_FILENO) == 1, .comma = "" };

    argp_parse(&parser, argc, argv, 0, NULL, &u);
    if (client_open(&u.client) < 0)
        return 1;
    if (u.client.json)
        putchar('[');
    int rc = walk(&u);
    if (u.client.json)
        puts("]");
    if (u.done + u.failed > 1 && !u.client.json)
        fprintf(stderr, "%u uploaded, %u failed\n", u.done, u.failed);
    client_close(&u.client);
    return rc < 0 || u.failed > 0 || u.done == 0 ? 1 : 0;
}
