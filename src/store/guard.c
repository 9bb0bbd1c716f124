/* guard.c - see guard.h. The rules are the rows of sql/guard.sql. */
#include "store/guard.h"

#include "store/migrate.h"

static int check_schema(struct db *db, struct arena *a, struct error *err)
{
    struct migration_state *list;
    size_t                  n;

    if (migrate_status(db, a, &list, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!list[i].applied_at)
            return error_say(err, ERR_UNAVAILABLE, NULL,
                             "The database lacks migration %04u (%s). Run `dms migrate up`.", list[i].version,
                             list[i].name);
        if (list[i].foreign)
            return error_say(err, ERR_UNAVAILABLE, NULL,
                             "Migration %04u (%s) of the database is not this program's: "
                             "program and database are of different versions.",
                             list[i].version, list[i].name);
    }
    return 0;
}

int guard_check(struct db *db, bool strict, void (*warn)(const char *sentence), struct error *err)
{
    struct arena a = ARENA(1 << 20);
    struct rows  rows;
    int          rc = db_query_alone(db, (struct db_scope){ 0 }, &a, SQL_GUARD, NO_ARGS, &rows, err);

    while (rc == 0 && row_next(&rows)) {
        if (strict || !row_bool(&rows, "only_strict"))
            rc = error_say(err, ERR_UNAVAILABLE, NULL, "%s", row_text(&rows, "finding"));
        else if (warn)
            warn(row_text(&rows, "finding"));
    }
    if (rc == 0 && rows.bad)
        rc = error_set(err, ERR_INTERNAL, "the answer of the start-up guard cannot be read");
    if (rc == 0)
        rc = check_schema(db, &a, err);
    arena_free(&a);
    return rc;
}
