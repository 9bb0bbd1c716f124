"""The end, asked for or not: SIGTERM finishes what runs, kill -9 of the supervisor takes all along, and the next start needs no hand."""
import os
import signal
import threading
import time

import httpx
import pytest

import checker
import ledger as ledgers
import parts
from conftest import Client, Server, wait_for
from load import Load
from test_clients import connect, head, upload_bytes

SETTINGS = {"DMS_EMBED_PROVIDER": "none", "DMS_JOB_LEASE": "5", "DMS_JOB_BACKOFF": "1"}


class Reader(threading.Thread):
    """Reads as fast as it can; notes every answer, and every connection that broke after a request was sent."""

    def __init__(self, server, headers):
        super().__init__(daemon=True)
        self.client = Client(server)
        self.client.headers.update(headers)
        self.statuses, self.refused, self.broken, self.stopping = [], 0, [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.statuses.append(self.client.get("/documents?limit=3").status_code)
            except httpx.ConnectError:
                self.refused += 1
                time.sleep(0.01)
            except httpx.HTTPError as e:
                self.broken.append(repr(e))
        self.client.close()


def answer_or_end(sock):
    """What was answered; nothing when the connection ended instead."""
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


def test_sigterm_does_not_wait_for_ever_for_statements(start_dms):
    """Reads whose statements do not come back are answered, or their connections closed, when the time is up; nothing is used that is gone."""
    server = start_dms(env=SETTINGS | {"DMS_STOP_SECONDS": "1"})
    with server.register() as client, server.database() as db:
        document = client.upload("held")["id"]
        db.autocommit = False
        db.execute("LOCK TABLE document IN ACCESS EXCLUSIVE MODE")
        held = [connect(server) for _ in range(300)]
        request = f"GET /api/v1/documents/{document} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
        for one in held:
            one.sendall(request.encode())
        wait_for(lambda: db.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'document'::regclass").fetchone()[0] > 0, 10,
                 "a statement that waits")
        server.process.send_signal(signal.SIGTERM)
        answers = [answer_or_end(one) for one in held]
    assert all(a == b"" or a.startswith(b"HTTP/1.1 503") for a in answers), [a[:100] for a in answers if a][:3]
    assert server.process.wait(40) == 0


@pytest.mark.parametrize("round_", range(2))
def test_sigterm_under_load_finishes_what_runs(start_dms, tmp_path, round_):
    server = start_dms(env=SETTINGS)
    ledger = ledgers.Ledger(tmp_path / "ledger.jsonl")
    with Load(server, ledger, f"term {round_}", pause=0.05) as load:
        readers = [Reader(server, t.headers) for t in load.tenants]
        for reader in readers:
            reader.start()
        wait_for(lambda: ledger.operations > 30, 60, "the load")
        slow = connect(server)  # an upload that is on its way when the end is announced
        client = load.tenants[0].client(server)
        message = upload_bytes(client, os.urandom(400_000), key="slow")
        slow.sendall(message[:len(message) // 2])
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        slow.sendall(message[len(message) // 2:])
        answer = slow.recv(65536)
        assert answer.startswith(b"HTTP/1.1 201"), answer[:300]
        assert server.process.wait(40) == 0
        for reader in readers:
            reader.stopping.set()
            reader.join(20)
        server.start()
    for reader in readers:
        assert set(reader.statuses) <= {200, 503}, set(reader.statuses)
        assert len(reader.broken) <= 1, reader.broken  # a kept-alive connection that is closed just as a request is sent
    checker.settle(server)
    findings = checker.repeat_unknown(server, ledger)
    checker.settle(server)
    found, _ = checker.check(server, ledger.path)
    found = [f for f in found if "vanished.bin" not in f.what]  # the slow upload is in no ledger
    assert not findings + found, findings + found
    assert client.ok("GET", "/documents?limit=1&sort=-size&count=true")["items"]


def test_sigterm_with_everything_half_done_ends_in_time_and_in_order(start_dms):
    """Uploads that stand still, open event streams, idle and silent connections: the time is up for them, and nothing breaks on the way out."""
    server = start_dms(env={**SETTINGS, "DMS_STOP_SECONDS": "2"})
    owner = server.register()
    open_ = []
    for request in [head(owner, "GET", "/events")] * 20 + [upload_bytes(owner, os.urandom(900_000))[:500_000]] * 10 + [b"", b"GET / HT"] * 5:
        open_.append(connect(server))
        open_[-1].sendall(request)
    time.sleep(0.5)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 10
    log = (server.data / "log/api.log").read_text()
    assert '"severity":"ERROR"' not in log, log[log.index('"severity":"ERROR"') - 100:][:2000]
    assert list((server.data / "blobs/tmp").iterdir()) == []


@pytest.mark.parametrize("round_", range(2))
def test_kill_9_of_the_supervisor_under_load_takes_all_along_within_three_seconds(start_dms, tmp_path, round_):
    server = start_dms(env=SETTINGS)
    ledger = ledgers.Ledger(tmp_path / "ledger.jsonl")
    with Load(server, ledger, f"kill {round_}", pause=0.05):
        wait_for(lambda: ledger.operations > 30, 60, "the load")
        before = server.processes()
        assert len(before) > 8
        server.process.kill()
        server.process.wait()
        left = [parts.words(pid) for pid in server.left_over(before, 3)]
        assert not left, left
        server.start()
    checker.settle(server)
    findings = checker.repeat_unknown(server, ledger)
    checker.settle(server)
    findings += checker.check(server, ledger.path)[0]
    assert not findings, findings


def test_kills_during_the_start_need_no_hand(start_dms):
    """Everything is killed at one moment or another of the start, stale files and all; then it starts."""
    server = start_dms(env=SETTINGS)
    owner = server.register()
    document = owner.upload_processed("Kept through all of it.", name="a.txt")["id"]
    server.kill()
    for delay in (0.02, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0):
        server.start(wait=False)
        time.sleep(delay)
        before = server.processes()
        for pid in before:
            parts.send_signal(pid, signal.SIGKILL)
        server.process.wait()
        assert not server.left_over(before, 5)
    server.start()
    assert server.login(owner.email).get(f"/documents/{document}/content").content == b"Kept through all of it."
    assert len(parts.pids(server, "postgres")) == len(parts.pids(server, "api")) == len(parts.pids(server, "worker")) == 1


def test_kills_during_the_first_start_need_no_hand():
    """The same before there is anything: a half-made cluster, a half-made schema, half-written secrets."""
    server = Server(env=SETTINGS)
    try:
        for delay in (0.02, 0.15, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0):
            server.start(wait=False)
            time.sleep(delay)
            before = server.processes()
            for pid in before:
                parts.send_signal(pid, signal.SIGKILL)
            server.process.wait()
        server.start()
        server.register().upload_processed("It works.", name="a.txt")
        left = [p for p in server.data.rglob("*.new") if "pg" not in p.relative_to(server.data).parts]
        assert not left, left
    finally:
        server.close()
