"""Compares the ledger with the API, the database and the disk, and says which promise was broken.

The promises have the numbers of docs/durability.md. check() only looks; settle() waits and repeat_unknown() asks again, before it.
"""
import collections
import dataclasses
import hashlib
import os
import pathlib
import time

import psycopg
from psycopg.rows import dict_row

import documents
import ledger as ledgers
import load
import parts
from conftest import wait_for

SETTLE_SECONDS = 180
ACTIONS = {"create": "document.create", "version": "document.version", "trash": "document.trash"}


@dataclasses.dataclass(frozen=True)
class Finding:
    promise: str
    what: str

    def __str__(self):
        return f"{self.promise}: {self.what}"


def database(server):
    """A connection that sees everything; a row is a dict."""
    return server.database(row_factory=dict_row)


def rows(db, sql, *args):
    return db.execute(sql, args or None).fetchall()


def number(db, sql, *args):
    return next(iter(db.execute(sql, args).fetchone().values()))


# --- before the check ---


def is_ready(server):
    try:
        with server.http(timeout=5) as http:
            return http.get("/health/ready").status_code == 200
    except Exception as e:
        if type(e).__module__.startswith("http"):
            return False
        raise


OPEN = """SELECT (SELECT count(*) FROM job WHERE state IN ('queued', 'running'))
               + (SELECT count(*) FROM document WHERE status NOT IN ('processed', 'error', 'deleted')) AS n"""


def settle(server, seconds=SETTLE_SECONDS):
    """Until everything answers and nothing waits. Whoever does not get there is found by check()."""
    wait_for(lambda: is_ready(server), 60, "the API to be ready")
    until = time.monotonic() + seconds
    with database(server) as db:
        while number(db, OPEN) > 0 and time.monotonic() < until:
            time.sleep(0.1)
        while number(db, "SELECT count(*) FROM kw.delta") > 0 and time.monotonic() < until:
            time.sleep(0.1)


def effects(db, operation):
    """[(document, version)] of what an operation has done."""
    if operation["do"] == "create":
        return [(str(r["id"]), 1) for r in rows(db, "SELECT d.id FROM document_version v JOIN document d ON d.id = v.document_id "
                                                    "WHERE v.version = 1 AND v.name = %s AND d.tenant_id = %s",
                                                operation["file"]["name"], operation["tenant"])]
    if operation["do"] == "version":
        return [(operation["document"], r["version"]) for r in rows(db, "SELECT version FROM document_version WHERE document_id = %s AND name = %s",
                                                                     operation["document"], operation["file"]["name"])]
    return [(operation["document"], None) for _ in rows(db, "SELECT FROM document WHERE id = %s AND trashed_at IS NOT NULL", operation["document"])]


def repeat_unknown(server, ledger):
    """Asks once more, with the same key, for all whose outcome nobody knows: one effect in the end, the first if there was one."""
    operations, others = ledgers.read(ledger.path)
    findings = []
    tenants = {t["id"]: load.Tenant(t["id"], t["headers"]) for t in others if t["step"] == "tenant"}
    clients = {t: tenant.client(server) for t, tenant in tenants.items()}
    with database(server) as db:
        for n, operation in operations.items():
            if operation["outcome"] != ledgers.UNKNOWN:
                continue
            before = effects(db, operation)
            ledger.write(ledgers.INVOKE, operation=n, **{k: operation[k] for k in ("do", "tenant", "document", "key", "file") if k in operation})
            answer = load.send(clients[operation["tenant"]], operation)
            load.note(ledger, n, answer)
            after = effects(db, operation)
            replayed = answer.headers.get("Idempotent-Replay") == "true"
            wrong = (not answer.is_success or len(after) != 1 or len(before) > 1 or before not in ([], after) or replayed != bool(before)
                     or operation["do"] != "trash" and answer.json()["id"] != after[0][0])
            if wrong:
                findings.append(Finding("INV-2", f"operation {n} ({operation['do']}) without an answer, repeated with its key: {answer.status_code} "
                                                 f"(replay {replayed}), done before {before}, after {after}"))
    for client in clients.values():
        client.close()
    return findings


# --- the check ---


class Check:
    """One pass over everything; the methods named by the promises fill `findings`."""

    def __init__(self, server, ledger_path):
        self.server = server
        self.operations, self.others = ledgers.read(ledger_path)
        self.findings = []
        self.counts = collections.Counter()
        self.clients = {t["id"]: load.Tenant(t["id"], t["headers"]).client(server) for t in self.others if t["step"] == "tenant"}

    def find(self, promise, what):
        self.findings.append(Finding(promise, what))

    def run(self):
        with database(self.server) as db:
            self.read_state(db)
            for look in (self.answers, self.acknowledged, self.unknown, self.bytes_of_rows, self.passages, self.jobs, self.audit, self.usage,
                         self.search, self.host, self.files):
                look(db)
            self.sessions(db)
            self.indexes(db)
        for client in self.clients.values():
            client.close()
        return self.findings

    def read_state(self, db):
        self.documents = {str(r["id"]): r for r in rows(db, "SELECT * FROM document WHERE tenant_id = ANY (%s::uuid[])", list(self.clients))}
        self.versions = collections.defaultdict(dict)
        for r in rows(db, "SELECT document_id, version, name, size, sha256, text FROM document_version WHERE tenant_id = ANY (%s::uuid[])",
                      list(self.clients)):
            self.versions[str(r["document_id"])][r["version"]] = r
        self.done = [o for o in self.operations.values() if o["outcome"] == ledgers.OK]
        self.counts.update(operations=len(self.operations), acknowledged=len(self.done),
                           tries=sum(o["tries"] for o in self.operations.values()), documents=len(self.documents),
                           versions=sum(map(len, self.versions.values())))

    def answers(self, db):
        """INV-8, INV-9, INV-17: nothing but 2xx, or 503 that says when to come again."""
        for n, o in self.operations.items():
            answer = o.get("answer", {})
            if o["outcome"] == ledgers.REFUSED:
                self.find("INV-9", f"operation {n} ({o['do']}) was refused: {answer['status']} {answer['detail']}")
            if answer.get("status") == 503 and not answer.get("retry_after"):
                self.find("INV-8", f"operation {n}: 503 without Retry-After")
        for line in self.others:
            if line["step"] == "misread":
                self.find("INV-17", f"a client did not see its own write: {line}")

    def acknowledged(self, db):
        """INV-1: what was acknowledged is there, byte for byte, over the API."""
        for o in self.done:
            if o["do"] == "trash":
                found = self.documents.get(o["document"])
                if not found or not found["trashed_at"]:
                    self.find("INV-1", f"document {o['document']} was put into the trash and is not there")
                continue
            document, version, file = o["answer"]["id"], o["answer"]["version"], documents.File(**o["file"])
            row = self.versions[document].get(version)
            if not row or row["sha256"] != file.sha256 or row["name"] != file.name:
                self.find("INV-1", f"version {version} of {document} ({file.name}) was acknowledged and is not in the database")
                continue
            answer = self.clients[o["tenant"]].get(f"/documents/{document}/content", params={"version": version})
            if answer.status_code != 200 or hashlib.sha256(answer.content).hexdigest() != file.sha256:
                self.find("INV-1", f"version {version} of {document} ({file.name}) was acknowledged; its content is answered with "
                                   f"{answer.status_code} and {len(answer.content)} of {len(file.content)} bytes")

    def unknown(self, db):
        """INV-2: every operation has one effect; nothing is there that nobody asked for."""
        asked = {}
        for n, o in self.operations.items():
            if o["outcome"] == ledgers.UNKNOWN:
                self.find("INV-2", f"operation {n} ({o['do']}) never had an answer")
            if o["do"] != "trash":
                asked[o["tenant"], o["file"]["name"]] = n
        seen = collections.Counter()
        for document, versions in self.versions.items():
            for row in versions.values():
                seen[str(self.documents[document]["tenant_id"]), row["name"]] += 1
        for key, times in seen.items():
            if key not in asked:
                self.find("INV-2", f"nobody has uploaded {key}")
            elif times > 1:
                self.find("INV-2", f"operation {asked[key]} has {times} effects")
        for document, row in self.documents.items():
            if sorted(self.versions[document]) != list(range(1, row["version"] + 1)):
                self.find("INV-6", f"document {document} is of version {row['version']} and has the versions {sorted(self.versions[document])}")

    def bytes_of_rows(self, db):
        """INV-3: every row that names bytes has them, whole; every file is what its name says."""
        folder = self.server.data / "blobs"
        named = {(str(r["tenant_id"]), r["sha256"]): r["size"] for r in rows(db, "SELECT tenant_id, sha256, size FROM blob")}
        there = {}
        for path in folder.glob("*-*/??/*"):
            content = path.read_bytes()
            there[path.parts[-3], path.name] = len(content)
            if hashlib.sha256(content).hexdigest() != path.name:
                self.find("INV-3", f"{path.relative_to(folder)} holds other bytes than its name says")
        for key, size in named.items():
            if there.get(key) != size:
                self.find("INV-3", f"a row names {'/'.join(key)} of {size} bytes; on the disk are {there.get(key)}")
        dangling = number(db, "SELECT count(*) FROM document_version v WHERE NOT EXISTS (SELECT FROM blob b WHERE b.tenant_id = v.tenant_id AND b.sha256 = v.sha256)")
        if dangling:
            self.find("INV-3", f"{dangling} versions name no blob")
        self.counts.update(blobs=len(there), orphan_blobs=len(there.keys() - named.keys()), bytes=sum(there.values()))

    def passages(self, db):
        """INV-4: the passages of a document are there once, of the current version, as many as it says, each with its vector."""
        embeds = self.server.env.get("DMS_EMBED_PROVIDER") != "none"
        for r in rows(db, """SELECT d.id, d.version, d.chunk_count, count(c.id) AS n, count(DISTINCT c.text) AS texts, count(DISTINCT c.ordinal) AS ordinals,
                                    coalesce(max(c.ordinal) - min(c.ordinal) + 1, 0) AS span, count(*) FILTER (WHERE c.version <> d.version) AS old,
                                    count(e.chunk_id) AS vectors
                             FROM document d LEFT JOIN chunk c ON c.tenant_id = d.tenant_id AND c.document_id = d.id
                             LEFT JOIN embedding e ON e.tenant_id = c.tenant_id AND e.chunk_id = c.id
                             WHERE d.status = 'processed' GROUP BY d.tenant_id, d.id"""):
            if not r["n"] == r["chunk_count"] == r["texts"] == r["ordinals"] == r["span"] or r["old"] or r["vectors"] != (r["n"] if embeds else 0):
                self.find("INV-4", f"the passages of {r['id']}: {r}")
            self.counts["passages"] += r["n"]
        for r in rows(db, """SELECT document_id, version, count(*) AS n FROM job_event WHERE step = 'done'
                             GROUP BY 1, 2 HAVING count(*) > 1"""):
            self.find("INV-4", f"version {r['version']} of {r['document_id']} was done {r['n']} times")

    def jobs(self, db):
        """INV-5: nothing waits or runs for ever; every failure has its cause; all that can be read was read."""
        for r in rows(db, "SELECT id, kind, state, attempts, error, document_id FROM job WHERE state NOT IN ('succeeded', 'cancelled')"):
            if r["state"] != "failed" or not (r["error"] or {}).get("code"):
                self.find("INV-5", f"job {r['id']} ({r['kind']} of {r['document_id']}) is {r['state']} after {r['attempts']} tries: {r['error']}")
        idle = rows(db, """SELECT document_id, version FROM document_version v WHERE NOT EXISTS
                           (SELECT FROM job j WHERE j.document_id = v.document_id AND j.version = v.version AND j.kind = 'document.process')""")
        for r in idle:
            self.find("INV-5", f"version {r['version']} of {r['document_id']} never had a job")
        files = {o["file"]["name"]: documents.File(**o["file"]) for o in self.operations.values() if o["do"] != "trash"}
        for document, row in self.documents.items():
            file = files.get(row["name"])
            wanted = "processed" if not file or file.whole else "error"
            cause = (row["processing_error"] or {}).get("code")
            if row["status"] != wanted or (wanted == "error") != (cause == "damaged"):
                self.find("INV-5", f"document {document} ({row['name']}) is {row['status']} ({row['processing_error']}), not {wanted}")
            self.counts[row["status"]] += 1

    def audit(self, db):
        """INV-7: a row for each change, and no row without one."""
        audited = collections.Counter({(r["action"], str(r["object_id"])): r["n"] for r in rows(
            db, "SELECT action, object_id, count(*) AS n FROM audit WHERE object_type = 'document' GROUP BY 1, 2")})
        wanted = collections.Counter()
        for document, row in self.documents.items():
            wanted["document.create", document] = 1
            wanted["document.version", document] = row["version"] - 1
            wanted["document.trash", document] = 1 if row["trashed_at"] else 0
        for key in wanted | audited:
            if audited[key] != wanted[key]:
                self.find("INV-7", f"{wanted[key]} times {key[0]} of {key[1]}, with {audited[key]} audit rows")
        acknowledged = collections.Counter((ACTIONS[o["do"]], o["document"] or o["answer"]["id"]) for o in self.done)
        for key, times in acknowledged.items():
            if audited[key] < times:
                self.find("INV-7", f"{times} times {key[0]} of {key[1]} were acknowledged, with {audited[key]} audit rows")

    def usage(self, db):
        """INV-12: what the plan is measured by is the sum of the rows."""
        for r in rows(db, """SELECT u.tenant_id, u.documents, u.bytes, (SELECT count(*) FROM document d WHERE d.tenant_id = u.tenant_id) AS really,
                                    (SELECT coalesce(sum(v.size), 0) FROM document_version v WHERE v.tenant_id = u.tenant_id) AS really_bytes FROM usage u"""):
            if r["documents"] != r["really"] or r["bytes"] != r["really_bytes"]:
                self.find("INV-12", f"usage of {r['tenant_id']}: {r['documents']} documents and {r['bytes']} bytes; "
                                    f"there are {r['really']} and {r['really_bytes']}")

    def search(self, db):
        """INV-16: each current version is found by its word, no older one, nothing in the trash; INV-11: nobody finds another's."""
        tenants = list(self.clients)
        for o in self.done:
            if o["do"] == "trash" or not documents.File(**o["file"]).has_word:
                continue
            document, file = o["answer"]["id"], o["file"]
            row = self.documents.get(document)
            shown = row and not row["trashed_at"] and row["version"] == o["answer"]["version"]
            found = self.found(o["tenant"], file["word"])
            if found != ([document] if shown else []):
                self.find("INV-16", f"the word of {file['name']} (version {o['answer']['version']} of {document}, current {row and row['version']}, "
                                    f"trashed {bool(row and row['trashed_at'])}) finds {found}")
            for other in tenants:
                if other != o["tenant"] and o["operation"] % 10 == 0 and self.found(other, file["word"]):
                    self.find("INV-11", f"the word of {file['name']} is found by another organization")

    def found(self, tenant, word):
        answer = self.clients[tenant].post("/search", json={"query": word, "mode": "keyword", "limit": 5})
        assert answer.status_code == 200, answer.text
        return sorted({item["document_id"] for item in answer.json()["items"]})

    def host(self, db):
        """INV-14: no orphan, no zombie, no dms-extract without a job."""
        ours = self.server.processes()
        for pid in ours:
            now = parts.stat(pid)
            if not now:
                continue
            part = parts.part_of(self.server, pid, now[0])
            if now[1] == "Z" and parts.stat(pid) == now and self.stays_zombie(pid):
                self.find("INV-14", f"process {pid} is a zombie")
            elif part in (None, "extract") and now[1] != "Z" and parts.stat(pid):
                self.find("INV-14", f"process {pid} has no part here: {' '.join(parts.words(pid))}")
            elif part == "backend" and now[0] not in parts.pids(self.server, "postgres"):
                self.find("INV-14", f"process {pid} is an orphan: {' '.join(parts.words(pid))}")
        for part, pids in parts.find(self.server).items():
            if part in ("api", "worker", "redis", "postgres", "supervisor") and len(pids) != 1:
                self.find("INV-14", f"{len(pids)} processes are {part}")

    @staticmethod
    def stays_zombie(pid):
        time.sleep(0.5)
        now = parts.stat(pid)
        return bool(now) and now[1] == "Z"

    def files(self, db):
        """INV-14: no file that was only on its way."""
        data = self.server.data
        left = [*(data / "blobs/tmp").iterdir(), *data.glob("*.new"), *data.glob("[!p]*/**/*.new"), *data.glob("pg/base/pgsql_tmp/*")]
        for path in left:
            self.find("INV-14", f"{path.relative_to(data)} was left behind")

    def sessions(self, db):
        """INV-14: no transaction, no lock and no session that nobody will end."""
        def hanging():
            return rows(db, """SELECT pid, state, query, now() - state_change AS since FROM pg_stat_activity
                               WHERE state ~ '^idle in transaction' AND state_change < now() - interval '2 seconds'""") \
                + rows(db, "SELECT gid FROM pg_prepared_xacts") \
                + rows(db, "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                           "WHERE l.locktype = 'advisory' AND a.query_start < now() - interval '5 seconds'")
        for r in hanging():
            self.find("INV-14", f"left in PostgreSQL: {r}")

    def indexes(self, db):
        """INV-3: the database itself is whole: every B-tree and every table by PostgreSQL's own checker."""
        db.execute("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA ext")
        try:
            for r in rows(db, """SELECT c.oid::regclass::text AS name, c.relkind, am.amname FROM pg_class c JOIN pg_am am ON am.oid = c.relam
                                 WHERE c.relnamespace IN ('dms'::regnamespace, 'kw'::regnamespace) AND c.relkind IN ('r', 'i')"""):
                try:
                    if r["amname"] == "btree":
                        db.execute("SELECT ext.bt_index_check(%s::regclass, true)", [r["name"]])
                    elif r["relkind"] == "r":
                        damaged = rows(db, "SELECT msg FROM ext.verify_heapam(%s::regclass)", r["name"])
                        assert not damaged, damaged
                except (psycopg.Error, AssertionError) as e:
                    self.find("INV-3", f"{r['name']} is damaged: {e}")
        finally:
            db.execute("DROP EXTENSION amcheck")


def check(server, ledger_path):
    """([findings], {what: how many})."""
    one = Check(server, ledger_path)
    return one.run(), one.counts
