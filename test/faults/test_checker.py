"""The checker is checked: after a run without faults it finds nothing, and it finds each of these damages done by hand."""
import signal
import subprocess
import time
import uuid

import pytest

import checker
import ledger as ledgers
from conftest import Server, wait_for
from load import Load
from provider import Provider

OPERATIONS = 100
MUTANTS = {}


class World:
    """A clean run that may be damaged; what a mutant changes it puts back."""

    def __init__(self, folder):
        self.provider = Provider()
        self.server = Server(env={"DMS_EMBED_PROVIDER": "http", "DMS_EMBED_URL": self.provider.url, "DMS_EMBED_MODEL": "tiny", "DMS_EMBED_DIMS": "8"})
        self.server.start()
        self.ledger = ledgers.Ledger(folder / "ledger.jsonl")
        with Load(self.server, self.ledger, "clean", writers=2, pause=0.02):
            wait_for(lambda: self.ledger.operations >= OPERATIONS, 120, "the load")
        checker.settle(self.server)
        self.db = checker.database(self.server)

    def close(self):
        self.db.close()
        self.server.close()
        self.provider.close()

    def findings(self):
        return checker.check(self.server, self.ledger.path)[0]

    def one(self, sql, *args):
        return self.db.execute(sql, args or None).fetchone()

    def document(self):
        """A live document of one version with more than one passage."""
        return self.one("SELECT * FROM document WHERE status = 'processed' AND trashed_at IS NULL AND version = 1 AND chunk_count > 1 ORDER BY id LIMIT 1")

    def changed(self, sql, *args, back):
        """Does it; the way back is SQL too."""
        self.db.execute("SET session_replication_role = replica")  # without triggers and foreign keys
        self.db.execute(sql, args or None)
        return lambda: self.db.execute(back)

    def kept(self, table, where):
        """Deletes rows; the way back puts them there again."""
        copy = f"kept_{uuid.uuid4().hex}"
        self.db.execute("SET session_replication_role = replica")
        self.db.execute(f"CREATE TEMP TABLE {copy} AS SELECT * FROM {table} WHERE {where}")
        assert self.db.execute(f"DELETE FROM {table} WHERE {where}").rowcount > 0
        return lambda: self.db.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {copy}")

    def blob(self, document=None):
        document = document or self.document()
        return self.server.data / "blobs" / str(document["tenant_id"]) / document["sha256"][:2] / document["sha256"]


def mutant(promise):
    def add(function):
        MUTANTS[function.__name__] = (promise, function)
        return function
    return add


@mutant("INV-3")
def a_blob_is_gone(world):
    path = world.blob()
    aside = world.server.dir / "aside"
    path.rename(aside)
    return lambda: aside.rename(path)


@mutant("INV-1")
def a_byte_of_a_blob_is_another(world):
    path, content = world.blob(), world.blob().read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return lambda: path.write_bytes(content)


@mutant("INV-3")
def a_blob_is_cut_short(world):
    path, content = world.blob(), world.blob().read_bytes()
    path.write_bytes(content[:-1])
    return lambda: path.write_bytes(content)


@mutant("INV-1")
def an_acknowledged_version_is_gone(world):
    return world.kept("document_version", f"document_id = '{world.document()['id']}'")


@mutant("INV-1")
def the_trash_forgot(world):
    row = world.one("SELECT id, trashed_at FROM document WHERE trashed_at IS NOT NULL LIMIT 1")
    return world.changed("UPDATE document SET trashed_at = NULL WHERE id = %s", row["id"],
                         back=f"UPDATE document SET trashed_at = '{row['trashed_at']}' WHERE id = '{row['id']}'")


@mutant("INV-2")
def an_upload_is_there_twice(world):
    new = uuid.uuid4()
    old = world.document()["id"]
    for table, key in (("document", "id"), ("document_version", "document_id")):
        world.db.execute(f"CREATE TEMP TABLE twice AS SELECT * FROM {table} WHERE {key} = '{old}'")
        world.db.execute(f"UPDATE twice SET {key} = '{new}'")
        world.db.execute(f"INSERT INTO {table} SELECT * FROM twice")
        world.db.execute("DROP TABLE twice")
    return lambda: (world.db.execute(f"DELETE FROM document_version WHERE document_id = '{new}'"), world.db.execute(f"DELETE FROM document WHERE id = '{new}'"))


@mutant("INV-4")
def a_passage_is_there_twice(world):
    new = uuid.uuid4()
    world.db.execute("CREATE TEMP TABLE twice AS SELECT * FROM chunk WHERE document_id = %s ORDER BY ordinal LIMIT 1", [world.document()["id"]])
    world.db.execute("UPDATE twice SET id = %s, ordinal = 9999", [new])
    return world.changed("INSERT INTO chunk SELECT * FROM twice", back=f"DELETE FROM chunk WHERE id = '{new}'; DROP TABLE twice")


@mutant("INV-4")
def a_passage_is_missing(world):
    return world.kept("chunk", f"document_id = '{world.document()['id']}' AND ordinal = (SELECT min(ordinal) FROM chunk WHERE document_id = '{world.document()['id']}')")


@mutant("INV-4")
def a_task_was_done_twice(world):
    return world.changed("INSERT INTO job_event (tenant_id, document_id, version, step) SELECT tenant_id, id, version, 'done' FROM document WHERE id = %s",
                         world.document()["id"], back="DELETE FROM job_event WHERE id = (SELECT max(id) FROM job_event)")


@mutant("INV-5")
def a_job_runs_for_ever(world):
    job = world.one("SELECT id FROM job LIMIT 1")["id"]
    return world.changed("UPDATE job SET state = 'running', lease_until = now() + interval '1 hour' WHERE id = %s", job,
                         back=f"UPDATE job SET state = 'succeeded', lease_until = NULL WHERE id = '{job}'")


@mutant("INV-5")
def a_job_was_lost(world):
    return world.kept("job", f"document_id = '{world.document()['id']}'")


@mutant("INV-5")
def a_document_failed_without_a_cause(world):
    document = world.document()["id"]
    return world.changed("UPDATE document SET status = 'error' WHERE id = %s", document, back=f"UPDATE document SET status = 'processed' WHERE id = '{document}'")


@mutant("INV-6")
def a_version_is_skipped(world):
    document = world.document()["id"]
    return world.changed("UPDATE document SET version = 3 WHERE id = %s", document, back=f"UPDATE document SET version = 1 WHERE id = '{document}'")


@mutant("INV-7")
def an_audit_row_is_missing(world):
    return world.kept("audit", f"action = 'document.create' AND object_id = '{world.document()['id']}'")


@mutant("INV-7")
def an_audit_row_is_invented(world):
    new = uuid.uuid4()
    return world.changed("INSERT INTO audit (tenant_id, id, actor_type, action, object_type, object_id) "
                         "SELECT tenant_id, %s, 'user', 'document.trash', 'document', id FROM document WHERE id = %s", new, world.document()["id"],
                         back=f"DELETE FROM audit WHERE id = '{new}'")


@mutant("INV-12")
def the_usage_is_off_by_one_byte(world):
    tenant = world.document()["tenant_id"]
    return world.changed("UPDATE usage SET bytes = bytes + 1 WHERE tenant_id = %s", tenant, back=f"UPDATE usage SET bytes = bytes - 1 WHERE tenant_id = '{tenant}'")


@mutant("INV-14")
def a_temporary_file_stays(world):
    path = world.server.data / "blobs/tmp/half"
    path.write_bytes(b"half")
    return path.unlink


@mutant("INV-14")
def a_stranger_works_in_the_data_folder(world):
    process = subprocess.Popen(["tail", "-f", str(world.server.data / "log/api.log")], stdout=subprocess.DEVNULL)

    def back():
        process.send_signal(signal.SIGKILL)
        process.wait()
    return back


@mutant("INV-14")
def a_transaction_is_left_open(world):
    other = checker.database(world.server)
    other.autocommit = False
    other.execute("SELECT 1")
    time.sleep(2.5)
    return other.close


@mutant("INV-16")
def a_passage_is_not_found(world):
    return world.kept("kw.doc", f"chunk_id IN (SELECT id FROM chunk WHERE document_id = '{world.document()['id']}')")


@mutant("INV-16")
def an_old_version_is_found(world):
    """The passages of a document that has a newer version, as if it had none of its own."""
    row = world.one("SELECT d.id, v.text FROM document d JOIN document_version v ON v.document_id = d.id AND v.version = 1 "
                    "WHERE d.version > 1 AND d.status = 'processed' AND d.trashed_at IS NULL AND d.chunk_count > 0 AND length(v.text) > 100 LIMIT 1")
    chunk = world.one("SELECT id, text FROM chunk WHERE document_id = %s ORDER BY ordinal LIMIT 1", row["id"])
    text = "SET session_replication_role = origin; UPDATE chunk SET text = '{0}', tsv = chunk_tsv('', '', '{0}') WHERE id = '{1}'"
    quoted = (row["text"] + " " + chunk["text"]).replace("'", "''").replace("\f", " ")
    world.db.execute(text.format(quoted, chunk["id"]))
    return lambda: world.db.execute(text.format(chunk["text"].replace("'", "''"), chunk["id"]))


@mutant("INV-11")
def rows_of_two_organizations_are_swapped(world):
    """A passage with a word of each of the other organization's documents, as if its rows had come along."""
    mine = world.document()
    words = " ".join(o["file"]["word"] for o in ledgers.read(world.ledger.path)[0].values() if o["do"] != "trash" and o["tenant"] != str(mine["tenant_id"]))
    chunk = world.one("SELECT id, text FROM chunk WHERE document_id = %s ORDER BY ordinal LIMIT 1", mine["id"])
    world.db.execute("SET session_replication_role = origin")
    change = "UPDATE chunk SET text = %s, tsv = chunk_tsv('', '', %s) WHERE id = %s"
    world.db.execute(change, [f"{chunk['text']} {words}"] * 2 + [chunk["id"]])
    return lambda: world.db.execute(change, [chunk["text"]] * 2 + [chunk["id"]])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("clean"))
    yield world
    world.close()


def test_a_clean_run_has_no_findings(world):
    assert world.findings() == []


@pytest.mark.parametrize("name", MUTANTS)
def test_each_damage_is_found(world, name):
    promise, damage = MUTANTS[name]
    undo = damage(world)
    try:
        found = world.findings()
    finally:
        undo()
    assert promise in {f.promise for f in found}, found


def test_after_all_damages_were_mended_it_is_clean_again(world):
    """Otherwise a finding above might have come from the mutant before."""
    assert world.findings() == []


def test_an_outcome_that_nobody_knows_is_repeated_and_found_out(world):
    """Both cases: it had happened; it had not."""
    done = next((n, o) for n, o in ledgers.read(world.ledger.path)[0].items() if o["do"] == "create" and o["outcome"] == ledgers.OK)
    fields = {k: done[1][k] for k in ("do", "tenant", "document", "key", "file")}
    world.ledger.write(ledgers.UNKNOWN, operation=done[0], status=None)
    new = world.ledger.operation()
    world.ledger.write(ledgers.INVOKE, operation=new, **{**fields, "key": "never seen", "file": {**fields["file"], "name": f"{new}.{fields['file']['name'].rsplit('.', 1)[1]}"}})
    assert world.findings(), "an operation without an outcome must be found"
    assert checker.repeat_unknown(world.server, world.ledger) == []
    operations = ledgers.read(world.ledger.path)[0]
    assert operations[done[0]]["answer"]["replay"] == "true" and operations[done[0]]["answer"]["id"] == done[1]["answer"]["id"]
    assert operations[new]["outcome"] == ledgers.OK and not operations[new]["answer"]["replay"]


def test_an_upload_that_is_done_twice_is_found_when_it_is_repeated(world):
    """As if the server kept no keys."""
    number, operation = next((n, o) for n, o in ledgers.read(world.ledger.path)[0].items() if o["do"] == "create" and o["outcome"] == ledgers.OK)
    world.db.execute("DELETE FROM idempotency WHERE key = %s", [operation["key"]])
    world.ledger.write(ledgers.UNKNOWN, operation=number, status=None)
    assert [f.promise for f in checker.repeat_unknown(world.server, world.ledger)] == ["INV-2"]
