/* scim.h - what users and groups of SCIM 2.0 (RFC 7643, 7644) share: names without regard to case, paths of PATCH, filters, lists, errors. */
#ifndef DMS_API_SCIM_H
#define DMS_API_SCIM_H

#include "api/api.h"

#define SCIM_USER_SCHEMA  "urn:ietf:params:scim:schemas:core:2.0:User"
#define SCIM_GROUP_SCHEMA "urn:ietf:params:scim:schemas:core:2.0:Group"

enum { SCIM_PAGE_MAX = 200, SCIM_OPERATIONS_MAX = 100 };

/* SCIM's media type and its form of errors, for rows of routes.c. An error's field names the scimType where it is one. */
extern const struct dialect scim_dialect;

/* The plan allows it, or -1. */
MUST_CHECK int scim_admit(struct request *req);
/* Where the resources stand: https://.../api/v1/scim/v2 */
const char *scim_base(struct request *req);
const char *scim_address(struct request *req, const char *kind, const char *id);

/* Member of an object, names without regard to case; NULL: none, or null. */
const json_t *scim_member(const json_t *object, const char *name);

/* A path of PATCH: the attribute in lower case, with a sub-attribute after a dot, without its schema; selected: V of [value eq "V"], or NULL. */
struct scim_path {
    const char *attribute, *selected;
};
MUST_CHECK int scim_path_read(struct arena *a, const char *text, struct scim_path *ret, struct error *err);

/* ATTRIBUTE eq VALUE, the one form of filter that is taken. */
struct scim_filter {
    const char *attribute, *value;
};
MUST_CHECK int scim_filter_read(struct arena *a, const char *text, struct scim_filter *ret, struct error *err);

/* The query parameters attributes and excludedAttributes, as arrays for scim_pick; NULL: not given. */
const char *scim_only(struct request *req);
const char *scim_without(struct request *req);
/* The columns resources and total as a list. */
MUST_CHECK int scim_list(struct request *req, enum sql q, const char *const *args, int nargs);
/* startIndex and count as what is passed over and shown, for PostgreSQL. */
const char *scim_passed_over(struct request *req);
const char *scim_shown(struct request *req);

/* Calls fn for each operation of a PATCH. op: 'a'dd, 'r'eplace or 'd'elete; value NULL: none. */
typedef int    scim_patch_fn(void *arg, char op, const struct scim_path *path, const json_t *value, struct error *err);
MUST_CHECK int scim_patch(struct arena *a, const json_t *body, scim_patch_fn *fn, void *arg, struct error *err);

#endif
