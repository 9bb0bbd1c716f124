"""Invitations: who may invite whom, one use, one address, some days; and that a refused one tells nothing."""
import re
import uuid

import pytest
from conftest import PASSWORD, at_once


def address():
    return f"guest-{uuid.uuid4().hex[:12]}@example.com"


def invite(client, email=None, role="Editor", status=201, **more):
    return client.ok("POST", "/invitations", status, json={"email": email or address(), "role": role, **more})


def accept(server, token, headers=None, **body):
    with server.http() as http:
        return http.post("/api/v1/invitations/accept", json={"token": token, **body}, headers=headers)


NEW = {"name": "Guest", "password": PASSWORD}


def problem(answer):
    return {k: v for k, v in answer.json().items() if k != "request_id"}


def test_somebody_new_is_invited_by_mail_and_joins(dms, owner):
    email = address()
    made = invite(owner, email.upper(), "Editor")
    assert made["email"] == email and made["role"] == "Editor" and made["role_id"] is None and "token" not in str(made)
    assert [i["id"] for i in owner.ok("GET", "/invitations")["items"]] == [made["id"]]
    token = dms.invitation_tokens(email)[-1]
    assert any(f"{dms.url}/accept?token={token}" in m.get_body(("plain",)).get_content() for m in dms.mails(email))
    answer = accept(dms, token, **NEW)
    assert answer.status_code == 200, answer.text
    assert answer.json()["organization"]["name"] == owner.me()["organization"]["name"] and answer.json()["role"] == "Editor"
    with dms.login(email) as guest:
        assert guest.me()["role"] == "Editor" and guest.me()["organization"]["id"] == owner.me()["organization"]["id"]
        assert guest.me()["user"]["id"] == answer.json()["user"]["id"]
        assert guest.post("/folders", json={"name": "By the guest"}).status_code == 201
        assert guest.post("/invitations", json={"email": address(), "role": "Viewer"}).status_code == 403
    assert owner.ok("GET", "/invitations")["items"] == []
    assert {m["email"]: m["role"] for m in owner.ok("GET", "/members")["items"]}[email] == "Editor"


def test_the_secret_is_stored_nowhere(dms, owner):
    email = address()
    invite(owner, email)
    token = dms.invitation_tokens(email)[-1]
    with dms.database() as db:
        for table in ("invitation", "audit"):
            rows = db.execute(f"SELECT x::text FROM {table} x").fetchall()
            assert rows and not any(token in r[0] for r in rows), table
    for log in (dms.data / "log").glob("*.log"):
        assert token not in log.read_text(errors="replace")


def test_an_account_of_another_organization_joins_with_its_password_or_signed_in(dms, owner):
    with dms.register() as one, dms.register() as two:
        for guest, proof in ((one, {"password": PASSWORD}), (two, None)):
            before = guest.me()
            invite(owner, guest.email, "Viewer")
            token = dms.invitation_tokens(guest.email)[-1]
            assert accept(dms, token).status_code == 400, "neither signed in nor a password"
            assert accept(dms, token, password="not this one").status_code == 422
            answer = accept(dms, token, **proof) if proof else accept(dms, token, headers={"Authorization": guest.headers["Authorization"]})
            assert answer.status_code == 200, answer.text
            assert answer.json()["user"]["id"] == before["user"]["id"], "no second account"
            now = guest.me()
            assert [o["role"] for o in now.pop("organizations")] == ["Owner", "Viewer"] and len(before.pop("organizations")) == 1
            assert now == before, "its session is in the first organization as before"
            with dms.login(guest.email, organization=owner.me()["organization"]["id"]) as there:
                assert there.me()["role"] == "Viewer" and there.me()["organization"]["id"] == owner.me()["organization"]["id"]


def test_BI_D17_an_invitation_that_is_no_good_tells_nothing(dms, owner):
    """Used, withdrawn, expired, replaced, of another address, never made: the same answer."""
    emails = [address() for _ in range(4)]
    ids = [invite(owner, e)["id"] for e in emails]
    used, withdrawn, expired, replaced = [dms.invitation_tokens(e)[-1] for e in emails]
    assert accept(dms, used, **NEW).status_code == 200
    assert owner.delete(f"/invitations/{ids[1]}").status_code == 204
    invite(owner, emails[3])
    newest = dms.invitation_tokens(emails[3], 2)[-1]
    with dms.database() as db:
        assert db.execute("UPDATE invitation SET expires_at = now() - interval '1 second' WHERE id = %s", (ids[2],)).rowcount == 1
    never = "A" * len(used)
    answers = [accept(dms, t, **NEW) for t in (used, withdrawn, expired, replaced, never, used[:-1], used.swapcase(), used + "x", "x")]
    assert {a.status_code for a in answers} == {422}
    assert all(problem(a) == problem(answers[0]) for a in answers)
    with dms.register() as stranger:
        invite(owner, stranger.email)
        theirs = dms.invitation_tokens(stranger.email)[-1]
        with dms.register() as another:
            foreign = accept(dms, theirs, headers={"Authorization": another.headers["Authorization"]})
        assert foreign.status_code == 422 and problem(foreign) == problem(answers[0])
        assert accept(dms, theirs, password="another password").status_code == 422
        assert accept(dms, theirs, password=PASSWORD).status_code == 200, "all that used nothing up"
    assert accept(dms, newest, **NEW).status_code == 200, "the newest is good"


def test_BI_D17_an_invitation_is_accepted_once_by_many_at_once(dms, owner):
    email = address()
    invite(owner, email)
    token = dms.invitation_tokens(email)[-1]
    answers = at_once(8, lambda i: accept(dms, token, name=f"Guest {i}", password=f"{PASSWORD} {i}"))
    assert sorted(a.status_code for a in answers) == [200] + [422] * 7
    winner = next(i for i, a in enumerate(answers) if a.status_code == 200)
    with dms.login(email, f"{PASSWORD} {winner}") as guest:
        assert guest.me()["user"]["name"] == f"Guest {winner}"


@pytest.mark.parametrize("body, field", [
    ({"email": "a@b"}, "email"), ({"email": "x" * 300 + "@example.com"}, "email"), ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
    ({"email": "ａ@example.com"}, "email"), ({"email": "раураl@example.com"}, "email"), ({"email": "a@exаmple.com"}, "email"), ({"email": None}, "email"),
    ({"email": "a@example.com,b@example.com"}, "email"), ({"email": "<a@example.com>"}, "email"), ({"email": "a\u202e@example.com"}, "email"),
    ({"role": "owner"}, "role"), ({"role": "Custom"}, "role"), ({"role": "Root"}, "role"), ({"role": ""}, "role"), ({"role": None}, "role"),
    ({"role": 1}, "role"), ({"role": ["Owner"]}, "role"), ({"role_id": str(uuid.uuid4())}, "role_id"), ({"role": None, "role_id": "x"}, "role_id"),
    ({"tenant_id": str(uuid.uuid4())}, "tenant_id"), ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
])
def test_what_is_wrong_with_an_invitation_is_said(dms, owner, body, field):
    answer = owner.post("/invitations", json={"email": address(), "role": "Viewer", **body})
    assert answer.status_code == 400, answer.text
    assert field in [e["field"] for e in answer.json()["errors"]]
    assert owner.ok("GET", "/invitations")["items"] == []


def test_an_unknown_role_of_our_own_is_not_found(dms, owner):
    with dms.register() as other:
        theirs = other.ok("POST", "/roles", 201, json={"name": "Theirs", "permissions": ["document.read"]})["id"]
    answers = [owner.post("/invitations", json={"email": address(), "role_id": i}) for i in (theirs, str(uuid.uuid4()))]
    assert [a.status_code for a in answers] == [404, 404] and problem(answers[0]) == problem(answers[1])


def test_members_are_not_invited_again_and_an_open_invitation_is_replaced(dms, owner):
    with owner.member("Viewer") as member:
        answer = owner.post("/invitations", json={"email": member.email, "role": "Admin"})
        assert answer.status_code == 409 and "member" in answer.json()["detail"]
    email = address()
    first = invite(owner, email, "Viewer")
    second = invite(owner, email, "Editor")
    assert [i["id"] for i in owner.ok("GET", "/invitations")["items"]] == [second["id"]] and first["id"] != second["id"]


def test_nobody_invites_above_themselves(dms, owner):
    with owner.member("Admin") as admin:
        assert admin.post("/invitations", json={"email": address(), "role": "Owner"}).status_code == 403
        assert admin.post("/invitations", json={"email": address(), "role": "Admin"}).status_code == 201
        role = owner.ok("POST", "/roles", 201, json={"name": "Treasurer", "permissions": ["billing.manage"]})["id"]
        assert admin.post("/invitations", json={"email": address(), "role_id": role}).status_code == 403
    with owner.api_key(["member.invite", "document.read"]) as key:
        assert key.post("/invitations", json={"email": address(), "role": "Viewer"}).status_code == 403
        assert key.post("/invitations", json={"email": address(), "role": "API_Only"}).status_code == 201


def test_what_a_lowered_or_removed_member_has_invited_is_withdrawn(dms, owner):
    for act in ("lower", "remove"):
        with owner.member("Admin") as admin:
            email, user = address(), admin.me()["user"]["id"]
            invite(admin, email, "Admin")
            token = dms.invitation_tokens(email)[-1]
            if act == "lower":
                owner.ok("PATCH", f"/members/{user}", 200, json={"role": "Viewer"})
            else:
                owner.ok("DELETE", f"/members/{user}", 204)
            assert accept(dms, token, **NEW).status_code == 422, act


def test_an_address_is_not_flooded(dms, owner):
    email = address()
    statuses = [owner.post("/invitations", json={"email": email, "role": "Viewer"}).status_code for _ in range(6)]
    assert statuses == [201] * 5 + [429]
    assert owner.post("/invitations", json={"email": address(), "role": "Viewer"}).status_code == 201


def test_open_invitations_have_an_end(start_dms):
    server = start_dms(env={"DMS_INVITATIONS_MAX": "3", "DMS_INVITATION_DAYS": "1"})
    with server.register() as owner:
        made = [invite(owner) for _ in range(3)]
        answer = owner.post("/invitations", json={"email": address(), "role": "Viewer"})
        assert answer.status_code == 422 and "3" in answer.json()["detail"]
        owner.ok("DELETE", f"/invitations/{made[0]['id']}", 204)
        invite(owner)
    with server.database() as db:
        assert db.execute("SELECT bool_and(expires_at - created_at = interval '1 day') FROM invitation").fetchone()[0]


def test_invitations_are_listed_page_by_page_and_withdrawn_once(dms, owner):
    made = [invite(owner)["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = owner.ok("GET", "/invitations", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [i["id"] for i in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == made
    assert owner.delete(f"/invitations/{made[0]}").status_code == 204
    assert owner.delete(f"/invitations/{made[0]}").status_code == 404
    assert owner.delete(f"/invitations/{uuid.uuid4()}").status_code == 404


def test_accepting_needs_what_a_newcomer_has_to_say(dms, owner):
    email = address()
    invite(owner, email)
    token = dms.invitation_tokens(email)[-1]
    for body in ({}, {"name": "Only"}, {"password": PASSWORD}, {"name": "N", "password": "short"}, {"name": "N", "password": email},
                 {"name": "N\u202e", "password": PASSWORD}, {**NEW, "role": "Owner"}, {**NEW, "email": address()}):
        assert accept(dms, token, **body).status_code == 400, body
    assert accept(dms, token, **NEW).status_code == 200


def test_api_only_members_join_and_cannot_sign_in(dms, owner):
    email = address()
    invite(owner, email, "API_Only")
    assert accept(dms, dms.invitation_tokens(email)[-1], **NEW).status_code == 200
    with dms.http() as http:
        answer = http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 403 and "API" in answer.json()["detail"]


def test_the_mail_holds_no_line_break_of_a_name(dms):
    """A name cannot be a header: it is refused at the door, so that what stands in the subject is one line."""
    with dms.register(organization="Ａ&B <b>\"quoted\"</b>") as owner:
        email = address()
        invite(owner, email)
        dms.invitation_tokens(email)[-1]
        message = dms.mails(email)[-1]
        assert not re.search(r"[\r\n]", str(message["Subject"])) and message["To"] and email in str(message["To"])


def test_BI_N10_each_link_is_listed_and_ends_with_its_withdrawal(dms, owner):
    """Invitations are the links that somebody makes for others; one that another has replaced is no link any more."""
    def listed():
        return [i["id"] for i in owner.ok("GET", "/invitations", params={"limit": 100})["items"]]
    guest = address()
    ids = [invite(owner, guest)["id"] for _ in range(2)]
    tokens = dms.invitation_tokens(guest, 2)
    assert ids[1] in listed() and (ids[0] == ids[1] or ids[0] not in listed()), "none works that is not listed"
    assert accept(dms, tokens[0], **NEW).status_code == 422
    assert owner.delete(f"/invitations/{ids[1]}").status_code == 204
    assert accept(dms, tokens[1], **NEW).status_code == 422 and ids[1] not in listed(), "at once"
