/* access.c - who has access to a folder or document: what is said about it as a whole, replaced as a whole. What follows from it for everything
   below is the database's (migrations/0012_access.up.sql). */
#include "api/api.h"
#include "api/handlers.h"

enum { GRANTS_MAX = 200, PRINCIPAL_MAX = 36 };

struct said {
    const char *object_type;
    enum sql    lock; /* shows it too */
    bool        restricted;
    size_t      n;
    const char *types[GRANTS_MAX + 1], *names[GRANTS_MAX + 1], *levels[GRANTS_MAX + 1], *ids[GRANTS_MAX + 1];
};

static bool principal_type_known(const char *type)
{
    return strcmp(type, "user") == 0 || strcmp(type, "group") == 0 || strcmp(type, "role") == 0;
}

/* An id, or of a role that every organization has its name. */
static bool principal_named(const char *type, const char *name)
{
    enum role role;

    return uuid_valid(str_of(name)) || (strcmp(type, "role") == 0 && role_parse(name, &role) == 0);
}

static bool read_grant(struct arena *a, const json_t *v, struct said *x)
{
    struct json_fields f;
    struct error       ignored = { 0 }; /* what is wrong is told of the list as a whole */
    enum grant_level   level;

    json_fields_begin(&f, a, v);
    const char *type = json_text(&f, "principal_type", /* required= */ true, PRINCIPAL_MAX, "");
    const char *name = json_text(&f, "principal_id", /* required= */ true, PRINCIPAL_MAX, "");
    const char *text = json_text(&f, "level", /* required= */ true, PRINCIPAL_MAX, "");
    if (json_fields_end(&f, &ignored) < 0 || !principal_type_known(type) || !principal_named(type, name)
        || grant_parse(text, &level) < 0)
        return false;
    x->types[x->n] = type;
    x->names[x->n] = name;
    x->levels[x->n++] = db_int(a, level);
    return true;
}

static int read_body(struct request *req, struct said *x)
{
    struct json_fields f;

    json_fields_begin(&f, &req->arena, req->json);
    if (!json_has(&f, "restricted"))
        json_fields_note(&f, "restricted", "is required");
    if (!json_has(&f, "grants"))
        json_fields_note(&f, "grants", "is required");
    x->restricted = json_bool(&f, "restricted", false);
    const json_t *grants = json_member(&f, "grants", 'a');
    if (jv_count(grants) > GRANTS_MAX)
        json_fields_note(&f, "grants", "are more than 200: grant access to a group");
    for (size_t i = 0; i < jv_count(grants) && i < GRANTS_MAX; i++) {
        if (read_grant(&req->arena, jv_at(grants, i), x))
            continue;
        json_fields_note(
            &f, "grants",
            "each needs principal_type (user, group or role), principal_id and level (read, write or manage)");
        break;
    }
    return json_fields_end(&f, &req->err);
}

/* The principals' ids, each there and named once. */
static int find_principals(struct db *db, struct request *req, struct said *x, struct error *err)
{
    struct rows r;

    if (db_query(db, &req->arena, SQL_ACCESS_PRINCIPALS,
                 ARGS(db_array(&req->arena, x->types), db_array(&req->arena, x->names)), &r, err)
        < 0)
        return -1;
    for (size_t i = 0; i < x->n && row_next(&r); i++) {
        if (row_null(&r, "id"))
            return error_say(err, ERR_UNPROCESSABLE, "grants", "There is no such %s: %s.", x->types[i], x->names[i]);
        x->ids[i] = row_text(&r, "id");
        for (size_t k = 0; k < i; k++)
            if (strcmp(x->ids[k], x->ids[i]) == 0)
                return error_say(err, ERR_UNPROCESSABLE, "grants", "The same %s is named twice.", x->types[i]);
    }
    return r.bad ? error_set(err, ERR_INTERNAL, "ACCESS_PRINCIPALS: unexpected columns") : 0;
}

static int set_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct said  *x = arg;
    struct arena *a = &req->arena;
    const char   *id = req->args[0], *most = db_int(a, (int64_t)api_of(req)->settings->access_rewrite_max);
    struct rows   r;

    if (db_query(db, a, SQL_ACCESS_SERIALIZE, NO_ARGS, &r, err) < 0 || db_query(db, a, x->lock, ARGS(id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such %s", x->object_type);
    const char *before = row_text(&r, "body");
    if (api_if_match(req, row_text(&r, "etag"), err) < 0 || find_principals(db, req, x, err) < 0)
        return -1;
    if (db_query(db, a, SQL_ACCESS_SET,
                 ARGS(x->object_type, id, x->restricted ? "t" : "f", db_array(a, x->types), db_array(a, x->ids),
                      db_array(a, x->levels), req->who.user_id, most),
                 &r, err)
            < 0
        || db_query(db, a, x->lock, ARGS(id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_say(err, ERR_UNPROCESSABLE, "grants",
                         "You could not change this back: keep a grant with level manage for yourself.");
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = row_str(&r, "body") };
    return api_audit(db, req, "access.update", x->object_type, id, before, ret->body.p, err);
}

static int set(struct request *req, const char *object_type, enum sql lock)
{
    struct said *x = arena_alloc(&req->arena, sizeof *x);

    if (!x)
        return error_set(&req->err, ERR_TOO_LARGE, "no memory for grants");
    x->object_type = object_type;
    x->lock = lock;
    if (read_body(req, x) < 0)
        return -1;
    return api_answer_in_tx(req, "", set_tx, x);
}

int access_set_folder(struct request *req)
{
    return set(req, "folder", SQL_ACCESS_LOCK_FOLDER);
}

int access_set_document(struct request *req)
{
    return set(req, "document", SQL_ACCESS_LOCK_DOCUMENT);
}
