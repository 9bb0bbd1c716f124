/* fuzz_multipart.c - a form fed in pieces cut by the input must be read as the same form fed whole: same parts, same bytes, same verdict. */
#include "http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct sb seen;
    unsigned  begun, ended;
    bool      open;
};

static int begin(void *arg, const struct multipart_part *part, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    assert(!r->open && part->name && part->name[0] != '\0' && utf8_valid(str_of(part->name)));
    assert(!part->filename
           || (part->filename[0] != '\0' && !strpbrk(part->filename, "/\\\r\n") && utf8_valid(str_of(part->filename))));
    r->open = true;
    r->begun++;
    sb_putc(&r->seen, '<');
    sb_puts(&r->seen, part->name);
    sb_puts(&r->seen, part->filename ? part->filename : "-");
    sb_puts(&r->seen, part->type ? part->type : "-");
    sb_putc(&r->seen, '>');
    return 0;
}

static int bytes(void *arg, struct str piece, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    assert(r->open && piece.n > 0);
    sb_put(&r->seen, piece);
    return 0;
}

static int end(void *arg, struct error *err)
{
    struct reading *r = arg;

    (void)err;
    assert(r->open);
    r->open = false;
    r->ended++;
    return 0;
}

/* step 0: all at once; else pieces of 1 to step bytes. */
static int run(struct arena *a, struct str body, unsigned step, struct reading *r)
{
    struct multipart m;
    struct error     err = { 0 };
    int              result;

    *r = (struct reading){ .seen = SB(a) };
    result = multipart_open(&m, a, S("multipart/form-data; boundary=xy"), 8,
                            (struct multipart_events){ begin, bytes, end, r }, &err);
    assert(result == 0);
    for (unsigned i = 0; result == 0 && body.n > 0; i++) {
        size_t n = step == 0 ? body.n : 1 + i % step;

        n = n < body.n ? n : body.n;
        char *copy = malloc(n); /* of its own, so that a look past the piece is seen */
        assert(copy);
        memcpy(copy, body.p, n);
        result = multipart_feed(&m, (struct str){ copy, n }, &err);
        free(copy);
        body = (struct str){ body.p + n, body.n - n };
    }
    if (result == 0)
        result = multipart_close(&m, &err);
    assert(result == 0 || err.code != ERR_NONE);
    assert(result < 0 || (!r->open && r->begun == r->ended && r->begun <= 8));
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena   a = ARENA(64 << 20), b = ARENA(64 << 20);
    struct reading whole, pieces;

    if (size < 1)
        return 0;
    struct str body = { (const char *)data + 1, size - 1 };
    int        one = run(&a, body, 0, &whole), other = run(&b, body, 1 + data[0] % 23, &pieces);
    assert(one == other);
    assert(one < 0 || str_eq(sb_str(&whole.seen), sb_str(&pieces.seen)));
    arena_free(&a);
    arena_free(&b);
    return 0;
}
