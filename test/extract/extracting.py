"""Runs dms-extract as the service does (the file, two pipes, no environment) and decodes its frames.

The decoder is a second one, written from domain/frame.h, so that writer and C decoder are not judged by each other alone.
"""
import dataclasses
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("DMS_BUILD_DIR", "build")
PROGRAM = BUILD / "dms-extract"
KINDS = ["heading", "paragraph", "list", "code", "table"]
SANITIZER = re.compile(rb"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")
WALL_SECONDS = 60
OUT_OF_MEMORY = [b"bad_alloc", b"ut of memory", b"failed to allocate", b"returned null pointer"]  # as jobs/extract_run.c tells it


@dataclasses.dataclass
class Result:
    hello: dict
    blocks: list  # (kind, level, page, text)
    meta: dict | None
    cause: str | None  # of a failure: named by the program, or "crashed", "sandbox", "timeout"
    seconds: float = 0
    stderr: bytes = b""

    @property
    def text(self):
        return "\n\n".join(b[3] for b in self.blocks)

    def kinds(self):
        return [(b[0], b[1]) for b in self.blocks]


def decode(out):
    result, at, ended = Result({}, [], None, None), 0, False
    while at < len(out):
        assert not ended, "frames after the end"
        kind, size = chr(out[at]), struct.unpack_from("<I", out, at + 1)[0]
        body = out[at + 5:at + 5 + size]
        assert len(body) == size, "a frame is cut off"
        at += 5 + size
        if kind == "H":
            result.hello = json.loads(body)
        elif kind == "B":
            block, level, page = struct.unpack_from("<BBI", body)
            text = body[6:].decode("utf-8")
            assert text and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), repr(text)
            result.blocks.append((KINDS[block], level, page, text))
        elif kind == "M":
            result.meta = json.loads(body)
        elif kind == "E":
            blocks, size = struct.unpack("<QQ", body)
            assert blocks == len(result.blocks) and size == sum(len(b[3].encode()) for b in result.blocks)
            ended = True
        elif kind == "F":
            result.cause, ended = body.decode(), True
        else:
            raise AssertionError(f"unknown frame {kind!r}")
    assert ended, "no end frame"
    return result


def is_asan():
    """Whether the program under test carries AddressSanitizer: its address space cannot be limited then."""
    return not extract(b"x", "x.txt").hello["address_space_limited"]


def extract(data, name="", **options):
    """What dms-extract says about these bytes. Options: max_pages=10 becomes --max-pages 10."""
    args = [str(PROGRAM), "--name", name]
    for key, value in options.items():
        args += ["--" + key.replace("_", "-"), str(value)]
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        try:
            done = subprocess.run(args, stdin=file, capture_output=True, env={}, timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            return Result({}, [], None, "timeout")
    assert not SANITIZER.search(done.stderr), done.stderr.decode(errors="replace")
    if done.returncode != 0 and any(words in done.stderr for words in OUT_OF_MEMORY):
        return Result({}, [], None, "memory", stderr=done.stderr)
    if done.returncode < 0:
        causes = {signal.SIGSYS: "sandbox", signal.SIGXCPU: "timeout"}
        return Result({}, [], None, causes.get(-done.returncode, "crashed"), stderr=done.stderr)
    if done.returncode != 0 and done.stdout:
        return Result({}, [], None, "crashed", stderr=done.stderr)
    assert done.returncode == 0, done.stderr
    result = decode(done.stdout)
    result.stderr = done.stderr
    return result
