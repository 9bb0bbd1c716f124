/* migrate.h - the schema's versions: the scripts of migrations/ (compiled in), each in one transaction, noted in migration.applied.
   Any number of replicas may migrate at once: one does it, the others wait and find it done. The connection is the owner's. */
#ifndef DMS_STORE_MIGRATE_H
#define DMS_STORE_MIGRATE_H

#include "store/db.h"

/* The version of the schema that this program works with: its last migration. */
unsigned migrate_expected(void);

/* Called after each migration that was run; may be NULL. */
typedef void migrate_progress(void *arg, unsigned version, const char *name);

/* Runs what is missing, oldest first, and writes the permissions of tbl/permissions.def into their table. Refuses a database whose applied migrations are not ours: another checksum, a version this
   program does not know, or one that would have to run before what is there. */
MUST_CHECK int migrate_up(struct db *db, migrate_progress *progress, void *arg, struct error *err);
/* Takes back the newest `count` migrations; fewer when there are fewer. */
MUST_CHECK int migrate_down(struct db *db, unsigned count, migrate_progress *progress, void *arg, struct error *err);

struct migration_state {
    unsigned    version;
    const char *name;
    const char *applied_at; /* RFC 3339, NULL: not applied */
    bool        foreign;    /* applied, but not as this program has it */
};
/* All that this program or the database knows, oldest first; in the arena. Changes nothing: any role that may read the registry. */
MUST_CHECK int migrate_status(struct db *db, struct arena *a, struct migration_state **ret, size_t *ret_n,
                              struct error *err);

/* The administrator's part in the private PostgreSQL: the database dms (admin: connected to `postgres`), then roles, schema ext and
   the extension (admin: connected to `dms`). Running it again sets the passwords. */
MUST_CHECK int bootstrap_database(struct db *admin, struct error *err);
MUST_CHECK int bootstrap_roles(struct db *admin, const char *owner_password, const char *app_password,
                               const char *ops_password, struct error *err);

#endif
