"""Uploads: multipart bodies streamed to a sink (BI-F01 to F04, F14)."""
import os
import random
import threading
import time

import pytest
from raw import HOST, SANITIZED, field_part, file_part, multipart, post_multipart, wait_for


def upload(server, parts, **options):
    return server.ask(post_multipart(multipart(parts), **options), timeout=30)


def clean(server):
    """Nothing is left behind, and each sink was taken or aborted exactly once."""
    def done():
        c = server.counts()
        return c["sinks"] == c["uploads"] + c["aborts"] and len(server.files()) == c["uploads"]
    wait_for(done, what="sinks to be gone")


@pytest.mark.parametrize("size", [0, 1, 4095, 262144 - 256, 262144, 262145, 1000000, 5000001])
def test_bytes_arrive_whole(server, size):
    data = random.Random(size).randbytes(size)
    answer = upload(server, [field_part("a", b"1"), file_part(data, "b\u00e4.bin"), field_part("tags", "\u00e4,b".encode())])
    assert answer.status == 201, answer
    got = answer.json()
    assert (got["filename"], got["size"], got["fields"]) == ("bä.bin", size, {"a": "1", "tags": "ä,b"})
    with open(got["path"], "rb") as f:
        assert f.read() == data
    clean(server)


def test_bytes_that_look_like_boundaries(server):
    data = b"\r\n--b0undar\r\n--b0undar\r\r\n-\r\r\n--\r\n--B0undary--\r\n--b0undarx"
    for cut in range(0, len(data)):
        part = data[cut:]
        answer = upload(server, [file_part(part)])
        assert answer.status == 201
        with open(answer.json()["path"], "rb") as f:
            assert f.read() == part


def test_byte_by_byte(server):
    body = multipart([file_part(b"hello\r\n--b0undar"), field_part("x", b"y")])
    with server.connect() as c:
        data = post_multipart(body)
        for i in range(len(data)):
            c.send(data[i:i + 1])
        assert c.answer().json()["size"] == 16


def test_BI_F01_sizes(start):
    server = start(max_upload=100000)
    assert upload(server, [file_part(b"x" * 100000)]).status == 201
    answer = upload(server, [file_part(b"x" * 100001)])
    assert answer.status == 413 and "100000" in answer.json()["detail"]
    begin = time.monotonic()
    with server.connect() as c:  # refused before the rest is read
        c.send(post_multipart(b"", length=10**12))
        assert c.answer().status == 413
        assert time.monotonic() - begin < 1
    clean(server)


def test_BI_F01_declared_more_than_sent(server):
    body = multipart([file_part(b"x" * 600000)])
    for _ in range(20):  # the end may come together with the last bytes
        with server.connect() as c:
            c.send(post_multipart(body, length=len(body) + 10))
            c.socket.shutdown(1)
            answer = c.answer()
            assert answer is None or answer.status == 400
    clean(server)


def test_BI_F01_declared_less_than_sent(server):
    body = multipart([file_part(b"x" * 600000)])
    with server.connect() as c:
        c.send(post_multipart(body, length=len(body) - 10))
        answer = c.answer()
        assert answer.status == 400
    clean(server)


BAD = {
    "no boundary in type": (None, b""),
    "empty": ("b0undary", b""),
    "other boundary": ("other", multipart([file_part(b"x")])),
    "missing end": ("b0undary", multipart([file_part(b"x" * 300000)], end=False)),
    "end cut": ("b0undary", multipart([file_part(b"x")])[:-4]),
    "preamble": ("b0undary", b"hello\r\n" + multipart([file_part(b"x")])),
    "epilogue": ("b0undary", multipart([file_part(b"x")]) + b"more"),
    "boundary inside data": ("b0undary", multipart([file_part(b"a\r\n--b0undaryX\r\nb")])),
    "two files": ("b0undary", multipart([file_part(b"x" * 400000), file_part(b"y")])),
    "too many parts": ("b0undary", multipart([field_part(f"f{i}", b"") for i in range(21)])),
    "10^5 parts": ("b0undary", multipart([field_part("f", b"")] * 100000)),
    "nested": ("b0undary", multipart([(['Content-Disposition: form-data; name="files"', "Content-Type: multipart/mixed; boundary=x"], b"--x\r\n\r\na\r\n--x--")])),
    "part head 64 KB": ("b0undary", multipart([file_part(b"x", extra=["X: " + "a" * 65536])])),
    "no disposition": ("b0undary", multipart([(["Content-Type: text/plain"], b"x")])),
    "no head": ("b0undary", b"--b0undary\r\n\r\nx\r\n--b0undary--\r\n"),
    "attachment": ("b0undary", multipart([(['Content-Disposition: attachment; name="file"; filename="a"'], b"x")])),
    "no name": ("b0undary", multipart([(['Content-Disposition: form-data; filename="a"'], b"x")])),
    "names differ": ("b0undary", multipart([(["Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"; filename*=UTF-8''b.txt"], b"x")])),
    "two dispositions": ("b0undary", multipart([(['Content-Disposition: form-data; name="a"', 'Content-Disposition: form-data; name="file"'], b"x")])),
    "two names": ("b0undary", multipart([(['Content-Disposition: form-data; name="a"; name="b"'], b"x")])),
    "file without name": ("b0undary", multipart([field_part("file", b"x")])),
    "other field with a file": ("b0undary", multipart([file_part(b"x", field="photo")])),
    "transfer encoding": ("b0undary", multipart([file_part(b"eA==", extra=["Content-Transfer-Encoding: base64"])])),
    "field not UTF-8": ("b0undary", multipart([field_part("a", b"\xff"), file_part(b"x")])),
    "bare LF": ("b0undary", multipart([file_part(b"x")]).replace(b"\r\n", b"\n")),
    "folded": ("b0undary", multipart([(['Content-Disposition: form-data;', ' name="a"'], b"x")])),
    "control in head": ("b0undary", multipart([file_part(b"x", extra=["X: a\x01"])])),
    "unterminated quote": ("b0undary", multipart([(['Content-Disposition: form-data; name="a'], b"x")])),
}


@pytest.mark.parametrize("case", BAD)
def test_BI_F02_multipart(server, case):
    boundary, body = BAD[case]
    if boundary is None:
        data = post_multipart(multipart([file_part(b"x")])).replace(b"; boundary=b0undary", b"")
    else:
        data = post_multipart(body, boundary=boundary)
    with server.connect() as c:
        try:
            c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = c.answer()
        assert answer is not None and answer.status == 400 and answer.json()["code"] == "validation_error", answer
    clean(server)


def test_BI_F02_boundaries(server):
    for boundary, status in [("a" * 70, 201), ("a" * 71, 400), ("a" * 10000, 400), ("", 400), ('"a b"', 201), ('"a b "', 400), ("\xe4", 400), ('"a', 400), ("a; boundary=b", 400)]:
        body = multipart([file_part(b"x")], boundary=boundary.strip('"'))
        head = f"POST /api/v1/upload HTTP/1.1\r\n{HOST}Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
        assert server.ask(head.encode("latin-1") + body).status == status, boundary[:80]
    assert server.ask(f"POST /api/v1/upload HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n" + "{}").status == 415


@pytest.mark.parametrize("sent,kept", [("../../etc/passwd", "passwd"), ("C:\\dir\\a.txt", "a.txt"), ("a%22b.txt", 'a"b.txt'), ("100%25.txt", "100%25.txt"), ("\u00e4\u20ac.txt", "ä€.txt"),
                                       ("a/b\\c", "c"), ("", None), ("..", None), ("dir/", None), ("a%0d%0ab", None), ("a" * 255, "a" * 255), ("a" * 256, None), ("\u202egpj.exe", None),
                                       ("a\udcffb", None)])
def test_file_names(server, sent, kept):
    answer = upload(server, [file_part(b"x", sent)])
    if kept is None:
        assert answer.status == 400 and answer.json()["errors"][0]["field"] == "file"
    else:
        assert answer.status == 201 and answer.json()["filename"] == kept
    clean(server)


def test_extended_file_names(server):
    def named(text):
        return upload(server, [([f"Content-Disposition: form-data; name=\"file\"; {text}"], b"x")])

    assert named("filename*=UTF-8''%e2%82%ac.txt").json()["filename"] == "€.txt"
    assert named("filename=\"a.txt\"; filename*=utf-8'en'a.txt").json()["filename"] == "a.txt"
    for bad in ["filename*=ISO-8859-1''a", "filename*=UTF-8''%ff", "filename*=UTF-8''%zz", "filename*=a", "filename*=UTF-8''a%2f", "filename*=UTF-8''%00a"]:
        assert named(bad).status == 400, bad


@pytest.mark.parametrize("infinite", [False, True])
def test_BI_F03_chunked(start, infinite):
    server = start(max_upload=1000000)
    head = f"POST /api/v1/upload HTTP/1.1\r\n{HOST}Content-Type: multipart/form-data; boundary=b0undary\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    def chunk(data):
        return b"%x\r\n%s\r\n" % (len(data), data)

    body = multipart([file_part(b"x" * 900000)])
    with server.connect() as c:
        c.send(head)
        if not infinite:
            for i in range(0, len(body), 50000):
                c.send(chunk(body[i:i + 50000]))
            c.send(b"0\r\n\r\n")
            assert c.answer().json()["size"] == 900000
        else:
            end = time.monotonic() + 20
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                c.send(chunk(body[:200]))
                while time.monotonic() < end:
                    c.send(chunk(b"x" * 65536))
            answer = c.answer()
            assert answer is not None and answer.status == 413
    clean(server)


def test_BI_F04_refused_by_the_handler(server):
    """A checksum that does not fit and the like: the handler refuses, the library removes what was written."""
    for size in [10, 1000000]:
        assert upload(server, [file_part(b"x" * size), field_part("refuse", b"1")]).status == 422
    clean(server)


@pytest.mark.parametrize("by_reset", [False, True])
def test_BI_F14_client_goes_away(server, by_reset):
    body = multipart([file_part(b"x" * 3000000)])
    for share in [0.1, 0.5, 0.99]:
        with server.connect() as c:
            c.send(post_multipart(body)[:int(len(body) * share)])
            if by_reset:
                c.reset()
    clean(server)
    wait_for(lambda: server.counts()["connections"] == 1)


def test_without_permission_no_byte_is_stored(server):
    body = multipart([file_part(b"x" * 3000000)])
    before = server.counts()["sinks"]
    for header, status in [("", 401), ("Authorization: Bearer fast\r\n", 403)]:
        with server.connect() as c:
            try:
                c.send(post_multipart(body, path="/api/v1/secret-upload", headers=header))
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert c.answer().status == status
    assert server.counts()["sinks"] == before


def test_memory_does_not_grow_with_the_file(start):
    server = start(quiet=1)
    assert upload(server, [file_part(b"x" * 2000000)]).status == 201
    before = server.memory_kb()
    size, piece = 300_000_000, b"x" * 1_000_000
    head, _, tail = multipart([file_part(b"@")]).partition(b"@")
    with server.connect(60) as c:
        c.send(post_multipart(b"", length=size + len(head) + len(tail)) + head)
        for _ in range(size // len(piece)):
            c.send(piece)
        c.send(tail)
        answer = c.answer()
    assert answer.status == 201 and answer.json()["size"] == size
    assert os.path.getsize(answer.json()["path"]) == size
    assert SANITIZED or server.memory_kb() - before < 3000


def test_uploads_side_by_side(start):
    server = start(threads=4)
    answers = []

    def one(n):
        data = random.Random(n).randbytes(700000 + n)
        answer = upload(server, [file_part(data)])
        with open(answer.json()["path"], "rb") as f:
            answers.append(answer.status == 201 and f.read() == data)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [True] * 12
    clean(server)


def test_full_work_lane_in_the_middle(start):
    """No thread for the bytes: 503, and nothing left behind."""
    server = start(threads=1, queue=1)
    block = [server.connect() for _ in range(2)]
    for c in block:
        c.send(f"GET /api/v1/slow?ms=1500 HTTP/1.1\r\n{HOST}\r\n")
        time.sleep(0.1)
    answer = upload(server, [file_part(b"x" * 3000000)])
    assert answer.status == 503
    for c in block:
        assert c.answer().status == 200
    clean(server)
