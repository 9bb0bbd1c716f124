"""Load: many requests at once, and what became of each."""
import http.client
import threading
import time
import urllib.parse


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
