#!/usr/bin/env python3
"""sql2c: makes the table of statements from the .sql files: X(NAME, parameters, tenant, text, scoped). Parameters are counted, never typed.

tenant: text takes the tenant as one more parameter behind its own, where the statement says current_setting. A plan that is made with a tenant's name in
it, a tenant that came after the last ANALYZE, takes that tenant for empty, and any index that begins with the tenant for as good as the right one
(docs/decisions/0009). Not so the legs of a search, which are planned for the tenant's size each time.

scoped is what the read lane sends of get_*.sql, NULL of the others: the statement inside of one that first says who acts, and by which right,
so that both are one message instead of two. The inner one hangs on the outer by s.tenant, so it cannot run first; were it to, it would meet the connection's
own tenant, which is nobody. Row level security goes on to compare with the setting.

usage: sql2c.py OUTPUT FILE.sql..."""
import re
import sys
from pathlib import Path


LEGS = ("search_keyword", "search_vector")
TENANT = "current_setting('app.tenant_id')::uuid"
SCOPED = (
    "SELECT q.* FROM (SELECT set_config('app.tenant_id', ${tenant}, true) AS tenant, set_config('app.user_id', ${user}, true),"
    " CASE WHEN current_setting('app.level') IS DISTINCT FROM ${level} THEN set_config('app.level', ${level}, true) END) s"
    " CROSS JOIN LATERAL (SELECT w.* FROM ({text}) w WHERE s.tenant IS NOT NULL OFFSET 0) q"
)


def c_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def statement(path: Path) -> tuple[int, bool, str, str | None]:
    """(parameters, tenant, text, scoped or None) of a file."""
    lines = [line.split(" -- ")[0].rstrip() for line in path.read_text().splitlines() if not line.lstrip().startswith("--")]
    text = " ".join(line.strip() for line in lines if line.strip()).rstrip(";")
    if not text or ";" in re.sub(r"'[^']*'", "", text):
        sys.exit(f"{path}: must hold exactly one statement")
    params = sorted({int(n) for n in re.findall(r"\$(\d+)", text)})
    if params != list(range(1, len(params) + 1)):
        sys.exit(f"{path}: parameters must be $1..$n without a gap, found {params}")
    tenant = len(params) + 1
    inner = text.replace(TENANT, f"${tenant}::uuid")
    takes = inner != text and not path.stem.startswith(LEGS)
    scoped = SCOPED.format(text=inner, tenant=tenant, user=tenant + 1, level=tenant + 2) if path.stem.startswith("get_") else None
    return len(params), takes, inner if takes else text, scoped


def row(path: Path) -> str:
    params, tenant, text, scoped = statement(path)
    return f"X({path.stem.upper()}, {params}, {str(tenant).lower()}, {c_string(text)}, {c_string(scoped) if scoped else 'NULL'})"


def main() -> None:
    output, *files = sys.argv[1:]
    rows = [row(Path(f)) for f in sorted(files) if f.endswith(".sql")]
    Path(output).write_text("/* Made by sql2c.py from src/store/sql. */\n" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
