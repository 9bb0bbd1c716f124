"""Clients that upload, write versions and trash, and note in the ledger what they asked for and what they heard."""
import dataclasses
import random
import threading
import time

import httpx

import documents
from conftest import Client
from ledger import INVOKE, OK, REFUSED, UNKNOWN

RETRY_SECONDS = 60
ABANDONED = 0.3  # of the writes without an answer: repeated only by the checker, after everything


@dataclasses.dataclass
class Tenant:
    """An organization of the load; its headers sign every request, whichever connection it takes."""
    id: str
    headers: dict

    @classmethod
    def new(cls, server):
        client = server.register()
        return cls(client.me()["organization"]["id"], {"Authorization": client.headers["Authorization"]})

    def client(self, server, **options):
        client = Client(server)
        client.headers.update(self.headers)
        for name, value in options.items():
            setattr(client, name, value)
        return client


def send(client, operation):
    """The request of an operation; asked for again it is the same, byte for byte."""
    headers = {"Idempotency-Key": operation["key"]}
    if operation["do"] == "trash":
        return client.delete(f"/documents/{operation['document']}", headers=headers)
    file = documents.File(**operation["file"])
    path = "/documents" if operation["do"] == "create" else f"/documents/{operation['document']}/versions"
    return client.post(path, files={"file": (file.name, file.content)}, headers=headers)


def outcome(answer):
    """What an answer says about the write. A 503 may hide a COMMIT whose answer was lost; 409 with Retry-After: the first try still runs."""
    if answer.is_success:
        return OK
    if answer.status_code == 503 or answer.status_code == 409 and "Retry-After" in answer.headers:
        return UNKNOWN
    return REFUSED


def note(ledger, number, answer):
    body = answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else {}
    result = outcome(answer)
    ledger.write(result, operation=number, status=answer.status_code, id=body.get("id"), version=body.get("version"),
                 retry_after=answer.headers.get("Retry-After"), replay=answer.headers.get("Idempotent-Replay"),
                 detail=None if answer.is_success else answer.text[:300])
    return result


class Writer(threading.Thread):
    """One client: its own documents, one operation after the other."""

    def __init__(self, server, tenant, ledger, number, seed, pause):
        super().__init__(name=f"writer {number}", daemon=True)
        self.rng = random.Random(f"{seed}/{number}")
        self.server, self.tenant, self.ledger, self.number, self.pause = server, tenant, ledger, number, pause
        self.stopping = threading.Event()
        self.documents = []  # [id, version] of those whose state is known
        self.failure = None
        self.client = tenant.client(server, timeout=30)

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
                self.stopping.wait(self.rng.uniform(0, 2 * self.pause))
        except Exception as e:  # the test's own thread reports it
            self.failure = e
        finally:
            self.client.close()

    def step(self):
        chance = self.rng.random()
        document = self.rng.choice(self.documents) if self.documents else None
        if chance < 0.75 or not document:
            self.create()
        elif chance < 0.92:
            self.write_version(document)
        else:
            self.trash(document)

    def create(self):
        result, answer = self.perform("create", None)
        if result == OK:
            self.documents.append([answer["id"], answer["version"]])
            if self.rng.random() < 0.3:
                self.read_own_write(answer["id"])

    def write_version(self, document):
        result, answer = self.perform("version", document[0])
        if result == OK:
            document[1] = answer["version"]
        else:
            self.documents.remove(document)

    def trash(self, document):
        self.perform("trash", document[0])
        self.documents.remove(document)

    def read_own_write(self, document):
        """What was answered 2xx is there for its writer at once, or nothing is."""
        try:
            answer = self.client.get(f"/documents/{document}")
        except httpx.HTTPError:
            return
        if answer.status_code not in (200, 503):
            self.ledger.write("misread", document=document, status=answer.status_code, detail=answer.text[:300])

    def perform(self, do, document):
        """Asks until there is an answer that says what happened, or (now and then) leaves it at not knowing."""
        number = self.ledger.operation()
        operation = {"do": do, "tenant": self.tenant.id, "document": document, "key": f"{self.name} {number} {self.rng.random()}"}
        if do != "trash":
            operation["file"] = dataclasses.asdict(documents.choose(self.rng, number))
        until = time.monotonic() + RETRY_SECONDS
        while True:
            self.ledger.write(INVOKE, operation=number, **operation)
            try:
                answer = send(self.client, operation)
                result = note(self.ledger, number, answer)
            except httpx.HTTPError as e:
                result, answer = UNKNOWN, None
                self.ledger.write(UNKNOWN, operation=number, status=None, detail=repr(e))
            if result != UNKNOWN:
                return result, answer.json() if answer.content else None
            if self.stopping.is_set() or time.monotonic() > until or self.rng.random() < ABANDONED:
                return result, None
            time.sleep(0.1)


class Load:
    """Some writers at once, for two organizations."""

    def __init__(self, server, ledger, seed, writers=4, pause=0.4):
        self.tenants = [Tenant.new(server) for _ in range(2)]
        self.writers = [Writer(server, self.tenants[i % 2], ledger, i, seed, pause) for i in range(writers)]
        for tenant in self.tenants:
            ledger.write("tenant", id=tenant.id, headers=tenant.headers)

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *why):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(RETRY_SECONDS + 40)
            assert not writer.is_alive(), f"{writer.name} does not end"
            if writer.failure and not why[0]:
                raise writer.failure
