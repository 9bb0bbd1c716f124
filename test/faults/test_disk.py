"""A disk without room: uploads are refused with 507 and leave nothing, reading goes on, and all heals when there is room again."""
import os
import pathlib
import subprocess
import tempfile

import pytest

import checker
from conftest import Server, wait_for

MIB = 1 << 20
DISK = 600 * MIB
KEEP = 64 * MIB  # min_free_disk
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


@pytest.fixture
def small_disk():
    """A file system of its own in memory; skipped where mounting is forbidden."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dms-disk-"))
    folder.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "dms-test", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def fill(folder, leave):
    """A file that takes all room but so much."""
    st = os.statvfs(folder)
    size = st.f_bavail * st.f_frsize - leave
    with open(folder / "filler", "ab") as f:
        try:
            if size > 0:
                os.posix_fallocate(f.fileno(), f.seek(0, 2), size)
        except OSError:
            pass  # fuller than thought
    return folder / "filler"


def state(server):
    with checker.database(server) as db:
        return {"documents": checker.number(db, "SELECT count(*) FROM document"), "blobs": checker.number(db, "SELECT count(*) FROM blob"),
                "bytes": checker.number(db, "SELECT sum(bytes)::bigint FROM usage"), "audit": checker.number(db, "SELECT count(*) FROM audit"),
                "files": sum(1 for _ in (server.data / "blobs").glob("*-*/??/*")), "temporary": len(list((server.data / "blobs/tmp").iterdir()))}


@needs_root
def test_a_full_disk_refuses_uploads_with_507_and_nothing_half_there(small_disk, start_dms):
    server = start_dms(data=small_disk / "data", env={"DMS_EMBED_PROVIDER": "none", "DMS_MIN_FREE_DISK": str(KEEP)})
    owner = server.register()
    kept = owner.upload_processed("Here before the disk was full.", name="a.txt")
    before = state(server)
    filler = fill(small_disk, KEEP - MIB)
    for size in (1, 1000, 300_000, 5 * MIB):
        answer = owner.post("/documents", files={"file": ("b.bin", os.urandom(size))})
        assert answer.status_code == 507, (size, answer.text)
        assert answer.json()["code"] == "storage_full"
    answer = owner.post(f"/documents/{kept['id']}/versions", files={"file": ("b.bin", b"more")})
    assert answer.status_code == 507
    assert state(server) == before
    assert owner.get(f"/documents/{kept['id']}/content").content == b"Here before the disk was full."
    assert owner.search("disk", mode="keyword")["items"][0]["document_id"] == kept["id"]
    filler.unlink()
    owner.upload_processed("There is room again.", name="c.txt")


@needs_root
def test_a_large_upload_stops_when_the_room_ends_in_the_middle(small_disk, start_dms):
    server = start_dms(data=small_disk / "data", env={"DMS_EMBED_PROVIDER": "none", "DMS_MIN_FREE_DISK": str(KEEP)})
    owner = server.register()
    before = state(server)
    filler = fill(small_disk, KEEP + 30 * MIB)
    answer = owner.post("/documents", files={"file": ("large.bin", os.urandom(60 * MIB))})
    assert answer.status_code == 507
    wait_for(lambda: state(server) == before, 5, "everything to be as it was")
    filler.unlink()
    assert owner.upload(os.urandom(60 * MIB), name="large.bin")["size"] == 60 * MIB


@needs_root
def test_not_one_byte_left_heals_when_there_is_room(small_disk, start_dms):
    """Others have filled the disk, so PostgreSQL cannot write either. 507 or 503, nothing acknowledged that is not there."""
    server = start_dms(data=small_disk / "data", env={"DMS_EMBED_PROVIDER": "none", "DMS_MIN_FREE_DISK": "0", "DMS_JOB_LEASE": "5", "DMS_JOB_BACKOFF": "1"})
    owner = server.register()
    files = {f"{i}.bin": os.urandom(200_000) for i in range(60)}

    def upload(name):
        return owner.post("/documents", files={"file": (name, files[name])}, headers={"Idempotency-Key": name})

    filler = fill(small_disk, 2 * MIB)
    answers = {name: upload(name) for name in files}
    codes = [a.status_code for a in answers.values()]
    assert set(codes) <= {201, 503, 507} and codes.count(507) > 0 and codes.count(201) < 40, codes
    filler.unlink()
    wait_for(lambda: checker.is_ready(server), 60, "the API to be ready")
    for name, first in answers.items():
        again = upload(name)
        assert again.status_code == 201, again.text
        assert first.status_code != 201 or again.json()["id"] == first.json()["id"]
        assert owner.get(f"/documents/{again.json()['id']}/content").content == files[name]
    owner.upload_processed("There is room again.", name="c.txt")
    found = state(server)
    assert found["documents"] == found["files"] == len(files) + 1 and found["temporary"] == 0


def test_room_is_kept_free_where_no_disk_can_be_mounted(start_dms):
    """The same refusal without a disk of its own: more has to stay free than there is."""
    with_room = start_dms(env={"DMS_EMBED_PROVIDER": "none", "DMS_MIN_FREE_DISK": str(1 << 40)})
    owner = with_room.register()
    before = state(with_room)
    answer = owner.post("/documents", files={"file": ("a.txt", b"no room")})
    assert answer.status_code == 507, answer.text
    assert state(with_room) == before


@needs_root
def test_a_start_on_a_full_disk_says_so(small_disk):
    fill(small_disk, 10 * MIB)
    server = Server(data=small_disk / "data")
    done = subprocess.run([server.program, "up", "--data", str(server.data), "--port", "0"], capture_output=True, text=True, timeout=60,
                          env=server.env, cwd=server.dir)
    server.close()
    assert done.returncode == 1 and "is full" in done.stderr, done.stderr
