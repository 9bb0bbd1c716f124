"""`dms readiness`: 125 items, and each check is seen to fail when what it looks at is broken."""
import contextlib
import json
import os
import shutil
import signal

import pytest
from conftest import BUILD, Server, wait_for


@pytest.fixture(scope="module")
def place():
    """An installation whose program lies in a folder of its own, with docs and a test record beside it."""
    import pathlib
    import tempfile
    home = pathlib.Path(tempfile.mkdtemp(prefix="dms-test-"))
    home.chmod(0o755)
    (home / "bin" / ".results").mkdir(parents=True)
    for name in ("dms", "dms-extract"):
        shutil.copy2(BUILD / name, home / "bin" / name)
    shutil.copytree(BUILD.parent / "docs", home / "docs")
    summary = home / "bin" / ".results" / "summary.json"
    summary.write_text('{"commit": "abc", "passed": 10, "failed": 0}')
    server = Server(program=home / "bin" / "dms")
    try:
        server.start()
        server.home = home
        with server.register() as client:
            client.get("/auth/me")
        yield server
    finally:
        server.close()
        shutil.rmtree(home, ignore_errors=True)


def state(server, item, **env):
    done = server.run("readiness", "--json", "--item", item, check=False, env=env)
    (only,) = json.loads(done.stdout)["items"]
    assert only["id"] == item and only["evidence"]
    return only["state"]


def sql(server, text):
    with server.database() as connection:
        connection.execute(text)


def redis(server, *words):
    import socket
    secret = (server.data / "secrets" / "redis").read_text().strip()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(next((server.data / "run").glob("redis*.sock*"))))
        for command in (("AUTH", secret), words):
            s.sendall(f"*{len(command)}\r\n".encode() + b"".join(f"${len(w)}\r\n{w}\r\n".encode() for w in command))
            answer = s.recv(4096)
    return answer


@contextlib.contextmanager
def broken(break_it, mend_it):
    break_it()
    try:
        yield
    finally:
        mend_it()


def test_all_items_are_there_and_nothing_unbuilt_passes(place):
    done = place.run("readiness", "--json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["decision"] == "NO-GO"
    assert report["total"] == 125 == len({i["id"] for i in report["items"]})
    assert report["completed"] + report["remaining"] == 125
    for item in report["items"]:
        assert item["state"] in ("pass", "fail", "open", "not_applicable") and item["answer"] in ("check", "evidence", "signature")
        if item["answer"] != "check":
            assert item["state"] == "open"
    passed = {i["id"] for i in report["items"] if i["state"] == "pass"}
    assert {"1.3.2", "1.4.3", "1.4.4", "2.1.1", "2.1.2", "2.1.5", "2.1.6", "2.2.2", "2.2.4", "2.3.1", "2.3.5", "2.4.4", "3.1.2", "3.2.1", "3.2.2", "3.2.3", "4.1.4", "6.1.1", "6.1.2"} <= passed, report
    assert report["blockers"] == len([i for i in report["items"] if i["state"] == "fail"]) == 0


def test_sections_text_and_page(place):
    text = place.run("readiness", "--section", "2.1", "--html", str(place.dir / "report.html"), check=False).stdout
    assert text.count("\n  2.1.") == 6 and "2.2.1" not in text and text.rstrip().endswith("completed 6, remaining 0, blockers 0: GO")
    assert "Production readiness" in (place.dir / "report.html").read_text()
    assert place.run("readiness", "--item", "9.9.9", check=False).returncode == 1


def test_signatures(place):
    assert state(place, "4.3.1") == "open"
    assert place.run("readiness", "--sign", "1.1.1", "--by", "A. Person", check=False).returncode == 1
    place.run("readiness", "--sign", "4.3.1", "--by", "A. Person")
    assert state(place, "4.3.1") == "pass"


DATABASE = [
    ("1.3.2", "DROP INDEX dms.embedding_minilm", "CREATE INDEX embedding_minilm ON dms.embedding USING hnsw ((v::ext.halfvec(384)) ext.halfvec_ip_ops) WHERE model = 'all-MiniLM-L6-v2'"),
    ("2.1.3", "UPDATE dms.permission SET bit = 99 WHERE name = 'ask.query'", "UPDATE dms.permission SET bit = 22 WHERE name = 'ask.query'"),
    ("2.1.3", "ALTER TABLE dms.membership RENAME CONSTRAINT membership_role_check TO other", "ALTER TABLE dms.membership RENAME CONSTRAINT other TO membership_role_check"),
    ("2.3.1", "ALTER TABLE dms.document NO FORCE ROW LEVEL SECURITY", "ALTER TABLE dms.document FORCE ROW LEVEL SECURITY"),
    ("2.3.1", "ALTER TABLE dms.chunk DISABLE ROW LEVEL SECURITY", "ALTER TABLE dms.chunk ENABLE ROW LEVEL SECURITY"),
    ("2.3.1", "ALTER ROLE dms_app BYPASSRLS", "ALTER ROLE dms_app NOBYPASSRLS"),
    ("2.3.5", "GRANT UPDATE (after) ON dms.audit TO dms_app", "REVOKE UPDATE (after) ON dms.audit FROM dms_app"),
    ("2.3.5", "GRANT INSERT ON dms.audit_chain TO dms_app", "REVOKE INSERT ON dms.audit_chain FROM dms_app"),
    ("2.3.5", "ALTER TABLE dms.audit DISABLE TRIGGER audit_opened", "ALTER TABLE dms.audit ENABLE TRIGGER audit_opened"),
]


@pytest.mark.parametrize("item,wrong,right", DATABASE, ids=lambda v: v[:30])
def test_database_items_fail_when_it_is_broken(place, item, wrong, right):
    assert state(place, item) == "pass"
    with broken(lambda: sql(place, wrong), lambda: sql(place, right)):
        assert state(place, item) == "fail"
    assert state(place, item) == "pass"


def test_audit_item_fails_while_nothing_is_sealed(place):
    with place.database() as sealer:
        sealer.execute("SELECT pg_advisory_lock(hashtextextended('dms.audit_seal', 0))")
        with broken(lambda: sql(place, "INSERT INTO audit_open SELECT tenant_id, gen_random_uuid(), now() - interval '1 hour' FROM tenant LIMIT 1"),
                    lambda: sql(place, "DELETE FROM audit_open WHERE opened_at < now() - interval '1 minute'")):
            assert state(place, "2.3.5") == "fail"
    assert state(place, "2.3.5") == "pass"


def test_migrations_item_fails_on_a_foreign_checksum(place):
    sql(place, "CREATE TABLE public.keep AS SELECT version, checksum FROM migration.applied")
    with broken(lambda: sql(place, "UPDATE migration.applied SET checksum = reverse(checksum) WHERE version = 1"),
                lambda: sql(place, "UPDATE migration.applied a SET checksum = k.checksum FROM public.keep k WHERE k.version = a.version; DROP TABLE public.keep")):
        assert state(place, "5.3.3") == "fail"
    assert state(place, "5.3.3") == "pass"


def test_secrets_item_fails_when_others_may_read(place):
    secret = place.data / "secrets" / "pepper"
    with broken(lambda: secret.chmod(0o644), lambda: secret.chmod(0o600)):
        assert state(place, "2.2.2") == "fail"
    assert state(place, "2.2.2") == "pass"


@pytest.mark.parametrize("item,line", [("3.2.1", "this is not JSON\n"), ("3.2.3", '{"severity":"INFO","time":"t","message":"Authorization: Bearer eyJx"}\n')])
def test_log_items_fail_on_a_bad_log(place, item, line):
    log = place.data / "log" / "api.log"
    before = log.read_bytes()
    assert state(place, item) == "pass"
    with broken(lambda: log.write_bytes(before + line.encode()), lambda: log.write_bytes(before)):
        assert state(place, item) == "fail"


def test_log_level_item_fails_with_debug(place):
    assert state(place, "3.2.2", DMS_LOG_LEVEL="debug") == "fail"


def test_tests_item_fails_without_or_with_a_failed_run(place):
    summary = place.home / "bin" / ".results" / "summary.json"
    good = summary.read_text()
    with broken(lambda: summary.write_text('{"commit": "abc", "passed": 10, "failed": 1}'), lambda: summary.write_text(good)):
        assert state(place, "4.1.4") == "fail"
    with broken(summary.unlink, lambda: summary.write_text(good)):
        assert state(place, "4.1.4") == "fail"


def test_architecture_item_fails_without_the_page(place):
    page = place.home / "docs" / "architecture.md"
    with broken(lambda: page.rename(page.with_suffix(".off")), lambda: page.with_suffix(".off").rename(page)):
        assert state(place, "6.1.2") == "fail"


def test_csrf_item_fails_when_foreign_pages_may_read(start_dms):
    server = start_dms(env={"DMS_CORS_ORIGINS": "https://elsewhere.example"})
    assert state(server, "2.4.4") == "fail"


def test_api_key_item_fails_when_a_key_cannot_be_looked_up(place):
    with broken(lambda: sql(place, "ALTER FUNCTION dms.auth_api_key RENAME TO away"), lambda: sql(place, "ALTER FUNCTION dms.away RENAME TO auth_api_key")):
        assert state(place, "2.1.2") == "fail"
    assert state(place, "2.1.2") == "pass"


def test_queue_item_fails_when_a_queue_is_not_declared(place):
    redis(place, "DEL", "_kombu.binding.default")
    assert state(place, "1.4.4") == "fail"
    redis(place, "SADD", "_kombu.binding.default", "default\x06\x16\x06\x16default")
    assert state(place, "1.4.4") == "pass"


def child(server, word):
    import conftest
    return next(p for p in server.processes() if f" {word} " in conftest._command(p) + " ")


@pytest.mark.parametrize("word,items", [("worker", ["1.4.3"]), ("serve", ["2.1.1", "2.1.2", "2.1.5", "2.1.6", "2.2.4", "2.3.5", "2.4.4", "3.1.2", "3.1.3", "6.1.1", "8.2.1", "8.2.2"])])
def test_items_fail_while_a_part_is_down(place, word, items):
    """The supervisor is held still meanwhile, or it would start the part again at once."""
    os.kill(place.pid, signal.SIGSTOP)
    try:
        os.kill(child(place, word), signal.SIGKILL)
        for item in items:
            wait_for(lambda: state(place, item) == "fail", 10, f"{item} to fail")
    finally:
        os.kill(place.pid, signal.SIGCONT)
    for item in items:
        wait_for(lambda: state(place, item) == "pass", 30, f"{item} to pass again")
