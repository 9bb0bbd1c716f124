/* readiness.h - between the readiness command and its checks. */
#ifndef DMS_CMD_READINESS_H
#define DMS_CMD_READINESS_H

#include "cmd/app.h"

#include "base/json.h"
#include "net/http_client.h"
#include "store/db.h"

enum readiness_state { READY_PASS, READY_FAIL, READY_OPEN, READY_NOT_APPLICABLE, READY_STATES };

/* What the checks look at; opened once. Each check adds to evidence what it saw, good or bad, in a sentence. */
struct readiness {
    struct app        *app;
    struct net_client *net;
    struct db         *db;  /* as the application's role; NULL when it cannot be opened */
    const char        *url; /* of the running installation; NULL when none runs */
    struct sb          evidence;
};

typedef bool readiness_check(struct readiness *r); /* true: it holds */

#define SECTION(id, title)
#define CHECK(id, fn, text) bool check_##fn(struct readiness *r);
#define SIGNATURE(id, whose, text)
#define OPEN(id, hint, text)
#include "tbl/readiness.def"
#undef SECTION
#undef CHECK
#undef SIGNATURE
#undef OPEN

#endif
