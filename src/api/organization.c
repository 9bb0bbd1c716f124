/* organization.c - the organization itself: its name and settings, what it uses, handing it over, deleting it and taking that back; and what
   changes of members and roles share (organization.h). The rows of one that is to be deleted go in cmd/worker.c. */
#include "api/organization.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "domain/plan.h"

#include <stdio.h>

enum { ORGANIZATION_NAME_MAX = 200 };

/* --- what changes share --- */

int organization_begin(struct db *db, struct request *req, struct standing *ret, struct rows *ret_organization,
                       struct error *err)
{
    struct rows organization, r;
    uint64_t    needs = req->route->needs & ~PERM_SIGNED_IN;

    if (db_query(db, &req->arena, SQL_ORGANIZATION_LOCK, NO_ARGS, &organization, err) < 0
        || db_query(db, &req->arena, SQL_MEMBER_RIGHTS, ARGS(req->who.user_id), &r, err) < 0)
        return -1;
    if (!row_next(&organization))
        return error_set(err, ERR_NOT_FOUND, "no such organization");
    if (!row_next(&r) || role_parse(row_text(&r, "role"), &ret->role) < 0)
        return error_set(err, ERR_FORBIDDEN, "no member any more");
    ret->granted = req->who.granted;
    if (req->who.kind == 'u' || ret->role != ROLE_API_ONLY)
        ret->granted &= role_granted(ret->role, row_opt(&r, "permissions"));
    if (row_bool(&organization, "closing") && (ret->role != ROLE_OWNER || needs != 0))
        return error_say(err, ERR_FORBIDDEN, NULL, "This organization is to be deleted; an Owner can take that back.");
    if ((needs & ~ret->granted) != 0)
        return error_set(err, ERR_FORBIDDEN, "the permission is gone");
    if (ret_organization)
        *ret_organization = organization;
    return organization.bad || r.bad ? error_set(err, ERR_INTERNAL, "a standing with unexpected columns") : 0;
}

struct role_choice field_role(struct json_fields *f)
{
    struct role_choice c = { .role = ROLE_CUSTOM };
    const char        *name = json_text(f, "role", /* required= */ false, 20, NULL);

    c.role_id = json_text(f, "role_id", /* required= */ false, 36, NULL);
    if (!name && !c.role_id)
        json_fields_note(f, "role", "is required, or role_id");
    else if (name && c.role_id)
        json_fields_note(f, "role_id", "give either role or role_id, not both");
    else if (c.role_id && !uuid_valid(str_of(c.role_id)))
        json_fields_note(f, "role_id", "must be an id");
    else if (name && (role_parse(name, &c.role) < 0 || c.role == ROLE_CUSTOM))
        json_fields_note(f, "role", "must be Owner, Admin, Editor, Viewer or API_Only");
    return c;
}

int role_choose(struct db *db, struct request *req, const struct standing *giver, struct role_choice *choice,
                struct error *err)
{
    struct rows r;

    choice->permissions = role_permissions(choice->role);
    choice->name = role_name(choice->role);
    if (choice->role == ROLE_CUSTOM) {
        if (db_query(db, &req->arena, SQL_ROLE_FIND, ARGS(choice->role_id), &r, err) < 0)
            return -1;
        if (!row_next(&r))
            return error_say(err, ERR_NOT_FOUND, "role_id", "There is no such role.");
        choice->permissions = permission_bits(row_text(&r, "permissions"));
        choice->name = row_text(&r, "name");
    }
    if (choice->role == ROLE_OWNER && giver->role != ROLE_OWNER)
        return error_say(err, ERR_FORBIDDEN, "role", "Only an Owner can make somebody Owner.");
    if ((choice->permissions & ~giver->granted) != 0)
        return error_say(err, ERR_FORBIDDEN, "role", "You cannot give a role that may do more than you.");
    return 0;
}

int member_end_access(struct db *db, struct request *req, const char *user_id, const char *why, struct ended *ret,
                      struct error *err)
{
    struct rows r;
    size_t      n = 0;

    if (db_query(db, &req->arena, SQL_MEMBER_END_ACCESS, ARGS(user_id, why), &r, err) < 0)
        return -1;
    const char **ids = arena_alloc_array(&req->arena, (size_t)r.count + 1, sizeof *ids);
    if (!ids)
        return error_set(err, ERR_TOO_LARGE, "no memory for %d sessions", r.count);
    while (row_next(&r))
        ids[n++] = row_text(&r, "id");
    ids[n] = NULL;
    ret->ids = ids;
    return 0;
}

void organization_forget(struct request *req, struct ended ended)
{
    for (size_t i = 0; ended.ids && ended.ids[i]; i++)
        auth_cache_forget_session(api_of(req)->auth, ended.ids[i]);
}

int organization_owners(struct db *db, struct request *req, struct rows *ret, struct error *err)
{
    return db_query(db, &req->arena, SQL_ORGANIZATION_OWNERS, NO_ARGS, ret, err);
}

/* --- name and settings --- */

struct changes {
    const char *name, *require_mfa;
};

/* {"name":..,"require_mfa":..} as it was, for the audit log. */
static const char *before_of(struct request *req, struct rows *organization)
{
    struct sb b = SB(&req->arena);

    sb_puts(&b, "{\"name\":");
    sb_json(&b, row_text(organization, "name"));
    sb_printf(&b, ",\"require_mfa\":%s}", row_bool(organization, "require_mfa") ? "true" : "false");
    return sb_str(&b).p;
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    const struct changes *c = arg;
    struct standing       who;
    struct rows           organization, r;

    if (organization_begin(db, req, &who, &organization, err) < 0)
        return -1;
    if (request_if_match(req, row_text(&organization, "revision")) < 0) /* err is req->err here */
        return -1;
    if (db_query(db, &req->arena, SQL_ORGANIZATION_UPDATE, ARGS(c->name, c->require_mfa), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such organization");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return api_audit(db, req, "organization.update", "organization", req->who.tenant_id, before_of(req, &organization),
                     ret->body.p, err);
}

int organization_update(struct request *req)
{
    struct json_fields f;
    struct changes     c;

    json_fields_begin(&f, &req->arena, req->json);
    c.name = json_name(&f, "name", /* required= */ false, ORGANIZATION_NAME_MAX, NULL);
    bool mfa = json_bool(&f, "require_mfa", false);
    c.require_mfa = !json_has(&f, "require_mfa") ? NULL : mfa ? "t" : "f";
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    return api_answer_in_tx(req, "", update_tx, &c);
}

/* A number, or null for as much as one likes. */
static void put_limit(struct sb *b, const char *name, uint64_t limit, uint64_t endless)
{
    if (limit >= endless)
        sb_printf(b, ",\"%s\":null", name);
    else
        sb_printf(b, ",\"%s\":%llu", name, (unsigned long long)limit);
}

int organization_usage(struct request *req)
{
    enum { ENDLESS_PER_MINUTE = 1000000000 };
    struct rows r;
    struct sb   b = SB(&req->arena);

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_ORGANIZATION_USAGE, NO_ARGS, &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_NOT_FOUND, "no such organization");
    const struct plan_limits *p = &plan_limits[plan_by_name(row_text(&r, "plan"))];
    sb_printf(&b, "{\"plan\":\"%s\",\"documents\":%lld,\"bytes\":%lld,\"members\":%lld,\"limits\":{\"file_bytes\":%llu",
              p->name, (long long)row_int(&r, "documents"), (long long)row_int(&r, "bytes"),
              (long long)row_int(&r, "members"), (unsigned long long)p->file_bytes);
    put_limit(&b, "documents", p->documents, INT64_MAX);
    put_limit(&b, "bytes", p->bytes, INT64_MAX);
    put_limit(&b, "requests_per_minute", p->requests_per_minute, ENDLESS_PER_MINUTE);
    put_limit(&b, "searches_per_minute", p->searches_per_minute, ENDLESS_PER_MINUTE);
    put_limit(&b, "documents_per_hour", p->documents_per_hour, ENDLESS_PER_MINUTE);
    sb_puts(&b, "}}");
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "ORGANIZATION_USAGE: unexpected columns");
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* --- what Owners alone do, and by themselves --- */

static int only_owner(struct request *req)
{
    if (req->who.role != ROLE_OWNER)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "Only an Owner of the organization can do this.");
    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "Sign in for this; an API key cannot do it.");
    return 0;
}

/* organization_begin, and the caller is an Owner still. */
static int owner_begin(struct db *db, struct request *req, struct rows *ret_organization, struct error *err)
{
    struct standing who;

    if (organization_begin(db, req, &who, ret_organization, err) < 0)
        return -1;
    return who.role == ROLE_OWNER ? 0 : error_set(err, ERR_FORBIDDEN, "no Owner any more");
}

static int transfer_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    const char *user_id = arg;
    struct rows r;
    struct sb   after = SB(&req->arena);

    if (owner_begin(db, req, NULL, err) < 0 || db_query(db, &req->arena, SQL_MEMBER_FIND, ARGS(user_id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_say(err, ERR_NOT_FOUND, "user_id", "There is no such member.");
    if (strcmp(row_text(&r, "role"), role_name(ROLE_OWNER)) == 0)
        return error_say(err, ERR_CONFLICT, "user_id", "This member is an Owner already.");
    if (db_exec(db, SQL_MEMBER_SET_ROLE, ARGS(user_id, role_name(ROLE_OWNER), NULL), err) < 0
        || db_exec(db, SQL_MEMBER_SET_ROLE, ARGS(req->who.user_id, role_name(ROLE_ADMIN), NULL), err) < 0
        || db_exec(db, SQL_INVITATION_REVOKE_OF, ARGS(req->who.user_id), err) < 0)
        return -1;
    sb_printf(&after, "{\"owner\":\"%s\",\"admin\":\"%s\"}", user_id, req->who.user_id);
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "organization.transfer", "organization", req->who.tenant_id, NULL, sb_str(&after).p, err);
}

int organization_transfer(struct request *req)
{
    struct json_fields f;

    if (only_owner(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    const char *user_id = json_text(&f, "user_id", /* required= */ true, 36, NULL);
    if (user_id && !uuid_valid(str_of(user_id)))
        json_fields_note(&f, "user_id", "must be an id");
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    return api_answer_in_tx(req, "", transfer_tx, (void *)(uintptr_t)user_id);
}

static int tell_owners(struct db *db, struct request *req, const char *organization, const char *day, struct error *err)
{
    struct rows owners;

    if (organization_owners(db, req, &owners, err) < 0)
        return -1;
    while (row_next(&owners)) {
        struct sb values = SB(&req->arena);

        sb_puts(&values, "{\"name\":");
        sb_json(&values, row_text(&owners, "name"));
        sb_puts(&values, ",\"organization\":");
        sb_json(&values, organization);
        sb_puts(&values, ",\"date\":");
        sb_json(&values, day);
        sb_puts(&values, ",\"link\":");
        sb_json(&values, api_of(req)->issuer);
        sb_putc(&values, '}');
        if (api_mail(db, req, "organization_deletion", row_text(&owners, "email"), sb_str(&values).p, err) < 0)
            return -1;
    }
    return 0;
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    const char *name = arg;
    struct rows organization, r;

    if (owner_begin(db, req, &organization, err) < 0)
        return -1;
    if (strcmp(name, row_text(&organization, "name")) != 0)
        return error_say(err, ERR_UNPROCESSABLE, "name", "This is not the name of the organization.");
    if (db_query(db, &req->arena, SQL_ORGANIZATION_CLOSE,
                 ARGS(db_int(&req->arena, (int64_t)api_of(req)->settings->organization_grace)), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such organization");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    if (tell_owners(db, req, name, row_text(&r, "day"), err) < 0)
        return -1;
    return api_audit(db, req, "organization.delete", "organization", req->who.tenant_id, before_of(req, &organization),
                     ret->body.p, err);
}

int organization_delete(struct request *req)
{
    struct json_fields f;

    if (only_owner(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    const char *name = json_text(&f, "name", /* required= */ true, ORGANIZATION_NAME_MAX, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    return api_answer_in_tx(req, "", delete_tx, (void *)(uintptr_t)name);
}

static int restore_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows organization, r;

    (void)arg;
    if (owner_begin(db, req, &organization, err) < 0)
        return -1;
    if (!row_bool(&organization, "closing"))
        return error_say(err, ERR_CONFLICT, NULL, "This organization is not to be deleted.");
    if (db_query(db, &req->arena, SQL_ORGANIZATION_RESTORE, NO_ARGS, &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_say(err, ERR_CONFLICT, NULL, "It is too late: this organization is being deleted.");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return api_audit(db, req, "organization.restore", "organization", req->who.tenant_id, NULL, ret->body.p, err);
}

int organization_restore(struct request *req)
{
    return only_owner(req) < 0 ? -1 : api_answer_in_tx(req, "", restore_tx, NULL);
}
