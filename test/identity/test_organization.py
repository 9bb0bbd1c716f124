"""The organization: its settings, members that come and go, groups, handing it over, deleting it and taking that back."""
import threading
import uuid

import pytest
from conftest import PASSWORD, meet, wait_for

SOON = 5  # seconds: what the service promises
ERASED = 60


def id_of(client):
    return client.me()["user"]["id"]


def tenant_of(client):
    return client.me()["organization"]["id"]


def members(client):
    return {m["email"]: m for m in client.ok("GET", "/members", params={"limit": 100})["items"]}


def join(server, owner, email, role="Viewer", **body):
    before = sum("/accept?token=" in m.get_body(("plain",)).get_content() for m in server.mails(email))
    owner.ok("POST", "/invitations", 201, json={"email": email, "role": role})
    token = server.invitation_tokens(email, before + 1)[-1]
    with server.http() as http:
        answer = http.post("/api/v1/invitations/accept", json={"token": token, "password": PASSWORD, **body})
    assert answer.status_code == 200, answer.text


# --- settings and use ---


def test_the_organization_is_read_and_changed(dms, owner):
    answer = owner.get("/organization")
    assert answer.json()["name"] == owner.me()["organization"]["name"] and answer.json()["deletes_at"] is None
    changed = owner.patch("/organization", json={"name": "Another name"}, headers={"If-Match": answer.headers["etag"]})
    assert changed.status_code == 200 and changed.json()["name"] == "Another name" and changed.json()["require_mfa"] is False
    assert owner.me()["organization"]["name"] == "Another name"
    assert owner.patch("/organization", json={"name": "Stale"}, headers={"If-Match": answer.headers["etag"]}).status_code == 412
    with owner.member("Editor") as editor:
        assert editor.ok("GET", "/organization")["name"] == "Another name"
        assert editor.patch("/organization", json={"name": "Mine"}).status_code == 403
    for body in ({"name": ""}, {"name": "x" * 201}, {"name": "a\u202e"}, {"plan": "enterprise"}, {"require_mfa": "yes"}, {"deletes_at": None}):
        assert owner.patch("/organization", json=body).status_code == 400, body
    with dms.database() as db:
        action, before, after = db.execute("SELECT action, before, after FROM audit WHERE tenant_id = %s AND action = 'organization.update'", (tenant_of(owner),)).fetchone()
    assert before["name"] != "Another name" and after["name"] == "Another name"


def test_what_is_used_of_the_plan(start_dms):
    server = start_dms(env={"DMS_DEFAULT_PLAN": "free"})
    with server.register() as owner:
        before = owner.ok("GET", "/organization/usage")
        assert before["plan"] == "free" and before["documents"] == before["bytes"] == 0 and before["members"] == 1
        assert before["limits"] == {"file_bytes": 104857600, "documents": 100, "bytes": 1073741824, "requests_per_minute": 100, "searches_per_minute": 50,
                                    "documents_per_hour": 10}
        owner.upload("12345", name="five.txt")
        after = owner.ok("GET", "/organization/usage")
        assert (after["documents"], after["bytes"]) == (1, 5)
        with owner.member("Editor") as editor:
            assert editor.get("/organization/usage").status_code == 403


def test_an_unlimited_plan_has_no_limits(owner):
    limits = owner.ok("GET", "/organization/usage")["limits"]
    assert {k for k, v in limits.items() if v is None} == {"documents", "bytes", "requests_per_minute", "searches_per_minute", "documents_per_hour"}


# --- members ---


def test_members_are_listed_page_by_page(owner):
    people = [owner] + [owner.member(r) for r in ("Admin", "Editor", "Viewer")]
    seen, cursor = [], None
    while True:
        page = owner.ok("GET", "/members", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert [m["email"] for m in seen] == [p.email for p in people]
    assert [m["role"] for m in seen] == [m["role_name"] for m in seen] == ["Owner", "Admin", "Editor", "Viewer"]
    assert all(m["last_sign_in_at"] and m["created_at"] and m["role_id"] is None and m["mfa"] is False for m in seen)
    with people[3] as viewer:
        assert members(viewer).keys() == members(owner).keys()
    for p in people[1:3]:
        p.close()


def test_BI_D08_a_removed_member_is_out_and_what_they_made_stays(dms, owner):
    with owner.member("Editor") as editor, dms.login(editor.email) as elsewhere:
        document = editor.upload("Made by somebody who leaves.", name="stays.txt")
        editor.wait_processed(document["id"])
        user = id_of(editor)
        admin = owner.member("Admin")
        give = owner.ok("PATCH", f"/members/{user}", 200, json={"role": "Admin"})
        assert give["role"] == "Admin"
        wait_for(lambda: "apikey.manage" in editor.me()["permissions"], SOON, "the role")
        key = editor.api_key(["document.read"])
        assert key.get("/documents").status_code == elsewhere.get("/documents").status_code == 200
        admin.ok("DELETE", f"/members/{user}", 204)
        for client in (editor, elsewhere, key):
            assert client.get("/documents").status_code == 401, "at once where it was removed"
        assert editor.post("/auth/refresh", json={"refresh_token": editor.tokens["refresh_token"]}).status_code == 401
        with dms.http() as http:
            assert http.post("/api/v1/auth/login", json={"email": editor.email, "password": PASSWORD}).status_code == 401
        assert editor.email not in members(owner)
        shown = owner.ok("GET", f"/documents/{document['id']}")
        assert shown["owner"] == {"id": user, "name": "Editor"}
        assert owner.patch(f"/members/{user}", json={"role": "Viewer"}).status_code == 404
        assert owner.delete(f"/members/{user}").status_code == 404
        wait_for(lambda: any("removed" in str(m["Subject"]).lower() or "member" in str(m["Subject"]).lower() for m in dms.mails(editor.email)), 20, "the mail that tells")
        assert "removed" in dms.run("admin", "users", tenant_of(owner)).stdout
        # and back again: the same person, with what the new invitation says
        join(dms, owner, editor.email, "Viewer")
        assert members(owner)[editor.email]["user_id"] == user and members(owner)[editor.email]["role"] == "Viewer"
        assert elsewhere.get("/documents").status_code == 401 and key.get("/documents").status_code == 401, "what ended stays ended"
        with dms.login(editor.email) as again:
            assert again.me()["role"] == "Viewer" and again.get(f"/documents/{document['id']}").status_code == 200
        admin.close()
        key.close()


def test_BI_D08_a_removal_elsewhere_is_seen_in_time(dms, owner):
    """As another replica would do it: this one hears of it by looking at the credential again."""
    with owner.member("Editor") as editor:
        assert editor.get("/documents").status_code == 200
        with dms.database() as db:
            assert db.execute("UPDATE membership SET removed_at = now() WHERE user_id = %s", (id_of(editor),)).rowcount == 1
        wait_for(lambda: editor.get("/documents").status_code == 401, SOON, "the member to be out")
        assert editor.post("/auth/refresh", json={"refresh_token": editor.tokens["refresh_token"]}).status_code == 401
        with dms.http() as http:
            assert http.post("/api/v1/auth/login", json={"email": editor.email, "password": PASSWORD}).status_code == 401


def test_who_may_remove_whom(owner):
    with owner.member("Admin") as admin, owner.member("Viewer") as viewer, owner.member("Editor") as editor:
        assert editor.delete(f"/members/{id_of(viewer)}").status_code == 403
        assert editor.delete(f"/members/{uuid.uuid4()}").status_code == 403, "unknown and known alike"
        assert admin.delete(f"/members/{id_of(owner)}").status_code == 403
        assert admin.patch(f"/members/{id_of(owner)}", json={"role": "Viewer"}).status_code == 403
        assert admin.delete(f"/members/{uuid.uuid4()}").status_code == 404
        assert viewer.delete(f"/members/{id_of(viewer)}").status_code == 204, "everybody may leave"
        assert viewer.get("/documents").status_code == 401
        assert admin.delete(f"/members/{id_of(editor)}").status_code == 204
        with admin.api_key(["document.read"]) as key:
            assert key.delete(f"/members/{id_of(admin)}").status_code == 403, "a key does not leave for its holder"


def test_the_last_owner_stays(owner):
    mine = id_of(owner)
    answer = owner.delete(f"/members/{mine}")
    assert answer.status_code == 409 and "Owner" in answer.json()["detail"]
    assert owner.patch(f"/members/{mine}", json={"role": "Admin"}).status_code == 409
    assert owner.patch(f"/members/{mine}", json={"role": "Owner"}).status_code == 200, "which changes nothing"
    with owner.member("Viewer") as second:
        owner.ok("PATCH", f"/members/{id_of(second)}", 200, json={"role": "Owner"})
        owner.ok("DELETE", f"/members/{mine}", 204)
        wait_for(lambda: "billing.manage" in second.me()["permissions"], SOON, "the second Owner")
        assert second.delete(f"/members/{id_of(second)}").status_code == 409


def test_BI_N13_of_two_owners_who_leave_at_once_one_stays(dms):
    for _ in range(2):
        with dms.register() as one, one.member("Viewer") as two:
            one.ok("PATCH", f"/members/{id_of(two)}", 200, json={"role": "Owner"})
            wait_for(lambda: "billing.manage" in two.me()["permissions"], SOON, "two Owners")
            tenant, pairs = tenant_of(one), [(one, id_of(one)), (two, id_of(two))]
            answers = meet(dms, tenant, 2, lambda i: pairs[i][0].delete(f"/members/{pairs[i][1]}"))
            assert sorted(a.status_code for a in answers) == [204, 409], [a.text for a in answers]
            with dms.database() as db:
                assert db.execute("SELECT count(*) FROM membership WHERE tenant_id = %s AND role = 'Owner' AND removed_at IS NULL", (tenant,)).fetchone()[0] == 1


def test_BI_N13_a_member_who_is_removed_writes_nothing_afterwards(dms, owner):
    """Writes while the removal happens: once it is answered, none of this member's begins to count."""
    with owner.member("Editor") as editor:
        user, stop, made = id_of(editor), threading.Event(), []

        def write():
            with dms.http() as http:
                while not stop.is_set():
                    answer = http.post("/api/v1/folders", json={"name": uuid.uuid4().hex}, headers=editor.headers)
                    made.append(answer.status_code)
        threads = [threading.Thread(target=write) for _ in range(4)]
        [t.start() for t in threads]
        wait_for(lambda: made.count(201) > 20, 30, "writes under way")
        owner.ok("DELETE", f"/members/{user}", 204)
        wait_for(lambda: 401 in made, SOON, "the end of the writes")
        stop.set()
        [t.join() for t in threads]
        with dms.database() as db:
            late = db.execute("SELECT count(*) FROM folder f JOIN membership m ON m.tenant_id = f.tenant_id AND m.user_id = f.created_by"
                              " WHERE f.created_by = %s AND f.created_at > m.removed_at + interval '5 s'", (user,)).fetchone()[0]
        assert late == 0 and set(made) == {201, 401}


def test_BI_N06_a_person_of_two_organizations_is_in_one_at_a_time(dms, owner):
    with dms.register() as person:
        join(dms, owner, person.email, "Viewer")
        mine = person.upload("Text of the person's own.", name="own.txt")
        theirs = owner.upload("Text of the other organization.", name="theirs.txt")
        with dms.login(person.email, organization=tenant_of(owner)) as there, dms.login(person.email, organization=person.me()["organization"]["name"]) as here:
            assert there.me()["role"] == "Viewer" and here.me()["role"] == "Owner"
            assert there.get(f"/documents/{theirs['id']}").status_code == 200 and there.get(f"/documents/{mine['id']}").status_code == 404
            assert here.get(f"/documents/{mine['id']}").status_code == 200 and here.get(f"/documents/{theirs['id']}").status_code == 404
            assert there.post("/folders", json={"name": "x"}).status_code == 403 and here.post("/folders", json={"name": "x"}).status_code == 201
            owner.ok("DELETE", f"/members/{id_of(person)}", 204)
            assert there.get("/documents").status_code == 401 and here.get("/documents").status_code == 200, "and stays in the other"
        with dms.http() as http:
            body = {"email": person.email, "password": PASSWORD, "organization": tenant_of(owner)}
            assert http.post("/api/v1/auth/login", json=body).status_code == 401


def test_BI_N05_organizations_of_one_name_are_two(dms):
    name = f"Same {uuid.uuid4().hex}"
    with dms.register(organization=name) as one, dms.register(organization=name) as two:
        document = one.upload("Only the first one's.", name="first.txt")
        assert tenant_of(one) != tenant_of(two)
        assert two.get(f"/documents/{document['id']}").status_code == 404 and two.ok("GET", "/documents")["items"] == []
        with dms.login(two.email, organization=name) as again:
            assert tenant_of(again) == tenant_of(two)
        made = [c.ok("POST", "/groups", 201, json={"name": "Same"})["id"] for c in (one, two)]
        one.ok("PUT", f"/groups/{made[0]}/members/{id_of(one)}", 204)
        assert two.ok("GET", f"/groups/{made[1]}/members")["items"] == []
        assert two.get(f"/groups/{made[0]}").status_code == 404
        assert two.put(f"/groups/{made[1]}/members/{id_of(one)}").status_code == 404
        assert members(two).keys() == {two.email}


# --- groups ---


def test_groups(owner):
    made = owner.post("/groups", json={"name": "Board"})
    group = made.json()
    assert made.status_code == 201 and made.headers["location"].endswith(group["id"])
    assert owner.post("/groups", json={"name": "Board"}).status_code == 409
    with owner.member("Viewer") as viewer:
        user = id_of(viewer)
        path = f"/groups/{group['id']}/members/{user}"
        for _ in range(2):
            assert owner.put(path).status_code == 204
        assert viewer.ok("GET", f"/groups/{group['id']}/members")["items"] == [{"user_id": user, "name": "Viewer", "email": viewer.email}]
        for answer in (viewer.put(path), viewer.delete(path), viewer.post("/groups", json={"name": "V"}), viewer.delete(f"/groups/{group['id']}")):
            assert answer.status_code == 403
        assert owner.delete(path).status_code == 204 and owner.delete(path).status_code == 404
        owner.ok("PUT", path, 204)
        owner.ok("DELETE", f"/members/{user}", 204)
        assert owner.ok("GET", f"/groups/{group['id']}/members")["items"] == [], "who leaves is in no group"
        assert owner.put(path).status_code == 404
    renamed = owner.patch(f"/groups/{group['id']}", json={"name": "Council"}, headers={"If-Match": made.headers["etag"]})
    assert renamed.status_code == 200 and renamed.json()["name"] == "Council"
    assert owner.patch(f"/groups/{group['id']}", json={"name": "Stale"}, headers={"If-Match": made.headers["etag"]}).status_code == 412
    assert owner.ok("GET", f"/groups/{group['id']}")["name"] == "Council"
    assert owner.delete(f"/groups/{group['id']}").status_code == 204 and owner.get(f"/groups/{group['id']}").status_code == 404
    assert owner.get(f"/groups/{group['id']}/members").status_code == 404
    for body in ({"name": ""}, {"name": "x" * 201}, {}, {"name": "n", "id": str(uuid.uuid4())}):
        assert owner.post("/groups", json=body).status_code == 400, body


def test_groups_are_listed_by_name_page_by_page(owner):
    names = sorted(f"{c} group | {c}" for c in "dbaec")
    for n in reversed(names):
        owner.ok("POST", "/groups", 201, json={"name": n})
    seen, cursor = [], None
    while True:
        page = owner.ok("GET", "/groups", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [g["name"] for g in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == names


# --- handing over, deleting ---


def test_an_owner_hands_the_organization_over(dms, owner):
    with owner.member("Editor") as heir, owner.member("Admin") as admin:
        body = {"user_id": id_of(heir)}
        assert admin.post("/organization/transfer", json=body).status_code == 403
        with owner.api_key(["organization.update"]) as key:
            assert key.post("/organization/transfer", json=body).status_code == 403
        assert owner.post("/organization/transfer", json={"user_id": str(uuid.uuid4())}).status_code == 404
        assert owner.post("/organization/transfer", json={"user_id": "me"}).status_code == 400
        assert owner.post("/organization/transfer", json={"user_id": id_of(owner)}).status_code == 409
        owner.ok("POST", "/organization/transfer", 204, json=body)
        assert {m["email"]: m["role"] for m in members(heir).values()} == {owner.email: "Admin", heir.email: "Owner", admin.email: "Admin"}
        wait_for(lambda: owner.post("/organization/transfer", json=body).status_code == 403, SOON, "the giver to be Admin")
        wait_for(lambda: "billing.manage" in heir.me()["permissions"], SOON, "the new Owner")
        with dms.database() as db:
            assert db.execute("SELECT count(*) FROM audit WHERE tenant_id = %s AND action = 'organization.transfer'", (tenant_of(heir),)).fetchone()[0] == 1


def test_BI_N13_an_organization_is_handed_over_once(dms):
    with dms.register() as owner, owner.member("Viewer") as one, owner.member("Viewer") as two:
        heirs = [id_of(one), id_of(two)]
        answers = meet(dms, tenant_of(owner), 2, lambda i: owner.post("/organization/transfer", json={"user_id": heirs[i]}))
        assert sorted(a.status_code for a in answers) == [204, 403]
        assert sorted(m["role"] for m in members(one).values()) == ["Admin", "Owner", "Viewer"]


def test_deleting_has_a_grace_in_which_owners_restore(dms):
    with dms.register() as owner, owner.member("Admin") as admin:
        name, document = owner.me()["organization"]["name"], owner.upload("Kept for now.", name="kept.txt")
        key = admin.api_key(["document.read"])
        assert admin.request("DELETE", "/organization", json={"name": name}).status_code == 403
        wrong = owner.request("DELETE", "/organization", json={"name": name.upper() + "?"})
        assert wrong.status_code == 422 and owner.ok("GET", "/organization")["deletes_at"] is None
        assert owner.delete("/organization").status_code == 400, "without the name"
        assert owner.post("/organization/restore").status_code == 409
        closing = owner.ok("DELETE", "/organization", 200, json={"name": name})
        assert closing["deletes_at"]
        for client in (admin, key):
            wait_for(lambda: client.get("/documents").status_code == 403, SOON, "everybody else to be out")
            assert "deleted" in client.get("/documents").json()["detail"]
        wait_for(lambda: owner.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 403, SOON, "no more writes")
        assert owner.ok("GET", "/organization")["deletes_at"] == closing["deletes_at"]
        assert owner.get(f"/documents/{document['id']}").status_code == 200
        assert owner.get(f"/documents/{document['id']}/content").content == b"Kept for now."
        for answer in (owner.patch("/organization", json={"name": "x"}), owner.patch(f"/documents/{document['id']}", json={"title": "x"}), owner.post("/search", json={"query": "kept"}),
                       owner.post("/invitations", json={"email": "x@example.com", "role": "Viewer"}), owner.request("DELETE", "/organization", json={"name": name})):
            assert answer.status_code == 403, answer.text
        assert admin.post("/organization/restore").status_code == 403
        wait_for(lambda: any("token" not in str(m) and name in m.get_body(("plain",)).get_content() for m in dms.mails(owner.email)), 20, "a mail that says so")
        assert owner.ok("POST", "/organization/restore", 200)["deletes_at"] is None
        wait_for(lambda: owner.post("/folders", json={"name": uuid.uuid4().hex}).status_code == 201, SOON, "everything as before")
        wait_for(lambda: admin.get("/documents").status_code == 200 and key.get("/documents").status_code == 200, SOON, "everybody back")
        key.close()


def test_after_the_grace_all_rows_are_gone_and_nobody_elses(dms):
    """Through the worker; blobs are another matter."""
    with dms.register() as owner, dms.register() as other:
        kept = other.upload("# Otter\n\nThe other organization's otter stays.", name="otter.md")
        other.wait_processed(kept["id"])
        folder = owner.ok("POST", "/folders", 201, json={"name": "Top"})
        below = owner.ok("POST", "/folders", 201, json={"name": "Below", "parent_id": folder["id"]})
        document = owner.upload("# Otter\n\nThis otter goes.", name="gone.md", folder_id=below["id"])
        owner.wait_processed(document["id"])
        viewer = owner.member("Viewer")
        join(dms, other, viewer.email, "Viewer")
        role = owner.ok("POST", "/roles", 201, json={"name": "R", "permissions": ["document.read"]})["id"]
        owner.ok("PATCH", f"/members/{id_of(viewer)}", 200, json={"role_id": role})
        group = owner.ok("POST", "/groups", 201, json={"name": "G"})["id"]
        owner.ok("PUT", f"/groups/{group}/members/{id_of(viewer)}", 204)
        owner.ok("POST", "/invitations", 201, json={"email": f"{uuid.uuid4().hex}@example.com", "role_id": role})
        owner.api_key(["document.read"]).close()
        tenant, others, mine, theirs = tenant_of(owner), tenant_of(other), id_of(owner), viewer.email
        with dms.database() as db:
            tables = [r[0] for r in db.execute("SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                                               " WHERE c.relnamespace IN ('dms'::regnamespace, 'kw'::regnamespace) AND c.relkind IN ('r', 'p')"
                                               " AND a.attname = 'tenant_id' AND NOT a.attisdropped").fetchall()]

            def rows(of):
                return {t: n for t in tables if (n := db.execute(f"SELECT count(*) FROM {t} WHERE tenant_id = %s", (of,)).fetchone()[0])}
            before, kept_rows = rows(tenant), rows(others)
            assert {"document", "chunk", "membership", "folder", "role", "group_member", "invitation", "audit"} <= set(before)
            owner.ok("DELETE", "/organization", 200, json={"name": owner.me()["organization"]["name"]})
            db.execute("UPDATE tenant SET deletes_at = now() WHERE tenant_id = %s", (tenant,))
            wait_for(lambda: rows(tenant) == {}, ERASED, "the rows to be gone")
            moving = ("job", "job_event", "session", "delta", "stat", "passages")  # by themselves: signing in, folding, sealing
            unchanged = {t for t in kept_rows if t.split(".")[-1] not in moving and not t.split(".")[-1].startswith("audit")}
            after = rows(others)
            assert {t: after.get(t) for t in unchanged} == {t: kept_rows[t] for t in unchanged}
            assert db.execute("SELECT count(*) FROM person WHERE id = %s", (mine,)).fetchone()[0] == 0, "who belongs nowhere else"
            assert db.execute("SELECT count(*) FROM person WHERE email = %s", (theirs,)).fetchone()[0] == 1
        assert owner.get("/auth/me").status_code == 401
        with dms.login(theirs) as elsewhere:
            assert tenant_of(elsewhere) == others
        assert other.search("otter")["items"][0]["document_id"] == kept["id"]
        with dms.register(email_address=owner.email) as again:
            assert again.ok("GET", "/documents")["items"] == []
        viewer.close()


def test_restoring_comes_too_late_after_the_grace(start_dms):
    server = start_dms(env={"DMS_ORGANIZATION_GRACE": "0"})
    with server.register() as owner:
        name = owner.me()["organization"]["name"]
        owner.ok("DELETE", "/organization", 200, json={"name": name})
        assert owner.post("/organization/restore").status_code in (401, 409)
        wait_for(lambda: owner.get("/auth/me").status_code == 401, ERASED, "the organization to be gone")


@pytest.mark.parametrize("body", [None, {}, {"name": 1}, {"name": None}, {"name": "x", "sure": True}])
def test_deleting_takes_exactly_the_name(owner, body):
    assert owner.request("DELETE", "/organization", json=body).status_code == 400


def test_demo_people_have_their_roles(start_dms):
    server = start_dms("--demo")
    lines = wait_for(lambda: [line.split() for line in server.log().splitlines() if line.startswith("demo ") and "@demo.test" in line], 60, "the demo's people")
    for _, address, password, role in lines:
        with server.http() as http:
            answer = http.post("/api/v1/auth/login", json={"email": address, "password": password})
        assert answer.status_code == (403 if role == "API_Only" else 200), (address, answer.text)
    assert {line[3] for line in lines} == {"Owner", "Admin", "Editor", "Viewer", "API_Only"}
