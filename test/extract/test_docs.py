"""docs/extraction.md says what the tables in src/tbl say."""
import re

from extracting import ROOT

DOCS = (ROOT / "docs" / "extraction.md").read_text()


def test_every_cause_is_explained():
    rows = re.findall(r'^X\((\w+),\s+"(\w+)",\s+(true|false),\s+"([^"]+)"\)', (ROOT / "src/tbl/extract_causes.def").read_text(), re.M)
    documented = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", DOCS, re.M))
    assert documented == {code: "yes" if again == "true" else "no" for _, code, again, _ in rows}
    assert len(rows) == 13


def test_every_read_format_is_named():
    readers = set(re.findall(r"\bREAD_(?!NONE)(\w+)", (ROOT / "src/tbl/file_types.def").read_text()))
    assert readers == {"TEXT", "TABLE", "CODE", "MARKDOWN", "HTML", "PDF", "DOCX"}
    for word in ("plain text", "CSV", "source code", "Markdown", "HTML", "PDF", "Word"):
        assert word in DOCS
