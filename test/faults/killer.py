"""Kills a random part at random times; a supervisor that was killed is started again."""
import random
import signal
import threading
import time

import checker
import conftest
import parts

CHANCES = {"api": 5, "worker": 5, "redis": 2, "postgres": 2, "backend": 3, "extract": 3, "supervisor": 1.2}
ENDED_SECONDS = 3  # after which no child may outlive its supervisor
FIND_SECONDS = 0.5


class Killer(threading.Thread):
    """`kills` times kill -9. Most come a second or so apart, some while the part before is still on its way back."""

    def __init__(self, server, ledger, seed, kills, pause=1.1):
        super().__init__(name="killer", daemon=True)
        self.rng = random.Random(f"{seed}/killer")
        self.server, self.ledger, self.kills, self.pause = server, ledger, kills, pause
        self.done = {part: 0 for part in parts.PARTS}
        self.findings = []
        self.failure = None

    def run(self):
        try:
            while sum(self.done.values()) < self.kills:
                time.sleep(self.rng.uniform(0.02, 0.2) if self.rng.random() < 0.15 else self.rng.uniform(0.3, 2 * self.pause - 0.3))
                self.strike(self.rng.choices(list(CHANCES), list(CHANCES.values()))[0])
        except Exception as e:  # the test's own thread reports it
            self.failure = e

    def strike(self, part):
        if part == "supervisor":
            self.kill_supervisor()
            return
        until = time.monotonic() + FIND_SECONDS
        while not (pids := parts.pids(self.server, part)) and time.monotonic() < until:
            time.sleep(0.005)
        if pids and parts.send_signal(pid := self.rng.choice(pids), signal.SIGKILL):
            self.count(part, pid)

    def count(self, part, pid):
        self.done[part] += 1
        self.ledger.write("kill", part=part, pid=pid)

    def kill_supervisor(self):
        before = self.server.processes()
        self.count("supervisor", self.server.pid)
        self.server.process.kill()
        self.server.process.wait()
        conftest.LIVE.remove(self.server)
        left = self.server.left_over(before, ENDED_SECONDS)
        self.findings += [checker.Finding("INV-14", f"{' '.join(parts.words(pid))} outlived its supervisor by {ENDED_SECONDS} s") for pid in left]
        again = self.rng.random() < 0.3  # once more while it starts
        self.server.start(wait=not again)
        if again:
            time.sleep(self.rng.uniform(0.02, 1.5))
            self.kill_supervisor()
