/* folder.c - making and removing folders; reading them is routes.c plus SQL. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/uuid.h"

#include <utf8proc.h>

enum { FOLDER_NAME_MAX = 255 }; /* bytes; the table holds the same */

struct new_folder {
    struct uuid id;
    const char *name, *parent_id;
};

/* Composed (NFC), so that a name typed on another machine is the same name. That is all that makes names equal: case counts. */
static const char *name_field(struct request *req, struct json_fields *f)
{
    const char *s = json_name(f, "name", /* required= */ true, FOLDER_NAME_MAX, NULL);
    uint8_t    *nfc = s ? utf8proc_NFC((const uint8_t *)s) : NULL;
    const char *ret = nfc ? arena_text(&req->arena, (const char *)nfc, strlen((const char *)nfc)) : s;

    free(nfc);
    if (ret && strlen(ret) > FOLDER_NAME_MAX)
        json_fields_note(f, "name", "is too long");
    return ret;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_folder *x = arg;
    struct rows        r;
    struct sb          location = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_FOLDER_CREATE, ARGS(x->id.text, x->name, x->parent_id), &r, err) < 0) {
        if (err->code == ERR_CONFLICT)
            memcpy(err->message, "There is a folder of this name already.", 40);
        if (err->code == ERR_VALIDATION) { /* the only check of the table that is left: how deep */
            *err = (struct error){ 0 };
            error_say(err, ERR_UNPROCESSABLE, "parent_id", "Folders lie within one another at most 32 deep.");
        }
        return -1;
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
    x.name = name_field(req, &f);
    x.parent_id = json_text(&f, "parent_id", /* required= */ false, 36, NULL);
    if (x.parent_id && !uuid_valid(str_of(x.parent_id)))
        json_fields_note(&f, "parent_id", "must be an id or null");
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    return api_answer_in_tx(req, "", create_tx, &x);
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows r;

    (void)arg;
    if (db_query(db, &req->arena, SQL_FOLDER_DELETE, ARGS(req->args[0]), &r, err) < 0)
        return -1;
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
