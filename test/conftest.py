"""Fixtures of the black-box tests: a whole installation as `dms up` starts it, and clients that speak its API.

Knows the outside only (the program, its arguments, HTTP, the mail folder). DMS_BUILD_DIR says which build is tested.
"""
import concurrent.futures
import email
import email.policy
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid

import httpx
import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("DMS_BUILD_DIR", "build")
PASSWORD = "correct horse battery staple 1"
START_SECONDS = 60  # the sanitizer build on a busy machine
STOP_SECONDS = 60
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")
LIVE = []  # servers that run now, for the log of a failed test


def wait_for(check, seconds, what):
    """The first true value of check(), asked every 20 ms."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def at_once(count, act):
    """act(i) in so many threads that start together; the answers."""
    gate = threading.Barrier(count)

    def run(i):
        gate.wait()
        return act(i)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def meet(server, tenant, count, act):
    """act(i) in so many threads, all of which wait for the same organization's row before any may go on; the answers."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
    with concurrent.futures.ThreadPoolExecutor(count) as pool, server.database() as holder, server.database() as watcher:
        with holder.transaction():
            holder.execute("SELECT FROM tenant WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant,))
            acts = [pool.submit(act, i) for i in range(count)]
            wait_for(lambda: watcher.execute(waiting).fetchone()[0] >= count, 4, "all to wait for one another")
        return [a.result() for a in acts]


def _stat(pid):
    """(parent, state, start time) of a process, None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0], fields[19]


def _command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Server:
    """One installation under a folder of its own; may be stopped, killed and started again on the same data."""

    def __init__(self, *args, env=None, data=None, program=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dms-test-"))
        self.dir.chmod(0o755)  # the servers run as another user when the tests run as root
        self.data = pathlib.Path(data) if data else self.dir / "data"
        self.program = str(program or BUILD / "dms")
        self.args = args
        self.env = {**os.environ, "HOME": str(self.dir), **(env or {})}
        self.log_path = self.dir / "log"
        self.url = self.process = None
        self.port = 0

    @property
    def pid(self):
        return self.process.pid

    def start(self, wait=True):
        """Starts `dms up`; a second start keeps the port, as clients would expect."""
        self.ready_file = self.dir / f"ready-{uuid.uuid4().hex}"
        command = [self.program, "up", "--port", str(self.port), "--data", str(self.data),
                   "--ready-file", str(self.ready_file), *self.args]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                            cwd=self.dir, start_new_session=True)
        LIVE.append(self)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"dms up ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            return self.ready_file.exists() and self.ready_file.read_text().strip()

        try:
            self.url = wait_for(ready, START_SECONDS, "dms up to be ready")
        except AssertionError as e:
            log = self.log()[-4000:]
            self.kill()
            raise AssertionError(f"{e}\n{log}") from None
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def processes(self):
        """{pid: start time} of the supervisor's descendants and of whatever has the data folder in its command."""
        stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := _stat(p))}
        running = self.process and self.process.poll() is None  # else its number may be another's by now
        ours = {self.process.pid} if running else set()
        grown = True
        while grown:
            more = {pid for pid, (parent, _, _) in stats.items() if parent in ours} - ours
            ours |= more
            grown = bool(more)
        ours |= {pid for pid in stats if pid != os.getpid() and str(self.data) in _command(pid)}
        return {pid: stats[pid][2] for pid in ours if pid in stats}

    def left_over(self, before, seconds=5):
        """Those of `before` that still live after at most that many seconds."""
        def alive():
            return [p for p, started in before.items() if (s := _stat(p)) and s[2] == started and s[1] != "Z"]
        end = time.monotonic() + seconds
        while alive() and time.monotonic() < end:
            time.sleep(0.02)
        return alive()

    def _end(self, number, seconds):
        before = self.processes()
        self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        left = [(p, _command(p)) for p in self.left_over(before)]
        for pid, _ in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self in LIVE:
            LIVE.remove(self)
        return status, left

    def stop(self):
        """SIGTERM; must end with 0 and leave no process."""
        if self.process is None or self.process.returncode is not None:
            return
        status, left = self._end(signal.SIGTERM, STOP_SECONDS)
        assert status == 0, f"dms up ended with {status} on SIGTERM:\n{self.log()[-4000:]}"
        assert not left, f"left running after SIGTERM: {left}"

    def kill(self):
        """kill -9 of the supervisor; its children must not outlive it. What did is returned (and ended)."""
        if self.process is None or self.process.returncode is not None:
            return []
        return self._end(signal.SIGKILL, 10)[1]

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Ends it, looks for sanitizer reports, removes its folder."""
        try:
            self.stop()
            for path in [self.log_path, *sorted((self.data / "log").glob("*.log"))]:  # the children write into the data folder
                text = path.read_text(errors="replace") if path.exists() else ""
                report = SANITIZER.search(text)
                assert not report, f"a sanitizer reported in {path.name}:\n" + text[max(report.start() - 500, 0):][:6000]
        finally:
            self.kill()
            shutil.rmtree(self.dir, ignore_errors=True)

    # what a person at the keyboard does

    def run(self, *args, check=True, env=None, stdin=None):
        """`dms ARGS` against this server, with a home of its own."""
        home = self.dir / "home"
        home.mkdir(exist_ok=True)
        full = {**self.env, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "DMS_URL": self.url or "",
                "DMS_DATA": str(self.data), **(env or {})}
        done = subprocess.run([self.program, *map(str, args)], capture_output=True, text=True, timeout=120, env=full,
                              input=stdin, cwd=home)
        assert not check or done.returncode == 0, f"dms {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def mails(self, to=None):
        """The messages in the mail folder, oldest first."""
        found = []
        for path in sorted((self.data / "mail").glob("*.eml")):
            try:
                found.append(email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
            except FileNotFoundError:
                pass
        return [m for m in found if to is None or to.lower() in str(m["To"]).lower()]

    def mail_token(self, to, seconds=20):
        """The token of the newest message to that address."""
        def token():
            for message in reversed(self.mails(to)):
                text = message.get_body(("plain", "html")).get_content()
                found = re.search(r"token=([A-Za-z0-9._~-]+)", text)
                if found:
                    return found[1]
            return None
        return wait_for(token, seconds, f"a mail with a token to {to}")

    def invitation_tokens(self, to, count=1, seconds=60):
        """The tokens of the invitations mailed to that address, oldest first, once there are that many."""
        def tokens():
            texts = [m.get_body(("plain", "html")).get_content() for m in self.mails(to)]
            found = [t[1] for text in texts if (t := re.search(r"/accept\?token=([A-Za-z0-9._~-]+)", text))]
            return found if len(found) >= count else None
        return wait_for(tokens, seconds, f"{count} invitations mailed to {to}")

    def database(self, **options):
        """A connection that sees and may do everything, as the administrator of the private PostgreSQL."""
        secret = (self.data / "secrets" / "postgres-admin").read_text().strip()
        return psycopg.connect(host=str(self.data / "run"), user="dms_admin", password=secret, dbname="dms", autocommit=True,
                               options="-c search_path=dms,ext", **options)

    # what a program does

    def http(self, **options):
        """A bare client of the server's root."""
        options.setdefault("timeout", 60)
        return httpx.Client(base_url=self.url, trust_env=False, **options)

    def register(self, organization=None, email_address=None):
        """A fresh organization; the client is its owner's."""
        unique = uuid.uuid4().hex[:12]
        organization = organization or f"Org {unique}"
        address = email_address or f"owner-{unique}@example.com"
        with self.http() as http:
            answer = http.post("/api/v1/auth/register", json={"email": address, "password": PASSWORD,
                               "name": f"Owner {unique}", "organization": organization})
        assert answer.status_code == 201, answer.text
        return self.login(address)

    def login(self, address, password=PASSWORD, **more):
        client = Client(self)
        answer = client.post("/auth/login", json={"email": address, "password": password, **more})
        assert answer.status_code == 200, answer.text
        client.tokens = answer.json()
        client.email = address
        client.headers["Authorization"] = f"Bearer {client.tokens['access_token']}"
        return client


class Client(httpx.Client):
    """An httpx client of /api/v1 that is signed in as one user, with the few things that every test does."""

    def __init__(self, server):
        super().__init__(base_url=server.url + "/api/v1", timeout=60, trust_env=False)
        self.server = server
        self.tokens = self.email = None

    def __enter__(self):
        return self  # httpx refuses to open a client that has signed in already

    def __exit__(self, *why):
        self.close()

    def ok(self, method, path, status=None, **options):
        """The decoded answer (None without a body); any other status than expected (default: 2xx) fails the test."""
        answer = self.request(method, path, **options)
        good = answer.is_success if status is None else answer.status_code == status
        assert good, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else None

    def me(self):
        return self.ok("GET", "/auth/me")

    def member(self, role):
        """A new member of the same organization with that role, invited and accepted by mail; a client of theirs."""
        address = f"{role.lower().replace('_', '-')}-{uuid.uuid4().hex[:12]}@example.com"
        self.ok("POST", "/invitations", 201, json={"email": address, "role": role})
        token = self.server.invitation_tokens(address)[-1]
        with self.server.http() as http:
            answer = http.post("/api/v1/invitations/accept", json={"token": token, "name": role, "password": PASSWORD})
        assert answer.is_success, answer.text
        return self.server.login(address)

    def api_key(self, scopes, **more):
        """A client that uses a new API key instead of a session."""
        made = self.ok("POST", "/api-keys", 201, json={"name": "test", "scopes": list(scopes), "type": "sk", **more})
        client = Client(self.server)
        client.headers["X-API-Key"] = made["key"]
        return client

    def upload(self, content, name="note.md", mime=None, metadata=None, status=201, headers=None, **fields):
        """Uploads bytes, text or a path; answers the document."""
        if isinstance(content, pathlib.Path):
            name, content = content.name, content.read_bytes()
        if isinstance(content, str):
            content = content.encode()
        data = dict(fields)
        if metadata is not None:
            data["metadata"] = json.dumps(metadata)
        file = (name, content, mime) if mime else (name, content)
        return self.ok("POST", "/documents", status, files={"file": file}, data=data, headers=headers)

    def wait_processed(self, document_id, seconds=120):
        """Until the document is processed; one with status error fails the test."""
        def done():
            document = self.ok("GET", f"/documents/{document_id}")
            assert document["status"] != "error", document
            return document if document["status"] == "processed" else None
        return wait_for(done, seconds, f"document {document_id} to be processed")

    def upload_processed(self, content, **options):
        return self.wait_processed(self.upload(content, **options)["id"])

    def search(self, query, **options):
        return self.ok("POST", "/search", json={"query": query, **options})


@pytest.fixture(scope="session")
def dms():
    """The installation that a session's tests share: make your own organization in it (`dms.register()`)."""
    # all tests come from one address: their wrong passwords would make each other wait (test_guessing.py has servers of its own)
    server = Server(env={"DMS_LOGIN_FREE": "1000000", "DMS_LOGIN_FREE_ADDRESS": "1000000"})
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def start_dms():
    """start_dms(*args, env=None, data=None): an installation of the test's own; closed at the end of the test."""
    servers = []

    def start(*args, **options):
        server = Server(*args, **options)
        servers.append(server)
        return server.start()

    yield start
    for server in reversed(servers):
        server.close()


@pytest.fixture
def fresh_dms(start_dms):
    """An installation for a test that breaks things."""
    return start_dms()


@pytest.fixture
def owner(dms):
    """The owner of a fresh organization in the shared installation."""
    with dms.register() as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for server in LIVE:
            report.sections.append((f"end of the log of dms {server.pid}", server.log()[-6000:]))
    return report
