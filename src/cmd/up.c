/* up.c - `dms up`: everything on one machine. A private PostgreSQL and Redis under --data, the schema brought up, API and worker,
   all under one supervisor. The steps stand in up_run in their order. */
#include "cmd/app.h"
#include "cmd/cluster.h"
#include "cmd/cmd.h"
#include "cmd/demo.h"
#include "cmd/private_redis.h"
#include "cmd/privileges.h"
#include "cmd/probe.h"
#include "cmd/process.h"
#include "cmd/supervisor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"
#include "store/migrate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    OPTION_DEMO = 256,
    OPTION_READY_FILE,
    OPTION_VERBOSE,
    SECRET_BYTES = 24,
    HOPELESS_AFTER = 5, /* deaths in a row before anything ran */
    START_MS = 60000,
    RECOVERY_MS = 1800000, /* PostgreSQL after a crash with much to replay */
    PROBE_MS = 1000,
    STOP_MARGIN_MS = 3000,
};
static const uint64_t room_first_bytes = 200 << 20, room_bytes = 32 << 20;

struct options {
    bool        demo, verbose;
    const char *ready_file;
};

struct up {
    struct app           app;
    struct options       options;
    const char          *user; /* that we became; NULL: we were not root */
    int                  lock;
    unsigned             port;
    const char          *url;
    struct cluster       cluster;
    struct private_redis redis;
    bool                 own_postgres, own_redis;
    struct supervisor   *supervisor;
    struct service      *postgres; /* NULL: not ours, or not yet */
    bool                 told_ready;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case OPTION_DEMO:
        o->demo = true;
        return 0;
    case OPTION_VERBOSE:
        o->verbose = true;
        return 0;
    case OPTION_READY_FILE:
        o->ready_file = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no arguments are taken");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    { "demo", OPTION_DEMO, NULL, 0, "also make the organization demo with a person for each role and sample documents",
      0 },
    { "ready-file", OPTION_READY_FILE, "FILE", 0, "write the URL there when everything answers; removed at the end",
      0 },
    { "verbose", OPTION_VERBOSE, NULL, 0, "logs of all programs on stderr instead of DATA/log", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse,
    .doc =
        "Starts everything on this machine: a private PostgreSQL and Redis in the data folder, API, web app and worker; keeps them "
        "running until SIGINT or SIGTERM. With --database-url or --redis-url that service is used instead of a private one.",
};

PRINTF_LIKE(1, 2) static void step(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static const char *lock_path(struct app *app)
{
    return path_join(&app->arena, path_join(&app->arena, app->data, "run"), "up.lock");
}

static int say_held(struct app *app, struct error *err)
{
    struct str   holder = { "", 0 };
    struct error ignored = { 0 }; /* the holder's name is only for the message */

    if (file_read(&app->arena, lock_path(app), 256, &holder, &ignored) != 1)
        holder = S("");
    return error_say(err, ERR_CONFLICT, "data",
                     "dms runs on %.100s already%s%.*s. Stop that, or name another folder with --data.", app->data,
                     holder.n > 0 ? ": " : "", (int)str_trim(holder).n, holder.p);
}

/* Before anything is touched that a running one may need. */
static int refuse_second(struct app *app, struct error *err)
{
    _cleanup_(closep) int fd = open(lock_path(app), O_RDONLY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 ? say_held(app, err) : 0;
}

/* One supervisor a data folder; the kernel frees the lock however it ends. */
static int take_lock(struct up *up, struct error *err)
{
    const char *path = lock_path(&up->app);
    struct sb   mine = SB(&up->app.arena);

    up->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (up->lock < 0)
        return error_say(err, err_of_errno(errno), "data", "Cannot open %.150s: %s.", path, strerror(errno));
    if (flock(up->lock, LOCK_EX | LOCK_NB) < 0)
        return say_held(&up->app, err);
    sb_printf(&mine, "process %d, %s\n", (int)getpid(), up->url);
    if (ftruncate(up->lock, 0) < 0)
        return error_say(err, err_of_errno(errno), "data", "Cannot write %.150s: %s.", path, strerror(errno));
    return file_write_all(up->lock, sb_str(&mine), err);
}

/* A free port for --port 0: chosen here and not by the API, so that it stays the same when the API is started again. */
static int pick_port(unsigned *ret, struct error *err)
{
    struct sockaddr_in    address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t             size = sizeof address;
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0
        || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return error_say(err, ERR_UNAVAILABLE, "port", "There is no free port: %s.", strerror(errno));
    *ret = ntohs(address.sin_port);
    return 0;
}

/* localhost where that reaches us, else the address. */
static const char *url_of(struct up *up)
{
    static const char *const local[] = { "127.0.0.1", "::1", "::", "0.0.0.0" };
    const char              *listen = up->app.settings->listen;
    struct sb                b = SB(&up->app.arena);

    for (size_t i = 0; i < ARRAY_LEN(local); i++)
        if (strcmp(listen, local[i]) == 0)
            listen = "localhost";
    sb_printf(&b, strchr(listen, ':') ? "http://[%s]:%u" : "http://%s:%u", listen, up->port);
    return sb_str(&b).p;
}

static int choose_port(struct up *up, struct error *err)
{
    up->port = (unsigned)up->app.settings->port;
    if (up->port == 0 && pick_port(&up->port, err) < 0)
        return -1;
    up->url = url_of(up);
    return 0;
}

static int check_room(struct up *up, struct error *err)
{
    bool           first = up->own_postgres && !up->cluster.exists;
    uint64_t       needed = first ? room_first_bytes : room_bytes;
    struct statvfs fs;

    if (statvfs(up->app.data, &fs) < 0)
        return error_say(err, ERR_INTERNAL, "data", "Cannot look at the disk of %.150s: %s.", up->app.data,
                         strerror(errno));
    if ((uint64_t)fs.f_bavail * fs.f_frsize >= needed)
        return 0;
    return error_say(err, ERR_STORAGE_FULL, "data",
                     "The disk of %.120s is full: %" PRIu64 " MiB are free, %" PRIu64 " MiB are needed%s.",
                     up->app.data, (uint64_t)fs.f_bavail * fs.f_frsize >> 20, needed >> 20,
                     first ? " for a new installation" : "");
}

/* The folder of sockets, where DATA/run is too long for them: ours alone, whoever made it before. */
static int make_run_folder(struct app *app, struct error *err)
{
    struct stat st;

    if (mkdir(app->run_dir, 0700) < 0 && errno != EEXIST)
        return error_say(err, err_of_errno(errno), "data", "Cannot make %.100s: %s.", app->run_dir, strerror(errno));
    if (lstat(app->run_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return error_say(
            err, ERR_FORBIDDEN, "data",
            "%.100s is not a folder of ours that is closed to others. Remove it, or choose a shorter --data.",
            app->run_dir);
    return 0;
}

/* Random passwords, once. They never leave DATA/secrets but over the sockets of DATA/run. */
static int make_secrets(struct app *app, struct error *err)
{
    static const char *const names[] = { "postgres-admin", "postgres-owner", "postgres-app", "postgres-ops", "redis" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char   *path = path_join(&app->arena, app->secrets_dir, names[i]);
        unsigned char bytes[SECRET_BYTES];
        char          text[SECRET_BYTES * 2 + 2];

        if (access(path, F_OK) == 0)
            continue;
        random_bytes(bytes, sizeof bytes);
        hex_encode(text, bytes, sizeof bytes);
        if (file_write(path, str_of(text), 0600, err) < 0)
            return -1;
    }
    return 0;
}

/* Children find the same installation: what came by arguments goes on by the environment, where other users cannot read it. */
static int export_settings(struct up *up, struct error *err)
{
    struct app *app = &up->app;
    char        port[16];

    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *row = &setting_table[i];
        const char           *value = row->type == 't' ? *(const char *const *)((const char *)app->settings + row->at)
                                                       : setting_show(&app->arena, app->settings, i);

        if (app->loaded.source[i] == SOURCE_ARGUMENT && setenv(setting_variable(&app->arena, row), value, 1) < 0)
            return error_set(err, ERR_UNAVAILABLE, "no memory");
    }
    snprintf(port, sizeof port, "%u", up->port);
    if (setenv("DMS_DATA", app->data, 1) < 0 || setenv("DMS_PORT", port, 1) < 0
        || (app->settings->config[0] != '\0' && setenv("DMS_CONFIG", app->config_file, 1) < 0))
        return error_set(err, ERR_UNAVAILABLE, "no memory");
    return 0;
}

static const char *log_of(struct up *up, const char *name)
{
    struct sb b = SB(&up->app.arena);

    sb_printf(&b, "%s/%s.log", up->app.log_dir, name);
    return up->options.verbose ? NULL : sb_str(&b).p;
}

/* Turns until the service is ready. -1: asked to stop (err stays ERR_NONE), or hopeless. */
static int await(struct up *up, struct service *s, bool (*ready)(struct up *up), unsigned most_ms, struct error *err)
{
    int64_t begun = clock_steady_us();

    while (!ready(up)) {
        if (supervisor_stop_requests(up->supervisor) > 0)
            return -1;
        if (service_quick_deaths(s) >= HOPELESS_AFTER || clock_steady_us() - begun > (int64_t)most_ms * 1000) {
            log_show_tail(service_log(s));
            return error_say(err, ERR_UNAVAILABLE, NULL, "%s does not start. %s%.150s", service_name(s),
                             service_log(s) ? "Its log: " : "", service_log(s) ? service_log(s) : "");
        }
        supervisor_turn(up->supervisor, 20);
    }
    return 0;
}

static bool postgres_is_ready(struct up *up)
{
    return cluster_ready(&up->app, service_pid(up->postgres));
}

static bool redis_is_ready(struct up *up)
{
    return private_redis_ready(&up->app);
}

static bool api_is_ready(struct up *up)
{
    return probe_tcp(up->app.settings->listen, up->port,
                     "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ",
                     PROBE_MS);
}

static int make_cluster(struct up *up, struct error *err)
{
    struct cluster_job job = { &up->app, &up->cluster };
    const char        *log = path_join(&up->app.arena, up->app.log_dir, "initdb.log");

    if (up->cluster.exists)
        return 0;
    step("making the database (once)");
    if (supervisor_run(up->supervisor, "initdb", cluster_make, &job, log, err) < 0) {
        if (err->code != ERR_NONE)
            log_show_tail(log);
        return -1;
    }
    return cluster_adopt(&up->app, err);
}

static int start_postgres(struct up *up, struct error *err)
{
    struct service_spec spec;

    if (make_cluster(up, err) < 0 || cluster_service(&up->app, &up->cluster, &spec, err) < 0)
        return -1;
    spec.log = log_of(up, "postgres");
    up->postgres = supervisor_start(up->supervisor, &spec, err);
    if (!up->postgres || await(up, up->postgres, postgres_is_ready, RECOVERY_MS, err) < 0)
        return -1;
    step("PostgreSQL %s runs", up->cluster.version);
    return 0;
}

static int start_redis(struct up *up, struct error *err)
{
    struct service_spec spec;

    if (private_redis_service(&up->app, &up->redis, &spec, err) < 0)
        return -1;
    spec.log = log_of(up, "redis");
    struct service *s = supervisor_start(up->supervisor, &spec, err);
    if (!s || await(up, s, redis_is_ready, START_MS, err) < 0)
        return -1;
    step("Redis %s runs", up->redis.version);
    return 0;
}

static void tell_migration(void *arg, unsigned version, const char *name)
{
    (void)arg;
    step("schema: applied %04u %s", version, name);
}

static const char *secret(struct app *app, const char *name, struct error *err)
{
    struct str text;

    if (file_read(&app->arena, path_join(&app->arena, app->secrets_dir, name), 256, &text, err) == 1)
        return str_dup(&app->arena, str_trim(text));
    error_set(err, ERR_INTERNAL, "the secret %s is missing", name);
    return NULL;
}

/* As the administrator of the private PostgreSQL: the database, then what is in it. */
static int bootstrap(struct app *app, struct error *err)
{
    const char *conninfo = app_database(app, APP_ROLE_ADMIN, err);
    const char *owner = secret(app, "postgres-owner", err), *user = secret(app, "postgres-app", err),
               *ops = secret(app, "postgres-ops", err);
    struct sb inside = SB(&app->arena);

    if (!conninfo || !owner || !user || !ops)
        return -1;
    struct db *admin = db_open(conninfo, "dms up", err);
    int        rc = admin ? bootstrap_database(admin, err) : -1;
    db_close(admin);
    if (rc < 0)
        return -1;
    sb_printf(&inside, "%s dbname=dms", conninfo); /* the last one counts */
    admin = db_open(sb_str(&inside).p, "dms up", err);
    rc = admin ? bootstrap_roles(admin, owner, user, ops, err) : -1;
    db_close(admin);
    return rc;
}

/* In a process of its own. */
static int bring_up_schema(void *arg)
{
    struct up   *up = arg;
    struct error err = { 0 };

    if (up->own_postgres && bootstrap(&up->app, &err) < 0)
        return app_fail(&err);
    const char *conninfo = app_database(&up->app, APP_ROLE_OWNER, &err);
    struct db  *db = conninfo ? db_open(conninfo, "dms up", &err) : NULL;
    int         rc = db ? migrate_up(db, tell_migration, NULL, &err) : -1;
    db_close(db);
    return rc < 0 ? app_fail(&err) : 0;
}

static int migrate(struct up *up, struct error *err)
{
    if (!up->own_postgres && up->app.settings->owner_database_url[0] == '\0') {
        step("schema: left as it is (owner_database_url is not set)");
        return 0;
    }
    if (supervisor_run(up->supervisor, "bringing up the schema", bring_up_schema, up, NULL, err) < 0)
        return -1;
    step("schema %04u is in place", migrate_expected());
    return 0;
}

/* API and worker look at the database first of all: they are not started while it is away. */
static enum prepared wait_for_database(void *arg, unsigned quick_deaths)
{
    struct up *up = arg;

    (void)quick_deaths;
    return !up->own_postgres || postgres_is_ready(up) ? PREPARED : NOT_YET;
}

/* Another run of this program: `dms serve`, `dms worker`. What they have confirmed is on disk, so a killed supervisor takes them along
   at once. */
static struct service *start_own(struct up *up, const char *name, const char *const *argv, bool tells_ready,
                                 struct error *err)
{
    struct service_spec spec = { .name = name,
                                 .argv = argv,
                                 .program = -1,
                                 .log = log_of(up, name),
                                 .stop_signal = SIGTERM,
                                 .hurry_signal = SIGKILL,
                                 .stop_ms = (unsigned)up->app.settings->stop_seconds * 1000 + STOP_MARGIN_MS,
                                 .death_signal = SIGKILL,
                                 .tells_ready = tells_ready,
                                 .prepare = wait_for_database,
                                 .arg = up };

    if (access(argv[0], X_OK) < 0) /* somewhere this user may not look */
        spec.program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return supervisor_start(up->supervisor, &spec, err);
}

static const char *const *own_argv(struct up *up, const char *command, const char *option)
{
    const char **argv = arena_alloc_array(&up->app.arena, 4, sizeof *argv);

    if (argv) {
        argv[0] = up->app.program;
        argv[1] = command;
        argv[2] = option;
    }
    return argv;
}

static int start_api_and_worker(struct up *up, struct error *err)
{
    const char *const *worker = own_argv(up, "worker", NULL), *const *api = own_argv(up, "serve", "--ready-fd=3");

    if (!worker || !api || !start_own(up, "worker", worker, /* tells_ready= */ false, err))
        return error_set(err, ERR_UNAVAILABLE, "no memory");
    struct service *s = start_own(up, "api", api, /* tells_ready= */ true, err);
    if (!s || await(up, s, api_is_ready, START_MS, err) < 0)
        return -1;
    step("API and worker run");
    return 0;
}

static int make_demo(struct up *up, struct error *err)
{
    struct sb url = SB(&up->app.arena);

    sb_printf(&url, strchr(up->app.settings->listen, ':') ? "http://[::1]:%u" : "http://127.0.0.1:%u", up->port);
    struct demo_job job = { &up->app, sb_str(&url).p };
    return up->options.demo ? supervisor_run(up->supervisor, "making the demo", demo_make, &job, NULL, err) : 0;
}

static int tell_ready(struct up *up, struct error *err)
{
    struct sb url = SB(&up->app.arena);

    sb_printf(&url, "%s\n", up->url);
    step("dms is ready: %s", up->url);
    up->told_ready = true;
    return up->options.ready_file ? file_write(up->options.ready_file, sb_str(&url), 0644, err) : 0;
}

/* Before anything is started: everything that can be known to be wrong. */
static int prepare(struct up *up, struct error *err)
{
    struct app        *app = &up->app;
    const char *const *unsafe = settings_unsafe(&app->arena, app->settings);

    if (unsafe && unsafe[0])
        return error_say(err, ERR_VALIDATION, NULL, "%s (`dms config --check` lists all that is unsafe with env prod.)",
                         unsafe[0]);
    if (up->options.demo && strcmp(app->settings->env, "prod") == 0)
        return error_say(err, ERR_VALIDATION, "demo", "--demo prints passwords and is not for env prod.");
    up->own_postgres = app->settings->database_url[0] == '\0';
    up->own_redis = app->settings->redis_url[0] == '\0';
    if (refuse_second(app, err) < 0)
        return -1;
    if (privileges_prepare(app, &up->options.ready_file, &up->user, err) < 0 || choose_port(up, err) < 0
        || take_lock(up, err) < 0)
        return -1;
    step("data in %s%s%s", app->data, up->user ? ", servers run as the user " : "", up->user ? up->user : "");
    if (probe_port_free(app->settings->listen, up->port, err) < 0
        || (up->own_postgres && cluster_find(app, &up->cluster, err) < 0)
        || (up->own_redis && private_redis_find(app, &up->redis, err) < 0) || check_room(up, err) < 0
        || make_run_folder(app, err) < 0 || make_secrets(app, err) < 0)
        return -1;
    return export_settings(up, err);
}

static int up_run(struct up *up, struct error *err)
{
    if (prepare(up, err) < 0 || !(up->supervisor = supervisor_open(err)))
        return -1;
    if ((up->own_postgres && start_postgres(up, err) < 0) || (up->own_redis && start_redis(up, err) < 0)
        || migrate(up, err) < 0 || start_api_and_worker(up, err) < 0 || make_demo(up, err) < 0
        || tell_ready(up, err) < 0)
        return -1;
    while (supervisor_stop_requests(up->supervisor) == 0)
        supervisor_turn(up->supervisor, 60000);
    return 0;
}

static void up_stop(struct up *up)
{
    if (up->options.ready_file && up->told_ready)
        unlink(up->options.ready_file);
    if (!up->supervisor)
        return;
    step("stopping");
    supervisor_close(up->supervisor);
    step("stopped");
}

/* Absolute before anything changes: the folder we are in may be closed to the user that we become. */
static const char *absolute_file(struct app *app, const char *path)
{
    char here[4096];

    if (!path || path[0] == '/' || !getcwd(here, sizeof here))
        return path;
    return path_join(&app->arena, str_dup(&app->arena, str_of(here)), path);
}

int cmd_up(int argc, char **argv)
{
    struct up    up = { .lock = -1 };
    struct error err = { 0 };

    if (app_open(&up.app, &argc, argv) < 0)
        return 2;
    app_arguments(&up.app, &parser, argc, argv, &up.options);
    up.options.ready_file = absolute_file(&up.app, up.options.ready_file);
    int rc = up_run(&up, &err);
    int status = rc < 0 && err.code != ERR_NONE ? app_fail(&err) : 0; /* no cause: we were asked to stop */
    up_stop(&up);
    closep(&up.lock);
    app_close(&up.app);
    return status;
}
