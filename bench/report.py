"""What every bench tells: tables for the terminal and the same tables as a section of docs/performance.md. Knows no server and no tool.

How a bench uses it:

    import report

    def run(args, out):                      # args: what the parser took; out: a Report
        out.say("how it is measured, in a paragraph")
        sides = report.alternate({"ours": ours, "pgbench": peer}, pairs=args.pairs)     # ours(), peer(): a number each
        out.table(["", "ours", "pgbench", "ratio, median (range)"],
                  [["GET", report.median(sides["ours"]), report.median(sides["pgbench"]), report.ratio(sides["ours"], sides["pgbench"])]])
        out.judge("GET against pgbench", report.ratio(...).median, floor=0.60, goal=0.85)

    if __name__ == "__main__":
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--pairs", type=int, default=5)
        report.main("api", "Reads", parser, run)

main() adds --write. The section is kept as BUILD/bench/NAME.md each time; with --write (and under `script/bench all`) it also replaces
what stands between the lines `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` of docs/performance.md, or is put at the end the first time.
Text outside the marks belongs to people: findings and reasons go there.
"""
import datetime
import fcntl
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("DMS_BUILD_DIR", "build")
PAGE = ROOT / "docs" / "performance.md"

median = statistics.median


class Ratio:
    """The ratios of pairs measured next to one another: their median, and how far they lie apart."""

    def __init__(self, ours, peers):
        self.all = [a / b for a, b in zip(ours, peers, strict=True)]
        self.median, self.least, self.most = statistics.median(self.all), min(self.all), max(self.all)

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f}-{self.most:.2f})"


def ratio(ours, peers):
    return Ratio(ours, peers)


def alternate(sides, pairs=5, discard=1):
    """{name: [results]} of {name: function}: A B A B ..., `discard` rounds for warming up before the `pairs` that count."""
    results = {name: [] for name in sides}
    for turn in range(discard + pairs):
        for name, measure in sides.items():
            value = measure()
            if turn >= discard:
                results[name].append(value)
    return results


def number(value):
    """A figure with three digits that mean something."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    size = abs(value)
    if size >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return ""


def machine_seconds():
    """Seconds of processor time that the whole machine has used so far, this guest's stolen ones included."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")


def machine():
    """The machine, in a line."""
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 1048576
    release = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    return (f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, {release[1] if release else '?'}, "
            f"Linux {platform.release()}; load when it began {os.getloadavg()[0]:.1f}")


def commit():
    """What was measured: what the program says of itself, for the tree may have gone on since."""
    return first_line(str(BUILD / "dms"), "version") or "no build"


class Report:
    """Collects paragraphs, tables and verdicts of one bench; each is printed as it comes."""

    def __init__(self, name, title):
        self.name, self.title = name, title
        self.parts, self.verdicts, self.verdict_table = [], [], ""
        self.began = machine()
        print(f"== {title} ==\n{self.began}; {commit()}", flush=True)

    def say(self, text):
        """A paragraph."""
        print(f"\n{text}", flush=True)
        self.parts.append(text)

    def note(self, text):
        """Progress, for the terminal only."""
        print(f"  {text}", flush=True)

    def table(self, head, rows):
        """Cells are numbers or anything with a str()."""
        self.parts.append(self.show(head, rows))

    def show(self, head, rows):
        """Prints a table and answers it as Markdown."""
        cells = [[number(c) for c in row] for row in rows]
        widths = [max(len(row[i]) for row in [head, *cells]) for i in range(len(head))]
        print()
        for row in [head, *cells]:
            print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip(), flush=True)
        lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in [head, *cells]]
        lines.insert(1, "|" + "|".join("---" if i == 0 else "---:" for i in range(len(head))) + "|")
        return "\n".join(lines)

    def judge(self, what, value, floor=None, goal=None, unit="", more_is_better=True):
        """A figure against its floor and its goal. A miss is written down like the rest."""
        def reached(bound):
            return value >= bound if more_is_better else value <= bound
        least = "floor" if more_is_better else "limit"
        word = ("goal reached" if goal is not None and reached(goal) else
                ("below the floor" if more_is_better else "over the limit") if floor is not None and not reached(floor) else
                f"{least} held" if floor is not None else "goal missed")
        bounds = ", ".join(f"{name} {number(float(b))}{unit}" for name, b in ((least, floor), ("goal", goal)) if b is not None)
        self.verdicts.append((what, f"{number(float(value))}{unit}", bounds, word))

    def section(self):
        """The section as Markdown, its heading and marks included: first what came out, then the rest."""
        parts = [p if p.startswith("|") else textwrap.fill(p, 160, break_long_words=False, break_on_hyphens=False) for p in self.parts]
        head = [f"<!-- bench:{self.name} -->", f"## {self.title}: `script/bench {self.name}`", "",
                f"{datetime.date.today().isoformat()}, {commit()}. {self.began}.", ""]
        return "\n".join(head) + "\n" + "\n\n".join([self.verdict_table] * bool(self.verdicts) + parts) + f"\n<!-- /bench:{self.name} -->\n"

    def finish(self, write):
        """Prints the verdicts, keeps the section, and replaces it in docs/performance.md when `write`."""
        if self.verdicts:
            self.verdict_table = self.show(["", "figure", "held to", ""], self.verdicts)
        folder = BUILD / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.md").write_text(self.section())
        if write:
            replace(self.name, self.section())
            print(f"\n{PAGE.relative_to(ROOT)}: section {self.name} written", flush=True)


def replace(name, section):
    """Puts the section in its place in docs/performance.md; one bench at a time."""
    with open(PAGE, "r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        old = page.read()
        marks = re.compile(rf"<!-- bench:{name} -->\n.*?<!-- /bench:{name} -->\n", re.S)
        new = marks.sub(lambda _: section, old, count=1) if marks.search(old) else old.rstrip("\n") + "\n\n" + section
        page.seek(0)
        page.write(new)
        page.truncate()


def main(name, title, parser, run):
    """A bench program: arguments, run(args, report), the section. Ends with 1 when run() says so with sys.exit."""
    parser.add_argument("--write", action="store_true", help="put the result into docs/performance.md")
    args = parser.parse_args()
    out = Report(name, title)
    try:
        run(args, out)
    except KeyboardInterrupt:
        sys.exit(130)
    out.finish(args.write)
