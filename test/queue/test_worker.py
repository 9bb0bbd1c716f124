"""Nothing is lost and nothing is done twice: Redis and workers killed, stopped, frozen; a provider that fails; a neighbour with a backlog."""
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import wait_for
from redis_server import Redis
from work import Installation


@pytest.fixture(scope="module")
def redis():
    r = Redis()
    yield r
    r.close()


@pytest.fixture
def own_redis():
    """For an installation of the test's own: the workers of two would take each other's messages."""
    r = Redis()
    yield r
    r.close()


@pytest.fixture(scope="module")
def dms(redis):
    i = Installation(redis, stop_seconds=2)
    yield i
    i.close()


def done_once(dms, documents):
    for document in documents:
        dms.wait(document)
        assert dms.steps(document).count("done") == 1, document
        assert len(dms.chunks(document)) == 1, document


def test_redis_killed_and_back_empty_loses_nothing(dms, redis):
    dms.pause()
    before = [dms.upload(f"Before {i}.") for i in range(10)]
    redis.kill()
    dms.resume()
    during = [dms.upload(f"During {i}.") for i in range(10)]
    done_once(dms, before + during)  # without Redis: from the table
    redis.start()
    after = [dms.upload(f"After {i}.") for i in range(5)]
    done_once(dms, after)


def test_a_dead_redis_costs_an_upload_next_to_nothing(dms, redis):
    dms.upload("warm")
    redis.kill()
    try:
        took = []
        for i in range(20):
            start = time.monotonic()
            dms.upload(f"Fast {i}.")
            took.append(time.monotonic() - start)
    finally:
        redis.start()
    assert sorted(took)[len(took) // 2] < 0.2, took


def test_messages_that_redis_forgot_are_sent_again(dms, redis):
    dms.pause()
    documents = [dms.upload(f"Forgotten {i}.") for i in range(10)]
    redis.client.flushall()
    dms.resume()
    done_once(dms, documents)


def test_a_worker_killed_again_and_again_loses_nothing(dms):
    documents = []
    for round_ in range(4):
        documents += [dms.upload(f"Round {round_}, {i}.") for i in range(8)]
        os.kill(dms.worker(), signal.SIGKILL)
    for document in documents:
        dms.wait(document)
        assert len(dms.chunks(document)) == 1


def test_a_frozen_worker_that_wakes_up_after_its_lease_writes_nothing(dms):
    """Its dms-extract is frozen with the job in hand; another worker finishes the job; the first one's end is refused."""
    second = None
    document = dms.upload("word " * 3_000_000, "large.txt")  # long enough to be caught at work
    first = dms.worker()
    wait_for(lambda: dms.document(document)["status"] == "processing", 30, "the job to be taken")
    os.kill(first, signal.SIGSTOP)
    try:
        assert dms.document(document)["status"] == "processing", "too fast for this test: use a larger file"
        second = subprocess.Popen([dms.server.program, "worker", "--data", str(dms.server.data)], env=dms.server.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        dms.wait(document, seconds=120)
        chunks = [c["id"] for c in dms.chunks(document)]
        attempts = dms.job(document)["attempts"]
        assert attempts == 2
    finally:
        os.kill(first, signal.SIGCONT)
    after = dms.upload("The first one works again.")
    second.terminate()
    assert second.wait(30) == 0
    dms.wait(after)
    assert [c["id"] for c in dms.chunks(document)] == chunks
    assert dms.steps(document).count("done") == 1


def test_no_thread_of_the_worker_is_ended_by_a_signal_in_the_main_threads_place(dms):
    """A library's thread that lets SIGTERM in dies of it, and the worker with it, while the main thread is busy: jobs in hand are not given back."""
    worker = dms.worker()
    masks = {task.name: re.search(r"SigBlk:\s*(\w+)", (task / "status").read_text())[1] for task in pathlib.Path(f"/proc/{worker}/task").iterdir()}
    others = {task: mask for task, mask in masks.items() if int(task) != worker}
    assert others and all(int(mask, 16) >> signal.SIGTERM - 1 & 1 for mask in others.values()), others


def test_a_stopped_worker_gives_its_job_back_at_no_cost(dms):
    document = dms.upload("word " * 3_000_000, "large.txt")
    wait_for(lambda: dms.document(document)["status"] == "processing", 30, "the job to be taken")
    first = dms.worker()
    reader = wait_for(lambda: [p for p in dms.server.processes()
                               if (exe := pathlib.Path(f"/proc/{p}/cmdline")).exists() and b"dms-extract" in exe.read_bytes()], 30, "dms-extract")
    os.kill(reader[0], signal.SIGSTOP)  # it would never end by itself
    start = time.monotonic()
    os.kill(first, signal.SIGTERM)
    wait_for(lambda: not pathlib.Path(f"/proc/{first}").exists(), 20, "the worker to end")
    assert time.monotonic() - start < 10
    dms.wait(document, seconds=120)
    timeline = dms.client.ok("GET", f"/documents/{document}/timeline")["items"]
    assert dms.job(document)["attempts"] == 1, (dms.job(document), timeline)


def test_a_file_that_cannot_be_read_ends_at_once_with_its_cause(dms):
    document = dms.upload(b"%PDF-1.7\n" + b"\0" * 500, "broken.pdf")
    failed = dms.wait(document, "error")
    assert failed["processing_error"]["code"] == "damaged"
    assert failed["processing_error"]["retryable"] is False
    job = dms.job(document)
    assert (job["state"], job["attempts"], job["error"]["code"]) == ("failed", 1, "damaged")
    assert dms.steps(document) == ["stored", "queued", "error"]


def test_a_file_without_text_is_done_and_says_so(dms):
    document = dms.wait(dms.upload(bytes(range(256)) * 10, "x.bin"))
    assert document["processing_note"] and document["chunk_count"] == 0


def test_one_document_is_not_behind_a_neighbours_backlog(dms):
    neighbour = dms.server.register()
    dms.pause()
    theirs = [dms.upload(f"Many {i}.", client=neighbour) for i in range(80)]
    mine = dms.upload("Just one.")
    dms.resume()
    at = dms.wait(mine)["processed_at"]
    before = 0
    for document in theirs:
        done = wait_for(lambda: (d := dms.document(document, neighbour))["status"] == "processed" and d, 60, "the neighbour's documents")
        before += done["processed_at"] < at
    assert before < 60, "the one document waited for nearly all of the neighbour's"


def front_matter(title, **values):
    return "---\n" + "".join(f"{k}: {v}\n" for k, v in {"title": title, **values}.items()) + "---\nSome words.\n"


def test_a_newer_version_that_came_meanwhile_wins(dms):
    dms.pause()
    document = dms.upload("The old words.")
    dms.client.ok("POST", f"/documents/{document}/versions", 201, files={"file": ("a.txt", "The new words.")})
    dms.resume()
    dms.wait(document)
    wait_for(lambda: dms.steps(document).count("text") == 2, 30, "the text of both versions")
    assert [c["text"] for c in dms.chunks(document)] == ["The new words."]
    old = dms.client.get(f"/documents/{document}/text", params={"version": 1})
    assert old.status_code == 200 and "The old words." in old.text
    assert dms.steps(document).count("done") == 1


def test_what_the_file_says_gives_way_to_its_next_version_and_to_people(dms):
    upload = dms.client.ok("POST", "/documents", 201, data={"metadata": json.dumps({"owner": "a person"}), "tags": "by-hand"},
                           files={"file": ("a.md", front_matter("First", type="guide", version="1.0", tags="[red, blue]", owner="the file", old="yes"))})
    document = dms.wait(upload["id"])
    assert (document["title"], document["type"], document["version_label"]) == ("First", "guide", "1.0")
    assert document["tags"] == ["by-hand", "red", "blue"]
    assert document["metadata"]["owner"] == "a person" and document["metadata"]["old"] == "yes"
    dms.client.ok("POST", f"/documents/{document['id']}/versions", 201,
                  files={"file": ("a.md", front_matter("Second", version="1.10", tags="[blue, green]", owner="the file"))})
    document = wait_for(lambda: (d := dms.document(document["id"]))["status"] == "processed" and d["version"] == 2 and d, 60, "the second version")
    assert (document["title"], document["type"], document["version_label"]) == ("Second", None, "1.10")
    assert document["tags"] == ["by-hand", "blue", "green"]
    assert document["metadata"]["owner"] == "a person" and "old" not in document["metadata"]


def test_a_document_that_takes_its_worker_along_ends_with_that_cause(own_redis):
    dms = Installation(own_redis, job_attempts=1)
    try:
        document = dms.upload("word " * 3_000_000, "deadly.txt")
        wait_for(lambda: dms.document(document)["status"] == "processing", 30, "the job to be taken")
        os.kill(dms.worker(), signal.SIGKILL)
        failed = dms.wait(document, "error")
        assert failed["processing_error"]["code"] == "worker_lost"
        assert dms.job(document)["state"] == "failed"
        assert dms.wait(dms.upload("Others go on."))
    finally:
        dms.close()


class Provider(http.server.BaseHTTPRequestHandler):
    """An embedding provider that is out of order for its first calls."""
    broken = 10  # the provider asks a few times by itself
    calls = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Provider.calls += 1
        good = Provider.calls > Provider.broken
        answer = json.dumps({"data": [{"index": i, "embedding": [1.0] + [0.0] * 7} for i, _ in enumerate(body["input"])]} if good else {}).encode()
        self.send_response(200 if good else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_a_provider_that_fails_is_asked_again(own_redis, provider):
    dms = Installation(own_redis, embed_provider="http", embed_url=provider, embed_model="tiny", embed_dims=8)
    try:
        document = dms.upload("Soon it will work.")
        dms.wait(document)
        assert dms.job(document, "document.embed")["attempts"] >= 2
        assert [c["embedded"] for c in dms.chunks(document)] == [True]
        retries = [line for line in dms.client.ok("GET", f"/documents/{document}/timeline")["items"] if line["step"] == "error"]
        assert retries and all(line["detail"]["retryable"] and line["detail"]["retry_at"] for line in retries)
    finally:
        dms.close()


def test_documents_read_without_a_model_get_their_vectors_when_there_is_one(own_redis, provider, monkeypatch):
    monkeypatch.setattr(Provider, "broken", 0)
    dms = Installation(own_redis)
    try:
        document = dms.upload("Read before there was a model.")
        dms.wait(document)
        assert [c["embedded"] for c in dms.chunks(document)] == [False]
        dms.server.stop()
        dms.server.env |= {"DMS_EMBED_PROVIDER": "http", "DMS_EMBED_URL": provider, "DMS_EMBED_MODEL": "tiny", "DMS_EMBED_DIMS": "8"}
        dms.server.start()
        wait_for(lambda: [c["embedded"] for c in dms.chunks(document)] == [True], 60, "the vectors")
        assert dms.document(document)["status"] == "processed"
    finally:
        dms.close()


def test_the_workers_counters_are_in_the_metrics(dms):
    dms.wait(dms.upload())

    def succeeded():
        with dms.server.http() as http:
            lines = http.get("/metrics").text.splitlines()
        return any(line.startswith('dms_jobs_succeeded_total{queue="processing",task="dms.document.process"}') and int(line.split()[-1]) > 0
                   for line in lines)
    wait_for(succeeded, 20, "the counter of succeeded jobs")


def test_events_of_documents_and_jobs_reach_a_listener(dms, redis):
    with redis.client.pubsub() as listener:
        listener.subscribe("dms.events")
        document = dms.upload("Told of.")
        seen = []

        def told():
            message = listener.get_message(timeout=1)
            if message and message["type"] == "message":
                seen.append(json.loads(message["data"]))
            return any(e["type"] == "job" and e["data"]["state"] == "succeeded" and e["data"]["document_id"] == document for e in seen)
        wait_for(told, 20, "the event of the job's end")
    mine = [e for e in seen if e["data"].get("id") == document or e["data"].get("document_id") == document]
    assert {e["tenant_id"] for e in mine} == {dms.tenant}
    assert [e["data"]["state"] for e in mine if e["type"] == "job"] == ["running", "succeeded"]
    statuses = [e["data"]["status"] for e in mine if e["type"] == "document"]
    assert [s for s in statuses if s != "pending"] == ["processing", "processed"]  # pending is the API's word, at its own time
