#!/usr/bin/env python3
"""ingest: documents a minute from upload to found by meaning; --packages takes real files out of Debian's -doc packages.

Everything that production has on is on: extraction in its sandbox, passages, vectors of the real model, both indexes, synced files and
commits, the request log. One-page texts of about 650 tokens are generated, the same each time.
"""
import argparse
import os
import pathlib
import queue
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test"))
sys.path.insert(0, str(ROOT / "bench"))
from conftest import Server  # noqa: E402  the same way to start an installation as the tests have
from ingest_texts import Texts  # noqa: E402
from ingest_watch import all_of, job_seconds, machine_seconds, p50_p95, processor_seconds, step_seconds  # noqa: E402


def upload_all(server, token, texts, connections):
    """Uploads through that many connections; the seconds it took."""
    waiting, ids, failures = queue.SimpleQueue(), [], []
    for item in enumerate(texts):
        waiting.put(item)

    def run():
        with server.http(headers={"Authorization": f"Bearer {token}"}) as http:
            while True:
                try:
                    i, text = waiting.get_nowait()
                except queue.Empty:
                    return
                answer = http.post("/api/v1/documents", files={"file": (f"page-{i}.txt", text.encode())})
                (ids if answer.status_code == 201 else failures).append(answer.json().get("id", answer.text))

    start = time.monotonic()
    threads = [threading.Thread(target=run) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        sys.exit(f"{len(failures)} uploads failed: {failures[0]}")
    return time.monotonic() - start


def open_documents(client):
    return sum(client.ok("GET", "/documents", params={"status": s, "count": "true", "limit": 1})["total"] for s in ("pending", "processing"))


def wait_for_all(client, start, total, seconds=3600):
    """Until nothing waits; tells how far it is."""
    shown = time.monotonic()
    while (left := open_documents(client)) > 0:
        now = time.monotonic()
        if now - start > seconds:
            sys.exit(f"{left} documents are not processed after {seconds} s")
        if now - shown > 10:
            rate = (total - left) / (now - start)
            print(f"  {total - left} of {total} processed, {60 * rate:.0f} a minute, about {left / rate if rate else 0:.0f} s left", flush=True)
            shown = now
        time.sleep(0.2)
    return time.monotonic() - start


def pages(server, args):
    texts = Texts(ROOT / "model" / "vocab.txt")
    with server.register() as client:
        for _ in range(4):  # wakes everything up
            client.upload_processed(texts.page(args.tokens))
        before, machine = processor_seconds(server), machine_seconds()
        start = time.monotonic()
        uploaded = upload_all(server, client.tokens["access_token"], [texts.page(args.tokens) for _ in range(args.pages)], args.connections)
        took = wait_for_all(client, start, args.pages)
        after, machine = processor_seconds(server), [b - a for a, b in zip(machine, machine_seconds())]
        documents = list(all_of(client, "/documents"))
        bad = [d for d in documents if d["status"] != "processed"]
        chunks = sum(d["chunk_count"] for d in documents) / len(documents)
        print(f"{args.pages} documents, {chunks:.1f} passages each: {60 * args.pages / took:.0f} documents a minute"
              f" ({took:.1f} s, of which the upload {uploaded:.1f} s through {args.connections} connections); {len(bad)} failed")
        used = {k: after[k] - before[k] for k in after}
        print("processor, ms a document: " + ", ".join(f"{k} {1000 * v / args.pages:.1f}" for k, v in used.items())
              + f"; in all {1000 * sum(used.values()) / args.pages:.1f} of {1000 * took * os.cpu_count() / args.pages:.1f} there were")
        print("the machine meanwhile, seconds of all cores: " + ", ".join(f"{k} {v:.1f}" for k, v in zip(("used", "waiting for the disk", "taken by the host", "idle"), machine)))
        for kind, (waited, worked) in sorted(job_seconds(client).items()):
            print(f"{kind:18} waits {p50_p95(waited)[0]:.2f} s (p95 {p50_p95(waited)[1]:.2f}), works {1000 * p50_p95(worked)[0]:.0f} ms (p95 {1000 * p50_p95(worked)[1]:.0f})")
        steps = step_seconds(client, [d["id"] for d in documents[:: max(1, len(documents) // 100)]])
        print("timeline, ms after the line before, median (p95): "
              + ", ".join(f"{k} {1000 * p50_p95(v)[0]:.0f} ({1000 * p50_p95(v)[1]:.0f})" for k, v in steps.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000, help="one-page texts to upload")
    parser.add_argument("--tokens", type=int, default=650, help="of each")
    parser.add_argument("--connections", type=int, default=4)
    args = parser.parse_args()
    server = Server()
    server.start()
    try:
        pages(server, args)
    finally:
        server.close()


main()
