"""Tenant B reads nothing of tenant A over any route: generated from the route table, as B with A's ids and without credentials."""
import json
import re
import subprocess
import uuid

import pytest
from conftest import BUILD

ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)
CANARY = "canaryzebra"
GUARDED = [r for r in ROUTES if r["permission"] != "public"]
WITH_ID = [r for r in GUARDED if "{id}" in r["path"]]


def name(route):
    return f"{route['method']} {route['path']}"


@pytest.fixture(scope="module")
def tenants(dms):
    """A with a canary in every text field, B with look-alike data."""
    a, b = dms.register(), dms.register()
    for client, word in ((a, CANARY), (b, "harmless")):
        client.folder = client.ok("POST", "/folders", 201, json={"name": f"{word} folder"})
        client.document = client.upload(f"# {word} heading\n\nText of {word}.", name=f"{word}.md", tags=word, title=f"{word} title",
                                        metadata={word: word}, folder_id=client.folder["id"])
        client.document = client.wait_processed(client.document["id"])
        client.key = client.ok("POST", "/api-keys", 201, json={"name": f"{word} key", "scopes": ["document.read"]})
        client.chunk = client.ok("GET", f"/documents/{client.document['id']}/chunks")["items"][0]
        client.job = client.ok("GET", "/jobs")["items"][0]
        client.identity = str(uuid.uuid4())
        with dms.database() as db:
            db.execute("INSERT INTO person_identity (id, issuer, subject, person_id, provider) VALUES (%s, %s, %s, %s, 'oidc')",
                       (client.identity, f"https://{word}.example", word, client.me()["user"]["id"]))
        client.group = client.ok("POST", "/groups", 201, json={"name": f"{word} group"})
        client.role = client.ok("POST", "/roles", 201, json={"name": f"{word} role", "permissions": ["document.read"]})
        client.invitation = client.ok("POST", "/invitations", 201, json={"email": f"{word}@{uuid.uuid4().hex}.example.com", "role": "Viewer"})
        client.user_id = client.me()["user"]["id"]
        client.session = client.ok("GET", "/auth/sessions")["items"][0]
    yield a, b
    a.close()
    b.close()


def ids_of(client):
    return {"documents": client.document["id"], "folders": client.folder["id"], "chunks": client.chunk["id"], "jobs": client.job["id"], "api-keys": client.key["id"],
            "auth": client.identity, "sessions": client.session["id"],
            "groups": client.group["id"], "roles": client.role["id"], "invitations": client.invitation["id"], "members": client.user_id,
            "Users": client.user_id, "Groups": client.group["id"]}


def kind_of(route):
    """The resource that an id of this route is of."""
    parts = route["path"].split("/")
    return "sessions" if "/sessions/" in route["path"] else parts[5] if parts[3] == "scim" else parts[3]


def body_of(route):
    """Something that the route takes, so that it is the id which is refused."""
    special = {"/members/{user_id}": {"role": "Viewer"}, "/groups/{id}": {"name": "taken over"}, "/roles/{id}": {"name": "taken over"},
               "/folders/{id}": {"name": "taken over"}, "/folders/{id}/permissions": {"restricted": True, "grants": []},
               "/documents/{id}/permissions": {"restricted": True, "grants": []}, "/api-keys/{id}/rotate": {"overlap_seconds": 60},
               "/scim/v2/Users/{id}": {"userName": "taken@example.com", "Operations": [{"op": "remove", "path": "name"}]},
               "/scim/v2/Groups/{id}": {"displayName": "taken over", "Operations": [{"op": "remove", "path": "members"}]},
               "/invitations": {"email": f"{uuid.uuid4().hex}@example.com", "role": "Viewer"}}
    found = special.get(route["path"].removeprefix("/api/v1"))
    return found or ({"title": "taken over"} if route["method"] == "PATCH" else {"query": CANARY} if "search" in route["path"] else {"name": "x", "scopes": ["document.read"]})


def send(client, dms, route, id_=None, raw=False):
    path = re.sub(r"\{(id|user_id)\}", id_ or str(uuid.uuid4()), route["path"], count=1)
    path = path.replace("{user_id}", str(uuid.uuid4())).replace("{provider}", "oidc")
    options = {}
    if route["body"].startswith("json"):
        options["json"] = body_of(route)
    if route["body"] == "multipart":
        options["files"] = {"file": ("x.txt", b"harmless")}
    if "q" in route["params"]:
        options["params"] = {"q": CANARY}
    return client.request(route["method"], dms.url + path, **options)


@pytest.mark.parametrize("route", WITH_ID, ids=name)
def test_a_foreign_id_answers_as_an_unknown_one(dms, tenants, route):
    a, b = tenants
    foreign = ids_of(a)[kind_of(route)]
    before = a.ok("GET", f"/documents/{a.document['id']}")
    theirs, unknown = send(b, dms, route, foreign), send(b, dms, route)
    assert theirs.status_code == unknown.status_code == 404, (theirs.status_code, unknown.status_code)
    assert {k: v for k, v in theirs.json().items() if k != "request_id"} == {k: v for k, v in unknown.json().items() if k != "request_id"}
    assert CANARY not in theirs.text and foreign not in theirs.text
    assert a.ok("GET", f"/documents/{a.document['id']}") == before, "and nothing of it is changed"


@pytest.mark.parametrize("route", [r for r in GUARDED if "{" not in r["path"] and not r["path"].endswith(("/events", "/auth/logout"))], ids=name)
def test_lists_and_searches_show_nothing_foreign(dms, tenants, route):
    a, b = tenants
    answer = send(b, dms, route)
    assert answer.status_code < 500
    text = answer.text.replace(f'"query":"{CANARY}"', "")
    assert CANARY not in text, text[:500]
    for id_ in ids_of(a).values():
        assert id_ not in text


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_search_finds_for_its_owner_only(tenants, mode):
    a, b = tenants
    assert a.search(CANARY, mode=mode)["items"][0]["document_id"] == a.document["id"]
    assert all(i["document_id"] != a.document["id"] for i in b.search(CANARY, mode=mode)["items"])


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_nothing_is_answered_without_a_credential(dms, tenants, route):
    a, _ = tenants
    with dms.http() as http:
        answer = send(http, dms, route, ids_of(a).get(kind_of(route)))
    assert answer.status_code == 401, (answer.status_code, answer.text[:200])
    assert CANARY not in answer.text


def test_the_public_routes_are_those_that_must_be():
    public = {name(r) for r in ROUTES if r["permission"] == "public"}
    assert public == {"GET /health/live", "GET /health/ready", "GET /metrics", "GET /version", "GET /openapi.json", "GET /docs", "GET /.well-known/jwks.json",
                      "POST /api/v1/auth/register", "POST /api/v1/auth/verify", "POST /api/v1/auth/resend",
                      "POST /api/v1/auth/password/forgot", "POST /api/v1/auth/password/reset", "POST /api/v1/auth/login", "POST /api/v1/auth/refresh",
                      "GET /api/v1/auth/oidc", "GET /api/v1/auth/oidc/{provider}/start", "GET /api/v1/auth/oidc/{provider}/callback", "POST /api/v1/auth/oidc/exchange",
                      "POST /api/v1/invitations/accept"}


def test_events_are_each_tenants_own(dms, tenants):
    a, b = tenants
    with b.stream("GET", "/events", timeout=10) as stream:
        lines = stream.iter_lines()
        next(lines)
        foreign, own = a.upload("A's news", name="a.txt"), b.upload("B's news", name="b.txt")
        seen = ""
        for line in lines:
            seen += line
            if own["id"] in line and '"done"' in line:
                break
    assert foreign["id"] not in seen


def test_the_same_file_twice_is_no_secret_of_another_tenant(tenants):
    """BI_F13: no deduplication across tenants, and none is told."""
    a, b = tenants
    a.upload("the very same bytes", name="same.txt")
    assert b.upload("the very same bytes", name="same.txt")["duplicate_of"] is None


def test_metrics_and_logs_name_no_tenant_content(dms, tenants):
    a, _ = tenants
    with dms.http() as http:
        metrics = http.get("/metrics").text
    assert a.me()["organization"]["id"] not in metrics and CANARY not in metrics
    for log in (dms.data / "log").glob("*.log"):
        text = log.read_text(errors="replace")
        assert CANARY not in text, log
        assert a.tokens["access_token"] not in text and a.key["key"] not in text
