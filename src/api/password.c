/* password.c - a forgotten password, a changed one, and one that is asked for again. A new password ends sessions in all organizations of the person, and all links. */
#include "api/account.h"
#include "api/handlers.h"

#include "crypto/hash.h"
#include "crypto/password.h"

enum { RESET_SECONDS = 3600, MAILS_PER_HOUR = 5 };

static int forgot_tx(struct db *db, void *arg, struct error *err)
{
    struct request     *req = ((void **)arg)[0];
    struct account_link reset = { .email = ((void **)arg)[1],
                                  .kind = "reset",
                                  .template = "reset",
                                  .page = "reset",
                                  .with_token = true,
                                  .life_s = RESET_SECONDS,
                                  .most = MAILS_PER_HOUR };

    return account_link_send(db, req, &reset, err);
}

int auth_password_forgot(struct request *req)
{
    struct json_fields f;
    struct db_scope    nobody = { 0 };

    json_fields_begin(&f, &req->arena, req->json);
    const char *email = field_email(&f, "email");
    if (json_fields_end(&f, &req->err) < 0
        || db_in_tx(api_db(req), nobody, forgot_tx, (void *[]){ req, (void *)(uintptr_t)email }, &req->err) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}

struct change {
    struct request      *req;
    const char          *link; /* hash of the link; NULL: the password before was given */
    struct account_proof by;   /* with a link without its hash */
    char new[PASSWORD_HASH_SIZE];
    const char *sessions; /* the ended ones */
};

/* The change itself; no row: the link was used, or the password changed, meanwhile. */
static int change_query(struct db *db, struct change *x, struct rows *r, struct error *err)
{
    struct request *req = x->req;

    if (x->link)
        return db_query(db, &req->arena, SQL_ACCOUNT_RESET, ARGS(x->link, x->new), r, err);
    return db_query(db, &req->arena, SQL_ACCOUNT_CHANGE,
                    ARGS(req->who.user_id, x->by.hash, x->new, req->who.session_id), r, err);
}

static int change_tx(struct db *db, void *arg, struct error *err)
{
    struct change  *x = arg;
    struct request *req = x->req;
    struct rows     r;

    if (change_query(db, x, &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return x->link ? account_link_refuse(err)
                       : error_say(err, ERR_CONFLICT, NULL, "The password was changed elsewhere at the same time.");
    x->sessions = row_text(&r, "sessions");
    if (login_passed_in_tx(db, &x->by.attempt, err) < 0
        || api_mail(db, req, "password_changed", x->by.email, account_values(req, x->by.name, "forgot", NULL), err) < 0)
        return -1;
    return api_audit(db, req, x->link ? "password.reset" : "password.change", "user", req->who.user_id, NULL, NULL,
                     err);
}

static int change(struct request *req, struct change *x)
{
    if (db_in_tx(api_db(req), api_scope(req), change_tx, x, &req->err) < 0)
        return -1;
    for (struct str rest = str_of(x->sessions); rest.p && rest.n > 0;)
        auth_cache_forget_session(api_of(req)->auth, str_dup(&req->arena, str_cut(&rest, ',')));
    response_empty(req, 204);
    return 0;
}

/* The rules that need to know whose password it is; the others are looked at with the fields. */
static int check_not_address(struct json_fields *f, const char *name, const char *password, const char *email,
                             struct error *err)
{
    if (strcasecmp(password, email) == 0)
        json_fields_note(f, name, "must not be the e-mail address");
    return json_fields_end(f, err);
}

int auth_password_reset(struct request *req)
{
    struct json_fields    f;
    struct account_holder holder;
    struct change         x = { .req = req };

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "token", /* required= */ true, 200, NULL);
    const char *password = field_password(&f, "password", api_of(req)->settings->password_min, NULL);
    if (json_fields_end(&f, &req->err) < 0 || account_link_read(req, token, "reset", &holder) < 0
        || check_not_address(&f, "password", password, holder.email, &req->err) < 0
        || password_hash(password, x.new, &req->err) < 0)
        return -1;
    x.link = holder.hash;
    x.by = (struct account_proof){ .email = holder.email, .name = holder.name };
    login_keys(req, holder.email, &x.by.attempt); /* who has the mailbox need not wait for what others tried */
    return change(req, &x);
}

int account_read(struct request *req, struct account_proof *ret)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_ACCOUNT_PASSWORD, ARGS(req->who.user_id), &r, &req->err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_UNAUTHORIZED, "ACCOUNT_PASSWORD: no row");
    *ret = (struct account_proof){ .email = row_text(&r, "email"),
                                   .name = row_text(&r, "name"),
                                   .hash = row_opt(&r, "password_hash") };
    return r.bad ? error_set(&req->err, ERR_INTERNAL, "ACCOUNT_PASSWORD: unexpected columns") : 0;
}

int account_prove(struct request *req, const char *field, const char *password, struct account_proof *p)
{
    if (login_begin(req, p->email, &p->attempt) < 0)
        return -1;
    if (password_verify(password, p->hash))
        return 0;
    if (login_failed(req, &p->attempt, req->who.tenant_id, req->who.user_id) < 0)
        return -1;
    return error_say(&req->err, ERR_UNPROCESSABLE, field, "The password is not right.");
}

int auth_password_change(struct request *req)
{
    struct json_fields f;
    struct change      x = { .req = req };

    if (req->who.kind != 'u')
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "An API key cannot change a password; sign in.");
    json_fields_begin(&f, &req->arena, req->json);
    const char *current = field_password(&f, "current_password", 1, NULL);
    const char *password = field_password(&f, "new_password", api_of(req)->settings->password_min, NULL);
    if (json_fields_end(&f, &req->err) < 0 || account_read(req, &x.by) < 0
        || check_not_address(&f, "new_password", password, x.by.email, &req->err) < 0
        || account_prove(req, "current_password", current, &x.by) < 0 || password_hash(password, x.new, &req->err) < 0)
        return -1;
    return change(req, &x);
}
