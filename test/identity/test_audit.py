"""The audit log from outside: a row for every route that changes something, reads of sensitive documents, list, export, and that tampering is found.

A new route that changes something gets a row in ACTS, or says in NOT_NOTED why it has none."""
import base64
import collections
import csv
import io
import json
import re
import subprocess
import sys
import uuid

import pytest
from conftest import BUILD, PASSWORD, ROOT, Server, wait_for

V1 = "/api/v1"
ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)
CHANGING = {f"{r['method']} {r['path']}" for r in ROUTES if r["method"] != "GET" and "/scim/" not in r["path"]}  # SCIM's are in test_scim.py
CONTENT = "canarycontent"  # stands in files and nowhere else


@pytest.fixture(scope="module")
def signing():
    """An installation that signs the heads of its logs every second."""
    server = Server(env={"DMS_AUDIT_CHECKPOINT": "1"})
    try:
        yield server.start()
    finally:
        server.close()


def rows(client, **filters):
    """The whole log, newest first."""
    found, cursor = [], None
    while True:
        page = client.ok("GET", "/audit", params={"limit": 100, **filters, **({"cursor": cursor} if cursor else {})})
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def sealed(client):
    """The log, once all of it is in the chain."""
    return wait_for(lambda: (lambda all_: all_ if all(r["hash"] for r in all_) else None)(rows(client)), 10, "the log to be sealed")


def ids(client):
    return [r["id"] for r in rows(client)]


# --- a row for every act ---

def folder(client, **more):
    return client.ok("POST", "/folders", 201, json={"name": f"f{uuid.uuid4().hex}", **more})


def document(client, **more):
    return client.upload(f"{CONTENT} {uuid.uuid4()}", name="a.txt", title="A title", **more)


def failed_job(client):
    """A job that has failed: its document says so."""
    made = client.upload(b"%PDF-1.4 broken", name="broken.pdf")
    wait_for(lambda: client.ok("GET", f"/documents/{made['id']}")["status"] == "error", 60, "the broken file to be refused")
    return next(j for j in client.ok("GET", "/jobs", params={"state": "failed"})["items"] if j["document_id"] == made["id"])


def key(client):
    return client.ok("POST", "/api-keys", 201, json={"name": "audited", "scopes": ["document.read"], "type": "sk"})


def trashed(client):
    made = document(client)
    assert client.delete(f"/documents/{made['id']}").status_code == 204
    return made


def member(client):
    with client.member("Viewer") as other:
        return {"id": other.me()["user"]["id"]}


def group(client, members=0):
    made = client.ok("POST", "/groups", 201, json={"name": f"g{uuid.uuid4().hex}"})
    made["member"] = member(client)["id"]
    if members:
        assert client.put(f"/groups/{made['id']}/members/{made['member']}").is_success
    return made


def role(client):
    return client.ok("POST", "/roles", 201, json={"name": f"r{uuid.uuid4().hex[:8]}", "permissions": ["document.read"]})


# route: what has to be there first, (path and request), the action, members of before and of after
Act = collections.namedtuple("Act", "first request action before after")
ACTS = {
    "PATCH /api/v1/organization": Act(lambda c: None, lambda x: ("/organization", {"json": {"name": "Renamed"}}), "organization.update", {"name"}, {"name"}),
    "PATCH /api/v1/members/{user_id}": Act(member, lambda x: (f"/members/{x['id']}", {"json": {"role": "Editor"}}), "member.update", {"role"}, {"role"}),
    "DELETE /api/v1/members/{user_id}": Act(member, lambda x: (f"/members/{x['id']}", {}), "member.remove", {"role"}, None),
    "POST /api/v1/invitations": Act(lambda c: None, lambda x: ("/invitations", {"json": {"email": f"i{uuid.uuid4().hex}@example.com", "role": "Viewer"}}), "member.invite", None, {"email", "role"}),
    "DELETE /api/v1/invitations/{id}": Act(lambda c: c.ok("POST", "/invitations", 201, json={"email": f"i{uuid.uuid4().hex}@example.com", "role": "Viewer"}),
                                           lambda x: (f"/invitations/{x['id']}", {}), "invitation.revoke", {"email"}, None),
    "POST /api/v1/groups": Act(lambda c: None, lambda x: ("/groups", {"json": {"name": "made"}}), "group.create", None, {"name"}),
    "PATCH /api/v1/groups/{id}": Act(group, lambda x: (f"/groups/{x['id']}", {"json": {"name": "other"}}), "group.update", {"name"}, {"name"}),
    "DELETE /api/v1/groups/{id}": Act(group, lambda x: (f"/groups/{x['id']}", {}), "group.delete", {"name"}, None),
    "PUT /api/v1/groups/{id}/members/{user_id}": Act(group, lambda x: (f"/groups/{x['id']}/members/{x['member']}", {}), "group.add", None, {"user_id"}),
    "DELETE /api/v1/groups/{id}/members/{user_id}": Act(lambda c: group(c, members=1), lambda x: (f"/groups/{x['id']}/members/{x['member']}", {}), "group.remove", {"user_id"}, None),
    "POST /api/v1/roles": Act(lambda c: None, lambda x: ("/roles", {"json": {"name": "made", "permissions": ["document.read"]}}), "role.create", None, {"name", "permissions"}),
    "PATCH /api/v1/roles/{id}": Act(role, lambda x: (f"/roles/{x['id']}", {"json": {"name": "other"}}), "role.update", {"name"}, {"name"}),
    "DELETE /api/v1/roles/{id}": Act(role, lambda x: (f"/roles/{x['id']}", {}), "role.delete", {"name"}, None),
    "POST /api/v1/auth/logout": Act(lambda c: None, lambda x: ("/auth/logout", {"json": {}}), "auth.logout", None, None),
    "POST /api/v1/auth/password/change": Act(lambda c: None, lambda x: ("/auth/password/change", {"json": {"current_password": PASSWORD, "new_password": PASSWORD + " 2"}}),
                                             "password.change", None, None),
    "POST /api/v1/api-keys": Act(lambda c: None, lambda x: ("/api-keys", {"json": {"name": "made", "scopes": ["document.read"], "type": "sk"}}), "apikey.create", None, {"name", "prefix", "scopes"}),
    "POST /api/v1/api-keys/{id}/rotate": Act(key, lambda x: (f"/api-keys/{x['id']}/rotate", {"json": {"overlap_seconds": 60}}), "apikey.rotate", {"expires_at"}, {"id", "prefix"}),
    "DELETE /api/v1/api-keys/{id}": Act(key, lambda x: (f"/api-keys/{x['id']}", {}), "apikey.revoke", {"name", "prefix", "scopes"}, None),
    "POST /api/v1/folders": Act(lambda c: None, lambda x: ("/folders", {"json": {"name": "made"}}), "folder.create", None, {"name", "parent_id"}),
    "PATCH /api/v1/folders/{id}": Act(folder, lambda x: (f"/folders/{x['id']}", {"json": {"name": "renamed"}}), "folder.update", {"name"}, {"name"}),
    "PUT /api/v1/folders/{id}/permissions": Act(folder, lambda x: (f"/folders/{x['id']}/permissions", {"json": {"restricted": True, "grants": []}}), "access.update", {"restricted"}, {"restricted"}),
    "PUT /api/v1/documents/{id}/permissions": Act(document, lambda x: (f"/documents/{x['id']}/permissions", {"json": {"restricted": True, "grants": []}}), "access.update", {"restricted"}, {"restricted"}),
    "DELETE /api/v1/folders/{id}": Act(folder, lambda x: (f"/folders/{x['id']}", {}), "folder.delete", {"name", "parent_id"}, None),
    "POST /api/v1/documents": Act(lambda c: None, lambda x: ("/documents", {"files": {"file": ("n.txt", CONTENT.encode())}}), "document.create", None, {"title", "sha256", "size"}),
    "POST /api/v1/documents/upload": Act(lambda c: None, lambda x: ("/documents/upload", {"files": {"file": ("n.txt", CONTENT.encode())}}), "document.create", None, {"title", "sha256", "size"}),
    "PATCH /api/v1/documents/{id}": Act(document, lambda x: (f"/documents/{x['id']}", {"json": {"title": "Another"}}), "document.update", {"title"}, {"title"}),
    "DELETE /api/v1/documents/{id}": Act(document, lambda x: (f"/documents/{x['id']}", {}), "document.trash", {"trashed_at"}, {"title", "trashed_at"}),
    "POST /api/v1/documents/{id}/restore": Act(trashed, lambda x: (f"/documents/{x['id']}/restore", {}), "document.restore", {"trashed_at"}, {"title", "trashed_at"}),
    "POST /api/v1/documents/{id}/versions": Act(document, lambda x: (f"/documents/{x['id']}/versions", {"files": {"file": ("v.txt", f"{CONTENT} newer".encode())}}),
                                                "document.version", {"version", "sha256"}, {"version", "sha256"}),
    "POST /api/v1/documents/{id}/reprocess": Act(lambda c: c.wait_processed(document(c)["id"]), lambda x: (f"/documents/{x['id']}/reprocess", {}), "document.reprocess", {"status"}, {"status", "job_id"}),
    "POST /api/v1/jobs/{id}/retry": Act(failed_job, lambda x: (f"/jobs/{x['id']}/retry", {}), "job.retry", {"state"}, {"state"}),
}
BY_TESTS_OF_THEIR_OWN = {  # what this table cannot send: without a credential, with a provider or a mail in between
    "POST /api/v1/auth/register": "test_signing_up_and_in_is_noted",
    "POST /api/v1/auth/login": "test_signing_up_and_in_is_noted",
    "POST /api/v1/auth/verify": "test_links_of_mails_are_noted",
    "POST /api/v1/auth/password/reset": "test_links_of_mails_are_noted",
    "POST /api/v1/auth/oidc/exchange": "test_oidc.py",
    "POST /api/v1/auth/switch": "test_sessions.py",
    "DELETE /api/v1/auth/sessions": "test_sessions.py",
    "DELETE /api/v1/auth/sessions/{id}": "test_sessions.py",
    "POST /api/v1/auth/mfa/totp": "test_second_factor.py",
    "POST /api/v1/auth/mfa/totp/verify": "test_second_factor.py",
    "DELETE /api/v1/auth/mfa/totp": "test_second_factor.py",
    "DELETE /api/v1/auth/identities/{id}": "test_oidc.py",
    "POST /api/v1/invitations/accept": "test_invitations_are_noted",
    "DELETE /api/v1/organization": "test_organization.py",
    "POST /api/v1/organization/restore": "test_organization.py",
    "POST /api/v1/organization/transfer": "test_organization.py",
}
NOT_NOTED = {
    "POST /api/v1/auth/oidc/{provider}/link": "sends to the provider; what comes back is identity.link",
    "POST /api/v1/auth/resend": "sends a mail, or not",
    "POST /api/v1/auth/password/forgot": "sends a mail, or not",
    "POST /api/v1/auth/refresh": "goes on with what auth.login has noted",
    "POST /api/v1/documents/search": "reads",
    "POST /api/v1/search": "reads",
}


def test_every_route_that_changes_something_is_in_the_table():
    for test in BY_TESTS_OF_THEIR_OWN.values():
        assert test in globals() or "audit" in (ROOT / "test/identity" / test).read_text(), test
    assert CHANGING == set(ACTS) | set(NOT_NOTED) | set(BY_TESTS_OF_THEIR_OWN), "a new route: say in ACTS which row it leaves"


def test_every_action_is_described():
    """What stands in handlers as an action stands in the table of docs/audit.md, and the other way round."""
    described = set(re.findall(r"`([a-z]+\.[a-z_]+)`", re.search(r"## Actions\n(.*?)\n## ", (ROOT / "docs/audit.md").read_text(), re.S)[1]))
    nouns = "|".join(sorted({a.split(".")[0] for a in described}))
    code = {a for path in (ROOT / "src/api").glob("*.c") for a in re.findall(rf'"((?:{nouns})\.[a-z_]+)"', path.read_text())}
    assert code <= described, "name it in docs/audit.md"
    assert described - code <= {"member.create"}


@pytest.mark.parametrize("route", sorted(set(ACTS) & CHANGING))
def test_an_act_leaves_its_row_and_a_refused_one_none(dms, route):
    act, method = ACTS[route], route.split(" ")[0]
    with dms.register() as client, client.api_key(["tag.manage"]) as other, dms.login(client.email) as reader:
        things = act.first(client)
        path, options = act.request(things)
        before = ids(reader)
        if "/auth/" not in route:
            assert other.request(method, path, **options).status_code == 403
            if "{id}" in route:
                assert client.request(method, re.sub(r"[0-9a-f-]{36}", str(uuid.uuid4()), path), **options).status_code == 404
        assert client.request(method, path, content=b"{", headers={"Content-Type": "application/json"}).status_code in (400, 415)
        assert ids(reader) == before, "a refused request leaves no row"
        answer = client.request(method, path, **options)
        assert answer.is_success, answer.text
        if "/password/" in route:
            reader = client  # the session that stays
        (row,) = [r for r in rows(reader) if r["id"] not in before]
        me = reader.me()
        assert row["action"] == act.action and row["outcome"] == "done"
        assert row["actor"] == {"type": "user", "id": me["user"]["id"], "name": me["user"]["name"], "acting_for": None}
        assert row["request_id"] == answer.headers["x-request-id"] and row["ip"] in ("127.0.0.1", "::1")
        made = answer.json() if answer.content else {}
        if things and "id" in things:
            assert row["object"]["id"] == things["id"]
        elif "id" in made:
            assert row["object"]["id"] == made["id"]
        for said, wanted in ((row["before"], act.before), (row["after"], act.after)):
            assert (said is None) == (wanted is None) and (wanted or set()) <= set(said or ()), (row, wanted)
        text = json.dumps(row)
        secrets = [PASSWORD, CONTENT, *client.tokens["access_token"].split(".")[1:], client.tokens["refresh_token"].rsplit(".", 1)[1], other.headers["X-API-Key"]]
        for secret in [*secrets, *([made["key"]] if "key" in made else []), *([things["key"]] if things and "key" in things else [])]:
            assert secret not in text
        with dms.database() as db:
            tenants = db.execute("SELECT DISTINCT tenant_id::text FROM audit WHERE request_id = %s", (row["request_id"],)).fetchall()
        assert tenants == [(me["organization"]["id"],)]


def test_signing_up_and_in_is_noted(dms):
    with dms.register() as client:
        row, made = rows(client)
        me = client.me()
        assert made["action"] == "organization.create" and made["object"] == {"type": "organization", "id": me["organization"]["id"]}
        assert row["action"] == "auth.login" and row["object"]["type"] == "session" and row["after"]["method"] == "password"
        assert row["actor"]["id"] == made["actor"]["id"] == me["user"]["id"]
        client.tokens = client.ok("POST", "/auth/refresh", 200, json={"refresh_token": client.tokens["refresh_token"]})
        assert len(rows(client)) == 2, "renewing tokens is no act"
        with dms.http() as http:
            assert http.post("/api/v1/auth/login", json={"email": client.email, "password": "another password"}).status_code == 401
        (refused,) = rows(client, action="auth.login_failed")
        assert refused["outcome"] == "refused" and refused["object"]["id"] == me["user"]["id"]
        text = json.dumps(rows(client))
        assert PASSWORD not in text and "another password" not in text


def test_links_of_mails_are_noted(dms):
    with dms.register() as client, dms.http() as http:
        verify = dms.mail_token(client.email)
        assert http.post("/api/v1/auth/verify", json={"token": verify}).status_code == 204
        assert http.post("/api/v1/auth/password/forgot", json={"email": client.email}).status_code == 204
        reset = wait_for(lambda: (lambda token: token if token != verify else None)(dms.mail_token(client.email)), 20, "the second mail")
        assert http.post("/api/v1/auth/password/reset", json={"token": reset, "password": PASSWORD + " 2"}).status_code == 204
        with dms.login(client.email, PASSWORD + " 2") as again:
            noted = rows(again)
            assert [r["action"] for r in noted] == ["auth.login", "password.reset", "auth.verify", "auth.login", "organization.create"]
            assert {r["object"]["id"] for r in noted if r["object"]["type"] == "user"} == {again.me()["user"]["id"]}
            text = json.dumps(noted)
            assert verify not in text and reset not in text and PASSWORD not in text


def test_invitations_are_noted(dms, owner):
    with owner.member("Viewer") as other:
        (row,) = rows(owner, action="invitation.accept")
        assert row["actor"]["id"] == other.me()["user"]["id"] and row["object"]["type"] == "invitation"
        (invited,) = rows(owner, action="member.invite")
        assert invited["object"] == row["object"] and invited["after"]["role"] == "Viewer" and "token" not in json.dumps([row, invited])


def test_what_a_key_does_is_noted_as_the_keys(dms, owner):
    with owner.api_key(["folder.create"]) as client:
        made = client.ok("POST", "/folders", 201, json={"name": "by a key"})
    (row,) = rows(owner, action="folder.create")
    keys = owner.ok("GET", "/api-keys")["items"]
    assert row["object"] == {"type": "folder", "id": made["id"]}
    assert row["actor"] == {"type": "api_key", "id": keys[0]["id"], "name": "test", "acting_for": owner.me()["user"]["id"]}


def test_signing_out_everywhere_is_noted_for_each_session(dms):
    with dms.register() as one, dms.login(one.email), dms.login(one.email) as last:
        one.ok("POST", "/auth/logout", 204, json={"all": True})
        with dms.login(last.email) as again:
            assert len(rows(again, action="auth.logout")) == 3


def test_the_same_request_again_leaves_one_row(owner):
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(3):
        owner.ok("POST", "/folders", 201, json={"name": "once"}, headers=headers)
    assert len(rows(owner, action="folder.create")) == 1


def test_BI_D12_a_refresh_token_that_comes_twice_is_noted(start_dms):
    server = start_dms(env={"DMS_REFRESH_GRACE": "0"})
    with server.register() as client, server.login(client.email) as other:
        first = client.tokens["refresh_token"]
        client.ok("POST", "/auth/refresh", 200, json={"refresh_token": first})
        assert client.post("/auth/refresh", json={"refresh_token": first}).status_code == 401
        (row,) = rows(other, action="auth.refresh_reused")
        assert row["outcome"] == "refused" and row["object"] == {"type": "session", "id": first.split(".")[1]}
        assert row["actor"]["id"] == other.me()["user"]["id"] and first.split(".")[2] not in json.dumps(row)


def test_BI_D01_a_token_without_a_signature_is_a_line_of_the_log(dms, owner):
    """It may be anybody's, so it stands in nobody's audit log."""
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    before = ids(owner)
    with dms.http() as http:
        answer = http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {header}.{owner.tokens['access_token'].split('.')[1]}."})
    assert answer.status_code == 401

    def line():
        lines = (dms.data / "log" / "api.log").read_text().splitlines()
        return next((json.loads(x) for x in lines if answer.headers["x-request-id"] in x), None)
    entry = wait_for(line, 5, "the request's line")
    assert entry["error"] == "unauthorized" and "token refused" in entry["cause"] and entry["httpRequest"]["remoteIp"]
    assert ids(owner) == before


# --- reads of content ---

READS = {"content": "document.download", "text": "document.read_text", "chunks": "document.read_text"}


def noted_reads(client, made):
    return [(r["action"], r["after"]) for r in rows(client, object_id=made["id"]) if r["action"] in READS.values()]


def read_all(client, made):
    for path in READS:
        assert client.get(f"/documents/{made['id']}/{path}").status_code == 200
    chunk = client.ok("GET", f"/documents/{made['id']}/chunks", params={"limit": 1})["items"][0]
    assert client.ok("GET", f"/chunks/{chunk['id']}")["text"] == chunk["text"]


@pytest.mark.parametrize("classification", ["public", "internal", "confidential", "restricted"])
def test_reads_of_sensitive_documents_are_noted(owner, classification):
    made = owner.upload_processed("Some text to read.", name="r.txt", classification=classification)
    read_all(owner, made)
    noted = noted_reads(owner, made)
    if classification in ("public", "internal"):
        assert noted == []
        return
    assert sorted(a for a, _ in noted) == ["document.download"] + ["document.read_text"] * 4
    routes = [after.get("route") for _, after in noted if "route" in after]
    assert routes == [f"{V1}/chunks/{{id}}"] + [f"{V1}/documents/{{id}}/chunks"] * 2
    assert [after["version"] for _, after in noted if "version" in after] == [1, 1]
    for path in (f"/documents/{made['id']}/content?version=9", f"/documents/{made['id']}/text?version=9", f"/chunks/{uuid.uuid4()}"):
        assert owner.get(path).status_code == 404
    assert len(noted_reads(owner, made)) == len(noted)


def test_pages_of_passages_of_a_sensitive_document_go_on(owner):
    text = "\n\n".join(f"Paragraph {i}. " + "Words that fill it up. " * 60 for i in range(12))
    made = owner.upload_processed(text, name="long.txt", classification="restricted")
    seen, cursor = [], None
    while True:
        page = owner.ok("GET", f"/documents/{made['id']}/chunks", params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        seen += [c["ordinal"] for c in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == list(range(len(seen))) and len(seen) == made["chunk_count"] > 3
    assert len(noted_reads(owner, made)) == -(-len(seen) // 3)


@pytest.mark.parametrize("which,count", [("all", 5), ("none", 0)])
def test_which_reads_are_noted_is_a_setting(start_dms, which, count):
    server = start_dms(env={"DMS_AUDIT_READS": which})
    with server.register() as client:
        made = client.upload_processed("Text.", name="r.txt", classification="internal" if which == "all" else "restricted")
        read_all(client, made)
        assert len(noted_reads(client, made)) == count


# --- the list ---

def test_the_log_is_paged_and_filtered(dms, owner):
    one, two = folder(owner), folder(owner)
    owner.ok("DELETE", f"/folders/{one['id']}", 204)
    me = owner.me()["user"]["id"]
    everything = sealed(owner)
    assert [r["action"] for r in everything] == ["folder.delete", "folder.create", "folder.create", "auth.login", "organization.create"]
    assert [r["at"] for r in everything] == sorted((r["at"] for r in everything), reverse=True)
    assert rows(owner, limit=1) == everything, "in pages of one"
    assert [r["action"] for r in rows(owner, object_id=one["id"])] == ["folder.delete", "folder.create"]
    assert [r["id"] for r in rows(owner, object_id=one["id"], action="folder.create", limit=1)] == [everything[2]["id"]]
    assert rows(owner, actor=me) == everything and rows(owner, actor=me, limit=1) == everything and rows(owner, actor=str(uuid.uuid4())) == []
    assert [r["object"]["id"] for r in rows(owner, object_type="folder", action="folder.create")] == [two["id"], one["id"]]
    assert rows(owner, **{"from": everything[1]["at"]}) == everything[:2], "from that time on"
    assert rows(owner, to=everything[1]["at"]) == everything[2:], "before that time"
    assert owner.get("/audit", params={"actor": "x"}).status_code == 400 and owner.get("/audit", params={"from": "yesterday"}).status_code == 400
    with dms.register() as stranger:
        assert rows(stranger, object_id=one["id"]) == [] and rows(stranger, actor=me) == []


def test_the_log_is_for_those_who_may_read_it(owner):
    with owner.api_key(["audit.read"]) as reader, owner.api_key(["document.read"]) as nobody:
        assert reader.get("/audit").status_code == 200 and reader.get("/audit/verify").status_code == 200
        assert reader.get("/audit/export").status_code == 403
        for path in ("/audit", "/audit/verify", "/audit/export"):
            assert nobody.get(path).status_code == 403


# --- export ---

def export(client, **params):
    answer = client.get("/audit/export", params=params)
    assert answer.status_code == 200, answer.text
    return answer.text


def lines_of(text):
    """Rows and checkpoints of JSON lines."""
    parsed = [json.loads(line) for line in text.split("\n") if line]
    return [p for p in parsed if "checkpoint" not in p], [p for p in parsed if "checkpoint" in p]


def recipe():
    """The Python of docs/audit.md, which needs nothing of ours."""
    return re.search(r"```python\n(.*?)```", (ROOT / "docs/audit.md").read_text(), re.S)[1]


def test_an_export_holds_the_log_and_can_be_checked_with_the_recipe_of_the_documentation(owner):
    folder(owner)
    document(owner)
    known = sealed(owner)
    text = export(owner)
    found, _ = lines_of(text)
    assert [r["seq"] for r in found] == list(range(1, len(known) + 1))
    for row in found:
        shown = next(k for k in known if k["id"] == row["id"])
        assert {m: row[m] for m in ("action", "outcome", "object", "ip", "request_id", "before", "after", "hash")} == {
            m: shown[m] for m in ("action", "outcome", "object", "ip", "request_id", "before", "after", "hash")}
        assert row["tenant_id"] == owner.me()["organization"]["id"]
    assert subprocess.run([sys.executable, "-c", recipe()], input=text.encode()).returncode == 0
    changed = text.replace('"folder.create"', '"folder.delete"', 1).encode()
    assert changed != text.encode() and subprocess.run([sys.executable, "-c", recipe()], input=changed, stderr=subprocess.DEVNULL).returncode != 0
    (row,) = rows(owner, action="audit.export")
    assert row["after"] == {"format": "jsonl", "first": 1, "last": len(known)}


def test_a_part_of_the_log_is_exported_by_time(owner):
    for _ in range(4):
        folder(owner)
    known = sealed(owner)
    found, _ = lines_of(export(owner, **{"from": known[3]["at"], "to": known[0]["at"]}))
    assert [r["id"] for r in found] == [k["id"] for k in known[3:0:-1]]
    assert export(owner, **{"from": "2100-01-01"}) == ""


def test_an_export_that_would_be_too_long_says_so(start_dms):
    server = start_dms(env={"DMS_AUDIT_EXPORT_MAX": "3"})
    with server.register() as client:
        for _ in range(3):
            folder(client)
        known = sealed(client)
        answer = client.get("/audit/export")
        assert answer.status_code == 422 and f"{len(known)} rows" in answer.json()["detail"] and "from and to" in answer.json()["detail"]
        assert len(lines_of(export(client, **{"from": known[2]["at"]}))[0]) == 3
        assert len(rows(client, action="audit.export")) == 1, "what was refused is not noted"


def test_BI_P01_no_cell_of_a_csv_export_is_a_formula(dms, owner):
    tenant = owner.me()["organization"]["id"]
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", 'quote " and, comma', "two\r\nlines"]
    with dms.database() as db:
        for text in evil:
            db.execute("INSERT INTO audit (tenant_id, id, actor_type, action, object_type, ip) VALUES (%s, gen_random_uuid(), 'system', 'a.b', 'x', %s)", (tenant, text))
    known = sealed(owner)
    text = export(owner, format="csv")
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(found) == len(known) + 1 and all(len(r) == 15 for r in found)
    cells = [r[found[0].index("ip")] for r in found[1:] if r[found[0].index("action")] == "a.b"]
    assert sorted(cells) == sorted([f"'{e}" for e in evil[:10]] + evil[10:])
    assert text.endswith("\r\n") and text.splitlines()[0].startswith('"seq","id"')
    created = next(r for r in found if r[found[0].index("action")] == "auth.login")
    assert json.loads(created[found[0].index("after")])["method"] == "password"


# --- tampering ---

FIELDS = {"id": "gen_random_uuid()", "at": "at - interval '1 second'", "actor_type": "'system'", "actor_id": "gen_random_uuid()", "acting_for": "gen_random_uuid()",
          "action": "'thing.other'", "object_type": "'other'", "object_id": "gen_random_uuid()", "ip": "'6.6.6.6'", "request_id": "'other'",
          "before": """'{"a": 1}'""", "after": """'{"a": 2}'""", "outcome": "'refused'"}
ROW = "(SELECT audit_id FROM audit_chain WHERE tenant_id = %(t)s AND seq = {})"
TAMPERING = {f"the field {f}": (f"UPDATE audit SET {f} = {v} WHERE tenant_id = %(t)s AND id = {ROW.format(3)}", 3, "missing" if f == "id" else "changed") for f, v in FIELDS.items()}
SWAP = """CREATE TEMP TABLE swap AS SELECT seq, audit_id FROM audit_chain WHERE tenant_id = %(t)s AND seq IN (3, 4);
UPDATE audit_chain SET audit_id = gen_random_uuid() WHERE tenant_id = %(t)s AND seq IN (3, 4);
UPDATE audit_chain c SET audit_id = s.audit_id FROM swap s WHERE c.tenant_id = %(t)s AND c.seq = 7 - s.seq; DROP TABLE swap"""
INSERT = "INSERT INTO audit (tenant_id, id, actor_type, action, object_type) VALUES (%(t)s, '00000000-0000-4000-8000-000000000001', 'system', 'a.b', 'x')"
# Everything from 3 on is numbered, chained and sealed anew, as somebody would who knows how: without row 3.
ANEW = f"""DELETE FROM audit WHERE tenant_id = %(t)s AND id = {ROW.format(3)}; DELETE FROM audit_chain WHERE tenant_id = %(t)s AND seq >= 3;
INSERT INTO audit_open SELECT a.tenant_id, a.id FROM audit a WHERE a.tenant_id = %(t)s AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.tenant_id = a.tenant_id AND c.audit_id = a.id);
SELECT audit_seal(1000)"""
TAMPERING |= {
    "a row is deleted": (f"DELETE FROM audit WHERE tenant_id = %(t)s AND id = {ROW.format(3)}", 3, "missing"),
    "a row and its link are deleted": (f"DELETE FROM audit WHERE tenant_id = %(t)s AND id = {ROW.format(3)}; DELETE FROM audit_chain WHERE tenant_id = %(t)s AND seq = 3", 4, "gap"),
    "two rows are swapped": (SWAP, 3, "changed"),
    "a row is put in past the trigger": (INSERT, None, "stray"),
    "a row is put in with a link": (f"{INSERT}; UPDATE audit_chain SET seq = seq + 1000000 WHERE tenant_id = %(t)s AND seq >= 3; INSERT INTO audit_chain"
                                    " VALUES (%(t)s, 3, '00000000-0000-4000-8000-000000000001', sha256('x'));"
                                    " UPDATE audit_chain SET seq = seq - 999999 WHERE tenant_id = %(t)s AND seq > 1000000", 3, "changed"),
    "a hash is changed": ("UPDATE audit_chain SET hash = sha256('x') WHERE tenant_id = %(t)s AND seq = 3", 3, "changed"),
    "the tail is cut": ("DELETE FROM audit a USING audit_chain c WHERE c.tenant_id = %(t)s AND a.tenant_id = c.tenant_id AND a.id = c.audit_id AND c.seq >= 4;"
                        " DELETE FROM audit_chain WHERE tenant_id = %(t)s AND seq >= 4", 4, "cut"),
    "all of it is gone": ("DELETE FROM audit WHERE tenant_id = %(t)s; DELETE FROM audit_chain WHERE tenant_id = %(t)s", 1, "cut"),
    "the chain is made anew": (ANEW, None, None),
    "a checkpoint is made anew": ("UPDATE audit_checkpoint SET at = at - interval '1 second' WHERE tenant_id = %(t)s", None, "signature"),
    "a checkpoint of another hash": ("UPDATE audit_checkpoint SET hash = sha256('x') WHERE tenant_id = %(t)s", None, "checkpoint"),
}
TABLES = ("audit", "audit_chain", "audit_checkpoint")


@pytest.fixture(scope="module")
def victim(signing):
    """A log of seven rows, all of them sealed, and its head signed."""
    with signing.register(organization=f"Victim {uuid.uuid4().hex}") as client:
        for i in range(5):
            client.ok("POST", "/folders", 201, json={"name": f"folder {i}"})
        assert len(sealed(client)) == 7
        wait_for(lambda: client.ok("GET", "/audit/verify")["checkpoints"] > 0 and signed_up_to(signing, client) == 7, 15, "the head to be signed")
        yield client


def signed_up_to(server, client):
    with server.database() as db:
        return db.execute("SELECT max(seq) FROM audit_checkpoint WHERE tenant_id = %s", (client.me()["organization"]["id"],)).fetchone()[0]


def offline(server, text, **options):
    path = server.dir / f"export-{uuid.uuid4().hex}.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = server.run("admin", "audit", "verify", str(path), "--json", check=False, **options)
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    (only,) = json.loads(done.stdout)
    assert (done.returncode == 0) == only["report"]["ok"]
    return only["report"]


@pytest.mark.parametrize("what", sorted(TAMPERING))
def test_tampering_is_found(signing, victim, what):
    statement, seq, fault = TAMPERING[what]
    organization = victim.me()["organization"]
    good = victim.ok("GET", "/audit/verify")
    assert good["ok"] and good["rows"] >= 7 and good["first_bad"] is None and good["checkpoints_unchecked"] == 0 and re.fullmatch("[0-9a-f]{64}", good["head"]), good
    with signing.database() as db:
        db.execute("SET session_replication_role = replica")  # past triggers and foreign keys, as an administrator can
        for table in TABLES:
            db.execute(f"CREATE TABLE public.keep_{table} AS SELECT * FROM {table} WHERE tenant_id = '{organization['id']}'")
        try:
            db.cursor().execute(statement.replace("%(t)s", f"'{organization['id']}'"))
            report = victim.ok("GET", "/audit/verify")
            assert not report["ok"] and report["first_bad"], (what, report)
            if fault:
                assert report["first_bad"]["fault"] == fault and (seq is None or report["first_bad"]["seq"] == seq), report
            else:
                assert report["first_bad"]["fault"] in ("checkpoint", "cut"), report
            done = signing.run("admin", "audit", "verify", "--organization", organization["name"], check=False)
            assert done.returncode == 1 and "BAD" in done.stdout and organization["name"] in done.stdout
        finally:
            with db.transaction():
                db.execute("LOCK audit, audit_chain, audit_checkpoint, audit_open IN EXCLUSIVE MODE")  # the worker goes on meanwhile
                for table in ("audit_open", *reversed(TABLES)):
                    db.execute(f"DELETE FROM {table} WHERE tenant_id = '{organization['id']}'")
                for table in TABLES:
                    db.execute(f"INSERT INTO {table} SELECT * FROM public.keep_{table}")
                    db.execute(f"DROP TABLE public.keep_{table}")

    def mended():
        """A head of what was tampered with may have been signed meanwhile."""
        with signing.database() as db:
            db.execute("DELETE FROM audit_checkpoint WHERE tenant_id = %s AND seq > %s", (organization["id"], good["rows"]))
        return victim.ok("GET", "/audit/verify")["ok"]
    wait_for(mended, 5, "the log to be whole again")
    assert signing.run("admin", "audit", "verify", "--organization", organization["name"]).stdout.count(" ok ") == 1


def test_tampering_with_an_export_is_found(signing, victim):
    text = export(victim)
    head, lines = [line for line in text.splitlines() if "checkpoint" in line], [line for line in text.splitlines() if "checkpoint" not in line]

    def report(changed, cut_head=False):
        return offline(signing, "\n".join(([] if cut_head else head) + changed) + "\n")
    good = report(lines)
    assert good["ok"] and good["rows"] == len(lines) >= 7 and good["checkpoints"] == len(head) >= 1 and good["checkpoints_unchecked"] == 0
    third = json.loads(lines[2])
    values = {"v": 2, "seq": 9, "id": str(uuid.uuid4()), "tenant_id": str(uuid.uuid4()), "at": "2020-01-01T00:00:00.000000Z", "action": "x.y", "outcome": "refused", "ip": "6.6.6.6",
              "request_id": "x", "before": {"a": 1}, "after": {"a": 1}}
    for member, value in values.items():
        old = f'"{member}" : {json.dumps(third[member])}' if not isinstance(third[member], dict) else f'"{member}" : '
        assert old in lines[2], member
        new = f'"{member}" : {json.dumps(value)}' if not isinstance(third[member], dict) else f'"{member}" : {json.dumps(value)}, "was" : '
        assert not report([*lines[:2], lines[2].replace(old, new, 1), *lines[3:]])["ok"], member
    for old in (f'"type" : "{third["actor"]["type"]}"', f'"id" : "{third["actor"]["id"]}"', f'"id" : "{third["object"]["id"]}"', f'"type" : "{third["object"]["type"]}"'):
        assert old in lines[2] and not report([*lines[:2], lines[2].replace(old, '"id" : "x"'), *lines[3:]])["ok"], old
    deleted = report([*lines[:2], *lines[3:]])
    assert deleted["first_bad"] == {"seq": 3, "id": None, "fault": "gap"}
    assert report([*lines[:2], lines[3], lines[2], *lines[4:]])["first_bad"]["seq"] == 3, "two swapped"
    assert report([*lines[:3], lines[2], *lines[3:]])["first_bad"]["fault"] == "changed", "one twice"
    assert report([*lines[:3], "{}", *lines[3:]])["first_bad"]["fault"] == "unreadable"
    assert report(lines[:3])["first_bad"] == {"seq": 4, "id": None, "fault": "cut"}
    assert report(lines[:3], cut_head=True)["ok"], "without its signed heads a shorter export is a good one: compare it with the worker's log"
    forged = head[0].replace(json.loads(head[0])["checkpoint"]["hash"], "0" * 64)
    assert offline(signing, "\n".join([forged, *lines]) + "\n")["first_bad"]["fault"] == "signature"
    assert report([lines[0].replace("{", '{"seq" : 1, ', 1), *lines[1:]])["first_bad"]["fault"] == "unreadable", "a member twice"
    assert not offline(signing, export(victim, format="csv"))["ok"]
    elsewhere = offline(signing, text, env={"DMS_DATA": str(signing.dir / "nothing")})
    assert elsewhere["ok"] and elsewhere["checkpoints_unchecked"] == elsewhere["checkpoints"] == len(head), "no installation is needed"
    assert signing.run("admin", "audit", "verify", "/nothing/there", check=False).returncode == 1
    assert signing.run("admin", "audit", check=False).returncode == 2


def test_rows_of_an_export_from_the_middle_hold(signing, victim):
    known = sealed(victim)
    text = export(victim, **{"from": known[2]["at"]})
    report = offline(signing, text)
    assert report["ok"] and report["rows"] == 3


def ed25519_verifies(folder, public_key, signature, text):
    """By OpenSSL's program, from the raw key."""
    pem = base64.encodebytes(bytes.fromhex("302a300506032b6570032100") + public_key).decode()
    for name, content in (("public.pem", f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n".encode()), ("signature", signature), ("signed", text)):
        (folder / name).write_bytes(content)
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", folder / "public.pem", "-sigfile", folder / "signature", "-in", folder / "signed"],
                          capture_output=True).returncode == 0


def test_heads_are_signed_into_the_log(signing, victim):
    """What is shipped off the machine with the log is what the database says, and our public key has signed it."""
    tenant = victim.me()["organization"]["id"]

    def signed():
        lines = (signing.data / "log" / "worker.log").read_text().splitlines()
        return [json.loads(line)["audit"] for line in lines if '"audit":{"checkpoint"' in line and tenant in line]
    entry = wait_for(signed, 15, "a signed head in the worker's log")[-1]
    c = entry["checkpoint"]
    with signing.http() as http:
        jwk = next(k for k in http.get("/.well-known/jwks.json").json()["keys"] if k["kid"] == entry["kid"])
    text = f"dms-audit-checkpoint-1\n{c['tenant_id']}\n{c['seq']}\n{c['hash']}\n{c['at']}\n".encode()
    assert ed25519_verifies(signing.dir, base64.urlsafe_b64decode(jwk["x"] + "=="), bytes.fromhex(entry["signature"]), text)
    assert not ed25519_verifies(signing.dir, base64.urlsafe_b64decode(jwk["x"] + "=="), bytes.fromhex(entry["signature"]), text + b" ")
    _, heads = lines_of(export(victim))
    assert entry in heads
    assert next(r["hash"] for r in lines_of(export(victim))[0] if r["seq"] == c["seq"]) == c["hash"]


def test_the_log_is_sealed_across_a_restart(start_dms):
    server = start_dms()
    with server.register() as client:
        folder(client)
        address = client.email
        server.kill()
        server.start()
        with server.login(address) as again:
            assert len(sealed(again)) == 4
            assert again.ok("GET", "/audit/verify")["ok"]
    assert server.run("admin", "audit", "verify").stdout.count(" ok ") == 1
