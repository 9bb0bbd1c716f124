"""count.py EXIT DIR - adds up the results that one part of script/test left in DIR and prints "passed failed skipped".

Reads what the tools write: junit XML (pytest, vitest), meson's testlog (cmocka says how many tests a program held) and
tally files ("N passed, N failed", script/lint). A part that ended with a failure that no result shows, or that ran no
test at all, counts as one failure."""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

CMOCKA = re.compile(r"\[\s+(PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)")
TALLY = re.compile(r"(\d+) passed, (\d+) failed\s*$")


def junit(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        tags = {child.tag for child in case}
        if tags & {"failure", "error"}:
            failed += 1
        elif "skipped" in tags:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def meson_program(run):
    """One test program: as many tests as cmocka says, or one by its exit status."""
    said = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for word, number in CMOCKA.findall(run.get("stdout", "") + run.get("stderr", "")):
        said[word] += int(number)
    good = run["result"] in ("OK", "EXPECTEDFAIL")
    if run["result"] == "SKIP":
        return 0, 0, 1
    if not any(said.values()):
        return (1, 0, 0) if good else (0, 1, 0)
    failed = said["FAILED"] if good else max(said["FAILED"], 1)  # it may have ended after its last test, by a signal
    return said["PASSED"], failed, said["SKIPPED"]


def meson(path):
    totals = [meson_program(json.loads(line)) for line in path.read_text().splitlines()]
    return tuple(map(sum, zip(*totals))) if totals else (0, 0, 0)


def tally(path):
    found = TALLY.search(path.read_text())
    return (int(found[1]), int(found[2]), 0) if found else (0, 1, 0)


READERS = {".xml": junit, ".json": meson, ".tally": tally}


def main(status, folder):
    passed = failed = skipped = 0
    for path in sorted(pathlib.Path(folder).iterdir()):
        reader = READERS.get(path.suffix)
        if not reader:
            continue
        try:
            more = reader(path)
        except (ET.ParseError, ValueError):
            more = (0, 1, 0)
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    print(passed, failed, skipped)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
