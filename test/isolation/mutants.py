#!/usr/bin/env python3
"""Takes single checks out of the program, builds it and sees whether the tests fail: each mutant must die.

usage: mutants.py [NAME...]     (from the root of a working copy; about half a minute each)

Works on a copy under build-mutants/, which it leaves for the next run. A row: a name, a file, what stands there, what stands there instead, and the
tests that have to notice. A row whose text is not in the file any more is an error: the check has moved, and the row with it.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build-mutants"
MATRIX, FOREIGN, WALLS, ROUTES = (f"test/isolation/test_{n}.py" for n in ("matrix", "foreign", "walls", "routes"))
AUTH = "test/api/test_auth.py"

POLICY = """
DROP POLICY tenant ON {0};
CREATE POLICY tenant ON {0} TO dms_app USING (tenant_id = current_setting('app.tenant_id')::uuid OR true)
    WITH CHECK (tenant_id = current_setting('app.tenant_id')::uuid OR true);
"""
LAST = "REVOKE CREATE ON SCHEMA dms FROM dms_search;"
FIRST = "migrations/0001_init.up.sql"

MUTANTS = [
    ("the permission of a route is not asked for", "src/http/request.c", "if ((needs & ~p->req.who.granted) != 0)", "if (p->req.who.kind == 0)", [MATRIX]),
    ("a route is public", "src/api/routes.c", 'READ(V1 "/documents/{id}", PERM(document_read), GET_DOCUMENT)',
     'READ(V1 "/documents/{id}", PERM_PUBLIC, GET_DOCUMENT)', [MATRIX]),
    ("a route asks for a lower permission", "src/api/routes.c", 'V1 "/documents/{id}", PERM(document_update)', 'V1 "/documents/{id}", PERM(document_read)', [MATRIX]),
    ("a role has a permission more", "src/tbl/permissions.def", 'X(document_update,    "AE"', 'X(document_update,    "AEV"', [MATRIX]),
    ("a role has a permission less", "src/tbl/permissions.def", 'X(document_download,  "AEV"', 'X(document_download,  "AE"', [MATRIX]),
    ("a key may all that its owner may", "src/api/authenticate.c", "who->granted &= scope_bits(row_text(r, \"scopes\"));", ";", [MATRIX]),
    ("a key may more than its owner", "src/api/authenticate.c", "who->granted = role_permissions(role);",
     "who->granted = who->kind == 'k' ? (UINT64_C(1) << PERM_COUNT) - 1 : role_permissions(role);", [MATRIX]),
    ("a key is made with more than its maker has", "src/api/api_key.c", "else if (!(req->who.granted >> bit & 1))", "else if (bit > 64)", [AUTH]),
    ("an ended session goes on", "src/store/sql/get_principal_of_session.sql", "s.revoked_at IS NULL", "true", [FOREIGN, AUTH]),
    ("a revoked key goes on", FIRST, "AND k.revoked_at IS NULL AND (k.expires_at", "AND (k.expires_at", [FOREIGN, AUTH]),
    ("a cursor is good for everybody", "src/api/read.c", 'sb_printf(&b, "cursor|%s|%s|%s|", req->who.tenant_id, req->route->method, req->path);',
     'sb_printf(&b, "cursor|%s|%s|", req->route->method, req->path);', [ROUTES]),
    ("documents have no wall", FIRST, LAST, LAST + POLICY.format("document"), [WALLS]),
    ("sessions have no wall", FIRST, LAST, LAST + POLICY.format("session"), [WALLS]),
    ("the audit log has no wall", FIRST, LAST, LAST + POLICY.format("audit"), [WALLS]),
]


def run(*command, **options):
    return subprocess.run([str(c) for c in command], cwd=COPY, capture_output=True, text=True, **options)


def prepare():
    """A copy of what git knows here, as it stands; only what differs is written, so that ninja builds little."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        source, target = ROOT / name, COPY / name
        if source.is_file() and (not target.exists() or target.read_bytes() != source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    for folder in ("web/dist", "model"):
        if (ROOT / folder).exists() and not (COPY / folder).exists():
            (COPY / folder).parent.mkdir(exist_ok=True)
            (COPY / folder).symlink_to(ROOT / folder)
    if not (COPY / "build" / "build.ninja").exists():
        done = run("meson", "setup", "build", "--buildtype=debugoptimized")
        assert done.returncode == 0, done.stdout + done.stderr


def build():
    done = run("ninja", "-C", "build")
    return done.returncode == 0, done.stdout[-3000:]


def tests(files):
    """The tests that failed, [] when all passed."""
    done = run(sys.executable, "-m", "pytest", "-c", "test/pytest.ini", "-q", "-x", *files,
               env={**os.environ, "DMS_BUILD_DIR": "build", "DMS_ISOLATION_REQUESTS": "0"})
    return re.findall(r"^(?:FAILED|ERROR) \S+::(\S+)", done.stdout, re.M) or (["the tests broke off"] if done.returncode else [])


def try_one(name, file, old, new, files):
    """What killed it, None: it lives."""
    path = COPY / file
    text = path.read_text()
    assert text.count(old) == 1, f"{name}: {old!r} stands {text.count(old)} times in {file}"
    path.write_text(text.replace(old, new))
    try:
        good, output = build()
        if not good:
            return "the build: " + next((line for line in output.splitlines() if "error" in line), output[-200:])
        failed = tests(files)
        return failed[0] if failed else None
    finally:
        path.write_text(text)


def main():
    wanted = sys.argv[1:]
    prepare()
    good, output = build()
    assert good, output
    alive = 0
    for name, *row in MUTANTS:
        if wanted and name not in wanted:
            continue
        start = time.monotonic()
        killer = try_one(name, *row)
        alive += killer is None
        print(f"{'killed' if killer else 'LIVES ':6} {time.monotonic() - start:4.0f} s  {name}: {killer or ', '.join(row[3])}", flush=True)
    build()
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main()
