/* login_delay.c - what slows the guessing of passwords down (account.h): waits that grow, shared by all replicas through PostgreSQL, and never a
   lock. How they grow stands in migrations/0007_accounts.up.sql; here is by what they are counted. */
#include "api/account.h"

#include "base/address.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <stdio.h>

void account_key(const struct api *api, const char *what, const char *text, char ret[SECRET_HASH_SIZE])
{
    struct arena  a = ARENA(8192);
    struct sb     b = SB(&a);
    unsigned char digest[HASH_SIZE];

    sb_printf(&b, "account|%s|%s", what, text);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), digest);
    db_bytea(ret, digest, HASH_SIZE);
    arena_free(&a);
}

/* Who is one client, as text; what is no address stands for itself. */
static void network_of(const char *ip, char ret[ADDRESS_TEXT])
{
    struct address a;

    snprintf(ret, ADDRESS_TEXT, "%s", ip ? ip : "");
    if (!address_read(str_of(ret), &a))
        return;
    address_to_network(&a);
    address_write(&a, ret);
}

void login_keys(struct request *req, const char *email, struct login_try *ret)
{
    const struct api *api = api_of(req);
    struct sb         both = SB(&req->arena);
    char              network[ADDRESS_TEXT];

    network_of(req->ip, network);
    sb_printf(&both, "%s|%s", network, email);
    account_key(api, "pair", sb_str(&both).p, ret->pair);
    account_key(api, "login", email, ret->account);
    account_key(api, "address", network, ret->address);
}

int login_begin(struct request *req, const char *email, struct login_try *ret)
{
    const struct api *api = api_of(req);
    struct db_scope   nobody = { 0 };
    struct rows       r;

    login_keys(req, email, ret);
    if (db_query_alone(api_db(req), nobody, &req->arena, SQL_LOGIN_BEGIN,
                       ARGS(ret->pair, ret->account, ret->address,
                            db_int(&req->arena, (int64_t)api->settings->login_free),
                            db_int(&req->arena, (int64_t)api->settings->login_free_address),
                            db_int(&req->arena, (int64_t)api->settings->login_delay_max)),
                       &r, &req->err)
        < 0)
        return -1;
    int64_t wait = row_next(&r) ? row_int(&r, "wait") : 0;
    if (wait <= 0)
        return r.bad ? error_set(&req->err, ERR_INTERNAL, "LOGIN_BEGIN: unexpected columns") : 0;
    response_header(req, "Retry-After", db_int(&req->arena, wait));
    return error_say(&req->err, ERR_RATE_LIMITED, NULL,
                     "Too many wrong passwords: wait %lld seconds, then try again, or ask for a new password.",
                     (long long)wait);
}

struct failed {
    struct request         *req;
    const struct login_try *t;
    const char             *user_id; /* NULL: nobody has that address */
};

/* The same writes for whom nobody knows, but for the row of the log. */
static int failed_tx(struct db *db, void *arg, struct error *err)
{
    struct failed *f = arg;

    if (db_exec(db, SQL_LOGIN_FAILED, ARGS(f->t->pair), err) < 0)
        return -1;
    return f->user_id ? api_audit(db, f->req, "auth.login_failed", "user", f->user_id, NULL, NULL, err) : 0;
}

int login_failed(struct request *req, const struct login_try *t, const char *tenant_id, const char *user_id)
{
    struct failed f = { req, t, user_id };

    if (user_id) { /* whose name was used, for the log: nothing is granted by it */
        memcpy(req->who.tenant_id, tenant_id, 36);
        memcpy(req->who.user_id, user_id, 36);
    } else
        log_at(LOG_INFO, "a sign-in with an address that nobody has");
    return db_in_tx(api_db(req), (struct db_scope){ .tenant_id = tenant_id, .user_id = user_id }, failed_tx, &f,
                    &req->err);
}

int login_passed_in_tx(struct db *db, const struct login_try *t, struct error *err)
{
    return db_exec(db, SQL_LOGIN_PASSED, ARGS(t->pair, t->account, t->address), err) < 0 ? -1 : 0;
}

static int passed_tx(struct db *db, void *arg, struct error *err)
{
    return login_passed_in_tx(db, arg, err);
}

int login_passed(struct request *req, const struct login_try *t)
{
    return db_in_tx(api_db(req), (struct db_scope){ 0 }, passed_tx, (void *)(uintptr_t)t, &req->err);
}
