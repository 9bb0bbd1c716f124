"""Redis or PostgreSQL away, frozen or too busy: the API says so within bounded time, goes on with what is left, and heals by itself."""
import signal
import socket
import threading
import time

import httpx
import pytest

import checker
import parts
from conftest import Server, wait_for

DOWN_SECONDS = 10
READ = "/documents?limit=5"


@pytest.fixture(scope="module")
def dms():
    server = Server(env={"DMS_EMBED_PROVIDER": "none", "DMS_JOB_LEASE": "5", "DMS_JOB_BACKOFF": "1"})
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def owner(dms):
    with dms.register() as client:
        yield client


def state_of(dms, dependency):
    """(status of /health/ready, what it says about that dependency)."""
    with dms.http(timeout=10) as http:
        answer = http.get("/health/ready")
    return answer.status_code, answer.json()["status"], next(d["state"] for d in answer.json()["dependencies"] if d["name"] == dependency)


class Down(threading.Thread):
    """A part is dead for so long, whatever starts it again."""

    def __init__(self, server, part, seconds):
        super().__init__(daemon=True)
        self.server, self.part, self.seconds = server, part, seconds

    def run(self):
        parts.hold_down(self.server, self.part, self.seconds)

    def __enter__(self):
        self.start()
        wait_for(lambda: not parts.pids(self.server, self.part), 5, f"{self.part} to be dead")
        return self

    def __exit__(self, *why):
        self.join()


class Frozen:
    """Neither dead nor alive: takes connections and bytes, answers nothing."""

    def __init__(self, server, *names):
        self.pids = [pid for name in names for pid in parts.pids(server, name)]

    def __enter__(self):
        for pid in self.pids:
            parts.send_signal(pid, signal.SIGSTOP)

    def __exit__(self, *why):
        for pid in self.pids:
            parts.send_signal(pid, signal.SIGCONT)


def upload_while(owner, seconds):
    """Uploads until the time is over, at most twenty a second; the ids, and the seconds that each took."""
    ids, took, end = [], [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        ids.append(owner.upload(f"Number {len(ids)} of many.", name=f"{len(ids)}.txt")["id"])
        took.append(time.monotonic() - start)
        time.sleep(max(0, 0.05 - took[-1]))
    return ids, took


def all_processed(owner, ids, seconds):
    def done():
        return all(owner.ok("GET", f"/documents/{id}")["status"] == "processed" for id in ids)
    wait_for(done, seconds, f"{len(ids)} documents to be processed")


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_redis_uploads_and_processing_go_on(dms, owner, how):
    away = Down(dms, "redis", DOWN_SECONDS) if how == "killed" else Frozen(dms, "redis")
    with away:
        wait_for(lambda: state_of(dms, "redis") == (200, "degraded", "down"), 5, "ready to say degraded")
        ids, took = upload_while(owner, DOWN_SECONDS / 2)
        assert sorted(took)[int(len(took) * 0.99)] < 2, sorted(took)[-5:]
        all_processed(owner, ids, 40)  # from the table
    wait_for(lambda: state_of(dms, "redis")[2] == "ok", 15, "Redis to be used again")
    all_processed(owner, [owner.upload("Afterwards.", name="z.txt")["id"]], 20)


def test_without_redis_rate_limits_are_not_off(start_dms):
    """Each replica counts alone then."""
    server = start_dms(env={"DMS_PUBLIC_RATE": "20", "DMS_EMBED_PROVIDER": "none"})
    with Frozen(server, "redis"), server.http() as http:
        answers = [http.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "wrong-password"}).status_code for _ in range(60)]
    assert answers.count(429) >= 20 and set(answers) <= {401, 429}, answers


def test_redis_flushed_loses_no_job(dms, owner):
    for pid in parts.pids(dms, "worker"):
        parts.send_signal(pid, signal.SIGSTOP)
    try:
        ids = [owner.upload(f"Flushed {i}.", name=f"{i}.txt")["id"] for i in range(20)]
        tell_redis(dms, "FLUSHALL")
    finally:
        for pid in parts.pids(dms, "worker"):
            parts.send_signal(pid, signal.SIGCONT)
    all_processed(owner, ids, 30)


def tell_redis(dms, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(dms.data / "run/redis.sock"))
        secret = (dms.data / "secrets/redis").read_text().strip()
        s.sendall(f"AUTH {secret}\r\n{command}\r\n".encode())
        got = b""
        while got.count(b"\r\n") < 2:
            got += s.recv(100)
        assert got == b"+OK\r\n+OK\r\n", got


def test_redis_full_takes_no_upload_down(dms, owner):
    """maxmemory reached with noeviction: every write of ours is refused."""
    tell_redis(dms, "CONFIG SET maxmemory 1")
    try:
        ids, _ = upload_while(owner, 3)
        all_processed(owner, ids, 30)
    finally:
        tell_redis(dms, "CONFIG SET maxmemory 256mb")


def ask(dms, owner, seconds):
    """One round of requests; [(what, status, Retry-After, seconds)]."""
    found = []
    for what, method, path, options in (("read", "GET", READ, {}), ("upload", "POST", "/documents", {"files": {"file": ("a.txt", b"away")}}),
                                        ("search", "POST", "/search", {"json": {"query": "away"}}),
                                        ("login", "POST", "/auth/login", {"json": {"email": owner.email, "password": "wrong-password"}})):
        start = time.monotonic()
        try:
            answer = owner.request(method, path, timeout=seconds, **options)
            found.append((what, answer.status_code, answer.headers.get("Retry-After"), time.monotonic() - start))
        except httpx.HTTPError as e:
            found.append((what, repr(e), None, time.monotonic() - start))
    return found


def test_without_postgres_every_answer_is_503_and_soon(dms, owner):
    owner.ok("GET", READ)
    with Down(dms, "postgres", 5):
        end = time.monotonic() + 3.5
        found = []
        while time.monotonic() < end:
            found += ask(dms, owner, 10)
            status, word, state = state_of(dms, "database")
            assert (status, word, state) == (503, "unavailable", "down")
    refused = [f for f in found if f[1] == 503 and f[2]]
    wrong = [f for f in found if f not in refused and f[1] not in (200, 201) or f[3] > 2]  # a session may outlive its server by an answer
    assert not wrong, wrong
    assert len(refused) > 0.8 * len(found), found
    begun = time.monotonic()
    wait_for(lambda: checker.is_ready(dms) and owner.get(READ).status_code == 200, 60, "the API to be ready")
    assert time.monotonic() - begun < 10
    owner.upload("It works again.", name="b.txt")


def test_live_answers_whatever_is_away(dms):
    with Down(dms, "postgres", 2), dms.http(timeout=2) as http:
        for _ in range(20):
            assert http.get("/health/live").status_code == 200
    wait_for(lambda: checker.is_ready(dms), 60, "the API to be ready")


def test_sessions_that_postgres_ends_are_opened_anew_unnoticed(dms, owner):
    """As after an administrator's pg_terminate_backend: idle connections are dead, the server is well."""
    for _ in range(10):
        with checker.database(dms) as db:
            checker.rows(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dms_app'")
        time.sleep(0.02)
        assert owner.post("/documents", files={"file": ("c.txt", b"again")}).status_code == 201
    wait_for(lambda: owner.get(READ).status_code == 200, 5, "the read lane")


@pytest.mark.parametrize("times", [1, 3])
def test_a_crash_of_one_session_is_over_in_seconds(dms, owner, times):
    """PostgreSQL ends every session and recovers when one of them is killed."""
    for _ in range(times):
        pid = wait_for(lambda: parts.pids(dms, "backend"), 10, "a session")[-1]
        parts.send_signal(pid, signal.SIGKILL)
        time.sleep(0.3)
    begun = time.monotonic()
    wait_for(lambda: checker.is_ready(dms) and owner.get(READ).status_code == 200, 30, "everything to be back")
    assert time.monotonic() - begun < 10
    owner.upload("After the crash.", name="d.txt")


def test_a_frozen_postgres_holds_up_its_requests_only(dms, owner):
    """Nothing can be promised to them; but the process answers what needs no database, and all goes on when it thaws."""
    answers = []

    def send(i):
        with owner.__class__(dms) as client:
            client.headers.update(owner.headers)
            answers.append(client.post("/documents", files={"file": (f"frozen {i}.txt", b"ice %d" % i)}, headers={"Idempotency-Key": f"ice {i}"}).status_code)

    threads = [threading.Thread(target=send, args=(i,)) for i in range(12)]
    with Frozen(dms, "postgres", "backend"), dms.http(timeout=2) as http:
        for t in threads:
            t.start()
        for _ in range(10):
            assert http.get("/health/live").status_code == 200
            time.sleep(0.2)
    for t in threads:
        t.join(30)
    assert answers.count(201) == len(threads), answers
    names = [d["name"] for d in owner.ok("GET", "/documents?limit=100")["items"]]
    assert sorted(n for n in names if n.startswith("frozen")) == sorted(f"frozen {i}.txt" for i in range(12))
