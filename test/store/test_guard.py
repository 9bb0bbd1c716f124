"""The start-up guard: each way around row level security is opened, and api and worker refuse to start."""
import json
import os
import pathlib
import subprocess

import pytest
from pg import DATABASE, Cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
DMS = ROOT / os.environ.get("DMS_BUILD_DIR", "build") / "dms"


@pytest.fixture(scope="module")
def database():
    cluster = Cluster(migrate=False)
    cluster.bootstrap()
    subprocess.run([DMS, "migrate", "up", "--owner-database-url", url(cluster, "dms_owner"), "--data", cluster.dir / "none"], check=True)
    yield cluster
    cluster.stop()


def url(cluster, user):
    return f"postgresql://{user}@/{DATABASE}?host={cluster.dir}"


def start(cluster, command, user="dms_app"):
    """The program's refusal: exit status 1 and one sentence."""
    done = subprocess.run([DMS, command, "--data", cluster.dir / "none", "--database-url", url(cluster, user), "--redis-url", "redis://127.0.0.1:1",
                           "--port", "0", "--embed-provider", "none"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def guard(cluster, user="dms_app"):
    done = subprocess.run([DMS, "doctor", "--json", "--data", cluster.dir / "none", "--database-url", url(cluster, user)],
                          capture_output=True, text=True, timeout=60)
    return next(c for c in json.loads(done.stdout) if c["name"] == "database")


def execute(cluster, *statements):
    with cluster.connect("admin") as c:
        for statement in statements:
            c.execute(statement)


# what opens the wall, how it is closed again, and the sentence
HOLES = {
    "superuser": ("ALTER ROLE dms_app SUPERUSER", "ALTER ROLE dms_app NOSUPERUSER", "is a superuser"),
    "bypassrls": ("ALTER ROLE dms_app BYPASSRLS", "ALTER ROLE dms_app NOBYPASSRLS", "has BYPASSRLS"),
    "member of the owner": ("GRANT dms_owner TO dms_app", "REVOKE dms_owner FROM dms_app", "may become dms_owner"),
    "owner of a table": ("ALTER TABLE dms.blob OWNER TO dms_app", "ALTER TABLE dms.blob OWNER TO dms_owner", "owns dms.blob"),
    "create in a schema": ("GRANT CREATE ON SCHEMA dms TO dms_app", "REVOKE CREATE ON SCHEMA dms FROM dms_app", "may create objects in schema dms"),
    "temporary tables": (f"GRANT TEMPORARY ON DATABASE {DATABASE} TO dms_app", f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM dms_app",
                         "temporary tables"),
    "not enabled": ("ALTER TABLE dms.document DISABLE ROW LEVEL SECURITY", "ALTER TABLE dms.document ENABLE ROW LEVEL SECURITY",
                    "not enabled and forced on dms.document"),
    "not forced": ("ALTER TABLE dms.chunk NO FORCE ROW LEVEL SECURITY", "ALTER TABLE dms.chunk FORCE ROW LEVEL SECURITY",
                   "not enabled and forced on dms.chunk"),
    "a new table": ("CREATE TABLE dms.forgotten (tenant_id uuid)", "DROP TABLE dms.forgotten", "not enabled and forced on dms.forgotten"),
    "no policy": ("CREATE TABLE dms.bare (tenant_id uuid); ALTER TABLE dms.bare ENABLE ROW LEVEL SECURITY; ALTER TABLE dms.bare FORCE ROW LEVEL SECURITY",
                  "DROP TABLE dms.bare", "dms.bare has no row level security policy"),
    "open policy": ("CREATE POLICY everybody ON dms.document USING (true)", "DROP POLICY everybody ON dms.document", "without looking at the tenant"),
    "open check": ("CREATE POLICY writer ON dms.document FOR INSERT TO dms_app WITH CHECK (true)", "DROP POLICY writer ON dms.document",
                   "without looking at the tenant"),
    "a view": ("CREATE VIEW dms.all_documents AS SELECT * FROM dms.document; GRANT SELECT ON dms.all_documents TO dms_app",
               "DROP VIEW dms.all_documents", "needs security_invoker"),
    "a superuser's function": ("CREATE FUNCTION dms.door() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1'",
                               "DROP FUNCTION dms.door", "runs as admin"),
    "a search_path left open": ("CREATE FUNCTION dms.way() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION dms.way OWNER TO dms_owner",
                                "DROP FUNCTION dms.way", "does not fix its search_path"),
    "an older schema": ("CREATE TABLE migration.kept AS SELECT * FROM migration.applied; DELETE FROM migration.applied WHERE version > 1",
                        "INSERT INTO migration.applied SELECT * FROM migration.kept WHERE version > 1; DROP TABLE migration.kept", "lacks migration 0002"),
    "a newer schema": ("INSERT INTO migration.applied (version, name, checksum) VALUES (9999, 'future', 'x')",
                       "DELETE FROM migration.applied WHERE version = 9999", "is not this program's"),
}


def test_the_schema_as_migrated_passes(database):
    assert guard(database)["state"] == "ok", guard(database)


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_is_refused(database, hole):
    opened, closed, sentence = HOLES[hole]
    execute(database, *opened.split("; "))
    try:
        found = guard(database)
    finally:
        execute(database, *closed.split("; "))
    assert found["state"] == "fail" and sentence in found["message"], found
    assert guard(database)["state"] == "ok", guard(database)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_api_and_worker_refuse_to_start(database, command):
    assert "Use dms_app" in start(database, command, "dms_owner")
    assert "is a superuser" in start(database, command, "admin")


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_an_empty_database_is_refused_with_what_to_do(command):
    cluster = Cluster(migrate=False)
    try:
        cluster.bootstrap()
        assert "dms migrate up" in start(cluster, command)
    finally:
        cluster.stop()


@pytest.mark.parametrize("version, only_strict", [(140019, False), (150013, True), (150014, None), (160009, True), (160010, None), (170005, True),
                                                  (170006, None), (180000, None)])
def test_a_server_with_known_holes_is_refused_in_production_and_one_too_old_always(database, version, only_strict):
    """The statement itself, told another version than the server's."""
    statement = (ROOT / "src/store/sql/guard.sql").read_text()
    told = statement.replace("current_setting('server_version_num')::int", str(version))
    assert told != statement
    with database.connect("dms_app") as c:
        findings = [row[1] for row in c.execute(told).fetchall()]
    assert findings[:1] == ([] if only_strict is None else [only_strict])
