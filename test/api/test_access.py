"""Grants on folders and documents: who sees and changes what over every route, in lists, counts, searches, jobs, timelines and event streams."""
import contextlib
import json
import subprocess
import threading
import uuid

import httpx
import pytest
from conftest import BUILD, Server, wait_for

ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)
CANARY = "canaryquokka"
LEVELS = ["read", "write", "manage"]


@pytest.fixture(scope="module")
def server():
    """Credentials are looked at anew each time, so that a grant counts with the next request."""
    s = Server("--auth-cache-ms=0")
    try:
        yield s.start()
    finally:
        s.close()


def allow(owner, thing, restricted=False, *grants, status=200):
    """What is said about a folder or document: grants are (principal_type, principal_id, level)."""
    rows = [dict(zip(("principal_type", "principal_id", "level"), g)) for g in grants]
    return owner.ok("PUT", f"/{thing}/permissions", status, json={"restricted": restricted, "grants": rows})


def user_id(client):
    return client.me()["user"]["id"]


@pytest.fixture(scope="module")
def org(server):
    """An owner, members of each kind, and a processed document with the canary in folder inner of folder top."""
    with contextlib.ExitStack() as stack:
        o = stack.enter_context(server.register())
        for name, role in (("editor", "Editor"), ("viewer", "Viewer"), ("stranger", "Viewer"), ("grouped", "Viewer")):
            setattr(o, name, stack.enter_context(o.member(role)))
        o.group = o.ok("POST", "/groups", 201, json={"name": "The group"})["id"]
        o.ok("PUT", f"/groups/{o.group}/members/{user_id(o.grouped)}")
        o.top = o.ok("POST", "/folders", 201, json={"name": f"{CANARY} top"})["id"]
        o.inner = o.ok("POST", "/folders", 201, json={"name": f"{CANARY} inner", "parent_id": o.top})["id"]
        o.document = o.upload_processed(f"# {CANARY} heading\n\nText of the {CANARY}.", name=f"{CANARY}.md", title=f"{CANARY} title", tags=CANARY,
                                        metadata={CANARY: CANARY}, folder_id=o.inner)
        o.chunk = o.ok("GET", f"/documents/{o.document['id']}/chunks")["items"][0]["id"]
        o.job = next(j for j in o.ok("GET", "/jobs")["items"] if j["document_id"] == o.document["id"])["id"]
        o.plain = o.upload_processed("# Of everybody\n\nNothing special.", name="plain.md")
        yield o


@pytest.fixture
def secret(org):
    """The same with top restricted to nobody; open again afterwards."""
    allow(org, f"folders/{org.top}", True)
    yield org
    for thing in (f"documents/{org.document['id']}", f"folders/{org.inner}", f"folders/{org.top}"):
        allow(org, thing)


def settle(o):
    """Until nothing is read any more; the passages are others then."""
    def still():
        return all(j["state"] not in ("queued", "running") for j in o.ok("GET", "/jobs?limit=20")["items"])
    wait_for(still, 60, "the jobs to end")
    o.chunk = o.ok("GET", f"/documents/{o.document['id']}/chunks")["items"][0]["id"]


def reads(o):
    d = o.document["id"]
    return [f"/documents/{d}", f"/documents/{d}/text", f"/documents/{d}/content", f"/documents/{d}/versions", f"/documents/{d}/chunks",
            f"/documents/{d}/timeline", f"/chunks/{o.chunk}", f"/jobs/{o.job}"]


def writes(o):
    d = o.document["id"]
    yield "PATCH", f"/documents/{d}", {"json": {"tags": [CANARY]}}
    yield "POST", f"/documents/{d}/versions", {"files": {"file": ("v.md", f"# {CANARY} again\n\n{uuid.uuid4()}")}}
    yield "POST", f"/documents/{d}/reprocess", {}
    yield "DELETE", f"/documents/{d}", {}
    yield "POST", f"/documents/{d}/restore", {}


def check(o, person, level, where):
    """What a person of that level (None: nothing) can do with the document, route by route."""
    rank = LEVELS.index(level) if level else -1
    for path in reads(o):
        assert person.get(path).status_code == (200 if rank >= 0 else 404), (where, path)
    for method, path, options in writes(o):
        status = person.request(method, path, **options).status_code
        assert status in ((200, 201, 202, 204) if rank >= 1 else (403, 404)), (where, method, path, status)
    if rank >= 1:
        settle(o)
    permissions = f"/documents/{o.document['id']}/permissions"
    now = o.ok("GET", permissions)
    body = {"restricted": now["restricted"], "grants": [{k: g[k] for k in ("principal_type", "principal_id", "level")} for g in now["grants"]]}
    for answer in (person.get(permissions), person.put(permissions, json=body)):
        assert answer.status_code == 200 if rank == 2 else answer.status_code in (403, 404), (where, answer.request.method, answer.text)
    seen = person.ok("GET", "/documents?count=true&limit=100")
    assert (o.document["id"] in [d["id"] for d in seen["items"]]) == (rank >= 0), where
    assert seen["total"] == len(seen["items"]), where


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("principal", ["user", "group", "role"])
@pytest.mark.parametrize("place", ["top", "inner", "document"])
def test_a_grant_opens_what_it_is_on_and_what_lies_below(secret, principal, level, place):
    o = secret
    person = {"user": o.viewer, "group": o.grouped, "role": o.editor}[principal]
    thing = {"top": f"folders/{o.top}", "inner": f"folders/{o.inner}", "document": f"documents/{o.document['id']}"}[place]
    named = {"user": user_id(o.viewer), "group": o.group, "role": "Editor"}[principal]
    check(o, person, None, "before")
    allow(o, thing, place == "top", (principal, named, level))
    check(o, person, level, "granted")
    check(o, o.stranger, None, "of somebody else")
    allow(o, thing, place == "top")
    check(o, person, None, "taken back")


@pytest.mark.parametrize("cut", ["inner", "document"])
def test_a_restriction_ends_what_comes_down(secret, cut):
    o = secret
    thing = {"inner": f"folders/{o.inner}", "document": f"documents/{o.document['id']}"}[cut]
    allow(o, f"folders/{o.top}", True, ("user", user_id(o.viewer), "manage"))
    check(o, o.viewer, "manage", "before the cut")
    allow(o, thing, True)
    check(o, o.viewer, None, "behind the cut")
    allow(o, thing, True, ("user", user_id(o.viewer), "read"))
    check(o, o.viewer, "read", "let in again, to read")


def test_a_grant_on_what_is_open_raises_a_lower_role_there_and_nowhere_else(org):
    o = org
    d, plain = o.document["id"], o.plain["id"]
    assert o.viewer.patch(f"/documents/{d}", json={"tags": ["x"]}).status_code == 403
    allow(o, f"folders/{o.top}", False, ("user", user_id(o.viewer), "write"))
    try:
        assert o.viewer.patch(f"/documents/{d}", json={"tags": [CANARY]}).status_code == 200
        assert o.viewer.patch(f"/documents/{plain}", json={"tags": ["x"]}).status_code == 404
        assert o.viewer.get(f"/documents/{plain}").status_code == 200 and "x" not in o.ok("GET", f"/documents/{plain}")["tags"]
        assert o.stranger.get(f"/documents/{d}").status_code == 200, "it is still everybody's to read"
        assert o.stranger.patch(f"/documents/{d}", json={"tags": ["x"]}).status_code == 403
        assert o.editor.patch(f"/documents/{d}", json={"tags": [CANARY]}).status_code == 200, "as the role says"
        file = {"file": ("x.txt", b"by a viewer")}
        made = o.viewer.post("/documents", files=file, data={"folder_id": o.inner})
        assert made.status_code == 201
        assert o.viewer.post("/documents", files=file).status_code == 403
        assert o.viewer.post("/folders", json={"name": "mine", "parent_id": o.inner}).status_code == 201
        assert o.viewer.post("/folders", json={"name": "mine"}).status_code == 403
        other = o.ok("POST", "/folders", 201, json={"name": f"other {uuid.uuid4()}"})["id"]
        assert o.viewer.post("/documents", files=file, data={"folder_id": other}).status_code == 404
        assert o.viewer.patch(f"/documents/{made.json()['id']}", json={"folder_id": other}).status_code == 404
        assert o.viewer.patch(f"/documents/{made.json()['id']}", json={"folder_id": None}).status_code == 403
        assert o.viewer.patch(f"/folders/{o.inner}", json={"parent_id": None}).status_code == 403
        assert o.viewer.patch(f"/folders/{o.inner}", json={"parent_id": other}).status_code == 404
        assert o.viewer.delete(f"/folders/{other}").status_code == 404
        assert o.viewer.put(f"/folders/{o.inner}/permissions", json={"restricted": True, "grants": []}).status_code == 403
    finally:
        allow(o, f"folders/{o.top}")


def test_what_is_restricted_appears_nowhere_for_those_who_may_not(secret):
    o = secret
    ids = [o.document["id"], o.chunk, o.job, o.top, o.inner]
    words = {"q": CANARY, "limit": 100}
    for route in ROUTES:
        if route["method"] != "GET" or "{" in route["path"] or route["permission"] == "public" or route["path"].endswith("/events"):
            continue
        variants = [{}]
        if route["path"].endswith("/documents"):
            variants += [{"count": "true", "sort": s} for s in ("created_at", "-created_at", "title", "-updated_at")]
            variants += [{"status": "processed"}, {"trashed": "true"}, {"folder_id": o.inner}, {"tag": CANARY}]
        if route["path"].endswith("/folders"):
            variants += [{"parent_id": o.top}, {"parent_id": o.inner}]
        for extra in variants:
            for person in (o.stranger, o.editor):
                answer = person.get(o.server.url + route["path"], params={k: v for k, v in {**words, **extra}.items() if k in route["params"]})
                assert answer.status_code in (200, 403), (route["path"], answer.text)
                for hidden in (CANARY, *ids):
                    assert hidden not in answer.text, (route["path"], extra, hidden)
    for person, total in ((o.stranger, 0), (o.editor, 0), (o, 1)):
        for mode in ("keyword", "semantic", "hybrid"):
            found = person.search(CANARY, mode=mode, facets=True, explain=True, limit=100)
            assert (o.document["id"] in json.dumps(found)) == bool(total), mode
            assert (CANARY in json.dumps(found)) == bool(total), mode
            if mode == "keyword":
                assert found["total"] == total
        assert (o.document["id"] in [d["id"] for d in person.ok("GET", f"/documents?folder_id={o.inner}")["items"]]) == bool(total)


def test_every_route_with_an_id_answers_as_for_an_unknown_one(secret):
    o = secret
    ids = {"documents": o.document["id"], "folders": o.inner, "chunks": o.chunk, "jobs": o.job}
    before = o.ok("GET", f"/documents/{o.document['id']}")
    seen = 0
    for route in ROUTES:
        kind = route["path"].split("/")[3] if route["path"].startswith("/api/v1/") else ""
        if "{id}" not in route["path"] or kind not in ids or route["path"].count("{") != 1:
            continue
        for person in (o.stranger, o.editor):
            answers = []
            for id_ in (ids[kind], str(uuid.uuid4())):
                options = {}
                if route["body"].startswith("json"):
                    options["json"] = {"restricted": False, "grants": []} if "permissions" in route["path"] else {"name": "x"} if kind == "folders" else {"title": "taken"}
                if route["body"] == "multipart":
                    options["files"] = {"file": ("x.txt", b"harmless")}
                answers.append(person.request(route["method"], o.server.url + route["path"].replace("{id}", id_), **options))
            bodies = [{k: v for k, v in a.json().items() if k != "request_id"} for a in answers]
            assert answers[0].status_code == answers[1].status_code and answers[0].status_code in (400, 403, 404), (route, answers[0].text)
            assert bodies[0] == bodies[1], route
            seen += 1
    assert seen >= 40 and o.ok("GET", f"/documents/{o.document['id']}") == before


def test_twins_and_folders_that_one_may_not_see_are_not_named(secret):
    o = secret
    content = f"The same bytes {uuid.uuid4()}"
    hidden = o.upload(content, name="hidden.txt", folder_id=o.inner)
    twin = o.editor.upload(content, name="twin.txt")
    assert twin["duplicate_of"] is None, "an upload does not tell what is hidden"
    named = o.upload(content, name="named.txt")
    assert named["duplicate_of"] == hidden["id"]
    assert o.editor.ok("GET", f"/documents/{named['id']}")["duplicate_of"] is None
    assert hidden["id"] not in json.dumps(o.editor.ok("GET", "/documents?limit=100"))
    allow(o, f"documents/{hidden['id']}", False, ("user", user_id(o.stranger), "read"))
    shown = o.stranger.ok("GET", f"/documents/{hidden['id']}")
    assert shown["folder_id"] is None and o.ok("GET", f"/documents/{hidden['id']}")["folder_id"] == o.inner


def test_a_folder_that_a_grant_opens_below_a_hidden_one_stands_at_the_top(secret):
    o = secret
    allow(o, f"folders/{o.inner}", False, ("user", user_id(o.viewer), "read"))
    at_top = {f["id"]: f for f in o.viewer.ok("GET", "/folders")["items"]}
    assert o.inner in at_top and o.top not in at_top and at_top[o.inner]["parent_id"] is None
    assert o.viewer.get(f"/folders/{o.top}").status_code == 404
    children = o.viewer.ok("GET", f"/folders/{o.inner}/children?limit=100")["items"]
    assert o.document["id"] in [c["document"]["id"] for c in children if c["type"] == "document"]
    assert o.inner not in [f["id"] for f in o.stranger.ok("GET", "/folders")["items"]]
    assert [f["id"] for f in o.ok("GET", "/folders")["items"]].count(o.top) == 1
    allow(o, f"folders/{o.inner}")


def test_events_reach_those_who_may_see_the_document(secret):
    o = secret
    allow(o, f"folders/{o.top}", True, ("user", user_id(o.viewer), "read"))
    key = o.api_key(["folder.read"])  # of a person who listens too
    heard = {}

    def listen(name, client, ready):
        with contextlib.suppress(httpx.HTTPError), client.stream("GET", "/events", timeout=60) as stream:
            heard[name] = []
            for line in stream.iter_lines():
                heard[name].append(line)
                ready.set()

    for name, client in (("key", key), ("owner", o), ("viewer", o.viewer), ("stranger", o.stranger), ("editor", o.editor)):
        ready = threading.Event()
        threading.Thread(target=listen, args=(name, client, ready), daemon=True).start()
        assert ready.wait(20)

    def told(name, document):
        return any(document in line and '"done"' in line for line in list(heard[name]))
    hidden = o.upload(f"News of the {CANARY}", name="news.txt", folder_id=o.inner)["id"]
    o.wait_processed(hidden)
    everybodys = o.upload("News for everybody", name="all.txt")["id"]
    wait_for(lambda: all(told(name, everybodys) for name in heard if name != "key"), 60, "all to hear of what all may see")
    text = {name: "".join(lines) for name, lines in heard.items()}
    assert hidden not in text["key"] and everybodys not in text["key"], "without document.read nothing of documents"
    assert hidden in text["owner"] and hidden in text["viewer"]
    assert hidden not in text["stranger"] and hidden not in text["editor"]


def test_the_owner_of_a_restricted_document_keeps_it(org):
    o = org
    mine = o.editor.upload("An editor's own", name="own.txt")
    allow(o, f"documents/{mine['id']}", True)
    assert o.editor.get(f"/documents/{mine['id']}").status_code == 200 and o.stranger.get(f"/documents/{mine['id']}").status_code == 404
    allow(o.editor, f"documents/{mine['id']}", True, ("user", user_id(o.stranger), "read"))
    assert o.stranger.get(f"/documents/{mine['id']}").status_code == 200


def test_a_role_without_any_permission_sees_what_is_granted_and_nothing_else(secret):
    o = secret
    role = o.ok("POST", "/roles", 201, json={"name": f"Guest {uuid.uuid4()}", "description": "", "permissions": []})
    with o.member("Viewer") as guest:
        o.ok("PATCH", f"/members/{user_id(guest)}", json={"role_id": role["id"]})
        assert guest.get("/documents").status_code == 403 and guest.get(f"/documents/{o.plain['id']}").status_code == 403
        allow(o, f"folders/{o.inner}", False, ("role", role["id"], "read"))
        check(o, guest, "read", "a guest")
        seen = guest.ok("GET", "/documents?count=true&limit=100")
        assert o.plain["id"] not in [d["id"] for d in seen["items"]]
        assert guest.get(f"/documents/{o.plain['id']}").status_code == 404
        assert o.document["id"] in [i["document_id"] for i in guest.search(CANARY)["items"]]
        assert o.plain["id"] not in [i["document_id"] for i in guest.search("nothing special")["items"]]
        assert guest.post("/documents", files={"file": ("x.txt", b"x")}, data={"folder_id": o.inner}).status_code == 403
        allow(o, f"folders/{o.inner}")


def test_what_moves_is_seen_by_those_who_see_where_it_goes(org):
    o = org
    closed = o.ok("POST", "/folders", 201, json={"name": f"closed {uuid.uuid4()}"})["id"]
    moving = o.ok("POST", "/folders", 201, json={"name": f"moving {uuid.uuid4()}"})["id"]
    deep = o.ok("POST", "/folders", 201, json={"name": "deep", "parent_id": moving})["id"]
    inside = o.upload("inside", name="inside.txt", folder_id=deep)["id"]
    single = o.upload("single", name="single.txt")["id"]
    allow(o, f"folders/{closed}", True, ("role", "Editor", "read"))

    def seen(person):
        return [person.get(path).status_code for path in (f"/folders/{moving}", f"/folders/{deep}", f"/documents/{inside}", f"/documents/{single}")]
    assert seen(o.stranger) == [200] * 4
    o.ok("PATCH", f"/folders/{moving}", 200, json={"parent_id": closed})
    o.ok("PATCH", f"/documents/{single}", 200, json={"folder_id": closed})
    assert seen(o.stranger) == [404] * 4 and seen(o.editor) == [200] * 4
    assert o.editor.patch(f"/documents/{inside}", json={"tags": ["x"]}).status_code == 404, "read alone"
    o.ok("PATCH", f"/folders/{moving}", 200, json={"parent_id": None})
    o.ok("PATCH", f"/documents/{single}", 200, json={"folder_id": None})
    assert seen(o.stranger) == [200] * 4


def test_folders_are_renamed_and_moved(org):
    o = org
    a, b = (o.ok("POST", "/folders", 201, json={"name": f"{name} {uuid.uuid4()}"}) for name in "ab")
    answer = o.patch(f"/folders/{b['id']}", json={"name": "new name", "parent_id": a["id"]})
    assert answer.status_code == 200 and answer.json()["name"] == "new name" and answer.json()["parent_id"] == a["id"]
    assert answer.headers["etag"] and o.patch(f"/folders/{b['id']}", json={"name": "x"}, headers={"If-Match": '"0"'}).status_code == 412
    assert o.patch(f"/folders/{b['id']}", json={"name": "y"}, headers={"If-Match": answer.headers["etag"]}).status_code == 200
    for target in (a["id"], b["id"]):
        cycle = o.patch(f"/folders/{a['id']}", json={"parent_id": target})
        assert cycle.status_code == 422 and "itself" in cycle.json()["detail"]
    assert o.patch(f"/folders/{a['id']}", json={"parent_id": str(uuid.uuid4())}).status_code == 404
    assert o.patch(f"/folders/{uuid.uuid4()}", json={"name": "z"}).status_code == 404
    c = o.ok("POST", "/folders", 201, json={"name": "c", "parent_id": a["id"]})
    assert o.patch(f"/folders/{c['id']}", json={"name": "y"}).status_code == 409
    for wrong in ({"name": ""}, {"name": None}, {"parent_id": "x"}, {"depth": 1}, {"name": "a\u202eb"}):
        assert o.patch(f"/folders/{c['id']}", json=wrong).status_code == 400, wrong
    chain = [o.ok("POST", "/folders", 201, json={"name": f"chain {uuid.uuid4()}"})["id"]]
    while len(chain) < 31:
        chain.append(o.ok("POST", "/folders", 201, json={"name": "x", "parent_id": chain[-1]})["id"])
    assert o.patch(f"/folders/{chain[0]}", json={"parent_id": a["id"]}).status_code == 200
    deep = o.patch(f"/folders/{chain[0]}", json={"parent_id": c["id"]})
    assert deep.status_code == 422 and "32" in deep.json()["detail"]
    assert o.post("/folders", json={"name": "x", "parent_id": chain[-1]}).status_code == 422


def test_children_are_listed_page_by_page(org):
    o = org
    f = o.ok("POST", "/folders", 201, json={"name": f"many {uuid.uuid4()}"})["id"]
    folders = [o.ok("POST", "/folders", 201, json={"name": f"{n}|{n}", "parent_id": f})["id"] for n in "cab"]
    documents = [o.upload(n, name=f"{n}.txt", folder_id=f)["id"] for n in ("1", "2", "3", "4")]
    due = [folders[1], folders[2], folders[0], *reversed(documents)]
    for limit in (1, 2, 3, 5, 100):
        seen, cursor = [], None
        while True:
            page = o.ok("GET", f"/folders/{f}/children", params={"limit": limit, **({"cursor": cursor} if cursor else {})})
            seen += [c[c["type"]]["id"] for c in page["items"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert seen == due, limit
    assert o.get(f"/folders/{uuid.uuid4()}/children").status_code == 404


def test_a_folder_with_hidden_content_is_not_empty(org):
    o = org
    f = o.ok("POST", "/folders", 201, json={"name": f"full {uuid.uuid4()}"})["id"]
    d = o.upload("hidden", name="hidden.txt", folder_id=f)["id"]
    allow(o, f"documents/{d}", True)
    assert o.editor.ok("GET", f"/folders/{f}/children")["items"] == []
    assert o.editor.delete(f"/folders/{f}").status_code == 409 and o.delete(f"/folders/{f}").status_code == 409


def test_permissions_are_told_with_what_comes_from_above(secret):
    o = secret
    allow(o, f"folders/{o.top}", True, ("group", o.group, "read"), ("role", "Editor", "write"))
    told = allow(o, f"documents/{o.document['id']}", False, ("user", user_id(o.viewer), "manage"))
    assert told == o.ok("GET", f"/documents/{o.document['id']}/permissions")
    assert told["restricted"] is False and told["everyone"] is False
    assert [(g["principal_type"], g["principal_id"], g["level"]) for g in told["grants"]] == [("user", user_id(o.viewer), "manage")]
    assert told["grants"][0]["name"] == "Viewer"
    above = {(g["principal_type"], g["principal_id"], g["name"], g["level"], g["folder"]["id"]) for g in told["inherited"]}
    assert above == {("group", o.group, "The group", "read", o.top), ("role", "Editor", "Editor", "write", o.top)}
    seen = o.viewer.ok("GET", f"/documents/{o.document['id']}/permissions")
    assert all(g["folder"] is None for g in seen["inherited"]), "who does not see the folder does not learn of it"
    assert o.ok("GET", f"/folders/{o.inner}/permissions")["grants"] == [] and o.ok("GET", f"/documents/{o.plain['id']}/permissions")["everyone"] is True


def test_a_manager_keeps_a_way_back(secret):
    o = secret
    thing = f"documents/{o.document['id']}"
    allow(o, thing, False, ("user", user_id(o.viewer), "manage"))
    refused = o.viewer.put(f"/{thing}/permissions", json={"restricted": True, "grants": []})
    assert refused.status_code == 422 and "keep" in refused.json()["detail"]
    assert o.viewer.get(f"/{thing}").status_code == 200
    allow(o.viewer, thing, True, ("user", user_id(o.viewer), "manage"), ("user", user_id(o.stranger), "read"))
    assert o.stranger.get(f"/{thing}").status_code == 200


def test_changes_of_access_are_audited_and_take_if_match(secret):
    o = secret
    thing = f"/folders/{o.inner}/permissions"
    tag = o.get(thing).headers["etag"]
    body = {"restricted": False, "grants": [{"principal_type": "role", "principal_id": "Viewer", "level": "read"}]}
    assert o.put(thing, json=body, headers={"If-Match": '"0"'}).status_code == 412
    assert o.put(thing, json=body, headers={"If-Match": tag}).status_code == 200
    assert o.put(thing, json=body, headers={"If-Match": tag}).status_code == 412
    with o.server.database() as db:
        before, after = db.execute("SELECT before, after FROM audit WHERE action = 'access.update' AND object_type = 'folder' AND object_id = %s"
                                   " ORDER BY at DESC LIMIT 1", (o.inner,)).fetchone()
    assert before["grants"] == [] and after["grants"][0]["principal_id"] == "Viewer"


GOOD = {"principal_type": "role", "principal_id": "Viewer", "level": "read"}


@pytest.mark.parametrize("body", [{}, {"restricted": True}, {"grants": []}, {"restricted": "yes", "grants": []}, {"restricted": True, "grants": {}},
                                  {"restricted": True, "grants": [1]}, {"restricted": True, "grants": [{}]}, {"restricted": True, "grants": [{**GOOD, "level": "all"}]},
                                  {"restricted": True, "grants": [{**GOOD, "level": "none"}]}, {"restricted": True, "grants": [{**GOOD, "principal_type": "tenant"}]},
                                  {"restricted": True, "grants": [{**GOOD, "principal_id": "Boss"}]}, {"restricted": True, "grants": [{**GOOD, "principal_id": None}]},
                                  {"restricted": True, "grants": [{**GOOD, "more": 1}]}, {"restricted": True, "grants": [], "open": True},
                                  {"restricted": True, "grants": [GOOD] * 201}])
def test_what_is_said_is_checked(org, body):
    answer = org.put(f"/folders/{org.top}/permissions", json=body)
    assert answer.status_code == 400 and answer.json()["code"] == "validation_error", answer.text
    assert org.ok("GET", f"/folders/{org.top}/permissions")["restricted"] is False


def test_BI_N02_N05_a_principal_of_another_organization_is_unknown(server, org):
    with server.register() as other:
        group = other.ok("POST", "/groups", 201, json={"name": "The group"})["id"]
        for grant in (("user", user_id(other)), ("group", group), ("role", str(uuid.uuid4())), ("user", org.group), ("group", user_id(org))):
            body = {"restricted": False, "grants": [{"principal_type": grant[0], "principal_id": grant[1], "level": "read"}]}
            assert org.put(f"/folders/{org.top}/permissions", json=body).status_code == 422, grant
        twice = {"restricted": False, "grants": [GOOD, {**GOOD, "level": "write"}]}
        assert org.put(f"/folders/{org.top}/permissions", json=twice).status_code == 422
        assert other.get(f"/folders/{org.top}/permissions").status_code == 404
        assert other.put(f"/folders/{org.top}/permissions", json={"restricted": True, "grants": []}).status_code == 404
    assert org.ok("GET", f"/folders/{org.top}/permissions")["restricted"] is False


def test_BI_N07_a_key_does_not_go_beyond_its_scopes(secret):
    o = secret
    with o.api_key(["document.read", "folder.read"]) as key:
        assert key.get(f"/documents/{o.document['id']}").status_code == 200, "an owner's key sees what the owner sees"
        assert key.patch(f"/documents/{o.document['id']}", json={"tags": ["x"]}).status_code == 403
        assert key.get(f"/folders/{o.top}/permissions").status_code == 403


def test_BI_N13_access_taken_back_is_gone_within_five_seconds(dms):
    with dms.register() as o, o.member("Viewer") as viewer:
        d = o.upload("soon hidden", name="soon.txt")["id"]
        allow(o, f"documents/{d}", True, ("user", user_id(viewer), "write"))
        wait_for(lambda: viewer.patch(f"/documents/{d}", json={"tags": ["a"]}).status_code == 200, 5, "the grant to count")
        allow(o, f"documents/{d}", True)
        assert viewer.get(f"/documents/{d}").status_code == 404 and viewer.patch(f"/documents/{d}", json={"tags": ["b"]}).status_code in (403, 404)
        assert o.ok("GET", f"/documents/{d}")["tags"] == ["a"]


def test_BI_N08_nobody_shares_what_is_not_theirs_to_share(secret):
    o = secret
    thing = f"documents/{o.document['id']}"
    mine = ("user", user_id(o.viewer))
    for level in ("read", "write"):
        allow(o, f"folders/{o.inner}", False, (*mine, level))
        for grants in ([(*mine, "manage")], [("user", user_id(o.stranger), "read")]):
            body = {"restricted": False, "grants": [dict(zip(("principal_type", "principal_id", "level"), g)) for g in grants]}
            for place in (thing, f"folders/{o.inner}", f"folders/{o.top}"):
                assert o.viewer.put(f"/{place}/permissions", json=body).status_code in (403, 404), (level, place)
    allow(o, f"folders/{o.inner}", False, (*mine, "manage"))
    assert o.viewer.put(f"/folders/{o.top}/permissions", json={"restricted": False, "grants": []}).status_code in (403, 404), "not above what is theirs"
    allow(o.viewer, f"folders/{o.inner}", False, (*mine, "manage"), ("user", user_id(o.stranger), "read"))
    assert o.stranger.get(f"/{thing}").status_code == 200
    allow(o, f"folders/{o.inner}", False, ("user", user_id(o.stranger), "read"))
    again = o.viewer.put(f"/folders/{o.inner}/permissions", json={"restricted": False, "grants": [{"principal_type": "user", "principal_id": mine[1], "level": "manage"}]})
    assert again.status_code in (403, 404), "after the loss of one's own access"
    assert o.viewer.get(f"/{thing}").status_code == 404
    assert [g["principal_id"] for g in o.ok("GET", f"/folders/{o.inner}/permissions")["grants"]] == [user_id(o.stranger)]


def test_BI_N08_a_private_document_stays_private_in_a_shared_folder(org):
    o = org
    shared = o.ok("POST", "/folders", 201, json={"name": f"shared {uuid.uuid4()}"})["id"]
    private = o.upload("of nobody else", name="private.txt")["id"]
    allow(o, f"documents/{private}", True)
    allow(o, f"folders/{shared}", True, ("user", user_id(o.viewer), "manage"))
    o.ok("PATCH", f"/documents/{private}", 200, json={"folder_id": shared})
    assert o.viewer.get(f"/folders/{shared}").status_code == 200
    assert o.viewer.get(f"/documents/{private}").status_code == 404, "who manages the folder neither"
    assert private not in [d["id"] for d in o.viewer.ok("GET", "/documents?limit=100")["items"]]


def test_BI_N09_who_may_only_look_gets_no_file(org):
    """Looking: the entry, its text and passages. The file as it was uploaded, whole or in part, of any version, wants document.download."""
    o = org
    d = o.document["id"]
    role = o.ok("POST", "/roles", 201, json={"name": f"Reader {uuid.uuid4()}", "description": "", "permissions": ["document.read", "folder.read", "search.query"]})
    of_files = [r for r in ROUTES if r["permission"] == "document.download"]
    assert [(r["method"], r["path"]) for r in of_files] == [("GET", "/api/v1/documents/{id}/content")], "a new way to the file: look at what follows"
    with o.member("Viewer") as reader, o.api_key(["document.read", "folder.read", "search.query"]) as key:
        o.ok("PATCH", f"/members/{user_id(reader)}", json={"role_id": role["id"]})
        for who in (reader, key):
            for path in (p for p in reads(o) if not p.startswith("/jobs/") and not p.endswith("/content")):
                assert who.get(path).status_code == 200, path
            assert d in [i["document_id"] for i in who.search(CANARY)["items"]]
            for headers in ({}, {"Range": "bytes=0-0"}, {"If-None-Match": "*"}, {"Accept": "text/plain"}):
                for query in ("", "?version=1", "?disposition=inline"):
                    assert who.get(f"/documents/{d}/content{query}", headers=headers).status_code in (400, 403), (headers, query)
            assert who.head(f"/documents/{d}/content").status_code == 403
            assert who.get(f"/documents/{d}/content").status_code == 403


def test_long_lists_of_jobs_pass_over_what_is_hidden(secret):
    o = secret
    with o.server.database() as db:
        db.execute("INSERT INTO job (tenant_id, id, kind, queue, state, document_id, version, created_at) SELECT tenant_id, gen_random_uuid(), kind, queue, 'succeeded',"
                   " document_id, version, created_at + n * interval '1 ms' FROM job, generate_series(1, 2500) n WHERE id = %s", (o.job,))
    try:
        seen, cursor, pages = [], None, 0
        while pages < 10:
            page = o.stranger.ok("GET", "/jobs", params={"limit": 50, **({"cursor": cursor} if cursor else {})})
            seen += [j["document_id"] for j in page["items"]]
            pages += 1
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert o.document["id"] not in seen and o.plain["id"] in seen and 3 <= pages < 10
    finally:
        with o.server.database() as db:
            db.execute("DELETE FROM job WHERE document_id = %s AND state = 'succeeded' AND id <> %s", (o.document["id"], o.job))
