/* oidc.h - OpenID providers as seen by their client: which there are by the settings, what they publish, and a code turned into who it is
   (OpenID Connect Core 1.0, RFC 7636, 9207, 9700). Knows neither our people nor the database. */
#ifndef DMS_API_OIDC_H
#define DMS_API_OIDC_H

#include "base/json.h"
#include "domain/settings.h"

enum { OIDC_PROVIDERS = 3, OIDC_CODE_MAX = 4096, OIDC_ISSUER_MAX = 300, OIDC_SUBJECT_MAX = 255 };

struct oidc;

struct oidc_provider {
    const char *name, *label; /* of the address and for people */
    const char *issuer;       /* may hold {tenantid}: each directory has its own */
    const char *directory;    /* what stands for {tenantid} where the configuration is fetched */
    const char *client_id, *client_secret;
    const char *domains; /* whose existing accounts it may open by an address */
};

/* Texts of the settings and public_url outlive it. */
struct oidc *oidc_open(const struct settings *s, const char *public_url, struct error *err);
void         oidc_close(struct oidc *o);

/* The configured ones. i from 0; NULL: no more. */
const struct oidc_provider *oidc_provider_at(const struct oidc *o, size_t i);
const struct oidc_provider *oidc_provider_by_name(const struct oidc *o, const char *name);

/* What ties an answer to its question. All base64url texts. */
struct oidc_secrets {
    const char *state, *nonce, *verifier;
};

/* Where to send the browser. -1: ERR_UNAVAILABLE. */
MUST_CHECK int oidc_address(struct oidc *o, const struct oidc_provider *p, struct arena *a,
                            const struct oidc_secrets *secrets, const char **ret, struct error *err);

struct oidc_identity {
    const char *issuer, *subject; /* together: who it is, for ever */
    const char *email, *name;     /* as the provider says; NULL when it does not */
    bool        email_verified;
};

/* The code that came back, and the answer's own iss (or NULL), for an identity that has been checked in full. -1: ERR_UNAUTHORIZED, the
   provider does not vouch; ERR_UNAVAILABLE, it could not be asked. */
MUST_CHECK int oidc_identify(struct oidc *o, const struct oidc_provider *p, struct arena *a, const char *code,
                             const char *iss, const struct oidc_secrets *secrets, struct oidc_identity *ret,
                             struct error *err);

/* domains: separated by spaces. */
bool oidc_domain_listed(const char *domains, const char *email);

/* --- oidc_token.c --- */
struct oidc_answer {
    const char *id_token, *access_token; /* access_token may be NULL */
};
/* Who an ID token speaks of, everything in it checked against this sign-in. keys: the provider's. */
MUST_CHECK int oidc_token_read(const struct oidc_provider *p, struct arena *a, const struct oidc_answer *answer,
                               const char *nonce, const json_t *keys, bool *ret_key_unknown, struct oidc_identity *ret,
                               struct error *err);
/* e-mail address and name out of claims, of a token or of the userinfo endpoint. */
void oidc_profile_read(const json_t *claims, struct oidc_identity *ret);
/* The issuer that a token of this directory has, {tenantid} replaced; NULL: it does not fit. */
const char *oidc_issuer_of(struct arena *a, const char *issuer, const char *directory);

#endif
