/* version.c - `dms version`: which program this is. */
#include "cmd/cmd.h"
#include "store/migrate.h"
#include "version.h" /* made at build time: DMS_VERSION, DMS_COMMIT */

#include <argp.h>
#include <stdio.h>

static const struct argp parser = {
    .doc = "Prints the version, the commit it was built from, the compiler and the version of the schema."
};

int cmd_version(int argc, char **argv)
{
    argp_parse(&parser, argc, argv, 0, NULL, NULL); /* no settings: it answers whatever state they are in */
    printf("dms %s%s%s\ncompiled by %s %s, schema %04u\n", DMS_VERSION, DMS_COMMIT[0] != '\0' ? ", commit " : "",
           DMS_COMMIT,
#ifdef __clang__
           "clang",
#else
           "gcc",
#endif
           __VERSION__, migrate_expected());
    return 0;
}
