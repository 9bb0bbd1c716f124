#!/usr/bin/env python3
"""growth: the same GET and list, ours and pgbench's, as documents and tenants become more; memory of the API.

Each size is an installation of its own, filled by COPY. With many tenants each request is another tenant's, with a key of its own.
"""
import argparse
import time

import report
import stack as common

SIZES = ["1x1000", "1x100000", "1x1000000", "100x1000", "1000x100", "10000x100"]


def measure(stack, tenants, args, out, noise):
    """{column: median rate} at one size, ours and pgbench's turn by turn, pgbench with set_config in the same pipeline."""
    common.check_peers(stack, tenants)
    gets, lists = common.get_paths(tenants, 2000), common.list_paths(tenants)
    turn = {
        "GET": lambda: common.wrk(stack, gets, 64, args.seconds),
        "GET pgbench": lambda: common.pgbench(stack, tenants, common.get_statement(), 4, args.seconds, "pipeline"),
        "list": lambda: common.wrk(stack, lists, 64, args.seconds),
        "list pgbench": lambda: common.pgbench(stack, tenants, common.list_statement(), 4, args.seconds, "pipeline"),
    }
    got = common.rounds(stack, turn, args.pairs, out, noise)
    return {name: [getattr(v, "rate", v) for v in values] for name, values in got.items()}


def size_of(stack):
    return int(stack.sql("SELECT pg_database_size('dms')")) / 1048576


def run(args, out):
    rows, ratios, first, noise = [], [], {}, [[], 0]
    for size in args.sizes:
        tenants, documents = map(int, size.split("x"))
        with common.Stack() as stack:
            if not rows:
                out.say(f"{stack.settings()} {stack.versions()} TENANTSxDOCUMENTS of each; wrk with 64 connections; pgbench with 4 clients, set_config and "
                        f"statement in one pipeline; {args.pairs} rounds of {args.seconds} s, medians. Each request asks for another document, and where there are tenants, with the key of another tenant than the one before: with 10,000 all of them are at work at the same time.")
            start = time.monotonic()
            made = common.fill(stack, tenants, documents)
            out.note(f"{size}: filled in {time.monotonic() - start:.0f} s, {size_of(stack):.0f} MB")
            got = measure(stack, made, args, out, noise)
            memory = common.memory(stack.api)
            first = first or got
            rows.append([size, size_of(stack), *(report.median(got[name]) for name in got), memory["resident"], memory["anonymous"]])
            ratios.append([size, *(report.median(got[name]) / report.median(first[name]) for name in got),
                           *(report.median(got[name]) / report.median(got[f"{name} pgbench"]) for name in ("GET", "list"))])
            if size == "1x1000000":
                out.judge("GET at 10^6 documents against 10^3", ratios[-1][1], 0.80, 0.93)
                out.judge("list at 10^6 documents against 10^3", ratios[-1][3], 0.60, 0.72)
                out.judge("memory of the API at 10^6 documents against 10^3", memory["resident"] / rows[0][6], 2.0, 1.1, more_is_better=False)
            if size == "10000x100":
                out.judge("GET at 10^6 documents of 10^4 tenants against 10^3 of one", ratios[-1][1], 0.80, 0.93)
    out.table(["tenants x documents", "database, MB", "GET/s", "pgbench", "list/s", "pgbench", "API resident, MB", "anonymous, MB"], rows)
    out.say(common.quietness(*noise))
    out.table(["against the first", "GET", "pgbench", "list", "pgbench", "GET ÷ pgbench", "list ÷ pgbench"], ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="TENANTSxDOCUMENTS")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    report.main("growth", "Growth", parser, run)
