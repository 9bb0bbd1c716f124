/* member.c - members: another role, leaving and being removed. The last Owner stays one. What a member made stays, and remains theirs by name.
   Inviting is invitation.c. */
#include "api/organization.h"
#include "api/handlers.h"

/* {"role":..,"role_id":..} for the audit log. */
static const char *role_json(struct request *req, const char *role, const char *role_id)
{
    struct sb b = SB(&req->arena);

    sb_puts(&b, "{\"role\":");
    sb_json(&b, role);
    sb_puts(&b, ",\"role_id\":");
    sb_json(&b, role_id);
    sb_putc(&b, '}');
    return sb_str(&b).p;
}

/* The member of the route, under the organization's lock. Owners are touched by Owners only, and the last one (leaves: is to be one no more) not at all. */
static int find(struct db *db, struct request *req, const struct standing *who, bool leaves, struct rows *ret,
                struct error *err)
{
    struct rows owners;

    if (db_query(db, &req->arena, SQL_MEMBER_FIND, ARGS(req->args[0]), ret, err) < 0)
        return -1;
    if (!row_next(ret))
        return error_set(err, ERR_NOT_FOUND, "no such member");
    if (strcmp(row_text(ret, "role"), role_name(ROLE_OWNER)) != 0)
        return 0;
    if (who->role != ROLE_OWNER)
        return error_say(err, ERR_FORBIDDEN, NULL, "Only an Owner can do this to an Owner.");
    if (!leaves)
        return 0;
    if (organization_owners(db, req, &owners, err) < 0)
        return -1;
    return owners.count > 1
               ? 0
               : error_say(err, ERR_CONFLICT, NULL, "An organization needs an Owner: make somebody else Owner first.");
}

struct new_role {
    struct role_choice choice;
    struct ended       ended;
};

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_role *x = arg;
    struct standing  who;
    struct rows      member, r;
    const char      *user_id = req->args[0];

    x->ended = (struct ended){ NULL };
    if (organization_begin(db, req, &who, NULL, err) < 0
        || find(db, req, &who, x->choice.role != ROLE_OWNER, &member, err) < 0
        || role_choose(db, req, &who, &x->choice, err) < 0
        || db_query(db, &req->arena, SQL_MEMBER_SET_ROLE, ARGS(user_id, role_name(x->choice.role), x->choice.role_id),
                    &r, err)
               < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such member");
    if (x->choice.role != ROLE_OWNER && db_exec(db, SQL_INVITATION_REVOKE_OF, ARGS(user_id), err) < 0)
        return -1;
    /* Whoever works by keys alone has no session, and no key that reaches as far as the role before. */
    if (x->choice.role == ROLE_API_ONLY && member_end_access(db, req, user_id, "role changed", &x->ended, err) < 0)
        return -1;
    *ret = (struct answer){ .status = 200, .body = row_str(&r, "body") };
    return api_audit(db, req, "member.update", "user", user_id,
                     role_json(req, row_text(&member, "role"), row_opt(&member, "role_id")),
                     role_json(req, role_name(x->choice.role), x->choice.role_id), err);
}

int members_update(struct request *req)
{
    struct json_fields f;
    struct new_role    x = { 0 };

    json_fields_begin(&f, &req->arena, req->json);
    x.choice = field_role(&f);
    if (json_fields_end(&f, &req->err) < 0 || api_answer_in_tx(req, "", update_tx, &x) < 0)
        return -1;
    organization_forget(req, x.ended);
    return 0;
}

static int tell_removed(struct db *db, struct request *req, struct rows *member, struct rows *organization,
                        struct error *err)
{
    struct sb values = SB(&req->arena);

    sb_puts(&values, "{\"name\":");
    sb_json(&values, row_text(member, "name"));
    sb_puts(&values, ",\"organization\":");
    sb_json(&values, row_text(organization, "name"));
    sb_putc(&values, '}');
    return api_mail(db, req, "member_removed", row_text(member, "email"), sb_str(&values).p, err);
}

static int remove_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct ended   *ended = arg;
    struct standing who;
    struct rows     member, organization;
    const char     *user_id = req->args[0];
    bool            self = strcmp(user_id, req->who.user_id) == 0 && req->who.kind == 'u';

    *ended = (struct ended){ NULL };
    if (organization_begin(db, req, &who, &organization, err) < 0)
        return -1;
    if (!self && !(who.granted & PERM(member_remove)))
        return error_set(err, ERR_FORBIDDEN, "the permission is gone");
    if (find(db, req, &who, /* leaves= */ true, &member, err) < 0
        || db_exec(db, SQL_MEMBER_REMOVE, ARGS(user_id), err) < 0
        || db_exec(db, SQL_MEMBER_LEAVE_GROUPS, ARGS(user_id), err) < 0
        || db_exec(db, SQL_INVITATION_REVOKE_OF, ARGS(user_id), err) < 0
        || member_end_access(db, req, user_id, self ? "left" : "removed", ended, err) < 0
        || (!self && tell_removed(db, req, &member, &organization, err) < 0))
        return -1;
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, self ? "member.leave" : "member.remove", "user", user_id,
                     role_json(req, row_text(&member, "role"), row_opt(&member, "role_id")), NULL, err);
}

/* Its row asks for a signed-in member only, because everybody may leave; removing others needs the permission. */
int members_remove(struct request *req)
{
    struct ended ended = { NULL };
    bool         self = strcmp(req->args[0], req->who.user_id) == 0 && req->who.kind == 'u';

    if (!self && !(req->who.granted & PERM(member_remove)))
        return error_set(&req->err, ERR_FORBIDDEN, "the permission is missing");
    if (api_answer_in_tx(req, "", remove_tx, &ended) < 0)
        return -1;
    organization_forget(req, ended);
    return 0;
}
