"""Framing, one function a row of the bad-input catalogue (BI-Bnn), each also as the second request of a connection."""
import socket
import time

import pytest
from raw import HOST, wait_for

GET = "GET /api/v1/null HTTP/1.1\r\n" + HOST
POST = "POST /api/v1/echo HTTP/1.1\r\n" + HOST + "Content-Type: application/json\r\n"


def is_problem(answer, status=400, code="validation_error"):
    """Ours, and not the library's."""
    assert answer is not None and answer.status == status, answer
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.header("X-Request-Id") and answer.header("traceparent")
    assert answer.json()["code"] == code and answer.json()["status"] == status
    assert answer.json()["request_id"] == answer.header("X-Request-Id")


def parts_of(data):
    """Cut where a parser has to remember: in the middle of the request line, of a header, before the last byte."""
    data = data.encode("latin-1") if isinstance(data, str) else data
    cuts = sorted({5, data.find(b"\n") + 5, data.rfind(b"\n"), len(data) - 1} & set(range(1, len(data))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]


def refused(server, data, status=400, code="validation_error"):
    """A problem, then the end of the connection: as its first request, as a later one, behind one that is not answered yet, and in pieces."""
    with server.connect() as c:
        c.send(data)
        is_problem(c.answer(), status, code)
        assert c.closed()
    with server.connect() as c:
        for _ in range(2):
            c.send(GET + "\r\n")
            assert c.answer().status == 200
        c.send(data)
        is_problem(c.answer(), status, code)
        assert c.closed()
    with server.connect() as c:
        good = GET.replace("null", "slow?ms=20") + "\r\n" + GET + "\r\n"
        c.send(good + data if isinstance(data, str) else good.encode() + data)
        assert [c.answer().status, c.answer().status] == [200, 200]
        is_problem(c.answer(), status, code)
        assert c.closed()
    with server.connect() as c:
        c.send(GET + "\r\n")
        assert c.answer().status == 200
        try:
            for part in parts_of(data):
                c.send(part)
                time.sleep(0.005)
        except (BrokenPipeError, ConnectionResetError):
            pass
        is_problem(c.answer(), status, code)
        assert c.closed()
    assert server.get("/api/v1/null").status == 200


def test_BI_B01_length_and_transfer_encoding(server):
    refused(server, POST + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    refused(server, POST + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("lengths", [["5", "6"], ["5", "5"], ["5, 5"], ["+5"], ["0x5"], ["5 6"], ["5 "], ["5\t"], [str(2**64)], ["-1"], ["05"], [""], ["9" * 30]])
def test_BI_B02_content_length(server, lengths):
    refused(server, POST + "".join(f"Content-Length: {n}\r\n" for n in lengths) + "\r\n{\"a\":1}")


@pytest.mark.parametrize("headers", ["Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
                                     "Transfer-Encoding: \x0bchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked ", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                     "Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding: gzip"])
def test_BI_B03_transfer_encoding(server, headers):
    refused(server, POST + headers + "\r\n\r\n0\r\n\r\n")


def test_BI_B03_http10_has_no_transfer_encoding(server):
    refused(server, POST.replace("1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("body", ["2\n{}\r\n0\r\n\r\n", "2\r\n{}\n0\r\n\r\n", "2\r\n{}\r\n0\n\r\n", "2\r\n{}\r\n0\r\n\n", "2;a\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0;a=\"b\"\r\n\r\n", "2;a\nb\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nA: b\n\r\n",
                                  "2\r\n{}\r\n0\r\nno colon\r\n\r\n", "2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n", "2 ;a\r\n{}\r\n0\r\n\r\n",
                                  "+2\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "f" * 17 + "\r\n{}\r\n0\r\n\r\n", " 2\r\n{}\r\n0\r\n\r\n",
                                  "2 3\r\n{}\r\n0\r\n\r\n", "1\r\n{}\r\n0\r\n\r\n", "4\r\n{}\r\n0\r\n\r\n", "2\r\n{}0\r\n\r\n", "\r\n{}\r\n0\r\n\r\n", "zz\r\n{}\r\n0\r\n\r\n"])
def test_BI_B04_chunks(server, body):
    refused(server, POST + "Transfer-Encoding: chunked\r\n\r\n" + body)


def test_BI_B04_extension_of_a_megabyte(server):
    with server.connect() as c:
        try:
            c.send(POST + "Transfer-Encoding: chunked\r\n\r\n2;" + "x" * 1000000 + "\r\n{}\r\n0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        is_problem(c.answer())
        assert c.closed()


def test_chunks_with_trailers_are_read(server):
    with server.connect() as c:
        for body in ["002\r\n{}\r\n000\r\nX-A: b\r\nX-B: c\r\n\r\n", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"]:
            c.send(POST + "Transfer-Encoding: chunked\r\n\r\n" + body)
            answer = c.answer()
            assert answer.status == 200 and answer.json() == {}, body


def test_chunked_body_is_read(server):
    answer = server.ask(POST + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n")
    assert answer.status == 200 and answer.json() == {"a": 1}


@pytest.mark.parametrize("head", ["X-A: a\rb\r\n", "X-A\r: a\r\n", "X-A: a\r\n b\r\n", "X-A: a\r\n\tb\r\n", "X-A : a\r\n", "X-A: a\0b\r\n", "X-\0A: a\r\n", "X-\xe4: a\r\n",
                                  "X-A: a\n", ": a\r\n", "no colon\r\n", "X A: a\r\n", "X-A: a\x01\r\n", "X-A: a\x7f\r\n", "(X): a\r\n"])
def test_BI_B05_header_bytes(server, head):
    refused(server, GET + head + "\r\n")


def test_BI_B05_bare_line_feeds(server):
    refused(server, "GET /api/v1/null HTTP/1.1\nHost: localhost\n\n")
    refused(server, "GET /api/v1/null HTTP/1.1\r\nHost: localhost\r\nX: y\n\r\n")


def test_BI_B06_headers(server):
    def status(headers):
        return server.ask(GET + headers + "\r\n")

    big = "X: " + "a" * (16384 - 3 + 1) + "\r\n"
    refused(server, GET + big + "\r\n", 431, "headers_too_large")
    refused(server, GET + "".join(f"X-{i}: a\r\n" for i in range(100)) + "\r\n", 431, "headers_too_large")
    refused(server, GET + ("X: " + "a" * 8000 + "\r\n") * 9 + "\r\n", 431, "headers_too_large")
    assert status("".join(f"X-{i}: a\r\n" for i in range(99))).status == 200
    assert status("X: " + "a" * (16384 - 3) + "\r\n").status == 200
    assert status(("X: " + "a" * 8000 + "\r\n") * 8).status == 200
    answer = status(big)
    assert "16384" in answer.json()["detail"]


def test_BI_B06_headers_that_outgrow_their_connection(server):
    """After a small first request a connection has little memory: a later large head gets its 431, and is taken on a new connection."""
    large = GET + "X: " + "a" * 12000 + "\r\n\r\n"
    with server.connect() as c:
        c.send(GET + "\r\n")
        assert c.answer().status == 200
        c.send(large)
        answer = c.answer()
        is_problem(answer, 431, "headers_too_large")
        assert "new one" in answer.json()["detail"]
        assert c.closed()
    assert server.ask(large).status == 200
    with server.connect() as c:
        c.send(GET + "\r\n")
        assert c.answer().status == 200
        c.send(GET.replace("null", "null?" + "a" * 7900) + "Authorization: Bearer " + "b" * 1500 + "\r\n\r\n")
        assert c.answer().status == 400, "a long address has room"


def test_BI_B07_request_line(server):
    refused(server, "GET /" + "a" * 8192 + " HTTP/1.1\r\n" + HOST + "\r\n", 414, "uri_too_long")
    refused(server, "GET /" + "a" * 100000, 414, "uri_too_long")
    line = "GET /api/v1/" + "a" * (8192 - len("GET /api/v1/ HTTP/1.1")) + " HTTP/1.1"
    assert len(line) == 8192
    assert server.ask(line + "\r\n" + HOST + "\r\n").status == 404


@pytest.mark.parametrize("line", ["GET  /api/v1/null HTTP/1.1", "GET /api/v1/null  HTTP/1.1", "get /api/v1/null HTTP/1.1", "GET /api/v1/null", "GET /api/v1/null HTTP/3.0",
                                  "GET /api/v1/null HTTP/1.1x", "GET /api/v1/null HTTP/0.9", "GET /api/v1/null HTTP/2.0", "GET http://evil.example/api/v1/null HTTP/1.1",
                                  "GET localhost:80 HTTP/1.1", "GET * HTTP/1.1", " GET /api/v1/null HTTP/1.1", "GET\t/api/v1/null HTTP/1.1", "GET /api/v1/\xe4 HTTP/1.1",
                                  "GET /api/v1/null HTTP/1.1 ", "GET /a#b HTTP/1.1", "GET", "", "\x16\x03\x01\x02\x00\x01\x00"])
def test_BI_B08_request_line(server, line):
    if line.endswith(("evil.example/api/v1/null HTTP/1.1", ":80 HTTP/1.1", "* HTTP/1.1", "#b HTTP/1.1")):  # in order, but not an address of this server
        is_problem(server.ask(line + "\r\n" + HOST + "\r\n"))
    else:
        refused(server, line + "\r\n" + HOST + "\r\n")


def test_BI_B08_absolute_form_to_this_host(server):
    assert server.ask("GET http://localhost/api/v1/null HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


@pytest.mark.parametrize("hosts", [[], ["a", "b"], ["localhost", "localhost"], ["user@localhost"], ["localhost:99999"], ["localhost:0"], ["[::1"], ["[::z]"], [""],
                                   ["a/b"], ["localhost:80:80"], ["a b"]])
def test_BI_B09_host(server, hosts):
    refused(server, "GET /api/v1/null HTTP/1.1\r\n" + "".join(f"Host: {h}\r\n" for h in hosts) + "\r\n")


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:8000", "[::1]:8000", "a.b-c.example"])
def test_BI_B09_good_hosts(server, host):
    assert server.ask(f"GET /api/v1/null HTTP/1.1\r\nHost: {host}\r\n\r\n").status == 200


def test_BI_B10_thousand_pipelined_requests(server):
    with server.connect() as c:
        for first in range(0, 1000, 100):
            c.send("".join(f"GET /api/v1/items/01890000-0000-7000-8000-{i:012d} HTTP/1.1\r\n{HOST}\r\n" for i in range(first, first + 100)))
        for i in range(1000):
            assert c.answer().json() == {"args": [f"01890000-0000-7000-8000-{i:012d}"]}


def test_refusals_past_the_library_are_logged_and_counted(start):
    """Their status stands in the log, with the id that the client got."""
    server = start()
    for data, status in [(GET + "X Y: z\r\n\r\n", 400), (POST + "Transfer-Encoding: chunked\r\n\r\n2\n{}", 400), ("GET /" + "a" * 9000, 414)]:
        with server.connect() as c:
            c.send(GET + "\r\n")
            assert c.answer().status == 200
            c.send(data)
            answer = c.answer()
            is_problem(answer, status, answer.json()["code"])
        lines = wait_for(lambda: [x for x in server.lines() if x.get("request_id") == answer.header("X-Request-Id")], what="the line of a refusal")
        assert [x["httpRequest"]["status"] for x in lines] == [status], lines


def test_BI_B10_a_request_inside_a_body_is_a_body(server):
    inner = "GET /api/v1/broken HTTP/1.1\r\nHost: a\r\n\r\n"
    with server.connect() as c:
        c.send(POST + f"Content-Length: {len(inner)}\r\n\r\n{inner}{GET}\r\n")
        assert c.answer().status == 400
        assert c.answer().json() == {"ok": True}
        c.send(GET + f"Content-Length: {len(inner)}\r\n\r\n{inner}{GET}\r\n")
        assert c.answer().status == 400
        assert c.answer().json() == {"ok": True}


def test_BI_B11_expect(server, start):
    with server.connect() as c:
        c.send(POST + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert c.answer().status == 100
        c.send("{}")
        assert c.answer().status == 200
    refused(server, POST + "Expect: x\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation_failed")
    quick = start(header_timeout=1)
    with quick.connect() as c:
        c.send(POST + "Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        answer = c.answer()
        assert answer.status == 413, "refused before it is sent"
    with quick.connect() as c:
        c.send(POST + "Expect: 100-continue\r\nContent-Length: 20000\r\n\r\n")
        assert c.answer().status == 100
        answer = c.answer()
        assert answer.status == 408
        assert c.closed()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "PUT", "DELETE", "POST", "FOO"])
def test_BI_B12_methods(server, method):
    answer = server.ask(f"{method} /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, OPTIONS"


def test_BI_B12_upgrades_and_overrides_are_ignored(server):
    for header in ["Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: websocket\r\nConnection: Upgrade",
                   "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE"]:
        answer = server.ask(GET + header + "\r\n\r\n")
        assert answer.status == 200 and answer.json() == {"ok": True}
    assert server.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 400


def test_BI_B12_options(server):
    answer = server.ask(f"OPTIONS /api/v1/echo HTTP/1.1\r\n{HOST}\r\n")
    assert answer.status == 204 and answer.header("Allow") == "POST, PUT, OPTIONS"
    assert server.ask(f"OPTIONS /api/v1/nothing HTTP/1.1\r\n{HOST}\r\n").status == 404


def test_BI_B14_forwarded_headers_are_ignored(server):
    answer = server.get("/api/v1/who", "Authorization: Bearer fast", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-User-Id: root",
                        "X-Tenant-Id: other")
    assert answer.json()["ip"] == "127.0.0.1" and answer.json()["name"] == "fast"


def test_BI_B16_entity_tags(server):
    item = "/api/v1/items/01890000-0000-7000-8000-000000000001"
    assert server.get(item).header("ETag") == '"v1"'
    for tags in ['"v1"', 'W/"v1"', '"a", "v1"', "*"]:
        answer = server.get(item, f"If-None-Match: {tags}")
        assert answer.status == 304 and answer.header("ETag") == '"v1"' and not answer.body
    for tags in ['"v2"', "v1", '"v1', '""', ","]:
        assert server.get(item, f"If-None-Match: {tags}").status == 200
    many = ",".join(f'"{i}"' for i in range(2000))
    assert server.get(item, f"If-None-Match: {many}").status == 200
    assert server.get(item, "If-None-Match: " + '"a",' * 100000).status == 431


def test_BI_B17_accept(server):
    for header in ["Accept-Encoding: *;q=0", "Accept-Encoding: gzip;q=nan", "Accept: " + "a/b," * 2500]:
        assert server.get("/api/v1/null", header).status == 200


def test_BI_B18_cookies(server):
    assert server.get("/api/v1/null", "Cookie: a=" + "b" * 8000).status == 200
    assert server.get("/api/v1/null", "Cookie: a=1; a=2; $Version=1; b").status == 200
    assert server.get("/api/v1/null", "Cookie: a=" + "b" * 17000).status == 431


def test_BI_B19_slow_headers(start):
    server = start(header_timeout=1)
    with server.connect() as c:
        c.send("GET /api")
        assert c.answer().status == 408
        assert c.closed()
    with server.connect() as c:  # the second request of a connection
        c.send(GET + "\r\n")
        assert c.answer().status == 200
        c.send("GET /api/v1/null HTTP/1.1\r\nX: y")
        is_problem(c.answer(), 408, "request_timeout")
        assert c.closed()
    with server.connect() as c:  # in its request line
        c.send(GET + "\r\nGE")
        assert c.answer().status == 200
        is_problem(c.answer(), 408, "request_timeout")
        assert c.closed()
    with server.connect() as c:  # not a word: closed without one
        assert c.answer() is None
    begin = time.monotonic()
    with server.connect() as c:  # a byte now and then does not help
        end = time.monotonic() + 8
        try:
            for byte in GET + "X: " + "y" * 100:
                c.send(byte)
                time.sleep(0.1)
                assert time.monotonic() < end
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - begin < 8


def test_BI_B19_idle(start):
    server = start(idle_timeout=1)
    with server.connect() as c:
        c.send(GET + "\r\n")
        assert c.answer().status == 200
        assert c.closed(5)
        assert wait_for(lambda: server.counts()["connections"] == 1)


def test_BI_B19_slow_body(start):
    server = start(header_timeout=1, min_body_rate=1024)
    with server.connect() as c:
        c.send(POST + "Content-Length: 100000\r\n\r\n{")
        begin = time.monotonic()
        answer = None
        c.socket.settimeout(0.2)
        while time.monotonic() - begin < 8 and answer is None:
            try:
                c.send(" ")
                answer = c.answer()
            except TimeoutError:
                pass
        assert answer.status == 408
    with server.connect() as c:  # slow but honest
        body = b'{"a":"' + b"b" * 8000 + b'"}'
        c.send(POST + f"Content-Length: {len(body)}\r\n\r\n")
        for i in range(0, len(body), 1000):
            c.send(body[i:i + 1000])
            time.sleep(0.3)
        assert c.answer().status == 200


def test_BI_B19_reader_that_does_not_read(start):
    server = start(header_timeout=1, min_body_rate=1024)
    before = server.descriptors()
    with server.connect() as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.send("GET /api/v1/big?n=10000000 HTTP/1.1\r\n" + HOST + "\r\n")
        wait_for(lambda: server.counts()["connections"] == 1, 15, "the reader to be cut off")
        wait_for(lambda: server.descriptors() <= before, 5, "its descriptor to be closed")


def test_BI_B19_slow_reader_is_waited_for(start):
    server = start(header_timeout=1, min_body_rate=1024)
    with server.connect() as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send("GET /api/v1/big?n=6000000 HTTP/1.1\r\n" + HOST + "\r\n")
        got = 0
        while got < 6000000:
            n = len(c.socket.recv(300000))
            assert n > 0, got
            got += n
            time.sleep(0.1)


def test_BI_B20_no_cross_origin_headers(server):
    for origin in ["null", "https://evil.example", "https://localhost.evil"]:
        answer = server.get("/api/v1/null", f"Origin: {origin}")
        assert not [n for n, _ in answer.headers if n.lower().startswith("access-control")]


def test_BI_B21_line_breaks_in_values(server):
    (server.dir / "plain").write_bytes(b"x")
    for name in ["a%0d%0aX-Evil:1", "a%0aX-Evil:1"]:
        assert server.get(f"/api/v1/file?name=plain&as={name}").status == 400
    answer = server.get("/api/v1/file?name=plain&as=a%22;b%5C%E2%82%AC%25.txt")
    assert answer.status == 200
    assert answer.header("Content-Disposition") == "attachment; filename=\"a__b___.txt\"; filename*=UTF-8''a%22%3Bb%5C%E2%82%AC%25.txt"
    answer = server.get("/api/v1/null", "X-Request-Id: mine", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert answer.header("X-Request-Id") != "mine"
    assert answer.header("traceparent").startswith("00-0af7651916cd43dd8448eb211c80319c-") and "b7ad6b7169203331" not in answer.header("traceparent")
    for bad in ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]:
        assert "0af7651916cd43dd" not in server.get("/api/v1/null", f"traceparent: {bad}").header("traceparent").lower()
