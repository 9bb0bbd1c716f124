"""The wall of the database by itself: as the application's role, in the scope of B, with statements that forget the organization. What the program's
own conditions would hide is seen here: each table and each command, the way row level security answers it (security.md R-03, R-12)."""
import json
import uuid

import psycopg
import pytest
from tenants import Tenant, describe, digest, tables

DENIED = "42501"  # insufficient_privilege: a missing grant, or WITH CHECK
NO_PARENT = "23503"  # said by a trigger that looks for the row above and, in B's scope, does not see it


@pytest.fixture(scope="module")
def walls(dms):
    a, b = (Tenant(dms, f"{side}wall{uuid.uuid4().hex[:6]}").everybody().furnish(describe(dms)) for side in "ab")
    with dms.database() as db:
        yield db, a, b
        db.execute("RESET ROLE")
    a.close()
    b.close()


class As:
    """Inside: a transaction of the application's role in the scope of an organization ("": of none); rolled back at the end."""

    def __init__(self, db, tenant):
        self.db, self.tenant = db, tenant

    def __enter__(self):
        self.db.execute("BEGIN")
        self.db.execute("SET LOCAL ROLE dms_app")
        if self.tenant is not None:
            self.db.execute("SELECT set_config('app.tenant_id', %s, true)", (self.tenant,))
        return self.db

    def __exit__(self, *why):
        self.db.execute("ROLLBACK")
        return False


def outcome(db, tenant, statement, values=()):
    """Rows that a statement met, or the SQLSTATE of its refusal."""
    with As(db, tenant):
        try:
            return db.execute(statement, values).rowcount
        except psycopg.Error as e:
            return e.sqlstate


def test_no_table_shows_or_takes_rows_of_another_organization(walls):
    db, a, b = walls
    before, seen = digest(db, a.id), 0
    for table in tables(db):
        row = db.execute(f"SELECT to_jsonb(t) FROM {table} t WHERE tenant_id = %s LIMIT 1", (a.id,)).fetchone()
        seen += row is not None
        mine = outcome(db, b.id, f"SELECT 1 FROM {table}")
        own = db.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", (b.id,)).fetchone()[0]
        assert mine == DENIED or mine <= own, table  # fewer: what somebody in particular is granted, nobody in particular does not see
        for statement in (f"SELECT 1 FROM {table} WHERE tenant_id = %s", f"DELETE FROM {table} WHERE tenant_id = %s",
                          f"UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = %s"):
            assert outcome(db, b.id, statement, (a.id,)) in (0, DENIED), statement
        assert outcome(db, b.id, f"UPDATE {table} SET tenant_id = %s", (a.id,)) in (0, DENIED), table
        if row:
            copy = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{table}, %s)"
            assert outcome(db, b.id, copy, (json.dumps(row[0]),)) in (DENIED, NO_PARENT), table
    assert digest(db, a.id) == before
    assert seen > 12, "the tables had rows that could have been seen"


def test_without_an_organization_nothing_is_there(walls):
    """R-03: a scope that was forgotten, or is empty, is an error or no rows; never all of them."""
    db, _, _ = walls
    for table in tables(db):
        for scope in (None, "", str(uuid.uuid4())):
            assert outcome(db, scope, f"SELECT 1 FROM {table}") in (0, DENIED, "22P02", "42704"), (table, scope)


def test_what_has_no_organization_is_not_open_either(walls):
    """Tables without tenant_id hold people and their secrets over all organizations: the application may not read them but by its functions."""
    db, _, b = walls
    open_to_all = {"schema_migration", "permission"}  # no person's data
    with_tenant = set(tables(db))
    others = [r[0] for r in db.execute("SELECT relname FROM pg_class WHERE relnamespace = 'dms'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')")
              if r[0] not in with_tenant | open_to_all]
    assert "person" in others
    for table in others:
        assert outcome(db, b.id, f"SELECT 1 FROM {table}") in (0, DENIED), table
