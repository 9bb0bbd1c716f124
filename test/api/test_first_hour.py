"""The main way through the product over HTTP and the command line: upload, processing, search, versions, originals."""
import io
import json

import pytest
from web.web_samples import five_kinds

SAMPLES = five_kinds()
# What each sample is found by: a question that shares no word with its text, and words that stand in it.
MEANING = {
    "queue-decision.md": "what happens to unfinished tasks if a machine crashes",
    "harvest-notes.txt": "when is fruit gathered on the hillside",
    "handbook.html": "reimbursement of railway fares for staff",
    "inspection.pdf": "safety check of a structure that crosses a river",
    "minutes.docx": "somebody bought the grove of fruit trees",
}
WORDS = {
    "queue-decision.md": "ADR-018",
    "harvest-notes.txt": "pickers dawn",
    "handbook.html": "train ticket",
    "inspection.pdf": "north bridge bearings",
    "minutes.docx": "orchard sold",
}


@pytest.fixture(scope="module")
def library(dms):
    """An organization with the five samples, processed."""
    client = dms.register()
    documents = {s.name: client.upload(s.data, name=s.name) for s in SAMPLES}
    client.documents = {name: client.wait_processed(d["id"]) for name, d in documents.items()}
    yield client
    client.close()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_every_format_is_stored_typed_read_and_given_back(library, sample):
    document = library.documents[sample.name]
    assert document["mime_type"] == sample.mime
    assert document["size"] == len(sample.data)
    assert document["chunk_count"] > 0
    original = library.get(f"/documents/{document['id']}/content")
    assert original.content == sample.data
    assert sample.name in original.headers["content-disposition"]
    assert library.get(f"/documents/{document['id']}/text").text.strip()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_every_format_is_found_by_its_words(library, sample):
    answer = library.search(WORDS[sample.name], mode="keyword")
    assert answer["items"][0]["name"] == sample.name
    hit = answer["items"][0]
    assert hit["highlights"], "the found words are marked"
    for start, end in hit["highlights"]:
        assert 0 <= start < end <= len(hit["snippet"])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_every_format_is_found_by_its_meaning(library, sample):
    text = library.get(f"/documents/{library.documents[sample.name]['id']}/text").text.lower()
    question = MEANING[sample.name]
    for mode in ("semantic", "hybrid"):
        answer = library.search(question, mode=mode)
        assert answer["items"][0]["name"] == sample.name, (mode, [i["name"] for i in answer["items"]])
    shared = {w for w in question.split() if len(w) > 4 and w in text}
    assert not shared, "the question must not share words with the text"


def test_front_matter_becomes_metadata(library):
    document = library.documents["queue-decision.md"]
    assert document["title"] == "Queue decision"
    assert document["type"] == "decision"
    assert document["tags"] == ["queue", "reliability"]


def test_the_timeline_tells_each_step(library):
    steps = [e["step"] for e in library.ok("GET", f"/documents/{library.documents['minutes.docx']['id']}/timeline")["items"]]
    assert [s for s in ("stored", "queued", "typed", "text", "chunks", "vectors", "done") if s not in steps] == []


def test_pages_of_a_pdf_are_told(library):
    chunks = library.ok("GET", f"/documents/{library.documents['inspection.pdf']['id']}/chunks")["items"]
    assert {c["page"] for c in chunks} <= {1, 2}
    assert library.documents["inspection.pdf"]["page_count"] == 2


def test_a_new_version_replaces_the_text_that_is_found(owner):
    first = owner.upload_processed("The lighthouse keeper counts albatrosses.", name="log.txt")
    assert owner.search("albatrosses")["items"][0]["document_id"] == first["id"]
    answer = owner.post(f"/documents/{first['id']}/versions", files={"file": ("log.txt", b"The harbour master weighs anchors.")})
    assert answer.status_code == 201 and answer.json()["version"] == 2
    owner.wait_processed(first["id"])
    assert owner.search("anchors", mode="keyword")["items"][0]["document_id"] == first["id"]
    assert owner.search("albatrosses", mode="keyword")["items"] == []
    old = owner.get(f"/documents/{first['id']}/content", params={"version": 1})
    assert old.content == b"The lighthouse keeper counts albatrosses."
    versions = owner.ok("GET", f"/documents/{first['id']}/versions")["items"]
    assert [v["version"] for v in versions] == [2, 1]


def test_trash_hides_and_restore_brings_back(owner):
    document = owner.upload_processed("A cormorant dries its wings.", name="bird.txt")
    assert owner.delete(f"/documents/{document['id']}").status_code == 204
    assert owner.search("cormorant")["items"] == []
    assert document["id"] not in [d["id"] for d in owner.ok("GET", "/documents")["items"]]
    assert [d["id"] for d in owner.ok("GET", "/documents?trashed=true")["items"]] == [document["id"]]
    assert owner.ok("GET", f"/documents/{document['id']}")["status"] == "deleted"
    owner.ok("POST", f"/documents/{document['id']}/restore", 200)
    assert owner.search("cormorant")["items"][0]["document_id"] == document["id"]


def test_a_title_counts_in_the_search_at_once(owner):
    document = owner.upload_processed("Nothing of note.", name="plain.txt")
    owner.ok("PATCH", f"/documents/{document['id']}", 200, json={"title": "Quarterly zeppelin report"})
    assert owner.search("zeppelin", mode="keyword")["items"][0]["document_id"] == document["id"]


def test_a_document_in_error_says_why_and_can_be_tried_again(owner):
    whole = next(s for s in SAMPLES if s.name.endswith(".pdf")).data
    document = owner.upload(whole[: len(whole) // 2], name="cut.pdf")

    def failed():
        d = owner.ok("GET", f"/documents/{document['id']}")
        return d if d["status"] == "error" else None
    from conftest import wait_for
    d = wait_for(failed, 60, "the damaged file to end in error")
    assert d["processing_error"]["code"] == "damaged" and d["processing_error"]["message"]
    assert owner.get(f"/documents/{document['id']}/content").content == whole[: len(whole) // 2], "the bytes are kept"
    again = owner.ok("POST", f"/documents/{document['id']}/reprocess", 202)
    assert again["job_id"]
    wait_for(failed, 60, "the second try to end in error as well")


def test_the_events_tell_what_happens_to_a_document(owner, dms):
    with owner.stream("GET", "/events", timeout=30) as stream:
        document, kind = None, ""
        steps = set()
        for line in stream.iter_lines():
            if document is None:
                document = owner.upload("An event of note.", name="event.txt")
            kind = line[7:] if line.startswith("event: ") else kind
            if kind == "document" and line.startswith("data: ") and document["id"] in line:
                steps.add(json.loads(line[6:])["step"])
            if "done" in steps:
                break
    assert "done" in steps and len(steps) >= 2


# --- the command line ---


def test_the_command_line_goes_the_same_way(dms, owner, tmp_path_factory):
    folder = dms.dir / "papers"
    folder.mkdir(exist_ok=True)
    for s in SAMPLES:
        (folder / s.name).write_bytes(s.data)
    dms.run("login", "--email", owner.email, "--password-stdin", stdin="correct horse battery staple 1\n")
    assert owner.email in dms.run("whoami").stdout
    lines = dms.run("upload", "--wait", folder).stdout.splitlines()
    assert len(lines) == 5
    for sample in SAMPLES:
        found = json.loads(dms.run("search", "--json", MEANING[sample.name]).stdout)
        assert found[0]["name"] == sample.name
        found = json.loads(dms.run("search", "--json", "--mode", "keyword", WORDS[sample.name]).stdout)
        assert found[0]["name"] == sample.name
        dms.run("get", found[0]["document_id"], "-o", dms.dir / "copy", "--force")
        assert (dms.dir / "copy").read_bytes() == sample.data
    assert len(json.loads(dms.run("ls", "--json").stdout)) == 5
    refused = dms.run("get", found[0]["document_id"], "-o", dms.dir / "copy", check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr
    dms.run("rm", found[0]["document_id"])
    assert len(json.loads(dms.run("ls", "--json").stdout)) == 4


def test_the_command_line_goes_on_after_a_bad_file(dms, owner):
    good, bad = dms.dir / "good.txt", dms.dir / "empty.txt"
    good.write_text("A good file.")
    bad.write_text("")
    key = owner.ok("POST", "/api-keys", 201, json={"name": "cli", "scopes": ["document.create", "document.read"]})["key"]
    done = dms.run("upload", bad, good, dms.dir / "missing.txt", check=False, env={"DMS_API_KEY": key})
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1 and "good" in done.stdout
    assert "empty" in done.stderr and "missing.txt" in done.stderr


def test_wrong_usage_is_exit_status_2(dms):
    for args in (["search"], ["upload"], ["nonsense"], ["ls", "--limit", "0"], ["ls", "--no-such-option"]):
        assert dms.run(*args, check=False).returncode == 2, args
