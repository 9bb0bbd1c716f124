/* scim_group.c - SCIM's groups: those of the organization, with names and members as its directory says. */
#include "api/scim.h"
#include "api/handlers.h"
#include "api/organization.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 200, EXTERNAL_MAX = 254, MEMBERS_MAX = 1000 };

/* What a request makes of a group. ids: NULL-terminated. */
struct group {
    struct db      *db;
    struct request *req;
    const char     *id, *name, *external_id;
    bool            external_given;
};

/* --- members --- */

/* Of [{"value": id}, ...] or one of them the ids; NULL and err. */
static const char *const *ids_read(struct request *req, const json_t *v, struct error *err)
{
    size_t       n = jv_is_array(v) ? jv_count(v) : 1;
    const char **ids = n <= MEMBERS_MAX ? arena_alloc_array(&req->arena, n + 1, sizeof *ids) : NULL;

    for (size_t i = 0; ids && i < n; i++) {
        const json_t *one = jv_is_array(v) ? jv_at(v, i) : v;
        const char   *id = jv_string(jv_is_object(one) ? scim_member(one, "value") : one);

        if (!id || !uuid_valid(str_of(id))) {
            error_say(err, ERR_VALIDATION, "invalidValue", "A member is not the id of a user.");
            return NULL;
        }
        ids[i] = id;
    }
    if (!ids)
        error_say(err, ERR_VALIDATION, "invalidValue", "At most %d members are taken at once.", MEMBERS_MAX);
    return ids;
}

/* All of them are of this organization; a foreign id is as unknown as any. */
static int ids_check(struct group *g, const char *const *ids, struct error *err)
{
    struct rows r;

    if (db_query(g->db, &g->req->arena, SQL_SCIM_MEMBERS_KNOWN, ARGS(db_array(&g->req->arena, ids)), &r, err) < 0)
        return -1;
    if (!row_next(&r) || row_int(&r, "unknown") != 0)
        return error_say(err, ERR_VALIDATION, "invalidValue", "A member is not the id of a user.");
    return 0;
}

/* These no more. One by one, each by its key: of a list the planner makes a walk over the group. */
static int drop_members(struct group *g, const char *const *ids, struct error *err)
{
    for (size_t i = 0; ids[i]; i++)
        if (db_exec(g->db, SQL_GROUP_MEMBER_REMOVE, ARGS(g->id, ids[i]), err) < 0)
            return -1;
    return 0;
}

/* op: 'a' these too, 'r' these alone, 'd' these no more (v NULL: all of them no more). */
static int set_members(struct group *g, char op, const json_t *v, struct error *err)
{
    static const char *const none[] = { NULL };
    const char *const       *ids = v ? ids_read(g->req, v, err) : none;

    if (!ids)
        return -1;
    if (op == 'd' && v)
        return drop_members(g, ids, err);
    if (ids_check(g, ids, err) < 0)
        return -1;
    const char *list = db_array(&g->req->arena, ids);
    if (op != 'a' && db_exec(g->db, SQL_SCIM_GROUP_KEEP, ARGS(g->id, list), err) < 0)
        return -1;
    return db_exec(g->db, SQL_SCIM_GROUP_ADD, ARGS(g->id, list), err) < 0 ? -1 : 0;
}

/* members[value eq "ID"] */
static int drop_member(struct group *g, const char *id, struct error *err)
{
    const char *const ids[] = { id, NULL };

    return uuid_valid(str_of(id)) ? drop_members(g, ids, err) : 0;
}

/* --- attributes --- */

static int set_name(struct group *g, const json_t *v, struct error *err)
{
    const char *s = jv_string(v);

    if (!s || !*s || strlen(s) > NAME_MAX_BYTES || !text_printable(str_of(s)))
        return error_say(err, ERR_VALIDATION, "invalidValue", "displayName must be a text of 1 to %d bytes.",
                         NAME_MAX_BYTES);
    g->name = s;
    return 0;
}

static int set_external(struct group *g, const json_t *v, struct error *err)
{
    const char *s = jv_string(v);

    if (v && (!s || !*s || strlen(s) > EXTERNAL_MAX || !text_printable(str_of(s))))
        return error_say(err, ERR_VALIDATION, "invalidValue", "externalId does not fit.");
    g->external_id = s;
    g->external_given = true;
    return 0;
}

/* attribute in lower case; what we do not keep is passed over. */
static int set_attribute(struct group *g, char op, const char *attribute, const json_t *v, struct error *err)
{
    if (strcmp(attribute, "displayname") == 0)
        return set_name(g, v, err);
    if (strcmp(attribute, "externalid") == 0)
        return set_external(g, v, err);
    return strcmp(attribute, "members") == 0 ? set_members(g, op, v, err) : 0;
}

static int patch_fn(void *arg, char op, const struct scim_path *path, const json_t *value, struct error *err)
{
    static const char *const attributes[] = { "displayName", "externalId", "members" };
    struct group            *g = arg;

    if (*path->attribute && path->selected)
        return op == 'd' && strcmp(path->attribute, "members") == 0
                   ? drop_member(g, path->selected, err)
                   : error_say(err, ERR_VALIDATION, "invalidPath", "Selected members can only be removed.");
    if (*path->attribute) {
        if (op != 'd' && !value)
            return error_say(err, ERR_VALIDATION, "invalidSyntax", "add and replace need a value.");
        bool listed = op == 'd' && strcmp(path->attribute, "members") == 0; /* some directories say here which */
        return set_attribute(g, op, path->attribute, op == 'd' && !listed ? NULL : value, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        const json_t *v = scim_member(value, attributes[i]);
        const char   *lower[] = { "displayname", "externalid", "members" };

        if (v && set_attribute(g, op, lower[i], v, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the routes --- */

static int finish(struct group *g, struct answer *ret, struct error *err)
{
    struct rows r;

    if (g->external_given && db_exec(g->db, SQL_SCIM_GROUP_EXTERNAL, ARGS(g->id, g->external_id), err) < 0)
        return -1;
    if (db_query(g->db, &g->req->arena, SQL_SCIM_GROUP_SHOW,
                 ARGS(g->id, scim_base(g->req), scim_only(g->req), scim_without(g->req)), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such group");
    ret->body = row_str(&r, "body");
    return 0;
}

static int taken(struct error *err)
{
    if (err->code == ERR_CONFLICT)
        snprintf(err->message, sizeof err->message, "There is a group of this name already.");
    return -1;
}

/* {"name":..} for the audit log. */
static const char *audit_json(struct request *req, const char *name)
{
    struct sb b = SB(&req->arena);

    sb_puts(&b, "{\"name\":");
    sb_json(&b, name);
    sb_puts(&b, ",\"by\":\"scim\"}");
    return b.p;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct uuid     id = uuid_v7();
    struct group    g = { .db = db, .req = req, .id = str_dup(&req->arena, str_of(id.text)) };
    struct standing who;
    struct rows     r;
    const json_t   *members = scim_member(req->json, "members"), *external = scim_member(req->json, "externalId");

    (void)arg;
    if (organization_begin(db, req, &who, NULL, err) < 0 || set_name(&g, scim_member(req->json, "displayName"), err) < 0
        || (external && set_external(&g, external, err) < 0))
        return -1;
    if (db_query(db, &req->arena, SQL_GROUP_CREATE,
                 ARGS(g.id, g.name, db_int(&req->arena, (int64_t)api_of(req)->settings->groups_max)), &r, err)
        < 0)
        return taken(err);
    if (!row_next(&r))
        return error_say(err, ERR_UNPROCESSABLE, NULL, "The organization has as many groups as it may have.");
    if ((members && set_members(&g, 'a', members, err) < 0) || finish(&g, ret, err) < 0)
        return -1;
    ret->status = 201;
    ret->location = scim_address(req, "Groups", g.id);
    return api_audit(db, req, "group.create", "group", g.id, NULL, audit_json(req, g.name), err);
}

int scim_groups_create(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : api_answer_in_tx(req, "", create_tx, NULL);
}

/* The group of the route, under the organization's lock. */
static int find(struct group *g, struct error *err)
{
    struct standing who;
    struct rows     r;

    if (organization_begin(g->db, g->req, &who, NULL, err) < 0
        || db_query(g->db, &g->req->arena, SQL_SCIM_GROUP_FIND, ARGS(g->id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such group");
    g->name = row_text(&r, "name");
    g->external_id = row_opt(&r, "external_id");
    return 0;
}

/* PUT: what is not there is nothing any more, but for the name, which a group must have. */
static int replace(struct group *g, struct error *err)
{
    const json_t *members = scim_member(g->req->json, "members");

    if (set_name(g, scim_member(g->req->json, "displayName"), err) < 0
        || set_external(g, scim_member(g->req->json, "externalId"), err) < 0)
        return -1;
    return members ? set_members(g, 'r', members, err) : set_members(g, 'd', NULL, err);
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct group g = { .db = db, .req = req, .id = req->args[0] };

    (void)arg;
    if (find(&g, err) < 0)
        return -1;
    const char *before = g.name;
    bool        put = strcmp(req->method, "PUT") == 0;
    if ((put ? replace(&g, err) : scim_patch(&req->arena, req->json, patch_fn, &g, err)) < 0)
        return -1;
    if (db_exec(db, SQL_SCIM_GROUP_RENAME, ARGS(g.id, g.name), err) < 0)
        return taken(err);
    if (finish(&g, ret, err) < 0)
        return -1;
    ret->status = 200;
    return api_audit(db, req, "group.update", "group", g.id, audit_json(req, before), audit_json(req, g.name), err);
}

int scim_groups_update(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : api_answer_in_tx(req, "", update_tx, NULL);
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct group g = { .db = db, .req = req, .id = req->args[0] };

    (void)arg;
    if (find(&g, err) < 0 || db_exec(db, SQL_GROUP_DELETE, ARGS(g.id), err) < 0)
        return -1;
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "group.delete", "group", g.id, audit_json(req, g.name), NULL, err);
}

int scim_groups_delete(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : api_answer_in_tx(req, "delete", delete_tx, NULL);
}

int scim_groups_get(struct request *req)
{
    if (scim_admit(req) < 0)
        return -1;
    return api_answer_query(req, 200, SQL_SCIM_GROUP_SHOW,
                            ARGS(req->args[0], scim_base(req), scim_only(req), scim_without(req)));
}

int scim_groups_list(struct request *req)
{
    static const char *const known[] = { "id", "displayname", "externalid" };
    const char              *text = request_param(req, "filter"), *attribute = NULL;
    struct scim_filter       f = { 0 };

    if (scim_admit(req) < 0 || (text && scim_filter_read(&req->arena, text, &f, &req->err) < 0))
        return -1;
    for (size_t i = 0; text && i < ARRAY_LEN(known); i++)
        if (strcmp(f.attribute, known[i]) == 0)
            attribute = known[i];
    if (text && !attribute)
        return error_say(&req->err, ERR_VALIDATION, "invalidFilter",
                         "Groups are found by displayName, externalId or id.");
    if (text && attribute == known[0] && !uuid_valid(str_of(f.value)))
        f.value = "00000000-0000-0000-0000-000000000000"; /* nobody's */
    return scim_list(req, SQL_SCIM_GROUPS,
                     ARGS(attribute, f.value, scim_passed_over(req), scim_shown(req), scim_base(req), scim_only(req),
                          scim_without(req)));
}
