#!/usr/bin/env python3
"""Compares our encoder with the reference implementation; not part of script/test, for it needs torch. See docs/embedding.md.

    compare.py vectors MODEL_DIR TOOL    cosine of 200 texts with sentence-transformers; fails below 0.99999
    compare.py tokens  MODEL_DIR TOOL    token ids of every Unicode code point and of random texts with tokenizers
    compare.py golden  MODEL_DIR FILE    writes the 20 texts and vectors of the reference that the unit test compares with

MODEL_DIR holds the whole model folder of the package (config.json, modules.json, tokenizer.json and so on), TOOL is embed_tool.
"""
import base64
import json
import random
import struct
import subprocess
import sys
import unicodedata

FLOOR = 0.99999
WIDTH = 384
WORDS = ("the contract of a supplier was renewed in spring and every invoice must be approved by two people before payment because an audit "
         "found that aerodynamic heating around slender bodies at hypersonic speed differs from theory while our holiday policy for part time "
         "employees says nothing on carry over electrolyte antidisestablishmentarianism").split()
EDGES = [
    "", " ", "\t\r\n \u3000\u2003", "a", "Hello", "That is a happy person", "That is a happy dog", "That is a very happy person",
    "Today is a sunny day", "É", "Ångström naïve façade coöperate résumé", "e\u0301 e\u0301\u0323 o\u0302\u0323 \u1ed9", "İstanbul'da ILIK ÇİĞ süt",
    "Straße ẞ ﬁ ﬂ Ǆ ǆ", "東京都は日本の首都です。", "文档管理系统支持全文检索", "문서 관리 시스템", "ความหมายของเอกสาร", "यह एक दस्तावेज़ है",
    "مرحبا بالعالم، هذه وثيقة", "שלום עולם, זהו מסמך", "Договор аренды № 17 от 3 марта", "Το συμβόλαιο υπογράφηκε",
    "🙂 😀👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 flags 🇩🇪", "a\u200bb\u200dc\u00add\ufeffe", "x\u0001\u0008\u001fy\u007fz", "zero\u0300\u0301\u0302\u0303\u0304width",
    "int main(void) { return printf(\"%d\\n\", argc) < 0; }", "SELECT * FROM t WHERE a->>'b' = $1;", "https://example.org/a?b=c&d=%20#e",
    "mail@example.org +49-30/1234 §5 €12.50 ½ ²", "a" * 100, "a" * 101, "b" * 5000, "!" * 300, "...", "#hash ##ing [unused1]",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒻ℴ𝓃𝓉𝓈", "\u2028line\u2029para\u0085next", "１２３ ＡＢＣ ｶﾀｶﾅ", "\U0002070e\U00020731 \uf900\U0002f800", "\u1100\u1161\u11a8",
    "don't can't o'clock 'quoted' \u201ccurly\u201d \u2013 \u2014 \u2026",
]


def texts(n):
    """The edges, one of 10,000 words, then texts of mixed lengths: the same at each run."""
    rng = random.Random(20)
    ret = EDGES + [" ".join(rng.choice(WORDS) for _ in range(10000)), "東" * 10000, "word, " * 10000]
    alphabets = ["abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω", "あいうえおかきくけこ東京都文書",
                 "ابتثجحخدذرزسش", "äöüßéèêçñåøłž"]
    while len(ret) < n:
        kind = len(ret) % 3
        if kind == 0:
            letters = rng.choice(alphabets)
            ret.append(" ".join("".join(rng.choice(letters) for _ in range(rng.randint(1, 9))) for _ in range(rng.randint(1, 60))))
        else:
            count = min(400, max(1, int(rng.lognormvariate(4.2, 0.9))))
            ret.append(" ".join(rng.choice(WORDS) for _ in range(count)).capitalize() + rng.choice(".?!"))
    return ret[:n]


def run_tool(tool, model, threads, what, items):
    feed = b"".join(t.encode() + b"\0" for t in items)
    return subprocess.run([tool, model, str(threads), what], input=feed, stdout=subprocess.PIPE, check=True).stdout


def reference_vectors(model, items):
    import sentence_transformers
    import torch
    import transformers
    print(f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
    encoder = sentence_transformers.SentenceTransformer(model, device="cpu", local_files_only=True)
    assert encoder.max_seq_length == 256
    return encoder.encode(items, batch_size=16, normalize_embeddings=True)


def compare_vectors(model, tool):
    import numpy
    items = texts(200)
    theirs = reference_vectors(model, items).astype("f8")
    ours = numpy.frombuffer(run_tool(tool, model, 2, "vectors", items), "<f4").reshape(-1, WIDTH).astype("f8")
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    cosine = (ours * theirs).sum(1) / (numpy.linalg.norm(ours, axis=1) * numpy.linalg.norm(theirs, axis=1))
    worst = int(cosine.argmin())
    print(f"{len(items)} texts: cosine least {cosine.min():.9f}, median {numpy.median(cosine):.9f}; "
          f"largest difference of a number {abs(ours - theirs).max():.2e}; worst text {items[worst][:60]!r}")
    return 0 if cosine.min() >= FLOOR else 1


def compare_tokens(model, tool):
    from tokenizers import Tokenizer
    theirs = Tokenizer.from_file(model + "/tokenizer.json")
    theirs.no_truncation()
    theirs.no_padding()

    def ours(items):
        out, at, ret = run_tool(tool, model, 1, "tokens", items), 0, []
        while at < len(out):
            (n,) = struct.unpack_from("<I", out, at)
            ret.append(list(struct.unpack_from(f"<{n}I", out, at + 4)))
            at += 4 + 4 * n
        return ret

    def differing(items):
        expected = theirs.encode_batch(items, add_special_tokens=False)
        return [i for i, (a, b) in enumerate(zip(expected, ours(items))) if a.ids != b]

    points = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
    bad = {chr(points[i]) for i in differing([f"a{chr(c)}b {chr(c)} x{chr(c)}" for c in points])}
    # The reference's tables of categories are those of Unicode 8: it takes later marks, punctuation and formats for letters.
    surprises = [c for c in bad if unicodedata.category(c)[0] not in "MPC" or unicodedata.category(c) in ("Cc", "Co")]
    print(f"{len(points)} code points: {len(bad)} differ, of which marks, punctuation, formats or unknown here: {len(bad) - len(surprises)}")
    rng = random.Random(1)
    pool = [c for c in points if c < 0x3000] + list(range(0x4e00, 0x4e40)) + list(range(0xac00, 0xac40)) + list(range(0x1f600, 0x1f640))
    items = ["".join(chr(rng.choice(pool)) if rng.random() < .3 else rng.choice("abcde the ing.,-[]#'\n\t") for _ in range(rng.randrange(200)))
             for _ in range(20000)]
    items = [t for t in items if not bad & set(t)] + [t for t in texts(200)]
    wrong = differing(items)
    print(f"{len(items)} random texts without those: {len(wrong)} differ")
    for c in surprises[:10]:
        print(f"  U+{ord(c):04X} {unicodedata.category(c)}")
    return 0 if len(surprises) <= 2 and len(bad) < 1500 and not wrong else 1


def write_golden(model, path):
    items = EDGES[:1] + [EDGES[i] for i in (2, 3, 5, 6, 7, 8, 10, 12, 14, 16, 19, 21, 23, 24, 27, 33)] + texts(200)[-2:] \
        + [" ".join(WORDS[i % len(WORDS)] for i in range(10000))]
    vectors = reference_vectors(model, items)
    rows = [{"text": t, "vector": base64.urlsafe_b64encode(v.astype("<f4").tobytes()).decode().rstrip("=")} for t, v in zip(items, vectors)]
    rows[-1]["text"] = " ".join(WORDS)  # repeated by the test until there are 10,000 words
    rows[-1]["words"] = 10000
    with open(path, "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    return 0


def main():
    commands = {"vectors": (compare_vectors, 2), "tokens": (compare_tokens, 2), "golden": (write_golden, 2)}
    what = commands.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if not what or len(sys.argv) != 2 + what[1]:
        sys.exit(__doc__)
    sys.exit(what[0](*sys.argv[2:]))


if __name__ == "__main__":
    main()
