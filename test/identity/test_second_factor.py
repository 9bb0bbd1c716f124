"""The second factor: set up, asked for at sign-in, each code once, guesses that have to wait, recovery codes, organizations that require it. The codes are made
here by RFC 6238, as an authenticator app would."""
import base64
import hashlib
import hmac
import os
import struct
import time
import urllib.parse

import httpx
import pytest
from conftest import PASSWORD, at_once, wait_for
from replicas import client_of

SEEN_SECONDS = 5
FREE_TRIES, FIRST_WAIT = 5, 30


def code(secret, steps=0):
    step = int(time.time()) // 30 + steps
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7fffffff) % 10**6:06}"


def calm():
    """Not in the last seconds of a step, where the next one may begin between making a code and its check."""
    wait_for(lambda: int(time.time()) % 30 < 24, 10, "the next step")


def wrong(secret):
    """A code that is none of the three that would be taken."""
    right = {code(secret, s) for s in (-2, -1, 0, 1, 2)}
    return next(c for c in map("{:06}".format, range(10)) if c not in right)


def forget_step(db, client):
    """As if the last code had been of long ago: a test cannot wait half a minute for the next."""
    assert db.execute("UPDATE second_factor SET last_step = last_step - 10, tries = 0, blocked_until = NULL WHERE user_id = %s", (client.id,)).rowcount == 1


def login(client, otp=None, **more):
    body = {"email": client.email, "password": PASSWORD, **({"otp": otp} if otp is not None else {}), **more}
    with httpx.Client(base_url=client.base_url, trust_env=False) as fresh:
        return fresh.post("/auth/login", json=body)


def actions(db, client):
    return [row[0] for row in db.execute("SELECT action FROM audit WHERE tenant_id = %s ORDER BY at, id", (client.tenant,))]


@pytest.fixture
def person(dms):
    with dms.register() as client:
        client.tenant, client.id = client.me()["organization"]["id"], client.me()["user"]["id"]
        yield client


def enrol(client):
    """(secret, recovery codes); the code of this step has been used."""
    calm()
    secret = client.ok("POST", "/auth/mfa/totp", 200, json={"password": PASSWORD})["secret"]
    return secret, client.ok("POST", "/auth/mfa/totp/verify", 200, json={"code": code(secret)})["recovery_codes"]


@pytest.fixture
def guarded(dms, person):
    """The person with a second factor, whose next code is good."""
    person.secret, person.codes = enrol(person)
    with dms.database() as db:
        forget_step(db, person)
        person.db = db
        yield person


# --- setting up ---


def test_what_the_app_needs_is_shown_once(dms, person):
    shown = person.ok("POST", "/auth/mfa/totp", 200, json={"password": PASSWORD})
    assert len(base64.b32decode(shown["secret"])) == 20
    url = urllib.parse.urlsplit(shown["otpauth_url"])
    query = dict(urllib.parse.parse_qsl(url.query))
    assert (url.scheme, url.netloc) == ("otpauth", "totp") and urllib.parse.unquote(url.path).endswith(f":{person.email}")
    assert query == {"secret": shown["secret"], "issuer": "CODITECT DMS", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert person.me()["mfa"] == {"enabled": False, "required": False, "recovery_codes": 0}, "not before a code of it was seen"
    assert login(person).status_code == 200
    again = person.ok("POST", "/auth/mfa/totp", 200, json={"password": PASSWORD})
    assert again["secret"] != shown["secret"], "what was never confirmed is replaced"
    calm()
    assert person.post("/auth/mfa/totp/verify", json={"code": code(shown["secret"])}).status_code == 422
    codes = person.ok("POST", "/auth/mfa/totp/verify", 200, json={"code": code(again["secret"])})["recovery_codes"]
    assert len(set(codes)) == 10 and all(len(c.replace("-", "")) == 12 for c in codes), "60 bits each"
    assert person.me()["mfa"] == {"enabled": True, "required": False, "recovery_codes": 10}
    assert person.post("/auth/mfa/totp", json={"password": PASSWORD}).status_code == 409
    assert person.post("/auth/mfa/totp/verify", json={"code": code(again["secret"])}).status_code == 422, "used"
    with dms.database() as db:
        assert [a for a in actions(db, person) if a.startswith("mfa.")] == ["mfa.begin", "mfa.begin", "mfa.enable"]


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": 1}, {"password": PASSWORD, "secret": "A" * 32}, {"password": "x" * 1000}, []])
def test_setting_up_asks_for_the_password(person, body):
    assert person.post("/auth/mfa/totp", json=body).status_code == 400
    wrong_one = person.post("/auth/mfa/totp", json={"password": PASSWORD + "x"})
    assert wrong_one.status_code == 422 and "secret" not in wrong_one.json()


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": 123456}, {"code": "1" * 41}, {"code": None}, {"code": "12\u0000456"}, {"code": "123456", "x": 1}])
def test_confirming_asks_for_a_code(person, body):
    person.ok("POST", "/auth/mfa/totp", 200, json={"password": PASSWORD})
    assert person.post("/auth/mfa/totp/verify", json=body).status_code == 400


def test_there_is_nothing_to_confirm_before_the_beginning(person):
    assert person.post("/auth/mfa/totp/verify", json={"code": "123456"}).status_code == 409
    assert person.request("DELETE", "/auth/mfa/totp", json={"password": PASSWORD}).status_code == 404
    assert person.request("DELETE", "/auth/mfa/totp", json={"code": "123456"}).status_code == 404


def test_secrets_are_not_repeated_and_keys_have_none(person):
    for path, body in (("/auth/mfa/totp", {"password": PASSWORD}), ("/auth/mfa/totp/verify", {"code": "123456"})):
        answer = person.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "Idempotency-Key"
    with person.api_key(["document.read"]) as key:
        assert key.post("/auth/mfa/totp", json={"password": PASSWORD}).status_code == 403
        assert key.post("/auth/mfa/totp/verify", json={"code": "123456"}).status_code == 403
        assert key.request("DELETE", "/auth/mfa/totp", json={"password": PASSWORD}).status_code == 403


def test_the_database_holds_no_secret_in_clear(dms, guarded):
    raw = base64.b32decode(guarded.secret)
    sealed, = guarded.db.execute("SELECT secret FROM second_factor WHERE user_id = %s", (guarded.id,)).fetchone()
    assert raw not in sealed and len(sealed) == 1 + 12 + 20 + 16
    with dms.register() as other:
        other.id = other.me()["user"]["id"]
        secret, _ = enrol(other)
        forget_step(guarded.db, other)
        guarded.db.execute("UPDATE second_factor SET secret = %s WHERE user_id = %s", (sealed, other.id))
        assert login(other, code(guarded.secret)).status_code == 500, "another's secret in one's own row does not open"
        assert secret != guarded.secret
    hashes = [bytes(row[0]) for row in guarded.db.execute("SELECT hash FROM recovery_code WHERE user_id = %s", (guarded.id,))]
    plain = guarded.codes[0].replace("-", "")
    assert len(hashes) == 10 and all(len(h) == 32 for h in hashes)
    for text in (plain, guarded.codes[0], f"recovery|{guarded.id}|{plain}"):
        assert hashlib.sha256(text.encode()).digest() not in hashes, "and not a hash that who has the database can try codes on"


# --- signing in ---


def test_BI_D16_signing_in_asks_for_the_code_once_the_password_is_right(guarded):
    calm()
    nobody = login(guarded, password="wrong password 1")
    without = login(guarded)
    assert nobody.status_code == without.status_code == 401
    assert "errors" not in nobody.json() and nobody.json()["code"] == without.json()["code"] == "unauthorized"
    assert without.json()["errors"][0]["field"] == "otp" and "access_token" not in without.json()
    assert login(guarded, code(guarded.secret), password="wrong password 1").json().get("errors") is None, "a right code does not make up for a wrong password"
    good = login(guarded, code(guarded.secret))
    assert good.status_code == 200, good.text
    assert "auth.login_failed" not in actions(guarded.db, guarded)[-1:]


def test_codes_may_be_typed_with_a_space(guarded):
    calm()
    now = code(guarded.secret)
    assert login(guarded, f"{now[:3]} {now[3:]}").status_code == 200


def test_BI_D16_each_code_once(guarded):
    calm()
    now = code(guarded.secret)
    assert login(guarded, now).status_code == 200
    second = login(guarded, now)
    assert second.status_code == 401 and second.json()["errors"][0]["field"] == "otp"
    assert login(guarded, code(guarded.secret, -1)).status_code == 401, "nor an older one after it"
    assert login(guarded, code(guarded.secret, 1)).status_code == 200, "the phone's clock may be half a minute fast"


@pytest.mark.parametrize("steps,status", [(-3, 401), (-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401), (3, 401)])
def test_BI_D16_a_code_is_good_for_one_step_around_now(guarded, steps, status):
    calm()
    assert login(guarded, code(guarded.secret, steps)).status_code == status


def test_BI_D16_the_same_code_raced_is_taken_once(guarded):
    calm()
    now = code(guarded.secret)
    answers = at_once(8, lambda i: login(guarded, now).status_code)
    assert answers.count(200) == 1, answers
    forget_step(guarded.db, guarded)
    recovery = at_once(4, lambda i: login(guarded, guarded.codes[0]).status_code)
    assert recovery.count(200) == 1, recovery


def test_BI_D16_guesses_have_to_wait(guarded):
    calm()
    for i in range(FREE_TRIES):
        answer = login(guarded, wrong(guarded.secret))
        assert answer.status_code == 401, i
    held = login(guarded, code(guarded.secret))
    assert held.status_code == 429 and 0 < int(held.headers["Retry-After"]) <= FIRST_WAIT, "the right one too"
    assert login(guarded).status_code == 401, "asked for as before"
    assert guarded.get("/auth/me").status_code == 200, "who is signed in stays so"
    ended = "UPDATE second_factor SET blocked_until = now() WHERE user_id = %s"
    guarded.db.execute(ended, (guarded.id,))
    assert login(guarded, wrong(guarded.secret)).status_code == 401
    longer = login(guarded, code(guarded.secret))
    assert longer.status_code == 429 and FIRST_WAIT < int(longer.headers["Retry-After"]) <= 2 * FIRST_WAIT, "twice as long"
    guarded.db.execute(ended, (guarded.id,))
    calm()
    assert login(guarded, code(guarded.secret)).status_code == 200
    for i in range(FREE_TRIES):
        assert login(guarded, wrong(guarded.secret)).status_code == 401, "and the count begins anew"
    assert actions(guarded.db, guarded).count("auth.login_failed") == 2 * FREE_TRIES + 1


def test_BI_D16_guesses_at_once_are_counted_before_they_are_looked_at(guarded):
    calm()
    answers = at_once(24, lambda i: login(guarded, wrong(guarded.secret)).status_code)
    assert sorted(set(answers)) == [401, 429] and answers.count(401) == FREE_TRIES, answers


@pytest.mark.parametrize("otp", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "123456\n", "000000000000", "' OR 1=1", "1" * 41, 123456, None, ["123456"]])
def test_BI_D16_what_is_no_code(guarded, otp):
    calm()
    with httpx.Client(base_url=guarded.base_url, trust_env=False) as fresh:
        answer = fresh.post("/auth/login", json={"email": guarded.email, "password": PASSWORD, "otp": otp})
    assert answer.status_code in (400, 401) and "access_token" not in answer.text


def test_BI_D16_recovery_codes_are_good_once(guarded):
    first, second, third = guarded.codes[:3]
    assert login(guarded, first).status_code == 200
    assert guarded.me()["mfa"]["recovery_codes"] == 9
    assert login(guarded, first).status_code == 401
    assert login(guarded, second.upper().replace("-", " ")).status_code == 200, "as people type them"
    assert login(guarded, third.replace("-", "").replace("0", "o").replace("1", "l")).status_code == 200
    assert login(guarded, "0000-0000-0000").status_code == 401


def test_BI_D16_sessions_of_before_are_ended(dms, person):
    """Also in another organization of the same person."""
    with dms.login(person.email) as other, dms.register() as owner_elsewhere, dms.database() as db:
        there = owner_elsewhere.me()["organization"]["id"]
        db.execute("INSERT INTO membership (tenant_id, user_id, name, email, role) VALUES (%s, %s, 'P', %s, 'Viewer')", (there, person.id, person.email))
        with dms.login(person.email, organization=there) as far:
            assert other.get("/documents").status_code == far.get("/documents").status_code == 200
            enrol(person)
            assert other.get("/documents").status_code == far.get("/documents").status_code == 401
            assert other.post("/auth/refresh", json={"refresh_token": other.tokens["refresh_token"]}).status_code == 401
            assert person.get("/documents").status_code == 200, "the one in which it was set up goes on"
            assert owner_elsewhere.get("/documents").status_code == 200


def test_a_refresh_needs_no_code(guarded):
    calm()
    tokens = login(guarded, code(guarded.secret)).json()
    assert guarded.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 200


# --- taking it away ---


@pytest.mark.parametrize("by", ["password", "code", "recovery code"])
def test_it_is_taken_away_by_password_or_code(dms, guarded, by):
    calm()
    assert guarded.request("DELETE", "/auth/mfa/totp", json={}).status_code == 400
    assert guarded.request("DELETE", "/auth/mfa/totp", json={"password": PASSWORD, "code": "123456"}).status_code == 400, "one of them"
    assert guarded.request("DELETE", "/auth/mfa/totp", json={"password": PASSWORD + "x"}).status_code == 422
    assert guarded.request("DELETE", "/auth/mfa/totp", json={"code": wrong(guarded.secret)}).status_code == 422
    assert guarded.me()["mfa"]["enabled"]
    with dms.login(guarded.email, otp=guarded.codes[5]) as other:
        proof = {"password": {"password": PASSWORD}, "code": {"code": code(guarded.secret)}, "recovery code": {"code": guarded.codes[0]}}[by]
        assert guarded.request("DELETE", "/auth/mfa/totp", json=proof).status_code == 204
        assert other.get("/auth/me").status_code == 401, "other sessions end"
    assert guarded.me()["mfa"] == {"enabled": False, "required": False, "recovery_codes": 0}
    assert login(guarded).status_code == 200
    assert actions(guarded.db, guarded)[-2:] == ["mfa.disable", "auth.login"]
    assert guarded.db.execute("SELECT count(*) FROM recovery_code WHERE user_id = %s", (guarded.id,)).fetchone()[0] == 0


# --- organizations that require it ---


@pytest.fixture
def strict(dms, person):
    with dms.database() as db:
        db.execute("UPDATE tenant SET require_mfa = true WHERE tenant_id = %s", (person.tenant,))
        person.db = db
        wait_for(lambda: person.get("/documents").status_code == 403, SEEN_SECONDS, "the requirement to be seen")
        yield person


def test_BI_D16_where_it_is_required_one_may_only_set_it_up(dms, strict):
    with dms.login(strict.email) as fresh:
        for client in (strict, fresh):
            for method, path in (("GET", "/documents"), ("POST", "/folders"), ("GET", "/search?q=x"), ("GET", "/auth/sessions"), ("DELETE", "/auth/sessions"), ("POST", "/auth/switch"),
                                 ("GET", "/documents/types"), ("GET", "/events"), ("POST", "/api-keys")):
                answer = client.request(method, path, json={} if method == "POST" else None)
                assert answer.status_code == 403 and "second factor" in answer.json()["detail"], (method, path)
            assert client.me()["mfa"] == {"enabled": False, "required": True, "recovery_codes": 0}
        assert fresh.post("/auth/logout").status_code == 204
    refreshed = strict.ok("POST", "/auth/refresh", 200, json={"refresh_token": strict.tokens["refresh_token"]})
    strict.headers["Authorization"] = f"Bearer {refreshed['access_token']}"
    assert strict.get("/documents").status_code == 403, "a refresh is no way around"
    secret, _ = enrol(strict)
    assert strict.get("/documents").status_code == 200, "at once"
    forget_step(strict.db, strict)
    calm()
    with dms.login(strict.email, otp=code(secret)) as again:
        assert again.get("/documents").status_code == 200 and again.ok("GET", "/auth/sessions")["items"][0]["second_factor"] is True
    assert strict.request("DELETE", "/auth/mfa/totp", json={"password": PASSWORD}).status_code == 204
    assert strict.get("/documents").status_code == 403, "without it, as before"


def test_BI_D16_a_switch_is_no_way_around(dms, person):
    with dms.register() as elsewhere, dms.database() as db:
        there = elsewhere.me()["organization"]["id"]
        db.execute("INSERT INTO membership (tenant_id, user_id, name, email, role) VALUES (%s, %s, 'P', %s, 'Editor')", (there, person.id, person.email))
        db.execute("UPDATE tenant SET require_mfa = true WHERE tenant_id = %s", (there,))
        made = person.ok("POST", "/auth/switch", 200, json={"organization": there})
        with client_of(dms.url, person) as switched:
            switched.headers["Authorization"] = f"Bearer {made['access_token']}"
            assert switched.get("/documents").status_code == 403
            assert person.get("/documents").status_code == 200, "here it is not required"
        enrol(person)
        made = person.ok("POST", "/auth/switch", 200, json={"organization": there})
        with client_of(dms.url, person) as switched:
            switched.headers["Authorization"] = f"Bearer {made['access_token']}"
            assert switched.get("/documents").status_code == 200, "the code that was given counts there too"


def test_who_signs_in_by_a_provider_shows_the_code_later(dms, guarded):
    """A provider's session has no second factor of ours; where one is required, the code is given in it."""
    guarded.db.execute("UPDATE tenant SET require_mfa = true WHERE tenant_id = %s", (guarded.tenant,))
    assert guarded.db.execute("UPDATE session SET second_factor = false WHERE user_id = %s", (guarded.id,)).rowcount == 1
    wait_for(lambda: guarded.get("/documents").status_code == 403, SEEN_SECONDS, "the requirement to be seen")
    calm()
    assert guarded.post("/auth/mfa/totp/verify", json={"code": wrong(guarded.secret)}).status_code == 422
    assert guarded.get("/documents").status_code == 403
    now = code(guarded.secret)
    assert guarded.ok("POST", "/auth/mfa/totp/verify", 200, json={"code": now})["recovery_codes"] == []
    assert guarded.get("/documents").status_code == 200
    assert guarded.post("/auth/mfa/totp/verify", json={"code": now}).status_code == 422, "each code once"
    assert guarded.me()["mfa"]["recovery_codes"] == 10 and "mfa.prove" in actions(guarded.db, guarded)


def test_who_has_no_password_sets_it_up_without_one(dms, person):
    with dms.database() as db:
        db.execute("UPDATE person SET password_hash = NULL WHERE id = %s", (person.id,))
        assert person.post("/auth/mfa/totp", json={"password": PASSWORD}).status_code == 422
        assert person.post("/auth/mfa/totp", json={}).status_code == 200


def test_keys_work_where_it_is_required(person, dms):
    with person.api_key(["document.read"]) as key, dms.database() as db:
        db.execute("UPDATE tenant SET require_mfa = true WHERE tenant_id = %s", (person.tenant,))
        wait_for(lambda: person.get("/documents").status_code == 403, SEEN_SECONDS, "the requirement to be seen")
        assert key.get("/documents").status_code == 200


# --- dms login ---


def test_dms_login_asks_for_the_code_when_it_is_needed(dms, guarded):
    home = dms.dir / f"home-{os.getpid()}-{guarded.id}"
    env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    calm()
    said = dms.run("login", "--email", guarded.email, "--password-stdin", stdin=f"{PASSWORD}\n{code(guarded.secret)}\n", env=env)
    assert guarded.email in said.stdout
    assert guarded.email in dms.run("whoami", env=env).stdout
    dms.run("logout", env=env)
    without = dms.run("login", "--email", guarded.email, "--password-stdin", stdin=f"{PASSWORD}\n", env=env, check=False)
    assert without.returncode == 1 and "--otp" in without.stderr
    dms.run("login", "--email", guarded.email, "--password-stdin", "--otp", guarded.codes[0], stdin=f"{PASSWORD}\n", env=env)
    used = dms.run("login", "--email", guarded.email, "--password-stdin", "--otp", guarded.codes[0], stdin=f"{PASSWORD}\n", env=env, check=False)
    assert used.returncode == 1 and "code" in used.stderr and "Traceback" not in used.stderr
    wrong_password = dms.run("login", "--email", guarded.email, "--password-stdin", stdin="nonsense nonsense\n", env=env, check=False)
    assert wrong_password.returncode == 1 and "otp" not in wrong_password.stderr, "asked for no code"
