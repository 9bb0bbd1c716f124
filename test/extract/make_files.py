"""Makes documents out of nothing but Python's own library: whole ones, damaged ones, and attacks. Deterministic.

As a program: make_files.py FOLDER writes the well-formed ones there (a corpus for the fuzzers and for the C tests).
"""
import hashlib
import io
import pathlib
import random
import struct
import sys
import zipfile
import zlib

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
DATE = (2024, 1, 2, 3, 4, 6)


# ---- ZIP ----

def zip_of(parts, compress=True):
    """parts: {name: text or bytes}."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as z:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            z.writestr(info, content)
    return out.getvalue()


# ---- Word ----

CONTENT_TYPES = XML + (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>')
ROOT_RELATIONS = XML + (
    f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{OFFICE_RELATION}/officeDocument" '
    'Target="word/document.xml"/></Relationships>')
STYLES = XML + f'''<w:styles xmlns:w="{WORD}"><w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="en-GB"/></w:rPr></w:rPrDefault></w:docDefaults>
<w:style w:type="paragraph" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="House"><w:name w:val="House heading"/><w:basedOn w:val="Heading2"/></w:style>
<w:style w:type="paragraph" w:styleId="RingA"><w:name w:val="ring a"/><w:basedOn w:val="RingB"/></w:style>
<w:style w:type="paragraph" w:styleId="RingB"><w:name w:val="ring b"/><w:basedOn w:val="RingA"/></w:style>
<w:style w:type="paragraph" w:styleId="ListBullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style></w:styles>'''
CORE = XML + ('<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
              'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
              '<dc:title>Yearly report</dc:title><dc:creator>A. Writer</dc:creator><cp:keywords>one, two</cp:keywords>'
              '<dcterms:created>2024-01-02T03:04:05Z</dcterms:created></cp:coreProperties>')


def paragraph(text, style=None, item=None):
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if item is not None:
        properties += f'<w:numPr><w:ilvl w:val="{item}"/><w:numId w:val="1"/></w:numPr>'
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def table(rows):
    cells = ("".join(f"<w:tc>{paragraph(c)}</w:tc>" for c in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{c}</w:tr>" for c in cells) + "</w:tbl>"


BODY = (paragraph("Introduction", "berschrift1") + paragraph("The first paragraph of the report.")
        + paragraph("Details", "House") + paragraph("apples", item=0) + paragraph("pears", item=1) + paragraph("plums", "ListBullet")
        + table([["Name", "Size"], ["small", "1"]]) + paragraph("The last paragraph.", "RingA"))


def docx_parts(body=BODY, head=XML):
    return {"[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": ROOT_RELATIONS,
            "word/document.xml": head + f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": STYLES, "docProps/core.xml": CORE}


def docx(body=BODY, head=XML, **more):
    """more: further parts, with / written as __ and . as _DOT_."""
    parts = docx_parts(body, head)
    parts.update({k.replace("__", "/").replace("_DOT_", "."): v for k, v in more.items()})
    return zip_of(parts)


# ---- PDF ----

def pdf_objects(objects, trailer="", version="1.7", root=1):
    """objects: {number: bytes}; the cross reference is right."""
    out, offsets = f"%PDF-{version}\n%\xe2\xe3\xcf\xd3\n".encode("latin-1"), {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    at, size = len(out), max(objects) + 1
    out += f"xref\n0 {size}\n".encode()
    for number in range(size):
        out += f"{offsets.get(number, 0):010d} {0 if number in offsets else 65535:05d} {'n' if number in offsets else 'f'} \n".encode()
    return out + f"trailer\n<</Size {size}/Root {root} 0 R{trailer}>>\nstartxref\n{at}\n%%EOF\n".encode()


def stream(content, extra=b"", compress=True):
    if compress:
        content, extra = zlib.compress(content), b"/Filter/FlateDecode" + extra
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(content), extra, content)


def page_content(lines):
    """lines: (size, text) from the top; None leaves a gap."""
    y, out = 760, []
    for line in lines:
        if line is None:
            y -= 30
            continue
        size, text = line
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        out.append(f"BT /F1 {size} Tf 1 0 0 1 72 {y} Tm ({escaped}) Tj ET")
        y -= int(size * 1.3)
    return "\n".join(out).encode("latin-1")


PAGES = [
    [(24, "Handbook"), None, (11, "This handbook explains how the machine is in-"), (11, "stalled and how it is run."), None,
     (16, "Safety"), None, (11, "Never open the cover while it runs.")],
    [(16, "Cleaning"), None, (11, "Clean it once a week with a dry cloth."), (11, "Do not use water.")],
]


def pdf(pages=PAGES, info="/Title(The Handbook)/Author(A. Writer)/CreationDate(D:20240102030405Z)", extra=None, catalog="", compress=True,
        trailer=""):
    """A PDF of text pages. extra: further objects {number from 900: bytes}."""
    objects = {1: f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(),
               3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", 4: f"<<{info}>>".encode()}
    kids = []
    for i, lines in enumerate(pages):
        objects[10 + 2 * i] = (f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {11 + 2 * i} 0 R"
                               "/Resources<</Font<</F1 3 0 R>>>>>>").encode()
        objects[11 + 2 * i] = stream(page_content(lines), compress=compress)
        kids.append(f"{10 + 2 * i} 0 R")
    objects[2] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    objects.update(extra or {})
    return pdf_objects(dict(sorted(objects.items())), "/Info 4 0 R" + trailer)


def xref_stream_pdf(text="Some text", previous=None, packed=None):
    """A PDF 1.5 whose cross reference is a stream. previous(offset of that stream): its /Prev. packed: objects {number: bytes} in object stream 900."""
    objects = {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[10 0 R]/Count 1>>",
               3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
               10: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>>>>>",
               11: stream(page_content([(12, text)]))}
    out, rows = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n", {}
    if packed:
        head, body = b"", b""
        for number, content in packed.items():
            head += b"%d %d " % (number, len(body))
            body += content + b" "
            objects.pop(number, None)
        objects[900] = stream(head + body, b"/Type/ObjStm/N %d/First %d" % (len(packed), len(head)))
        rows.update({number: (2, 900, i) for i, number in enumerate(packed)})
    for number, body in objects.items():
        rows[number] = (1, len(out), 0)
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    rows[901] = (1, len(out), 0)
    table = b"".join(struct.pack(">BIB", *rows.get(n, (0, 0, 255))) for n in range(902))
    extra = b"/Type/XRef/W[1 4 1]/Size 902/Root 1 0 R" + (b"/Prev %d" % previous(len(out)) if previous else b"")
    return out + b"901 0 obj\n" + stream(table, extra) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(out)


PASSWORD_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def rc4(key, data):
    s, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + s[i]) % 256
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) % 256])
    return bytes(out)


def pad(password):
    return (password + PASSWORD_PADDING)[:32]


def encrypted_pdf(user=b"secret", owner=b"master", permissions=-4):
    """A really encrypted PDF (standard handler, revision 2, 40 bits): opens with the user password only. user=b"": with none."""
    file_id = bytes(range(16))
    o = rc4(hashlib.md5(pad(owner)).digest()[:5], pad(user))
    key = hashlib.md5(pad(user) + o + struct.pack("<i", permissions) + file_id).digest()[:5]
    u = rc4(key, PASSWORD_PADDING)

    def seal(number, content):
        return rc4(hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0").digest()[:10], content)
    text = seal(11, page_content([(12, "A secret text")]))
    objects = {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[10 0 R]/Count 1>>",
               3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
               10: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</Font<</F1 3 0 R>>>>>>",
               11: b"<</Length %d>>\nstream\n%s\nendstream" % (len(text), text)}
    hexed = f"/Encrypt<</Filter/Standard/V 1/R 2/O<{o.hex()}>/U<{u.hex()}>/P {permissions}>>/ID[<{file_id.hex()}><{file_id.hex()}>]"
    return pdf_objects(objects, hexed, "1.4")


def scan_pdf():
    """A page that is one image: no text layer."""
    image = stream(bytes(64 * 64), b"/Type/XObject/Subtype/Image/Width 64/Height 64/ColorSpace/DeviceGray/BitsPerComponent 8")
    objects = {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[10 0 R]/Count 1>>",
               10: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 11 0 R/Resources<</XObject<</I 12 0 R>>>>>>",
               11: stream(b"q 595 0 0 842 0 0 cm /I Do Q"), 12: image}
    return pdf_objects(objects)


# ---- text ----

MARKDOWN = """---
title: The Manual
type: guide
tags: [alpha, beta]
version: 1.10
published: no
audience:
  - users
  - operators
---
# Install

Run the *script* and wait
until it is done.

## On Debian

- one
  - inner
- two

1. first
2. second

| Name | Size |
|------|------|
| a    | 1    |

```sh
make all
```

> A quoted line with a [link](https://example.org/).

<p align="center">Some <b>bold</b> text</p>
"""

HTML = """<!DOCTYPE html><html lang="de-AT"><head><meta charset="utf-8"><title>A &amp; B</title><style>p { color: red }</style>
<meta name="author" content="A. Writer"><script>alert("no")</script></head><body><h1>Top</h1><p>First   <b>bold</b>
text.</p><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul><table><tr><th>N</th><th>S</th></tr><tr><td>a</td><td>1</td></tr></table>
<pre>  code
    more</pre><h2>Sub</h2>Loose text<br>next line<div>last</div></body></html>"""

WELL_FORMED = {
    "manual.md": lambda: MARKDOWN.encode(),
    "page.html": lambda: HTML.encode(),
    "notes.txt": lambda: "First paragraph\non two lines.\n\nSecond paragraph.\n".encode(),
    "table.csv": lambda: b"name,size\nsmall,1\nlarge,2\n",
    "data.json": lambda: b'{"key": "value"}\n',
    "report.docx": docx,
    "handbook.pdf": pdf,
    "scan.pdf": scan_pdf,
}


def truncations(data, steps=100):
    """(length, the first length bytes) at each 1 %."""
    for i in range(1, steps):
        n = len(data) * i // steps
        if 0 < n < len(data):
            yield n, data[:n]


def mutations(data, count, seed=1):
    """The data with a few bytes changed, moved or dropped."""
    dice = random.Random(seed)
    for _ in range(count):
        b = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(b))
            what = dice.randrange(4)
            if what == 0:
                b[at] = dice.randrange(256)
            elif what == 1:
                b[at] ^= 1 << dice.randrange(8)
            elif what == 2 and len(b) > 64:
                del b[at:at + dice.randint(1, 32)]
            else:
                b[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 8)))
        yield bytes(b)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in WELL_FORMED.items():
        (folder / name).write_bytes(make())
    (folder / "locked.pdf").write_bytes(encrypted_pdf())
    (folder / "cut.pdf").write_bytes(pdf()[:-200])
    (folder / "cut.docx").write_bytes(docx()[:-200])
