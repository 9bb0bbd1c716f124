/* fuzz_chunking.c - blocks and rules made from the input: every passage keeps its limits, valid UTF-8 stays valid, nothing hangs. */
#include "domain/chunking.h"

enum { MAX_BLOCKS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text between 0xff bytes becomes a block; its first byte says kind, level and page. */
static size_t make_blocks(struct arena *a, struct str s, struct block *blocks)
{
    size_t n = 0;

    while (s.n > 0 && n < MAX_BLOCKS) {
        struct str piece = str_cut(&s, '\xff');

        if (piece.n < 2)
            continue;
        unsigned  head = (unsigned char)piece.p[0];
        struct sb text = SB(a);
        for (struct str rest = { piece.p + 1, piece.n - 1 }; rest.n > 0;) {
            char out[4];

            sb_put(&text, (struct str){ out, utf8_put(out, utf8_next(&rest)) });
        }
        blocks[n++] = (struct block){ .kind = (enum block_kind)(head % BLOCK_KINDS),
                                      .level = head % BLOCK_KINDS == 0 ? 1 + head / 5 % 6 : 0,
                                      .page = head / 32,
                                      .text = sb_str(&text) };
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena        a = ARENA(64 << 20);
    struct block        blocks[MAX_BLOCKS];
    struct error        err = { 0 };
    const struct chunk *chunks;
    size_t              n;
    bool                cut;

    if (size < 3)
        return 0;
    struct chunk_rules rules = { .max_tokens = 1 + data[0], .max_chunks = 1 + data[2] };
    rules.overlap_tokens = data[1] % (rules.max_tokens / 2 + 1);
    size_t count = make_blocks(&a, (struct str){ (const char *)data + 3, size - 3 }, blocks);
    int    result = chunk_blocks(&a, blocks, count, &rules, &chunks, &n, &cut, &err);
    assert(result == 0 || a.failed);
    for (size_t i = 0; result == 0 && i < n; i++) {
        assert(chunks[i].ordinal == i && chunks[i].text.n > 0 && chunks[i].section);
        assert(chunks[i].tokens <= rules.max_tokens && utf8_valid(chunks[i].text));
    }
    assert(result < 0 || n <= rules.max_chunks);
    arena_free(&a);
    return 0;
}
