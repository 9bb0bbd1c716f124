#!/usr/bin/env python3
"""upload: a file of 1 GiB through the API, on disk when it is answered, beside `dd conv=fdatasync` onto the same disk; memory of the API meanwhile.

Each turn uploads other bytes, so nothing is found to be there already. The client is curl on the same machine, its time is in the figure.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile
import threading
import time

import report
import stack as common


def fresh_bytes(path, mib, turn):
    """The first block of the file becomes another, so its hash does."""
    with open(path, "r+b") as file:
        file.write(os.urandom(1024) + turn.to_bytes(8, "big"))
    assert path.stat().st_size == mib << 20


def uploads(stack, client, path, field, peaks):
    """MiB/s of one upload, until the answer is there; the document is destroyed from the disk afterwards so that the disk stays as full as it was."""
    before, over = common.memory(stack.api)["resident"], threading.Event()

    def watch():
        most = before
        while not over.wait(0.02):
            most = max(most, common.memory(stack.api)["resident"])
        peaks.append(most - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "-H", client.headers_line, "-F", f"{field}=@{path};type=application/octet-stream",
                           f"{stack.url}/api/v1/documents"], capture_output=True, text=True)
    took = time.monotonic() - start
    over.set()
    watcher.join()
    if done.stdout != "201":
        raise SystemExit(f"upload: {done.stdout} {done.stderr}")
    for blob in (stack.data / "blobs").rglob("*"):
        if blob.is_file() and blob.stat().st_size == path.stat().st_size:
            blob.unlink()
    return path.stat().st_size / 1048576 / took


def dd(source, target):
    """MiB/s of dd from the page cache onto the disk of the blob store, durable like the upload."""
    start = time.monotonic()
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fdatasync", "status=none"], check=True)
    took = time.monotonic() - start
    size = target.stat().st_size
    target.unlink()
    return size / 1048576 / took


def run(args, out):
    with common.Stack() as stack, tempfile.TemporaryDirectory(dir=stack.data.parent) as folder, stack.register() as client:
        out.say(f"{stack.settings()} {stack.versions()} {args.mib:,} MiB of random bytes, read from the page cache by both; curl as multipart/form-data over the loopback; "
                f"hashed, written and synced before the answer. dd with blocks of 1 MiB. {args.pairs} pairs, alternating, one before them does not count.")
        path = pathlib.Path(folder) / "big.bin"
        with open(path, "wb") as file:
            for _ in range(args.mib):
                file.write(os.urandom(1 << 20))
        os.sync()
        client.headers_line = f"Authorization: Bearer {client.tokens['access_token']}"
        peaks, turn = [], iter(range(1000))

        def ours():
            fresh_bytes(path, args.mib, next(turn))
            return uploads(stack, client, path, "file", peaks)

        with common.Meter(stack) as meter:
            got = report.alternate({"ours": ours, "dd": lambda: dd(path, stack.data / "blobs" / "dd.bin")}, args.pairs)
        ratio = report.ratio(got["ours"], got["dd"])
        out.table(["", "upload, MiB/s", "dd, MiB/s", "ratio", "API grew by, MB (most)"], [[f"{args.mib} MiB", report.median(got["ours"]), report.median(got["dd"]), ratio, max(peaks)]])
        gib = (args.pairs + 1) * args.mib / 1024
        out.say(f"Processor time a GiB: API {meter.used['api'] / gib:.2f} s, PostgreSQL {meter.used['postgres'] / gib:.2f} s, worker {meter.used['other'] / gib:.2f} s, curl and dd together {meter.used['generator'] / gib:.2f} s.")
        out.judge("upload against dd", ratio.median, 0.6, 0.9)
        out.judge("growth of the API's memory during an upload", max(peaks), 4.0, 1.0, " MB", more_is_better=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024)
    report.main("upload", "Uploads", parser, run)
