#!/usr/bin/env python3
"""ingest: one-page text documents a minute, from the first upload until the last one is found by meaning, and where the processor time goes.

Texts of about 650 tokens out of the words of the encoder's vocabulary, the same each time, come in over several connections of the public API. Everything
that production has is on: reading in the sandbox, passages, vectors of the real model (fp32), both indexes, synced files and commits, the request log.
"""
import argparse
import os
import queue
import sys
import threading
import time

import ingest_watch as watch
import report
import stack as common
from ingest_texts import Texts

FLOOR, GOAL = 400, 1000


def upload_all(stack, token, texts, connections):
    """Uploads over that many connections; the seconds it took."""
    waiting, failures = queue.SimpleQueue(), []
    for item in enumerate(texts):
        waiting.put(item)

    def run():
        with stack.http(headers={"Authorization": f"Bearer {token}"}) as http:
            while True:
                try:
                    i, text = waiting.get_nowait()
                except queue.Empty:
                    return
                answer = http.post("/api/v1/documents", files={"file": (f"page-{i}.txt", text.encode())})
                if answer.status_code != 201:
                    failures.append(answer.text)

    start = time.monotonic()
    threads = [threading.Thread(target=run) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        sys.exit(f"{len(failures)} uploads failed: {failures[0]}")
    return time.monotonic() - start


def wait_for_all(client, out, start, total, seconds=3600):
    """Until nothing waits; tells how far it is. The seconds since start."""
    shown = time.monotonic()
    while (left := watch.waiting(client)) > 0:
        now = time.monotonic()
        if now - start > seconds:
            sys.exit(f"{left} documents are not processed after {seconds} s")
        if now - shown > 10:
            rate = (total - left) / (now - start)
            out.note(f"{total - left} of {total} processed, {60 * rate:.0f} a minute, about {left / max(rate, 0.001):.0f} s left")
            shown = now
        time.sleep(0.1)
    return time.monotonic() - start


def one_round(stack, client, texts, args, out):
    """(documents a minute, seconds of the upload, the Watch)"""
    pages = [texts.page(args.tokens) for _ in range(args.pages)]
    with watch.Watch(stack) as seen:
        start = time.monotonic()
        uploaded = upload_all(stack, client.tokens["access_token"], pages, args.connections)
        took = wait_for_all(client, out, start, args.pages)
    out.note(f"{60 * args.pages / took:.0f} documents a minute")
    return 60 * args.pages / took, uploaded, seen


def run(args, out):
    texts = Texts(report.ROOT / "model" / "vocab.txt")
    with common.Stack(*([f"--embed-precision={args.precision}"] if args.precision else [])) as stack, stack.register() as client:
        out.say(f"{stack.settings()} {stack.versions()} {args.rounds} rounds of {args.pages} texts of about {args.tokens} tokens, {args.connections} connections; the time from the first upload "
                "until no document waits or is in hand; the client's processor time is in it. All in one organization, which grows.")
        for _ in range(8):  # wakes everything up
            client.upload_processed(texts.page(args.tokens))
        rounds = [one_round(stack, client, texts, args, out) for _ in range(args.rounds)]
        documents = list(watch.all_of(client, "/documents"))
        bad = sum(d["status"] != "processed" for d in documents)
        rate = report.median([r[0] for r in rounds])
        kinds = list(rounds[0][2].used)
        out.table(["round", "documents/min", "upload took, s", *(f"{k}, ms a document" for k in kinds), "sum", "of", "others on the machine"],
                  [[str(i + 1), r[0], r[1], *(1000 * r[2].used[k] / args.pages for k in kinds), 1000 * sum(r[2].used.values()) / args.pages, 60000 * os.cpu_count() / r[0],
                    f"{r[2].elsewhere:.0%}"] for i, r in enumerate(rounds)])
        out.say("ms a document: processor time of each kind of process; *reader* is `dms-extract`; *of*: what the machine's cores had. "
                f"{sum(d['chunk_count'] for d in documents) / len(documents):.1f} passages a document. {bad} of {len(documents):,} failed.")
        watch.tables(out, client, [d["id"] for d in documents[:: max(1, len(documents) // 200)]])
        out.judge("one-page documents a minute", rate, floor=FLOOR, goal=GOAL)
        if bad:
            sys.exit(f"{bad} documents failed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=400, help="texts of a round")
    parser.add_argument("--tokens", type=int, default=650, help="of each")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--precision", help="embed_precision, when not the default: fp32 or bf16")
    report.main("ingest", "Ingest", parser, run)
