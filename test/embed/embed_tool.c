/* embed_tool.c - vectors for test/embed/compare.py and the benchmark: texts on stdin, each ended by a NUL, float32 vectors on stdout.
   embed_tool MODEL_DIR THREADS vectors | tokens | time. tokens: the count and the ids of each text, as uint32. time: seconds and
   tokens per second of the texts in one call, and the time of one short query. */
#include "base/clock.h"
#include "embed/embedder.h"
#include "embed/wordpiece.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_INPUT = 1 << 30, MAX_IDS = 1 << 16, ROUNDS = 5, QUERIES = 200 };

struct input {
    struct str *texts;
    size_t      n;
};

static int fail(const struct error *err)
{
    fprintf(stderr, "embed_tool: %s (%s)\n", error_text(err), err->detail);
    return 1;
}

static struct str read_all(struct arena *a)
{
    struct sb b = SB(a);
    char      piece[65536];
    ssize_t   n;

    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
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

static int measure(struct embedder *e, struct arena *a, const struct input *in, struct error *err)
{
    float     *v = arena_alloc_array(a, in->n * embedder_dims(e) + 1, sizeof *v);
    struct str query = S("how do I renew the contract of a supplier");
    size_t     tokens = 0;
    int64_t    best = INT64_MAX, begin;

    for (size_t i = 0; i < in->n; i++) {
        size_t n = embedder_count_tokens(e, in->texts[i]) + 2;

        tokens += n < 256 ? n : 256;
    }
    for (unsigned i = 0; v && i < ROUNDS; i++) {
        begin = clock_steady_us();
        if (embedder_run(e, EMBED_INGEST, in->texts, in->n, v, err) < 0)
            return -1;
        best = clock_steady_us() - begin < best ? clock_steady_us() - begin : best;
    }
    begin = clock_steady_us();
    for (unsigned i = 0; v && i < QUERIES; i++)
        if (embedder_run(e, EMBED_QUERY, &query, 1, v, err) < 0)
            return -1;
    printf("%zu texts, %zu tokens, best of %d: %.3f s, %.0f tokens/s; a query: %.2f ms\n", in->n, tokens, ROUNDS,
           (double)best / 1e6, (double)tokens / ((double)best / 1e6),
           (double)(clock_steady_us() - begin) / 1e3 / (double)QUERIES);
    return 0;
}

int main(int argc, char **argv)
{
    struct arena     a = ARENA(MAX_INPUT);
    struct error     err = { 0 };
    uint64_t         threads;
    struct embedder *e = NULL;
    int              done = -1;

    if (argc != 4 || parse_u64("threads", str_of(argv[2]), 1, 64, &threads, &err) < 0) {
        fprintf(stderr, "usage: embed_tool MODEL_DIR THREADS vectors|tokens|time\n");
        return 2;
    }
    struct input in = cut(&a, read_all(&a));
    if (strcmp(argv[3], "tokens") == 0)
        done = write_tokens(argv[1], &a, &in, &err);
    else if ((e = embedder_open_local(argv[1], (unsigned)threads, &err)))
        done = strcmp(argv[3], "time") == 0 ? measure(e, &a, &in, &err) : write_vectors(e, &a, &in, &err);
    embedder_close(e);
    arena_free(&a);
    return done == 0 ? 0 : fail(&err);
}
