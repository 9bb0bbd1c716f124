"""Accounts, sessions, tokens, API keys, as far as the first version has them."""
import base64
import json
import time
import uuid

import pytest
from conftest import PASSWORD, wait_for


def test_register_answers_the_same_for_a_known_address(dms):
    body = {"email": f"known-{uuid.uuid4().hex}@example.com", "password": PASSWORD, "name": "K", "organization": "Org"}
    with dms.http() as http:
        first, second = (http.post("/api/v1/auth/register", json=body) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json().keys() == second.json().keys() and first.json()["user"]["id"] != second.json()["user"]["id"]
    assert first.json()["verification"] == "sent"
    wait_for(lambda: len(dms.mails(body["email"])) == 2, 5, "both mails")
    assert "already" in str(dms.mails(body["email"])[-1]["Subject"])


def test_the_link_in_the_mail_verifies(start_dms):
    server = start_dms(env={"DMS_REQUIRE_VERIFIED_EMAIL": "true"})
    address = "verify@example.com"
    with server.http() as http:
        http.post("/api/v1/auth/register", json={"email": address, "password": PASSWORD, "name": "V", "organization": "Org"})
        login = {"email": address, "password": PASSWORD}
        assert http.post("/api/v1/auth/login", json=login).status_code == 403
        token = server.mail_token(address)
        assert http.post("/api/v1/auth/verify", json={"token": token[:-1] + ("0" if token[-1] != "0" else "1")}).status_code == 422
        assert http.post("/api/v1/auth/verify", json={"token": token}).status_code == 204
        assert http.post("/api/v1/auth/login", json=login).status_code == 200


@pytest.mark.parametrize("change", [{"email": "no-at"}, {"email": "two@@example.com"}, {"email": "a@b"}, {"email": "x" * 250 + "@example.com"},
                                    {"email": "new\r\nline@example.com"}, {"password": "short"}, {"password": "x" * 129}, {"name": ""},
                                    {"organization": None}, {"password": 12345678}, {"admin": True}, {"name": "right\u202eto left"}, {"name": "nul\u0000"}])
def test_BI_A08_A09_A20_register_refuses_what_is_wrong(dms, change):
    body = {"email": f"x-{uuid.uuid4().hex}@example.com", "password": PASSWORD, "name": "N", "organization": "O", **change}
    with dms.http() as http:
        answer = http.post("/api/v1/auth/register", json=body)
    assert answer.status_code == 400 and answer.json()["code"] == "validation_error"
    if "\u0000" not in json.dumps(change) and "\\u0000" not in json.dumps(change):
        assert next(iter(change)) in [e["field"] for e in answer.json()["errors"]]


def test_sign_in_refuses_alike(dms, owner):
    with dms.http() as http:
        wrong = http.post("/api/v1/auth/login", json={"email": owner.email, "password": "wrong password"})
        unknown = http.post("/api/v1/auth/login", json={"email": "nobody@example.com", "password": "wrong password"})
    assert wrong.status_code == unknown.status_code == 401
    for answer in (wrong, unknown):
        assert "bearer" in answer.headers["www-authenticate"].lower()
    assert {k: v for k, v in wrong.json().items() if k != "request_id"} == {k: v for k, v in unknown.json().items() if k != "request_id"}


def segments(token):
    return [json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in token.split(".")[:2]]


def encode(v):
    return base64.urlsafe_b64encode(json.dumps(v, separators=(",", ":")).encode()).rstrip(b"=").decode()


def test_the_token_says_what_the_contract_says(owner):
    header, claims = segments(owner.tokens["access_token"])
    assert header["alg"] == "EdDSA" and header["typ"] == "at+jwt" and header["kid"]
    assert {"iss", "aud", "sub", "tid", "role", "sid", "jti", "iat", "nbf", "exp"} <= set(claims)
    assert claims["exp"] - claims["iat"] == 900 == owner.tokens["expires_in"]


def test_BI_D_damaged_tokens_are_refused(dms, owner):
    good = owner.tokens["access_token"]
    head, body, signature = good.split(".")
    header, claims = segments(good)
    bad = {
        "D01 none": f"{encode({**header, 'alg': 'none'})}.{body}.",
        "D01 None": f"{encode({**header, 'alg': 'None'})}.{body}.{signature}",
        "D01 no signature": f"{head}.{body}.",
        "D02 cut": good[:-2],
        "D02 flipped": f"{head}.{body}.{('A' if signature[0] != 'A' else 'B') + signature[1:]}",
        "D02 padded": good + "=",
        "D02 space": good[:-3] + " " + good[-3:],
        "D02 trailing bits": good[:-1] + chr(ord(good[-1]) + 1),
        "D03 kid": f"{encode({**header, 'kid': '../../etc/passwd'})}.{body}.{signature}",
        "D04 jku": f"{encode({**header, 'jku': 'http://evil.example/keys'})}.{body}.{signature}",
        "D05 HS256": f"{encode({**header, 'alg': 'HS256'})}.{body}.{signature}",
        "D06 exp": f"{head}.{encode({**claims, 'exp': 10**18})}.{signature}",
        "D08 tenant": f"{head}.{encode({**claims, 'tid': str(uuid.uuid4())})}.{signature}",
        "D09 long": good + "A" * 65536,
        "parts": f"{good}.{signature}",
        "empty": "",
        "json": json.dumps({"protected": head, "payload": body, "signature": signature}),
        "refresh token": owner.tokens["refresh_token"],
    }
    with dms.http() as http:
        for name, token in bad.items():
            answer = http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}".strip()})
            assert answer.status_code in ((401, 431) if name == "D09 long" else (401,)), (name, answer.status_code)
        assert http.get("/api/v1/auth/me", headers={"Authorization": f"Basic {good}"}).status_code == 401
        assert http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {good}", "X-API-Key": "dms_dev_sk_x"}).status_code == 400
        assert http.get(f"/api/v1/auth/me?access_token={good}").status_code == 401


def test_refresh_rotates_and_reuse_ends_the_session(start_dms):
    server = start_dms(env={"DMS_REFRESH_GRACE": "0"})
    with server.register() as client:
        first = client.tokens["refresh_token"]
        second = client.ok("POST", "/auth/refresh", 200, json={"refresh_token": first})["refresh_token"]
        assert second != first
        assert client.post("/auth/refresh", json={"refresh_token": first}).status_code == 401
        assert client.post("/auth/refresh", json={"refresh_token": second}).status_code == 401, "the whole family is out"
        assert client.get("/auth/me").status_code == 401


def test_refresh_answers_again_within_the_grace(dms):
    with dms.register() as client:
        first = client.tokens["refresh_token"]
        second = client.ok("POST", "/auth/refresh", 200, json={"refresh_token": first})["refresh_token"]
        third = client.ok("POST", "/auth/refresh", 200, json={"refresh_token": first})["refresh_token"]
        assert len({first, second, third}) == 3
        client.ok("POST", "/auth/refresh", 200, json={"refresh_token": third})
        assert client.get("/auth/me").status_code == 200


def test_sign_out_is_at_once(dms):
    with dms.register() as client:
        assert client.post("/auth/logout", json={}).status_code == 204
        assert client.get("/auth/me").status_code == 401
        assert client.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]}).status_code == 401


def test_sign_out_everywhere(dms):
    with dms.register() as one, dms.login(one.email) as two:
        assert two.get("/auth/me").status_code == 200
        assert one.post("/auth/logout", json={"all": True}).status_code == 204
        assert two.get("/auth/me").status_code == 401


def test_api_keys_have_their_scopes_and_nothing_else(dms, owner):
    with owner.api_key(["document.read"]) as key:
        assert key.get("/documents").status_code == 200
        assert key.post("/folders", json={"name": "x"}).status_code == 403
        assert key.get("/api-keys").status_code == 403
        assert key.ok("GET", "/auth/me")["permissions"] == ["document.read"]
        shown = owner.ok("GET", "/api-keys")["items"]
        assert len(shown) == 1 and "key" not in shown[0] and key.headers["X-API-Key"].startswith(shown[0]["prefix"])
        assert owner.delete(f"/api-keys/{shown[0]['id']}").status_code == 204
        assert key.get("/documents").status_code == 401, "a revoked key is out at once"


TRUST_SECONDS = 5  # what the service promises; the setting auth_cache_ms is 3 s


def test_what_changes_in_the_database_is_seen_by_those_who_were_known(dms):
    """Another replica's change: this one hears of it by looking at the credential again."""
    with dms.register() as one, dms.login(one.email) as two, one.api_key(["document.read", "folder.create"]) as key, dms.database() as db:
        tenant = one.me()["organization"]["id"]

        def change(statement):
            assert db.execute(statement, (tenant,)).rowcount > 0

        assert two.get("/documents").status_code == key.get("/documents").status_code == 200
        change("UPDATE api_key SET scopes = '{document.read}' WHERE tenant_id = %s")
        wait_for(lambda: key.ok("GET", "/auth/me")["permissions"] == ["document.read"], TRUST_SECONDS, "the scope to be gone")
        change("UPDATE membership SET role = 'Viewer' WHERE tenant_id = %s")
        wait_for(lambda: one.post("/folders", json={"name": "x"}).status_code == 403, TRUST_SECONDS, "the lower role")
        change("UPDATE api_key SET revoked_at = now() WHERE tenant_id = %s")
        wait_for(lambda: key.get("/documents").status_code == 401, TRUST_SECONDS, "the key to be out")
        db.execute("UPDATE session SET revoked_at = now() WHERE id = (SELECT id FROM session WHERE tenant_id = %s ORDER BY created_at DESC LIMIT 1)", (tenant,))
        wait_for(lambda: two.get("/documents").status_code == 401, TRUST_SECONDS, "the session to be out")
        assert one.get("/documents").status_code == 200, "the other session stays"


def test_the_use_of_a_key_is_noted_once_a_minute(dms, owner):
    def used(db):
        return db.execute("SELECT last_used_at FROM api_key WHERE tenant_id = %s", (tenant,)).fetchone()[0]

    tenant = owner.me()["organization"]["id"]
    with owner.api_key(["document.read"]) as key, dms.database() as db:
        assert key.get("/documents").status_code == 200
        first = used(db)
        db.execute("UPDATE api_key SET last_used_at = now() - interval '2 minutes' WHERE tenant_id = %s", (tenant,))
        wait_for(lambda: key.get("/documents").status_code == 200 and used(db) > first, TRUST_SECONDS, "a later use")


def test_api_keys_cannot_hold_more_than_their_maker(owner):
    with owner.api_key(["apikey.manage", "document.read"]) as key:
        assert key.post("/api-keys", json={"name": "n", "scopes": ["document.purge"]}).status_code == 400
        assert key.post("/api-keys", json={"name": "n", "scopes": ["nonsense"]}).status_code == 400
        assert key.post("/api-keys", json={"name": "n", "scopes": ["document.read"]}).status_code == 201


def test_BI_D11_damaged_keys_are_refused_without_the_database(dms, owner):
    with owner.api_key(["document.read"]) as client:
        key = client.headers["X-API-Key"]
    with dms.http() as http:
        for bad in (key[:-1], key + "A", key.swapcase(), key.replace("dms_dev", "dms_prod"), key[:20] + ("A" if key[20] != "A" else "B") + key[21:], "dms_", ""):
            assert http.get("/api/v1/documents", headers={"X-API-Key": bad}).status_code == 401, bad


def test_publishable_keys_wait_for_what_they_may_read(owner):
    answer = owner.post("/api-keys", json={"name": "pk", "type": "pk", "scopes": ["document.read"]})
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "type"
