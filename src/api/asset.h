/* asset.h - files built into the program: the web application, the API's description and its reference page. */
#ifndef DMS_API_ASSET_H
#define DMS_API_ASSET_H

#include "base/text.h"

struct asset {
    const char *path; /* "index.html", "assets/index-x.js", "openapi.json" */
    const char *type;
    const char *etag, *gzip_etag; /* first digits of the SHA-256, without quotes; each form of the bytes has its own */
    struct str  bytes;
    struct str  gzip; /* the same packed, or empty where that is no smaller */
};

extern const struct asset asset_table[]; /* sorted by path */
extern const size_t       asset_count;

/* NULL when there is none. path without a leading slash. */
const struct asset *asset_find(const char *path);
/* As http_app.asset wants it: "/" and every unknown path give the web application's page; p NULL when that is not built in. */
struct str asset_serve(const char *path, const char **ret_type, const char **ret_encoding, const char **ret_etag);

#endif
