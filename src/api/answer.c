/* answer.c - from a transaction to an answer: idempotency keys, and the news for open event streams. */
#include "api/api.h"

#include "crypto/hash.h"

enum { KEY_MAX = 255 };

struct answering {
    struct request *req;
    const char     *key, *fingerprint, *route; /* key NULL: none given */
    answer_fn      *fn;
    void           *arg;
    struct answer   answer;
    bool            replayed;
};

/* The key, bare or as a quoted structured string. */
static int read_key(struct request *req, const char **ret)
{
    const char *h = request_header(req, "Idempotency-Key");
    size_t      n = h ? strlen(h) : 0;

    *ret = NULL;
    if (!h)
        return 0;
    if (n >= 2 && h[0] == '"' && h[n - 1] == '"') {
        h = arena_text(&req->arena, h + 1, n - 2);
        n -= 2;
    }
    if (n == 0 || n > KEY_MAX || !text_printable(str_of(h)))
        return error_say(&req->err, ERR_VALIDATION, "Idempotency-Key", "must be 1 to %d printable characters", KEY_MAX);
    *ret = h;
    return 0;
}

/* 1: answered before, ret is that answer. 0: ours to do. */
static int replay(struct db *db, struct answering *x, struct error *err)
{
    struct request *req = x->req;
    struct rows     r;

    if (db_query(db, &req->arena, SQL_IDEMPOTENCY_FIND, ARGS(req->who.user_id, x->route, x->key), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "IDEMPOTENCY_FIND: no row");
    if (!row_bool(&r, "locked")) {
        response_header(req, "Retry-After", "1");
        return error_say(err, ERR_CONFLICT, "Idempotency-Key", "The first request with this key is still running.");
    }
    if (row_null(&r, "fingerprint"))
        return 0;
    if (strcmp(row_text(&r, "fingerprint"), x->fingerprint) != 0)
        return error_say(err, ERR_UNPROCESSABLE, "Idempotency-Key",
                         "This key was used before with another request body.");
    x->answer = (struct answer){ .status = (unsigned)row_int(&r, "status"),
                                 .location = row_opt(&r, "location"),
                                 .body = row_str(&r, "body") };
    x->replayed = true;
    return r.bad ? error_set(err, ERR_INTERNAL, "IDEMPOTENCY_FIND: unexpected columns") : 1;
}

/* What keys are kept by, beside the person: the same key on another address is another. */
static const char *route_text(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "%s %s", req->method, req->path);
    return b.p ? b.p : "";
}

int api_answered_before(struct request *req, bool *ret)
{
    const char *key;
    struct rows r;

    *ret = false;
    if (read_key(req, &key) < 0)
        return -1;
    if (!key)
        return 0;
    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_IDEMPOTENCY_FIND,
                       ARGS(req->who.user_id, route_text(req), key), &r, &req->err)
        < 0)
        return -1;
    *ret = row_next(&r) && (!row_bool(&r, "locked") || !row_null(&r, "fingerprint"));
    return 0;
}

static int answer_tx(struct db *db, void *arg, struct error *err)
{
    struct answering *x = arg;
    struct request   *req = x->req;

    x->answer = (struct answer){ 0 };
    x->replayed = false;
    int done = x->key ? replay(db, x, err) : 0;
    if (done != 0)
        return done < 0 ? -1 : 0;
    if (x->fn(db, req, x->arg, &x->answer, err) < 0)
        return -1;
    if (!x->key)
        return 0;
    return db_exec(db, SQL_IDEMPOTENCY_KEEP,
                   ARGS(req->who.user_id, x->route, x->key, x->fingerprint, db_int(&req->arena, x->answer.status),
                        x->answer.location, str_dup(&req->arena, x->answer.body)),
                   err);
}

static const char *body_fingerprint(struct request *req)
{
    unsigned char digest[HASH_SIZE];
    char         *hex = arena_alloc(&req->arena, 2 * HASH_SIZE + 1);

    hash_of(req->body, digest);
    if (hex)
        hex_encode(hex, digest, HASH_SIZE);
    return hex ? hex : "";
}

int api_answer_in_tx(struct request *req, const char *fingerprint, answer_fn *fn, void *arg)
{
    struct answering x = { .req = req, .fn = fn, .arg = arg };

    if (read_key(req, &x.key) < 0)
        return -1;
    x.route = route_text(req);
    x.fingerprint = *fingerprint ? fingerprint : body_fingerprint(req);
    if (db_in_tx(api_db(req), api_scope(req), answer_tx, &x, &req->err) < 0)
        return -1;
    if (x.answer.location)
        response_header(req, "Location", x.answer.location);
    if (x.answer.etag)
        response_etag(req, x.answer.etag);
    if (x.replayed) {
        response_header(req, "Idempotent-Replay", "true");
        api_limit_not_uploaded(req);
    }
    if (x.answer.status == 204)
        response_empty(req, 204);
    else
        response_json(req, x.answer.status, x.answer.body);
    return 0;
}

int api_answer_query(struct request *req, unsigned status, enum sql q, const char *const *args, int nargs)
{
    struct rows r;

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, q, args, nargs, &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_NOT_FOUND, "%s: no row", sql_info[q].name);
    if (rows_have(&r, "etag"))
        response_etag(req, row_text(&r, "etag"));
    struct str body = row_str(&r, "body");
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "%s: unexpected columns", sql_info[q].name);
    response_json(req, status, body);
    return 0;
}

int api_if_match(struct request *req, const char *revision, struct error *err)
{
    const char *header = request_header(req, "If-Match");
    struct str  rest = str_of(header ? header : "");

    if (!header || str_eq(str_trim(rest), S("*")))
        return 0;
    while (rest.p) {
        struct str tag = str_trim(str_cut(&rest, ','));

        if (tag.n < 2 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"')
            continue; /* weak tags never match */
        tag = (struct str){ tag.p + 1, tag.n - 2 };
        if (str_eq(str_cut(&tag, '.'), str_of(revision)))
            return 0;
    }
    return error_set(err, ERR_PRECONDITION, "the revision is %s", revision);
}

int api_check_place(struct request *req, const char *folder_id)
{
    if (folder_id || api_scope(req).by_grant == 0)
        return 0;
    return error_say(&req->err, ERR_FORBIDDEN, NULL,
                     "You may do this in the folders that were granted to you: name one.");
}

void api_notify_document(struct request *req, const char *document_id, unsigned version, const char *status,
                         const char *step)
{
    struct api *api = api_of(req);
    struct sb   b = SB(&req->arena);

    sb_printf(&b, "{\"id\":\"%s\",\"version\":%u,\"status\":\"%s\",\"step\":\"%s\"}", document_id, version, status,
              step);
    if (!queue_notify(api->queue, req->who.tenant_id, "document", sb_str(&b)))
        event_hub_publish(api->events, api_db(req), req->who.tenant_id, "document",
                          sb_str(&b)); /* without Redis: at least here */
}
