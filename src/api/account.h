/* account.h - what signing up, signing in, invitations and second factors share: how addresses, passwords and secrets are read and made, and
   how a session begins. */
#ifndef DMS_API_ACCOUNT_H
#define DMS_API_ACCOUNT_H

#include "api/api.h"

enum { EMAIL_MAX = 254, PERSON_NAME_MAX = 200, SECRET_HASH_SIZE = 2 * 32 + 3 };

/* An attempt to prove a password: of an account, from an address, and both. Keyed hashes as bytea literals. */
struct login_try {
    char pair[SECRET_HASH_SIZE], account[SECRET_HASH_SIZE], address[SECRET_HASH_SIZE];
};
void login_keys(struct request *req, const char *email, struct login_try *ret);
/* Before the password is looked at: -1 and RATE_LIMITED with Retry-After when this account, or this address, must wait. Counts as failed until
   login_passed. The same for accounts that are not there. */
MUST_CHECK int login_begin(struct request *req, const char *email, struct login_try *ret);
/* It was wrong: audited where the account is known (tenant_id and user_id, or NULL both). */
MUST_CHECK int login_failed(struct request *req, const struct login_try *t, const char *tenant_id, const char *user_id);
/* It was the owner, who is not held up any more, and from now on not by what others try from elsewhere. */
MUST_CHECK int login_passed(struct request *req, const struct login_try *t);
/* The same in a transaction that runs. */
MUST_CHECK int login_passed_in_tx(struct db *db, const struct login_try *t, struct error *err);

/* Who is signed in, when their password is asked for again. */
struct account_proof {
    const char *email, *name,
        *hash; /* hash: of the password in force; NULL: signs in by a provider only, and no password is right */
    struct login_try attempt;
};
MUST_CHECK int account_read(struct request *req, struct account_proof *ret);
/* Tried as at signing in: a stolen session is no way to guess the password either. Counts as failed until login_passed. field: whose value it is. */
MUST_CHECK int account_prove(struct request *req, const char *field, const char *password, struct account_proof *p);

/* Keyed hash of "what|text", as a bytea literal: to count by what is not to be stored. */
void account_key(const struct api *api, const char *what, const char *text, char ret[SECRET_HASH_SIZE]);

/* Required. Lower case and plausible: one @, no white space or quotes, a dot in the domain, plain ASCII; else noted in f. */
const char *field_email(struct json_fields *f, const char *name);
/* An address in the one form that accounts have, out of a text from elsewhere; NULL when it is none. */
const char *email_read(struct arena *a, const char *text);
/* Required, min to 128 characters; with min over 1 (a new password) not the address (email may be NULL) and none of the common ones. NFC, so that the
   same letters typed on another machine are the same password. */
const char *field_password(struct json_fields *f, const char *name, uint64_t min, const char *email);

/* 256 random bits as base64url in the arena, for links and refresh tokens; what is stored is their hash, as a bytea literal. */
const char *secret_make(struct arena *a, char ret_hash[SECRET_HASH_SIZE]);
void        secret_hash(struct str secret, char ret[SECRET_HASH_SIZE]);

/* The values that each mail may use (name, link, time, ip) as a JSON object. page: of the web application; token NULL: none in the link. */
const char *account_values(struct request *req, const char *name, const char *page, const char *token);

/* A one-time link to be mailed. kind: of the table person_token. */
struct account_link {
    const char *email, *kind, *template, *page;
    bool        with_token;
    int         life_s, most; /* most: so many an hour to one address */
};
/* In a transaction: mails it to whoever has the address. For nobody the work is the same. */
MUST_CHECK int account_link_send(struct db *db, struct request *req, const struct account_link *l, struct error *err);

/* Whose link this is; fills req->who for the audit row. -1 and one answer for all that is wrong with it. */
struct account_holder {
    const char *email, *name;
    char        hash[SECRET_HASH_SIZE];
};
MUST_CHECK int account_link_read(struct request *req, const char *token, const char *kind, struct account_holder *ret);
int            account_link_refuse(struct error *err);

/* Signs in who has proved to be it: makes the session, with its audit row, and answers 200 with the tokens. method: how, for the log ("password"). */
MUST_CHECK int session_start(struct request *req, const char *tenant_id, const char *user_id, const char *role,
                             const char *method);

#endif
