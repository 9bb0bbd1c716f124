"""Deleting an organization: every table with a tenant lets the owner do so, bounded and without touching another tenant."""
import uuid

import psycopg
import pytest

from pg import Cluster


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    yield c
    c.stop()


def tenant(c, name, due):
    """An organization with a few rows, one folder in the other."""
    t, person = str(uuid.uuid4()), str(uuid.uuid4())
    c.execute("INSERT INTO tenant (tenant_id, name, plan, deletes_at) VALUES (%s, %s, 'unlimited', %s)", (t, name, due))
    c.execute("INSERT INTO usage (tenant_id) VALUES (%s)", (t,))
    c.execute("INSERT INTO person (id, email, name, password_hash) VALUES (%s, %s, 'P', 'x')", (person, f"{person}@example.test"))
    c.execute("INSERT INTO membership (tenant_id, user_id, name, email, role) VALUES (%s, %s, 'P', 'p@example.test', 'Owner')", (t, person))
    parent = None
    for depth in range(1, 6):
        f = str(uuid.uuid4())
        c.execute("INSERT INTO folder (tenant_id, id, parent_id, name, depth) VALUES (%s, %s, %s, 'f', %s)", (t, f, parent, depth))
        parent = f
    for i in range(25):
        c.execute("INSERT INTO document (tenant_id, id, folder_id, title, name, mime_type, size, sha256, owner_id) VALUES (%s, %s, %s, 't', 'n', 'm', 1, 's', %s)",
                  (t, str(uuid.uuid4()), parent, person))
    return t, person


def rows(c, t):
    found = c.execute("SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                      " WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped").fetchall()
    return sum(c.execute(f"SELECT count(*) FROM {name} WHERE tenant_id = %s", (t,)).fetchone()[0] for (name,) in found)


def test_every_table_of_tenants_can_be_emptied(cluster):
    with cluster.connect("admin") as c:
        without = c.execute("SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                            " WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped"
                            " AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = a.attrelid AND p.polname = 'erasure')").fetchall()
    assert without == [], "a new table of tenants: CREATE POLICY erasure, as in migrations/0015_erasure.up.sql"


def test_what_is_due_goes_bounded_and_nothing_else(cluster):
    with cluster.connect("admin") as admin, cluster.connect("dms_app") as app:
        kept, _ = tenant(admin, "kept", None)
        later, _ = tenant(admin, "later", "2999-01-01")
        due, person = tenant(admin, "due", "2020-01-01")
        before = rows(admin, kept), rows(admin, later)
        counts = []
        while (gone := app.execute("SELECT dms.organization_erase(10)").fetchone()[0]) > 0:
            counts.append(gone)
            assert len(counts) < 50
        assert rows(admin, due) == 0 and admin.execute("SELECT count(*) FROM person WHERE id = %s", (person,)).fetchone()[0] == 0
        assert (rows(admin, kept), rows(admin, later)) == before
        assert len(counts) >= 3 and max(counts) <= 40, counts
        assert app.execute("SELECT dms.organization_erase(10)").fetchone()[0] == 0


def test_two_workers_do_not_meet(cluster):
    with cluster.connect("admin") as admin, cluster.connect("dms_app") as one, cluster.connect("dms_app") as two:
        due, _ = tenant(admin, "due", "2020-01-01")
        with one.transaction():
            assert one.execute("SELECT dms.organization_erase(1)").fetchone()[0] > 0
            assert two.execute("SELECT dms.organization_erase(1)").fetchone()[0] == 0, "held by the other"
        assert two.execute("SELECT dms.organization_erase(1000)").fetchone()[0] > 0
        while two.execute("SELECT dms.organization_erase(1000)").fetchone()[0]:
            pass
        assert rows(admin, due) == 0


def test_the_application_itself_still_deletes_nothing_of_it(cluster):
    with cluster.connect("admin") as admin, cluster.connect("dms_app") as app:
        t, _ = tenant(admin, "mine", None)
        app.execute("SELECT set_config('app.tenant_id', %s, false), set_config('app.erasing', %s, false)", (t, t))
        for table in ("audit", "membership", "tenant", "blob"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(f"DELETE FROM {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT dms.erase_some('dms.audit', %s, 10)", (t,))
