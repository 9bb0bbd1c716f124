/* embed.c - document.embed: vectors for the passages of a document that have none of the current model yet, a batch at a time. Each batch
   is kept, so a job that is interrupted goes on where it was. */
#include "jobs/jobs.h"

#include "base/metrics.h"

#include <stdio.h>

enum { BATCH = 64, BATCH_MEMORY = 64 << 20, MAX_TITLE = 200 };

struct embed {
    struct job_run *run;
    struct arena   *arena; /* of this batch */
    struct rows     rows;
    const char     *ids[BATCH + 1], *vectors[BATCH + 1];
    int             n;
    int64_t         after; /* ordinal of the last passage done */
    size_t          total;
    bool            last;
};

static int load_batch(struct embed *e, struct error *err)
{
    const struct job *job = e->run->job;

    return db_query_alone(e->run->db, db_scope_system(job->ref.tenant_id.text), e->arena, SQL_PROCESS_VECTORS_MISSING,
                          ARGS(job->document_id.text, db_int(e->arena, job->version), db_int(e->arena, e->after),
                               embedder_model(e->run->env->embedder), db_int(e->arena, BATCH)),
                          &e->rows, err);
}

/* The title before each passage: a passage from the middle of a text rarely says what it is about. */
static struct str text_of(struct embed *e, struct str passage)
{
    struct sb b = SB(e->arena);

    sb_put(&b, utf8_head(row_str(&e->rows, "title"), MAX_TITLE));
    sb_putc(&b, '\n');
    sb_put(&b, passage);
    return sb_str(&b);
}

static const char *vector_text(struct arena *a, const float *v, size_t dims)
{
    struct sb b = SB(a);
    char      number[32];

    sb_putc(&b, '[');
    for (size_t i = 0; i < dims; i++) {
        int n = snprintf(number, sizeof number, i > 0 ? ",%.6g" : "%.6g", (double)v[i]);

        sb_put(&b, (struct str){ number, (size_t)n });
    }
    sb_putc(&b, ']');
    return sb_str(&b).p;
}

/* Texts into vectors; no transaction is open meanwhile. */
static int embed_batch(struct embed *e, struct error *err)
{
    struct embedder *model = e->run->env->embedder;
    size_t           dims = embedder_dims(model);
    struct str       texts[BATCH];
    float           *vectors = arena_alloc_array(e->arena, BATCH * dims, sizeof *vectors);

    for (e->n = 0; e->n < BATCH && row_next(&e->rows); e->n++) {
        e->ids[e->n] = row_text(&e->rows, "id");
        texts[e->n] = text_of(e, row_str(&e->rows, "text"));
        e->after = row_int(&e->rows, "ordinal");
    }
    e->ids[e->n] = NULL;
    e->last = e->n < BATCH;
    if (!vectors || e->rows.bad || e->arena->failed)
        return error_set(err, ERR_INTERNAL, "a batch of passages does not fit its memory or has other columns");
    if (e->n > 0 && embedder_run(model, EMBED_INGEST, texts, (size_t)e->n, vectors, err) < 0)
        return -1;
    for (int i = 0; i < e->n; i++)
        e->vectors[i] = vector_text(e->arena, vectors + (size_t)i * dims, dims);
    e->vectors[e->n] = NULL;
    return 0;
}

static int finish(struct db *db, struct embed *e, struct error *err)
{
    const struct job *job = e->run->job;
    char              detail[64];

    snprintf(detail, sizeof detail, "{\"vectors\": %zu}", e->total + (size_t)e->n);
    int done = db_exec(
        db, SQL_PROCESS_DONE,
        ARGS(job->document_id.text, db_int(e->arena, job->version), embedder_model(e->run->env->embedder)), err);
    if (done <= 0) /* of an older version, or read again meanwhile: that reading's job will say it */
        return done;
    if (job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts, "vectors", detail,
                      0, err)
        < 0)
        return -1;
    return job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts, "done", NULL, 0,
                         err);
}

static int batch_tx(struct db *db, void *arg, struct error *err)
{
    struct embed     *e = arg;
    const struct job *job = e->run->job;
    int held = e->last ? job_succeed(db, job, err) : job_hold(db, job, (unsigned)e->run->env->settings->job_lease, err);

    if (held < 0)
        return -1;
    if (e->n > 0
        && db_exec(db, SQL_PROCESS_VECTORS_ADD,
                   ARGS(job->document_id.text, embedder_model(e->run->env->embedder), db_array(e->arena, e->ids),
                        db_array(e->arena, e->vectors)),
                   err)
               < 0)
        return -1;
    return e->last ? finish(db, e, err) : 0;
}

static int one_batch(struct embed *e, struct error *err)
{
    struct arena a = ARENA(BATCH_MEMORY);
    int          rc = -1;

    e->arena = &a;
    if (load_batch(e, err) == 0 && embed_batch(e, err) == 0)
        rc = db_in_tx(e->run->db, db_scope_system(e->run->job->ref.tenant_id.text), batch_tx, e, err);
    e->total += (size_t)e->n;
    if (rc == 0)
        metric_add(METRIC_EMBEDDINGS, (uint64_t)e->n);
    arena_free(&a);
    return rc;
}

static int no_model_tx(struct db *db, void *arg, struct error *err)
{
    struct job_run *run = arg;
    struct arena    a = ARENA(4096);
    int             rc = job_succeed(db, run->job, err);

    if (rc == 0)
        rc =
            db_exec(db, SQL_PROCESS_DONE_WITHOUT, ARGS(run->job->document_id.text, db_int(&a, run->job->version)), err);
    if (rc > 0)
        rc = job_event_add(db, run->job->document_id.text, run->job->version, run->job->ref.id.text,
                           run->job->ref.attempts, "done", "{\"vectors\": null}", 0, err);
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

int job_embed(struct job_run *run, struct error *err)
{
    struct embed e = { .run = run, .after = -1 };

    if (!run->env->embedder) { /* the setting changed since the job was made */
        if (db_in_tx(run->db, db_scope_system(run->job->ref.tenant_id.text), no_model_tx, run, err) < 0)
            return -1;
        job_tell(run, "processed", "done");
        return 0;
    }
    while (!e.last) {
        if (atomic_load(run->lost))
            return error_set(err, ERR_CONFLICT, "the lease is lost");
        if (atomic_load(run->stopping) && e.after >= 0)
            return JOB_UNFINISHED;
        if (one_batch(&e, err) < 0)
            return -1;
    }
    job_tell(run, "processed", "done");
    return 0;
}
