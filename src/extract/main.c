/* main.c - dms-extract: reads one untrusted file (descriptor 0) and writes what it says as frames (descriptor 1). Started once per
   file, by jobs/extract_run.c; for a PDF it turns itself into dms-extract-pdf, which is this program with Poppler; holds no secret, and after sandbox_enter cannot reach anything. Exit status: 0 the result, good or
   bad, is in the frames; 1 nobody reads them or there is no sandbox; 2 wrong usage. */
#include "extract/extract.h"
#include "extract/frame.h"
#include "extract/overflow.h"
#include "extract/preload.h"
#include "extract/sandbox.h"
#include "domain/frame.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How each kind of reader is called. A new format: a word in enum reader, a row here, a row in tbl/file_types.def. */
static int (*const readers[READERS])(struct reading *r) = {
    [READ_NONE] = read_none,         [READ_TEXT] = read_text, [READ_TABLE] = read_table, [READ_CODE] = read_code,
    [READ_MARKDOWN] = read_markdown, [READ_HTML] = read_html, [READ_PDF] = read_pdf,     [READ_DOCX] = read_docx,
};

struct option_row {
    const char *flag;
    size_t      offset;
    uint64_t    max;
};

static const struct option_row option_rows[] = {
    { "--max-text-bytes", offsetof(struct extract_options, max_text_bytes), EXTRACTION_MAX_TEXT_BYTES },
    { "--max-pages", offsetof(struct extract_options, max_pages), EXTRACTION_MAX_PAGES },
    { "--max-memory-bytes", offsetof(struct extract_options, max_memory_bytes), UINT64_C(16) << 30 },
    { "--max-file-bytes", offsetof(struct extract_options, max_file_bytes), UINT64_C(16) << 30 },
    { "--max-cpu-seconds", offsetof(struct extract_options, cpu_seconds), 3600 },
};

static int read_option(struct extract_options *o, const char *flag, const char *value, struct error *err)
{
    if (strcmp(flag, "--name") == 0) {
        o->name = str_of(value);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
        if (strcmp(flag, option_rows[i].flag) == 0)
            return parse_u64(flag, str_of(value), 1, option_rows[i].max,
                             (uint64_t *)((char *)o + option_rows[i].offset), err);
    return error_set(err, ERR_VALIDATION, "unknown option");
}

static int read_options(int argc, char **argv, struct extract_options *o, bool *self_test, struct error *err)
{
    int i = 1;

    *o = (struct extract_options){ .max_text_bytes = EXTRACTION_MAX_TEXT_BYTES,
                                   .max_pages = EXTRACTION_MAX_PAGES,
                                   .max_memory_bytes = 512 << 20,
                                   .max_file_bytes = 1 << 30,
                                   .cpu_seconds = 30 };
    *self_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;
    for (; !*self_test && i + 1 < argc; i += 2)
        if (read_option(o, argv[i], argv[i + 1], err) < 0)
            return -1;
    return *self_test || i == argc ? 0 : error_set(err, ERR_VALIDATION, "an option lacks its value");
}

/* Maps descriptor 0. An empty file gives no bytes; anything but a regular file is wrong usage. */
static int map_file(struct reading *r, struct error *err)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERR_VALIDATION, "descriptor 0 must be a regular file");
    uint64_t size = (uint64_t)st.st_size, n = size < r->options->max_file_bytes ? size : r->options->max_file_bytes;
    r->whole = n == size;
    if (n == 0)
        return 0;
    void *p = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (p == MAP_FAILED)
        return error_set(err, ERR_UNAVAILABLE, "the file cannot be mapped");
    r->bytes = (struct str){ p, (size_t)n };
    return 0;
}

static void put_hello(struct arena *a, struct frame_writer *w, const struct protections *p)
{
    struct sb b = SB(a);

    sb_printf(&b,
              "{\"version\":%d,\"landlock\":%d,\"tcp_denied\":%s,\"seccomp\":true,\"no_new_privs\":true,"
              "\"unprivileged\":%s,\"address_space_limited\":%s}",
              FRAME_VERSION, p->landlock_abi, p->tcp_denied ? "true" : "false", p->unprivileged ? "true" : "false",
              p->address_space_limited ? "true" : "false");
    frame_json(w, FRAME_HELLO, sb_str(&b));
}

static void put_meta(struct reading *r)
{
    struct sb b = SB(r->arena);

    sb_puts(&b, "{\"mime_type\":");
    sb_json(&b, r->type->mime);
    sb_puts(&b, ",\"title\":");
    sb_json(&b, r->title.n > 0 ? r->title.p : NULL);
    sb_puts(&b, ",\"language\":");
    sb_json(&b, r->language);
    sb_puts(&b, ",\"note\":");
    sb_json(&b, r->note);
    sb_printf(&b, ",\"page_count\":%u,\"metadata\":{", r->page_count);
    sb_put(&b, sb_str(&r->metadata));
    sb_puts(&b, "}}");
    frame_json(r->out, FRAME_META, sb_str(&b));
}

static int read_file(struct reading *r)
{
    if (r->bytes.n == 0)
        return reading_fail(r, CAUSE_EMPTY);
    if (type_detect(r) < 0)
        return -1;
    if (!r->whole && r->type->reader != READ_NONE)
        return reading_fail(r, CAUSE_TOO_LARGE);
    if (readers[r->type->reader](r) < 0)
        return -1;
    if (r->out->blocks == 0 && !r->note)
        r->note = "no text found";
    return 0;
}

int read_none(struct reading *r)
{
    r->note = "stored without text";
    return 0;
}

static void run(struct reading *r)
{
    int result = read_file(r);

    if (result == 0)
        put_meta(r);
    if (r->arena->failed)
        result = reading_fail(r, CAUSE_MEMORY);
    if (result == 0)
        frame_end(r->out);
    else
        frame_fail(r->out, r->cause);
}

/* The hello frame is what counts; meta and end make it a result that the parent's decoder takes. */
static void test_self(struct reading *r)
{
    r->type = file_type_by_mime(S("application/octet-stream"));
    put_meta(r);
    frame_end(r->out);
}

static NORETURN void give_up(int status, const struct error *err)
{
    dprintf(STDERR_FILENO, "dms-extract: %s\n", err->detail);
    _exit(status);
}

int main(int argc, char **argv)
{
    struct frame_writer    writer = { .fd = STDOUT_FILENO };
    struct extract_options options;
    struct error           err = { 0 };
    bool                   self_test;

    if (read_options(argc, argv, &options, &self_test, &err) < 0)
        give_up(2, &err);
    struct arena   arena = ARENA((size_t)options.max_memory_bytes / 2);
    struct reading r = { .arena = &arena, .options = &options, .whole = true, .out = &writer };
    if (!self_test && map_file(&r, &err) < 0)
        give_up(2, &err);
    struct preload        preload;
    struct protections    protections;
    struct sandbox_limits limits = { options.max_memory_bytes + r.bytes.n, options.cpu_seconds };
    r.preload = &preload;
    if (preload_open(r.bytes, argv, &preload, &err) < 0)
        give_up(1, &err);
    close(STDIN_FILENO);
    overflow_watch(&writer);
    if (sandbox_enter(&limits, &protections, &err) < 0)
        give_up(1, &err);
    put_hello(&arena, &writer, &protections);
    if (self_test)
        test_self(&r);
    else
        run(&r);
    _exit(EXIT_SUCCESS);
}
