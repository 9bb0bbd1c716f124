#!/usr/bin/env python3
"""migrations2c: makes the table of migrations from NNNN_name.up.sql and .down.sql: X(version, "name", "sha256 of up", "up", "down"),
and the scripts of the same folder that are none (bootstrap.sql) as macros.

usage: migrations2c.py OUTPUT FILE.sql..."""
import hashlib
import re
import sys
from pathlib import Path


def quoted(text: str) -> str:
    lines = (line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())
    return "\n    ".join(f'"{line}\\n"' for line in lines)


def main() -> None:
    output, *names = sys.argv[1:]
    files = {Path(n).name: Path(n).read_text() for n in names if n.endswith(".sql")}
    ups = sorted(n for n in files if n.endswith(".up.sql"))
    out = ["/* Made by migrations2c.py from migrations/. */"]
    numbers = [re.fullmatch(r"(\d{4})_(\w+)\.up\.sql", up) for up in ups]
    if not all(numbers) or len({m[1] for m in numbers}) < len(ups):
        sys.exit("migrations are called NNNN_name.up.sql, each with a number of its own")
    for up, (number, name) in zip(ups, (m.groups() for m in numbers)):
        down = f"{number}_{name}.down.sql"
        if down not in files:
            sys.exit(f"{up}: there is no {down}, its way back")
        checksum = hashlib.sha256(files[up].encode()).hexdigest()
        out.append(f'MIGRATION({int(number)}, "{name}", "{checksum}",\n    {quoted(files[up])},\n    {quoted(files[down])})')
    for name in sorted(n for n in files if not re.match(r"\d", n)):
        out.append(f"SCRIPT({Path(name).stem},\n    {quoted(files[name])})")
    Path(output).write_text("\n".join(out) + "\n")


main()
