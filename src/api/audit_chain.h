/* audit_chain.h - going over a tenant's chained audit log: every link, its signed checkpoints, and rows that stand outside of it. */
#ifndef DMS_API_AUDIT_CHAIN_H
#define DMS_API_AUDIT_CHAIN_H

#include "crypto/token.h"
#include "store/db.h"

struct audit_report {
    uint64_t    links, waiting;         /* rows in the chain; rows that have no number yet */
    const char *head;                   /* hash of the last link; NULL: there is none */
    uint64_t    checkpoints, unchecked; /* unchecked: of those, signed with a key that is not here */
    const char *fault, *bad_id; /* fault NULL: everything holds; else a word of docs/audit.md, of the first bad row */
    uint64_t    bad_seq;        /* 0: it has no number */
};

/* In a transaction of that tenant. keys NULL: signatures are not checked. Only one at a time goes over a tenant's log: else ERR_CONFLICT. */
MUST_CHECK int audit_verify(struct db *db, struct arena *a, const char *tenant_id, struct token_keys *keys,
                            struct audit_report *ret, struct error *err);
/* Waits for nobody: ERR_CONFLICT when somebody else reads this tenant's whole log. For the rest of the transaction. */
MUST_CHECK int audit_take_turn(struct db *db, const char *tenant_id, uint64_t *ret_waiting, struct error *err);
/* {"ok": …, "rows": …, "head": …, "first_bad": …} and what else is known. */
void audit_report_json(struct sb *b, const struct audit_report *r);

#endif
