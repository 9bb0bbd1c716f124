"""schemathesis asks every operation of /openapi.json with what fits its description and with what does not, one after the other and in sequences:
no 5xx, and no answer that the description does not name: status, content type, headers, members of the body.

DMS_SCHEMATHESIS_SECONDS (60 a credential) makes a longer run, DMS_SCHEMATHESIS_SEED (1) another one.
"""
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import Server

SECONDS = int(os.environ.get("DMS_SCHEMATHESIS_SECONDS", "60"))
SEED = os.environ.get("DMS_SCHEMATHESIS_SEED", "1")
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance"]
STREAMS = ["events"]  # answers without an end
# After which hardly anything else could be asked, when schemathesis finds the right values: asked apart, by an owner of their own.
ENDS_SESSION = ["logout", "endSession", "changePassword", "updateOrganization", "deleteOrganization", "transferOrganization", "scimUserReplace", "scimUserChange",
                "scimUserDelete"]
GIVES_TOKENS = ["login", "refresh", "switchOrganization"]  # not beside a key: schemathesis would find the token and send it too


@pytest.fixture(scope="module")
def server():
    server = Server(env={"DMS_PUBLIC_RATE": "1000000", "DMS_ACCESS_TTL": "86400"})
    try:
        yield server.start()
    finally:
        server.close()


def know(folder, ids):
    """Ids that exist, for what only reads: by the segment before them. Else hardly a request would find anything."""
    text = "".join(f'[[operations]]\ninclude-name-regex = "^GET .*/{segment}/[{{]id[}}]"\nparameters = {{ "path.id" = "{value}" }}\n\n'
                   for segment, value in ids.items())
    (folder / "schemathesis.toml").write_text(text)


def schemathesis(server, folder, header, seconds, *more):
    """The report of a run, which must find nothing."""
    report = folder / "report.json"
    done = subprocess.run([sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--header", header, "--checks", ",".join(CHECKS),
                           "--seed", SEED, "--max-time", str(seconds), "--request-timeout", "60", "--no-color", "--generation-database", "none", "--generation-with-security-parameters", "false",
                           "--report", "json", "--report-json-path", str(report), *more], capture_output=True, text=True, cwd=folder, timeout=seconds * 3 + 120)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
    return json.loads(report.read_text())


@pytest.mark.timeout(SECONDS * 3 + 240)
@pytest.mark.parametrize("kind", ["an owner's token", "an API key"])
def test_every_answer_is_as_described(server, tmp_path, kind):
    with server.register() as owner, server.http() as http:
        operations = [op["operationId"] for ops in http.get("/openapi.json").json()["paths"].values() for op in ops.values()]
        document = owner.upload_processed("# A heading\n\nWords to be found.", name="words.md")["id"]
        know(tmp_path, {"documents": document, "chunks": owner.ok("GET", f"/documents/{document}/chunks")["items"][0]["id"],
                        "jobs": owner.ok("GET", "/jobs")["items"][0]["id"], "folders": owner.ok("POST", "/folders", json={"name": "folder"})["id"]})
        with owner.api_key(owner.me()["permissions"]) as key:
            client = key if kind == "an API key" else owner
            name = "X-API-Key" if kind == "an API key" else "Authorization"
            left_out = STREAMS + ENDS_SESSION + (GIVES_TOKENS + ["revokeApiKey"] if client is key else [])  # it finds its own key in the list
            report = schemathesis(server, tmp_path, f"{name}: {client.headers[name]}", SECONDS, *(a for op in left_out for a in ("--exclude-operation-id", op)))
            assert client.get("/documents").status_code == 200, "the credential still holds: the answers were no refusals"
    asked = report["operations"]
    assert asked["tested"] == asked["selected"] >= len(operations) - len(left_out) - 1, "all; /openapi.json, which it reads first, is not always counted"
    found = {route: sum(phase["accepted"] for phase in phases.values()) for route, phases in report["valid_rates"].items()}
    assert not [r for r in found if re.match(r"GET /api/v1/(documents|folders|jobs|chunks|search)", r) and not found[r]], found
    assert report["test_cases"]["generated"] > 20 * len(operations), report["test_cases"]


def test_what_ends_the_session_answers_as_described(server, tmp_path):
    with server.register() as owner:
        report = schemathesis(server, tmp_path, f"Authorization: {owner.headers['Authorization']}", 10,
                              *(a for op in ENDS_SESSION for a in ("--include-operation-id", op)))
    assert report["operations"]["tested"] == len(ENDS_SESSION)
