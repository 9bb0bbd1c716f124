"""Another API process of an installation that runs: the same database, Redis, secrets and files, a port of its own."""
import contextlib
import os
import subprocess

from conftest import START_SECONDS, Client


@contextlib.contextmanager
def replica(server, **env):
    """Its URL. The server must have been started with DMS_PUBLIC_URL, which names them both in their tokens."""
    read, write = os.pipe()
    log = open(server.dir / "replica.log", "ab")
    process = subprocess.Popen([server.program, "serve", "--data", str(server.data), "--listen", "127.0.0.1", "--port", "0", f"--ready-fd={write}"],
                               pass_fds=[write], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**server.env, **env}, cwd=server.dir)
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            port = pipe.readline().strip()  # nothing when it ended
        assert port, (server.dir / "replica.log").read_text()[-4000:]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(START_SECONDS) == 0
        log.close()


def client_of(url, client):
    """The same person at another replica: the session of a client, used there."""
    there = Client(client.server)
    there.base_url = url + "/api/v1"
    there.headers.update({k: v for k, v in client.headers.items() if k.lower() in ("authorization", "x-api-key")})
    there.tokens, there.email = client.tokens, client.email
    return there
