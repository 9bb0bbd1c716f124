"""Roles: the matrix, roles of an organization's own, who may give what, how soon it holds, and changes that race."""
import os
import pathlib
import subprocess
import uuid

import pytest
from conftest import BUILD, ROOT, at_once, meet, wait_for

SOON = 5  # seconds: what the service promises


def role(client, permissions, name=None, status=201):
    return client.ok("POST", "/roles", status, json={"name": name or f"Role {uuid.uuid4().hex[:8]}", "permissions": permissions})


def id_of(client):
    return client.me()["user"]["id"]


def give(owner, member, **body):
    return owner.ok("PATCH", f"/members/{id_of(member)}", 200, json=body)


def test_the_page_of_permissions_is_that_of_the_table():
    printed = subprocess.run([str(BUILD / "dms"), "routes", "--permissions"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/permissions.md").read_text() == printed, "run: build/dms routes --permissions > docs/permissions.md"
    assert printed.count("\n| `") == 38


def test_the_table_in_the_database_is_that_of_the_program(fresh_dms):
    with fresh_dms.register() as owner:
        shown = [p["name"] for p in owner.ok("GET", "/roles")["permissions"]]
    with fresh_dms.database() as db:
        assert [r[0] for r in db.execute("SELECT name FROM permission ORDER BY bit").fetchall()] == shown
        db.execute("DELETE FROM permission WHERE name = 'ask.query'")
        db.execute("INSERT INTO permission VALUES ('nothing.real', 99)")
        db.execute("UPDATE permission SET bit = 70 WHERE name = 'document.read'")
    fresh_dms.restart()
    with fresh_dms.database() as db:
        assert [r[0] for r in db.execute("SELECT name FROM permission ORDER BY bit").fetchall()] == shown


def test_the_matrix_is_that_of_the_contract(owner):
    answer = owner.ok("GET", "/roles")
    roles = {r["name"]: set(r["permissions"]) for r in answer["items"]}
    every = {p["name"] for p in answer["permissions"]}
    assert len(every) == 38 and all(r["built_in"] and r["id"] is None for r in answer["items"])
    assert list(roles) == ["Owner", "Admin", "Editor", "Viewer", "API_Only"]
    assert roles["Owner"] == every and roles["Admin"] == every - {"billing.manage"} and roles["API_Only"] == set()
    assert {"document.review", "member.read"} <= roles["Editor"] and not roles["Editor"] & {"document.approve", "document.publish", "document.purge", "folder.grant"}
    assert roles["Viewer"] == {"document.read", "document.download", "document.comment", "folder.read", "search.query", "search.save", "ask.query", "member.read"}
    for name in ("Admin", "Editor", "Viewer"):
        with owner.member(name) as member:
            assert set(member.me()["permissions"]) == roles[name] and member.me()["role"] == name
            assert member.ok("GET", "/roles") == answer


def test_a_role_of_ones_own_does_what_it_says_and_no_more(owner):
    made = role(owner, ["folder.create", "folder.read"], "Filing clerk")
    assert made["permissions"] == ["folder.read", "folder.create"] and made["built_in"] is False
    with owner.member("Viewer") as clerk:
        shown = give(owner, clerk, role_id=made["id"])
        assert shown["role"] == "Custom" and shown["role_id"] == made["id"] and shown["role_name"] == "Filing clerk"
        wait_for(lambda: set(clerk.me()["permissions"]) == {"folder.create", "folder.read"}, SOON, "the role")
        assert clerk.me()["role"] == "Custom"
        assert clerk.post("/folders", json={"name": "Filed"}).status_code == 201
        assert clerk.get("/documents").status_code == 403 and clerk.get("/members").status_code == 403
        again = owner.ok("PATCH", f"/roles/{made['id']}", 200, json={"permissions": ["document.read"]})
        assert again["permissions"] == ["document.read"] and again["name"] == "Filing clerk"
        wait_for(lambda: clerk.get("/documents").status_code == 200, SOON, "what the role gained")
        assert clerk.post("/folders", json={"name": "Not any more"}).status_code == 403
        with owner.server.login(clerk.email) as newly:
            assert newly.me()["permissions"] == ["document.read"]
        assert clerk.ok("POST", "/auth/refresh", 200, json={"refresh_token": clerk.tokens["refresh_token"]})["access_token"]
    assert next(r for r in owner.ok("GET", "/roles")["items"] if not r["built_in"])["name"] == "Filing clerk"


def test_keys_of_a_role_of_ones_own_reach_as_far_as_the_role(owner):
    made = role(owner, ["apikey.manage", "document.read", "folder.create"])["id"]
    with owner.member("Viewer") as member:
        give(owner, member, role_id=made)
        wait_for(lambda: "apikey.manage" in member.me()["permissions"], SOON, "the role")
        with member.api_key(["document.read", "folder.create"]) as key:
            assert key.get("/documents").status_code == 200 and key.post("/folders", json={"name": "K"}).status_code == 201
            owner.ok("PATCH", f"/roles/{made}", 200, json={"permissions": ["document.read"]})
            wait_for(lambda: key.post("/folders", json={"name": "L"}).status_code == 403, SOON, "the lowered role")
            assert key.get("/documents").status_code == 200


def test_a_role_that_is_in_use_stays(dms, owner):
    made = role(owner, ["document.read"])["id"]
    with owner.member("Viewer") as member:
        give(owner, member, role_id=made)
        assert owner.delete(f"/roles/{made}").status_code == 409
        owner.ok("DELETE", f"/members/{id_of(member)}", 204)
    email = f"guest-{uuid.uuid4().hex}@example.com"
    invited = owner.ok("POST", "/invitations", 201, json={"email": email, "role_id": made})
    assert invited["role"] == "Custom" and invited["role_id"] == made
    assert owner.delete(f"/roles/{made}").status_code == 409, "an open invitation holds it"
    with dms.database() as db:
        db.execute("UPDATE invitation SET expires_at = now() - interval '1 s' WHERE id = %s", (invited["id"],))
    assert owner.delete(f"/roles/{made}").status_code == 204
    assert owner.delete(f"/roles/{made}").status_code == 404
    assert owner.patch(f"/roles/{made}", json={"name": "Gone"}).status_code == 404


@pytest.mark.parametrize("body, field", [
    ({"name": ""}, "name"), ({"name": "Owner"}, "name"), ({"name": "aPi_oNly"}, "name"), ({"name": "custom"}, "name"), ({"name": "x" * 101}, "name"),
    ({"name": "a\u202eb"}, "name"), ({"permissions": None}, "permissions"), ({"permissions": ["document.read", "nonsense"]}, "permissions"),
    ({"permissions": ["document_read"]}, "permissions"), ({"permissions": "document.read"}, "permissions"), ({"permissions": ["*"]}, "permissions"),
    ({"permissions": ["document.read"] * 39}, "permissions"), ({"permissions": [1]}, "permissions"), ({"built_in": True}, "built_in"), ({"id": str(uuid.uuid4())}, "id"),
])
def test_what_is_wrong_with_a_role_is_said(owner, body, field):
    answer = owner.post("/roles", json={"name": "R", "permissions": ["document.read"], **body})
    assert answer.status_code == 400 and field in [e["field"] for e in answer.json()["errors"]], answer.text


def test_BI_N05_names_of_roles_are_each_organizations_own(dms, owner):
    """Equal names of two organizations have nothing to do with one another."""
    made = role(owner, ["document.read"], "Auditor")
    assert owner.post("/roles", json={"name": "AUDITOR", "permissions": []}).status_code == 409
    other = role(owner, ["document.read"], "Another")
    assert owner.patch(f"/roles/{other['id']}", json={"name": "auditor"}).status_code == 409
    with dms.register() as stranger:
        theirs = role(stranger, ["search.query"], "Auditor")
        assert theirs["id"] != made["id"]
        assert stranger.patch(f"/roles/{made['id']}", json={"name": "Mine"}).status_code == 404
        assert stranger.delete(f"/roles/{made['id']}").status_code == 404
        assert [r["name"] for r in stranger.ok("GET", "/roles")["items"] if not r["built_in"]] == ["Auditor"]


def test_a_stale_change_of_a_role_is_refused(owner):
    made = role(owner, ["document.read"])["id"]
    first = owner.patch(f"/roles/{made}", json={"description": "One"})
    second = owner.patch(f"/roles/{made}", json={"description": "Two"}, headers={"If-Match": first.headers["etag"]})
    assert second.status_code == 200 and second.json()["description"] == "Two"
    assert owner.patch(f"/roles/{made}", json={"description": "Three"}, headers={"If-Match": first.headers["etag"]}).status_code == 412


def test_BI_N07_nobody_gives_more_than_they_have(owner):
    """Roles, members and keys do not grow."""
    with owner.member("Admin") as admin, owner.member("Viewer") as viewer:
        assert admin.post("/roles", json={"name": "Rich", "permissions": ["billing.manage"]}).status_code == 403
        rich = role(owner, ["billing.manage", "member.update", "document.read"])["id"]
        assert admin.patch(f"/members/{id_of(viewer)}", json={"role_id": rich}).status_code == 403
        assert admin.patch(f"/members/{id_of(viewer)}", json={"role": "Owner"}).status_code == 403
        assert admin.patch(f"/members/{id_of(admin)}", json={"role": "Owner"}).status_code == 403
        assert admin.patch(f"/roles/{rich}", json={"permissions": ["billing.manage"]}).status_code == 403
        assert viewer.patch(f"/members/{id_of(viewer)}", json={"role": "Admin"}).status_code == 403
        assert viewer.post("/roles", json={"name": "V", "permissions": []}).status_code == 403
        give(owner, viewer, role_id=rich)
        wait_for(lambda: "member.update" in viewer.me()["permissions"], SOON, "the role")
        assert viewer.patch(f"/members/{id_of(viewer)}", json={"role": "Admin"}).status_code == 403, "Admin may do more"
        assert viewer.patch(f"/members/{id_of(owner)}", json={"role": "API_Only"}).status_code == 403
        assert viewer.patch(f"/roles/{rich}", json={"permissions": ["billing.manage", "document.purge"]}).status_code == 403
        assert set(viewer.me()["permissions"]) == {"billing.manage", "member.update", "document.read"}
    with owner.api_key(["member.update", "document.read"]) as key:
        assert key.post("/roles", json={"name": "By a key", "permissions": ["document.purge"]}).status_code == 403
        assert key.post("/roles", json={"name": "By a key", "permissions": ["document.read"]}).status_code == 201


def test_BI_D08_a_lowered_role_holds_at_once_everywhere(owner):
    with owner.member("Editor") as editor, owner.server.login(editor.email) as elsewhere:
        assert editor.post("/folders", json={"name": "Before"}).status_code == 201
        assert elsewhere.post("/folders", json={"name": "Before too"}).status_code == 201
        give(owner, editor, role="Viewer")
        for client in (editor, elsewhere):
            wait_for(lambda: client.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 403, SOON, "the lower role")
            assert client.get("/documents").status_code == 200


def test_BI_D08_api_only_ends_sessions_and_keys(owner):
    with owner.member("Admin") as admin, admin.api_key(["document.read", "member.update"]) as key:
        assert key.get("/documents").status_code == 200
        give(owner, admin, role="API_Only")
        assert admin.get("/auth/me").status_code == 401 and key.get("/documents").status_code == 401
        assert admin.post("/auth/refresh", json={"refresh_token": admin.tokens["refresh_token"]}).status_code == 401


def test_BI_N13_two_owners_lower_each_other_and_one_owner_stays(owner):
    with owner.member("Viewer") as second:
        mine, theirs, tenant = id_of(owner), id_of(second), owner.me()["organization"]["id"]
        give(owner, second, role="Owner")
        wait_for(lambda: "billing.manage" in second.me()["permissions"], SOON, "two Owners")
        pairs = [(owner, theirs), (second, mine)]
        answers = meet(owner.server, tenant, 2, lambda i: pairs[i][0].patch(f"/members/{pairs[i][1]}", json={"role": "Viewer"}))
        assert sorted(a.status_code for a in answers) == [200, 403], [a.text for a in answers]
        with owner.server.database() as db:
            owners = db.execute("SELECT user_id::text FROM membership WHERE tenant_id = %s AND role = 'Owner' AND removed_at IS NULL", (tenant,)).fetchall()
        assert len(owners) == 1


def test_BI_N13_a_role_is_not_deleted_under_who_gets_it(owner):
    with owner.member("Viewer") as member:
        user = id_of(member)
        for _ in range(8):
            made = role(owner, ["document.read"])["id"]
            acts = [lambda: owner.patch(f"/members/{user}", json={"role_id": made}), lambda: owner.delete(f"/roles/{made}")]
            given, deleted = at_once(2, lambda i: acts[i]())
            assert (given.status_code, deleted.status_code) in ((200, 409), (404, 204)), (given.text, deleted.text)
            assert owner.ok("PATCH", f"/members/{user}", 200, json={"role": "Viewer"})["role"] == "Viewer"


def test_roles_have_an_end(owner):
    statuses = at_once(4, lambda i: [owner.post("/roles", json={"name": f"Role {i} {n}", "permissions": []}).status_code for n in range(26)])
    flat = [s for part in statuses for s in part]
    assert flat.count(201) == 100 and flat.count(422) == 4


def test_what_changes_in_roles_stands_in_the_audit_log(dms, owner):
    made = role(owner, ["document.read"])["id"]
    owner.ok("PATCH", f"/roles/{made}", 200, json={"permissions": ["search.query"]})
    owner.ok("DELETE", f"/roles/{made}", 204)
    with dms.database() as db:
        rows = db.execute("SELECT action, before, after FROM audit WHERE object_id = %s ORDER BY at, id", (made,)).fetchall()
    assert [r[0] for r in rows] == ["role.create", "role.update", "role.delete"]
    assert rows[1][1]["permissions"] == ["document.read"] and rows[1][2]["permissions"] == ["search.query"]


def test_roles_of_every_route_are_named():
    """No row of the table is without a permission, and each permission that a row names exists."""
    done = subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True, env={**os.environ})
    import json
    table = json.loads(done.stdout)
    known = {line.split("(")[1].split(",")[0].strip().replace("_", ".", 1) for line in (pathlib.Path(ROOT) / "src/tbl/permissions.def").read_text().splitlines() if line.startswith("X(")}
    assert len(known) == 38
    assert {r["permission"] for r in table} <= known | {"public", "signed_in"}
