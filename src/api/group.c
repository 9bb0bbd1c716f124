/* group.c - groups of members: making, naming, filling, deleting. What a group may see stands with folders and documents. */
#include "api/organization.h"
#include "api/handlers.h"

#include "base/uuid.h"

#include <stdio.h>

enum { GROUP_NAME_MAX = 200 };

struct group {
    struct uuid id;
    const char *name;
};

static int taken(struct error *err)
{
    if (err->code == ERR_CONFLICT)
        snprintf(err->message, sizeof err->message, "There is a group of this name already.");
    return -1;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct group *g = arg;
    struct rows   r;
    struct sb     location = SB(&req->arena);
    uint64_t      most = api_of(req)->settings->groups_max;

    if (db_query(db, &req->arena, SQL_GROUP_CREATE, ARGS(g->id.text, g->name, db_int(&req->arena, (int64_t)most)), &r,
                 err)
        < 0)
        return taken(err);
    if (!row_next(&r))
        return error_say(err, ERR_UNPROCESSABLE, NULL, "An organization has at most %llu groups.",
                         (unsigned long long)most);
    sb_printf(&location, "/api/v1/groups/%s", g->id.text);
    *ret = (struct answer){
        .status = 201, .location = sb_str(&location).p, .etag = row_text(&r, "etag"), .body = row_str(&r, "body")
    };
    return api_audit(db, req, "group.create", "group", g->id.text, NULL, ret->body.p, err);
}

static int read_name(struct request *req, struct group *g)
{
    struct json_fields f;

    json_fields_begin(&f, &req->arena, req->json);
    g->name = json_name(&f, "name", /* required= */ true, GROUP_NAME_MAX, NULL);
    return json_fields_end(&f, &req->err);
}

int groups_create(struct request *req)
{
    struct group g = { .id = uuid_v7() };

    return read_name(req, &g) < 0 ? -1 : api_answer_in_tx(req, "", create_tx, &g);
}

/* The group of the route, held until the end of the transaction. */
static int lock(struct db *db, struct request *req, struct rows *ret, struct error *err)
{
    if (db_query(db, &req->arena, SQL_GROUP_LOCK, ARGS(req->args[0]), ret, err) < 0)
        return -1;
    return row_next(ret) ? 0 : error_set(err, ERR_NOT_FOUND, "no such group");
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct group *g = arg;
    struct rows   before, r;

    if (lock(db, req, &before, err) < 0)
        return -1;
    if (request_if_match(req, row_text(&before, "etag")) < 0) /* err is req->err here */
        return -1;
    if (db_query(db, &req->arena, SQL_GROUP_UPDATE, ARGS(req->args[0], g->name), &r, err) < 0)
        return taken(err);
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "GROUP_UPDATE: no row");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return api_audit(db, req, "group.update", "group", req->args[0], row_text(&before, "before"), ret->body.p, err);
}

int groups_update(struct request *req)
{
    struct group g = { 0 };

    return read_name(req, &g) < 0 ? -1 : api_answer_in_tx(req, "", update_tx, &g);
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows before;

    (void)arg;
    if (lock(db, req, &before, err) < 0 || db_exec(db, SQL_GROUP_DELETE, ARGS(req->args[0]), err) < 0)
        return -1;
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "group.delete", "group", req->args[0], row_text(&before, "before"), NULL, err);
}

int groups_delete(struct request *req)
{
    return api_answer_in_tx(req, "", delete_tx, NULL);
}

static const char *member_json(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "{\"user_id\":\"%s\"}", req->args[1]);
    return sb_str(&b).p;
}

static int member_add_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct standing who;
    struct rows     group, member;

    (void)arg;
    if (organization_begin(db, req, &who, NULL, err) < 0 /* or a member who is being removed would stay in the group */
        || lock(db, req, &group, err) < 0
        || db_query(db, &req->arena, SQL_MEMBER_FIND, ARGS(req->args[1]), &member, err) < 0)
        return -1;
    if (!row_next(&member))
        return error_set(err, ERR_NOT_FOUND, "no such member");
    int n = db_exec(db, SQL_GROUP_MEMBER_ADD, ARGS(req->args[0], req->args[1]), err);
    *ret = (struct answer){ .status = 204 };
    if (n <= 0)
        return n; /* 0: was in it before */
    return api_audit(db, req, "group.add", "group", req->args[0], NULL, member_json(req), err);
}

int group_members_add(struct request *req)
{
    return api_answer_in_tx(req, "", member_add_tx, NULL);
}

static int member_remove_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows group;

    (void)arg;
    if (lock(db, req, &group, err) < 0)
        return -1;
    int n = db_exec(db, SQL_GROUP_MEMBER_REMOVE, ARGS(req->args[0], req->args[1]), err);
    if (n == 0)
        return error_set(err, ERR_NOT_FOUND, "not in the group");
    *ret = (struct answer){ .status = 204 };
    return n < 0 ? -1 : api_audit(db, req, "group.remove", "group", req->args[0], member_json(req), NULL, err);
}

int group_members_remove(struct request *req)
{
    return api_answer_in_tx(req, "", member_remove_tx, NULL);
}
