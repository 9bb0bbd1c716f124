/* cluster.c - see cluster.h. */
#include "cmd/cluster.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/app.h"
#include "cmd/process.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { MAJOR_LEAST = 15, PREPARE_ASK_MS = 10000, PREPARE_URGE_MS = 15000 };

static bool runs(struct arena *a, const char *bin, const char *program)
{
    return access(path_join(a, bin, program), X_OK) == 0;
}

/* Whether CREATE EXTENSION vector would find its files. */
static bool has_vector(struct arena *a, const char *bin, uint64_t major)
{
    const char *argv[] = { path_join(a, bin, "pg_config"), "--sharedir", NULL };
    const char *share = NULL;
    struct sb   debian = SB(a);

    sb_printf(&debian, "/usr/share/postgresql/%" PRIu64 "/extension/vector.control", major);
    if (strncmp(bin, "/usr/lib/postgresql/", 20) == 0 && access(sb_str(&debian).p, R_OK) == 0)
        return true;
    if (process_capture(a, argv, &share) == 0)
        return access(path_join(a, share, "extension/vector.control"), R_OK) == 0;
    return access(path_join(a, bin, "../share/extension/vector.control"), R_OK) == 0
           || access(path_join(a, bin, "../share/postgresql/extension/vector.control"), R_OK) == 0;
}

/* Looks at one folder: false when it holds no server of a version that will do. */
static bool look(struct arena *a, const char *bin, struct cluster *ret)
{
    const char *argv[] = { path_join(a, bin, "postgres"), "--version", NULL };
    const char *text = NULL;

    *ret = (struct cluster){ .bin = bin };
    if (!runs(a, bin, "initdb") || !runs(a, bin, "postgres") || process_capture(a, argv, &text) < 0)
        return false;
    const char *version = strstr(text, "(PostgreSQL) "); /* postgres (PostgreSQL) 15.20 (Debian ...) */
    if (!version)
        return false;
    version += strlen("(PostgreSQL) ");
    ret->version = arena_text(a, version, strcspn(version, " "));
    struct error ignored = { 0 }; /* a development version has no number: it is left alone */
    if (parse_u64("version", (struct str){ ret->version, strspn(ret->version, "0123456789") }, MAJOR_LEAST, 999,
                  &ret->major, &ignored)
        < 0)
        return false;
    ret->vector = has_vector(a, bin, ret->major);
    return true;
}

/* Folders to look at: the setting alone, or where pg_config and Debian have it. */
static size_t candidates(struct app *app, const char **ret, size_t most)
{
    static const char *const argv[] = { "pg_config", "--bindir", NULL };
    struct arena            *a = &app->arena;
    size_t                   n = 0;
    glob_t                   found = { 0 };

    if (app->settings->postgres_bin[0] != '\0') {
        ret[n++] = app->settings->postgres_bin;
        return n;
    }
    if (process_capture(a, argv, &ret[n]) == 0)
        n++;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && n < most; i++)
            ret[n++] = str_dup(a, str_of(found.gl_pathv[i]));
    globfree(&found);
    return n;
}

/* The major version that made DATA/pg; 0: there is none yet. */
static int existing_major(struct app *app, uint64_t *ret, struct error *err)
{
    struct str text;
    int        found = file_read(&app->arena, path_join(&app->arena, app->pg_dir, "PG_VERSION"), 64, &text, err);

    *ret = 0;
    if (found <= 0)
        return found;
    return parse_u64("PG_VERSION", str_trim(text), 1, 999, ret, err) < 0 ? -1 : 0;
}

/* What is missing, in plain words. any: the best server without what is wanted, or none. */
static int refuse(struct app *app, const struct cluster *any, uint64_t major, struct error *err)
{
    if (app->settings->postgres_bin[0] != '\0' && !any->bin)
        return error_say(err, ERR_UNAVAILABLE, "postgres_bin",
                         "postgres_bin: there is no PostgreSQL server of version %d or newer in %.120s.", MAJOR_LEAST,
                         app->settings->postgres_bin);
    if (!any->bin)
        return error_say(err, ERR_UNAVAILABLE, NULL,
                         "PostgreSQL is not installed (version %d or newer is needed): `apt-get install postgresql`, "
                         "or name its folder with --postgres-bin.",
                         MAJOR_LEAST);
    if (major > 0 && any->major != major)
        return error_say(err, ERR_UNAVAILABLE, NULL,
                         "%.90s was made by PostgreSQL %" PRIu64 ", but %s is installed: install postgresql-%" PRIu64
                         ", or move the data with pg_upgrade.",
                         app->pg_dir, major, any->version, major);
    return error_say(err, ERR_UNAVAILABLE, NULL,
                     "PostgreSQL %s lacks the extension pgvector: `apt-get install postgresql-%" PRIu64
                     "-pgvector`, or script/setup builds it.",
                     any->version, any->major);
}

int cluster_find(struct app *app, struct cluster *ret, struct error *err)
{
    const char    *folders[16];
    size_t         n = candidates(app, folders, ARRAY_LEN(folders));
    uint64_t       major;
    struct cluster best = { 0 }, any = { 0 };

    if (existing_major(app, &major, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct cluster c;

        if (!look(&app->arena, folders[i], &c))
            continue;
        if (!any.bin || (c.major == major && any.major != major) || (any.major != major && c.major > any.major))
            any = c;
        if (c.vector && (major == 0 || c.major == major) && c.major > best.major)
            best = c;
    }
    if (!best.bin)
        return refuse(app, &any, major, err);
    *ret = best;
    ret->exists = major > 0;
    return 0;
}

int cluster_make(void *arg)
{
    const struct cluster_job *job = arg;
    struct arena             *a = &job->app->arena;
    const char               *unfinished = path_join(a, job->app->data, "pg.new");
    struct error              err = { 0 };
    struct sb                 password = SB(a);

    sb_printf(&password, "--pwfile=%s/postgres-admin", job->app->secrets_dir);
    /* C orders text by its bytes: fast, and the same on every release of the C library (an index must not change its order). */
    const char *argv[] = { path_join(a, job->cluster->bin, "initdb"),
                           "--pgdata",
                           unfinished,
                           "--username=dms_admin",
                           sb_str(&password).p,
                           "--auth=scram-sha-256",
                           "--data-checksums",
                           "--encoding=UTF8",
                           "--lc-collate=C",
                           "--lc-ctype=C.UTF-8",
                           "--lc-messages=C",
                           "--lc-monetary=C",
                           "--lc-numeric=C",
                           "--lc-time=C",
                           "--no-instructions",
                           NULL };
    if (file_remove_tree(unfinished, &err) < 0)
        return app_fail(&err);
    setenv("TZ", "UTC", 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    return 1;
}

int cluster_adopt(struct app *app, struct error *err)
{
    if (rename(path_join(&app->arena, app->data, "pg.new"), app->pg_dir) < 0)
        return error_set(err, err_of_errno(errno), "cannot make %s: %s", app->pg_dir, strerror(errno));
    return file_sync_dir(app->data, err);
}

/* Memory that this machine, or the container we are in, gives us. */
static uint64_t memory_bytes(struct arena *a)
{
    uint64_t     bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), limit;
    struct error ignored = { 0 }; /* no control group, or "max": the machine's it is */
    struct str   text;

    if (file_read(a, "/sys/fs/cgroup/memory.max", 64, &text, &ignored) == 1
        && parse_u64("memory.max", str_trim(text), 1, UINT64_MAX, &limit, &ignored) == 0 && limit < bytes)
        return limit;
    return bytes;
}

static uint64_t between(uint64_t v, uint64_t least, uint64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* Connections that api, worker and operators may want at the same time. */
static uint64_t connections(const struct settings *s)
{
    uint64_t of_loops = app_loops(s) * (s->loop_connections + s->slow_connections);

    return between(s->work_threads + of_loops + 3 * app_worker_threads(s) + 24, 60, 2000);
}

static void put_quoted(struct sb *b, const char *key, const char *value)
{
    sb_printf(b, "%s = '", key);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            sb_putc(b, *value);
        sb_putc(b, *value);
    }
    sb_puts(b, "'\n");
}

/* A small machine's PostgreSQL that keeps what it has confirmed. Written anew at each start, so it follows the machine and this program. */
static int write_config(struct app *app, const char *path, struct error *err)
{
    struct sb      b = SB(&app->arena);
    const uint64_t mib = 1 << 20, memory = memory_bytes(&app->arena);

    sb_puts(
        &b,
        "# Written by `dms up` at each start. Your own settings belong into ../postgresql.conf beside this folder.\n"
        "listen_addresses = ''\nunix_socket_permissions = 0700\nport = 5432\n");
    put_quoted(&b, "unix_socket_directories", app->run_dir);
    sb_printf(&b, "max_connections = %" PRIu64 "\n", connections(app->settings));
    sb_printf(&b, "shared_buffers = %" PRIu64 "MB\n", between(memory / 8 / mib, 128, 512));
    sb_printf(&b, "effective_cache_size = %" PRIu64 "MB\n", between(memory / 2 / mib, 256, 1 << 20));
    sb_printf(&b, "maintenance_work_mem = %" PRIu64 "MB\n", between(memory / 32 / mib, 32, 256));
    sb_puts(
        &b,
        "huge_pages = try\nwork_mem = 8MB\njit = off\n"
        "recovery_init_sync_method = syncfs\n" /* one call, not a sync for each of a thousand files: back in 1 s, not 5 */
        "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nwal_level = replica\nwal_compression = on\n"
        "min_wal_size = 128MB\nmax_wal_size = 1GB\ncheckpoint_timeout = 15min\n"
        "random_page_cost = 1.1\neffective_io_concurrency = 32\n"
        "password_encryption = scram-sha-256\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n"
        "logging_collector = off\nlog_line_prefix = '%m [%p] %u '\nlog_checkpoints = off\nlog_lock_waits = on\n"
        "log_min_duration_statement = 2s\nlog_parameter_max_length = 0\nlog_parameter_max_length_on_error = 0\n");
    if (access(path_join(&app->arena, app->data, "postgresql.conf"), F_OK) == 0)
        sb_puts(&b, "include = '../postgresql.conf'\n");
    return file_write(path, sb_str(&b), 0600, err);
}

struct guard_data {
    struct app *app;
    int64_t     asked_us; /* when somebody else's processes were first seen in DATA/pg; 0: not */
};

static void end_process(pid_t pid, void *arg)
{
    kill(pid, *(const int *)arg);
}

/* Nothing may work in DATA/pg when a server starts there. We hold the lock of the folder, so whatever does is left from a supervisor
   that was killed: it is asked to end, then made to. Only then are its pid and lock files stale for certain, and go. */
static enum prepared prepare(void *arg, unsigned quick_deaths)
{
    struct guard_data *g = arg;
    struct arena       a = ARENA(16384);
    int64_t            now = clock_steady_us(), waited_ms = g->asked_us ? (now - g->asked_us) / 1000 : 0;
    int                signal = waited_ms < PREPARE_ASK_MS ? SIGINT : waited_ms < PREPARE_URGE_MS ? SIGQUIT : SIGKILL;

    (void)quick_deaths;
    if (process_each_in(g->app->pg_dir, end_process, &signal) > 0) {
        g->asked_us = g->asked_us ? g->asked_us : now;
        return NOT_YET;
    }
    g->asked_us = 0;
    unlink(path_join(&a, g->app->pg_dir, "postmaster.pid"));
    unlink(path_join(&a, g->app->run_dir, ".s.PGSQL.5432"));
    unlink(path_join(&a, g->app->run_dir, ".s.PGSQL.5432.lock"));
    arena_free(&a);
    return PREPARED;
}

int cluster_service(struct app *app, const struct cluster *c, struct service_spec *ret, struct error *err)
{
    const char  *config = path_join(&app->arena, app->pg_dir, "dms.conf");
    const char **argv = arena_alloc_array(&app->arena, 6, sizeof *argv);
    struct sb    option = SB(&app->arena);

    sb_printf(&option, "--config_file=%s", config);
    struct guard_data *g = arena_alloc(&app->arena, sizeof *g);
    if (!argv || !g || app->arena.failed)
        return error_set(err, ERR_UNAVAILABLE, "no memory");
    g->app = app;
    argv[0] = path_join(&app->arena, c->bin, "postgres");
    argv[1] = "-D";
    argv[2] = app->pg_dir;
    argv[3] = sb_str(&option).p;
    *ret = (struct service_spec){ .name = "postgres",
                                  .argv = argv,
                                  .program = -1,
                                  .stop_signal = SIGINT,
                                  .hurry_signal = SIGQUIT,
                                  .stop_ms = 30000,
                                  .death_signal =
                                      SIGQUIT, /* at once: the next start replays what a checkpoint would write now */
                                  .prepare = prepare,
                                  .arg = g };
    return write_config(app, config, err);
}

bool cluster_ready(struct app *app, pid_t pid)
{
    struct arena a = ARENA(16384);
    struct error ignored = { 0 }; /* not there yet */
    struct str   text = { "", 0 };
    bool         ready = false;
    char         ours[16];

    snprintf(ours, sizeof ours, "%d", (int)pid);
    if (pid > 0 && file_read(&a, path_join(&a, app->pg_dir, "postmaster.pid"), 4096, &text, &ignored) == 1
        && str_eq(str_cut(&text, '\n'), str_of(ours)))
        for (unsigned line = 2; text.n > 0; line++) /* the eighth line is the state */
            ready = str_eq(str_trim(str_cut(&text, '\n')), S("ready")) && line == 8;
    arena_free(&a);
    return ready;
}
