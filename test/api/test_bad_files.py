"""Bad files, names and uploads, by the rows of docs/bad-input.md: a type that the bytes tell, a name that is only shown, nothing kept of what is refused."""
import base64
import hashlib
import io
import json
import os
import pathlib
import re
import stat
import struct
import urllib.parse
import uuid
import zipfile
import zlib

import pytest
from conftest import at_once, wait_for

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n"  # begins as one and is none
PNG = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in (
    (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")))
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script>Hello</body></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
ELF = b"\x7fELF\2\1\1\0" + bytes(8) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400000, 64, 0, 0, 64, 56, 0, 64, 0, 0) + bytes(64)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, 240, 0x22) + bytes(240)
SAFE_TYPES = {"text/plain; charset=utf-8", "application/octet-stream", "application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp", "application/json", "text/csv", "audio/mpeg", "video/mp4",
              "application/zip"}


def refused(answer, status=400, code="validation_error", field=None):
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    problem = answer.json()
    assert problem["code"] == code
    if field:
        assert field in [e["field"] for e in problem.get("errors", [])], problem
    return problem


def zip_of(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in parts.items():
            z.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return out.getvalue()


def settled(owner, document):
    """The document once nothing more happens to it, be it processed or in error."""
    def look():
        now = owner.ok("GET", f"/documents/{document['id']}")
        return now if now["status"] in ("processed", "error") else None
    return wait_for(look, 60, "the document to be read")


def settle_all(owner, documents):
    return [settled(owner, d) for d in documents]


def blobs_of(server, client):
    """What lies on the disk for this organization, and what is half done for anybody."""
    folder = server.data / "blobs" / client.me()["organization"]["id"]
    kept = sorted(p.name for p in folder.rglob("*") if p.is_file()) if folder.exists() else []
    return kept + [p.name for p in (server.data / "blobs" / "tmp").iterdir()]


def form(name, content, kind=None):
    """A form as raw bytes, with exactly this name (RFC 8187) and type: clients would escape them in their own ways."""
    head = b"Content-Disposition: form-data; name=file; filename*=UTF-8''" + urllib.parse.quote(name, safe="").encode() + b"\r\n" + (b"Content-Type: " + kind + b"\r\n" if kind is not None else b"")
    return b"--b\r\n" + head + b"\r\n" + content + b"\r\n--b--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


# --- E: names and what files say of themselves ---

def test_BI_E09_the_last_extension_is_only_a_hint(owner):
    expected = {"a.pdf.exe": (b"text\n", "text/plain"), "a.php;.jpg": (b"text\n", "text/plain"), "a.svg%00.png": (SVG, "image/svg+xml"), "noextension": (PNG, "image/png"), "." * 100 + "png": (PNG, "image/png"),
                "a." * 100 + "md": (b"# text\n", "text/markdown"), "a.txt.": (HTML, "text/html"), "a.docx.png": (zip_of(a="b"), "application/zip"), "a.PnG": (b"text\n", "text/plain"), "png": (b"text\n", "text/plain"),
                "a.pdf .txt": (ELF, "application/x-executable"), "invoice.pdf" + " " * 40 + ".exe": (PE, "application/vnd.microsoft.portable-executable"), "a.jpg.html": (PNG, "image/png")}
    sent = {name: owner.ok("POST", "/documents", 201, content=form(name, data), headers=FORM) for name, (data, _) in expected.items()}
    for name, document in sent.items():
        now = settled(owner, document)
        assert (now["status"], now["mime_type"], now["name"]) == ("processed", expected[name][1], name)


SHOWN_NAMES = ['a"b.txt', "a;b.txt", "a'b.txt", "a%0d%0aX-Injected: 1.txt", "a%22.txt", "é.txt", "e\u0301.txt", "漢字 🙂.txt", "a,b=c.txt", "(a)<b>@c:[d]?.txt", "-rf.txt", "a b  c.txt", "%.txt",
               "filename*=UTF-8''evil.html", "a%00.html", "\u00ff" * 127, "a\u2028b.txt"]


def test_BI_E10_a_download_is_saved_under_the_exact_name(owner):
    for name in SHOWN_NAMES:
        made = owner.ok("POST", "/documents", 201, content=form(name, b"x"), headers=FORM)
        assert made["name"] == name
        for method in ("GET", "HEAD"):
            answer = owner.request(method, f"/documents/{made['id']}/content")
            values = answer.headers.get_list("content-disposition")
            assert len(values) == 1 and "x-injected" not in answer.headers
            match = re.fullmatch(r"""attachment; filename="([ !#$&-.0-:<-\[\]-~]*)"(?:; filename\*=UTF-8''((?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+))?""", values[0])
            assert match, values[0]
            assert (urllib.parse.unquote(match[2]) if match[2] else match[1]) == name, values[0]


@pytest.mark.parametrize("kind", [b"text/html;image/png", b"text/html", b"application/pdf", b"image/svg+xml", b"application/x-msdownload", b"text/html; charset=utf-7", b"*/*", b"x", b"", b"a" * 3000,
                                  "text/h\u0442ml".encode(), b"application/json; x=\"\\\"\""])
def test_BI_E12_the_type_a_client_says_is_never_the_truth(owner, kind):
    made = settled(owner, owner.ok("POST", "/documents", 201, content=form("picture.png", PNG, kind), headers=FORM))
    assert made["mime_type"] == "image/png" and "mime" not in made["metadata"]
    answer = owner.get(f"/documents/{made['id']}/content")
    assert answer.headers["content-type"] == "image/png" and answer.content == PNG


@pytest.mark.parametrize("kind", [b"text/plain\tx", b"text/html\r\nX-Injected: 1\r\n\r\n<script>", b"a" * 10_000, b"text/\x01html", b"text/html\x7f", b"multipart/mixed; boundary=x", b"text/\xff"])
def test_BI_E12_a_type_that_is_none_is_refused_or_a_line_of_its_own(owner, kind):
    answer = owner.post("/documents", content=form("a.txt", b"x", kind), headers=FORM)
    if b"\r\n" in kind:  # the head of the part has ended there: what follows is the file
        made = answer.json()
        assert answer.status_code == 201 and owner.get(f"/documents/{made['id']}/content").content.startswith(b"<script>")
        return
    refused(answer)
    assert owner.ok("GET", "/documents")["items"] == [] and blobs_of(owner.server, owner) == []


EXIF = (b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHII", 0x013B, 2, 20, 38) + struct.pack("<HHII", 0x8825, 4, 1, 60) + bytes(4) + b"Grace Secretperson\0\0"
        + struct.pack("<H", 1) + struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0"))
JPEG = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(EXIF) + 2) + EXIF + b"\xff\xe1" + struct.pack(">H", 64) + b"http://ns.adobe.com/xap/1.0/\0<x>Secretperson</x>".ljust(62) + b"\xff\xd9"


def test_BI_E14_what_a_picture_says_of_its_maker_stays_in_the_picture(owner):
    """The original is kept to the byte, as a record must be; nothing of it becomes metadata, text, or something to search for."""
    made = settled(owner, owner.upload(JPEG, name="photo.jpg"))
    assert (made["status"], made["mime_type"], made["metadata"], made["tags"], made["title"]) == ("processed", "image/jpeg", {}, [], "photo")
    assert "Secretperson" not in json.dumps(made) and owner.search("Secretperson", mode="keyword")["items"] == []
    assert owner.get(f"/documents/{made['id']}/content").content == JPEG


# --- F: uploads ---

def digest_of(body, algorithm="sha-256"):
    return f"{algorithm}=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("size", [1, 70_000, 1_500_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_BI_F04_a_body_that_is_not_what_its_digest_says_is_not_kept(owner, size, chunked):
    body = form("a.txt", os.urandom(size).hex().encode())

    def send(digest, body=body, path="/documents"):
        content = (body[i:i + 50_000] for i in range(0, len(body), 50_000)) if chunked else body
        return owner.post(path, content=content, headers={**FORM, "Content-Digest": digest, "Idempotency-Key": str(size)})
    for wrong in (digest_of(body[:-1]), digest_of(body + b"\n"), digest_of(b""), digest_of(b"x") + ", md5=:AAAA:"):
        problem = refused(send(wrong), 422, "unprocessable")
        assert "SHA-256" in problem["detail"]
    for cut in (b"x" + body[1:], body[:200] + bytes([body[200] ^ 1]) + body[201:] if len(body) > 250 else body + b" "):
        assert send(digest_of(body), cut).status_code in (400, 422)
    assert owner.ok("GET", "/documents")["items"] == [] and blobs_of(owner.server, owner) == []
    made = send(digest_of(body))  # with the key that the refused ones had: nothing of them is remembered
    assert made.status_code == 201, made.text
    assert refused(send(digest_of(b"x"), path=f"/documents/{made.json()['id']}/versions"), 422, "unprocessable")
    assert blobs_of(owner.server, owner) == [made.json()["sha256"]]


MALFORMED = ["", "sha-256", "sha-256=", "sha-256=abc", "sha-256=::", "sha-256=:abc:", "sha-256=:" + "A" * 44 + ":", "sha-256=:" + "A" * 43 + ":", "sha-256=:" + "A" * 42 + "==:", "sha-256=" + "A" * 43 + "=",
             "sha-256=:" + "-" * 43 + "=:", "SHA-256=:" + "A" * 43 + "=:", "sha-256 =:" + "A" * 43 + "=:", "sha-256=:" + "A" * 43 + "=:,", "sha-256=:" + "A" * 43 + "=: x", "sha-256=:" + "ab" * 32 + ":",
             "sha-256=:" + "A" * 43 + "=:, sha-256=:" + "A" * 43 + "=:", "md5=:A:", "=:AAAA:", "sha-512"]


def test_BI_F04_digests_that_are_none_and_those_of_other_kinds(owner):
    body = form("a.txt", b"hello")
    for text in MALFORMED:
        answer = owner.post("/documents", content=body, headers={**FORM, "Content-Digest": text})
        assert answer.status_code == 400, (text, answer.text)
        refused(answer, field="Content-Digest")
    answer = owner.post("/documents", content=body, headers=[*FORM.items(), ("Content-Digest", digest_of(body)), ("Content-Digest", digest_of(b"x"))])
    refused(answer)
    assert owner.ok("GET", "/documents")["items"] == [] and blobs_of(owner.server, owner) == []
    for text in ("md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "sha-512=:AAAA:, crc32c=:AAAAAA==:", "sha-512=:AAAA:, " + digest_of(body), digest_of(body)):
        assert owner.post("/documents", content=body, headers={**FORM, "Content-Digest": text}).status_code == 201, text
    folder = b'{"name":"Digested"}'
    refused(owner.post("/folders", content=folder, headers={"Content-Type": "application/json", "Content-Digest": digest_of(folder + b" ")}), 422, "unprocessable")
    assert owner.ok("GET", "/folders")["items"] == []
    assert owner.post("/folders", content=folder, headers={"Content-Type": "application/json", "Content-Digest": digest_of(folder)}).status_code == 201


def test_BI_F07_of_three_claims_the_bytes_are_right(owner):
    """Name, type and bytes, all different: one outcome for each name and bytes, whatever the client says."""
    matrix = {(".pdf", PNG): ("processed", "image/png"), (".pdf", b"plain words\n"): ("processed", "text/plain"), (".pdf", bytes(range(256))): ("error", None), (".txt", PNG): ("processed", "image/png"),
              (".txt", HTML): ("processed", "text/html"), (".txt", zip_of(a="b")): ("processed", "application/zip"), (".png", HTML): ("processed", "text/html"), (".png", b"plain words\n"): ("processed", "text/plain"),
              (".png", ELF): ("processed", "application/x-executable"), (".docx", PNG): ("processed", "image/png"), (".docx", zip_of(a="b")): ("processed", "application/zip"), (".html", SVG): ("processed", "image/svg+xml"),
              (".exe", b"plain words\n"): ("processed", "text/plain"), (".zip", bytes(range(256))): ("processed", "application/octet-stream")}
    kinds = [b"application/pdf", b"image/gif", b"text/html"]
    sent = {(case, kind): owner.ok("POST", "/documents", 201, content=form("a" + case[0], case[1], kind), headers=FORM) for case in matrix for kind in kinds}
    for (case, kind), document in sent.items():
        now, (status, mime) = settled(owner, document), matrix[case]
        assert now["status"] == status and mime in (None, now["mime_type"]), (case[0], case[1][:10], kind, now)
        if status == "error":
            assert now["processing_error"]["code"] == "damaged"
        assert owner.get(f"/documents/{document['id']}/content").headers["content-type"] in SAFE_TYPES


def test_BI_F08_a_download_is_never_a_page(owner):
    """For every type there is, told by the name before anybody has looked at the bytes, which are all a page's."""
    names = [f"a.{t['extensions'][0]}" for t in owner.ok("GET", "/documents/types")["items"] if t["extensions"]] + ["a.xhtml", "a.mht", "a.svg", "a.js", "a.swf", "a.xsl", "a.jsp", "a.htaccess", "a.hta", "a"]
    assert len(names) > 60
    served = set()
    for name in names:
        made = owner.ok("POST", "/documents", 201, content=form(name, HTML, b"text/html"), headers=FORM)
        for query in ("", "?disposition=inline", "?disposition=attachment"):
            answer = owner.get(f"/documents/{made['id']}/content{query}", headers={"Accept": "text/html"})
            assert answer.status_code == 200 and answer.headers.get_list("content-type") == [answer.headers["content-type"]]
            assert answer.headers["content-type"] in SAFE_TYPES, (name, answer.headers["content-type"])
            assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["content-security-policy"].startswith("sandbox;")
            assert "default-src 'none'" in answer.headers["content-security-policy"] and answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["content-disposition"].startswith("inline" if "inline" in query else "attachment")
            served.add(answer.headers["content-type"])
    assert {"text/plain; charset=utf-8", "application/octet-stream", "application/pdf"} <= served
    made = settled(owner, owner.upload(HTML, name="page.html"))
    text = owner.get(f"/documents/{made['id']}/text")
    assert text.headers["content-type"] == "text/plain; charset=utf-8" and text.headers["x-content-type-options"] == "nosniff"


def test_BI_F10_programs_are_only_bytes(dms, owner, tmp_path):
    mark = pathlib.Path(f"/tmp/dms-ran-{uuid.uuid4().hex}")
    shell = f"#!/bin/sh\ntouch {mark}\n".encode()
    files = {"run.sh": shell, "page.php": f"<?php touch('{mark}'); ?>".encode(), "page.jsp": b"<% Runtime.getRuntime().exec(\"x\"); %>", "run.exe": PE, "run": ELF, ".htaccess": b"AddHandler x .txt\n",
             "run.bat": f"echo x > {mark}".encode(), "run.py": f"open({str(mark)!r}, 'w')".encode(), "macro.docm": zip_of(word__vbaProject_DOT_bin="Sub AutoOpen()")}
    made = {name: owner.upload(data, name=name) for name, data in files.items()}
    assert {d["name"]: d["status"] for d in settle_all(owner, made.values())} == {**dict.fromkeys(files, "processed")}
    for name, document in made.items():
        path = dms.data / "blobs" / owner.me()["organization"]["id"] / document["sha256"][:2] / document["sha256"]
        mode = path.stat().st_mode
        assert stat.S_ISREG(mode) and mode & 0o7177 == 0, (name, oct(mode))  # nobody else's, and nobody may run it
        answer = owner.get(f"/documents/{document['id']}/content?disposition=inline")
        assert answer.content == files[name] and answer.headers["content-type"] in ("text/plain; charset=utf-8", "application/octet-stream", "application/zip")
    assert not mark.exists()


@pytest.fixture(scope="module")
def small_plan():
    """An installation whose organizations are on the free plan."""
    from conftest import Server
    server = Server(env={"DMS_DEFAULT_PLAN": "free"}).start()
    yield server
    server.close()


FREE_BYTES, FREE_DOCUMENTS = 1 << 30, 100


def test_BI_F12_the_last_room_of_a_plan_is_given_once(small_plan):
    """Room for one file and for as many bytes, two uploads at once: one is taken, the other told why not."""
    for attempt, (room_bytes, room_documents) in enumerate([(5, 9), (1_000_000, 1), (5, 9), (9, 1)]):
        with small_plan.register() as client:
            tenant = client.me()["organization"]["id"]
            with small_plan.database() as db:
                db.execute("UPDATE usage SET bytes = %s, documents = %s WHERE tenant_id = %s", (FREE_BYTES - room_bytes, FREE_DOCUMENTS - room_documents, tenant))
            answers = at_once(4, lambda i: client.post("/documents", files={"file": (f"{i}.txt", b"five%d" % i)}))
            assert sorted(a.status_code for a in answers) == [201, 402, 402, 402], (attempt, [a.text for a in answers])
            for answer in answers:
                if answer.status_code == 402:
                    assert "free" in refused(answer, 402, "quota_exceeded")["detail"]
            assert len(client.ok("GET", "/documents")["items"]) == 1
            with small_plan.database() as db:
                used = db.execute("SELECT bytes, documents FROM usage WHERE tenant_id = %s", (tenant,)).fetchone()
            assert used == (FREE_BYTES - room_bytes + 5, FREE_DOCUMENTS - room_documents + 1)


def test_BI_F12_a_version_needs_room_for_its_bytes_too(small_plan):
    with small_plan.register() as client:
        document, tenant = client.upload("first", name="a.txt"), client.me()["organization"]["id"]
        with small_plan.database() as db:
            db.execute("UPDATE usage SET bytes = %s WHERE tenant_id = %s", (FREE_BYTES - 6, tenant))
        answers = at_once(3, lambda i: client.post(f"/documents/{document['id']}/versions", files={"file": ("a.txt", b"12345%d" % i)}))
        assert sorted(a.status_code for a in answers) == [201, 402, 402], [a.text for a in answers]
        assert client.ok("GET", f"/documents/{document['id']}")["version"] == 2
        refused(client.post("/documents", files={"file": ("b.txt", b"x")}), 402, "quota_exceeded")
