#!/usr/bin/env python3
"""all: every bench after the other, each result into its section of docs/performance.md. Takes about an hour; --only and --without choose.

A bench that fails, or lacks what it compares itself with, is named at the end; the others still run.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ORDER = ["api", "access", "growth", "overload", "memory", "upload", "cost", "embed", "ingest", "quality"]


def benches():
    """The programs in bench/ that script/bench lists, in our order; those it does not know last."""
    found = [p.stem for p in HERE.glob("*.py") if re.search(rf'^"""{p.stem}: ', p.read_text(), re.M) and p.stem != "all"]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=benches())
    parser.add_argument("--without", nargs="+", metavar="NAME", choices=benches(), default=[])
    args = parser.parse_args()
    ended = {}
    for name in [n for n in args.only or benches() if n not in args.without]:
        program = HERE / f"{name}.py"
        write = ["--write"] if "report.main" in program.read_text() else []  # the others only print
        print(f"\n##### {name} #####", flush=True)
        ended[name] = subprocess.run([sys.executable, program, *write]).returncode
    print("\n" + "\n".join(f"{name:10} {'ok' if status == 0 else f'ended with {status}'}" for name, status in ended.items()))
    sys.exit(1 if any(ended.values()) else 0)


if __name__ == "__main__":
    main()
