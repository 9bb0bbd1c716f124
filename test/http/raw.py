"""The test server as a process, and HTTP as raw bytes: what a client library would never send is what these tests are about."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("DMS_BUILD_DIR", "build")
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")
PROGRAM = BUILD / "test" / "http" / "http-test-server"
SANITIZED = b"__asan_init" in PROGRAM.read_bytes()  # its memory figures say nothing
HOST = "Host: localhost\r\n"


class Server:
    """test/http/server.c with options as keywords; close() ends it by SIGTERM and looks for sanitizer reports."""

    def __init__(self, **options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dms-http-"))
        self.log_path = self.dir / "log"
        command = [PROGRAM, self.dir, *(f"{name}={value}" for name, value in options.items())]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("port "), self.log()
        self.port = int(line.split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def lines(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def connect(self, timeout=10):
        return Connection(self.port, timeout)

    def ask(self, data, timeout=10):
        """One connection, these bytes, one answer."""
        with self.connect(timeout) as c:
            c.send(data)
            return c.answer()

    def get(self, path, *headers):
        return self.ask(f"GET {path} HTTP/1.1\r\n{HOST}{''.join(h + chr(13) + chr(10) for h in headers)}\r\n")

    def counts(self):
        return self.get("/api/v1/counts").json()

    def files(self):
        return sorted(p.name for p in self.dir.glob("part-*"))

    def memory_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self):
        status = self.process.poll()
        try:
            if status is None:
                status = self.stop()
            log = self.log()
            report = SANITIZER.search(log)
            assert not report, log[max(report.start() - 500, 0):][:6000]
            assert status == 0, f"ended with {status}\n{log[-3000:]}"
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            shutil.rmtree(self.dir, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        found = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Connection:
    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _more(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b""
        self.buffer += got
        return bool(got)

    def answer(self, head=False):
        """The next answer; None when the connection ends without one. head: it has no body whatever its length says."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                assert not self.buffer, self.buffer
                return None
        top, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *rest = top.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [^\r\n]*", first), first
        status = int(first.split()[1])
        headers = [tuple(p.strip() for p in line.split(":", 1)) for line in rest]
        answer = Answer(status, headers, b"")
        if status == 100:
            return answer
        length = answer.header("Content-Length")
        if head or status in (204, 304):
            return answer
        if answer.header("Transfer-Encoding") == "chunked":
            answer.body = b"".join(iter(self.chunk, b""))
            return answer
        while len(self.buffer) < int(length):
            assert self._more(), "the answer's body is cut off"
        answer.body, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return answer

    def chunk(self):
        while b"\r\n" not in self.buffer:
            assert self._more(), "the chunked body is cut off"
        size, _, self.buffer = self.buffer.partition(b"\r\n")
        need = int(size, 16) + 2
        while len(self.buffer) < need:
            assert self._more(), "a chunk is cut off"
        data, self.buffer = self.buffer[:need - 2], self.buffer[need:]
        return data

    def closed(self, seconds=5):
        """True when the server ends the connection within that time; bytes that still come are dropped."""
        self.socket.settimeout(seconds)
        try:
            while True:
                try:
                    if not self.socket.recv(65536):
                        return True
                except ConnectionResetError:
                    return True
        except TimeoutError:
            return False

    def reset(self):
        """Ends the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def wait_for(check, seconds=10, what="it"):
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def multipart(parts, boundary="b0undary", end=True):
    """parts: (head lines, data)."""
    out = [f"--{boundary}\r\n".encode() + "".join(line + "\r\n" for line in head).encode("utf-8", "surrogateescape") + b"\r\n" + data + b"\r\n"
           for head, data in parts]
    return b"".join(out) + (f"--{boundary}--\r\n".encode() if end else b"")


def file_part(data, name="note.txt", field="file", extra=()):
    return ([f'Content-Disposition: form-data; name="{field}"; filename="{name}"', "Content-Type: text/plain", *extra], data)


def field_part(name, value):
    return ([f'Content-Disposition: form-data; name="{name}"'], value)


def post_multipart(body, path="/api/v1/upload", boundary="b0undary", length=None, headers=""):
    length = len(body) if length is None else length
    head = (f"POST {path} HTTP/1.1\r\n{HOST}Content-Type: multipart/form-data; boundary={boundary}\r\n"
            f"Content-Length: {length}\r\n{headers}\r\n")
    return head.encode() + body
