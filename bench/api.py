#!/usr/bin/env python3
"""api: GET of a document and a list page beside pgbench with the very statement, alternating; memory at 1,000 connections.

Prints medians over the rounds, the ratio of each pair, and the settings it ran with. Needs wrk and pgbench. Everything that production has is
on: authentication, permission, tenant, rate limit, request log, metrics.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test"))
from conftest import Server, _command  # noqa: E402  the same way to start an installation as the tests have


def pg_bin(name):
    for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    sys.exit(f"bench: {name} is missing (package postgresql)")


def statement(name):
    """The endpoint's statement as pgbench takes it: :p1 for $1."""
    lines = [line for line in (ROOT / f"src/store/sql/{name}.sql").read_text().splitlines() if not line.startswith("--")]
    return re.sub(r"\$(\d+)", r":p\1", " ".join(lines))


def pgbench(server, me, script, clients, seconds):
    """Transactions a second of a script file as the application's role over the Unix socket."""
    secret = (server.data / "secrets" / "postgres-app").read_text().strip()
    env = {**os.environ, "PGPASSWORD": secret, "PGHOST": str(server.data / "run"), "PGUSER": "dms_app",
           "PGOPTIONS": f"-c app.tenant_id={me['organization']['id']} -c app.user_id={me['user']['id']}"}
    done = subprocess.run([pg_bin("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", script, "dms"],
                          capture_output=True, text=True, env=env)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        sys.exit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return float(found[1])


def wrk(url, token, connections, seconds):
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-H", f"Authorization: Bearer {token}", url], capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if not rate or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"wrk failed or met errors:\n{done.stdout}{done.stderr}")
    return float(rate[1]), re.search(r"99%\s+(\S+)", done.stdout)[1]


def api_rss(server):
    pid = next(p for p in server.processes() if " serve" in _command(p))
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, int(re.search(r"Pss:\s+(\d+)", rollup)[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--documents", type=int, default=200)
    args = parser.parse_args()
    server = Server()
    server.start()
    try:
        with server.register() as client:
            me = client.me()
            documents = [client.upload(f"Document {i} of the bench.", name=f"d{i}.txt")["id"] for i in range(args.documents)]
            for d in documents:
                client.wait_processed(d)
            token = client.tokens["access_token"]
            with tempfile.TemporaryDirectory() as folder:
                one, page = pathlib.Path(folder) / "one.sql", pathlib.Path(folder) / "page.sql"
                one.write_text(statement("get_document").replace(":p1", f"'{documents[0]}'") + ";\n")
                text = statement("get_documents")
                for n, v in (("1", "20"), ("2", "NULL"), ("3", "NULL"), ("4", "'f'"), ("5", "'-created_at'"), ("6", "'f'"), ("7", "NULL"), ("8", "NULL"), ("9", "NULL")):
                    text = text.replace(f":p{n}", v)
                page.write_text(text + ";\n")
                run(server, me, token, client, documents[0], str(one), str(page), args)
    finally:
        server.close()


def run(server, me, token, client, document, one, page, args):
    get, listing = f"{server.url}/api/v1/documents/{document}", f"{server.url}/api/v1/documents"
    best = max((2, 4, 8), key=lambda c: pgbench(server, me, one, c, 2))
    print(f"machine: {os.cpu_count()} cores; pgbench -M prepared with {best} clients over the Unix socket, as the application's role under row level security;"
          f" wrk with one thread; {args.rounds} rounds of {args.seconds} s, alternating")
    rows = {"GET, 64 connections": [], "GET, 1,000 connections": [], "list of 20, 64 connections": []}
    base = {"one": [], "page": []}
    for _ in range(args.rounds):
        base["one"].append(pgbench(server, me, one, best, args.seconds))
        rows["GET, 64 connections"].append(wrk(get, token, 64, args.seconds)[0])
        rows["GET, 1,000 connections"].append(wrk(get, token, 1000, args.seconds)[0])
        base["page"].append(pgbench(server, me, page, best, args.seconds))
        rows["list of 20, 64 connections"].append(wrk(listing, token, 64, args.seconds)[0])
    rss, pss = api_rss(server)
    for name, rates in rows.items():
        peers = base["page" if "list" in name else "one"]
        ratios = [a / b for a, b in zip(rates, peers)]
        print(f"{name:28} {statistics.median(rates):9.0f}/s   pgbench {statistics.median(peers):9.0f}/s   ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    ratios = [a / b for a, b in zip(rows["GET, 1,000 connections"], rows["GET, 64 connections"])]
    print(f"1,000 against 64 connections: {statistics.median(ratios):.2f}")
    print(f"memory of the API after 1,000 connections: {rss:.0f} MB resident, {pss:.0f} MB proportional (the embedding model is mapped and shared)")


main()
