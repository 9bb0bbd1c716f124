/* folder.c - making, renaming, moving and removing folders; reading them is routes.c plus SQL. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/uuid.h"

#include <utf8proc.h>

enum { FOLDER_NAME_MAX = 255 }; /* bytes; the table holds the same */

struct folder_change {
    const char *name, *parent_id;
    bool        has_parent;
};

struct new_folder {
    struct uuid id;
    const char *name, *parent_id;
};

/* Composed (NFC), so that a name typed on another machine is the same name. That is all that makes names equal: case counts. */
static const char *name_field(struct request *req, struct json_fields *f, bool required)
{
    const char *s = json_name(f, "name", required, FOLDER_NAME_MAX, NULL);
    uint8_t    *nfc = s ? utf8proc_NFC((const uint8_t *)s) : NULL;
    const char *ret = nfc ? arena_text(&req->arena, (const char *)nfc, strlen((const char *)nfc)) : s;

    free(nfc);
    if (ret && strlen(ret) > FOLDER_NAME_MAX)
        json_fields_note(f, "name", "is too long");
    return ret;
}

static const char *parent_field(struct json_fields *f)
{
    const char *s = json_text(f, "parent_id", /* required= */ false, 36, NULL);

    if (s && !uuid_valid(str_of(s)))
        json_fields_note(f, "parent_id", "must be an id or null");
    return s;
}

/* Always -1: what a statement that names a folder met, for people. */
static int name_taken(struct error *err)
{
    if (err->code == ERR_CONFLICT)
        memcpy(err->message, "There is a folder of this name already.", 40);
    return -1;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_folder *x = arg;
    struct rows        r;
    struct sb          location = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_FOLDER_CREATE, ARGS(x->id.text, x->name, x->parent_id), &r, err) < 0) {
        if (err->code == ERR_VALIDATION) { /* the only check of the table that is left: how deep */
            *err = (struct error){ 0 };
            error_say(err, ERR_UNPROCESSABLE, "parent_id", "Folders lie within one another at most 32 deep.");
        }
        return name_taken(err);
    }
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "FOLDER_CREATE: no row");
    sb_printf(&location, "/api/v1/folders/%s", x->id.text);
    *ret = (struct answer){
        .status = 201, .location = location.p, .etag = row_text(&r, "etag"), .body = row_str(&r, "body")
    };
    return api_audit(db, req, "folder.create", "folder", x->id.text, NULL, ret->body.p, err);
}

int folders_create(struct request *req)
{
    struct json_fields f;
    struct new_folder  x = { .id = uuid_v7() };

    json_fields_begin(&f, &req->arena, req->json);
    x.name = name_field(req, &f, /* required= */ true);
    x.parent_id = parent_field(&f);
    if (json_fields_end(&f, &req->err) < 0 || api_check_place(req, x.parent_id) < 0)
        return -1;
    return api_answer_in_tx(req, "", create_tx, &x);
}

/* Both places are locked first, as by somebody who may change what is in them. */
static int move(struct db *db, struct request *req, const char *parent_id, struct error *err)
{
    const char *most = db_int(&req->arena, (int64_t)api_of(req)->settings->access_rewrite_max);
    struct rows r;

    if (parent_id) {
        if (db_query(db, &req->arena, SQL_FOLDER_HOLD, ARGS(parent_id), &r, err) < 0)
            return -1;
        if (r.count == 0)
            return error_set(err, ERR_NOT_FOUND, "no such folder to move it to");
    }
    return db_query(db, &req->arena, SQL_FOLDER_PLACE, ARGS(req->args[0], parent_id, most), &r, err) < 0
               ? name_taken(err)
               : 0;
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct folder_change *x = arg;
    struct arena         *a = &req->arena;
    struct rows           r;

    if (x->has_parent && db_query(db, a, SQL_ACCESS_SERIALIZE, NO_ARGS, &r, err) < 0)
        return -1;
    if (db_query(db, a, SQL_FOLDER_LOCK, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such folder");
    const char *before = row_text(&r, "body");
    if (api_if_match(req, row_text(&r, "etag"), err) < 0 || (x->has_parent && move(db, req, x->parent_id, err) < 0))
        return -1;
    if (db_query(db, a, SQL_FOLDER_RENAME, ARGS(req->args[0], x->name), &r, err) < 0)
        return name_taken(err);
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "FOLDER_RENAME: no row");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return api_audit(db, req, "folder.update", "folder", req->args[0], before, ret->body.p, err);
}

int folders_update(struct request *req)
{
    struct json_fields   f;
    struct folder_change x = { 0 };

    json_fields_begin(&f, &req->arena, req->json);
    x.has_parent = json_has(&f, "parent_id");
    x.name = name_field(req, &f, /* required= */ json_has(&f, "name"));
    x.parent_id = parent_field(&f);
    if (json_fields_end(&f, &req->err) < 0 || (x.has_parent && api_check_place(req, x.parent_id) < 0))
        return -1;
    return api_answer_in_tx(req, "", update_tx, &x);
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows r;

    (void)arg;
    if (db_query(db, &req->arena, SQL_FOLDER_DELETE, ARGS(req->args[0]), &r, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        *err = (struct error){ 0 }; /* its foreign keys: of things that this person does not see */
        return error_say(err, ERR_CONFLICT, NULL, "The folder is not empty.");
    }
    if (!row_next(&r)) {
        if (db_query(db, &req->arena, SQL_FOLDER_EXISTS, ARGS(req->args[0]), &r, err) < 0)
            return -1;
        return r.count > 0 ? error_say(err, ERR_CONFLICT, NULL, "The folder is not empty.")
                           : error_set(err, ERR_NOT_FOUND, "no such folder");
    }
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "folder.delete", "folder", req->args[0], row_text(&r, "before"), NULL, err);
}

int folders_delete(struct request *req)
{
    return api_answer_in_tx(req, "", delete_tx, NULL);
}
