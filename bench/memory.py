#!/usr/bin/env python3
"""memory: the idle stack without PostgreSQL and Redis, the API at 1,000 connections, and memory over time under mixed load.

Proportional (PSS): what processes share is divided among them, so that the sum over them is what the machine gives; the model is a copy of its own,
so that no other installation on the machine takes part in it. --soak MINUTES makes the mixed load longer; an hour is best run in the background.
"""
import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import random
import shutil
import tempfile
import threading
import time

import report
import stack as common

OURS = ("supervisor", "api", "worker")
COLUMNS = ("resident", "anonymous", "proportional", "private")


def warm(client):
    """Uses everything once: a document is read, cut, embedded and found by meaning, so the model is loaded in both processes."""
    client.upload_processed("The model is loaded when this has been found by its meaning.", name="warm.txt")
    found = client.search("where is the memory", mode="semantic")
    assert len(found["items"]) == 1, found


def idle(out, stack):
    measured = {role: common.memory(stack.role(role)[0]) for role in OURS}
    rows = [[role, *(float(m[c]) for c in COLUMNS)] for role, m in measured.items()]
    rows.append(["together", "", *(float(sum(m[c] for m in measured.values())) for c in COLUMNS[1:])])
    out.say("Idle, after a document was uploaded, read, embedded, and found by meaning: the model (90 MB, mapped) is loaded in API and worker.")
    out.table(["MB", *COLUMNS], rows)
    out.judge("stack without PostgreSQL and Redis, model loaded, proportional", rows[-1][3], 150.0, 60.0, " MB", more_is_better=False)
    out.judge("the same, private to its processes", rows[-1][4], None, 60.0, " MB", more_is_better=False)


def connected(out, stack, tenants):
    before = common.memory(stack.api)
    got = common.wrk(stack, common.get_paths(tenants), 1000, 5)
    after = common.memory(stack.api)
    out.table(["API, MB", *COLUMNS], [["idle", *map(float, before.values())], [f"after 1,000 connections, {report.number(got.rate)} GET/s", *map(float, after.values())]])
    out.judge("API at 1,000 connections with the model loaded, resident", after["resident"], 40.0, 20.0, " MB", more_is_better=False)
    out.judge("the same, anonymous (without files that are mapped)", after["anonymous"], None, 20.0, " MB", more_is_better=False)


class Mixed:
    """What people do, all day: GETs and lists at a steady rate by the generator, and beside them uploads, searches and deletions."""

    def __init__(self, stack, tenants, rate):
        self.stack, self.tenants, self.rate = stack, tenants, rate
        self.over, self.done, self.failed = threading.Event(), 0, 0

    def people(self, seed):
        rng = random.Random(seed)
        with self.stack.register() as client:
            asked = time.monotonic()
            while not self.over.wait(rng.expovariate(2)):
                if time.monotonic() - asked > 600:  # before the access token ends
                    client.close()
                    client, asked = self.stack.login(client.email), time.monotonic()
                try:
                    text = " ".join(rng.choices(("pump", "valve", "pressure", "engine", "report", "minutes", "contract", "wing"), k=rng.randint(20, 300)))
                    document = client.upload(text + f" {rng.random()}", name="note.txt")
                    client.search(rng.choice(("pressure of the pump", "engine", "what does the contract say")))
                    client.ok("GET", "/documents?count=true")
                    if rng.random() < 0.5:
                        client.ok("DELETE", f"/documents/{document['id']}")
                    self.done += 1
                except Exception as e:  # noqa: BLE001  counted and told: a soak goes on
                    self.failed += 1
                    print(f"  {type(e).__name__}: {str(e)[:200]}", flush=True)

    def run(self, seconds):
        lines = common.get_paths(self.tenants) + common.list_paths(self.tenants) * 50
        with common.paths_file(lines) as file:
            load = common.start_load(self.stack, file, self.rate, 200, int(seconds), warmup=0)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                crowd = [pool.submit(self.people, seed) for seed in range(3)]
                self.text = load.communicate()[0]
                self.over.set()
                for one in crowd:
                    one.result()


def soak(out, stack, tenants, args):
    mixed = Mixed(stack, tenants, args.rate)
    runner = threading.Thread(target=mixed.run, args=(args.soak * 60,))
    start, every, samples = time.monotonic(), max(args.soak * 60 / 12, 5), []
    runner.start()
    while runner.is_alive():
        samples.append((time.monotonic() - start, common.memory(stack.api), common.memory(stack.role("worker")[0]), sum(common.memory(p)["private"] for p in stack.role("postgres"))))
        out.note(f"{samples[-1][0] / 60:5.1f} min: API {samples[-1][1]['anonymous']:.1f} MB anonymous, worker {samples[-1][2]['anonymous']:.1f}")
        runner.join(every)
    got = json.loads(mixed.text)
    warm_up = samples[min(len(samples) // 4, len(samples) - 2)]
    last = samples[-1]
    out.say(f"{args.soak:g} minutes of mixed load: {args.rate}/s of GETs and lists on 200 connections ({got['2xx']:,} answers, {got['sent'] - got['2xx']} others, p95 "
            f"{got['latency_ms']['p95']:.1f} ms), beside it three people who upload, search, count and delete without rest ({mixed.done:,} rounds, {mixed.failed} failed).")
    out.table(["minute", "API resident, MB", "anonymous", "worker resident", "anonymous", "PostgreSQL private"],
              [[f"{s[0] / 60:.1f}", s[1]["resident"], s[1]["anonymous"], s[2]["resident"], s[2]["anonymous"], s[3]] for s in samples])
    for at, who in ((1, "API"), (2, "worker")):
        out.judge(f"{who}: anonymous memory at the end against a quarter of the way", last[at]["anonymous"] / warm_up[at]["anonymous"], 1.1, 1.02, more_is_better=False)


def own_model(folder):
    """A copy of the model that the programs would use."""
    source = next((p for p in (common.BUILD / "model", report.ROOT / "model") if p.is_dir()), None)
    if source is None:
        raise SystemExit("memory: no model: script/setup fetches it")
    for file in ("model.safetensors", "vocab.txt"):
        shutil.copy(source / file, folder)
    pathlib.Path(folder).chmod(0o755)  # the servers run as another user when this one is root


def run(args, out):
    with tempfile.TemporaryDirectory(prefix="dms-bench-model-") as model, contextlib.ExitStack() as until_end:
        own_model(model)
        stack = until_end.enter_context(common.Stack(f"--model-dir={model}"))
        out.say(f"{stack.settings()} {stack.versions()}")
        with stack.register() as client:
            warm(client)
        time.sleep(2)
        idle(out, stack)
        tenants = common.fill(stack, 1, 10000)
        connected(out, stack, tenants)
        if args.soak > 0:
            soak(out, stack, tenants, args)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, default=3, metavar="MINUTES", help="of mixed load; 0: none")
    parser.add_argument("--rate", type=int, default=1000, help="GETs and lists a second of the mixed load")
    report.main("memory", "Memory", parser, run)
