/* audit.h - the form of the audit log outside of the database: the text that a checkpoint signs, and the lines of an export. Knows neither hashes nor
   keys nor rows; docs/audit.md describes the same for others. */
#ifndef DMS_DOMAIN_AUDIT_H
#define DMS_DOMAIN_AUDIT_H

#include "base/text.h"

enum { AUDIT_HASH_HEX = 64 };

/* The hash before the first row. */
extern const char audit_genesis[AUDIT_HASH_HEX + 1];

/* A head of a chain at a time; texts as an export has them: ids and hashes in lower case, at in UTC to the microsecond. */
struct audit_checkpoint {
    const char *tenant_id, *hash, *at, *kid, *signature; /* signature: hex */
    uint64_t    seq;
};

/* What is signed of it. */
void audit_checkpoint_text(struct sb *b, const struct audit_checkpoint *c);
/* It as a line of an export, without the line's end. */
void audit_checkpoint_line(struct sb *b, const struct audit_checkpoint *c);

/* A line of a row: record is what was hashed behind the hash prev. False when it does not end as such a line does. */
struct audit_line {
    struct str record, prev, hash;
};
bool audit_line_split(struct arena *a, struct str line, struct audit_line *ret);

#endif
