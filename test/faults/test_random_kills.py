"""The main proof: random kill -9 of everything under load loses nothing that was acknowledged.

DMS_FAULTS_KILLS (default 100) and DMS_FAULTS_SEED (default: of the clock) choose how many and which; both are printed.
"""
import os
import shutil
import time

import pytest

import checker
import ledger as ledgers
from conftest import Server
from killer import Killer
from load import Load
from provider import Provider

KILLS = int(os.environ.get("DMS_FAULTS_KILLS", "100"))
SEED = os.environ.get("DMS_FAULTS_SEED") or str(int(time.time()))
SETTINGS = {"DMS_JOB_LEASE": "5", "DMS_JOB_BACKOFF": "1", "DMS_JOB_ATTEMPTS": "20", "DMS_EMBED_PROVIDER": "http", "DMS_EMBED_MODEL": "tiny",
            "DMS_EMBED_DIMS": "8", "DMS_ACCESS_TTL": "86400"}


@pytest.mark.timeout(120 + 6 * KILLS)
def test_random_kills_lose_nothing(record_property, capsys, tmp_path):
    provider = Provider()
    server = Server(env={**SETTINGS, "DMS_EMBED_URL": provider.url})
    begun = time.monotonic()
    try:
        server.start()
        ledger = ledgers.Ledger(tmp_path / "ledger.jsonl")
        killer = Killer(server, ledger, SEED, KILLS)
        with Load(server, ledger, SEED):
            killer.start()
            killer.join()
        assert not killer.failure, killer.failure
        fire = time.monotonic() - begun
        checker.settle(server)
        settled = time.monotonic() - begun - fire
        findings = killer.findings + checker.repeat_unknown(server, ledger)
        checker.settle(server)
        found, counts = checker.check(server, ledger.path)
        findings += found
        report = (f"seed {SEED}: {sum(killer.done.values())} kills ({', '.join(f'{n} {p}' for p, n in killer.done.items())}) in {fire:.0f} s, "
                  f"quiet {settled:.1f} s later; {dict(counts)}")
        record_property("faults", report)
        with capsys.disabled():
            print(f"\n{report}")
        assert not findings, f"{report}\n" + "\n".join(map(str, findings[:40]))
        assert counts["acknowledged"] >= KILLS, "too little load to prove anything"
    except BaseException:
        shutil.copytree(server.data / "log", tmp_path / "log")
        (tmp_path / "log/up.log").write_text(server.log())
        print(f"ledger and logs are in {tmp_path}")
        raise
    finally:
        server.close()
        provider.close()
