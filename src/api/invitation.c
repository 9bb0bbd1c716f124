/* invitation.c - inviting somebody by mail, withdrawing that, and accepting it. A link is good once, for its address, for some days. Whatever is wrong
   with one, the answer is the same: nobody learns whether it was used, withdrawn, expired or never was. */
#include "api/account.h"
#include "api/organization.h"
#include "api/handlers.h"

#include "base/uuid.h"
#include "crypto/password.h"

enum { HOURLY = 5 }; /* invitations of one address in an hour: each is a mail that nobody asked for */

struct invitation {
    struct uuid        id;
    struct role_choice choice;
    const char        *email, *secret;
    char               hash[SECRET_HASH_SIZE];
};

/* Members, too many open ones, too many mails to one address. */
static int check_state(struct db *db, struct request *req, const struct invitation *x, struct error *err)
{
    struct rows r;
    uint64_t    most = api_of(req)->settings->invitations_max;

    if (db_query(db, &req->arena, SQL_INVITATION_STATE, ARGS(x->email, db_int(&req->arena, (int64_t)most)), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "INVITATION_STATE: no row");
    if (row_bool(&r, "member"))
        return error_say(err, ERR_CONFLICT, "email", "This address belongs to a member already.");
    if (row_int(&r, "open") >= (int64_t)most)
        return error_say(err, ERR_UNPROCESSABLE, NULL,
                         "At most %llu invitations may be open; withdraw some that nobody accepts.",
                         (unsigned long long)most);
    if (row_int(&r, "lately") >= HOURLY)
        return error_say(err, ERR_RATE_LIMITED, "email",
                         "This address was invited %d times within the hour; wait before you do so again.", HOURLY);
    return r.bad ? error_set(err, ERR_INTERNAL, "INVITATION_STATE: unexpected columns") : 0;
}

static int send(struct db *db, struct request *req, const struct invitation *x, const char *organization,
                struct error *err)
{
    struct rows by;
    struct sb   values = SB(&req->arena), link = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_MEMBER_FIND, ARGS(req->who.user_id), &by, err) < 0)
        return -1;
    sb_printf(&link, "%s/accept?token=%s", api_of(req)->issuer, x->secret);
    sb_puts(&values, "{\"inviter\":");
    sb_json(&values, row_next(&by) ? row_text(&by, "name") : "");
    sb_puts(&values, ",\"organization\":");
    sb_json(&values, organization);
    sb_puts(&values, ",\"role\":");
    sb_json(&values, x->choice.name);
    sb_puts(&values, ",\"link\":");
    sb_json(&values, sb_str(&link).p);
    sb_putc(&values, '}');
    return api_mail(db, req, "invitation", x->email, sb_str(&values).p, err);
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct invitation *x = arg;
    struct standing    who;
    struct rows        organization, r;
    struct arena      *a = &req->arena;

    if (organization_begin(db, req, &who, &organization, err) < 0 || role_choose(db, req, &who, &x->choice, err) < 0
        || check_state(db, req, x, err) < 0 || db_exec(db, SQL_INVITATION_REPLACE, ARGS(x->email), err) < 0
        || db_query(db, a, SQL_INVITATION_CREATE,
                    ARGS(x->id.text, x->email, role_name(x->choice.role), x->choice.role_id, x->hash, req->who.user_id,
                         db_int(a, (int64_t)api_of(req)->settings->invitation_days)),
                    &r, err)
               < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "INVITATION_CREATE: no row");
    *ret = (struct answer){ .status = 201, .body = row_str(&r, "body") };
    if (send(db, req, x, row_text(&organization, "name"), err) < 0)
        return -1;
    return api_audit(db, req, "member.invite", "invitation", x->id.text, NULL, ret->body.p, err);
}

int invitations_create(struct request *req)
{
    struct json_fields f;
    struct invitation  x = { .id = uuid_v7() };

    json_fields_begin(&f, &req->arena, req->json);
    x.email = field_email(&f, "email");
    x.choice = field_role(&f);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    x.secret = secret_make(&req->arena, x.hash);
    return api_answer_in_tx(req, "", create_tx, &x);
}

static int revoke_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows r;
    struct sb   before = SB(&req->arena);

    (void)arg;
    if (db_query(db, &req->arena, SQL_INVITATION_REVOKE, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such invitation");
    sb_puts(&before, "{\"email\":");
    sb_json(&before, row_text(&r, "email"));
    sb_putc(&before, '}');
    *ret = (struct answer){ .status = 204 };
    return api_audit(db, req, "invitation.revoke", "invitation", req->args[0], sb_str(&before).p, NULL, err);
}

int invitations_revoke(struct request *req)
{
    return api_answer_in_tx(req, "", revoke_tx, NULL);
}

/* --- accepting --- */

struct acceptance {
    struct request *req;
    const char     *tenant_id, *id, *email, *known; /* known: the person who has proved to be it; NULL: a new one */
    const char     *name, *password_hash;           /* of a new one */
    struct uuid     person;
    char            token_hash[SECRET_HASH_SIZE];
    struct str      body;
};

static int refuse(struct error *err)
{
    return error_say(err, ERR_UNPROCESSABLE, "token",
                     "This invitation is not valid: it was used or withdrawn, has expired, or is for somebody else.");
}

static void write_joined(struct acceptance *x, struct rows *r)
{
    struct sb b = SB(&x->req->arena);

    sb_printf(&b, "{\"user\":{\"id\":\"%s\",\"email\":", row_text(r, "user_id"));
    sb_json(&b, x->email);
    sb_puts(&b, ",\"name\":");
    sb_json(&b, row_text(r, "name"));
    sb_printf(&b, "},\"organization\":{\"id\":\"%s\",\"name\":", x->tenant_id);
    sb_json(&b, row_text(r, "organization"));
    sb_printf(&b, "},\"role\":\"%s\"}", row_text(r, "role"));
    x->body = sb_str(&b);
}

static int accept_tx(struct db *db, void *arg, struct error *err)
{
    struct acceptance *x = arg;
    struct request    *req = x->req;
    struct rows        r;
    struct sb          after = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_INVITATION_ACCEPT,
                 ARGS(x->token_hash, x->known, x->known ? NULL : x->person.text, x->name, x->password_hash), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return refuse(err);
    memcpy(req->who.user_id, row_text(&r, "user_id"), 36); /* who acts, for the audit row */
    write_joined(x, &r);
    sb_printf(&after, "{\"user_id\":\"%s\",\"role\":\"%s\"}", req->who.user_id, row_text(&r, "role"));
    if (r.bad)
        return error_set(err, ERR_INTERNAL, "INVITATION_ACCEPT: unexpected columns");
    return api_audit(db, req, "invitation.accept", "invitation", x->id, NULL, sb_str(&after).p, err);
}

/* Somebody with an account is signed in to it, or gives its password: guesses are slowed down as those of signing in are. */
static int prove(struct request *req, const struct acceptance *x, const char *password, const char *hash)
{
    bool             has_credential = request_header(req, "Authorization") || request_header(req, "X-API-Key");
    struct login_try attempt;

    if (has_credential && api_authenticate_slow(req) < 0)
        return -1;
    if (req->who.kind == 'u' && strcmp(req->who.user_id, x->known) == 0)
        return 0;
    if (!password)
        return has_credential
                   ? refuse(&req->err)
                   : error_say(&req->err, ERR_VALIDATION, "password", "is required, unless you are signed in");
    if (login_begin(req, x->email, &attempt) < 0)
        return -1;
    if (!password_verify(password, hash))
        return login_failed(req, &attempt, NULL, NULL) < 0 ? -1 : refuse(&req->err);
    return login_passed(req, &attempt);
}

/* Somebody new says how they are called and what their password is to be. */
static int read_newcomer(struct request *req, struct acceptance *x)
{
    struct json_fields f;
    char               hash[PASSWORD_HASH_SIZE];

    json_fields_begin(&f, &req->arena, req->json);
    json_text(&f, "token", /* required= */ true, 200, NULL);
    x->name = json_name(&f, "name", /* required= */ true, PERSON_NAME_MAX, NULL);
    const char *password = field_password(&f, "password", api_of(req)->settings->password_min, x->email);
    if (json_fields_end(&f, &req->err) < 0 || password_hash(password, hash, &req->err) < 0)
        return -1;
    x->password_hash = arena_text(&req->arena, hash, strlen(hash));
    x->person = uuid_v7();
    return 0;
}

/* The invitation of a token, and whose account its address has. */
static int find(struct request *req, struct acceptance *x, struct rows *r)
{
    struct db_scope nobody = { 0 };

    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_INVITATION_FIND, ARGS(x->token_hash), r, &req->err) < 0)
        return -1;
    if (!row_next(r))
        return refuse(&req->err);
    x->tenant_id = row_text(r, "tenant_id");
    x->id = row_text(r, "id");
    x->email = row_text(r, "email");
    x->known = row_opt(r, "user_id");
    return r->bad ? error_set(&req->err, ERR_INTERNAL, "INVITATION_FIND: unexpected columns") : 0;
}

int invitations_accept(struct request *req)
{
    struct json_fields f;
    struct acceptance  x = { .req = req };
    struct rows        r;

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "token", /* required= */ true, 200, NULL);
    json_name(&f, "name", /* required= */ false, PERSON_NAME_MAX, NULL);
    const char *password = json_has(&f, "password") ? field_password(&f, "password", 1, NULL) : NULL;
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    secret_hash(str_of(token), x.token_hash);
    if (find(req, &x, &r) < 0)
        return -1;
    if ((x.known ? prove(req, &x, password, row_opt(&r, "password_hash")) : read_newcomer(req, &x)) < 0)
        return -1;
    req->who = (struct principal){ 0 };
    memcpy(req->who.tenant_id, x.tenant_id, 36);
    if (db_in_tx(api_db(req), (struct db_scope){ .tenant_id = x.tenant_id, .user_id = x.known }, accept_tx, &x,
                 &req->err)
        < 0)
        return -1;
    response_json(req, 200, x.body);
    return 0;
}
