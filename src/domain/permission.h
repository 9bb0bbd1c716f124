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
#define PERM_ALL       ((UINT64_C(1) << PERM_COUNT) - 1)
#define PERM_PUBLIC    (UINT64_C(1) << 62) /* of a route: no credential needed; has to be said */
#define PERM_SIGNED_IN (UINT64_C(1) << 63) /* of a route: any member */
#define PERM_OWN \
    (UINT64_C(1) \
     << 61) /* of a route: the same, also one who has yet to set up the second factor that the organization requires */

/* Custom: one of the organization's own roles; its permissions stand in the database. */
enum role { ROLE_OWNER, ROLE_ADMIN, ROLE_EDITOR, ROLE_VIEWER, ROLE_API_ONLY, ROLE_CUSTOM, ROLE_COUNT };

const char    *role_name(enum role role);                    /* "Owner" */
MUST_CHECK int role_parse(const char *name, enum role *ret); /* exact; -1 unknown */
uint64_t       role_permissions(enum role role);             /* without PERM_SIGNED_IN; of Custom none */
uint64_t role_granted(enum role role, const char *own); /* the same; of Custom what the list own (may be NULL) names */
const char *role_text(enum role role);                  /* what it is for, one sentence */
const char *permission_name(unsigned bit);              /* "document.read" */
const char *permission_allows(unsigned bit);            /* what it allows */
int         permission_bit(struct str name);            /* -1 unknown */
uint64_t    permission_bits(const char *names);         /* of a list with commas; unknown ones give nothing */

/* What a grant on a folder or document allows there, whatever the role. */
enum grant_level { GRANT_NONE, GRANT_READ, GRANT_WRITE, GRANT_MANAGE, GRANT_LEVELS };
const char      *grant_name(enum grant_level level);                   /* "read" */
MUST_CHECK int   grant_parse(const char *name, enum grant_level *ret); /* exact; -1 unknown, GRANT_NONE among them */
uint64_t         grant_permissions(enum grant_level level);
enum grant_level grant_needed(uint64_t needs); /* the least that allows all of them; GRANT_LEVELS: none does */

#endif
