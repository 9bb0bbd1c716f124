"""Seeds for the fuzzers out of well-formed files: make_seeds.py FILES CORPUS."""
import pathlib
import struct
import sys

NAMES = [".txt", ".md", ".html", ".csv", ".docx", ".pdf", ".json"]  # as fuzz_readers.c numbers them


def frame(kind, body):
    return kind + struct.pack("<I", len(body)) + body


def frames(text):
    block = struct.pack("<BBI", 1, 0, 0) + text
    return (frame(b"H", b'{"version":1}') + frame(b"B", block)
            + frame(b"M", b'{"mime_type":"text/plain","title":"t","page_count":0,"metadata":{"a":["b"]}}')
            + frame(b"E", struct.pack("<QQ", 1, len(text))))


files, corpus = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for name in ("extraction", "chunking", "readers"):
    (corpus / name).mkdir(parents=True, exist_ok=True)
for file in files.iterdir():
    data = file.read_bytes()
    kind = NAMES.index(file.suffix) if file.suffix in NAMES else len(NAMES)
    (corpus / "readers" / file.name).write_bytes(bytes([kind]) + data)
    if file.suffix in (".md", ".txt", ".csv"):
        (corpus / "extraction" / file.name).write_bytes(frames(data))
        (corpus / "chunking" / file.name).write_bytes(b"\x20\x04\xff\x00Title\xff\x01" + data)
(corpus / "extraction" / "fail").write_bytes(frame(b"H", b'{"version":1}') + frame(b"F", b"damaged"))
ID = "018f3c8a-0000-7000-8000-000000000001"
CLAIMS = (f'{{"iss":"https://dms.example","aud":"dms","sub":"{ID}","tid":"{ID}","sid":"{ID}","jti":"{ID}","role":"Owner",'
          '"iat":1000000,"nbf":1000000,"exp":1000900}')
(corpus / "token").mkdir(parents=True, exist_ok=True)
(corpus / "token" / "token").write_bytes(b"\x00eyJhbGciOiJFZERTQSJ9.e30.AAAA")
(corpus / "token" / "header").write_bytes(b'\x01{"alg":"EdDSA","typ":"at+jwt","kid":"d04ab232742bb4ab","crit":["exp"],"jwk":{"kty":"OKP"}}')
(corpus / "token" / "payload").write_bytes(b"\x02" + CLAIMS.encode())
