/* wordpiece.c - clean, split, fold, then greedy longest match per word over a hash of the vocabulary.
   One pass, a code point at a time, so the work per word and the memory are bounded whatever the text is.
   Where Unicode versions differ the reference tokenizer was measured: unassigned code points stay (test/embed/compare.py). */
#include "embed/wordpiece.h"

#include "base/file.h"

#include <utf8proc.h>

enum {
    MAX_VOCAB_BYTES = 4 << 20,
    MAX_VOCAB = 1 << 16,
    SLOTS = 1 << 17, /* at most half full */
    MAX_WORD = 100,  /* code points; a longer word is one [UNK] */
    MAX_DECOMPOSED = 8,
};

struct entry {
    uint32_t hash; /* with n, spares most comparisons */
    uint16_t n;    /* bytes, without the ## of a continuation; 0: free */
    bool     continues;
    uint32_t offset, id;
};

struct wordpiece {
    struct arena  arena;
    const char   *text; /* vocab.txt */
    struct entry *slots;
    size_t        size, max_piece; /* bytes of the longest */
};

/* The word that is being gathered and where its tokens go. */
struct run {
    const struct wordpiece *w;
    uint32_t               *ids; /* NULL: only counted */
    size_t                  n, max;
    size_t                  points, bytes;    /* of the word; points may pass MAX_WORD, its text does not */
    uint16_t                at[MAX_WORD + 1]; /* where each code point begins, and the end */
    char                    word[MAX_WORD * 4];
};

/* FNV-1a, so that the hashes of all prefixes come in one pass. */
static uint32_t hash_start(bool continues)
{
    return continues ? 0x9747b28cu : 0x811c9dc5u;
}

static uint32_t hash_byte(uint32_t h, char c)
{
    return (h ^ (uint8_t)c) * 0x01000193u;
}

static size_t hash_slot(uint32_t h)
{
    return (h ^ h >> 15) & (SLOTS - 1);
}

/* The slot of a piece, or the free one where it belongs. */
static struct entry *find(const struct wordpiece *w, struct str piece, bool continues, uint32_t hash)
{
    size_t i = hash_slot(hash);

    for (;; i = (i + 1) & (SLOTS - 1)) {
        struct entry *e = &w->slots[i];

        if (e->n == 0
            || (e->hash == hash && e->n == piece.n && e->continues == continues
                && memcmp(w->text + e->offset, piece.p, piece.n) == 0))
            return e;
    }
}

static int add(struct wordpiece *w, struct str line, uint32_t id, struct error *err)
{
    bool       continues = line.n > 2 && str_starts(line, S("##"));
    struct str piece = continues ? (struct str){ line.p + 2, line.n - 2 } : line;
    uint32_t   hash = hash_start(continues);

    if (piece.n == 0 || piece.n > UINT16_MAX || !utf8_valid(piece))
        return error_set(err, ERR_INTERNAL, "vocabulary: line %u is not a token", id + 1);
    for (size_t i = 0; i < piece.n; i++)
        hash = hash_byte(hash, piece.p[i]);
    struct entry *e = find(w, piece, continues, hash);
    if (e->n != 0)
        return error_set(err, ERR_INTERNAL, "vocabulary: line %u stands there twice", id + 1);
    *e = (struct entry){
        .hash = hash, .n = (uint16_t)piece.n, .continues = continues, .offset = (uint32_t)(piece.p - w->text), .id = id
    };
    if (piece.n > w->max_piece)
        w->max_piece = piece.n;
    return 0;
}

static int read_lines(struct wordpiece *w, struct str text, struct error *err)
{
    static const struct {
        uint32_t    id;
        const char *token;
    } special[] = {
        { WORDPIECE_PAD, "[PAD]" }, { WORDPIECE_UNK, "[UNK]" }, { WORDPIECE_CLS, "[CLS]" }, { WORDPIECE_SEP, "[SEP]" }
    };
    size_t specials = 0;

    while (text.n > 0) {
        struct str line = str_cut(&text, '\n');

        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (w->size == MAX_VOCAB)
            return error_set(err, ERR_INTERNAL, "vocabulary: more than %d tokens", MAX_VOCAB);
        for (size_t i = 0; i < ARRAY_LEN(special); i++)
            specials += special[i].id == w->size && str_eq(line, str_of(special[i].token));
        if (add(w, line, (uint32_t)w->size, err) < 0)
            return -1;
        w->size++;
    }
    if (specials != ARRAY_LEN(special))
        return error_set(err, ERR_INTERNAL, "vocabulary: [PAD], [UNK], [CLS], [SEP] are not where BERT has them");
    return 0;
}

struct wordpiece *wordpiece_open(const char *path, struct error *err)
{
    struct wordpiece *w = calloc(1, sizeof *w);
    struct str        text;

    if (!w) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the vocabulary");
        return NULL;
    }
    w->arena = ARENA(MAX_VOCAB_BYTES + SLOTS * sizeof(struct entry) + 4096);
    w->slots = arena_alloc_array(&w->arena, SLOTS, sizeof *w->slots);
    if (!w->slots) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the vocabulary");
        goto fail;
    }
    int got = file_read(&w->arena, path, MAX_VOCAB_BYTES, &text, err);
    if (got < 0)
        goto fail;
    if (got == 0) {
        error_set(err, ERR_UNAVAILABLE, "there is no %s", path);
        goto fail;
    }
    w->text = text.p;
    if (read_lines(w, text, err) < 0)
        goto fail;
    return w;
fail:
    wordpiece_close(w);
    return NULL;
}

void wordpiece_close(struct wordpiece *w)
{
    if (!w)
        return;
    arena_free(&w->arena);
    free(w);
}

size_t wordpiece_size(const struct wordpiece *w)
{
    return w->size;
}

static void emit(struct run *r, uint32_t id)
{
    if (r->n == r->max)
        return;
    if (r->ids)
        r->ids[r->n] = id;
    r->n++;
}

/* The longest piece that begins at code point `from`; NULL when none does. *ret_end: the code point behind it. */
static const struct entry *longest(const struct run *r, size_t from, size_t *ret_end)
{
    uint32_t hash[MAX_WORD + 1], h = hash_start(from > 0);
    size_t   end = from;

    for (; end < r->points && (size_t)(r->at[end + 1] - r->at[from]) <= r->w->max_piece; end++) {
        for (size_t i = r->at[end]; i < r->at[end + 1]; i++)
            h = hash_byte(h, r->word[i]);
        hash[end + 1] = h;
    }
    for (; end > from; end--) {
        struct str          piece = { r->word + r->at[from], (size_t)(r->at[end] - r->at[from]) };
        const struct entry *e = find(r->w, piece, from > 0, hash[end]);

        if (e->n != 0) {
            *ret_end = end;
            return e;
        }
    }
    return NULL;
}

/* The gathered word becomes its pieces, or one [UNK] when any part of it has none. */
static void end_word(struct run *r)
{
    uint32_t ids[MAX_WORD];
    size_t   n = 0;

    if (r->points == 0)
        return;
    bool known = r->points <= MAX_WORD;
    for (size_t from = 0; known && from < r->points;) {
        const struct entry *e = longest(r, from, &from);

        known = e != NULL;
        if (known)
            ids[n++] = e->id;
    }
    if (!known)
        emit(r, WORDPIECE_UNK);
    for (size_t i = 0; known && i < n; i++)
        emit(r, ids[i]);
    r->points = r->bytes = 0;
}

static void add_point(struct run *r, uint32_t cp)
{
    if (r->points < MAX_WORD) {
        r->at[r->points] = (uint16_t)r->bytes;
        r->bytes += utf8_put(r->word + r->bytes, cp);
        r->at[r->points + 1] = (uint16_t)r->bytes;
    }
    r->points += r->points <= MAX_WORD;
}

static void add_alone(struct run *r, uint32_t cp)
{
    end_word(r);
    add_point(r, cp);
    end_word(r);
}

static bool is_punctuation(uint32_t cp)
{
    if (cp < 128)
        return (cp >= 33 && cp <= 47) || (cp >= 58 && cp <= 64) || (cp >= 91 && cp <= 96) || (cp >= 123 && cp <= 126);
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
}

/* The blocks as the reference library has them: 2B920 where BERT's own code had 2B820. */
static bool is_cjk(uint32_t cp)
{
    static const uint32_t blocks[][2] = { { 0x4e00, 0x9fff },   { 0x3400, 0x4dbf },   { 0x20000, 0x2a6df },
                                          { 0x2a700, 0x2b73f }, { 0x2b740, 0x2b81f }, { 0x2b920, 0x2ceaf },
                                          { 0xf900, 0xfaff },   { 0x2f800, 0x2fa1f } };

    if (cp < 0x3400)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        if (cp >= blocks[i][0] && cp <= blocks[i][1])
            return true;
    return false;
}

/* Decomposed, without accents, in lower case; punctuation alone. Combining marks are not put in canonical order: those that have one
   and are no accents are in no vocabulary, so their word is [UNK] in any order. */
static void add_folded(struct run *r, uint32_t cp)
{
    utf8proc_int32_t part[MAX_DECOMPOSED] = { (utf8proc_int32_t)cp };
    int              boundary = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, part, MAX_DECOMPOSED, UTF8PROC_DECOMPOSE, &boundary);

    if (n < 0 || n > MAX_DECOMPOSED)
        n = 1;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (utf8proc_category(part[i]) == UTF8PROC_CATEGORY_MN)
            continue;
        uint32_t low = (uint32_t)utf8proc_tolower(part[i]);
        if (is_punctuation(low))
            add_alone(r, low);
        else
            add_point(r, low);
    }
}

static void add_unicode(struct run *r, uint32_t cp)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);

    if (cp == 0xfffd || c == UTF8PROC_CATEGORY_CC || c == UTF8PROC_CATEGORY_CF || c == UTF8PROC_CATEGORY_CO
        || c == UTF8PROC_CATEGORY_CS)
        return;
    if (c == UTF8PROC_CATEGORY_ZS || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP) {
        end_word(r);
        return;
    }
    bool alone = is_cjk(cp);
    if (alone)
        end_word(r);
    add_folded(r, cp);
    if (alone)
        end_word(r);
}

static void add_ascii(struct run *r, char c)
{
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        end_word(r);
    else if (c >= 'A' && c <= 'Z')
        add_point(r, (uint32_t)(c - 'A' + 'a'));
    else if (c < ' ' || c == 127)
        return;
    else if (is_punctuation((uint32_t)c))
        add_alone(r, (uint32_t)c);
    else
        add_point(r, (uint32_t)c);
}

static size_t run_text(struct run *r, struct str text)
{
    while (text.n > 0 && r->n < r->max) {
        char c = text.p[0];

        if ((uint8_t)c < 128) {
            text.p++;
            text.n--;
            add_ascii(r, c);
        } else
            add_unicode(r, utf8_next(&text));
    }
    end_word(r);
    return r->n;
}

size_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ret_ids, size_t max)
{
    struct run r;

    r.w = w;
    r.ids = ret_ids;
    r.max = max;
    r.n = r.points = r.bytes = 0;
    return run_text(&r, text);
}

size_t wordpiece_count(const struct wordpiece *w, struct str text)
{
    return wordpiece_encode(w, text, NULL, SIZE_MAX);
}
