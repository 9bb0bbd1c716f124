/* account.c - people: registering and proving an address. Passwords are hashed in crypto/, signing in is session.c. */
#include "api/account.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/password.h"
#include "net/mail.h"

enum { VERIFY_HOURS = 48 };

/* A link's token: who, until when, and a MAC over both. Stateless: verifying twice is harmless. */
static const char *verify_token(struct request *req, const char *user_id, int64_t expires)
{
    struct api   *api = api_of(req);
    unsigned char mac[HASH_SIZE];
    char          hex[2 * HASH_SIZE + 1];
    struct sb     b = SB(&req->arena), token = SB(&req->arena);

    sb_printf(&b, "verify|%s|%lld", user_id, (long long)expires);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), mac);
    hex_encode(hex, mac, HASH_SIZE);
    sb_printf(&token, "%s.%lld.%s", user_id, (long long)expires, hex);
    return token.p ? token.p : "";
}

static void send_verification(struct request *req, const char *email, const char *name, const char *user_id)
{
    struct api  *api = api_of(req);
    struct sb    text = SB(&req->arena);
    struct error err = { 0 };

    sb_printf(
        &text, "Hello %s,\n\nconfirm your e-mail address by opening this link within %d hours:\n\n%s/verify?token=%s\n",
        name, VERIFY_HOURS, api->issuer, verify_token(req, user_id, clock_wall_us() / 1000000 + VERIFY_HOURS * 3600));
    if (mail_file(api->settings->mail_dir, email, "Confirm your e-mail address", sb_str(&text), &err) < 0)
        log_at(LOG_WARNING, "verification mail not written: %s", err.detail);
}

static void send_known_address(struct request *req, const char *email)
{
    struct api  *api = api_of(req);
    struct error err = { 0 };

    if (mail_file(
            api->settings->mail_dir, email, "You already have an account",
            S("Hello,\n\nsomebody tried to register with this address. You have an account already: sign in with your password.\n"
              "If it was not you, there is nothing to do.\n"),
            &err)
        < 0)
        log_at(LOG_WARNING, "mail not written: %s", err.detail);
}

int auth_register(struct request *req)
{
    struct api        *api = api_of(req);
    struct json_fields f;
    struct uuid        user = uuid_v7(), tenant = uuid_v7();
    char               hash[PASSWORD_HASH_SIZE];
    struct db_scope    nobody = { 0 };
    struct rows        r;
    struct sb          b = SB(&req->arena);

    if (!api->settings->registration)
        return error_say(&req->err, ERR_FORBIDDEN, NULL, "Registration is closed on this server; ask its operator.");
    json_fields_begin(&f, &req->arena, req->json);
    const char *email = field_email(&f, "email");
    const char *password = field_password(&f, "password", api->settings->password_min, email);
    const char *name = json_name(&f, "name", /* required= */ true, PERSON_NAME_MAX, NULL);
    const char *organization = json_name(&f, "organization", /* required= */ true, PERSON_NAME_MAX, NULL);
    if (json_fields_end(&f, &req->err) < 0 || password_hash(password, hash, &req->err) < 0)
        return -1;
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_REGISTER,
                       ARGS(user.text, email, name, hash, tenant.text, organization, api->settings->default_plan), &r,
                       &req->err)
        < 0)
        return -1;
    if (row_next(&r) && row_bool(&r, "created"))
        send_verification(req, email, name, user.text);
    else
        send_known_address(req, email); /* the answer is the same, with ids that lead nowhere */
    sb_printf(&b, "{\"user\":{\"id\":\"%s\",\"email\":", user.text);
    sb_json(&b, email);
    sb_put(&b, S(",\"name\":"));
    sb_json(&b, name);
    sb_printf(&b, "},\"organization\":{\"id\":\"%s\",\"name\":", tenant.text);
    sb_json(&b, organization);
    sb_put(&b, S("},\"verification\":\"sent\"}"));
    response_json(req, 201, sb_str(&b));
    return 0;
}

int auth_verify(struct request *req)
{
    struct json_fields f;
    struct db_scope    nobody = { 0 };
    struct error       ignored = { 0 };
    struct rows        r;
    uint64_t           expires = 0;

    json_fields_begin(&f, &req->arena, req->json);
    const char *token = json_text(&f, "token", /* required= */ true, 200, NULL);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    struct str  rest = str_of(token), user = str_cut(&rest, '.'), until = str_cut(&rest, '.');
    const char *user_id = str_dup(&req->arena, user);
    if (!uuid_valid(user) || parse_u64("token", until, 0, INT64_MAX, &expires, &ignored) < 0
        || expires < (uint64_t)(clock_wall_us() / 1000000)
        || strlen(token) != strlen(verify_token(req, user_id, (int64_t)expires))
        || !bytes_equal(token, verify_token(req, user_id, (int64_t)expires), strlen(token)))
        return error_say(&req->err, ERR_UNPROCESSABLE, "token", "This link is not valid or has expired.");
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_AUTH_VERIFY, ARGS(user_id), &r, &req->err) < 0)
        return -1;
    response_empty(req, 204);
    return 0;
}
