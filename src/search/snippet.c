/* snippet.c - see snippet.h. */
#include "search/snippet.h"

enum {
    PASSAGE_MARKS = 200, /* looked at when choosing the piece */
    LEAD = 60,           /* code points shown before the first word, about */
    ELLIPSIS = 0x2026,
};

struct place {
    unsigned start, end; /* code points of the passage */
    uint64_t word;       /* hash of its letters in lower case: tells different words apart */
};

/* FNV-1a. Only ASCII is folded: enough to tell how many different words a piece has. */
static uint64_t hash_more(uint64_t h, uint32_t cp)
{
    return (h ^ (cp >= 'A' && cp <= 'Z' ? cp + 32 : cp)) * UINT64_C(1099511628211);
}

/* The marks as places in the text without them; *ret_length counts its code points. */
static size_t find_places(struct str marked, struct place *list, size_t max, unsigned *ret_length)
{
    size_t   n = 0;
    unsigned at = 0;
    bool     open = false;

    while (marked.n > 0) {
        uint32_t cp = utf8_next(&marked);

        if (cp == MARK_OPEN) {
            open = n < max;
            if (open)
                list[n] = (struct place){ .start = at, .word = UINT64_C(14695981039346656037) };
        } else if (cp == MARK_CLOSE) {
            if (open && at > list[n].start)
                list[n++].end = at;
            open = false;
        } else {
            if (open)
                list[n].word = hash_more(list[n].word, cp);
            at++;
        }
    }
    *ret_length = at;
    return n;
}

/* Of the pieces that begin shortly before a marked word: the one with most different words, then most words, then the first. */
static unsigned best_start(const struct place *list, size_t n)
{
    unsigned best = 0, best_worth = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned start = list[i].start > LEAD ? list[i].start - LEAD : 0, worth = 0;

        for (size_t j = i; j < n && list[j].end <= start + SNIPPET_LENGTH; j++) {
            bool seen = false;

            for (size_t k = i; k < j && !seen; k++)
                seen = list[k].word == list[j].word;
            worth += seen ? 1 : 16;
        }
        if (worth > best_worth) {
            best_worth = worth;
            best = start;
        }
    }
    return best;
}

static bool is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0x85 || cp == 0xA0;
}

/* Moves a start that lies inside a word behind it, but not past limit; 0 stays. */
static unsigned word_start(struct str text, unsigned start, unsigned limit)
{
    unsigned at = 0;
    bool     after_space = true;

    while (text.n > 0 && at < limit) {
        if (at >= start && after_space)
            return at;
        after_space = is_space(utf8_next(&text));
        at++;
    }
    return limit;
}

/* Moves an end that lies inside a word before it, if that leaves more than half. */
static unsigned word_end(struct str text, unsigned start, unsigned end, unsigned length)
{
    unsigned at = 0, last_space = 0;

    if (end >= length)
        return length;
    while (text.n > 0 && at <= end) {
        if (is_space(utf8_next(&text)))
            last_space = at;
        at++;
    }
    return last_space > start + (end - start) / 2 ? last_space : end;
}

static void put_cp(struct sb *b, uint32_t cp)
{
    char bytes[4];

    sb_put(b, (struct str){ bytes, utf8_put(bytes, cp) });
}

/* Code points [start, end) of text with white space run together; places are followed into the snippet. */
static void write_piece(struct sb *b, struct str text, unsigned start, unsigned end, unsigned length,
                        const struct place *list, size_t n, struct snippet *ret)
{
    unsigned at = 0, out = 0;
    size_t   p = 0;
    bool     gap = false, any = false;

    if (start > 0) {
        put_cp(b, ELLIPSIS);
        out++;
    }
    while (p < n && list[p].start < start)
        p++;
    for (; text.n > 0 && at < end; at++) {
        uint32_t cp = utf8_next(&text);

        if (at < start)
            continue;
        if (is_space(cp)) {
            gap = any;
        } else {
            if (gap) {
                sb_putc(b, ' ');
                out++;
            }
            gap = false;
            any = true;
            if (p < n && list[p].start == at && ret->mark_count < SNIPPET_MARKS)
                ret->marks[ret->mark_count].start = out;
            put_cp(b, cp);
            out++;
        }
        if (p < n && list[p].end == at + 1) {
            if (ret->mark_count < SNIPPET_MARKS)
                ret->marks[ret->mark_count++].end = out;
            p++;
        }
    }
    if (end < length)
        put_cp(b, ELLIPSIS);
}

int snippet_make(struct arena *a, struct str text, const char *marked, struct snippet *ret)
{
    struct place *list = arena_alloc_array(a, PASSAGE_MARKS, sizeof *list);
    unsigned      length = (unsigned)utf8_count(text), marked_length = 0;
    struct sb     b = SB(a);

    *ret = (struct snippet){ 0 };
    if (!list)
        return -1;
    size_t n = marked ? find_places(str_of(marked), list, PASSAGE_MARKS, &marked_length) : 0;
    if (marked_length != length)
        n = 0; /* the marks are those of another text: show it without */
    unsigned first = best_start(list, n);
    unsigned start = first == 0 ? 0 : word_start(text, first, first + LEAD);
    unsigned end = start + SNIPPET_LENGTH < length ? start + SNIPPET_LENGTH : length;
    write_piece(&b, text, start, word_end(text, start, end, length), length, list, n, ret);
    ret->text = sb_str(&b);
    return a->failed ? -1 : 0;
}
