/* organization.h - what changes of an organization, its members, invitations and roles share: one at a time, by somebody who still may, and nobody
   gives more than they have. */
#ifndef DMS_API_ORGANIZATION_H
#define DMS_API_ORGANIZATION_H

#include "api/api.h"

/* What somebody may do as the database has it at this moment, not as the credential cache remembers it. */
struct standing {
    enum role role;
    uint64_t  granted;
};

/* First in a transaction that changes any of the above: waits for others that do, and looks again whether whoever asks may still use this route.
   ret_organization: a row with name, revision and closing; may be NULL. */
MUST_CHECK int organization_begin(struct db *db, struct request *req, struct standing *ret,
                                  struct rows *ret_organization, struct error *err);

/* A role as a request names it: one of the five, or the id of one of the organization's own. */
struct role_choice {
    enum role   role;
    const char *role_id; /* of ROLE_CUSTOM, else NULL */
    const char *name;    /* by role_choose, as the next */
    uint64_t    permissions;
};

/* The members role and role_id of a request, exactly one of which is given. */
struct role_choice field_role(struct json_fields *f);
/* Fills in what the role may do, and refuses to give more than one has: Owner is for Owners to give. */
MUST_CHECK int role_choose(struct db *db, struct request *req, const struct standing *giver, struct role_choice *choice,
                           struct error *err);

/* Ends sessions and API keys of a member in this transaction; organization_forget lets the cache of this process know after its commit. */
struct ended {
    const char *const *ids; /* NULL-terminated */
};
MUST_CHECK int member_end_access(struct db *db, struct request *req, const char *user_id, const char *why,
                                 struct ended *ret, struct error *err);
void           organization_forget(struct request *req, struct ended ended);

/* The members of the organization who are Owners: columns user_id, name, email. */
MUST_CHECK int organization_owners(struct db *db, struct request *req, struct rows *ret, struct error *err);

#endif
