"""Who may do what: every route, asked by every role, about its own organization, about another one and without a credential, held against
expected_permissions.txt, which is written by hand. And every way to a route that is not its address."""
import json
import pathlib
import re
import uuid

import pytest
from asking import ENDS_SESSION, ROUTES, STREAMS, arguments, body_text, ids_of, is_id, kinds_of, methods_of, name, path_of
from conftest import wait_for
from tenants import CUSTOM, PEOPLE, PERMISSIONS, Tenant, credential, describe
from wire import Wire, request

FILE = pathlib.Path(__file__).with_name("expected_permissions.txt")
GUARDED = [r for r in ROUTES if r["permission"] != "public"]
WHO = [*PEOPLE, "Custom", "API_Only", "key with this scope", "key with all other scopes"]
TAKEN = {200, 201, 202, 204, 400, 402, 404, 409, 412, 413, 415, 422, 423}  # neither 401 nor 403 nor our own mistake


def read_expected():
    """{route: (permission, who)}"""
    found = {}
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            method, path, permission, *who = line.split()
            assert f"{method} {path}" not in found, f"{line}: twice"
            found[f"{method} {path}"] = (permission, set(who))
    return found


EXPECTED = read_expected()


# Whose handler looks closer than the permission of the row: at who it is beside what they may, and only when it has the body.
CLOSER = ENDS_SESSION | {"POST /api/v1/organization/restore", "DELETE /api/v1/members/{user_id}", "GET /api/v1/auth/identities", "DELETE /api/v1/auth/identities/{id}",
                          "POST /api/v1/auth/switch", "DELETE /api/v1/auth/sessions/{id}"}


def scope(route):
    """What a key needs: None: nothing, "": it may not."""
    permission, them = EXPECTED[name(route)]
    named = [w.partition(":")[2] for w in them if w.startswith("key")]
    return "" if not named else named[0] or (None if permission == "signed_in" else permission)


def may(route, who):
    permission, them = EXPECTED[name(route)]
    if permission == "public":
        return True
    if who in PEOPLE:
        return who in them
    if who == "Custom":
        return set(PEOPLE) <= them if permission == "signed_in" else permission in CUSTOM
    needs = scope(route)
    return needs is None or needs != "" and who != "key with all other scopes"


class Cast:
    """Two organizations alike; in the first somebody of every role, who asks."""

    def __init__(self, server):
        self.server, self.description, self.wire = server, describe(server), Wire(server.port)
        self.own, self.other = Tenant(server, f"own{uuid.uuid4().hex[:6]}"), Tenant(server, f"other{uuid.uuid4().hex[:6]}")
        for tenant in (self.own, self.other):
            tenant.everybody().furnish(self.description)
        with server.database() as db:
            self.ids = {"own": ids_of(db, self.own.id), "other": ids_of(db, self.other.id)}

    def close(self):
        self.wire.close()
        self.own.close()
        self.other.close()

    def client(self, who, route):
        if who in (*PEOPLE, "Custom"):
            if name(route) in ENDS_SESSION and who == "Custom":
                return self.server.login(self.own.of_custom_role())
            return self.server.login(self.own.add(who)) if name(route) in ENDS_SESSION else self.own.people[who]
        if who == "API_Only":
            return self.own.keys[who]
        needs = scope(route) or "document.read"
        scopes = [p for p in PERMISSIONS if (p == needs) == (who == "key with this scope")]
        key = f"{who} {needs}"
        if key not in self.own.keys:
            self.own.keys[key] = self.own.owner.api_key(scopes)
        return self.own.keys[key]

    def path(self, route, place=None):
        """With ids of "own" or "other", or such that nobody knows."""
        kinds = iter(kinds_of(route))
        return path_of(route, lambda _: next(iter(self.ids[place][next(kinds)]), None) or str(uuid.uuid4()) if place else str(uuid.uuid4()))

    def good_body(self, route):
        """(text, content type) of a body that is in order, (None, "") where none is taken."""
        value = self.description.good_body(route)
        return (None, "") if value is None else body_text(route, value)

    def query(self, route):
        """The parameters that must be there."""
        return "?q=words" if "q" in route["params"] else ""

    def ask(self, route, client, place=None, body="good"):
        """body: good, unknown (a member that does not exist), broken."""
        text, kind = self.good_body(route)
        if text is not None and body != "good":
            text = "{" if body == "broken" else '{"nonsense": true}'
        query = self.query(route) if body != "broken" else "?nonsense=true"
        headers = [credential(client)] if client else []
        answer = self.wire.ask(request(route["method"], self.path(route, place) + query, headers, text and text.encode(), kind))
        if name(route) in STREAMS:
            self.wire.close()
        return answer


@pytest.fixture(scope="module")
def cast(dms):
    cast = Cast(dms)
    yield cast
    cast.close()


def test_every_route_is_written_in_the_file_and_every_line_is_a_route():
    assert {name(r) for r in ROUTES} == set(EXPECTED)


def test_the_file_knows_the_permissions_and_roles_of_the_contract():
    assert len(PERMISSIONS) == 38 == len(set(PERMISSIONS))
    for route, (permission, who) in EXPECTED.items():
        assert permission in [*PERMISSIONS, "signed_in", "public"], route
        assert who == {"everybody"} if permission == "public" else who and {w.partition(":")[0] for w in who} <= {*PEOPLE, "key"}, route
        assert not {w.partition(":")[2] for w in who} - {"", *PERMISSIONS}, route


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_the_route_and_its_description_name_the_permission_of_the_file(cast, route):
    operation = cast.description.operation(route)
    permission, _ = EXPECTED[name(route)]
    assert route["permission"] == operation["x-permission"] == permission
    assert (operation.get("security") == []) == (permission == "public")


def says(answer, status, code):
    """Whether it is that refusal; SCIM has words of its own and no codes."""
    return answer.status == status and json.loads(answer.body).get("code", code) == code


def forbidden(answer):
    return says(answer, 403, "forbidden")


def check_own(cast, route, who):
    client = cast.client(who, route)
    if may(route, who):
        if route["method"] == "GET" and all(map(is_id, arguments(route))):
            answer = cast.ask(route, client, "own")
            assert answer.status in (200, 503 if route["path"] == "/health/ready" else 200), answer
        else:
            answer = cast.ask(route, client, body="unknown")
            assert answer.status in TAKEN, answer
        return
    for place, body in (("own", "good"), (None, "broken"))[:1 if name(route) in CLOSER else 2]:
        answer = cast.ask(route, client, place, body)
        assert forbidden(answer), (place, body, answer)


def check_other(cast, route, who):
    answer = cast.ask(route, cast.client(who, route), "other", "good" if not may(route, who) or kinds_of(route) else "unknown")
    if not may(route, who):
        assert forbidden(answer), answer
    elif kinds_of(route):
        assert answer.status == 404, answer
    else:
        assert answer.status in TAKEN | {503}, answer
    assert not [i for ids in cast.ids["other"].values() for i in ids if i.encode() in answer.body], answer
    assert cast.other.word.encode() not in answer.body


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_BI_N07_each_role_may_exactly_what_is_written(cast, route):
    """100 % of the cells: route x role x own and other organization; without a credential below."""
    for who in WHO:
        check_own(cast, route, who)
        check_other(cast, route, who)


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_BI_D14_nothing_is_answered_without_a_credential(cast, route):
    for place, body in (("own", "good"), ("own", "broken"), (None, "good")):
        answer = cast.ask(route, None, place, body)
        assert says(answer, 401, "unauthorized"), (place, body, answer)
        assert answer.header("WWW-Authenticate")
        assert cast.own.word.encode() not in answer.body


def test_BI_D14_the_public_routes_are_those_that_must_be():
    """Health, the description of the API, and how to get a credential: nothing else, whatever the files say."""
    outside = re.compile(r"/health/|/metrics$|/version$|/openapi\.json$|/docs$|/\.well-known/|/api/v1/(auth/|invitations/accept$)")
    assert all(outside.match(r["path"]) for r in ROUTES if r["permission"] == "public")


def test_BI_N07_what_a_key_may_is_what_its_scopes_and_its_owner_may(cast):
    """Effective rights are the intersection, also after the role has changed."""
    tenant = cast.own
    address = tenant.add("Admin")
    with tenant.server.login(address) as admin, admin.api_key(PERMISSIONS_OF_ADMIN) as key, tenant.server.database() as db:
        assert key.post("/folders", json={"name": tenant.text()}).status_code == 201
        db.execute("UPDATE membership SET role = 'Viewer' WHERE tenant_id = %s AND email = %s", (tenant.id, address))
        wait_for(lambda: key.post("/folders", json={"name": tenant.text()}).status_code == 403, 5, "the key to know the lower role")
        assert key.get("/folders").status_code == 200
        assert admin.get("/api-keys").status_code == 403
    assert set(PERMISSIONS_OF_ADMIN) < set(PERMISSIONS)


PERMISSIONS_OF_ADMIN = [p for p in PERMISSIONS if p != "billing.manage"]


# --- N11: ways to a route that are not its address ---


def escaped(path):
    """One letter of the last word written as %xx."""
    at = max(m.start() for m in re.finditer(r"[a-z]", re.sub(r"[0-9a-f]{8}-[-0-9a-f]{27}", lambda m: "0" * len(m[0]), path)))
    return f"{path[:at]}%{ord(path[at]):02X}{path[at + 1:]}"


ODD_PATHS = {
    "trailing slash": lambda p: p + "/",
    "two slashes in front": lambda p: "/" + p,
    "two slashes inside": lambda p: p.replace("/v1/", "/v1//"),
    "upper case": str.upper,
    "escaped letter": escaped,
    "escaped slash": lambda p: p.replace("/v1/", "/v1%2F"),
    "escaped twice": lambda p: p.replace("/v1/", "/v1%252F"),
    "dot": lambda p: p.replace("/v1/", "/v1/./"),
    "dots": lambda p: p.replace("/v1/", "/v1/x/../"),
    "escaped dots": lambda p: p.replace("/v1/", "/v1/%2e%2e/v1/"),
    "backslash": lambda p: p.replace("/v1/", "/v1\\"),
    "semicolon": lambda p: p + ";a=b",
    "extension": lambda p: p + ".json",
    "NUL": lambda p: p + "%00",
    "line feed": lambda p: p + "%0a",
    "space": lambda p: p + "%20",
    "absolute": lambda p: "http://localhost" + p,
    "public in front": lambda p: "/health/live/.." + p,
}
OVERRIDES = [("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method", "GET"), ("X-Method-Override", "GET"), ("X-Original-URL", "/health/live"),
             ("X-Rewrite-URL", "/health/live"), ("X-Forwarded-Prefix", "/api/v1"), ("X-Forwarded-For", "127.0.0.1"), ("X-Remote-User", "admin")]


def is_page(answer):
    """The web application, which has all addresses that are not the API's; it holds no data."""
    return answer.status == 200 and answer.header("Content-Type").startswith("text/html") and b"<script" in answer.body


def refused(cast, route, client, method, path, *headers):
    """Whether this comes to no handler: the web application's page, or an answer without its doing."""
    text, kind = cast.good_body(route)
    answer = cast.wire.ask(request(method, path, [*headers, *([credential(client)] if client else [])], text and text.encode(), kind))
    assert cast.own.word.encode() not in answer.body, (path, answer)
    if answer.status == 204:
        assert method == "OPTIONS" and answer.header("Allow") and not answer.body, (path, answer)
        return True
    return answer.status in (400, 401, 403, 404, 405) or is_page(answer)


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_BI_N11_no_other_way_leads_to_a_handler(cast, route):
    """Asked by nobody, and by a key that has every scope but this one."""
    them = [None]
    if route["permission"] != "signed_in":
        them.append(cast.client("key with all other scopes", route))
    path = cast.path(route, "own")
    for client in them:
        for what, odd in ODD_PATHS.items():
            assert refused(cast, route, client, route["method"], odd(path)), what
        for header in OVERRIDES:
            assert refused(cast, route, client, route["method"], path + cast.query(route), header), header
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods_of(route["path"]):
            assert refused(cast, route, client, method, path + cast.query(route)), method


@pytest.mark.parametrize("route", [r for r in GUARDED if r["method"] == "GET" and name(r) not in STREAMS], ids=name)
def test_BI_N11_HEAD_is_refused_as_GET_is(cast, route):
    path = cast.path(route, "own") + cast.query(route)
    for client in (None, *(cast.client(who, route) for who in WHO)):
        headers = [credential(client)] if client else []
        get, head = cast.wire.ask_all([request(method, path, headers) for method in ("GET", "HEAD")])
        assert get.status == head.status and head.body == b"", (get, head)
    assert (get.status in (200, 404)) if may(route, WHO[-1]) else forbidden(get), get


# --- N12: members above one's role ---

ALWAYS = ["id", "tenant_id", "organization_id", "user_id", "owner", "owner_id", "plan", "created_at", "updated_at", "revision", "granted", "is_admin", "acl_id"]


# SCIM passes over what it does not know, as its clients expect (RFC 7643).
@pytest.mark.parametrize("route", [r for r in ROUTES if r["body"] != "none" and name(r) not in ENDS_SESSION and "/scim/" not in r["path"]], ids=name)
def test_BI_N12_what_nobody_may_set_is_refused_by_name(cast, route):
    """Members of the answer that are none of the request, and what a table would take: 400 that names them, whoever asks."""
    schema = cast.description.body(route)
    answers = [cast.description.resolve(a) for status, a in cast.description.operation(route)["responses"].items() if status.startswith("2")]
    shown = {m for a in answers for c in a.get("content", {}).values() for m in cast.description.resolve(c["schema"]).get("properties", {})}
    good = cast.description.good_body(route)
    who = [w for w in PEOPLE if may(route, w)]
    for client in [cast.client(w, route) for w in (who[0], who[-1])]:
        for member in sorted((shown | set(ALWAYS)) - set(schema.get("properties", {}))):
            text, kind = body_text(route, {**good, member: "x"})
            answer = cast.wire.ask(request(route["method"], cast.path(route), [credential(client)], text.encode(), kind))
            assert answer.status == 400, (member, answer)
            assert member in [e["field"] for e in json.loads(answer.body).get("errors", [])], (member, answer)


@pytest.mark.parametrize("route", [r for r in GUARDED if r["method"] == "GET" and name(r) not in STREAMS], ids=name)
def test_BI_N12_nobody_is_shown_more_than_is_written(cast, route):
    """Every role's answer holds the members of the description and no others."""
    content = cast.description.operation(route)["responses"].get("200", {}).get("content", {})
    if "application/json" not in content:
        return
    for who in WHO:
        if may(route, who):
            answer = cast.ask(route, cast.client(who, route), "own")
            assert list(cast.description.undocumented(content["application/json"]["schema"], json.loads(answer.body))) == [], who
