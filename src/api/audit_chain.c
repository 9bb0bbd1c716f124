/* audit_chain.c - see audit_chain.h. The hashes are computed by PostgreSQL, from the rows as they stand; offline it is cmd/admin_audit.c. */
#include "api/audit_chain.h"

#include "domain/audit.h"

enum { PAGE = 5000, PAGE_MEMORY = 1 << 20 };

int audit_take_turn(struct db *db, const char *tenant_id, uint64_t *ret_waiting, struct error *err)
{
    struct arena a = ARENA(PAGE_MEMORY);
    struct rows  r = { 0 };
    int          rc = db_query(db, &a, SQL_AUDIT_TURN, ARGS(tenant_id), &r, err);

    if (rc == 0 && row_next(&r) && !row_bool(&r, "mine"))
        rc = error_say(err, ERR_CONFLICT, NULL,
                       "The audit log is being checked or exported right now. Try again in a moment.");
    if (rc == 0) {
        *ret_waiting = (uint64_t)row_int(&r, "waiting");
        rc = r.bad ? error_set(err, ERR_INTERNAL, "AUDIT_TURN: unexpected columns") : 0;
    }
    arena_free(&a);
    return rc;
}

static void found(struct audit_report *ret, const char *fault, uint64_t seq, const char *id)
{
    ret->fault = fault;
    ret->bad_seq = seq;
    ret->bad_id = id;
}

/* 1: there is more, 0: that was all, or something does not hold. */
static int page(struct db *db, struct arena *keep, uint64_t *seq, struct audit_report *ret, struct error *err)
{
    struct arena a = ARENA(PAGE_MEMORY);
    struct rows  r = { 0 };
    int          more = 0;

    if (db_query(db, &a, SQL_AUDIT_VERIFY_PAGE,
                 ARGS(db_int(&a, (int64_t)*seq), ret->head ? ret->head : audit_genesis, db_int(&a, PAGE)), &r, err)
        < 0)
        more = -1;
    else if (row_next(&r)) {
        uint64_t links = (uint64_t)row_int(&r, "links");

        *seq = (uint64_t)row_int(&r, "seq");
        ret->links += links;
        ret->head = str_dup(keep, row_str(&r, "hash"));
        if (!row_null(&r, "fault"))
            found(ret, str_dup(keep, row_str(&r, "fault")), (uint64_t)row_int(&r, "bad_seq"),
                  str_dup(keep, row_str(&r, "bad_id")));
        more = links == PAGE && !ret->fault;
        if (r.bad)
            more = error_set(err, ERR_INTERNAL, "AUDIT_VERIFY_PAGE: unexpected columns");
    }
    arena_free(&a);
    return more;
}

static void check_signature(struct arena *a, const char *tenant_id, struct rows *r, struct token_keys *keys,
                            struct audit_report *ret)
{
    unsigned char           signature[TOKEN_SIGNATURE];
    struct sb               text = SB(a);
    struct audit_checkpoint c = {
        .tenant_id = tenant_id, .seq = (uint64_t)row_int(r, "seq"), .hash = row_text(r, "hash"), .at = row_text(r, "at")
    };

    audit_checkpoint_text(&text, &c);
    int good = !hex_decode(signature, sizeof signature, row_str(r, "signature")) ? 0
               : keys ? token_check_text(keys, row_text(r, "kid"), sb_str(&text), signature)
                      : -1;
    ret->unchecked += good < 0;
    if (good == 0)
        found(ret, "signature", c.seq, NULL);
}

/* What was signed must still stand there: a chain that was made anew, or cut, is another one. */
static int check_checkpoints(struct db *db, struct arena *a, const char *tenant_id, struct token_keys *keys,
                             uint64_t last, struct audit_report *ret, struct error *err)
{
    struct rows r;

    if (db_query(db, a, SQL_AUDIT_CHECKPOINTS, ARGS("1", db_int(a, INT64_MAX)), &r, err) < 0)
        return -1;
    while (!ret->fault && row_next(&r)) {
        ret->checkpoints++;
        if (row_null(&r, "there"))
            found(ret, "cut", last + 1, NULL);
        else if (strcmp(row_text(&r, "hash"), row_text(&r, "there")) != 0)
            found(ret, "checkpoint", (uint64_t)row_int(&r, "seq"), NULL);
        else
            check_signature(a, tenant_id, &r, keys, ret);
    }
    return r.bad ? error_set(err, ERR_INTERNAL, "AUDIT_CHECKPOINTS: unexpected columns") : 0;
}

static int check_strays(struct db *db, struct arena *a, struct audit_report *ret, struct error *err)
{
    struct rows r;

    if (db_query(db, a, SQL_AUDIT_VERIFY_STRAYS, NO_ARGS, &r, err) < 0)
        return -1;
    if (row_next(&r))
        found(ret, "stray", 0, row_text(&r, "id"));
    return 0;
}

int audit_verify(struct db *db, struct arena *a, const char *tenant_id, struct token_keys *keys,
                 struct audit_report *ret, struct error *err)
{
    uint64_t seq = 0;
    int      more = 1;

    *ret = (struct audit_report){ 0 };
    if (audit_take_turn(db, tenant_id, &ret->waiting, err) < 0)
        return -1;
    while (more > 0)
        more = page(db, a, &seq, ret, err);
    if (more < 0)
        return -1;
    if (!ret->fault && check_checkpoints(db, a, tenant_id, keys, seq, ret, err) < 0)
        return -1;
    return ret->fault ? 0 : check_strays(db, a, ret, err);
}

void audit_report_json(struct sb *b, const struct audit_report *r)
{
    sb_printf(b, "{\"ok\":%s,\"rows\":%llu,\"waiting\":%llu,\"head\":", r->fault ? "false" : "true",
              (unsigned long long)r->links, (unsigned long long)r->waiting);
    sb_json(b, r->head);
    sb_printf(b,
              ",\"checkpoints\":%llu,\"checkpoints_unchecked\":%llu,\"first_bad\":", (unsigned long long)r->checkpoints,
              (unsigned long long)r->unchecked);
    if (!r->fault) {
        sb_put(b, S("null}"));
        return;
    }
    sb_put(b, S("{\"seq\":"));
    if (r->bad_seq > 0)
        sb_put_u64(b, r->bad_seq);
    else
        sb_put(b, S("null"));
    sb_put(b, S(",\"id\":"));
    sb_json(b, r->bad_id);
    sb_put(b, S(",\"fault\":"));
    sb_json(b, r->fault);
    sb_put(b, S("}}"));
}
