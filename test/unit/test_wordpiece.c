/* Token ids against those of the reference tokenizer (tokenizers 0.22.2; test/embed/compare.py compares every code point). */
#include "embed_test.h"

#include "embed/wordpiece.h"

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

enum { MAX = 16 };

struct vector {
    const char *text;
    uint32_t    ids[MAX];
    size_t      n;
};

static const struct vector vectors[] = {
    { "hello world", { 7592, 2088 }, 2 },
    { "", { 0 }, 0 },
    { "   \t\n", { 0 }, 0 },
    { "Hello, WORLD!", { 7592, 1010, 2088, 999 }, 4 },
    { "unaffable embeddings", { 14477, 20961, 3468, 7861, 8270, 4667, 2015 }, 7 },
    /* accents: composed, decomposed, several on a letter, alone */
    { "\u00c5ngstr\u00f6m na\u00efve \u00c9", { 17076, 15687, 15743, 1041 }, 4 },
    { "e\u0301 \u1ed9", { 1041, 1051 }, 2 },
    { "\u0300", { 0 }, 0 },
    { "\u0130stanbul ILIK", { 9960, 6335, 5480 }, 3 },
    { "\u00df\u1e9e \ufb01", { 1096, 19310, 1984 }, 3 },
    /* Chinese and Japanese a character a word, Korean taken apart */
    { "\u6771\u4eac"
      "ab\u90fd",
      { 1879, 1755, 11113, 1961 },
      4 },
    { "\ubb38\uc11c", { 1459, 30014, 30021, 29997, 30008 }, 5 },
    { "\uf900 \U0002f800", { 100, 100 }, 2 },
    /* zero-width, soft hyphen, byte order mark, control, private, replacement: gone; unassigned: stays */
    { "a\u200b"
      "b\u00ad"
      "c\ufeff"
      "d",
      { 5925, 2094 },
      2 },
    { "x\x01y\x7fz\x1b", { 1060, 2100, 2480 }, 3 },
    { "\ufffd"
      "a",
      { 1037 },
      1 },
    { "\ue000"
      "a",
      { 1037 },
      1 },
    { "a\u0378"
      "b",
      { 100 },
      1 },
    /* white space of all kinds; U+0085 is a control character */
    { "a\tb\nc\rd", { 1037, 1038, 1039, 1040 }, 4 },
    { "a\xc2\x85"
      "b\u2028"
      "c\u2029"
      "d\u3000"
      "e",
      { 11113, 1039, 1040, 1041 },
      4 },
    { "don't #1 $5 ~`^", { 2123, 1005, 1056, 1001, 1015, 1002, 1019, 1066, 1036, 1034 }, 10 },
    { "\u037e \u1fef", { 1025, 1036 }, 2 }, /* decompose to ; and ` */
    { "\uff11\uff12", { 100 }, 1 },
    { "\U0001f642", { 100 }, 1 },
    { "\u092e\u0930\u093e\u0920\u0940", { 100 }, 1 },
    { "a " X100 X10 " b", { 1037, 100, 1038 }, 3 },
    { X100 "x", { 100 }, 1 },
    /* plain text, whatever it looks like */
    { "[unused1] ##ing", { 1031, 15171, 2487, 1033, 1001, 1001, 13749 }, 7 },
    { "[SEP][CLS]", { 1031, 19802, 1033, 1031, 18856, 2015, 1033 }, 7 },
    /* bytes that are no UTF-8 are passed over: alone, cut short, overlong, a surrogate, too large */
    { "a\xff"
      "b",
      { 11113 },
      1 },
    { "a \xe6\x9d", { 1037 }, 1 },
    { "\xc0\xaf"
      "a\xed\xa0\x80"
      "b\xf5\x80\x80\x80",
      { 11113 },
      1 },
};

static struct wordpiece *vocabulary(struct arena *a)
{
    struct error      err = { 0 };
    struct wordpiece *w = wordpiece_open(path_join(a, model_dir(a), "vocab.txt"), &err);

    if (!w)
        fail_msg("%s", err.detail);
    assert_int_equal(wordpiece_size(w), 30522);
    return w;
}

static void texts_have_the_ids_of_the_reference(void **state)
{
    struct arena      a = ARENA(1 << 16);
    struct wordpiece *w = vocabulary(&a);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        uint32_t ids[MAX];
        size_t   n = wordpiece_encode(w, str_of(vectors[i].text), ids, MAX);

        print_message("text %zu\n", i);
        assert_int_equal(n, vectors[i].n);
        assert_memory_equal(ids, vectors[i].ids, n * sizeof ids[0]);
        assert_int_equal(wordpiece_count(w, str_of(vectors[i].text)), n);
    }
    wordpiece_close(w);
    arena_free(&a);
}

static void a_word_of_100_characters_is_cut_and_one_of_101_is_unknown(void **state)
{
    struct arena      a = ARENA(1 << 16);
    struct wordpiece *w = vocabulary(&a);
    uint32_t          ids[128];

    (void)state;
    assert_int_equal(wordpiece_encode(w, S(X100), ids, 128), 50);
    assert_int_equal(ids[0], 22038);
    assert_int_equal(ids[49], 20348);
    assert_int_equal(wordpiece_encode(w, S(X100 "x"), ids, 128), 1);
    assert_int_equal(ids[0], WORDPIECE_UNK);
    wordpiece_close(w);
    arena_free(&a);
}

static void encoding_stops_at_the_given_number(void **state)
{
    struct arena      a = ARENA(1 << 16);
    struct wordpiece *w = vocabulary(&a);
    uint32_t          ids[4] = { 7, 7, 7, 7 };
    static const char nul[] = "hello\0world";

    (void)state;
    assert_int_equal(wordpiece_encode(w, S("unaffable embeddings"), ids, 3), 3);
    assert_int_equal(ids[2], 3468);
    assert_int_equal(ids[3], 7);
    assert_int_equal(wordpiece_encode(w, S("hello"), ids, 0), 0);
    assert_int_equal(wordpiece_count(w, (struct str){ nul, sizeof nul - 1 }), 2); /* hello ##world */
    wordpiece_close(w);
    arena_free(&a);
}

/* 101 lines so that the special tokens are where they belong. */
static struct str small_vocabulary(struct arena *a, const char *tail)
{
    struct sb b = SB(a);

    sb_puts(&b, "[PAD]\n");
    for (unsigned i = 1; i < 100; i++)
        sb_printf(&b, "[unused%u]\n", i);
    sb_puts(&b, "[UNK]\n[CLS]\n[SEP]\n");
    sb_puts(&b, tail);
    return sb_str(&b);
}

static enum err open_text(struct str text, size_t *ret_size)
{
    struct arena      a = ARENA(1 << 16);
    struct error      err = { 0 }, ignored = { 0 };
    const char       *dir = make_dir(&a), *path = path_join(&a, dir, "vocab.txt");
    struct wordpiece *w;

    if (text.p)
        assert_int_equal(file_write(path, text, 0600, &ignored), 0);
    w = wordpiece_open(path, &err);
    *ret_size = w ? wordpiece_size(w) : 0;
    wordpiece_close(w);
    remove_dir(dir);
    arena_free(&a);
    return err.code;
}

static void a_damaged_vocabulary_is_refused(void **state)
{
    struct arena a = ARENA(1 << 20);
    size_t       size;

    (void)state;
    assert_int_equal(open_text(small_vocabulary(&a, "hello\n##s"), &size), ERR_NONE);
    assert_int_equal(size, 105);
    assert_int_equal(open_text((struct str){ NULL, 0 }, &size), ERR_UNAVAILABLE);
    assert_int_equal(open_text(S(""), &size), ERR_INTERNAL);
    assert_int_equal(open_text(S("[PAD]\n[UNK]\n[CLS]\n[SEP]\n"), &size), ERR_INTERNAL);      /* not at their places */
    assert_int_equal(open_text(small_vocabulary(&a, "hello\nhello\n"), &size), ERR_INTERNAL); /* twice */
    assert_int_equal(open_text(small_vocabulary(&a, "hello\n\nworld\n"), &size), ERR_INTERNAL);
    assert_int_equal(open_text(small_vocabulary(&a, "a\xff\n"), &size), ERR_INTERNAL);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_the_ids_of_the_reference),
        cmocka_unit_test(a_word_of_100_characters_is_cut_and_one_of_101_is_unknown),
        cmocka_unit_test(encoding_stops_at_the_given_number),
        cmocka_unit_test(a_damaged_vocabulary_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
