/* read.c - the read lane: a route row and a .sql file, no C per endpoint. Binds path and query parameters in the order of the row, sends
   the statement down the loop's pipeline, writes what came back. Cursors are signed, and bound to tenant, route and filters. A statement with the
   columns sensitive and document_id shows content: what of it is to be noted in the audit log is read once more, on the work lane. */
#include "api/read.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "store/pipeline.h"

enum { MAX_ARGS = 24, MAC = 16 };

struct read {
    struct pipeline_query query;
    struct request       *req;
    const char           *args[MAX_ARGS];
    struct rows           rows; /* of a read on the work lane */
};

/* What a cursor is good for: this tenant, route and these filters; everything but the cursor itself and the page size. */
static void cursor_mac(const struct request *req, struct str key, unsigned char ret[HASH_SIZE])
{
    struct arena      a = ARENA(65536);
    struct sb         b = SB(&a);
    const struct api *api = api_of(req);

    sb_printf(&b, "cursor|%s|%s|%s|", req->who.tenant_id, req->route->method, req->path);
    for (size_t i = 0; req->route->params && req->route->params[i].name; i++) {
        const char *name = req->route->params[i].name;

        if (strcmp(name, "cursor") != 0 && strcmp(name, "limit") != 0 && strcmp(name, "count") != 0)
            sb_printf(&b, "%s=%s|", name, req->params[i] ? req->params[i] : "");
    }
    sb_put(&b, key);
    hash_keyed((struct str){ (const char *)api->pepper, sizeof api->pepper }, sb_str(&b), ret);
    arena_free(&a);
}

const char *cursor_make(struct request *req, struct str key)
{
    unsigned char mac[HASH_SIZE];
    struct sb     b = SB(&req->arena);
    char         *text = arena_alloc(&req->arena, (key.n + MAC) * 4 / 3 + 4);

    cursor_mac(req, key, mac);
    sb_put(&b, (struct str){ (const char *)mac, MAC });
    sb_put(&b, key);
    if (!text)
        return "";
    base64url_encode(text, b.p, b.n);
    return text;
}

/* The sort key and the id out of a cursor; both NULL without one. */
static int cursor_read(struct request *req, const char *text, const char **ret_key, const char **ret_id)
{
    unsigned char mac[HASH_SIZE];
    struct str    raw;

    *ret_key = *ret_id = NULL;
    if (!text)
        return 0;
    if (strlen(text) <= 2048 && base64url_decode(&req->arena, str_of(text), &raw) && raw.n > MAC) {
        struct str  key = { raw.p + MAC, raw.n - MAC };
        const char *bar = memrchr(key.p, '|', key.n);

        cursor_mac(req, key, mac);
        if (bar && bytes_equal(mac, raw.p, MAC)) {
            *ret_key = arena_text(&req->arena, key.p, (size_t)(bar - key.p));
            *ret_id = arena_text(&req->arena, bar + 1, key.n - (size_t)(bar + 1 - key.p));
            return 0;
        }
    }
    return error_say(&req->err, ERR_VALIDATION, "cursor", "is not a cursor of this list with these filters");
}

/* {"items": [...], "next_cursor": ..., "total": n} */
static int write_list(struct request *req, struct rows *r)
{
    struct sb   b = SB(&req->arena);
    const char *next = row_opt(r, "next_key"), *total = row_opt(r, "total");
    struct str  items = row_str(r, "items");

    sb_put(&b, S("{\"items\":"));
    sb_put(&b, items);
    sb_put(&b, S(",\"next_cursor\":"));
    sb_json(&b, next ? cursor_make(req, str_of(next)) : NULL);
    if (total)
        sb_printf(&b, ",\"total\":%s", total);
    sb_putc(&b, '}');
    if (r->bad)
        return error_set(&req->err, ERR_INTERNAL, "%s: unexpected columns", sql_info[req->route->sql].name);
    response_json(req, 200, sb_str(&b));
    return 0;
}

int read_answer(struct request *req, struct rows *r)
{
    if (!row_next(r))
        return error_set(&req->err, ERR_NOT_FOUND, "no row");
    if (rows_have(r, "items"))
        return write_list(req, r);
    if (rows_have(r, "etag"))
        response_etag(req, row_text(r, "etag"));
    struct str body = row_str(r, "body");
    if (r->bad)
        return error_set(&req->err, ERR_INTERNAL, "%s: unexpected columns", sql_info[req->route->sql].name);
    response_json(req, 200, body);
    return 0;
}

/* Lists whose statement depends on what is asked for, because a plan is made once for all: the first row whose parameter is given and is not
   what its own statement takes. */
static const struct alternative {
    enum sql    usual;
    const char *param, *unless;
    enum sql    instead;
} alternatives[] = {
    { SQL_GET_DOCUMENTS, "sort", "-created_at", SQL_GET_DOCUMENTS_SORTED },
    { SQL_GET_DOCUMENTS, "trashed", "false", SQL_GET_DOCUMENTS_SORTED },
    { SQL_GET_DOCUMENTS, "folder_id", "", SQL_GET_DOCUMENTS_IN_FOLDER },
    { SQL_GET_DOCUMENTS, "status", "processed", SQL_GET_DOCUMENTS_UNPROCESSED },
    { SQL_GET_JOBS, "state", "succeeded", SQL_GET_JOBS_UNFINISHED },
    { SQL_GET_AUDIT, "object_id", "", SQL_GET_AUDIT_OF_OBJECT },
    { SQL_GET_AUDIT, "actor", "", SQL_GET_AUDIT_OF_ACTOR },
};

static enum sql statement_of(const struct request *req)
{
    for (size_t i = 0; i < ARRAY_LEN(alternatives); i++) {
        const struct alternative *a = &alternatives[i];
        const char               *given = req->route->sql == (int)a->usual ? request_param(req, a->param) : NULL;

        if (given && strcmp(given, a->unless) != 0)
            return a->instead;
    }
    if (req->route->sql == SQL_GET_DOCUMENTS && req->who.sees_few)
        return SQL_GET_DOCUMENTS_GRANTED;
    return (enum sql)req->route->sql;
}

/* Whether the statement looks at all of a tenant's rows instead of a page of them. */
static bool reads_all(const struct request *req, enum sql sql)
{
    return sql == SQL_GET_DOCUMENTS_SORTED || request_param_bool(req, "count", false);
}

/* The request's statement with its arguments; NULL and req->err when they are not right. */
static struct read *read_bind(struct request *req)
{
    struct read *read = arena_alloc(&req->arena, sizeof *read);
    int          n = 0;

    if (!read) {
        error_set(&req->err, ERR_TOO_LARGE, "no memory for a read");
        return NULL;
    }
    for (unsigned i = 0; i < ARRAY_LEN(req->args) && req->args[i]; i++)
        read->args[n++] = req->args[i];
    for (size_t i = 0; req->route->params && req->route->params[i].name; i++) {
        assert(n + 2 <= MAX_ARGS);
        if (req->route->params[i].type != PARAM_CURSOR)
            read->args[n++] = req->params[i];
        else if (cursor_read(req, req->params[i], &read->args[n], &read->args[n + 1]) < 0)
            return NULL;
        else
            n += 2;
    }
    if (req->route->sql == SQL_GET_SESSIONS) /* marks the one that asks */
        read->args[n++] = req->who.session_id;
    read->req = req;
    read->query = (struct pipeline_query){
        .sql = statement_of(req), .scope = api_scope(req), .args = read->args, .nargs = n, .arena = &req->arena
    };
    return read;
}

/* --- what the audit log notes --- */

/* Whether these rows show content that may not be seen without a note of it. */
static bool is_audited(const struct request *req, const struct rows *rows)
{
    struct rows first = *rows;

    return rows_have(rows, "sensitive") && row_next(&first) && api_audits_read(req, row_bool(&first, "sensitive"));
}

static int audited_tx(struct db *db, void *arg, struct error *err)
{
    struct read    *read = arg;
    struct request *req = read->req;
    struct sb       after = SB(&req->arena);

    if (db_query(db, &req->arena, read->query.sql, read->args, read->query.nargs, &read->rows, err) < 0)
        return -1;
    struct rows first = read->rows;
    if (!row_next(&first))
        return error_set(err, ERR_NOT_FOUND, "no row");
    sb_puts(&after, "{\"route\":");
    sb_json(&after, req->route->pattern);
    sb_putc(&after, '}');
    return api_audit(db, req, "document.read_text", "document", row_text(&first, "document_id"), NULL, after.p, err);
}

/* On the work lane: the same read and its row in one transaction. */
static int read_audited(struct request *req)
{
    struct read *read = read_bind(req);

    if (!read || db_in_tx(api_db(req), api_scope(req), audited_tx, read, &req->err) < 0)
        return -1;
    return read_answer(req, &read->rows);
}

static void done(struct pipeline_query *q, struct rows *rows, const struct error *err)
{
    struct request *req = ((struct read *)q)->req;

    if (err->code != ERR_NONE)
        req->err = *err;
    else if (is_audited(req, rows)) {
        request_to_work(req, read_audited);
        return;
    } else if (read_answer(req, rows) < 0)
        assert(req->err.code != ERR_NONE);
    request_done(req);
}

int api_read(struct request *req)
{
    struct read     *read = read_bind(req);
    struct api_loop *loop = req->loop_state;

    if (!read)
        return -1;
    read->query.done = done;
    return pipeline_submit(reads_all(req, read->query.sql) ? loop->slow : loop->quick, &read->query, &req->err);
}
