/* admin.h - the parts of `dms admin` that are files of their own. */
#ifndef DMS_CMD_ADMIN_H
#define DMS_CMD_ADMIN_H

#include "cmd/app.h"

/* argv[0] is "dms admin audit". Returns the exit status. */
int admin_audit(struct app *app, int argc, char **argv);

#endif
