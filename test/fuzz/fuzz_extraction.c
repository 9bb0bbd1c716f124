/* fuzz_extraction.c - the decoder of frames: whatever comes in, what goes out keeps the promises of extraction.h. */
#include "domain/extraction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str s)
{
    assert(s.n > 0 && utf8_valid(s));
    for (size_t i = 0; i < s.n; i++)
        assert((unsigned char)s.p[i] >= 0x20 || s.p[i] == '\n' || s.p[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena      a = ARENA(64 << 20);
    struct extraction x;
    struct error      err = { 0 };
    int               result = extraction_decode(&a, (struct str){ (const char *)data, size }, &x, &err);

    assert(result == 0 || (err.code != ERR_NONE && (err.code != ERR_UNPROCESSABLE || err.field[0] != '\0')));
    for (size_t i = 0; result == 0 && i < x.block_count; i++) {
        assert(x.blocks[i].kind < BLOCK_KINDS && x.blocks[i].page <= x.page_count);
        check_text(x.blocks[i].text);
    }
    if (result == 0)
        assert(file_type_by_mime(str_of(x.mime_type)) && jv_is_object(x.metadata) && extraction_text(&a, &x).p);
    arena_free(&a);
    return 0;
}
