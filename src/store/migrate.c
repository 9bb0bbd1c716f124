/* migrate.c - see migrate.h. */
#include "store/migrate.h"

#include "domain/permission.h"

#include <inttypes.h>

struct migration {
    unsigned    version;
    const char *name, *checksum, *up, *down;
};

#define MIGRATION(version, name, checksum, up, down) { version, name, checksum, up, down },
#define SCRIPT(name, text)
static const struct migration migrations[] = {
#include "migrations.def"
};
#undef MIGRATION
#undef SCRIPT
#define MIGRATION(version, name, checksum, up, down)
#define SCRIPT(name, text) static const char script_##name[] = text;
#include "migrations.def"
#undef MIGRATION
#undef SCRIPT

static const struct db_scope nobody = { 0 };

unsigned migrate_expected(void)
{
    return migrations[ARRAY_LEN(migrations) - 1].version;
}

static const struct migration *migration_find(unsigned version)
{
    for (size_t i = 0; i < ARRAY_LEN(migrations); i++)
        if (migrations[i].version == version)
            return &migrations[i];
    return NULL;
}

/* Our migrations and those of rows (from MIGRATION_LIST) as one list. */
static int merge(struct arena *a, struct rows *rows, struct migration_state **ret, size_t *ret_n, struct error *err)
{
    size_t                  n = 0, at = 0;
    struct migration_state *list = arena_alloc_array(a, ARRAY_LEN(migrations) + (size_t)rows->count, sizeof *list);

    while (list && row_next(rows)) {
        unsigned                version = (unsigned)row_int(rows, "version");
        const struct migration *m = migration_find(version);

        for (; at < ARRAY_LEN(migrations) && migrations[at].version <= version; at++)
            if (migrations[at].version < version)
                list[n++] = (struct migration_state){ migrations[at].version, migrations[at].name, NULL, false };
        list[n++] = (struct migration_state){ version, row_text(rows, "name"), row_text(rows, "applied_at"),
                                              !m || strcmp(m->checksum, row_text(rows, "checksum")) != 0 };
    }
    for (; list && at < ARRAY_LEN(migrations); at++)
        list[n++] = (struct migration_state){ migrations[at].version, migrations[at].name, NULL, false };
    if (a->failed || rows->bad)
        return error_set(err, ERR_INTERNAL, "the list of migrations cannot be read");
    *ret = list;
    *ret_n = n;
    return 0;
}

/* Under the lock, in a transaction: what is applied, with whatever is not ours refused. */
static int read_state(struct db *db, struct arena *a, struct migration_state **ret, size_t *ret_n, struct error *err)
{
    struct rows rows;

    if (db_exec(db, SQL_MIGRATION_LOCK, NO_ARGS, err) < 0 || db_script(db, script_registry, err) < 0
        || db_query(db, a, SQL_MIGRATION_LIST, NO_ARGS, &rows, err) < 0 || merge(a, &rows, ret, ret_n, err) < 0)
        return -1;
    for (size_t i = 0; i < *ret_n; i++) {
        const struct migration_state *m = &(*ret)[i];

        if (m->foreign && !migration_find(m->version))
            return error_say(err, ERR_CONFLICT, NULL,
                             "The database has migration %04u (%s), which this program does not know: "
                             "it was migrated by a newer one. Use that.",
                             m->version, m->name);
        if (m->foreign)
            return error_say(err, ERR_CONFLICT, NULL,
                             "Migration %04u (%s) ran with other contents than this program has. "
                             "Applied migrations are never changed: add a new one.",
                             m->version, m->name);
        if (m->applied_at && i > 0 && !m[-1].applied_at)
            return error_say(err, ERR_CONFLICT, NULL, "Migration %04u (%s) is missing, but %04u after it is applied.",
                             m[-1].version, m[-1].name, m->version);
    }
    return 0;
}

struct step {
    const struct migration *done; /* NULL: there was nothing to do */
};

static int up_tx(struct db *db, void *arg, struct error *err)
{
    struct arena            a = ARENA(1 << 20);
    struct step            *step = arg;
    struct migration_state *list;
    size_t                  n, i = 0;
    int                     rc = read_state(db, &a, &list, &n, err);

    step->done = NULL;
    while (rc == 0 && i < n && list[i].applied_at)
        i++;
    if (rc == 0 && i < n) {
        const struct migration *m = step->done = migration_find(list[i].version);

        rc = db_script(db, m->up, err) < 0
                     || db_exec(db, SQL_MIGRATION_ADD, ARGS(db_int(&a, m->version), m->name, m->checksum), err) < 0
                 ? -1
                 : 0;
    }
    arena_free(&a);
    return rc;
}

static int down_tx(struct db *db, void *arg, struct error *err)
{
    struct arena            a = ARENA(1 << 20);
    struct step            *step = arg;
    struct migration_state *list;
    size_t                  n;
    int                     rc = read_state(db, &a, &list, &n, err);

    step->done = NULL;
    while (rc == 0 && n > 0 && !list[n - 1].applied_at)
        n--;
    if (rc == 0 && n > 0) {
        const struct migration *m = step->done = migration_find(list[n - 1].version);

        rc = db_script(db, m->down, err) < 0 || db_exec(db, SQL_MIGRATION_REMOVE, ARGS(db_int(&a, m->version)), err) < 0
                 ? -1
                 : 0;
    }
    arena_free(&a);
    return rc;
}

/* Steps of one transaction each, until there is nothing to do or `most` are done. */
static int run(struct db *db, tx_fn *fn, unsigned most, migrate_progress *progress, void *arg, struct error *err)
{
    for (unsigned i = 0; i < most; i++) {
        struct step step = { 0 };

        if (db_in_tx(db, nobody, fn, &step, err) < 0) {
            struct error cause = *err;

            if (!step.done || cause.message[0] != '\0')
                return -1;
            *err = (struct error){ 0 };
            return error_set(err, cause.code, "migration %04u (%s): %.180s", step.done->version, step.done->name,
                             cause.detail);
        }
        if (!step.done)
            return 0;
        if (progress)
            progress(arg, step.done->version, step.done->name);
    }
    return 0;
}

/* The table of permissions as this program has them. */
static int permissions_tx(struct db *db, void *arg, struct error *err)
{
    struct arena a = ARENA(65536);
    const char  *names[PERM_COUNT + 1] = { NULL }, *bits[PERM_COUNT + 1] = { NULL };

    (void)arg;
    for (unsigned i = 0; i < PERM_COUNT; i++) {
        names[i] = str_dup(&a, str_of(permission_name(i)));
        bits[i] = db_int(&a, i);
    }
    int rc = db_exec(db, SQL_MIGRATION_LOCK, NO_ARGS, err) < 0
                     || db_exec(db, SQL_PERMISSION_SYNC, ARGS(db_array(&a, names), db_array(&a, bits)), err) < 0
                 ? -1
                 : 0;
    arena_free(&a);
    return rc;
}

int migrate_up(struct db *db, migrate_progress *progress, void *arg, struct error *err)
{
    return run(db, up_tx, UINT32_MAX, progress, arg, err) < 0 ? -1 : db_in_tx(db, nobody, permissions_tx, NULL, err);
}

int migrate_down(struct db *db, unsigned count, migrate_progress *progress, void *arg, struct error *err)
{
    return run(db, down_tx, count, progress, arg, err);
}

int migrate_status(struct db *db, struct arena *a, struct migration_state **ret, size_t *ret_n, struct error *err)
{
    struct rows rows, none = { .at = -1 };

    if (db_query_alone(db, nobody, a, SQL_MIGRATION_EXISTS, NO_ARGS, &rows, err) < 0)
        return -1;
    if (!row_next(&rows) || !row_bool(&rows, "found"))
        return merge(a, &none, ret, ret_n, err);
    if (db_query_alone(db, nobody, a, SQL_MIGRATION_LIST, NO_ARGS, &rows, err) < 0)
        return -1;
    return merge(a, &rows, ret, ret_n, err);
}

int bootstrap_database(struct db *admin, struct error *err)
{
    struct arena a = ARENA(65536);
    struct rows  rows;
    int          rc = db_query_alone(admin, nobody, &a, SQL_DATABASE_EXISTS, NO_ARGS, &rows, err);

    if (rc == 0 && row_next(&rows) && row_int(&rows, "databases") == 0)
        rc = db_script(admin, script_database, err); /* no transaction: CREATE DATABASE refuses one */
    arena_free(&a);
    return rc;
}

struct passwords {
    const char *owner, *app, *ops;
};

static int roles_tx(struct db *admin, void *arg, struct error *err)
{
    const struct passwords *p = arg;

    if (db_exec(admin, SQL_BOOTSTRAP_PASSWORDS, ARGS(p->owner, p->app, p->ops), err) < 0)
        return -1;
    return db_script(admin, script_bootstrap, err);
}

int bootstrap_roles(struct db *admin, const char *owner_password, const char *app_password, const char *ops_password,
                    struct error *err)
{
    struct passwords p = { owner_password, app_password, ops_password };

    return db_in_tx(admin, nobody, roles_tx, &p, err);
}
