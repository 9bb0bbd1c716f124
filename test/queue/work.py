"""What the tests of this folder do with an installation: upload, wait for a status, stop and start its worker."""
import os
import pathlib
import signal

from conftest import Server, wait_for

SLOW_SECONDS = 60


class Installation:
    """`dms up` with a Redis of the test's, where Celery's tools can reach it."""

    def __init__(self, redis, **settings):
        self.redis = redis
        self.server = Server(env={"DMS_REDIS_URL": redis.url, "DMS_EMBED_PROVIDER": "none", "DMS_JOB_LEASE": "5", "DMS_JOB_BACKOFF": "1",
                                  **{f"DMS_{name.upper()}": str(value) for name, value in settings.items()}})
        self.server.start()
        self.client = self.server.register()
        self.tenant = self.client.me()["organization"]["id"]

    def close(self):
        self.resume()
        self.server.close()

    def upload(self, text="Some words about ships.", name="a.txt", client=None):
        return (client or self.client).ok("POST", "/documents", 201, files={"file": (name, text)})["id"]

    def document(self, document, client=None):
        return (client or self.client).ok("GET", f"/documents/{document}")

    def wait(self, document, status="processed", seconds=SLOW_SECONDS):
        return wait_for(lambda: (d := self.document(document))["status"] == status and d, seconds, f"{document} to be {status}")

    def job(self, document, kind="document.process"):
        return next(j for j in self.client.ok("GET", "/jobs?limit=100")["items"] if j["document_id"] == document and j["kind"] == kind)

    def steps(self, document):
        return [line["step"] for line in self.client.ok("GET", f"/documents/{document}/timeline")["items"]]

    def chunks(self, document):
        return self.client.ok("GET", f"/documents/{document}/chunks?limit=100")["items"]

    # the worker process

    def workers(self):
        found = []
        for pid in self.server.processes():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if len(words) > 1 and words[1] == b"worker":
                found.append(pid)
        return found

    def worker(self):
        return wait_for(lambda: (w := self.workers()) and w[0], 30, "a worker")

    def pause(self):
        os.kill(self.worker(), signal.SIGSTOP)

    def resume(self):
        for pid in self.workers():
            os.kill(pid, signal.SIGCONT)
