"""The vector leg: which plan runs under row level security, and that HNSW finds nearly what comparing everything finds."""

import random
import uuid

import psycopg
import pytest

from pg import Tenant, cluster, statement  # noqa: F401 (fixture)

DIMS = 384
MODEL = "all-MiniLM-L6-v2"


def unit(rng, centre=None, spread=1.0):
    v = [rng.gauss(0, spread) + (centre[i] if centre else 0) for i in range(DIMS)]
    length = sum(x * x for x in v) ** 0.5
    return [x / length for x in v]


def literal(v):
    return "[" + ",".join(f"{x:.6g}" for x in v) + "]"


def embed(t, vectors):
    t.db.execute("INSERT INTO embedding (tenant_id, model, chunk_id, document_id, v) SELECT c.tenant_id, %s, c.id, c.document_id, u.v::halfvec"
                 " FROM (SELECT *, row_number() OVER (ORDER BY id) AS at FROM chunk) c JOIN unnest(%s::text[]) WITH ORDINALITY u(v, at) USING (at)",
                 (MODEL, [literal(v) for v in vectors]))


@pytest.fixture(scope="module")
def two(cluster):
    """Two tenants whose texts lie in different corners of the space, as tenants' topics do; every third document in the trash."""
    rng = random.Random(7)
    tenants = []
    for _ in range(2):
        t = Tenant(cluster, f"v{uuid.uuid4().hex[:8]}")
        ids = t.add(*[(f"d{i}", ["x"] * 4) for i in range(400)])
        centre = unit(rng)
        embed(t, [unit(rng, centre, 0.05) for _ in range(1600)])
        t.db.execute("UPDATE document SET trashed_at = now() WHERE id = ANY(%s::uuid[])", (ids[::3],))
        t.question = literal(unit(rng, centre, 0.05))
        tenants.append(t)
    with cluster.connect("admin") as c:
        c.execute("ANALYZE")
    yield tenants
    for t in tenants:
        t.db.close()


def run(t, name, *args, settings=(), explain=False):
    c = psycopg.RawCursor(t.db)
    with t.db.transaction():
        for s in settings:
            c.execute(statement(s), ("10000",) if s == "search_settings" else ())
        c.execute(("EXPLAIN (COSTS OFF) " if explain else "") + statement(name), args)
        rows = c.fetchall()
        if explain:
            return "\n".join(r[0] for r in rows)
        return [dict(zip([d.name for d in c.description], r)) for r in rows]


def exact(t, filter_="{}", cap="100000", question=None):
    return run(t, "search_vector_exact", MODEL, question or t.question, filter_, cap, "100", settings=["search_settings"])


def hnsw(t, filter_="{}", passages="300", question=None):
    return run(t, "search_vector_hnsw", question or t.question, filter_, passages, "100", settings=["search_settings", "search_settings_hnsw"])


def test_each_statement_runs_the_plan_it_means(two):
    t = two[0]
    for _ in range(7):  # prepared statements turn to a generic plan after five
        with_index = run(t, "search_vector_hnsw", t.question, "{}", "300", "100", settings=["search_settings", "search_settings_hnsw"], explain=True)
        without = run(t, "search_vector_exact", MODEL, t.question, "{}", "100000", "100", settings=["search_settings"], explain=True)
        assert "Index Scan using embedding_minilm" in with_index
        assert "Sort Key: ((e.v" not in with_index
        assert "embedding_minilm" not in without


def test_the_exact_plan_is_exact(two):
    for t in two:
        rows = exact(t)
        assert rows[0]["seen"] == t.one("SELECT count(*) FROM embedding e JOIN document d ON d.id = e.document_id WHERE d.trashed_at IS NULL")
        wanted = t.all("SELECT e.document_id FROM embedding e JOIN document d ON d.id = e.document_id WHERE d.trashed_at IS NULL"
                       " GROUP BY 1 ORDER BY max(-(e.v <#> %s::halfvec)) DESC LIMIT 100", t.question)
        assert [r["document_id"] for r in rows] == [d for (d,) in wanted]


def test_hnsw_finds_nearly_what_the_exact_plan_finds(two):
    for t in two:
        wanted, rows = exact(t), hnsw(t)
        assert rows[0]["seen"] == 300
        top = {r["document_id"] for r in wanted[:50]}
        assert len(top & {r["document_id"] for r in rows}) >= 47
        trashed = {d for (d,) in t.all("SELECT id FROM document WHERE trashed_at IS NOT NULL")}
        assert not trashed & {r["document_id"] for r in rows}


def test_another_tenants_question_is_answered_from_ones_own(two):
    a, b = two
    own = {d for (d,) in a.all("SELECT id FROM document")}
    for rows in (exact(a, question=b.question), hnsw(a, question=b.question)):
        assert rows[0]["document_id"] and {r["document_id"] for r in rows} <= own


def test_more_than_the_cap_is_noticed(two):
    assert exact(two[0], cap="100")[0]["seen"] == 101


def test_filters_reach_into_both_plans(two):
    t = two[0]
    one = t.one("SELECT id::text FROM document WHERE trashed_at IS NULL LIMIT 1")
    f = f'{{"document_id": "{one}"}}'
    assert [str(r["document_id"]) for r in exact(t, f)] == [one]
    rows = hnsw(t, f)  # one document of a tenant: the scan may end before it is met, and the program then compares all
    assert [str(r["document_id"]) for r in rows if r["document_id"]] in ([one], [])
    assert rows[0]["seen"] < 300


def test_nothing_found_is_one_row_without_a_document(two):
    t = two[0]
    for rows in (exact(t, '{"type": "none"}'), hnsw(t, '{"type": "none"}')):
        assert len(rows) == 1 and rows[0]["document_id"] is None and rows[0]["seen"] == 0


@pytest.fixture
def late(cluster, two):
    """A tenant that came after the last ANALYZE: the planner believes that it has next to nothing."""
    t = Tenant(cluster, f"l{uuid.uuid4().hex[:8]}")
    rng = random.Random(8)
    t.add(*[(f"d{i}", ["x"]) for i in range(1500)])
    embed(t, [unit(rng) for _ in range(1500)])
    t.question = literal(unit(rng))
    yield t
    t.db.close()


def buffers(t, *settings):
    """What search_vector_exact touches, in pages."""
    c = psycopg.RawCursor(t.db)
    with t.db.transaction():
        for s in settings:
            c.execute(statement(s), ("10000",) if s == "search_settings" else ())
        c.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement("search_vector_exact"), (MODEL, t.question, "{}", "20000", "100"))
        plan = c.fetchone()[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_tenant_that_the_planner_does_not_know_is_gone_through_once(late):
    once = buffers(late, "search_settings", "search_settings_small")
    assert once < 6 * 1500, "a few pages a passage at most, whatever the plan"
    assert exact(late)[0]["seen"] == 1500
    assert buffers(late, "search_settings") > 10 * once, "the planner knows this tenant by now: search_settings_small may go"
