/* pdf_elsewhere.c - stands for pdf.c in dms-extract. Poppler and what it links take three times as long to load as all the rest, so a PDF is
   handed to the program dms-extract-pdf beside this one, before a byte of the file is parsed: same file, pipes and limits. */
#include "extract/extract.h"
#include "extract/preload.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

int pdf_preload(char **argv, struct error *err)
{
    char    path[PATH_MAX + 8];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

    if (n <= 0 || n >= PATH_MAX)
        return error_set(err, ERR_INTERNAL, "where this program lies is unknown");
    memcpy(path + n, "-pdf", sizeof "-pdf");
    execv(path, argv);
    return error_set(err, ERR_INTERNAL, "%s cannot be started: %s", path, strerror(errno));
}

int read_pdf(struct reading *r)
{
    return reading_fail(r, CAUSE_UNSUPPORTED); /* not reached: pdf_preload did not return */
}
