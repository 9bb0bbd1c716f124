/* account.c - people: registering and proving an address. Passwords are password.c, signing in is session.c. */
#include "api/account.h"
#include "api/handlers.h"

#include "base/uuid.h"
#include "crypto/password.h"
#include "domain/language.h"

enum { VERIFY_SECONDS = 48 * 3600, MAILS_PER_HOUR = 5, ANY = 1000000 };

struct registration {
    const char *email, *name, *organization, *locale;
    char        hash[PASSWORD_HASH_SIZE];
    struct uuid user, tenant;
};

/* For a known address nothing is made, and its owner gets a mail; statements and mails are as many. */
static int register_tx(struct db *db, void *arg, struct error *err)
{
    struct request            *req = ((void **)arg)[0];
    const struct registration *x = ((void **)arg)[1];
    struct account_link        verify = { .email = x->email,
                                          .kind = "verify",
                                          .template = "verify",
                                          .page = "verify",
                                          .with_token = true,
                                          .life_s = VERIFY_SECONDS,
                                          .most = ANY };
    struct account_link        known = { .email = x->email,
                                         .kind = "known",
                                         .template = "known_address",
                                         .page = "sign-in",
                                         .life_s = VERIFY_SECONDS,
                                         .most = MAILS_PER_HOUR };
    struct sb                  after = SB(&req->arena);
    struct rows                r;

    if (db_query(db, &req->arena, SQL_AUTH_REGISTER,
                 ARGS(x->user.text, x->email, x->name, x->hash, x->tenant.text, x->organization,
                      api_of(req)->settings->default_plan),
                 &r, err)
            < 0
        || db_exec(db, SQL_ACCOUNT_LOCALE, ARGS(x->user.text, x->locale), err) < 0)
        return -1;
    bool created = row_next(&r) && row_bool(&r, "created");
    if (account_link_send(db, req, created ? &verify : &known, err) < 0)
        return -1;
    sb_puts(&after, "{\"name\":");
    sb_json(&after, x->organization);
    sb_putc(&after, '}');
    return created ? api_audit(db, req, "organization.create", "organization", x->tenant.text, NULL, after.p, err) : 0;
}

static const char *field_locale(struct request *req, struct json_fields *f)
{
    const char *wanted = json_text(f, "locale", /* required= */ false, 35, NULL);
    const char *ours = wanted ? language_find(str_of(wanted)) : language_wanted(request_header(req, "Accept-Language"));

    if (!ours)
        json_fields_note(f, "locale", "must be one of: en, de");
    return ours;
}

static void answer_registered(struct request *req, const struct registration *x)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "{\"user\":{\"id\":\"%s\",\"email\":", x->user.text);
    sb_json(&b, x->email);
    sb_put(&b, S(",\"name\":"));
    sb_json(&b, x->name);
    sb_printf(&b, "},\"organization\":{\"id\":\"%s\",\"name\":", x->tenant.text);
    sb_json(&b, x->organization);
    sb_put(&b, S("},\"verification\":\"sent\"}"));
    response_json(req, 201, sb_str(&b));
}

int auth_register(struct request *req)
{
    const struct settings *s = api_of(req)->settings;
    struct json_fields     f;
    struct registration    x = { .user = uuid_v7(), .tenant = uuid_v7() };

    if (!s->registration)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "Registration is closed on this server; ask its operator.");
    json_fields_begin(&f, &req->arena, req->json);
    x.email = field_email(&f, "email");
    const char *password = field_password(&f, "password", s->password_min, x.email);
    x.name = json_name(&f, "name", /* required= */ true, PERSON_NAME_MAX, NULL);
    x.organization = json_name(&f, "organization", /* required= */ true, PERSON_NAME_MAX, NULL);
    x.locale = field_locale(req, &f);
    if (json_fields_end(&f, &req->err) < 0 || password_hash(password, x.hash, &req->err) < 0)
        return -1;
    memcpy(req->who.tenant_id, x.tenant.text, 36); /* who acts, for the audit row of the new organization */
    memcpy(req->who.user_id, x.user.text, 36);
    if (db_in_tx(api_db(req), api_scope(req), register_tx, (void *[]){ req, &x }, &req->err) < 0)
        return -1;
    answer_registered(req, &x);
    return 0;
}

static int verify_tx(struct db *db, void *arg, struct error *err)
{
    struct request              *req = ((void **)arg)[0];
    const struct account_holder *holder = ((void **)arg)[1];
    struct rows                  r;

    if (db_query(db, &req->arena, SQL_ACCOUNT_VERIFY, ARGS(holder->hash), &r, err) < 0)
        return -1;
    if (!row_next(&r) || !row_bool(&r, "done"))
        return account_link_refuse(err); /* another request was first */
    return api_audit(db, req, "auth.verify", "user", req->who.user_id, NULL, NULL, err);
}

int auth_verify(struct request *req)
{
    struct json_fields    f;
    struct account_holder holder;

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "token", /* required= */ true, 200, NULL);
    if (json_fields_end(&f, &req->err) < 0 || account_link_read(req, token, "verify", &holder) < 0
        || db_in_tx(api_db(req), api_scope(req), verify_tx, (void *[]){ req, &holder }, &req->err) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}

static int resend_tx(struct db *db, void *arg, struct error *err)
{
    struct request     *req = ((void **)arg)[0];
    struct account_link verify = { .email = ((void **)arg)[1],
                                   .kind = "verify",
                                   .template = "verify",
                                   .page = "verify",
                                   .with_token = true,
                                   .life_s = VERIFY_SECONDS,
                                   .most = MAILS_PER_HOUR };

    return account_link_send(db, req, &verify, err);
}

int auth_resend(struct request *req)
{
    struct json_fields f;
    struct db_scope    nobody = { 0 };

    json_fields_begin(&f, &req->arena, req->json);
    const char *email = field_email(&f, "email");
    if (json_fields_end(&f, &req->err) < 0
        || db_in_tx(api_db(req), nobody, resend_tx, (void *[]){ req, (void *)(uintptr_t)email }, &req->err) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}
