"""Workers that die, hang or come back too late: every job ends, once, and a document that brings its reader down ends with a cause."""
import signal
import time

import pytest

import checker
import parts
from conftest import Server, wait_for

ATTEMPTS = 3
LEASE = 5
LARGE = "poison " * 2_500_000  # takes its reader long enough to be caught


@pytest.fixture(scope="module")
def dms():
    server = Server(env={"DMS_EMBED_PROVIDER": "none", "DMS_JOB_LEASE": str(LEASE), "DMS_JOB_BACKOFF": "1", "DMS_JOB_ATTEMPTS": str(ATTEMPTS),
                         "DMS_STOP_SECONDS": "2"})
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def owner(dms):
    with dms.register() as client:
        yield client


def job_of(owner, document):
    return next(j for j in owner.ok("GET", "/jobs?limit=100")["items"] if j["document_id"] == document)


def caught(dms, owner, document, attempt):
    """A worker is at that attempt of the document now; None when it is over."""
    job = job_of(owner, document)
    if job["state"] == "failed":
        return "over"
    return job["state"] == "running" and job["attempts"] >= attempt and parts.pids(dms, "extract")


@pytest.mark.timeout(240)
def test_a_document_that_kills_every_worker_ends_with_a_cause(dms, owner):
    """As if its file broke the worker itself. Others go on meanwhile."""
    document = owner.upload(LARGE, name="poison.txt")["id"]
    for attempt in range(1, ATTEMPTS + 2):
        found = wait_for(lambda: caught(dms, owner, document, attempt), 60, f"attempt {attempt}")
        if found == "over":
            break
        assert attempt <= ATTEMPTS, "it is tried for ever"
        assert parts.kill(dms, "worker") > 0
        bystander = owner.upload(f"Bystander of attempt {attempt}.", name=f"{attempt}.txt")["id"]
        owner.wait_processed(bystander, seconds=60)
    failed = wait_for(lambda: (d := owner.ok("GET", f"/documents/{document}"))["status"] == "error" and d, 60, "the document to fail")
    assert failed["processing_error"]["code"] == "worker_lost" and failed["processing_error"]["message"]
    job = job_of(owner, document)
    assert (job["state"], job["error"]["code"]) == ("failed", "worker_lost")
    assert job["attempts"] == ATTEMPTS + 1  # the last one only writes down the end
    assert [line["step"] for line in owner.ok("GET", f"/documents/{document}/timeline")["items"]][-1] == "error"
    assert owner.get(f"/documents/{document}/content").status_code == 200
    owner.ok("POST", f"/jobs/{job['id']}/retry")  # nothing was wrong with it
    owner.wait_processed(document, seconds=120)


def test_a_reader_that_is_killed_costs_one_attempt(dms, owner):
    """dms-extract killed from outside, as by a kernel short of memory: tried again, and then it is read."""
    document = owner.upload(LARGE, name="large.txt")["id"]
    wait_for(lambda: caught(dms, owner, document, 1), 60, "the reader")
    worker = parts.pids(dms, "worker")
    assert parts.kill(dms, "extract") > 0
    owner.wait_processed(document, seconds=60)
    assert job_of(owner, document)["attempts"] == 2
    assert parts.pids(dms, "worker") == worker, "the worker went down with its reader"


def test_a_worker_that_wakes_up_too_late_changes_nothing(dms, owner):
    """SIGSTOP for more than its lease. There is one worker here, so its own job comes back to itself with a higher fence."""
    document = owner.upload(LARGE, name="frozen.txt")["id"]
    wait_for(lambda: caught(dms, owner, document, 1), 60, "the reader")
    pids = parts.pids(dms, "worker") + parts.pids(dms, "extract")
    for pid in pids:
        parts.send_signal(pid, signal.SIGSTOP)
    time.sleep(LEASE + 1)
    for pid in pids:
        parts.send_signal(pid, signal.SIGCONT)
    owner.wait_processed(document, seconds=120)
    wait_for(lambda: job_of(owner, document)["state"] == "succeeded", 30, "the job to be over")
    with checker.database(dms) as db:
        row = db.execute("SELECT chunk_count, (SELECT count(*) FROM chunk c WHERE c.document_id = d.id) AS n, "
                         "(SELECT count(*) FROM job_event e WHERE e.document_id = d.id AND step = 'done') AS done FROM document d WHERE id = %s",
                         [document]).fetchone()
    assert row["chunk_count"] == row["n"] > 0 and row["done"] == 1


def test_a_version_that_cannot_be_read_takes_the_old_text_along(dms, owner):
    """Search finds what a document says now, or nothing."""
    document = owner.upload_processed("The word is zqaardvark.", name="a.txt")["id"]
    assert owner.search("zqaardvark", mode="keyword")["items"]
    owner.ok("POST", f"/documents/{document}/versions", 201, files={"file": ("a.pdf", b"%PDF-1.7\n" + b"\0" * 500)})
    failed = wait_for(lambda: (d := owner.ok("GET", f"/documents/{document}"))["status"] == "error" and d, 60, "the version to fail")
    assert failed["processing_error"]["code"] == "damaged" and failed["chunk_count"] == 0
    assert owner.search("zqaardvark", mode="keyword")["items"] == []
    owner.ok("POST", f"/documents/{document}/versions", 201, files={"file": ("a.txt", b"Now it is zqbadger.")})
    owner.wait_processed(document)
    assert owner.search("zqbadger", mode="keyword")["items"]


def test_workers_killed_again_and_again_leave_no_reader_behind(dms, owner):
    documents = [owner.upload("words " * 200_000 + str(i), name=f"{i}.txt")["id"] for i in range(6)]
    for _ in range(5):  # a job whose tries are used up has failed: then there may be no more readers
        wait_for(lambda: parts.pids(dms, "extract") or all(job_of(owner, d)["state"] in ("succeeded", "failed") for d in documents), 60, "a reader")
        parts.kill(dms, "worker")
        time.sleep(0.2)
    for document in documents:
        wait_for(lambda: owner.ok("GET", f"/documents/{document}")["status"] in ("processed", "error"), 120, "the end of all")
    wait_for(lambda: not parts.pids(dms, "extract"), 10, "readers to be gone")
