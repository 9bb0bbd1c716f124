/* settings.c - see settings.h. Rows come from tbl/settings.def; the order of precedence is argument, environment, file, default. */
#include "domain/settings.h"

#include <inttypes.h>
#include <stdio.h>

#define PLAIN  false
#define SECRET true
#define TEXT(field, fallback, max, secret, help) \
    { #field, help, "", secret, 't', offsetof(struct settings, field), 0, max, fallback },
#define UINT(field, fallback, min, max, unit, help) \
    { #field, help, unit, false, 'u', offsetof(struct settings, field), min, max, #fallback },
#define BOOL(field, fallback, help) { #field, help, "", false, 'b', offsetof(struct settings, field), 0, 1, #fallback },
const struct setting setting_table[] = {
#include "tbl/settings.def"
};
#undef TEXT
#undef UINT
#undef BOOL
const size_t setting_count = ARRAY_LEN(setting_table);

static_assert(ARRAY_LEN(setting_table) <= ARRAY_LEN(((struct settings_loaded *)NULL)->source),
              "source has a place for each row");

/* The settings that take one of a few words. */
static const struct {
    size_t      at;
    const char *words; /* separated by spaces */
} choices[] = {
    { offsetof(struct settings, env), "dev staging prod" },
    { offsetof(struct settings, log_level), "debug info warning error" },
    { offsetof(struct settings, embed_provider), "local http none" },
    { offsetof(struct settings, embed_precision), "fp32 bf16" },
    { offsetof(struct settings, smtp_starttls), "auto required off" },
    { offsetof(struct settings, audit_reads), "none sensitive all" },
    { offsetof(struct settings, default_plan), "free pro enterprise unlimited" },
    { offsetof(struct settings, scim_role), "Viewer Editor Admin" },
};

static char plain_letter(char c)
{
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Names are the same whether written with '-' or '_', in capitals or not. */
static bool same_name(struct str a, const char *b)
{
    for (size_t i = 0; i < a.n; i++)
        if (plain_letter(a.p[i]) != plain_letter(b[i])) /* b's NUL is no letter of a name */
            return false;
    return b[a.n] == '\0';
}

const struct setting *setting_find(struct str name)
{
    for (const struct setting *s = setting_table; s < setting_table + setting_count; s++)
        if (same_name(name, s->name))
            return s;
    return NULL;
}

/* Letters to add, drop or change to make b of a. */
static size_t distance(struct str a, struct str b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1];

    if (a.n > LONGEST || b.n > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = diagonal + (plain_letter(a.p[i - 1]) != plain_letter(b.p[j - 1]));
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < other ? change : other;
        }
    }
    return row[b.n];
}

const char *name_nearest(struct arena *a, struct str name, const char *const *names)
{
    const char *best = NULL;
    size_t      least = name.n / 3 + 2; /* further away is no help */

    for (; names && *names; names++)
        if (distance(name, str_of(*names)) < least) {
            least = distance(name, str_of(*names));
            best = *names;
        }
    for (const struct setting *s = setting_table; s < setting_table + setting_count; s++)
        if (distance(name, str_of(s->name)) < least) {
            struct sb b = SB(a);

            least = distance(name, str_of(s->name));
            for (const char *p = s->name; *p != '\0'; p++)
                sb_putc(&b, *p == '_' ? '-' : *p);
            best = b.p;
        }
    return best;
}

const char *setting_option(struct arena *a, const struct setting *row)
{
    struct sb b = SB(a);

    sb_put(&b, S("--"));
    for (const char *p = row->name; *p != '\0'; p++)
        sb_putc(&b, *p == '_' ? '-' : *p);
    return sb_str(&b).p;
}

const char *setting_variable(struct arena *a, const struct setting *row)
{
    struct sb b = SB(a);

    sb_put(&b, S("DMS_"));
    for (const char *p = row->name; *p != '\0'; p++)
        sb_putc(&b, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
    return sb_str(&b).p;
}

static void *place(struct settings *s, const struct setting *row)
{
    return (char *)s + row->at;
}

static const void *place_const(const struct settings *s, const struct setting *row)
{
    return (const char *)s + row->at;
}

static int set_text(struct arena *a, struct settings *s, const struct setting *row, struct str value, struct error *err)
{
    if (value.n > row->max || memchr(value.p, '\0', value.n) || !utf8_valid(value))
        return error_say(err, ERR_VALIDATION, row->name, "%s must be text of at most %" PRIu64 " bytes.", row->name,
                         row->max);
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct str words = str_of(choices[i].words), word;

        if (choices[i].at != row->at)
            continue;
        do
            word = str_cut(&words, ' ');
        while (!str_eq(word, value) && words.p);
        if (!str_eq(word, value))
            return error_say(err, ERR_VALIDATION, row->name, "%s must be one of: %s.", row->name, choices[i].words);
    }
    *(const char **)place(s, row) = arena_text(a, value.p, value.n);
    return a->failed ? error_set(err, ERR_UNAVAILABLE, "no memory for the settings") : 0;
}

static int set_bool(struct settings *s, const struct setting *row, struct str value, struct error *err)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (same_name(value, words[i])) {
            *(bool *)place(s, row) = i % 2 == 1;
            return 0;
        }
    return error_say(err, ERR_VALIDATION, row->name, "%s must be true or false.", row->name);
}

static int set_number(struct settings *s, const struct setting *row, struct str value, struct error *err)
{
    struct error ignored = { 0 }; /* says the same without the name */

    if (parse_u64(row->name, value, row->min, row->max, place(s, row), &ignored) == 0)
        return 0;
    return error_say(err, ERR_VALIDATION, row->name, "%s must be a whole number from %" PRIu64 " to %" PRIu64 "%s%s.",
                     row->name, row->min, row->max, row->unit[0] != '\0' ? " " : "", row->unit);
}

static int set(struct arena *a, struct settings_loaded *l, const struct setting *row, struct str value,
               enum setting_source source, struct error *err)
{
    l->source[row - setting_table] = source;
    if (row->type == 't')
        return set_text(a, &l->values, row, value, err);
    if (row->type == 'b')
        return set_bool(&l->values, row, value, err);
    return set_number(&l->values, row, value, err);
}

static int unknown(struct arena *a, struct str name, const char *where, struct error *err)
{
    const char *near = name_nearest(a, name, NULL);
    int         shown = name.n < 64 ? (int)name.n : 64;

    if (near)
        return error_say(err, ERR_VALIDATION, NULL, "%s: there is no setting %.*s. Did you mean %s?", where, shown,
                         name.p, near);
    return error_say(err, ERR_VALIDATION, NULL, "%s: there is no setting %.*s. `dms config` lists them.", where, shown,
                     name.p);
}

static int load_file(struct arena *a, struct str file, struct settings_loaded *l, struct error *err)
{
    for (unsigned number = 1; file.n > 0; number++) {
        struct str line = str_trim(str_cut(&file, '\n')), value = line;
        char       where[32];

        if (line.n == 0 || line.p[0] == '#')
            continue;
        snprintf(where, sizeof where, "dms.conf line %u", number);
        struct str name = str_trim(str_cut(&value, '='));
        if (!value.p)
            return error_say(err, ERR_VALIDATION, NULL, "%s: expected `name = value`.", where);
        const struct setting *row = setting_find(name);
        if (!row)
            return unknown(a, name, where, err);
        if (row->at == offsetof(struct settings, config))
            return error_say(err, ERR_VALIDATION, "config", "%s: config cannot be set in the file itself.", where);
        if (l->source[row - setting_table] == SOURCE_FILE)
            return error_say(err, ERR_VALIDATION, row->name, "%s: %s is set a second time.", where, row->name);
        if (set(a, l, row, str_trim(value), SOURCE_FILE, err) < 0)
            return -1;
    }
    return 0;
}

static int load_environment(struct arena *a, const char *(*lookup)(const char *), struct settings_loaded *l,
                            struct error *err)
{
    for (const struct setting *row = setting_table; row < setting_table + setting_count; row++) {
        const char *value = lookup(setting_variable(a, row));

        if (!value && row->at == offsetof(struct settings, database_url))
            value = lookup("API_DATABASE_URL");
        if (value && set(a, l, row, str_of(value), SOURCE_ENVIRONMENT, err) < 0)
            return -1;
    }
    return 0;
}

/* Takes argv[*i] (and its value) when it is a setting. 1 taken, 0 left alone, -1 error. */
static int take_argument(struct arena *a, int argc, char **argv, int *i, struct settings_loaded *l, struct error *err)
{
    struct str value = str_of(argv[*i]);

    if (!str_starts(value, S("--")) || value.n < 3)
        return 0;
    value = (struct str){ value.p + 2, value.n - 2 };
    struct str            name = str_cut(&value, '=');
    bool                  no = str_starts(name, S("no-"));
    const struct setting *row = setting_find(name);

    if (!row && no && !value.p && (row = setting_find((struct str){ name.p + 3, name.n - 3 })))
        return row->type == 'b' ? (set(a, l, row, S("false"), SOURCE_ARGUMENT, err) < 0 ? -1 : 1) : 0;
    if (!row)
        return 0;
    if (!value.p && row->type == 'b')
        value = S("true");
    if (!value.p) {
        if (*i + 1 >= argc)
            return error_say(err, ERR_VALIDATION, row->name, "%s needs a value.", argv[*i]);
        value = str_of(argv[++*i]);
    }
    return set(a, l, row, value, SOURCE_ARGUMENT, err) < 0 ? -1 : 1;
}

static int load_arguments(struct arena *a, int *argc, char **argv, struct settings_loaded *l, struct error *err)
{
    int kept = 1, i = 1;

    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        char *argument = argv[i];
        int   taken = take_argument(a, *argc, argv, &i, l, err);

        if (taken < 0)
            return -1;
        if (taken == 0)
            argv[kept++] = argument;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    *argc = kept < *argc ? kept : *argc;
    argv[*argc] = NULL;
    return 0;
}

int settings_load(struct arena *a, struct str file, const char *(*lookup)(const char *), int *argc, char **argv,
                  struct settings_loaded *ret, struct error *err)
{
    *ret = (struct settings_loaded){ 0 };
    for (const struct setting *row = setting_table; row < setting_table + setting_count; row++)
        if (set(a, ret, row, str_of(row->fallback), SOURCE_DEFAULT, err) < 0)
            return -1;
    if (load_file(a, file, ret, err) < 0 || load_environment(a, lookup, ret, err) < 0)
        return -1;
    return load_arguments(a, argc, argv, ret, err);
}

const char *setting_show(struct arena *a, const struct settings *s, size_t i)
{
    const struct setting *row = &setting_table[i];
    struct sb             b = SB(a);

    if (row->type == 'u')
        sb_printf(&b, "%" PRIu64, *(const uint64_t *)place_const(s, row));
    else if (row->type == 'b')
        sb_puts(&b, *(const bool *)place_const(s, row) ? "true" : "false");
    else {
        const char *text = *(const char *const *)place_const(s, row);

        sb_puts(&b, row->secret && text[0] != '\0' ? "********" : text);
    }
    return sb_str(&b).p;
}

/* Whether a URL leads off this machine without encryption. */
static bool plain_and_far(const char *url, const char *scheme)
{
    struct str u = str_of(url);

    if (!str_starts(u, str_of(scheme)))
        return false;
    const char *at = strrchr(url, '@'), *host = at ? at + 1 : url + strlen(scheme);
    return strncmp(host, "localhost", 9) != 0 && strncmp(host, "127.", 4) != 0 && strncmp(host, "[::1]", 5) != 0;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

const char *const *settings_unsafe(struct arena *a, const struct settings *s)
{
    const struct {
        bool        found;
        const char *sentence;
    } checks[] = {
        { !str_starts(str_of(s->public_url), S("https://")),
          "public_url must be an https:// address: links and token issuers are made of it." },
        { contains(s->database_url, "sslmode=disable"), "database_url switches encryption off (sslmode=disable)." },
        { contains(s->owner_database_url, "sslmode=disable"),
          "owner_database_url switches encryption off (sslmode=disable)." },
        { plain_and_far(s->redis_url, "redis://"), "redis_url leaves this machine without TLS: use rediss://." },
        { plain_and_far(s->embed_url, "http://"),
          "embed_url sends the texts of documents off this machine without TLS: use https://." },
        { plain_and_far(s->smtp_url, "smtp://") && strcmp(s->smtp_starttls, "off") == 0,
          "smtp_starttls is off: links to accounts would leave this machine without TLS." },
        { s->smtp_url[0] != '\0' && contains(s->mail_from, "@localhost"),
          "mail_from is at localhost: other mail servers would refuse it." },
        { str_starts(str_of(s->oidc_issuer), S("http://")),
          "oidc_issuer must be an https:// address: who signs in is read from it." },
        { s->access_ttl > 3600, "access_ttl is over an hour: a stolen access token would work too long." },
        { s->min_body_rate == 0, "min_body_rate is 0: a slow client could hold a connection for ever." },
        { s->min_free_disk == 0, "min_free_disk is 0: uploads could fill the disk that the database writes to." },
        { strcmp(s->log_level, "debug") == 0, "log_level is debug." },
    };
    const char **found = arena_alloc_array(a, ARRAY_LEN(checks) + 1, sizeof *found);
    size_t       n = 0;

    for (size_t i = 0; found && strcmp(s->env, "prod") == 0 && i < ARRAY_LEN(checks); i++)
        if (checks[i].found)
            found[n++] = checks[i].sentence;
    return found;
}
