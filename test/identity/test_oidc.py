"""Signing in by an OpenID provider: a real one (oidc-provider), and one that answers wrongly in every way it is told."""
import threading
import urllib.parse
import uuid

import httpx
import pytest
from conftest import PASSWORD, Client
from openid import Browser, Provider, free_port, start
from test_second_factor import calm, code

ACCOUNTS = {
    "ada": {"email": "Ada@Trusted.example", "email_verified": True, "name": "Ada L."},
    "bob": {"email": "bob@elsewhere.example", "email_verified": True},
    "eve": {"email": "eve@trusted.example", "email_verified": False, "name": "Eve"},
    "nil": {"name": "Without an address"},
    "odd": {"email": "o\u0501d@trusted.example", "email_verified": True},
    "cyd": {"email": "cyd@trusted.example", "email_verified": True, "name": "Cyd"},
    "dan": {"email": "dan@trusted.example", "email_verified": True, "name": "Dan"},
    "fay": {"email": "fay@trusted.example", "email_verified": True, "name": "Fay"},
    "gil": {"email": "gil@elsewhere.example", "email_verified": True, "name": "Gil"},
    "ivy": {"email": "ivy@elsewhere.example", "email_verified": True, "name": "Ivy"},
    "hal": {"email": "hal@elsewhere.example", "email_verified": True, "name": "Hal"},
}


def real(alg="RS256", auth_method="client_secret_basic", id_token_claims=False):
    return lambda redirect_uri: Provider("provider.mjs", {"redirect_uri": redirect_uri, "alg": alg, "auth_method": auth_method,
                                                          "id_token_claims": id_token_claims, "accounts": ACCOUNTS})


def close(server):
    try:
        server.close()
    finally:
        server.provider.close()


@pytest.fixture(scope="module")
def dms():
    server = start(real(), env={"DMS_OIDC_DOMAINS": "other.example trusted.example"})
    yield server
    close(server)


@pytest.fixture
def browser(dms):
    with Browser(dms) as one:
        yield one


@pytest.fixture(scope="module")
def hostile():
    server = start(Provider("hostile.mjs"), kind="hostile", env={"DMS_OIDC_TIMEOUT_MS": "700"})
    yield server
    close(server)


def client_of(server, tokens):
    client = Client(server)
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return client


def register(server, address, verified=True):
    with server.http() as http:
        http.post("/api/v1/auth/register", json={"email": address, "password": PASSWORD, "name": "N", "organization": "Org"})
        if verified:
            assert http.post("/api/v1/auth/verify", json={"token": server.mail_token(address)}).status_code == 204
    return server.login(address)


# --- the whole way ---


def test_the_sign_in_page_is_told_the_providers(dms):
    with dms.http() as http:
        items = http.get("/api/v1/auth/oidc").json()["items"]
    assert items == [{"name": "oidc", "label": "The Test's", "start": "/api/v1/auth/oidc/oidc/start"}]


def test_the_presets_are_there_when_they_have_a_client(start_dms):
    server = start_dms(env={"DMS_OIDC_GOOGLE_CLIENT_ID": "g", "DMS_OIDC_MICROSOFT_CLIENT_ID": "m", "DMS_EMBED_PROVIDER": "none"})
    with server.http() as http:
        assert [(i["name"], i["label"]) for i in http.get("/api/v1/auth/oidc").json()["items"]] == [("google", "Google"), ("microsoft", "Microsoft")]
        assert http.get("/api/v1/auth/oidc/oidc/start").status_code == 404


def test_a_new_person_signs_in_and_has_an_organization_of_their_own(dms, browser):
    there = urllib.parse.urlsplit(browser.begin())
    asked = urllib.parse.parse_qs(there.query)
    assert asked["response_type"] == ["code"] and asked["code_challenge_method"] == ["S256"] and "openid" in asked["scope"][0]
    assert len(asked["state"][0]) == len(asked["nonce"][0]) == len(asked["code_challenge"][0]) == 43
    tokens = browser.sign_in("ada")
    assert tokens["token_type"] == "Bearer" and tokens["refresh_token"]
    with client_of(dms, tokens) as ada:
        me = ada.me()
        assert me["user"]["email"] == "ada@trusted.example" and me["user"]["name"] == "Ada L." and me["role"] == "Owner"
        assert ada.ok("POST", "/folders", 201, json={"name": "Ada's"})
        with Browser(dms) as another:
            again = another.sign_in("ada")
        with client_of(dms, again) as same:
            assert same.me() == me, "the same person, by issuer and subject"
            assert [f["name"] for f in same.ok("GET", "/folders")["items"]] == ["Ada's"]
        identity, = ada.ok("GET", "/auth/identities")["items"]
        assert identity["provider"] == "oidc" and identity["last_used_at"]


@pytest.mark.parametrize("options", [{"alg": "ES256", "id_token_claims": True}, {"alg": "EdDSA", "auth_method": "client_secret_post"}], ids=lambda o: o["alg"])
def test_other_algorithms_and_ways_to_show_the_secret(options):
    server = start(real(**options))
    try:
        with Browser(server) as browser, client_of(server, browser.sign_in("ada")) as ada:
            assert ada.me()["user"]["email"] == "ada@trusted.example"
    finally:
        close(server)


def test_a_person_without_a_password_signs_in_by_none(dms, browser):
    browser.sign_in("fay")
    with dms.http() as http:
        for password in (PASSWORD, "x" * 8):
            answer = http.post("/api/v1/auth/login", json={"email": "fay@trusted.example", "password": password})
            assert answer.status_code == 401
        unknown = http.post("/api/v1/auth/login", json={"email": "nobody@trusted.example", "password": PASSWORD})
    assert {**answer.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}


def test_the_cookie_opens_nothing_and_is_kept_from_scripts(dms, browser):
    answer = browser.get(f"{dms.url}/api/v1/auth/oidc/oidc/start")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/api/v1/auth/oidc" in cookie and "Secure" not in cookie
    browser.sign_in("ada")
    assert browser.get(f"{dms.url}/api/v1/auth/me").status_code == 401
    assert not any(c.name == "dms_oidc" for c in browser.cookies.jar), "and it is taken back at the end"


def test_behind_https_the_cookie_is_this_hosts_alone():
    server = start(Provider("hostile.mjs"), kind="hostile", env={"DMS_PUBLIC_URL": "https://dms.example"})
    try:
        with server.http() as http:
            answer = http.get("/api/v1/auth/oidc/oidc/start")
        cookie, there = answer.headers["set-cookie"], urllib.parse.urlsplit(answer.headers["location"])
        assert cookie.startswith("__Host-dms_oidc=") and "; Secure" in cookie and "Path=/;" in cookie and "Domain" not in cookie
        assert urllib.parse.parse_qs(there.query)["redirect_uri"] == ["https://dms.example/api/v1/auth/oidc/oidc/callback"]
    finally:
        close(server)


def test_the_audit_log_says_how_somebody_signed_in(dms, browser):
    with client_of(dms, browser.sign_in("ada")) as ada:
        tenant = ada.me()["organization"]["id"]
    with dms.database() as db:
        rows = db.execute("SELECT action, after FROM audit WHERE tenant_id = %s", (tenant,)).fetchall()
    assert any(action == "auth.login" and after["method"] == "oidc" for action, after in rows)
    assert any(action == "identity.link" and after["issuer"] == dms.provider.issuer for action, after in rows)


# --- whose account it is ---


def test_an_address_of_a_trusted_domain_opens_its_account(dms, browser):
    with register(dms, "cyd@trusted.example") as cyd:
        with client_of(dms, browser.sign_in("cyd")) as same:
            assert same.me()["user"]["id"] == cyd.me()["user"]["id"]


def test_an_unconfirmed_account_is_not_opened_by_an_address(dms, browser):
    """Somebody else may have set it up beforehand, with a password of their own."""
    register(dms, "dan@trusted.example", verified=False).close()
    assert browser.go("dan") == (None, "account_exists")


def test_an_address_of_another_domain_has_to_be_linked_by_its_owner(dms, browser):
    with register(dms, "gil@elsewhere.example") as gil:
        assert browser.go("gil") == (None, "account_exists")
        answer = gil.post("/auth/oidc/oidc/link")
        assert answer.status_code == 200, answer.text
        browser.cookies.extract_cookies(answer)
        assert browser.arrive(browser.at_provider(answer.json()["location"], "gil")) == (None, "linked=oidc")
        with client_of(dms, browser.sign_in("gil")) as same:
            assert same.me()["user"]["id"] == gil.me()["user"]["id"]
            identity, = gil.ok("GET", "/auth/identities")["items"]
            with register(dms, f"x-{uuid.uuid4().hex}@example.com") as other:
                assert other.ok("GET", "/auth/identities")["items"] == []
                assert other.delete(f"/auth/identities/{identity['id']}").status_code == 404
                answer = other.post("/auth/oidc/oidc/link")
                with Browser(dms) as second:
                    second.cookies.extract_cookies(answer)
                    back = second.at_provider(answer.json()["location"], "gil")
                    assert second.arrive(back) == (None, "identity_taken")
            gil.ok("DELETE", f"/auth/identities/{identity['id']}", 204)
        with Browser(dms) as third:
            assert third.go("gil") == (None, "account_exists")


def test_the_last_way_in_stays(dms, browser):
    with client_of(dms, browser.sign_in("hal")) as hal:
        identity, = hal.ok("GET", "/auth/identities")["items"]
        answer = hal.delete(f"/auth/identities/{identity['id']}")
        assert answer.status_code == 409 and "password" in answer.json()["detail"]


def test_linking_needs_a_person(dms, owner_key):
    for answer in (owner_key.post("/auth/oidc/oidc/link"), owner_key.get("/auth/identities"), owner_key.delete(f"/auth/identities/{uuid.uuid4()}")):
        assert answer.status_code == 403
    with dms.http() as http:
        assert http.post("/api/v1/auth/oidc/oidc/link").status_code == 401


@pytest.fixture
def owner_key(dms):
    with dms.register() as owner, owner.api_key(["document.read"]) as key:
        yield key


@pytest.mark.parametrize("login, error", [("eve", "email_unverified"), ("nil", "email_missing"), ("odd", "email_missing")])
def test_an_address_that_proves_nothing_makes_no_account(dms, browser, login, error):
    assert browser.go(login) == (None, error)
    with dms.database() as db:
        assert db.execute("SELECT count(*) FROM person_identity WHERE subject = %s", (login,)).fetchone()[0] == 0


def test_other_domains_and_closed_registration():
    server = start(real(), env={"DMS_OIDC_ALLOWED_DOMAINS": "trusted.example", "DMS_OIDC_DOMAINS": "trusted.example", "DMS_REGISTRATION": "false"})
    try:
        with Browser(server) as browser:
            assert browser.go("bob") == (None, "domain_not_allowed")
        with Browser(server) as browser:
            assert browser.go("ada") == (None, "registration_closed")
        with server.database() as db:
            assert db.execute("SELECT count(*) FROM person").fetchone()[0] == 0
    finally:
        close(server)


# --- the way back, tampered with ---


def altered(back, **changes):
    parts = urllib.parse.urlsplit(back)
    query = dict(urllib.parse.parse_qsl(parts.query)) | changes
    return parts._replace(query=urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})).geturl()


def test_the_way_back_is_good_once(dms, browser):
    back = browser.at_provider(browser.begin())
    code, error = browser.arrive(back)
    assert code
    assert browser.arrive(back) == (None, "sign_in_expired")


def test_the_way_back_is_this_browsers(dms, browser):
    back = browser.at_provider(browser.begin())
    with Browser(dms) as other:
        assert other.arrive(back) == (None, "sign_in_expired"), "without a cookie"
        other.begin()
        assert other.arrive(back) == (None, "sign_in_expired"), "with its own"
    assert browser.arrive(back)[0], "which did not use it up"


@pytest.mark.parametrize("changes, error", [({"state": "x" * 43}, "sign_in_expired"), ({"state": None}, "sign_in_expired"), ({"code": "x"}, "provider_refused"),
                                            ({"code": None}, "provider_refused"), ({"iss": "https://another.example"}, "provider_refused"),
                                            ({"iss": None}, "provider_refused"), ({"code": None, "error": "access_denied"}, "provider_denied"),
                                            ({"error": "<script>canary</script>"}, "provider_refused")])
def test_a_changed_way_back_is_refused(dms, browser, changes, error):
    back = altered(browser.at_provider(browser.begin()), **changes)
    answer = browser.get(back)
    assert answer.headers["location"] == f"/sign-in?error={error}" and "canary" not in str(answer.headers) + answer.text


@pytest.mark.parametrize("query", ["state=a&state=b", "state=" + "x" * 101, "code=%00", "code=" + "x" * 5000, "error=%ff"])
def test_a_malformed_way_back_is_refused_without_an_echo(dms, query):
    with dms.http() as http:
        answer = http.get(f"/api/v1/auth/oidc/oidc/callback?{query}&canary=canary")
    assert answer.status_code == 400 and "canary" not in answer.text and "xxx" not in answer.text


def test_two_cookies_are_none(dms, browser):
    back = browser.at_provider(browser.begin())
    mine = next(c.value for c in browser.cookies.jar if c.name == "dms_oidc")
    answer = httpx.get(back, headers={"Cookie": f"dms_oidc={mine}; dms_oidc={'x' * 43}"}, trust_env=False)
    assert answer.headers["location"] == "/sign-in?error=sign_in_expired"


def test_an_unfinished_sign_in_runs_out(dms, browser):
    back = browser.at_provider(browser.begin())
    with dms.database() as db:
        db.execute("UPDATE oidc_flow SET expires_at = now() - interval '1 second'")
        assert browser.arrive(back) == (None, "sign_in_expired")
        browser.begin()
        assert db.execute("SELECT count(*) FROM oidc_flow WHERE expires_at < now()").fetchone()[0] == 0, "and is cleared away"


def test_nothing_that_opens_a_session_is_stored(dms, browser):
    back = browser.at_provider(browser.begin())
    cookie = next(c.value for c in browser.cookies.jar if c.name == "dms_oidc")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["state"][0]
    code, _ = browser.arrive(back)
    with dms.database() as db:
        stored = db.execute("SELECT string_agg(f::text, ' ') FROM oidc_flow f").fetchone()[0] or ""
        stored += db.execute("SELECT string_agg(h::text, ' ') FROM oidc_handover h").fetchone()[0]
    logs = "".join(p.read_text(errors="replace") for p in (dms.data / "log").glob("*.log"))
    for secret in (cookie, state, code):
        assert secret not in stored and secret not in logs


# --- D17: codes ---


def test_BI_D17_the_code_for_tokens_is_good_once_in_the_same_browser_for_a_time(dms, browser):
    code, _ = browser.go()
    with Browser(dms) as other:
        other.begin()
        assert other.exchange(code).status_code == 401
    assert browser.exchange(code[:-1] + ("A" if code[-1] != "A" else "B")).status_code == 401
    assert browser.exchange(code).status_code == 200
    assert browser.exchange(code).status_code == 401
    with Browser(dms) as late:
        code, _ = late.go()
        with dms.database() as db:
            db.execute("UPDATE oidc_handover SET expires_at = now() - interval '1 second'")
        answer = late.exchange(code)
    assert answer.status_code == 401 and code not in answer.text


def test_a_second_factor_is_asked_for_behind_the_provider(dms, browser):
    with client_of(dms, browser.sign_in("ivy")) as ivy:
        calm()
        secret = ivy.ok("POST", "/auth/mfa/totp", 200, json={})["secret"]
        recovery_code = ivy.ok("POST", "/auth/mfa/totp/verify", 200, json={"code": code(secret)})["recovery_codes"][0]
    with Browser(dms) as again:
        handed, _ = again.go("ivy")
        for otp in ({}, {"otp": "000000"}):
            answer = again.post(f"{dms.url}/api/v1/auth/oidc/exchange", json={"code": handed, **otp})
            assert answer.status_code == 401, answer.text
        recovery = {"code": handed, "otp": recovery_code}
        assert again.post(f"{dms.url}/api/v1/auth/oidc/exchange", json=recovery).status_code == 200
        assert again.post(f"{dms.url}/api/v1/auth/oidc/exchange", json=recovery).status_code == 401


def test_the_exchange_takes_its_one_field(dms, browser):
    for body in ({}, {"code": 1}, {"code": "x" * 101}, {"code": "x", "more": 1}):
        answer = browser.post(f"{dms.url}/api/v1/auth/oidc/exchange", json=body)
        assert answer.status_code == 400, body


# --- a provider that answers wrongly ---

GOOD = {"sub": "hostile-1", "email": "h@example.com", "email_verified": True}


def come(server, fault="", **control):
    control["claims"] = {**GOOD, "email": f"{uuid.uuid4().hex}@example.com", "sub": uuid.uuid4().hex, **control.get("claims", {})}
    server.provider.control(fault, **control)
    with Browser(server) as browser:
        return browser.go()


def test_what_is_right_is_taken(hostile):
    for control in ({}, {"claims": {"aud": ["other", "dms"], "azp": "dms"}}, {"claims": {"at_hash": None}}, {"header": {"typ": None}},
                    {"claims": {"exp": {"from_now": -30}}}, {"claims": {"iat": {"from_now": 30}}}, {"header": {"alg": "ES256", "kid": "ec"}, "key": "ec", "claims": {"at_hash": None}}):
        code, error = come(hostile, **control)
        assert code, (control, error)


BAD_CLAIMS = {
    "D06 expired": {"exp": {"from_now": -61}}, "D06 no exp": {"exp": None}, "D06 exp is a text": {"exp": "9999999999"}, "D06 exp is negative": {"exp": -1},
    "D06 exp with a fraction": {"exp": 9999999999.5}, "D06 iat in the future": {"iat": {"from_now": 120}},
    "D06 iat long ago": {"iat": {"from_now": -7200}}, "D06 no iat": {"iat": None}, "D06 nbf in the future": {"nbf": {"from_now": 120}}, "D06 nbf is a text": {"nbf": "0"},
    "D07 iss": {"iss": "https://accounts.google.com"}, "D07 iss with a slash more": {"iss": "SELF/"}, "D07 no iss": {"iss": None}, "D07 aud": {"aud": "another client"},
    "D07 aud of two without azp": {"aud": ["dms", "other"]}, "D07 azp": {"azp": "other"}, "D07 no aud": {"aud": None}, "D07 aud is a number": {"aud": 1},
    "nonce": {"nonce": "of another sign-in"}, "no nonce": {"nonce": None}, "at_hash": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, "at_hash is a number": {"at_hash": 5},
    "no sub": {"sub": None}, "sub is empty": {"sub": ""}, "sub is a number": {"sub": 7}, "sub of 256": {"sub": "x" * 256}, "sub with a control character": {"sub": "a\nb"},
}
BAD_TOKENS = {
    "D01 none": ("unsigned", {"header": {"alg": "none"}}), "D01 None": ("unsigned", {"header": {"alg": "None"}}), "D01 no signature": ("unsigned", {}),
    "D01 no alg": ("", {"header": {"alg": None}}), "D02 flipped": ("flipped", {}), "D02 padded": ("padded", {}), "D02 four parts": ("four parts", {}),
    "D03 unknown kid": ("", {"header": {"kid": "nobody's"}}), "D03 kid is a path": ("", {"header": {"kid": "../../../etc/passwd"}}), "D03 kid is a number": ("", {"header": {"kid": 1}}),
    "no kid among several": ("", {"header": {"kid": None, "alg": "RS256"}}), "D05 HS256 with the public key": ("hmac", {"header": {"alg": "HS256"}}),
    "D05 another algorithm than the key's": ("", {"header": {"alg": "ES256"}}), "D05 PS256": ("", {"header": {"alg": "PS256"}}), "another's key": ("", {"key": "foreign"}),
    "a weak key": ("", {"key": "weak", "header": {"kid": "weak"}}), "DER in place of r and s": ("der", {"header": {"alg": "ES256", "kid": "ec"}, "key": "ec", "claims": {"at_hash": None}}),
    "D07 an access token": ("", {"header": {"typ": "at+jwt"}}), "D09 crit": ("", {"header": {"crit": ["exp"]}}), "D09 long": ("long", {}),
    "D09 claims twice": ("claims twice", {}), "D09 claims nested": ("claims nested", {}), "D06 exp of 5,000 digits": ("digits", {}),
}


@pytest.mark.parametrize("name", BAD_CLAIMS)
def test_BI_D06_D07_an_id_token_with_wrong_claims_is_refused(hostile, name):
    claims = {k: hostile.provider.issuer + "/" if v == "SELF/" else v for k, v in BAD_CLAIMS[name].items()}
    assert come(hostile, claims=claims) == (None, "provider_refused")


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_BI_D01_D02_D03_D05_D09_an_id_token_that_is_not_the_providers_is_refused(hostile, name):
    fault, control = BAD_TOKENS[name]
    assert come(hostile, fault, **control) == (None, "provider_refused")


def test_BI_D04_keys_that_a_token_names_itself_are_not_fetched(hostile):
    with httpx.Client(trust_env=False) as http:
        assert come(hostile, key="foreign", header={"jku": f"{hostile.provider.issuer}/elsewhere", "x5u": f"{hostile.provider.issuer}/elsewhere",
                                                    "jwk": http.get(f"{hostile.provider.issuer}/jwks").json()["keys"][0]}) == (None, "provider_refused")
    assert not any("elsewhere" in a for a in hostile.provider.asked())


def test_BI_D07_an_id_token_is_no_access_token(hostile):
    for header in ({}, {"typ": "at+jwt"}):
        hostile.provider.control(claims={**GOOD, "iss": hostile.url, "aud": "dms"}, header=header)
        with httpx.Client(base_url=hostile.provider.issuer, trust_env=False) as http:
            back = http.get("/auth", params={"redirect_uri": "http://localhost/", "nonce": "n", "state": "s"}).headers["location"]
            answer = http.post("/token", data={"code": urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]}).json()
        for token in (answer["id_token"], answer["access_token"]):
            assert httpx.get(f"{hostile.url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code == 401


def test_an_unknown_key_is_asked_for_once_a_minute(hostile):
    come(hostile, header={"kid": "not yet there"})
    hostile.provider.control(claims=GOOD, header={"kid": "not yet there"})
    with Browser(hostile) as browser:
        for _ in range(5):
            browser.go()
    assert hostile.provider.asked().count("GET /jwks") == 0
    assert hostile.provider.asked().count("GET /.well-known/openid-configuration") == 0, "which is kept as well"


@pytest.mark.parametrize("fault, error", [("refused", "provider_refused"), ("no token", "provider_refused"), ("broken", "provider_unavailable"), ("html", "provider_unavailable"),
                                          ("endless", "provider_unavailable"), ("silent", "provider_unavailable"), ("elsewhere", "provider_unavailable")])
def test_BI_L06_L08_a_token_endpoint_that_misbehaves(hostile, fault, error):
    assert come(hostile, fault) == (None, error)
    assert not any("elsewhere" in a for a in hostile.provider.asked()), "redirects are not followed"
    logs = "".join(p.read_text(errors="replace") for p in (hostile.data / "log").glob("*.log"))
    assert "canary-description" not in logs


def test_another_subject_at_userinfo_is_refused(hostile):
    who = {"sub": "hostile-9", "email": None, "email_verified": None}
    assert come(hostile, claims=who, userinfo={"sub": "somebody else", "email": "x@example.com", "email_verified": True}) == (None, "provider_refused")
    code, error = come(hostile, claims=who, userinfo={"sub": "hostile-9", "email": f"{uuid.uuid4().hex}@example.com", "email_verified": True})
    assert code, error


def test_an_email_verified_that_is_not_true_is_none(hostile):
    for value in ("true", 1, None, False):
        assert come(hostile, claims={"email_verified": value}) == (None, "email_unverified"), value


def test_a_mixed_up_answer_is_refused_before_its_code_is_sent_anywhere(hostile):
    for iss in ("https://honest.example", None):
        assert come(hostile, answer={"iss": iss}) == (None, "provider_refused")
        assert not any("/token" in a for a in hostile.provider.asked())


@pytest.mark.parametrize("configuration", [{"issuer": "https://another.example"}, {"authorization_endpoint": "http://example.com/auth"}], ids=lambda c: next(iter(c)))
def test_a_configuration_that_leads_elsewhere(configuration):
    provider = Provider("hostile.mjs")
    provider.control(configuration=configuration)
    server = start(provider, kind="hostile")
    try:
        with Browser(server) as browser:
            assert browser.begin() == "/sign-in?error=provider_unavailable"
        with server.register() as owner:
            assert owner.post("/auth/oidc/oidc/link").status_code == 503
    finally:
        close(server)


def test_BI_L01_L03_codes_go_to_https_alone():
    """All forms of addresses: test/unit/test_http_client.c."""
    provider = Provider("hostile.mjs")
    provider.control(configuration={"token_endpoint": "http://127.0.0.1.example.com/token"})
    server = start(provider, kind="hostile")
    try:
        with Browser(server) as browser:
            assert browser.go() == (None, "provider_unavailable")
        assert "POST /token" not in provider.asked()
    finally:
        close(server)


def test_a_provider_that_is_down_is_said_and_not_asked_by_everybody():
    provider = Provider("hostile.mjs")
    provider.control("down")
    server = start(provider, kind="hostile")
    try:
        with Browser(server) as browser:
            for _ in range(4):
                assert browser.begin() == "/sign-in?error=provider_unavailable"
            assert provider.asked().count("GET /.well-known/openid-configuration") == 1
            assert browser.get(f"{server.url}/health/ready").status_code == 200
    finally:
        close(server)


def test_a_silent_provider_does_not_hold_everybody(hostile):
    """Of the threads that do the work one is left, however many wait for the provider."""
    hostile.provider.control("silent", claims=GOOD)
    browsers = [Browser(hostile) for _ in range(6)]
    backs = [b.at_provider(b.begin()) for b in browsers]
    found = []
    threads = [threading.Thread(target=lambda b=b, back=back: found.append(b.arrive(back)[1])) for b, back in zip(browsers, backs)]
    [t.start() for t in threads]
    with hostile.register() as somebody:
        assert somebody.me()
    [t.join() for t in threads]
    assert found == ["provider_unavailable"] * 6
    [b.close() for b in browsers]


def test_an_issuer_for_each_directory():
    """Microsoft's: {tenantid} of the configuration becomes the tid of the token."""
    provider = Provider("hostile.mjs")
    template = provider.issuer + "/{tenantid}/v2.0"
    server = start(provider, kind="hostile", issuer=template)
    directory = str(uuid.uuid4())
    own = {"configuration": {"issuer": template}, "answer": {"iss": None}}
    own["configuration"]["authorization_response_iss_parameter_supported"] = False
    try:
        code, error = come(server, **own, claims={"iss": f"{provider.issuer}/{directory}/v2.0", "tid": directory})
        assert code, error
        for claims in ({"iss": f"{provider.issuer}/{uuid.uuid4()}/v2.0", "tid": directory}, {"iss": template, "tid": "{tenantid}"}, {"iss": f"{provider.issuer}/x/v2.0", "tid": "x"},
                       {"iss": f"{provider.issuer}/{directory}/v2.0"}):
            assert come(server, **own, claims=claims) == (None, "provider_refused"), claims
        assert come(server, **own, claims={"iss": f"{provider.issuer}/{directory}/v2.0", "tid": directory, "email_verified": None}) == (None, "email_unverified")
        code, error = come(server, **own, claims={"iss": f"{provider.issuer}/{directory}/v2.0", "tid": directory, "email_verified": None, "xms_edov": True})
        assert code, "the address's domain is the directory's own: Microsoft says so by this claim"
    finally:
        close(server)


def test_plain_http_is_for_development_on_this_machine():
    provider = Provider("hostile.mjs")
    server = start(provider, kind="hostile", env={"DMS_ENV": "staging"})
    try:
        with Browser(server) as browser:
            assert browser.begin() == "/sign-in?error=provider_unavailable"
        assert provider.asked() == []
    finally:
        close(server)


def test_nobody_listens_at_the_provider():
    provider = Provider("hostile.mjs")
    server = start(provider, kind="hostile", issuer=f"http://127.0.0.1:{free_port()}")
    try:
        with Browser(server) as browser:
            assert browser.begin() == "/sign-in?error=provider_unavailable"
    finally:
        close(server)
