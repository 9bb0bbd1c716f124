/* sandbox.c - resource limits, no_new_privs, Landlock and a seccomp filter, in that order. Each is enough against most attacks
   alone; all four stand because each has had holes. test/extract/hostile.c tries to get out. */
#include "extract/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

enum { NOBODY = 65534 };

#if UNDER_ASAN
/* The leak check and the symbolizer start processes, which the filter would end. */
const char                                        *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0:symbolize=0:allocator_may_return_null=1";
}
#endif

static int failed(struct error *err, const char *what)
{
    return error_set(err, ERR_INTERNAL, "the sandbox does not stand: %s: %s", what, strerror(errno));
}

/* Root's rights would make the limits moot. Without a user "nobody" in this user namespace it stays as it is, and is reported. */
static bool drop_root(void)
{
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* hard: the kernel's answer to going over the CPU limit is SIGXCPU at the soft one, which the parent can tell from any other kill. */
static int limit_both(int resource, uint64_t soft, uint64_t hard, const char *what, struct error *err)
{
    struct rlimit r = { .rlim_cur = soft, .rlim_max = hard };

    return setrlimit((__rlimit_resource_t)resource, &r) == 0 ? 0 : failed(err, what);
}

static int limit(int resource, uint64_t value, const char *what, struct error *err)
{
    return limit_both(resource, value, value, what, err);
}

static int limit_resources(const struct sandbox_limits *limits, struct error *err)
{
    /* ASan's shadow is terabytes of address space; the limit is tested in the plain build. */
    if (!UNDER_ASAN && limit(RLIMIT_AS, limits->memory_bytes, "RLIMIT_AS", err) < 0)
        return -1;
    if (limit_both(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 1, "RLIMIT_CPU", err) < 0
        || limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE", err) < 0 || limit(RLIMIT_NOFILE, 3, "RLIMIT_NOFILE", err) < 0
        || limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC", err) < 0)
        return -1;
    return limit(RLIMIT_CORE, 0, "RLIMIT_CORE", err);
}

/* linux/landlock.h of Debian 12 knows ABI 2; the kernel takes a shorter structure from an older program and the other way round. */
struct landlock_rules {
    uint64_t handled_fs, handled_net, scoped;
};

/* Which bits an ABI knows, all of them to be denied: nothing is ever allowed again. */
static struct landlock_rules landlock_everything(int abi)
{
    unsigned fs_bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;

    return (struct landlock_rules){ .handled_fs = (UINT64_C(1) << fs_bits) - 1,
                                    .handled_net = abi >= 4 ? 3 : 0, /* TCP bind, connect */
                                    .scoped = abi >= 6 ? 3 : 0 };    /* abstract sockets, signals */
}

static int deny_files(struct protections *ret, struct error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1) /* ENOSYS or EOPNOTSUPP: said in the hello frame, and the filter below still refuses every file */
        return 0;
    struct landlock_rules rules = landlock_everything((int)abi);
    size_t                size = abi >= 6 ? sizeof rules : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int                   fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return failed(err, "landlock_create_ruleset");
    long done = syscall(SYS_landlock_restrict_self, fd, 0);
    close(fd);
    if (done != 0)
        return failed(err, "landlock_restrict_self");
    ret->landlock_abi = (int)abi;
    ret->tcp_denied = abi >= 4;
    return 0;
}

/* Everything that reading a mapped file takes; strace of the test corpus is where it comes from. */
static const int allowed[] = {
    /* memory; mmap and mprotect stand below with conditions */
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    /* the end, and abort() on the way to it; tgkill stands below */
    SCMP_SYS(exit_group),
    SCMP_SYS(exit),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    /* time where there is no vDSO, random seeds of hash tables, contended locks, and the memory size that qsort asks for */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sysinfo),
#if UNDER_ASAN
    /* ASan's own house-keeping: signal stacks, names of mappings, its allocator's locks and reports. Never in production. */
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sched_yield),
    SCMP_SYS(prctl),
    SCMP_SYS(getuid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(close),
#endif
};

/* Libraries look for optional files (character maps, time zones) and cope when there are none: refused, not killed. */
static const int refused[] = {
    SCMP_SYS(open),       SCMP_SYS(openat), SCMP_SYS(access),   SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(stat),   SCMP_SYS(lstat),    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx),  SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

struct condition {
    int                 call;
    unsigned            count;
    struct scmp_arg_cmp args[2];
};

/* Allowed when the arguments say so: writing to the two descriptors, memory that is no program, a signal to oneself. */
static int add_conditional(scmp_filter_ctx f)
{
    const struct condition rows[] = {
        { SCMP_SYS(write), 1, { { 0, SCMP_CMP_EQ, STDOUT_FILENO, 0 } } },
        { SCMP_SYS(write), 1, { { 0, SCMP_CMP_EQ, STDERR_FILENO, 0 } } },
        { SCMP_SYS(writev), 1, { { 0, SCMP_CMP_EQ, STDERR_FILENO, 0 } } },
        { SCMP_SYS(mmap),
          2,
          { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 }, { 3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS } } },
        { SCMP_SYS(mprotect), 1, { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } } },
        { SCMP_SYS(tgkill), 1, { { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int bad = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, rows[i].call, rows[i].count, rows[i].args);

        if (bad != 0)
            return bad;
    }
    return 0;
}

static int filter_calls(struct error *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int             bad = f ? seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) : -ENOMEM;

    for (size_t i = 0; bad == 0 && i < ARRAY_LEN(allowed); i++)
        bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; bad == 0 && i < ARRAY_LEN(refused); i++)
        bad = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    if (bad == 0)
        bad = add_conditional(f);
    if (bad == 0)
        bad = seccomp_load(f);
    seccomp_release(f);
    if (bad == 0)
        return 0;
    errno = bad < 0 ? -bad : EINVAL;
    return failed(err, "seccomp");
}

int sandbox_enter(const struct sandbox_limits *limits, struct protections *ret, struct error *err)
{
    *ret = (struct protections){ .unprivileged = drop_root(), .address_space_limited = !UNDER_ASAN };
    /* After the change of user, which resets both. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        return failed(err, "prctl");
    if (close_range(3, ~0u, 0) != 0)
        return failed(err, "close_range");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failed(err, "no_new_privs");
    if (deny_files(ret, err) < 0 || limit_resources(limits, err) < 0)
        return -1;
    return filter_calls(err);
}
