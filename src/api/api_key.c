/* api_key.c - API keys: their form, and the routes that make, rotate and revoke them. Who a key is, is authenticate.c's. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"

enum {
    RANDOM = 26,
    CHECK = 6,
    SHOWN = 4,       /* letters of the secret that tell keys apart */
    ADDRESSES = 64,  /* of allowed_ips; the table says so too */
    OVERLAP = 86400, /* seconds that a rotated key goes on to work, if nothing else is said */
    OVERLAP_MAX = 604800
};

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

/* Cuts prefix off s; false when it is not there. */
static bool passed(struct str *s, struct str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = (struct str){ s->p + prefix.n, s->n - prefix.n };
    return true;
}

bool api_key_plausible(const char *env, struct str key)
{
    struct str rest = key;
    char       check[CHECK];

    if (!passed(&rest, S("dms_")) || !passed(&rest, str_of(env))
        || !(passed(&rest, S("_sk_")) || passed(&rest, S("_pk_"))) || rest.n != RANDOM + CHECK)
        return false;
    checksum((struct str){ key.p, key.n - CHECK }, check);
    return bytes_equal(check, key.p + key.n - CHECK, CHECK);
}

void api_key_hash(const struct api *api, struct str key, unsigned char ret[32])
{
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, key, ret);
}

struct new_key {
    const char        *user_id, *name, *kind, *key, *prefix, *hash, *expires_at;
    const char *const *scopes, *const *allowed_ips;
    uint64_t    overlap_s; /* of a rotation */
    struct uuid id;
};

/* The secret, what may be shown of it, and its hash. */
static void make_secret(struct request *req, const char *kind, struct new_key *k)
{
    struct api   *api = api_of(req);
    unsigned char hash[HASH_SIZE];
    char         *hex = arena_alloc(&req->arena, 2 * HASH_SIZE + 3);

    k->key = api_key_make(&req->arena, api->settings->env, kind);
    k->prefix = arena_text(&req->arena, k->key, strlen(k->key) - RANDOM - CHECK + SHOWN);
    api_key_hash(api, str_of(k->key), hash);
    if (hex)
        db_bytea(hex, hash, sizeof hash);
    k->hash = hex;
}

/* The key as it is listed, with its secret this once and what else there is to say (JSON members, or ""). */
static struct answer answer_key(struct request *req, struct str shown, const struct new_key *k, const char *more)
{
    struct sb body = SB(&req->arena);

    sb_put(&body, (struct str){ shown.p, shown.n - 1 }); /* the object, left open */
    sb_puts(&body, more);
    sb_put(&body, S(", \"key\": "));
    sb_json(&body, k->key);
    sb_putc(&body, '}');
    return (struct answer){ .status = 201, .body = sb_str(&body) };
}

/* Whose key it may become: one's own, or that of a member who cannot sign in to make one. What it may do is bounded by who makes it. */
static int check_holder(struct db *db, struct request *req, const char *user_id, struct error *err)
{
    struct rows r;

    if (strcasecmp(user_id, req->who.user_id) == 0)
        return 0;
    if (db_query(db, &req->arena, SQL_MEMBERSHIP_ROLE, ARGS(user_id), &r, err) < 0)
        return -1;
    if (!row_next(&r) || strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) != 0)
        return error_say(err, ERR_VALIDATION, "user_id",
                         "must be yourself or a member with the role API_Only; all others make their own keys");
    return 0;
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_key *k = arg;
    struct rows     r;

    if (check_holder(db, req, k->user_id, err) < 0)
        return -1;
    if (db_query(db, &req->arena, SQL_API_KEY_CREATE,
                 ARGS(k->id.text, k->user_id, k->name, k->kind, k->prefix, k->hash, db_array(&req->arena, k->scopes),
                      k->expires_at, k->allowed_ips ? db_array(&req->arena, k->allowed_ips) : NULL),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "API_KEY_CREATE: no row");
    struct str shown = row_str(&r, "body");
    *ret = answer_key(req, shown, k, "");
    return api_audit(db, req, "apikey.create", "api_key", k->id.text, NULL, shown.p, err);
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

static void check_addresses(struct json_fields *f, const char *const *ranges)
{
    struct address_range ignored;

    if (ranges && !ranges[0])
        json_fields_note(f, "allowed_ips", "is empty: leave it out to allow every address");
    for (size_t i = 0; ranges && ranges[i]; i++)
        if (!address_range_read(str_of(ranges[i]), &ignored)) {
            json_fields_note(f, "allowed_ips",
                             "holds something that is no IP address and no range such as 192.0.2.0/24");
            return;
        }
}

static int refuse_repeats(struct request *req)
{
    if (!request_header(req, "Idempotency-Key"))
        return 0;
    return error_say(&req->err, ERR_VALIDATION, "Idempotency-Key",
                     "a secret is shown once and not kept, so this request cannot be repeated");
}

int api_keys_create(struct request *req)
{
    struct json_fields f;
    struct new_key     k = { .id = uuid_v7() };

    if (refuse_repeats(req) < 0)
        return -1;
    json_fields_begin(&f, &req->arena, req->json);
    k.name = json_name(&f, "name", /* required= */ true, 100, NULL);
    k.user_id = json_text(&f, "user_id", /* required= */ false, 36, req->who.user_id);
    k.kind = json_text(&f, "type", /* required= */ false, 2, "sk");
    k.scopes = json_texts(&f, "scopes", PERM_COUNT, 40);
    k.expires_at = read_expiry(req, &f);
    k.allowed_ips = json_texts(&f, "allowed_ips", ADDRESSES, ADDRESS_TEXT + 4);
    if (!uuid_valid(str_of(k.user_id)))
        json_fields_note(&f, "user_id", "must be an id");
    if (strcmp(k.kind, "sk") != 0) /* publishable keys read what is published, and nothing can be published yet */
        json_fields_note(&f, "type", "must be sk");
    if (!k.scopes)
        json_fields_note(&f, "scopes", "is required: a list of permissions");
    check_scopes(req, &f, k.scopes);
    check_addresses(&f, k.allowed_ips);
    if (json_fields_end(&f, &req->err) < 0)
        return -1;
    make_secret(req, k.kind, &k);
    return api_answer_in_tx(req, "", create_tx, &k);
}

/* --- rotation: a successor with the same rights; the old one goes on for a while --- */

/* Who gets the new secret can do what the key can: nobody may get more by that than they have. */
static int check_rotation(const struct request *req, struct rows *old, struct error *err)
{
    struct str scopes = row_str(old, "scopes");
    bool       is_holder = strcmp(row_text(old, "user_id"), req->who.user_id) == 0;

    if (!is_holder && req->who.role != ROLE_OWNER)
        return error_say(
            err, ERR_FORBIDDEN, NULL,
            "Only whose key it is, or an Owner, may rotate it. Make a key of your own and revoke this one.");
    while (scopes.n > 0) {
        int bit = permission_bit(str_cut(&scopes, ','));

        if (bit < 0 || !(req->who.granted >> bit & 1))
            return error_say(err, ERR_FORBIDDEN, NULL, "The key holds a permission that you do not have yourself.");
    }
    if (strcmp(row_text(old, "state"), "active") != 0)
        return error_say(err, ERR_CONFLICT, NULL, "This key has expired or was rotated before.");
    return old->bad ? error_set(err, ERR_INTERNAL, "API_KEY_LOCK: unexpected columns") : 0;
}

static int rotate_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct new_key *k = arg;
    struct arena   *a = &req->arena;
    struct rows     r;
    struct sb       more = SB(a);

    if (db_query(db, a, SQL_API_KEY_LOCK, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such key");
    if (check_rotation(req, &r, err) < 0)
        return -1;
    make_secret(req, row_text(&r, "kind"), k);
    if (db_query(db, a, SQL_API_KEY_ROTATE,
                 ARGS(req->args[0], k->id.text, k->prefix, k->hash, db_int(a, (int64_t)k->overlap_s)), &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "API_KEY_ROTATE: no row");
    struct str shown = row_str(&r, "body");
    sb_puts(&more, ", \"replaces\": ");
    sb_puts(&more, row_text(&r, "replaces"));
    *ret = answer_key(req, shown, k, more.p ? more.p : "");
    return api_audit(db, req, "apikey.rotate", "api_key", req->args[0], row_text(&r, "replaces"), shown.p, err);
}

int api_keys_rotate(struct request *req)
{
    struct json_fields f;
    struct new_key     k = { .id = uuid_v7(), .overlap_s = OVERLAP };

    if (refuse_repeats(req) < 0)
        return -1;
    if (req->json) {
        json_fields_begin(&f, &req->arena, req->json);
        k.overlap_s = json_u64(&f, "overlap_seconds", 0, OVERLAP_MAX, OVERLAP);
        if (json_fields_end(&f, &req->err) < 0)
            return -1;
    }
    if (api_answer_in_tx(req, "", rotate_tx, &k) < 0)
        return -1;
    if (k.overlap_s == 0)
        auth_cache_forget_session(api_of(req)->auth, req->args[0]);
    return 0;
}

static int revoke_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct rows r;

    (void)arg;
    if (db_query(db, &req->arena, SQL_API_KEY_REVOKE, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such key");
    if (api_audit(db, req, "apikey.revoke", "api_key", req->args[0], row_text(&r, "before"), NULL, err) < 0)
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
