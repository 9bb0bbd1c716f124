/* process.c - document.process: reads the text out of a version's file, cuts it into passages, and makes the document say so. A version
   that is no longer the current one only gets its text, for comparing versions. */
#include "jobs/extract_run.h"
#include "jobs/jobs.h"

#include "base/clock.h"
#include "domain/chunking.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    CHUNKS_AT_ONCE = 500, /* rows of one INSERT: well within the statement time-out */
    BATCH_MEMORY = 64 << 20,
    MAX_TAGS = 50,
    MAX_TAG_BYTES = 64,
    MAX_WORD_BYTES = 100, /* type, version_label */
    LINES = 4,
    SHOW_AT_ONCE_US = 1000 * 1000, /* slower work shows its steps before the end */
};

/* A line of the timeline that has not been written yet. */
struct line {
    const char *step, *detail;
    int64_t     at_us;
};

struct process {
    struct job_run     *run;
    const char         *name, *sha256, *extracted, *note;
    bool                gone, current;
    struct extraction   x;
    const struct chunk *chunks;
    size_t              chunk_count;
    struct line         lines[LINES];
    unsigned            line_count, lines_written;
    struct job_ref      next; /* the job after this one */
    bool                has_next;
};

static int process_load(struct process *p, struct error *err)
{
    const struct job *job = p->run->job;
    struct rows       r;

    if (db_query_alone(p->run->db, db_scope_system(job->ref.tenant_id.text), p->run->arena, SQL_PROCESS_LOAD,
                       ARGS(job->document_id.text, db_int(p->run->arena, job->version)), &r, err)
        < 0)
        return -1;
    p->gone = !row_next(&r) || row_bool(&r, "gone");
    if (p->gone)
        return 0;
    p->name = row_text(&r, "name");
    p->sha256 = row_text(&r, "sha256");
    p->current = row_int(&r, "current") == job->version;
    return r.bad ? error_set(err, ERR_INTERNAL, "process_load: not the columns that were expected") : 0;
}

/* The timeline. */

PRINTF_LIKE(3, 4) static void note_line(struct process *p, const char *step, const char *fmt, ...)
{
    char    detail[512];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    assert(p->line_count < LINES && n > 0 && (size_t)n < sizeof detail);
    p->lines[p->line_count++] = (struct line){ step, arena_text(p->run->arena, detail, (size_t)n), clock_wall_us() };
}

/* In a transaction; lines_written moves only with its commit. */
static int write_lines(struct db *db, struct process *p, struct error *err)
{
    const struct job *job = p->run->job;

    for (unsigned i = p->lines_written; i < p->line_count; i++)
        if (job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts,
                          p->lines[i].step, p->lines[i].detail, p->lines[i].at_us, err)
            < 0)
            return -1;
    return 0;
}

static int lines_tx(struct db *db, void *arg, struct error *err)
{
    struct process *p = arg;

    if (job_hold(db, p->run->job, (unsigned)p->run->env->settings->job_lease, err) < 0)
        return -1;
    return write_lines(db, p, err);
}

static int show_lines_if_slow(struct process *p, int64_t start_us, struct error *err)
{
    if (clock_steady_us() - start_us < SHOW_AT_ONCE_US)
        return 0;
    if (db_in_tx(p->run->db, db_scope_system(p->run->job->ref.tenant_id.text), lines_tx, p, err) < 0)
        return -1;
    p->lines_written = p->line_count;
    job_tell(p->run, "processing", p->lines[p->line_count - 1].step);
    return 0;
}

/* What the file says about itself. */

static void put_tag(struct sb *b, struct str tag, unsigned *count)
{
    tag = str_trim(tag);
    if (tag.n == 0 || tag.n > MAX_TAG_BYTES || !text_printable(tag) || *count >= MAX_TAGS)
        return;
    if ((*count)++ > 0)
        sb_putc(b, ',');
    sb_json_str(b, tag);
}

/* A list, or words between commas. */
static void put_tags(struct sb *b, const json_t *tags)
{
    unsigned    count = 0;
    const char *text = jv_string(tags);

    sb_putc(b, '[');
    for (size_t i = 0; i < jv_count(tags); i++)
        if (jv_string(jv_at(tags, i)))
            put_tag(b, str_of(jv_string(jv_at(tags, i))), &count);
    for (struct str rest = str_of(text ? text : ""); rest.n > 0;)
        put_tag(b, str_cut(&rest, ','), &count);
    sb_putc(b, ']');
}

static void put_word(struct sb *b, const char *name, const char *word)
{
    sb_printf(b, ", \"%s\": ", name);
    sb_json(b, word && word[0] && strlen(word) <= MAX_WORD_BYTES && text_printable(str_of(word)) ? word : NULL);
}

/* document_version.extracted */
static const char *extracted_json(struct arena *a, const json_t *metadata)
{
    struct sb b = SB(a);

    sb_puts(&b, "{\"metadata\": ");
    if (jv_is_object(metadata))
        json_write(&b, metadata);
    else
        sb_puts(&b, "{}");
    sb_puts(&b, ", \"tags\": ");
    put_tags(&b, jv_get(metadata, "tags"));
    put_word(&b, "type", jv_text(metadata, "type", NULL));
    put_word(&b, "version_label", jv_text(metadata, "version", NULL));
    sb_putc(&b, '}');
    return sb_str(&b).p;
}

/* Reading and cutting. */

static int process_extract(struct process *p, struct error *err)
{
    const struct settings *set = p->run->env->settings;
    struct extract_limits  limits = EXTRACT_LIMITS_DEFAULT;
    uint64_t               size;
    _cleanup_(closep) int  fd = -1;

    limits.program = p->run->env->extract_program;
    limits.max_text_bytes =
        set->extract_text < EXTRACTION_MAX_TEXT_BYTES ? set->extract_text : EXTRACTION_MAX_TEXT_BYTES;
    limits.max_pages = set->extract_pages < EXTRACTION_MAX_PAGES ? set->extract_pages : EXTRACTION_MAX_PAGES;
    limits.max_memory_bytes = set->extract_memory;
    limits.max_file_bytes = set->max_upload;
    limits.wall_seconds = (unsigned)set->extract_seconds;
    limits.cpu_seconds = (unsigned)set->extract_seconds;
    if (blob_open(p->run->env->blobs, p->run->job->ref.tenant_id.text, p->sha256, &fd, &size, err) < 0)
        return -1;
    if (extract_run(p->run->arena, &limits, fd, p->name, &p->x, err) < 0)
        return -1;
    note_line(p, "typed", "{\"mime_type\": \"%s\"}", p->x.mime_type);
    p->extracted = extracted_json(p->run->arena, p->x.metadata);
    return 0;
}

static size_t count_tokens(void *arg, struct str text)
{
    return embedder_count_tokens(arg, text);
}

static int process_chunk(struct process *p, struct error *err)
{
    const struct settings *set = p->run->env->settings;
    struct embedder       *e = p->run->env->embedder;
    struct chunk_rules     rules = { .max_tokens = set->chunk_tokens,
                                     .overlap_tokens = set->chunk_overlap,
                                     .max_chunks = set->chunks_max,
                                     .count_tokens = e ? count_tokens : NULL,
                                     .arg = e };
    bool                   cut = false;

    if (rules.overlap_tokens * 2 > rules.max_tokens)
        rules.overlap_tokens = rules.max_tokens / 2;
    if (chunk_blocks(p->run->arena, p->x.blocks, p->x.block_count, &rules, &p->chunks, &p->chunk_count, &cut, err) < 0)
        return -1;
    p->note = cut ? "only the beginning can be searched: the document is too long" : p->x.note;
    note_line(p, "chunks", "{\"chunks\": %zu}", p->chunk_count);
    return 0;
}

/* Writing. */

static int add_chunks(struct db *db, struct process *p, const char *title, size_t from, size_t n, struct error *err)
{
    const struct job  *job = p->run->job;
    struct arena       a = ARENA(BATCH_MEMORY);
    const char *const *lists[6];
    const char       **columns[6];

    for (size_t c = 0; c < ARRAY_LEN(columns); c++)
        lists[c] = columns[c] = arena_alloc_array(&a, n + 1, sizeof(char *));
    for (size_t i = 0; i < n && !a.failed; i++) {
        const struct chunk *k = &p->chunks[from + i];
        struct uuid         id = uuid_v7();

        columns[0][i] = arena_text(&a, id.text, sizeof id.text - 1);
        columns[1][i] = db_int(&a, k->ordinal);
        columns[2][i] = db_int(&a, k->page);
        columns[3][i] = k->section;
        columns[4][i] = str_dup(&a, k->text);
        columns[5][i] = db_int(&a, k->tokens);
    }
    int rc = -1;
    if (a.failed)
        error_set(err, ERR_TOO_LARGE, "%zu passages take more than the memory for them", n);
    else
        rc = db_exec(db, SQL_PROCESS_CHUNKS_ADD,
                     ARGS(job->document_id.text, db_int(&a, job->version), title, db_array(&a, lists[0]),
                          db_array(&a, lists[1]), db_array(&a, lists[2]), db_array(&a, lists[3]),
                          db_array(&a, lists[4]), db_array(&a, lists[5])),
                     err);
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

static int replace_chunks(struct db *db, struct process *p, const char *title, struct error *err)
{
    if (db_exec(db, SQL_PROCESS_CHUNKS_DELETE, ARGS(p->run->job->document_id.text), err) < 0)
        return -1;
    for (size_t from = 0; from < p->chunk_count; from += CHUNKS_AT_ONCE) {
        size_t n = p->chunk_count - from < CHUNKS_AT_ONCE ? p->chunk_count - from : CHUNKS_AT_ONCE;

        if (add_chunks(db, p, title, from, n, err) < 0)
            return -1;
    }
    return 0;
}

/* The document as it is now; *ret_title NULL when a newer version came meanwhile. */
static int update_document(struct db *db, struct process *p, bool done, const char **ret_title, struct error *err)
{
    const struct job *job = p->run->job;
    struct arena     *a = p->run->arena;
    struct rows       r;

    if (db_query(db, a, SQL_PROCESS_DOCUMENT,
                 ARGS(job->document_id.text, db_int(a, job->version), p->x.mime_type, done ? "processed" : "processing",
                      db_int(a, p->x.page_count), db_int(a, (int64_t)p->chunk_count), p->x.language, p->note,
                      p->x.title, p->extracted),
                 &r, err)
        < 0)
        return -1;
    *ret_title = row_next(&r) ? row_text(&r, "title") : NULL;
    return 0;
}

static int process_tx(struct db *db, void *arg, struct error *err)
{
    struct process   *p = arg;
    const struct job *job = p->run->job;
    const char       *title, *text = extraction_text(p->run->arena, &p->x).p;
    bool              vectors = p->run->env->embedder && p->chunk_count > 0;

    p->has_next = false;
    if (job_succeed(db, job, err) < 0 || update_document(db, p, !vectors, &title, err) < 0)
        return -1;
    p->current = title != NULL;
    if (db_exec(db, SQL_PROCESS_TEXT,
                ARGS(job->document_id.text, db_int(p->run->arena, job->version), text, p->extracted, p->x.mime_type),
                err)
            < 0
        || write_lines(db, p, err) < 0)
        return -1;
    if (!p->current)
        return 0;
    if (replace_chunks(db, p, title, err) < 0)
        return -1;
    p->has_next = vectors;
    if (vectors)
        return job_enqueue(db, job->ref.tenant_id.text, JOB_DOCUMENT_EMBED, job->document_id.text, job->version, 3,
                           job->ref.traceparent[0] ? job->ref.traceparent : NULL, &p->next, err);
    return job_event_add(db, job->document_id.text, job->version, job->ref.id.text, job->ref.attempts, "done", NULL, 0,
                         err);
}

static int gone_tx(struct db *db, void *arg, struct error *err)
{
    struct process *p = arg;

    return job_succeed(db, p->run->job, err);
}

int job_process(struct job_run *run, struct error *err)
{
    struct process  p = { .run = run };
    struct db_scope scope = db_scope_system(run->job->ref.tenant_id.text);
    int64_t         start_us = clock_steady_us();

    if (process_load(&p, err) < 0)
        return -1;
    if (p.gone)
        return db_in_tx(run->db, scope, gone_tx, &p, err);
    if (process_extract(&p, err) < 0)
        return -1;
    note_line(&p, "text", "{\"bytes\": %zu, \"pages\": %u}", extraction_text(run->arena, &p.x).n, p.x.page_count);
    if (show_lines_if_slow(&p, start_us, err) < 0 || (p.current && process_chunk(&p, err) < 0))
        return -1;
    if (run->arena->failed)
        return error_set(err, ERR_TOO_LARGE, "the document takes more than the memory of a job");
    if (db_in_tx(run->db, scope, process_tx, &p, err) < 0)
        return -1;
    if (p.has_next)
        queue_publish(run->env->queue, &p.next);
    job_tell(run, p.has_next ? "processing" : "processed", p.has_next ? "chunks" : "done");
    return 0;
}
