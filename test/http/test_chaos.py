"""Many clients that behave at random, some honest and some not; afterwards nothing of them may be left, and the honest ones were served."""
import os
import random
import threading
import time

import pytest
from raw import HOST, field_part, file_part, multipart, post_multipart, wait_for

JSON = "Content-Type: application/json\r\n"
GET = "GET /api/v1/null HTTP/1.1\r\n" + HOST
POST = "POST /api/v1/echo HTTP/1.1\r\n" + HOST + JSON


def requests(rng):
    """(bytes, expected status) of something well formed."""
    size = rng.choice([10, 3000, 300_000, 900_000])
    body = b'"' + b"x" * rng.choice([1, 500, 90_000]) + b'"'
    return rng.choice([
        (f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n".encode(), 200),
        (f"GET /api/v1/later HTTP/1.1\r\n{HOST}\r\n".encode(), 200),
        (f"GET /api/v1/slow?ms={rng.randrange(20)} HTTP/1.1\r\n{HOST}\r\n".encode(), 200),
        (f"GET /api/v1/who HTTP/1.1\r\n{HOST}Authorization: Bearer slow\r\n\r\n".encode(), 200),
        (f"GET /api/v1/big?n={size} HTTP/1.1\r\n{HOST}\r\n".encode(), 200),
        (f"POST /api/v1/echo HTTP/1.1\r\n{HOST}{JSON}Content-Length: {len(body)}\r\n\r\n".encode() + body, 200),
        (f"POST /api/v1/list HTTP/1.1\r\n{HOST}{JSON}Content-Length: {len(body)}\r\n\r\n".encode() + body, 401),
        (f"POST /api/v1/echo HTTP/1.1\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n", 200),
        (post_multipart(multipart([field_part("a", b"b"), file_part(bytes(size))])), 201),
        (post_multipart(multipart([file_part(bytes(size)), field_part("refuse", b"1")])), 422),
    ])


def honest(server, rng):
    with server.connect(30) as c:
        for _ in range(rng.randrange(1, 6)):
            data, status = requests(rng)
            while data:
                n = rng.choice([1, 7, 1000, 50_000, len(data)])
                c.send(data[:n])
                data = data[n:]
            assert c.answer().status == status


def broken(server, rng):
    with server.connect(30) as c:
        data = bytearray(requests(rng)[0])
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            c.send(bytes(data[:rng.randrange(len(data) + 1)]))
            time.sleep(rng.choice([0, 0, 0.01]))
            what = rng.randrange(3)
            if what == 0:
                c.reset()
            elif what == 1:
                c.socket.shutdown(1)
                c.closed(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass


@pytest.mark.parametrize("loops", [1, 2])
def test_nothing_is_left_of_bad_clients(start, loops):
    server = start(loops=loops, threads=3, header_timeout=1, quiet=1)
    before = server.descriptors()
    failures, end = [], time.monotonic() + 6

    def client(seed):
        rng = random.Random(seed)
        while time.monotonic() < end and not failures:
            try:
                (honest if rng.random() < 0.5 else broken)(server, rng)
            except BaseException as e:  # noqa: BLE001 a thread has nobody else to tell
                failures.append((seed, repr(e)))

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures
    wait_for(lambda: server.counts()["connections"] == 1, 20, "connections to end")
    wait_for(lambda: server.descriptors() <= before + 1, 5, "descriptors to be closed")

    def sinks_gone():
        c = server.counts()
        return c["sinks"] == c["uploads"] + c["aborts"] and len(server.files()) == c["uploads"]
    wait_for(sinks_gone, 10, "sinks to be gone")


HEADS = [GET + "\r\n", GET + "Cookie: a=b; c=d\r\nAccept: */*\r\n\r\n", GET.replace("null", "list?limit=1&limit=2&x=%zz") + "\r\n",
         POST + "Content-Length: 7\r\n\r\n{\"a\":1}", POST + "Content-Length: 7\r\nExpect: 100-continue\r\n\r\n{\"a\":1}",
         POST + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nX-T: u\r\n\r\n"]
ODD = [b"\0", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b" ", b"  ", b"\t", b":", b",", b";", b"%", b"/", b"?", b"&", b"=", b"\xff", b"\x7f", b"0", b"9", b"-1", b"+", b"HTTP/1.0", b"HTTP/1.1",
       b"chunked", b";x=y", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Host: b\r\n", b"a" * 5000, b"X: y\r\n" * 60]


def mutated(dice):
    data = bytearray(dice.choice(HEADS).encode())
    for _ in range(dice.randint(1, 3)):
        at, odd = dice.randrange(len(data)), dice.choice(ODD)
        data[at:at + dice.choice([0, 0, 1, len(odd), 10])] = odd
    return bytes(data)


def test_no_answer_is_the_librarys_own(start):
    """Whatever comes on a connection that was in use already, whole or in pieces: each answer has the request id that only this service gives."""
    server = start(quiet=1)
    dice = random.Random(int(os.environ.get("DMS_SEED", "1")))
    for _ in range(int(os.environ.get("DMS_ROUNDS", "300"))):
        data = mutated(dice)
        cut = dice.randrange(len(data))
        with server.connect() as c:
            c.send(GET + "\r\n")
            assert c.answer().status == 200
            for part in dice.choice([[data], [data[:cut], data[cut:]]]):
                try:
                    c.send(part)
                except (BrokenPipeError, ConnectionResetError):
                    break
            c.socket.settimeout(0.03)
            try:
                while (answer := c.answer()) is not None:
                    assert answer.status == 100 or answer.header("X-Request-Id"), (data, answer)
            except TimeoutError:  # it waits for more
                pass
    assert server.get("/api/v1/null").status == 200
