"""`dms upload` with many files: several connections, what is there already, a sign-in that runs out on the way, and what it says at the end."""
import json
import re

import pytest
from conftest import PASSWORD


@pytest.fixture
def papers(dms, tmp_path_factory):
    """A folder of 30 files in three folders, one of them hidden."""
    folder = tmp_path_factory.mktemp("papers")
    folder.chmod(0o755)
    for i in range(30):
        path = folder / ("a" if i % 2 else "b") / f"paper-{i:02}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"Paper {i} is about subject {i * i}.\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.txt").write_text("Not to be uploaded.")
    return folder


def sign_in(dms, owner):
    dms.run("login", "--email", owner.email, "--password-stdin", stdin=PASSWORD + "\n")


def names(owner):
    return sorted(d["name"] for d in owner.ok("GET", "/documents", params={"limit": 100})["items"])


def test_a_folder_goes_up_over_several_connections(dms, owner, papers):
    sign_in(dms, owner)
    done = dms.run("upload", "--connections", "8", "--wait", papers)
    lines = done.stdout.splitlines()
    assert len(lines) == 30 and len({line.split()[0] for line in lines}) == 30
    assert "30 uploaded, 0 failed" in done.stderr
    assert names(owner) == [f"paper-{i:02}.txt" for i in range(30)]
    assert all(owner.ok("GET", f"/documents/{line.split()[0]}")["status"] == "processed" for line in lines)


def test_answers_come_in_the_order_of_the_files_and_as_json(dms, owner, papers):
    sign_in(dms, owner)
    paths = sorted(papers.glob("?/*.txt"), reverse=True)
    found = json.loads(dms.run("upload", "--json", "-c", "8", *paths).stdout)
    assert [d["name"] for d in found] == [p.name for p in paths]


def test_what_is_there_is_skipped_when_asked(dms, owner, papers):
    sign_in(dms, owner)
    dms.run("upload", papers / "a")
    (papers / "a" / "paper-01.txt").write_text("Paper 1 has changed.\n")
    (papers / "a" / "paper-03.txt").rename(papers / "a" / "paper-99.txt")
    done = dms.run("upload", "--skip-existing", papers)
    assert "17 uploaded, 13 there already, 0 failed" in done.stderr  # 15 of b, the changed one, the renamed one
    again = dms.run("upload", "--skip-existing", papers)
    assert again.stdout == "" and "0 uploaded, 30 there already, 0 failed" in again.stderr
    assert len(names(owner)) == 32


def test_a_sign_in_that_ran_out_is_renewed_once_for_all_connections(dms, owner, papers):
    sign_in(dms, owner)
    path = dms.dir / "home" / ".config" / "dms" / "credentials"
    kept = json.loads(path.read_text())
    kept[dms.url]["access_token"] = kept[dms.url]["access_token"][:-8] + "AAAAAAAA"
    path.write_text(json.dumps(kept))
    assert "30 uploaded, 0 failed" in dms.run("upload", "-c", "16", papers).stderr
    assert json.loads(path.read_text())[dms.url]["refresh_token"] != kept[dms.url]["refresh_token"]
    assert owner.email in dms.run("whoami").stdout


def test_failures_are_told_together_at_the_end(dms, owner, papers):
    sign_in(dms, owner)
    for i in range(3):
        (papers / f"broken-{i}.pdf").write_bytes(b"%PDF-1.4\nnothing of a PDF\n" + bytes([i]))
    (papers / "empty.txt").write_text("")
    done = dms.run("upload", "--wait", papers, check=False)
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 30
    assert "30 uploaded, 4 failed:" in done.stderr
    summary = done.stderr.split("failed:\n")[1]
    assert re.search(r"^ +3  stored, but not read \(damaged\): .*\n +\S*broken-\d\.pdf\n", summary, re.M)
    assert re.search(r"^ +1  .*\n +\S*empty\.txt\n", summary, re.M)


def test_progress_without_a_terminal(dms, owner, papers):
    sign_in(dms, owner)
    done = dms.run("upload", "--wait", "--progress", papers)
    assert re.search(r"^\[[#.]{20}\] +\d+ %  \d+ of 30 (uploaded|processed)", done.stderr, re.M)


def test_a_server_that_is_away_is_said_once_and_ends_it(dms, papers):
    done = dms.run("upload", "--api-key", "dms_dev_sk_none", papers, check=False, env={"DMS_URL": "http://127.0.0.1:9"})
    assert done.returncode == 1 and done.stdout == ""
    assert "cannot reach" in done.stderr and "not tried: the server did not take the files before it" in done.stderr


def test_jobs_say_how_much_waits_and_for_how_long(dms, owner, papers):
    sign_in(dms, owner)
    for i in range(40):
        (papers / f"long-{i}.txt").write_text(f"Passage {i}. " + "Many words about one thing follow each other here. " * 400)
    dms.run("upload", "--wait", papers / "a")
    dms.run("upload", papers)
    said = dms.run("jobs", "--limit", "3")
    assert len(said.stdout.splitlines()) == 3
    found = re.fullmatch(r"(\d+) documents wait or are in hand; lately ([\d.]+) a second were done, about \S+ (s|min) left\n", said.stderr)
    assert found and 0 < int(found[1]) <= 70 and float(found[2]) > 0
