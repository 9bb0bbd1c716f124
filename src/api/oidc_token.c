/* oidc_token.c - what an ID token says, after its signature: every claim that ties it to this provider, this client and this sign-in. */
#include "api/oidc.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/jws.h"

enum { LEEWAY = 60, OLDEST = 3600, AUDIENCES_MAX = 16, NAME_MAX = 200, EMAIL_BYTES_MAX = 254 };

const char *oidc_issuer_of(struct arena *a, const char *issuer, const char *directory)
{
    static const char hole[] = "{tenantid}";
    const char       *at = strstr(issuer, hole);
    struct sb         b = SB(a);

    if (!at)
        return issuer;
    if (!directory)
        return NULL;
    sb_put(&b, (struct str){ issuer, (size_t)(at - issuer) });
    sb_puts(&b, directory);
    sb_puts(&b, at + strlen(hole));
    return b.p;
}

/* A directory's id as Microsoft writes it; anything else could write its way into the issuer. */
static const char *directory_of(const json_t *claims)
{
    const char *tid = jv_text(claims, "tid", NULL);

    return tid && uuid_valid(str_of(tid)) ? tid : NULL;
}

/* We are meant, and where others are too, it was made for us. */
static bool audience_fits(const json_t *claims, const char *client_id)
{
    const json_t *aud = jv_get(claims, "aud"), *azp = jv_get(claims, "azp");
    const char   *one = jv_string(aud);
    size_t        count = jv_count(aud);
    bool          found = one && strcmp(one, client_id) == 0;

    if (count > AUDIENCES_MAX || (azp && (!jv_string(azp) || strcmp(jv_string(azp), client_id) != 0)))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *text = jv_string(jv_at(aud, i));

        found |= text && strcmp(text, client_id) == 0;
    }
    return found && (count <= 1 || azp);
}

static const char *time_fault(const json_t *claims, int64_t now)
{
    int64_t exp = jv_int(claims, "exp", -1), iat = jv_int(claims, "iat", -1);
    int64_t nbf = jv_get(claims, "nbf") ? jv_int(claims, "nbf", INT64_MAX) : 0;

    if (exp < 0 || exp <= now - LEEWAY)
        return "exp";
    if (iat < 0 || iat > now + LEEWAY || iat < now - OLDEST)
        return "iat";
    return nbf < 0 || nbf > now + LEEWAY ? "nbf" : NULL;
}

static bool same(const char *a, const char *b)
{
    size_t n = strlen(a);

    return n == strlen(b) && bytes_equal(a, b, n);
}

/* ASCII, as the standard has it; it becomes a key of our table. */
static bool subject_fits(const char *sub)
{
    size_t n = strlen(sub);

    for (size_t i = 0; i < n; i++)
        if (sub[i] < 0x20 || sub[i] > 0x7e)
            return false;
    return n > 0 && n <= OIDC_SUBJECT_MAX;
}

static const char *claims_fault(const struct oidc_provider *p, struct arena *a, const struct jws *jws,
                                const struct oidc_answer *answer, const char *nonce)
{
    const json_t *claims = jws->claims, *half = jv_get(claims, "at_hash");
    const char   *issuer = oidc_issuer_of(a, p->issuer, directory_of(claims));

    if (!issuer || strcmp(jv_text(claims, "iss", ""), issuer) != 0)
        return "iss";
    if (!subject_fits(jv_text(claims, "sub", "")))
        return "sub";
    if (!audience_fits(claims, p->client_id))
        return "aud";
    if (!same(jv_text(claims, "nonce", ""), nonce))
        return "nonce";
    if (half
        && (!answer->access_token
            || !same(jv_text(claims, "at_hash", ""), jws_half_hash(a, jws->alg, str_of(answer->access_token)))))
        return "at_hash";
    return time_fault(claims, clock_wall_us() / 1000000);
}

static const char *printable(const json_t *claims, const char *name, size_t max)
{
    const char *s = jv_text(claims, name, NULL);

    return s && *s && strlen(s) <= max && text_printable(str_of(s)) ? s : NULL;
}

void oidc_profile_read(const json_t *claims, struct oidc_identity *ret)
{
    const char *email = printable(claims, "email", EMAIL_BYTES_MAX);

    if (!ret->name)
        ret->name = printable(claims, "name", NAME_MAX);
    if (ret->email || !email)
        return;
    ret->email = email;
    /* Microsoft says it by another claim, and its address alone proves nothing: each directory writes into it what it likes. */
    ret->email_verified = jv_bool(claims, "email_verified", false) || jv_bool(claims, "xms_edov", false)
                          || jv_int(claims, "xms_edov", 0) == 1;
}

int oidc_token_read(const struct oidc_provider *p, struct arena *a, const struct oidc_answer *answer, const char *nonce,
                    const json_t *keys, bool *ret_key_unknown, struct oidc_identity *ret, struct error *err)
{
    struct jws jws;

    if (jws_verify(a, str_of(answer->id_token), keys, &jws, ret_key_unknown, err) < 0)
        return -1;
    const char *fault = claims_fault(p, a, &jws, answer, nonce);
    if (fault)
        return error_set(err, ERR_UNAUTHORIZED, "ID token refused: %s", fault);
    *ret =
        (struct oidc_identity){ .issuer = jv_text(jws.claims, "iss", ""), .subject = jv_text(jws.claims, "sub", "") };
    oidc_profile_read(jws.claims, ret);
    return 0;
}
