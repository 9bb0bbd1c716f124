/* embed_test.h - for the tests of src/embed: where the model is, and files made for one test. */
#ifndef DMS_TEST_EMBED_TEST_H
#define DMS_TEST_EMBED_TEST_H

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* The folder of the model: DMS_MODEL_DIR, or model/ in the sources. Without the model the test fails, it is not passed over. */
static inline const char *model_dir(struct arena *a)
{
    const char *dir = getenv("DMS_MODEL_DIR"), *source = getenv("DMS_SOURCE_DIR");

    if (!dir || dir[0] == '\0')
        dir = path_join(a, source ? source : ".", "model");
    if (access(path_join(a, dir, "model.safetensors"), R_OK) != 0)
        fail_msg("the embedding model is not in %s: run script/model, or set DMS_MODEL_DIR", dir);
    return dir;
}

/* A temporary folder; remove_dir at the end. */
static inline const char *make_dir(struct arena *a)
{
    char *dir = arena_alloc(a, 64);

    snprintf(dir, 64, "%s/dms-embed-XXXXXX", "/tmp");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static inline void remove_dir(const char *dir)
{
    struct error err = { 0 };

    assert_int_equal(file_remove_tree(dir, &err), 0);
}

#endif
