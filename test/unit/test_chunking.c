/* Passages: where they are cut, what they repeat, and that nothing of the text is lost. */
#include "domain/chunking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK(kind_, level_, page_, text_) \
    { .kind = BLOCK_##kind_, .level = level_, .page = page_, .text = { text_, sizeof(text_) - 1 } }

struct fixture {
    struct arena        arena;
    struct error        err;
    const struct chunk *chunks;
    size_t              n;
    bool                cut;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = ARENA(512 << 20);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    arena_free(&f->arena);
    free(f);
    return 0;
}

/* A token a word: easy to count by eye. arg: bytes counted so far. */
static size_t count_words(void *arg, struct str s)
{
    size_t words = 0;
    bool   in_word = false;

    if (arg)
        *(size_t *)arg += s.n;
    for (size_t i = 0; i < s.n; i++) {
        bool space = s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\t';

        words += !space && !in_word;
        in_word = !space;
    }
    return words;
}

static struct chunk_rules rules(size_t max, size_t overlap)
{
    return (struct chunk_rules){
        .max_tokens = max, .overlap_tokens = overlap, .max_chunks = 1000000, .count_tokens = count_words
    };
}

static void run(struct fixture *f, const struct block *blocks, size_t n, struct chunk_rules r)
{
    assert_int_equal(chunk_blocks(&f->arena, blocks, n, &r, &f->chunks, &f->n, &f->cut, &f->err), 0);
    for (size_t i = 0; i < f->n; i++) {
        assert_int_equal(f->chunks[i].ordinal, i);
        assert_true(f->chunks[i].text.n > 0);
        assert_true(f->chunks[i].tokens <= r.max_tokens);
    }
}

static void assert_chunk(const struct fixture *f, size_t i, const char *section, unsigned page, const char *text)
{
    assert_true(i < f->n);
    assert_string_equal(f->chunks[i].section, section);
    assert_int_equal(f->chunks[i].page, page);
    assert_string_equal(f->chunks[i].text.p, text);
}

static void nothing_gives_nothing(void **state)
{
    struct fixture *f = *state;

    run(f, NULL, 0, rules(10, 2));
    assert_int_equal(f->n, 0);
    assert_false(f->cut);
}

static void small_blocks_share_a_passage(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 1, "One two."), BLOCK(LIST, 0, 1, "- a\n- b"),
                               BLOCK(PARAGRAPH, 0, 2, "Three.") };

    run(f, b, ARRAY_LEN(b), rules(20, 4));
    assert_int_equal(f->n, 1);
    assert_chunk(f, 0, "", 1, "One two.\n\n- a\n- b\n\nThree.");
    assert_int_equal(f->chunks[0].tokens, 7);
}

static void headings_begin_passages_and_make_paths(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = {
        BLOCK(PARAGRAPH, 0, 0, "Before all headings stand these words here now."),
        BLOCK(HEADING, 1, 0, "Install"),
        BLOCK(PARAGRAPH, 0, 0, "A text of some six words."),
        BLOCK(HEADING, 2, 0, "On Debian"),
        BLOCK(HEADING, 3, 0, "Twelve"),
        BLOCK(PARAGRAPH, 0, 0, "Another text of some words here."),
        BLOCK(HEADING, 2, 0, "Elsewhere"),
        BLOCK(PARAGRAPH, 0, 0, "The last text."),
    };

    run(f, b, ARRAY_LEN(b), rules(20, 4));
    assert_int_equal(f->n, 4);
    assert_chunk(f, 0, "", 0, "Before all headings stand these words here now.");
    assert_chunk(f, 1, "Install", 0, "Install\n\nA text of some six words.");
    assert_chunk(f, 2, "Install / On Debian / Twelve", 0, "On Debian\n\nTwelve\n\nAnother text of some words here.");
    assert_chunk(f, 3, "Install / Elsewhere", 0, "Elsewhere\n\nThe last text.");
}

static void a_section_of_a_few_words_is_taken_with_its_parts(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = {
        BLOCK(HEADING, 1, 0, "Top"),  BLOCK(PARAGRAPH, 0, 0, "Short."),
        BLOCK(HEADING, 2, 0, "Part"), BLOCK(PARAGRAPH, 0, 0, "Text of the part."),
        BLOCK(HEADING, 2, 0, "Next"), BLOCK(PARAGRAPH, 0, 0, "More."),
    };

    run(f, b, ARRAY_LEN(b), rules(40, 4));
    assert_int_equal(f->n, 2);
    assert_chunk(f, 0, "Top", 0, "Top\n\nShort.\n\nPart\n\nText of the part.");
    assert_chunk(f, 1, "Top / Next", 0, "Next\n\nMore.");
}

static void a_long_paragraph_is_cut_at_sentences_and_overlaps(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 3,
                                     "One two three. Four five. Six seven eight nine. Ten eleven. Twelve.") };

    run(f, b, 1, rules(8, 2));
    assert_int_equal(f->n, 3);
    assert_chunk(f, 0, "", 3, "One two three. Four five.");
    assert_chunk(f, 1, "", 3, "Four five. Six seven eight nine. Ten eleven.");
    assert_chunk(f, 2, "", 3, "Ten eleven. Twelve.");
}

static void the_end_of_a_long_sentence_is_repeated_by_words(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 0, "Aaaa bbbb cccc dddd eeee ffff. Gggg hhhh iiii jjjj.") };

    run(f, b, 1, rules(8, 2));
    assert_int_equal(f->n, 2);
    assert_chunk(f, 0, "", 0, "Aaaa bbbb cccc dddd eeee ffff.");
    assert_true(strstr(f->chunks[1].text.p, "ffff. Gggg") != NULL);
    assert_null(strstr(f->chunks[1].text.p, "dddd"));
}

static void the_end_of_a_block_is_preferred(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 0, "One two three four five."),
                               BLOCK(PARAGRAPH, 0, 0, "Six. Seven. Eight. Nine. Ten. Eleven.") };

    run(f, b, 2, rules(8, 0));
    assert_int_equal(f->n, 2);
    assert_chunk(f, 0, "", 0, "One two three four five.");
    assert_chunk(f, 1, "", 0, "Six. Seven. Eight. Nine. Ten. Eleven.");
}

static void a_passage_does_not_repeat_across_sections(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(HEADING, 1, 0, "A"), BLOCK(PARAGRAPH, 0, 0, "One two. Three four."),
                               BLOCK(HEADING, 1, 0, "B"), BLOCK(PARAGRAPH, 0, 0, "Five.") };

    run(f, b, 4, rules(10, 4));
    assert_chunk(f, 1, "B", 0, "B\n\nFive.");
}

static void abbreviations_and_numbers_do_not_end_sentences_before_small_letters(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 0, "Use e.g. version 1.5 of it. \"Done!\" she said. (Yes.) No.") };

    run(f, b, 1, rules(7, 0));
    assert_chunk(f, 0, "", 0, "Use e.g. version 1.5 of it.");
    assert_chunk(f, 1, "", 0, "\"Done!\" she said. (Yes.) No.");
}

static void tables_and_code_are_cut_at_lines(void **state)
{
    struct fixture    *f = *state;
    const struct block b[] = { BLOCK(TABLE, 0, 0, "a | 1\nb | 2\nc | 3\nd | 4") };

    run(f, b, 1, rules(6, 0));
    assert_int_equal(f->n, 2);
    assert_chunk(f, 0, "", 0, "a | 1\nb | 2");
    assert_chunk(f, 1, "", 0, "c | 3\nd | 4");
}

static void a_sentence_without_end_is_cut_at_words(void **state)
{
    struct fixture *f = *state;
    struct sb       text = SB(&f->arena);

    for (int i = 0; i < 1000; i++)
        sb_printf(&text, "word%d ", i);
    run(f, &(struct block){ .kind = BLOCK_PARAGRAPH, .text = sb_str(&text) }, 1, rules(50, 10));
    assert_true(f->n >= 1000 / 50 && f->n <= 1000 / 30);
    for (size_t i = 0; i < f->n; i++) {
        assert_memory_equal(f->chunks[i].text.p, "word", 4);
        assert_true(f->chunks[i].tokens >= 10);
    }
}

static size_t count_characters(void *arg UNUSED, struct str s)
{
    return utf8_count(s);
}

static void a_word_longer_than_a_passage_is_cut_between_characters(void **state)
{
    struct fixture    *f = *state;
    struct sb          text = SB(&f->arena);
    struct chunk_rules r = rules(50, 10);
    size_t             total = 0;

    r.count_tokens = count_characters;
    for (int i = 0; i < 1000; i++)
        sb_puts(&text, "\xe8\xaa\x9e");
    run(f, &(struct block){ .kind = BLOCK_PARAGRAPH, .text = sb_str(&text) }, 1, r);
    assert_true(f->n > 10);
    for (size_t i = 0; i < f->n; i++) {
        assert_true(utf8_valid(f->chunks[i].text));
        total += f->chunks[i].text.n;
    }
    assert_true(total >= 3000);
}

static void ideographic_sentences_end_without_blanks(void **state)
{
    struct fixture    *f = *state;
    struct chunk_rules r = rules(12, 0);
    const struct block b[] = { BLOCK(
        PARAGRAPH, 0, 0,
        "\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b\xe4\xba\x94\xe3\x80\x82"
        "\xe5\x85\xad\xe4\xb8\x83\xe5\x85\xab\xe4\xb9\x9d\xe3\x80\x82\xe5\x8d\x81\xe3\x80\x82") };

    r.count_tokens = NULL;
    run(f, b, 1, r);
    assert_int_equal(f->n, 2);
    assert_memory_equal(f->chunks[0].text.p + f->chunks[0].text.n - 3, "\xe3\x80\x82", 3);
}

static void too_many_passages_are_cut_off_and_said(void **state)
{
    struct fixture    *f = *state;
    struct chunk_rules r = rules(2, 0);
    const struct block b[] = { BLOCK(PARAGRAPH, 0, 0, "Aa bb. Cc dd. Ee ff. Gg hh.") };

    for (size_t most = 1; most <= 4; most++) {
        r.max_chunks = most;
        run(f, b, 1, r);
        assert_int_equal(f->n, most);
        assert_int_equal(f->cut, most < 4);
    }
}

/* Every word of a long mixed text is in some passage, in order, and no counting is done over and over. */
static void nothing_is_lost_and_time_is_linear(void **state)
{
    struct fixture              *f = *state;
    struct block                 blocks[300];
    size_t                       counted = 0, total = 0, word = 0, at = 0;
    struct chunk_rules           r = rules(40, 8);
    static const enum block_kind kinds[] = { BLOCK_PARAGRAPH, BLOCK_LIST,      BLOCK_PARAGRAPH,
                                             BLOCK_CODE,      BLOCK_PARAGRAPH, BLOCK_TABLE };

    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        struct sb text = SB(&f->arena);
        bool      heading = i % 7 == 0;

        for (size_t k = 0; k < (heading ? 2 : i * 7 % 90 + 1); k++)
            sb_printf(&text, "%sw%zu%s", k > 0 ? " " : "", word++, k % 9 == 8 ? ".\nX" : "");
        blocks[i] = (struct block){ .kind = heading ? BLOCK_HEADING : kinds[i % ARRAY_LEN(kinds)],
                                    .level = heading ? (unsigned)(i % 3 + 1) : 0,
                                    .text = sb_str(&text) };
        total += text.n;
    }
    r.arg = &counted;
    run(f, blocks, ARRAY_LEN(blocks), r);
    for (size_t w = 0; w < word; w++) {
        char name[32];

        snprintf(name, sizeof name, "w%zu", w);
        while (at < f->n && !strstr(f->chunks[at].text.p, name))
            at++;
        assert_true(at < f->n);
    }
    assert_true(counted < 6 * total);
}

static void ten_megabytes_take_no_more_than_their_share(void **state)
{
    struct fixture    *f = *state;
    struct sb          text = SB(&f->arena);
    size_t             counted = 0;
    struct chunk_rules r = rules(240, 40);

    while (text.n < 10u << 20)
        sb_puts(&text, "A sentence of seven words is here. Andthenonewithoutanyblankswhichis1longword ");
    r.arg = &counted;
    run(f, &(struct block){ .kind = BLOCK_PARAGRAPH, .text = sb_str(&text) }, 1, r);
    assert_true(counted < 4 * text.n);
    assert_true(f->n > 1000);
}

static void the_estimate_counts_words_marks_and_ideographs(void **state UNUSED)
{
    assert_int_equal(chunk_estimate_tokens(S("")), 0);
    assert_int_equal(chunk_estimate_tokens(S("one two")), 2);
    assert_int_equal(chunk_estimate_tokens(S("one, two.")), 4);
    assert_int_equal(chunk_estimate_tokens(S("internationalization")), 4);
    assert_int_equal(chunk_estimate_tokens(S("\xe4\xb8\x80\xe4\xba\x8c")), 2);
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(nothing_gives_nothing),
        ROW(small_blocks_share_a_passage),
        ROW(headings_begin_passages_and_make_paths),
        ROW(a_section_of_a_few_words_is_taken_with_its_parts),
        ROW(a_long_paragraph_is_cut_at_sentences_and_overlaps),
        ROW(the_end_of_a_long_sentence_is_repeated_by_words),
        ROW(the_end_of_a_block_is_preferred),
        ROW(a_passage_does_not_repeat_across_sections),
        ROW(abbreviations_and_numbers_do_not_end_sentences_before_small_letters),
        ROW(tables_and_code_are_cut_at_lines),
        ROW(a_sentence_without_end_is_cut_at_words),
        ROW(a_word_longer_than_a_passage_is_cut_between_characters),
        ROW(ideographic_sentences_end_without_blanks),
        ROW(too_many_passages_are_cut_off_and_said),
        ROW(nothing_is_lost_and_time_is_linear),
        ROW(ten_megabytes_take_no_more_than_their_share),
        ROW(the_estimate_counts_words_marks_and_ideographs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
