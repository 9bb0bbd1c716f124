/* admin_audit.c - `dms admin audit verify [FILE]`: goes over the chained audit logs of an installation as the operators' role, or over an export, for
   which neither installation nor database is needed. What is looked for is described in docs/audit.md. */
#include "cmd/admin.h"

#include "api/audit_chain.h"
#include "base/file.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "domain/audit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

enum { OPTION_ORGANIZATION = OPTION_OWN, LINE_MEMORY = 16 << 20, MAX_DEPTH = 64, MAX_KEYS = 20000 };

struct options {
    struct verb_options said;
    const char         *organization;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    if (key != OPTION_ORGANIZATION)
        return app_parse_verb(key, arg, state);
    o->organization = arg;
    return 0;
}

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "one JSON array", 0 },
    { "organization", OPTION_ORGANIZATION, "NAME", 0, "only the organization of that name or id", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse,
    .args_doc = "verify [FILE]",
    .doc =
        "Checks that nobody has changed, removed, put in or moved a row of the audit log: in the database, of every organization; or in FILE, an export "
        "as JSON lines. Exit status 1 when something does not hold; the first bad row is named.",
};

static const struct {
    const char *fault, *says;
} faults[] = {
    { "changed", "a row is not what it was when it was sealed" },
    { "missing", "a row is gone" },
    { "gap", "numbers are missing before it" },
    { "cut", "the log ends here, but a signed checkpoint says that it was longer" },
    { "checkpoint", "the log is not the one that was signed here" },
    { "signature", "the signature of the checkpoint here is not good" },
    { "stray", "a row stands outside of the chain" },
    { "unreadable", "a line is no row of an export as JSON lines" },
};

static const char *sentence(const char *fault)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (strcmp(faults[i].fault, fault) == 0)
            return faults[i].says;
    return fault;
}

static void print_report(struct sb *b, const struct options *o, const char *id, const char *name,
                         const struct audit_report *r)
{
    if (o->said.json) {
        sb_puts(b, b->n > 0 ? ",\n{\"organization\":" : "[{\"organization\":");
        sb_json(b, name);
        sb_puts(b, ",\"tenant_id\":");
        sb_json(b, id);
        sb_puts(b, ",\"report\":");
        audit_report_json(b, r);
        sb_putc(b, '}');
        return;
    }
    sb_printf(b, "%s  %s  %llu rows  head %s  %llu checkpoints", name, r->fault ? "BAD" : "ok",
              (unsigned long long)r->links, r->head ? r->head : "-", (unsigned long long)r->checkpoints);
    if (r->unchecked > 0)
        sb_printf(b, " (%llu signed with a key that is not here)", (unsigned long long)r->unchecked);
    if (r->fault && r->bad_seq > 0)
        sb_printf(b, "  first bad row %llu", (unsigned long long)r->bad_seq);
    if (r->fault)
        sb_printf(b, "%s%s: %s", r->bad_id ? "  id " : "", r->bad_id ? r->bad_id : "", sentence(r->fault));
    sb_putc(b, '\n');
}

/* --- in the database --- */

struct online {
    struct arena        *arena;
    const char          *tenant_id;
    struct token_keys   *keys;
    struct audit_report *report;
};

static int verify_tx(struct db *db, void *arg, struct error *err)
{
    struct online *x = arg;

    return audit_verify(db, x->arena, x->tenant_id, x->keys, x->report, err);
}

/* 1: everything holds, 0: something does not. */
static int verify_database(struct app *app, struct db *db, const struct options *o, struct sb *out, struct error *err)
{
    struct error       no_keys = { 0 };
    struct token_keys *keys = app_token_keys(app, &no_keys); /* without: signatures are not checked, and that is said */
    struct rows        tenants;
    int                good = 1;

    if (db_query_alone(db, (struct db_scope){ 0 }, &app->arena, SQL_ADMIN_AUDIT_TENANTS,
                       ARGS(o->organization ? o->organization : ""), &tenants, err)
        < 0)
        good = -1;
    if (good > 0 && o->organization && tenants.count == 0)
        good = error_say(err, ERR_NOT_FOUND, NULL, "There is no organization %.100s.", o->organization);
    while (good >= 0 && row_next(&tenants)) {
        struct arena        a = ARENA(LINE_MEMORY);
        struct audit_report report;
        struct online       x = { &a, row_text(&tenants, "tenant_id"), keys, &report };

        if (db_in_tx(db, (struct db_scope){ .tenant_id = x.tenant_id }, verify_tx, &x, err) < 0)
            good = -1;
        else {
            print_report(out, o, x.tenant_id, row_text(&tenants, "name"), &report);
            good = report.fault ? 0 : good;
        }
        arena_free(&a);
    }
    token_keys_close(keys);
    return good;
}

static int verify_online(struct app *app, const struct options *o, struct sb *out, struct error *err)
{
    const char *conninfo = app_database(app, APP_ROLE_OPS, err);
    struct db  *db = conninfo ? db_open(conninfo, "dms admin", err) : NULL;
    int         good = db ? verify_database(app, db, o, out, err) : -1;

    db_close(db);
    return good;
}

/* --- in an export --- */

struct signed_head {
    struct signed_head *next;
    uint64_t            seq;
    const char         *tenant_id, *hash;
};

struct offline {
    struct app         *app;
    struct token_keys  *keys;
    struct signed_head *heads;
    const char         *tenant_id; /* of the first row */
    uint64_t            first, last;
    char                head[AUDIT_HASH_HEX + 1], bad_id[64];
    struct audit_report report;
};

static void bad(struct offline *x, const char *fault, uint64_t seq, const char *id)
{
    snprintf(x->bad_id, sizeof x->bad_id, "%s", id ? id : "");
    x->report.fault = fault;
    x->report.bad_seq = seq;
    x->report.bad_id = x->bad_id[0] ? x->bad_id : NULL;
}

static void take_head(struct offline *x, struct arena *a, const json_t *line)
{
    unsigned char           signature[TOKEN_SIGNATURE];
    const json_t           *v = jv_get(line, "checkpoint");
    struct audit_checkpoint c = { .tenant_id = jv_text(v, "tenant_id", ""),
                                  .seq = (uint64_t)jv_int(v, "seq", 0),
                                  .hash = jv_text(v, "hash", ""),
                                  .at = jv_text(v, "at", ""),
                                  .kid = jv_text(line, "kid", "") };
    struct signed_head     *kept = arena_alloc(&x->app->arena, sizeof *kept);
    struct sb               text = SB(a);

    audit_checkpoint_text(&text, &c);
    int good = !kept || !hex_decode(signature, sizeof signature, str_of(jv_text(line, "signature", ""))) ? 0
               : x->keys ? token_check_text(x->keys, c.kid, sb_str(&text), signature)
                         : -1;
    x->report.checkpoints++;
    x->report.unchecked += good < 0;
    if (good == 0) {
        bad(x, "signature", c.seq, NULL);
        return;
    }
    *kept = (struct signed_head){ x->heads, c.seq, arena_text(&x->app->arena, c.tenant_id, strlen(c.tenant_id)),
                                  arena_text(&x->app->arena, c.hash, strlen(c.hash)) };
    x->heads = kept;
}

/* Whether the hash of this row is that of its record behind the hash of the one before. */
static bool hash_holds(struct arena *a, const struct audit_line *l)
{
    unsigned char prev[HASH_SIZE], digest[HASH_SIZE], said[HASH_SIZE];
    struct sb     bytes = SB(a);

    if (!hex_decode(prev, sizeof prev, l->prev) || !hex_decode(said, sizeof said, l->hash))
        return false;
    sb_put(&bytes, (struct str){ (const char *)prev, sizeof prev });
    sb_put(&bytes, l->record);
    hash_of(sb_str(&bytes), digest);
    return !a->failed && memcmp(digest, said, sizeof digest) == 0;
}

static bool signed_otherwise(const struct offline *x, uint64_t seq, struct str hash)
{
    for (const struct signed_head *h = x->heads; h; h = h->next)
        if (h->seq == seq && (!str_eq(str_of(h->hash), hash) || strcmp(h->tenant_id, x->tenant_id) != 0))
            return true;
    return false;
}

static void take_row(struct offline *x, struct arena *a, const struct audit_line *l, const json_t *record)
{
    uint64_t    seq = (uint64_t)jv_int(record, "seq", 0);
    const char *id = jv_text(record, "id", NULL), *tenant_id = jv_text(record, "tenant_id", "");
    bool        first = x->report.links == 0;
    const char *prev = first ? seq == 1 ? audit_genesis : NULL : x->head;

    if (first) {
        x->first = seq;
        x->tenant_id = arena_text(&x->app->arena, tenant_id, strlen(tenant_id));
    }
    if (seq == 0 || !id || (!first && seq > x->last + 1))
        bad(x, seq == 0 || !id ? "unreadable" : "gap", first ? 0 : x->last + 1, NULL);
    else if ((!first && seq != x->last + 1) || strcmp(tenant_id, x->tenant_id) != 0 || !hash_holds(a, l)
             || (prev && !str_eq(l->prev, str_of(prev))))
        bad(x, "changed", seq, id);
    else if (signed_otherwise(x, seq, l->hash))
        bad(x, "checkpoint", seq, id);
    x->report.links++;
    x->last = seq;
    memcpy(x->head, l->hash.p, AUDIT_HASH_HEX);
    x->report.head = x->head;
}

static void take_line(struct offline *x, struct str line)
{
    struct arena      a = ARENA(LINE_MEMORY);
    struct error      ignored = { 0 };
    struct audit_line l;

    if (str_starts(line, S("{\"checkpoint\":"))) {
        const json_t *v = json_read(&a, line, MAX_DEPTH, MAX_KEYS, &ignored);

        if (v && x->report.links == 0)
            take_head(x, &a, v);
        else
            bad(x, "unreadable", x->last + 1, NULL);
    } else {
        const json_t *v =
            audit_line_split(&a, line, &l) ? json_read(&a, l.record, MAX_DEPTH, MAX_KEYS, &ignored) : NULL;

        if (v)
            take_row(x, &a, &l, v);
        else
            bad(x, "unreadable", x->last + 1, NULL);
    }
    arena_free(&a);
}

static void check_end(struct offline *x)
{
    for (const struct signed_head *h = x->heads; h && !x->report.fault; h = h->next)
        if (h->seq > x->last || h->seq < x->first)
            bad(x, "cut", x->last + 1, NULL);
}

/* 1: everything holds, 0: something does not. */
static int verify_file(struct app *app, const struct options *o, struct sb *out, struct error *err)
{
    _cleanup_(fclosep) FILE *f = strcmp(o->said.object, "-") == 0 ? fdopen(0, "re") : fopen(o->said.object, "re");
    struct error             no_keys = { 0 };
    struct offline           x = { .app = app, .keys = f ? app_token_keys(app, &no_keys) : NULL };
    char                    *line = NULL;
    size_t                   size = 0;
    ssize_t                  n;

    if (!f)
        return error_say(err, ERR_NOT_FOUND, NULL, "Cannot open %.150s: %s.", o->said.object, strerror(errno));
    while (!x.report.fault && (n = getline(&line, &size, f)) > 0) {
        struct str text = { line, (size_t)n - (line[n - 1] == '\n') };

        take_line(&x, text);
    }
    free(line);
    token_keys_close(x.keys);
    check_end(&x);
    if (!x.report.fault && x.first > 1)
        fprintf(stderr, "dms: this export begins with row %llu; what was before is not in it.\n",
                (unsigned long long)x.first);
    print_report(out, o, x.tenant_id, o->said.object, &x.report);
    return x.report.fault ? 0 : 1;
}

int admin_audit(struct app *app, int argc, char **argv)
{
    struct options o = { 0 };
    struct error   err = { 0 };
    struct sb      out = SB(&app->arena);

    app_arguments(app, &parser, argc, argv, &o);
    if (!o.said.verb || strcmp(o.said.verb, "verify") != 0) {
        fputs("dms: say what: `dms admin audit verify [FILE]`.\n", stderr);
        return 2;
    }
    int good = o.said.object ? verify_file(app, &o, &out, &err) : verify_online(app, &o, &out, &err);
    if (o.said.json && good >= 0)
        sb_puts(&out, out.n > 0 ? "]\n" : "[]\n");
    fwrite(sb_str(&out).p, 1, out.n, stdout);
    return good < 0 ? app_fail(&err) : good > 0 ? 0 : 1;
}
