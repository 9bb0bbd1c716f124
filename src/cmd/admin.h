/* admin.h - the larger parts of `dms admin`, each with arguments of its own (argv[0] is "dms admin NAME") and the exit status as its result. */
#ifndef DMS_CMD_ADMIN_H
#define DMS_CMD_ADMIN_H

#include "cmd/app.h"

int admin_audit(struct app *app, int argc, char **argv); /* admin_audit.c */
int admin_keys(struct app *app, int argc, char **argv);  /* admin_keys.c */

#endif
