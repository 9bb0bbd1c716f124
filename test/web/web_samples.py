"""Small files of the five kinds, made here so that every byte of them is known."""

import io
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    name: str
    mime: str
    data: bytes


def five_kinds() -> list[Sample]:
    return [
        Sample("queue-decision.md", "text/markdown", MARKDOWN.encode()),
        Sample("harvest-notes.txt", "text/plain", TEXT.encode()),
        Sample("handbook.html", "text/html", HTML.encode()),
        Sample("inspection.pdf", "application/pdf", pdf(["Inspection of the north bridge", "Second page: the bearings"])),
        Sample("minutes.docx", DOCX_TYPE, docx(["Minutes of the spring meeting", "The orchard was sold."])),
    ]


MARKDOWN = """---
title: Queue decision
type: decision
tags: [queue, reliability]
---
# ADR-018: Work queue

Workers take jobs from a list. When a worker dies, its job is handed to another one after a short lease.

## Consequences

Nothing is lost when the power fails. Ünïcödé 🙂 stays whole.
"""

TEXT = """Harvest notes

The apples on the south slope ripen two weeks before those in the valley.
Pickers begin at dawn and stop when the sun is high.
"""

HTML = """<!doctype html><html><head><title>Travel handbook</title></head><body>
<h1>Travel handbook</h1><p>Employees who travel by train are paid back the price of the ticket.</p>
<script>document.title = 'owned'</script></body></html>
"""

DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def pdf(pages: list[str]) -> bytes:
    """A PDF with one line of text on each page and a correct cross-reference table."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, line in enumerate(pages):
        stream = f"BT /F1 18 Tf 72 720 Td ({line}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode())
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    for offset in offsets:
        out.write(f"{offset:010} 00000 n \n".encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def docx(paragraphs: list[str]) -> bytes:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    body = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in paragraphs)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{DOCX_TYPE}.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + content)
    return out.getvalue()


def truncated_pdf() -> Sample:
    """Says that it is a PDF and breaks off in the middle of its first object."""
    return Sample("broken.pdf", "application/pdf", pdf(["This page never arrives"])[:60])
