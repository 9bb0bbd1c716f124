"""Guessing passwords: waits that grow, by account and by address, shared by replicas; the owner is never locked out; time tells nothing."""
import os
import statistics
import subprocess
import time
import uuid

import httpx
import pytest
from conftest import PASSWORD, at_once, wait_for

WRONG = "not the password at all"


@pytest.fixture
def server(start_dms):
    return start_dms(env={"DMS_PUBLIC_RATE": "1000000", "DMS_EMBED_PROVIDER": "none", "DMS_LOGIN_FREE": "3", "DMS_LOGIN_FREE_ADDRESS": "1000000"})


def sign_in(server, email, password=WRONG, source="127.0.0.1", url=None):
    """From another address of this machine: all of 127/8 is its own."""
    with httpx.Client(base_url=url or server.url, trust_env=False, timeout=60, transport=httpx.HTTPTransport(local_address=source)) as http:
        return http.post("/api/v1/auth/login", json={"email": email, "password": password})


def register(server, email=None):
    email = email or f"p-{uuid.uuid4().hex[:12]}@example.com"
    with server.http() as http:
        assert http.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD, "name": "N", "organization": "O"}).status_code == 201
    return email


def held(act):
    """Guesses until it has to wait for seconds, so that what comes next meets that wait."""
    wait_for(lambda: (a := act()).status_code == 429 and int(a.headers["Retry-After"]) >= 4, 30, "a wait of four seconds")


def source(i):
    return f"127.1.{i // 250}.{i % 250 + 1}"


def test_BI_D13_waits_grow_and_end(server):
    email, stranger = register(server), f"nobody-{uuid.uuid4().hex}@example.com"
    for who in (email, stranger):  # the same for an account that is not there
        assert [sign_in(server, who, source=source(1)).status_code for _ in range(4)] == 4 * [401]
        held = sign_in(server, who, source=source(1))
        assert held.status_code == 429 and held.json()["code"] == "rate_limited" and held.headers["Retry-After"] == "1", held.text
    waits = []
    for _ in range(3):
        wait_for(lambda: sign_in(server, email, source=source(1)).status_code == 401, 20, "the wait to end")
        waits.append(int(sign_in(server, email, source=source(1)).headers["Retry-After"]))
    assert waits == [2, 4, 8], waits
    assert sign_in(server, email, PASSWORD, source(1)).status_code == 429, "the right one is not looked at either: no guess gets through"
    with server.database() as db:  # that wait is over
        db.execute("UPDATE login_delay SET until = now()")
    assert sign_in(server, email, PASSWORD, source(1)).status_code == 200
    assert [sign_in(server, email, source=source(1)).status_code for _ in range(3)] == 3 * [401], "the count begins anew"


def test_BI_D13_many_guesses_at_once_are_not_looked_at(server):
    email = register(server)
    answers = at_once(40, lambda i: sign_in(server, email).status_code)
    assert set(answers) == {401, 429} and answers.count(401) <= 6, answers


def test_BI_D13_many_addresses_are_no_better_than_one(server):
    email, home = register(server), source(0)
    assert sign_in(server, email, PASSWORD, home).status_code == 200
    answers = [sign_in(server, email, source=source(i)).status_code for i in range(1, 40)]
    assert answers[:4] == 4 * [401] and answers.count(401) <= 12, answers
    more = iter(range(40, 10_000))
    held(lambda: sign_in(server, email, source=source(next(more))))
    assert sign_in(server, email, PASSWORD, source(next(more))).status_code == 429, "a new address waits"
    assert sign_in(server, email, PASSWORD, home).status_code == 200, "the owner's does not"
    assert sign_in(server, email, source=home).status_code == 401


def test_BI_D13_the_owner_comes_in_anywhere_by_a_new_password(server):
    email, there = register(server), source(7)
    more = iter(range(10, 10_000))
    held(lambda: sign_in(server, email, source=source(next(more))))
    assert sign_in(server, email, PASSWORD, there).status_code == 429
    with httpx.Client(base_url=server.url, trust_env=False, transport=httpx.HTTPTransport(local_address=there)) as http:
        http.post("/api/v1/auth/password/forgot", json={"email": email})
        token = wait_for(lambda: next((t.split("/reset?token=")[1].split()[0] for m in server.mails(email) if "/reset?token=" in (t := m.get_body(("plain",)).get_content())), None), 20, "the link")
        assert http.post("/api/v1/auth/password/reset", json={"token": token, "password": "a new password of mine"}).status_code == 204
    assert sign_in(server, email, "a new password of mine", there).status_code == 200


def test_BI_D13_one_address_does_not_spray_over_all_accounts(start_dms):
    server = start_dms(env={"DMS_EMBED_PROVIDER": "none", "DMS_LOGIN_FREE_ADDRESS": "8"})
    emails = [register(server) for _ in range(3)]
    assert sign_in(server, emails[2], PASSWORD, source(1)).status_code == 200
    answers = [sign_in(server, f"u{i}@example.com", "Summer of 2026", source(1)).status_code for i in range(20)]
    assert answers[:9] == 9 * [401] and answers.count(401) <= 12, answers
    more = iter(range(20, 10_000))
    held(lambda: sign_in(server, f"u{next(more)}@example.com", "Summer of 2026", source(1)))
    assert [sign_in(server, emails[2], PASSWORD, source(1)).status_code for _ in range(3)] == 3 * [200], "who signed in there before"
    assert sign_in(server, emails[0], PASSWORD, source(1)).status_code == 429
    assert sign_in(server, emails[1], PASSWORD, source(2)).status_code == 200, "other addresses are not held up"


def test_BI_D13_all_addresses_of_one_client_are_one(start_dms):
    """Of IPv6 a client has 2^64 of them; seen here as those that a proxy tells of."""
    server = start_dms(env={"DMS_EMBED_PROVIDER": "none", "DMS_LOGIN_FREE_ADDRESS": "8", "DMS_TRUSTED_PROXIES": "127.0.0.1"})
    email, count = register(server), iter(range(1, 10_000))

    def attempt(network, who=None, password=WRONG):
        with server.http() as http:
            n = next(count)
            return http.post("/api/v1/auth/login", json={"email": who or f"u{n}@example.com", "password": password}, headers={"X-Forwarded-For": f"{network}:{n:x}:{n:x}:{n:x}:{n:x}"})
    held(lambda: attempt("2001:db8:1:2"))
    assert attempt("2001:db8:1:2", email, PASSWORD).status_code == 429
    assert attempt("2001:db8:1:3", email, PASSWORD).status_code == 200


def test_a_right_password_costs_nothing(server):
    email = register(server)
    assert {sign_in(server, email, PASSWORD).status_code for _ in range(12)} == {200}
    assert set(at_once(8, lambda i: sign_in(server, email, PASSWORD).status_code)) <= {200, 429}
    wait_for(lambda: sign_in(server, email, PASSWORD).status_code == 200, 10, "the owner")


def test_changing_the_password_is_no_way_to_guess_it(server):
    with server.register() as client:
        answers = [client.post("/auth/password/change", json={"current_password": WRONG, "new_password": "a long new password"}).status_code for _ in range(6)]
    assert answers == 4 * [422] + 2 * [429]


def test_replicas_count_together(server):
    email = register(server)
    env = {**server.env, "DMS_DATA": str(server.data), "DMS_PORT": "0", "DMS_PUBLIC_URL": server.url}
    read, write = os.pipe()
    other = subprocess.Popen([server.program, "serve", "--ready-fd", str(write)], env=env, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as ready:
            url = f"http://127.0.0.1:{int(ready.readline())}"
        answers = [sign_in(server, email, url=u).status_code for u in (server.url, url, server.url, url, server.url, url)]
        assert answers == 4 * [401] + 2 * [429]
    finally:
        other.terminate()
        other.wait(30)


def test_failed_sign_ins_stand_in_the_audit_log_of_the_known(server):
    with server.register() as client, server.database() as db:
        who = client.me()
        before = db.execute("SELECT count(*) FROM audit").fetchone()[0]
        sign_in(server, client.email), sign_in(server, "nobody@example.com")
        rows = db.execute("SELECT tenant_id::text, object_type, object_id::text, ip, before, after FROM audit WHERE action = 'auth.login_failed'").fetchall()
        assert [r[:4] for r in rows] == [(who["organization"]["id"], "user", who["user"]["id"], "127.0.0.1")]
        assert WRONG not in str(rows) and db.execute("SELECT count(*) FROM audit").fetchone()[0] == before + 1


def test_nothing_readable_is_kept_of_who_guessed(server):
    email = register(server)
    sign_in(server, email), sign_in(server, email, PASSWORD)
    with server.database() as db:
        kept = db.execute("SELECT * FROM login_delay").fetchall() + db.execute("SELECT * FROM login_place").fetchall()
    assert email not in str(kept) and "127.0.0.1" not in str(kept)
    assert kept and all(isinstance(row[0], bytes) and len(row[0]) == 32 for row in kept), "keyed hashes"


def test_BI_D13_time_does_not_tell_who_is_known(start_dms):
    """The medians of 150 each, taken in turns. Without the work for an unknown address the ratio would be 0.1; the catalogue asks for 5 %, which a machine at rest shows."""
    server = start_dms(env={"DMS_PUBLIC_RATE": "1000000", "DMS_EMBED_PROVIDER": "none", "DMS_LOGIN_FREE": "1000000", "DMS_LOGIN_FREE_ADDRESS": "1000000"})
    email, took = register(server), ([], [])
    with server.http() as http:
        for i in range(300):
            who = (email, f"nobody-{i}@example.com")[i % 2]
            start = time.perf_counter()
            assert http.post("/api/v1/auth/login", json={"email": who, "password": WRONG}).status_code == 401
            took[i % 2].append(time.perf_counter() - start)
    ratio = statistics.median(took[1]) / statistics.median(took[0])
    print(f"unknown to known: {ratio:.3f} of {statistics.median(took[0]) * 1000:.1f} ms")
    assert 0.8 < ratio < 1.25, ratio
