/* fuzz_head.c - a request head in growing pieces: a verdict never changes once it is given, and what is accepted is in order. */
#include "http/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct head_limits limits = { 200, 120, 400, 6 };

static void check_accepted(struct str head, const struct head *facts)
{
    assert(head.n >= 4 && memcmp(head.p + head.n - 4, "\r\n\r\n", 4) == 0);
    assert(!memchr(head.p, '\0', head.n) && head.n <= limits.line + limits.headers + 4);
    assert(!(facts->chunked && facts->lengths > 0) && facts->lengths <= 1 && facts->hosts <= 1
           && facts->count <= limits.count);
    for (size_t i = 0; i < head.n; i++) {
        assert(head.p[i] != '\n' || (i > 0 && head.p[i - 1] == '\r'));
        assert(head.p[i] != '\r' || (i + 1 < head.n && head.p[i + 1] == '\n'));
        assert(i < 2 || head.p[i - 1] != '\n' || (head.p[i] != ' ' && head.p[i] != '\t'));
    }
}

/* A connection's bytes, cut where the first of them says: the verdict does not depend on the cut. */
static void follow(const uint8_t *data, size_t size)
{
    struct framing whole = { .limits = &limits, .head.limits = &limits }, cut = whole;
    struct error   err = { 0 }, cut_err = { 0 };
    size_t         at = size > 0 ? data[0] % size : 0, good;
    char          *copy = malloc(size + 1);

    assert(copy);
    memcpy(copy, data, size);
    int a = framing_take(&whole, (struct str){ copy, size }, &good, &err);
    assert(good <= size && (a == 0) == (err.code == ERR_NONE));
    int b = framing_take(&cut, (struct str){ copy, at }, &good, &cut_err);
    if (b == 0)
        b = framing_take(&cut, (struct str){ copy + at, size - at }, &good, &cut_err);
    assert(a == b && whole.whole == cut.whole && whole.heads == cut.heads);
    framing_close(&whole);
    framing_close(&cut);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int verdict = 0;

    for (size_t n = 0; n <= size && size < 2000; n++) {
        struct error err = { 0 };
        struct head  facts = { 0 };
        size_t       head = 0;
        char        *copy = malloc(n + 1);

        assert(copy);
        memcpy(copy, data, n);
        int now = head_check((struct str){ copy, n }, &limits, &head, &facts, &err);
        assert(now >= 0 || err.code != ERR_NONE);
        assert(verdict != 1 || now == 1);
        assert(verdict != -1 || now == -1);
        if (now == 1)
            check_accepted((struct str){ copy, head }, &facts);
        verdict = now;
        free(copy);
    }
    follow(data, size);
    return 0;
}
