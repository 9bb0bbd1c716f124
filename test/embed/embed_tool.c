/* embed_tool.c - the encoder for test/embed/compare.py and bench/embed.py: texts on stdin, each ended by a NUL, float32 vectors on stdout.
   embed_tool [--bf16] MODEL_DIR THREADS vectors | tokens | rounds FILE. tokens: the count and the ids of each text, as uint32. rounds: the texts
   stand in FILE, and each line of stdin is answered by a line of milliseconds: "ingest" is all texts in one call, "query N TEXT" a text
   alone N times, "busy N TEXT" the same while ingest never ends. */
#include "base/clock.h"
#include "base/file.h"
#include "embed/embedder.h"
#include "embed/wordpiece.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_INPUT = 1 << 30, MAX_IDS = 1 << 16, MAX_LINE = 4096, MAX_QUERIES = 100000, PAUSE_US = 7000 };

struct input {
    struct str *texts;
    size_t      n;
};

static int fail(const struct error *err)
{
    fprintf(stderr, "embed_tool: %s (%s)\n", error_text(err), err->detail);
    return 1;
}

static struct str read_all(struct arena *a, int fd)
{
    struct sb b = SB(a);
    char      piece[65536];
    ssize_t   n;

    while ((n = read(fd, piece, sizeof piece)) > 0)
        sb_put(&b, (struct str){ piece, (size_t)n });
    return sb_str(&b);
}

static struct input cut(struct arena *a, struct str all)
{
    struct input in = { 0 };
    size_t       n = 0;

    for (size_t i = 0; i < all.n; i++)
        n += all.p[i] == '\0';
    in.texts = arena_alloc_array(a, n + 1, sizeof *in.texts);
    while (in.texts && in.n < n)
        in.texts[in.n++] = str_cut(&all, '\0');
    return in;
}

static int write_vectors(struct embedder *e, struct arena *a, const struct input *in, struct error *err)
{
    size_t dims = embedder_dims(e);
    float *v = arena_alloc_array(a, in->n * dims + 1, sizeof *v);

    if (!v || embedder_run(e, EMBED_INGEST, in->texts, in->n, v, err) < 0)
        return -1;
    return fwrite(v, dims * sizeof *v, in->n, stdout) == in->n ? 0 : -1;
}

static int write_tokens(const char *dir, struct arena *a, const struct input *in, struct error *err)
{
    struct sb         path = SB(a);
    uint32_t         *ids = arena_alloc_array(a, MAX_IDS, sizeof *ids);
    struct wordpiece *w;

    sb_printf(&path, "%s/vocab.txt", dir);
    w = ids ? wordpiece_open(path.p, err) : NULL;
    if (!w)
        return -1;
    for (size_t i = 0; i < in->n; i++) {
        uint32_t n = (uint32_t)wordpiece_encode(w, in->texts[i], ids, MAX_IDS);

        fwrite(&n, sizeof n, 1, stdout);
        fwrite(ids, sizeof *ids, n, stdout);
    }
    wordpiece_close(w);
    return 0;
}

struct bench {
    struct embedder    *e;
    const struct input *in;
    float              *v;
    atomic_bool         enough;
    bool                failed;
};

static int64_t time_ingest(struct bench *b)
{
    struct error err = { 0 };
    int64_t      begin = clock_steady_us();

    if (embedder_run(b->e, EMBED_INGEST, b->in->texts, b->in->n, b->v, &err) < 0)
        b->failed = true;
    return clock_steady_us() - begin;
}

static void *ingest_on(void *arg)
{
    struct bench *b = arg;

    while (!atomic_load(&b->enough) && !b->failed)
        time_ingest(b);
    return NULL;
}

static int time_queries(struct bench *b, struct str n, struct str text, bool pauses, struct error *err)
{
    uint64_t times;
    float    v[4096];

    assert(embedder_dims(b->e) <= ARRAY_LEN(v));
    if (parse_u64("queries", n, 1, MAX_QUERIES, &times, err) < 0)
        return -1;
    for (uint64_t i = 0; i < times; i++) {
        if (pauses)
            usleep(PAUSE_US);
        int64_t begin = clock_steady_us();
        if (embedder_run(b->e, EMBED_QUERY, &text, 1, v, err) < 0)
            return -1;
        printf("%.3f ", (double)(clock_steady_us() - begin) / 1e3);
    }
    return 0;
}

static int time_busy(struct bench *b, struct str n, struct str text, struct error *err)
{
    pthread_t thread;

    b->enough = false;
    if (pthread_create(&thread, NULL, ingest_on, b) != 0)
        return error_set(err, ERR_UNAVAILABLE, "cannot start a thread");
    int done = time_queries(b, n, text, /* pauses= */ true, err);
    b->enough = true;
    pthread_join(thread, NULL);
    return done;
}

static int answer(struct bench *b, struct str command, struct str n, struct str text, struct error *err)
{
    if (str_eq(command, S("query")))
        return time_queries(b, n, text, /* pauses= */ false, err);
    if (str_eq(command, S("busy")))
        return time_busy(b, n, text, err);
    printf("%.3f", (double)time_ingest(b) / 1e3);
    return 0;
}

static int run_rounds(struct embedder *e, struct arena *a, const struct input *in, struct error *err)
{
    struct bench b = { .e = e, .in = in, .v = arena_alloc_array(a, in->n * embedder_dims(e) + 1, sizeof(float)) };
    char         line[MAX_LINE];

    while (b.v && !b.failed && fgets(line, sizeof line, stdin)) {
        struct str rest = str_trim(str_of(line)), word = str_cut(&rest, ' '), n = str_cut(&rest, ' ');

        if (answer(&b, word, n, rest, err) < 0)
            return -1;
        printf("\n");
        fflush(stdout);
    }
    return b.v && !b.failed ? 0 : error_set(err, ERR_INTERNAL, "ingest failed");
}

static int run(enum embed_precision precision, const char *dir, unsigned threads, const char *what, int fd,
               struct error *err)
{
    _cleanup_(arena_free) struct arena a = ARENA(MAX_INPUT);
    struct input                       in = cut(&a, read_all(&a, fd));
    int                                done;

    if (strcmp(what, "tokens") == 0)
        return write_tokens(dir, &a, &in, err);
    struct embedder *e = embedder_open_local(dir, threads, precision, err);
    if (!e)
        return -1;
    done = strcmp(what, "rounds") == 0 ? run_rounds(e, &a, &in, err) : write_vectors(e, &a, &in, err);
    embedder_close(e);
    return done;
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    uint64_t     threads;
    bool         bf16 = argc > 1 && strcmp(argv[1], "--bf16") == 0;

    argc -= bf16;
    argv += bf16;
    bool rounds = argc == 5 && strcmp(argv[3], "rounds") == 0;

    if ((argc != 4 && !rounds) || parse_u64("threads", str_of(argv[2]), 1, 64, &threads, &err) < 0) {
        fprintf(stderr, "usage: embed_tool [--bf16] MODEL_DIR THREADS vectors|tokens|rounds FILE\n");
        return 2;
    }
    _cleanup_(closep) int file = rounds ? open(argv[4], O_RDONLY | O_CLOEXEC) : -1;
    if (rounds && file < 0) {
        perror(argv[4]);
        return 1;
    }
    return run(bf16 ? EMBED_BF16 : EMBED_FP32, argv[1], (unsigned)threads, argv[3], rounds ? file : STDIN_FILENO, &err)
                   == 0
               ? 0
               : fail(&err);
}
