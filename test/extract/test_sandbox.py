"""The sandbox of dms-extract: every attempt to leave it is stopped (security specification 9.3.8)."""
import os
import platform
import signal
import subprocess

import pytest

import make_files as make
from extracting import BUILD, PROGRAM, decode, extract, is_asan

HOSTILE = BUILD / "test" / "extract" / "hostile"
REFUSED = 10  # hostile.c: EACCES or EPERM
# What the filter lets pass or refuses with EACCES (no SIGSYS), x86-64. Equal to the lists in extract/sandbox.c, by number.
PASSES = {
    "open": 2, "stat": 4, "fstat": 5, "lstat": 6, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigprocmask": 14, "rt_sigreturn": 15,
    "access": 21, "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60, "readlink": 89, "gettimeofday": 96, "sysinfo": 99,
    "gettid": 186, "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "openat": 257, "newfstatat": 262,
    "readlinkat": 267, "faccessat": 269, "getrandom": 318, "statx": 332, "faccessat2": 439,
}
OF_THE_KERNEL = {335, 336}  # uretprobe, uprobe: newer kernels never show them to a filter; outside a trampoline they end in SIGILL


def attempts():
    try:
        listed = subprocess.run([HOSTILE, "--list"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return [("not-built", "killed", False)]  # fails below, and says why
    return [(line.split()[0], line.split()[1], line.endswith(" asan")) for line in listed.splitlines()]


@pytest.mark.parametrize("name,ending,asan_needs", attempts(), ids=lambda v: v if isinstance(v, str) else "")
def test_attempt_is_stopped(name, ending, asan_needs):
    assert HOSTILE.exists(), f"{HOSTILE} is not built"
    if asan_needs and is_asan():
        pytest.skip("the sanitizer's own list needs this call")
    done = subprocess.run([HOSTILE, name], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    expected = -signal.SIGSYS if ending == "killed" else REFUSED
    assert done.returncode == expected, (done.returncode, done.stderr)


def test_there_are_at_least_sixty_attempts():
    assert len(attempts()) >= 60


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
def test_no_other_system_call_passes_the_filter():
    if is_asan():
        pytest.skip("the sanitizer build has a longer list")
    done = subprocess.run([HOSTILE, "--every"], capture_output=True, text=True, check=True, timeout=120)
    passed = {int(n) for n in done.stdout.split()} - OF_THE_KERNEL
    assert passed == set(PASSES.values())


def test_the_program_reports_what_confines_it():
    done = subprocess.run([PROGRAM, "--self-test"], stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=60)
    assert done.returncode == 0, done.stderr
    hello = decode(done.stdout).hello
    assert hello["version"] == 1 and hello["seccomp"] and hello["no_new_privs"] and hello["unprivileged"]
    assert isinstance(hello["landlock"], int)
    assert hello["tcp_denied"] == (hello["landlock"] >= 4)


def test_without_a_regular_file_it_is_wrong_usage():
    read, write = os.pipe()
    os.close(write)
    done = subprocess.run([PROGRAM], stdin=read, capture_output=True, env={}, timeout=60)
    os.close(read)
    assert done.returncode == 2 and done.stdout == b""


@pytest.mark.parametrize("args", [["--max-pages", "0"], ["--max-pages", "x"], ["--name"], ["--open", "/etc/passwd"], ["--max-pages", "10001"]])
def test_options_are_checked(args):
    done = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=60)
    assert done.returncode == 2 and done.stdout == b""


def test_nobody_reading_ends_the_program():
    read, write = os.pipe()
    os.close(read)
    with open(__file__, "rb") as file:
        done = subprocess.run([PROGRAM, "--name", "x.txt"], stdin=file, stdout=write, stderr=subprocess.PIPE, env={}, timeout=60)
    os.close(write)
    assert done.returncode in (1, -signal.SIGPIPE)


def test_cpu_time_is_limited():
    """A small PDF that draws ten forms, each of which draws ten forms, nine levels deep; one second of CPU time to do it."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</Font<</F1 3 0 R>>/XObject<</X %d 0 R>>>>"
    extra = {900 + i: make.stream(b"BT /F1 9 Tf (a) Tj ET " + b"/X Do " * 10, form % (901 + i)) for i in range(9)}
    extra[909] = make.stream(b"BT /F1 9 Tf (a) Tj ET")
    extra[10] = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</XObject<</X 900 0 R>>>>>>"
    extra[11] = make.stream(b"/X Do")
    assert extract(make.pdf([[(12, "x")]], extra=extra), "slow.pdf", max_cpu_seconds=1).cause in ("timeout", "memory")


def test_memory_is_limited():
    if is_asan():
        pytest.skip("no address space limit under AddressSanitizer")
    result = extract(b"# a\n\n" * 3_000_000, "big.md", max_memory_bytes=160 << 20)
    assert result.cause == "memory" and result.blocks == []
