#!/usr/bin/env python3
"""access: lists for people who may see few of many documents through grants on folders, and what row level security costs a GET.

400,000 documents in 400 folders, each restricted. One person is granted the 20 folders with the oldest documents (what a list that passes over
everything hidden would meet last), one every twentieth folder. Needs wrk.
"""
import argparse
import hashlib
import hmac
import http.client
import json
import statistics
import time

import report
import stack as common

FOLDERS, SHARE = 400, 20  # every twentieth is 5 %
FOLDER = "01900000-0000-7000-b000-{:012d}"
PEOPLE = {"oldest": lambda f: f <= FOLDERS // SHARE, "spread": lambda f: f % SHARE == 0, "all": lambda f: True}


class Person:
    """A Viewer of the bench's organization with an API key, granted the folders that `may` names."""

    def __init__(self, stack, tenant, number, name, may):
        self.id, self.name = f"01900000-0000-7000-c000-{number:012d}", name
        head = "dms_dev_sk_" + common.base62(int.from_bytes(hashlib.sha256(self.id.encode()).digest(), "big"), 26)
        key = head + common.base62(int.from_bytes(hashlib.sha256(head.encode()).digest()[:8], "big"), 6)
        self.header = {"X-API-Key": key}
        self.line = f"X-API-Key: {key}"
        pepper = bytes.fromhex((stack.data / "secrets" / "pepper").read_text().strip())
        digest = hmac.digest(pepper, key.encode(), "sha256").hex()
        stack.copy("person (id, email, name, password_hash)", [f"{self.id}\t{name}@bench.example\t{name}\t-\n"])
        stack.copy("membership (tenant_id, user_id, name, email, role)", [f"{tenant.id}\t{self.id}\t{name}\t{name}@bench.example\tViewer\n"])
        stack.copy("api_key (tenant_id, id, user_id, name, kind, prefix, secret_hash, scopes)",
                   [f"{tenant.id}\t{self.id}\t{self.id}\tbench\tsk\t{key[:15]}\t\\\\x{digest}\t{{document.read,folder.read,search.query}}\n"])
        granted = [f for f in range(1, FOLDERS + 1) if may(f)]
        stack.copy("access_grant (tenant_id, acl_id, principal_type, principal_id, level)", (f"{tenant.id}\t{FOLDER.format(f)}\tuser\t{self.id}\t1\n" for f in granted))
        stack.copy("acl_entry (tenant_id, acl_id, principal, level)", (f"{tenant.id}\t{FOLDER.format(f)}\t{self.id}\t1\n" for f in granted))
        self.documents = len(granted) * tenant.documents // FOLDERS


def fill(stack, documents):
    """The documents of common.fill put into folders, thousand by thousand."""
    tenant = common.fill(stack, 1, documents)[0]
    each = documents // FOLDERS
    stack.copy("folder (tenant_id, id, name, depth, acl_id)", (f"{tenant.id}\t{FOLDER.format(f)}\tfolder {f}\t1\t{FOLDER.format(f)}\n" for f in range(1, FOLDERS + 1)))
    stack.copy("acl (tenant_id, id, object_type, restricted)", (f"{tenant.id}\t{FOLDER.format(f)}\tfolder\tt\n" for f in range(1, FOLDERS + 1)))
    stack.sql("SET session_replication_role = replica; UPDATE document SET folder_id = x.id, acl_id = x.id FROM (SELECT d.tenant_id, d.id AS document,"
              f" ('01900000-0000-7000-b000-' || lpad(((right(d.id::text, 12)::int - 1) / {each} + 1)::text, 12, '0'))::uuid AS id FROM document d) x"
              " WHERE document.tenant_id = x.tenant_id AND document.id = x.document")
    people = {name: Person(stack, tenant, n, name, may) for n, (name, may) in enumerate(PEOPLE.items(), 1)}
    stack.sql("VACUUM (FULL, ANALYZE) document")
    stack.sql("VACUUM (ANALYZE)")
    stack.sql("CHECKPOINT")
    return tenant, people


class Client:
    """One kept connection; answers (milliseconds, decoded answer)."""

    def __init__(self, stack):
        self.connection = http.client.HTTPConnection("127.0.0.1", stack.port)

    def get(self, path, header):
        start = time.perf_counter()
        self.connection.request("GET", path, headers=header)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - start) * 1000
        assert answer.status == 200, (path, answer.status, body[:300])
        return took, json.loads(body)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def lists(out, stack, tenant, people, args):
    client, rows, worst = Client(stack), [], {"page": 0.0, "total": 0.0}
    owner = {"X-API-Key": tenant.key}
    for name, person in people.items():
        first = client.get("/api/v1/documents?count=true", person.header)[1]
        assert first["total"] == person.documents and len(first["items"]) == 20, (name, first["total"], person.documents)
        cursor = first["next_cursor"]
        deep = cursor
        for _ in range(20):
            deep = client.get(f"/api/v1/documents?count=true&cursor={deep}", person.header)[1]["next_cursor"]
        for what, path in (("page of 20", "/api/v1/documents"), ("the 22nd page", f"/api/v1/documents?cursor={deep}"), ("page with total", "/api/v1/documents?count=true")):
            times = [client.get(path, person.header)[0] for _ in range(args.requests)]
            rows.append([f"{name}: {person.documents:,}", what, statistics.median(times), percentile(times, 0.95), max(times)])
            kind = "total" if "total" in what else "page"
            if name != "all":
                worst[kind] = max(worst[kind], percentile(times, 0.95))
    for what, path in (("page of 20", "/api/v1/documents"), ("page with total", "/api/v1/documents?count=true")):
        times = [client.get(path, owner)[0] for _ in range(args.requests)]
        rows.append([f"owner: {tenant.documents:,}", what, statistics.median(times), percentile(times, 0.95), max(times)])
    out.table(["who sees how many", "", "p50, ms", "p95, ms", "max, ms"], rows)
    out.judge(f"list of 20 for who may see 5 % of {tenant.documents:,}, p95", worst["page"], 150.0, 20.0, " ms", more_is_better=False)
    out.judge("the same with total", worst["total"], 300.0, 100.0, " ms", more_is_better=False)


def security(stack, on):
    """Row level security of every table with a tenant, on or off; prepared statements are planned anew by themselves."""
    word = "ENABLE" if on else "DISABLE"
    stack.sql("DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
              f" WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind = 'r' LOOP EXECUTE format('ALTER TABLE %s {word} ROW LEVEL SECURITY', t); END LOOP; END $$")


def gets(out, stack, tenant, people, args):
    """As the owner, of whom row level security asks most often nothing, and as who is granted all."""
    paths = {"owner": common.get_paths([tenant]), "granted all": [p.split(" ")[0] + " " + people["all"].line for p in common.get_paths([tenant])]}
    stack.sql(f"UPDATE document SET acl_id = NULL WHERE id IN (SELECT ('01900000-0000-7000-a000-' || lpad((1 + n * 104729 % {tenant.documents})::text, 12, '0'))::uuid"
              " FROM generate_series(0, 999) n)")
    opened = common.wrk(stack, paths["owner"], 64, 1)  # and warm
    assert opened.rate > 0

    def turn(who, on):
        def measure():
            security(stack, on)
            common.wrk(stack, paths[who], 64, 1)
            return common.wrk(stack, paths[who], 64, args.seconds)
        return measure
    got = common.rounds(stack, {"on": turn("owner", True), "off": turn("owner", False)}, args.pairs, out)
    ratio = report.ratio([w.rate for w in got["on"]], [w.rate for w in got["off"]])
    out.table(["GET of what is open, 64 connections", "with row level security", "without", "ratio", "PostgreSQL with, µs", "without, µs"],
              [["requests a second", report.median([w.rate for w in got["on"]]), report.median([w.rate for w in got["off"]]), ratio,
                report.median([w.cpu["postgres"] for w in got["on"]]), report.median([w.cpu["postgres"] for w in got["off"]])]])
    security(stack, True)
    stack.sql(f"SET session_replication_role = replica; UPDATE document SET acl_id = folder_id WHERE tenant_id = '{tenant.id}' AND acl_id IS NULL")
    stack.sql("VACUUM (ANALYZE) document")
    closed = common.wrk(stack, paths["granted all"], 64, args.seconds)
    out.say(f"GET of what is restricted, for who has {FOLDERS} grants: {report.number(closed.rate)} requests a second, PostgreSQL {closed.cpu['postgres']:.0f} µs each.")
    out.judge("GET with row level security against without", ratio.median, 0.90, 0.95)


def run(args, out):
    with common.Stack() as stack:
        out.say(f"{stack.settings()} {stack.versions()} {args.documents:,} documents in {FOLDERS} folders, all restricted. Lists: {args.requests} requests one after the other on one connection. "
                f"GET: wrk with 64 connections, {args.pairs} rounds of {args.seconds} s, A B A B, row level security switched on and off for all tables.")
        tenant, people = fill(stack, args.documents)
        lists(out, stack, tenant, people, args)
        gets(out, stack, tenant, people, args)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=400_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    report.main("access", "Access", parser, run)
