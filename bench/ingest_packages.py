#!/usr/bin/env python3
"""ingest_packages: real documentation files out of Debian's -doc packages, uploaded by `dms upload`: documents a minute, steps, failures by cause.

Takes a sample of 1,000 files, some minutes; --all takes all of them (over 20,000, an hour or two); --minutes ends it earlier and tells how far it got. In an
order without regard to packages, so that what was done until then is a fair sample. The packages are kept in BUILD/bench-cache.
"""
import argparse
import collections
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import ingest_watch as watch
import report
import stack as common

CACHE = report.BUILD / "bench-cache"
ENDINGS = (".md", ".html", ".htm", ".txt", ".pdf")
WANTED = 20000  # files, with --all
# In the order in which they are taken until there are enough files; of a row the first name that this release has.
PACKAGES = ["r-doc-pdf", "r-doc-html", "debian-policy", "debian-reference-en", "developers-reference", "maint-guide debmake-doc", "bash-doc", "bind9-doc", "erlang-doc",
            "postgresql-doc-15 postgresql-doc-16 postgresql-doc-17", "git-doc", "apache2-doc", "cmake-doc", "gnuplot-doc", "octave-doc", "sphinx-doc", "nodejs-doc",
            "linux-doc-6.1 linux-doc-6.8.0 linux-doc-6.12", "libboost1.74-doc libboost1.83-doc libboost1.88-doc", "llvm-15-doc llvm-17-doc llvm-19-doc", "sqlite3-doc", "maxima-doc",
            "python-django-doc", "qtbase5-doc-html", "python3.11-doc python3.12-doc python3.13-doc", "python-scipy-doc"]
LEFT_OUT = {"erlang-doc": (".html",), "linux-doc-6.1": (".html",), "linux-doc-6.8.0": (".html",), "linux-doc-6.12": (".html",)}  # very long, and much alike


def known(name):
    return bool(subprocess.run(["apt-cache", "show", name], capture_output=True).stdout)


def fetch(row, out):
    """The folder of a package's files, from the release's archive or the cache; None when this release has it not."""
    debs = CACHE / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    name = next((n for n in row.split() if list(debs.glob(f"{n}_*.deb")) or known(n)), None)
    if not name:
        return None
    if not list(debs.glob(f"{name}_*.deb")):
        out.note(f"fetching {name}")
        subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", name], cwd=debs, check=True, stdout=subprocess.DEVNULL)
    deb = max(debs.glob(f"{name}_*.deb"))
    folder = CACHE / "files" / deb.stem
    if not folder.exists():
        shutil.rmtree(unfinished := folder.with_name("unfinished"), ignore_errors=True)
        unfinished.mkdir(parents=True)
        subprocess.run(["dpkg-deb", "-x", deb, unfinished], check=True)
        subprocess.run(["find", unfinished, "-type", "f", "-name", "*.gz", "-exec", "gunzip", "-fq", "{}", "+"])
        unfinished.rename(folder)
    return folder


def files_of(folder):
    without = LEFT_OUT.get(folder.name.split("_")[0], ())
    return [p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.suffix.lower() not in without and p.is_file() and not p.is_symlink()
            and not any(part.startswith(".") for part in p.relative_to(folder).parts)]  # which `dms upload` leaves out


def choose(sample, out):
    """(files, packages): all files of as many packages as it takes, or a sample of them that is the same each time."""
    files, packages = [], []
    for row in PACKAGES:
        if len(files) >= WANTED:
            break
        folder = fetch(row, out)
        if folder:
            files += files_of(folder)
            packages.append(folder.name)
    files.sort(key=lambda p: hashlib.sha256(str(p.relative_to(CACHE)).encode()).digest())
    return sorted(files[:sample]), packages


def place(path):
    """Where a file lies in the folder that is uploaded, by name: its parts are in no order that has to do with packages."""
    name = path.relative_to(CACHE / "files")
    return pathlib.Path(hashlib.sha256(str(name).encode()).hexdigest()[:3]) / name


def lay_out(files):
    """A folder of hard links to them, for `dms upload FOLDER`."""
    folder = CACHE / "upload"
    shutil.rmtree(folder, ignore_errors=True)
    for path in files:
        link = folder / place(path)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)
    return folder


def upload(stack, client, folder, args, out):
    """`dms upload --wait` as a person runs it, its progress passed on: what it said. Ended after args.minutes."""
    env = {**stack.env, "DMS_URL": stack.url, "DMS_API_KEY": client.ok("POST", "/api-keys", 201, json={"name": "bench", "scopes": ["document.create", "document.read"]})["key"]}
    process = subprocess.Popen([stack.program, "upload", "--wait", "--progress", f"--connections={args.connections}", str(folder)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=env)
    said, ended = [], threading.Timer(60 * args.minutes, process.terminate)
    ended.start()
    for line in process.stderr:
        said.append(line.rstrip("\n"))
        if line.startswith("["):
            out.note(said[-1])
    process.wait()
    ended.cancel()
    return said


class Uploaded(threading.Thread):
    """Notes when the first document came and when all were there."""

    def __init__(self, client, total):
        super().__init__(daemon=True)
        self.client, self.total, self.seconds, self.start_time = client, total, None, time.monotonic()

    def run(self):
        while self.seconds is None:
            if self.client.ok("GET", "/documents", params={"count": "true", "limit": 1})["total"] >= self.total:
                self.seconds = time.monotonic() - self.start_time
            time.sleep(0.5)


def folder_bytes(path):
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def failures(out, documents):
    """By cause, with examples; and what was stored without a passage, by its note."""
    by_cause, silent = collections.defaultdict(list), collections.defaultdict(list)
    for d in documents:
        if d["status"] == "error":
            by_cause[(d["processing_error"] or {}).get("code", "unknown")].append(d["name"])
        elif d["status"] == "processed" and d["chunk_count"] == 0:
            silent[d["processing_note"] or "no note"].append(d["name"])
    if by_cause:
        out.table(["failed, by cause", "documents", "examples"], [[cause, len(names), ", ".join(names[:3])] for cause, names in sorted(by_cause.items(), key=lambda x: -len(x[1]))])
    if silent:
        out.table(["stored without a passage, by note", "documents", "examples"], [[note, len(names), ", ".join(names[:3])] for note, names in sorted(silent.items(), key=lambda x: -len(x[1]))])
    return sum(map(len, by_cause.values())), len(silent["no note"])


def run(args, out):
    files, packages = choose(None if args.all else args.sample, out)
    empty, size = sum(p.stat().st_size == 0 for p in files), sum(p.stat().st_size for p in files)
    kinds = collections.Counter(p.suffix.lower() for p in files)
    with common.Stack(*([f"--embed-precision={args.precision}"] if args.precision else [])) as stack, stack.register() as client:
        out.say(f"{stack.settings()} {stack.versions()} {len(files):,} files ({', '.join(f'{n:,} {k}' for k, n in kinds.most_common())}; {size / 1e6:,.0f} MB"
                f"{f', {empty} of them empty' if empty else ''}) of {len(packages)} packages: {', '.join(packages)}.")
        folder = lay_out(files)
        client.upload_processed("A document to wake everything up.")
        uploaded = Uploaded(client, len(files) - empty + 1)
        uploaded.start()
        start = time.monotonic()
        with watch.Watch(stack) as seen:
            said = upload(stack, client, folder, args, out)
        took = time.monotonic() - start
        tokens = int(stack.sql("SELECT coalesce(sum(tokens), 0) FROM dms.chunk"))
        client.tokens = client.ok("POST", "/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})
        client.headers["Authorization"] = f"Bearer {client.tokens['access_token']}"
        documents = list(watch.all_of(client, "/documents"))
        tell(args, out, stack, client, len(files) - empty, documents, tokens, seen, took, uploaded.seconds, said)


def done_of(documents):
    """Those that were read, or failed for good."""
    return [d for d in documents if d["status"] in ("processed", "error")]


def tell(args, out, stack, client, total, documents, tokens, seen, took, uploaded, said):
    done = done_of(documents)
    passages = sum(d["chunk_count"] for d in done)
    rate = 60 * len(done) / took
    kinds = list(seen.used)
    out.table(["documents", "took, min", "documents/min", "passages", "tokens", "tokens/s", *(f"{k}, ms a document" for k in kinds), "others on the machine"],
              [[len(done), took / 60, rate, passages, tokens, tokens / took, *(1000 * seen.used[k] / len(done) for k in kinds), f"{seen.elsewhere:.0%}"]])
    if len(done) < total:
        out.say(f"Ended after {report.number(took / 60)} minutes with {len(done):,} of {total:,} files done ({len(documents):,} uploaded): as they come, of all packages alike.")
    if uploaded:
        out.say(f"All were uploaded after {uploaded:.0f} s ({60 * len(documents) / uploaded:,.0f} a minute, {args.connections} connections), while the first were being processed.")
    documents = done
    watch.tables(out, client, [d["id"] for d in documents[:: max(1, len(documents) // 300)]])
    failed, silent = failures(out, documents)
    out.say(f"{failed:,} of {len(documents):,} failed.")
    summary = next((line for line in said if re.match(r"\d+ uploaded, ", line)), "nothing, it was ended")
    refused = [line for line in said if line.startswith("dms: ") and "stored, but not read" not in line]
    out.say(f"`dms upload` said: {summary.rstrip(':')}." + (f" Not taken: {len(refused)}, as {refused[0].partition(': ')[2].rpartition(': ')[2]!r}." if refused else ""))
    database = int(stack.sql("SELECT pg_database_size('dms')"))
    out.say(f"Afterwards: database {database / 1e6:,.0f} MB ({database / max(passages, 1) / 1000:.1f} kB a passage), files {folder_bytes(stack.data / 'blobs') / 1e6:,.0f} MB.")
    if args.all:
        out.judge("files out of packages, done", len(done), floor=WANTED)
    out.judge("documents without a passage and without a note that says why", silent, floor=0, more_is_better=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all files, not a sample")
    parser.add_argument("--sample", type=int, default=1000, help="so many files")
    parser.add_argument("--minutes", type=float, default=240, help="at most so long")
    parser.add_argument("--precision", help="embed_precision, when not the default: fp32 or bf16")
    parser.add_argument("--connections", type=int, default=4)
    report.main("ingest_packages", "Ingest of real files", parser, run)
