/* plan.c - see plan.h. */
#include "domain/plan.h"

#define X(id, name, rpm, spm, dph, documents, bytes, file_bytes) \
    [PLAN_##id] = { name, rpm, spm, dph, documents, bytes, file_bytes },
const struct plan_limits plan_limits[PLAN_COUNT] = {
#include "tbl/plans.def"
};
#undef X

unsigned plan_by_name(const char *name)
{
    for (unsigned i = 0; i < PLAN_COUNT; i++)
        if (strcmp(plan_limits[i].name, name) == 0)
            return i;
    return PLAN_FREE;
}
