"""Where the processor time of an installation goes, by kind of process, out of /proc; and where a document's time goes, out of the API."""
import os
import pathlib
import statistics
from datetime import datetime

TICK = os.sysconf("SC_CLK_TCK")


def _command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _times(pid):
    """Seconds of a process itself, and of its children that ended."""
    try:
        f = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    return (int(f[11]) + int(f[12])) / TICK, (int(f[13]) + int(f[14])) / TICK


def _kind(command):
    if command.startswith("postgres:") or "/postgres " in command:
        return "postgres"
    if "redis-server" in command:
        return "redis"
    for kind in ("serve", "worker", "up"):
        if f"dms {kind}" in command or f"/dms {kind} " in command:
            return kind
    return None


def processor_seconds(server):
    """{kind: seconds since its start}; dms-extract is what the workers' ended children took, postgres counts its ended backends."""
    seconds = {"api": 0.0, "worker": 0.0, "dms-extract": 0.0, "postgres": 0.0, "redis": 0.0}
    for pid in server.processes():
        kind = _kind(_command(pid))
        own, children = _times(pid)
        if kind == "serve":
            seconds["api"] += own
        elif kind == "worker":
            seconds["worker"] += own
            seconds["dms-extract"] += children
        elif kind in ("postgres", "redis"):
            seconds[kind] += own + (children if kind == "postgres" else 0)
    return seconds


def machine_seconds():
    """(used by anybody, waited for the disk, taken by the host, idle) of all cores since the machine started."""
    f = [int(v) / TICK for v in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return f[0] + f[1] + f[2] + f[5] + f[6], f[4], f[7], f[3]


def _time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def all_of(client, path, **params):
    """Every item of a listing."""
    cursor = None
    while True:
        page = client.ok("GET", path, params={**params, "limit": 100, **({"cursor": cursor} if cursor else {})})
        yield from page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return


def job_seconds(client):
    """{kind: (waited, worked)}: lists of seconds of the jobs that succeeded."""
    found = {}
    for job in all_of(client, "/jobs", state="succeeded"):
        created, started, finished = (_time(job[k]) for k in ("created_at", "started_at", "finished_at"))
        if created and started and finished:
            waited, worked = found.setdefault(job["kind"], ([], []))
            waited.append(started - created)
            worked.append(finished - started)
    return found


def step_seconds(client, document_ids):
    """{step: seconds from the line of the timeline before}."""
    found = {}
    for document_id in document_ids:
        lines = client.ok("GET", f"/documents/{document_id}/timeline")["items"]
        for before, line in zip(lines, lines[1:]):
            found.setdefault(line["step"], []).append(_time(line["at"]) - _time(before["at"]))
    return found


def p50_p95(values):
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
