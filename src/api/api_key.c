/* api_key.c - API keys: their form, and the routes that list, make and revoke them. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"

enum { RANDOM = 26, CHECK = 6 };

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The last six characters: a typo is told from a wrong key without a look into the database. */
static void checksum(struct str head, char ret[CHECK])
{
    unsigned char digest[HASH_SIZE];
    uint64_t      v = 0;

    hash_of(head, digest);
    for (int i = 0; i < 8; i++)
        v = v << 8 | digest[i];
    for (int i = 0; i < CHECK; i++, v /= 62)
        ret[i] = base62[v % 62];
}

const char *api_key_make(struct arena *a, const char *env, const char *kind)
{
    struct sb     b = SB(a);
    unsigned char byte;
    char          check[CHECK];

    sb_printf(&b, "dms_%s_%s_", env, kind);
    for (unsigned n = 0; n < RANDOM;) {
        random_bytes(&byte, 1);
        if (byte < 248) { /* 4 * 62: no character is likelier than another */
            sb_putc(&b, base62[byte % 62]);
            n++;
        }
    }
    checksum(sb_str(&b), check);
    sb_put(&b, (struct str){ check, CHECK });
    return b.p ? b.p : "";
}

bool api_key_plausible(struct str key)
{
    char check[CHECK];

    if (!str_starts(key, S("dms_")) || key.n < 4 + 3 + 1 + 2 + 1 + RANDOM + CHECK || key.n > 64)
        return false;
    checksum((struct str){ key.p, key.n - CHECK }, check);
    return bytes_equal(check, key.p + key.n - CHECK, CHECK);
}

void api_key_hash(const struct api *api, struct str key, unsigned char ret[32])
{
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, key, ret);
}

struct new_key {
    const char        *name, *kind, *key, *prefix, *hash, *expires_at;
    const char *const *scopes;
    struct uuid        id;
};

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_key *k = arg;
    struct rows     r;
    struct sb       body = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_API_KEY_CREATE,
                 ARGS(k->id.text, req->who.user_id, k->name, k->kind, k->prefix, k->hash,
                      db_array(&req->arena, k->scopes), k->expires_at),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "API_KEY_CREATE: no row");
    struct str shown = row_str(&r, "body");
    if (api_audit(db, req, "apikey.create", "api_key", k->id.text, NULL, shown.p, err) < 0)
        return -1;
    sb_put(&body, (struct str){ shown.p, shown.n - 1 }); /* the object, left open */
    sb_put(&body, S(", \"key\": "));
    sb_json(&body, k->key);
    sb_putc(&body, '}');
    *ret = (struct answer){ .status = 201, .body = sb_str(&body) };
    return 0;
}

/* Exactly what was meant, or nothing: the database would take "epoch" and "tomorrow" too. */
static const char *read_expiry(struct request *req, struct json_fields *f)
{
    const char *given = json_text(f, "expires_at", /* required= */ false, 40, NULL);
    char        text[32];
    int64_t     us;

    if (!given)
        return NULL;
    if (clock_parse_rfc3339(given, &us) < 0)
        json_fields_note(f, "expires_at", "must be a date or a time as in 2026-11-23T05:39:34Z");
    else if (us <= clock_wall_us())
        json_fields_note(f, "expires_at", "is past");
    else {
        clock_rfc3339(text, us);
        return arena_text(&req->arena, text, strlen(text));
    }
    return NULL;
}

static void check_scopes(struct request *req, struct json_fields *f, const char *const *scopes)
{
    for (size_t i = 0; scopes && scopes[i]; i++) {
        int bit = permission_bit(str_of(scopes[i]));

        if (bit < 0)
            json_fields_note(f, "scopes", "names a permission that does not exist");
        else if (!(req->who.granted >> bit & 1))
            json_fields_note(f, "scopes", "holds a permission that you do not have yourself");
    }
}

int api_keys_create(struct request *req)
{
    struct api        *api = api_of(req);
    struct json_fields f;
    struct new_key     k = { .id = uuid_v7() };
    unsigned char      hash[HASH_SIZE];
    char               hex[2 * HASH_SIZE + 3] = "\\x";

    if (request_header(req, "Idempotency-Key"))
        return error_say(&req->err, ERR_VALIDATION, "Idempotency-Key",
                         "a secret is shown once and not kept, so this request cannot be repeated");
    json_fields_begin(&f, &req->arena, req->json);
    k.name = json_name(&f, "name", /* required= */ true, 100, NULL);
    k.kind = json_text(&f, "type", /* required= */ false, 2, "sk");
    k.scopes = json_texts(&f, "scopes", PERM_COUNT, 40);
    k.expires_at = read_expiry(req, &f);
    if (strcmp(k.kind, "sk") != 0) /* publishable keys read what is published, and nothing can be published yet */
        json_fields_note(&f, "type", "must be sk");
    if (!k.scopes)
        json_fields_note(&f, "scopes", "is required: a list of permissions");
    check_scopes(req, &f, k.scopes);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    k.key = api_key_make(&req->arena, api->settings->env, k.kind);
    k.prefix = arena_text(&req->arena, k.key, strlen(k.key) - RANDOM - CHECK + 4);
    api_key_hash(api, str_of(k.key), hash);
    hex_encode(hex + 2, hash, sizeof hash);
    k.hash = hex;
    return api_answer_in_tx(req, "", create_tx, &k);
}

static int revoke_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    (void)arg;
    int n = db_exec(db, SQL_API_KEY_REVOKE, ARGS(req->args[0]), err);

    if (n == 0)
        return error_set(err, ERR_NOT_FOUND, "no such key");
    if (n < 0 || api_audit(db, req, "apikey.revoke", "api_key", req->args[0], NULL, NULL, err) < 0)
        return -1;
    *ret = (struct answer){ .status = 204 };
    return 0;
}

int api_keys_revoke(struct request *req)
{
    if (api_answer_in_tx(req, "", revoke_tx, NULL) < 0)
        return -1;
    auth_cache_forget_session(api_of(req)->auth, req->args[0]); /* the key's id stands there */
    return 0;
}
