/* migrate.c - `dms migrate up | down [N] | status`: the schema's versions, by hand. */
#include "cmd/app.h"
#include "cmd/cmd.h"
#include "store/migrate.h"

#include <stdio.h>

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "status as one JSON array", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = app_parse_verb,
    .args_doc = "up | down [N] | status",
    .doc =
        "Brings the schema of the database up to this program's version, takes back the newest N migrations (default 1; what they "
        "made is dropped with its data), or shows what is applied. Works as the owner role: DATA, or --owner-database-url.",
};

static void tell(void *arg, unsigned version, const char *name)
{
    printf("%s %04u %s\n", (const char *)arg, version, name);
    fflush(stdout);
}

static int print_status(struct db *db, const struct verb_options *o, struct error *err)
{
    struct arena            a = ARENA(1 << 20);
    struct sb               json = SB(&a);
    struct migration_state *list;
    size_t                  n;
    int                     rc = migrate_status(db, &a, &list, &n, err);

    sb_putc(&json, '[');
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *state = list[i].foreign ? "foreign" : list[i].applied_at ? "applied" : "pending";

        sb_printf(&json, "%s{\"version\":%u,\"name\":", i > 0 ? "," : "", list[i].version);
        sb_json(&json, list[i].name);
        sb_printf(&json, ",\"state\":\"%s\",\"applied_at\":", state);
        sb_json(&json, list[i].applied_at);
        sb_putc(&json, '}');
        if (!o->json)
            printf("%04u %-24s %-8s %s\n", list[i].version, list[i].name, state,
                   list[i].applied_at ? list[i].applied_at : "");
    }
    sb_putc(&json, ']');
    if (rc == 0 && o->json)
        puts(sb_str(&json).p);
    arena_free(&a);
    return rc;
}

static int run(struct app *app, const struct verb_options *o, uint64_t count, struct error *err)
{
    static char up[] = "applied", down[] = "taken back";
    const char *conninfo = app_database(app, APP_ROLE_OWNER, err);
    struct db  *db = conninfo ? db_open(conninfo, "dms migrate", err) : NULL;
    int         rc = -1;

    if (db && strcmp(o->verb, "status") == 0)
        rc = print_status(db, o, err);
    else if (db && strcmp(o->verb, "up") == 0)
        rc = migrate_up(db, tell, up, err);
    else if (db)
        rc = migrate_down(db, (unsigned)count, tell, down, err);
    db_close(db);
    return rc;
}

int cmd_migrate(int argc, char **argv)
{
    struct verb_options o = { 0 };
    struct error        err = { 0 };
    struct app          app;
    uint64_t            count = 1;
    int                 status = 0;

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    app_arguments(&app, &parser, argc, argv, &o);
    bool down = o.verb && strcmp(o.verb, "down") == 0;
    if (!o.verb || (!down && strcmp(o.verb, "up") != 0 && strcmp(o.verb, "status") != 0) || (o.object && !down)
        || (o.object && parse_u64("N", str_of(o.object), 1, 9999, &count, &err) < 0)) {
        fputs("dms: say what: `dms migrate up`, `dms migrate down [N]` or `dms migrate status`.\n", stderr);
        status = 2;
    } else if (run(&app, &o, count, &err) < 0)
        status = app_fail(&err);
    app_close(&app);
    return status;
}
