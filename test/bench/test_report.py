"""What the benches tell: pairs, ratios, verdicts, and the one section of the page that is replaced."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import report  # noqa: E402


@pytest.fixture
def page(tmp_path, monkeypatch):
    file = tmp_path / "performance.md"
    monkeypatch.setattr(report, "PAGE", file)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "BUILD", tmp_path / "build")
    return file


def test_sides_take_turns_and_the_first_round_does_not_count():
    calls = []

    def side(name):
        return lambda: calls.append(name) or float(len(calls))

    got = report.alternate({"a": side("a"), "b": side("b")}, pairs=2)
    assert calls == ["a", "b"] * 3 and got == {"a": [3, 5], "b": [4, 6]}


def test_a_ratio_is_of_neighbours_not_of_medians():
    ratio = report.ratio([10.0, 20.0, 90.0], [20.0, 20.0, 30.0])
    assert (ratio.least, ratio.median, ratio.most) == (0.5, 1.0, 3.0) and str(ratio) == "1.00 (0.50-3.00)"


def test_a_miss_is_called_a_miss(page):
    out = report.Report("x", "X")
    for value in (0.5, 0.7, 0.9):
        out.judge("rate", value, floor=0.6, goal=0.85)
    for value in (50, 30, 10):
        out.judge("memory", value, floor=40, goal=20, more_is_better=False)
    assert [v[3] for v in out.verdicts] == ["below the floor", "floor held", "goal reached", "over the limit", "limit held", "goal reached"]


def test_only_its_own_section_is_replaced(page):
    page.write_text("# Page\n\nBefore.\n\n<!-- bench:x -->\nold \\1 | text\n<!-- /bench:x -->\n\nFound: a reason.\n\n<!-- bench:y -->\nother\n<!-- /bench:y -->\n")
    for text in ("first", "second \\g<0>"):
        out = report.Report("x", "X")
        out.say(text)
        out.table(["", "a|b"], [["row", 1234.5]])
        out.finish(write=True)
    kept = page.read_text()
    assert kept.startswith("# Page\n\nBefore.\n\n<!-- bench:x -->\n## X: `script/bench x`") and "old" not in kept and "first" not in kept
    assert "second \\g<0>" in kept and "| row | 1,230 |" in kept
    assert kept.endswith("<!-- /bench:x -->\n\nFound: a reason.\n\n<!-- bench:y -->\nother\n<!-- /bench:y -->\n")
    assert (report.BUILD / "bench" / "x.md").read_text() in kept


def test_a_new_section_goes_to_the_end(page):
    page.write_text("# Page\n")
    report.Report("z", "Z").finish(write=True)
    assert page.read_text().startswith("# Page\n\n<!-- bench:z -->\n") and page.read_text().endswith("<!-- /bench:z -->\n")
