/* extract_run.h - runs dms-extract over one file and decodes what it says: the only way by which the text of a user's file is read. */
#ifndef DMS_JOBS_EXTRACT_RUN_H
#define DMS_JOBS_EXTRACT_RUN_H

#include "domain/extraction.h"

struct extract_limits {
    const char *program; /* path of dms-extract; NULL: beside the running executable */
    uint64_t    max_text_bytes, max_pages, max_memory_bytes, max_file_bytes; /* each at least 1 */
    unsigned    cpu_seconds, wall_seconds;
};

#define EXTRACT_LIMITS_DEFAULT                                             \
    ((struct extract_limits){ .max_text_bytes = EXTRACTION_MAX_TEXT_BYTES, \
                              .max_pages = EXTRACTION_MAX_PAGES,           \
                              .max_memory_bytes = UINT64_C(512) << 20,     \
                              .max_file_bytes = UINT64_C(1) << 30,         \
                              .cpu_seconds = 30,                           \
                              .wall_seconds = 60 })

/* Reads the regular file behind file_fd (which stays open and is not moved); name is what the user called it (for its ending) and may
   be "". Blocks up to wall_seconds. Any thread; the thread must outlive the call, since the child dies with it.
   -1: ERR_UNPROCESSABLE, err->field is the stable cause (tbl/extract_causes.def; extract_cause_retryable tells whether to try again),
   err->message the sentence; ERR_UNAVAILABLE: this machine lacks processes, descriptors or memory, or could not read the file: try
   again; ERR_INTERNAL: dms-extract is not there or cannot confine itself; ERR_TOO_LARGE: the arena is too small. */
MUST_CHECK int extract_run(struct arena *a, const struct extract_limits *limits, int file_fd, const char *name,
                           struct extraction *ret, struct error *err);

#endif
