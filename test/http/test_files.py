"""Files as answers: ranges (BI-B15), validators, names; and a page of events."""
import threading

import pytest
from raw import HOST, SANITIZED, wait_for

DATA = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def path(server):
    (server.dir / "data.bin").write_bytes(DATA)
    (server.dir / "empty").write_bytes(b"")
    return "/api/v1/file?name=data.bin"


def test_whole_file(server, path):
    answer = server.get(path + "&as=r%C3%A9sum%C3%A9.pdf")
    assert answer.status == 200 and answer.body == DATA
    assert answer.header("Accept-Ranges") == "bytes" and answer.header("ETag") == '"file-v1"'
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Content-Disposition") == "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"
    assert answer.header("Content-Security-Policy") == "sandbox; default-src 'none'" and answer.header("X-Content-Type-Options") == "nosniff"
    assert server.get(path + "&inline=true").header("Content-Disposition") == "inline"
    assert server.get("/api/v1/file?name=empty").body == b""
    assert server.get("/api/v1/file?name=none").status == 404
    with server.connect() as c:
        c.send(f"HEAD {path} HTTP/1.1\r\n{HOST}Range: bytes=0-1\r\n\r\n")
        answer = c.answer(head=True)
        assert answer.status == 200 and answer.header("Content-Length") == str(len(DATA))


@pytest.mark.parametrize("value,first,last", [("bytes=0-0", 0, 0), ("bytes=0-499", 0, 499), ("bytes=500-", 500, 10239), ("bytes=-500", 9740, 10239), ("bytes=10239-10239", 10239, 10239),
                                              ("bytes=0-99999", 0, 10239), ("bytes=-99999", 0, 10239), ("bytes=0-10,11-20", 0, 20), ("bytes=5-10,0-6", 0, 10), ("BYTES=1-2", 1, 2),
                                              ("bytes=0-1,20000-", 0, 1), ("bytes=0-9999999999999999999999", 0, 10239)])
def test_one_range(server, path, value, first, last):
    answer = server.get(path, f"Range: {value}")
    assert answer.status == 206 and answer.body == DATA[first:last + 1]
    assert answer.header("Content-Range") == f"bytes {first}-{last}/{len(DATA)}"


@pytest.mark.parametrize("value", ["bytes=10240-", "bytes=99999-100000", "bytes=-0", "bytes=20000-,30000-"])
def test_BI_B15_outside(server, path, value):
    answer = server.get(path, f"Range: {value}")
    assert answer.status == 416 and answer.header("Content-Range") == f"bytes */{len(DATA)}" and answer.json()["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("value", ["bytes=5-1", "bytes=a-b", "bytes", "bytes=", "lines=0-1", "bytes=--1", "bytes=1", "bytes=0-1,a", "bytes=0-1,100-200", "bytes= 0 - 1",
                                   "bytes=" + ",".join(f"{i * 2}-{i * 2}" for i in range(1000)), "bytes=" + "0-," * 5000])
def test_BI_B15_whole_instead(server, path, value):
    answer = server.get(path, f"Range: {value}")
    assert answer.status == 200 and answer.body == DATA


def test_ranges_of_nothing(server, path):
    assert server.get("/api/v1/file?name=empty", "Range: bytes=0-0").status == 416
    assert server.get("/api/v1/file?name=empty", "Range: bytes=-1").status == 416


def test_conditions(server, path):
    assert server.get(path, 'If-None-Match: "file-v1"').status == 304
    assert server.get(path, 'If-None-Match: "other"').status == 200
    for condition, status in [('"file-v1"', 206), ('W/"file-v1"', 200), ('"other"', 200), ("Mon, 23 Nov 2026 05:39:34 GMT", 200)]:
        assert server.get(path, "Range: bytes=0-1", f"If-Range: {condition}").status == status


def test_descriptors_are_closed(server, path):
    before = server.descriptors()
    for header in ["X: y", "Range: bytes=0-1", "Range: bytes=99999-", 'If-None-Match: "file-v1"']:
        for _ in range(20):
            server.get(path, header)
    wait_for(lambda: server.descriptors() <= before + 1)


def open_stream(server):
    c = server.connect()
    c.send(f"GET /api/v1/events HTTP/1.1\r\n{HOST}\r\n")
    while b"\r\n\r\n" not in c.buffer:
        assert c._more()
    head, _, c.buffer = c.buffer.partition(b"\r\n\r\n")
    assert b" 200 " in head and b"text/event-stream" in head and b"chunked" in head
    assert c.chunk() == b"retry: 3000\n\n"
    return c


def send(server, body='{"n":1}'):
    return server.ask(f"POST /api/v1/events HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").json()


def test_events(start):
    server = start()
    streams = [open_stream(server) for _ in range(5)]
    for n in range(20):
        assert send(server, f'{{"n":{n}}}') == {"sent": 5, "dropped": 0}
    for c in streams:
        text = b""
        while text.count(b"\n\n") < 20:
            text += c.chunk()
        assert text == b"".join(b'event: test\ndata: {"n":%d}\n\n' % n for n in range(20))
    streams.pop().socket.close()
    wait_for(lambda: send(server)["sent"] == 4, 10, "the closed stream to be noticed")
    server.process.terminate()
    for c in streams:
        assert c.closed()
    assert server.process.wait(5) == 0


def test_event_streams_are_limited(start):
    server = start()
    streams = [open_stream(server) for _ in range(10)]
    answer = server.get("/api/v1/events")
    assert answer.status == 503 and answer.header("Retry-After")
    for c in streams:
        c.socket.close()
    wait_for(lambda: send(server)["sent"] == 0, 10, "closed streams to be noticed")
    open_stream(server).socket.close()


def test_a_stream_that_does_not_read_is_dropped(start):
    server = start()
    c = open_stream(server)
    before = server.memory_kb()
    body = '{"a":"' + "x" * 100000 + '"}'
    dropped = 0
    for _ in range(200):
        dropped += send(server, body)["dropped"]
        if dropped:
            break
    assert dropped == 1
    assert SANITIZED or server.memory_kb() - before < 20000
    c.socket.close()


def test_events_from_many_threads(start):
    server = start(threads=4)
    c = open_stream(server)
    threads = [threading.Thread(target=lambda: [send(server) for _ in range(25)]) for _ in range(4)]
    for t in threads:
        t.start()
    text = b""
    while text.count(b"\n\n") < 100:
        text += c.chunk()
    for t in threads:
        t.join()
    assert text == b'event: test\ndata: {"n":1}\n\n' * 100
    c.socket.close()
