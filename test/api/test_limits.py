"""Rate limits, alone and over three replicas; quotas of the plan; who a client is behind a proxy."""
import contextlib
import socket
import threading
import time
import uuid

import pytest
from busy import Load
from conftest import Server, wait_for
from faults import parts
from replicas import replica

REQUESTS = {"free": 100, "pro": 1000}  # a minute, tbl/plans.def


@pytest.fixture(scope="module")
def free():
    """An installation whose organizations are on the free plan."""
    server = Server(env={"DMS_DEFAULT_PLAN": "free", "DMS_EMBED_PROVIDER": "none"})
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="module")
def three():
    """An installation of three replicas; urls names them."""
    server = Server(env={"DMS_DEFAULT_PLAN": "pro", "DMS_EMBED_PROVIDER": "none", "DMS_PUBLIC_URL": "http://dms.example.com"})  # tokens of one are good at all
    try:
        server.start()
        with replica(server) as second, replica(server) as third:
            server.urls = [server.url, second, third]
            yield server
    finally:
        server.close()


def policies(answer):
    """{name: (limit, window, remaining)} of the newer headers."""
    def read(header):
        return {part.split(";")[0].strip('" '): dict(p.split("=") for p in part.split(";")[1:]) for part in answer.headers[header].split(",")}
    policy, now = read("ratelimit-policy"), read("ratelimit")
    assert policy.keys() == now.keys()
    return {name: (int(policy[name]["q"]), int(policy[name]["w"]), int(now[name]["r"])) for name in policy}


# --- one process ---


def test_the_limit_of_a_minute_is_exact_and_told_twice(free):
    with free.register() as client:
        for left in range(REQUESTS["free"] - 1, -1, -1):
            answer = client.get("/auth/me")
            assert answer.status_code == 200
            assert left <= int(answer.headers["x-ratelimit-remaining"]) <= left + 3, "what came back meanwhile"
            assert policies(answer) == {"minute": (100, 60, int(answer.headers["x-ratelimit-remaining"]))}
            assert abs(int(answer.headers["x-ratelimit-reset"]) - time.time()) <= 62
        wait_for(lambda: client.get("/auth/me").status_code == 429, 10, "the limit")
        limited = client.get("/auth/me")
        problem = limited.json()
        assert problem["code"] == "rate_limited" and "100 requests a minute" in problem["detail"]
        assert 1 <= int(limited.headers["retry-after"]) <= 2 and limited.headers["x-ratelimit-remaining"] == "0"
        time.sleep(int(limited.headers["retry-after"]))
        assert client.get("/auth/me").status_code == 200, "what Retry-After says holds"


def test_searches_are_counted_apart(free):
    with free.register() as client:
        answers = [client.post("/search", json={"query": "x", "mode": "keyword"}) for _ in range(60)]
        assert [a.status_code for a in answers].count(429) >= 8 and answers[0].headers["x-ratelimit-limit"] == "50"
        assert client.get("/auth/me").status_code == 200


def test_an_organization_has_one_limit_for_all_who_ask(free):
    with free.register() as client, client.api_key(["document.read"]) as one, client.api_key(["document.read"]) as other:
        used = sum(c.get("/documents").status_code == 200 for c in [one] * 60 + [other] * 60)
        assert 97 <= used <= 105
        with free.register() as stranger:
            assert stranger.get("/documents").status_code == 200, "another organization is not touched"


def test_a_share_keeps_one_from_using_up_the_limit_of_all(start_dms):
    server = start_dms(env={"DMS_DEFAULT_PLAN": "free", "DMS_EMBED_PROVIDER": "none", "DMS_RATE_SHARE": "30"})
    with server.register() as client, client.api_key(["document.read"]) as one, client.api_key(["document.read"]) as other:
        answers = [one.get("/documents") for _ in range(40)]
        assert 30 <= [a.status_code for a in answers].count(200) <= 33
        assert answers[-1].headers["x-ratelimit-limit"] == "30" and "minute-own" in policies(answers[-1])
        assert other.get("/documents").status_code == 200
        assert answers[0].headers["x-ratelimit-limit"] == "30", "the nearest of the two is shown"
        assert policies(answers[0])["minute-own"] == (30, 60, 29) and policies(answers[0])["minute"][:2] == (100, 60)


def test_documents_an_hour_count_what_was_stored(free):
    with free.register() as client:
        for i in range(12):
            assert client.post("/documents", files={"file": (f"{i}.txt", b"")}).status_code == 400, "nothing was stored, nothing is counted"
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = client.post("/documents", files={"file": ("0.txt", b"text")}, headers=key)
        assert first.status_code == 201 and policies(first)["hour"] == (10, 3600, 9) and policies(first)["minute"][:2] == (100, 60)
        again = client.post("/documents", files={"file": ("0.txt", b"text")}, headers=key)
        assert again.status_code == 201 and again.headers["idempotent-replay"] == "true"
        for i in range(1, 10):
            answer = client.post("/documents", files={"file": (f"{i}.txt", b"text %d" % i)})
            assert answer.status_code == 201 and policies(answer)["hour"][2] == 9 - i, i
        assert answer.headers["x-ratelimit-limit"] == "10", "the nearest of the two"
        limited = client.post("/documents", files={"file": ("10.txt", b"text")})
        assert limited.status_code == 429 and limited.json()["code"] == "rate_limited" and "uploads an hour" in limited.json()["detail"]
        assert 300 <= int(limited.headers["retry-after"]) <= 361
        assert client.get("/documents").status_code == 200, "other requests go on"


# --- three replicas ---


def expected(limit, seconds):
    """What one limiter lets through: the whole limit at once, and what comes back meanwhile."""
    return limit + limit * seconds / 60


def test_three_replicas_let_through_what_one_would(three):
    """Within 2 %. Shorter than a minute, which is the harder case: replicas may be wrong by what they let through between two exchanges, however
    long it lasts, and here a fifth of a minute must make up for it; and it holds the burst from zero, in which all three are fastest."""
    seconds = 12
    with three.register() as client:
        with Load(three.urls, {"Authorization": client.headers["Authorization"]}) as load:
            wait_for(lambda: load.count(429) > 0, 60, "the limit to be reached")
            time.sleep(seconds)
    took = load.seen[-1][0] - load.start
    let_through, right = load.count(200), expected(REQUESTS["pro"], took)
    assert abs(let_through - right) <= 0.02 * right, (let_through, right, took)
    assert {s for _, _, _, s in load.seen} == {200, 429}
    assert len({n for _, _, n, s in load.seen if s == 200}) == 3


def test_what_one_replica_lets_through_the_others_know_within_a_second(three):
    with three.register() as client:
        headers = {"Authorization": client.headers["Authorization"]}
        with Load(three.urls[:1], headers) as load:
            wait_for(lambda: load.count(429) > 0, 60, "the limit to be reached")
            with Load(three.urls[1:], headers, connections=1) as other:
                wait_for(lambda: {n for _, _, n, s in other.seen if s == 429} == {0, 1}, 1, "the others to know")


def test_a_new_replica_knows_what_was_used_before_it_came(three):
    with three.register() as client:
        headers = {"Authorization": client.headers["Authorization"]}
        with Load(three.urls[:1], headers) as load:
            wait_for(lambda: load.count(429) > 0, 60, "the limit to be reached")
        with replica(three) as late, Load([late], headers, connections=1) as load:
            wait_for(lambda: load.count(429) > 0, 2, "the newcomer to know")
        assert load.count(200) < 0.5 * REQUESTS["pro"], load.count(200)


class Down(threading.Thread):
    """Redis is dead for so long, whatever starts it again."""

    def __init__(self, server, seconds):
        super().__init__(daemon=True)
        self.server, self.seconds = server, seconds

    def run(self):
        parts.hold_down(self.server, "redis", self.seconds)

    def __enter__(self):
        self.start()
        wait_for(lambda: not parts.pids(self.server, "redis"), 5, "Redis to be dead")
        return self

    def __exit__(self, *why):
        self.join()


def test_without_redis_each_replica_counts_alone_and_all_agree_again_when_it_is_back(three):
    limit = REQUESTS["pro"]
    with three.register() as client:
        with Load(three.urls, {"Authorization": client.headers["Authorization"]}, connections=1) as load:
            wait_for(lambda: load.count(429) > 0, 60, "the limit to be reached")
            with Down(three, 6):
                begun = time.monotonic()
                time.sleep(5)
                ended = time.monotonic()
            alone = load.count(200, begun, ended) / (limit / 60 * (ended - begun))
            assert 0.9 <= alone <= 3.3, alone
            waits = sorted(took for at, took, _, _ in load.seen if begun <= at < ended)
            assert waits[int(len(waits) * 0.99)] < 0.5, "no request waits for Redis"
            with three.http() as http:
                wait_for(lambda: all(d["state"] == "ok" for d in http.get("/health/ready").json()["dependencies"] if d["name"] == "redis"), 20, "Redis to be back")
            time.sleep(6)  # the longest pause before a replica looks for it again
            begun = time.monotonic()
            time.sleep(9)
        ended = load.seen[-1][0]
        again = load.count(200, begun, ended) / (limit / 60 * (ended - begun))
        assert abs(again - 1) <= 0.06, (again, "of the rate: nine seconds are 150 requests, and a few of them are at the edge")


# --- quotas ---


def use_up(server, client, documents=0, storage=0):
    with server.database() as db:
        db.execute("UPDATE usage SET documents = documents + %s, bytes = bytes + %s WHERE tenant_id = %s", (documents, storage, client.me()["organization"]["id"]))


def head_only(server, client, path, length, *more):
    """The answer to an upload of which only the head is sent."""
    with contextlib.closing(socket.create_connection(("localhost", server.port), 30)) as s:
        lines = [f"POST /api/v1{path} HTTP/1.1", f"Host: localhost:{server.port}", f"Authorization: {client.headers['Authorization']}",
                 "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {length}", *more, "", ""]
        s.sendall("\r\n".join(lines).encode())
        got = b""
        while b"\r\n\r\n" not in got or b"}" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
    return int(got.split()[1]), got


@pytest.mark.parametrize("more", [(), ("Expect: 100-continue",)], ids=["plain", "expect"])
def test_a_full_plan_is_told_before_the_bytes_are_read(free, more):
    with free.register() as client:
        use_up(free, client, documents=100)
        status, got = head_only(free, client, "/documents", 50_000_000, *more)
        assert status == 402 and b"100 Continue" not in got, got
        problem = client.post("/documents", files={"file": ("a.txt", b"a")}).json()
        assert problem["code"] == "quota_exceeded" and "100 documents" in problem["detail"] and "/billing" in problem["detail"]
        assert problem["quota"] == {"plan": "free", "name": "documents", "limit": 100, "used": 100, "upgrade_url": problem["quota"]["upgrade_url"]}
        assert problem["quota"]["upgrade_url"].startswith("http")


def test_storage_is_compared_with_the_length_of_what_comes(free):
    gib = 1 << 30
    with free.register() as client:
        document = client.upload("first", name="a.txt")
        use_up(free, client, storage=gib - 30_000_000)
        for path in ("/documents", f"/documents/{document['id']}/versions"):
            status, got = head_only(free, client, path, 60_000_000)
            assert status == 402 and b'"name":"storage"' in got.replace(b" ", b""), got
        assert client.upload("there is room for this", name="b.txt")["size"] == 22
        status, got = head_only(free, client, "/documents", 150_000_000)
        assert status == 413, got  # one file of the plan has 100 MiB
        use_up(free, client, storage=30_000_000)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        refused = client.post("/documents", files={"file": ("c.txt", b"c")}, headers=key)
        assert refused.status_code == 402 and refused.json()["quota"]["name"] == "storage"


def test_a_repeat_gets_its_first_answer_though_the_plan_is_full_by_now(free):
    with free.register() as client:
        use_up(free, client, documents=99)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = client.post("/documents", files={"file": ("a.txt", b"a")}, headers=key)
        again = client.post("/documents", files={"file": ("a.txt", b"a")}, headers=key)
        assert first.status_code == again.status_code == 201 and first.json()["id"] == again.json()["id"]
        assert client.post("/documents", files={"file": ("a.txt", b"a")}, headers={"Idempotency-Key": "another"}).status_code == 402


def test_without_the_permission_nobody_learns_of_the_plan(free):
    with free.register() as client, client.api_key(["document.read"]) as key:
        use_up(free, client, documents=100)
        assert key.post("/documents", files={"file": ("a.txt", b"a")}).status_code == 403


# --- addresses ---


@pytest.fixture(scope="module")
def behind_a_proxy():
    server = Server(env={"DMS_TRUSTED_PROXIES": "127.0.0.0/8, ::1 198.51.100.7", "DMS_PUBLIC_RATE": "20", "DMS_EMBED_PROVIDER": "none"})
    try:
        yield server.start()
    finally:
        server.close()


def knock(http, forwarded=None):
    """A request without a credential that is refused at once, and counted."""
    return http.post("/api/v1/auth/login", json={}, headers=[("X-Forwarded-For", f) for f in forwarded or []])


def test_those_without_a_credential_are_counted_by_address(behind_a_proxy):
    with behind_a_proxy.http() as http:
        statuses = [knock(http, ["203.0.113.1"]).status_code for _ in range(30)]
        assert statuses[0] == 400 and 7 <= statuses.count(429) <= 10
        assert knock(http, ["203.0.113.2"]).status_code == 400, "another address"
        network = [knock(http, [f"2001:db8:1:2::{i:x}"]).status_code for i in range(30)]
        assert network.count(429) >= 7, "all of an IPv6 network are one"
        assert knock(http, ["2001:db8:1:3::1"]).status_code == 400
        assert all(http.get("/health/live").status_code == 200 for _ in range(40)), "machines ask as often as they like"


def test_of_a_chain_only_what_trusted_proxies_say_counts(behind_a_proxy):
    client = "203.0.113.50"
    with behind_a_proxy.http() as http:
        for forged in ("9.9.9.9", "127.0.0.1", "nonsense", "1.2.3.4, 5.6.7.8"):
            for _ in range(6):
                knock(http, [f"{forged}, {client}, 198.51.100.7"])
        assert knock(http, [client]).status_code == 429, "they all were the same client"
        assert knock(http, [client, "198.51.100.7"]).status_code == 429, "over two headers too"
        assert knock(http, ["198.51.100.8"]).status_code == 400


def test_the_client_behind_a_proxy_stands_in_the_audit_log(behind_a_proxy):
    with behind_a_proxy.register() as client, behind_a_proxy.database() as db:
        client.headers["X-Forwarded-For"] = "203.0.113.77"
        folder = client.ok("POST", "/folders", 201, json={"name": "A"})
        assert db.execute("SELECT ip FROM audit WHERE object_id = %s", (folder["id"],)).fetchone()[0] == "203.0.113.77"


def test_without_trusted_proxies_nobody_says_who_they_are(start_dms):
    server = start_dms(env={"DMS_PUBLIC_RATE": "20", "DMS_EMBED_PROVIDER": "none"})
    with server.http() as http:
        statuses = [knock(http, [f"203.0.113.{i}"]).status_code for i in range(40)]
    assert statuses.count(429) >= 15


@pytest.mark.parametrize("name, value", [("DMS_TRUSTED_PROXIES", "10.0.0.1/8"), ("DMS_TRUSTED_PROXIES", "proxy.example"), ("DMS_CORS_ORIGINS", "*"),
                                         ("DMS_CORS_ORIGINS", "https://app.example.com/"), ("DMS_CORS_ORIGINS", "null"), ("DMS_CORS_ORIGINS", "HTTPS://App.example.com")])
def test_settings_that_would_open_more_than_was_meant_do_not_start(free, name, value):
    done = free.run("serve", "--port", "0", check=False, env={name: value})
    assert done.returncode != 0 and name[4:].lower() in done.stderr + done.stdout, done.stderr
