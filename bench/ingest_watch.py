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


STEPS = ("wait for a worker", "read by dms-extract", "cut into passages", "passages stored and indexed; wait for a worker", "embedding",
         "vectors stored and indexed")


def steps_of(jobs, lines):
    """[seconds of each of STEPS] of a document, out of its two jobs {kind: job} and its timeline; None unless all was done in one try. A job's finished_at is the
    beginning of the transaction that ends it."""
    read, embed = jobs.get("document.process"), jobs.get("document.embed")
    at = {line["step"]: line["at"] for line in lines}
    if not read or not embed or read["attempts"] != 1 or embed["attempts"] != 1 or not {"queued", "typed", "vectors"} <= set(at):
        return None
    times = [_time(t) for t in (at["queued"], read["started_at"], at["typed"], read["finished_at"], embed["started_at"], embed["finished_at"], at["vectors"])]
    return [later - earlier for earlier, later in zip(times, times[1:])]


def jobs_by_document(client, wanted):
    """{document: {kind: job}} of the jobs that succeeded."""
    found = {}
    for job in all_of(client, "/jobs", state="succeeded"):
        if job["document_id"] in wanted:
            found.setdefault(job["document_id"], {})[job["kind"]] = job
    return found


def p50(values):
    return statistics.median(values)


def p95(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def tables(out, client, document_ids):
    """Seconds by step, as a table."""
    jobs = jobs_by_document(client, set(document_ids))
    found = [steps_of(jobs.get(d, {}), client.ok("GET", f"/documents/{d}/timeline")["items"]) for d in document_ids]
    steps = list(zip(*(f for f in found if f)))
    out.table([f"step, ms, of {len(steps[0]) if steps else 0} documents", "p50", "p95", "most"],
              [[name, 1000 * p50(v), 1000 * p95(v), 1000 * max(v)] for name, v in zip(STEPS, steps)])
