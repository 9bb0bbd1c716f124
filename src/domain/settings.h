/* settings.h - the settings of tbl/settings.def as one struct. Knows where a value came from; opens no files itself. */
#ifndef DMS_DOMAIN_SETTINGS_H
#define DMS_DOMAIN_SETTINGS_H

#include "base/text.h"

#define TEXT(field, fallback, max, secret, help)    const char *field;
#define UINT(field, fallback, min, max, unit, help) uint64_t field;
#define BOOL(field, fallback, help)                 bool field;
struct settings {
#include "tbl/settings.def"
};
#undef TEXT
#undef UINT
#undef BOOL

enum setting_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_ARGUMENT };

/* One row, for `dms config` and for argument parsing. */
struct setting {
    const char *name, *help, *unit;
    bool        secret;
    char        type; /* 't', 'u', 'b' */
    size_t      at;   /* offset in struct settings */
    uint64_t    min, max;
    const char *fallback;
};
extern const struct setting setting_table[];
extern const size_t         setting_count;

struct settings_loaded {
    struct settings     values;
    enum setting_source source[128]; /* by row */
};

/* file: content of dms.conf ("name = value" lines, # comments), may be empty. lookup: the environment. args: "--name=value" or
   "--name value"; a switch is "--name", "--no-name" or "--name=true". What is no setting is left in argv, in order, and *argc counts it
   (argv[0] stays; after "--" nothing is a setting). API_DATABASE_URL is read where DMS_DATABASE_URL is not set. Texts live in the arena.
   The first unknown name or bad value ends it: nothing starts on a half-understood configuration. */
MUST_CHECK int settings_load(struct arena *a, struct str file, const char *(*lookup)(const char *name), int *argc,
                             char **argv, struct settings_loaded *ret, struct error *err);
/* What must not be in production (env prod): each finding one sentence, NULL-terminated. */
const char *const *settings_unsafe(struct arena *a, const struct settings *s);
/* The value of row i as text, secrets masked. */
const char *setting_show(struct arena *a, const struct settings *s, size_t i);
/* How a person writes it: "--http-port", "DMS_HTTP_PORT". In the arena. */
const char *setting_option(struct arena *a, const struct setting *row);
const char *setting_variable(struct arena *a, const struct setting *row);
/* The setting that option text of n letters names ("http-port", "http_port"); NULL: none. */
const struct setting *setting_find(struct str name);
/* Of NULL-terminated names the one most like it, NULL when none is near; also among the settings' when names is NULL. */
const char *name_nearest(struct arena *a, struct str name, const char *const *names);

#endif
