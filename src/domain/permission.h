/* permission.h - permissions as bits, and what the five roles may do. From tbl/permissions.def; no I/O. */
#ifndef DMS_DOMAIN_PERMISSION_H
#define DMS_DOMAIN_PERMISSION_H

#include "base/text.h"

#define X(name, roles, text) PERM_BIT_##name,
enum {
#include "tbl/permissions.def"
    PERM_COUNT
};
#undef X
static_assert(PERM_COUNT == 38, "the contract has 38 permissions");

#define PERM(name)     (UINT64_C(1) << PERM_BIT_##name)
#define PERM_PUBLIC    (UINT64_C(1) << 62) /* of a route: no credential needed; has to be said */
#define PERM_SIGNED_IN (UINT64_C(1) << 63) /* of a route: any member */

enum role { ROLE_OWNER, ROLE_ADMIN, ROLE_EDITOR, ROLE_VIEWER, ROLE_API_ONLY, ROLE_COUNT };

const char    *role_name(enum role role);                    /* "Owner" */
MUST_CHECK int role_parse(const char *name, enum role *ret); /* exact; -1 unknown */
uint64_t       role_permissions(enum role role);             /* without PERM_SIGNED_IN */
const char    *permission_name(unsigned bit);                /* "document.read" */
int            permission_bit(struct str name);              /* -1 unknown */

#endif
