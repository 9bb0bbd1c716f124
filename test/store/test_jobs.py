"""The table of jobs: claims, leases, fences, retries and what the reconciler finds, each with the real statements on a real server."""

import os
import pathlib
import subprocess
import uuid

import pytest

from pg import ROOT, Tenant, cluster  # noqa: F401 (fixture)

TOOL = ROOT / os.environ.get("DMS_BUILD_DIR", "build") / "test/store/job_tool"


class Worker:
    """A process that holds jobs, as a worker does; two of them are two workers."""

    def __init__(self, cluster, tenant):
        self.process = subprocess.Popen([TOOL, f"host={cluster.dir} user=dms_app dbname=dms", tenant.id], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        assert answer or words[0] == "due", "the tool has ended"
        return answer

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture
def tenant(cluster):
    t = Tenant(cluster, f"j{uuid.uuid4().hex[:12]}")
    yield t
    t.db.execute("DELETE FROM job")  # what is left would be due in the next test
    t.db.close()


@pytest.fixture
def worker(cluster, tenant):
    w = Worker(cluster, tenant)
    yield w
    w.close()


@pytest.fixture
def other(cluster, tenant):
    w = Worker(cluster, tenant)
    yield w
    w.close()


def a_document(tenant, status="pending"):
    document, = tenant.add(("A title", ["a passage"]))
    tenant.db.execute("UPDATE document SET status = %s WHERE id = %s", (status, document))
    return document


def enqueue(worker, document, priority=3, kind="document.process"):
    return worker("enqueue", kind, document, 1, priority).split()[0]


def state(tenant, job):
    return tenant.all("SELECT state, attempts FROM job WHERE id = %s", job)[0]


def lapse(tenant, job):
    """As if the lease had run out: the clock is the database's, so it is moved there."""
    tenant.db.execute("UPDATE job SET lease_until = now() - interval '1 second', published_at = now() - interval '20 seconds' WHERE id = %s", (job,))


def test_a_job_is_claimed_once_and_ends(tenant, worker, other):
    document = a_document(tenant)
    job = enqueue(worker, document)
    assert worker("claim", 0, job, "w1", 60) == "claimed 1 1"
    assert other("claim", 0, job, "w2", 60) == "none"
    assert tenant.one("SELECT status FROM document WHERE id = %s", document) == "processing"
    assert worker("succeed", 0) == "ok"
    assert state(tenant, job) == ("succeeded", 1)
    assert other("claim", 0, job, "w2", 60) == "none"
    assert [r[0] for r in tenant.all("SELECT step FROM job_event WHERE document_id = %s ORDER BY id", document)] == ["queued"]


def test_who_lost_the_lease_can_write_nothing(tenant, worker, other):
    document = a_document(tenant)
    job = enqueue(worker, document)
    worker("claim", 0, job, "w1", 60)
    lapse(tenant, job)
    assert other("claim", 0, job, "w2", 60) == "claimed 2 2"
    before = tenant.one("SELECT count(*) FROM job_event WHERE document_id = %s", document)
    for command in (("succeed", 0), ("hold", 0, 60, "chunks"), ("retry", 0, 1000), ("fail", 0)):
        assert worker(*command).startswith("error conflict lost"), command
    assert worker("renew", 0, 60) == "lost"
    assert worker("back", 0) == "lost"
    assert tenant.one("SELECT count(*) FROM job_event WHERE document_id = %s", document) == before, "an effect of the lost lease stayed"
    assert state(tenant, job) == ("running", 2)
    assert tenant.one("SELECT status FROM document WHERE id = %s", document) == "processing"
    assert other("succeed", 0) == "ok"


def test_a_late_worker_whose_job_nobody_took_may_still_end_it(tenant, worker):
    job = enqueue(worker, a_document(tenant))
    worker("claim", 0, job, "w1", 60)
    lapse(tenant, job)
    assert worker("succeed", 0) == "ok"


def test_a_renewed_lease_is_not_taken(tenant, worker, other):
    job = enqueue(worker, a_document(tenant))
    worker("claim", 0, job, "w1", 60)
    lapse(tenant, job)
    assert worker("renew", 0, 60) == "ok"
    assert other("claim", 0, job, "w2", 60) == "none"


def test_a_retry_waits_its_time_and_is_then_due_once(tenant, worker):
    job = enqueue(worker, a_document(tenant))
    worker("claim", 0, job, "w1", 60)
    assert worker("retry", 0, 3_600_000) == "ok"
    assert state(tenant, job) == ("queued", 1)
    assert worker("claim", 1, job, "w1", 60) == "none", "before its time"
    assert worker("due", 10, 0, "processing") == ""
    tenant.db.execute("UPDATE job SET run_at = now() - interval '1 second', published_at = now() - interval '1 minute' WHERE id = %s", (job,))
    assert worker("due", 10, 0, "processing") == job
    assert worker("due", 10, 0, "processing") == "", "sent a moment ago"
    assert worker("claim", 1, job, "w1", 60) == "claimed 2 2"


def test_a_failed_job_says_so_on_its_document(tenant, worker):
    document = a_document(tenant)
    job = enqueue(worker, document)
    worker("claim", 0, job, "w1", 60)
    assert worker("fail", 0) == "ok"
    assert state(tenant, job) == ("failed", 1)
    assert tenant.all("SELECT status, processing_error->>'code' FROM document WHERE id = %s", document) == [("error", "damaged")]


def test_a_failed_job_of_an_older_version_leaves_the_document_alone(tenant, worker):
    document = a_document(tenant)
    job = enqueue(worker, document)
    worker("claim", 0, job, "w1", 60)
    tenant.db.execute("UPDATE document SET version = 2, status = 'pending' WHERE id = %s", (document,))
    assert worker("fail", 0) == "ok"
    assert tenant.one("SELECT status FROM document WHERE id = %s", document) == "pending"


def test_a_job_given_back_costs_no_try_and_its_giver_is_fenced_off(tenant, worker, other):
    job = enqueue(worker, a_document(tenant))
    worker("claim", 0, job, "w1", 60)
    assert worker("back", 0) == "ok"
    assert state(tenant, job) == ("queued", 0)
    assert worker("succeed", 0).startswith("error conflict lost")
    assert other("claim", 0, job, "w2", 60) == "claimed 3 1"


def test_a_cancelled_job_cannot_be_ended_or_claimed(tenant, worker):
    document = a_document(tenant)
    job = enqueue(worker, document)
    worker("claim", 0, job, "w1", 60)
    assert worker("cancel", job) == "1"
    assert worker("cancel", job) == "0"
    assert worker("renew", 0, 60) == "lost"
    assert worker("succeed", 0).startswith("error conflict lost")
    assert worker("claim", 1, job, "w1", 60) == "none"
    assert tenant.all("SELECT status, processing_error->>'code' FROM document WHERE id = %s", document) == [("error", "cancelled")]


def test_an_eta_is_kept(tenant, worker):
    job = enqueue(worker, a_document(tenant))
    assert worker("delay", job, 4_000_000_000_000_000) == "ok"  # in the year 2096
    assert worker("claim", 0, job, "w1", 60) == "none"


def test_the_reconciler_finds_the_lost_and_the_silent_and_nothing_else(tenant, worker):
    sent, lost, silent, lively = (enqueue(worker, a_document(tenant)) for _ in range(4))
    for job in (silent, lively):
        worker("claim", 0, job, "w1", 60)
    tenant.db.execute("UPDATE job SET run_at = now() - interval '2 minutes', published_at = now() - interval '1 minute' WHERE id = %s", (lost,))
    lapse(tenant, silent)
    assert worker("due", 10, 0, "processing").split() == [silent], "without resend: only what no message can name"
    assert worker("due", 10, 30, "processing").split() == [lost]
    assert worker("due", 10, 30, "processing") == ""
    assert worker("due", 10, 30, "embeddings") == ""
    assert state(tenant, sent) == ("queued", 0)


def test_the_most_urgent_of_the_lost_come_first(tenant, worker):
    jobs = [enqueue(worker, a_document(tenant), priority) for priority in (9, 0, 6)]
    tenant.db.execute("UPDATE job SET run_at = now() - interval '2 minutes', published_at = now() - interval '1 minute'")
    assert worker("due", 1, 30, "processing") == jobs[1]
    assert worker("due", 1, 30, "processing") == jobs[2]


def test_a_backlog_lowers_the_priority_of_its_own_tenant_only(cluster, tenant, worker):
    document = a_document(tenant)
    priorities = [int(worker("enqueue", "document.process", document, 1, 3).split()[1]) for _ in range(60)]
    assert priorities == [3] * 16 + [6] * 32 + [9] * 12
    assert int(worker("enqueue", "document.process", document, 1, 9).split()[1]) == 9
    neighbour = Tenant(cluster, f"n{uuid.uuid4().hex[:12]}")
    theirs = Worker(cluster, neighbour)
    try:
        assert theirs("enqueue", "document.process", a_document(neighbour), 1, 3).split()[1] == "3"
    finally:
        theirs.close()
        neighbour.db.execute("DELETE FROM job")
        neighbour.db.close()


def test_another_tenants_job_does_not_exist(cluster, tenant, worker):
    job = enqueue(worker, a_document(tenant))
    stranger = Tenant(cluster, f"s{uuid.uuid4().hex[:12]}")
    theirs = Worker(cluster, stranger)
    try:
        assert theirs("claim", 0, job, "w1", 60) == "none"
        assert theirs("cancel", job) == "0"
        assert theirs("enqueue", "document.process", tenant.one("SELECT document_id FROM job WHERE id = %s", job), 1, 3).startswith("error not_found")
    finally:
        theirs.close()
        stranger.db.close()
    assert state(tenant, job) == ("queued", 0)


def test_many_workers_claim_each_job_once(cluster, tenant, worker):
    document = a_document(tenant)
    jobs = [enqueue(worker, document) for _ in range(40)]
    workers = [Worker(cluster, tenant) for _ in range(4)]
    try:
        for job in jobs:  # all four at once: written before any answer is read
            for w in workers:
                w.process.stdin.write(f"claim 0 {job} w 60\n")
                w.process.stdin.flush()
        answers = [[w.process.stdout.readline().split()[0] for _ in jobs] for w in workers]
    finally:
        for w in workers:
            w.close()
    for i, job in enumerate(jobs):
        assert sorted(a[i] for a in answers) == ["claimed", "none", "none", "none"], job
    assert tenant.all("SELECT DISTINCT fence, attempts FROM job") == [(1, 1)]
