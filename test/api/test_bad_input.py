"""Bad input, named by the rows of the catalogue: each gets a clear refusal or a document with its cause, and the service stays up."""
import json
import os
import socket
import time
import uuid

import pytest
from conftest import wait_for

JSON = {"Content-Type": "application/json"}


def refused(answer, status=400, code="validation_error"):
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.json()["code"] == code
    return answer.json()


BAD_JSON = {
    "A01 empty": b"", "A01 spaces": b"   ", "A02 cut": b'{"name":', "A02 comma": b'{"name":"a",}', "A02 quotes": b"{'name':'a'}",
    "A02 comment": b'{"name":"a"/*x*/}', "A02 NaN": b'{"name":NaN}', "A02 hex": b'{"name":0x1}', "A02 plus": b'{"name":+1}', "A02 point": b'{"name":.5}',
    "A02 zero": b'{"name":01}', "A03 two": b'{"name":"a"} {}', "A03 letter": b'{"name":"a"}x', "A04 33 deep": b"[" * 33 + b"]" * 33,
    "A04 100000 deep": b"[" * 100000, "A05 keys": b"{" + b",".join(b'"k%d":1' % i for i in range(5000)) + b"}",
    "A06 twice": b'{"name":"a","name":"b"}', "A07 huge": b'{"name":1e400}', "A07 digits": b'{"name":' + b"9" * 10000 + b"}",
    "A08 number": b'{"name":1}', "A08 null": b'{"name":null}', "A08 list": b"[]", "A08 text": b'"name"', "A09 unknown": b'{"name":"a","tenant_id":"x"}',
    "A10 surrogate": b'{"name":"\\ud800"}', "A10 nul": b'{"name":"a\\u0000b"}', "A10 overlong": b'{"name":"\xc0\xaf"}', "A10 FF": b'{"name":"\xff\xfe"}',
    "A10 cut": b'{"name":"\xe2\x82"}', "A12 quoting": b'{"name":"\xc0\x27"}', "A11 BOM": b'\xef\xbb\xbf{"name":"a"}', "A11 UTF-16": '{"name":"a"}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_BI_A_bad_json(owner, name):
    refused(owner.post("/folders", content=BAD_JSON[name], headers=JSON))
    assert owner.ok("GET", "/folders")["items"] == []


def test_BI_A05_a_large_body_is_refused_unread(owner):
    assert owner.post("/folders", content=b'{"name":"' + b"x" * (2 << 20) + b'"}', headers=JSON).status_code == 413


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json, text/html", "application/x-www-form-urlencoded", "application/json; charset=latin1"])
def test_BI_A15_other_content_types(owner, kind):
    answer = owner.post("/folders", content=b'{"name":"a"}', headers={"Content-Type": kind} if kind else {})
    refused(answer, 415, "unsupported_media_type")


def test_BI_A15_json_in_its_variants(owner):
    for i, kind in enumerate(("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=UTF-8")):
        assert owner.post("/folders", content=b'{"name":"v%d"}' % i, headers={"Content-Type": kind}).status_code == 201, kind


def test_BI_A11_compressed_bodies_are_not_taken(owner):
    refused(owner.post("/folders", content=b"\x1f\x8b", headers={**JSON, "Content-Encoding": "gzip"}), 415, "unsupported_media_type")


@pytest.mark.parametrize("name", ["'; DROP TABLE document; --", "$$ \\ % _ $1", "{{7*7}}", "${jndi:ldap://x}", "%n%s%x", "__proto__", "<script>alert(1)</script>",
                                  "=cmd|' /C calc'!A0", "Ünïcödé 🙂 漢字", "a\\u0041"])
def test_BI_A13_A14_text_is_only_text(owner, name):
    made = owner.ok("POST", "/folders", 201, json={"name": name})
    assert owner.ok("GET", f"/folders/{made['id']}")["name"] == name


BAD_QUERY = ["limit=-1", "limit=0", "limit=101", "limit=1e9", "limit=1.5", "limit=", "limit=9223372036854775808", "sort=password", "sort=title,id", "status=PROCESSED",
             "folder_id=x", "limit=1&limit=2", "unknown=1", "count=yes", "%6cimit=0", "limit=%zz", "tag=%00", "tag=%ff", "cursor="]


@pytest.mark.parametrize("query", BAD_QUERY)
def test_BI_C_bad_parameters(owner, query):
    refused(owner.get(f"/documents?{query}"))


@pytest.mark.parametrize("id_", ["x", "00000000-0000-0000-0000-000000000000", "{01a2071e-40c6-70be-b9ed-41d975ff6a93}", "01a2071e-40c6-70be-b9ed-41d975ff6a9", "a" * 5000,
                                 "%2e%2e%2fx", "..%2f..%2fetc", "01a2071e%2f40c6"])
def test_BI_C05_C06_bad_ids(owner, id_):
    assert owner.get(f"/documents/{id_}").status_code in (400, 404)


BAD_NAMES = {"E02 tab": "a\tb.txt", "E02 escape": "a\x1bb.txt", "E02 DEL": "a\x7fb.txt", "E05 override": "annexe\u202efdp.exe", "E05 isolate": "a\u2066b.txt",
             "E06 300 bytes": "x" * 296 + ".txt", "E06 dots": "...", "E06 spaces": "   "}


@pytest.mark.parametrize("row", BAD_NAMES)
def test_BI_E_names_that_are_refused(owner, row):
    """Sent as raw bytes: clients would escape them."""
    name = BAD_NAMES[row].encode()
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\nhello\r\n--b--\r\n'
    answer = owner.post("/documents", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    refused(answer)
    assert owner.ok("GET", "/documents")["items"] == []


@pytest.mark.parametrize("name,kept", [("../../etc/passwd", "passwd"), ("..\\..\\boot.ini", "boot.ini"), ("/etc/shadow", "shadow"), ("C:\\x\\y.txt", "y.txt"),
                                       ("CON", "CON"), (".htaccess", ".htaccess"), ("-rf", "-rf"), ("$(id).txt", "$(id).txt"), ("naïve 漢字.txt", "naïve 漢字.txt")])
def test_BI_E01_E07_names_are_only_shown(owner, name, kept):
    document = owner.upload("x", name=name)
    assert document["name"] == kept
    answer = owner.get(f"/documents/{document['id']}/content")
    assert answer.headers["content-disposition"].startswith("attachment") and "\n" not in answer.headers["content-disposition"]


def test_BI_E06_255_bytes_are_a_name(owner):
    assert owner.upload("x", name="n" * 251 + ".txt")["name"] == "n" * 251 + ".txt"


def test_BI_E11_tags_and_metadata_have_limits(owner):
    def send(**fields):
        return owner.post("/documents", files={"file": ("a.txt", b"a")}, data=fields)
    refused(send(tags=json.dumps([f"t{i}" for i in range(101)])))
    refused(send(tags=json.dumps(["x" * 65])))
    refused(send(tags='["a", 1]'))
    refused(send(metadata="[]"))
    refused(send(metadata="{"))
    refused(send(metadata=json.dumps({"k": "x" * 70000})))
    refused(send(folder_id="nonsense"))
    refused(send(surprise="1"))
    refused(send(classification="secret"))
    assert send(folder_id=str(uuid.uuid4())).status_code == 404
    assert owner.ok("GET", "/documents")["items"] == []
    assert send(tags=json.dumps([f"t{i}" for i in range(100)]), metadata=json.dumps({"<script>": "=1+1"})).status_code == 201


def test_BI_F01_an_empty_file(owner):
    problem = refused(owner.post("/documents", files={"file": ("empty.txt", b"")}))
    assert problem["errors"][0]["field"] == "file" and "empty" in problem["errors"][0]["message"]


def test_BI_F01_the_largest_file_and_one_byte_more(start_dms):
    server = start_dms(env={"DMS_MAX_UPLOAD": "65536"})
    with server.register() as client:
        assert client.upload(b"x" * 65536, name="max.txt")["size"] == 65536
        refused(client.post("/documents", files={"file": ("over.txt", b"x" * 65537)}), 413, "payload_too_large")
        refused(client.post("/documents", files={"file": ("far.txt", b"x" * (8 << 20))}), 413, "payload_too_large")
        assert len(client.ok("GET", "/documents")["items"]) == 1
        assert list((server.data / "blobs" / "tmp").iterdir()) == []


def multipart(parts, boundary=b"b", end=b"--b--\r\n"):
    body = b"".join(b"--" + boundary + b"\r\n" + p for p in parts) + end
    return body


GOOD_PART = b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n'


@pytest.mark.parametrize("row,body,kind", [
    ("F02 no boundary", multipart([GOOD_PART]), "multipart/form-data"),
    ("F02 long boundary", multipart([GOOD_PART]), "multipart/form-data; boundary=" + "b" * 300),
    ("F02 no end", multipart([GOOD_PART], end=b""), "multipart/form-data; boundary=b"),
    ("F02 no file", multipart([b'Content-Disposition: form-data; name="tags"\r\n\r\na\r\n']), "multipart/form-data; boundary=b"),
    ("F02 two files", multipart([GOOD_PART, GOOD_PART]), "multipart/form-data; boundary=b"),
    ("F02 many parts", multipart([b'Content-Disposition: form-data; name="tags"\r\n\r\na\r\n'] * 2000 + [GOOD_PART]), "multipart/form-data; boundary=b"),
    ("F02 no disposition", multipart([b"X-A: b\r\n\r\nhello\r\n"]), "multipart/form-data; boundary=b"),
    ("F02 large header", multipart([b"X-A: " + b"b" * 65536 + b"\r\n" + GOOD_PART]), "multipart/form-data; boundary=b"),
    ("F02 empty", b"", "multipart/form-data; boundary=b"),
])
def test_BI_F02_multipart(owner, row, body, kind):
    answer = owner.post("/documents", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 415), (row, answer.status_code)
    assert owner.ok("GET", "/documents")["items"] == []


def raw(dms, text, body=b"", close=True, wait=10):
    """Sends bytes as they are; answers what comes back until the other side closes or says nothing for a while."""
    host, port = dms.url.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as s:
        s.sendall(text.replace("\n", "\r\n").encode("latin-1") + body)
        if close:
            s.shutdown(socket.SHUT_WR)
        data = b""
        try:
            while piece := s.recv(65536):
                data += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return data


def test_BI_F14_a_client_that_stops_in_the_middle_leaves_nothing(dms, owner):
    token = owner.tokens["access_token"]
    for sent in (0, 100, 300_000, 900_000):
        raw(dms, f"POST /api/v1/documents HTTP/1.1\nHost: localhost\nAuthorization: Bearer {token}\nContent-Type: multipart/form-data; boundary=b\n"
            "Content-Length: 1000000\n\n--b\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\n\n", b"x" * sent, wait=1)
    assert owner.ok("GET", "/documents")["items"] == []
    tmp = dms.data / "blobs" / "tmp"
    wait_for(lambda: not list(tmp.iterdir()), 10, "no temporary file")


FRAMING = {
    "B01 length and chunked": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
    "B02 two lengths": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: 5\nContent-Length: 6\n\nhello!",
    "B02 list": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: 5, 5\n\nhello",
    "B02 plus": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: +5\n\nhello",
    "B02 hex": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: 0x5\n\nhello",
    "B02 huge": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: 18446744073709551616\n\nhello",
    "B02 minus": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nContent-Length: -1\n\nhello",
    "B03 other": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nTransfer-Encoding: xchunked\n\n0\n\n",
    "B03 chunked, identity": "POST /api/v1/auth/login HTTP/1.1\nHost: x\nTransfer-Encoding: chunked, identity\n\n0\n\n",
    "B08 version": "GET /health/live HTTP/3.0\nHost: x\n\n",
    "B09 no host": "GET /health/live HTTP/1.1\n\n",
    "B09 two hosts": "GET /health/live HTTP/1.1\nHost: a\nHost: b\n\n",
}


@pytest.mark.parametrize("row", FRAMING)
def test_BI_B_framing(dms, row):
    data = raw(dms, FRAMING[row])
    status = data.split(b" ")[1:2]
    assert status and int(status[0]) in (400, 411, 505), (row, data[:200])
    assert data.count(b"HTTP/1.1 ") <= 1, "nothing of it is taken for a second request"


def test_BI_B06_B07_limits_of_the_head(dms):
    assert raw(dms, "GET /health/live HTTP/1.1\nHost: x\nX-Big: " + "b" * 17000 + "\n\n").split(b" ")[1] == b"431"
    assert raw(dms, "GET /health/live HTTP/1.1\nHost: x\n" + "".join(f"X-{i}: b\n" for i in range(101)) + "\n").split(b" ")[1] == b"431"
    assert raw(dms, "GET /" + "a" * 9000 + " HTTP/1.1\nHost: x\n\n").split(b" ")[1] == b"414"


def test_BI_B12_other_methods(dms, owner):
    for method in ("TRACE", "CONNECT", "PROPFIND"):
        assert raw(dms, f"{method} /api/v1/documents HTTP/1.1\nHost: x\n\n").split(b" ")[1] in (b"400", b"405", b"501")
    answer = owner.post("/documents", headers={"X-HTTP-Method-Override": "DELETE"}, files={"file": ("a.txt", b"a")})
    assert answer.status_code == 201


def test_BI_B14_claims_of_a_client_are_not_believed(dms, owner):
    answer = owner.get("/auth/me", headers={"X-User-Id": str(uuid.uuid4()), "X-Tenant-Id": str(uuid.uuid4()), "X-Forwarded-For": "1.2.3.4"})
    assert answer.json()["user"]["email"] == owner.email


def test_BI_B20_no_foreign_origin_is_let_in(dms):
    with dms.http() as http:
        for origin in ("null", "https://evil.example", dms.url + ".evil"):
            assert "access-control-allow-origin" not in http.get("/api/v1/auth/me", headers={"Origin": origin}).headers


QUESTIONS = ["what's the pilot's range", "what: really?", '"unbalanced', 'a "quoted phrase" b', "flow -dash exact", "a -b --c", "(((", "a & | ! b", "<-> <2> :*", "*", "foo:* & bar",
             "\\", "%_%", "' OR 1=1 --", "the of and", "🙂", "漢字 テスト", "x" * 2000, " ".join(["word"] * 400), "ADR-018", "\u202e", "a\nb\tc", "1e400", "$1 ${x} {{y}}", "\u00ad"]


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_BI_C09_any_text_is_a_question(owner, mode):
    owner.upload_processed("The pilot flew; wind over the wing. ADR-018.", name="a.txt")
    for question in QUESTIONS:
        answer = owner.post("/search", json={"query": question, "mode": mode})
        assert answer.status_code == 200, (question, answer.text)
        assert all(leg["state"] != "failed" for leg in answer.json()["legs"]), (question, answer.json()["legs"])


@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": "  \n"}, {"query": 1}, {"query": "a", "mode": "magic"}, {"query": "a", "limit": 0}, {"query": "a", "limit": 101},
                                  {"query": "a", "limit": "5"}, {"query": "x" * 4097}, {"query": "a", "nonsense": True}, {"query": "a", "cursor": "???"}, {"query": "a", "filters": []},
                                  {"query": "a", "filters": {"nonsense": 1}}])
def test_BI_C_bad_searches(owner, body):
    refused(owner.post("/search", json=body))


def test_a_full_disk_is_said_and_nothing_is_lost(start_dms):
    server = start_dms(env={"DMS_MIN_FREE_DISK": str(1 << 40)})
    with server.register() as client:
        problem = refused(client.post("/documents", files={"file": ("a.txt", b"a")}), 507, "storage_full")
        assert "disk" in problem["detail"].lower()
        assert client.ok("GET", "/documents")["items"] == []
        assert client.get("/auth/me").status_code == 200


def test_the_service_stands_after_all_this(dms, owner):
    with dms.http() as http:
        assert http.get("/health/ready").json()["status"] == "ok"
    assert "BUG" not in dms.log() and '"severity":"ERROR"' not in (dms.data / "log" / "api.log").read_text(errors="replace")
