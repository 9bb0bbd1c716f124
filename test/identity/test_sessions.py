"""Sessions: refresh tokens that rotate, their list and their end, other organizations of the same person, and that what is revoked is out everywhere within
five seconds, at another API process too."""
import contextlib
import threading
import time
import uuid

import httpx
import pytest
from conftest import PASSWORD, at_once, wait_for
from replicas import client_of, replica

SEEN_SECONDS = 5
GRACE = 10  # the setting refresh_grace


def refresh(client, token, **headers):
    with httpx.Client(base_url=client.base_url, trust_env=False) as fresh:
        return fresh.post("/auth/refresh", json={"refresh_token": token}, headers=headers)


def sessions(client):
    return client.ok("GET", "/auth/sessions")["items"]


def age(db, client, seconds):
    """As if the last renewal were so long ago."""
    assert db.execute("UPDATE session SET rotated_at = rotated_at - %s * interval '1 second' WHERE id = %s", (seconds, current(client)["id"])).rowcount == 1


def current(client):
    return next(s for s in sessions(client) if s["current"])


def audit(db, client, action):
    return db.execute("SELECT object_id::text, actor_id::text, ip FROM audit WHERE tenant_id = %s AND action = %s", (client.tenant, action)).fetchall()


@pytest.fixture
def person(dms):
    with dms.register() as client:
        client.tenant, client.id = client.me()["organization"]["id"], client.me()["user"]["id"]
        yield client


# --- refresh ---


def test_BI_D12_a_refresh_token_used_again_ends_the_family(dms, person):
    with dms.database() as db:
        mine = current(person)["id"]
        first = person.tokens["refresh_token"]
        second = refresh(person, first).json()["refresh_token"]
        third = refresh(person, second).json()["refresh_token"]
        age(db, person, GRACE + 1)
        assert refresh(person, first).status_code == 401, "an old one"
        for token in (first, second, third):
            assert refresh(person, token).status_code == 401, "the family is out"
        wait_for(lambda: person.get("/auth/me").status_code == 401, SEEN_SECONDS, "its access token to be out")
        assert audit(db, person, "auth.refresh_reused") == [(mine, person.id, "127.0.0.1")], "told once"
        mail = wait_for(lambda: [m for m in dms.mails(person.email) if "sign-in" in str(m["Subject"])], 10, "the mail to the owner")
        assert len(mail) == 1 and "127.0.0.1" in mail[0].get_body(("plain",)).get_content()
        with dms.login(person.email) as again:
            assert again.me()["user"]["id"] == person.id, "and the person signs in anew"


def test_BI_D12_the_one_before_is_good_for_seconds_for_its_client_only(dms, person):
    with dms.database() as db:
        for change in ("age", "agent", "successor"):
            with dms.login(person.email) as client:
                first = client.tokens["refresh_token"]
                agent = {"User-Agent": "one"}
                second = refresh(client, first, **agent).json()["refresh_token"]
                lost = refresh(client, first, **agent)
                assert lost.status_code == 200 and lost.json()["refresh_token"] != second, "an answer that was lost"
                if change == "age":
                    client.headers["Authorization"] = f"Bearer {lost.json()['access_token']}"
                    age(db, client, GRACE + 1)
                elif change == "agent":
                    agent = {"User-Agent": "another"}
                else:
                    assert refresh(client, lost.json()["refresh_token"], **agent).status_code == 200
                assert refresh(client, first, **agent).status_code == 401, change
                assert refresh(client, lost.json()["refresh_token"], **agent).status_code == 401, f"{change}: the family is out"


def test_BI_D12_many_at_once_leave_one_that_is_good(person):
    first = person.tokens["refresh_token"]
    answers = at_once(8, lambda i: refresh(person, first))
    assert [a.status_code for a in answers] == [200] * 8, "one client's tabs"
    tokens = {a.json()["refresh_token"] for a in answers}
    assert len(tokens) == 8
    good = [t for t in tokens if refresh(person, t).status_code == 200]
    assert len(good) <= 1, "of all that were made only the last counts, and trying another ends the family"


@pytest.mark.parametrize("damage", ["secret", "mac", "short", "long", "session", "tenant", "garbage", "case"])
def test_BI_D12_what_was_never_a_refresh_token_ends_nothing(person, damage):
    """Who knows a session's id, which stands in its access tokens, cannot end it."""
    tenant, session, secret = person.tokens["refresh_token"].split(".")
    flip = lambda c: "A" if c != "A" else "B"  # noqa: E731
    token = {"secret": f"{tenant}.{session}.{flip(secret[0])}{secret[1:]}", "mac": f"{tenant}.{session}.{secret[:-2]}{flip(secret[-2])}{secret[-1]}",
             "short": f"{tenant}.{session}.{secret[:-1]}", "long": f"{tenant}.{session}.{secret}A", "session": f"{tenant}.{uuid.uuid4()}.{secret}",
             "tenant": f"{uuid.uuid4()}.{session}.{secret}", "garbage": f"{tenant}.{session}.{'A' * len(secret)}", "case": f"{tenant}.{session}.{secret.swapcase()}"}[damage]
    assert refresh(person, token).status_code == 401
    assert person.get("/auth/me").status_code == 200
    assert refresh(person, person.tokens["refresh_token"]).status_code == 200


def test_a_session_ends_however_much_it_is_used(start_dms):
    server = start_dms(env={"DMS_SESSION_MAX": "60", "DMS_REFRESH_TTL": "3600"})
    with server.register() as client, server.database() as db:
        mine = current(client)
        assert time.strptime(mine["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")
        left = db.execute("SELECT extract(epoch FROM expires_at - now()) FROM session WHERE id = %s", (mine["id"],)).fetchone()[0]
        assert 50 < left <= 60, "not refresh_ttl"
        token = refresh(client, client.tokens["refresh_token"]).json()["refresh_token"]
        db.execute("UPDATE session SET proved_at = now() - interval '61 seconds' WHERE id = %s", (mine["id"],))
        assert refresh(client, token).status_code == 401, "signed in too long ago"


def test_sessions_that_ended_long_ago_are_forgotten(dms, person):
    with dms.login(person.email) as old, dms.login(person.email) as recent, dms.database() as db:
        for client, days in ((old, 31), (recent, 29)):
            db.execute("UPDATE session SET expires_at = now() - %s * interval '1 day' WHERE id = %s", (days, client.tokens["refresh_token"].split(".")[1]))
        assert db.execute("SELECT session_expire(1000)").fetchone()[0] >= 1
        left = {str(row[0]) for row in db.execute("SELECT id FROM session WHERE user_id = %s", (person.id,))}
        assert left == {c.tokens["refresh_token"].split(".")[1] for c in (person, recent)}
        assert person.get("/auth/me").status_code == 200


# --- the list ---


def test_my_sessions_are_listed_and_the_current_one_marked(dms, person):
    agent = "browser/1.0 (test)"
    with dms.login(person.email) as other, dms.register() as stranger:
        login = other.post("/auth/login", json={"email": person.email, "password": PASSWORD}, headers={"User-Agent": agent})
        assert login.status_code == 200
        mine = sessions(person)
        assert len(mine) == 3 and [s["current"] for s in mine] == [False, False, True], "newest first"
        assert mine[0]["user_agent"] == agent and all(s["ip"] == "127.0.0.1" for s in mine)
        assert all(s["created_at"] and s["last_used_at"] and s["expires_at"] > s["created_at"] and s["second_factor"] is False for s in mine)
        assert [s["current"] for s in sessions(other)] == [False, True, False]
        assert {s["id"] for s in sessions(stranger)}.isdisjoint(s["id"] for s in mine)
        page = person.ok("GET", "/auth/sessions", params={"limit": 2})
        rest = person.ok("GET", "/auth/sessions", params={"limit": 2, "cursor": page["next_cursor"]})
        assert [s["id"] for s in page["items"] + rest["items"]] == [s["id"] for s in mine] and rest["next_cursor"] is None


def test_one_session_is_ended(dms, person):
    with dms.login(person.email) as other, dms.database() as db:
        theirs = current(other)["id"]
        assert other.get("/documents").status_code == 200
        assert person.delete(f"/auth/sessions/{theirs}").status_code == 204
        assert other.get("/documents").status_code == 401, "at once, here"
        assert refresh(other, other.tokens["refresh_token"]).status_code == 401
        assert person.delete(f"/auth/sessions/{theirs}").status_code == 404, "it is no session any more"
        assert [s["current"] for s in sessions(person)] == [True]
        assert [row[0] for row in audit(db, person, "session.end")] == [theirs]


def test_all_other_sessions_are_ended(dms, person):
    with dms.login(person.email) as one, dms.login(person.email) as two:
        assert person.delete("/auth/sessions").status_code == 204
        assert one.get("/auth/me").status_code == two.get("/auth/me").status_code == 401
        assert person.get("/auth/me").status_code == 200 and len(sessions(person)) == 1
        assert person.delete("/auth/sessions").status_code == 204, "nobody else is left"


def test_a_session_of_another_person_is_none(dms, person):
    with dms.register() as stranger:
        theirs = current(stranger)["id"]
        answers = [person.delete(f"/auth/sessions/{i}") for i in (theirs, uuid.uuid4())]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].json()["detail"] == answers[1].json()["detail"]
        assert stranger.get("/auth/me").status_code == 200


def test_a_colleagues_session_is_none(dms, person):
    with dms.register() as colleague, dms.database() as db:
        db.execute("INSERT INTO membership (tenant_id, user_id, name, email, role) VALUES (%s, %s, 'C', %s, 'Editor')", (person.tenant, colleague.me()["user"]["id"], colleague.email))
        with dms.login(colleague.email, organization=person.tenant) as there:
            theirs = current(there)["id"]
            assert person.delete(f"/auth/sessions/{theirs}").status_code == 404
            assert person.delete("/auth/sessions").status_code == 204 and there.get("/auth/me").status_code == 200


def test_keys_have_no_sessions(person):
    with person.api_key(["document.read"]) as key:
        assert sessions(key) == []
        assert key.delete("/auth/sessions").status_code == key.delete(f"/auth/sessions/{current(person)['id']}").status_code == 403
        assert key.post("/auth/logout", json={}).status_code == 403
        assert key.post("/auth/switch", json={"organization": person.tenant}).status_code == 403
        me = key.me()
        assert me["mfa"] is None and [o["id"] for o in me["organizations"]] == [person.tenant]


# --- another organization ---


@pytest.fixture
def elsewhere(dms, person):
    """An organization of somebody else that the person belongs to as well."""
    with dms.register() as other, dms.database() as db:
        other.tenant = other.me()["organization"]["id"]
        db.execute("INSERT INTO membership (tenant_id, user_id, name, email, role) VALUES (%s, %s, 'P', %s, 'Viewer')", (other.tenant, person.id, person.email))
        yield other


def test_switching_makes_a_session_there(dms, person, elsewhere):
    assert [(o["id"], o["role"]) for o in person.me()["organizations"]] == [(person.tenant, "Owner"), (elsewhere.tenant, "Viewer")]
    made = person.ok("POST", "/auth/switch", 200, json={"organization": elsewhere.tenant})
    with client_of(dms.url, person) as there:
        there.headers["Authorization"] = f"Bearer {made['access_token']}"
        me = there.me()
        assert me["organization"]["id"] == elsewhere.tenant and me["role"] == "Viewer" and me["user"]["id"] == person.id
        assert there.post("/folders", json={"name": "x"}).status_code == 403, "as what they are there"
        assert [s["current"] for s in sessions(there)] == [True], "each organization's sessions by themselves"
        assert person.me()["organization"]["id"] == person.tenant, "the session here goes on"
        renewed = refresh(there, made["refresh_token"])
        assert renewed.status_code == 200
        back = there.ok("POST", "/auth/switch", 200, json={"organization": person.tenant})
        assert back["token_type"] == "Bearer"


def test_a_switch_does_not_make_a_session_younger(dms, person, elsewhere):
    with dms.database() as db:
        db.execute("UPDATE session SET proved_at = now() - interval '80 days' WHERE id = %s", (current(person)["id"],))
        person.ok("POST", "/auth/switch", 200, json={"organization": elsewhere.tenant})
        left = db.execute("SELECT extract(epoch FROM expires_at - now()) / 86400 FROM session WHERE tenant_id = %s AND user_id = %s", (elsewhere.tenant, person.id)).fetchone()[0]
        assert left < 10.1, "90 days from the sign-in on"


def test_switching_where_one_is_no_member(person, dms):
    with dms.register() as stranger:
        answers = [person.post("/auth/switch", json={"organization": str(i)}) for i in (stranger.me()["organization"]["id"], uuid.uuid4())]
        assert [a.status_code for a in answers] == [404, 404] and answers[0].json()["detail"] == answers[1].json()["detail"]
        for body in ({"organization": "x"}, {"organization": stranger.me()["organization"]["name"]}, {}, {"organization": None}, {"organization": 1}):
            assert person.post("/auth/switch", json=body).status_code == 400, body


def test_the_ended_session_switches_nowhere(person, elsewhere):
    assert person.post("/auth/logout").status_code == 204
    assert person.post("/auth/switch", json={"organization": elsewhere.tenant}).status_code == 401


# --- out is out ---


def test_BI_D18_a_session_is_made_by_signing_in_and_ends_at_once(dms, person):
    ours = current(person)["id"]
    login = {"email": person.email, "password": PASSWORD}
    for name in ("session", "sid", "session_id", "id"):
        assert person.post("/auth/login", json={**login, name: ours}).status_code == 400, "nobody chooses a session"
    with dms.login(person.email) as other:
        assert other.tokens["refresh_token"].split(".")[1] != ours and current(other)["id"] != ours
        assert other.post("/auth/logout").status_code == 204
        for method, path in (("GET", "/auth/me"), ("GET", "/documents"), ("POST", "/auth/switch"), ("DELETE", "/auth/sessions"), ("POST", "/auth/mfa/totp")):
            assert other.request(method, path, json={} if method == "POST" else None).status_code == 401, path
        assert refresh(other, other.tokens["refresh_token"]).status_code == 401
    assert person.get("/auth/me").status_code == 200, "the other one goes on"


@pytest.fixture(scope="module")
def two_servers():
    """(server, url of another API process) of one installation."""
    from conftest import Server
    server = Server(env={"DMS_PUBLIC_URL": "https://dms.example"})
    try:
        server.start()
        with replica(server) as url:
            yield server, url
    finally:
        server.close()


def stream_of(client):
    """Opens the event stream of this client; what is set when it ends."""
    opened, ended = threading.Event(), threading.Event()

    def listen():
        with contextlib.suppress(httpx.HTTPError), client.stream("GET", "/events", timeout=60) as stream:
            for _ in stream.iter_lines():
                opened.set()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    assert opened.wait(10)
    return ended


@pytest.mark.parametrize("what", ["logout", "logout all", "session", "others", "reuse", "key", "role", "member"])
def test_BI_D18_what_is_revoked_is_out_at_every_server_within_seconds(two_servers, what):
    server, url = two_servers
    with server.register() as one, server.login(one.email) as two, one.api_key(["document.read"]) as key, server.database() as db:
        tenant, user = one.me()["organization"]["id"], one.me()["user"]["id"]
        subject = key if what == "key" else two
        with client_of(url, subject) as there:
            assert there.get("/documents").status_code == subject.get("/documents").status_code == 200
            streams = [stream_of(there), stream_of(subject)]
            began = time.monotonic()
            if what == "logout":
                assert two.post("/auth/logout").status_code == 204
            elif what == "logout all":
                assert one.post("/auth/logout", json={"all": True}).status_code == 204
            elif what == "session":
                assert one.delete(f"/auth/sessions/{current(two)['id']}").status_code == 204
            elif what == "others":
                assert one.delete("/auth/sessions").status_code == 204
            elif what == "reuse":
                refresh(two, two.tokens["refresh_token"])
                db.execute("UPDATE session SET rotated_at = rotated_at - interval '1 minute' WHERE user_id = %s", (user,))
                assert refresh(two, two.tokens["refresh_token"]).status_code == 401
            elif what == "key":
                assert one.delete(f"/api-keys/{one.ok('GET', '/api-keys')['items'][0]['id']}").status_code == 204
            elif what == "role":
                db.execute("UPDATE membership SET role = 'Viewer' WHERE tenant_id = %s AND user_id = %s", (tenant, user))
            else:
                db.execute("DELETE FROM membership WHERE tenant_id = %s AND user_id = %s", (tenant, user))
            for client in (there, subject):
                if what == "role":
                    wait_for(lambda c=client: c.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 403, SEEN_SECONDS, "the lower role")
                else:
                    wait_for(lambda c=client: c.get("/documents").status_code == 401, SEEN_SECONDS, f"{what} to be seen")
            ended = [stream.wait(max(0, began + SEEN_SECONDS - time.monotonic())) for stream in streams if what != "role"]
            assert all(ended), "who is out hears nothing either"
            assert time.monotonic() - began < SEEN_SECONDS + 1
            assert what != "role" or not any(stream.is_set() for stream in streams), "who hears the same goes on listening"


def test_who_may_hear_less_is_told_nothing_more_within_seconds(two_servers):
    server, url = two_servers
    with server.register() as owner, owner.member("Viewer") as member, client_of(url, member) as there:
        role = owner.ok("POST", "/roles", 201, json={"name": "Nothing", "description": "", "permissions": []})
        streams = [stream_of(member), stream_of(there)]
        owner.ok("PATCH", f"/members/{member.me()['user']['id']}", json={"role_id": role["id"]})
        assert all(stream.wait(SEEN_SECONDS) for stream in streams)
        wait_for(lambda: there.get("/documents").status_code == 403, SEEN_SECONDS, "the other role there")
        assert not stream_of(there).wait(SEEN_SECONDS), "one opened by what it is now stays"
