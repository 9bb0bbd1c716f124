/* audit.c - signs the heads of the organizations' audit logs, at most once in a while each, into a table and into the log, which leaves the machine.
   Numbers and hashes are the sealer's, inside PostgreSQL; knows no requests. */
#include "jobs/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/token.h"
#include "domain/audit.h"

enum { AT_ONCE = 200, MEMORY = 4 << 20 };

static int checkpoint(struct db *db, struct arena *a, struct token_keys *keys, struct rows *r, struct error *err)
{
    unsigned char           signature[TOKEN_SIGNATURE];
    char                    now[32], kid[TOKEN_KID_SIZE], hex[2 * TOKEN_SIGNATURE + 1];
    struct audit_checkpoint c = { .tenant_id = row_text(r, "tenant_id"),
                                  .seq = (uint64_t)row_int(r, "seq"),
                                  .hash = row_text(r, "hash"),
                                  .at = now,
                                  .kid = kid,
                                  .signature = hex };
    struct sb               text = SB(a), line = SB(a);
    struct rows             ignored;

    clock_rfc3339(now, clock_wall_us());
    audit_checkpoint_text(&text, &c);
    if (token_sign_text(keys, sb_str(&text), kid, signature, err) < 0)
        return -1;
    hex_encode(hex, signature, sizeof signature);
    if (db_query_alone(db, (struct db_scope){ .tenant_id = c.tenant_id }, a, SQL_AUDIT_CHECKPOINT_ADD,
                       ARGS(db_int(a, (int64_t)c.seq), c.hash, now, kid, hex), &ignored, err)
        < 0)
        return -1;
    sb_puts(&line, ",\"audit\":");
    audit_checkpoint_line(&line, &c);
    log_line(LOG_INFO, "the head of an audit log was signed", sb_str(&line));
    return 0;
}

void audit_checkpoints(struct db *db, struct token_keys *keys, unsigned age_s)
{
    struct arena a = ARENA(MEMORY);
    struct error err = { 0 };
    struct rows  r;

    if (db_query_alone(db, (struct db_scope){ 0 }, &a, SQL_AUDIT_CHECKPOINT_DUE,
                       ARGS(db_int(&a, age_s), db_int(&a, AT_ONCE)), &r, &err)
        == 0)
        while (err.code == ERR_NONE && row_next(&r))
            if (checkpoint(db, &a, keys, &r, &err) < 0)
                break;
    if (err.code != ERR_NONE)
        log_at(LOG_WARNING, "audit logs were not signed: %s", err.detail);
    arena_free(&a);
}
