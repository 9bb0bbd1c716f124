"""Settings as the program reads them, and the commands that need no server."""
import json
import os
import pathlib
import subprocess

import pytest
from conftest import BUILD, ROOT

DMS = str(BUILD / "dms")


def run(*args, status=0, cwd="/", **env):
    full = {"PATH": os.environ["PATH"], **env}
    done = subprocess.run([DMS, *args], capture_output=True, text=True, timeout=60, cwd=cwd, env=full)
    assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr if status else done.stdout


def values(*args, **env):
    return {row["name"]: row for row in json.loads(run("config", "--json", *args, **env))}


def test_the_document_of_settings_is_what_the_program_says():
    assert (ROOT / "docs/settings.md").read_text() == run("config", "--markdown"), "run: build/dms config --markdown > docs/settings.md"


def test_sources_and_precedence(tmp_path):
    (tmp_path / "dms.conf").write_text("port = 1\nwork_threads = 3\nlog_level = warning\n")
    got = values("--data", str(tmp_path), "--port", "3", DMS_PORT="2", DMS_LOG_LEVEL="error")
    assert (got["port"]["value"], got["port"]["source"]) == (3, "argument")
    assert (got["log_level"]["value"], got["log_level"]["source"]) == ("error", "environment")
    assert (got["work_threads"]["value"], got["work_threads"]["source"]) == (3, "file")
    assert got["loops"]["source"] == "default"


def test_a_file_named_by_config_is_read_in_place_of_the_data_folders(tmp_path):
    (tmp_path / "dms.conf").write_text("port = 1\n")
    (tmp_path / "other.conf").write_text(f"loops = 2\ndata = {tmp_path}\n")
    got = values("--config", str(tmp_path / "other.conf"))
    assert (got["port"]["value"], got["loops"]["value"], got["data"]["value"]) == (8000, 2, str(tmp_path))
    assert "There is no file" in run("config", "--config", str(tmp_path / "none.conf"), status=2)
    (tmp_path / "dms.conf").write_text("data = /elsewhere\n")
    assert "data cannot be set" in run("config", "--data", str(tmp_path), status=2)


def test_no_secret_is_printed():
    text = run("config", DMS_DATABASE_URL="postgresql://dms_app:sesame@db/dms", DMS_EMBED_KEY="sesame", API_DATABASE_URL="sesame")
    assert "sesame" not in text and "********" in text


@pytest.mark.parametrize("args, sentence", [
    (["config", "--prot", "80"], "Did you mean --port?"),
    (["up", "--dmeo"], "Did you mean --demo?"),
    (["up", "--readyfile", "x"], "Did you mean --ready-file?"),
    (["config", "--env", "production"], "env must be one of"),
    (["bogus"], "there is no command 'bogus'"),
    (["up", "now"], "no arguments are taken"),
])
def test_wrong_usage_ends_with_2_and_says_what_to_do(args, sentence, tmp_path):
    assert sentence in run(*args, status=2, DMS_DATA=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_check_finds_what_is_unknown_and_what_is_unsafe(tmp_path):
    assert "in order" in run("config", "--check")
    assert "Did you mean DMS_WORK_THREADS?" in run("config", "--check", status=1, DMS_WORK_TREADS="3")
    assert "https://" in run("config", "--check", status=1, DMS_ENV="prod")
    (tmp_path / "dms.conf").write_text("prot = 1\n")
    assert "line 1" in run("config", "--check", "--data", str(tmp_path), status=1)
    run("config", "--check", DMS_ENV="prod", DMS_PUBLIC_URL="https://dms.example")


def test_every_command_explains_itself():
    listed = [line.split()[0] for line in run("--help").splitlines() if line.startswith("  ")]
    assert {"up", "serve", "worker", "migrate", "config", "doctor", "admin", "version"} <= set(listed)
    for name in listed:
        assert "Usage: dms " + name in run(name, "--help", DMS_PORT="broken"), name


def test_help_needs_no_settings_that_can_be_read(tmp_path):
    (tmp_path / "dms.conf").write_text("nonsense\n")
    assert "Usage" in run("up", "--help", DMS_DATA=str(tmp_path))


def test_version_names_program_and_schema():
    newest = max(p.name[:4] for p in pathlib.Path(ROOT / "migrations").glob("*.up.sql"))
    assert f"schema {newest}" in run("version") and run("--version") == run("version")


@pytest.mark.parametrize("command", [["migrate", "status"], ["admin", "tenants"], ["serve"], ["worker"]])
def test_commands_without_an_installation_say_how_to_make_one(command, tmp_path):
    assert "dms up" in run(*command, status=1, DMS_DATA=str(tmp_path / "none"))


def test_doctor_fails_for_programs_that_are_not_there(tmp_path):
    text = run("doctor", "--data", str(tmp_path / "none"), "--postgres-bin", str(tmp_path), "--redis-bin", "/no/redis", status=1)
    assert "there is no PostgreSQL server" in text and "there is no program /no/redis" in text
