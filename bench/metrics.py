"""Measures of a ranking, by trec_eval's definitions, and bootstrap intervals. Knows no search engine; test/bench checks it by hand."""

import math
import random


def ndcg(ranking, relevance, depth=10):
    """Linear gain, discount log2(rank + 1), against the best possible order. relevance: {document: grade}; grades up to 0 count nothing."""
    gains = [max(relevance.get(d, 0), 0) for d in ranking[:depth]]
    best = sorted((g for g in relevance.values() if g > 0), reverse=True)[:depth]
    ideal = sum(g / math.log2(i + 2) for i, g in enumerate(best))
    return sum(g / math.log2(i + 2) for i, g in enumerate(gains)) / ideal


def average_precision(ranking, relevance, depth=100):
    """Mean over all relevant documents of the precision at their rank; those not found count 0."""
    hits, total = 0, 0.0
    for i, d in enumerate(ranking[:depth]):
        if relevance.get(d, 0) > 0:
            hits += 1
            total += hits / (i + 1)
    return total / sum(1 for g in relevance.values() if g > 0)


def recall(ranking, relevance, depth=100):
    wanted = {d for d, g in relevance.items() if g > 0}
    return len(wanted & set(ranking[:depth])) / len(wanted)


MEASURES = {"nDCG@10": ndcg, "MAP@100": average_precision, "recall@100": recall}


def judge(rankings, judgements):
    """{measure: [value per query]} over the queries that have a relevant document, in their order; no answer counts 0.

    rankings: {query: [documents, best first]}; judgements: {query: {document: grade}}."""
    queries = sorted(q for q, r in judgements.items() if any(g > 0 for g in r.values()))
    for q, r in rankings.items():
        if len(set(r)) != len(r):
            raise ValueError(f"query {q}: a document stands twice in the ranking")
    return {name: [f(rankings.get(q, []), judgements[q]) for q in queries] for name, f in MEASURES.items()}


def mean(values):
    return sum(values) / len(values)


def interval(values, rounds=2000, seed=1, share=0.95):
    """Bootstrap interval of the mean. Of paired differences: the interval of a difference of means."""
    rng = random.Random(seed)
    n = len(values)
    means = sorted(sum(rng.choices(values, k=n)) / n for _ in range(rounds))
    cut = (1 - share) / 2
    return means[int(cut * rounds)], means[min(int((1 - cut) * rounds), rounds - 1)]
