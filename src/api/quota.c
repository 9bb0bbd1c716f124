/* quota.c - what an organization's plan has room for: asked before the bytes of an upload are read, and for certain in the transaction that stores
   them. The size of one file is http/body.c's to refuse. */
#include "api/api.h"
#include "api/handlers.h"

#include "domain/plan.h"

static const struct plan_limits *plan_of(const struct request *req)
{
    return &plan_limits[req->who.plan];
}

/* 402: what is used up, and where to get more. */
static int refuse(struct request *req, const char *what, const char *of, uint64_t limit, uint64_t used,
                  struct error *err)
{
    const struct plan_limits *p = plan_of(req);
    struct sb                 b = SB(&req->arena);

    error_say(
        err, ERR_QUOTA, NULL,
        "The plan \"%s\" has room for %llu %s; %llu are used. Delete what is not needed, or change the plan at %.100s/billing.",
        p->name, (unsigned long long)limit, of, (unsigned long long)used, api_of(req)->issuer);
    sb_printf(&b, "\"quota\":{\"plan\":\"%s\",\"name\":\"%s\",\"limit\":%llu,\"used\":%llu,\"upgrade_url\":", p->name,
              what, (unsigned long long)limit, (unsigned long long)used);
    struct sb url = SB(&req->arena);
    sb_printf(&url, "%s/billing", api_of(req)->issuer);
    sb_json(&b, url.p);
    sb_putc(&b, '}');
    err->members = b.p;
    return -1;
}

/* Which part of the plan has not room for that much more. */
static int check(struct request *req, struct rows *usage, uint64_t documents, uint64_t bytes, struct error *err)
{
    const struct plan_limits *p = plan_of(req);

    if (!row_next(usage))
        return error_set(err, ERR_INTERNAL, "USAGE_GET: no row");
    uint64_t has_documents = (uint64_t)row_int(usage, "documents"), has_bytes = (uint64_t)row_int(usage, "bytes");
    if (usage->bad)
        return error_set(err, ERR_INTERNAL, "USAGE_GET: unexpected columns");
    if (documents > 0 && has_documents + documents > p->documents)
        return refuse(req, "documents", "documents", p->documents, has_documents, err);
    if (has_bytes + bytes > p->bytes)
        return refuse(req, "storage", "bytes", p->bytes, has_bytes, err);
    return 0;
}

bool api_upload_limited(struct request *req)
{
    const struct plan_limits *p = plan_of(req);

    return p->documents < INT64_MAX || p->bytes < INT64_MAX;
}

int api_upload_room(struct request *req, uint64_t least_bytes)
{
    unsigned     documents = req->route->handle == documents_create ? 1 : 0;
    bool         answered;
    struct error err = { 0 };
    struct rows  r;

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, SQL_USAGE_GET, NO_ARGS, &r, &req->err) < 0)
        return -1;
    if (check(req, &r, documents, least_bytes > 0 ? least_bytes : 1, &err) == 0)
        return 0;
    if (api_answered_before(req, &answered) < 0)
        return -1;
    if (answered)
        return 0; /* a repeat gets its first answer, whatever is used by now */
    req->err = err;
    return -1;
}

int api_quota_reserve(struct db *db, struct request *req, unsigned documents, uint64_t bytes, struct error *err)
{
    const struct plan_limits *p = plan_of(req);
    struct arena             *a = &req->arena;
    struct rows               r;
    int                       n = db_exec(db, SQL_USAGE_RESERVE,
                                          ARGS(db_int(a, documents), db_int(a, (int64_t)bytes), db_int(a, (int64_t)p->documents),
                                               db_int(a, (int64_t)p->bytes)),
                                          err);

    if (n != 0)
        return n < 0 ? -1 : 0;
    if (db_query(db, a, SQL_USAGE_GET, NO_ARGS, &r, err) < 0 || check(req, &r, documents, bytes, err) < 0)
        return -1;
    return error_set(err, ERR_UNAVAILABLE, "the room of the plan changed meanwhile");
}
