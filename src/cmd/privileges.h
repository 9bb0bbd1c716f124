/* privileges.h - root is not refused: the data folder is handed to an unprivileged user, and this process becomes that user. */
#ifndef DMS_CMD_PRIVILEGES_H
#define DMS_CMD_PRIVILEGES_H

#include "cmd/app.h"

/* Makes the data folder with its subfolders (0700). An existing folder with other things in it is refused, so that a slip of the
   hand (--data /home) hands nothing over. Called as root it then gives them to the user that owns them already, else dms, postgres
   or nobody, whichever exists first, and becomes that user for good; *ret_user is its name (in app's arena), NULL when we were not
   root. A parent folder that this user may not enter is named. *ready_file: absolute path or NULL; an old one is removed, and where
   the new user could not write it, it becomes another path that the old one leads to. */
MUST_CHECK int privileges_prepare(struct app *app, const char **ready_file, const char **ret_user, struct error *err);

#endif
