/* job_tool - drives store/job.c for test_jobs.py: a command a line on stdin, an answer a line on stdout. Words are separated by spaces.
   usage: job_tool CONNINFO TENANT */
#include "store/job.h"

#include <stdio.h>

enum { HANDS = 16, WORDS = 8 };

struct tool {
    struct db  *db;
    const char *tenant;
    struct job  hand[HANDS];
    const char *word[WORDS];
    char        out[8192];
};

static uint64_t number(const struct tool *t, unsigned i)
{
    struct error err = { 0 };
    uint64_t     v = 0;

    if (!t->word[i] || parse_u64("number", str_of(t->word[i]), 0, UINT64_MAX / 2, &v, &err) < 0)
        abort();
    return v;
}

static struct job *hand(struct tool *t)
{
    return &t->hand[number(t, 1) % HANDS];
}

static const char *opt(const struct tool *t, unsigned i)
{
    return strcmp(t->word[i], "-") == 0 ? NULL : t->word[i];
}

/* enqueue KIND DOCUMENT VERSION PRIORITY */
static int enqueue(struct db *db, void *arg, struct error *err)
{
    struct tool   *t = arg;
    struct job_ref ref;
    enum job_kind  kind;

    if (job_kind_of(t->word[1], &kind) < 0)
        abort();
    if (job_enqueue(db, t->tenant, kind, opt(t, 2), (unsigned)number(t, 3), (unsigned)number(t, 4), NULL, &ref, err)
        < 0)
        return -1;
    snprintf(t->out, sizeof t->out, "%s %u", ref.id.text, ref.priority);
    return 0;
}

static int succeed(struct db *db, void *arg, struct error *err)
{
    return job_succeed(db, hand(arg), err);
}

/* hold HAND LEASE EVENT: an effect of a job that goes on */
static int hold(struct db *db, void *arg, struct error *err)
{
    struct tool *t = arg;
    struct job  *job = hand(t);

    /* the order of a careless caller: the effect first; the lost lease must still undo it */
    if (job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts, t->word[3], NULL, 0,
                      err)
        < 0)
        return -1;
    return job_hold(db, job, (unsigned)number(t, 2), err);
}

static int retry(struct db *db, void *arg, struct error *err)
{
    struct tool *t = arg;

    return job_retry(db, hand(t), number(t, 2), "{\"code\": \"busy\"}", err);
}

static int fail(struct db *db, void *arg, struct error *err)
{
    return job_fail(db, hand(arg), "{\"code\": \"damaged\"}", err);
}

static int cancel(struct db *db, void *arg, struct error *err)
{
    struct tool *t = arg;
    int          rc = job_cancel(db, t->word[1], err);

    snprintf(t->out, sizeof t->out, "%d", rc);
    return rc < 0 ? -1 : 0;
}

static int claim(struct tool *t, struct error *err)
{
    struct job *job = hand(t);
    int         rc = job_claim(t->db, t->tenant, t->word[2], t->word[3], (unsigned)number(t, 4), job, err);

    snprintf(t->out, sizeof t->out, rc > 0 ? "claimed %lld %u" : "none", (long long)job->fence, job->ref.attempts);
    return rc < 0 ? -1 : 0;
}

static int say(struct tool *t, int rc)
{
    snprintf(t->out, sizeof t->out, "%s", rc == 0 ? "ok" : "lost");
    return rc < 0 ? -1 : 0;
}

/* due LIMIT RESEND QUEUE */
static int due(struct tool *t, struct error *err)
{
    struct arena      a = ARENA(1 << 20);
    const char *const queues[] = { t->word[3], NULL };
    struct job_ref   *refs;
    size_t            n, at = 0;
    int               rc = job_due(t->db, &a, queues, (unsigned)number(t, 1), (unsigned)number(t, 2), &refs, &n, err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        at += (size_t)snprintf(t->out + at, sizeof t->out - at, "%s%s", i > 0 ? " " : "", refs[i].id.text);
    arena_free(&a);
    return rc;
}

static int in_tx(struct tool *t, tx_fn *fn, struct error *err)
{
    return db_in_tx(t->db, (struct db_scope){ .tenant_id = t->tenant }, fn, t, err);
}

static int obey(struct tool *t, struct error *err)
{
    static const struct {
        const char *name;
        tx_fn      *fn;
    } in_txs[] = { { "enqueue", enqueue }, { "succeed", succeed }, { "hold", hold },
                   { "retry", retry },     { "fail", fail },       { "cancel", cancel } };
    const char *verb = t->word[0];

    snprintf(t->out, sizeof t->out, "ok");
    for (size_t i = 0; i < ARRAY_LEN(in_txs); i++)
        if (strcmp(in_txs[i].name, verb) == 0)
            return in_tx(t, in_txs[i].fn, err);
    t->out[0] = '\0';
    if (strcmp(verb, "claim") == 0)
        return claim(t, err);
    if (strcmp(verb, "renew") == 0)
        return say(t, job_renew(t->db, hand(t), (unsigned)number(t, 2), err));
    if (strcmp(verb, "back") == 0)
        return say(t, job_give_back(t->db, hand(t), err));
    if (strcmp(verb, "delay") == 0)
        return say(t, job_delay(t->db, t->tenant, t->word[1], (int64_t)number(t, 2), err));
    if (strcmp(verb, "due") == 0)
        return due(t, err);
    abort();
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    struct tool  t = { 0 };
    char         line[1024];

    if (argc != 3 || !(t.db = db_open(argv[1], "job_tool", &err)))
        return 2;
    t.tenant = argv[2];
    while (fgets(line, sizeof line, stdin)) {
        struct arena a = ARENA(8192);
        struct str   rest = str_trim(str_of(line));

        for (unsigned i = 0; i < WORDS; i++)
            t.word[i] = rest.p ? str_dup(&a, str_cut(&rest, ' ')) : NULL;
        err = (struct error){ 0 };
        if (obey(&t, &err) == 0)
            printf("%s\n", t.out);
        else
            printf("error %s%s %s\n", error_info[err.code].code, job_is_lost(&err) ? " lost" : "", err.detail);
        fflush(stdout);
        arena_free(&a);
    }
    db_close(t.db);
    return 0;
}
