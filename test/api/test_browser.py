"""What a page in a browser can do to us, and what our answers let a browser do: cookies, origins, headers, content of users."""
import http.client
import itertools
import json
import re
import subprocess
import uuid

import pytest
from conftest import BUILD, Server

ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)
PATHS = sorted({r["path"] for r in ROUTES})
FRIEND, STRANGER = "https://app.example.com", "https://evil.example"


def real(path):
    """A path that fits the pattern."""
    path = re.sub(r"\{(\w+_)?id\}", str(uuid.uuid4()), path)
    return re.sub(r"\{\w\}", "1", path) if re.search(r"\{\w\}", path) else re.sub(r"\{\w+\}", "x", path)


@pytest.fixture(scope="module")
def open_to_friends():
    """An installation whose API pages of one other origin may call, known to the outside by https."""
    server = Server(env={"DMS_CORS_ORIGINS": f"{FRIEND} http://localhost:5173", "DMS_PUBLIC_URL": "https://dms.example.com", "DMS_EMBED_PROVIDER": "none"})
    try:
        yield server.start()
    finally:
        server.close()


# --- no cookie is a credential ---


def test_BI_D22_cookies_sign_nobody_in(dms, owner):
    """There is no session that a browser would send by itself, so there is nothing to forge."""
    token = owner.tokens["access_token"]
    key = owner.ok("POST", "/api-keys", 201, json={"name": "k", "scopes": ["document.read"]})["key"]
    with dms.http() as http:
        login = http.post("/api/v1/auth/login", json={"email": owner.email, "password": "correct horse battery staple 1"})
        assert login.status_code == 200 and "set-cookie" not in login.headers
        for cookie in (f"access_token={token}", f"Authorization=Bearer {token}", f"session={token}; token={token}; sid={owner.me()['user']['id']}", f"X-API-Key={key}", f"__Host-session={token}"):
            for headers in ({"Cookie": cookie}, {"Cookie": cookie, "Origin": STRANGER}, {"Cookie": cookie, "Origin": dms.url, "Sec-Fetch-Site": "cross-site"}):
                assert http.get("/api/v1/auth/me", headers=headers).status_code == 401
                forged = http.post("/api/v1/folders", content='{"name": "forged"}', headers={**headers, "Content-Type": "text/plain"})
                assert forged.status_code == 401
                assert http.post("/api/v1/folders", data={"name": "forged"}, headers=headers).status_code == 401
    assert owner.ok("GET", "/folders")["items"] == []


def test_BI_D22_json_in_disguise_is_refused_with_a_credential_too(owner):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain; application/json"):
        answer = owner.post("/folders", content='{"name": "forged"}', headers={"Content-Type": kind, "Origin": STRANGER})
        assert answer.status_code == 415, kind


def test_no_answer_sets_a_cookie(dms, owner):
    answers = [owner.request(r["method"], dms.url + real(r["path"])) for r in ROUTES if not r["path"].endswith("/events")]
    with dms.http() as http:
        answers += [http.get(path) for path in ("/", "/sign-in", "/docs", "/nothing.js")]
    assert len(answers) > 30 and not [a.request.url for a in answers if "set-cookie" in a.headers]


def test_BI_D20_headers_of_a_proxy_sign_nobody_in(dms, owner):
    """A sign-in by header does not exist, so nobody has to be kept from it."""
    me = owner.me()
    names = ("X-Forwarded-User", "X-Forwarded-Email", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-Auth-Request-Email", "X-WEBAUTH-USER", "X-User-Id", "X-Tenant-Id",
             "X-Forwarded-Access-Token", "X-Goog-Authenticated-User-Email", "X-MS-CLIENT-PRINCIPAL", "Forwarded", "X-Original-URL", "X-Rewrite-URL")
    with dms.http() as http:
        for name, value in itertools.product(names, (me["user"]["id"], owner.email, me["organization"]["id"], owner.headers["Authorization"])):
            assert http.get("/api/v1/auth/me", headers={name: value, "X-Forwarded-For": "127.0.0.1"}).status_code == 401, name


# --- origins ---


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_is_answered_on_every_route(open_to_friends, path):
    methods = {r["method"] for r in ROUTES if r["path"] == path}
    with open_to_friends.http() as http:
        ask = {"Access-Control-Request-Method": sorted(methods)[0], "Access-Control-Request-Headers": "authorization,content-type"}
        answer = http.options(real(path), headers={"Origin": FRIEND, **ask})
        assert answer.status_code == 204 and answer.content == b""
        assert answer.headers["access-control-allow-origin"] == FRIEND and "origin" in answer.headers["vary"].lower()
        assert methods <= set(answer.headers["access-control-allow-methods"].split(", "))
        allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "x-api-key", "content-type", "idempotency-key", "if-match", "range", "content-digest"} <= set(allowed)
        assert answer.headers["access-control-max-age"] == "7200"
        assert "access-control-allow-credentials" not in answer.headers
        for origin in (STRANGER, "null", FRIEND + ".evil.example", FRIEND.replace("https", "http"), FRIEND + ":444", FRIEND.upper(), FRIEND + "/", ""):
            other = http.options(real(path), headers={"Origin": origin, **ask})
            assert other.status_code == 204 and not [h for h in other.headers if h.startswith("access-control-")], origin


def test_answers_may_be_read_by_the_origins_of_the_list_only(open_to_friends):
    with open_to_friends.register() as client:
        document = client.upload("text", name="a.txt")
        for status, method, path in ((200, "GET", "/auth/me"), (404, "GET", f"/documents/{uuid.uuid4()}"), (400, "POST", "/folders"), (405, "PUT", "/folders"),
                                     (200, "GET", f"/documents/{document['id']}/content"), (404, "GET", "/nothing")):
            friend = client.request(method, path, headers={"Origin": FRIEND})
            assert friend.status_code == status and friend.headers["access-control-allow-origin"] == FRIEND
            exposed = friend.headers["access-control-expose-headers"].lower().split(", ")
            assert {"etag", "location", "ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "retry-after", "x-request-id", "idempotent-replay"} <= set(exposed)
            for origin in (STRANGER, "null", "http://localhost:51730", FRIEND + "@evil.example"):
                stranger = client.request(method, path, headers={"Origin": origin})
                assert not [h for h in stranger.headers if h.startswith("access-control-")], origin
                assert "origin" in stranger.headers["vary"].lower(), "a cache keeps them apart"
        assert "origin" in client.get("/auth/me").headers["vary"].lower()
        refused = client.get("/auth/me", headers={"Origin": FRIEND, "Authorization": "Bearer nonsense"})
        assert refused.status_code == 401 and refused.headers["access-control-allow-origin"] == FRIEND
        assert client.get("/auth/me", headers={"Origin": "http://localhost:5173"}).headers["access-control-allow-origin"] == "http://localhost:5173"


def test_without_the_setting_no_origin_is_let_in(dms, owner):
    for origin in (FRIEND, dms.url, "null"):
        for answer in (owner.get("/auth/me", headers={"Origin": origin}), owner.options("/folders", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})):
            assert answer.is_success and not [h for h in answer.headers if h.startswith("access-control-")]


# --- headers ---


def directives(answer):
    return {d.split()[0]: d.split()[1:] for d in answer.headers["content-security-policy"].split(";")}


def test_pages_run_only_what_we_serve(dms):
    with dms.http() as http:
        for path in ("/", "/docs", "/documents", "/sign-in"):
            page = http.get(path, headers={"Accept": "text/html"})
            csp = directives(page)
            assert page.headers["content-type"].startswith("text/html") and page.status_code == 200
            assert csp["default-src"] == ["'none'"] and csp["script-src"] == ["'self'"] and csp["style-src"] == ["'self'"]
            assert csp["base-uri"] == ["'none'"] and csp["frame-ancestors"] == ["'none'"] and csp["form-action"] == ["'self'"] and csp["object-src"] == ["'none'"]
            assert "unsafe" not in page.headers["content-security-policy"] and "*" not in page.headers["content-security-policy"]
            assert page.headers["x-frame-options"] == "DENY" and page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["cross-origin-opener-policy"] == "same-origin" and page.headers["cross-origin-resource-policy"] == "same-origin"
            assert page.headers["referrer-policy"] and "camera=()" in page.headers["permissions-policy"]
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", page.text), "nothing inline"
            for url in re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text):
                assert url.startswith("/"), url
            assert "strict-transport-security" not in page.headers, "not over http"


def test_answers_of_the_api_are_not_pages(dms, owner):
    for answer in (owner.get("/auth/me"), owner.get("/nothing"), owner.post("/folders", content=b"{"), owner.get(dms.url + "/openapi.json"), owner.get(dms.url + "/metrics"),
                   owner.options("/folders")):
        assert directives(answer) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers and "x-powered-by" not in answer.headers


def test_what_users_upload_runs_nowhere(owner):
    for name, content in (("a.html", b"<script>alert(1)</script>"), ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), ("a.pdf", b"%PDF-1.4 nothing"), ("a.js", b"alert(1)")):
        document = owner.upload(content, name=name)
        for disposition in ("inline", "attachment"):
            answer = owner.get(f"/documents/{document['id']}/content", params={"disposition": disposition})
            csp = directives(answer)
            assert csp["default-src"] == ["'none'"] and csp["sandbox"] == [], "no scripts, no origin of ours"
            assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["content-disposition"].startswith(disposition)
            assert not re.match(r"text/html|image/svg|application/xhtml|text/xml|application/xml|text/javascript", answer.headers["content-type"]), name


def test_over_https_browsers_are_told_to_stay_there(open_to_friends):
    with open_to_friends.register() as client:
        for answer in (client.get("/auth/me"), client.get(open_to_friends.url + "/"), client.get("/nothing")):
            assert re.fullmatch(r"max-age=\d{8,}; includeSubDomains", answer.headers["strict-transport-security"])
        assert "upgrade-insecure-requests" in client.get(open_to_friends.url + "/").headers["content-security-policy"]


# --- methods and addresses that only look alike ---


def test_BI_N11_head_and_options_are_no_way_around(dms, owner):
    """HEAD runs the row of GET, with its permission; OPTIONS runs nothing."""
    with dms.http() as http, owner.api_key(["search.save"]) as key:
        for r in ROUTES:
            if r["method"] != "GET" or r["permission"] == "public":
                continue
            path = real(r["path"])
            assert http.head(path).status_code == 401, path
            got = key.get(dms.url + path) if not path.endswith("/events") else None
            head = key.head(dms.url + path) if not path.endswith("/events") else None
            if got is not None:
                assert head.status_code == got.status_code and head.content == b"", path
            if r["permission"] != "signed_in":
                assert got.status_code == 403, path
        for path in PATHS:
            answer = http.options(real(path))
            assert answer.status_code == 204 and answer.content == b"" and "OPTIONS" in answer.headers["allow"], path


def as_it_is(dms, path, headers):
    """(status, type, text) of GET on a path that clients would put in order first."""
    connection = http.client.HTTPConnection("localhost", dms.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": headers["Authorization"]})
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()
    finally:
        connection.close()


def test_BI_N11_addresses_that_look_like_a_route_are_none(dms, owner):
    document = owner.upload("text", name="a.txt")
    path = f"/api/v1/documents/{document['id']}"
    assert owner.get(dms.url + path).status_code == 200
    for other in (path + "/", path.replace("/v1/", "/V1/"), path.replace("documents", "Documents"), path.replace("/v1/", "//v1/"), "/" + path, path.replace("/api/", "/api/./"),
                  path + "/.", path + ";a=b", path + "%2f", path + "%00", path + "/../" + document["id"], path.replace("v1", "v1%2f..")):
        status, kind, text = as_it_is(dms, other, owner.headers)
        assert status in (400, 404) or kind.startswith("text/html"), (other, status)
        assert document["sha256"] not in text
    for method in ("PUT", "TRACE", "PROPFIND", "GETS"):
        answer = owner.request(method, dms.url + "/api/v1/documents")
        assert answer.status_code in (400, 405), method
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert owner.post(f"{dms.url}{path}", headers={header: "DELETE"}).status_code == 405
    assert owner.get(dms.url + path).status_code == 200
