#!/usr/bin/env python3
"""quality: how well search finds, on the Cranfield collection, through the API of a fresh `dms up` (or --url of a running server).

Uploads the 1,400 abstracts as text files, waits until they are processed, asks the 225 questions in the three modes and prints nDCG@10,
MAP@100 and recall@100 with 95 % bootstrap intervals. Exit status: 0 all floors held, 1 not, 2 wrong use or no collection.
The collection is not part of the project: --cranfield, DMS_CRANFIELD, or shared/data/cranfield beside the project.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import metrics  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
# nDCG@10: below the floor is a failure; the goal is what the same methods reach elsewhere.
FLOORS = {"keyword": (0.349, 0.368), "semantic": (0.378, 0.386), "hybrid": (0.414, 0.426)}
PASSWORD = "correct horse battery staple 1"


def say(text):
    print(f"quality: {text}", flush=True)


class Server:
    """`dms up` in a folder of its own, gone at the end."""

    def __init__(self, program, model):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dms-quality-"))
        self.dir.chmod(0o755)  # the servers run as another user when this one is root
        ready = self.dir / "ready"
        self.log = open(self.dir / "log", "wb")
        command = [program, "up", "--port", "0", "--data", self.dir / "data", "--ready-file", ready]
        if model:
            command += ["--model-dir", model]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 120
        while not (ready.exists() and ready.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.dir / "log").read_text(errors="replace")[-2000:]
                self.close()
                sys.exit(f"quality: dms up did not get ready:\n{text}")
            time.sleep(0.05)
        self.url = ready.read_text().strip()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Client:
    """One member of a new organisation; signs in again when the token has run out."""

    def __init__(self, url):
        self.url = url.rstrip("/") + "/api/v1"
        self.email = f"quality-{uuid.uuid4().hex[:10]}@example.test"
        self.token = None
        self.call("POST", "/auth/register", {"email": self.email, "password": PASSWORD, "name": "Quality", "organization": "Cranfield"})
        self.sign_in()

    def sign_in(self):
        self.token = self.call("POST", "/auth/login", {"email": self.email, "password": PASSWORD})["access_token"]

    def call(self, method, path, body=None, headers=None, again=True):
        headers = {"Accept": "application/json", **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers, method=method), timeout=120) as r:
                text = r.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            if e.code == 401 and self.token and again:
                self.token = None
                self.sign_in()
                return self.call(method, path, body, headers, again=False)
            raise SystemExit(f"quality: {method} {path}: {e.code} {e.read()[:500]!r}") from None

    def upload(self, name, title, text):
        boundary = uuid.uuid4().hex
        parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n',
                 f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n{text}\r\n',
                 f"--{boundary}--\r\n"]
        return self.call("POST", "/documents", "".join(parts).encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"})["id"]


def load(folder):
    """(documents {number: (title, text)}, queries in order, judgements {position: {number: grade}})."""
    one_line = " ".join
    documents = {}
    for d in ET.parse(folder / "cran.all.1400.xml").getroot():
        documents[int(d.findtext("docno"))] = (one_line((d.findtext("title") or "").split()), (d.findtext("text") or "").strip())
    queries = [one_line((q.findtext("title") or "").split()) for q in ET.parse(folder / "cran.qry.xml").getroot()]
    judgements = {}
    for line in (folder / "cranqrel.trec.txt").read_text().splitlines():
        query, _, document, grade = line.split()
        judgements.setdefault(int(query), {})[int(document)] = int(grade)  # the query's position, not its <num>
    return documents, queries, judgements


def fill(client, documents, threads):
    """Uploads what has text and waits for its vectors; {document id: number}."""
    start = time.monotonic()
    filled = {n: d for n, d in documents.items() if d[1]}
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        ids = list(pool.map(lambda n: client.upload(f"cranfield-{n:04}.txt", filled[n][0] or f"document {n}", filled[n][1]), filled))
    say(f"{len(ids)} documents uploaded in {time.monotonic() - start:.1f} s")
    while True:
        done, failed = (client.call("GET", f"/documents?status={s}&limit=1&count=true")["total"] for s in ("processed", "error"))
        if failed:
            raise SystemExit(f"quality: {failed} documents could not be processed")
        if done == len(ids):
            break
        time.sleep(0.5)
    took = time.monotonic() - start
    say(f"processed in {took:.1f} s ({len(ids) * 60 / took:.0f} documents a minute)")
    time.sleep(3)  # the counts of words are added up every second; there is nothing to ask for that
    return dict(zip(ids, filled))


def ask(client, queries, numbers, mode):
    """{position: ranking}, and how long each answer took in ms."""
    rankings, times = {}, []
    for position, text in enumerate(queries, 1):
        start = time.monotonic()
        answer = client.call("POST", "/search", {"query": text, "mode": mode, "limit": 100, "highlight": False})
        times.append((time.monotonic() - start) * 1e3)
        bad = [leg for leg in answer["legs"] if leg["state"] == "failed" or (mode == "hybrid" and leg["state"] != "ok")]
        if bad:
            raise SystemExit(f"quality: query {position}, {mode}: {bad}")
        rankings[position] = [numbers[item["document_id"]] for item in answer["items"]]
    return rankings, sorted(times)


def report(rankings, judgements):
    """Prints the table; True when every floor is held."""
    values = {mode: metrics.judge(r, judgements) for mode, r in rankings.items()}
    held = True
    for mode, v in values.items():
        line = "   ".join("{} {:.4f} [{:.3f}, {:.3f}]".format(name, metrics.mean(x), *metrics.interval(x)) for name, x in v.items())
        floor, goal = FLOORS[mode]
        reached = metrics.mean(v["nDCG@10"])
        held &= reached >= floor
        word = "GOAL" if reached >= goal else "pass" if reached >= floor else "FAIL"
        print(f"{mode:9} {line}   floor {floor} goal {goal}: {word}")
    better = max(("keyword", "semantic"), key=lambda m: metrics.mean(values[m]["nDCG@10"]))
    gain = [a - b for a, b in zip(values["hybrid"]["nDCG@10"], values[better]["nDCG@10"])]
    low, high = metrics.interval(gain)
    held &= low > 0
    print(f"hybrid - {better}: {metrics.mean(gain):+.4f} [{low:+.3f}, {high:+.3f}] paired: {'pass' if low > 0 else 'FAIL'}")
    return held


def main():
    arguments = argparse.ArgumentParser(prog="script/bench quality", description=__doc__.splitlines()[0])
    arguments.add_argument("--url", help="a server that runs already; default: a fresh one")
    arguments.add_argument("--program", default=ROOT / "build/dms", help="the dms to start (build/dms)")
    arguments.add_argument("--model-dir", help="folder of the embedding model; default: where dms looks")
    arguments.add_argument("--cranfield", default=os.environ.get("DMS_CRANFIELD", ROOT.parent / "shared/data/cranfield"), type=pathlib.Path)
    arguments.add_argument("--threads", type=int, default=4, help="uploads at the same time (4)")
    arguments.add_argument("--save", type=pathlib.Path, help="write the rankings there as JSON")
    o = arguments.parse_args()
    if not (o.cranfield / "cran.all.1400.xml").exists():
        say(f"there is no Cranfield collection in {o.cranfield}: name its folder with --cranfield or DMS_CRANFIELD")
        return 2
    documents, queries, judgements = load(o.cranfield)
    server = None if o.url else Server(o.program, o.model_dir)
    try:
        client = Client(o.url or server.url)
        numbers = fill(client, documents, o.threads)
        rankings = {}
        for mode in FLOORS:
            rankings[mode], times = ask(client, queries, numbers, mode)
            say(f"{mode}: {len(queries)} questions, p50 {times[len(times) // 2]:.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f} ms")
    finally:
        if server:
            server.close()
    if o.save:
        o.save.write_text(json.dumps(rankings))
    return 0 if report(rankings, judgements) else 1


if __name__ == "__main__":
    sys.exit(main())
