/* Snippets: the marks must point at the words in code points of what is shown, whatever the text holds. */
#include "search/snippet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define OPEN  "\xEE\x80\x80" /* U+E000 */
#define CLOSE "\xEE\x80\x81"

static struct arena arena;

static int fresh_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    arena = ARENA(1 << 20);
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* The text under mark i. */
static const char *marked_text(const struct snippet *s, unsigned i)
{
    struct str rest = s->text;
    struct sb  b = SB(&arena);
    char       bytes[4];

    for (unsigned at = 0; rest.n > 0; at++) {
        uint32_t cp = utf8_next(&rest);

        if (at >= s->marks[i].start && at < s->marks[i].end)
            sb_put(&b, (struct str){ bytes, utf8_put(bytes, cp) });
    }
    return b.p ? b.p : "";
}

static const char *text_of(const struct snippet *s)
{
    return str_dup(&arena, s->text);
}

static void short_text_is_shown_whole_with_its_words_marked(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(snippet_make(&arena, S("The wing in a slipstream."),
                                  "The " OPEN "wing" CLOSE " in a " OPEN "slipstream" CLOSE ".", &s),
                     0);
    assert_string_equal(text_of(&s), "The wing in a slipstream.");
    assert_int_equal(s.mark_count, 2);
    assert_int_equal(s.marks[0].start, 4);
    assert_int_equal(s.marks[0].end, 8);
    assert_string_equal(marked_text(&s, 1), "slipstream");
}

static void offsets_count_code_points_not_bytes_or_utf16_units(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(
        snippet_make(&arena, S("Größe \xF0\x9F\x99\x82 Flügel"), "Größe \xF0\x9F\x99\x82 " OPEN "Flügel" CLOSE, &s), 0);
    assert_int_equal(s.mark_count, 1);
    assert_int_equal(s.marks[0].start, 8);
    assert_int_equal(s.marks[0].end, 14);
    assert_string_equal(marked_text(&s, 0), "Flügel");
}

static void white_space_runs_become_one_space_and_the_marks_follow(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(snippet_make(&arena, S("  a\n\n\t b   word"), "  a\n\n\t b   " OPEN "word" CLOSE, &s), 0);
    assert_string_equal(text_of(&s), "a b word");
    assert_string_equal(marked_text(&s, 0), "word");
}

/* n times "filler " around the words. */
static void long_text(struct sb *text, struct sb *marked, const char *first, const char *second)
{
    for (int part = 0; part < 3; part++) {
        const char *word = part == 0 ? first : second;

        for (int i = 0; i < 100; i++) {
            sb_puts(text, "filler ");
            sb_puts(marked, "filler ");
        }
        if (part == 2)
            continue;
        sb_puts(text, word);
        sb_putc(text, ' ');
        sb_printf(marked, OPEN "%s" CLOSE " ", word);
        if (part == 1) {
            sb_printf(text, "%s ", first);
            sb_printf(marked, OPEN "%s" CLOSE " ", first);
        }
    }
}

static void the_piece_with_most_different_words_is_shown(void **state)
{
    struct sb      text = SB(&arena), marked = SB(&arena);
    struct snippet s;

    (void)state;
    long_text(&text, &marked, "wing", "slipstream");
    assert_int_equal(snippet_make(&arena, sb_str(&text), marked.p, &s), 0);
    assert_int_equal(s.mark_count, 2);
    assert_string_equal(marked_text(&s, 0), "slipstream");
    assert_string_equal(marked_text(&s, 1), "wing");
    assert_true(utf8_count(s.text) <= SNIPPET_LENGTH + 2);
    assert_true(str_starts(s.text, S("…filler "))); /* cut between words, and said so */
    assert_memory_equal(s.text.p + s.text.n - 3, "…", 3);
    assert_memory_equal(s.text.p + s.text.n - 9, "filler", 6);
}

static void without_marks_the_beginning_is_shown(void **state)
{
    struct sb      text = SB(&arena), marked = SB(&arena);
    struct snippet s;

    (void)state;
    long_text(&text, &marked, "wing", "slipstream");
    assert_int_equal(snippet_make(&arena, sb_str(&text), NULL, &s), 0);
    assert_int_equal(s.mark_count, 0);
    assert_true(str_starts(s.text, S("filler filler")));
}

static void marks_of_another_text_are_not_used(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(snippet_make(&arena, S("abc def"), OPEN "abc" CLOSE " de", &s), 0);
    assert_int_equal(s.mark_count, 0);
    assert_string_equal(text_of(&s), "abc def");
}

static void broken_marks_do_no_harm(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(snippet_make(&arena, S("abc def"), CLOSE OPEN "abc" OPEN " d" CLOSE "ef" OPEN, &s), 0);
    assert_string_equal(text_of(&s), "abc def");
    for (unsigned i = 0; i < s.mark_count; i++)
        assert_true(s.marks[i].start < s.marks[i].end && s.marks[i].end <= 7);
}

static void text_without_spaces_is_cut_and_still_shows_the_word(void **state)
{
    struct sb      text = SB(&arena), marked = SB(&arena);
    struct snippet s;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        sb_puts(&text, i == 500 ? "翼" : "字");
        sb_puts(&marked, i == 500 ? OPEN "翼" CLOSE : "字");
    }
    assert_int_equal(snippet_make(&arena, sb_str(&text), marked.p, &s), 0);
    assert_int_equal(s.mark_count, 1);
    assert_string_equal(marked_text(&s, 0), "翼");
}

static void an_empty_passage_gives_an_empty_snippet(void **state)
{
    struct snippet s;

    (void)state;
    assert_int_equal(snippet_make(&arena, S(""), "", &s), 0);
    assert_int_equal(s.text.n, 0);
}

static void very_many_marks_are_bounded(void **state)
{
    struct sb      text = SB(&arena), marked = SB(&arena);
    struct snippet s;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        sb_puts(&text, "w ");
        sb_puts(&marked, OPEN "w" CLOSE " ");
    }
    assert_int_equal(snippet_make(&arena, sb_str(&text), marked.p, &s), 0);
    assert_int_equal(s.mark_count, SNIPPET_MARKS);
    for (unsigned i = 0; i < s.mark_count; i++)
        assert_string_equal(marked_text(&s, i), "w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(short_text_is_shown_whole_with_its_words_marked, fresh_arena),
        cmocka_unit_test_setup(offsets_count_code_points_not_bytes_or_utf16_units, fresh_arena),
        cmocka_unit_test_setup(white_space_runs_become_one_space_and_the_marks_follow, fresh_arena),
        cmocka_unit_test_setup(the_piece_with_most_different_words_is_shown, fresh_arena),
        cmocka_unit_test_setup(without_marks_the_beginning_is_shown, fresh_arena),
        cmocka_unit_test_setup(marks_of_another_text_are_not_used, fresh_arena),
        cmocka_unit_test_setup(broken_marks_do_no_harm, fresh_arena),
        cmocka_unit_test_setup(text_without_spaces_is_cut_and_still_shows_the_word, fresh_arena),
        cmocka_unit_test_setup(an_empty_passage_gives_an_empty_snippet, fresh_arena),
        cmocka_unit_test_setup_teardown(very_many_marks_are_bounded, fresh_arena, free_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
