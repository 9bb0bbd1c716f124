#!/usr/bin/env python3
"""overload: more connections and more requests than can be answered: answers, refusals, how soon it is over; a heavy tenant beside a light one.

A probe of 200 requests a second on connections of its own runs before, during and after: what others notice, and when it is over for them.
"""
import argparse
import concurrent.futures
import json
import time

import report
import stack as common

PROBE = {"rate": 200, "connections": 150, "slices": 200}  # connections enough not to wait for one another
BEFORE, AFTER = 4, 6  # seconds of the probe around the load


def probed(stack, tenant, seconds, load):
    """(what the probe saw, what load() answered); load runs from second BEFORE + 1 of the probe on, for about `seconds`."""
    with common.paths_file(common.get_paths([tenant])) as file:
        probe = common.start_load(stack, file, PROBE["rate"], PROBE["connections"], BEFORE + seconds + AFTER, slices=PROBE["slices"], timeout=5000)
        reader = concurrent.futures.ThreadPoolExecutor(1).submit(probe.communicate)
        time.sleep(1 + BEFORE)
        answer = load()
        text = reader.result()[0]
    return json.loads(text), answer


def recovery(probe, began_ms, ended_ms):
    """(p95 before, worst p95 of a slice during, seconds from the end until the probe is back at normal for a second, slow slices after that)."""
    slices = [s for s in probe["slices"] if s["ok"] + s["refused"] + s["failed"] > 0]
    before = report.median([s["p95"] for s in slices if 1000 <= s["at_ms"] < began_ms - PROBE["slices"]])
    during = max(s["p95"] for s in slices if began_ms <= s["at_ms"] < ended_ms)
    normal, after = max(2 * before, 5), [s for s in slices if s["at_ms"] >= ended_ms]
    second = 1000 // PROBE["slices"]
    for i, s in enumerate(after[:-second]):
        if report.median([n["p95"] for n in after[i:i + second]]) <= normal:
            return before, during, (s["at_ms"] - ended_ms) / 1000, sum(n["p95"] > normal for n in after[i:])
    return before, during, float("inf"), len(after)


def loads(stack, tenant, args, out):
    """Each kind of too much, with the probe beside it."""
    lines = common.get_paths([tenant])
    peak = report.median([common.wrk(stack, lines, 64, 2).rate for _ in range(3)])
    out.say(f"{stack.settings()} {stack.versions()} Peak with 64 connections: {report.number(peak)}/s. Each load lasts {args.seconds} s and opens all its connections at once. "
            f"Closed loop: as fast as answers come. Open loop: twice the peak. Probe: {PROBE['rate']}/s on {PROBE['connections']} connections of its own; its p95 by slices of "
            f"{PROBE['slices']} ms; over from when the median of the slices of a second is at most twice the p95 before it (at least 5 ms).")
    kinds = [(f"closed, {n:,} connections", None, n) for n in (256, 1000, 4000)] + [(f"2 x peak, {n:,} connections", 2 * peak, n) for n in (1000, 4000)]
    rows, worst, slowest, lost, refused = [], 0.0, 0.0, 0, 0
    for name, rate, connections in kinds:
        def load(rate=rate, connections=connections):
            began = time.monotonic()
            # closed loop by the same generator: far more due than possible, and every connection always under way
            return common.open_loop(stack, lines, rate or 20 * peak, connections, args.seconds, warmup=0, timeout=5000), began, time.monotonic()
        started = time.monotonic()
        probe, (got, began, ended) = probed(stack, tenant, args.seconds, load)
        before, during, back, later = recovery(probe, (began - started) * 1000, (ended - started) * 1000)
        bad = {k: got[k] + probe[k] for k in ("reset", "timeout", "garbled", "5xx", "4xx")}
        refusals = got["503"] + got["429"]
        rows.append([name, got["2xx"], refusals, got["refusal_ms"]["max"], got["refused"] + got["connect_timeout"], sum(bad.values()), got["connect_ms"],
                     got["service_ms"]["p95"], got["service_ms"]["max"], before, during, probe["2xx"], probe["503"] + probe["429"], back])
        out.note(f"{name}: {got['2xx']:,} answered, {refusals} refused, {bad}; {later} slow slices after it was over")
        worst, slowest = max(worst, back), max(slowest, got["refusal_ms"]["max"])
        lost, refused = lost + sum(bad.values()), refused + got["refused"] + got["connect_timeout"]
    out.table(["load", "200", "503, 429", "slowest refusal, ms", "connections refused", "no or bad answer", "all connected, ms", "p95 of an answer, ms", "slowest, ms",
               "probe p95 before, ms", "worst during, ms", "probe 200", "probe 503, 429", "normal again after, s"], rows)
    out.judge("requests without an answer, all loads", lost, 0.0, more_is_better=False)
    out.judge("connections refused", refused, 0.0, more_is_better=False)
    out.judge("slowest refusal", slowest, 100.0, unit=" ms", more_is_better=False)
    out.judge("until latency is normal again", worst, 2.0, unit=" s", more_is_better=False)


def heavy_neighbour(stack, light, heavy, args, out):
    """One tenant asks for what is expensive as fast as it can; another's GETs beside it."""
    rows = []
    kinds = {"nothing": None, "lists of 100, 16 connections": common.list_paths([heavy], 100),
             "lists sorted by size, 16 connections": [f"/api/v1/documents?limit=100&sort=-size {heavy.header}"],
             "searches, 16 connections": [f"/api/v1/search?q=document+of+the+bench+number+{i} {heavy.header}" for i in range(50)]}
    for name, lines in kinds.items():

        def load(lines=lines):
            if lines:
                return common.wrk(stack, lines, 16, args.seconds, may_fail=True)
            time.sleep(args.seconds)
            return None
        probe, got = probed(stack, light, args.seconds, load)
        inside = [s for s in probe["slices"] if (BEFORE + 1) * 1000 <= s["at_ms"] < (BEFORE + args.seconds) * 1000]
        rows.append([name, (got.requests - got.failed) / args.seconds if got else 0, got.failed if got else 0, report.median([s["p50"] for s in inside]), report.median([s["p95"] for s in inside]), max(s["max"] for s in inside),
                     probe["2xx"], probe["sent"] - probe["2xx"]])
    out.say(f"A heavy tenant ({heavy.documents:,} documents) beside the probe of a light one ({light.documents:,}), {args.seconds} s each; the probe's figures while the other works.")
    out.table(["the heavy tenant asks for", "200/s", "other", "light: p50, ms", "p95, ms", "max, ms", "200", "not 200"], rows)
    out.judge("answers that the light tenant lost to the heavy one", sum(r[-1] for r in rows), 0.0, more_is_better=False)
    out.judge("p95 of the light tenant beside the slowest neighbour", max(r[4] for r in rows), 100.0, 15.0, " ms", more_is_better=False)


def run(args, out):
    with common.Stack() as stack:
        light = common.fill(stack, 1, 1000)[0]
        heavy = common.fill(stack, 1, args.documents, first=2)[0]
        loads(stack, light, args, out)
        heavy_neighbour(stack, light, heavy, args, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each load")
    parser.add_argument("--documents", type=int, default=100000, help="of the heavy tenant")
    report.main("overload", "Overload", parser, run)
