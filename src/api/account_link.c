/* account_link.c - one-time links in mails (account.h): made here, used in account.c and password.c. Costs and answers the same for an address that
   nobody has: the mail to nobody goes through the outbox too. */
#include "api/account.h"

#include "base/clock.h"
#include "crypto/hash.h"

#include <stdio.h>

const char *account_values(struct request *req, const char *name, const char *page, const char *token)
{
    struct sb b = SB(&req->arena), link = SB(&req->arena);
    char      now[32];

    clock_rfc3339(now, clock_wall_us());
    sb_printf(&link, "%s/%s%s%s", api_of(req)->issuer, page, token ? "?token=" : "", token ? token : "");
    sb_puts(&b, "{\"name\":");
    sb_json(&b, name);
    sb_puts(&b, ",\"link\":");
    sb_json(&b, sb_str(&link).p);
    sb_printf(&b, ",\"time\":\"%.10s %.5s UTC\",\"ip\":", now, now + 11);
    sb_json(&b, req->ip);
    sb_putc(&b, '}');
    return b.p ? b.p : "{}";
}

int account_link_send(struct db *db, struct request *req, const struct account_link *l, struct error *err)
{
    char        hash[SECRET_HASH_SIZE], address[SECRET_HASH_SIZE];
    const char *token = secret_make(&req->arena, hash);
    struct rows r;

    account_key(api_of(req), "mail", l->email, address);
    if (db_query(db, &req->arena, SQL_ACCOUNT_TOKEN_ADD,
                 ARGS(l->email, address, l->kind, hash, db_int(&req->arena, l->life_s), db_int(&req->arena, l->most)),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return 0; /* enough were mailed to it; those links still work */
    const char *name = row_opt(&r, "name");
    return api_mail(db, req, l->template, name ? l->email : "",
                    account_values(req, name ? name : "-", l->page, l->with_token ? token : NULL), err);
}

int account_link_read(struct request *req, const char *token, const char *kind, struct account_holder *ret)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    secret_hash(str_of(token), ret->hash);
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_ACCOUNT_TOKEN_WHO, ARGS(ret->hash, kind), &r, &req->err)
        < 0)
        return -1;
    if (!row_next(&r) || row_null(&r, "tenant_id"))
        return account_link_refuse(&req->err);
    ret->email = row_text(&r, "email");
    ret->name = row_text(&r, "name");
    memcpy(req->who.tenant_id, row_text(&r, "tenant_id"), 36); /* in whose audit log it stands, and who acts there */
    memcpy(req->who.user_id, row_text(&r, "person_id"), 36);
    return 0;
}

int account_link_refuse(struct error *err)
{
    return error_say(err, ERR_UNPROCESSABLE, "token", "This link is not valid, was used already, or has expired.");
}
