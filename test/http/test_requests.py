"""Routes, parameters, credentials, JSON bodies and the order in which a request is refused."""
import json
import threading
import time

import pytest
from raw import HOST, wait_for

ID = "01890000-0000-7000-8000-000000000001"
JSON = "Content-Type: application/json\r\n"


def post(server, path, body, headers=JSON):
    body = body if isinstance(body, bytes) else body.encode()
    return server.ask(f"POST {path} HTTP/1.1\r\n{HOST}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def fields(answer):
    assert answer.status == 400 and answer.json()["code"] == "validation_error", answer
    return sorted((e["field"], e["message"]) for e in answer.json()["errors"])


def test_problem_document(server):
    answer = server.get("/api/v1/nothing")
    assert answer.status == 404 and answer.header("Content-Type") == "application/problem+json"
    assert answer.json() == {"type": "https://dms.coditect.ai/errors/not-found", "title": "There is no such thing.", "status": 404,
                             "detail": "There is no such thing.", "code": "not_found", "request_id": answer.header("X-Request-Id")}


def test_every_answer_has_the_common_headers(server):
    for answer in [server.get("/api/v1/null"), server.get("/api/v1/nothing"), server.get("/api/v1/who"), server.ask("GET / HTTP/9\r\n\r\n"),
                   server.ask(f"DELETE /api/v1/null HTTP/1.1\r\n{HOST}\r\n")]:
        assert len(answer.header("X-Request-Id")) == 36 and answer.header("X-Request-Id")[14] == "7"
        assert len(answer.header("traceparent")) == 55
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'"
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("Server") is None


def test_internal_errors_say_nothing(server):
    answer = server.get("/api/v1/broken")
    assert answer.status == 500 and b"secret" not in answer.body
    line = wait_for(lambda: [x for x in server.lines() if x.get("request_id") == answer.header("X-Request-Id")])[0]
    assert line["severity"] == "ERROR" and line["cause"] == 'secret "detail" for the log only' and line["error"] == "internal"


def test_request_log(server):
    answer = server.get("/api/v1/list?q=hidden", 'User-Agent: a"b\\c', "Authorization: Bearer hidden2", f"traceparent: 00-{'a' * 32}-{'b' * 16}-01")
    line = wait_for(lambda: [x for x in server.lines() if x.get("request_id") == answer.header("X-Request-Id")])[0]
    assert line["severity"] == "INFO" and line["route"] == "/api/v1/list" and line["logging.googleapis.com/trace"] == "a" * 32
    http = line["httpRequest"]
    assert http["requestMethod"] == "GET" and http["requestUrl"] == "/api/v1/list" and http["status"] == 200 and http["remoteIp"] == "127.0.0.1"
    assert http["responseSize"] == str(len(answer.body)) and http["userAgent"] == 'a"b\\c' and http["latency"].endswith("s")
    assert "hidden" not in server.log()
    server.get("/api/v1/x%22%0aX", "User-Agent: \xe4\xff")
    assert all(isinstance(x, dict) for x in server.lines())
    refused = server.ask("get / HTTP/1.1\r\n\r\n")
    assert wait_for(lambda: [x for x in server.lines() if x.get("request_id") == refused.header("X-Request-Id")])[0]["httpRequest"]["status"] == 400


def test_tokens_in_paths_are_not_logged(server):
    for path, status in [("/s/geheim1", 200), ("/s/geheim1/more", 404), ("/s/geheim1?x=geheim2", 400), ("/s/geheim1%zz", 400)]:
        answer = server.get(path)
        assert answer.status == status
        wait_for(lambda: [x for x in server.lines() if x.get("request_id") == answer.header("X-Request-Id")])
    assert "geheim" not in server.log() and "/s/{token}" in server.log()


def test_head(server):
    with server.connect() as c:
        c.send(f"HEAD /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        answer = c.answer(head=True)
        assert answer.status == 200 and answer.header("Content-Length") == "11"
        c.send(f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        assert c.answer().json() == {"ok": True}


def test_http10(server):
    with server.connect() as c:
        c.send("GET /api/v1/null HTTP/1.0\r\n\r\n")
        assert c.answer().status == 200
        assert c.closed()


def test_read_lane_answers_later(server):
    with server.connect() as c:
        for _ in range(50):
            c.send(f"GET /api/v1/later HTTP/1.1\r\n{HOST}\r\n" * 3)
            for _ in range(3):
                assert c.answer().json() == {"later": True}


def test_BI_C01_numbers(server):
    for value in ["-1", "0", "1e9", "1.5", "", "%00", "9223372036854775808", "101", "18446744073709551617", "%20"]:
        assert fields(server.get(f"/api/v1/list?limit={value}"))[0][0] == "limit", value
    for value in ["1", "100"]:
        assert server.get(f"/api/v1/list?limit={value}").json()["limit"] == value
    assert server.get("/api/v1/list").json()["limit"] == "20"


def test_parameter_types(server):
    good = {"sort": "size", "deep": "true", "owner": ID, "since": "2026-11-23T05:39:34.5Z", "cursor": "abc-_1", "q": "a%20b+c%C3%A4"}
    answer = server.get("/api/v1/list?" + "&".join(f"{k}={v}" for k, v in good.items())).json()
    assert answer == {**good, "limit": "20", "q": "a b cä"}
    assert server.get("/api/v1/list?since=2026-11-23").status == 200
    for bad in ["sort=password_hash", "sort=name,size", "sort=Name", "deep=1", "deep=TRUE", "owner=x", f"owner={ID}0", "since=yesterday", "since=2026-13-01",
                "since=2026-11-23T25:00:00Z", "since=2026-11-23T05:39:34", "cursor=a%2Fb", "cursor=", "q=" + "a" * 51, "q=a%00b", "q=%ff", "q=a%0ab", "q=%zz", "q=%e2%80%ae"]:
        name = bad.split("=")[0]
        assert [f for f, _ in fields(server.get(f"/api/v1/list?{bad}"))] == [name], bad


def test_BI_C04_doubled_parameters(server):
    assert fields(server.get("/api/v1/list?limit=1&limit=1")) == [("limit", "is given twice")]
    for query in ["limit[]=1", "limit[b]=1", "LIMIT=1", "limit=1;sort=name", "%6cimit=1&limit=2"]:
        assert server.get(f"/api/v1/list?{query}").status == 400
    assert server.get("/api/v1/list?%6cimit=5").json()["limit"] == "5"


def test_BI_C05_paths(server):
    for path in ["/api/v1/%2e%2e/null", "/api/v1/%252e%252e/null", "/api/v1/..;/null", "/api//v1/null", "/api/v1/./null", "/api/v1/null.", "/api/v1/null/",
                 "/api\\v1\\null", "/api/v1/nul%6c%6c", "/api/../api/v1/null", "/api/v1/%c0%ae%c0%ae/null", "/api/v1/null%00", "/api/v1/null%2f", "/api/v1/%zz", "/api/v1/null%0a"]:
        assert server.get(path).status in (400, 404), path
    assert server.get("/api/v1/nul%6c").status == 200, "decoded exactly once"
    assert server.get("/api/" + "a/" * 60).status == 404


@pytest.mark.parametrize("bad", ["x", ID.upper() + "0", "{" + ID + "}", "00000000-0000-0000-0000-000000000000", "a" * 7000, ID.replace("-", ""), ID + "%20", "%00", "-1"])
def test_BI_C06_ids(server, bad):
    assert server.get(f"/api/v1/items/{bad}").status in (400, 404)


def test_ids_and_numbers_in_paths(server):
    assert server.get(f"/api/v1/items/{ID}").json() == {"args": [ID]}
    assert server.get(f"/api/v1/items/{ID.upper()}").status == 200
    assert server.get(f"/api/v1/items/{ID}/pages/12.png").json() == {"args": [ID, "12"]}
    for n in ["x", "-1", "01", "1.5", "1" * 10, ""]:
        assert server.get(f"/api/v1/items/{ID}/pages/{n}.png").status == 404
    assert server.get(f"/api/v1/items/{ID}/pages/1.jpg").status == 404


def test_BI_C07_slash_in_an_id(server):
    assert server.get(f"/api/v1/items/{ID}%2fpages%2f1.png").status == 404
    assert server.get(f"/api/v1/items%2f{ID}").status == 404


def test_BI_C14_unknown_parameters(server):
    assert fields(server.get("/api/v1/list?limt=1&x=2")) == [("limt", "is not a parameter of this address"), ("x", "is not a parameter of this address")]
    assert fields(server.get("/api/v1/null?x=1")) == [("x", "is not a parameter of this address")]
    assert server.get("/api/v1/null?").status == 200


def test_credentials(server):
    def who(*headers, path="/api/v1/who"):
        return server.get(path, *headers)

    assert who().status == 401 and who().header("WWW-Authenticate") == 'Bearer realm="dms"'
    assert who("Authorization: Bearer fast").json()["name"] == "fast"
    assert who("Authorization: Bearer slow").json()["name"] == "slow"
    assert who("Authorization: Bearer other").status == 401
    assert who("Authorization: Bearer none").status == 403
    assert who("Authorization: Bearer none", path="/api/v1/me").status == 200
    assert who("Authorization: Bearer fast", path="/api/v1/money").status == 403
    assert who("Authorization: Bearer fast", "Authorization: Bearer fast").status == 400
    assert who("Authorization: Bearer fast", "X-Test-Limit: 1").status == 429
    assert who("Authorization: Bearer fast", "X-Test-Limit: 1").header("Retry-After") == "7"
    assert who("X-Test-Limit: 1").status == 401


def test_slow_credentials_with_a_body(server):
    answer = post(server, "/api/v1/list", '{"a":1}', JSON + "Authorization: Bearer slow\r\n")
    assert answer.status == 200 and answer.json() == {"a": 1}
    with server.connect() as c:
        c.send(f"POST /api/v1/list HTTP/1.1\r\n{HOST}{JSON}Authorization: Bearer slow\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert c.answer().status == 100
        c.send("{}")
        assert c.answer().status == 200


def test_order_of_refusal(server):
    """Without the permission nothing is told about parameters or body."""
    bad = '{"a":'
    for headers, status in [("", 401), ("Authorization: Bearer none\r\n", 403), ("Authorization: Bearer fast\r\n", 400)]:
        assert post(server, "/api/v1/list?wrong=1", bad, JSON + headers).status == status
        assert post(server, "/api/v1/list", bad, "Content-Type: text/xml\r\n" + headers).status == {400: 415}.get(status, status)
        assert post(server, "/api/v1/list", bad, JSON + headers).status == status
        assert post(server, "/api/v1/list", " " * 1100000, JSON + headers).status == {400: 413}.get(status, status)
    assert "ms" in dict(fields(post(server, "/api/v1/list?ms=x", "{", JSON + "Authorization: Bearer fast\r\n")))


@pytest.mark.parametrize("body", ["", "{", "[1,]", '{"a":1}x', '{"a":1,"a":2}', "{'a':1}", '"\\u0000"', '"\xff"', "nul", "[" * 40 + "]" * 40, '{"a":"\\ud800"}', "NaN", "\ufeff{}"])
def test_bad_json(server, body):
    assert post(server, "/api/v1/echo", body.encode("latin-1", "replace") if body == '"\xff"' else body).status == 400


def test_json_bodies(server):
    for value in [{}, {"a": ["ä", 1.5, None, True]}, [], 1, "x"]:
        answer = post(server, "/api/v1/echo", json.dumps(value))
        assert answer.status == 200 and answer.json() == value
    assert post(server, "/api/v1/echo", "{}", "Content-Type: application/json; charset=utf-8\r\n").status == 200
    for headers in ["", "Content-Type: text/plain\r\n", "Content-Type: application/jsonx\r\n", "Content-Type: multipart/form-data; boundary=x\r\n",
                    JSON + "Content-Encoding: gzip\r\n"]:
        assert post(server, "/api/v1/echo", "{}", headers).status == 415
    assert server.ask(f"PUT /api/v1/echo HTTP/1.1\r\n{HOST}\r\n").status == 204
    assert server.ask(f"PUT /api/v1/echo HTTP/1.1\r\n{HOST}{JSON}Content-Length: 2\r\n\r\n" + "{}").status == 200
    assert post(server, "/api/v1/null", "{}").status == 405
    assert server.ask(f"GET /api/v1/null HTTP/1.1\r\n{HOST}Content-Length: 2\r\n\r\n" + "{}").status == 400


def test_json_at_the_limit(start):
    server = start(max_body=5000)
    fits = '"' + "a" * 4998 + '"'
    assert post(server, "/api/v1/echo", fits).status == 200
    answer = post(server, "/api/v1/echo", fits + " ")
    assert answer.status == 413 and "5000" in answer.json()["detail"]
    chunked = f"POST /api/v1/echo HTTP/1.1\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\n\r\n"
    assert server.ask(chunked + f"{len(fits):x}\r\n{fits}\r\n0\r\n\r\n").status == 200
    with server.connect() as c:
        c.send(chunked + f"{len(fits):x}\r\n{fits}\r\n")
        c.send("1\r\n \r\n")
        assert c.answer().status == 413
        assert c.closed()


def test_refused_bodies_keep_the_connection_when_they_are_small(server):
    with server.connect() as c:
        for _ in range(3):
            c.send(f"POST /api/v1/list HTTP/1.1\r\n{HOST}{JSON}Content-Length: 10000\r\n\r\n" + "x" * 10000)
            assert c.answer().status == 401
        c.send(f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        assert c.answer().status == 200


def test_a_client_that_sends_on_sees_the_answer(server):
    """A body far over the limit, pushed without looking: the 413 must arrive and not be lost to a reset."""
    for _ in range(5):
        with server.connect() as c:
            c.send(f"POST /api/v1/echo HTTP/1.1\r\n{HOST}{JSON}Content-Length: 20000000\r\n\r\n")
            try:
                for _ in range(100):
                    c.send(b"x" * 100000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = c.answer()
            assert answer is not None and answer.status == 413


def test_web_application(server):
    page = server.get("/")
    assert page.status == 200 and page.header("Content-Type") == "text/html; charset=utf-8" and page.header("Cache-Control") == "no-cache"
    assert "script-src 'self'" in page.header("Content-Security-Policy") and page.header("X-Frame-Options") == "DENY"
    assert server.get("/documents/7").body == page.body, "addresses inside the application"
    asset = server.get("/assets/app-1a2b.js")
    assert asset.header("Cache-Control") == "public, max-age=31536000, immutable" and asset.header("ETag") == '"asset1"'
    assert server.get("/assets/app-1a2b.js", 'If-None-Match: "asset1"').status == 304
    for path in ["/assets/none.js", "/favicon.ico", "/api", "/api/x", "/health/x", "/s/x/y", "/mcp", "/.well-known/x", "/metrics", "/docs", "/../index.html", "/a/%2e%2e/index.html"]:
        assert server.get(path).status == 404, path
    answer = server.ask(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\n\r\nx")
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, OPTIONS"
    with server.connect() as c:
        c.send(f"HEAD / HTTP/1.1\r\n{HOST}\r\n")
        assert c.answer(head=True).header("Content-Length") == str(len(page.body))


def test_full_work_lane(start):
    server = start(threads=1, queue=1)
    answers = []

    def ask():
        answers.append(server.get("/api/v1/slow?ms=700"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    begin = time.monotonic()
    assert server.get("/api/v1/null").status == 200 and time.monotonic() - begin < 0.5, "the read lane goes on"
    for t in threads:
        t.join()
    statuses = sorted(a.status for a in answers)
    assert statuses.count(503) >= 3 and 200 in statuses
    assert all(a.header("Retry-After") == "1" for a in answers if a.status == 503)


def test_a_request_whose_client_has_gone(start):
    server = start(threads=2)
    for _ in range(20):
        with server.connect() as c:
            c.send(f"GET /api/v1/slow?ms=50 HTTP/1.1\r\n{HOST}\r\n")
            c.reset()
    wait_for(lambda: server.counts()["connections"] == 1)


def test_connections_over_the_limit_wait(start):
    server = start(max_connections=4)
    held = [server.connect() for _ in range(4)]
    for c in held:
        c.send(f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        assert c.answer().status == 200
    with server.connect(timeout=1) as c:
        c.send(f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        with pytest.raises(TimeoutError):
            c.answer()
        held.pop().socket.close()
        c.socket.settimeout(5)
        assert c.answer().status == 200
    for c in held:
        c.socket.close()


@pytest.mark.parametrize("loops", [1, 2])
def test_many_connections_on_each_loop(start, loops):
    server = start(loops=loops, quiet=1)
    conns = [server.connect() for _ in range(200)]
    for _ in range(3):
        for i, c in enumerate(conns):
            c.send(f"GET /api/v1/{'later' if i % 2 else 'slow?ms=1'} HTTP/1.1\r\n{HOST}\r\n")
        for i, c in enumerate(conns):
            assert c.answer().json() == ({"later": True} if i % 2 else {"slow": True})
    assert server.counts()["connections"] == 201
    for c in conns:
        c.socket.close()
    wait_for(lambda: server.counts()["connections"] == 1)


def test_stop_lets_requests_finish(start):
    server = start(stop=10)
    with server.connect() as idle, server.connect() as busy:
        idle.send(f"GET /api/v1/null HTTP/1.1\r\n{HOST}\r\n")
        assert idle.answer().status == 200
        busy.send(f"GET /api/v1/slow?ms=800 HTTP/1.1\r\n{HOST}\r\n")
        time.sleep(0.2)
        server.process.terminate()
        answer = busy.answer()
        assert answer.status == 200
        assert idle.closed()
    assert server.process.wait(5) == 0


def test_stop_does_not_wait_for_ever(start):
    server = start(stop=1)
    with server.connect() as busy:
        busy.send(f"GET /api/v1/slow?ms=3000 HTTP/1.1\r\n{HOST}\r\n")
        time.sleep(0.2)
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 5
