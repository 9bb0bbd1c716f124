/* job.c - see job.h. */
#include "domain/job.h"

#define X(name, kind, task, queue, function) [JOB_##name] = { kind, task, queue },
const struct job_kind_info job_kinds[JOB_KINDS] = {
#include "tbl/job_kinds.def"
};
#undef X

enum { MAX_WAIT_MS = 3600 * 1000, MAX_DOUBLINGS = 12 };

int job_kind_of(const char *kind, enum job_kind *ret)
{
    for (unsigned i = 0; i < JOB_KINDS; i++)
        if (strcmp(job_kinds[i].kind, kind) == 0) {
            *ret = (enum job_kind)i;
            return 0;
        }
    return -1;
}

int job_kind_of_task(const char *task, enum job_kind *ret)
{
    for (unsigned i = 0; i < JOB_KINDS; i++)
        if (strcmp(job_kinds[i].task, task) == 0) {
            *ret = (enum job_kind)i;
            return 0;
        }
    return -1;
}

uint64_t job_backoff_ms(uint64_t first_s, unsigned attempts, uint32_t chance)
{
    unsigned doublings = attempts > 0 ? attempts - 1 : 0;
    uint64_t wait_ms = first_s * 1000 << (doublings < MAX_DOUBLINGS ? doublings : MAX_DOUBLINGS);

    if (wait_ms > MAX_WAIT_MS)
        wait_ms = MAX_WAIT_MS;
    return wait_ms / 2 + (uint64_t)chance % (wait_ms / 2 + 1);
}
