#!/usr/bin/env python3
"""cost: what the request log costs a GET; and what cannot be switched off: metrics, audit, rate limit, authentication.

Two installations on the same data differ in log_level alone and are asked in turn.
"""
import argparse

import report
import stack as common


def run(args, out):
    with common.Stack() as on, common.Stack("--log-level=warning") as off:
        out.say(f"{on.settings()} {on.versions()} The second installation has log_level warning, which leaves out the line of each request. {args.pairs} rounds of {args.seconds} s, 64 connections. "
                "Metrics, rate limit and authentication have no switch: their cost is in both. A GET writes no audit row, so audit costs it nothing.")
        tenants = {"on": common.fill(on, 1, 1000), "off": common.fill(off, 1, 1000)}
        stacks = {"on": on, "off": off}
        got = common.rounds([on, off], {name: lambda name=name: common.wrk(stacks[name], common.get_paths(tenants[name]), 64, args.seconds) for name in stacks}, args.pairs, out)
        ratio = report.ratio([w.rate for w in got["on"]], [w.rate for w in got["off"]])
        out.table(["", "GET/s", "API, µs a request", "PostgreSQL"], [[f"request log {name}", report.median([w.rate for w in runs]), report.median([w.cpu["api"] for w in runs]),
                                                                     report.median([w.cpu["postgres"] for w in runs])] for name, runs in got.items()])
        size = (on.data / "log" / "api.log").stat().st_size
        lines = sum(1 for _ in open(on.data / "log" / "api.log", "rb"))
        out.say(f"With the log against without: {ratio}. A line of it has {size / max(lines, 1):.0f} bytes.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    report.main("cost", "What the log costs", parser, run)
