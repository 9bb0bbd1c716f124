/* config.c - `dms config`: every setting with its value and where that comes from; checks them; makes docs/settings.md. */
#include "cmd/app.h"
#include "cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_CHECK = OPTION_OWN, OPTION_MARKDOWN };

struct options {
    bool json, check, markdown;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    (void)arg;
    switch (key) {
    case OPTION_JSON:
        o->json = true;
        return 0;
    case OPTION_CHECK:
        o->check = true;
        return 0;
    case OPTION_MARKDOWN:
        o->markdown = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no arguments are taken");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "one JSON array", 0 },
    { "check", OPTION_CHECK, NULL, 0, "only say what is unknown, wrong or unsafe; exit status 1 if anything is", 0 },
    { "markdown", OPTION_MARKDOWN, NULL, 0, "the table of docs/settings.md: names, defaults and meanings", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse,
    .doc = "Prints every setting, its value (secrets masked) and its source: argument, environment, file or default.",
};

static const char *const source_names[] = { "default", "file", "environment", "argument" };

/* Variables of clients and tests that are no settings of the server. */
static const char *const client_variables[] = { "DMS_URL", "DMS_API_KEY", NULL };

static void print_json(struct app *app)
{
    struct sb b = SB(&app->arena);

    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *row = &setting_table[i];

        sb_puts(&b, i > 0 ? ",\n{\"name\":" : "[{\"name\":");
        sb_json(&b, row->name);
        sb_puts(&b, ",\"value\":");
        if (row->type == 't')
            sb_json(&b, setting_show(&app->arena, app->settings, i));
        else
            sb_puts(&b, setting_show(&app->arena, app->settings, i));
        sb_printf(&b, ",\"source\":\"%s\",\"secret\":%s,\"help\":", source_names[app->loaded.source[i]],
                  row->secret ? "true" : "false");
        sb_json(&b, row->help);
        sb_putc(&b, '}');
    }
    sb_putc(&b, ']');
    puts(sb_str(&b).p);
}

static void print_text(struct app *app)
{
    for (size_t i = 0; i < setting_count; i++) {
        const char *value = setting_show(&app->arena, app->settings, i);

        printf("%-24s %-34s %s\n", setting_table[i].name, value[0] != '\0' ? value : "\"\"",
               source_names[app->loaded.source[i]]);
    }
}

static const char *range_of(struct arena *a, const struct setting *row)
{
    struct sb b = SB(a);

    if (row->type == 'u')
        sb_printf(&b, "%" PRIu64 " to %" PRIu64 "%s%s", row->min, row->max, row->unit[0] != '\0' ? " " : "", row->unit);
    else
        sb_puts(&b, row->type == 'b' ? "true, false" : row->secret ? "text, secret" : "text");
    return sb_str(&b).p;
}

static void print_markdown(struct app *app)
{
    puts(
        "# Settings\n\n"
        "Made by `dms config --markdown` from `src/tbl/settings.def`; a test compares the two.\n\n"
        "The setting `work_threads`, for example, is `--work-threads` on the command line, `DMS_WORK_THREADS` in the environment and\n"
        "`work_threads = ` in `DATA/dms.conf` (or the file that `--config` names). The first of these that is there counts; then the default.\n"
        "An unknown name or a bad value ends the start. `API_DATABASE_URL` is read where `DMS_DATABASE_URL` is not set.\n"
        "`dms config` prints the values in force with their source, `dms config --check` says what is wrong or unsafe.\n\n"
        "| setting | default | values | meaning |\n|---|---|---|---|");
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *row = &setting_table[i];
        struct str            help = str_of(row->help), part;
        struct sb             b = SB(&app->arena);

        do { /* a bar would end the column */
            part = str_cut(&help, '|');
            sb_put(&b, part);
            sb_puts(&b, help.p ? "\\|" : "");
        } while (help.p);
        printf("| `%s` | %s%s%s | %s | %s |\n", row->name, row->fallback[0] != '\0' ? "`" : "", row->fallback,
               row->fallback[0] != '\0' ? "`" : "", range_of(&app->arena, row), sb_str(&b).p);
    }
}

/* Variables that begin with DMS_ and are nobody's: most likely misspelt. */
static unsigned check_environment(struct app *app)
{
    unsigned found = 0;

    for (char **e = environ; *e; e++) {
        struct str value = str_of(*e), name = str_cut(&value, '=');
        bool       ours = !str_starts(name, S("DMS_"));

        for (const char *const *c = client_variables; !ours && *c; c++)
            ours = str_eq(name, str_of(*c));
        struct str rest = ours ? name : (struct str){ name.p + 4, name.n - 4 };
        if (ours || setting_find(rest))
            continue;
        const char           *near = name_nearest(&app->arena, rest, NULL);
        const struct setting *row = near ? setting_find(str_of(near)) : NULL;
        fprintf(stderr, "dms: the environment has %.*s, which is no setting.%s%s%s\n", (int)name.n, name.p,
                row ? " Did you mean " : "", row ? setting_variable(&app->arena, row) : "", row ? "?" : "");
        found++;
    }
    return found;
}

static int check(struct app *app)
{
    const char *const *unsafe = settings_unsafe(&app->arena, app->settings);
    unsigned           found = check_environment(app);

    for (; unsafe && *unsafe; unsafe++, found++)
        fprintf(stderr, "dms: %s\n", *unsafe);
    if (found == 0)
        printf("The settings are in order (env %s).\n", app->settings->env);
    return found == 0 ? 0 : 1;
}

int cmd_config(int argc, char **argv)
{
    struct options o = { 0 };
    struct app     app;
    int            status = 0;

    for (int i = 1; i < argc; i++) /* with --check a bad setting is a finding, not wrong usage */
        o.check = o.check || strcmp(argv[i], "--check") == 0;
    if (app_open(&app, &argc, argv) < 0)
        return o.check ? 1 : 2;
    app_arguments(&app, &parser, argc, argv, &o);
    if (o.check)
        status = check(&app);
    else
        (o.markdown ? print_markdown : o.json ? print_json : print_text)(&app);
    app_close(&app);
    return status;
}
