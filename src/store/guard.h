/* guard.h - what must hold in the database before api or worker start: nobody gets around row level security, and the schema is ours. */
#ifndef DMS_STORE_GUARD_H
#define DMS_STORE_GUARD_H

#include "store/db.h"

/* Checks as the role of the connection (the application's). The first finding that forbids to start ends it: err says it in one
   sentence. strict (production): a PostgreSQL with known holes in row level security is refused too, else warn is told. */
MUST_CHECK int guard_check(struct db *db, bool strict, void (*warn)(const char *sentence), struct error *err);

#endif
