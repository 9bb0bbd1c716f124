"""HTTP over raw keep-alive sockets, several requests on their way at a time: tens of thousands of them in a minute. Knows no routes."""
import re
import socket
import threading

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
CLOSE = re.compile(rb"\r\nconnection: *close", re.I)
TRIES = 3


class Answer:
    """Status, head (with the status line) and body, as bytes."""

    __slots__ = ("status", "head", "body")

    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body

    def header(self, name):
        found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", self.head, re.I)
        return found[1].decode() if found else None

    def __repr__(self):
        return f"{self.status} {self.body[:600].decode(errors='replace')}"


def request(method, path, headers=(), body=None, content_type="application/json"):
    """The bytes of one request; path and headers are sent as they are."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Wire:
    """One connection. What the other side leaves unanswered when it closes is sent again over a new one."""

    def __init__(self, port, timeout=60):
        self.port, self.timeout = port, timeout
        self.socket, self.read = None, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.read = None, b""

    def _more(self):
        data = self.socket.recv(1 << 16)
        self.read += data
        return bool(data)

    def _answer(self, is_head):
        """The next answer, None when the connection ended before it began."""
        while (end := self.read.find(b"\r\n\r\n")) < 0:
            if not self._more():
                assert not self.read, self.read[:500]
                return None
        head, status = self.read[:end], int(self.read[9:12])
        found = LENGTH.search(head)
        length = 0 if is_head or status in (204, 304) or not found else int(found[1])
        while len(self.read) < end + 4 + length:
            assert self._more(), f"the connection ended inside an answer: {head!r}"
        body = self.read[end + 4:end + 4 + length]
        self.read = self.read[end + 4 + length:]
        return Answer(status, head, body)

    def _round(self, requests):
        """Answers to the first so many of them."""
        if not self.socket:
            self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = []
        try:
            self.socket.sendall(b"".join(requests))
            for one in requests:
                answer = self._answer(one.startswith(b"HEAD "))
                if answer is None:
                    break
                answers.append(answer)
                if CLOSE.search(answer.head):
                    break
        except (BrokenPipeError, ConnectionResetError):
            self.close()
        if len(answers) < len(requests):
            self.close()
        return answers

    def ask_all(self, requests):
        """The answers to these requests, sent in one go."""
        answers, tries = [], 0
        while len(answers) < len(requests):
            got = self._round(requests[len(answers):])
            answers += got
            tries = 0 if got else tries + 1
            assert tries < TRIES, f"never answered: {requests[len(answers)][:500]!r}"
        return answers

    def ask(self, one):
        return self.ask_all([one])[0]


def each(port, items, connections, at_a_time, act):
    """act(wire, slice of items) for all items, over so many connections at the same time. The first exception is raised here."""
    slices = iter([items[i:i + at_a_time] for i in range(0, len(items), at_a_time)])
    lock, failed = threading.Lock(), []

    def visitor():
        wire = Wire(port)
        try:
            while not failed:
                with lock:
                    some = next(slices, None)
                if some is None:
                    return
                act(wire, some)
        except BaseException as e:  # told to the one who waits
            failed.append(e)
        finally:
            wire.close()

    threads = [threading.Thread(target=visitor) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]
