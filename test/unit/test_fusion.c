/* Reciprocal rank fusion: hand-computed scores, ties, depth, and the rule of codes. */
#include "domain/fusion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LEG(...)                                                                     \
    (struct passages)                                                                \
    {                                                                                \
        (const struct passage[]){ __VA_ARGS__ },                                     \
            sizeof((const struct passage[]){ __VA_ARGS__ }) / sizeof(struct passage) \
    }

static int with_arena(void **state)
{
    static struct arena a;

    a = ARENA(1 << 20);
    *state = &a;
    return 0;
}

static int without_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static void a_document_of_both_legs_beats_the_first_of_one(void **state)
{
    struct passages legs[LEG_COUNT] = {
        [LEG_KEYWORD] = LEG({ "a", "a1", 9, false }, { "b", "b1", 8, false }),
        [LEG_VECTOR] = LEG({ "c", "c1", .9, false }, { "b", "b2", .8, false }),
    };
    struct fused *f;
    size_t        n;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(f[0].document_id, "b");
    assert_true(f[0].score > 2.0 / 62 - 1e-12 && f[0].score < 2.0 / 62 + 1e-12);
    assert_string_equal(f[0].chunk_id, "b1");   /* equal ranks: the keyword leg's passage, its words can be shown */
    assert_string_equal(f[1].document_id, "a"); /* equal scores and ranks: keyword before vector */
    assert_string_equal(f[2].document_id, "c");
    assert_int_equal(f[2].rank[LEG_KEYWORD], 0);
    assert_int_equal(f[2].rank[LEG_VECTOR], 1);
}

static void a_documents_best_passage_counts_and_the_others_take_no_rank(void **state)
{
    struct passages legs[LEG_COUNT] = {
        [LEG_KEYWORD] = LEG({ "a", "a1", 9, false }, { "a", "a2", 8, false }, { "b", "b1", 7, false }),
    };
    struct fused *f;
    size_t        n;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(f[0].chunk_id, "a1");
    assert_int_equal(f[1].rank[LEG_KEYWORD], 2);
    assert_true(f[1].leg_score[LEG_KEYWORD] > 6.9);
}

static void the_passage_shown_is_that_of_the_better_rank(void **state)
{
    struct passages legs[LEG_COUNT] = {
        [LEG_KEYWORD] = LEG({ "x", "x1", 9, false }, { "a", "by words", 8, false }),
        [LEG_VECTOR] = LEG({ "a", "by meaning", .9, false }),
    };
    struct fused *f;
    size_t        n;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_string_equal(f[0].document_id, "a");
    assert_string_equal(f[0].chunk_id, "by meaning");
}

static void what_holds_the_code_comes_first_whatever_the_vectors_say(void **state)
{
    struct passages legs[LEG_COUNT] = {
        [LEG_KEYWORD] = LEG({ "b", "b1", 9, false }, { "adr", "adr1", 8, true }),
        [LEG_VECTOR] = LEG({ "b", "b1", .9, false }),
    };
    struct fused *f;
    size_t        n;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_string_equal(f[0].document_id, "adr");
    assert_true(f[0].score > f[1].score); /* so that sorting by score gives the same order */
}

static void each_leg_gives_a_hundred_documents(void **state)
{
    static char           ids[150][8];
    static struct passage list[150];
    struct fused         *f;
    size_t                n;

    for (unsigned i = 0; i < 150; i++) {
        snprintf(ids[i], sizeof ids[i], "d%03u", i);
        list[i] = (struct passage){ ids[i], ids[i], 1.0, false };
    }
    struct passages legs[LEG_COUNT] = { [LEG_KEYWORD] = { list, 150 }, [LEG_VECTOR] = { list + 75, 75 } };
    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_int_equal(n, 150);
    legs[LEG_VECTOR] = (struct passages){ list, 0 };
    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_int_equal(n, 100);
    assert_string_equal(f[99].document_id, "d099");
}

static void nothing_found_is_an_empty_list(void **state)
{
    struct passages legs[LEG_COUNT] = { 0 };
    struct fused   *f;
    size_t          n = 1;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_int_equal(n, 0);
}

static void equal_documents_come_in_the_order_of_their_ids(void **state)
{
    struct passages legs[LEG_COUNT] = {
        [LEG_KEYWORD] = LEG({ "z", "z1", 1, false }, { "a", "a1", 1, false }),
        [LEG_VECTOR] = LEG({ "a", "a1", 1, false }, { "z", "z1", 1, false }),
    };
    struct fused *f;
    size_t        n;

    assert_int_equal(fusion_run(*state, legs, &f, &n), 0);
    assert_string_equal(f[0].document_id, "a");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, with_arena, without_arena)
    const struct CMUnitTest tests[] = {
        T(a_document_of_both_legs_beats_the_first_of_one),
        T(a_documents_best_passage_counts_and_the_others_take_no_rank),
        T(the_passage_shown_is_that_of_the_better_rank),
        T(what_holds_the_code_comes_first_whatever_the_vectors_say),
        T(each_leg_gives_a_hundred_documents),
        T(nothing_found_is_an_empty_list),
        T(equal_documents_come_in_the_order_of_their_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
