/* chunking.c - blocks are cut into units (sentences, lines), units are packed into a window of one passage; the window is all that is
   kept. Tokens are additive over units: that is what makes it linear. */
#include "domain/chunking.h"

enum { LEVELS = 6, HEADING_IN_PATH_BYTES = 120, SMALL_SECTION_PARTS = 8 };

struct unit {
    struct str  text; /* a slice of its block */
    size_t      tokens;
    size_t      block; /* its number */
    unsigned    page;
    const char *section;
    bool        heading, repeated; /* repeated: stood in the passage before */
};

struct chunker {
    struct arena             *arena;
    const struct chunk_rules *rules;

    struct unit *window;
    size_t       count, room, tokens; /* of the window */

    struct str  path[LEVELS]; /* headings above, [0] the highest; empty: none */
    const char *section;
    unsigned    section_level; /* of the heading that the window's section began with; 0 at the top */

    struct chunk *chunks;
    size_t        chunk_count, chunk_room;
    bool          cut;
};

/* ---- tokens ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_ideograph(uint32_t cp)
{
    return cp >= 0x2e80 && cp < 0xe000;
}

size_t chunk_estimate_tokens(struct str text)
{
    size_t tokens = 0, letters = 0;

    while (text.n > 0) {
        uint32_t cp = utf8_next(&text);
        bool letter = (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z') || cp >= 0xa0;

        if (letter && !is_ideograph(cp)) {
            tokens += letters++ % 6 == 0;
            continue;
        }
        letters = 0;
        tokens += cp > ' ';
    }
    return tokens;
}

static size_t count(const struct chunker *c, struct str text)
{
    size_t n = c->rules->count_tokens ? c->rules->count_tokens(c->rules->arg, text) : chunk_estimate_tokens(text);

    return n > 0 ? n : 1; /* so that the window is bounded by tokens */
}

/* ---- the window becomes a passage ---- */

/* Slices of one block stand in the text as they stood there; between blocks there is an empty line. */
static struct str window_text(struct chunker *c, size_t end)
{
    struct sb b = SB(c->arena);

    for (size_t i = 0; i < end;) {
        const struct unit *first = &c->window[i], *last = first;

        for (i++; i < end && c->window[i].block == first->block; i++)
            last = &c->window[i];
        if (b.n > 0)
            sb_put(&b, S("\n\n"));
        sb_put(&b, (struct str){ first->text.p, (size_t)(last->text.p - first->text.p) + last->text.n });
    }
    return sb_str(&b);
}

static bool has_news(const struct chunker *c, size_t end)
{
    for (size_t i = 0; i < end; i++)
        if (!c->window[i].repeated)
            return true;
    return false;
}

static struct chunk *new_chunk(struct chunker *c)
{
    if (c->chunk_count == c->chunk_room) {
        size_t        room = c->chunk_room * 2 + 16;
        struct chunk *grown = arena_alloc_array(c->arena, room, sizeof *grown);

        if (!grown)
            return NULL;
        if (c->chunk_count > 0)
            memcpy(grown, c->chunks, c->chunk_count * sizeof *grown);
        c->chunks = grown;
        c->chunk_room = room;
    }
    return &c->chunks[c->chunk_count];
}

/* The unit whose page and section stand for the first `end` units: the first new one that is no heading, else the last. */
static const struct unit *speaker(const struct chunker *c, size_t end)
{
    for (size_t i = 0; i < end; i++)
        if (!c->window[i].repeated && !c->window[i].heading)
            return &c->window[i];
    return &c->window[end - 1];
}

static const struct unit *first_new(const struct chunker *c)
{
    size_t i = 0;

    while (c->window[i].repeated)
        i++;
    return &c->window[i];
}

/* Puts the first `end` units out as a passage; they stay in the window. */
static void emit(struct chunker *c, size_t end)
{
    if (!has_news(c, end))
        return;
    if (c->chunk_count == c->rules->max_chunks) {
        c->cut = true;
        return;
    }
    struct chunk *chunk = new_chunk(c);
    size_t        tokens = 0;
    if (!chunk)
        return;
    for (size_t i = 0; i < end; i++)
        tokens += c->window[i].tokens;
    *chunk = (struct chunk){ .ordinal = (unsigned)c->chunk_count,
                             .page = first_new(c)->page,
                             .section = speaker(c, end)->section,
                             .text = window_text(c, end),
                             .tokens = (unsigned)tokens };
    c->chunk_count++;
}

static void keep_from(struct chunker *c, size_t first)
{
    c->count -= first;
    memmove(c->window, c->window + first, c->count * sizeof *c->window);
    c->tokens = 0;
    for (size_t i = 0; i < c->count; i++)
        c->tokens += c->window[i].tokens;
}

static void end_section(struct chunker *c)
{
    if (c->count > 0)
        emit(c, c->count);
    c->count = 0;
    c->tokens = 0;
}

/* Where the full window is best cut: behind the last whole block if that leaves the passage half full, else behind everything. */
static size_t best_end(const struct chunker *c, size_t next_block)
{
    size_t tokens = 0, end = c->count;

    if (c->window[c->count - 1].block != next_block)
        return c->count;
    for (size_t i = 0; i + 1 < c->count; i++) {
        tokens += c->window[i].tokens;
        bool edge = c->window[i].block != c->window[i + 1].block && !c->window[i].heading && !c->window[i].repeated;

        if (edge && tokens * 2 >= c->rules->max_tokens)
            end = i + 1;
    }
    return end;
}

/* The end of one long unit, at a word, of at most `most` tokens; empty when even that is too much. */
static struct str tail_words(const struct chunker *c, struct str s, size_t tokens, size_t most)
{
    size_t n = s.n * most / (tokens + 1);

    for (; n > 0; n = n * 3 / 4) {
        struct str tail = { s.p + s.n - n, n };

        while (tail.n > 0 && !is_space(tail.p[0]))
            tail = (struct str){ tail.p + 1, tail.n - 1 };
        tail = str_trim(tail);
        if (tail.n == 0 || count(c, tail) <= most)
            return tail;
    }
    return (struct str){ s.p, 0 };
}

/* After `end` units went out: keeps the end of them as the overlap of the next passage, and what was not put out. */
static void slide(struct chunker *c, size_t end)
{
    size_t first = end, tokens = 0, most = c->rules->overlap_tokens;

    while (first > 1 && !c->window[first - 1].heading && tokens + c->window[first - 1].tokens <= most)
        tokens += c->window[--first].tokens;
    if (first == end && most > 0 && !c->window[end - 1].heading) {
        struct unit *last = &c->window[end - 1];
        struct str   tail = tail_words(c, last->text, last->tokens, most);

        if (tail.n > 0) {
            last->text = tail;
            last->tokens = count(c, tail);
            first = end - 1;
        }
    }
    for (size_t i = first; i < end; i++)
        c->window[i].repeated = true;
    keep_from(c, first);
}

static void drop_repeated(struct chunker *c)
{
    size_t n = 0;

    while (n < c->count && c->window[n].repeated)
        n++;
    keep_from(c, n);
}

/* A unit of at most max_tokens joins the window, which is put out first as often as there is no room. */
static void add_unit(struct chunker *c, struct unit u)
{
    while (c->count > 0 && !c->cut && !c->arena->failed
           && (c->tokens + u.tokens > c->rules->max_tokens || c->count == c->room)) {
        if (!has_news(c, c->count)) {
            drop_repeated(c);
            break;
        }
        size_t end = best_end(c, u.block);
        emit(c, end);
        slide(c, end);
    }
    if (c->cut || c->arena->failed)
        return;
    c->window[c->count++] = u;
    c->tokens += u.tokens;
}

/* ---- blocks become units ---- */

/* A word longer than a passage: cut between code points, by its own density. */
static void add_long_word(struct chunker *c, struct unit u, size_t most)
{
    while (u.text.n > 0 && !c->cut) {
        size_t      tokens = count(c, u.text);
        struct str  part = tokens <= most ? u.text : utf8_head(u.text, u.text.n * most / tokens);
        struct unit piece = u;

        /* Equal density is only a guess: smaller until it fits; a single code point always counts as fitting. */
        while ((piece.tokens = count(c, part)) > most && part.n > 4)
            part = utf8_head(u.text, part.n / 2);
        if (part.n == 0)
            part = utf8_head(u.text, 4);
        piece.text = part;
        piece.tokens = piece.tokens < most ? piece.tokens : most;
        add_unit(c, piece);
        u.text = (struct str){ u.text.p + part.n, u.text.n - part.n };
    }
}

/* The next word with the white space before it; *s moves on. */
static struct str next_word(struct str *s)
{
    size_t n = 0;

    while (n < s->n && is_space(s->p[n]))
        n++;
    while (n < s->n && !is_space(s->p[n]))
        n++;
    struct str word = { s->p, n };
    *s = (struct str){ s->p + n, s->n - n };
    return word;
}

/* A sentence or line that is no passage of its own: in runs of whole words. */
static void add_words(struct chunker *c, struct unit u)
{
    size_t      most = c->rules->max_tokens - c->rules->overlap_tokens;
    struct str  rest = u.text;
    struct unit run = u;

    run.text.n = 0;
    run.tokens = 0;
    while (rest.n > 0 && !c->cut) {
        struct str word = next_word(&rest);
        size_t     tokens = count(c, word);

        if (run.tokens + tokens > most && run.text.n > 0) {
            add_unit(c, run);
            run.text = (struct str){ word.p, 0 };
            run.tokens = 0;
        }
        if (tokens > most) {
            struct unit alone = u;

            alone.text = str_trim(word);
            add_long_word(c, alone, most);
            run.text = (struct str){ rest.p, 0 };
            continue;
        }
        run.text.n += word.n;
        run.tokens += tokens;
    }
    if (run.text.n > 0)
        add_unit(c, run);
}

static void add_text(struct chunker *c, struct unit u, struct str text)
{
    u.text = text;
    while (u.text.n > 0 && is_space(u.text.p[u.text.n - 1]))
        u.text.n--;
    if (u.text.n == 0)
        return;
    u.tokens = count(c, u.text);
    if (u.tokens > c->rules->max_tokens - c->rules->overlap_tokens)
        add_words(c, u);
    else
        add_unit(c, u);
}

/* Marks that end a sentence where no blank follows: ideographic full stop, exclamation and question mark. */
static bool is_full_width_stop(uint32_t cp)
{
    return cp == 0x3002 || cp == 0xff01 || cp == 0xff1f;
}

static bool is_closer(uint32_t cp)
{
    return cp == '"' || cp == '\'' || cp == ')' || cp == ']' || cp == 0x201d || cp == 0x2019 || cp == 0xbb
           || cp == 0x300d;
}

/* A stop ends a sentence when a blank follows and then no lower case letter ("e.g. this" goes on). */
static bool sentence_ends(struct str rest)
{
    size_t i = 0;

    while (i < rest.n && is_space(rest.p[i]))
        i++;
    return i > 0 && (i == rest.n || !(rest.p[i] >= 'a' && rest.p[i] <= 'z'));
}

/* The next sentence; *s moves on. An empty line ends one too. */
static struct str next_sentence(struct str *s)
{
    struct str all = *s, rest = *s;
    bool       stop = false;

    while (rest.n > 0) {
        uint32_t cp = utf8_next(&rest);

        if (is_full_width_stop(cp) || (cp == '\n' && rest.n > 0 && rest.p[0] == '\n'))
            break;
        stop = cp == '.' || cp == '!' || cp == '?' || cp == 0x2026 || (stop && is_closer(cp));
        if (stop && sentence_ends(rest))
            break;
    }
    *s = rest;
    return (struct str){ all.p, all.n - rest.n };
}

static struct str skip_space(struct str s)
{
    while (s.n > 0 && is_space(s.p[0]))
        s = (struct str){ s.p + 1, s.n - 1 };
    return s;
}

static void add_sentences(struct chunker *c, struct unit u, struct str text)
{
    for (struct str rest = skip_space(text); rest.n > 0 && !c->cut && !c->arena->failed; rest = skip_space(rest))
        add_text(c, u, next_sentence(&rest));
}

static void add_lines(struct chunker *c, struct unit u, struct str text)
{
    while (text.n > 0 && !c->cut && !c->arena->failed)
        add_text(c, u, str_cut(&text, '\n'));
}

/* ---- headings ---- */

static const char *path_text(struct chunker *c)
{
    struct sb b = SB(c->arena);

    for (size_t i = 0; i < LEVELS; i++) {
        if (c->path[i].n == 0)
            continue;
        if (b.n > 0)
            sb_put(&b, S(" / "));
        sb_put(&b, utf8_head(c->path[i], HEADING_IN_PATH_BYTES));
    }
    return b.n > 0 ? b.p : "";
}

static bool only_headings(const struct chunker *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!c->window[i].heading)
            return false;
    return true;
}

/* What stands before goes on into this heading when it has no text of its own yet, or a few words and this is a part of it. */
static bool section_goes_on(const struct chunker *c, unsigned level)
{
    bool small = c->tokens * SMALL_SECTION_PARTS < c->rules->max_tokens && has_news(c, c->count);

    return only_headings(c) || (small && level > c->section_level && c->section_level > 0);
}

static struct str first_line(struct str s)
{
    return str_trim(str_cut(&s, '\n'));
}

static void add_heading(struct chunker *c, struct unit u, const struct block *b)
{
    unsigned level = b->level >= 1 && b->level <= LEVELS ? b->level : 1;

    if (!section_goes_on(c, level))
        end_section(c);
    if (c->count == 0)
        c->section_level = level;
    c->path[level - 1] = first_line(b->text);
    for (size_t i = level; i < LEVELS; i++)
        c->path[i].n = 0;
    c->section = path_text(c);
    u.section = c->section;
    u.heading = true;
    add_text(c, u, b->text);
}

static void add_block(struct chunker *c, const struct block *b, size_t number)
{
    struct unit u = { .block = number, .page = b->page, .section = c->section };

    if (b->kind == BLOCK_HEADING)
        add_heading(c, u, b);
    else if (b->kind == BLOCK_PARAGRAPH)
        add_sentences(c, u, b->text);
    else
        add_lines(c, u, b->text);
}

int chunk_blocks(struct arena *a, const struct block *blocks, size_t n, const struct chunk_rules *rules,
                 const struct chunk **ret, size_t *ret_n, bool *ret_cut, struct error *err)
{
    struct chunker c = { .arena = a, .rules = rules, .section = "", .room = rules->max_tokens + 1 };

    assert(rules->max_tokens > 0 && rules->overlap_tokens * 2 <= rules->max_tokens);
    c.window = arena_alloc_array(a, c.room, sizeof *c.window);
    for (size_t i = 0; i < n && !c.cut && !a->failed; i++)
        add_block(&c, &blocks[i], i);
    if (!c.cut && !a->failed)
        end_section(&c);
    if (a->failed)
        return error_set(err, ERR_TOO_LARGE, "the passages do not fit into the memory of this job");
    *ret = c.chunks;
    *ret_n = c.chunk_count;
    *ret_cut = c.cut;
    return 0;
}
