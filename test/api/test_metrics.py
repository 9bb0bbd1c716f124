"""GET /metrics: the exposition format, read strictly (HELP and TYPE first, families whole, labels quoted, histograms in order), and what is counted."""
import re
import threading
import uuid

import pytest
from conftest import wait_for

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)")
LABELS = {"method", "route", "status", "lane", "leg", "queue", "task", "event", "mode", "outcome", "reason", "scope", "op", "version", "le"}  # and so no tenant's name
PROMISED = {
    "counter": ["dms_http_requests_total", "dms_documents_total", "dms_searches_total", "dms_embeddings_total", "dms_embedding_tokens_total", "dms_auth_failures_total",
                "dms_rate_limited_total", "dms_blob_bytes_total", "process_cpu_seconds_total", *(f"dms_jobs_{end}_total" for end in ("started", "succeeded", "failed", "retried", "dead"))],
    "gauge": ["dms_http_in_flight", "dms_db_pool_size", "dms_db_pool_in_use", "dms_db_pool_waiting", "dms_redis_up", "dms_queue_depth", "dms_queue_oldest_seconds", "dms_build_info",
              "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"],
    "histogram": ["dms_http_request_duration_seconds", "dms_db_query_duration_seconds", "dms_job_duration_seconds", "dms_search_duration_seconds"],
}


def check_histogram(name, samples):
    """samples: [(suffix, labels without le, le, value)] of a family, in their order."""
    series = {}
    for suffix, labels, le, value in samples:
        series.setdefault(labels, []).append((suffix, le, value))
    for labels, rows in series.items():
        buckets = [(float(le), value) for suffix, le, value in rows if suffix == "_bucket"]
        assert [r[0] for r in rows] == ["_bucket"] * len(buckets) + ["_sum", "_count"], (name, labels)
        bounds, counts = [b for b, _ in buckets], [n for _, n in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), (name, labels)
        assert counts == sorted(counts) and counts[-1] == rows[-1][2], (name, labels)
        least = sum(low * (n - m) for low, n, m in zip([0, *bounds], counts, [0, *counts]))
        most = sum(high * (n - m) for high, n, m in zip(bounds, counts, [0, *counts]) if n > m)
        assert least * 0.999 <= rows[-2][2] <= most * 1.001, "the sum is not between what the buckets hold"


def parse(text):
    """({family: type}, {(name, labels): value}); what a strict reader refuses fails the test."""
    assert text.endswith("\n")
    types, helped, values, family, histograms = {}, set(), {}, None, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family, about = line[7:].split(" ", 1)
            assert family not in helped and about.strip(), line
            helped.add(family)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, text_labels, value = found.groups()
            labels = re.findall(rf"({LABEL})", text_labels or "")
            names = [label.split("=")[0] for label in labels]
            assert len(set(names)) == len(names) and set(names) <= LABELS, line
            suffix = name[len(family):] if types[family] == "histogram" else ""
            assert name == family + suffix and suffix in (("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)), line
            key = (name, tuple(sorted(labels)))
            assert key not in values, line
            values[key] = float(value)
            assert types[family] == "gauge" or values[key] >= 0, line
            if types[family] == "histogram":
                le = next((label[4:-1] for label in labels if label.startswith("le=")), None)
                assert (le is not None) == (suffix == "_bucket"), line
                histograms.setdefault(family, []).append((suffix, tuple(label for label in labels if not label.startswith("le=")), le, values[key]))
    assert set(types) == helped
    for name, samples in histograms.items():
        check_histogram(name, samples)
    return types, values


def scrape(dms):
    with dms.http() as http:
        answer = http.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def value(values, name, **labels):
    wanted = {f'{k}="{v}"' for k, v in labels.items()}
    return sum(v for (n, has), v in values.items() if n == name and wanted <= set(has))


@pytest.mark.parametrize("bad", ["dms_x 1\n", "# HELP dms_x y\n# TYPE dms_x counter\ndms_x{a=1} 1\n", "# HELP dms_x y\n# TYPE dms_x counter\ndms_y 1\n",
                                 "# HELP dms_x y\n# TYPE dms_x counter\ndms_x{op=\"a\"} 1\ndms_x{op=\"a\"} 2\n", "# HELP dms_x y\n# TYPE dms_x counter\ndms_x -1\n",
                                 "# HELP dms_x y\n# TYPE dms_x counter\ndms_x{tenant=\"a\"} 1\n", "# HELP dms_x y\n# TYPE dms_x counter\ndms_x 1",
                                 "# HELP dms_x y\n# TYPE dms_x histogram\ndms_x_bucket{le=\"1\"} 2\ndms_x_bucket{le=\"+Inf\"} 1\ndms_x_sum 1\ndms_x_count 1\n",
                                 "# HELP dms_x y\n# TYPE dms_x histogram\ndms_x_bucket{le=\"1\"} 1\ndms_x_bucket{le=\"2\"} 1\ndms_x_sum 1\ndms_x_count 1\n",
                                 "# HELP dms_x y\n# TYPE dms_x histogram\ndms_x_bucket{le=\"1\"} 0\ndms_x_bucket{le=\"+Inf\"} 1\ndms_x_sum 0.5\ndms_x_count 1\n",
                                 "# HELP dms_x y\n# TYPE dms_x histogram\ndms_x_bucket{le=\"1\"} 1\ndms_x_bucket{le=\"+Inf\"} 1\ndms_x_sum 900\ndms_x_count 1\n"])
def test_this_reader_is_strict(bad):
    with pytest.raises((AssertionError, KeyError, TypeError)):
        parse(bad)


def test_everything_promised_is_there_and_well_formed(dms, owner):
    owner.get("/auth/me")
    types, values = scrape(dms)
    for kind, names in PROMISED.items():
        assert {n: types.get(n) for n in names} == dict.fromkeys(names, kind)
    for name in ("dms_job_duration_seconds", "dms_search_duration_seconds", "dms_db_query_duration_seconds"):
        assert value(values, f"{name}_bucket", le="+Inf") == value(values, f"{name}_count")


def test_legs_of_searches_are_timed(dms, owner):
    owner.upload_processed("Otters swim.", name="otter.txt")
    _, before = scrape(dms)
    owner.search("otters", mode="keyword")
    owner.search("otters", mode="keyword")
    owner.search("otters", mode="semantic")
    owner.search("otters")
    _, after = scrape(dms)
    for leg, asked in (("keyword", 3), ("vector", 2)):
        assert value(after, "dms_search_duration_seconds_count", leg=leg) - value(before, "dms_search_duration_seconds_count", leg=leg) == asked
        took = value(after, "dms_search_duration_seconds_sum", leg=leg) - value(before, "dms_search_duration_seconds_sum", leg=leg)
        assert 0 < took < 60


def test_jobs_of_the_workers_are_timed(dms, owner):
    """Workers have no port: their counts come by Redis, a moment later."""
    kinds = ("dms.document.process", "dms.document.embed")
    _, before = scrape(dms)
    owner.upload_processed("Otters swim.", name="otter.txt")

    def told():
        _, after = scrape(dms)
        return all(value(after, "dms_job_duration_seconds_count", task=t) > value(before, "dms_job_duration_seconds_count", task=t) for t in kinds) and after
    after = wait_for(told, 20, "the times of both jobs")
    for task in kinds:
        assert value(after, "dms_job_duration_seconds_sum", task=task) > value(before, "dms_job_duration_seconds_sum", task=task)
        assert value(after, "dms_job_duration_seconds_bucket", task=task, le="300") == value(after, "dms_job_duration_seconds_count", task=task)
        assert value(after, "dms_job_duration_seconds_count", task=task) == value(after, "dms_jobs_started_total", task=task)


def test_statements_are_timed_in_both_lanes(dms, owner):
    _, before = scrape(dms)
    for _ in range(3):
        owner.ok("GET", "/documents")
        owner.ok("POST", "/folders", 201, json={"name": f"f{_}"})
    _, after = scrape(dms)
    for lane in ("read", "work"):
        assert value(after, "dms_db_query_duration_seconds_count", lane=lane) - value(before, "dms_db_query_duration_seconds_count", lane=lane) >= 3
        assert value(after, "dms_db_query_duration_seconds_sum", lane=lane) > value(before, "dms_db_query_duration_seconds_sum", lane=lane)


def test_connections_in_use_are_those_of_running_requests(dms):
    def in_use():
        _, values = scrape(dms)
        assert 1 <= value(values, "dms_db_pool_in_use") <= value(values, "dms_db_pool_size")
        return value(values, "dms_db_pool_in_use")
    wait_for(lambda: in_use() == 1, 10, "no request but the scrape itself")
    stop = threading.Event()

    def sign_in():  # the slowest thing that is asked of a thread
        with dms.http() as http:
            while not stop.is_set():
                http.post("/api/v1/auth/login", json={"email": f"{uuid.uuid4()}@example.com", "password": "not the password"})
    threads = [threading.Thread(target=sign_in) for _ in range(4)]
    [t.start() for t in threads]
    try:
        wait_for(lambda: in_use() > 1, 20, "a request beside the scrape")
    finally:
        stop.set()
        [t.join() for t in threads]
    wait_for(lambda: in_use() == 1, 10, "their end")
