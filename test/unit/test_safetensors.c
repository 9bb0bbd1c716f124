/* Each check of the format, by a file that fails it and nothing else. */
#include "embed_test.h"

#include "embed/safetensors.h"

enum { DATA = 32 };

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}"

struct opened {
    struct arena        arena;
    const char         *dir;
    struct safetensors *s;
    struct error        err;
};

/* A file of that length field (-1: the true one), header and `data_n` bytes 0, 1, 2, ... */
static void open_file(struct opened *o, int64_t length, const char *header, size_t data_n)
{
    struct error ignored = { 0 };
    struct sb    b;
    uint64_t     n = length < 0 ? strlen(header) : (uint64_t)length;

    *o = (struct opened){ .arena = ARENA(1 << 16) };
    b = SB(&o->arena);
    for (unsigned i = 0; i < 8; i++)
        sb_putc(&b, (char)(n >> (8 * i) & 0xff));
    sb_puts(&b, header);
    for (size_t i = 0; i < data_n; i++)
        sb_putc(&b, (char)i);
    o->dir = make_dir(&o->arena);
    const char *path = path_join(&o->arena, o->dir, "x.safetensors");
    assert_int_equal(file_write(path, sb_str(&b), 0600, &ignored), 0);
    o->s = safetensors_open(path, &o->err);
}

static void close_file(struct opened *o)
{
    safetensors_close(o->s);
    remove_dir(o->dir);
    arena_free(&o->arena);
}

static void names_are_found_but_the_metadata_is_none(void **state)
{
    struct opened o;

    (void)state;
    open_file(&o, -1,
              "{" B ",\"__metadata__\":{\"format\":\"pt\"}," A
              ",\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[24,24]}}    ",
              DATA);
    assert_non_null(o.s);
    assert_true(safetensors_has(o.s, "a"));
    assert_true(safetensors_has(o.s, "z"));
    assert_false(safetensors_has(o.s, "__metadata__"));
    close_file(&o);
}

static void numbers_lie_where_the_offsets_say(void **state)
{
    struct opened        o;
    struct sb            b;
    struct arena         a = ARENA(4096);
    static const uint8_t first[] = { 0, 1, 2, 3 };

    (void)state;
    b = SB(&a);
    sb_puts(&b, "{" A "," B "}");
    while (b.n % 4 != 0)
        sb_putc(&b, ' ');
    open_file(&o, -1, b.p, DATA);
    assert_non_null(o.s);
    assert_memory_equal(safetensors_f32(o.s, "a", (size_t[]){ 2, 3 }, 2, &o.err), first, sizeof first);
    close_file(&o);
    sb_putc(&b, ' ');
    open_file(&o, -1, b.p, DATA);
    assert_non_null(o.s);
    assert_null(safetensors_f32(o.s, "a", (size_t[]){ 2, 3 }, 2, &o.err));
    assert_non_null(strstr(o.err.detail, "not aligned"));
    close_file(&o);
    arena_free(&a);
}

static void another_type_shape_or_name_is_refused(void **state)
{
    static const struct {
        const char *name;
        size_t      shape[3], rank;
    } wrong[] = {
        { "b", { 0 }, 0 }, { "c", { 2, 3 }, 2 }, { "a", { 3, 2 }, 2 }, { "a", { 6 }, 1 }, { "a", { 2, 3, 1 }, 3 }
    };
    struct opened o;

    (void)state;
    open_file(&o, -1, "{" A "," B "}", DATA);
    assert_non_null(o.s);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct error err = { 0 };

        assert_null(safetensors_f32(o.s, wrong[i].name, wrong[i].shape, wrong[i].rank, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_null(strstr(err.detail, "aligned"));
    }
    close_file(&o);
}

static void damaged_files_are_refused(void **state)
{
#define TENSOR(members) "{" A ",\"b\":{" members "}}"
    static const struct {
        int64_t     length;
        const char *header;
        size_t      data_n;
        const char *why;
    } rows[] = {
        { 1000000, "{" A "," B "}", DATA, "longer than the file" },
        { INT64_MAX, "{" A "," B "}", DATA, "longer than the file" },
        { 0, "", 8, "begin with {" },
        { -1, "[]", 0, "begin with {" },
        { -1, " {}", 0, "begin with {" },
        { -1, "{\"a\":", 0, "header:" },
        { -1, "{} x", 0, "header:" },
        { -1, "{" A "," A "}", 24, "header:" }, /* a name twice */
        { -1, "{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", 0, "header:" },
        { -1, "{" A ",\"b\":7}", DATA, "no shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"data_offsets\":[24,32]"), DATA, "no shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[24,32]"), DATA, "no shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[-1],\"data_offsets\":[24,32]"), DATA, "impossible shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[1.5],\"data_offsets\":[24,32]"), DATA, "impossible shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[\"1\"],\"data_offsets\":[24,32]"), DATA, "impossible shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[24,32]"), DATA,
          "impossible shape" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[4611686018427387904],\"data_offsets\":[24,32]"), DATA,
          "other bytes" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[24,32]"), DATA, "other bytes" },
        { -1, TENSOR("\"dtype\":\"X9\",\"shape\":[],\"data_offsets\":[24,32]"), DATA, "unknown type" },
        { -1, TENSOR("\"shape\":[],\"data_offsets\":[24,32]"), DATA, "unknown type" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"offsets\":[24,32]"), DATA, "no data_offsets" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24]"), DATA, "no data_offsets" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[-8,0]"), DATA, "no data_offsets" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[\"24\",32]"), DATA, "no data_offsets" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[32,24]"), DATA, "outside" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[25,33]"), DATA, "outside" },
        { -1, TENSOR("\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[20,28]"), 28, "overlaps" },
        { -1, TENSOR("\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[28,32]"), DATA, "hole" },
        { -1, "{" A "," B "}", DATA + 1, "behind the last" },
        { -1, "{}", 1, "behind the last" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct opened o;

        open_file(&o, rows[i].length, rows[i].header, rows[i].data_n);
        if (o.s || o.err.code != ERR_INTERNAL || !strstr(o.err.detail, rows[i].why))
            fail_msg("row %zu, expected \"%s\", got \"%s\"", i, rows[i].why, o.err.detail);
        close_file(&o);
    }
}

static void a_file_that_is_absent_or_too_short_is_refused(void **state)
{
    struct arena a = ARENA(4096);
    struct error err = { 0 }, ignored = { 0 };
    const char  *dir = make_dir(&a), *path = path_join(&a, dir, "x.safetensors");

    (void)state;
    assert_null(safetensors_open(path, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(file_write(path, S("1234567"), 0600, &ignored), 0);
    err = (struct error){ 0 };
    assert_null(safetensors_open(path, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    err = (struct error){ 0 };
    assert_null(safetensors_open(dir, &err)); /* a folder */
    assert_int_equal(err.code, ERR_INTERNAL);
    remove_dir(dir);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_but_the_metadata_is_none),
        cmocka_unit_test(numbers_lie_where_the_offsets_say),
        cmocka_unit_test(another_type_shape_or_name_is_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(a_file_that_is_absent_or_too_short_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
