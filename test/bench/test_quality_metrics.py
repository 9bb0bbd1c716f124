"""The measuring code itself, against values worked out by hand from trec_eval's definitions."""

import math
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import metrics  # noqa: E402
import quality  # noqa: E402


def test_a_perfect_order_is_worth_one():
    relevance = {1: 1, 2: 1, 3: 0}
    assert metrics.ndcg([1, 2, 3], relevance) == 1
    assert metrics.average_precision([1, 2, 3], relevance) == 1
    assert metrics.recall([1, 2, 3], relevance) == 1


def test_ndcg_by_hand():
    # found at ranks 2 and 4 of three relevant ones: (1/log2 3 + 1/log2 5) / (1/log2 2 + 1/log2 3 + 1/log2 4)
    wanted = (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2)
    assert metrics.ndcg(["x", "a", "y", "b"], {"a": 1, "b": 1, "c": 1}) == pytest.approx(wanted)
    assert wanted == pytest.approx(0.4981893, abs=1e-6)


def test_gain_is_linear_in_the_grade():
    # grades 1, 3 in this order: (1 + 3/log2 3) / (3 + 1/log2 3); the exponential gain would give .710
    assert metrics.ndcg(["a", "b"], {"a": 1, "b": 3}) == pytest.approx(2.8927893 / 3.6309298, abs=1e-6)


def test_only_ten_ranks_and_ten_ideal_ones_count():
    relevance = {f"r{i}": 1 for i in range(12)}
    assert metrics.ndcg([f"r{i}" for i in range(10)], relevance) == 1
    assert metrics.ndcg(["x"] * 10 + ["r0"], relevance) == 0


def test_average_precision_by_hand():
    # found at ranks 1 and 3 of four: (1/1 + 2/3) / 4
    assert metrics.average_precision(["a", "x", "b"], {"a": 1, "b": 1, "c": 1, "d": 2}) == pytest.approx((1 + 2 / 3) / 4)
    assert metrics.average_precision(["x"] * 100 + ["a"], {"a": 1}) == 0


def test_recall_counts_each_document_within_a_hundred():
    assert metrics.recall(["a"] + ["x"] * 98 + ["b", "c"], {"a": 1, "b": 1, "c": 1}) == pytest.approx(2 / 3)


def test_grades_of_zero_and_below_are_not_relevant():
    assert metrics.ndcg(["bad", "a"], {"a": 1, "bad": 0, "worse": -1}) == pytest.approx(1 / math.log2(3))
    assert metrics.recall(["bad"], {"a": 1, "bad": 0}) == 0


def test_queries_without_relevant_documents_are_left_out_and_unanswered_ones_count_zero():
    judgements = {1: {"a": 1}, 2: {"b": 0}, 3: {"c": 1}}
    assert metrics.judge({1: ["a"], 2: ["b"]}, judgements)["nDCG@10"] == [1, 0]


def test_a_document_twice_in_a_ranking_is_an_error():
    with pytest.raises(ValueError):
        metrics.judge({1: ["a", "a"]}, {1: {"a": 1}})


def test_the_interval_is_that_of_the_mean():
    rng = random.Random(3)
    values = [rng.gauss(0.4, 0.3) for _ in range(225)]
    low, high = metrics.interval(values)
    m = metrics.mean(values)
    spread = (sum((v - m) ** 2 for v in values) / (len(values) - 1)) ** 0.5 / len(values) ** 0.5
    assert low == pytest.approx(m - 1.96 * spread, abs=0.006) and high == pytest.approx(m + 1.96 * spread, abs=0.006)
    assert metrics.interval([0.5] * 10) == (0.5, 0.5)


def test_the_verdict_needs_every_floor_and_a_real_gain(capsys):
    judgements = {q: {q: 1} for q in range(1, 41)}
    best = {q: [q] for q in judgements}
    worse = {q: [0, q] if q % 2 else [q] for q in judgements}  # .815 on average
    assert quality.report({"keyword": worse, "semantic": worse, "hybrid": best}, judgements)
    assert not quality.report({"keyword": worse, "semantic": best, "hybrid": best}, judgements)       # no gain
    assert not quality.report({"keyword": {}, "semantic": worse, "hybrid": best}, judgements)         # a leg below its floor
    assert "FAIL" in capsys.readouterr().out


def test_a_collection_is_read_by_position(tmp_path):
    (tmp_path / "cran.all.1400.xml").write_text("<c><doc><docno>7</docno><title>a\n title</title><text> body </text></doc>"
                                                "<doc><docno>8</docno><title></title><text></text></doc></c>")
    (tmp_path / "cran.qry.xml").write_text("<x><top><num> 1</num><title>\nfirst\nquestion .\n</title></top><top><num> 4</num><title>second</title></top></x>")
    (tmp_path / "cranqrel.trec.txt").write_text("1 0 7 1\n2 0 8 0\n")
    documents, queries, judgements = quality.load(tmp_path)
    assert documents == {7: ("a title", "body"), 8: ("", "")}
    assert queries == ["first question .", "second"]
    assert judgements == {1: {7: 1}, 2: {8: 0}}
