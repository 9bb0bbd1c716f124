/* audit.c - see audit.h. */
#include "domain/audit.h"

const char audit_genesis[AUDIT_HASH_HEX + 1] = "0000000000000000000000000000000000000000000000000000000000000000";

/* The first line keeps it apart from whatever else the key may sign. */
void audit_checkpoint_text(struct sb *b, const struct audit_checkpoint *c)
{
    sb_printf(b, "dms-audit-checkpoint-1\n%s\n%llu\n%s\n%s\n", c->tenant_id, (unsigned long long)c->seq, c->hash,
              c->at);
}

void audit_checkpoint_line(struct sb *b, const struct audit_checkpoint *c)
{
    sb_printf(
        b,
        "{\"checkpoint\":{\"tenant_id\":\"%s\",\"seq\":%llu,\"hash\":\"%s\",\"at\":\"%s\"},\"kid\":\"%s\",\"signature\":\"%s\"}",
        c->tenant_id, (unsigned long long)c->seq, c->hash, c->at, c->kid, c->signature);
}

/* Takes `tail` off the end of *s. */
static bool take_tail(struct str *s, struct str tail)
{
    if (s->n < tail.n || memcmp(s->p + s->n - tail.n, tail.p, tail.n) != 0)
        return false;
    s->n -= tail.n;
    return true;
}

static bool take_hash(struct str *s, struct str *ret)
{
    if (s->n < AUDIT_HASH_HEX)
        return false;
    s->n -= AUDIT_HASH_HEX;
    *ret = (struct str){ s->p + s->n, AUDIT_HASH_HEX };
    for (size_t i = 0; i < ret->n; i++) {
        char c = ret->p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

bool audit_line_split(struct arena *a, struct str line, struct audit_line *ret)
{
    struct sb record = SB(a);

    if (!take_tail(&line, S("\"}")) || !take_hash(&line, &ret->hash) || !take_tail(&line, S("\",\"hash\":\""))
        || !take_hash(&line, &ret->prev) || !take_tail(&line, S(",\"prev\":\"")))
        return false;
    sb_put(&record, line);
    sb_putc(&record, '}');
    ret->record = sb_str(&record);
    return !a->failed;
}
