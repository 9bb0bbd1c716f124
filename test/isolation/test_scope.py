"""The scope of a statement under pressure: reads of many tenants share a few pipelined connections while statements are cancelled and connections
ended under them. No answer may hold another tenant's data, and an error takes nobody else along for good."""
import asyncio
import itertools
import json
import random
import threading
import time

import pytest
from conftest import at_once

TENANTS, CONNECTIONS, REQUESTS, WRITES = 20, 32, 100_000, 3_500


@pytest.fixture(scope="module")
def crowd(dms):
    """Tenants with a word of their own in every text field of their one document."""
    made = []
    for n in range(TENANTS):
        client = dms.register()
        client.word = f"canary{n:02d}word"
        client.tenant = client.me()["organization"]["id"]
        client.document = client.upload(f"Text of {client.word}", name=f"{client.word}.txt", title=client.word, tags=client.word)["id"]
        made.append(client)
    for client in made:
        client.wait_processed(client.document)
    yield made
    for client in made:
        client.close()


class Saboteur(threading.Thread):
    """Cancels what the read lane's backends run, again and again, and ends one of them each so many turns."""

    def __init__(self, server, cancel, end_each, lane="dms read lane"):
        super().__init__()
        self.server, self.over, self.cancel, self.end_each, self.lane = server, threading.Event(), cancel, end_each, lane
        self.cancelled, self.ended = 0, 0

    def run(self):
        # Those that stand: one that is cancelled whenever it prepares its statements would never come back.
        lane = f"FROM pg_stat_activity WHERE application_name = '{self.lane}' AND backend_start < now() - interval '500 ms'"
        with self.server.database() as admin:
            for turn in itertools.count(1):
                if self.over.wait(0.003):
                    return
                if self.cancel:
                    self.cancelled += len(admin.execute(f"SELECT pg_cancel_backend(pid) {lane} AND state = 'active'").fetchall())
                if turn % self.end_each == 0:
                    self.ended += len(admin.execute(f"SELECT pg_terminate_backend(pid) {lane} LIMIT 1").fetchall())


async def ask(reader, writer, path, token):
    """One request over an open connection: status and body."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
    return int(head.split(" ", 2)[1]), (await reader.readexactly(length)).decode()


def check(status, body, me, crowd, path, counts):
    counts[status] = counts.get(status, 0) + 1
    foreign = [c.word for c in crowd if c is not me and (c.word in body or c.document in body and c.document not in path)]
    assert not foreign, f"{path} as {me.word} answered with data of {foreign}: {body[:500]}"
    if status == 503:
        assert json.loads(body)["code"] == "unavailable"
        return
    own = path.endswith("/documents") or me.document in path
    assert status == (200 if own else 404), (status, path, body[:500])
    assert not own or me.word in body


async def visitor(dms, crowd, share, counts):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(dms.url.rsplit(":", 1)[1]))
    for _ in range(share):
        me, other = random.sample(crowd, 2)
        path = "/api/v1/documents" + random.choice(["", f"/{me.document}", f"/{me.document}", f"/{me.document}/versions", f"/{other.document}"])
        check(*await ask(reader, writer, path, me.tokens["access_token"]), me, crowd, path, counts)
    writer.close()


def visit(dms, crowd, saboteur, requests):
    """How often which status came while the saboteur was at work."""
    counts = {}

    async def all_visitors():
        await asyncio.gather(*(visitor(dms, crowd, requests // CONNECTIONS, counts) for _ in range(CONNECTIONS)))

    saboteur.start()
    try:
        asyncio.run(all_visitors())
    finally:
        saboteur.over.set()
        saboteur.join()
    return counts


def test_BI_N14_no_scope_leaks_while_statements_are_cancelled_and_connections_end(dms, crowd):
    saboteur = Saboteur(dms, cancel=True, end_each=500)
    counts = visit(dms, crowd, saboteur, REQUESTS)
    assert saboteur.cancelled > 100 and saboteur.ended > 0, "errors were injected"
    assert counts[200] > REQUESTS / 2, "an error does not stop the others"
    time.sleep(0.5)
    assert crowd[0].ok("GET", f"/documents/{crowd[0].document}")["title"] == crowd[0].word, "and afterwards all is as before"


def test_BI_N14_no_read_is_lost_with_its_connection(dms, crowd):
    saboteur = Saboteur(dms, cancel=False, end_each=30)
    counts = visit(dms, crowd, saboteur, REQUESTS // 4)
    assert saboteur.ended > 3 and 503 not in counts, (saboteur.ended, counts)


def write(client, other, turn):
    """One request of the work lane: reads and writes of its own, and writes that must fail: with somebody else's id, or with what the table refuses."""
    word = client.word
    return [("GET", f"/documents/{client.document}/text", {}), ("POST", "/folders", {"json": {"name": f"{word} {turn}"}}),
            ("PATCH", f"/documents/{client.document}", {"json": {"title": f"{word} {turn}"}}), ("PATCH", f"/documents/{other.document}", {"json": {"title": word}}),
            ("POST", "/folders", {"json": {"name": word, "parent_id": other.folder}}), ("POST", "/search", {"json": {"query": other.word, "mode": "keyword"}}),
            ("GET", "/auth/me", {})][turn % 7]


def test_BI_N14_no_scope_leaks_where_transactions_are_cut_off(dms, crowd):
    """The work lane: a few connections, each a transaction of one tenant after the other, with statements cancelled and backends ended inside them."""
    for client in crowd:
        client.folder = client.ok("POST", "/folders", 201, json={"name": f"{client.word} top"})["id"]
    saboteur = Saboteur(dms, cancel=True, end_each=100, lane="dms work lane")
    counts, wrong = {}, []

    def visit_many(number):
        for turn in range(WRITES // len(crowd)):
            me, other = crowd[number], crowd[(number + 1 + turn % (len(crowd) - 1)) % len(crowd)]
            answer = me.request(*(asked := write(me, other, turn))[:2], **asked[2])
            counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
            if [c.word for c in crowd if c is not me and c.word in answer.text]:
                wrong.append((me.word, asked, answer.text[:500]))

    saboteur.start()
    try:
        at_once(len(crowd), visit_many)
    finally:
        saboteur.over.set()
        saboteur.join()
    assert saboteur.cancelled + saboteur.ended > 20, "errors were injected"
    assert not wrong and set(counts) <= {200, 201, 404, 409, 503} and counts[200] > counts.get(503, 0), (wrong, counts)
    with dms.database() as db:
        for client in crowd:
            rows = db.execute("SELECT name FROM folder WHERE tenant_id = %s UNION ALL SELECT title FROM document WHERE tenant_id = %s",
                              (client.tenant, client.tenant)).fetchall()
            assert rows and all(client.word in name for (name,) in rows), "each tenant has only its own"
