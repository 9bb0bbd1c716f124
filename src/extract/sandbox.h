/* sandbox.h - takes away from this process everything that reading one mapped file does not need. Knows nothing of formats. */
#ifndef DMS_EXTRACT_SANDBOX_H
#define DMS_EXTRACT_SANDBOX_H

#include "base/error.h"

struct sandbox_limits {
    uint64_t memory_bytes; /* address space, all that is mapped by now included */
    uint64_t cpu_seconds;
};

/* What stands after sandbox_enter. */
struct protections {
    int  landlock_abi;          /* 0: this kernel has none; files are then refused by the system call filter alone */
    bool tcp_denied;            /* by Landlock as well (ABI 4) */
    bool unprivileged;          /* runs without root's rights */
    bool address_space_limited; /* false under AddressSanitizer only */
};

/* From here on: no file, no socket, no process, no new executable page; write to descriptors 1 and 2 is all that is left. Any other
   system call ends the process with SIGSYS, but opening and looking up files, which fails with EACCES. Descriptors from 3 on are closed.
   -1: not confined, the caller must not go on. */
MUST_CHECK int sandbox_enter(const struct sandbox_limits *limits, struct protections *ret, struct error *err);

#endif
