/* plan.h - what each plan allows; the table is tbl/plans.def. No I/O. */
#ifndef DMS_DOMAIN_PLAN_H
#define DMS_DOMAIN_PLAN_H

#include "base/text.h"

#define X(name, ...) PLAN_##name,
enum plan {
#include "tbl/plans.def"
    PLAN_COUNT
};
#undef X

struct plan_limits {
    const char *name;
    uint64_t    requests_per_minute, searches_per_minute, documents_per_hour;
    uint64_t    documents, bytes, file_bytes;
};
extern const struct plan_limits plan_limits[PLAN_COUNT];

/* The plan of that name; of an unknown one the smallest, so that a mistake never gives more. */
unsigned plan_by_name(const char *name);

#endif
