/* role.c - the roles: the five that are built in (tbl/permissions.def) and those that an organization makes of the same permissions. Giving them to
   members is member.c. */
#include "api/organization.h"
#include "api/handlers.h"

#include "base/uuid.h"

#include <stdio.h>

enum { ROLES_MAX = 100, ROLE_NAME_MAX = 100, ROLE_TEXT_MAX = 500 };

struct own_role {
    struct uuid        id;
    const char        *name, *description;
    const char *const *permissions; /* NULL: to stay as they are */
    uint64_t           bits;
};

static void put_permissions(struct sb *b, uint64_t bits)
{
    const char *comma = "";

    sb_putc(b, '[');
    for (unsigned i = 0; i < PERM_COUNT; i++) {
        if (!(bits >> i & 1))
            continue;
        sb_printf(b, "%s\"%s\"", comma, permission_name(i));
        comma = ",";
    }
    sb_putc(b, ']');
}

/* The matrix: roles with their permissions, and what each permission allows. */
int roles_list(struct request *req)
{
    struct rows r;
    struct sb   b = SB(&req->arena);

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_ROLE_LIST, NO_ARGS, &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_INTERNAL, "ROLE_LIST: no row");
    sb_puts(&b, "{\"items\":[");
    for (unsigned i = 0; i < ROLE_CUSTOM; i++) {
        sb_printf(&b, "%s{\"id\":null,\"name\":\"%s\",\"description\":", i > 0 ? "," : "", role_name(i));
        sb_json(&b, role_text(i));
        sb_puts(&b, ",\"built_in\":true,\"permissions\":");
        put_permissions(&b, role_permissions(i));
        sb_putc(&b, '}');
    }
    struct str own = row_str(&r, "roles");
    if (own.n > 2) { /* more than [] */
        sb_putc(&b, ',');
        sb_put(&b, (struct str){ own.p + 1, own.n - 2 });
    }
    sb_puts(&b, "],\"next_cursor\":null,\"permissions\":[");
    for (unsigned i = 0; i < PERM_COUNT; i++) {
        sb_printf(&b, "%s{\"name\":\"%s\",\"description\":", i > 0 ? "," : "", permission_name(i));
        sb_json(&b, permission_allows(i));
        sb_putc(&b, '}');
    }
    sb_puts(&b, "]}");
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "ROLE_LIST: unexpected columns");
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* A built-in role's name in any case would be taken for it. */
static void check_name(struct json_fields *f, const char *name)
{
    for (unsigned i = 0; name && i < ROLE_COUNT; i++)
        if (strcasecmp(name, role_name(i)) == 0)
            json_fields_note(f, "name", "is the name of a built-in role");
}

static void check_permissions(struct json_fields *f, struct own_role *x)
{
    for (size_t i = 0; x->permissions && x->permissions[i]; i++) {
        int bit = permission_bit(str_of(x->permissions[i]));

        if (bit < 0)
            json_fields_note(f, "permissions", "names a permission that does not exist");
        else
            x->bits |= UINT64_C(1) << bit;
    }
}

static int read_role(struct request *req, struct own_role *x, bool is_new)
{
    struct json_fields f;

    json_fields_begin(&f, &req->arena, req->json);
    x->name = json_name(&f, "name", is_new, ROLE_NAME_MAX, NULL);
    check_name(&f, x->name);
    x->description =
        json_has(&f, "description") ? json_name(&f, "description", /* required= */ false, ROLE_TEXT_MAX, "") : NULL;
    x->permissions = json_texts(&f, "permissions", PERM_COUNT, 40);
    if (is_new && !x->permissions)
        json_fields_note(&f, "permissions", "is required: a list of permissions");
    check_permissions(&f, x);
    return json_fields_end(&f, &req->err);
}

static int may_give(const struct standing *who, const struct own_role *x, struct error *err)
{
    if (x->permissions && (x->bits & ~who->granted) != 0)
        return error_say(err, ERR_FORBIDDEN, "permissions",
                         "You cannot make a role with permissions that you do not have yourself.");
    return 0;
}

static int taken(struct error *err)
{
    if (err->code == ERR_CONFLICT)
        snprintf(err->message, sizeof err->message, "There is a role of this name already.");
    return -1;
}

/* The role as it is now, as answer and for the audit log. */
static int show(struct db *db, struct request *req, const char *id, unsigned status, struct answer *ret,
                struct error *err)
{
    struct rows r;

    if (db_query(db, &req->arena, SQL_ROLE_SHOW, ARGS(id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such role");
    *ret = (struct answer){ .status = status, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return r.bad ? error_set(err, ERR_INTERNAL, "ROLE_SHOW: unexpected columns") : 0;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct own_role *x = arg;
    struct standing  who;
    struct sb        location = SB(&req->arena);

    if (organization_begin(db, req, &who, NULL, err) < 0 || may_give(&who, x, err) < 0)
        return -1;
    int n =
        db_exec(db, SQL_ROLE_CREATE,
                ARGS(x->id.text, x->name, x->description ? x->description : "", db_int(&req->arena, ROLES_MAX)), err);
    if (n < 0)
        return taken(err);
    if (n == 0)
        return error_say(err, ERR_UNPROCESSABLE, NULL, "An organization has at most %d roles of its own.", ROLES_MAX);
    if (db_exec(db, SQL_ROLE_SET_PERMISSIONS, ARGS(x->id.text, db_array(&req->arena, x->permissions)), err) < 0
        || show(db, req, x->id.text, 201, ret, err) < 0)
        return -1;
    sb_printf(&location, "/api/v1/roles/%s", x->id.text);
    ret->location = sb_str(&location).p;
    return api_audit(db, req, "role.create", "role", x->id.text, NULL, ret->body.p, err);
}

int roles_create(struct request *req)
{
    struct own_role x = { .id = uuid_v7() };

    return read_role(req, &x, /* is_new= */ true) < 0 ? -1 : api_answer_in_tx(req, "", create_tx, &x);
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct own_role *x = arg;
    struct standing  who;
    struct answer    before;
    const char      *id = req->args[0];

    if (organization_begin(db, req, &who, NULL, err) < 0 || show(db, req, id, 200, &before, err) < 0
        || request_if_match(req, before.etag) < 0 || may_give(&who, x, err) < 0)
        return -1;
    if (db_exec(db, SQL_ROLE_UPDATE, ARGS(id, x->name, x->description), err) < 0)
        return taken(err);
    if ((x->permissions
         && db_exec(db, SQL_ROLE_SET_PERMISSIONS, ARGS(id, db_array(&req->arena, x->permissions)), err) < 0)
        || show(db, req, id, 200, ret, err) < 0)
        return -1;
    return api_audit(db, req, "role.update", "role", id, before.body.p, ret->body.p, err);
}

int roles_update(struct request *req)
{
    struct own_role x = { 0 };

    return read_role(req, &x, /* is_new= */ false) < 0 ? -1 : api_answer_in_tx(req, "", update_tx, &x);
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct standing who;
    struct answer   before;
    struct rows     r;
    const char     *id = req->args[0];

    (void)arg;
    if (organization_begin(db, req, &who, NULL, err) < 0 || show(db, req, id, 200, &before, err) < 0
        || db_query(db, &req->arena, SQL_ROLE_HOLDERS, ARGS(id), &r, err) < 0)
        return -1;
    if (!row_next(&r) || row_bool(&r, "used"))
        return error_say(err, ERR_CONFLICT, NULL, "This role is in use: give its members another one first.");
    if (db_exec(db, SQL_ROLE_FORGET, ARGS(id), err) < 0)
        return -1;
    if (db_exec(db, SQL_ROLE_DELETE, ARGS(id), err) < 0) {
        if (err->code == ERR_NOT_FOUND) { /* a key of a row that came meanwhile: an invitation was accepted */
            *err = (struct error){ 0 };
            error_say(err, ERR_CONFLICT, NULL, "This role is in use: give its members another one first.");
        }
        return -1;
    }
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "role.delete", "role", id, before.body.p, NULL, err);
}

int roles_delete(struct request *req)
{
    return api_answer_in_tx(req, "", delete_tx, NULL);
}
