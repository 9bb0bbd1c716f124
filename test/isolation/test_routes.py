"""Tenant B meets nothing of tenant A: what the generated requests of test_foreign.py cannot see by themselves (searches by meaning, events, what is
unique), and the places of a foreign id one by one."""
import uuid

import pytest
from tenants import credential, tables
from wire import Wire, request

CANARY = "canaryzebra"


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
        client.person = client.me()
    a.upload("a second one, for a next page", name="second.txt")
    yield a, b
    a.close()
    b.close()


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_BI_N01_search_finds_for_its_owner_only(tenants, mode):
    a, b = tenants
    assert a.search(CANARY, mode=mode)["items"][0]["document_id"] == a.document["id"]
    found = b.search(CANARY, mode=mode, facets=True, explain=True)
    assert all(i["document_id"] == b.document["id"] for i in found["items"]) and found["total"] <= 1
    assert a.document["id"] not in str(found) and CANARY not in str(found)


def test_BI_N02_an_id_of_another_organization_is_unknown_wherever_it_stands(tenants):
    """In a body, a form, a filter, a cursor, an idempotency key: as an id that nobody has."""
    a, b = tenants
    mine = f"/documents/{b.document['id']}"
    cursor = a.ok("GET", "/documents", params={"limit": 1, "sort": "title"})["next_cursor"]
    for folder in (a.folder["id"], str(uuid.uuid4())):
        assert b.post("/folders", json={"name": "below", "parent_id": folder}).status_code == 404
        assert b.post("/documents", files={"file": ("x.txt", b"x")}, data={"folder_id": folder}).status_code == 404
        assert b.patch(mine, json={"folder_id": folder}).status_code == 404
        assert b.ok("GET", "/folders", params={"parent_id": folder}) == {"items": [], "next_cursor": None}
        assert b.ok("GET", "/documents", params={"folder_id": folder, "count": "true"}) == {"items": [], "next_cursor": None, "total": 0}
    for name, value in (("folder_id", a.folder["id"]), ("document_id", a.document["id"]), ("owner_id", a.person["user"]["id"]), ("tags", [CANARY])):
        found = b.search("text", filters={name: value}, facets=True)
        assert found["items"] == [] and found["total"] == 0 and CANARY not in str(found), name
        assert a.search("text", filters={name: value})["total"] >= 1, name
    assert b.ok("GET", "/documents", params={"tag": CANARY, "count": "true"})["total"] == 0
    assert cursor and b.get("/documents", params={"limit": 1, "sort": "title", "cursor": cursor}).status_code == 400
    assert b.ok("GET", mine)["folder_id"] == b.folder["id"], "and it lies where it lay"


def test_BI_N02_an_idempotency_key_of_another_organization_is_free(tenants):
    a, b = tenants
    key = {"Idempotency-Key": f"{CANARY}-{uuid.uuid4()}"}
    body = {"name": f"same {uuid.uuid4()}"}
    first = a.post("/folders", json=body, headers=key)
    second = b.post("/folders", json=body, headers=key)
    assert first.status_code == second.status_code == 201 and "Idempotent-Replay" not in second.headers
    assert first.json()["id"] != second.json()["id"]
    assert b.post("/folders", json=body, headers=key).json()["id"] == second.json()["id"]


def test_BI_N03_the_organization_is_that_of_the_credential(dms, tenants):
    """What a header, a parameter or a body says of it is passed over or refused."""
    a, b = tenants
    tenant, wire = a.person["organization"]["id"], Wire(dms.port)
    plain = wire.ask(request("GET", "/api/v1/documents?count=true", [credential(b)]))
    for header in ("X-Tenant-Id", "X-Organization-Id", "X-Org-Id", "X-DMS-Tenant", "Tenant", "Cookie", "X-Forwarded-User"):
        for value in (tenant, f"tenant_id={tenant}", a.person["organization"]["name"]):
            answer = wire.ask(request("GET", "/api/v1/documents?count=true", [credential(b), (header, value)]))
            assert (answer.status, answer.body) == (200, plain.body), header
    wire.close()
    for name in ("tenant_id", "tenant", "organization_id", "org"):
        assert b.get("/documents", params={name: tenant}).status_code == 400
        assert b.post("/folders", json={"name": "x", name: tenant}).status_code == 400
        assert b.post("/documents", files={"file": ("x.txt", b"x")}, data={name: tenant}).status_code == 400
        assert b.post("/search", json={"query": "x", "filters": {name: tenant}}).status_code == 400


def test_BI_N04_what_must_be_unique_is_so_for_each_organization_alone(tenants):
    """The same names, files, tags and keys as A's are free for B, and the answers do not tell that A has them."""
    a, b = tenants
    with_a = b.ok("POST", "/folders", 201, json={"name": a.folder["name"]})
    new = b.ok("POST", "/folders", 201, json={"name": "nobody has this"})
    assert with_a.keys() == new.keys()
    twin = b.upload(f"# {CANARY} heading\n\nText of {CANARY}.", name=f"{CANARY}.md", tags=CANARY, title=f"{CANARY} title", metadata={CANARY: CANARY})
    assert twin["sha256"] == a.document["sha256"] and twin["duplicate_of"] is None
    assert b.ok("POST", "/api-keys", 201, json={"name": a.key["name"], "scopes": ["document.read"]})["id"] != a.key["id"]
    assert b.post("/folders", json={"name": a.folder["name"]}).status_code == 409, "its own it is told of"
    b.ok("DELETE", f"/documents/{twin['id']}")


# Constraints over all organizations, each with the reason why it tells nobody anything.
ALL_OVER = {
    "api_key_secret_hash_key": "a keyed hash of random bytes",
    "invitation_token_hash_key": "a hash of 256 random bits",
}


def test_BI_N04_every_unique_constraint_holds_its_organization(dms):
    """A constraint does not ask row level security: over all organizations it would tell what others have."""
    with dms.database() as db:
        wide = db.execute("""
            SELECT i.relname, x.indrelid::regclass::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            WHERE x.indisunique AND x.indrelid::regclass::text = ANY (%s)
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attname = 'tenant_id' AND a.attnum = ANY (x.indkey))""",
                          (tables(db),)).fetchall()
        assert {name for name, _ in wide} == set(ALL_OVER), wide


def test_every_reference_between_tables_holds_the_organization(dms):
    """So that no row can point at another organization's, whatever the program does."""
    with dms.database() as db:
        loose = db.execute("""
            SELECT conrelid::regclass::text, conname FROM pg_constraint k
            WHERE contype = 'f' AND conrelid::regclass::text = ANY (%(tables)s) AND confrelid::regclass::text = ANY (%(tables)s)
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = conrelid AND a.attname = 'tenant_id' AND a.attnum = conkey[1])""",
                           {"tables": tables(db)}).fetchall()
        assert loose == []


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
