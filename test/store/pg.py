"""A throw-away PostgreSQL for the tests of this folder: own cluster, Unix socket, gone at the end.

Started as an unprivileged user when the tests run as root (PostgreSQL refuses root). Knows the schema only as migrations/*.sql.
"""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid

import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATABASE = "dms"


def bin_dir():
    """The newest installed PostgreSQL; Debian keeps its server programs out of PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if found:
        return pathlib.Path(found[-1]).parent
    path = shutil.which("initdb")
    if not path:
        pytest.skip("no PostgreSQL server programs here: run script/setup")
    return pathlib.Path(path).parent


def unprivileged():
    """Arguments in front of a command and the user it runs as: nobody when we are root."""
    if os.geteuid() != 0:
        return [], pwd.getpwuid(os.geteuid())
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"], nobody


class Cluster:
    """initdb, start, bootstrap.sql and every migration up; stop() ends it by its process and removes it."""

    def __init__(self, migrate=True, settings=()):
        self.bin = bin_dir()
        self.prefix, user = unprivileged()
        self.server = self.log = None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dms-pg-"))
        os.chown(self.dir, user.pw_uid, user.pw_gid)
        try:
            self.start(settings)
            if migrate:
                self.migrate()
        except BaseException:
            self.stop()
            raise

    def start(self, settings):
        self.data = self.dir / "data"
        self.run("initdb", "-D", self.data, "-U", "admin", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.log = open(self.dir / "log", "wb")
        options = ["listen_addresses=", f"unix_socket_directories={self.dir}", "fsync=off", "jit=off", *settings]
        end_with_us = ["setpriv", "--pdeathsig", "INT", *self.prefix[1:]]  # also when the tests are killed
        self.server = subprocess.Popen(
            [*end_with_us, self.bin / "postgres", "-D", self.data, *(x for o in options for x in ("-c", o))],
            stdout=self.log, stderr=self.log, cwd=self.dir)
        self.run("pg_isready", "-h", self.dir, "-t", "30", retry=300)
        with self.connect("admin", "postgres") as c:
            c.execute(f"CREATE DATABASE {DATABASE}")

    def migrate(self):
        self.bootstrap()
        for path in sorted(ROOT.glob("migrations/*.up.sql")):
            self.script("dms_owner", path)

    def run(self, program, *args, retry=0):
        for attempt in range(retry + 1):
            done = subprocess.run([*self.prefix, self.bin / program, *map(str, args)], capture_output=True, text=True, cwd=self.dir)
            if done.returncode == 0:
                return done.stdout
            if self.failed_to_start(program) or attempt == retry:
                raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
            subprocess.run(["sleep", "0.05"], check=True)
        return ""

    def failed_to_start(self, program):
        return program == "pg_isready" and self.server.poll() is not None

    def connect(self, user, dbname=DATABASE, **options):
        return psycopg.connect(host=str(self.dir), user=user, dbname=dbname, autocommit=True, **options)

    def bootstrap(self):
        with self.connect("admin") as c:
            c.execute("SELECT set_config('dms.owner_password', 'o', false), set_config('dms.app_password', 'a', false),"
                      " set_config('dms.ops_password', 'p', false)")
            c.execute((ROOT / "migrations/bootstrap.sql").read_text())

    def script(self, user, path):
        """A migration as the product runs it: the whole file in one transaction."""
        with self.connect(user) as c, c.transaction():
            c.execute(pathlib.Path(path).read_text())

    def stop(self):
        if self.server:
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(30)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if self.log:
            self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Tenant:
    """One organisation with a member, and documents and passages as the worker would store them."""

    def __init__(self, cluster, name):
        self.id, self.user = str(uuid.uuid4()), str(uuid.uuid4())
        with cluster.connect("dms_app") as c:
            c.execute("SELECT dms.auth_register(%s, %s, %s, 'x', %s, %s, 'unlimited')",
                      (self.user, f"{name}@example.test", name, self.id, name))
        self.db = cluster.connect("dms_app")
        self.db.execute("SELECT set_config('app.tenant_id', %s, false)", (self.id,))

    def add(self, *documents):
        """documents: (title, [passages]) each; returns their ids. One transaction and one statement for all passages."""
        ids, rows = [], []
        with self.db.transaction():
            for title, passages in documents:
                ids.append(str(uuid.uuid4()))
                self.db.execute("INSERT INTO dms.document (tenant_id, id, title, name, mime_type, size, sha256, owner_id, status)"
                                " VALUES (%s, %s, %s, 'n.txt', 'text/plain', 1, repeat('0', 64), %s, 'processed')",
                                (self.id, ids[-1], title, self.user))
                rows += [(ids[-1], i, title, text) for i, text in enumerate(passages)]
            self.db.execute("INSERT INTO dms.chunk (tenant_id, id, document_id, version, ordinal, text, tokens, tsv)"
                            " SELECT %s, gen_random_uuid(), d, 1, o, t, 1, dms.chunk_tsv(title, '', t)"
                            " FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[]) u(d, o, title, t)",
                            (self.id, *(list(x) for x in zip(*rows))))
        return ids

    def all(self, sql, *args):
        return self.db.execute(sql, args).fetchall()

    def one(self, sql, *args):
        return self.db.execute(sql, args).fetchone()[0]


@pytest.fixture(scope="session")
def cluster():
    c = Cluster()
    yield c
    c.stop()


@pytest.fixture
def tenant(cluster):
    t = Tenant(cluster, f"t{uuid.uuid4().hex[:8]}")
    yield t
    t.db.close()


def statement(name):
    """The text of a statement of the product: src/store/sql/NAME.sql, for a psycopg.RawCursor."""
    return (ROOT / "src/store/sql" / f"{name}.sql").read_text()
