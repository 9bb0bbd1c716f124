"""What dms-extract reads out of well-formed files of each format, and how it names what it does not read."""
import pathlib
import struct
import zlib

import pytest

import make_files as make
from extracting import extract

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


# ---- text and its encodings ----

def test_paragraphs_of_plain_text():
    r = extract(b"First\nline two.\r\n\r\n  Second.\n\n\n\nThird.", "a.txt")
    assert [b[3] for b in r.blocks] == ["First\nline two.", "Second.", "Third."]
    assert r.meta["mime_type"] == "text/plain" and r.meta["note"] is None and r.meta["page_count"] == 0


def test_form_feeds_make_pages():
    r = extract(b"one\n\ftwo\n\fthree", "a.txt")
    assert [(b[2], b[3]) for b in r.blocks] == [(1, "one"), (2, "two"), (3, "three")]
    assert r.meta["page_count"] == 3


GREETING = "Grüße – “naïve” café"


@pytest.mark.parametrize("encoded,note", [
    (GREETING.encode(), None),
    (b"\xef\xbb\xbf" + GREETING.encode(), None),
    (b"\xff\xfe" + GREETING.encode("utf-16-le"), None),
    (b"\xfe\xff" + GREETING.encode("utf-16-be"), None),
    (b"\xff\xfe\0\0" + GREETING.encode("utf-32-le"), None),
    (GREETING.encode("utf-16-le"), "encoding guessed: UTF-16"),
    (GREETING.encode("windows-1252"), "encoding guessed: windows-1252"),
], ids=["utf8", "utf8-mark", "utf16le", "utf16be", "utf32", "utf16-no-mark", "windows-1252"])
def test_encodings_of_text(encoded, note):
    r = extract(encoded, "a.txt")
    assert r.text == GREETING and r.meta["note"] == note


def test_broken_utf8_is_replaced_and_said():
    r = extract("Schöne Grüße an alle, überall".encode() + b" \xff end", "a.txt")
    assert r.text == "Schöne Grüße an alle, überall \ufffd end"
    assert r.meta["note"].startswith("encoding broken")


@pytest.mark.parametrize("charset,text", [("shift_jis", "日本語のテキスト"), ("koi8-r", "Привет, мир"), ("gb18030", "你好世界"),
                                          ("iso-8859-2", "Příliš žluťoučký"), ("windows-1251", "Привет, мир")])
def test_html_in_a_declared_encoding(charset, text):
    page = f'<html><head><meta charset="{charset}"></head><body><p>{text}</p></body></html>'.encode(charset)
    r = extract(page, "a.html")
    assert r.text == text and r.meta["note"] is None


def test_control_characters_never_come_through():
    r = extract(b"a\x1b[31mred\x1b[0m b\x7f\n" + b"plain words " * 500, "a.txt")
    assert r.text.startswith("a[31mred[0m b\n")


@pytest.mark.parametrize("name,mime,kind", [
    ("a.csv", "text/csv", "table"), ("a.tsv", "text/tab-separated-values", "table"), ("a.json", "application/json", "code"),
    ("a.xml", "application/xml", "code"), ("a.yaml", "application/yaml", "code"), ("a.py", "text/x-source", "code"),
    ("a.JS", "text/javascript", "code"), ("a.txt", "text/plain", "paragraph"), ("a", "text/plain", "paragraph"),
    ("a.unknown", "text/plain", "paragraph"), ("a.pdf.txt", "text/plain", "paragraph"), ("a.docx", "text/plain", "paragraph"),
])
def test_the_name_tells_kinds_of_text_apart(name, mime, kind):
    r = extract(b"one, two\nthree, four\n", name)
    assert r.meta["mime_type"] == mime and {b[0] for b in r.blocks} == {kind}


def test_a_large_table_is_cut_between_rows():
    rows = "\n".join(f"{i},{'x' * 40}" for i in range(5000))
    r = extract(rows.encode(), "a.csv")
    assert len(r.blocks) > 5 and all(len(b[3]) < 20000 for b in r.blocks)
    assert "\n".join(b[3] for b in r.blocks) == rows


# ---- Markdown ----

def test_markdown():
    r = extract(make.MARKDOWN.encode(), "manual.md")
    assert r.blocks == [
        ("heading", 1, 0, "Install"), ("paragraph", 0, 0, "Run the script and wait until it is done."),
        ("heading", 2, 0, "On Debian"), ("list", 0, 0, "- one\n  - inner\n- two"), ("list", 0, 0, "1. first\n2. second"),
        ("table", 0, 0, "Name | Size\na | 1"), ("code", 0, 0, "make all"), ("paragraph", 0, 0, "A quoted line with a link."),
        ("paragraph", 0, 0, "Some bold text")]


def test_front_matter_becomes_metadata():
    meta = extract(make.MARKDOWN.encode(), "manual.md").meta
    assert meta["title"] == "The Manual"
    assert meta["metadata"] == {"title": "The Manual", "type": "guide", "tags": ["alpha", "beta"], "version": "1.10", "published": "no",
                                "audience": ["users", "operators"]}


def test_the_first_heading_is_the_title_without_front_matter():
    assert extract(b"text\n\n# The *Title*\n\n# Other\n", "a.md").meta["title"] == "The Title"


@pytest.mark.parametrize("front", ["a: [1", "a: &x 1\nb: *x", "a: !!python/object:os.system x", "- list", "a: 1\na: 2", "a: {b: {c: {d: {e: f}}}}",
                                   "\n".join(f"k{i}: v" for i in range(100))],
                         ids=["broken", "alias", "tag", "no-mapping", "twice", "deep", "many"])
def test_front_matter_that_is_not_taken_stays_text(front):
    r = extract(f"---\n{front}\n---\n# Body\n".encode(), "a.md")
    assert r.cause is None and "front matter" in r.meta["note"] and r.meta["metadata"] == {}
    assert r.blocks[-1][3] == "Body" or "Body" in r.text


def test_a_rule_is_not_front_matter():
    r = extract(b"---\n\nHello\n", "a.md")
    assert r.text == "Hello" and r.meta["note"] is None


# ---- HTML ----

def test_html():
    r = extract(make.HTML.encode(), "page.html")
    assert r.blocks == [
        ("heading", 1, 0, "Top"), ("paragraph", 0, 0, "First bold text."), ("list", 0, 0, "- one\n  - inner\n- two"),
        ("table", 0, 0, "N | S\na | 1"), ("code", 0, 0, "  code\n    more"), ("heading", 2, 0, "Sub"),
        ("paragraph", 0, 0, "Loose text\nnext line"), ("paragraph", 0, 0, "last")]
    assert r.meta["title"] == "A & B" and r.meta["language"] == "de-AT" and r.meta["metadata"] == {"author": "A. Writer"}


def test_html_is_told_by_its_bytes():
    assert extract(b"  <!DOCTYPE HTML><p>x", "a.txt").meta["mime_type"] == "text/html"
    assert extract(b"<p>x</p>", "a.txt").meta["mime_type"] == "text/plain"


# ---- PDF ----

def test_pdf():
    r = extract(make.pdf(), "handbook.pdf")
    assert r.blocks == [
        ("heading", 1, 1, "Handbook"), ("paragraph", 0, 1, "This handbook explains how the machine is installed and how it is run."),
        ("heading", 2, 1, "Safety"), ("paragraph", 0, 1, "Never open the cover while it runs."),
        ("heading", 2, 2, "Cleaning"), ("paragraph", 0, 2, "Clean it once a week with a dry cloth. Do not use water.")]
    assert r.meta["page_count"] == 2 and r.meta["title"] == "The Handbook"
    assert r.meta["metadata"] == {"title": "The Handbook", "author": "A. Writer", "created": "2024-01-02T03:04:05.000000Z"}


def test_large_page_numbers_and_contents_are_no_headings():
    lines = [(11, "Body text of usual size stands here, more than anything else."), None, (16, "17"), None, (16, "Intro . . . . . 3"), None, (16, "Real")]
    assert [b[3] for b in extract(make.pdf([lines]), "a.pdf").blocks if b[0] == "heading"] == ["Real"]


def test_a_scan_says_that_it_has_no_text():
    r = extract(make.scan_pdf(), "scan.pdf")
    assert r.cause is None and r.blocks == [] and r.meta["page_count"] == 1
    assert r.meta["note"] == "no text layer: this looks like a scan"


def test_an_encrypted_pdf_that_opens_without_password_is_read():
    assert extract(make.encrypted_pdf(user=b""), "open.pdf").text == "A secret text"


def test_junk_before_the_header_of_a_pdf_is_passed_over():
    assert "machine" in extract(b"\x00\x01junk\n" + make.pdf(), "a.pdf").text


def test_filling_behind_the_end_of_a_pdf_is_passed_over():
    assert "machine" in extract(make.pdf() + bytes(10_000), "a.pdf").text


def pdf_by_predefined_table(encoding, ordering, codes):
    """A text in a font that is not embedded and whose characters only a predefined table knows."""
    font = b"<</Type/Font/Subtype/Type0/BaseFont/Song/Encoding/%s/DescendantFonts[900 0 R]>>" % encoding
    inner = (b"<</Type/Font/Subtype/CIDFontType0/BaseFont/Song/CIDSystemInfo<</Registry(Adobe)/Ordering(%s)/Supplement 2>>/FontDescriptor 901 0 R>>"
             % ordering)
    flat = b"<</Type/FontDescriptor/FontName/Song/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800/Descent -200/CapHeight 700/StemV 80>>"
    content = make.stream(b"BT /F1 12 Tf 72 700 Td <%s> Tj ET" % codes.hex().encode())
    return make.pdf([[(12, "x")]], extra={3: font, 900: inner, 901: flat, 11: content})


@pytest.mark.skipif(not pathlib.Path("/usr/share/poppler/cMap").exists(), reason="poppler-data is not installed")
@pytest.mark.parametrize("encoding,ordering,text,codec", [(b"GBK-EUC-H", b"GB1", "你好", "gbk"), (b"90ms-RKSJ-H", b"Japan1", "日本語", "shift_jis"),
                                                          (b"KSCms-UHC-H", b"Korea1", "한국어", "euc-kr"), (b"ETen-B5-H", b"CNS1", "中文", "big5")])
def test_east_asian_text_by_predefined_tables(encoding, ordering, text, codec):
    """The tables are read inside the sandbox, where no file can be opened any more."""
    assert extract(pdf_by_predefined_table(encoding, ordering, text.encode(codec)), "a.pdf").text == text


@pytest.mark.parametrize("encoding,ordering", [(b"Identity-H", b"Unheard9"), (b"Unheard-H", b"GB1")])
def test_a_pdf_whose_characters_are_named_by_missing_tables_is_unsupported(encoding, ordering):
    assert extract(pdf_by_predefined_table(encoding, ordering, b"\0\1"), "a.pdf").cause == "unsupported"


def test_text_about_pdf_is_text():
    assert extract(b"A PDF begins with %PDF-1.7, always.", "a.txt").meta["mime_type"] == "text/plain"


# ---- Word ----

def test_docx():
    r = extract(make.docx(), "report.docx")
    assert r.blocks == [
        ("heading", 1, 0, "Introduction"), ("paragraph", 0, 0, "The first paragraph of the report."), ("heading", 2, 0, "Details"),
        ("list", 0, 0, "- apples\n  - pears\n- plums"), ("table", 0, 0, "Name | Size\nsmall | 1"), ("paragraph", 0, 0, "The last paragraph.")]
    assert r.meta["mime_type"] == DOCX and r.meta["title"] == "Yearly report" and r.meta["language"] == "en-GB"
    assert r.meta["metadata"] == {"title": "Yearly report", "author": "A. Writer", "keywords": "one, two", "created": "2024-01-02T03:04:05Z"}


def test_docx_is_told_by_its_bytes():
    assert extract(make.docx(), "whatever.pdf").meta["mime_type"] == DOCX


def test_docx_text_boxes_and_notes():
    box = ('<w:p><w:r><w:t>Outside </w:t></w:r><w:r><mc:AlternateContent xmlns:mc="urn:mc"><mc:Choice><w:txbxContent><w:p><w:r><w:t>inside'
           '</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>twice</w:t></w:r></w:p></mc:Fallback>'
           '</mc:AlternateContent></w:r></w:p>')
    notes = f'<w:footnotes xmlns:w="{make.WORD}"><w:footnote>{make.paragraph("A foot note.")}</w:footnote></w:footnotes>'
    r = extract(make.docx(box, word__footnotes_DOT_xml=notes), "a.docx")
    assert [b[3] for b in r.blocks] == ["Outside \ninside", "A foot note."]


def test_docx_deleted_text_and_fields_are_no_text():
    body = ('<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>HYPERLINK "x"</w:instrText></w:r>'
            '<w:r><w:t>kept</w:t><w:tab/><w:t>on</w:t></w:r></w:p>')
    assert extract(make.docx(body), "a.docx").text == "kept\ton"


# ---- what is stored without text ----

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0) + b"\0\0\0\0" + zlib.compress(b"\0\0")


@pytest.mark.parametrize("data,name,mime", [
    (PNG, "a.png", "image/png"), (PNG, "a.pdf", "image/png"), (PNG, "", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + bytes(20), "a.jpg", "image/jpeg"),
    (b"GIF89a\1\0\1\0\0\0\0;", "a.gif", "image/gif"),
    (b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x3e\0" + bytes(100), "a.txt", "application/x-executable"),
    (bytes(range(256)) * 8, "a.bin", "application/octet-stream"),
    (b"{\\rtf1 text}", "a.rtf", "application/rtf"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "a.svg", "image/svg+xml"),
    (b"From: a@example.org\nSubject: x\n\nText\n", "a.eml", "message/rfc822"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), "a.doc", "application/msword"),
    (make.zip_of({"a.txt": "x"}), "a.zip", "application/zip"),
    (make.zip_of({"a.txt": "x"})[:-10], "a.zip", "application/zip"),
    (make.zip_of({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"}, compress=False), "a.odt",
     "application/vnd.oasis.opendocument.text"),
    (make.zip_of({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<x/>"}), "a.xlsx",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_other_files_are_known_and_stored_without_text(data, name, mime):
    r = extract(data, name)
    assert r.cause is None and r.meta["mime_type"] == mime and r.meta["note"] == "stored without text" and r.blocks == []


def test_an_empty_file_is_a_cause():
    assert extract(b"", "a.txt").cause == "empty"


def test_white_space_only_says_that_there_is_no_text():
    assert extract(b" \n\n ", "a.txt").meta["note"] == "no text found"
