"""Clients that vanish: in the middle of an upload, of a download, of an event stream. Nothing stays of them, and nobody else notices."""
import os
import pathlib
import random
import re
import socket
import struct
import threading
import time

import pytest

import checker
import parts
from conftest import Client, Server, wait_for

BOUNDARY = "fault"


@pytest.fixture(scope="module")
def dms():
    server = Server(env={"DMS_EMBED_PROVIDER": "none"})
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def owner(dms):
    with dms.register() as client:
        yield client


def connect(dms):
    s = socket.create_connection(("127.0.0.1", dms.port), timeout=20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def head(owner, method, path, more=""):
    return (f"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {owner.headers['Authorization']}\r\n{more}\r\n").encode()


def upload_bytes(owner, content, key=None):
    body = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="vanished.bin"\r\n\r\n').encode() + content \
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    more = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n"
    if key:
        more += f"Idempotency-Key: {key}\r\n"
    return head(owner, "POST", "/documents", more) + body


def end(s, how):
    """fin: closed politely; rst: torn down, as by a process that is killed with unread data or a lost network."""
    if how == "rst":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def descriptors(dms):
    return len(os.listdir(f"/proc/{parts.pids(dms, 'api')[0]}/fd"))


def counts(dms):
    with checker.database(dms) as db:
        return [checker.number(db, f"SELECT {what}") for what in ("(SELECT count(*) FROM document)", "(SELECT count(*) FROM blob)",
                                                                   "(SELECT coalesce(sum(bytes), 0)::bigint FROM usage)")]


def temporary(dms):
    """Files on their way: with a name below blobs/tmp, or without one and only open."""
    named = list((dms.data / "blobs/tmp").iterdir())
    api = parts.pids(dms, "api")[0]
    unnamed = []
    for fd in pathlib.Path(f"/proc/{api}/fd").iterdir():
        try:
            if "/blobs/" in os.readlink(fd) and "(deleted)" in os.readlink(fd):
                unnamed.append(fd)
        except FileNotFoundError:
            pass
    return named + unnamed


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_an_upload_that_is_given_up_leaves_nothing(dms, owner, how, share, size):
    owner.upload("warm")
    before, fds, pid = counts(dms), descriptors(dms), parts.pids(dms, "api")
    message = upload_bytes(owner, os.urandom(size))
    for _ in range(10):
        s = connect(dms)
        s.sendall(message[:max(300, int(len(message) * share))])
        time.sleep(random.uniform(0, 0.02))
        end(s, how)
    wait_for(lambda: not temporary(dms), 10, "half files to be gone")
    wait_for(lambda: descriptors(dms) <= fds + 2, 10, "descriptors to be closed")
    assert counts(dms) == before
    assert parts.pids(dms, "api") == pid
    owner.upload("still here")


def test_an_upload_whose_answer_nobody_hears_is_there_once(dms, owner):
    """All is sent, then the client is gone: it may repeat it with its key."""
    for i in range(20):
        message = upload_bytes(owner, b"unheard %d" % i, key=f"unheard {i}")
        s = connect(dms)
        s.sendall(message)
        time.sleep(random.uniform(0, 0.03))
        end(s, "rst")
    time.sleep(0.5)
    ids = set()
    for i in range(20):
        with connect(dms) as s:
            s.sendall(upload_bytes(owner, b"unheard %d" % i, key=f"unheard {i}"))
            answer = s.recv(65536)
        assert answer.startswith(b"HTTP/1.1 201"), answer
        ids.add(re.search(rb'"id" ?: ?"([0-9a-f-]{36})"', answer)[1])
    assert len(ids) == 20
    assert owner.ok("GET", "/documents?limit=100&count=true")["total"] == 20


def test_a_download_that_is_given_up_costs_nothing(dms, owner):
    document = owner.upload(os.urandom(5_000_000), name="large.bin")["id"]
    fds = descriptors(dms)
    for i in range(30):
        s = connect(dms)
        s.sendall(head(owner, "GET", f"/documents/{document}/content"))
        s.recv(random.choice([1, 1000, 100_000]))
        end(s, random.choice(["fin", "rst"]))
    wait_for(lambda: descriptors(dms) <= fds + 2, 15, "descriptors to be closed")
    assert len(owner.get(f"/documents/{document}/content").content) == 5_000_000


def test_event_streams_that_come_and_go_while_documents_change(dms, owner):
    """Opened and torn down all the time, some without having read a byte, while events are on their way to them."""
    pid, fds, stop, failures = parts.pids(dms, "api"), descriptors(dms), threading.Event(), []

    def watch(seed):
        rng = random.Random(seed)
        try:
            while not stop.is_set():
                s = connect(dms)
                s.sendall(head(owner, "GET", "/events"))
                if rng.random() < 0.8:
                    assert s.recv(100).startswith(b"HTTP/1.1 200"), "the stream is refused"
                    if rng.random() < 0.5:
                        s.settimeout(0.3)
                        try:
                            while s.recv(4096):
                                pass
                        except TimeoutError:
                            pass
                time.sleep(rng.choice([0, 0, 0.001, 0.01, 0.1]))
                end(s, rng.choice(["fin", "rst"]))
        except Exception as e:
            failures.append(e)

    def change(seed):
        rng = random.Random(seed)
        try:
            with Client(dms) as client:
                client.headers.update(owner.headers)
                while not stop.is_set():
                    document = client.upload("Changes and changes again.", name="e.txt")
                    client.ok("PATCH", f"/documents/{document['id']}", json={"title": f"Title {rng.random()}"})
                    if rng.random() < 0.3:  # given up half-way
                        s = connect(dms)
                        message = upload_bytes(owner, os.urandom(600_000))
                        s.sendall(message[:rng.randrange(400, len(message))])
                        end(s, rng.choice(["fin", "rst"]))
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=watch, args=(i,)) for i in range(6)] + [threading.Thread(target=change, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    time.sleep(float(os.environ.get("DMS_FAULTS_STREAM_SECONDS", "8")))
    stop.set()
    for t in threads:
        t.join(60)
    assert not failures, failures
    assert parts.pids(dms, "api") == pid, "the API process has died"
    wait_for(lambda: descriptors(dms) <= fds + 6, 40, "descriptors of streams to be closed")
    with owner.stream("GET", "/events") as events:
        lines = events.iter_lines()
        owner.upload("The last one.", name="last.txt")
        wait_for(lambda: "document" in next(lines), 20, "an event on a new stream")


def test_streams_of_clients_that_went_away_make_room_for_others(start_dms):
    """In an organization where nothing happens, whose streams are only pinged."""
    server = start_dms(env={"DMS_EMBED_PROVIDER": "none", "DMS_EVENTS_MAX": "10"})
    owner = server.register()

    def opened():
        s = connect(server)
        s.sendall(head(owner, "GET", "/events"))
        return s, s.recv(30)

    streams = [opened() for _ in range(10)]
    assert all(b" 200 " in answer for _, answer in streams)
    full, answer = opened()
    assert b" 503 " in answer
    for s in [full, *(s for s, _ in streams)]:
        s.close()
    wait_for(lambda: (again := opened())[0].close() or b" 200 " in again[1], 60, "room for another stream")
