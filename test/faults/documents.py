"""Files that uploads are made of: five formats, any size, and one word each that no other file has. Deterministic by their arguments."""
import dataclasses
import hashlib
import io
import random
import zipfile

FORMATS = ("txt", "md", "html", "pdf", "docx")
LEAST = {"txt": 1, "md": 1, "html": 200, "pdf": 1000, "docx": 2000}
TEXT_MOST = 60_000  # what is beyond is padding that nobody reads, where the format has a place for it
WORDS = ("anchor ballast canvas davit ensign fender galley halyard isobar jetty keel lantern mooring nautical oakum pennant quay rigging "
         "sextant tiller undertow vessel windlass yardarm").split()
WORD_BYTES = 18
DATE = (2024, 1, 2, 3, 4, 6)


@dataclasses.dataclass(frozen=True)
class File:
    """Everything that says which bytes it has."""
    name: str
    size: int  # about; at least LEAST of its format
    word: str  # that only this file has
    whole: bool = True  # False: a PDF that cannot be read

    @property
    def has_word(self):
        """A file of a few bytes has no room for it."""
        return self.whole and self.size >= 2 * WORD_BYTES

    @property
    def content(self):
        return MAKERS[self.name.rsplit(".", 1)[1]](self)

    @property
    def sha256(self):
        return hashlib.sha256(self.content).hexdigest()


def unique_word(rng):
    """Letters that no stemmer takes for an ending."""
    return "zq" + "".join(rng.choice("bcdfghjkmnpqrtvwxz") for _ in range(WORD_BYTES - 2))


def choose(rng, number, file_format=None):
    """A file as uploads bring them: mostly small, up to 2 MB; one in forty is damaged."""
    if rng.random() < 0.025 and not file_format:
        return File(f"{number}.pdf", LEAST["pdf"], unique_word(rng), whole=False)
    file_format = file_format or rng.choice(FORMATS)
    most = 2_000_000 if rng.random() < 0.1 else 100_000
    size = round(LEAST[file_format] * (most / LEAST[file_format]) ** rng.random())
    if file_format in ("txt", "md") and size > TEXT_MOST and rng.random() < 0.7:
        size = TEXT_MOST  # all of it is text: a few of them are enough
    return File(f"{number}.{file_format}", size, unique_word(rng))


def _lines(file, size):
    """Text of that many bytes; no two lines are the same."""
    rng = random.Random(file.word)
    out, used = [f"{file.word} is what this one is about."], WORD_BYTES
    while used < size:
        line = f"Line {len(out)}: {' '.join(rng.choices(WORDS, k=9))}."
        out.append(line)
        used += len(line) + 1
    return out


def _text(file):
    if not file.has_word:
        return (file.word * 3)[2:file.size + 2].encode()
    return "\n".join(_lines(file, file.size)).encode()[:file.size]


def _markdown(file):
    return b"# Log\n\n" + _text(file) if file.size > 100 else _text(file)


def _text_size(file):
    return min(file.size // 2, TEXT_MOST)


def _padding(file, used):
    return random.Random(file.word).randbytes(max(0, file.size - used) // 2).hex()


def _html(file):
    body = "\n".join(f"<p>{line}</p>" for line in _lines(file, _text_size(file)))
    return f"<!doctype html><html><head><title>Log</title></head><body>\n{body}\n</body></html>\n<!-- {_padding(file, len(body))} -->".encode()


def _pdf(file):
    """A page of text for each forty lines, and a stream that nothing refers to."""
    if not file.whole:
        return b"%PDF-1.7\n" + file.word.encode() + b"\0" * 500
    lines = _lines(file, _text_size(file))
    pages = [lines[i:i + 40] for i in range(0, len(lines), 40)]
    objects = ["<< /Type /Catalog /Pages 2 0 R >>",
               f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{4 + 2 * i} 0 R' for i in range(len(pages)))}] >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for i, page in enumerate(pages):
        text = "BT /F1 9 Tf 40 800 Td 18 TL " + " ".join(f"({line}) Tj T*" for line in page) + " ET"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * i} 0 R "
                       "/Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(f"<< /Length {len(text)} >>\nstream\n{text}\nendstream")
    padding = _padding(file, sum(map(len, objects)))
    objects.append(f"<< /Length {len(padding)} >>\nstream\n{padding}\nendstream")
    out, at = "%PDF-1.7\n", []
    for number, text in enumerate(objects, 1):
        at.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in at)
    return (f"{out}xref\n0 {len(at) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {len(at) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n").encode()


def _docx(file):
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    body = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in _lines(file, _text_size(file)))
    parts = {"[Content_Types].xml":
             f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
             '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
             '<Override PartName="/word/document.xml" '
             'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
             "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
             "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
                                  f"<w:body>{body}</w:body></w:document>",
             "word/media/photo.bin": _padding(file, len(body))}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name, content in parts.items():
            z.writestr(zipfile.ZipInfo(name, DATE), content)
    return out.getvalue()


MAKERS = {"txt": _text, "md": _markdown, "html": _html, "pdf": _pdf, "docx": _docx}
