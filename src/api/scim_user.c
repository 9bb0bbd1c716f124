/* scim_user.c - SCIM's users: an organization's directory makes members, names them, deactivates them and takes them back. It reaches its own
   organization only: what belongs to the person (the address to sign in with, password, name elsewhere) is never its to change. */
#include "api/scim.h"
#include "api/account.h"
#include "api/handlers.h"
#include "api/organization.h"

#include <stdio.h>
#include <strings.h>

enum text { USER_NAME, EXTERNAL_ID, EMAIL, DISPLAY_NAME, FORMATTED, GIVEN_NAME, FAMILY_NAME, TEXTS };
enum { NOT_SAID = -1 };

static const struct {
    const char *path, *column;
    size_t      max;
    bool        required;
} texts[TEXTS] = {
    [USER_NAME] = { "username", "user_name", EMAIL_MAX, true },
    [EXTERNAL_ID] = { "externalid", "external_id", EMAIL_MAX, false },
    [EMAIL] = { "emails.value", "email", EMAIL_MAX, true },
    [DISPLAY_NAME] = { "displayname", "display_name", PERSON_NAME_MAX, false },
    [FORMATTED] = { "name.formatted", "formatted", PERSON_NAME_MAX, false },
    [GIVEN_NAME] = { "name.givenname", "given_name", PERSON_NAME_MAX, false },
    [FAMILY_NAME] = { "name.familyname", "family_name", PERSON_NAME_MAX, false },
};

struct user {
    struct arena *arena;
    const char   *text[TEXTS];
    int           active;
    bool          active_told; /* by this request */
};

/* --- attributes --- */

static int bad_value(struct error *err, const char *path)
{
    return error_say(err, ERR_VALIDATION, "invalidValue", "The value of %s does not fit.", path);
}

static int set_text(struct user *u, enum text i, const json_t *v, struct error *err)
{
    const char *s = jv_string(v);

    if (!v && !texts[i].required) {
        u->text[i] = NULL;
        return 0;
    }
    if (!s || !*s || strlen(s) > texts[i].max || !text_printable(str_of(s)))
        return bad_value(err, texts[i].path);
    u->text[i] = s;
    return 0;
}

/* true and false, also as texts: widely used directories send "True". */
static int set_active(struct user *u, const json_t *v, struct error *err)
{
    struct sb   written = SB(u->arena);
    const char *s = jv_string(v);

    u->active_told = true;
    if (!v) {
        u->active = NOT_SAID;
        return 0;
    }
    json_write(&written, v);
    if (!s)
        s = written.p ? written.p : "";
    if (strcasecmp(s, "true") != 0 && strcasecmp(s, "false") != 0)
        return bad_value(err, "active");
    u->active = strcasecmp(s, "true") == 0;
    return 0;
}

/* Of several addresses the primary one, else the first. */
static int set_emails(struct user *u, const json_t *v, struct error *err)
{
    const json_t *chosen = jv_is_array(v) ? jv_at(v, 0) : v;

    for (size_t i = 0; i < jv_count(v); i++)
        if (jv_bool(jv_at(v, i), "primary", false))
            chosen = jv_at(v, i);
    return set_text(u, EMAIL, jv_is_object(chosen) ? scim_member(chosen, "value") : chosen, err);
}

static int set_name(struct user *u, const json_t *v, struct error *err)
{
    static const char *const parts[] = { "formatted", "givenName", "familyName" };

    if (v && !jv_is_object(v))
        return bad_value(err, "name");
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
        const json_t *part = scim_member(v, parts[i]);

        if ((part || !v) && set_text(u, FORMATTED + i, part, err) < 0)
            return -1;
    }
    return 0;
}

/* attribute in lower case. What we do not keep (telephone numbers, departments, ...) is passed over: directories send all they have. */
static int set_attribute(struct user *u, const char *attribute, const json_t *v, struct error *err)
{
    if (strcmp(attribute, "active") == 0)
        return set_active(u, v, err);
    if (strcmp(attribute, "emails") == 0)
        return set_emails(u, v, err);
    if (strcmp(attribute, "name") == 0)
        return set_name(u, v, err);
    for (unsigned i = 0; i < TEXTS; i++)
        if (strcmp(attribute, texts[i].path) == 0)
            return set_text(u, i, v, err);
    return 0;
}

/* Each member of a resource, or of a PATCH's value without a path. */
static int set_all(struct user *u, const json_t *resource, struct error *err)
{
    if (!jv_is_object(resource))
        return error_say(err, ERR_VALIDATION, "invalidSyntax", "A user must be an object.");
    for (void *it = jv_first(resource); it; it = jv_next(resource, it)) {
        const json_t    *v = jv_is_null(jv_value(it)) ? NULL : jv_value(it);
        struct scim_path path;
        struct error     ignored = { 0 }; /* a name that is no path is none of ours */

        if (scim_path_read(u->arena, jv_key(it), &path, &ignored) == 0 && set_attribute(u, path.attribute, v, err) < 0)
            return -1;
    }
    return 0;
}

static int patch_fn(void *arg, char op, const struct scim_path *path, const json_t *value, struct error *err)
{
    struct user *u = arg;

    if (!*path->attribute)
        return set_all(u, value, err);
    if (op != 'd' && !value)
        return error_say(err, ERR_VALIDATION, "invalidSyntax", "add and replace need a value.");
    return set_attribute(u, path->attribute, op == 'd' ? NULL : value, err);
}

/* --- the database --- */

static struct user user_of_row(struct request *req, struct rows *r)
{
    struct user u = { .arena = &req->arena };

    for (unsigned i = 0; i < TEXTS; i++)
        u.text[i] = row_opt(r, texts[i].column);
    u.active = row_null(r, "active") ? NOT_SAID : row_bool(r, "active");
    return u;
}

/* How other members see somebody. */
static const char *shown_name(const struct user *u)
{
    struct sb b = SB(u->arena);

    if (u->text[DISPLAY_NAME] || u->text[FORMATTED])
        return u->text[DISPLAY_NAME] ? u->text[DISPLAY_NAME] : u->text[FORMATTED];
    if (u->text[GIVEN_NAME])
        sb_puts(&b, u->text[GIVEN_NAME]);
    if (u->text[FAMILY_NAME])
        sb_printf(&b, "%s%s", b.n > 0 ? " " : "", u->text[FAMILY_NAME]);
    if (b.n == 0)
        sb_puts(&b, u->text[USER_NAME]);
    return str_dup(u->arena, utf8_head(sb_str(&b), PERSON_NAME_MAX));
}

static int conflict(struct error *err)
{
    return error_say(err, ERR_CONFLICT, NULL, "Somebody of this organization has that userName or address already.");
}

static int write_user(struct db *db, const struct user *u, const char *user_id, struct error *err)
{
    int n = db_exec(db, SQL_SCIM_USER_WRITE,
                    ARGS(user_id, u->text[USER_NAME], u->text[EXTERNAL_ID], u->text[EMAIL], u->text[DISPLAY_NAME],
                         u->text[FORMATTED], u->text[GIVEN_NAME], u->text[FAMILY_NAME],
                         u->active == NOT_SAID ? NULL
                         : u->active           ? "t"
                                               : "f"),
                    err);

    if (n == 0)
        return conflict(err);
    if (n < 0 && err->code == ERR_CONFLICT)
        snprintf(err->message, sizeof err->message, "Somebody of this organization has that userName already.");
    return n < 0 || db_exec(db, SQL_SCIM_USER_RENAME, ARGS(user_id, shown_name(u)), err) < 0 ? -1 : 0;
}

static int show(struct db *db, struct request *req, const char *user_id, struct answer *ret, struct error *err)
{
    struct rows r;

    if (db_query(db, &req->arena, SQL_SCIM_USER_SHOW, ARGS(user_id, scim_base(req), scim_only(req), scim_without(req)),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such member");
    ret->body = row_str(&r, "body");
    return 0;
}

struct change {
    struct ended ended;
    struct rows  row; /* as it was */
};

/* Ends the membership as removing does, but for the mail: the directory is the one who tells. */
static int deactivate(struct db *db, struct request *req, const char *user_id, struct change *c, struct error *err)
{
    if (db_exec(db, SQL_MEMBER_REMOVE, ARGS(user_id), err) < 0
        || db_exec(db, SQL_MEMBER_LEAVE_GROUPS, ARGS(user_id), err) < 0
        || db_exec(db, SQL_INVITATION_REVOKE_OF, ARGS(user_id), err) < 0)
        return -1;
    return member_end_access(db, req, user_id, "removed", &c->ended, err);
}

/* The user of the route, under the organization's lock. */
static int find(struct db *db, struct request *req, struct change *c, struct error *err)
{
    struct standing who;

    c->ended = (struct ended){ NULL };
    if (organization_begin(db, req, &who, NULL, err) < 0
        || db_query(db, &req->arena, SQL_SCIM_USER_FIND, ARGS(req->args[0]), &c->row, err) < 0)
        return -1;
    return row_next(&c->row) ? 0 : error_set(err, ERR_NOT_FOUND, "no such member");
}

static int owner_stays(struct change *c, struct error *err)
{
    if (strcmp(row_text(&c->row, "role"), role_name(ROLE_OWNER)) != 0)
        return 0;
    return error_say(err, ERR_FORBIDDEN, NULL, "Owners are not deactivated by the directory.");
}

/* Deactivates or takes back, as the directory says; if it says nothing, all stays, also where somebody here removed them. */
static int set_activity(struct db *db, struct request *req, const struct user *u, struct change *c, struct error *err)
{
    bool removed = row_bool(&c->row, "removed");

    if (!u->active_told)
        return 0;
    if (u->active == 0 && !removed)
        return owner_stays(c, err) < 0 ? -1 : deactivate(db, req, req->args[0], c, err);
    if (u->active != 0 && removed)
        return db_exec(db, SQL_SCIM_USER_RETURN, ARGS(req->args[0]), err) < 0 ? -1 : 0;
    return 0;
}

/* {"user_name":..,"active":..} for the audit log. */
static const char *audit_json(const struct user *u, bool active)
{
    struct sb b = SB(u->arena);

    sb_puts(&b, "{\"user_name\":");
    sb_json(&b, u->text[USER_NAME]);
    sb_printf(&b, ",\"active\":%s,\"by\":\"scim\"}", active ? "true" : "false");
    return b.p;
}

/* --- the routes --- */

/* The address that somebody will sign in with: emails, else a userName that is one. */
static const char *address_of(struct user *u, struct error *err)
{
    const char *email = email_read(u->arena, u->text[EMAIL] ? u->text[EMAIL] : u->text[USER_NAME]);

    if (!email)
        bad_value(err, u->text[EMAIL] ? "emails" : "userName: without emails it must be an e-mail address;");
    else if (!u->text[EMAIL])
        u->text[EMAIL] = email;
    return email;
}

struct making {
    struct user   user;
    const char   *email;
    struct change change;
};

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct making  *m = arg;
    struct standing who;
    struct uuid     person = uuid_v7();
    struct rows     r;

    m->change.ended = (struct ended){ NULL };
    if (organization_begin(db, req, &who, NULL, err) < 0
        || db_query(db, &req->arena, SQL_SCIM_USER_JOIN,
                    ARGS(person.text, m->email, shown_name(&m->user), api_of(req)->settings->scim_role), &r, err)
               < 0)
        return -1;
    const char *user_id = row_next(&r) ? row_opt(&r, "user_id") : NULL;
    if (!user_id)
        return conflict(err);
    if (write_user(db, &m->user, user_id, err) < 0
        || (m->user.active == 0 && deactivate(db, req, user_id, &m->change, err) < 0)
        || show(db, req, user_id, ret, err) < 0)
        return -1;
    ret->status = 201;
    ret->location = scim_address(req, "Users", user_id);
    return api_audit(db, req, "member.create", "user", user_id, NULL, audit_json(&m->user, m->user.active != 0), err);
}

int scim_users_create(struct request *req)
{
    struct making m = { .user = { .arena = &req->arena, .active = NOT_SAID } };

    if (scim_admit(req) < 0 || set_all(&m.user, req->json, &req->err) < 0)
        return -1;
    if (!m.user.text[USER_NAME])
        return bad_value(&req->err, "userName");
    if (m.user.active == NOT_SAID)
        m.user.active = 1;
    m.email = address_of(&m.user, &req->err);
    return m.email ? api_answer_in_tx(req, "", create_tx, &m) : -1;
}

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct change *c = arg;

    if (find(db, req, c, err) < 0)
        return -1;
    struct user before = user_of_row(req, &c->row), u = before;
    if (strcmp(req->method, "PUT") == 0) {
        u = (struct user){ .arena = &req->arena, .active = NOT_SAID };
        u.text[EMAIL] = before.text[EMAIL]; /* both have to be there, and may be left unsaid */
        u.active = before.active;
        if (set_all(&u, req->json, err) < 0)
            return -1;
        if (!u.text[USER_NAME])
            return bad_value(err, "userName");
    } else if (scim_patch(&req->arena, req->json, patch_fn, &u, err) < 0)
        return -1;
    if (write_user(db, &u, req->args[0], err) < 0 || set_activity(db, req, &u, c, err) < 0
        || show(db, req, req->args[0], ret, err) < 0)
        return -1;
    ret->status = 200;
    bool removed = row_bool(&c->row, "removed");
    return api_audit(db, req, "member.update", "user", req->args[0], audit_json(&before, !removed),
                     audit_json(&u, u.active == NOT_SAID ? !removed : u.active), err);
}

int scim_users_update(struct request *req)
{
    struct change c = { .ended = { NULL } };

    if (scim_admit(req) < 0 || api_answer_in_tx(req, "", update_tx, &c) < 0)
        return -1;
    organization_forget(req, c.ended);
    return 0;
}

static int delete_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct change *c = arg;

    if (find(db, req, c, err) < 0 || owner_stays(c, err) < 0
        || (!row_bool(&c->row, "removed") && deactivate(db, req, req->args[0], c, err) < 0)
        || db_exec(db, SQL_SCIM_USER_FORGET, ARGS(req->args[0]), err) < 0)
        return -1;
    struct user before = user_of_row(req, &c->row);
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "member.remove", "user", req->args[0], audit_json(&before, !row_bool(&c->row, "removed")),
                     NULL, err);
}

int scim_users_delete(struct request *req)
{
    struct change c = { .ended = { NULL } };

    if (scim_admit(req) < 0 || api_answer_in_tx(req, "delete", delete_tx, &c) < 0)
        return -1;
    organization_forget(req, c.ended);
    return 0;
}

int scim_users_get(struct request *req)
{
    if (scim_admit(req) < 0)
        return -1;
    return api_answer_query(req, 200, SQL_SCIM_USER_SHOW,
                            ARGS(req->args[0], scim_base(req), scim_only(req), scim_without(req)));
}

int scim_users_list(struct request *req)
{
    static const char *const known[] = { "id", "username", "externalid", "emails" };
    const char              *text = request_param(req, "filter");
    struct scim_filter       f;

    if (scim_admit(req) < 0 || (text && scim_filter_read(&req->arena, text, &f, &req->err) < 0))
        return -1;
    if (!text)
        return scim_list(
            req, SQL_SCIM_USERS,
            ARGS(scim_passed_over(req), scim_shown(req), scim_base(req), scim_only(req), scim_without(req)));
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(f.attribute, known[i]) != 0)
            continue;
        if (i == 0 && !uuid_valid(str_of(f.value)))
            f.value = "00000000-0000-0000-0000-000000000000"; /* nobody's */
        return scim_list(req, SQL_SCIM_USERS_FOUND,
                         ARGS(known[i], f.value, scim_passed_over(req), scim_shown(req), scim_base(req), scim_only(req),
                              scim_without(req)));
    }
    return error_say(&req->err, ERR_VALIDATION, "invalidFilter",
                     "Users are found by userName, externalId, emails or id.");
}
