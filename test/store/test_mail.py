"""The outbox of mail: whatever the planner makes of the statement, one mail is taken at a time and the others stay due."""
import itertools
import uuid

import pytest

from pg import Cluster

JOINS = ["nestloop", "hashjoin", "mergejoin"]
SCANS = ["seqscan", "indexscan", "material"]
WAITING = 20


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    yield c
    c.stop()


@pytest.mark.parametrize(("join", "without"), [*itertools.product(JOINS, [None, *SCANS])])
def test_one_is_taken_at_a_time(cluster, join, without):
    with cluster.connect("admin") as c:
        c.execute("DELETE FROM mail_outbox")
        for _ in range(WAITING):
            c.execute("INSERT INTO mail_outbox (id, template, recipient, locale, given) VALUES (%s, 'verify', 'a@example.test', 'en', '{}')", (str(uuid.uuid4()),))
        for other in JOINS:
            c.execute(f"SET enable_{other} = {'on' if other == join else 'off'}")
        if without:
            c.execute(f"SET enable_{without} = off")
        taken = [c.execute("SELECT id FROM mail_take(60)").fetchall() for _ in range(3)]
        due = c.execute("SELECT count(*) FROM mail_outbox WHERE next_at <= now()").fetchone()[0]
    assert [len(rows) for rows in taken] == [1, 1, 1] and len({rows[0] for rows in taken}) == 3
    assert due == WAITING - 3
