/* hostile.c - stands in for a parser in an attacker's hands: enters the sandbox of dms-extract and tries to get out.
   "hostile --list" prints the attempts with how each must end, "hostile NAME" makes one. Exit status 10: refused with EACCES or EPERM;
   11: refused with something else; 12: it worked. Killed with SIGSYS: stopped by the filter.
   "hostile --every" tries each system call number with no arguments, a process each, and prints those that the filter lets through. */
#include "extract/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_REFUSED = 10, STATUS_ODD = 11, STATUS_OUT = 12, CALL_NUMBERS = 480 };

static pid_t parent; /* known before the sandbox closes */

/* ---- attempts: return what the call returned, -1 with errno when it was refused ---- */

static long open_secret(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static long open_to_write(void)
{
    return open("/tmp/hostile", O_CREAT | O_WRONLY, 0600);
}

static long open_own_memory(void)
{
    return open("/proc/self/mem", O_RDWR);
}

static long open_parent_environment(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/environ", parent);
    return open(path, O_RDONLY);
}

static long open_device(void)
{
    return open("/dev/mem", O_RDONLY);
}

static long open_library(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC);
}

static long open_by_number(void)
{
    return open("/proc/self/fd/1", O_RDWR);
}

static long open_beneath(void)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = { O_RDONLY, 0, 0 };

    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how);
}

static long look_at_file(void)
{
    struct stat st;

    return stat("/etc/passwd", &st);
}

static long read_link(void)
{
    char to[64];

    return readlink("/proc/self/exe", to, sizeof to);
}

static long run_program(void)
{
    char *const argv[] = { (char[]){ "/bin/sh" }, NULL }, *const env[] = { NULL };

    return execve("/bin/sh", argv, env);
}

static long make_process(void)
{
    long pid = syscall(SYS_fork);

    if (pid == 0)
        _exit(STATUS_OUT);
    return pid;
}

static long make_thread(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long make_process_newly(void)
{
    uint64_t args[11] = { 0 };

    return syscall(SYS_clone3, args, sizeof args);
}

static long call_out(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long call_out_by_datagram(void)
{
    return socket(AF_INET6, SOCK_DGRAM, 0);
}

static long call_local_server(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long ask_kernel(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long connect_inherited(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return connect(STDOUT_FILENO, (struct sockaddr *)&to, sizeof to);
}

static long send_descriptor(void)
{
    struct msghdr m = { 0 };

    return sendmsg(STDOUT_FILENO, &m, 0);
}

static long kill_parent(void)
{
    return kill(parent, SIGKILL);
}

static long kill_parent_thread(void)
{
    return syscall(SYS_tgkill, parent, parent, SIGKILL);
}

static long trace_parent(void)
{
    return ptrace(PTRACE_ATTACH, parent, NULL, NULL);
}

static long read_parent_memory(void)
{
    char         byte;
    struct iovec here = { &byte, 1 }, there = { &parent, 1 };

    return process_vm_readv(parent, &here, 1, &there, 1, 0);
}

static long take_parent_descriptor(void)
{
    return syscall(SYS_pidfd_open, parent, 0);
}

static long map_program(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 1;
}

static long map_descriptor(void)
{
    void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, STDOUT_FILENO, 0);

    return p == MAP_FAILED ? -1 : 1;
}

static long make_program(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long make_program_with_key(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_EXEC, -1);
}

static long make_memory_file(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}

static long write_elsewhere(void)
{
    return write(3, "x", 1);
}

static long read_input(void)
{
    char byte;

    return read(STDIN_FILENO, &byte, 1);
}

static long type_into_terminal(void)
{
    return syscall(SYS_ioctl, STDERR_FILENO, 0x5412 /* TIOCSTI */, "x");
}

static long copy_descriptor(void)
{
    return dup(STDOUT_FILENO);
}

static long become_root(void)
{
    return setuid(0);
}

static long lift_limit(void)
{
    struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

    return syscall(SYS_prlimit64, 0, RLIMIT_AS, &r, NULL);
}

static long lift_filter(void)
{
    return syscall(SYS_seccomp, 1, 0, NULL);
}

static long be_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1);
}

#if defined(__x86_64__)
/* The 32-bit entry has other numbers: 5 is open there. */
static long call_by_old_entry(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid of i386 */
    return result;
}

static long call_as_x32(void)
{
    return syscall(0x40000000 + SYS_getpid);
}
#endif

#define BARE(name)                                    \
    static long bare_##name(void)                     \
    {                                                 \
        return syscall(SYS_##name, 0, 0, 0, 0, 0, 0); \
    }
/* clang-format off */
#define BARE_CALLS(X)                                                                                                  \
    X(io_uring_setup)                                                                                                  \
    X(io_setup) X(userfaultfd) X(bpf) X(perf_event_open) X(keyctl) X(add_key) X(request_key) X(unshare) X(setns)       \
        X(mount) X(umount2) X(pivot_root) X(chroot) X(chdir) X(fsopen) X(open_tree) X(move_mount) X(name_to_handle_at) \
            X(open_by_handle_at) X(shmget) X(msgget) X(semget) X(mq_open) X(eventfd2) X(epoll_create1) X(signalfd4)    \
                X(timerfd_create) X(inotify_init1) X(fanotify_init) X(socketpair) X(sendto) X(recvfrom) X(splice)      \
                    X(vmsplice) X(sendfile) X(copy_file_range) X(truncate) X(ftruncate) X(fallocate) X(unlinkat)       \
                        X(mkdirat) X(renameat2) X(symlinkat) X(linkat) X(fchmodat) X(fchownat) X(mknodat)              \
                            X(init_module) X(finit_module) X(kexec_load) X(reboot) X(swapon) X(sethostname)            \
                                X(settimeofday) X(clock_settime) X(adjtimex) X(syslog) X(acct) X(quotactl) X(capset)   \
                                    X(setresuid) X(setgroups) X(personality) X(sched_setaffinity) X(rt_sigqueueinfo)   \
                                        X(tkill) X(process_vm_writev) X(pidfd_getfd) X(kcmp) X(memfd_secret)           \
                                            X(landlock_create_ruleset) X(pread64) X(fcntl) X(vfork) X(execveat)        \
                                                X(nanosleep) X(pause) X(wait4)
/* clang-format on */
BARE_CALLS(BARE)

enum ending { KILLED, REFUSED };

struct attempt {
    const char *name;
    long (*run)(void);
    enum ending must;
    bool        asan_needs; /* allowed by the sanitizer build's list */
};

#define BARE_ROW(name) { #name, bare_##name, KILLED, false },
static const struct attempt attempts[] = { { "open_secret", open_secret, REFUSED, false },
                                           { "open_to_write", open_to_write, REFUSED, false },
                                           { "open_own_memory", open_own_memory, REFUSED, false },
                                           { "open_parent_environment", open_parent_environment, REFUSED, false },
                                           { "open_device", open_device, REFUSED, false },
                                           { "open_library", open_library, REFUSED, false },
                                           { "open_by_number", open_by_number, REFUSED, false },
                                           { "look_at_file", look_at_file, REFUSED, false },
                                           { "read_link", read_link, REFUSED, false },
                                           { "open_beneath", open_beneath, KILLED, false },
                                           { "run_program", run_program, KILLED, false },
                                           { "make_process", make_process, KILLED, false },
                                           { "make_thread", make_thread, KILLED, false },
                                           { "make_process_newly", make_process_newly, KILLED, false },
                                           { "call_out", call_out, KILLED, false },
                                           { "call_out_by_datagram", call_out_by_datagram, KILLED, false },
                                           { "call_local_server", call_local_server, KILLED, false },
                                           { "ask_kernel", ask_kernel, KILLED, false },
                                           { "connect_inherited", connect_inherited, KILLED, false },
                                           { "send_descriptor", send_descriptor, KILLED, false },
                                           { "kill_parent", kill_parent, KILLED, false },
                                           { "kill_parent_thread", kill_parent_thread, KILLED, false },
                                           { "trace_parent", trace_parent, KILLED, false },
                                           { "read_parent_memory", read_parent_memory, KILLED, false },
                                           { "take_parent_descriptor", take_parent_descriptor, KILLED, false },
                                           { "map_program", map_program, KILLED, false },
                                           { "map_descriptor", map_descriptor, KILLED, false },
                                           { "make_program", make_program, KILLED, false },
                                           { "make_program_with_key", make_program_with_key, KILLED, false },
                                           { "make_memory_file", make_memory_file, KILLED, false },
                                           { "write_elsewhere", write_elsewhere, KILLED, false },
                                           { "read_input", read_input, KILLED, false },
                                           { "type_into_terminal", type_into_terminal, KILLED, false },
                                           { "copy_descriptor", copy_descriptor, KILLED, false },
                                           { "become_root", become_root, KILLED, false },
                                           { "lift_limit", lift_limit, KILLED, true },
                                           { "lift_filter", lift_filter, KILLED, false },
                                           { "be_dumpable", be_dumpable, KILLED, true },
#if defined(__x86_64__)
                                           { "call_by_old_entry", call_by_old_entry, KILLED, false },
                                           { "call_as_x32", call_as_x32, KILLED, false },
#endif
                                           BARE_CALLS(BARE_ROW) };

static void enter(void)
{
    const struct sandbox_limits limits = { 512u << 20, 5 };
    struct protections          p;
    struct error                err = { 0 };

    if (sandbox_enter(&limits, &p, &err) == 0)
        return;
    fprintf(stderr, "%s\n", err.detail);
    _exit(EXIT_FAILURE);
}

static int try_one(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        if (strcmp(attempts[i].name, name) != 0)
            continue;
        enter();
        long result = attempts[i].run();
        if (result >= 0)
            return STATUS_OUT;
        return errno == EACCES || errno == EPERM ? STATUS_REFUSED : STATUS_ODD;
    }
    return EXIT_FAILURE;
}

/* Whether the filter lets this number pass when all arguments are 0. */
static bool passes(long number)
{
    pid_t pid = fork();
    int   status = 0;

    if (pid == 0) {
        enter();
        syscall(number, 0, 0, 0, 0, 0, 0);
        _exit(EXIT_SUCCESS);
    }
    waitpid(pid, &status, 0);
    return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

int main(int argc, char **argv)
{
    parent = getppid();
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
            printf("%s %s%s\n", attempts[i].name, attempts[i].must == KILLED ? "killed" : "refused",
                   attempts[i].asan_needs ? " asan" : "");
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--every") == 0) {
        for (long number = 0; number < CALL_NUMBERS; number++)
            if (passes(number))
                printf("%ld\n", number);
        return EXIT_SUCCESS;
    }
    return argc == 2 ? try_one(argv[1]) : EXIT_FAILURE;
}
