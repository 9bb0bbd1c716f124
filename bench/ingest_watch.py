"""Where an installation's time goes while documents come in: processor time by kind of process, out of /proc; each job's and step's, out of the API."""
import pathlib
import statistics
from datetime import datetime

import stack as common


def _times(pid):
    """Seconds of a process itself, and of its children that ended."""
    try:
        f = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    return (int(f[11]) + int(f[12])) / common.TICKS, (int(f[13]) + int(f[14])) / common.TICKS


def processor_seconds(stack):
    """{kind: seconds so far}; reader is dms-extract: what the workers' ended children took. postgres counts its ended backends."""
    seconds = {kind: 0.0 for kind in ("api", "worker", "reader", "postgres", "redis")}
    for kind in ("api", "worker", "postgres", "redis"):
        for pid in stack.role(kind):
            own, children = _times(pid)
            seconds[kind] += own + (children if kind == "postgres" else 0)
            seconds["reader"] += children if kind == "worker" else 0
    return seconds


class Watch:
    """Processor time between the two ends of a with: used {kind: seconds}, took, elsewhere (the share of the machine that others took)."""

    def __init__(self, stack):
        self.stack, self.meter = stack, common.Meter(stack)

    def __enter__(self):
        self.before = processor_seconds(self.stack)
        self.meter.__enter__()
        return self

    def __exit__(self, *why):
        self.meter.__exit__(*why)
        now = processor_seconds(self.stack)
        self.used = {kind: now[kind] - self.before[kind] for kind in now}
        self.elsewhere = self.meter.elsewhere


def all_of(client, path, **params):
    """Every item of a listing."""
    cursor = None
    while True:
        page = client.ok("GET", path, params={**params, "limit": 100, **({"cursor": cursor} if cursor else {})})
        yield from page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return


def count(client, status):
    return client.ok("GET", "/documents", params={"status": status, "count": "true", "limit": 1})["total"]


def waiting(client):
    """Documents that are not done."""
    return count(client, "pending") + count(client, "processing")


def _time(text):
    return datetime.fromisoformat(text).timestamp()


def job_seconds(client):
    """{kind: [seconds from its start to its end]} of the jobs that succeeded."""
    found = {}
    for job in all_of(client, "/jobs", state="succeeded"):
        found.setdefault(job["kind"], []).append(_time(job["finished_at"]) - _time(job["started_at"]))
    return found


def step_seconds(client, document_ids):
    """{step: [seconds since the line of the timeline before it]}"""
    found = {}
    for document_id in document_ids:
        lines = client.ok("GET", f"/documents/{document_id}/timeline")["items"]
        for before, line in zip(lines, lines[1:]):
            found.setdefault(line["step"], []).append(_time(line["at"]) - _time(before["at"]))
    return found


def p50(values):
    return statistics.median(values)


def p95(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def tables(out, client, document_ids):
    """Seconds by job and by step, as tables."""
    jobs = job_seconds(client)
    out.table(["job, ms from its start to its end", "jobs", "p50", "p95", "most"],
              [[kind, len(v), 1000 * p50(v), 1000 * p95(v), 1000 * max(v)] for kind, v in sorted(jobs.items(), reverse=True)])
    steps = step_seconds(client, document_ids)
    rows = [("typed", "wait for a worker, and being read"), ("vectors", "passages stored, wait for a worker, and embedding")]
    out.table(["timeline, s since the line before", "", "documents", "p50", "p95"],
              [[step, what, len(steps[step]), p50(steps[step]), p95(steps[step])] for step, what in rows if step in steps])
