"""`dms migrate` against a real PostgreSQL: there and back, twice, at the same time, and with registries that are not ours."""
import json
import os
import pathlib
import re
import subprocess

import psycopg
import pytest
from pg import DATABASE, Cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
DMS = ROOT / os.environ.get("DMS_BUILD_DIR", "build") / "dms"
VERSIONS = [int(p.name[:4]) for p in sorted(ROOT.glob("migrations/*.up.sql"))]


class Database:
    """An empty database with the roles of bootstrap.sql, and the program that migrates it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.url = f"postgresql://dms_owner@/{DATABASE}?host={cluster.dir}"

    def command(self, *args):
        return [str(DMS), "migrate", *args, "--owner-database-url", self.url, "--data", str(self.cluster.dir / "none")]

    def migrate(self, *args, status=0):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    def states(self):
        return [(m["version"], m["state"]) for m in json.loads(self.migrate("status", "--json"))]

    def schema(self):
        """The catalogue but for the registry, as pg_dump writes it."""
        text = self.cluster.run("pg_dump", "--schema-only", "--exclude-schema=migration", "-h", self.cluster.dir, "-U", "admin", DATABASE)
        return re.sub(r"(?m)^(\\(un)?restrict .*|--.*)\n", "", text)

    def execute(self, sql):
        with self.cluster.connect("admin") as c:
            c.execute(sql)


@pytest.fixture
def database():
    cluster = Cluster(migrate=False)
    cluster.bootstrap()
    yield Database(cluster)
    cluster.stop()


def test_up_applies_all_in_order_and_a_second_up_does_nothing(database):
    assert database.states() == [(v, "pending") for v in VERSIONS]
    assert [int(line.split()[1]) for line in database.migrate("up").splitlines()] == VERSIONS
    assert database.states() == [(v, "applied") for v in VERSIONS]
    assert database.migrate("up") == ""


def test_each_step_back_leaves_what_was_there_before_it_and_up_again_the_same_catalogue(database):
    after = {0: database.schema()}
    for version in VERSIONS:
        database.cluster.script("dms_owner", next(ROOT.glob(f"migrations/{version:04}_*.up.sql")))
        after[version] = database.schema()
    for version in reversed(VERSIONS):
        database.cluster.script("dms_owner", next(ROOT.glob(f"migrations/{version:04}_*.down.sql")))
    assert database.schema() == after[0]
    for _ in range(2):
        database.migrate("up")
        assert database.schema() == after[VERSIONS[-1]]
        for before in reversed([0] + VERSIONS[:-1]):
            database.migrate("down")
            assert database.schema() == after[before], f"the way back to {before:04}"
    assert database.migrate("down") == ""


def test_down_takes_back_as_many_as_asked(database):
    database.migrate("up")
    assert len(database.migrate("down", "2").splitlines()) == 2
    assert database.states() == [(v, "applied" if v in VERSIONS[:-2] else "pending") for v in VERSIONS]
    database.migrate("down", "9999")
    assert database.states() == [(v, "pending") for v in VERSIONS]


def test_replicas_that_migrate_at_the_same_time_do_it_once(database):
    runs = [subprocess.Popen(database.command("up"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    lines = []
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        lines += out.splitlines()
    assert sorted(int(line.split()[1]) for line in lines) == VERSIONS


@pytest.mark.parametrize("change, sentence", [
    ("UPDATE migration.applied SET checksum = 'x' WHERE version = 2", "ran with other contents"),
    ("INSERT INTO migration.applied (version, name, checksum) VALUES (9999, 'future', 'x')", "which this program does not know"),
    ("DELETE FROM migration.applied WHERE version = 1", "is missing, but"),
])
def test_a_registry_that_is_not_ours_is_refused_and_nothing_is_done(database, change, sentence):
    database.migrate("up")
    database.execute(change)
    before = database.schema()
    assert sentence in database.migrate("up", status=1)
    assert sentence in database.migrate("down", status=1)
    assert database.schema() == before


def test_a_migration_that_fails_leaves_nothing_of_itself(database):
    database.migrate("up")
    database.migrate("down", str(len(VERSIONS)))
    database.execute("CREATE SCHEMA dms")  # the first migration makes it, and fails on finding it
    before = database.schema()
    assert f"migration {VERSIONS[0]:04}" in database.migrate("up", status=1)
    assert database.schema() == before
    assert database.states() == [(v, "pending") for v in VERSIONS]


def test_the_application_role_may_read_the_registry_and_not_write_it(database):
    database.migrate("up")
    with database.cluster.connect("dms_app") as c:
        assert c.execute("SELECT count(*) FROM migration.applied").fetchone()[0] == len(VERSIONS)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("DELETE FROM migration.applied")


@pytest.mark.parametrize("args", [[], ["sideways"], ["up", "2"], ["down", "0"], ["down", "x"], ["up", "1", "1"]])
def test_wrong_usage_ends_with_2(database, args):
    database.migrate(*args, status=2)
