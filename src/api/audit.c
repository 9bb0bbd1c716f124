/* audit.c - the audit log: the row that every act writes in its transaction, and the routes that export the log and go over its chain. Reading
   pages of it is routes.c plus SQL; numbers and hashes come from the sealer (cmd/worker.c, migrations/0010_audit.up.sql). */
#include "api/api.h"
#include "api/audit_chain.h"
#include "api/handlers.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/uuid.h"
#include "domain/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXPORT_PAGE = 1000, EXPORT_MEMORY = 4 << 20 };

/* --- writing --- */

/* By its name: what ends so was not let through. */
static bool is_refusal(const char *action)
{
    static const char *const ends[] = { "_failed", "_refused", "_reused" };
    size_t                   n = strlen(action);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (n > strlen(ends[i]) && strcmp(action + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

int api_audit(struct db *db, struct request *req, const char *action, const char *object_type, const char *object_id,
              const char *before, const char *after, struct error *err)
{
    const struct principal *who = &req->who;
    struct uuid             id = uuid_v7();
    bool                    by_key = who->kind == 'k';
    const char             *person = who->user_id[0] != '\0' ? who->user_id : NULL;

    return db_exec(
               db, SQL_AUDIT_ADD,
               ARGS(id.text,
                    by_key   ? "api_key"
                    : person ? "user"
                             : "system",
                    by_key ? who->session_id : person, by_key ? person : NULL, action,
                    is_refusal(action) ? "refused" : "done", object_type, object_id, req->ip, req->id, before, after),
               err) < 0
               ? -1
               : 0;
}

bool api_audits_read(const struct request *req, bool sensitive)
{
    const char *which = api_of(req)->settings->audit_reads;

    return strcmp(which, "all") == 0 || (sensitive && strcmp(which, "sensitive") == 0);
}

/* --- going over the chain --- */

static int verify_tx(struct db *db, void *arg, struct error *err)
{
    struct request      *req = ((void **)arg)[0];
    struct audit_report *report = ((void **)arg)[1];

    return audit_verify(db, &req->arena, req->who.tenant_id, api_of(req)->keys, report, err);
}

int audit_verify_get(struct request *req)
{
    struct audit_report report;
    struct sb           b = SB(&req->arena);

    if (db_in_tx(api_db(req), api_scope(req), verify_tx, (void *[]){ req, &report }, &req->err) < 0)
        return -1;
    if (report.fault)
        log_at(LOG_ERROR, "the audit log does not hold: %s at number %llu", report.fault,
               (unsigned long long)report.bad_seq);
    audit_report_json(&b, &report);
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* --- export --- */

struct export
{
    struct request *req;
    bool            csv;
    int             fd;
    uint64_t        first, last; /* numbers of the chain; 0: nothing */
};

static const char csv_head[] =
    "\"seq\",\"id\",\"at\",\"actor_type\",\"actor_id\",\"acting_for\",\"action\",\"outcome\",\"object_type\",\"object_id\",\"ip\",\"request_id\","
    "\"before\",\"after\",\"hash\"\r\n";

/* Which part of the chain; refuses what is too much. */
static int choose_range(struct db *db, struct export *x, struct error *err)
{
    struct request *req = x->req;
    uint64_t        waiting, most = api_of(req)->settings->audit_export_max;
    struct rows     r;

    if (audit_take_turn(db, req->who.tenant_id, &waiting, err) < 0
        || db_query(db, &req->arena, SQL_AUDIT_EXPORT_RANGE, ARGS(request_param(req, "from"), request_param(req, "to")),
                    &r, err)
               < 0)
        return -1;
    bool none = !row_next(&r) || row_null(&r, "first");
    x->first = none ? 0 : (uint64_t)row_int(&r, "first");
    x->last = none ? 0 : (uint64_t)row_int(&r, "last");
    if (x->last - x->first >= most)
        return error_say(
            err, ERR_UNPROCESSABLE, "from",
            "That would be %llu rows, and an export holds at most %llu: take parts of it with from and to.",
            (unsigned long long)(x->last - x->first + 1), (unsigned long long)most);
    return 0;
}

/* The signed heads come first, so that an export whose end is missing is known by them. */
static int write_head(struct db *db, struct export *x, struct error *err)
{
    struct arena *a = &x->req->arena;
    struct sb     b = SB(a);
    struct rows   r;

    if (x->csv)
        return file_write_all(x->fd, S(csv_head), err);
    if (db_query(db, a, SQL_AUDIT_CHECKPOINTS, ARGS(db_int(a, (int64_t)x->first), db_int(a, (int64_t)x->last)), &r, err)
        < 0)
        return -1;
    while (row_next(&r)) {
        struct audit_checkpoint c = { .tenant_id = x->req->who.tenant_id,
                                      .seq = (uint64_t)row_int(&r, "seq"),
                                      .hash = row_text(&r, "hash"),
                                      .at = row_text(&r, "at"),
                                      .kid = row_text(&r, "kid"),
                                      .signature = row_text(&r, "signature") };

        audit_checkpoint_line(&b, &c);
        sb_putc(&b, '\n');
    }
    return file_write_all(x->fd, sb_str(&b), err);
}

/* The rows behind *seq; moves it on. */
static int write_page(struct db *db, struct export *x, uint64_t *seq, struct error *err)
{
    struct arena a = ARENA(EXPORT_MEMORY);
    struct rows  r = { 0 };
    int          rc = db_query(db, &a, x->csv ? SQL_AUDIT_EXPORT_CSV : SQL_AUDIT_EXPORT_JSONL,
                               ARGS(db_int(&a, (int64_t)*seq), db_int(&a, (int64_t)x->last), db_int(&a, EXPORT_PAGE)), &r, err);

    if (rc == 0 && (!row_next(&r) || row_null(&r, "seq")))
        rc = error_set(err, ERR_INTERNAL, "the audit log ends before number %llu", (unsigned long long)x->last);
    if (rc == 0) {
        *seq = (uint64_t)row_int(&r, "seq");
        rc = file_write_all(x->fd, row_str(&r, "lines"), err);
    }
    arena_free(&a);
    return rc;
}

static int export_tx(struct db *db, void *arg, struct error *err)
{
    struct export  *x = arg;
    struct request *req = x->req;
    struct sb       after = SB(&req->arena);

    if (ftruncate(x->fd, 0) < 0 || lseek(x->fd, 0, SEEK_SET) < 0)
        return error_set(err, err_of_errno(errno), "export: %s", strerror(errno));
    if (choose_range(db, x, err) < 0 || write_head(db, x, err) < 0)
        return -1;
    for (uint64_t seq = x->first - 1; x->first > 0 && seq < x->last;)
        if (write_page(db, x, &seq, err) < 0)
            return -1;
    sb_printf(&after, "{\"format\":\"%s\",\"first\":%llu,\"last\":%llu}", x->csv ? "csv" : "jsonl",
              (unsigned long long)x->first, (unsigned long long)x->last);
    return api_audit(db, req, "audit.export", "audit", NULL, NULL, after.p, err);
}

/* A file without a name: gone with its descriptor. */
static int open_nameless(struct request *req)
{
    const char *path = path_join(&req->arena, api_of(req)->settings->blob_dir, ".export-XXXXXX");
    char       *name = arena_alloc(&req->arena, strlen(path) + 1);

    if (!name)
        return error_set(&req->err, ERR_TOO_LARGE, "no memory for an export");
    memcpy(name, path, strlen(path) + 1);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0 || unlink(name) < 0) {
        error_set(&req->err, err_of_errno(errno), "export: %s", strerror(errno));
        closep(&fd);
        return -1;
    }
    return fd;
}

int audit_export(struct request *req)
{
    struct export x = { .req = req, .csv = strcmp(request_param(req, "format"), "csv") == 0, .fd = open_nameless(req) };
    struct sb   name = SB(&req->arena);
    struct stat st;
    char        now[32];

    if (x.fd < 0)
        return -1;
    if (db_in_tx(api_db(req), api_scope(req), export_tx, &x, &req->err) < 0) {
        closep(&x.fd);
        return -1;
    }
    if (fstat(x.fd, &st) < 0) {
        closep(&x.fd);
        return error_set(&req->err, err_of_errno(errno), "export: %s", strerror(errno));
    }
    clock_rfc3339(now, clock_wall_us());
    sb_printf(&name, "audit-%.10s.%s", now, x.csv ? "csv" : "jsonl");
    response_file(req, x.fd, (uint64_t)st.st_size, x.csv ? "text/csv; charset=utf-8" : "application/x-ndjson", name.p,
                  /* is_inline= */ false, NULL);
    return 0;
}
