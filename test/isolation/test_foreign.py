"""What one organization has is nowhere in what another one is answered. 50,000 requests and more, generated from the route table and the
description: every route and method, with ids, words, cursors, tags and keys of organization A in every place that takes one, asked by everybody of
B, by those who lost their credential, and by nobody.

Each answer is held against its twin: the answer that the same request got before A existed, with values that nobody has. Equal status, equal
body: nothing of A, no count of it, and no hint that it is there. And A is, to the byte, what it was.

DMS_ISOLATION_REQUESTS (50,000) and DMS_ISOLATION_SEED (1) make a longer run, and another one.
"""
import collections
import dataclasses
import itertools
import json
import os
import random
import re
import time
import uuid

import pytest
from asking import ENDS_SESSION, KINDS, ROUTES, STREAMS, arguments, body_text, ids_of, is_id, kinds_of, methods_of, name
from conftest import Server
from tenants import PEOPLE, PERMISSIONS, Tenant, credential, describe, digest, plant, tables, uuids
from wire import Wire, each, request

REQUESTS = int(os.environ.get("DMS_ISOLATION_REQUESTS", "50000"))
SEED = int(os.environ.get("DMS_ISOLATION_SEED", "1"))
CONNECTIONS, AT_A_TIME = 6, 16
TIMEOUT = pytest.mark.timeout(300 + REQUESTS // 100)

READS_BY_POST = {"POST /api/v1/search", "POST /api/v1/documents/search"}
SEARCHES = {*READS_BY_POST, "GET /api/v1/search"}  # by meaning: other words find the same in another order
MOVING = {"GET /metrics", "GET /health/ready", "GET /api/v1/audit/export", "GET /api/v1/audit/verify"}  # change by themselves, or by being read
INSTEAD = {"POST /api/v1/auth/login": {"password": "not the password"}}  # members of bodies: A's addresses stand beside them
OWN_ORGANIZATIONS = {"GET /api/v1/auth/me"}  # say which organizations a person belongs to
ECHOES = set()  # answer with the ids that were sent, one by one
ONCE = {f"POST /api/v1/auth/{path}" for path in ("register", "login", "resend", "password/forgot")}  # hash a password or mail: asked once each way


TENANT_HEADERS = ["X-Tenant-Id", "X-Organization-Id", "X-Organization", "X-DMS-Tenant", "X-User-Id", "X-Forwarded-User", "X-Remote-User", "Cookie"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PLACE = re.compile(r"@@(\w+)@@")
NOISE = re.compile(rb'"(?:request_id|took_ms|ms|last_used_at|last_seen_at)" ?: ?(?:"[^"]*"|[\d.]+|null)')
REFUSED = (400, 403, 404, 415, 422)
HEADERS_SHOWN = ("Content-Type", "ETag", "Location", "Allow", "Content-Disposition", "Content-Range", "WWW-Authenticate", "Idempotent-Replay")


@dataclasses.dataclass(frozen=True)
class Template:
    """A request with @@kind@@ where a value goes. rule, of its answer: twin (all equal), status (the status equal), own (it may make something; a
    refusal stays one), refused (401), both (400), any (only that it holds nothing of A)."""
    route: str
    who: str
    rule: str
    method: str
    target: str
    headers: tuple = ()
    body: str | None = None
    content_type: str = ""

    def fill(self, values, rng, credentials):
        """(bytes, the values that went in)"""
        sent = []

        def value(match):
            sent.append(rng.choice(values[match[1]]))
            return sent[-1]
        target = PLACE.sub(value, self.target)
        headers = [(n, PLACE.sub(value, v)) for n, v in self.headers]
        body = None if self.body is None else PLACE.sub(value, self.body).encode()
        return request(self.method, target, [*headers, *credentials[self.who]], body, self.content_type), sent

    @property
    def repeats(self):
        """Whether an earlier request may have been the same to the service."""
        return any(n == "Idempotency-Key" for n, _ in self.headers)


# --- templates ---


def leaves(description, schema, at=()):
    """(path, schema) of every value in a body that is no object."""
    schema = description.resolve(schema)
    if description.kind(schema) == "object":
        for member, inner in schema.get("properties", {}).items():
            yield from leaves(description, inner, (*at, member))
    elif at:
        yield at, schema


def put(body, at, schema, value, description):
    """A copy of the body with the value there, in a list if one is wanted."""
    copy = json.loads(json.dumps(body))
    inside = copy
    for member in at[:-1]:
        inside = inside.setdefault(member, {})
    inside[at[-1]] = [value] if description.kind(schema) == "array" else value
    return copy


class Maker:
    """All templates of one route."""

    TEXTS = ["word", "email", "organization", "sha256"]  # not ids: an answer that repeats one could not be told from one that betrays it

    def __init__(self, description, route, kinds, mine, rng):
        self.description, self.route, self.kinds, self.rng = description, route, kinds, rng
        self.schema = description.body(route)
        self.base = None if self.schema is None else description.good_body(route) | INSTEAD.get(name(route), {})
        self.mine = mine
        self.ids = [a for a in arguments(route) if is_id(a)]

    def targets(self):
        """Paths: each id of its own kind, then all of any kind."""
        own = iter([f"@@{k or 'document'}@@" for k in kinds_of(self.route)])
        yield self.target(lambda: next(own))
        for kind in self.kinds if self.ids else ():
            yield self.target(lambda k=kind: f"@@{k}@@")

    def own_target(self):
        """With ids of B itself, for who only reads."""
        own = iter([next(iter(self.mine[k]), None) or str(uuid.uuid4()) for k in kinds_of(self.route)])
        return self.target(lambda: next(own))

    def target(self, value):
        return re.sub(r"\{(\w+)\}", lambda m: value() if is_id(m[1]) else {"n": "1", "a": "1", "b": "2"}.get(m[1], "@@word@@"), self.route["path"])

    def parameters(self):
        """{name: what it may be asked with}"""
        found = {}
        for parameter, schema in self.description.parameters(self.route).items():
            kind = self.description.kind(schema)
            if schema.get("format") == "uuid":
                found[parameter] = [f"@@{k}@@" for k in self.kinds]
            elif parameter == "cursor":
                found[parameter] = ["@@cursor@@"]
            elif "enum" in schema:
                found[parameter] = schema["enum"]
            elif kind == "boolean":
                found[parameter] = ["true", "false"]
            elif kind in ("integer", "number"):
                found[parameter] = [str(max(schema.get("minimum", 1), 1)), str(min(schema.get("maximum", 100), 100))]
            elif schema.get("format") == "date-time":
                found[parameter] = ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]
            else:
                found[parameter] = ["@@word@@", "@@document@@"]
        return found

    def headers(self):
        yield from [((h, "@@tenant@@"),) for h in TENANT_HEADERS]
        yield (("If-None-Match", "@@etag@@"),)
        yield (("If-Match", "@@etag@@"),)
        yield (("Range", "bytes=0-9"), ("If-Range", "@@etag@@"))
        if self.route["method"] == "POST":
            yield (("Idempotency-Key", "@@idempotency@@"),)

    def bodies(self):
        if self.base is None:
            return
        for at, schema in leaves(self.description, self.schema):
            if self.description.is_reference(at[-1], schema):
                yield from (put(self.base, at, schema, f"@@{k}@@", self.description) for k in self.kinds)
            elif self.description.is_text(at[-1], schema) or at[-1] in ("email", "organization", "cursor"):
                for kind in {"email": ["email"], "cursor": ["cursor"], "query": [*self.TEXTS, "document"]}.get(at[-1], self.TEXTS):
                    yield put(self.base, at, schema, f"@@{kind}@@", self.description)
        for member in ("tenant_id", "organization_id", "owner_id", "user_id"):
            yield {**self.base, member: "@@tenant@@"}

    def template(self, who, target, query=(), headers=(), body=None, method=None):
        required = {"q": "@@word@@"} if "q" in self.route["params"] else {}
        query = "&".join(f"{k}={v}" for k, v in {**required, **dict(query)}.items())
        text, kind = (None, "") if self.base is None or method else body_text(self.route, self.base if body is None else body)
        made = Template(name(self.route), who, "", method or self.route["method"], target + ("?" + query if query else ""), headers, text, kind)
        return dataclasses.replace(made, rule=self.rule(made))

    def rule(self, t):
        unknown = t.method not in methods_of(self.route["path"])
        if self.route["permission"] != "public" and t.who in BROKEN:
            return "any" if unknown else "both" if t.who == "two credentials" else "refused"
        if t.route in ENDS_SESSION and not unknown:
            return "any"
        if t.route in MOVING or (t.route == "GET /api/v1/audit" and "@@" not in t.target):
            return "any"
        if t.route in SEARCHES:
            return "twin" if "q=@@" not in t.target and '"query": "@@' not in (t.body or "") else "status"
        if t.method in ("GET", "HEAD") or self.ids or unknown:
            return "twin"
        return "status" if self.route["permission"] == "public" else "own"

    def single(self, who):
        """One place at a time."""
        own = next(self.targets())
        for target in self.targets():
            yield self.template(who, target)
        for parameter, values in self.parameters().items():
            for value in values:
                yield self.template(who, own, [(parameter, value)])
                if "count" in self.route["params"]:
                    yield self.template(who, own, [(parameter, value), ("count", "true")])
        yield self.template(who, own, [("tenant_id", "@@tenant@@")])
        for headers in self.headers():
            yield self.template(who, own, headers=headers)
            if self.ids and self.route["method"] == "GET":
                yield self.template(who, self.own_target(), headers=headers)
        for body in self.bodies():
            yield self.template(who, own, body=body)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if method not in methods_of(self.route["path"]):
                yield self.template(who, own, method=method)

    def mixed(self, who, count):
        """Several places at a time."""
        targets, headers, bodies, parameters = list(self.targets()), [(), *self.headers()], [None, *self.bodies()], self.parameters()
        for _ in range(count):
            some = self.rng.sample(sorted(parameters), self.rng.randint(0, min(3, len(parameters))))
            yield self.template(who, self.rng.choice(targets), [(p, self.rng.choice(parameters[p])) for p in some], self.rng.choice(headers),
                                self.rng.choice(bodies))


READERS = ["Owner", "key", "Admin", "Editor", "Viewer", "Custom", "API_Only", "of both"]
BROKEN = ["nobody", "refresh token", "edited token", "ended session", "revoked key", "damaged key", "two credentials"]


def make_templates(description, kinds, mine, rng):
    """Everything of the first two readers, some of what the others and the broken credentials ask."""
    made = {}
    for route in ROUTES:
        maker = Maker(description, route, kinds, mine, rng)
        for who in READERS + BROKEN:
            if name(route) in STREAMS and who in READERS:
                continue
            if (route["permission"] == "public" and who != "nobody") or (who == "of both" and name(route) in OWN_ORGANIZATIONS):
                continue
            whole = list(itertools.chain(maker.single(who), maker.mixed(who, 10)))
            if who not in ("Owner", "key") and route["permission"] != "public":
                whole = rng.sample(whole, min(12, len(whole)))
            for t in whole:
                if t.rule == "own":  # makes something: by an organization that nobody looks at
                    t = dataclasses.replace(t, who="maker's key" if who in ("key", "API_Only") else "maker's Owner")
                if t.route in ENDS_SESSION and who in READERS:
                    t = dataclasses.replace(t, who="leaver")
                made[t] = None
    return list(made)


# --- values ---


class Unknown:
    """Values of the right form that nobody has, always new."""

    def __init__(self, rng):
        self.rng = rng

    def __getitem__(self, kind):
        number = f"{self.rng.getrandbits(48):012x}"
        return [{"word": f"nobodys{number}", "email": f"nobody-{number}@example.com", "organization": f"Nobodys {number}", "idempotency": f"nobodys-{number}",
                 "etag": f'"9{number}.processed.1"', "sha256": number * 5 + "0000", "cursor": "A" * 60 + number}.get(kind) or str(uuid.UUID(int=self.rng.getrandbits(128), version=4))]


def kinds_of_ids(db):
    """Tables whose rows have an id: a kind each."""
    with_id = {r[0] for r in db.execute("SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'"
                                        " AND a.atttypid = 'uuid'::regtype WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind = 'r'")}
    return sorted((with_id & set(tables(db))) | {kind[0] for kind in KINDS.values() if kind} | {"tenant"})


def values_of(server, tenant, kinds, shared):
    """What A has, by kind, without the ids that others have too: of people."""
    with server.database() as db:
        found = {k: [r[0] for r in db.execute(f"SELECT {'user_id' if k == 'membership' else 'tenant_id' if k == 'tenant' else 'id'}::text FROM {k}"
                                              " WHERE tenant_id = %s LIMIT 50", (tenant.id,))] for k in kinds}
        found = {k: [i for i in ids if i not in shared] for k, ids in found.items()}
        found["email"] = [r[0] for r in db.execute("SELECT p.email FROM membership m JOIN person p ON p.id = m.user_id WHERE tenant_id = %s", (tenant.id,))]
        found["idempotency"] = [r[0] for r in db.execute("SELECT key FROM idempotency WHERE tenant_id = %s", (tenant.id,))]
        found["sha256"] = [r[0] for r in db.execute("SELECT sha256 FROM blob WHERE tenant_id = %s", (tenant.id,))]
        found["organization"] = [r[0] for r in db.execute("SELECT name FROM tenant WHERE tenant_id = %s", (tenant.id,))]
        rows = db.execute("SELECT title, tags, name FROM document WHERE tenant_id = %s", (tenant.id,)).fetchall()
        found["word"] = sorted({word for title, tags, _ in rows for word in (title, *tags)} | {tenant.word})
    seen = [tenant.owner.get(server.url + r["path"], params={"limit": 1}) for r in ROUTES if r["method"] == "GET" and "cursor" in r["params"] and "{" not in r["path"]
            and "q" not in r["params"]]
    found["cursor"] = [a.json()["next_cursor"] for a in seen if a.status_code == 200 and a.json().get("next_cursor")]
    found["etag"] = [tenant.owner.get(f"/documents/{i}").headers["etag"] for i in found["document"][:3]]
    empty = [k for k, v in found.items() if not v]
    return {k: v or found["tenant"] for k, v in found.items()}, empty


EMPTY = set()  # kinds that A has nothing of
NOTHING_OWN = {  # reads that answer with numbers, or the same to everybody
    "GET /api/v1/organization/usage",
    *(f"GET /api/v1/scim/v2/{p}" for p in ("ServiceProviderConfig", "ResourceTypes", "ResourceTypes/{name}", "Schemas", "Schemas/{urn}", "{name}"))}


# --- answers ---


def shown(answer, sent):
    """What an answer says, without what differs by itself and without what was sent."""
    body = NOISE.sub(b"", answer.body)
    for value in sorted(sent, key=len, reverse=True):
        body = body.replace(value.encode(), b"@")
    return (answer.status, *(answer.header(h) for h in HEADERS_SHOWN), body)


def difference(one, other):
    """Where two answers part."""
    for a, b in zip(one, other):
        if a != b and isinstance(a, bytes):
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            return f"{a[max(at - 80, 0):at + 80]} for {b[max(at - 80, 0):at + 80]}"
        if a != b:
            return f"{a} for {b}"
    return "nowhere"


class Judge:
    """Looks at answers; keeps what is wrong."""

    def __init__(self, tenant, foreign, twins):
        self.word, self.foreign, self.twins = tenant.word.encode(), {i.encode() for i in foreign}, twins
        self.look = re.compile(re.escape(self.word) + rb"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
        self.counts, self.wrong = collections.Counter(), []

    def found(self, t, sent, answer):
        text = answer.head + answer.body
        for value in sorted(sent, key=len, reverse=True):
            if t.route in ECHOES or (t.method in ("POST", "PUT", "PATCH") and t.route not in SEARCHES and not UUID.fullmatch(value)):
                text = text.replace(value.encode(), b"")  # what it made, or was asked to, may say what it was given
        return [f for f in self.look.findall(text) if f == self.word or f.lower() in self.foreign]

    def judge(self, t, sent, answer):
        self.counts[answer.status] += 1
        found = self.found(t, sent, answer)
        twin = self.twins.get(t)
        if found:
            why = f"holds {found[:3]}"
        elif answer.status >= 500 and not (t.route == "GET /health/ready" and answer.status == 503):
            why = "our own mistake"
        elif t.rule == "refused" and answer.status != 401:
            why = "401 is due"
        elif t.rule == "both" and answer.status not in (400, 401):
            why = "400 is due"
        elif t.rule == "twin" and shown(answer, sent) != twin:
            why = "unlike its twin: " + difference(shown(answer, sent), twin)
        elif answer.status != twin and (t.rule == "status" or (t.rule == "own" and twin in REFUSED and not t.repeats)):
            why = f"its twin got {twin}"
        else:
            return
        self.wrong.append(f"{t}\n    with {sent}\n    answered {answer.status} {answer.body[:300]}\n    {why}")


# --- the run ---


class Stage:
    """B, who asks; a maker, whose things nobody looks at; the twins; then A."""

    def __init__(self, server):
        self.server, self.description, self.rng = server, describe(server), random.Random(SEED)
        self.b, self.maker = Tenant(server, "harmless"), Tenant(server, "maker")
        self.b.everybody().furnish(self.description)
        self.maker.keys["key"] = self.maker.owner.api_key(PERMISSIONS)
        both = self.b.add("Editor")
        self.b.people["of both"] = server.login(both)
        with server.database() as db:
            self.kinds, mine = kinds_of_ids(db), ids_of(db, self.b.id)
        self.credentials = self.make_credentials()
        self.templates = make_templates(self.description, self.kinds, mine, self.rng)
        self.twins = self.ask_twins()
        self.a = Tenant(server, f"canary{self.rng.getrandbits(32):08x}")
        self.a.everybody().furnish(self.description)
        self.a.add("Admin", both)
        self.without = plant(server, self.a)
        with server.database() as db:
            shared = uuids(db, self.b.id)
        self.values, self.empty = values_of(server, self.a, self.kinds, shared)
        self.credentials |= self.broken_credentials()
        with server.database() as db:
            self.foreign = uuids(db, self.a.id) - shared
            self.before = {t.id: digest(db, t.id) for t in (self.a, self.b)}

    def close(self):
        for tenant in (self.a, self.b, self.maker):
            tenant.close()

    def make_credentials(self):
        found = {who: [credential(self.b.people[who])] for who in [*PEOPLE, "Custom", "of both"]}
        found |= {"key": [credential(self.b.keys["all scopes"])], "API_Only": [credential(self.b.keys["API_Only"])], "nobody": [],
                  "maker's Owner": [credential(self.maker.owner)], "maker's key": [credential(self.maker.keys["key"])]}
        with self.server.login(self.maker.add("Editor")) as leaver:
            found["leaver"] = [credential(leaver)]
        return found

    def broken_credentials(self):
        """What A's people had, or nearly."""
        head, _, signature = self.b.owner.tokens["access_token"].split(".")
        edited = self.a.owner.tokens["access_token"].split(".")[1]
        ended = self.server.login(self.a.owner.email)
        ended.ok("POST", "/auth/logout", 204, json={})
        key = self.a.keys["all scopes"].headers["X-API-Key"]
        revoked = self.a.owner.api_key(["document.read"], name=self.a.text())
        with self.server.database() as db:
            (newest,) = db.execute("SELECT id::text FROM api_key WHERE tenant_id = %s ORDER BY created_at DESC LIMIT 1", (self.a.id,)).fetchone()
        self.a.owner.ok("DELETE", f"/api-keys/{newest}", 204)
        return {"refresh token": [("Authorization", f"Bearer {self.a.owner.tokens['refresh_token']}")],
                "edited token": [("Authorization", f"Bearer {head}.{edited}.{signature}")],
                "ended session": [credential(ended)], "revoked key": [credential(revoked)],
                "damaged key": [("X-API-Key", key[:-8] + ("A" if key[-8] != "A" else "B") + key[-7:])],
                "two credentials": [credential(self.b.owner), ("X-API-Key", key)]}

    def ask_twins(self):
        """Before A exists: the answer to each template with values that nobody has."""
        twins, unknown = {}, Unknown(random.Random(SEED))
        asked = [t for t in self.templates if t.rule in ("twin", "status", "own")]

        def ask(wire, some):
            filled = [t.fill(unknown, self.rng, self.credentials) for t in some]
            for t, (_, sent), answer in zip(some, filled, wire.ask_all([f[0] for f in filled])):
                twins[t] = shown(answer, sent) if t.rule == "twin" else answer.status
        each(self.server.port, asked, CONNECTIONS, AT_A_TIME, ask)
        return twins

    def draw(self, count):
        """Every template once, then by chance; what is dear less often."""
        weights = [0 if t.route in ONCE else 0.05 if "multipart" in t.content_type else 0.3 if t.route in SEARCHES | MOVING or t.who in BROKEN else 1
                   for t in self.templates]
        drawn = [*self.templates, *self.rng.choices(self.templates, weights, k=max(count - len(self.templates), 0))]
        self.rng.shuffle(drawn)
        return list(enumerate(drawn))

    def run(self, count):
        """The judge after so many requests."""
        judge = Judge(self.a, self.foreign, self.twins)

        def ask(wire, some):
            filled = [t.fill(self.values, random.Random(SEED << 32 | i), self.credentials) for i, t in some]
            for (_, t), (_, sent), answer in zip(some, filled, wire.ask_all([f[0] for f in filled])):
                judge.judge(t, sent, answer)
            assert len(judge.wrong) < 20, "\n\n".join(judge.wrong)
        each(self.server.port, self.draw(count), CONNECTIONS, AT_A_TIME, ask)
        return judge


@pytest.fixture(scope="module")
def stage():
    server = Server(env={"DMS_PUBLIC_RATE": "1000000", "DMS_ACCESS_TTL": "86400", "DMS_SLOW_PER_TENANT": "1000", "DMS_LOGIN_FREE": "1000000",
                         "DMS_LOGIN_FREE_ADDRESS": "1000000"})
    try:
        server.start()
        stage = Stage(server)
        yield stage
        stage.close()
    finally:
        server.close()


@TIMEOUT
def test_the_word_stands_in_every_text_of_A(stage):
    """What the next tests rest on: the columns are read from the catalogue, so a new one is planted too, or named here."""
    assert stage.without == [], "columns without the canary: plant them, or add them to NO_WORDS in tenants.py"
    assert set(stage.empty) <= EMPTY, "kinds of ids that A has none of: make one in tenants.py"


@TIMEOUT
def test_A_itself_finds_its_word_and_ids(stage):
    """A judge that sees nothing would pass everything: for A's own people it must find them."""
    judge, wire = Judge(stage.a, stage.foreign, {}), Wire(stage.server.port)
    own = {"Owner": [credential(stage.a.owner)]}
    seen = set()
    for t in stage.templates:
        if t.who == "Owner" and t.method == "GET" and t.route not in seen:
            data, sent = t.fill(stage.values, stage.rng, own)
            if judge.found(t, [], wire.ask(data)):
                seen.add(t.route)
    wire.close()
    without = {name(r) for r in ROUTES if r["method"] == "GET" and r["permission"] not in ("public", "signed_in")} - seen - STREAMS - NOTHING_OWN
    assert not without, f"A's own data is not seen over {without}"


@TIMEOUT
def test_BI_N01_N02_N03_no_answer_holds_anything_of_another_organization(stage, capsys):
    started = time.monotonic()
    judge = stage.run(REQUESTS)
    took, asked = time.monotonic() - started, sum(judge.counts.values())
    with capsys.disabled():
        print(f"\n{asked} requests of {len(stage.templates)} forms over {len(ROUTES)} routes in {took:.0f} s, seed {SEED}: {dict(sorted(judge.counts.items()))}")
    assert not judge.wrong, "\n\n".join(judge.wrong)
    assert asked >= REQUESTS
    assert {t.route for t in stage.templates} == {name(r) for r in ROUTES}
    assert all(judge.counts[status] > 0 for status in (200, 201, 400, 401, 403, 404, 405))


@TIMEOUT
def test_BI_N01_nothing_of_A_or_B_was_changed(stage):
    """To the byte, all rows of all tables. Comes after the run."""
    with stage.server.database() as db:
        for tenant in (stage.a, stage.b):
            after = digest(db, tenant.id)
            assert after == stage.before[tenant.id], {t: (stage.before[tenant.id][t], after[t]) for t in after if after[t] != stage.before[tenant.id][t]}


@TIMEOUT
def test_BI_N01_no_metric_log_or_mail_tells_of_A(stage):
    word = stage.a.word.encode()
    with stage.server.http() as http:
        metrics = http.get("/metrics").content
    assert word not in metrics and not [i for i in stage.foreign if i.encode() in metrics]
    for log in [stage.server.log_path, *(stage.server.data / "log").glob("*.log")]:
        if "postgres" not in log.name:  # where the planting itself stands
            assert word not in re.sub(rb'"requestUrl":"[^"]*"', b"", log.read_bytes()), log  # a path is what somebody asked for
    for mail in stage.server.mails(stage.b.word):
        assert word not in mail.as_bytes(), mail["Subject"]


@TIMEOUT
def test_BI_N01_a_foreign_id_takes_as_long_as_an_unknown_one(stage):
    """The same path by turns, so that what else the machine does meets both: the medians differ by less than 5 % or 0.2 ms."""
    wire = Wire(stage.server.port)
    mine, unknown = stage.credentials["Owner"], Unknown(random.Random(SEED))
    for path in ("/api/v1/documents/{}", "/api/v1/documents/{}/text", "/api/v1/folders/{}"):
        times = {"foreign": [], "unknown": []}
        for _ in range(3000):
            what = stage.rng.choice(["foreign", "unknown"])  # by chance: who comes second of a pair finds everything awake
            ids = stage.values["folder" if "folders" in path else "document"] if what == "foreign" else unknown["document"]
            data = request("GET", path.format(stage.rng.choice(ids)), mine)
            start = time.perf_counter()
            assert wire.ask(data).status == 404
            times[what].append(time.perf_counter() - start)
        foreign, other = (sorted(t)[len(t) // 2] for t in times.values())
        assert abs(foreign - other) < max(0.05 * other, 0.0002), (path, foreign, other)
    wire.close()
