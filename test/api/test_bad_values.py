"""Bad values in fields, parameters and headers, by the rows of docs/bad-input.md: refused by name, taken exactly, or nothing but text."""
import concurrent.futures
import datetime
import json
import subprocess
import time
import unicodedata
import uuid

import pytest
from conftest import BUILD, at_once, wait_for
from json_texts import I, N, Y

JSON = {"Content-Type": "application/json"}
ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)


def refused(answer, field=None, status=400, code="validation_error"):
    assert answer.status_code == status, (answer.request.url, answer.status_code, answer.text[:500])
    problem = answer.json()
    assert problem["code"] == code
    if field is not None:
        assert field in [e["field"] for e in problem["errors"]], problem
    return problem


def send_key(owner, **more):
    return owner.post("/api-keys", json={"name": "k", "scopes": ["document.read"], **more})


def search(owner, **filters):
    return owner.post("/search", json={"query": "a", "filters": filters})


# --- A: values ---

def lookalikes(word):
    """Other case, spaces around, a letter of another alphabet, a part, a list."""
    found = {word.upper(), word.capitalize(), word + " ", " " + word, word + "\u200b", word[:-1], word + "," + word, "\uff41" + word[1:]}
    for latin, other in (("a", "\u0430"), ("e", "\u0435"), ("o", "\u043e"), ("i", "\u0456"), ("c", "\u0441")):
        found.add(word.replace(latin, other))
    return found - {word}


def test_BI_A16_words_of_a_list_are_exactly_these(dms, owner):
    with dms.http() as http:
        paths = http.get("/openapi.json").json()["paths"]
    document, asked = owner.upload("x", name="x.txt")["id"], 0
    for path, operations in paths.items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                for word in parameter.get("schema", {}).get("enum", []) if parameter.get("in") == "query" else []:
                    for other in lookalikes(word):
                        query = {parameter["name"]: other, **({"q": "x"} if path.endswith("/search") else {})}
                        refused(owner.request(method, dms.url + path.replace("{id}", document), params=query), parameter["name"])
                        asked += 1
    assert asked > 100
    sent = {"status": "processed", "lifecycle": "draft", "classification": "public"}
    for field, word in sent.items():
        assert search(owner, **{field: word}).status_code == 200
        for other in lookalikes(word):
            refused(search(owner, **{field: other}), field)
    for other in lookalikes("public"):
        refused(owner.patch(f"/documents/{document}", json={"classification": other}), "classification")
        refused(owner.post("/documents", files={"file": ("y.txt", b"y")}, data={"classification": other}), "classification")
    for other in lookalikes("hybrid"):
        refused(owner.post("/search", json={"query": "a", "mode": other}), "mode")
    for other in lookalikes("sk"):
        refused(send_key(owner, type=other), "type")
    for other in lookalikes("document.read"):
        refused(send_key(owner, scopes=[other]), "scopes")
    assert owner.ok("GET", f"/documents/{document}")["classification"] == "internal"
    assert len(owner.ok("GET", "/documents")["items"]) == 1 and owner.ok("GET", "/api-keys")["items"] == []


NO_TIMES = ["2025-02-30", "2025-02-29", "0000-00-00", "0000-01-01", "-4713-11-24", "4713-01-01 BC", "2025-13-01", "2025-00-10", "2025-04-31", "2016-12-31T23:59:60Z", "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z", "2025-01-01T00:00:00+99:99", "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00+01:60", "2025-01-01T00:00:00", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00z ",
            "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "10000-01-01", "20250101", "2025-1-1", "01/02/2025", "-1", "0", "1700000000", "1e9", "now", "epoch", "today", "tomorrow", "infinity",
            "-infinity", "2025-W01-1", "2025-001", "\u0662\u0660\u0662\u0665-01-01", "2025-01-01T00:00:00Z; x", ""]
TIMES = {"2038-01-19T03:14:08Z": "2038-01-19T03:14:08Z", "9999-12-31": "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999Z", "2096-02-29": "2096-02-29T00:00:00Z",
         "2090-01-01T00:30:00+01:00": "2089-12-31T23:30:00Z", "2090-06-30T12:00:00.000001-23:59": "2090-07-01T11:59:00.000001Z"}


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_BI_A17_times_are_exact_or_refused(owner):
    for text in NO_TIMES:
        refused(send_key(owner, expires_at=text), "expires_at")
        for field in ("created_from", "created_to", "updated_from", "updated_to"):
            if text:
                refused(search(owner, **{field: text}), field)
    refused(send_key(owner, expires_at="2020-01-01T00:00:00Z"), "expires_at")  # a key that could never be used
    refused(send_key(owner, expires_at=1700000000), "expires_at")
    assert owner.ok("GET", "/api-keys")["items"] == []
    for text, meant in TIMES.items():
        made = send_key(owner, expires_at=text)
        assert made.status_code == 201, made.text
        assert instant(made.json()["expires_at"]) == instant(meant), (text, made.json()["expires_at"])


def test_BI_A17_times_of_filters_hold_to_the_microsecond(owner):
    document = owner.upload_processed("Found at its time.", name="a.txt")
    created = instant(document["created_at"])
    step = datetime.timedelta(microseconds=1)

    def found(**filters):
        return [i["document_id"] for i in owner.search("found", mode="keyword", filters={k: v.isoformat().replace("+00:00", "Z") for k, v in filters.items()})["items"]]
    assert found(created_from=created) == [document["id"]] and found(created_from=created + step) == []
    assert found(created_from=created - step, created_to=created + step) == [document["id"]] and found(created_to=created - step) == []
    for text in ("1969-12-31T23:59:59.5Z", "1900-01-01", "0001-01-01"):  # before the epoch is a time like any other
        assert [i["document_id"] for i in owner.search("found", mode="keyword", filters={"created_from": text})["items"]] == [document["id"]]
        assert owner.search("found", mode="keyword", filters={"created_to": text})["items"] == []


def test_BI_A18_lists_have_an_end(owner):
    """There is no call in bulk; what takes a list takes few items, whole or not at all."""
    document = owner.upload("x", name="x.txt")["id"]
    for count in (101, 1001, 50_000):
        refused(owner.patch(f"/documents/{document}", json={"tags": [f"t{i}" for i in range(count)]}), "tags")
        refused(owner.post("/documents", files={"file": ("y.txt", b"y")}, data={"tags": json.dumps(["t"] * count)}), "tags")
        refused(search(owner, tags=["t"] * count), "tags")
        refused(send_key(owner, scopes=["document.read"] * count), "scopes")
    assert owner.patch(f"/documents/{document}", content=b'{"tags":[' + b'"t",' * 10**6 + b'"t"]}', headers=JSON).status_code == 413
    assert owner.patch(f"/documents/{document}", json={"tags": [f"t{i}" for i in range(100)]}).status_code == 200
    assert len(owner.ok("GET", f"/documents/{document}")["tags"]) == 100
    assert len(owner.ok("GET", "/documents")["items"]) == 1 and owner.ok("GET", "/api-keys")["items"] == []


def equal(sent, kept):
    """The database writes a large double as a whole number: to Python those are two."""
    return float(kept) == sent if isinstance(sent, float) else kept == sent and type(kept) is type(sent)


def store_json(owner, document, text):
    return owner.patch(f"/documents/{document}", content=b'{"metadata":{"v":' + text + b"}}", headers=JSON)


def test_BI_A19_json_that_must_be_taken_is_given_back_equal(owner):
    """Three readers agree: ours, PostgreSQL's, and Python's over the answer."""
    document = owner.upload("x", name="x.txt")["id"]
    wrong = []
    for name, text in Y.items():
        answer = store_json(owner, document, text)
        if answer.status_code != 200 or not equal(json.loads(text), answer.json()["metadata"]["v"]) or owner.ok("GET", f"/documents/{document}")["metadata"] != answer.json()["metadata"]:
            wrong.append((name, answer.status_code, answer.text[:600]))
    assert not wrong, wrong


def test_BI_A19_json_that_must_be_refused_is(owner):
    document = owner.upload("x", name="x.txt", metadata={"v": "before"})["id"]
    wrong = [name for name, text in N.items() if store_json(owner, document, text).status_code != 400]
    wrong += [f"{name} as a field of a form" for name, text in N.items()
              if owner.post("/documents", files={"file": ("y.txt", b"y"), "metadata": (None, b'{"v":' + text + b"}")}).status_code != 400]
    assert not wrong, wrong
    assert owner.ok("GET", f"/documents/{document}")["metadata"] == {"v": "before"} and len(owner.ok("GET", "/documents")["items"]) == 1


def test_BI_A19_json_that_may_be_taken_is_as_we_say(owner):
    document = owner.upload("x", name="x.txt")["id"]
    for name, (text, taken) in I.items():
        answer = store_json(owner, document, text)
        assert answer.status_code == (200 if taken else 400), (name, answer.status_code, answer.text[:200])
        if taken:
            assert equal(json.loads(text), answer.json()["metadata"]["v"]), name  # a number with a fraction is the nearest double
    assert len(Y) + len(N) + len(I) >= 100


# --- C: queries ---

@pytest.mark.parametrize("value", ["password_hash", "id;drop", "title,id", "1,2", "1", "-", "--title", "+title", " title", "title ", "TITLE", "created_at desc", "(select 1)", "title--", "", "%00", "d.title"])
def test_BI_C03_sort_is_a_word_of_a_list(dms, owner, value):
    lists = [r for r in ROUTES if r["method"] == "GET" and {"limit", "sort"} & set(r["params"])]
    assert len(lists) >= 5
    for route in lists:
        path = route["path"].replace("{id}", str(uuid.uuid4()))
        refused(owner.get(dms.url + path + "?sort=" + value.replace(" ", "%20").replace("+", "%2B") + ("&q=x" if "q" in route["params"] else "")))


SLEEP_S = 30
LENGTH = 44  # all alike: what is too long for its place is told so before anything else
PAYLOADS = [p.ljust(LENGTH, "x") for p in (
    "' OR '1'='1' -- ", f"1;SELECT pg_sleep({SLEEP_S})-- ", f"'||(SELECT pg_sleep({SLEEP_S}))||'", "' UNION SELECT version() -- ", f"\\'); SELECT pg_sleep({SLEEP_S}) -- ", f"$1$$;SELECT pg_sleep({SLEEP_S});$$")]
BENIGN = "a plain word of a text ".ljust(LENGTH, "x")
CHANGES = ("request_id", "took_ms", "ms", "uptime_seconds", "legs", "id", "document_id", "job_id", "created_at", "updated_at", "sha256", "key", "prefix", "organization", "user", "owner", "duplicate_of", "size", "last_used_at")


def same_shape(value, word):
    """What must be equal whatever the text: without ids and times, the text itself taken out."""
    if isinstance(value, dict):
        return {k.replace(word, "X"): same_shape(v, word) for k, v in value.items() if k not in CHANGES}
    if isinstance(value, list):
        return [same_shape(v, word) for v in value]
    return value.replace(word, "X") if isinstance(value, str) else value


def leaves_of(value, path=()):
    """The places of the texts in a JSON value."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in leaves_of(v, (*path, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in leaves_of(v, (*path, i))]
    return [path]


def with_leaf(value, path, text):
    if not path:
        return text
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = with_leaf(copy[path[0]], path[1:], text)
    return copy


def bodies(document):
    question = {"query": "word", "mode": "keyword", "cursor": "x", "limit": 1, "facets": False, "filters": {
        "status": "processed", "lifecycle": "draft", "classification": "public", "type": "x", "mime_type": "text/plain", "folder_id": document, "owner_id": document, "document_id": document,
        "created_from": "2025-01-01", "created_to": "2027-01-01", "updated_from": "2025-01-01", "updated_to": "2027-01-01", "tags": ["x"]}}
    question.pop("cursor")
    return {
        "POST /api/v1/auth/register": {"email": "x", "password": "long enough a word", "name": "x", "organization": "x"}, "POST /api/v1/auth/verify": {"token": "x"},
        "POST /api/v1/auth/resend": {"email": "nobody@example.com"}, "POST /api/v1/auth/password/forgot": {"email": "nobody@example.com"},
        "POST /api/v1/auth/password/reset": {"token": "x", "password": "long enough a word"},
        "POST /api/v1/auth/password/change": {"current_password": "x", "new_password": "long enough a word"},
        "POST /api/v1/auth/login": {"email": "nobody@example.com", "password": "x", "organization": "x"}, "POST /api/v1/auth/refresh": {"refresh_token": "x"}, "POST /api/v1/auth/logout": {"all": False},
        "POST /api/v1/api-keys": {"name": "x", "type": "sk", "scopes": ["document.read"], "expires_at": "2090-01-01"}, "POST /api/v1/folders": {"name": "x", "parent_id": None},
        "POST /api/v1/documents/search": question, "POST /api/v1/search": {**question, "cursor": "x"},
        "PATCH /api/v1/documents/{id}": {"title": "x", "folder_id": None, "classification": "public", "tags": ["x"], "metadata": {"x": "x"}}}


def places(dms, owner, document):
    """(name, send(text)) of every place where a text can go in: of each route its path, its parameters, a few headers, every leaf of its body."""
    found = []

    def at(name, method, path, **make):
        def send(text):
            options = {key: value(text) if callable(value) else value for key, value in make.items()}
            address = path(text) if callable(path) else path
            return owner.request(method, dms.url + address, **options)
        found.append((name, send))

    made = bodies(document)
    for route in (r for r in ROUTES if not r["path"].endswith("/events")):
        method, path, name = route["method"], route["path"], f"{route['method']} {route['path']}"
        unknown, own = path.replace("{id}", str(uuid.uuid4())), path.replace("{id}", document)
        body = {"json": made[name]} if name in made else {"files": {"file": ("x.txt", b"x")}} if route["body"] == "multipart" else {}
        if "{id}" in path:
            at(name + " path", method, lambda text, path=path: path.replace("{id}", httpx_quote(text)), **body)
        for parameter in [*route["params"], "unknown"]:
            at(f"{name} ?{parameter}", method, own if method == "GET" else unknown,
               params=lambda text, p=parameter, r=route: {**({"q": "x"} if "q" in r["params"] else {}), p: text}, **body)
        headers = ["User-Agent", "X-Request-Id", "traceparent", "tracestate", "If-None-Match", "If-Modified-Since", "Range", "Accept", "Accept-Language", "Accept-Encoding", "Referer", "X-Forwarded-For",
                   "X-Forwarded-Host", "Cookie", "X-Tenant-Id", *(["If-Match", "Idempotency-Key"] if method != "GET" and name not in made else [])]
        if path.endswith("/folders") and body:
            body = {"json": {"name": "x", "parent_id": str(uuid.uuid4())}}  # the second of a name would be refused for that
        if not path.endswith("/logout"):  # it would work
            at(name + " headers", method, unknown, headers=lambda text, h=headers: {n: text for n in h}, **body)
        for leaf in leaves_of(made.get(name, {})) if name in made else []:
            at(f"{name} {'.'.join(map(str, leaf))}", method, own, json=lambda text, n=name, leaf=leaf: with_leaf(made[n], leaf, text))
    for field in ("tags", "title", "metadata", "folder_id", "classification", "unknown"):
        at(f"upload {field}", "POST", "/api/v1/documents", files={"file": ("x.txt", b"x")}, data=lambda text, f=field: {f: json.dumps({"x": text}) if f == "metadata" else text})
    at("upload name", "POST", "/api/v1/documents/upload", files=lambda text: {"file": (text, b"x")})
    at("version name", "POST", f"/api/v1/documents/{document}/versions", files=lambda text: {"file": (text, b"x")})
    return found


def httpx_quote(text):
    return "".join(f"%{b:02x}" for b in text.encode())


ONE_VALUE = ("application/json", "application/problem+json", "application/scim+json")  # and not application/jsonl


def test_BI_C08_sql_is_text_wherever_it_stands(dms, owner):
    """Over every route: its path, each parameter, each leaf of its body, its headers. The same answer as to a plain text, and as soon."""
    document = owner.upload_processed("x", name="x.txt")["id"]
    asked, wrong, slow = places(dms, owner, document), [], 0
    assert len(asked) > 150

    def look(place):
        name, send = place
        found, longest = [], 0
        plain = send(BENIGN)
        while "/audit/" in name and plain.status_code == 409:
            plain = send(BENIGN)
        for payload in PAYLOADS:
            start = time.monotonic()
            answer = send(payload)
            while "/audit/" in name and answer.status_code == 409 and time.monotonic() - start < 20:  # the log is gone over by one at a time
                answer = send(payload)
            longest = max(longest, time.monotonic() - start)
            if answer.status_code >= 500 or answer.status_code != plain.status_code:
                found.append((name, payload, plain.status_code, answer.status_code, answer.text[:600]))
            elif answer.headers.get("content-type", "").split(";")[0] in ONE_VALUE and not name.endswith(" name") and "/audit" not in name and same_shape(answer.json(), payload) != same_shape(plain.json(), BENIGN):
                found.append((name, payload, plain.text[:300], answer.text[:300]))
        return found, longest
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reads = [p for p in asked if p[0].startswith("GET") or "search" in p[0]]  # first what changes nothing for the others
        for part in (reads, [p for p in asked if p not in reads]):
            for found, longest in pool.map(look, part):
                wrong, slow = wrong + found, max(slow, longest)
    assert not wrong, wrong[:5]
    assert slow < SLEEP_S / 2, slow
    with dms.database() as db:
        assert db.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(" + str(SLEEP_S) + ")%' AND pid <> pg_backend_pid()").fetchone()[0] == 0


def test_BI_C10_wildcards_are_letters(owner):
    owner.upload("Nothing of percent.", name="a.txt", tags=json.dumps(["axb", "100"]))
    percent = owner.upload("Nothing of percent either.", name="b.txt", tags=json.dumps(["a_b", "100%", "%"]))["id"]

    def tagged(tag):
        return [d["id"] for d in owner.ok("GET", "/documents", params={"tag": tag})["items"]]
    assert tagged("a_b") == [percent] and tagged("100%") == [percent] and tagged("%") == [percent]
    for wild in ("_", "%%", "1%", "a%", "%_%_%_%", "a*", "*", "a.b", "\\%", "___"):
        assert tagged(wild) == [], wild
    owner.wait_processed(percent)
    for filters in ({"tags": ["1%"]}, {"mime_type": "text/%"}, {"mime_type": "text/plai_"}, {"type": "%"}):
        assert owner.search("percent", mode="keyword", filters=filters)["items"] == [], filters
    for question in ("per%", "p_rcent", "%", "%_%_%" * 100, "_" * 300, "per*"):
        assert owner.search(question, mode="keyword")["items"] == [], question


def test_BI_C11_filters_that_cannot_hold(owner):
    for kind in ("created", "updated"):
        refused(search(owner, **{f"{kind}_from": "2026-11-24", f"{kind}_to": "2026-11-23T23:59:59.999999Z"}), f"{kind}_from")
        refused(search(owner, **{f"{kind}_from": "2026-01-01T00:00:00-01:00", f"{kind}_to": "2026-01-01T00:59:59Z"}), f"{kind}_from")
        assert search(owner, **{f"{kind}_from": "2026-11-24", f"{kind}_to": "2026-11-24"}).status_code == 200
        assert search(owner, **{f"{kind}_from": "2026-01-01T00:00:00+01:00", f"{kind}_to": "2025-12-31T23:00:00Z"}).status_code == 200
        for word in ("infinity", "-infinity"):
            refused(search(owner, **{f"{kind}_from": word}), f"{kind}_from")
    assert search(owner, created_from="2026-11-24", updated_to="2026-11-23").status_code == 200  # two ranges, not one
    refused(owner.post("/search", json={"query": "a", "facets": [f"f{i}" for i in range(10_000)]}), "facets")
    refused(search(owner, **{f"f{i}": "x" for i in range(60)}))
    assert search(owner, **{f"f{i}": "x" for i in range(10_000)}).status_code == 400


def test_BI_C12_nothing_leads_away(dms, owner):
    """No answer of this service sends a browser anywhere; the web application's own way back is web/src/features/auth/destination.ts and its test."""
    targets = ["//evil.example", "/%5Cevil.example", "/%5C/evil.example", "https:evil.example", "javascript:alert(1)", "data:text/html,x", "%2F%2Fevil.example", "/%09/evil.example"]
    names = ["next", "redirect", "redirect_uri", "return_to", "url", "continue"]
    with dms.http(follow_redirects=False) as http:
        for target in targets:
            for path in (f"/sign-in?next={target}", f"/?url={target}", f"/{target.lstrip('/')}", f"//{target.lstrip('/')}", f"/sign-in/{target}"):
                answer = http.get(dms.url + path)
                assert answer.status_code in (200, 400, 404), (path, answer.status_code)
                assert "location" not in answer.headers and "refresh" not in answer.headers
            for route in (r for r in ROUTES if r["method"] == "GET" and r["permission"] == "public"):
                answer = http.get(route["path"] + "?" + "&".join(f"{n}={target}" for n in names), headers={"Host": dms.url.split("//")[1], "X-Forwarded-Host": "evil.example"})
                assert answer.status_code in (200, 400, 404) and "location" not in answer.headers, (route, answer.status_code)
        answer = http.post(f"/api/v1/auth/login?next={targets[0]}", json={"email": "nobody@example.com", "password": "long enough a word"})
        assert answer.status_code == 400 and "location" not in answer.headers
    made = owner.post("/folders", json={"name": "//evil.example"}, headers={"X-Forwarded-Host": "evil.example"})
    assert made.headers["location"] == f"/api/v1/folders/{made.json()['id']}"


def test_BI_C13_credentials_in_an_address_are_none(dms, owner):
    with owner.api_key(["document.read"]) as reader:
        key = reader.headers["X-API-Key"]
    token, refresh, ids = owner.tokens["access_token"], owner.tokens["refresh_token"], []
    with dms.http() as http:
        for path in ("/api/v1/documents", "/api/v1/auth/me", "/api/v1/events"):
            for name in ("api_key", "apikey", "key", "X-API-Key", "token", "access_token", "authorization", "jwt", "bearer"):
                for secret in (key, token, f"Bearer%20{token}"):
                    answer = http.get(f"{path}?{name}={secret}")
                    refused(answer, status=401, code="unauthorized")
                    assert answer.headers["www-authenticate"].startswith("Bearer")
                    assert key not in answer.text and token not in answer.text
                    ids.append(answer.headers["x-request-id"])
        for answer in (http.get(f"/s/{token}"), http.post(f"/api/v1/auth/refresh?refresh_token={refresh}", json={"refresh_token": "x"}), owner.get(f"/documents?api_key={key}")):
            assert answer.status_code in (400, 404) or "text/html" in answer.headers["content-type"]
            ids.append(answer.headers["x-request-id"])
    logs = [p for p in (dms.data / "log").glob("*.log")]
    wait_for(lambda: all(i in (dms.data / "log" / "api.log").read_text(errors="replace") for i in ids), 10, "the log of these requests")
    for path in [dms.log_path, *logs]:
        text = path.read_text(errors="replace")
        assert key not in text and token not in text and refresh not in text, path


# --- E: names of folders ---

def test_BI_E08_names_are_equal_when_they_compose_to_the_same(owner):
    """The one rule: Unicode normal form C, and then byte by byte. Case, width and spelling make another name."""
    for name in ("Café", "Ångström", "각하", "\u1e69", "q\u0323\u0307"):
        forms = {form: unicodedata.normalize(form, name) for form in ("NFD", "NFC")}
        made = owner.ok("POST", "/folders", 201, json={"name": forms["NFD"]})
        assert made["name"] == forms["NFC"]
        for form in forms.values():
            refused(owner.post("/folders", json={"name": form}), status=409, code="conflict")
    before = len(owner.ok("GET", "/folders")["items"])
    others = ["readme", "README", "ReadMe", "Straße", "STRASSE", "Strasse", "istanbul", "ISTANBUL", "\u0131stanbul", "\u0130stanbul", "A", "\uff21", "\u0410", "file", "\ufb01le", "K", "\u212a", "1", "\u00b9", "a b", "a\u00a0b"]
    composed = {unicodedata.normalize("NFC", n) for n in others}
    answers = {n: owner.post("/folders", json={"name": n}).status_code for n in others}
    assert sum(s == 201 for s in answers.values()) == len(composed) == len(others) - 1, answers  # the Kelvin sign is a K
    assert answers["\u212a"] == 409 and len(owner.ok("GET", "/folders")["items"]) == before + len(composed)
    refused(owner.post("/folders", json={"name": "\u0958" * 60}), "name")  # 180 bytes as sent, 360 composed
    assert owner.post("/folders", json={"name": "e\u0301" * 85}).status_code == 201  # 255 bytes as sent, 170 composed


def test_BI_E15_folders_are_32_deep_and_no_ring(owner):
    chain, parent = [], None
    for i in range(32):
        parent = owner.ok("POST", "/folders", 201, json={"name": f"level {i}", "parent_id": parent})["id"]
        chain.append(parent)
    for name in ("level 32", "another"):
        problem = refused(owner.post("/folders", json={"name": name, "parent_id": parent}), status=422, code="unprocessable")
        assert "32" in problem["detail"]
    assert owner.ok("GET", "/folders", params={"parent_id": parent})["items"] == []
    assert owner.post("/folders", json={"name": "beside", "parent_id": chain[30]}).status_code == 201
    refused(owner.post("/folders", json={"name": "x", "id": chain[0], "parent_id": chain[0]}), "id")
    for below in (chain[0], chain[1], chain[31]):
        problem = refused(owner.patch(f"/folders/{chain[0]}", json={"parent_id": below}), status=422, code="unprocessable")
        assert "itself" in problem["detail"]
    assert owner.ok("GET", f"/folders/{chain[0]}")["parent_id"] is None
    for round_ in range(10):  # each into the other at once: one of the two would be a ring
        pair = [owner.ok("POST", "/folders", 201, json={"name": f"{name} {round_}"})["id"] for name in "ab"]
        statuses = sorted(a.status_code for a in at_once(2, lambda i: owner.patch(f"/folders/{pair[i]}", json={"parent_id": pair[1 - i]})))
        assert statuses == [200, 422], statuses
    refused(owner.delete(f"/folders/{chain[0]}"), status=409, code="conflict")
    assert owner.ok("GET", f"/folders/{chain[31]}")["parent_id"] == chain[30]


def test_BI_E16_the_same_folder_at_once_is_made_once(owner):
    for round_ in range(15):
        name = f"Café {round_}"
        answers = at_once(6, lambda i: owner.post("/folders", json={"name": unicodedata.normalize("NFD" if i % 2 else "NFC", name)}))
        assert sorted(a.status_code for a in answers) == [201] + [409] * 5, [a.text for a in answers]
    assert len(owner.ok("GET", "/folders")["items"]) == 15


def test_BI_E16_the_same_document_at_once_gets_each_its_version(owner):
    """Names of documents may repeat: two uploads are two documents. Versions of one are numbered without gap or repeat."""
    made = at_once(6, lambda i: owner.post("/documents", files={"file": ("same.txt", b"same %d" % i)}))
    assert [a.status_code for a in made] == [201] * 6 and len({a.json()["id"] for a in made}) == 6
    for round_ in range(4):
        document = made[round_].json()["id"]
        answers = at_once(5, lambda i: owner.post(f"/documents/{document}/versions", files={"file": ("same.txt", b"version %d" % i)}))
        assert [a.status_code for a in answers] == [201] * 5, [a.text for a in answers]
        assert sorted(a.json()["version"] for a in answers) == [2, 3, 4, 5, 6]
        kept = {v["version"]: v["sha256"] for v in owner.ok("GET", f"/documents/{document}/versions")["items"]}
        assert kept == {1: made[round_].json()["sha256"], **{a.json()["version"]: a.json()["sha256"] for a in answers}}
