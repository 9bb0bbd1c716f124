"""What the ingest benches work out: the texts they make, the files they choose, where a document's time went, and what counts as failed."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import ingest_packages as packages  # noqa: E402
import ingest_watch as watch  # noqa: E402
from ingest_texts import Texts  # noqa: E402


@pytest.fixture
def vocabulary(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join(["[PAD]", "##ing", "a", *(f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(400))]))
    return file


def test_pages_are_the_same_each_time_and_as_long_as_asked(vocabulary):
    pages = [[texts.page(n) for n in (50, 650)] for texts in (Texts(vocabulary), Texts(vocabulary))]
    assert pages[0] == pages[1] != [Texts(vocabulary, seed=2).page(n) for n in (50, 650)]
    assert 500 < len(pages[0][1].split()) < 700 and "[PAD]" not in pages[0][1] and "##" not in pages[0][1]


def test_files_of_a_package_are_those_that_dms_upload_sends(tmp_path):
    folder = tmp_path / "erlang-doc_1_all"
    for name in ("a.txt", "b.PDF", "c.html", "d.css", ".hidden/e.txt", "sub/f.md", "sub/.g.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "link.txt").symlink_to(folder / "a.txt")
    assert sorted(str(p.relative_to(folder)) for p in packages.files_of(folder)) == ["a.txt", "b.PDF", "sub/f.md"]  # of this package no HTML
    assert sorted(p.name for p in packages.files_of(folder.rename(tmp_path / "other_1_all"))) == ["a.txt", "b.PDF", "c.html", "f.md"]


def test_files_of_all_packages_are_mixed_and_keep_their_names():
    files = [packages.CACHE / "files" / f"package{p}" / f"{i}.txt" for p in range(4) for i in range(50)]
    places = [packages.place(f) for f in files]
    assert len(set(places)) == 200 and all(str(place).endswith(str(f.relative_to(packages.CACHE / "files"))) for place, f in zip(places, files))
    first_half = [str(p).split("/")[1] for p in sorted(places)[:100]]
    assert all(10 < first_half.count(f"package{n}") < 40 for n in range(4))


JOB = {"attempts": 1, "started_at": "2026-01-01T00:00:01+00:00", "finished_at": "2026-01-01T00:00:04.5+00:00"}
EMBED = {"attempts": 1, "started_at": "2026-01-01T00:00:05+00:00", "finished_at": "2026-01-01T00:00:08+00:00"}
LINES = [{"step": step, "at": f"2026-01-01T00:00:{second:02d}+00:00"} for step, second in (("stored", 0), ("queued", 0), ("typed", 3), ("text", 3), ("chunks", 4), ("vectors", 9), ("done", 9))]


def test_a_documents_time_is_cut_into_its_steps():
    assert watch.steps_of({"document.process": JOB, "document.embed": EMBED}, LINES) == [1, 2, 1.5, 0.5, 3, 1]
    assert len(watch.STEPS) == 6


@pytest.mark.parametrize("jobs, lines", [({"document.process": JOB}, LINES), ({"document.process": JOB, "document.embed": EMBED | {"attempts": 2}}, LINES),
                                         ({"document.process": JOB, "document.embed": EMBED}, LINES[:5])])
def test_a_document_that_took_another_way_has_no_steps(jobs, lines):
    assert watch.steps_of(jobs, lines) is None


def test_percentiles_are_of_values_that_were_there():
    assert watch.p50([3, 1, 2]) == 2 and watch.p95(list(range(100))) == 95 and watch.p95([7]) == 7


class Out:
    def __init__(self):
        self.tables = []

    def table(self, head, rows):
        self.tables.append((head[0], rows))


def test_failures_are_told_by_cause_and_what_waits_is_no_failure():
    def doc(name, status, chunks=0, code=None, note=None):
        return {"name": name, "status": status, "chunk_count": chunks, "processing_error": code and {"code": code}, "processing_note": note}

    documents = [doc("a", "processed", 3), doc("b", "error", code="corrupt"), doc("c", "error", code="corrupt"), doc("d", "error", code="bomb"), doc("e", "pending"),
                 doc("f", "processing"), doc("g", "processed", note="only pictures"), doc("h", "processed")]
    out = Out()
    assert [d["name"] for d in packages.done_of(documents)] == ["a", "b", "c", "d", "g", "h"]
    assert packages.failures(out, documents) == (3, 1)  # failed; without a passage and without a reason
    assert out.tables == [("failed, by cause", [["corrupt", 2, "b, c"], ["bomb", 1, "d"]]),
                          ("stored without a passage, by note", [["only pictures", 1, "g"], ["no note", 1, "h"]])]
