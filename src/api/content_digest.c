/* content_digest.c - Content-Digest (RFC 9530): the SHA-256 that a client says of a body is compared with the one of the bytes as they came.
   Other algorithms are passed over: that one is asked for by everybody, and a digest nobody checks would promise more than it keeps. */
#include "api/api.h"

#include "crypto/hash.h"

enum { SHA256_TEXT = 44 }; /* 32 bytes in base64, with one = at the end */

struct content_digest {
    struct hash *hash;
    char         wanted[SHA256_TEXT + 1];
};

static void release_hash(void *hash)
{
    hash_close(hash);
}

static bool is_base64(struct str s)
{
    size_t filling = 0;

    while (filling < 2 && filling < s.n && s.p[s.n - filling - 1] == '=')
        filling++;
    for (size_t i = 0; i < s.n - filling; i++) {
        char c = s.p[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
            return false;
    }
    return s.n > filling && s.n % 4 == 0;
}

/* sha-256=:base64: as the whole member; keys are lower case (RFC 8941). */
static bool take_member(struct str member, struct str *ret_key, struct str *ret_value)
{
    struct str value = member, key = str_cut(&value, '=');

    for (size_t i = 0; i < key.n; i++)
        if (!((key.p[i] >= 'a' && key.p[i] <= 'z')
              || (i > 0 && ((key.p[i] >= '0' && key.p[i] <= '9') || key.p[i] == '-'))))
            return false;
    if (key.n == 0 || value.n < 3 || value.p[0] != ':' || value.p[value.n - 1] != ':')
        return false;
    *ret_key = key;
    *ret_value = (struct str){ value.p + 1, value.n - 2 };
    return is_base64(*ret_value);
}

/* *ret: what stands at sha-256, without bytes when there is none. */
static bool read_header(struct str header, struct str *ret)
{
    *ret = (struct str){ "", 0 };
    while (header.p) {
        struct str key, value;

        if (!take_member(str_trim(str_cut(&header, ',')), &key, &value))
            return false;
        if (!str_eq(key, S("sha-256")))
            continue;
        if (ret->n > 0 || value.n != SHA256_TEXT || value.p[SHA256_TEXT - 2] == '=' || value.p[SHA256_TEXT - 1] != '=')
            return false;
        *ret = value;
    }
    return true;
}

int content_digest_open(struct request *req, void **ret)
{
    const char            *header = request_header(req, "Content-Digest");
    struct content_digest *d;
    struct str             wanted;

    *ret = NULL;
    if (!header)
        return 0;
    if (!read_header(str_of(header), &wanted))
        return error_say(&req->err, ERR_VALIDATION, "Content-Digest", "must be as in sha-256=:base64 of 32 bytes:");
    if (wanted.n == 0)
        return 0;
    d = arena_alloc(&req->arena, sizeof *d);
    if (!d)
        return error_set(&req->err, ERR_TOO_LARGE, "no memory for a digest");
    memcpy(d->wanted, wanted.p, SHA256_TEXT);
    d->wanted[SHA256_TEXT] = '\0';
    d->hash = hash_open(&req->err);
    if (!d->hash || !arena_defer(&req->arena, release_hash, d->hash))
        return error_set(&req->err, ERR_UNAVAILABLE, "no memory for a digest");
    *ret = d;
    return 0;
}

void content_digest_add(void *check, struct str bytes)
{
    struct content_digest *d = check;

    hash_add(d->hash, bytes);
}

int content_digest_end(void *check, struct error *err)
{
    struct content_digest *d = check;
    unsigned char          digest[HASH_SIZE];
    char                   text[SHA256_TEXT + 1];

    hash_end(d->hash, digest);
    base64url_encode(text, digest, HASH_SIZE);
    for (char *c = text; *c; c++)
        *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
    memcpy(text + SHA256_TEXT - 1, "=", 2);
    if (strcmp(text, d->wanted) == 0)
        return 0;
    return error_say(
        err, ERR_UNPROCESSABLE, "Content-Digest",
        "The SHA-256 of the body as it arrived is another: something was lost or changed on the way. Send it again.");
}
