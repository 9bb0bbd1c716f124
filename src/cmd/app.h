/* app.h - the installation that --data or the database settings name, running or not: settings, folders, addresses of PostgreSQL and
   Redis. Every command that works on an installation begins with app_open. Opens no connection by itself. */
#ifndef DMS_CMD_APP_H
#define DMS_CMD_APP_H

#include "domain/settings.h"

#include <argp.h>

struct token_keys;

/* Roles of PostgreSQL (migrations/bootstrap.sql). ADMIN exists in the private PostgreSQL only and may create the database. */
enum app_role { APP_ROLE_APP, APP_ROLE_OWNER, APP_ROLE_OPS, APP_ROLE_ADMIN, APP_ROLES };

struct app {
    struct arena           arena;
    struct settings_loaded loaded;
    const struct settings *settings; /* &loaded.values */

    /* Absolute paths. The folders need not exist before the first `dms up`. */
    const char *data, *config_file;
    const char *run_dir; /* sockets: DATA/run, or a folder under /tmp where that is too long for a socket */
    const char *pg_dir, *redis_dir, *log_dir, *blob_dir, *mail_dir, *secrets_dir;
    const char *model_dir;       /* "" when no folder with a model was found: see app_model_hint */
    const char *program;         /* this executable */
    const char *extract_program; /* dms-extract beside it */
    const char *public_url;      /* the setting, or http://localhost:PORT */
};

/* Takes the settings out of argv (settings_load), reads dms.conf. Says what is wrong on stderr itself; -1 then: exit with 2. */
MUST_CHECK int app_open(struct app *app, int *argc, char **argv);
void           app_close(struct app *app);

/* Jobs that a worker runs at the same time: the setting, or one more than there are cores, so that the encoder has work while results are stored. */
unsigned app_worker_threads(const struct settings *set);
/* Event loops of the API: the setting, or half the cores, at least one. */
unsigned app_loops(const struct settings *set);

/* What is left in argv after app_open, by argp: --help and wrong options end the program (0 and 2), the nearest name is suggested.
   parser: the command's own options and arguments, NULL fields where it has none. */
void app_arguments(struct app *app, const struct argp *parser, int argc, char **argv, void *input);

/* `VERB [OBJECT] [--json]`, what several commands take. One with further options has this as the first member of its own, whose parser calls this
   one for what it does not know. */
enum { OPTION_JSON = 256, OPTION_OWN /* the first of a command's own */ };
struct verb_options {
    const char *verb, *object;
    bool        json;
};
error_t app_parse_verb(int key, char *arg, struct argp_state *state);

/* Conninfo of the role, in app's arena. NULL and a sentence when the installation has no such secret (yet), or it may not be read. */
const char *app_database(struct app *app, enum app_role role, struct error *err);
/* URL of Redis: the setting, or unix://:PASSWORD@/path/of/redis.sock. */
const char *app_redis(struct app *app, struct error *err);

/* The keys that sign, if there are any: only the API makes them. NULL and a sentence when there are none (yet), or they may not be read. */
struct token_keys *app_token_keys(struct app *app, struct error *err);

/* For api and worker, before anything else: refuses settings that are unsafe in production (env prod), a role that could get around
   row level security, and a schema that is not this program's. Warnings go to the log. */
MUST_CHECK int app_guard(struct app *app, struct error *err);

/* Prints "dms: SENTENCE" on stderr; returns 1, the exit status. */
int app_fail(const struct error *err);

#endif
