"""The load generator against a server whose delays are known: what it says must be what happened."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import socketserver
import statistics
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DMS_BUILD_DIR", "build") / "bench" / "dms-bench-load"
MARGIN = 0.1  # seconds that a busy machine may add to anything


class Server(socketserver.ThreadingTCPServer):
    """Answers GETs on kept-alive connections. behave(number of the request, path) answers (delay, status, close, body); None never answers."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 200

    def __init__(self, behave):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.arrivals, self.seen, self.lock, self.pause_until = behave, [], [], threading.Lock(), 0.0


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        with contextlib.suppress(ConnectionError):
            while head := self.read_head():
                with self.server.lock:
                    number = len(self.server.arrivals)
                    self.server.arrivals.append(time.monotonic())
                    self.server.seen.append(head)
                what = self.server.behave(number, head[0].split()[1])
                if what is None:
                    self.rfile.read(1)
                    return
                delay, status, close, body = what
                time.sleep(delay)
                more = "Connection: close\r\n" if close else ""
                self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}".encode())
                if close:
                    return

    def read_head(self):
        lines = []
        while (line := self.rfile.readline().decode().strip()):
            lines.append(line)
        return lines


def ok(number, path):
    return 0, 200, False, '{"ok": true}'


def load(behave, paths="/one\n", **options):
    """(what the generator printed, the server after it)"""
    with Server(behave) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings = {"connections": 16, "rate": 500, "seconds": 1, "warmup": 0, **options}
        with tempfile.NamedTemporaryFile("w") as listing:
            listing.write(paths)
            listing.flush()
            done = subprocess.run([PROGRAM, "--connect", f"127.0.0.1:{server.server_address[1]}", "--paths", listing.name,
                                   *(f"--{k}={v}" for k, v in settings.items())], capture_output=True, text=True, timeout=30)
        server.shutdown()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), server


def test_what_is_slow_now_and_then_stands_in_the_percentiles_it_belongs_to():
    got, server = load(lambda n, path: (0.3 if n % 20 == 0 else 0, 200, False, "x" * 100000))
    assert got["2xx"] == got["sent"] == got["due"] == got["latency_ms"]["count"] == len(server.arrivals)
    assert got["latency_ms"]["p50"] < MARGIN * 1000 and got["latency_ms"]["p90"] < 250
    assert 300 <= got["latency_ms"]["p99"] <= got["latency_ms"]["max"] < 300 + 4 * MARGIN * 1000


def test_a_server_that_stands_still_for_a_second_is_seen_by_all_who_came_meanwhile():
    began = []

    def behave(number, path):
        began.append(time.monotonic())
        time.sleep(max(0.0, began[0] + 2 - time.monotonic()) if began[-1] > began[0] + 1 else 0)
        return ok(number, path)

    got, _ = load(behave, seconds=3, connections=8, slices=500)
    # a third of all came while it stood still, and waited 0 to 1 s, evenly; a closed loop would have seen eight
    assert got["latency_ms"]["p50"] < MARGIN * 1000
    assert 0.7 - MARGIN < got["latency_ms"]["p90"] / 1000 < 0.7 + 2 * MARGIN
    assert 1 - MARGIN < got["latency_ms"]["max"] / 1000 < 1 + 5 * MARGIN
    assert got["late_no_connection"] > 300
    assert got["service_ms"]["p95"] < 200  # from sending: few requests were sent while it stood still
    worst = max(got["slices"], key=lambda s: s["p95"])
    assert worst["at_ms"] == 1000 and sum(s["ok"] for s in got["slices"]) == got["2xx"]


def test_refusals_are_told_from_answers_and_a_closed_connection_is_opened_again():
    def behave(number, path):
        return (0.05, 503, True, "") if number % 10 == 0 else (0, 429, False, "no") if number % 10 == 1 else ok(number, path)

    got, server = load(behave)
    total = len(server.arrivals)
    assert got["503"] == pytest.approx(total / 10, abs=1) and got["429"] == pytest.approx(total / 10, abs=1)
    assert got["2xx"] == total - got["503"] - got["429"] and got["reset"] == 0
    assert got["refusal_ms"]["count"] == got["503"] + got["429"]
    assert 50 <= got["refusal_ms"]["p99"] < 250 and got["latency_ms"]["count"] == total


def test_who_gets_no_answer_is_counted_and_waits_as_long_as_it_waited():
    got, _ = load(lambda n, path: None if n % 50 == 25 else ok(n, path), timeout=400)
    assert 5 <= got["timeout"] <= 15 and got["2xx"] + got["timeout"] == got["due"]
    assert got["latency_ms"]["max"] >= 400


def test_more_than_the_server_can_do_is_not_left_out():
    got, server = load(lambda n, path: (0.1, 200, False, ""), connections=4)  # 40 a second of 500
    assert got["unsent"] > 350 and got["due"] == got["sent"] + got["unsent"] == got["latency_ms"]["count"]
    assert got["latency_ms"]["p50"] > 300


def test_nobody_listening_is_said():
    with Server(ok) as gone:
        port = gone.server_address[1]
    with tempfile.NamedTemporaryFile("w") as listing:
        listing.write("/\n")
        listing.flush()
        done = subprocess.run([PROGRAM, "-a", f"127.0.0.1:{port}", "-p", listing.name], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "no connection" in done.stderr


def test_arrivals_are_poisson_and_the_seed_fixes_them():
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        (one, server), (again, _), (other, _) = pool.map(lambda seed: load(ok, rate=300, seed=seed), (7, 7, 8))
    assert one["due"] == again["due"] != other["due"]
    assert one["due"] == pytest.approx(300, abs=70)  # four deviations
    gaps = [b - a for a, b in zip(server.arrivals, server.arrivals[1:])]
    assert 0.7 < statistics.pstdev(gaps) / statistics.mean(gaps) < 1.5  # even arrivals: 0


def test_paths_are_asked_in_turn_with_their_own_header():
    got, server = load(ok, paths="/a\n/b?x=1 X-API-Key: second\n", rate=100)
    lines = [head[0] for head in server.seen]  # in the order in which the server's threads woke
    assert set(lines) == {"GET /a HTTP/1.1", "GET /b?x=1 HTTP/1.1"} and abs(lines.count(lines[0]) - len(lines) / 2) <= 1
    assert all(("X-API-Key: second" in head) == ("/b" in head[0]) for head in server.seen)
    assert got["late_self"] < got["sent"] / 2
