"""Clients that people use: they must see the answer that a raw socket sees, also when it comes before they have sent everything."""
import shutil
import subprocess

import httpx
import pytest


@pytest.mark.parametrize("size", [1_100_000, 5_000_000, 30_000_000])
def test_httpx_sees_early_refusals(server, size):
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for _ in range(5):
            answer = client.post("/api/v1/echo", content=b" " * size, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413 and answer.json()["code"] == "payload_too_large"
            assert client.post("/api/v1/secret-upload", files={"file": ("a", b"x" * size)}).status_code == 401
            assert client.get("/api/v1/null").status_code == 200


def test_httpx_sees_a_refusal_in_the_middle(start):
    server = start(max_upload=1_000_000)

    def pieces():
        yield b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
        for _ in range(300):
            yield b"x" * 100_000

    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for _ in range(3):
            answer = client.post("/api/v1/upload", content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"})
            assert answer.status_code == 413


def test_httpx_uploads(server):
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        answer = client.post("/api/v1/upload", files={"file": ("r\u00e9sum\u00e9 \u20ac.pdf", b"x" * 700_000, "application/pdf")}, data={"tags": "a", "title": "\u00e4"})
        assert answer.status_code == 201
        assert answer.json()["filename"] == "résumé €.pdf" and answer.json()["fields"] == {"tags": "a", "title": "ä"}


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")
@pytest.mark.parametrize("size", [2_000_000, 30_000_000])
def test_curl_sees_early_refusals(server, tmp_path, size):
    (tmp_path / "big").write_bytes(b" " * size)
    for expect in ["Expect:", "Expect: 100-continue"]:
        command = ["curl", "-s", "--noproxy", "*", "-o", tmp_path / "out", "-w", "%{http_code}", "-H", "Content-Type: application/json", "-H", expect]
        done = subprocess.run([*command, "--data-binary", f"@{tmp_path / 'big'}", server.url + "/api/v1/echo"], capture_output=True, text=True, timeout=30)
        assert done.stdout == "413", done
        assert b"payload_too_large" in (tmp_path / "out").read_bytes()
