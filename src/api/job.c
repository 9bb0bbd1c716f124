/* job.c - trying a failed job again; reading jobs is routes.c plus SQL. */
#include "api/api.h"
#include "api/handlers.h"

/* A job is changed by whoever may change its document. */
static int check_document(struct db *db, struct request *req, const char *document_id, struct error *err)
{
    struct rows r;

    if (db_query(db, &req->arena, SQL_DOCUMENT_WRITABLE, ARGS(document_id), &r, err) < 0)
        return -1;
    return r.count > 0 ? 0 : error_set(err, ERR_NOT_FOUND, "no such job");
}

static int retry_tx(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err)
{
    struct job_ref *ref = arg;
    struct rows     r;

    if (db_query(db, &req->arena, SQL_JOB_RETRY_NOW, ARGS(req->args[0]), &r, err) < 0)
        return -1;
    if (!row_next(&r)) {
        if (db_query(db, &req->arena, SQL_GET_JOB, ARGS(req->args[0]), &r, err) < 0)
            return -1;
        return r.count > 0 ? error_say(err, ERR_CONFLICT, NULL,
                                       "Only a job that has failed or was cancelled can be tried again.")
                           : error_set(err, ERR_NOT_FOUND, "no such job");
    }
    *ref = (struct job_ref){ .priority = (unsigned)row_int(&r, "priority") };
    memcpy(ref->id.text, req->args[0], sizeof ref->id.text);
    memcpy(ref->tenant_id.text, req->who.tenant_id, sizeof ref->tenant_id.text);
    if (job_kind_of(row_text(&r, "kind"), &ref->kind) < 0)
        return error_set(err, ERR_INTERNAL, "a job of unknown kind");
    if (!row_null(&r, "document_id") && check_document(db, req, row_text(&r, "document_id"), err) < 0)
        return -1;
    if (!row_null(&r, "document_id")
        && db_exec(db, SQL_DOCUMENT_PENDING, ARGS(row_text(&r, "document_id"), row_text(&r, "version")), err) < 0)
        return -1;
    *ret = (struct answer){ .status = 202, .body = S("{\"state\":\"queued\"}") };
    return api_audit(db, req, "job.retry", "job", req->args[0], row_text(&r, "before"),
                     "{\"state\":\"queued\",\"attempts\":0}", err);
}

int jobs_retry(struct request *req)
{
    struct job_ref ref = { 0 };

    if (api_answer_in_tx(req, "", retry_tx, &ref) < 0)
        return -1;
    if (ref.id.text[0] != '\0')
        queue_publish(api_of(req)->queue, &ref);
    return 0;
}
