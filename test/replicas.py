"""More replicas of `dms serve` beside the one of an installation that runs, on its database and its Redis; and load on them."""
import http.client
import os
import subprocess
import threading
import time
import urllib.parse


class Replica:
    """Another `dms serve` of that installation, on a port of its own."""

    def __init__(self, server, env=None):
        told, tells = os.pipe()
        self.log = open(server.dir / f"replica-{tells}-{time.monotonic_ns()}", "ab")
        self.process = subprocess.Popen([server.program, "serve", "--data", str(server.data), "--port", "0", f"--ready-fd={tells}"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**server.env, **(env or {})},
                                        cwd=server.dir, pass_fds=[tells])
        os.close(tells)
        with os.fdopen(told) as ready:
            port = ready.readline().strip()
        assert port, f"a replica did not start:\n{open(self.log.name).read()[-3000:]}"
        self.url = f"http://localhost:{port}"

    def close(self):
        self.process.terminate()
        try:
            assert self.process.wait(30) == 0
        finally:
            self.process.kill()
            self.log.close()


class Load:
    """Asks each URL over and over, over `connections` kept-alive connections each, until stopped. `seen`: (when it was answered, how long it
    took, which URL, status), in order of being answered."""

    def __init__(self, urls, headers, path="/api/v1/documents?limit=1", connections=2):
        self.seen, self.stopping = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n, url, headers, path), daemon=True) for n, url in enumerate(urls) for _ in range(connections)]
        self.start = time.monotonic()
        for t in self.threads:
            t.start()

    def run(self, n, url, headers, path):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
        while not self.stopping.is_set():
            begun = time.monotonic()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.seen.append((time.monotonic(), time.monotonic() - begun, n, answer.status))
        connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)

    def count(self, status, since=0.0, until=float("inf")):
        return sum(1 for at, _, _, s in self.seen if s == status and since <= at < until)
