/* account.h - what signing up, signing in, invitations and second factors share: how addresses, passwords and secrets are read and made, and
   how a session begins. */
#ifndef DMS_API_ACCOUNT_H
#define DMS_API_ACCOUNT_H

#include "api/api.h"

enum { EMAIL_MAX = 254, PERSON_NAME_MAX = 200, SECRET_HASH_SIZE = 2 * 32 + 3 };

/* Required. Lower case and plausible: one @, no white space or quotes, a dot in the domain, plain ASCII; else noted in f. */
const char *field_email(struct json_fields *f, const char *name);
/* Required, min to 128 characters, not the address (email may be NULL). NFC, so that the same letters typed on another machine are the same password. */
const char *field_password(struct json_fields *f, const char *name, uint64_t min, const char *email);

/* 256 random bits as base64url in the arena, for links and refresh tokens; what is stored is their hash, as a bytea literal. */
const char *secret_make(struct arena *a, char ret_hash[SECRET_HASH_SIZE]);
void        secret_hash(struct str secret, char ret[SECRET_HASH_SIZE]);

/* Signs in who has proved to be it: makes the session, with its audit row, and answers 200 with the tokens. method: how, for the log ("password"). */
MUST_CHECK int session_start(struct request *req, const char *tenant_id, const char *user_id, const char *role,
                             const char *method);

#endif
