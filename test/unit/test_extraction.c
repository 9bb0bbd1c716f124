/* The decoder of frames: what it takes, and that it refuses everything else. */
#include "domain/extraction.h"
#include "domain/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HELLO "{\"version\":1,\"landlock\":7,\"seccomp\":true}"
#define META(type, pages, more)                                                                                 \
    "{\"mime_type\":\"" type "\",\"title\":\"A title\",\"language\":\"en\",\"note\":null,\"page_count\":" pages \
    ",\"metadata\":{" more "}}"
#define PLAIN META("text/plain", "0", "")

struct fixture {
    struct arena      arena;
    struct sb         frames;
    struct extraction x;
    struct error      err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = ARENA(64 << 20);
    f->frames = SB(&f->arena);
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

static void put_number(struct fixture *f, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, v >>= 8)
        sb_putc(&f->frames, (char)(v & 0xff));
}

static void put_frame(struct fixture *f, char kind, struct str body)
{
    sb_putc(&f->frames, kind);
    put_number(f, body.n, 4);
    sb_put(&f->frames, body);
}

static void put_block_of(struct fixture *f, unsigned kind, unsigned level, unsigned page, struct str text)
{
    sb_putc(&f->frames, FRAME_BLOCK);
    put_number(f, FRAME_BLOCK_HEAD_BYTES + text.n, 4);
    put_number(f, kind, 1);
    put_number(f, level, 1);
    put_number(f, page, 4);
    sb_put(&f->frames, text);
}

static void put_end(struct fixture *f, uint64_t blocks, uint64_t bytes)
{
    sb_putc(&f->frames, FRAME_END);
    put_number(f, FRAME_END_BYTES, 4);
    put_number(f, blocks, 8);
    put_number(f, bytes, 8);
}

static void hello(struct fixture *f)
{
    put_frame(f, FRAME_HELLO, S(HELLO));
}

static int decode(struct fixture *f)
{
    f->err = (struct error){ 0 };
    return extraction_decode(&f->arena, sb_str(&f->frames), &f->x, &f->err);
}

static void assert_cause(struct fixture *f, const char *cause)
{
    assert_int_equal(decode(f), -1);
    assert_int_equal(f->err.code, ERR_UNPROCESSABLE);
    assert_string_equal(f->err.field, cause);
    assert_true(f->err.message[0] != '\0');
    f->frames.n = 0;
}

static void a_whole_result_is_decoded(void **state)
{
    struct fixture *f = *state;

    hello(f);
    put_block_of(f, BLOCK_HEADING, 2, 1, S("Head"));
    put_block_of(f, BLOCK_PARAGRAPH, 0, 2, S("Two\nlines\tof \xc3\xbc"));
    put_frame(f, FRAME_META, S(META("application/pdf", "2", "\"author\":\"A\",\"tags\":[\"x\"]")));
    put_end(f, 2, 4 + 15);
    assert_int_equal(decode(f), 0);
    assert_string_equal(f->x.mime_type, "application/pdf");
    assert_string_equal(f->x.title, "A title");
    assert_string_equal(f->x.language, "en");
    assert_null(f->x.note);
    assert_int_equal(f->x.page_count, 2);
    assert_int_equal(f->x.block_count, 2);
    assert_int_equal(f->x.blocks[0].kind, BLOCK_HEADING);
    assert_int_equal(f->x.blocks[0].level, 2);
    assert_int_equal(f->x.blocks[1].page, 2);
    assert_string_equal(jv_text(f->x.metadata, "author", ""), "A");
    assert_int_equal(jv_int(f->x.protections, "landlock", 0), 7);
    struct str text = extraction_text(&f->arena, &f->x);
    assert_string_equal(text.p, "Head\n\n\fTwo\nlines\tof \xc3\xbc");
}

static void what_is_decoded_does_not_borrow_from_the_frames(void **state)
{
    struct fixture *f = *state;
    char            copy[512];

    hello(f);
    put_block_of(f, BLOCK_PARAGRAPH, 0, 0, S("text"));
    put_frame(f, FRAME_META, S(PLAIN));
    put_end(f, 1, 4);
    memcpy(copy, f->frames.p, f->frames.n);
    assert_int_equal(extraction_decode(&f->arena, (struct str){ copy, f->frames.n }, &f->x, &f->err), 0);
    memset(copy, 'Z', sizeof copy);
    assert_memory_equal(f->x.blocks[0].text.p, "text", 4);
    assert_string_equal(f->x.title, "A title");
}

static void each_cause_is_named_with_its_sentence(void **state)
{
    struct fixture *f = *state;

    for (enum extract_cause c = CAUSE_NONE + 1; c < CAUSES; c++) {
        hello(f);
        put_frame(f, FRAME_FAIL, str_of(extract_causes[c].code));
        assert_int_equal(decode(f), -1);
        assert_string_equal(f->err.field, extract_causes[c].code);
        assert_string_equal(f->err.message, extract_causes[c].sentence);
        f->frames.n = 0;
    }
    hello(f);
    put_frame(f, FRAME_FAIL, S("made_up"));
    assert_cause(f, "crashed");
}

/* A crash halfway must never look like success: every prefix is refused. */
static void every_cut_of_a_whole_result_is_refused(void **state)
{
    struct fixture *f = *state;

    hello(f);
    put_block_of(f, BLOCK_PARAGRAPH, 0, 0, S("some text"));
    put_frame(f, FRAME_META, S(PLAIN));
    put_end(f, 1, 9);
    for (size_t n = 0; n < f->frames.n; n++) {
        struct error err = { 0 };

        assert_int_equal(extraction_decode(&f->arena, (struct str){ f->frames.p, n }, &f->x, &err), -1);
        assert_string_equal(err.field, "crashed");
    }
    assert_int_equal(decode(f), 0);
}

static void the_end_must_agree_with_the_blocks(void **state)
{
    struct fixture *f = *state;
    const uint64_t  wrong[][2] = { { 0, 4 }, { 2, 4 }, { 1, 3 }, { 1, 5 } };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        hello(f);
        put_block_of(f, BLOCK_PARAGRAPH, 0, 0, S("text"));
        put_frame(f, FRAME_META, S(PLAIN));
        put_end(f, wrong[i][0], wrong[i][1]);
        assert_cause(f, "crashed");
    }
}

static void frames_out_of_order_are_refused(void **state)
{
    struct fixture *f = *state;

    put_frame(f, FRAME_META, S(PLAIN)); /* no hello */
    put_end(f, 0, 0);
    assert_cause(f, "crashed");

    hello(f); /* no meta */
    put_end(f, 0, 0);
    assert_cause(f, "crashed");

    hello(f); /* two metas */
    put_frame(f, FRAME_META, S(PLAIN));
    put_frame(f, FRAME_META, S(PLAIN));
    put_end(f, 0, 0);
    assert_cause(f, "crashed");

    hello(f); /* a block behind meta */
    put_frame(f, FRAME_META, S(PLAIN));
    put_block_of(f, BLOCK_PARAGRAPH, 0, 0, S("x"));
    put_end(f, 1, 1);
    assert_cause(f, "crashed");

    hello(f); /* something behind the end */
    put_frame(f, FRAME_META, S(PLAIN));
    put_end(f, 0, 0);
    put_frame(f, FRAME_META, S(PLAIN));
    assert_cause(f, "crashed");

    hello(f); /* an unknown kind */
    put_frame(f, 'X', S("x"));
    assert_cause(f, "crashed");

    put_frame(f, FRAME_HELLO, S("{\"version\":2}")); /* another build */
    assert_cause(f, "crashed");
}

static void blocks_that_break_the_rules_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        unsigned   kind, level, page;
        struct str text;
    } rows[] = {
        { BLOCK_KINDS, 0, 0, { "x", 1 } },
        { 255, 0, 0, { "x", 1 } },
        { BLOCK_HEADING, 0, 0, { "x", 1 } },
        { BLOCK_HEADING, 7, 0, { "x", 1 } },
        { BLOCK_PARAGRAPH, 1, 0, { "x", 1 } },
        { BLOCK_PARAGRAPH, 0, EXTRACTION_MAX_PAGES + 1, { "x", 1 } },
        { BLOCK_PARAGRAPH, 0, 1, { "x", 1 } }, /* meta says there are no pages */
        { BLOCK_PARAGRAPH, 0, 0, { "", 0 } },
        { BLOCK_PARAGRAPH, 0, 0, { "\xff", 1 } },
        { BLOCK_PARAGRAPH, 0, 0, { "\xc0\x80", 2 } },
        { BLOCK_PARAGRAPH, 0, 0, { "\xed\xa0\x80", 3 } },
        { BLOCK_PARAGRAPH, 0, 0, { "a\0b", 3 } },
        { BLOCK_PARAGRAPH, 0, 0, { "a\rb", 3 } },
        { BLOCK_PARAGRAPH, 0, 0, { "a\x1b[1m", 5 } },
        { BLOCK_PARAGRAPH, 0, 0, { "a\x7f", 2 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        hello(f);
        put_block_of(f, rows[i].kind, rows[i].level, rows[i].page, rows[i].text);
        put_frame(f, FRAME_META, S(PLAIN));
        put_end(f, 1, rows[i].text.n);
        assert_cause(f, "crashed");
    }
}

static void meta_that_breaks_the_rules_is_refused(void **state)
{
    struct fixture          *f = *state;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"mime_type\":\"text/plain\"}",
        META("text/x-made-up", "0", ""),
        META("text/plain", "-1", ""),
        META("text/plain", "10001", ""),
        META("text/plain", "\"1\"", ""),
        META("text/plain", "0", "\"a\":\"\\u0000\""),
        META("text/plain", "0", "\"a\":\"\\u001b[1m\""),
        META("text/plain", "0", "\"a\":[{\"b\":\"\\u0001\"}]"),
        META("text/plain", "0", "\"a\\u0007\":\"x\""),
        META("text/plain", "0", "\"a\":1,\"a\":2"),
        META("text/plain", "0", "\"a\":[[[[[[[[[1]]]]]]]]]"),
        "{\"mime_type\":\"text/plain\",\"title\":\"a\\nb\",\"page_count\":0,\"metadata\":{}}",
        "{\"mime_type\":\"text/plain\",\"title\":\"\\u202e\",\"page_count\":0,\"metadata\":{}}",
        "{\"mime_type\":\"text/plain\",\"page_count\":0,\"metadata\":[]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        hello(f);
        put_frame(f, FRAME_META, str_of(rows[i]));
        put_end(f, 0, 0);
        assert_cause(f, "crashed");
    }
}

static void the_text_is_capped_whatever_the_program_was_told(void **state)
{
    struct fixture *f = *state;
    struct arena    big = ARENA(256 << 20);
    char           *text = malloc(EXTRACTION_MAX_TEXT_BYTES + 1);

    memset(text, 'x', EXTRACTION_MAX_TEXT_BYTES + 1);
    f->frames = SB(&big);
    for (size_t over = 0; over < 2; over++) {
        size_t n = EXTRACTION_MAX_TEXT_BYTES + over;

        f->frames.n = 0;
        hello(f);
        put_block_of(f, BLOCK_PARAGRAPH, 0, 0, (struct str){ text, n });
        put_frame(f, FRAME_META, S(PLAIN));
        put_end(f, 1, n);
        f->err = (struct error){ 0 };
        int result = extraction_decode(&big, sb_str(&f->frames), &f->x, &f->err);
        assert_int_equal(result, over > 0 ? -1 : 0);
    }
    assert_string_equal(f->err.field, "too_large_text");
    free(text);
    arena_free(&big);
}

static void an_arena_too_small_is_said(void **state)
{
    struct fixture *f = *state;
    struct arena    small = ARENA(2048);

    hello(f);
    for (int i = 0; i < 100; i++)
        put_block_of(f, BLOCK_PARAGRAPH, 0, 0, S("text"));
    put_frame(f, FRAME_META, S(PLAIN));
    put_end(f, 100, 400);
    assert_int_equal(extraction_decode(&small, sb_str(&f->frames), &f->x, &f->err), -1);
    assert_int_equal(f->err.code, ERR_TOO_LARGE);
    arena_free(&small);
}

static void types_are_found_by_the_ending_of_a_name(void **state UNUSED)
{
    static const char *const rows[][2] = {
        { "a.pdf", "application/pdf" },
        { "A.PDF", "application/pdf" },
        { "a.tar.gz", "application/gzip" },
        { ".md", "text/markdown" },
        { "a.b.markdown", "text/markdown" },
        { "a.docm", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
    };
    static const char *const none[] = { "", "pdf", "a.", "a.pdfx", "a.pdf ", "a.averyverylongending", "a. pdf" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(file_type_by_name(str_of(rows[i][0]))->mime, rows[i][1]);
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_null(file_type_by_name(str_of(none[i])));
}

/* A list with a type or an ending twice would hide one of them. */
static void no_type_and_no_ending_stands_twice(void **state UNUSED)
{
    for (size_t i = 0; i < file_type_count; i++) {
        struct str rest = str_of(file_types[i].endings);

        assert_ptr_equal(file_type_by_mime(str_of(file_types[i].mime)), &file_types[i]);
        while (rest.n > 0) {
            struct str ending = str_cut(&rest, ' ');
            char       name[32];

            snprintf(name, sizeof name, "x.%.*s", (int)ending.n, ending.p);
            assert_ptr_equal(file_type_by_name(str_of(name)), &file_types[i]);
        }
    }
}

static void only_passing_causes_are_tried_again(void **state UNUSED)
{
    assert_true(extract_cause_retryable("timeout"));
    assert_false(extract_cause_retryable("damaged"));
    assert_false(extract_cause_retryable("encrypted"));
    assert_false(extract_cause_retryable(""));
    assert_false(extract_cause_retryable("made_up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_result_is_decoded, begin, end),
        cmocka_unit_test_setup_teardown(what_is_decoded_does_not_borrow_from_the_frames, begin, end),
        cmocka_unit_test_setup_teardown(each_cause_is_named_with_its_sentence, begin, end),
        cmocka_unit_test_setup_teardown(every_cut_of_a_whole_result_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_end_must_agree_with_the_blocks, begin, end),
        cmocka_unit_test_setup_teardown(frames_out_of_order_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(blocks_that_break_the_rules_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(meta_that_breaks_the_rules_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_text_is_capped_whatever_the_program_was_told, begin, end),
        cmocka_unit_test_setup_teardown(an_arena_too_small_is_said, begin, end),
        cmocka_unit_test(types_are_found_by_the_ending_of_a_name),
        cmocka_unit_test(no_type_and_no_ending_stands_twice),
        cmocka_unit_test(only_passing_causes_are_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
