"""Bad files, by the rows of the bad-input catalogue (security specification 6.E, 6.G, 6.H, 6.I, 6.K, 6.Q).

What holds for all: the cause is named, nothing crashes, nothing hangs, and a damaged file is never a success with little or no text.
"""
import bz2
import gzip
import io
import json
import lzma
import random
import re
import struct
import time
import zipfile
import zlib

import pytest

import make_files as make
from extracting import extract

MB = 1 << 20


def fails(data, name, cause, seconds=10):
    start = time.monotonic()
    r = extract(data, name)
    assert r.cause == cause, (r.cause, r.meta, r.text[:200], r.stderr[:300])
    assert time.monotonic() - start < seconds


def reads(data, name, text, note=None, seconds=5, **options):
    """Success, with exactly this text and note: what the file leaves out of the way of a reader is nothing lost."""
    start = time.monotonic()
    r = extract(data, name, **options)
    assert (r.cause, r.text, r.meta and r.meta["note"]) == (None, text, note), (r.cause, r.text[:200], r.meta, r.stderr[:300])
    assert time.monotonic() - start < seconds


INCOMPLETE = "parts of the file could not be read; the text may be incomplete"
SCAN = "no text layer: this looks like a scan"

# ---- G: archives ----

def zeros_zip(total):
    """A Word container whose text is so many zero bytes, packed 1,000 to 1."""
    parts = make.docx_parts()
    parts["word/document.xml"] = b"<?xml version='1.0'?><a>" + b" " * total + b"</a>"
    return make.zip_of(parts)


def test_BI_G01_flat_bomb():
    fails(zeros_zip(200 * MB), "bomb.docx", "bomb")


def test_BI_G01_declared_size_that_lies_is_not_believed():
    data = bytearray(zeros_zip(20 * MB))
    size = struct.pack("<I", 24 + 20 * MB + 4)
    assert data.count(size) == 2  # local header and central directory
    fails(bytes(data).replace(size, struct.pack("<I", 1000)), "bomb.docx", "damaged")


def with_stored_filling(parts, size):
    """Noise that is stored, not packed: sets the size of the file to the byte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in parts.items():
            z.writestr(zipfile.ZipInfo(name, make.DATE), content, zipfile.ZIP_DEFLATED)
        z.writestr(zipfile.ZipInfo("filling", make.DATE), bytes(i * 7919 % 251 for i in range(size)), zipfile.ZIP_STORED)
    return out.getvalue()


@pytest.mark.parametrize("over,cause", [(-1, None), (0, None), (1, "bomb")])
def test_BI_G01_at_the_limit_of_the_ratio(over, cause):
    """Unpacked to a hundred times the file, in whole hundreds; one less and one more."""
    parts = make.docx_parts(make.paragraph("x") + " " * (8 * MB))
    packed, total = len(with_stored_filling(parts, 0)), sum(len(p.encode()) for p in parts.values())
    filling = next(n for n in range(total // 100) if (total + n) // 100 == packed + n + over)
    data = with_stored_filling(parts, filling)
    assert len(data) == packed + filling
    assert extract(data, "ratio.docx").cause == cause


def test_BI_G02_overlapping_entries():
    """Many directory records that point at one entry, with its name: each is sound alone."""
    data = make.docx()
    end = data.rindex(b"PK\5\6")
    count, size, at = struct.unpack("<HII", data[end + 10:end + 20])
    record_end = data.index(b"PK\1\2", at + 4)
    record = data[at:record_end]
    directory = data[at:end] + record * 50
    tail = b"PK\5\6\0\0\0\0" + struct.pack("<HHII", count + 50, count + 50, len(directory), at) + b"\0\0"
    fails(data[:at] + directory + tail, "overlap.docx", "bomb")


@pytest.mark.parametrize("entries,cause", [(9_999, None), (10_000, None), (10_001, "bomb")])
def test_BI_G04_number_of_entries(entries, cause):
    parts = make.docx_parts()
    parts.update({f"x{i}": "" for i in range(entries - len(parts))})
    assert extract(make.zip_of(parts), "many.docx").cause == cause


@pytest.mark.parametrize("count", [3, 4, 6, 7])
def test_BI_G04_count_that_does_not_match(count):
    data = bytearray(make.docx())
    end = data.rindex(b"PK\5\6")
    data[end + 8:end + 12] = struct.pack("<HH", count, count)
    fails(bytes(data), "count.docx", "damaged")


def test_BI_G05_names_that_climb_are_only_names():
    parts = make.docx_parts()
    parts.update({"../../etc/passwd": "x", "/abs": "x", "C:\\x": "x"})
    r = extract(make.zip_of(parts), "climb.docx")
    assert r.cause is None and "first paragraph" in r.text


def test_BI_G06_local_name_differs_from_the_directory():
    data = make.docx()
    fails(data.replace(b"word/styles.xml", b"word/otherss.xm", 1), "names.docx", "damaged")


def test_BI_G06_bytes_put_before_or_behind():
    fails(b"PK\3\4 junk" + make.docx(), "before.docx", "damaged")
    fails(make.docx() + b"junk", "behind.docx", "damaged")


def test_BI_G06_two_end_records():
    data = make.docx()
    end = data[data.rindex(b"PK\5\6"):]
    fails(data + end, "two.docx", "damaged")


def test_BI_G07_encrypted_entry():
    data = bytearray(make.docx())
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 8] |= 1
    fails(bytes(data), "locked.docx", "encrypted")


def test_BI_G07_unknown_method():
    data = bytearray(make.docx())
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 10] = 14  # LZMA
    fails(bytes(data), "method.docx", "unsupported")


def test_BI_G07_wrong_checksum():
    data = bytearray(make.docx())
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"word/document.xml"))
    data[at + 16] ^= 1
    fails(bytes(data), "crc.docx", "damaged")


def first_then(*others):
    """A document that says "the first"; behind its parts others (name as bytes, text), each a whole word/document.xml under that very name."""
    parts = {k.encode(): v for k, v in make.docx_parts(make.paragraph("the first")).items()}
    entries = list(parts.items()) + [(n, make.docx_parts(make.paragraph(t))["word/document.xml"]) for n, t in others]
    out, places = io.BytesIO(), [n for n, _ in entries]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:  # by names of the same length that differ: Python would rather not write these
        for i, (n, content) in enumerate(entries):
            places[i] = b"%0*d" % (len(n), i)
            z.writestr(zipfile.ZipInfo(places[i].decode(), make.DATE), content)
    data = out.getvalue()
    for place, (n, _) in zip(places, entries):
        assert data.count(place) == 2  # local header and directory
        data = data.replace(place, n)
    return data


@pytest.mark.parametrize("others", [
    [(b"word/document.xml", "the second")], [(b"word/document.xml", "the second"), (b"word/document.xml", "the third")],
    [(b"Word/Document.xml", "the second"), (b"WORD/DOCUMENT.XML", "the third")],
    [("word/dök.xml".encode(), "the second"), ("word/dök.xml".encode("cp437"), "the third")],
    [("word/dök.xml".encode(), "the second"), ("word/dök.xml".encode(), "the third")]], ids=["twice", "three times", "case twins", "encodings", "twice outside ASCII"])
def test_BI_G10_of_equal_names_the_first_rules(others):
    data = first_then(*others)
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert len(z.infolist()) == 5 + len(others)
    reads(data, "twice.docx", "the first")


def unread(data, name, mime):
    """Stored, known by its type, and never opened: no text, no parts, no time."""
    start = time.monotonic()
    r = extract(data, name)
    assert (r.cause, r.blocks, r.meta and r.meta["mime_type"], r.meta and r.meta["note"], r.meta and r.meta["metadata"]) == (None, [], mime, "stored without text", {}), (r.cause, r.meta)
    assert time.monotonic() - start < 2


def quine_of(depth, data):
    """An archive in an archive in an archive: what unpacks all of it never ends."""
    for level in range(depth):
        data = make.zip_of({f"{level}-{i}.zip": data for i in range(16)})
    return data


def test_BI_G03_archives_in_archives_are_not_unpacked():
    unread(quine_of(6, bytes(MB)), "nested.zip", "application/zip")
    unread(quine_of(1, make.docx()), "documents.zip", "application/zip")
    unread(make.zip_of({"a.pdf": make.pdf()}, compress=False), "stored.zip", "application/zip")  # its PDF lies open in it
    parts = make.docx_parts(make.paragraph("kept"))
    parts["word/embeddings/nested.zip"] = quine_of(6, bytes(MB))
    r = extract(make.zip_of(parts), "nested.docx")
    assert (r.cause, r.text) == (None, "kept") and r.meta["metadata"]["has_embedded_objects"] is True


def test_BI_G08_packed_streams_are_not_unpacked():
    many = b"".join(gzip.compress(bytes(MB)) for _ in range(50))
    unread(many, "members.gz", "application/gzip")
    unread(gzip.compress(b"text") + b"junk" * 1000, "trailing.gz", "application/gzip")
    unread(gzip.compress(make.pdf()), "report.pdf.gz", "application/gzip")
    unread(lzma.compress(bytes(50 * MB)), "bomb.xz", "application/x-xz")
    unread(b"\xfd7zXZ\0\0\4\xe6\xd6\xb4\x46\2\0\x21\1\x28" + bytes(200), "dictionary.xz", "application/x-xz")  # LZMA2 with 4 GiB - 1
    unread(b"\x28\xb5\x2f\xfd\0\xf8" + bytes(200), "window.zst", "application/zstd")  # a window of 3.75 TiB
    unread(bz2.compress(bytes(50 * MB)), "bomb.bz2", "application/x-bzip2")


@pytest.mark.parametrize("name,data,mime", [
    ("a.7z", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(200), "application/x-7z-compressed"), ("a.rar", b"Rar!\x1a\7\1\0" + bytes(200), "application/vnd.rar"), ("a.cab", b"MSCF" + bytes(200), "application/octet-stream"),
    ("a.iso", bytes(32768) + b"\1CD001\1\0" + bytes(2048), "application/octet-stream"), ("a.dmg", bytes(600) + b"koly" + struct.pack(">II", 4, 512) + bytes(500), "application/octet-stream"),
    ("a.tar", b"../../etc/passwd".ljust(257, b"\0") + b"ustar\x0000" + bytes(247), "application/octet-stream")])
def test_BI_G09_other_archives_are_not_unpacked(name, data, mime):
    unread(data, name, mime)


PNG = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in (
    (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")))
ELF = b"\x7fELF\2\1\1\0" + bytes(8) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400000, 64, 0, 0, 64, 56, 0, 64, 0, 0) + bytes(64)
PAGE = b"<!DOCTYPE html><html><body><script>alert(1)</script><p>Page</p></body></html>"
ONE_PAGE, PLAIN_ZIP, WORD_FILE = make.pdf([[(12, "Seen text")]]), make.zip_of({"a.txt": "inside"}), make.docx(make.paragraph("word"))
DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
POLYGLOTS = {  # (bytes, type, text)
    "PDF and HTML": (ONE_PAGE.replace(b"%PDF-1.7\n", b"%PDF-1.7\n%<html><script>alert(1)</script>\n", 1), "application/pdf", "Seen text"), "PDF then HTML": (ONE_PAGE + PAGE, "application/pdf", "Seen text"),
    "PDF then ZIP": (ONE_PAGE + PLAIN_ZIP, "application/pdf", "Seen text"), "HTML then PDF": (PAGE + ONE_PAGE, "application/pdf", "Seen text"), "PDF then ELF": (ONE_PAGE + ELF, "application/pdf", "Seen text"),
    "ELF then PDF": (ELF + ONE_PAGE, "application/x-executable", ""), "PDF in ZIP": (make.zip_of({"a.pdf": ONE_PAGE}, compress=False), "application/zip", ""),
    "GIF and script": (b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)//", "image/gif", ""), "JPEG and PHP": (b"\xff\xd8\xff\xfe\x00\x20<?php system($_GET['c']); ?>    \xff\xd9" + bytes(20), "image/jpeg", ""),
    "PNG and ZIP": (PNG + PLAIN_ZIP, "image/png", ""), "PNG and PDF": (PNG + ONE_PAGE, "image/png", ""), "PNG and PHP": (PNG + b"<?php x ?>", "image/png", ""),
    "PE and HTML": (b"MZ" + bytes(58) + PAGE, "application/vnd.microsoft.portable-executable", ""), "SVG and HTML": (b"<svg xmlns='x'><foreignObject>" + PAGE + b"</foreignObject></svg>", "image/svg+xml", ""),
    "XML and HTML": (b"<?xml version='1.0'?>" + PAGE, "text/html", "Page"), "RTF and HTML": (b"{\\rtf1 " + PAGE + b"}", "application/rtf", ""), "PostScript and HTML": (b"%!PS-Adobe\n" + PAGE, "application/postscript", ""),
    "Word and PDF": (make.zip_of({**make.docx_parts(make.paragraph("word")), "x.pdf": ONE_PAGE}, compress=False), DOCX_TYPE, "word"), "HTML and everything": (PAGE + PNG + PLAIN_ZIP + ONE_PAGE + ELF, "application/pdf", "Seen text"),
}


@pytest.mark.parametrize("case", POLYGLOTS)
def test_BI_F09_a_file_is_one_thing_under_any_name(case):
    data, mime, text = POLYGLOTS[case]
    for name in ("", "a.pdf", "a.html", "a.txt", "a.png", "a.docx", "a.exe", "a.zip", "a.php"):
        r = extract(data, name)
        assert (r.cause, r.meta and r.meta["mime_type"], r.text) == (None, mime, text), (name, r.cause, r.meta, r.text[:100])


def test_BI_F09_two_in_one_that_spoil_each_other():
    """What would have to be read with something before or behind it is damaged; as no document it is bytes."""
    fails(WORD_FILE + PAGE, "a.html", "damaged")
    fails(PLAIN_ZIP + ONE_PAGE, "a.pdf", "damaged")
    unread(PLAIN_ZIP + ONE_PAGE, "a.html", "application/zip")
    for name, cause in (("a.docx", "damaged"), ("a.pdf", "damaged"), ("a.html", None)):
        r = extract(PAGE + WORD_FILE, name)
        assert r.cause == cause and (cause or (r.meta["mime_type"], r.blocks) == ("application/octet-stream", []))
    assert [extract(b"text about %PDF-1.7\n", n).meta["mime_type"] for n in ("", "a.pdf", "a.html")] == ["text/plain", "text/plain", "text/html"]


# ---- H: XML and Office ----

LAUGHS = ('<!DOCTYPE w [<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]>")


def test_BI_H01_billion_laughs():
    fails(make.docx(make.paragraph("&j;"), make.XML + LAUGHS), "laughs.docx", "unsafe")


def test_BI_H01_quadratic_blow_up():
    entity = f'<!DOCTYPE w [<!ENTITY a "{"x" * 100_000}">]>'
    fails(make.docx(make.paragraph("&a;" * 10_000), make.XML + entity), "quadratic.docx", "unsafe")


def test_BI_H01_parameter_entities():
    fails(make.docx(make.paragraph("x"), make.XML + '<!DOCTYPE w [<!ENTITY % a "<!ENTITY b \'c\'>"> %a;]>'), "parameter.docx", "unsafe")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1:9/x", "ftp://127.0.0.1:9/x", "jar:file:///x!/y", "php://filter/x"])
def test_BI_H02_external_entity(target):
    head = make.XML + f'<!DOCTYPE w [<!ENTITY e SYSTEM "{target}">]>'
    fails(make.docx(make.paragraph("&e;"), head), "external.docx", "unsafe")


def test_BI_H02_external_dtd():
    fails(make.docx(make.paragraph("x"), make.XML + '<!DOCTYPE w SYSTEM "http://127.0.0.1:9/x.dtd">'), "dtd.docx", "unsafe")


def test_BI_H02_xinclude_and_stylesheet_are_not_followed():
    head = make.XML + '<?xml-stylesheet href="file:///etc/passwd"?>'
    body = make.paragraph("kept") + '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    r = extract(make.docx(body, head), "include.docx")
    assert r.cause is None and r.text == "kept"


@pytest.mark.parametrize("part", ["word/styles.xml", "docProps/core.xml", "[Content_Types].xml", "word/footnotes.xml", "word/_rels/document.xml.rels"])
def test_BI_H03_entities_in_every_part(part):
    parts = make.docx_parts()
    parts[part] = make.XML + '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    fails(make.zip_of(parts), "part.docx", "unsafe")


@pytest.mark.parametrize("depth,cause", [(255, None), (256, None), (257, "bomb")])
def test_BI_H04_depth(depth, cause):
    inner = depth - 2  # document and body
    body = "<w:x>" * inner + "</w:x>" * inner
    assert extract(make.docx(body), "deep.docx").cause == cause


def test_BI_H04_hundred_thousand_levels():
    fails(make.docx("<w:x>" * 100_000 + "</w:x>" * 100_000), "deep.docx", "bomb")


@pytest.mark.parametrize("count,cause", [(255, None), (256, None), (257, "bomb"), (10_000, "bomb")])
def test_BI_H04_attributes(count, cause):
    body = "<w:x " + " ".join(f'a{i}="1"' for i in range(count)) + "/>" + make.paragraph("x")
    assert extract(make.docx(body), "wide.docx").cause == cause


def test_BI_H04_huge_text_node():
    """Packed a hundred to one it is a bomb; else it is the text that is too much."""
    fails(make.docx(make.paragraph("word " * (25 * MB // 5))), "node.docx", "bomb")
    words = random.Random(1).randbytes(11 * MB).hex()
    fails(make.docx(make.paragraph(" ".join(words[i:i + 8] for i in range(0, len(words), 8)))), "node.docx", "too_large_text")


def test_BI_H04_namespace_bomb():
    body = "<w:x " + " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(5000)) + "/>"
    fails(make.docx(body), "namespaces.docx", "bomb")


@pytest.mark.parametrize("encoding", ["UTF-7", "EBCDIC-CP-US", "cp037", "ISO-2022-CN-EXT", "x-unknown"])
def test_BI_H05_foreign_encodings_of_xml(encoding):
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    assert extract(make.docx(make.paragraph("x"), head), "encoding.docx").cause in ("damaged", None)


def test_BI_H05_utf16_is_read():
    parts = make.docx_parts()
    text = parts["word/document.xml"].replace('encoding="UTF-8"', 'encoding="UTF-16"')
    parts["word/document.xml"] = text.encode("utf-16")
    assert "first paragraph" in extract(make.zip_of(parts), "utf16.docx").text


def test_BI_H06_outside_parts_and_macros_are_flagged_not_followed():
    relations = (f'<Relationships xmlns="{make.RELATIONS}"><Relationship Id="r1" Type="{make.OFFICE_RELATION}/attachedTemplate" '
                 'Target="http://127.0.0.1:9/t.dotm" TargetMode="External"/></Relationships>')
    r = extract(make.docx(word___rels__settings_DOT_xml_DOT_rels=relations, word__vbaProject_DOT_bin="x", word__embeddings__a_DOT_bin="x"), "a.docm")
    assert r.cause is None
    assert {"has_external_parts", "has_macros", "has_embedded_objects"} <= set(r.meta["metadata"])


def test_BI_H06_links_are_no_danger():
    relations = (f'<Relationships xmlns="{make.RELATIONS}"><Relationship Id="r1" Type="{make.OFFICE_RELATION}/hyperlink" '
                 'Target="https://example.org/" TargetMode="External"/></Relationships>')
    r = extract(make.docx(word___rels__document_DOT_xml_DOT_rels=relations), "a.docx")
    assert "has_external_parts" not in r.meta["metadata"]


def test_BI_H08_ring_of_styles():
    r = extract(make.docx(make.paragraph("text", "RingA")), "ring.docx")
    assert r.blocks == [("paragraph", 0, 0, "text")]


def test_BI_H08_many_comments_and_inserted_html():
    parts = make.docx_parts(make.paragraph("text") + '<w:altChunk r:id="x" xmlns:r="urn:r"/>')
    parts["word/comments.xml"] = "<c/>" * 1_000_000
    parts["word/afchunk.html"] = "<script>1</script>"
    assert extract(make.zip_of(parts), "comments.docx").text == "text"


def test_BI_H12_encrypted_office_container():
    name = "EncryptedPackage".encode("utf-16-le") + b"\0\0"
    fails(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + name + bytes(500), "locked.docx", "encrypted")


def test_H_truncated_at_each_percent_is_damaged():
    for length, data in make.truncations(make.docx()):
        r = extract(data, "cut.docx")
        assert r.cause == "damaged", (length, r.cause, r.text)


def test_H_mutations_never_crash():
    for data in make.mutations(make.docx(), 150):
        assert extract(data, "mutated.docx").cause in (None, "damaged", "bomb", "encrypted", "unsupported", "unsafe")


def test_H_docx_without_its_document():
    parts = make.docx_parts()
    del parts["word/document.xml"]
    parts["word/other.xml"] = "<x/>"
    fails(make.zip_of(parts), "hollow.docx", "damaged")


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.mark.parametrize("cells", [
    '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', "<row>" + '<c t="s"><v>0</v></c>' * 50_000 + "</row>", "<row><c><f>" + "1+" * 100_000 + "1</f></c></row>",
    '<row r="99999999999"><c r="ZZZZZZZ0"><v>1</v></c><c r="A-1"/></row>'], ids=["sparse", "shared strings", "formula", "references"])
def test_BI_H07_workbooks_are_not_opened(cells):
    """There is no reader of workbooks yet: whatever is in them costs nothing, and one that would unpack a hundredfold is called a bomb all the same."""
    parts = {"[Content_Types].xml": make.CONTENT_TYPES, "_rels/.rels": make.ROOT_RELATIONS, "xl/workbook.xml": f'<workbook xmlns="{SHEET}"/>',
             "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}"><si><t>words</t></si></sst>', "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>'}
    unread(make.zip_of(parts), "a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{SHEET}">' + "<si><t>a</t></si>" * 500_000 + "</sst>"
    fails(make.zip_of(parts), "a.xlsx", "bomb")


SCHEMES = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "vbscript:x", "data:text/html,x", "file:///etc/passwd", "ms-word:ofe|u|http://127.0.0.1:9/x", "http://127.0.0.1:9/x"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_BI_H09_of_a_link_only_its_words_are_read(scheme):
    target = scheme.replace("&", "&amp;")
    relations = (f'<Relationships xmlns="{make.RELATIONS}"><Relationship Id="r1" Type="{make.OFFICE_RELATION}/hyperlink" Target="{target}" TargetMode="External"/></Relationships>')
    link = f'<w:p><w:hyperlink r:id="r1" xmlns:r="{make.OFFICE_RELATION}"><w:r><w:t>Press here</w:t></w:r></w:hyperlink></w:p>'
    field = f'<w:p><w:r><w:instrText>HYPERLINK "{target}"</w:instrText></w:r></w:p>'
    reads(make.docx(link + field, word___rels__document_DOT_xml_DOT_rels=relations), "a.docx", "Press here")
    reads(f'<p><a href="{target}" onclick="alert(1)">Press here</a><iframe src="{target}"></iframe><img src="{target}"></p>'.encode(), "a.html", "Press here")
    annotation = b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(%s)>>>>" % scheme.encode()
    r = extract(make.pdf([[(12, "Press here")]], extra={900: annotation}), "a.pdf")
    assert (r.cause, r.text) == (None, "Press here")
    assert scheme.strip() not in json.dumps(r.meta)


def test_BI_H10_parts_with_climbing_paths_touch_nothing(tmp_path):
    """Run in an empty folder: neither what they name is opened nor anything made."""
    mark = tmp_path / "made"
    canary = tmp_path / "canary"
    canary.write_text("canary of the disk")
    targets = ["../../../../../../../../etc/passwd", str(canary), f"file://{canary}", "..\\..\\x", str(mark)]
    for target in targets:
        relations = f'<Relationships xmlns="{make.RELATIONS}">' + "".join(
            f'<Relationship Id="r{i}" Type="{make.OFFICE_RELATION}/{kind}" Target="{target}"{mode}/>' for i, (kind, mode) in enumerate([("image", ""), ("image", ' TargetMode="External"'), ("font", ""), ("oleObject", "")])) + "</Relationships>"
        picture = f'<w:drawing><a:blip xmlns:a="urn:a" r:embed="r0" r:link="r1" xmlns:r="{make.OFFICE_RELATION}"/></w:drawing>'
        parts = make.docx_parts(make.paragraph("Around a picture") + f"<w:p><w:r>{picture}</w:r></w:p>")
        parts["word/_rels/document.xml.rels"] = relations
        parts[target.lstrip("/")] = "x"
        r = extract(make.zip_of(parts), "a.docx")
        assert (r.cause, r.text) == (None, "Around a picture"), (target, r.cause, r.stderr)
        outside = b"<</Length 0/F(%s)/FFilter/FlateDecode>>\nstream\n\nendstream" % target.encode()
        font = b"<</Type/Font/Subtype/TrueType/BaseFont/Climbing/FontDescriptor 901 0 R>>"
        descriptor = b"<</Type/FontDescriptor/FontName/Climbing/Flags 32/FontFile2 900 0 R>>"
        r = extract(make.pdf([[(12, "Around a font")]], extra={3: font, 900: outside, 901: descriptor}), "a.pdf")
        assert r.cause in (None, "damaged") and "canary of" not in r.text and "root:" not in r.text, (target, r.cause, r.text)
        html = f'<style>@font-face{{src:url("{target}")}}</style><link rel=stylesheet href="{target}"><img src="{target}"><p>Around</p>'
        reads(html.encode(), "a.html", "Around")
    assert not mark.exists() and sorted(p.name for p in tmp_path.iterdir()) == ["canary"]


def test_BI_H11_nothing_is_expanded(monkeypatch):
    """The reader gets no environment, and would not look into it: what names a variable stays as it is written."""
    monkeypatch.setenv("DMS_CANARY", "canary of the environment")
    text = "%DMS_CANARY% $DMS_CANARY ${DMS_CANARY} $(env) `env` %PATH% ${HOME} ~"
    field = f'<w:p><w:r><w:instrText>INCLUDETEXT "%DMS_CANARY%" HYPERLINK "http://127.0.0.1:9/%DMS_CANARY%"</w:instrText></w:r></w:p>'
    for data, name in ((make.docx(make.paragraph(text) + field), "a.docx"), (f"<p>{text}</p>".encode(), "a.html"), (text.encode(), "a.txt"), (make.pdf([[(12, text)]]), "a.pdf")):
        r = extract(data, name)
        assert r.cause is None and r.text == text, (name, r.text)


# ---- I: PDF ----

def test_BI_I01_not_a_pdf():
    fails(bytes(range(256)) * 10, "rubbish.pdf", "damaged")
    fails(b"%PDF-1.7\n" + bytes(range(256)) * 10, "rubbish.pdf", "damaged")
    fails(b"%PDF-", "short.pdf", "damaged")


@pytest.mark.parametrize("compress", [True, False])
def test_BI_I01_truncated_at_each_percent_is_damaged(compress):
    for length, data in make.truncations(make.pdf(compress=compress)):
        r = extract(data, "cut.pdf")
        assert r.cause == "damaged", (length, r.cause, r.text)


def test_BI_I01_large_file_truncated():
    pages = [[(11, f"Line {j} of page {i} with some words in it.") for j in range(50)] for i in range(60)]
    for length, data in make.truncations(make.pdf(pages), 25):
        assert extract(data, "cut.pdf").cause == "damaged", length


def test_BI_I01_text_that_cannot_be_unpacked_is_damaged():
    """Whole from outside, but the only page's content is broken."""
    data = make.pdf([[(12, "Some text that is lost. " * 20)]])
    at = data.index(b"stream\n", data.index(b"11 0 obj")) + 7
    r = extract(data[:at + 2] + b"\xff" * 40 + data[at + 42:], "broken.pdf")
    assert r.cause == "damaged"


def test_BI_I01_mutations_never_crash():
    for data in make.mutations(make.pdf(), 150):
        assert extract(data, "mutated.pdf").cause in (None, "damaged", "encrypted", "too_many_pages", "bomb")


HANDBOOK = ("Handbook\n\nThis handbook explains how the machine is installed and how it is run.\n\nSafety\n\nNever open the cover while it runs.\n\n"
            "Cleaning\n\nClean it once a week with a dry cloth. Do not use water.")


def with_update(first_trailer, second_trailer, text="New text"):
    """Two revisions, each with its table; PREV1 and PREV2 in the trailers become where those tables stand, in seven digits."""
    first = make.pdf([[(12, "Old text")]], trailer=first_trailer)
    new = b"11 0 obj\n" + make.stream(make.page_content([(12, text)])) + b"\nendobj\n"
    places = {b"/PREV1": int(first[first.rindex(b"startxref") + 9:].split()[0]), b"/PREV2": len(first) + len(new)}
    table = b"xref\n11 1\n%010d 00000 n \ntrailer\n<</Size 12/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(first), second_trailer, places[b"/PREV2"])
    data = first + new + table
    for mark, at in places.items():
        data = data.replace(b"/Prev " + mark, b"/Prev %-6d" % at)
    return data


def test_BI_I02_cross_reference_table_that_names_itself():
    """Poppler remembers the tables it has read (also in all the loops below): nothing of the text is lost."""
    data = make.pdf(trailer="/Prev 9")
    at = data.rindex(b"xref\n0", 0, data.rindex(b"startxref"))
    reads(data.replace(b"/Prev 9", b"/Prev %d" % at), "loop.pdf", HANDBOOK, seconds=1)
    reads(data, "nowhere.pdf", HANDBOOK, seconds=1)


def test_BI_I02_tables_that_name_one_another():
    reads(with_update("/Prev /PREV2", b"/Prev /PREV1"), "cycle.pdf", "New text", seconds=1)


def test_BI_I02_cross_reference_stream_that_names_itself():
    reads(make.xref_stream_pdf(), "sound.pdf", "Some text", seconds=1)
    reads(make.xref_stream_pdf(previous=lambda at: at), "self.pdf", "Some text", seconds=1)


def test_BI_I02_object_streams_in_themselves():
    catalog, pages = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[10 0 R]/Count 1>>"
    reads(make.xref_stream_pdf(packed={1: catalog, 2: pages}), "sound.pdf", "Some text", seconds=1)
    reads(make.xref_stream_pdf(packed={1: catalog, 900: b"<</Type/ObjStm/N 1/First 4>>"}), "inner.pdf", "Some text", seconds=1)
    fails(make.xref_stream_pdf(packed={1: catalog, 2: b"900 0 R"}), "pages.pdf", "damaged", seconds=1)
    inner = b"5 0 <</Type/ObjStm/N 1/First 4>>"
    reads(make.pdf(extra={900: make.stream(inner, b"/Type/ObjStm/N 1/First 4/Extends 900 0 R")}), "extends.pdf", HANDBOOK, seconds=1)


@pytest.mark.parametrize("length,note", [(b"999999999", None), (b"0", None), (b"11 0 R", INCOMPLETE), (b"99999999999999999999", INCOMPLETE), (b"-1", "damaged")])
def test_BI_I03_stream_length_lies(length, note):
    """Poppler looks for the end of the stream itself; a negative length leaves it nothing."""
    data = make.pdf([[(12, "Some text")]], compress=False)
    at = data.index(b"/Length ", data.index(b"11 0 obj"))
    lied = data[:at] + b"/Length " + length + data[data.index(b">>", at):]
    if note == "damaged":
        fails(lied, "length.pdf", "damaged")
    else:
        reads(lied, "length.pdf", "Some text", note)


@pytest.mark.parametrize("filters,cause", [(7, None), (8, None), (9, "bomb"), (1000, "bomb")])
def test_BI_I04_filter_chain(filters, cause):
    content = make.page_content([(12, "Chained")])
    for _ in range(min(filters, 9)):
        content = zlib.compress(content)
    chain = b"[" + b"/FlateDecode" * filters + b"]"
    extra = {11: b"<</Length %d/Filter%s>>\nstream\n%s\nendstream" % (len(content), chain, content)}
    r = extract(make.pdf([[(12, "x")]], extra=extra), "chain.pdf")
    assert r.cause == cause and (cause or r.text == "Chained")


def packed_twice(content, blanks):
    """So many blanks before the content, packed a million to one."""
    inner = zlib.compressobj(9)
    pieces = [inner.compress(b" " * MB) for _ in range(blanks // MB)] + [inner.compress(content), inner.flush()]
    data = zlib.compress(b"".join(pieces), 9)
    return b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>\nstream\n%s\nendstream" % (len(data), data)


def test_BI_I04_bomb_in_a_page():
    """What unpacks within the time is read, as it passes by and is not kept; what does not ends with the time."""
    reads(make.pdf([[(12, "x")]], extra={11: packed_twice(make.page_content([(12, "Behind")]), 64 * MB)}), "large.pdf", "Behind", seconds=30)
    fails_in_time = make.pdf([[(12, "x")]], extra={11: packed_twice(make.page_content([(12, "Behind")]), 1024 * MB)})
    assert len(fails_in_time) < 16_000
    assert extract(fails_in_time, "bomb.pdf", max_cpu_seconds=1).cause == "timeout"


@pytest.mark.parametrize("kids", [b"2 0 R", b"2 0 R 2 0 R", b"10 0 R 2 0 R"])
def test_BI_I05_page_tree_ring(kids):
    fails(make.pdf(extra={2: b"<</Type/Pages/Kids[%s]/Count 3>>" % kids}), "ring.pdf", "damaged", seconds=1)


@pytest.mark.parametrize("count", [10_000_000, 10_001, 2, 0, -5])
def test_BI_I05_count_lies(count):
    """There is one page."""
    data = make.pdf([[(12, "One page")]], extra={2: b"<</Type/Pages/Kids[10 0 R]/Count %d>>" % count})
    fails(data, "count.pdf", "damaged", seconds=1)


@pytest.mark.parametrize("pages,cause", [(9, None), (10, None), (11, "too_many_pages")])
def test_BI_I05_pages_at_the_limit(pages, cause):
    data = make.pdf([[(12, f"Page {i}")] for i in range(pages)])
    assert extract(data, "pages.pdf", max_pages=10).cause == cause


@pytest.mark.parametrize("box,cause", [("[0 0 1000000000 1000000000]", None), ("[0 0 0 0]", None), ("[1 2]", None), ("[595 842 0 0]", None), ("[0 0 -5 -5]", "damaged")])
def test_BI_I06_absurd_page_boxes(box, cause):
    """A page that has no size gets Poppler's; one without room for a line does not show its text, and is no success without any."""
    page = f"<</Type/Page/Parent 2 0 R/MediaBox{box}/UserUnit 100000/Rotate 37/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>>>>>".encode()
    data = make.pdf([[(12, "Some words")]], extra={10: page})
    if cause:
        fails(data, "box.pdf", cause, seconds=1)
    else:
        reads(data, "box.pdf", "Some words", seconds=1)


def page_with_image(image, content=b"/I Do", contents=11):
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>/XObject<</I 900 0 R>>>>>>" % contents
    return make.pdf([[(12, "x")]], extra={10: page, 11: make.stream(content), 900: image})


BESIDE = make.page_content([(12, "Beside an image")]) + b"\n/I Do"


def test_BI_I06_absurd_image():
    image = make.stream(b"", b"/Type/XObject/Subtype/Image/Width 100000/Height 100000/ColorSpace/DeviceRGB/BitsPerComponent 8")
    reads(page_with_image(image, BESIDE), "image.pdf", "Beside an image", seconds=1)
    r = extract(page_with_image(image), "image.pdf")  # to Poppler 22.12 it is a picture, to 25.03 one of that size is none
    assert (r.cause, r.text) == (None, "") and r.meta["note"] in (SCAN, "no text found")


JBIG2_PAGE = struct.pack(">IBBIIIIIBH", 0, 48, 1, 19, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0, 0)
JBIG2_SYMBOLS = struct.pack(">IBBI", 1, 0, 1, 0x7FFFFFFF) + b"\0\0" + b"\xff" * 18 + struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF) + bytes(100)
JPX_BOXES = (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 \0\0\0\x2djp2h\0\0\0\x16ihdr" + struct.pack(">II", 0x7FFFFFFF, 0x7FFFFFFF) + b"\0\3\7\7\0\0")
JPX_TILES = (b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">IIIIIIII", 0x7FFFFFFF, 0x7FFFFFFF, 0, 0, 1, 1, 0, 0) + b"\0\3" + b"\7\1\1" * 3 + b"\xff\x93"
             + bytes(range(256)) * 4)
DCT_SIZE = (b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x22\0\2\x11\1\3\x11\1\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0" + bytes(range(256)) * 20)
DCT_TABLES = b"\xff\xd8" + (b"\xff\xc4\0\x13\0" + b"\xff" * 16) * 1000
CODECS = {  # name: (filter, its parameters, data, what becomes of a page whose text is packed so)
    "JBIG2 size": (b"/JBIG2Decode", b"", JBIG2_PAGE, "damaged"),
    "JBIG2 symbols": (b"/JBIG2Decode", b"", JBIG2_PAGE + JBIG2_SYMBOLS, "damaged"),
    "JPX boxes": (b"/JPXDecode", b"", JPX_BOXES, "damaged"),
    "JPX tiles": (b"/JPXDecode", b"", JPX_TILES, "damaged"),
    "CCITT columns": (b"/CCITTFaxDecode", b"/DecodeParms<</K -1/Columns 2147483647/Rows 2147483647>>", bytes(range(256)) * 40, None),
    "CCITT negative": (b"/CCITTFaxDecode", b"/DecodeParms<</K 4/Columns -1/Rows -1/EncodedByteAlign true>>", bytes(range(256)) * 40, "damaged"),
    "DCT size": (b"/DCTDecode", b"", DCT_SIZE, None),
    "DCT tables": (b"/DCTDecode", b"", DCT_TABLES, None),
}


def coded_image(name, data=None):
    kind, parameters, whole, _ = CODECS[name]
    data = whole if data is None else data
    return b"<</Type/XObject/Subtype/Image/Width 64/Height 64/ColorSpace/DeviceGray/BitsPerComponent 1/Filter%s%s/Length %d>>\nstream\n%s\nendstream" % (
        kind, parameters, len(data), data)


@pytest.mark.parametrize("name", CODECS)
def test_BI_I07_crafted_images(name):
    """They are not decoded for the text beside them; as the text itself, which nobody does in earnest, they must be: then there is none, and that is said."""
    reads(page_with_image(coded_image(name), BESIDE), "image.pdf", "Beside an image")
    reads(page_with_image(coded_image(name), b"/I Do"), "image.pdf", "", SCAN)
    as_text = page_with_image(coded_image(name), contents=900)
    if CODECS[name][3]:
        fails(as_text, "image.pdf", CODECS[name][3])
    else:
        reads(as_text, "image.pdf", "", "no text found")


def test_BI_I07_tables_of_an_image_that_are_the_image():
    """Poppler 22.12 complains of the ring and 25.03 does not."""
    name = "JBIG2 symbols"
    ring = coded_image(name).replace(b"/JBIG2Decode", b"/JBIG2Decode/DecodeParms<</JBIG2Globals 900 0 R>>")
    r = extract(page_with_image(ring, BESIDE), "ring.pdf")
    assert (r.cause, r.text) == (None, "Beside an image") and r.meta["note"] in (None, INCOMPLETE)
    r = extract(page_with_image(ring), "ring.pdf")
    assert (r.cause, r.meta and r.meta["note"]) in ((None, SCAN), ("damaged", None))


@pytest.mark.parametrize("name", CODECS)
def test_BI_I07_mutations_never_crash(name):
    """Decoded for real, as the text of a page."""
    for data in make.mutations(CODECS[name][2], 25):
        r = extract(page_with_image(coded_image(name, data), contents=900), "mutated.pdf", max_cpu_seconds=2)
        assert r.cause in (None, "damaged", "timeout"), (r.cause, r.stderr[:300])  # the last: a bitmap of gigabytes
        assert r.cause or r.text or r.meta["note"]


def test_BI_I08_scripts_and_actions_are_listed_not_run():
    catalog = "/OpenAction 900 0 R/Names<</JavaScript<</Names[(a) 900 0 R]>>>>"
    extra = {900: b"<</S/JavaScript/JS(app.alert\\(1\\))>>", 901: b"<</S/Launch/F(/bin/sh)>>"}
    r = extract(make.pdf(catalog=catalog, extra=extra), "script.pdf")
    assert r.cause is None and "machine" in r.text
    assert r.meta["metadata"]["has_javascript"] is True and r.meta["metadata"]["has_active_content"] is True


def test_BI_I08_embedded_files_are_listed():
    catalog = "/Names<</EmbeddedFiles<</Names[(a.txt) 900 0 R]>>>>"
    extra = {900: b"<</Type/Filespec/F(a.txt)/EF<</F 901 0 R>>>>", 901: make.stream(b"inner text", b"/Type/EmbeddedFile")}
    r = extract(make.pdf(catalog=catalog, extra=extra), "embedded.pdf")
    assert r.meta["metadata"]["embedded_files"] == "1" and "inner text" not in r.text


def test_BI_I09_xfa_is_not_parsed():
    xfa = make.stream(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>')
    r = extract(make.pdf(catalog="/AcroForm<</XFA 900 0 R/Fields[]>>", extra={900: xfa}), "xfa.pdf")
    assert r.cause is None and "root:" not in r.text


def test_BI_I10_password():
    fails(make.encrypted_pdf(), "locked.pdf", "encrypted")


def test_BI_I10_owner_only_without_the_right_to_copy():
    fails(make.encrypted_pdf(user=b"", permissions=-4 & ~16), "owner.pdf", "encrypted")


def test_BI_I10_unknown_handler():
    data = make.pdf(trailer="/Encrypt<</Filter/Unknown.Handler/V 4/R 4>>/ID[<00><00>]")
    fails(data, "handler.pdf", "encrypted")


def test_BI_I11_font_that_draws_itself():
    font = b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[.1 0 0 .1 0 0]/CharProcs<</a 901 0 R>>/Encoding<</Type/Encoding/Differences[97/a]>>" \
           b"/FirstChar 97/LastChar 97/Widths[9]/Resources<</Font<</F1 3 0 R>>>>>>"
    reads(make.pdf([[(12, "aaa")]], extra={3: font, 901: make.stream(b"9 0 d0 BT /F1 9 Tf (a) Tj ET")}), "type3.pdf", "aaa", seconds=1)


@pytest.mark.parametrize("program", [b"\x01\x00\x04\x01\x00\x01\x01\x01\x02A" + b"\x0a" * 4800, bytes(range(256)) * 100], ids=["calls", "rubbish"])
def test_BI_I11_font_program_that_never_ends(program):
    font = b"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+X/FontDescriptor 902 0 R/FirstChar 97/LastChar 97/Widths[500]>>"
    about = b"<</Type/FontDescriptor/FontName/ABCDEF+X/Flags 4/FontBBox[0 0 9 9]/ItalicAngle 0/Ascent 9/Descent 0/CapHeight 9/StemV 1/FontFile3 903 0 R>>"
    reads(make.pdf([[(12, "aaa")]], extra={3: font, 902: about, 903: make.stream(program, b"/Subtype/Type1C")}), "cff.pdf", "aaa", INCOMPLETE, seconds=1)


PAGE_OF_FORMS = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>/XObject<</X 900 0 R>>>>>>"


def test_BI_I11_form_that_contains_itself():
    form = make.stream(b"BT /F1 12 Tf 72 700 Td (Inside) Tj ET /X Do",
                       b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>/XObject<</X 900 0 R>>>>")
    data = make.pdf([[(12, "x")]], extra={10: PAGE_OF_FORMS, 11: make.stream(make.page_content([(12, "Outside")]) + b"\n/X Do"), 900: form})
    reads(data, "form.pdf", "Outside\n\nInside", seconds=1)


def test_BI_I11_forms_that_multiply():
    """Ten times the next, thirty deep: only time ends it."""
    forms = {900 + i: make.stream(b"/X Do " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X %d 0 R>>>>" % (901 + i)) for i in range(30)}
    forms[930] = make.stream(b"0 0 m")
    data = make.pdf([[(12, "x")]], extra={10: PAGE_OF_FORMS, 11: make.stream(b"/X Do"), **forms})
    assert extract(data, "forms.pdf", max_cpu_seconds=1).cause == "timeout"


def coloured_by(function):
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>/ColorSpace<</C[/Separation/Spot/DeviceGray 900 0 R]>>>>>>"
    content = make.stream(b"/C cs 1 scn\n" + make.page_content([(12, "Coloured")]))
    return make.pdf([[(12, "x")]], extra={10: page, 11: content, 900: make.stream(function, b"/FunctionType 4/Domain[0 1]/Range[0 1]")})


def test_BI_I11_functions():
    reads(coloured_by(b"{ dup pop }"), "sound.pdf", "Coloured")
    reads(coloured_by(b"{ 1 100000 { dup } repeat }"), "loop.pdf", "Coloured", INCOMPLETE, seconds=1)  # PDF has no loops: it is refused
    reads(coloured_by(b"{" * 50 + b"}" * 50), "nested.pdf", "Coloured", INCOMPLETE)
    fails(coloured_by(b"{" * 1_000_000 + b"}" * 1_000_000), "deep.pdf", "bomb", seconds=5)  # deeper than the stack


def test_BI_I11_pattern_that_is_filled_with_itself():
    pattern = make.stream(b"/Pattern cs /P scn 0 0 9 9 re f",
                          b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]/XStep 1/YStep 1/Resources<</Pattern<</P 900 0 R>>>>")
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>/Pattern<</P 900 0 R>>>>>>"
    content = make.stream(b"/Pattern cs /P scn 0 0 500 500 re f\n" + make.page_content([(12, "Patterned")]))
    reads(make.pdf([[(12, "x")]], extra={10: page, 11: content, 900: pattern}), "pattern.pdf", "Patterned", seconds=1)


def test_BI_I11_large_unicode_map():
    ranges = "".join(f"<{i:04x}> <{i:04x}> <0041>\n" for i in range(60_000))
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 901 0 R>>"
    cmap = make.stream(f"1 begincmap 60000 beginbfrange {ranges} endbfrange endcmap".encode())
    reads(make.pdf([[(12, "xyz")]], extra={3: font, 901: cmap}), "map.pdf", "AAA")


def test_BI_I12_last_revision_is_read_and_flagged():
    signature = b"<</Type/Sig/Filter/Adobe.PPKLite/ByteRange [0000000000 0000000000 0000000000 0000000000]/Contents<00>>>"
    first = make.pdf([[(12, "Old text")]], extra={900: signature})
    first = first.replace(b"[0000000000 0000000000 0000000000 0000000000]", b"[0000000000 0000000010 0000000020 %010d]" % (len(first) - 20))
    previous = int(first[first.rindex(b"startxref") + 9:].split()[0])
    new = b"11 0 obj\n" + make.stream(make.page_content([(12, "New text")])) + b"\nendobj\n"
    table = b"xref\n11 1\n%010d 00000 n \ntrailer\n<</Size 901/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(first), previous, len(first) + len(new))
    r = extract(first + new + table, "updated.pdf")
    assert r.text == "New text" and r.meta["metadata"]["updated_after_signing"] is True
    assert "updated_after_signing" not in extract(first, "signed.pdf").meta["metadata"]
    for cut in range(len(first) + 10, len(first + new + table) - 7, 25):
        assert extract((first + new + table)[:cut], "cut.pdf").cause == "damaged", cut


# ---- E, K, Q ----

@pytest.mark.parametrize("name", ["../../x.txt", "..\\x.txt", "a\nb.txt", "\x01.txt", "annexe\u202efdp.txt", "a" * 5000 + ".txt", ".txt", "...", "",
                                  "-rf", "--max-pages", "CON", "a.txt;jpg", "$(id).txt"])
def test_BI_E_names_are_only_a_hint(name):
    assert extract(b"text", name).text == "text"


APP = make.XML + '<Properties xmlns="urn:p"><Company>Secretcompany</Company><Manager>Secretmanager</Manager><Template>C:\\Users\\secretuser\\x.dotm</Template></Properties>'
CUSTOM = make.XML + '<Properties xmlns="urn:p"><property name="Client"><lpwstr>Secretclient</lpwstr></property></Properties>'


def test_BI_E14_of_what_a_file_says_of_people_little_is_taken():
    """Of a Word file's and a PDF's properties only those of a short list, which describe the document; of a picture nothing."""
    comments = make.XML + f'<w:comments xmlns:w="{make.WORD}"><w:comment w:author="Secretcommenter"><w:p/></w:comment></w:comments>'
    tracked = f'<w:p><w:ins w:author="Secretreviser" w:date="2024-01-01T00:00:00Z"><w:r><w:t>Inserted words</w:t></w:r></w:ins></w:p>'
    r = extract(make.docx(tracked, docProps__app_DOT_xml=APP, docProps__custom_DOT_xml=CUSTOM, word__comments_DOT_xml=comments), "a.docx")
    assert r.text == "Inserted words" and "ecret" not in json.dumps(r.meta)
    assert set(r.meta["metadata"]) <= {"author", "subject", "keywords", "category", "created", "modified", "description", "modified_by", "title", "language"}, r.meta
    r = extract(make.pdf(info="/Title(T)/Author(A. Writer)/Company(Secretcompany)/SourceModified(D:20240101)/GPS(Secretplace)/PTEX.Fullbanner(C:\\\\Users\\\\secretuser)"), "a.pdf")
    assert r.cause is None and "ecret" not in json.dumps(r.meta), r.meta
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x013B, 2, 13, 26) + bytes(4) + b"Secretperson\0"
    r = extract(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xd9", "a.jpg")
    assert (r.meta["mime_type"], r.meta["metadata"], r.meta["title"], r.blocks) == ("image/jpeg", {}, None, [])


@pytest.mark.parametrize("date", ["D:99999999999999Z", "D:0000", "D:20241399999999+99'99'", "\\000\\001", "D:" + "9" * 5000, "D:-0001"])
def test_BI_E13_absurd_dates_stay_harmless(date):
    r = extract(make.pdf(info=f"/CreationDate({date})"), "date.pdf")
    assert (r.cause, r.text) == (None, HANDBOOK)
    assert re.fullmatch(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}(\.[0-9]+)?Z", r.meta["metadata"].get("created", "2024-01-01T00:00:00Z"))


def test_BI_E11_huge_metadata_is_cut():
    many = "\n".join(f"key{i}: {'v' * 3000}" for i in range(45))
    meta = extract(f"---\n{many[:60_000]}\n---\nx\n".encode(), "a.md").meta
    assert len(json.dumps(meta)) < 256 << 10
    r = extract(make.pdf(info=f"/Title({'t' * 100_000})/Author({'a' * 100_000})"), "a.pdf")
    assert len(r.meta["title"]) == 500 and len(r.meta["metadata"]["author"]) == 2000


def test_BI_K01_svg_is_stored_without_text():
    assert extract(b"<?xml version='1.0'?><svg><script>alert(1)</script></svg>", "a.svg").blocks == []


def test_BI_K02_html_scripts_are_no_text():
    r = extract(b"<p>kept<script>alert(1)</script><style>x{}</style><noscript>no</noscript><svg><text>no</text></svg>", "a.html")
    assert r.text == "kept"


def test_BI_K02_html_entities_do_not_grow():
    page = "<!DOCTYPE html [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)) + "]><p>&j;</p>"
    r = extract(page.encode(), "a.html")
    assert r.cause is None and len(r.text) < 5000


@pytest.mark.parametrize("unit", [b"<div>", b"<b>", b"<ul><li>", b"<table><tr><td>", b"<p", b"<!--", b"&#", b"<a href='"])
def test_BI_K02_html_hundred_thousand_levels(unit):
    r = extract(unit * 100_000 + b"end", "deep.html")
    assert r.cause in (None, "timeout")


@pytest.mark.parametrize("unit", [b"> ", b"- ", b"[", b"*a_", b"![", b"`", b"<", b"* " * 50 + b"x\n", b"a | b\n", b"[a]: b\n", b"[^1]"])
def test_BI_K03_markdown_hundred_thousand_levels(unit):
    r = extract(unit * 100_000 + b"end", "deep.md")
    assert r.cause in (None, "timeout", "memory"), r.stderr


def test_BI_K03_links_and_raw_html_are_text_only():
    r = extract(b"[a](javascript:alert(1)) <img src=x onerror=alert(1)> ![i](http://127.0.0.1:9/beacon)\n\n<script>alert(1)</script>\n", "a.md")
    assert "alert" not in r.text and "127.0.0.1" not in r.text


@pytest.mark.parametrize("front", ["a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "a: " + "[" * 10_000, "a: " + "{x: " * 10_000, "? " * 10_000, "- " * 10_000])
def test_BI_K04_yaml_bombs(front):
    r = extract(f"---\n{front}\n---\ntext\n".encode(), "a.md")
    assert r.cause is None and r.meta["metadata"] == {} and "text" in r.text


@pytest.mark.parametrize("size,cause", [(99_999, None), (100_000, None), (100_001, "too_large_text")])
def test_BI_Q_text_at_the_limit(size, cause):
    assert extract(b"x" * size, "a.txt", max_text_bytes=100_000).cause == cause


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json"])
def test_BI_Q_far_too_much_text_in_any_encoding(name):
    assert extract("é\n".encode("latin-1") * 4000, name, max_text_bytes=1000).cause == "too_large_text"
    assert extract("é\n".encode("utf-32") * 400, name, max_text_bytes=1000).cause == "too_large_text"


def test_BI_Q_text_at_the_real_limit():
    line = b"some words in a line of text\n"
    whole = 20 * MB // len(line) * line
    assert extract(whole, "a.csv").cause is None
    fails(whole + 2 * MB // len(line) * line, "a.csv", "too_large_text")


def test_BI_Q_files_over_the_size_are_known_by_type_only():
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\0\0\0\0" + bytes(5000)
    assert extract(png, "a.png", max_file_bytes=4096).meta["mime_type"] == "image/png"
    assert extract(b"text " * 2000, "a.txt", max_file_bytes=4096).cause == "too_large"
