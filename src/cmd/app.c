/* app.c - see app.h. */
#include "cmd/app.h"

#include "base/file.h"
#include "base/log.h"
#include "crypto/token.h"
#include "store/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

enum { APP_MEMORY = 8 << 20, CONFIG_MAX = 1 << 20, SECRET_MAX = 4096 };

/* Blocks from this size on go back to the system when they are freed. By itself glibc raises the bound to the largest block it has seen, and every
   thread that has hashed a password keeps its 19 MiB for good. */
enum { LARGE_BLOCK = 1 << 20 };

static const struct {
    const char *secret, *user, *database;
    size_t      setting; /* offset of the URL that replaces it; ADMIN has none */
} roles[APP_ROLES] = {
    [APP_ROLE_APP] = { "postgres-app", "dms_app", "dms", offsetof(struct settings, database_url) },
    [APP_ROLE_OWNER] = { "postgres-owner", "dms_owner", "dms", offsetof(struct settings, owner_database_url) },
    [APP_ROLE_OPS] = { "postgres-ops", "dms_ops", "dms", offsetof(struct settings, ops_database_url) },
    [APP_ROLE_ADMIN] = { "postgres-admin", "dms_admin", "postgres", 0 },
};

static const char *environment(const char *name)
{
    return getenv(name);
}

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

/* The value of one text setting in the arguments, before all are loaded; NULL when it is not there. */
static const char *peek_argument(int argc, char **argv, const char *name)
{
    const char *found = NULL;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        struct str value = str_of(argv[i]);

        if (!str_starts(value, S("--")))
            continue;
        value = (struct str){ value.p + 2, value.n - 2 };
        const struct setting *row = setting_find(str_cut(&value, '='));
        if (!row || row->type == 'b')
            continue;
        const char *text = value.p ? value.p : argv[++i];
        if (!text)
            break;
        if (strcmp(row->name, name) == 0)
            found = text;
    }
    return found;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--usage") == 0)
            return true;
    return false;
}

/* Without links as far as it exists, so that everybody computes the same run folder from it. */
static const char *absolute(struct arena *a, const char *path)
{
    char        real[PATH_MAX];
    struct sb   b = SB(a);
    const char *rest = path + strlen(path);

    while (rest > path && rest[-1] == '/') /* a slash at the end says nothing */
        rest--;
    const char *end = rest;
    while (rest > path) {
        const char *head = arena_text(a, path, (size_t)(rest - path));

        if (realpath(head, real)) {
            sb_puts(&b, strcmp(real, "/") == 0 && rest < end ? "" : real);
            sb_put(&b, (struct str){ rest, (size_t)(end - rest) });
            return sb_str(&b).p;
        }
        while (rest > path && rest[-1] != '/')
            rest--;
        while (rest > path && rest[-1] == '/')
            rest--;
    }
    if (path[0] != '/' && getcwd(real, sizeof real))
        sb_printf(&b, "%s/", strcmp(real, "/") == 0 ? "" : real);
    sb_put(&b, (struct str){ path, (size_t)(end - path) });
    return sb_str(&b).p;
}

static uint64_t hash_path(const char *p)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a; only to tell folders apart, the folder's owner is checked */

    for (; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return h;
}

/* DATA/run, unless the name of a socket in it would be longer than the kernel takes. */
static const char *run_folder(struct arena *a, const char *data)
{
    const char *run = path_join(a, data, "run");
    struct sb   b = SB(a);

    if (strlen(run) + strlen("/.s.PGSQL.5432.lock") < sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return run;
    sb_printf(&b, "/tmp/dms-%016" PRIx64, hash_path(data));
    return sb_str(&b).p;
}

static const char *or_path(struct app *app, const char *setting, const char *name)
{
    return setting[0] != '\0' ? absolute(&app->arena, setting) : path_join(&app->arena, app->data, name);
}

static const char *program_path(struct arena *a)
{
    char    path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    if (n <= 0 || n >= (ssize_t)sizeof path)
        return "";
    struct str s = { path, (size_t)n }, deleted = S(" (deleted)"); /* replaced by a newer build meanwhile */
    if (s.n > deleted.n && memcmp(s.p + s.n - deleted.n, deleted.p, deleted.n) == 0)
        s.n -= deleted.n;
    return str_dup(a, s);
}

static const char *folder_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? arena_text(a, path, (size_t)(slash - path)) : ".";
}

/* The first folder with a model: the setting, ./model, beside the program, above the program (build/dms of a checkout). */
static const char *model_folder(struct app *app)
{
    const char *beside = folder_of(&app->arena, app->program);
    const char *candidates[] = { "./model", path_join(&app->arena, beside, "model"),
                                 path_join(&app->arena, beside, "../model") };

    if (app->settings->model_dir[0] != '\0')
        return absolute(&app->arena, app->settings->model_dir);
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++)
        if (access(path_join(&app->arena, candidates[i], "model.safetensors"), R_OK) == 0)
            return absolute(&app->arena, candidates[i]);
    return "";
}

static void set_paths(struct app *app)
{
    const struct settings *s = app->settings;
    struct sb              url = SB(&app->arena);

    app->run_dir = run_folder(&app->arena, app->data);
    app->pg_dir = path_join(&app->arena, app->data, "pg");
    app->redis_dir = path_join(&app->arena, app->data, "redis");
    app->log_dir = path_join(&app->arena, app->data, "log");
    app->blob_dir = or_path(app, s->blob_dir, "blobs");
    app->mail_dir = or_path(app, s->mail_dir, "mail");
    app->secrets_dir = or_path(app, s->secrets_dir, "secrets");
    app->program = program_path(&app->arena);
    app->extract_program = path_join(&app->arena, folder_of(&app->arena, app->program), "dms-extract");
    app->model_dir = model_folder(app);
    sb_printf(&url, "http://localhost:%" PRIu64, s->port);
    app->public_url = s->public_url[0] != '\0' ? s->public_url : sb_str(&url).p;

    struct settings *in_force = &app->loaded.values; /* so that a reader of the settings finds what is meant by "" */
    in_force->data = app->data;
    in_force->blob_dir = app->blob_dir;
    in_force->mail_dir = app->mail_dir;
    in_force->secrets_dir = app->secrets_dir;
    in_force->model_dir = app->model_dir;
}

/* The text of the file of settings; empty when none was named and DATA/dms.conf does not exist. */
static int read_config(struct app *app, const char *named, struct str *ret, struct error *err)
{
    *ret = (struct str){ "", 0 };
    int found = file_read(&app->arena, app->config_file, CONFIG_MAX, ret, err);
    if (found == 0 && named)
        return error_say(err, ERR_VALIDATION, "config", "There is no file %.200s.", app->config_file);
    return found < 0 ? -1 : 0;
}

/* Whether the text of DATA/dms.conf, which has been loaded without an error, sets the folder that it was found in. */
static bool data_in_file(struct app *app, struct str text)
{
    struct settings_loaded alone;
    struct error           ignored = { 0 }; /* there is none */
    char                  *argv[] = { NULL, NULL };
    int                    argc = 0;

    return settings_load(&app->arena, text, no_environment, &argc, argv, &alone, &ignored) == 0
           && alone.source[setting_find(S("data")) - setting_table] == SOURCE_FILE;
}

static int load(struct app *app, int *argc, char **argv, struct error *err)
{
    const char           *named = peek_argument(*argc, argv, "config"), *data = peek_argument(*argc, argv, "data");
    const struct setting *data_row = setting_find(S("data"));
    struct str            text;

    if (asks_for_help(*argc, argv)) /* explained whatever state the settings are in */
        return settings_load(&app->arena, S(""), no_environment, argc, argv, &app->loaded, err);
    named = named ? named : getenv("DMS_CONFIG");
    named = named && named[0] != '\0' ? named : NULL;
    data = data ? data : getenv("DMS_DATA");
    data = absolute(&app->arena, data ? data : data_row->fallback);
    app->config_file = named ? absolute(&app->arena, named) : path_join(&app->arena, data, "dms.conf");
    if (read_config(app, named, &text, err) < 0)
        return -1;
    if (settings_load(&app->arena, text, environment, argc, argv, &app->loaded, err) < 0)
        return -1;
    if (!named && data_in_file(app, text))
        return error_say(err, ERR_VALIDATION, "data",
                         "data cannot be set in the dms.conf of the data folder itself. Use --data, "
                         "DMS_DATA or a file named by --config.");
    return 0;
}

int app_open(struct app *app, int *argc, char **argv)
{
    struct error err = { 0 };

    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    *app = (struct app){ .arena = ARENA(APP_MEMORY) };
    app->settings = &app->loaded.values;
    if (load(app, argc, argv, &err) == 0) {
        app->data = absolute(&app->arena, app->settings->data);
        set_paths(app);
        if (!app->arena.failed)
            return 0;
        error_set(&err, ERR_UNAVAILABLE, "no memory for the settings");
    }
    app_fail(&err);
    app_close(app);
    return -1;
}

void app_close(struct app *app)
{
    arena_free(&app->arena);
}

int app_fail(const struct error *err)
{
    fprintf(stderr, "dms: %s\n", err->detail[0] != '\0' ? err->detail : error_text(err));
    return 1;
}

static bool known_option(const struct argp_option *options, struct str name)
{
    static const char *const always[] = { "help", "usage", "version" };

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (str_eq(name, str_of(always[i])))
            return true;
    for (const struct argp_option *o = options; o && (o->name || o->key || o->doc); o++)
        if (o->name && str_eq(name, str_of(o->name)))
            return true;
    return false;
}

/* argp would take a prefix of an option for it, and knows nothing of our settings. */
static void refuse_unknown(struct app *app, const struct argp *parser, int argc, char **argv)
{
    const char *names[32] = { NULL };
    size_t      n = 0;

    for (const struct argp_option *o = parser->options; o && (o->name || o->key || o->doc) && n + 1 < ARRAY_LEN(names);
         o++)
        if (o->name)
            names[n++] = o->name;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        struct str value = str_of(argv[i]);

        if (!str_starts(value, S("--")))
            continue;
        value = (struct str){ value.p + 2, value.n - 2 };
        struct str name = str_cut(&value, '=');
        if (known_option(parser->options, name))
            continue;
        const char *near = name_nearest(&app->arena, name, names);
        fprintf(stderr, "%s: there is no option --%.*s.%s%s%s `%s --help` lists them.\n", argv[0],
                (int)(name.n < 64 ? name.n : 64), name.p, near ? " Did you mean --" : "", near ? near : "",
                near ? "?" : "", argv[0]);
        exit(2);
    }
}

unsigned app_worker_threads(const struct settings *set)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (set->worker_threads > 0)
        return (unsigned)set->worker_threads;
    return cores < 1 ? 2 : cores < 64 ? (unsigned)cores + 1 : 64;
}

unsigned app_loops(const struct settings *set)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return set->loops > 0 ? (unsigned)set->loops : cores > 1 ? (unsigned)cores / 2 : 1;
}

void app_arguments(struct app *app, const struct argp *parser, int argc, char **argv, void *input)
{
    struct argp p = *parser;
    struct sb   doc = SB(&app->arena);

    refuse_unknown(app, parser, argc, argv);
    sb_puts(&doc, parser->doc ? parser->doc : "");
    sb_puts(
        &doc,
        "\v"
        "Settings are options too: --data DIR (default ./var), --port N, --config FILE and every other row of `dms config`; "
        "each is also DMS_NAME in the environment and `name = value` in DATA/dms.conf. Exit status: 0 done, 1 failed, 2 wrong usage.");
    p.doc = sb_str(&doc).p;
    argp_parse(&p, argc, argv, 0, NULL, input);
}

/* A secret of DATA/secrets, without the line's end. NULL and a sentence that says what to do. */
static const char *read_secret(struct app *app, const char *name, struct error *err)
{
    const char  *path = path_join(&app->arena, app->secrets_dir, name);
    struct error cause = { 0 };
    struct str   text;
    int          found = file_read(&app->arena, path, SECRET_MAX, &text, &cause);

    if (found == 1)
        return str_dup(&app->arena, str_trim(text));
    if (found == 0)
        error_say(err, ERR_UNAVAILABLE, NULL,
                  "There is no installation in %.150s yet. `dms up --data DIR` makes one; or name a database.",
                  app->data);
    else if (access(path, R_OK) < 0 && errno == EACCES)
        error_say(err, ERR_FORBIDDEN, NULL,
                  "The secrets in %.120s may not be read by this user. Run it as root or as their owner.",
                  app->secrets_dir);
    else
        *err = cause;
    return NULL;
}

/* A value of a conninfo text: in quotes, with ' and \ escaped. */
static void put_value(struct sb *b, const char *key, const char *value)
{
    sb_printf(b, "%s='", key);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            sb_putc(b, '\\');
        sb_putc(b, *value);
    }
    sb_puts(b, "' ");
}

error_t app_parse_verb(int key, char *arg, struct argp_state *state)
{
    struct verb_options *o = state->input;

    switch (key) {
    case OPTION_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num >= 2)
            argp_error(state, "too many arguments");
        *(state->arg_num == 0 ? &o->verb : &o->object) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const char *app_database(struct app *app, enum app_role role, struct error *err)
{
    struct sb   b = SB(&app->arena);
    const char *url =
        role == APP_ROLE_ADMIN ? "" : *(const char *const *)((const char *)app->settings + roles[role].setting);

    if (url[0] != '\0')
        return url;
    if (app->settings->database_url[0] != '\0' && role != APP_ROLE_ADMIN) {
        error_say(err, ERR_UNAVAILABLE, NULL, "database_url names another PostgreSQL than the private one: set %s too.",
                  role == APP_ROLE_OWNER ? "owner_database_url" : "ops_database_url");
        return NULL;
    }
    const char *password = read_secret(app, roles[role].secret, err);
    if (!password)
        return NULL;
    put_value(&b, "host", app->run_dir);
    put_value(&b, "port", "5432");
    put_value(&b, "dbname", roles[role].database);
    put_value(&b, "user", roles[role].user);
    put_value(&b, "password", password);
    return sb_str(&b).p;
}

const char *app_redis(struct app *app, struct error *err)
{
    struct sb b = SB(&app->arena);

    if (app->settings->redis_url[0] != '\0')
        return app->settings->redis_url;
    const char *password = read_secret(app, "redis", err);
    if (!password)
        return NULL;
    sb_printf(&b, "unix://:%s@%s/redis.sock", password, app->run_dir);
    return sb_str(&b).p;
}

struct token_keys *app_token_keys(struct app *app, struct error *err)
{
    struct token_keys *keys = NULL;

    if (access(app->secrets_dir, R_OK | X_OK) == 0)
        keys = token_keys_open(app->secrets_dir, app->public_url, (int64_t)app->settings->access_ttl,
                               /* make= */ false, err);
    else
        error_say(err, ERR_UNAVAILABLE, NULL, "The signing keys in %.150s are not there, or may not be read.",
                  app->secrets_dir);
    return keys;
}

static void warn(const char *sentence)
{
    log_at(LOG_WARNING, "%s", sentence);
}

int app_guard(struct app *app, struct error *err)
{
    const char *const *unsafe = settings_unsafe(&app->arena, app->settings);
    const char        *conninfo = app_database(app, APP_ROLE_APP, err);

    if (unsafe && unsafe[0])
        return error_say(err, ERR_VALIDATION, NULL, "%s (`dms config --check` lists all that is unsafe with env prod.)",
                         unsafe[0]);
    if (!conninfo)
        return -1;
    struct db *db = db_open(conninfo, "dms guard", err);
    int        rc = db ? guard_check(db, strcmp(app->settings->env, "prod") == 0, warn, err) : -1;
    db_close(db);
    return rc;
}
