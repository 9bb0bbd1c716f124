"""Organizations with people of every role, keys, and something of everything that the API can make; a word of their own stands in each text."""
import json
import uuid

import psycopg

from asking import ENDS_SESSION, ROUTES, Description, ids_of, kinds_of, name, path_of
from conftest import wait_for

PEOPLE = ["Owner", "Admin", "Editor", "Viewer"]
PERMISSIONS = """document.read document.create document.update document.delete document.restore document.purge document.download document.share
    document.checkout document.comment document.reprocess document.review document.approve document.publish folder.read folder.create
    folder.update folder.delete folder.grant tag.manage search.query search.save ask.query analytics.read member.read member.invite
    member.update member.remove apikey.manage organization.update billing.read billing.manage audit.read audit.export retention.manage
    legalhold.manage privacy.manage webhook.manage""".split()  # the contract's list, by hand
CUSTOM = ["document.read", "folder.create", "search.query", "member.invite"]  # of a role that an organization makes itself


class Tenant:
    """One organization. word: stands in every text it writes."""

    def __init__(self, server, word):
        self.server, self.word, self.made = server, word, 0
        address = f"{word}-{uuid.uuid4().hex[:8]}@example.com"
        self.owner = server.register(f"{word} organization", address)
        self.id = self.owner.me()["organization"]["id"]
        self.people = {"Owner": self.owner}
        self.keys = {}

    def close(self):
        for client in [*self.people.values(), *self.keys.values()]:
            client.close()

    def text(self):
        """A text with the word in it, another one each time."""
        self.made += 1
        return f"{self.word}n{self.made}"

    def add(self, role, address=None):
        """A member with that role: the address, whose password is the owner's. One that exists already keeps its own."""
        address = address or f"{self.text()}-{uuid.uuid4().hex[:8]}@example.com"
        with self.server.database() as db:
            db.execute("SELECT auth_add_member(gen_random_uuid(), %s, %s, (SELECT password_hash FROM person WHERE email = %s), %s, %s)",
                       (address, f"{self.text()} {role}", self.owner.email, self.id, role))
        return address

    def everybody(self):
        """A person for each role, and keys: with all scopes, and of an API_Only member with all scopes."""
        for role in PEOPLE[1:]:
            self.people[role] = self.server.login(self.add(role))
        self.people["Custom"] = self.server.login(self.of_custom_role())
        self.keys["all scopes"] = self.owner.api_key(PERMISSIONS, name=self.text())
        self.keys["API_Only"] = self.key_of(self.add("API_Only"), PERMISSIONS)
        return self

    def of_custom_role(self):
        role = self.owner.ok("POST", "/roles", 201, json={"name": self.text(), "description": self.text(), "permissions": CUSTOM})
        address = self.add("Viewer")
        with self.server.database() as db:
            db.execute("UPDATE membership SET role = 'Custom', role_id = %s WHERE tenant_id = %s AND email = %s", (role["id"], self.id, address))
        return address

    def key_of(self, address, scopes):
        """A key of a member who cannot sign in to make it."""
        with self.server.database() as db:
            holder = db.execute("SELECT id::text FROM person WHERE email = %s", (address,)).fetchone()[0]
        return self.owner.api_key(scopes, name=self.text(), user_id=holder)

    def document(self, **more):
        """A document with the word in each of its fields."""
        text = self.text()
        fields = {"name": f"{text}.md", "title": text, "tags": json.dumps([text, self.text()]), "metadata": {text: text, "type": text},
                  "content": f"---\ntype: {text}\nversion: {text}\nkeywords: [{text}]\n---\n# {text} heading\n\nText of {text}, a second sentence.", **more}
        return self.owner.upload(fields.pop("content"), **fields)

    def furnish(self, description):
        """Something of everything: what this knows by name, and what each route makes of a body full of the word."""
        top = self.owner.ok("POST", "/folders", 201, json={"name": self.text()})
        below = self.owner.ok("POST", "/folders", 201, json={"name": self.text(), "parent_id": top["id"]},
                              headers={"Idempotency-Key": self.text()})
        made = [self.document(folder_id=f) for f in (top["id"], below["id"], below["id"])] + [self.document(), self.document()]
        self.document(headers={"Idempotency-Key": self.text()})
        self.owner.ok("POST", f"/documents/{made[0]['id']}/versions", 201, files={"file": (f"{self.text()}.txt", f"New text {self.text()}.".encode())})
        self.owner.ok("DELETE", f"/documents/{made[4]['id']}")
        self.owner.search(self.text())
        self.owner.ok("POST", "/invitations", 201, json={"email": f"{self.text()}@example.com", "role": "Viewer"})
        group = self.owner.ok("POST", "/groups", 201, json={"name": self.text()})
        self.owner.ok("PUT", f"/groups/{group['id']}/members/{self.owner.me()['user']['id']}")
        grants = {"restricted": False, "grants": [{"principal_type": "group", "principal_id": group["id"], "level": "read"}]}
        for thing in (f"folders/{below['id']}", f"documents/{made[3]['id']}"):
            self.owner.ok("PUT", f"/{thing}/permissions", json=grants)
        self.make_the_rest(description)
        self.settle()
        return self

    def make_the_rest(self, description):
        """Each route that makes something, with the word in each text of its body. What it refuses is not there to be found."""
        with self.server.database() as db:
            mine = ids_of(db, self.id)
        for route in ROUTES:
            if route["method"] != "POST" or route["body"] != "json" or route["permission"] == "public" or name(route) in ENDS_SESSION:
                continue
            own = iter([mine[kind][0] if mine[kind] else str(uuid.uuid4()) for kind in kinds_of(route)])
            body = description.sample(description.body(route), whole=True, given=self.give(description, mine))
            self.owner.post(self.server.url + path_of(route, lambda _: next(own)), json=body)

    def give(self, description, mine):
        """Values of a body: the word for texts, for references one of our own things of that kind, None to leave them to the sample."""
        def given(member, schema):
            if description.is_reference(member, schema):
                kind = member.removesuffix("_id").removesuffix("_ids")
                return next(iter(mine.get({"parent": "folder", "owner": "membership"}.get(kind, kind), [])), None)
            return self.text() if description.is_text(member, schema) else None
        return given

    def settle(self):
        """Until nothing is at work for this organization."""
        with self.server.database() as db:
            for what in ("job WHERE tenant_id = %s AND state IN ('queued', 'running')", "audit_open WHERE tenant_id = %s"):
                wait_for(lambda: db.execute(f"SELECT count(*) FROM {what}", (self.id,)).fetchone()[0] == 0, 120, f"nothing in {what}")


# Columns that hold no words of people, and what else stands in them. Everything else of type text, text[] and jsonb without a constraint is
# filled with the tenant's word by plant().
NO_WORDS = {
    ("idempotency", "route"), ("idempotency", "key"), ("idempotency", "fingerprint"),  # what a repeated key is compared with
    ("document", "sha256"), ("document", "mime_type"), ("document_version", "mime_type"),  # what a download is looked up and served by
    ("job", "kind"), ("embedding", "model"), ("chunk", "tsv"), ("tenant", "plan"),
}
PLANTED = {  # by type: how the word gets into a column, another one in each row
    "text": "%s || substr(md5(random()::text), 1, 6)",
    "text[]": "array_append({c}, %s || substr(md5(random()::text), 1, 6))",
    "jsonb": "CASE WHEN jsonb_typeof(coalesce({c}, '{{}}')) = 'object' THEN coalesce({c}, '{{}}') || jsonb_build_object('planted', %s::text) ELSE {c} END",
}


def text_columns(db):
    """(table, column, type) that may hold any words: no check, no key and no reference binds them."""
    return [r for r in db.execute("""
        SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'dms'::regnamespace AND c.relkind = 'r' AND format_type(a.atttypid, NULL) IN ('text', 'text[]', 'jsonb')
          AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id') AND NOT a.attisdropped AND a.attgenerated = ''
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND a.attnum = ANY (k.conkey)
                          AND (k.contype IN ('p', 'f', 'u') OR pg_get_constraintdef(k.oid) ~ '= ANY|~'))
        ORDER BY 1, 2""") if (r[0], r[1]) not in NO_WORDS]


def plant(server, tenant):
    """The tenant's word into each text of each row that it has. Answers the columns that hold it nowhere."""
    without = []
    with server.database() as db:
        for table, column, kind in text_columns(db):
            value = PLANTED[kind].format(c=column)
            try:
                db.execute(f"UPDATE {table} SET {column} = {value} WHERE tenant_id = %s AND strpos(coalesce({column}::text, ''), %s) = 0",
                           (tenant.word, tenant.id, tenant.word))
            except psycopg.Error:
                pass  # what forbids it (a trigger, a grant) may still have let it in by the front door
            rows, with_word = db.execute(f"SELECT count(*), count(*) FILTER (WHERE strpos(coalesce({column}::text, ''), %s) > 0)"
                                         f" FROM {table} WHERE tenant_id = %s", (tenant.word, tenant.id)).fetchone()
            if rows and not with_word:
                without.append(f"{table}.{column}")
    return without


def uuids(db, tenant):
    """Everything of type uuid in an organization's rows."""
    found = set()
    for table in tables(db):
        for (column,) in db.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND atttypid = 'uuid'::regtype"
                                    " AND NOT attisdropped", (table,)).fetchall():
            found |= {r[0] for r in db.execute(f"SELECT DISTINCT {column}::text FROM {table} WHERE tenant_id = %s AND {column} IS NOT NULL", (tenant,))}
    return found


def credential(client):
    """The header that a client signs in with."""
    for header in ("Authorization", "X-API-Key"):
        if header in client.headers:
            return (header, client.headers[header])
    raise AssertionError("a client without a credential")


def describe(server):
    with server.http() as http:
        return Description(http.get("/openapi.json").json())


def tables(db):
    """The tables with data of organizations, those of other schemas with their schema."""
    return [r[0] for r in db.execute("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                     " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
                                     " WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|^information_schema' ORDER BY 1")]


# Noted there without anybody's doing: the use of credentials, the sums of the word index, the seals of the audit log.
MOVED_BY_ITSELF = {"api_key", "session", "kw.stat", "kw.delta", "kw.passages", "audit_open", "audit_chain", "audit_checkpoint"}
NO_CHANGE = ["auth.login_failed", "audit.read", "audit.export", "audit.verify"]  # what the audit log says of attempts, and of who only reads


def digest(db, tenant):
    """{table: (rows, digest of all that stands in them)} of an organization."""
    return {t: db.execute(f"SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {t} t WHERE tenant_id = %s"
                          + (" AND action <> ALL (%s)" if t == "audit" else ""), (tenant, NO_CHANGE) if t == "audit" else (tenant,)).fetchone()
            for t in tables(db) if t not in MOVED_BY_ITSELF}
