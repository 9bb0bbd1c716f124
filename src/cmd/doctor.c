/* doctor.c - `dms doctor`: looks at every part of the set-up, says how it is and what to do. Changes nothing. Each check is a row. */
#include "cmd/app.h"
#include "cmd/cluster.h"
#include "cmd/cmd.h"
#include "cmd/private_redis.h"
#include "cmd/probe.h"
#include "cmd/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "embed/kernels.h"
#include "queue/queue.h"
#include "store/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CLOCK_MOST_MS = 5000 };

enum state { STATE_OK, STATE_WARN, STATE_FAIL };
static const char *const state_names[] = { "ok", "warn", "fail" };

struct doctor {
    struct app *app;
    bool        running; /* `dms up` holds the data folder */
    enum state  state;   /* of the check at work */
    struct sb   text;
};

/* What a check found; the worst state stays. */
PRINTF_LIKE(3, 4) static void say(struct doctor *d, enum state state, const char *fmt, ...)
{
    char    line[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sb_printf(&d->text, "%s%s", d->text.n > 0 ? " " : "", line);
    d->state = state > d->state ? state : d->state;
}

static bool private_database(const struct doctor *d)
{
    return d->app->settings->database_url[0] == '\0';
}

static bool private_redis(const struct doctor *d)
{
    return d->app->settings->redis_url[0] == '\0';
}

static void check_settings(struct doctor *d)
{
    const char *const *unsafe = settings_unsafe(&d->app->arena, d->app->settings);

    for (; unsafe && *unsafe; unsafe++)
        say(d, STATE_FAIL, "%s", *unsafe);
    if (d->state == STATE_OK)
        say(d, STATE_OK, "env %s, from %s%s.", d->app->settings->env, d->app->config_file,
            access(d->app->config_file, F_OK) == 0 ? "" : " (not there), arguments and environment");
}

static void check_data(struct doctor *d)
{
    struct stat    st;
    struct statvfs fs;
    const char    *data = d->app->data;

    if (stat(data, &st) < 0) {
        say(d, errno == ENOENT ? STATE_WARN : STATE_FAIL, "%s: %s. `dms up --data DIR` makes it.", data,
            strerror(errno));
        return;
    }
    if ((st.st_mode & 077) != 0)
        say(d, STATE_WARN, "%s may be entered by others: chmod 700 it.", data);
    if (statvfs(data, &fs) < 0) {
        say(d, STATE_FAIL, "The disk of %s cannot be looked at: %s.", data, strerror(errno));
        return;
    }
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize, inodes = fs.f_favail, least = d->app->settings->min_free_disk;
    bool     full = room < 2 * least || (fs.f_files > 0 && inodes < 1000);
    say(d,
        room < least ? STATE_FAIL
        : full       ? STATE_WARN
                     : STATE_OK,
        "%s: %" PRIu64 " MiB free%s.", data, room >> 20,
        room < least ? ", uploads are refused (min_free_disk): make room"
        : full       ? ", that is little: make room"
                     : "");
}

static void check_secrets(struct doctor *d)
{
    static const char *const names[] = { "postgres-admin", "postgres-owner", "postgres-app", "postgres-ops",
                                         "redis",          "jwt.key",        "pepper" };
    unsigned                 found = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = path_join(&d->app->arena, d->app->secrets_dir, names[i]);
        struct stat st;

        if (stat(path, &st) < 0) {
            if (errno == EACCES)
                say(d, STATE_FAIL, "%s may not be read by this user.", path);
            continue;
        }
        found++;
        if ((st.st_mode & 077) != 0)
            say(d, STATE_FAIL, "%s may be read by others: chmod 600 it.", path);
        else if (access(path, R_OK) < 0)
            say(d, STATE_FAIL, "%s may not be read by this user: run it as root or as the folder's owner.", path);
    }
    if (d->state == STATE_OK)
        say(d, STATE_OK, found > 0 ? "%u, closed to others." : "none yet, `dms up` makes them.", found);
}

static void check_programs(struct doctor *d)
{
    struct cluster       cluster;
    struct private_redis redis;
    struct error         err = { 0 };

    if (private_database(d) && cluster_find(d->app, &cluster, &err) < 0)
        say(d, STATE_FAIL, "%s", err.detail);
    else if (private_database(d))
        say(d, STATE_OK, "PostgreSQL %s in %s.", cluster.version, cluster.bin);
    err = (struct error){ 0 };
    if (private_redis(d) && private_redis_find(d->app, &redis, &err) < 0)
        say(d, STATE_FAIL, "%s", err.detail);
    else if (private_redis(d))
        say(d, STATE_OK, "Redis %s, %s.", redis.version, redis.program);
    if (d->text.n == 0)
        say(d, STATE_OK, "none needed: PostgreSQL and Redis are elsewhere.");
}

/* A private service that does not answer is no failure while nothing runs. */
static enum state unless_stopped(const struct doctor *d, bool private)
{
    return private && !d->running ? STATE_WARN : STATE_FAIL;
}

static void check_database(struct doctor *d)
{
    struct error err = { 0 };
    struct rows  rows;
    const char  *conninfo = app_database(d->app, APP_ROLE_APP, &err);
    struct db   *db = conninfo ? db_open(conninfo, "dms doctor", &err) : NULL;

    if (!db || db_query_alone(db, (struct db_scope){ 0 }, &d->app->arena, SQL_DOCTOR_FACTS, NO_ARGS, &rows, &err) < 0
        || !row_next(&rows))
        say(d, unless_stopped(d, private_database(d)),
            private_database(d) && !d->running ? "does not run: `dms up` starts it." : "%s", err.detail);
    else {
        int64_t ahead_ms = row_int(&rows, "now_ms") - clock_wall_us() / 1000;

        say(d, STATE_OK, "PostgreSQL %s, %" PRId64 " MiB.", row_text(&rows, "version"), row_int(&rows, "bytes") >> 20);
        if (row_null(&rows, "vector"))
            say(d, STATE_FAIL, "The extension vector is not there: run migrations/bootstrap.sql as the administrator.");
        if (ahead_ms > CLOCK_MOST_MS || ahead_ms < -CLOCK_MOST_MS)
            say(d, STATE_WARN, "Its clock is %" PRId64 " s off ours: set up time synchronization.", ahead_ms / 1000);
        if (guard_check(db, /* strict= */ true, NULL, &err) < 0)
            say(d, STATE_FAIL, "%s", err.detail);
    }
    db_close(db);
}

static void check_redis(struct doctor *d)
{
    struct error  err = { 0 };
    const char   *url = app_redis(d->app, &err);
    struct queue *q = url ? queue_open(url, &err) : NULL;

    if (q && queue_up(q))
        say(d, STATE_OK, "answers.");
    else if (private_redis(d) && !d->running)
        say(d, STATE_WARN, "does not run: `dms up` starts it.");
    else
        say(d, STATE_WARN, "does not answer%s%s. The service works without it, with slower background work.",
            q ? "" : ": ", q ? "" : err.detail);
    queue_close(q);
}

/* What embed_precision comes to on this processor. */
static const char *precision_of(const struct settings *s)
{
    if (strcmp(s->embed_precision, "bf16") != 0)
        return s->embed_precision;
    return kernels_bf16() ? "bf16 by AMX" : "fp32, as there is no AMX here for bf16";
}

static void check_model(struct doctor *d)
{
    static const char *const names[] = { "model.safetensors", "vocab.txt" };
    const struct settings   *s = d->app->settings;

    if (strcmp(s->embed_provider, "local") != 0) {
        say(d, STATE_OK, "embed_provider is %s.", s->embed_provider);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names) && d->app->model_dir[0] != '\0'; i++)
        if (access(path_join(&d->app->arena, d->app->model_dir, names[i]), R_OK) < 0)
            say(d, STATE_WARN, "%s/%s: %s.", d->app->model_dir, names[i], strerror(errno));
    if (d->app->model_dir[0] != '\0' && d->state == STATE_OK)
        say(d, STATE_OK, "%s in %s, %s.", s->embed_model, d->app->model_dir, precision_of(s));
    else
        say(d, STATE_WARN,
            "Search goes by words alone. `script/model` puts the model into ./model; --model-dir names another folder; or "
            "set embed_provider to http.");
}

static void check_port(struct doctor *d)
{
    struct error err = { 0 };

    if (d->app->settings->port == 0)
        say(d, STATE_OK, "any free one.");
    else if (probe_port_free(d->app->settings->listen, (unsigned)d->app->settings->port, &err) == 0)
        say(d, STATE_OK, "%" PRIu64 " is free.", d->app->settings->port);
    else if (probe_tcp(d->app->settings->listen, (unsigned)d->app->settings->port,
                       "GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
                       "Connection: close\r\n\r\n",
                       "HTTP/1.1 200 ", 2000))
        say(d, STATE_OK, "%" PRIu64 " answers /health/live.", d->app->settings->port);
    else
        say(d, STATE_FAIL, "%s", err.detail);
}

static void check_extract_program(struct doctor *d, const char *program)
{
    const char *argv[] = { program, "--self-test", NULL }, *frames = NULL;

    if (access(program, X_OK) < 0)
        say(d, STATE_FAIL, "%s: %s. Files are stored, but not read.", program, strerror(errno));
    else if (process_capture(&d->app->arena, argv, &frames) < 0)
        say(d, STATE_FAIL,
            "%s cannot confine itself on this kernel (Landlock, seccomp): files are stored, but not read.", program);
    else
        say(d, STATE_OK, "%s confines itself.", program);
}

static void check_extract(struct doctor *d)
{
    struct sb pdf = SB(&d->app->arena);

    sb_printf(&pdf, "%s-pdf", d->app->extract_program);
    check_extract_program(d, d->app->extract_program);
    check_extract_program(d, sb_str(&pdf).p);
}

static void check_clock(struct doctor *d)
{
    struct stat st;
    int64_t     now = clock_wall_us() / 1000000;

    if (stat(d->app->program, &st) == 0 && now + 60 < st.st_mtime)
        say(d, STATE_FAIL,
            "The clock is behind the day this program was built: tokens and certificates will be refused. Set it.");
    else
        say(d, STATE_OK, "plausible.");
}

static const struct check {
    const char *name;
    void (*run)(struct doctor *d);
} checks[] = {
    { "settings", check_settings }, { "data", check_data },         { "secrets", check_secrets },
    { "programs", check_programs }, { "database", check_database }, { "redis", check_redis },
    { "model", check_model },       { "port", check_port },         { "extract", check_extract },
    { "clock", check_clock },
};

static bool is_running(struct app *app)
{
    _cleanup_(closep) int fd = open(path_join(&app->arena, app->data, "run/up.lock"), O_RDONLY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == OPTION_JSON)
        *(bool *)state->input = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "no arguments are taken");
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "one JSON array of {name, state, message}", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse,
    .doc =
        "Checks settings, data folder, programs, PostgreSQL, Redis, model, port, the sandbox of file readers and the clock, and says "
        "what to do. Exit status 1 when anything fails.",
};

static int examine(struct doctor *d, bool json)
{
    struct sb  list = SB(&d->app->arena);
    enum state worst = STATE_OK;

    for (const struct check *c = checks; c < checks + ARRAY_LEN(checks); c++) {
        d->state = STATE_OK;
        d->text = SB(&d->app->arena);
        c->run(d);
        worst = d->state > worst ? d->state : worst;
        if (!json)
            printf("%-4s  %-9s %s\n", state_names[d->state], c->name, sb_str(&d->text).p);
        fflush(stdout);
        sb_printf(&list, "%s{\"name\":\"%s\",\"state\":\"%s\",\"message\":", list.n > 0 ? ",\n" : "[", c->name,
                  state_names[d->state]);
        sb_json(&list, sb_str(&d->text).p);
        sb_putc(&list, '}');
    }
    if (json)
        printf("%s]\n", sb_str(&list).p);
    return worst == STATE_FAIL ? 1 : 0;
}

int cmd_doctor(int argc, char **argv)
{
    bool       json = false;
    struct app app;

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    app_arguments(&app, &parser, argc, argv, &json);
    struct doctor d = { .app = &app, .running = is_running(&app) };
    int           status = examine(&d, json);
    app_close(&app);
    return status;
}
