"""What every client relies on: the description equals the routes, paging, entity tags, idempotency, refusals in their order."""
import hashlib
import json
import re
import subprocess
import threading
import uuid

import pytest
from conftest import BUILD

ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)


def test_the_description_holds_exactly_the_routes(dms):
    with dms.http() as http:
        spec = http.get("/openapi.json").json()
    described = {(m.upper(), path) for path, ops in spec["paths"].items() for m in ops}
    assert described == {(r["method"], r["path"]) for r in ROUTES}
    for r in ROUTES:
        op = spec["paths"][r["path"]][r["method"].lower()]
        assert op["x-permission"] == r["permission"], r
        assert (op.get("security") == []) == (r["permission"] == "public"), r
        params = [p if "$ref" not in p else spec["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]] for p in op.get("parameters", [])]
        assert sorted(p["name"] for p in params if p["in"] == "query") == sorted(r["params"]), r
        assert ("requestBody" in op) == (r["body"] != "none"), r


def test_every_operation_names_what_any_of_its_kind_may_answer(dms):
    with dms.http() as http:
        spec = http.get("/openapi.json").json()
    for r in ROUTES:
        wanted = {"400", "408", "414", "431", "500", "503"}
        wanted |= {"401"} if r["permission"] != "public" else set()
        wanted |= {"403"} if r["permission"] not in ("public", "signed_in") else set()
        wanted |= {"429"} if r["permission"] != "public" or r["method"] != "GET" else set()
        wanted |= {"413", "415"} if r["body"] != "none" else set()
        wanted |= {"404"} if "{id}" in r["path"] or "_id}" in r["path"] else set()
        named = set(spec["paths"][r["path"]][r["method"].lower()]["responses"])
        assert wanted <= named, (r["method"], r["path"], sorted(wanted - named))


def test_every_documented_read_answers_as_its_schema_says(dms, owner):
    """Required members are there and of their type; a document is read through every address that shows it."""
    with dms.http() as http:
        spec = http.get("/openapi.json").json()

    def check(schema, value, where):
        if "$ref" in schema:
            schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for part in schema.get("allOf", []):
            check(part, value, where)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        names = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
        if kinds:
            assert any(isinstance(value, names[k]) for k in kinds), (where, kinds, value)
        if isinstance(value, dict):
            assert set(schema.get("required", [])) <= set(value), (where, set(schema.get("required", [])) - set(value))
            if "properties" in schema:
                assert set(value) <= set(schema["properties"]), (where, set(value) - set(schema["properties"]))
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    check(inner, value[name], f"{where}.{name}")
        if isinstance(value, list) and "items" in schema:
            for i, one in enumerate(value):
                check(schema["items"], one, f"{where}[{i}]")
        if "enum" in schema:
            assert value in schema["enum"], (where, value)
        if schema.get("format") == "date-time" and value is not None:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value), (where, value)

    document = owner.upload_processed("# Heading\n\nA paragraph about otters.", name="otter.md")
    folder = owner.ok("POST", "/folders", 201, json={"name": "A"})
    owner.api_key(["document.read"]).close()
    chunk = owner.ok("GET", f"/documents/{document['id']}/chunks")["items"][0]
    job = owner.ok("GET", "/jobs")["items"][0]
    group = owner.ok("POST", "/groups", 201, json={"name": "G"})
    owner.ok("PUT", f"/groups/{group['id']}/members/{owner.me()['user']['id']}", 204)
    owner.ok("POST", "/invitations", 201, json={"email": f"contract-{uuid.uuid4().hex}@example.com", "role": "Viewer"})
    owner.ok("POST", "/roles", 201, json={"name": "R", "permissions": ["document.read"]})
    ids = {"documents": document["id"], "folders": folder["id"], "chunks": chunk["id"], "jobs": job["id"], "groups": group["id"],
           "Users": owner.me()["user"]["id"], "Groups": group["id"]}
    seen = 0
    for r in ROUTES:
        if r["method"] != "GET" or r["path"].endswith(("/events", "/content", "/text", "/metrics", "/docs", "/export")) or "{provider}" in r["path"] or r["path"].endswith("/v2/{name}"):
            continue
        path = r["path"]
        if "{id}" in path:
            path = path.replace("{id}", ids[path.split("/")[5 if "/scim/" in path else 3]])
        path = path.replace("{name}", "Group").replace("{urn}", "urn:ietf:params:scim:schemas:core:2.0:User")
        answer = owner.get(dms.url + path, params={"q": "otters"} if "q" in r["params"] else None)
        assert answer.status_code == 200, (path, answer.text)
        content = spec["paths"][r["path"]]["get"]["responses"]["200"]["content"]
        check(next(iter(content.values()))["schema"], answer.json(), path)
        seen += 1
    assert seen >= 18
    check({"$ref": "x/SearchAnswer"}, owner.search("otters"), "search")


def test_every_answer_names_itself(dms, owner):
    for answer in (owner.get("/auth/me"), owner.get("/nothing"), owner.get("/documents?limit=0"), owner.post("/search", content=b"{")):
        assert uuid.UUID(answer.headers["x-request-id"])
        assert answer.headers["traceparent"].count("-") == 3
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.status_code >= 400:
            problem = answer.json()
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["status"] == answer.status_code and problem["request_id"] == answer.headers["x-request-id"]
            assert problem["type"] == "https://dms.coditect.ai/errors/" + problem["code"].replace("_", "-")


def test_a_trace_goes_on(owner):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = owner.get("/auth/me", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["traceparent"].split("-")[1] == trace


def test_pages_hold_each_document_once_in_every_order(owner):
    made = [owner.upload(f"Document number {i}", name=f"{chr(97 + (i * 7) % 23)}{i}.txt")["id"] for i in range(23)]
    for sort in ("-created_at", "created_at", "title", "-title", "-updated_at", "size"):
        seen, cursor, pages = [], None, 0
        while True:
            page = owner.ok("GET", "/documents", params={"limit": 5, "sort": sort, "count": "true", **({"cursor": cursor} if cursor else {})})
            assert page["total"] == 23 and len(page["items"]) <= 5
            seen += [d["id"] for d in page["items"]]
            pages += 1
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(made) and pages == 5, sort
        if sort == "created_at":
            assert seen == made
        if sort == "-created_at":
            assert seen == made[::-1]


def test_BI_C02_a_cursor_is_good_for_its_list_only(dms, owner):
    for i in range(3):
        owner.upload(f"Page {i}", name=f"p{i}.txt")
    cursor = owner.ok("GET", "/documents", params={"limit": 1})["next_cursor"]
    assert owner.get("/documents", params={"limit": 1, "cursor": cursor}).status_code == 200
    broken = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    with dms.register() as other:
        for client, params in ((owner, {"cursor": broken}), (owner, {"cursor": cursor, "sort": "title"}), (owner, {"cursor": cursor, "status": "error"}),
                               (owner, {"cursor": "x"}), (owner, {"cursor": "x" * 2000}), (other, {"cursor": cursor})):
            answer = client.get("/documents", params=params)
            assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "cursor", params
        assert owner.get("/jobs", params={"cursor": cursor}).status_code == 400


def test_entity_tags(owner):
    made = owner.post("/documents", files={"file": ("tag.txt", b"Tagged.")})
    path = f"/documents/{made.json()['id']}"
    owner.wait_processed(made.json()["id"])
    first = owner.get(path, headers={"If-None-Match": made.headers["etag"]})
    assert first.status_code == 200, "what processing changed is told to who asks whether anything changed"
    made = owner.patch(path, json={"title": "Kept"}, headers={"If-Match": made.headers["etag"]})
    assert made.status_code == 200, "and is no conflict for a person's change"
    first = owner.get(path)
    tag = first.headers["etag"]
    assert owner.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert owner.get(path, headers={"If-None-Match": '"other", ' + tag}).status_code == 304
    changed = owner.patch(path, json={"title": "New"}, headers={"If-Match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag
    stale = owner.patch(path, json={"title": "Newer"}, headers={"If-Match": tag})
    assert stale.status_code == 412 and stale.json()["code"] == "precondition_failed"
    assert owner.ok("GET", path)["title"] == "New"
    assert owner.patch(path, json={"title": "Newest"}, headers={"If-Match": "W/" + changed.headers["etag"]}).status_code == 412
    assert owner.patch(path, json={"title": "Newest"}, headers={"If-Match": "*"}).status_code == 200


def test_ranges_of_the_original(owner):
    data = bytes(range(256)) * 40
    document = owner.upload(data, name="bytes.bin")
    path = f"/documents/{document['id']}/content"
    for header, part in (("bytes=0-0", data[:1]), ("bytes=100-199", data[100:200]), ("bytes=-5", data[-5:]), ("bytes=10000-", data[10000:])):
        answer = owner.get(path, headers={"Range": header})
        assert answer.status_code == 206 and answer.content == part, header
        assert answer.headers["content-range"].endswith(f"/{len(data)}")
    assert owner.get(path, headers={"Range": "bytes=99999-"}).status_code == 416
    tag = owner.get(path).headers["etag"]
    assert tag.strip('"') == hashlib.sha256(data).hexdigest()
    assert owner.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert owner.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


# --- idempotency (BI_F06) ---


def test_BI_F06_the_same_key_and_file_make_one_document(owner):
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = owner.upload("Once.", name="once.txt", headers=headers)
    again = owner.post("/documents", files={"file": ("once.txt", b"Once.")}, headers=headers)
    assert again.status_code == 201 and again.json() == first
    assert again.headers["location"].endswith(first["id"])
    assert len(owner.ok("GET", "/documents")["items"]) == 1
    other = owner.post("/documents", files={"file": ("once.txt", b"Twice.")}, headers=headers)
    assert other.status_code == 422 and other.json()["code"] == "unprocessable"
    assert owner.post("/documents", files={"file": ("x.txt", b"x")}, headers={"Idempotency-Key": "k" * 256}).status_code == 400


def test_BI_F06_keys_are_each_persons_own(dms, owner):
    key = {"Idempotency-Key": "shared"}
    mine = owner.ok("POST", "/folders", 201, json={"name": "A"}, headers=key)
    with dms.register() as other:
        theirs = other.ok("POST", "/folders", 201, json={"name": "B"}, headers=key)
    assert mine["id"] != theirs["id"]


def test_BI_F06_the_same_key_at_once_has_one_effect(dms, owner):
    headers = {"Idempotency-Key": str(uuid.uuid4()), **owner.headers}
    answers = []

    def send():
        with dms.http() as http:
            answers.append(http.post("/api/v1/folders", json={"name": "raced"}, headers=headers))
    threads = [threading.Thread(target=send) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.json()["id"] for a in answers if a.status_code == 201}) == 1
    for a in answers:
        if a.status_code == 409:
            assert a.headers["retry-after"] == "1"
    assert len(owner.ok("GET", "/folders")["items"]) == 1


# --- order of refusal ---


def test_permission_is_checked_before_body_and_object(owner):
    with owner.api_key(["document.read"]) as reader:
        for answer in (reader.patch(f"/documents/{uuid.uuid4()}", json={"nonsense": 1}), reader.post("/documents", content=b"x"),
                       reader.post("/folders", content=b"{", headers={"Content-Type": "application/json"})):
            assert answer.status_code == 403 and answer.json()["code"] == "forbidden"


def test_a_wrong_method_names_the_right_ones(owner):
    answer = owner.put("/documents")
    assert answer.status_code == 405 and {"GET", "POST"} <= {m.strip() for m in answer.headers["allow"].split(",")}


def test_folders(owner):
    top = owner.ok("POST", "/folders", 201, json={"name": "Top"})
    below = owner.ok("POST", "/folders", 201, json={"name": "Below", "parent_id": top["id"]})
    assert [f["id"] for f in owner.ok("GET", "/folders")["items"]] == [top["id"]]
    assert [f["id"] for f in owner.ok("GET", "/folders", params={"parent_id": top["id"]})["items"]] == [below["id"]]
    assert owner.post("/folders", json={"name": "Top"}).status_code == 409
    assert owner.delete(f"/folders/{top['id']}").status_code == 409
    document = owner.upload("In a folder.", name="in.txt", folder_id=below["id"])
    assert document["folder_id"] == below["id"]
    assert owner.delete(f"/folders/{below['id']}").status_code == 409
    owner.ok("PATCH", f"/documents/{document['id']}", 200, json={"folder_id": None})
    assert owner.delete(f"/folders/{below['id']}").status_code == 204
    assert owner.delete(f"/folders/{below['id']}").status_code == 404
    assert owner.post("/folders", json={"name": "Lost", "parent_id": str(uuid.uuid4())}).status_code == 404


def test_quota_of_the_plan(start_dms):
    server = start_dms(env={"DMS_DEFAULT_PLAN": "free"})
    with server.register() as client:
        headers = client.get("/auth/me").headers
        assert headers["x-ratelimit-limit"] == "100" and headers["ratelimit-policy"] == '"minute";q=100;w=60'
        statuses = [client.get("/auth/me").status_code for _ in range(110)]
        assert statuses[0] == 200 and statuses[-1] == 429
        limited = client.get("/auth/me")
        assert int(limited.headers["retry-after"]) >= 1 and limited.json()["code"] == "rate_limited"


def test_health_and_metrics(dms, owner):
    with dms.http() as http:
        assert http.get("/health/live").json() == {"status": "ok"}
        ready = http.get("/health/ready").json()
        assert ready["status"] == "ok" and {d["name"] for d in ready["dependencies"]} == {"database", "redis", "embedding"}
        owner.get("/auth/me")
        answer = http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        names = {line.split("{")[0].split(" ")[0] for line in answer.text.splitlines() if line and not line.startswith("#")}
        for name in ("dms_http_requests_total", "dms_http_request_duration_seconds_bucket", "dms_redis_up", "dms_documents_total", "dms_searches_total",
                     "dms_embeddings_total", "dms_build_info", "process_resident_memory_bytes", "process_cpu_seconds_total"):
            assert name in names, name
        typed = [line.split(" ")[2] for line in answer.text.splitlines() if line.startswith("# TYPE")]
        assert len(typed) == len(set(typed)), "each metric is declared once"
        assert 'route="/api/v1/auth/me"' in answer.text
        assert http.get("/docs").headers["content-type"].startswith("text/html")
        jwks = http.get("/.well-known/jwks.json").json()
        assert jwks["keys"][0]["crv"] == "Ed25519"
