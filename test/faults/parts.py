"""The processes of an installation by the part that they play."""
import os
import pathlib
import signal
import time

PARTS = ("api", "worker", "redis", "postgres", "backend", "extract", "supervisor")


def stat(pid):
    """(parent, state) of a process; None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0]


def words(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return [""]


def part_of(server, pid, parent):
    command = words(pid)
    name = command[0].split(" ")[0].rsplit("/", 1)[-1]  # redis-server writes its socket behind its name
    if pid == server.pid:
        return "supervisor"
    if name in ("redis-server", "valkey-server"):
        return "redis"
    if name == "postgres":
        return "postgres"
    if command[0].startswith("postgres:"):
        return "backend"
    if name == "dms-extract":
        return "extract"
    if parent == server.pid and command[1:2] == ["serve"]:
        return "api"
    if parent == server.pid and command[1:2] == ["worker"]:
        return "worker"
    return None


def find(server):
    """{part: [pids]} of what runs now; zombies do not."""
    found = {}
    for pid in server.processes():
        now = stat(pid)
        if now and now[1] != "Z":
            found.setdefault(part_of(server, pid, now[0]), []).append(pid)
    return found


def pids(server, part):
    return find(server).get(part, [])


def send_signal(pid, number):
    """False when it is gone already."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def kill(server, part):
    """kill -9 of every process of that part."""
    return sum(send_signal(pid, signal.SIGKILL) for pid in pids(server, part))


def hold_down(server, part, seconds):
    """Keeps a part dead for so long, however often it is started again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        kill(server, part)
        time.sleep(0.01)
