"""`dms up` as a program: what it leaves behind, what it survives, what it refuses."""
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest
from conftest import BUILD, Server, wait_for

DMS = str(BUILD / "dms")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder():
    """A folder that the servers' user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="dms-up-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def shared():
    """An installation that survives what the tests do to it."""
    server = Server()
    server.start()
    yield server
    server.close()


def refused(*args, status=1, **env):
    """What `dms up` says when it does not start; nothing may be left running."""
    done = subprocess.run([DMS, "up", *map(str, args)], capture_output=True, text=True, timeout=60, env={**os.environ, **env}, cwd="/")
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def process_of(server, word):
    """The pid of the supervisor's child whose command has that word."""
    for pid in server.processes():
        try:
            parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == server.pid and word in command:
            return pid
    return None


def answers(server, path="/health/ready"):
    try:
        with server.http(timeout=5) as http:
            return http.get(path).status_code == 200
    except OSError:
        return False
    except Exception as e:  # httpx wraps what the socket says
        if type(e).__module__.startswith("http"):
            return False
        raise


# start and stop


def test_it_starts_says_so_and_leaves_nothing(start_dms):
    server = start_dms()
    lines = server.log().splitlines()
    assert lines[-1] == f"dms is ready: http://localhost:{server.port}"
    assert server.ready_file.read_text() == f"http://localhost:{server.port}\n"
    assert answers(server)
    server.stop()  # asserts the exit status and that no process is left
    assert not server.ready_file.exists()
    assert not answers(server)


def test_a_second_start_takes_no_longer_than_five_seconds_and_keeps_the_data(start_dms):
    server = start_dms()
    owner = server.register("Kept")
    server.stop()
    begun = time.monotonic()
    server.start()
    took = time.monotonic() - begun
    assert server.login(owner.email).me()
    assert took < 5 or "ASAN_OPTIONS" in os.environ, f"{took:.1f} s"


def test_sigint_stops_too_and_a_second_signal_makes_it_faster(start_dms):
    server = start_dms()
    before = server.processes()
    server.process.send_signal(signal.SIGINT)
    server.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun < 20 and not server.left_over(before)


def test_a_stop_during_the_start_leaves_nothing(folder):
    for delay in (0.05, 0.4, 1.2):
        server = Server(data=folder / "data")
        server.start(wait=False)
        time.sleep(delay)
        try:
            before = server.processes()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) in (0, -signal.SIGTERM)  # the second: before it looks after anything
            assert not server.left_over(before)
        finally:
            server.close()


def test_no_zombie_stays(shared):
    def zombies():
        found = []
        for pid in shared.processes():
            text = pathlib.Path(f"/proc/{pid}/stat")
            if text.exists() and text.read_text().rpartition(")")[2].split()[0] == "Z":
                found.append(pid)
        return found
    time.sleep(0.5)
    wait_for(lambda: not zombies(), 5, "zombies to be reaped")


def test_the_terminal_signals_the_supervisor_alone(shared):
    """Ctrl-C reaches a process group: no child may be in the supervisor's."""
    group = os.getpgid(shared.pid)
    children = [p for p in shared.processes() if p != shared.pid]
    assert children and all(os.getpgid(p) != group for p in children)


# what it keeps


def test_everything_under_the_data_folder_is_closed_to_others(shared):
    for name in ("", "pg", "redis", "run", "secrets", "blobs", "mail", "log"):
        assert stat.S_IMODE((shared.data / name).stat().st_mode) == 0o700, name
    secrets = list((shared.data / "secrets").iterdir())
    assert {"postgres-admin", "postgres-app", "postgres-owner", "postgres-ops", "redis", "jwt.key", "pepper"} <= {p.name for p in secrets}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in secrets)


def test_no_secret_is_in_a_command_line_or_a_log(shared):
    secrets = [p.read_text().strip() for p in (shared.data / "secrets").iterdir()]
    commands = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace") for pid in shared.processes()]
    logs = [p.read_text(errors="replace") for p in (shared.data / "log").iterdir()] + [shared.log()]
    for secret in secrets:
        assert not any(secret in text for text in commands + logs)


@as_root
def test_started_as_root_everything_runs_as_an_unprivileged_user(shared):
    for pid in shared.processes():
        uids = re.search(r"(?m)^Uid:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text())[1].split()
        groups = re.search(r"(?m)^Groups:\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text())[1].split()
        assert "0" not in uids and "0" not in groups, pid
    assert shared.data.stat().st_uid != 0


@as_root
def test_a_parent_folder_that_forbids_access_is_named(folder):
    (folder / "closed").mkdir(mode=0o700)
    assert f"may not enter {folder}/closed" in refused("--data", folder / "closed/inner/data", "--port", "0")


def test_a_folder_with_other_things_in_it_is_refused_and_stays_as_it_is(folder):
    (folder / "thesis.odt").write_text("mine")
    before = folder.stat()
    assert "is not empty (thesis.odt)" in refused("--data", folder, "--port", "0")
    assert [p.name for p in folder.iterdir()] == ["thesis.odt"]
    assert (folder.stat().st_uid, folder.stat().st_mode) == (before.st_uid, before.st_mode)


def test_a_data_folder_with_a_long_name_gets_its_sockets_elsewhere(start_dms, folder):
    data = folder / ("long-" * 12) / ("name with a ' quote and \\ " * 3)
    data.parent.mkdir(mode=0o755)
    server = start_dms(data=data)
    assert answers(server)
    run = server.run("config", "--json")
    assert run.returncode == 0
    sockets = [p for p in pathlib.Path("/tmp").glob("dms-*/.s.PGSQL.5432") if len(p.parent.name) == len("dms-") + 16]
    assert sockets and all(stat.S_IMODE(p.parent.stat().st_mode) == 0o700 for p in sockets)
    folders = [p.parent for p in sockets]
    server.stop()
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


# what it survives


@pytest.mark.parametrize("word", [" serve", " worker", "redis-server", "bin/postgres"])
def test_kill_9_of_a_part_is_mended(shared, word):
    before = wait_for(lambda: process_of(shared, word), 10, word)
    os.kill(before, signal.SIGKILL)
    after = wait_for(lambda: (p := process_of(shared, word)) not in (None, before) and p, 20, f"a new {word}")
    wait_for(lambda: answers(shared), 20, "the API to be ready")
    owner = shared.register()
    assert owner.me()
    assert process_of(shared, word) == after
    assert "ended (signal KILL)" in shared.log()


def test_kill_9_of_postgres_while_a_backend_works_waits_for_the_backend(shared):
    """A new server beside a backend of the old one would destroy the data: the backend is ended first."""
    import psycopg
    secret = (shared.data / "secrets/postgres-app").read_text().strip()
    with psycopg.connect(host=str(shared.data / "run"), dbname="dms", user="dms_app", password=secret) as busy:
        pid = busy.info.backend_pid
        postmaster = process_of(shared, "bin/postgres")
        os.kill(pid, signal.SIGSTOP)  # it would never notice by itself
        os.kill(postmaster, signal.SIGKILL)
        wait_for(lambda: (p := process_of(shared, "bin/postgres")) not in (None, postmaster) and p, 20, "a new server")
        assert not pathlib.Path(f"/proc/{pid}").exists()
    wait_for(lambda: answers(shared), 20, "the API to be ready")


def test_what_a_killed_part_leaves_behind_is_ended(shared):
    """A grandchild whose parent was killed comes to the supervisor, which ends it."""
    worker = process_of(shared, " worker")
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: process_of(shared, " worker") not in (None, worker), 20, "a new worker")
    direct = [p for p in shared.processes() if (s := pathlib.Path(f"/proc/{p}/stat")).exists()
              and int(s.read_text().rpartition(")")[2].split()[1]) == shared.pid]
    assert len(direct) == 4  # postgres, redis, worker, api


def test_kill_9_of_the_supervisor_takes_all_along_and_the_next_start_works(start_dms):
    server = start_dms()
    owner = server.register()
    for _ in range(3):
        assert server.kill() == []
        server.start()
        assert server.login(owner.email).me()


def test_kill_9_of_everything_at_once_and_stale_files_never_need_a_hand(start_dms):
    server = start_dms()
    owner = server.register()
    before = server.processes()
    for pid in before:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(10)
    assert not server.left_over(before)
    pid_file = server.data / "pg/postmaster.pid"
    assert pid_file.exists()
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid())] + lines[1:]) + "\n")  # now somebody else's number
    (server.data / "run/.s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    server.start()
    assert server.login(owner.email).me()


def test_a_server_left_over_in_the_data_folder_is_ended_before_a_new_one_starts(start_dms):
    """As after a supervisor that was killed on a kernel that told nobody."""
    server = start_dms()
    server.stop()
    owner = server.data.stat()
    binary = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parent.parent.name))
    old = subprocess.Popen([binary, "-D", server.data / "pg", f"--config_file={server.data}/pg/dms.conf"],
                           user=owner.st_uid, group=owner.st_gid, extra_groups=[], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    try:
        wait_for(lambda: (server.data / "run/.s.PGSQL.5432").exists(), 20, "the other server")
        server.start()
        assert old.wait(1) is not None
    finally:
        if old.poll() is None:
            old.kill()
            old.wait()


def test_damaged_files_of_redis_are_put_aside(start_dms):
    server = start_dms()
    server.stop()
    for path in (server.data / "redis/appendonlydir").glob("*.manifest"):
        path.write_text("nonsense\n")
    server.start()
    assert answers(server)
    assert list(server.data.glob("redis.damaged-*")) and "starts empty" in server.log()


def test_half_made_data_is_made_anew(folder):
    server = Server(data=folder / "data")
    server.start(wait=False)
    try:
        wait_for(lambda: (folder / "data/pg.new").exists() or (folder / "data/pg").exists(), 20, "initdb")
        server.kill()
        server.start()
        assert answers(server)
        assert not (folder / "data/pg.new").exists()
    finally:
        server.close()


# what it refuses


def test_a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on(shared):
    said = refused("--data", shared.data, "--port", "0", "--ready-file", shared.ready_file)
    assert f"process {shared.pid}, http://localhost:{shared.port}" in said
    assert shared.ready_file.exists() and answers(shared)


def test_a_port_that_is_taken_is_named(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is taken" in refused("--data", folder / "data", "--port", port)


@pytest.mark.parametrize("args, sentence", [
    (["--postgres-bin", "/nowhere"], "there is no PostgreSQL server"),
    (["--redis-bin", "/nowhere/redis-server"], "there is no program /nowhere/redis-server"),
    (["--redis-bin", "/bin/true"], "is no Redis server"),
    (["--listen", "localhost"], "listen must be an IP address"),
    (["--env", "prod"], "public_url must be an https:// address"),
])
def test_what_cannot_work_is_said_before_anything_starts(folder, args, sentence):
    assert sentence in refused("--data", folder / "data", "--port", "0", *args)
    assert not (folder / "data/pg").exists()


def test_missing_programs_are_named_with_their_package(folder):
    """PATH leads nowhere and the usual folders are hidden behind empty ones."""
    if os.geteuid() != 0:
        pytest.skip("needs root to hide folders")
    hide = "mount -t tmpfs none /usr/lib/postgresql && exec \"$0\" \"$@\""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", hide, DMS, "up", "--data", str(folder / "data"), "--port", "0"],
                          capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": "/bin"}, cwd="/")
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert done.returncode == 1 and "apt-get install postgresql" in done.stderr, done.stderr


def test_data_of_another_major_version_is_named(folder):
    (folder / "data/pg").mkdir(parents=True)
    (folder / "data/pg/PG_VERSION").write_text("9\n")
    assert "was made by PostgreSQL 9" in refused("--data", folder / "data", "--port", "0")


@as_root
def test_a_full_disk_is_named(folder):
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", small], capture_output=True).returncode != 0:
        pytest.skip("no mounts here")
    try:
        said = refused("--data", small / "data", "--port", "0")
        assert re.search(r"is full: \d+ MiB are free, 200 MiB are needed for a new installation", said), said
    finally:
        subprocess.run(["umount", small], check=True)


@as_root
def test_a_disk_that_fills_up_and_empties_again_is_survived(folder):
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "none", small], capture_output=True).returncode != 0:
        pytest.skip("no mounts here")
    server = Server(data=small / "data")
    try:
        server.start()
        owner = server.register()
        with open(small / "filler", "wb") as filler:
            try:
                while True:
                    filler.write(b"\0" * 65536)
                    filler.flush()
            except OSError:
                pass
        assert answers(server, "/health/live")
        process = process_of(server, "bin/postgres")
        if process:
            os.kill(process, signal.SIGKILL)  # its recovery needs room
        time.sleep(1)
        (small / "filler").unlink()
        wait_for(lambda: answers(server), 30, "the API to be ready again")
        assert server.login(owner.email).me()
    finally:
        server.close()
        subprocess.run(["umount", small], check=True)


# the demo


def test_the_demo_prints_a_person_for_each_role_who_can_sign_in(start_dms):
    server = start_dms("--demo")
    people = re.findall(r"(?m)^demo  (\S+@demo\.test) +(\S+)  (\w+)$", server.log())
    assert [role for _, _, role in people] == ["Owner", "Admin", "Editor", "Viewer", "API_Only"]
    for address, password, role in people:
        with server.http() as http:
            answer = http.post("/api/v1/auth/login", json={"email": address, "password": password})
        assert answer.status_code == 200 or role == "API_Only", (role, answer.text)
    server.restart()
    again = re.findall(r"(?m)^demo  (\S+@demo\.test) +(\S+)  (\w+)$", server.log())
    assert again == people + people
