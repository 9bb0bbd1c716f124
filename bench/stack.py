"""What the benches of the server have in common: an installation, its processes, tenants filled by COPY, pgbench, wrk and the open-loop generator.

Knows how `dms up` lays out its data folder; what is measured stands in the benches.
"""
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request

import report

ROOT = report.ROOT
sys.path.insert(0, str(ROOT / "test"))
from conftest import BUILD, Server, _command, _stat, wait_for  # noqa: E402,F401  the same way to start an installation as the tests have

TICKS = os.sysconf("SC_CLK_TCK")
LOAD = BUILD / "bench" / "dms-bench-load"
SHOWN = ("loops", "loop_connections", "work_threads", "auth_cache_ms", "log_level", "default_plan", "embed_provider")  # settings that matter here


def pg_bin(name):
    for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    sys.exit(f"bench: {name} is missing (package postgresql)")


def version_of(*command):
    found = re.search(r"\d+(\.\d+)+", report.first_line(*command))
    return found[0] if found else "?"


# --- an installation ----------------------------------------------------------------------------------------------------------

class Stack(Server):
    """An installation as the tests start it, closed at the end of a with. Arguments go to `dms up`."""

    def __enter__(self):
        return self.start()

    def __exit__(self, *why):
        self.close()

    def role(self, name):
        """The processes of a role: api, worker, supervisor, postgres, redis."""
        sign = {"api": "dms serve", "worker": "dms worker", "supervisor": "dms up", "postgres": "postgres", "redis": "redis-server"}[name]
        return [p for p in self.processes() if sign in _command(p)]

    @property
    def api(self):
        return self.role("api")[0]

    def settings(self):
        """What it runs with, in a line: what matters for speed, and whatever is not the default."""
        rows = {}
        for line in self.run("config").stdout.splitlines():
            found = re.match(r"(\S+)\s+(.*?)\s+(default|command line|environment|dms\.conf)$", line)
            if found:
                rows[found[1]] = (found[2], found[3])
        given = {a[2:].split("=")[0].replace("-", "_"): a.split("=")[1] for a in self.args if "=" in a and not a.startswith("--model-dir")}
        shown = {k: rows[k][0] for k in SHOWN if k in rows} | given
        return (f"Settings: {', '.join(f'{k} {v}' for k, v in shown.items())}; all others as `dms config` shows them by default. "
                "Authentication, permission, tenant, rate limit, request log and metrics are on.")

    def versions(self):
        return (f"PostgreSQL {version_of(pg_bin('postgres'), '--version')}, libmicrohttpd {version_of('pkg-config', '--modversion', 'libmicrohttpd')}, "
                f"gcc {version_of('gcc', '-dumpfullversion')}.")

    # the database

    def pg_env(self, role="app", options=""):
        secret = (self.data / "secrets" / f"postgres-{role}").read_text().strip()
        return {**os.environ, "PGPASSWORD": secret, "PGHOST": str(self.data / "run"), "PGUSER": f"dms_{role}", "PGOPTIONS": options}

    def sql(self, text, role="admin", stdin=None):
        """psql's output of some statements."""
        done = subprocess.run([pg_bin("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, "dms"], capture_output=True, text=True,
                              env=self.pg_env(role), stdin=stdin)
        if done.returncode != 0:
            sys.exit(f"psql: {done.stderr}")
        return done.stdout

    def copy(self, columns, rows, before="SET session_replication_role = replica; "):
        """COPY of lines in text format, as the administrator. Foreign keys are not asked: who makes the rows makes them fit."""
        with subprocess.Popen([pg_bin("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-c", f"{before}", "-c", f"COPY {columns} FROM STDIN", "dms"],
                              stdin=subprocess.PIPE, env=self.pg_env("admin"), text=True, bufsize=1 << 20) as psql:
            psql.stdin.writelines(rows)
            psql.stdin.close()
            if psql.wait() != 0:
                sys.exit(f"bench: COPY {columns} failed")


# --- tenants ------------------------------------------------------------------------------------------------------------------

def base62(value, digits):
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in range(digits):
        value, digit = divmod(value, 62)
        text += letters[digit]
    return text


class Tenant:
    """An organization made by COPY: its owner, an API key of theirs, its documents by number from 1."""

    ID = "0190{:04x}-{:04x}-7000-8000-000000000000"

    def __init__(self, number, documents):
        self.number, self.documents = number, documents
        self.id = f"01900000-0000-7000-8000-{number:012d}"
        self.user = f"01900000-0000-7000-9000-{number:012d}"
        head = "dms_dev_sk_" + base62(int.from_bytes(hashlib.sha256(self.id.encode()).digest(), "big"), 26)
        self.key = head + base62(int.from_bytes(hashlib.sha256(head.encode()).digest()[:8], "big"), 6)
        self.header = f"X-API-Key: {self.key}"

    @staticmethod
    def document(i):
        return f"01900000-0000-7000-a000-{i:012d}"


# pgbench's side of Tenant.document: the id of document number :i.
DOCUMENT_OF_I = "('01900000-0000-7000-a000-' || lpad(:i::text, 12, '0'))::uuid"


def fill(stack, tenants, documents, first=1):
    """`tenants` organizations with so many documents each, with the rows that a processed document without text has: version, blob, job, timeline.
    (No passages and no vectors: neither GET nor list reads them, and the worker would embed a million of them meanwhile.)"""
    pepper = bytes.fromhex((stack.data / "secrets" / "pepper").read_text().strip())
    made = [Tenant(number, documents) for number in range(first, first + tenants)]
    scopes = "{document.read,document.create,document.delete,folder.read,search.query}"
    stack.copy("tenant (tenant_id, name, plan)", (f"{t.id}\tOrganization {t.number}\tunlimited\n" for t in made))
    stack.copy("person (id, email, name, password_hash)", (f"{t.user}\towner{t.number}@bench.example\tOwner {t.number}\t-\n" for t in made))
    stack.copy("membership (tenant_id, user_id, name, email, role)",
               (f"{t.id}\t{t.user}\tOwner {t.number}\towner{t.number}@bench.example\tOwner\n" for t in made))
    stack.copy("api_key (tenant_id, id, user_id, name, kind, prefix, secret_hash, scopes)",
               (f"{t.id}\t{t.user}\t{t.user}\tbench\tsk\t{t.key[:15]}\t\\\\x{hmac.digest(pepper, t.key.encode(), 'sha256').hex()}\t{scopes}\n" for t in made))
    stack.copy("usage (tenant_id, documents, bytes)", (f"{t.id}\t{documents}\t{documents * 4096}\n" for t in made))

    def rows(line):
        for t in made:
            for i in range(1, documents + 1):
                yield line(t, i, Tenant.document(i), f"{t.number:020x}{i:044x}", f"2026-01-01 00:00:00+00\t2026-01-01 00:00:{i % 60:02d}+00")

    stack.copy("blob (tenant_id, sha256, size)", rows(lambda t, i, d, sha, at: f"{t.id}\t{sha}\t4096\n"))
    started = time.time()
    stamps = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(started - documents + i)) for i in range(documents + 1)]
    stack.copy("document (tenant_id, id, title, name, mime_type, size, sha256, status, tags, metadata, page_count, language, owner_id, created_at, updated_at, processed_at)",
               rows(lambda t, i, d, sha, at: f"{t.id}\t{d}\tDocument {i} of the bench\tdocument-{i}.txt\ttext/plain\t4096\t{sha}\tprocessed\t{{bench,number{i % 100}}}\t"
                    f'{{"author": "Owner {t.number}", "number": {i}}}\t3\ten\t{t.user}\t{stamps[i]}+00\t{stamps[i]}+00\t{stamps[i]}+00\n'))
    stack.copy("document_version (tenant_id, document_id, version, name, mime_type, size, sha256, author_id)",
               rows(lambda t, i, d, sha, at: f"{t.id}\t{d}\t1\tdocument-{i}.txt\ttext/plain\t4096\t{sha}\t{t.user}\n"))
    stack.copy("job (tenant_id, id, kind, queue, state, attempts, fence, document_id, version, started_at, finished_at)",
               rows(lambda t, i, d, sha, at: f"{t.id}\t{d}\tdocument.process\tprocessing\tsucceeded\t1\t1\t{d}\t1\t{at}\n"))
    stack.copy("job_event (tenant_id, document_id, version, job_id, step)",
               (line for step in ("stored", "done") for line in rows(lambda t, i, d, sha, at: f"{t.id}\t{d}\t1\t{d}\t{step}\n")))
    stack.sql("VACUUM (ANALYZE)")
    stack.sql("CHECKPOINT")
    return made


# --- generators of load -------------------------------------------------------------------------------------------------------

def statement(name):
    """The endpoint's statement as pgbench takes it: :p1 for $1."""
    lines = [line for line in (ROOT / f"src/store/sql/{name}.sql").read_text().splitlines() if not line.startswith("--")]
    return re.sub(r"\$(\d+)", r":p\1", " ".join(lines))


def bound(name, values):
    """That statement with its parameters replaced by SQL texts."""
    text = statement(name)
    for n in range(len(values), 0, -1):
        text = text.replace(f":p{n}", values[n - 1])
    return text


def get_statement():
    return bound("get_document", [DOCUMENT_OF_I])


def list_statement(limit=20):
    return bound("get_documents", [str(limit), "NULL::timestamptz", "NULL::uuid", "'f'", "'-created_at'", "'f'", "NULL", "NULL", "NULL"])


def check_peers(stack, tenants):
    """Ends the bench unless both statements, as pgbench sends them, answer what the API does: one that finds nothing is many times as fast."""
    first = tenants[0]
    options = f"-c app.tenant_id={first.id} -c app.user_id={first.user}"
    for text, column, path in ((get_statement().replace(":i", "1"), "body", f"/api/v1/documents/{Tenant.document(1)}"), (list_statement(), "items", "/api/v1/documents")):
        done = subprocess.run([pg_bin("psql"), "-XqAt", "-c", f"SELECT {column} FROM ({text}) x", "dms"], capture_output=True, text=True, env=stack.pg_env("app", options))
        request = urllib.request.Request(stack.url + path, headers={"X-API-Key": first.key})
        answer = json.load(urllib.request.urlopen(request))
        if done.returncode != 0 or json.loads(done.stdout or "null") != answer.get("items", answer):
            sys.exit(f"bench: pgbench's statement for {path} does not answer what the API does:\n{done.stdout[:500]}{done.stderr}")


def pgbench(stack, tenants, text, clients, seconds, scope="session"):
    """Statements a second over the Unix socket, prepared, the document and the tenant chosen at random.

    scope says where the tenant comes from: "session": row level security is on, its tenant was set when the connection was made (one tenant only);
    "pipeline": set_config and the statement in one pipeline with one Sync, as the read lane sends them; "none": as a role that row level security
    does not apply to."""
    choose = f"\\set i random(1, {tenants[0].documents})\n"
    first, options, role = tenants[0], "", "app"
    user, tenant = f"'{first.user}'", f"'{first.id}'"
    if len(tenants) > 1:
        choose += f"\\set t random(1, {len(tenants)})\n"
        tenant = "'01900000-0000-7000-8000-' || lpad(:t::text, 12, '0')"
        user = "'01900000-0000-7000-9000-' || lpad(:t::text, 12, '0')"
    if scope == "pipeline":
        script = f"{choose}\\startpipeline\nSELECT set_config('app.tenant_id', {tenant}, true), set_config('app.user_id', {user}, true);\n{text};\n\\endpipeline\n"
    else:
        assert len(tenants) == 1
        script, options = f"{choose}{text};\n", f"-c app.tenant_id={first.id} -c app.user_id={first.user}"
        role = "admin" if scope == "none" else "app"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run([pg_bin("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", file.name, "dms"],
                              capture_output=True, text=True, env=stack.pg_env(role, options))
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found or "number of failed transactions: 0 " not in done.stdout:
        sys.exit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return float(found[1])


def best_clients(stack, tenants, text, scope="session"):
    return max((2, 4, 8), key=lambda c: pgbench(stack, tenants, text, c, 2, scope))


ROTATE = """-- Asks for the lines of a file in turn: a path, then a header.
local requests, n = {}, 0
function init(args)
    for line in io.lines(args[1]) do
        local path, name, value = line:match("^(%S+) (%S+): (.*)$")
        requests[#requests + 1] = wrk.format("GET", path, { [name] = value })
    end
end
function request()
    n = n % #requests + 1
    return requests[n]
end
"""


@contextlib.contextmanager
def paths_file(lines):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "paths"
        file.write_text("\n".join(lines) + "\n")
        (file.parent / "rotate.lua").write_text(ROTATE)
        yield file


def get_paths(tenants, count=1000):
    """Lines for `count` documents, over all tenants and evenly over their documents, in an order that jumps."""
    lines = []
    for n in range(max(count, len(tenants))):
        t = tenants[n * 7919 % len(tenants)]
        lines.append(f"/api/v1/documents/{Tenant.document(1 + n * 104729 % t.documents)} {t.header}")
    return lines


def list_paths(tenants, limit=20):
    return [f"/api/v1/documents?limit={limit} {t.header}" for t in tenants]


class Closed:
    """What wrk said."""

    def __init__(self, text, cpu, elsewhere):
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.requests = int(re.search(r"(\d+) requests in", text)[1])
        slow = re.search(r"^\s+99%\s+([\d.]+\w+)$", text, re.M)
        self.p99_ms = millis(slow[1]) if slow else float("nan")  # none was answered
        self.cpu = cpu  # {role: microseconds of processor time a request}, "generator" among them
        self.elsewhere = elsewhere
        self.failed = int((re.search(r"Non-2xx or 3xx responses: (\d+)", text) or [0, 0])[1])
        self.socket_errors = (re.search(r"Socket errors: (.*)", text) or [None, ""])[1]
        self.text = text


def millis(text):
    number, unit = re.match(r"([\d.]+)(\w+)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def wrk(stack, lines, connections, seconds, may_fail=False):
    """Closed loop: as many requests as so many connections get answered."""
    with paths_file(lines) as file, Meter(stack) as meter:
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", file.parent / "rotate.lua", stack.url, "--", file],
                              capture_output=True, text=True)
    if "Requests/sec" not in done.stdout:
        sys.exit(f"wrk failed:\n{done.stdout}{done.stderr}")
    count = int(re.search(r"(\d+) requests in", done.stdout)[1])
    got = Closed(done.stdout, meter.per(count), meter.elsewhere)
    if not may_fail and (got.failed or got.socket_errors):
        sys.exit(f"wrk met errors:\n{done.stdout}")
    return got


def open_loop(stack, lines, rate, connections, seconds, **options):
    """What dms-bench-load said, with `cpu` as wrk() has it."""
    with paths_file(lines) as file, Meter(stack) as meter:
        process = start_load(stack, file, rate, connections, seconds, **options)
        text = process.communicate()[0]
    if process.returncode != 0:
        sys.exit("bench: dms-bench-load failed")
    got = json.loads(text)
    got["cpu"], got["elsewhere"] = meter.per(got["sent"]), meter.elsewhere
    return got


def start_load(stack, file, rate, connections, seconds, **options):
    """The generator under way; its output is JSON."""
    if not LOAD.exists():
        sys.exit(f"bench: {LOAD} is missing: script/build")
    return subprocess.Popen([str(LOAD), "--connect", f"127.0.0.1:{stack.port}", "--paths", str(file), f"--rate={int(rate)}", f"--connections={connections}",
                             f"--seconds={seconds}", *(f"--{k}={v}" for k, v in options.items())], stdout=subprocess.PIPE, text=True)


# --- processor time and memory ------------------------------------------------------------------------------------------------

def seconds_of(pid):
    """Processor time of a process and of its children that have ended: of the postmaster's, pgbench's connections."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def processor(*stacks):
    """Seconds of processor time so far: {api, postgres, other (worker, Redis, supervisor), generator (ended children of this program)}."""
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = {"api": 0.0, "postgres": 0.0, "other": 0.0, "generator": mine.ru_utime + mine.ru_stime}
    for pid in (p for stack in stacks for p in stack.processes()):
        command = _command(pid)
        used["api" if " serve" in command else "postgres" if "postgres" in command else "other"] += seconds_of(pid)
    return used


class Meter:
    """Processor time between the two ends of a with. elsewhere: the share of the machine that others took, who have no part in the measurement."""

    def __init__(self, *stacks):
        self.stacks = stacks

    def __enter__(self):
        self.before, self.machine, self.start = processor(*self.stacks), report.machine_seconds(), time.monotonic()
        return self

    def __exit__(self, *why):
        now = processor(*self.stacks)
        self.used = {role: now[role] - self.before[role] for role in now}
        others = report.machine_seconds() - self.machine - sum(self.used.values())
        self.elsewhere = max(0.0, others / ((time.monotonic() - self.start) * os.cpu_count()))

    def per(self, count):
        """{role: microseconds each}"""
        return {role: seconds / max(count, 1) * 1e6 for role, seconds in self.used.items()}


NOISE = 0.10  # of the machine's processor time: what others may take in a round that counts


def rounds(stacks, turn, pairs, out, noise=None):
    """report.alternate over one installation or several, but a round in which others on the machine took more than NOISE is repeated, `pairs` times in all at most.
    Answers {name: [results]} and says how quiet it was, or leaves that to the caller in `noise`: (shares, how many were repeated)."""
    results, shares, spare = {name: [] for name in turn}, [], pairs
    report.alternate(turn, pairs=1, discard=0)  # warms up
    while len(shares) < pairs:
        with Meter(*(stacks if isinstance(stacks, (list, tuple)) else [stacks])) as meter:
            one = report.alternate(turn, pairs=1, discard=0)
        if meter.elsewhere > NOISE and spare > 0:
            spare -= 1
            out.note(f"others took {meter.elsewhere:.0%} of the machine: once more")
            continue
        shares.append(meter.elsewhere)
        for name, values in one.items():
            results[name] += values
    if noise is None:
        out.say(quietness(shares, pairs - spare))
    else:
        noise[0].extend(shares)
        noise[1] += pairs - spare
    return results


def quietness(shares, repeated=0):
    """Whether to believe a run, in a sentence."""
    return (f"Others on the machine took {report.median(shares):.0%} of its processor time meanwhile (at most {max(shares):.0%})"
            f"{f', {repeated} rounds in which it was more than {NOISE:.0%} were repeated' if repeated else ''}"
            f"{'; such figures say little' if report.median(shares) > NOISE else ''}.")


def memory(pid):
    """MB of a process: resident, of that anonymous, proportional (what is shared divided by its sharers), private."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()

    def field(text, name):
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) / 1024

    return {"resident": field(status, "VmRSS"), "anonymous": field(status, "RssAnon"), "proportional": field(rollup, "Pss"),
            "private": field(rollup, "Private_Clean") + field(rollup, "Private_Dirty")}
