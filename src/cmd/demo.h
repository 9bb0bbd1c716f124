/* demo.h - `dms up --demo`: the organization "demo" with a person for each role, and the project's own documents in it. */
#ifndef DMS_CMD_DEMO_H
#define DMS_CMD_DEMO_H

#include "cmd/app.h"

struct demo_job {
    struct app *app;
    const char *url; /* of the running API, without a slash at the end */
};
/* For supervisor_run, while the API answers. Prints `demo  owner@demo.test  PASSWORD  Owner`, one line a role. May run again: it then
   prints the same passwords, which DATA/secrets/demo keeps. arg: struct demo_job. */
int demo_make(void *arg);

#endif
