#!/usr/bin/env python3
"""sql2c: makes the table of statements from the .sql files: X(NAME, parameters, text). Parameters are counted, never typed.

usage: sql2c.py OUTPUT FILE.sql..."""
import re
import sys
from pathlib import Path


def statement(path: Path) -> str:
    lines = [line.split(" -- ")[0].rstrip() for line in path.read_text().splitlines() if not line.lstrip().startswith("--")]
    text = " ".join(line.strip() for line in lines if line.strip()).rstrip(";")
    if not text or ";" in re.sub(r"'[^']*'", "", text):
        sys.exit(f"{path}: must hold exactly one statement")
    params = sorted({int(n) for n in re.findall(r"\$(\d+)", text)})
    if params != list(range(1, len(params) + 1)):
        sys.exit(f"{path}: parameters must be $1..$n without a gap, found {params}")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'X({path.stem.upper()}, {len(params)}, "{quoted}")'


def main() -> None:
    output, *files = sys.argv[1:]
    rows = [statement(Path(f)) for f in sorted(files) if f.endswith(".sql")]
    Path(output).write_text("/* Made by sql2c.py from src/store/sql. */\n" + "\n".join(rows) + "\n")


main()
