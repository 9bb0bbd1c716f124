/* document.c - documents and their versions: upload, change, trash, the bytes and the text. Reading lists is routes.c plus SQL. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "domain/file_type.h"
#include "domain/plan.h"

#include <stdio.h>
#include <unistd.h>

enum { METADATA_MAX = 65536, TAG_MAX = 64, TAGS_MAX = 100, TITLE_MAX = 500, NAME_MAX_BYTES = 255 };

/* Everything that a new document or version is made of. */
struct upload {
    struct uuid        id;
    const char        *name, *title, *mime_type, *metadata, *folder_id, *classification;
    const char *const *tags;
    char               sha256[65];
    bool               title_given;
    struct job_ref     job;
    const char        *document_id; /* of a new version */
    unsigned           version;
};

static const char *const classifications[] = { "public", "internal", "confidential", "restricted" };

static bool classification_known(const char *s)
{
    for (size_t i = 0; i < ARRAY_LEN(classifications); i++)
        if (strcmp(s, classifications[i]) == 0)
            return true;
    return false;
}

static const struct str *form_field(const struct request *req, const char *name)
{
    for (unsigned i = 0; i < req->upload.field_count; i++)
        if (strcmp(req->upload.fields[i].name, name) == 0)
            return &req->upload.fields[i].value;
    return NULL;
}

/* tags: a JSON list, or words between commas. */
static const char *const *parse_tags(struct request *req, struct json_fields *f, struct str text)
{
    struct error why = { 0 };
    struct sb    b = SB(&req->arena);
    struct str   rest = text;
    const char  *comma = "";

    sb_put(&b, S("{\"tags\":"));
    if (str_starts(str_trim(text), S("[")))
        sb_put(&b, text);
    else {
        sb_putc(&b, '[');
        while (rest.p) {
            struct str tag = str_trim(str_cut(&rest, ','));

            if (tag.n == 0)
                continue;
            sb_puts(&b, comma);
            sb_json_str(&b, tag);
            comma = ",";
        }
        sb_putc(&b, ']');
    }
    sb_putc(&b, '}');
    json_t *v = json_read(&req->arena, sb_str(&b), 4, 8, &why);
    if (!v) {
        json_fields_note(f, "tags", "must be a JSON list of texts, or words separated by commas");
        return NULL;
    }
    struct json_fields inner;
    json_fields_begin(&inner, &req->arena, v);
    const char *const *tags = json_texts(&inner, "tags", TAGS_MAX, TAG_MAX);
    if (inner.errors)
        json_fields_note(f, "tags", inner.errors->message);
    return tags;
}

static const char *parse_metadata(struct request *req, struct json_fields *f, struct str text)
{
    struct error why = { 0 };
    struct sb    b = SB(&req->arena);
    json_t      *v = text.n <= METADATA_MAX ? json_read(&req->arena, text, 16, 1000, &why) : NULL;

    if (!v || !jv_is_object(v)) {
        json_fields_note(f, "metadata", "must be a JSON object of at most 64 KiB");
        return NULL;
    }
    json_write(&b, v);
    return b.p;
}

static const char *field_text(struct request *req, struct json_fields *f, const char *name, size_t max)
{
    const struct str *v = form_field(req, name);

    if (!v || v->n == 0)
        return NULL;
    if (v->n > max || !text_printable(*v)) {
        json_fields_note(f, name, "is too long, or holds control or direction characters");
        return NULL;
    }
    return str_dup(&req->arena, *v);
}

static void refuse_other_fields(struct request *req, struct json_fields *f, const char *const *known)
{
    for (unsigned i = 0; i < req->upload.field_count; i++) {
        bool ok = false;

        for (const char *const *k = known; *k; k++)
            ok |= strcmp(*k, req->upload.fields[i].name) == 0;
        if (!ok)
            json_fields_note(f, req->upload.fields[i].name, "is not a field of this form");
    }
}

static void check_file(struct request *req, struct json_fields *f)
{
    const char *name = req->upload.filename;

    if (!req->upload.sink || !name)
        json_fields_note(f, "file", "is required, with a file name");
    else if (*name == '\0' || strlen(name) > NAME_MAX_BYTES || !text_printable(str_of(name))
             || strspn(name, ". ") == strlen(name))
        json_fields_note(f, "file",
                         "has a name that is empty, longer than 255 bytes, or holds control or direction characters");
    else if (req->upload.size == 0)
        json_fields_note(f, "file", "is empty (0 bytes)");
}

/* A title out of a file name: without its extension. */
static const char *title_of(struct arena *a, const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot > name && strlen(dot) <= 6 ? arena_text(a, name, (size_t)(dot - name)) : name;
}

static int read_form(struct request *req, struct upload *u)
{
    static const char *const known[] = { "metadata", "folder_id", "tags", "title", "classification", NULL };
    struct json_fields       f = { .arena = &req->arena };
    const struct str        *tags = form_field(req, "tags"), *metadata = form_field(req, "metadata");

    check_file(req, &f);
    refuse_other_fields(req, &f, known);
    u->tags = tags && str_trim(*tags).n > 0 ? parse_tags(req, &f, *tags) : NULL;
    u->metadata = metadata && str_trim(*metadata).n > 0 ? parse_metadata(req, &f, *metadata) : "{}";
    u->folder_id = field_text(req, &f, "folder_id", 36);
    if (u->folder_id && !uuid_valid(str_of(u->folder_id)))
        json_fields_note(&f, "folder_id", "must be an id");
    u->title = field_text(req, &f, "title", TITLE_MAX);
    u->classification = field_text(req, &f, "classification", 20);
    if (u->classification && !classification_known(u->classification))
        json_fields_note(&f, "classification", "must be public, internal, confidential or restricted");
    if (f.errors)
        f.object = NULL;
    return f.errors ? json_fields_end(&f, &req->err) : 0;
}

/* The bytes become durable here, before the transaction that names them. */
static int keep_bytes(struct request *req, struct upload *u)
{
    struct blob_writer *w = req->upload.sink;

    req->upload.sink = NULL;
    int rc = blob_writer_commit(w, req->who.tenant_id, u->sha256, &req->err);
    blob_writer_close(w);
    u->name = req->upload.filename;
    const struct file_type *type = file_type_by_name(str_of(u->name));
    u->mime_type = type ? type->mime : "application/octet-stream"; /* until dms-extract has looked at the bytes */
    return rc;
}

static const char *fingerprint(struct request *req, const struct upload *u)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "%s|%s", u->sha256, u->name);
    for (unsigned i = 0; i < req->upload.field_count; i++) {
        sb_printf(&b, "|%s=", req->upload.fields[i].name);
        sb_put(&b, req->upload.fields[i].value);
    }
    unsigned char digest[HASH_SIZE];
    char         *hex = arena_alloc(&req->arena, 2 * HASH_SIZE + 1);
    hash_of(sb_str(&b), digest);
    if (hex)
        hex_encode(hex, digest, HASH_SIZE);
    return hex ? hex : "-";
}

static const char *traceparent(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "00-%s-%s-01", req->trace_id, req->span_id);
    return b.p;
}

/* What every stored version is followed by: its job, and the first line of its timeline. */
static int follow_up(struct db *db, struct request *req, struct upload *u, const char *document_id, const char *action,
                     const char *before, struct str body, struct error *err)
{
    struct sb detail = SB(&req->arena);

    sb_printf(&detail, "{\"size\":%llu,\"sha256\":\"%s\"}", (unsigned long long)req->upload.size, u->sha256);
    if (job_event_add(db, document_id, u->version, NULL, 0, "stored", detail.p, 0, err) < 0)
        return -1;
    if (job_enqueue(db, req->who.tenant_id, JOB_DOCUMENT_PROCESS, document_id, u->version, 3, traceparent(req), &u->job,
                    err)
        < 0)
        return -1;
    return api_audit(db, req, action, "document", document_id, before, str_dup(&req->arena, body), err);
}

static int create_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct upload *u = arg;
    struct arena  *a = &req->arena;
    struct rows    r;
    struct sb      location = SB(a);

    if (api_quota_reserve(db, req, 1, req->upload.size, err) < 0)
        return -1;
    if (db_query(db, a, SQL_DOCUMENT_CREATE,
                 ARGS(u->id.text, u->folder_id, u->title ? u->title : title_of(a, u->name), u->title ? "t" : "f",
                      u->name, u->mime_type, db_int(a, (int64_t)req->upload.size), u->sha256, u->classification,
                      db_array(a, u->tags), u->metadata),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "DOCUMENT_CREATE: no row");
    struct str body = row_str(&r, "body");
    if (follow_up(db, req, u, u->id.text, "document.create", NULL, body, err) < 0)
        return -1;
    sb_printf(&location, "/api/v1/documents/%s", u->id.text);
    *ret = (struct answer){ .status = 201, .location = location.p, .etag = row_text(&r, "etag"), .body = body };
    return 0;
}

/* After the commit: wake a worker and tell who is looking. */
static void announce(struct request *req, const struct upload *u, const char *document_id)
{
    if (u->job.id.text[0] == '\0')
        return; /* the answer was a replay: nothing new happened */
    queue_publish(api_of(req)->queue, &u->job);
    api_notify_document(req, document_id, u->version, "pending", "stored");
}

int documents_create(struct request *req)
{
    struct upload u = { .id = uuid_v7(), .version = 1 };

    if (read_form(req, &u) < 0 || api_check_place(req, u.folder_id) < 0 || keep_bytes(req, &u) < 0)
        return -1;
    if (api_answer_in_tx(req, fingerprint(req, &u), create_tx, &u) < 0)
        return -1;
    announce(req, &u, u.id.text);
    return 0;
}

static int version_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct upload *u = arg;
    struct arena  *a = &req->arena;
    struct rows    r;

    if (db_query(db, a, SQL_DOCUMENT_LOCK, ARGS(u->document_id), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such document");
    if (api_if_match(req, row_text(&r, "etag"), err) < 0)
        return -1;
    u->version = (unsigned)row_int(&r, "version") + 1;
    const char *before = row_text(&r, "body");
    if (api_quota_reserve(db, req, 0, req->upload.size, err) < 0)
        return -1;
    if (db_query(db, a, SQL_DOCUMENT_VERSION_ADD,
                 ARGS(u->document_id, db_int(a, u->version), u->name, u->mime_type,
                      db_int(a, (int64_t)req->upload.size), u->sha256),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "DOCUMENT_VERSION_ADD: no row");
    struct str body = row_str(&r, "body");
    if (follow_up(db, req, u, u->document_id, "document.version", before, body, err) < 0)
        return -1;
    *ret = (struct answer){ .status = 201, .etag = row_text(&r, "etag"), .body = body };
    return 0;
}

int versions_create(struct request *req)
{
    static const char *const known[] = { NULL };
    struct json_fields       f = { .arena = &req->arena };
    struct upload            u = { .document_id = req->args[0] };

    check_file(req, &f);
    refuse_other_fields(req, &f, known);
    if (f.errors && json_fields_end(&f, &req->err) < 0)
        return -1;
    if (keep_bytes(req, &u) < 0 || api_answer_in_tx(req, fingerprint(req, &u), version_tx, &u) < 0)
        return -1;
    announce(req, &u, req->args[0]);
    return 0;
}

/* --- change --- */

struct change {
    const char        *title, *folder_id, *classification, *metadata;
    const char *const *tags;
    bool               has_folder;
};

static int update_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct change *c = arg;
    struct arena  *a = &req->arena;
    struct rows    r;

    if (db_query(db, a, SQL_DOCUMENT_LOCK, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such document");
    if (api_if_match(req, row_text(&r, "etag"), err) < 0)
        return -1;
    const char *before = row_text(&r, "body");
    if (db_query(db, a, SQL_DOCUMENT_UPDATE,
                 ARGS(req->args[0], c->title, c->has_folder ? "t" : "f", c->folder_id,
                      c->tags ? db_array(a, c->tags) : NULL, c->classification, c->metadata),
                 &r, err)
        < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_INTERNAL, "DOCUMENT_UPDATE: no row");
    struct str body = row_str(&r, "body");
    if (c->title && db_exec(db, SQL_CHUNK_RETITLE, ARGS(req->args[0], c->title), err) < 0)
        return -1;
    *ret = (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = body };
    return api_audit(db, req, "document.update", "document", req->args[0], before, body.p, err);
}

int documents_update(struct request *req)
{
    struct json_fields f;
    struct change      c = { 0 };
    struct sb          b = SB(&req->arena);

    json_fields_begin(&f, &req->arena, req->json);
    c.has_folder = json_has(&f, "folder_id");
    c.title = json_name(&f, "title", /* required= */ json_has(&f, "title"), TITLE_MAX, NULL);
    c.folder_id = json_text(&f, "folder_id", /* required= */ false, 36, NULL);
    c.classification = json_text(&f, "classification", /* required= */ json_has(&f, "classification"), 20, NULL);
    c.tags = json_texts(&f, "tags", TAGS_MAX, TAG_MAX);
    const json_t *metadata = json_member(&f, "metadata", 'o');
    if (c.folder_id && !uuid_valid(str_of(c.folder_id)))
        json_fields_note(&f, "folder_id", "must be an id or null");
    if (c.classification && !classification_known(c.classification))
        json_fields_note(&f, "classification", "must be public, internal, confidential or restricted");
    if (metadata) {
        json_write(&b, metadata);
        c.metadata = b.p;
        if (b.n > METADATA_MAX)
            json_fields_note(&f, "metadata", "is larger than 64 KiB");
    }
    if (json_fields_end(&f, &req->err) < 0 || (c.has_folder && api_check_place(req, c.folder_id) < 0))
        return -1;
    if (api_answer_in_tx(req, "", update_tx, &c) < 0)
        return -1;
    api_notify_document(req, req->args[0], 0, "changed", "changed");
    return 0;
}

static int trash_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    bool        restore = *(bool *)arg;
    struct rows r;

    if (db_query(db, &req->arena, restore ? SQL_DOCUMENT_RESTORE : SQL_DOCUMENT_TRASH, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such document, or it is there already");
    struct str body = row_str(&r, "body");
    *ret = restore ? (struct answer){ .status = 200, .etag = row_text(&r, "etag"), .body = body }
                   : (struct answer){ .status = 204 };
    return api_audit(db, req, restore ? "document.restore" : "document.trash", "document", req->args[0],
                     row_text(&r, "before"), row_text(&r, "after"), err);
}

int documents_trash(struct request *req)
{
    bool restore = false;

    if (api_answer_in_tx(req, "", trash_tx, &restore) < 0)
        return -1;
    api_notify_document(req, req->args[0], 0, "deleted", "changed");
    return 0;
}

int documents_restore(struct request *req)
{
    bool restore = true;

    if (api_answer_in_tx(req, "", trash_tx, &restore) < 0)
        return -1;
    api_notify_document(req, req->args[0], 0, "changed", "changed");
    return 0;
}

static int reprocess_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct upload *u = arg;
    struct rows    r;
    struct sb      b = SB(&req->arena), after = SB(&req->arena);

    if (db_query(db, &req->arena, SQL_DOCUMENT_REPROCESS, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(err, ERR_NOT_FOUND, "no such document");
    u->version = (unsigned)row_int(&r, "version");
    if (job_enqueue(db, req->who.tenant_id, JOB_DOCUMENT_PROCESS, req->args[0], u->version, 3, traceparent(req),
                    &u->job, err)
        < 0)
        return -1;
    sb_printf(&b, "{\"job_id\":\"%s\"}", u->job.id.text);
    sb_printf(&after, "{\"status\":\"pending\",\"job_id\":\"%s\"}", u->job.id.text);
    *ret = (struct answer){ .status = 202, .body = sb_str(&b) };
    return api_audit(db, req, "document.reprocess", "document", req->args[0], row_text(&r, "before"), after.p, err);
}

int documents_reprocess(struct request *req)
{
    struct upload u = { 0 };

    if (api_answer_in_tx(req, "", reprocess_tx, &u) < 0)
        return -1;
    announce(req, &u, req->args[0]);
    return 0;
}

/* --- bytes and text --- */

/* What a browser is told. Nothing that it would run: such files are shown as text, or only saved. */
static const char *served_type(const char *mime)
{
    static const char *const as_text[] = { "text/html",        "text/css",        "text/javascript", "text/x-source",
                                           "text/markdown",    "text/plain",      "application/xml", "application/sql",
                                           "application/yaml", "application/toml" };
    static const char *const as_is[] = {
        "application/pdf",  "image/png", "image/jpeg", "image/gif", "image/webp",
        "application/json", "text/csv",  "audio/mpeg", "video/mp4", "application/zip"
    };

    for (size_t i = 0; i < ARRAY_LEN(as_text); i++)
        if (strcmp(mime, as_text[i]) == 0)
            return "text/plain; charset=utf-8";
    for (size_t i = 0; i < ARRAY_LEN(as_is); i++)
        if (strcmp(mime, as_is[i]) == 0)
            return as_is[i];
    return "application/octet-stream";
}

/* A read of content: the statement's row, and in the same transaction the note of it, where one is to be made. */
struct reading {
    struct request *req;
    enum sql        sql;
    const char     *action;
    struct rows     rows;
};

static int reading_tx(struct db *db, void *arg, struct error *err)
{
    struct reading *x = arg;
    struct request *req = x->req;
    struct sb       after = SB(&req->arena);

    if (db_query(db, &req->arena, x->sql, ARGS(req->args[0], request_param(req, "version")), &x->rows, err) < 0)
        return -1;
    if (!row_next(&x->rows))
        return error_set(err, ERR_NOT_FOUND, "no such document or version");
    if (rows_have(&x->rows, "text") && row_null(&x->rows, "text"))
        return error_say(err, ERR_CONFLICT, NULL, "The text of this version is not read yet, or could not be.");
    if (!api_audits_read(req, row_bool(&x->rows, "sensitive")))
        return 0;
    sb_printf(&after, "{\"version\":%s}", row_text(&x->rows, "version"));
    return api_audit(db, req, x->action, "document", req->args[0], NULL, after.p, err);
}

static int read_content(struct reading *x)
{
    return db_in_tx(api_db(x->req), api_scope(x->req), reading_tx, x, &x->req->err);
}

int documents_content(struct request *req)
{
    const char    *disposition = request_param(req, "disposition");
    struct reading x = { .req = req, .sql = SQL_DOCUMENT_CONTENT, .action = "document.download" };
    struct rows   *r = &x.rows;
    uint64_t       size;
    int            fd;

    if (read_content(&x) < 0)
        return -1;
    if (blob_open(api_of(req)->blobs, req->who.tenant_id, row_text(r, "sha256"), &fd, &size, &req->err) < 0)
        return req->err.code == ERR_NOT_FOUND ? (req->err = (struct error){ 0 },
                                                 error_set(&req->err, ERR_INTERNAL, "the blob of a document is gone"))
                                              : -1;
    response_file(req, fd, size, served_type(row_text(r, "mime_type")), row_text(r, "name"),
                  strcmp(disposition, "inline") == 0, row_text(r, "sha256"));
    return 0;
}

int documents_text(struct request *req)
{
    struct reading x = { .req = req, .sql = SQL_DOCUMENT_TEXT, .action = "document.read_text" };

    if (read_content(&x) < 0)
        return -1;
    response_text(req, 200, "text/plain; charset=utf-8", row_str(&x.rows, "text"));
    return 0;
}

int documents_types(struct request *req)
{
    struct sb   b = SB(&req->arena);
    const char *comma = "";

    sb_put(&b, S("{\"items\":["));
    for (size_t i = 0; i < file_type_count; i++) {
        const struct file_type *t = &file_types[i];
        struct str              endings = str_of(t->endings);

        sb_printf(&b, "%s{\"mime_type\":\"%s\",\"label\":\"%s\",\"reads\":%s,\"extensions\":[", comma, t->mime,
                  t->label, t->reader != READ_NONE ? "true" : "false");
        for (comma = ""; endings.n > 0; comma = ",") {
            struct str one = str_cut(&endings, ' ');

            sb_puts(&b, comma);
            sb_json_str(&b, one);
        }
        sb_put(&b, S("]}"));
        comma = ",";
    }
    sb_put(&b, S("],\"next_cursor\":null}"));
    response_json(req, 200, sb_str(&b));
    return 0;
}
