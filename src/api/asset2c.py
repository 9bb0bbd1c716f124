#!/usr/bin/env python3
"""asset2c: makes the table of built-in files: everything in the web application's dist folder (if it is built; the API reference is one of
its pages, docs.html) and api/openapi.yaml as JSON.

usage: asset2c.py OUTPUT.c WORKDIR WEB_DIST OPENAPI.yaml"""
import gzip
import hashlib
import json
import sys
from pathlib import Path

import yaml

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".json": "application/json",
         ".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm"}


def collect(dist: Path, openapi: Path) -> dict[str, bytes]:
    files = {str(p.relative_to(dist)): p.read_bytes() for p in dist.rglob("*") if p.is_file()} if dist.is_dir() else {}
    if openapi.is_file():
        files["openapi.json"] = json.dumps(yaml.safe_load(openapi.read_text()), ensure_ascii=False, separators=(",", ":")).encode()
    return files


def main() -> None:
    output, workdir, dist, openapi = (Path(a) for a in sys.argv[1:])
    workdir.mkdir(parents=True, exist_ok=True)
    rows, blobs = [], []

    def blob(label: str, data: bytes) -> str:
        path = workdir / label
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
        blobs.append(f'__asm__(".section .rodata\\n.balign 16\\n{label}:\\n.incbin \\"{path.resolve()}\\"\\n.byte 0\\n.previous");\n'
                     f"extern const char {label}[];")
        return label

    for i, (name, data) in enumerate(sorted(collect(dist, openapi).items())):
        packed = gzip.compress(data, 9, mtime=0)
        etag = hashlib.sha256(data).hexdigest()[:20]
        kind = TYPES.get(Path(name).suffix, "application/octet-stream")
        small = len(packed) < len(data) * 0.95
        gz = f"{{ {blob(f'asset_{i}_gz', packed)}, {len(packed)} }}" if small else '{ "", 0 }'
        rows.append(f'    {{ "{name}", "{kind}", "{etag}", "{etag}-gz", {{ {blob(f"asset_{i}", data)}, {len(data)} }}, {gz} }},')
    rows.append('    { "~", "", "", "", { "", 0 }, { "", 0 } },')
    text = ("/* Made by asset2c.py. */\n#include \"api/asset.h\"\n\n" + "\n".join(blobs) +
            "\n\nconst struct asset asset_table[] = {\n" + "\n".join(rows) + f"\n}};\nconst size_t asset_count = {len(rows) - 1};\n")
    if not output.is_file() or output.read_text() != text:
        output.write_text(text)


main()
