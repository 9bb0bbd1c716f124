/* asset.c - see asset.h; the table is made by asset2c.py. */
#include "api/asset.h"

static int compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct asset *)row)->path);
}

const struct asset *asset_find(const char *path)
{
    return bsearch(path, asset_table, asset_count, sizeof asset_table[0], compare);
}

struct str asset_serve(const char *path, const char **ret_type, const char **ret_encoding, const char **ret_etag)
{
    const struct asset *a = asset_find(path[0] == '/' ? path + 1 : path);

    if (!a && strncmp(path, "/assets/", 8) != 0)
        a = asset_find("index.html"); /* the application finds its page by the address itself */
    if (!a)
        return (struct str){ NULL, 0 };
    bool packed = *ret_encoding && a->gzip.n > 0;
    *ret_type = a->type;
    *ret_etag = packed ? a->gzip_etag : a->etag;
    *ret_encoding = packed ? "gzip" : NULL;
    return packed ? a->gzip : a->bytes;
}
