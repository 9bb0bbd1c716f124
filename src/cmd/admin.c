/* admin.c - `dms admin tenants | users [ORGANIZATION] | mail [FILE]`: what an operator looks at. Reads as the operators' role.
   `dms admin audit` is admin_audit.c, `dms admin keys` admin_keys.c. */
#include "cmd/admin.h"
#include "cmd/cmd.h"

#include "base/file.h"
#include "net/mail.h"
#include "store/db.h"

#include <glob.h>
#include <stdio.h>

enum { MAIL_MAX = 1 << 20 };

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "one JSON array", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = app_parse_verb,
    .args_doc = "tenants | users [ORGANIZATION] | mail [FILE] | audit verify [FILE] | keys [rotate | remove KID]",
    .doc =
        "Lists the organizations, their people, or the mail that was written to files for want of an SMTP server (oldest first); with "
        "FILE, one message as it is. `dms admin audit --help` says what is checked there, `dms admin keys --help` "
        "what access tokens are signed with.",
};

/* Prints rows by the columns named: as a table, or as a JSON array. numbers: how many of the last columns are numbers. */
static void print_rows(struct app *app, struct rows *rows, const char *const *columns, size_t numbers, bool json)
{
    struct sb b = SB(&app->arena);
    size_t    count = 0;

    while (columns[count])
        count++;
    while (row_next(rows)) {
        sb_puts(&b, json ? (b.n > 0 ? ",\n{" : "[{") : "");
        for (size_t i = 0; i < count; i++) {
            const char *value = row_text(rows, columns[i]);

            if (!json) {
                sb_printf(&b, "%s%s", value, i + 1 < count ? "  " : "\n");
                continue;
            }
            sb_printf(&b, "%s\"%s\":", i > 0 ? "," : "", columns[i]);
            if (i + numbers >= count)
                sb_puts(&b, value);
            else
                sb_json(&b, value);
        }
        sb_puts(&b, json ? "}" : "");
    }
    if (json)
        sb_puts(&b, b.n > 0 ? "]\n" : "[]\n");
    fputs(sb_str(&b).p, stdout);
}

static int query(struct app *app, enum sql sql, const char *const *args, int nargs, struct rows *ret, struct error *err)
{
    const char *conninfo = app_database(app, APP_ROLE_OPS, err);
    struct db  *db = conninfo ? db_open(conninfo, "dms admin", err) : NULL;
    int         rc = db ? db_query_alone(db, (struct db_scope){ 0 }, &app->arena, sql, args, nargs, ret, err) : -1;

    db_close(db); /* results live on in the arena */
    return rc;
}

static int tenants(struct app *app, const struct verb_options *o, struct error *err)
{
    static const char *const columns[] = { "tenant_id", "name",      "plan",  "created_at",
                                           "members",   "documents", "bytes", NULL };
    struct rows              rows;

    if (query(app, SQL_ADMIN_TENANTS, NO_ARGS, &rows, err) < 0)
        return -1;
    print_rows(app, &rows, columns, 3, o->json);
    return 0;
}

static int users(struct app *app, const struct verb_options *o, struct error *err)
{
    static const char *const columns[] = { "user_id", "email", "name", "role", "organization", "created_at", NULL };
    struct rows              rows;

    if (query(app, SQL_ADMIN_USERS, ARGS(o->object ? o->object : ""), &rows, err) < 0)
        return -1;
    print_rows(app, &rows, columns, 0, o->json);
    return 0;
}

/* The value of a header of a message, of all its lines; "" when it has none. */
static const char *header(struct arena *a, struct str message, const char *name)
{
    while (message.n > 0) {
        struct str value = str_trim(str_cut(&message, '\n'));

        if (value.n == 0)
            break;
        struct str key = str_cut(&value, ':');
        if (!value.p || key.n != strlen(name) || strncasecmp(key.p, name, key.n) != 0)
            continue;
        struct sb all = SB(a);
        sb_put(&all, str_trim(value));
        while (message.n > 0 && (message.p[0] == ' ' || message.p[0] == '\t')) {
            sb_putc(&all, ' ');
            sb_put(&all, str_trim(str_cut(&message, '\n')));
        }
        return mail_header_text(a, sb_str(&all));
    }
    return "";
}

static int mail_one(struct app *app, const char *name, struct error *err)
{
    const char *path = strchr(name, '/') ? name : path_join(&app->arena, app->mail_dir, name);
    struct str  text;
    int         found = file_read(&app->arena, path, MAIL_MAX, &text, err);

    if (found == 0)
        return error_say(err, ERR_NOT_FOUND, NULL, "There is no message %.200s.", path);
    if (found > 0)
        fwrite(text.p, 1, text.n, stdout);
    return found < 0 ? -1 : 0;
}

static int mail(struct app *app, const struct verb_options *o, struct error *err)
{
    glob_t    files = { 0 };
    struct sb b = SB(&app->arena);

    if (o->object)
        return mail_one(app, o->object, err);
    if (glob(path_join(&app->arena, app->mail_dir, "*.eml"), 0, NULL, &files) != 0)
        files.gl_pathc = 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        static const char *const names[] = { "To", "Subject", "Date" };
        struct arena             a = ARENA(MAIL_MAX + 65536);
        struct str               text = { "", 0 };
        struct error ignored = { 0 }; /* gone meanwhile, or too large to be ours: listed without its headers */
        const char  *path = files.gl_pathv[i], *values[ARRAY_LEN(names)];

        if (file_read(&a, path, MAIL_MAX, &text, &ignored) != 1)
            text = S("");
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            values[k] = header(&a, text, names[k]);
        if (o->json) {
            sb_puts(&b, b.n > 0 ? ",\n{\"file\":" : "[{\"file\":");
            sb_json(&b, path);
            sb_puts(&b, ",\"to\":");
            sb_json(&b, values[0]);
            sb_puts(&b, ",\"subject\":");
            sb_json(&b, values[1]);
            sb_puts(&b, ",\"date\":");
            sb_json(&b, values[2]);
            sb_putc(&b, '}');
        } else
            sb_printf(&b, "%s  %s  %s\n", path, values[0], values[1]);
        arena_free(&a);
    }
    globfree(&files);
    if (o->json)
        sb_puts(&b, b.n > 0 ? "]\n" : "[]\n");
    fputs(sb_str(&b).p, stdout);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct app *app, const struct verb_options *o, struct error *err);
} kinds[] = { { "tenants", tenants }, { "users", users }, { "mail", mail } };

int cmd_admin(int argc, char **argv)
{
    struct verb_options o = { 0 };
    struct error        err = { 0 };
    struct app          app;
    int                 status = 2;

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    if (argc > 1 && strcmp(argv[1], "audit") == 0) {
        char name[] = "dms admin audit";

        argv[1] = name;
        status = admin_audit(&app, argc - 1, argv + 1);
        app_close(&app);
        return status;
    }
    if (argc > 1 && strcmp(argv[1], "keys") == 0) {
        char name[] = "dms admin keys";

        argv[1] = name;
        status = admin_keys(&app, argc - 1, argv + 1);
        app_close(&app);
        return status;
    }
    app_arguments(&app, &parser, argc, argv, &o);
    for (size_t i = 0; o.verb && i < ARRAY_LEN(kinds); i++)
        if (strcmp(o.verb, kinds[i].name) == 0)
            status = kinds[i].run(&app, &o, &err) < 0 ? app_fail(&err) : 0;
    if (status == 2)
        fputs(
            "dms: say what: `dms admin tenants`, `dms admin users [ORGANIZATION]`, `dms admin mail [FILE]`, `dms admin audit "
            "verify [FILE]` or `dms admin keys`.\n",
            stderr);
    app_close(&app);
    return status;
}
