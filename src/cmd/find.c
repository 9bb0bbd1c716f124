/* find.c - `dms ls`, `search`, `get`, `rm`, `jobs`: looking at documents from the command line. */
#include "cmd/client.h"
#include "cmd/cmd.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct find {
    struct client client; /* first: client_argp's input */
    const char   *mode, *status, *output;
    uint64_t      limit;
    bool          force;
    char        **args;
    unsigned      count;
};

enum { KEY_FORCE = 1000, RECENT_US = 60 * 1000 * 1000 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct find *f = state->input;
    struct error err = { 0 };

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->client;
        return 0;
    case 'm':
        f->mode = arg;
        return 0;
    case 's':
        f->status = arg;
        return 0;
    case 'o':
        f->output = arg;
        return 0;
    case KEY_FORCE:
        f->force = true;
        return 0;
    case 'n':
        if (parse_u64("limit", str_of(arg), 1, 100, &f->limit, &err) < 0)
            argp_error(state, "--limit %s", err.message);
        return 0;
    case ARGP_KEY_ARGS:
        f->args = state->argv + state->next;
        f->count = (unsigned)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Parses, opens, runs, closes: what every command of this file does. needs: at least so many arguments. */
static int run(const struct argp_option *options, const char *args_doc, const char *doc, unsigned needs, int argc,
               char **argv, int (*fn)(struct find *f, struct error *err))
{
    const struct argp_child children[] = { { .argp = &client_argp }, { 0 } };
    const struct argp       parser = {
              .options = options, .parser = parse, .args_doc = args_doc, .children = children, .doc = doc
    };
    struct find  f = { .limit = 20 };
    struct error err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &f);
    if (f.count < needs) {
        fprintf(stderr, "dms: what? See `%s --help`\n", argv[0]);
        return 2;
    }
    if (client_open(&f.client) < 0)
        return 1;
    int status = fn(&f, &err) < 0 ? client_fail(&err) : 0;
    client_close(&f.client);
    return status;
}

static int ls(struct find *f, struct error *err)
{
    struct client *c = &f->client;
    struct sb      path = SB(&c->arena);
    const json_t  *v = NULL;

    sb_printf(&path, "/api/v1/documents?limit=%llu", (unsigned long long)f->limit);
    if (f->status) {
        sb_put(&path, S("&status="));
        url_encode(&path, str_of(f->status));
    }
    if (client_get(c, path.p, &v, err) < 0)
        return -1;
    const json_t *items = jv_get(v, "items");
    if (c->json) {
        client_print(c, items);
        return 0;
    }
    for (size_t i = 0; i < jv_count(items); i++) {
        const json_t *d = jv_at(items, i);

        printf("%s  %-10s  %10lld  %.16s  %s\n", jv_text(d, "id", ""), jv_text(d, "status", ""),
               (long long)jv_int(d, "size", 0), jv_text(d, "created_at", ""), jv_text(d, "title", ""));
    }
    if (!jv_is_null(jv_get(v, "next_cursor")))
        fprintf(stderr, "there are more; --limit shows up to 100\n");
    return 0;
}

int cmd_ls(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "limit", .key = 'n', .arg = "N", .doc = "how many, 1 to 100 (20)" },
        { .name = "status", .key = 's', .arg = "S", .doc = "only pending, processing, processed or error" },
        { 0 }
    };

    return run(options, "", "Lists documents, newest first: id, status, size, time, title.", 0, argc, argv, ls);
}

/* The snippet on one line, found words in bold on a terminal. */
static void print_snippet(const json_t *item)
{
    struct str    text = str_of(jv_text(item, "snippet", ""));
    const json_t *marks = jv_get(item, "highlights");
    bool          colour = isatty(STDOUT_FILENO) == 1;
    int64_t       at = 0;
    size_t        mark = 0;

    fputs("    ", stdout);
    for (; text.n > 0; at++) {
        const char   *from = text.p;
        const json_t *m = jv_at(marks, mark);

        if (colour && m && jv_number(jv_at(m, 0), -1) == (double)at)
            fputs("\033[1m", stdout);
        uint32_t cp = utf8_next(&text);
        if (cp == '\n')
            putchar(' ');
        else
            fwrite(from, 1, (size_t)(text.p - from), stdout);
        if (m && jv_number(jv_at(m, 1), -1) == (double)at + 1) {
            if (colour)
                fputs("\033[0m", stdout);
            mark++;
        }
    }
    putchar('\n');
}

static int search(struct find *f, struct error *err)
{
    struct client     *c = &f->client;
    struct sb          b = SB(&c->arena);
    const json_t      *v = NULL;
    struct client_call call = { .method = "POST", .path = "/api/v1/search" };

    sb_put(&b, S("{\"query\":"));
    struct sb words = SB(&c->arena);
    for (unsigned i = 0; i < f->count; i++)
        sb_printf(&words, "%s%s", i > 0 ? " " : "", f->args[i]);
    sb_json_str(&b, sb_str(&words));
    sb_printf(&b, ",\"limit\":%llu", (unsigned long long)f->limit);
    if (f->mode) {
        sb_put(&b, S(",\"mode\":"));
        sb_json(&b, f->mode);
    }
    sb_putc(&b, '}');
    call.json = sb_str(&b);
    if (client_run(c, &call, &v, err) < 0)
        return -1;
    const json_t *items = jv_get(v, "items");
    if (c->json) {
        client_print(c, items);
        return 0;
    }
    for (size_t i = 0; i < jv_count(items); i++) {
        const json_t *item = jv_at(items, i);
        int64_t       page = jv_int(item, "page", 0);

        printf("%s  %s", jv_text(item, "document_id", ""), jv_text(item, "title", ""));
        if (page > 0)
            printf(", page %lld", (long long)page);
        if (*jv_text(item, "section", ""))
            printf("  (%s)", jv_text(item, "section", ""));
        putchar('\n');
        print_snippet(item);
    }
    if (jv_count(items) == 0)
        fprintf(stderr, "nothing found\n");
    return 0;
}

int cmd_search(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "limit", .key = 'n', .arg = "N", .doc = "how many, 1 to 100 (20)" },
        { .name = "mode", .key = 'm', .arg = "M", .doc = "hybrid (default), keyword or semantic" },
        { 0 }
    };

    return run(options, "WORDS...", "Searches by words and by meaning.", 1, argc, argv, search);
}

/* Opens where the bytes go: "-", the path of -o, or the document's own name here; never over a file without --force. */
static int open_output(struct find *f, const char *name, struct error *err)
{
    const char *path = f->output ? f->output : name;

    if (strcmp(path, "-") == 0)
        return STDOUT_FILENO;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (f->force ? O_TRUNC : O_EXCL), 0666);
    if (fd < 0 && errno == EEXIST)
        return error_say(err, ERR_CONFLICT, NULL, "%.150s is there already: --force writes over it, -o names another",
                         path);
    return fd < 0 ? error_say(err, ERR_INTERNAL, NULL, "cannot write %.150s: %s", path, strerror(errno)) : fd;
}

static int get(struct find *f, struct error *err)
{
    struct client *c = &f->client;
    struct sb      path = SB(&c->arena);
    const json_t  *v = NULL;

    sb_put(&path, S("/api/v1/documents/"));
    url_encode(&path, str_of(f->args[0]));
    if (client_get(c, path.p, &v, err) < 0)
        return -1;
    if (c->json) {
        client_print(c, v);
        return 0;
    }
    const char *name = jv_text(v, "name", "document");
    if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
        name = "document"; /* a server that means harm does not choose where we write */
    int fd = open_output(f, name, err);
    if (fd < 0)
        return -1;
    sb_put(&path, S("/content"));
    struct client_call call = { .method = "GET", .path = path.p, .sink = net_sink_fd, .sink_arg = &fd };
    int                rc = client_run(c, &call, &v, err);
    if (fd != STDOUT_FILENO) {
        if (close(fd) < 0 && rc == 0)
            rc = error_say(err, ERR_INTERNAL, NULL, "cannot write: %s", strerror(errno));
        if (rc < 0)
            unlink(f->output ? f->output : name);
        else
            fprintf(stderr, "%s\n", f->output ? f->output : name);
    }
    return rc;
}

int cmd_get(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "output", .key = 'o', .arg = "FILE", .doc = "write there; - is standard output" },
        { .name = "force", .key = KEY_FORCE, .doc = "also over a file that is there" },
        { 0 }
    };

    return run(options, "ID", "Downloads a document's file under its own name; with --json prints the document.", 1,
               argc, argv, get);
}

static int rm(struct find *f, struct error *err)
{
    const json_t *v = NULL;

    for (unsigned i = 0; i < f->count; i++) {
        struct sb          path = SB(&f->client.arena);
        struct client_call call = { .method = "DELETE" };

        sb_put(&path, S("/api/v1/documents/"));
        url_encode(&path, str_of(f->args[i]));
        call.path = path.p;
        if (client_run(&f->client, &call, &v, err) < 0)
            return -1;
    }
    if (f->client.json)
        puts("[]");
    return 0;
}

int cmd_rm(int argc, char **argv)
{
    return run(NULL, "ID...", "Moves documents to the trash.", 1, argc, argv, rm);
}

/* Documents a second, by the newest jobs that succeeded; 0: nothing did within the last minute. */
static double recent_rate(struct client *c, struct error *err)
{
    const json_t *v = NULL;
    int64_t       now = clock_wall_us(), first = now, last = 0, at;
    unsigned      n = 0;

    if (client_get(c, "/api/v1/jobs?state=succeeded&limit=100", &v, err) < 0)
        return 0;
    for (size_t i = 0; i < jv_count(jv_get(v, "items")); i++) {
        const json_t *j = jv_at(jv_get(v, "items"), i);

        if (strcmp(jv_text(j, "kind", ""), "document.process") != 0 /* one a document */
            || clock_parse_rfc3339(jv_text(j, "finished_at", ""), &at) < 0 || now - at > RECENT_US)
            continue;
        first = at < first ? at : first;
        last = at > last ? at : last;
        n++;
    }
    return n > 1 && last > first ? (double)(n - 1) * 1e6 / (double)(last - first) : 0;
}

/* How much waits, and for how long. On stderr: the list is for programs. */
static void tell_backlog(struct client *c)
{
    struct error ignored = { 0 };
    struct sb    b = SB(&c->arena);
    int64_t      waiting = 0;

    if (client_waiting(c, &waiting, &ignored) < 0 || waiting == 0)
        return;
    double rate = recent_rate(c, &ignored);
    sb_printf(&b, "%lld document%s wait%s or %s in hand", (long long)waiting, waiting == 1 ? "" : "s",
              waiting == 1 ? "s" : "", waiting == 1 ? "is" : "are");
    if (rate > 0) {
        sb_printf(&b, "; lately %.1f a second were done, ", rate);
        client_time_left(&b, (double)waiting / rate);
    }
    fprintf(stderr, "%s\n", b.p);
}

static int jobs(struct find *f, struct error *err)
{
    struct sb     path = SB(&f->client.arena);
    const json_t *v = NULL;

    sb_printf(&path, "/api/v1/jobs?limit=%llu", (unsigned long long)f->limit);
    if (f->status) {
        sb_put(&path, S("&state="));
        url_encode(&path, str_of(f->status));
    }
    if (client_get(&f->client, path.p, &v, err) < 0)
        return -1;
    const json_t *items = jv_get(v, "items");
    if (f->client.json) {
        client_print(&f->client, items);
        return 0;
    }
    for (size_t i = 0; i < jv_count(items); i++) {
        const json_t *j = jv_at(items, i);

        printf("%s  %-18s  %-10s  %lld  %.19s  %s\n", jv_text(j, "id", ""), jv_text(j, "kind", ""),
               jv_text(j, "state", ""), (long long)jv_int(j, "attempts", 0), jv_text(j, "created_at", ""),
               jv_text(jv_get(j, "error"), "message", ""));
    }
    tell_backlog(&f->client);
    return 0;
}

int cmd_jobs(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "limit", .key = 'n', .arg = "N", .doc = "how many, 1 to 100 (20)" },
        { .name = "state", .key = 's', .arg = "S", .doc = "only queued, running, succeeded, failed or cancelled" },
        { 0 }
    };

    return run(
        options, "",
        "Lists jobs, newest first: id, kind, state, tries, time, error; says how many documents wait and for how long.",
        0, argc, argv, jobs);
}
