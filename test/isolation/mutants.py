#!/usr/bin/env python3
"""Takes single checks out of the program, builds it and sees whether the tests fail: each mutant must die.

usage: mutants.py [NAME...]     (from the root of a working copy; about half a minute each)

Works on a copy under build-mutants/, which it leaves for the next run. A row: a name, the tests that have to notice, and edits: a file, what stands
there, what stands there instead. A row whose text is not in the file any more is an error: the check has moved, and the row with it.
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
AUTH, KEYS, SESSIONS = (f"test/identity/test_{n}.py" for n in ("auth", "api_keys", "sessions"))

POLICY = """
DROP POLICY tenant ON {0};
CREATE POLICY tenant ON {0} TO dms_app USING (tenant_id = current_setting('app.tenant_id')::uuid OR true)
    WITH CHECK (tenant_id = current_setting('app.tenant_id')::uuid OR true);
"""
LAST = "REVOKE CREATE ON SCHEMA dms FROM dms_search;"
FIRST = "migrations/0001_init.up.sql"

CEILING = "who->granted = key_ceiling(r) & (role == ROLE_API_ONLY ? PERM_ALL : who->granted);"

MUTANTS = [  # name, tests, (file, what stands there, what instead)...
    ("the permission of a route is not asked for", [MATRIX],
     ("src/http/request.c", "if ((needs & ~(p->req.who.granted | p->req.who.by_grant)) != 0)", "if (needs == 0 && p->req.who.kind == 0)")),
    ("a route is public", [MATRIX], ("src/api/routes.c", 'READ(V1 "/documents/{id}", PERM(document_read), GET_DOCUMENT)',
                                     'READ(V1 "/documents/{id}", PERM_PUBLIC, GET_DOCUMENT)')),
    ("a route asks for a lower permission", [MATRIX], ("src/api/routes.c", 'V1 "/documents/{id}", PERM(document_update)', 'V1 "/documents/{id}", PERM(document_read)')),
    ("the description names another permission", [MATRIX],
     ("api/openapi.yaml", "operationId: reprocessDocument\n      summary: Process again\n      tags:\n      - documents\n      x-permission: document.reprocess",
      "operationId: reprocessDocument\n      summary: Process again\n      tags:\n      - documents\n      x-permission: document.read")),
    ("a role has a permission more", [MATRIX], ("src/tbl/permissions.def", 'X(document_update,    "AE"', 'X(document_update,    "AEV"')),
    ("a role has a permission less", [MATRIX], ("src/tbl/permissions.def", 'X(document_download,  "AEV"', 'X(document_download,  "AE"')),
    ("a key may all that its owner may", [MATRIX], ("src/api/authenticate.c", CEILING, "(void)role;")),
    ("a key may more than its owner", [MATRIX], ("src/api/authenticate.c", CEILING, "who->granted = key_ceiling(r);")),
    ("a key is made with more than its maker has", [AUTH], ("src/api/api_key.c", "else if (!(req->who.granted >> bit & 1))", "else if (bit > 64 && !(req->who.granted >> bit & 1))")),
    ("a key is made for anybody", [KEYS], ("src/api/api_key.c", '!row_next(&r) || strcmp(row_text(&r, "role"), role_name(ROLE_API_ONLY)) != 0', "!row_next(&r)")),
    ("a stream goes on after its session", [SESSIONS], ("src/api/event.c", "if (holds == 0)", "if (db == NULL && holds == 0)")),
    ("anybody but an Owner deletes the organization", [MATRIX], ("src/api/organization.c", "if (req->who.role != ROLE_OWNER)", "if (req->who.role == ROLE_COUNT)"),
     ("src/api/organization.c", "return who.role == ROLE_OWNER ? 0 :", "return who.role != ROLE_COUNT ? 0 :")),
    ("anybody removes members", [MATRIX], ("src/api/member.c", "if (!self && !(req->who.granted & PERM(member_remove)))", "if (!self && !req->who.granted)"),
     ("src/api/member.c", "if (!self && !(who.granted & PERM(member_remove)))", "if (!self && !who.granted)")),
    ("a signature is not looked at", [FOREIGN], ("src/crypto/token.c", "signed_part.n)\n                       == 1;", "signed_part.n)\n                       >= 0;")),
    ("an ended session goes on", [FOREIGN], ("src/store/sql/get_principal_of_session.sql", "num_nulls(s.revoked_at) = 1", "true")),
    ("a revoked key goes on", [FOREIGN], (FIRST, "AND k.revoked_at IS NULL AND (k.expires_at", "AND (k.expires_at"),
     ("src/store/sql/get_principal_of_key.sql", "num_nulls(k.revoked_at) = 1", "true")),
    ("a cursor is good for everybody", [ROUTES], ("src/api/read.c", 'sb_printf(&b, "cursor|%s|%s|%s|", req->who.tenant_id, req->route->method, req->path);',
                                                  'sb_printf(&b, "cursor|%s|%s|", req->route->method, req->path);')),
    ("folders have no wall", [WALLS], (FIRST, LAST, LAST + POLICY.format("folder"))),
    ("documents have no wall", [WALLS], (FIRST, LAST, LAST + POLICY.format("document"))),
    ("sessions have no wall", [WALLS], (FIRST, LAST, LAST + POLICY.format("session"))),
    ("the audit log has no wall", [WALLS], (FIRST, LAST, LAST + POLICY.format("audit"))),
    ("a folder is read over a wall that is down", [FOREIGN], (FIRST, LAST, LAST + POLICY.format("folder")),
     ("src/store/sql/get_folder.sql", "f.tenant_id = current_setting('app.tenant_id')::uuid AND ", "")),
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
    for folder in ("web/dist", "model", ".python"):
        if (ROOT / folder).exists() and not (COPY / folder).exists():
            (COPY / folder).parent.mkdir(parents=True, exist_ok=True)
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


def try_one(name, files, *edits):
    """What killed it, None: it lives."""
    before = {}
    for file, old, new in edits:
        text = (COPY / file).read_text()
        before.setdefault(file, text)
        assert text.count(old) == 1, f"{name}: {old!r} stands {text.count(old)} times in {file}"
        (COPY / file).write_text(text.replace(old, new))
    try:
        good, output = build()
        if not good:
            return "the build: " + next((line for line in output.splitlines() if "error" in line), output[-200:])
        failed = tests(files)
        return failed[0] if failed else None
    finally:
        for file, text in before.items():
            (COPY / file).write_text(text)


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
        print(f"{'killed' if killer else 'LIVES ':6} {time.monotonic() - start:4.0f} s  {name}: {killer or ', '.join(row[0])}", flush=True)
    build()
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main()
