"""The audit log in the database: who may write, numbers and hashes by the sealer, long transactions, sealers and writers at once."""

import hashlib
import json
import threading
import uuid

import psycopg
import pytest
from pg import ROOT, cluster, statement, tenant, Tenant  # noqa: F401

GENESIS = bytes(32)


def act(db, tenant_id, action="thing.do", **more):
    columns = {"tenant_id": tenant_id, "id": str(uuid.uuid4()), "actor_type": "system", "action": action, "object_type": "thing", **more}
    db.execute(f"INSERT INTO dms.audit ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})", list(columns.values()))
    return columns["id"]


def scoped(cluster, tenant_id, **options):
    db = cluster.connect("dms_app", **options)
    db.execute("SELECT set_config('app.tenant_id', %s, false)", (tenant_id,))
    return db


def seal(cluster, limit=100000):
    with cluster.connect("dms_app") as db:
        return db.execute("SELECT dms.audit_seal(%s)", (limit,)).fetchone()[0]


def chain(tenant):
    return tenant.all("SELECT seq, audit_id::text, hash FROM dms.audit_chain WHERE tenant_id = %s ORDER BY seq", tenant.id)


def record(tenant, seq, audit_id):
    """The canonical record as docs/audit.md describes it, made here of the columns."""
    row = tenant.db.execute(
        "SELECT id::text, tenant_id::text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor_type, actor_id::text, acting_for::text, action, outcome,"
        " object_type, object_id::text, ip, request_id, before::text, after::text FROM dms.audit WHERE tenant_id = %s AND id = %s", (tenant.id, audit_id)).fetchone()
    id_, tenant_id, at, kind, actor, acting_for, action, outcome, thing, object_id, ip, request_id, before, after = row

    def text(v):
        return json.dumps(v, separators=(", ", " : "), ensure_ascii=False)
    members = [("v", "1"), ("seq", str(seq)), ("id", text(id_)), ("tenant_id", text(tenant_id)), ("at", text(at)),
               ("actor", text({"type": kind, "id": actor, "acting_for": acting_for})), ("action", text(action)), ("outcome", text(outcome)),
               ("object", text({"type": thing, "id": object_id})), ("ip", text(ip)), ("request_id", text(request_id)), ("before", before or "null"), ("after", after or "null")]
    return "{" + ", ".join(f'"{k}" : {v}' for k, v in members) + "}"


def check(tenant):
    """Numbers without a gap, and each hash as it must be; how many there are."""
    links, before = chain(tenant), GENESIS
    for n, (seq, audit_id, hash_) in enumerate(links, 1):
        assert seq == n
        assert hash_ == hashlib.sha256(before + record(tenant, seq, audit_id).encode()).digest(), (seq, record(tenant, seq, audit_id))
        before = hash_
    return len(links)


@pytest.fixture(autouse=True)
def nothing_waits(cluster):
    """What other tests of the cluster have left."""
    seal(cluster)


FORBIDDEN = [f"{verb} dms.{table}{rest}" for table in ("audit", "audit_chain", "audit_open", "audit_checkpoint")
             for verb, rest in (("UPDATE", " SET tenant_id = tenant_id"), ("DELETE FROM", ""), ("TRUNCATE", ""))]
FORBIDDEN += ["INSERT INTO dms.audit_chain VALUES (%(t)s, 1, %(t)s, sha256(''), now())", "INSERT INTO dms.audit_open VALUES (%(t)s, %(t)s, now())",
              "ALTER TABLE dms.audit DISABLE TRIGGER audit_opened", "SELECT dms.audit_opened()", "SET session_replication_role = replica"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_the_application_can_only_add_to_the_audit_log(tenant, text):
    act(tenant.db, tenant.id)
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
        tenant.db.execute(text, {"t": tenant.id} if "%(" in text else None)


def test_nobody_writes_into_another_tenants_log_or_sees_its_chain(cluster, tenant):
    other = Tenant(cluster, f"t{uuid.uuid4().hex[:8]}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        act(tenant.db, other.id)
    act(other.db, other.id)
    seal(cluster)
    act(other.db, other.id)
    other.db.execute("INSERT INTO dms.audit_checkpoint VALUES (%s, 1, sha256(''), now(), 'kid', sha512(''))", (other.id,))
    for table in ("audit", "audit_chain", "audit_open", "audit_checkpoint"):
        assert other.one(f"SELECT count(*) FROM dms.{table}") > 0, table
        assert tenant.one(f"SELECT count(*) FROM dms.{table} WHERE tenant_id = %s", other.id) == 0, table
    other.db.close()


def test_rows_get_their_numbers_and_hashes(cluster, tenant):
    for i in range(20):
        act(tenant.db, tenant.id, before='{"b": 1, "a": [1.10, "\\u00e9\\"\\\\ \\n"]}' if i % 2 else None, after='{"n": 1e3}', ip="::1", request_id="r",
            actor_id=str(uuid.uuid4()), object_id=str(uuid.uuid4()), outcome="refused" if i % 3 else "done")
    act(tenant.db, tenant.id, object_type='quote " back \\ tab \t bell \x07 é 漢')
    assert seal(cluster) == 21 and check(tenant) == 21
    assert seal(cluster) == 0
    act(tenant.db, tenant.id)
    seal(cluster)
    assert check(tenant) == 22
    assert tenant.one("SELECT count(*) FROM dms.audit_open") == 0


def test_a_limit_is_kept_and_the_rest_comes_next(cluster, tenant):
    for _ in range(7):
        act(tenant.db, tenant.id)
    assert [seal(cluster, 3) for _ in range(4)] == [3, 3, 1, 0]
    assert check(tenant) == 7


def test_a_row_of_a_long_transaction_is_sealed_when_it_comes(cluster, tenant):
    with scoped(cluster, tenant.id) as late:
        with late.transaction():
            first = act(late, tenant.id, "thing.late")
            second = act(tenant.db, tenant.id, "thing.early")
            assert seal(cluster) == 1 and [c[1] for c in chain(tenant)] == [second]
        assert seal(cluster) == 1
    assert [c[1] for c in chain(tenant)] == [second, first] and check(tenant) == 2


def test_what_was_rolled_back_leaves_nothing(cluster, tenant):
    with tenant.db.transaction(force_rollback=True):
        act(tenant.db, tenant.id)
    assert seal(cluster) == 0 and chain(tenant) == [] and tenant.one("SELECT count(*) FROM dms.audit_open") == 0


def test_writers_wait_neither_for_the_sealer_nor_for_one_another(cluster, tenant):
    act(tenant.db, tenant.id)
    with cluster.connect("dms_app") as sealer, scoped(cluster, tenant.id) as one, scoped(cluster, tenant.id) as two:
        for db in (one, two):
            db.execute("SET lock_timeout = '2s'")
        with sealer.transaction(), one.transaction(), two.transaction():
            assert sealer.execute("SELECT dms.audit_seal(10)").fetchone()[0] == 1
            act(one, tenant.id)
            act(two, tenant.id)
            assert seal(cluster) == 0, "a second sealer has nothing to do"
    seal(cluster)
    assert check(tenant) == 3


def test_sealers_and_writers_at_once_leave_one_whole_chain(cluster, tenant):
    writers, each, stop, failures = 4, 150, threading.Event(), []

    def guarded(fn):
        def run():
            try:
                fn()
            except Exception as e:  # told to the test below
                failures.append(e)
        return threading.Thread(target=run)

    def write():
        with scoped(cluster, tenant.id) as db:
            for _ in range(each):
                act(db, tenant.id)

    def keep_sealing():
        while not stop.is_set():
            seal(cluster, 17)
    sealing, writing = [guarded(keep_sealing) for _ in range(3)], [guarded(write) for _ in range(writers)]
    [t.start() for t in sealing + writing]
    [t.join() for t in writing]
    stop.set()
    [t.join() for t in sealing]
    seal(cluster)
    assert not failures and check(tenant) == writers * each


def test_heads_are_due_for_a_signature_when_there_is_news(cluster, tenant):
    def due(age):
        with cluster.connect("dms_app") as db:
            rows = db.execute("SELECT tenant_id::text, seq, hash FROM dms.audit_checkpoint_due(make_interval(secs => %s), 1000)", (age,)).fetchall()
        return [r[1:] for r in rows if r[0] == tenant.id]

    assert due(0) == []
    act(tenant.db, tenant.id)
    assert due(0) == [], "not sealed yet"
    seal(cluster)
    head = chain(tenant)[-1]
    assert due(3600) == [(head[0], head[2])]
    tenant.db.execute("INSERT INTO dms.audit_checkpoint VALUES (%s, %s, %s, now(), 'kid', sha512(''))", (tenant.id, head[0], head[2]))
    assert due(0) == [], "no news"
    act(tenant.db, tenant.id)
    seal(cluster)
    assert due(3600) == [] and len(due(0)) == 1, "not before its time"


def audit_add(tenant, before, after):
    """The statement of the product; its row's before and after."""
    id_ = str(uuid.uuid4())
    text = statement("audit_add")
    with psycopg.RawCursor(tenant.db) as cursor:
        cursor.execute(text, (id_, "system", None, None, "thing.do", "done", "thing", None, None, None, before, after))
    return tenant.db.execute("SELECT before, after FROM dms.audit WHERE id = %s", (id_,)).fetchone()


def test_only_what_differs_is_kept_of_a_change(tenant):
    assert audit_add(tenant, '{"a": 1, "b": {"c": 2}, "d": null}', '{"a": 1, "b": {"c": 3}, "d": null, "e": 5}') == ({"b": {"c": 2}}, {"b": {"c": 3}, "e": 5})
    assert audit_add(tenant, '{"a": 1}', '{"a": 1}') == (None, None)
    assert audit_add(tenant, None, '{"a": 1}') == (None, {"a": 1})
    assert audit_add(tenant, '{"a": 1}', None) == ({"a": 1}, None)
    assert audit_add(tenant, None, None) == (None, None)


def test_what_is_long_is_told_by_its_digest(tenant):
    kept = {"a": "x" * 16300}
    assert audit_add(tenant, None, json.dumps(kept)) == (None, kept)
    long = json.dumps({"a": "x" * 20000})
    assert audit_add(tenant, None, long) == (None, {"bytes": len(long), "sha256": hashlib.sha256(long.encode()).hexdigest()})
    before, after = audit_add(tenant, json.dumps({"a": "x" * 20000, "b": 1}), json.dumps({"a": "x" * 20000, "b": 2}))
    assert (before, after) == ({"b": 1}, {"b": 2}), "what stayed does not count"


def test_the_way_back_and_forth_keeps_the_rows_and_seals_them_anew(cluster):
    from pg import Cluster
    own = Cluster()
    try:
        t = Tenant(own, "back")
        act(t.db, t.id)
        seal(own)
        down, up = (ROOT / f"migrations/0010_audit.{d}.sql" for d in ("down", "up"))
        own.script("dms_owner", down)
        t.db.execute("INSERT INTO dms.audit (tenant_id, id, actor_type, action, object_type) VALUES (%s, gen_random_uuid(), 'system', 'a.b', 'x')", (t.id,))
        own.script("dms_owner", up)
        assert t.one("SELECT count(*) FROM dms.audit_open") == 2
        assert seal(own) == 2 and check(t) == 2
        t.db.close()
    finally:
        own.stop()
