"""API keys: what their form tells without the database, from where they may be used, rotation, and what becomes of them when their maker changes."""
import hashlib
import re
import uuid

import pytest
from conftest import Client, Server, at_once, wait_for

TRUST_SECONDS = 5  # what the service promises
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def proxied():
    """An installation that believes what tests say about where they come from."""
    server = Server(env={"DMS_TRUSTED_PROXIES": "127.0.0.1,::1", "DMS_EMBED_PROVIDER": "none"})
    try:
        yield server.start()
    finally:
        server.close()


def well_formed(head):
    """A key with the right checksum, as anybody can make one."""
    v, check = int.from_bytes(hashlib.sha256(head.encode()).digest()[:8], "big"), ""
    for _ in range(6):
        v, digit = divmod(v, 62)
        check += BASE62[digit]
    return head + check


def statements(http):
    """Statements to PostgreSQL so far, of this process."""
    text = http.get("/metrics").text
    return sum(int(n) for n in re.findall(r"^dms_db_query_duration_seconds_count\{[^}]*\} (\d+)$", text, re.M))


def cost(http, act):
    """The statements of an act, without those of looking."""
    first = statements(http)
    looking = statements(http) - first
    before = statements(http)
    act()
    return statements(http) - before - looking


def use(http, key, forwarded=None):
    return http.get("/api/v1/documents", headers={"X-API-Key": key, **({"X-Forwarded-For": forwarded} if forwarded else {})})


def with_key(server, made):
    client = Client(server)
    client.headers["X-API-Key"] = made["key"]
    return client


def make(client, **more):
    return client.ok("POST", "/api-keys", 201, json={"name": "k", "scopes": ["document.read"], **more})


# --- form ---


def test_BI_D11_keys_that_cannot_be_ours_cost_no_statement(dms, owner):
    key = make(owner)["key"]
    head = key[:-6]
    bad = [key[:-1], key + "A", key.swapcase(), key.replace("a", "\u0430") if "a" in key else key + "\u0430", head + key[-6:].swapcase(),
           head[:-1] + ("A" if head[-1] != "A" else "B") + key[-6:], "dms_", "dms_dev_sk_", "", "A" * 64, "A" * 4000, key[:20] + " " + key[21:],
           well_formed("dms_prod_sk_" + "A" * 26), well_formed("dms_staging_sk_" + "A" * 26), well_formed("dms_dev_xx_" + "A" * 26),
           well_formed("dms_dev_sk_" + "A" * 25), well_formed("dms_dev_sk_" + "A" * 27), well_formed("dms_dev_sk__" + "A" * 26)]
    bad = [b.encode() for b in bad]
    with dms.http() as http:
        def act():
            for b in bad:
                answer = http.get("/api/v1/documents", headers=[(b"X-API-Key", b)])
                assert answer.status_code == 401 and answer.json()["code"] == "unauthorized", b
        assert cost(http, act) == 0
        assert cost(http, lambda: use(http, well_formed("dms_dev_sk_" + "A" * 26))) >= 1, "one that could be ours is looked up"
        assert use(http, well_formed("dms_dev_sk_" + "A" * 26)).status_code == 401
        assert use(http, well_formed("dms_dev_pk_" + "A" * 26)).status_code == 401
        assert use(http, key).status_code == 200


def test_BI_D10_one_credential_a_request(dms, owner):
    token, made = owner.headers["Authorization"], make(owner)
    with dms.register() as other, dms.http() as http:
        theirs = make(other)["key"]
        for headers in ([("Authorization", token), ("X-API-Key", theirs)], [("Authorization", token), ("X-API-Key", made["key"])],
                        [("Authorization", token), ("Authorization", token)], [("Authorization", token), ("Authorization", other.headers["Authorization"])],
                        [("X-API-Key", made["key"]), ("X-API-Key", theirs)]):
            answer = http.get("/api/v1/documents", headers=headers)
            assert answer.status_code == 400 and answer.json()["code"] == "validation_error", headers


def test_a_key_has_the_form_that_the_contract_says(owner):
    made = make(owner)
    assert re.fullmatch(r"dms_dev_sk_[0-9A-Za-z]{32}", made["key"]) and made["key"] == well_formed(made["key"][:-6])
    assert made["key"].startswith(made["prefix"]) and len(made["prefix"]) == len("dms_dev_sk_") + 4
    assert made["state"] == "active" and made["allowed_ips"] is None and made["replaced_by"] is None


def test_several_keys_live_side_by_side(dms, owner):
    made = [make(owner, name=f"k{i}") for i in range(4)]
    with dms.http() as http:
        assert [use(http, m["key"]).status_code for m in made] == [200] * 4
        assert owner.delete(f"/api-keys/{made[1]['id']}").status_code == 204
        assert [use(http, m["key"]).status_code for m in made] == [200, 401, 200, 200]
    assert [k["name"] for k in owner.ok("GET", "/api-keys")["items"]] == ["k3", "k2", "k0"]


# --- addresses ---


def test_a_key_is_good_from_its_addresses_only(proxied):
    with proxied.register() as owner, proxied.http() as http:
        made = make(owner, allowed_ips=["192.0.2.0/24", "198.51.100.7", "2001:db8:5::/48"])
        assert made["allowed_ips"] == ["192.0.2.0/24", "198.51.100.7/32", "2001:db8:5::/48"]
        expected = {"192.0.2.1": 200, "192.0.3.1": 403, "198.51.100.7": 200, "198.51.100.6": 403, "2001:db8:5:ffff::1": 200, "2001:db8:6::1": 403,
                    "::ffff:192.0.2.9": 200, None: 403}
        for _ in range(2):  # new, and out of what is remembered
            for address, status in expected.items():
                answer = use(http, made["key"], address)
                assert answer.status_code == status, (address, answer.text)
        assert answer.json()["code"] == "forbidden" and "address" in answer.json()["detail"]
        assert cost(http, lambda: [use(http, made["key"], "192.0.3.1") for _ in range(20)]) <= 8, "out of memory, but for once in three seconds"


def test_a_refused_address_is_no_use_of_the_key(proxied):
    with proxied.register() as owner, proxied.http() as http:
        made = make(owner, allowed_ips=["192.0.2.1"])
        assert use(http, made["key"], "192.0.2.2").status_code == 403
        assert owner.ok("GET", "/api-keys")["items"][0]["last_used_at"] is None
        assert use(http, made["key"], "192.0.2.1").status_code == 200
        assert owner.ok("GET", "/api-keys")["items"][0]["last_used_at"] is not None


def test_other_addresses_in_the_database_are_seen_by_those_who_were_known(proxied):
    with proxied.register() as owner, proxied.http() as http, proxied.database() as db:
        made = make(owner, allowed_ips=["192.0.2.0/24"])
        assert use(http, made["key"], "192.0.2.1").status_code == 200
        db.execute("UPDATE api_key SET allowed_ips = '{203.0.113.0/24}' WHERE id = %s", (made["id"],))
        wait_for(lambda: use(http, made["key"], "192.0.2.1").status_code == 403, TRUST_SECONDS, "the old address to be out")
        assert use(http, made["key"], "203.0.113.1").status_code == 200


@pytest.mark.parametrize("ranges", [[], ["10.0.0.1/8"], ["300.1.1.1"], ["10.0.0.0/33"], ["::/129"], ["localhost"], ["10.0.0.0/8 "], [" 10.0.0.0/8"], ["10.0.0.0/"], ["10.0.0.0/08x"],
                                    ["10.0.0/8"], ["fe80::1%eth0"], ["2001:db8::1/32"], ["1.2.3.4:80"], [""], [7], "10.0.0.0/8", {}, ["192.0.2.1"] * 65, ["192.0.2.1", "x"]],
                         ids=str)
def test_what_is_no_list_of_addresses_is_refused(owner, ranges):
    answer = owner.post("/api-keys", json={"name": "k", "scopes": ["document.read"], "allowed_ips": ranges})
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "allowed_ips", answer.text


def test_64_ranges_are_taken(owner):
    assert len(make(owner, allowed_ips=[f"10.{i}.0.0/16" for i in range(64)])["allowed_ips"]) == 64


# --- rotation ---


def test_a_rotated_key_works_until_the_overlap_ends(dms, owner):
    old = make(owner, allowed_ips=["127.0.0.0/8", "::1"])
    new = owner.ok("POST", f"/api-keys/{old['id']}/rotate", 201, json={"overlap_seconds": 2})
    assert new["id"] != old["id"] and new["key"] != old["key"]
    assert {k: new[k] for k in ("name", "scopes", "type", "allowed_ips", "state")} == {k: old[k] for k in ("name", "scopes", "type", "allowed_ips", "state")}
    assert new["replaces"]["id"] == old["id"] and new["replaces"]["expires_at"]
    listed = {k["id"]: k for k in owner.ok("GET", "/api-keys")["items"]}
    assert listed[old["id"]]["state"] == "retiring" and listed[old["id"]]["replaced_by"] == new["id"] and listed[new["id"]]["state"] == "active"
    with dms.http() as http:
        assert use(http, old["key"]).status_code == use(http, new["key"]).status_code == 200, "no gap"
        wait_for(lambda: use(http, old["key"]).status_code == 401, 2 + TRUST_SECONDS, "the overlap to end")
        assert use(http, new["key"]).status_code == 200
    assert {k["id"]: k["state"] for k in owner.ok("GET", "/api-keys")["items"]}[old["id"]] == "expired"


def test_without_an_overlap_the_old_one_is_out_at_once(dms, owner):
    old = make(owner)
    with dms.http() as http:
        assert use(http, old["key"]).status_code == 200
        new = owner.ok("POST", f"/api-keys/{old['id']}/rotate", 201, json={"overlap_seconds": 0})
        assert use(http, old["key"]).status_code == 401 and use(http, new["key"]).status_code == 200


def test_rotation_keeps_the_length_of_life_and_never_makes_the_old_one_live_longer(dms, owner):
    old = make(owner, expires_at="2031-01-01")
    with dms.database() as db:
        db.execute("UPDATE api_key SET created_at = now() - interval '90 days', expires_at = now() + interval '1 hour' WHERE id = %s", (old["id"],))
        new = owner.ok("POST", f"/api-keys/{old['id']}/rotate", 201)
        life, left = db.execute("SELECT n.expires_at - now() > interval '90 days', o.expires_at - now() BETWEEN interval '50 minutes' AND interval '1 hour'"
                                " FROM api_key n, api_key o WHERE n.id = %s AND o.id = %s", (new["id"], old["id"])).fetchone()
    assert life and left


def test_a_key_is_rotated_once(dms, owner):
    old = make(owner)
    answers = at_once(5, lambda i: owner.post(f"/api-keys/{old['id']}/rotate", json={}))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409, 409], [a.text for a in answers]
    assert len(owner.ok("GET", "/api-keys")["items"]) == 2
    assert owner.post(f"/api-keys/{uuid.uuid4()}/rotate").status_code == 404
    revoked = make(owner)
    assert owner.delete(f"/api-keys/{revoked['id']}").status_code == 204
    assert owner.post(f"/api-keys/{revoked['id']}/rotate").status_code == 404
    with dms.register() as stranger:
        assert stranger.post(f"/api-keys/{old['id']}/rotate").status_code == 404


@pytest.mark.parametrize("body", [{"overlap_seconds": -1}, {"overlap_seconds": 604801}, {"overlap_seconds": 1.5}, {"overlap_seconds": "60"}, {"overlap": 60}, []], ids=str)
def test_a_rotation_with_a_bad_body_changes_nothing(owner, body):
    old = make(owner)
    assert owner.post(f"/api-keys/{old['id']}/rotate", json=body).status_code == 400
    assert [k["state"] for k in owner.ok("GET", "/api-keys")["items"]] == ["active"]


def test_a_secret_is_shown_once_so_nothing_about_it_is_repeated(owner):
    old = make(owner)
    for path, body in (("/api-keys", {"name": "k", "scopes": []}), (f"/api-keys/{old['id']}/rotate", {})):
        answer = owner.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_nobody_gets_more_by_rotating_than_they_have(dms, owner):
    """Whoever rotates a key holds its secret afterwards."""
    strong = make(owner, scopes=["document.read", "document.purge"])
    weak = make(owner, scopes=["apikey.manage", "document.read"])
    with with_key(dms, weak) as key:
        assert key.post(f"/api-keys/{strong['id']}/rotate").status_code == 403, "the key holds less than the key it would get"
        mine = key.ok("POST", f"/api-keys/{weak['id']}/rotate", 201)
        assert mine["scopes"] == weak["scopes"], "a key may replace itself"
    with owner.member("Admin") as admin:
        assert admin.post(f"/api-keys/{strong['id']}/rotate").status_code == 403, "another one's key acts as that person"
        theirs = make(admin)
        assert owner.post(f"/api-keys/{theirs['id']}/rotate").status_code == 201, "an Owner may"
    with owner.member("Editor") as editor:
        assert editor.post(f"/api-keys/{strong['id']}/rotate").status_code == 403
    assert {k["id"]: k["state"] for k in owner.ok("GET", "/api-keys")["items"]}[strong["id"]] == "active"


def test_rotation_is_audited_without_the_secret(dms, owner):
    old = make(owner)
    new = owner.ok("POST", f"/api-keys/{old['id']}/rotate", 201)
    with dms.database() as db:
        rows = db.execute("SELECT action, before::text, after::text FROM audit WHERE object_id = %s AND action = 'apikey.rotate'", (old["id"],)).fetchall()
        stored = db.execute("SELECT row_to_json(k)::text FROM api_key k WHERE id = %s", (new["id"],)).fetchone()[0]
    assert len(rows) == 1 and new["id"] in rows[0][2]
    for text in (*map(str, rows[0]), stored):
        assert new["key"] not in text and new["key"][11:37] not in text


# --- the holder ---


def test_a_member_who_cannot_sign_in_is_given_a_key(dms, owner):
    with owner.member("Viewer") as member, owner.member("Admin") as admin:
        holder = member.me()["user"]["id"]
        owner.ok("PATCH", f"/members/{holder}", json={"role": "API_Only"})
        made = make(admin, user_id=holder, scopes=["folder.create", "folder.read"])
        assert made["user_id"] == holder and owner.ok("GET", "/api-keys")["items"][0]["user_id"] == holder
        with with_key(dms, made) as key:
            assert key.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 201
            assert key.get("/documents").status_code == 403, "its scopes are all it has"
            owner.ok("DELETE", f"/members/{holder}")
            wait_for(lambda: key.get("/folders").status_code == 401, TRUST_SECONDS, "the removed member's key to be out")
        gone = admin.post("/api-keys", json={"name": "k", "scopes": ["folder.read"], "user_id": holder})
        assert gone.status_code == 400 and gone.json()["errors"][0]["field"] == "user_id", "no member any more"


def test_nobody_else_is_given_a_key(dms, owner):
    with owner.member("Editor") as editor, dms.register() as stranger:
        answers = [owner.post("/api-keys", json={"name": "k", "scopes": ["folder.read"], "user_id": i})
                   for i in (editor.me()["user"]["id"], stranger.me()["user"]["id"], str(uuid.uuid4()), "x")]
    assert [a.status_code for a in answers] == [400] * 4
    assert [a.json()["errors"][0]["field"] for a in answers] == ["user_id"] * 4
    assert answers[1].json()["errors"] == answers[2].json()["errors"], "who is elsewhere is as nobody"


# --- the maker ---


def test_BI_D11_a_key_never_outgrows_its_maker(dms, owner):
    member = owner.member("Admin")
    made = member.ok("POST", "/api-keys", 201, json={"name": "k", "scopes": ["folder.create", "document.read"]})
    tenant = owner.me()["organization"]["id"]
    with with_key(dms, made) as key, dms.database() as db:
        user = db.execute("SELECT user_id FROM api_key WHERE id = %s", (made["id"],)).fetchone()[0]
        assert key.post("/folders", json={"name": "A"}).status_code == 201
        db.execute("UPDATE membership SET role = 'Viewer' WHERE tenant_id = %s AND user_id = %s", (tenant, user))
        wait_for(lambda: key.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 403, TRUST_SECONDS, "the lower role to hold")
        assert key.get("/documents").status_code == 200, "what both allow stays"
        assert owner.delete(f"/members/{user}").is_success
        wait_for(lambda: key.get("/documents").status_code == 401, TRUST_SECONDS, "the removed member's key to be out")
    member.close()


def test_BI_D11_a_key_that_has_expired_is_out(dms, owner):
    made = make(owner)
    with dms.http() as http, dms.database() as db:
        assert use(http, made["key"]).status_code == 200
        db.execute("UPDATE api_key SET expires_at = now() WHERE id = %s", (made["id"],))
        wait_for(lambda: use(http, made["key"]).status_code == 401, TRUST_SECONDS, "the key to be out")
    assert owner.ok("GET", "/api-keys")["items"][0]["state"] == "expired"


def test_BI_D11_a_publishable_key_writes_nothing(dms, owner):
    """None is made yet (nothing can be published); what one may do is bounded already, whatever its scopes say."""
    made = make(owner, scopes=["document.read", "search.query", "document.create", "folder.create", "apikey.manage", "document.download"])
    refused = owner.post("/api-keys", json={"name": "k", "scopes": ["document.read"], "type": "pk"})
    assert refused.status_code == 400 and refused.json()["errors"][0]["field"] == "type"
    with with_key(dms, made) as key, dms.database() as db:
        assert db.execute("UPDATE api_key SET kind = 'pk' WHERE id = %s", (made["id"],)).rowcount == 1
        assert key.get("/documents").status_code == 200 and key.get("/search?q=x").status_code == 200
        for answer in (key.post("/folders", json={"name": "x"}), key.post("/documents", files={"file": ("x.txt", b"x")}), key.get("/api-keys"), key.get("/folders")):
            assert answer.status_code == 403, answer.request.url
