"""How each route is asked: from `dms routes` and the OpenAPI file, with small tables for what these do not say. Knows no answers."""
import json
import re
import subprocess
import uuid

from conftest import BUILD, PASSWORD

ROUTES = json.loads(subprocess.run([str(BUILD / "dms"), "routes"], capture_output=True, text=True, check=True).stdout)
BOUNDARY = "boundary-of-the-tests"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
STREAMS = {"GET /api/v1/events"}  # an answer without an end

# Routes that end or change what the asking person signed in with: asked by a person of its own, whom nothing else uses.
ENDS_SESSION = {f"{method} /api/v1/{path}" for method, path in [
    ("POST", "auth/logout"), ("DELETE", "auth/sessions"), ("POST", "auth/password/change"), ("POST", "auth/mfa/totp"), ("POST", "auth/mfa/totp/verify"),
    ("DELETE", "auth/mfa/totp"), ("DELETE", "organization"), ("POST", "organization/transfer"), ("POST", "auth/oidc/{provider}/link")]}

# Members of bodies whose schema does not say what is a good value. Callables make a new one each time.
VALUES = {
    "email": lambda: f"someone-{uuid.uuid4().hex[:12]}@example.com",
    "userName": lambda: f"someone-{uuid.uuid4().hex[:12]}@example.com",
    "password": PASSWORD,
    "current_password": PASSWORD,
    "new_password": PASSWORD + " changed",
    "scopes": ["document.read"],
    "permissions": ["document.read"],
    "metadata": {"key": "value"},
    "expires_at": "2099-01-01T00:00:00Z",
    "query": "words",
}
BODIES = {"PATCH /api/v1/members/{user_id}": {"role": "Viewer"}}  # where neither the required members nor all of them make a request
PATH_VALUES = {"provider": "google", "token": "unknown", "n": "1", "a": "1", "b": "2"}


def name(route):
    return f"{route['method']} {route['path']}"


def methods_of(path):
    """What an address takes; HEAD is answered where GET is."""
    found = {r["method"] for r in ROUTES if r["path"] == path}
    return found | {"HEAD"} if "GET" in found else found


def arguments(route):
    """The names between braces."""
    return re.findall(r"\{(\w+)\}", route["path"])


def is_id(argument):
    """As src/http/route.c reads patterns: these take a UUID only."""
    return argument == "id" or argument.endswith("_id")


def path_of(route, ids=lambda argument: str(uuid.uuid4())):
    """The path with ids(argument) in the places of ids."""
    return re.sub(r"\{(\w+)\}", lambda m: ids(m[1]) if is_id(m[1]) else PATH_VALUES.get(m[1], "unknown"), route["path"])


class Description:
    """The OpenAPI file, as far as asking needs it."""

    def __init__(self, document):
        self.document = document

    def resolve(self, part):
        while "$ref" in part:
            at = self.document
            for key in part["$ref"].removeprefix("#/").split("/"):
                at = at[key]
            part = at
        if "allOf" in part:
            whole = {"type": "object", "required": [], "properties": {}}
            for one in map(self.resolve, part["allOf"]):
                whole["required"] += one.get("required", [])
                whole["properties"] |= one.get("properties", {})
            return whole
        for key in ("oneOf", "anyOf"):
            if key in part:
                return self.resolve(part[key][0])
        return part

    def operation(self, route):
        return self.document["paths"][route["path"]][route["method"].lower()]

    def good_body(self, route, given=None):
        """A value that the route takes, None where it takes no body: the required members, or all of them where none is."""
        schema = self.body(route)
        if schema is None:
            return None
        return BODIES.get(name(route)) or self.sample(schema, given=given) or self.sample(schema, given=given, whole=True)

    def parameters(self, route):
        """{name: schema} of the query."""
        found = map(self.resolve, self.operation(route).get("parameters", []))
        return {p["name"]: self.resolve(p["schema"]) for p in found if p["in"] == "query"}

    def body(self, route):
        """The schema of the body, None without one."""
        if route["body"] == "none":
            return None
        return self.resolve(next(iter(self.operation(route)["requestBody"]["content"].values()))["schema"])

    def kind(self, schema):
        """The type, of several the first that is not null."""
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        return kinds if isinstance(kinds, str) else next(k for k in kinds if k != "null")

    def is_reference(self, member, schema):
        """Whether a member (or each item of it) is an id."""
        schema = self.resolve(schema)
        if self.kind(schema) == "array":
            return self.is_reference(member, schema.get("items", {}))
        return self.kind(schema) == "string" and (schema.get("format") == "uuid" or is_id(member) or member.endswith("_ids"))

    def is_text(self, member, schema):
        """Whether a member (or each item of it) takes any words."""
        schema = self.resolve(schema)
        if self.kind(schema) == "array":
            return self.is_text(member, schema.get("items", {}))
        return (self.kind(schema) == "string" and "enum" not in schema and "format" not in schema and not self.is_reference(member, schema)
                and (member not in VALUES or member == "query"))

    def sample(self, schema, member="", given=None, whole=False):
        """A value that fits the schema: required members only, or all of them. given(member, schema): one to take instead, None: none."""
        schema = self.resolve(schema)
        if given and self.kind(schema) != "array" and (value := given(member, schema)) is not None:
            return value
        if member in VALUES and not (given and self.kind(schema) == "object"):
            return VALUES[member]() if callable(VALUES[member]) else VALUES[member]
        if "enum" in schema:
            return schema["enum"][0]
        kind = self.kind(schema)
        if kind == "object":
            wanted = schema.get("properties", {}) if whole else {m: schema["properties"][m] for m in schema.get("required", [])}
            return {m: self.sample(s, m, given, whole) for m, s in wanted.items()}
        if kind == "array":
            return [self.sample(schema.get("items", {"type": "string"}), member, given, whole)]
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        if kind == "boolean":
            return False
        if self.is_reference(member, schema):
            return str(uuid.uuid4())
        if schema.get("format") == "date-time":
            return "2026-11-23T05:39:34Z"
        return "words".ljust(schema.get("minLength", 0), "s")

    def undocumented(self, schema, value, where=""):
        """The members of a value that its schema does not name. An object without members in its schema holds what it likes."""
        schema = self.resolve(schema)
        if isinstance(value, dict) and "properties" in schema:
            for member, inner in value.items():
                if member not in schema["properties"]:
                    yield f"{where}.{member}"
                else:
                    yield from self.undocumented(schema["properties"][member], inner, f"{where}.{member}")
        elif isinstance(value, list):
            for one in value:
                yield from self.undocumented(schema.get("items", {}), one, f"{where}[]")


def multipart(fields, content="A file.", filename="file.txt"):
    """The text of a form with a file."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
             for key, value in fields.items() if key != "file"]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n{content}\r\n'
    return "".join([*parts, file, f"--{BOUNDARY}--\r\n"])


def body_text(route, value):
    """(text, content type) of a body with that value."""
    if route["body"] == "multipart":
        flat = {k: v if isinstance(v, str) else json.dumps(v) for k, v in value.items() if k != "file"}
        return multipart(flat), MULTIPART
    return json.dumps(value), "application/json"


# What the id behind a segment of a path names: a table of the database and its column.
KINDS = {
    "documents": ("document", "id"),
    "folders": ("folder", "id"),
    "chunks": ("chunk", "id"),
    "jobs": ("job", "id"),
    "api-keys": ("api_key", "id"),
    "members": ("membership", "user_id"),
    "groups": ("member_group", "id"),
    "Users": ("membership", "user_id"),  # SCIM
    "Groups": ("member_group", "id"),
    "roles": ("role", "id"),
    "invitations": ("invitation", "id"),
    "sessions": ("session", "id"),
    "identities": None,  # a person's, of no organization
}


def kinds_of(route):
    """The tables that the ids of a path name, in order."""
    parts = route["path"].split("/")
    return [(KINDS[parts[i - 1]] or ("", ""))[0] for i, part in enumerate(parts) if re.fullmatch(r"\{(id|\w+_id)\}", part)]


def ids_of(db, tenant):
    """{table: ids} of what an organization has, oldest first."""
    found = {table: [r[0] for r in db.execute(f"SELECT {column}::text FROM {table} WHERE tenant_id = %s ORDER BY {column}", (tenant,))]
             for table, column in filter(None, KINDS.values())}
    return {"": [], **found}
