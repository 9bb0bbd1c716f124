"""The same bytes to our server, to h11 and to Node: we take no message that both of them refuse, and where we take one, it is the same one."""
import concurrent.futures
import re
import shutil
import socket
import subprocess

import h11
import pytest
from raw import HOST
from test_framing import GET, refused

# Answers a body with itself as the server here does at /echo, and anything else with a constant; says nothing of its own.
NODE = """
const server = require('http').createServer((request, response) => {
  const parts = [];
  request.on('data', part => parts.push(part)).on('end', () => {
    const body = request.method === 'POST' ? Buffer.concat(parts) : Buffer.from('{"ok":true}');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
START = "POST /api/v1/echo HTTP/1.1\r\n"
TYPE = "Content-Type: application/json\r\n"
HEAD = START + HOST + TYPE
NEXT = "GET /api/v1/null HTTP/1.1\r\n" + HOST + "\r\n"
BODY = '{"a":1}'
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
LENGTHS = ["7", "07", "+7", "-7", "0x7", "7 ", " 7", "7,7", "7, 7", "7,8", "7;", "7.0", "7e0", "", "\t7", "7\v", "\xb2", "18446744073709551623", "00000000000000000000007", "7\0"]
ENCODINGS = ["chunked", "Chunked", "chunked ", " chunked", "chunked,", ",chunked", "chunked, chunked", "identity", "identity, chunked", "chunked, identity", "gzip, chunked", "xchunked", "chunked;a=b", "chunked\v",
             "\"chunked\"", "", "cow", "chunked\0", "chu nked"]
CHUNKS = ["7\r\n" + BODY + "\r\n0\r\n\r\n", "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n", "07\r\n" + BODY + "\r\n0\r\n\r\n", "7;a=b\r\n" + BODY + "\r\n0\r\n\r\n", "7 \r\n" + BODY + "\r\n0\r\n\r\n", " 7\r\n" + BODY + "\r\n0\r\n\r\n",
          "+7\r\n" + BODY + "\r\n0\r\n\r\n", "-7\r\n" + BODY + "\r\n0\r\n\r\n", "0x7\r\n" + BODY + "\r\n0\r\n\r\n", "7\n" + BODY + "\n0\n\n", "7\r\n" + BODY + "0\r\n\r\n", "6\r\n" + BODY + "\r\n0\r\n\r\n", "8\r\n" + BODY + "\r\n0\r\n\r\n",
          "7\r\n" + BODY + "\r\n0\r\nX: y\r\n\r\n", "7\r\n" + BODY + "\r\n0\r\nX : y\r\n\r\n", "7\r\n" + BODY + "\r\n00\r\n\r\n", "7\r\n" + BODY + "\r\n0;x\r\n\r\n", "7;\r\n" + BODY + "\r\n0\r\n\r\n", "7\r\n" + BODY + "\r\n\r\n",
          "\r\n7\r\n" + BODY + "\r\n0\r\n\r\n", "g\r\n" + BODY + "\r\n0\r\n\r\n", "10000000000000007\r\n" + BODY + "\r\n0\r\n\r\n", "7\r\r\n" + BODY + "\r\n0\r\n\r\n", "7;a=\"\r\n" + BODY + "\r\n0\r\n\r\n", "7;\n" + BODY + "\r\n0\r\n\r\n"]
LINES = ["GET /api/v1/null HTTP/1.1", "GET  /api/v1/null HTTP/1.1", "GET /api/v1/null  HTTP/1.1", "GET\t/api/v1/null HTTP/1.1", " GET /api/v1/null HTTP/1.1", "GET /api/v1/null HTTP/1.1 ", "GET /api/v1/null", "GET /api/v1/null HTTP/1.2",
         "GET /api/v1/null HTTP/2.0", "GET /api/v1/null http/1.1", "GET /api/v1/null HTTP/1.10", "GET /api/v1/null HTTP/01.1", "GET /api/v1/null HTTP/1", "G\0T /api/v1/null HTTP/1.1", "GET /api/v1/nu\0ll HTTP/1.1", "GET /api/v1/null\x0b HTTP/1.1",
         "get /api/v1/null HTTP/1.1", "GE(T /api/v1/null HTTP/1.1", "\r\nGET /api/v1/null HTTP/1.1", "\nGET /api/v1/null HTTP/1.1", "GET /api/v1/null\xe9 HTTP/1.1"]
HEADERS = ["X: y", "X:y", "X:", "X : y", " X: y", "X\t: y", ": y", "X", "X: y\r\n z", "X: y\r\n\tz", "X: a\rb", "X: a\nY: b", "X: a\0b", "X\0: y", "X(: y", "\xe9: y", "X: \xe9", "X: \x7f", "X: a\x01b", "X y: z", "X: y\r", "\tX: y", "Host: b",
           "Host: ", "X: \x0b"]


def cases():
    found = {f"length {v!r}": HEAD + f"Content-Length: {v}\r\n\r\n" + BODY for v in LENGTHS}
    found |= {f"encoding {v!r}": HEAD + f"Transfer-Encoding: {v}\r\n\r\n" + CHUNKS[0] for v in ENCODINGS}
    found |= {f"chunks {v!r}": CHUNKED + v for v in CHUNKS}
    found |= {f"line {v!r}": v + "\r\n" + HOST + "\r\n" for v in LINES}
    found |= {f"header {v!r}": "GET /api/v1/null HTTP/1.1\r\n" + HOST + v + "\r\n\r\n" for v in HEADERS}
    found |= {"both": HEAD + "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[0], "both the other way": HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n" + CHUNKS[0],
              "two equal lengths": HEAD + "Content-Length: 7\r\nContent-Length: 7\r\n\r\n" + BODY, "two lengths": HEAD + "Content-Length: 7\r\nContent-Length: 8\r\n\r\n" + BODY,
              "two encodings": HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[0], "encodings apart": HEAD + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[0],
              "1.0 and chunked": HEAD.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n" + CHUNKS[0], "1.0 and length": HEAD.replace("1.1", "1.0") + "Content-Length: 7\r\n\r\n" + BODY,
              "space before colon": HEAD + "Content-Length : 7\r\n\r\n" + BODY, "folded length": HEAD + "Content-Length:\r\n 7\r\n\r\n" + BODY, "folded encoding": HEAD + "Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS[0],
              "underscore": HEAD + "Content_Length: 7\r\nTransfer_Encoding: chunked\r\nContent-Length: 7\r\n\r\n" + BODY, "no host": START + TYPE + "Content-Length: 7\r\n\r\n" + BODY, "bare line feeds": NEXT.replace("\r\n", "\n"),
              "one bare line feed": HEAD + "Content-Length: 7\r\n\n" + BODY, "carriage returns": NEXT.replace("\r\n", "\r"), "request in a body": HEAD + f"Content-Length: {len(NEXT) + 2}\r\n\r\n\"" + "x" * len(NEXT) + "\"",
              "too much body": HEAD + "Content-Length: 7\r\n\r\n" + BODY + "junk\r\n\r\n", "too little body": HEAD + "Content-Length: 8\r\n\r\n" + BODY, "nothing": "", "two in one": NEXT + HEAD + "Content-Length: 7\r\n\r\n" + BODY}
    return {**found, **{name + ", and another": data + NEXT for name, data in found.items()}}


CASES = cases()


@pytest.fixture(scope="module")
def node():
    process = subprocess.Popen([shutil.which("node") or shutil.which("nodejs"), "-e", NODE], stdout=subprocess.PIPE, text=True)
    yield int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def answers_of(port, data):
    """The bodies of the messages that were taken."""
    with socket.create_connection(("127.0.0.1", port), 10) as c:
        try:
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = b""
        try:
            while part := c.recv(65536):
                got += part
        except ConnectionResetError:
            pass
    found = []
    while match := re.match(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n(.*?\r\n)\r\n", got, re.S):
        length = re.search(rb"(?i)^content-length: (\d+)\r$", match[2], re.M)
        rest = got[match.end():]
        n = int(length[1]) if length else 0
        body, got = rest[:n], rest[n:]
        if match[1] == b"200":
            found.append(body)
        assert match[1] == b"200" or match[1][:1] in b"45", match[0]
    return found


def taken_by_h11(data):
    connection, found = h11.Connection(h11.SERVER), []
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            body, method, event = b"", b"", connection.next_event()
            if not isinstance(event, h11.Request):
                return found
            method = event.method
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    return found
                body += event.data
            found.append(bytes(body) if method == b"POST" else b'{"ok":true}')
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return found
            connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return found


def test_BI_B22_nobody_else_refuses_what_we_take(server, node):
    assert len(CASES) > 150
    counts = {"ours": 0, "h11": 0, "node": 0}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # a connection that its client has half closed may be kept for a second
        taken = list(pool.map(lambda text: answers_of(server.port, text.encode("latin-1")), CASES.values()))
    for (name, text), ours in zip(CASES.items(), taken):
        by_h11, by_node = taken_by_h11(text.encode("latin-1")), answers_of(node, text.encode("latin-1"))
        agreed = max(by_h11, by_node, key=len)
        assert len(ours) <= len(agreed), (name, ours, by_h11, by_node)
        for other in (by_h11, by_node):  # what both take is the same
            n = min(len(ours), len(other))
            assert ours[:n] == other[:n], (name, ours, other)
        for who, found in (("ours", ours), ("h11", by_h11), ("node", by_node)):
            counts[who] += len(found)
    assert counts["ours"] > 30, counts  # the sound ones are taken


@pytest.mark.parametrize("then", [b"", b"\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\3\0\0\0\0\1\0\0\0\x08" * 1000], ids=["alone", "settings", "resets"])
def test_BI_B13_the_second_version_of_http_is_not_spoken(server, then):
    """Its opening is refused as the bad request that it is in ours, before a frame of it is looked at; nobody is led into it."""
    refused(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + then)
    with server.connect() as c:
        c.send(GET + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        answer = c.answer()
        assert answer.status == 200 and answer.header("Upgrade") is None
        c.send(GET + "\r\n")
        assert c.answer().status == 200
