#!/usr/bin/env python3
"""api: GET of a document and a list page beside pgbench with the very statement; latency of an open loop; memory at 1,000 connections.

Everything that production has is on: authentication, permission, tenant, rate limit, request log, metrics. Needs wrk and pgbench.
"""
import argparse

import report
import stack as common

PEERS = {
    "session": "statement alone, row level security on, tenant set when the connection was made",
    "pipeline": "set_config and statement in one pipeline, row level security on: what the server sends",
    "none": "statement alone, as a role that row level security does not apply to",
}


def method(out, stack, tenants, clients, args):
    out.say(f"{stack.settings()} {stack.versions()} wrk with one thread, closed loop, its time included in every figure; `pgbench -M prepared` "
            f"over the Unix socket with {clients} clients (the best of 2, 4 and 8). Both ask for documents in turn out of {tenants[0].documents:,} of one tenant. "
            f"A B A B: {args.pairs} rounds of {args.seconds} s each, one round before them does not count. Ratios are those of neighbours in a round: median (least-most). "
            "pgbench is asked in three ways: " + "; ".join(f"*{k}*: {v}" for k, v in PEERS.items()) + ".")


def closed_loop(out, stack, tenants, args):
    gets, lists = common.get_paths(tenants), common.list_paths(tenants)
    one, page = common.get_statement(), common.list_statement()
    common.check_peers(stack, tenants)
    clients = common.best_clients(stack, tenants, one)
    method(out, stack, tenants, clients, args)
    turn = {}
    for name, connections in (("GET, 64 connections", 64), ("GET, 1,000 connections", 1000)):
        turn[name] = lambda connections=connections: common.wrk(stack, gets, connections, args.seconds)
    for scope in PEERS:
        turn[f"GET {scope}"] = lambda scope=scope: common.pgbench(stack, tenants, one, clients, args.seconds, scope)
    turn["list of 20, 64 connections"] = lambda: common.wrk(stack, lists, 64, args.seconds)
    for scope in PEERS:
        turn[f"list {scope}"] = lambda scope=scope: common.pgbench(stack, tenants, page, clients, args.seconds, scope)
    got = common.rounds(stack, turn, args.pairs, out)
    rows, ratios = [], {}
    for name in (n for n in turn if "," in n):
        kind = "list" if "list" in name else "GET"
        rates = [w.rate for w in got[name]]
        ratios[name] = {scope: report.ratio(rates, got[f"{kind} {scope}"]) for scope in PEERS}
        rows.append([name, report.median(rates), *(cell for scope in PEERS for cell in (report.median(got[f"{kind} {scope}"]), ratios[name][scope]))])
    out.table(["requests a second", "ours", *(text for scope in PEERS for text in (f"pgbench, {scope}", "ratio"))], rows)
    costs(out, {name: got[name] for name in turn if "," in name})
    itself = report.ratio([w.rate for w in got["GET, 1,000 connections"]], [w.rate for w in got["GET, 64 connections"]])
    out.judge("GET, 64 connections, against pgbench (session)", ratios["GET, 64 connections"]["session"].median, 0.60, 0.85)
    out.judge("the same against pgbench doing the same work (pipeline)", ratios["GET, 64 connections"]["pipeline"].median, 0.60, 0.85)
    out.judge("GET, 1,000 connections against 64", itself.median, 0.80, 0.92)
    out.judge("list of 20 against pgbench (session)", ratios["list of 20, 64 connections"]["session"].median, 0.55, 0.75)
    return report.median([w.rate for w in got["GET, 1,000 connections"]])


def costs(out, got):
    """Where a request's processor time goes, by process."""
    roles = ("api", "postgres", "generator", "other")
    rows = []
    for name, runs in got.items():
        each = [report.median([w.cpu[role] for w in runs]) for role in roles]
        rows.append([name, *each, float(sum(each)), report.median([w.p99_ms for w in runs])])
    out.table(["processor time a request, µs", "API", "PostgreSQL", "wrk", "worker, Redis", "sum", "p99 closed loop, ms"], rows)


def open_loop(out, stack, tenants, peak, args):
    lines = common.get_paths(tenants)
    rows, at_half, shares = [], None, []
    for share in (0.25, 0.5, 0.75):
        got = common.open_loop(stack, lines, peak * share, 1000, args.open_seconds, seed=int(share * 100))
        ms = got["latency_ms"]
        late = (got["late_no_connection"] + got["late_self"]) / got["due"]
        bad = got["sent"] - got["2xx"]
        rows.append([f"{share:.0%} of {report.number(peak)}/s", ms["count"], *(ms[p] for p in ("p50", "p95", "p99", "p99.9", "max")), f"{late:.1%}", got["unsent"], bad,
                     got["cpu"]["api"], got["cpu"]["postgres"], got["cpu"]["generator"]])
        shares.append(got["elsewhere"])
        at_half = ms["p95"] if share == 0.5 else at_half
    out.say("Open loop, 1,000 connections taken in turn, Poisson arrivals, latency from when a request was due, in milliseconds "
            f"({args.open_seconds} s each after 1 s; late: sent more than 1 ms after it was due; not sent: no connection free until the end; the last three: µs of processor time a request).")
    out.table(["rate", "requests", "p50", "p95", "p99", "p99.9", "max", "late", "not sent", "not 2xx", "API", "PostgreSQL", "generator"], rows)
    out.say(common.quietness(shares))
    out.judge("p95, open loop at half of peak, 1,000 connections", at_half, 15.0, 5.0, " ms", more_is_better=False)


def run(args, out):
    with common.Stack() as stack:
        tenants = common.fill(stack, 1, args.documents)
        before = common.memory(stack.api)
        peak = closed_loop(out, stack, tenants, args)
        open_loop(out, stack, tenants, peak, args)
        after = common.memory(stack.api)
        out.table(["memory of the API, MB", *after], [["after its start", *map(float, before.values())], ["after 1,000 connections", *map(float, after.values())]])
        out.judge("API after 1,000 connections, resident", after["resident"], 40.0, 20.0, " MB", more_is_better=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--open-seconds", type=int, default=10, help="of each rate of the open loop")
    parser.add_argument("--documents", type=int, default=10000)
    report.main("api", "Reads", parser, run)
