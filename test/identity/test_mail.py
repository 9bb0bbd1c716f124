"""Mail over a real SMTP server (aiosmtpd): TLS or nothing, retries, giving up, and what a message looks like on the way."""
import email
import email.policy
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import uuid

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from conftest import PASSWORD, wait_for

USER, SECRET = "dms", "the mail server's password"


@pytest.fixture(scope="module")
def keys():
    """A root, a certificate of localhost by it, and a root of somebody else; where the servers' user may read them."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dms-keys-"))
    folder.chmod(0o755)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    for name in ("root", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
    yield folder
    shutil.rmtree(folder)


class Box:
    """What arrives. answers: of the next mails, instead of taking them."""

    def __init__(self):
        self.mails, self.answers, self.tried, self.seen = [], [], 0, []
        self.lock = threading.Lock()

    async def handle_DATA(self, server, session, envelope):
        with self.lock:
            self.tried += 1
            if self.answers:
                return self.answers.pop(0)
            self.mails.append(envelope)
            self.seen.append((session.ssl is not None, session.authenticated))
        return "250 OK"

    def messages(self, to):
        return [email.message_from_bytes(e.content, policy=email.policy.default) for e in self.mails if e.rcpt_tos == [to]]


def check(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == USER.encode() and data.password == SECRET.encode())


def free_port():
    with socket.create_server(("localhost", 0)) as s:
        return s.getsockname()[1]


class Mailserver(Controller):
    """smtp:// plain or with STARTTLS and a sign-in, or smtps://."""

    def __init__(self, kind, box, context):
        self.starttls = context if kind == "starttls" else None
        super().__init__(box, hostname="localhost", port=free_port(), ssl_context=context if kind == "tls" else None, ready_timeout=30)

    def factory(self):
        if not self.starttls:
            return SMTP(self.handler)
        return SMTP(self.handler, tls_context=self.starttls, require_starttls=True, authenticator=check, auth_required=True)

    def _trigger_server(self):
        """A first connection, which the controller wants; its own would speak TLS with the server's side of it."""
        with socket.create_connection(("localhost", self.port), 10) as s:
            if self.ssl_context:
                s = ssl._create_unverified_context().wrap_socket(s)
            s.recv(1024)
            s.close()


@pytest.fixture
def smtp(keys):
    """smtp(kind): (box, url) of a server of that kind: starttls, tls, plain."""
    running = []

    def start(kind):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(keys / "server.pem", keys / "server.key")
        box = Box()
        controller = Mailserver(kind, box, context)
        controller.start()
        running.append(controller)
        return box, f"{'smtps' if kind == 'tls' else 'smtp'}://localhost:{controller.port}"

    yield start
    for controller in running:
        controller.stop()


def settings(url, keys, **more):
    return {"DMS_EMBED_PROVIDER": "none", "DMS_SMTP_URL": url, "DMS_SMTP_CA_FILE": str(keys / "root.pem"), "DMS_MAIL_FROM": "Dokumente für alle <documents@example.org>", "DMS_MAIL_BACKOFF": "1",
            "DMS_SMTP_STARTTLS": "required", **more}


def register(server, **more):
    body = {"email": f"p-{uuid.uuid4().hex[:12]}@example.com", "password": PASSWORD, "name": "Zoë 文档", "organization": "O", **more}
    with server.http() as http:
        assert http.post("/api/v1/auth/register", json=body).status_code == 201
    return body


def waiting(server):
    with server.database() as db:
        return db.execute("SELECT count(*), coalesce(max(attempts), 0) FROM mail_outbox").fetchone()


def counted(server, event):
    """The workers' count in the metrics of the API."""
    with server.http() as http:
        for line in http.get("/metrics").text.splitlines():
            if line.startswith(f'dms_mails_total{{event="{event}"}}'):
                return float(line.rsplit(" ", 1)[1])
    return 0


def test_mail_goes_by_starttls_and_a_sign_in(start_dms, smtp, keys):
    box, url = smtp("starttls")
    server = start_dms(env=settings(url, keys, DMS_SMTP_USER=USER, DMS_SMTP_PASSWORD=SECRET))
    body = register(server, locale="de")
    wait_for(lambda: box.mails, 20, "the mail")
    assert box.seen == [(True, True)] and box.mails[0].mail_from == "documents@example.org" and box.mails[0].rcpt_tos == [body["email"]]
    raw, message = box.mails[0].content, box.messages(body["email"])[0]
    assert max(raw) < 128 and max(map(len, raw.split(b"\r\n"))) <= 998 and b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 76 for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") if b"=?" in line)
    assert message["From"].addresses[0].display_name == "Dokumente für alle" and message["To"].addresses[0].addr_spec == body["email"]
    assert message["Subject"] == "Bestätigen Sie Ihre E-Mail-Adresse" and message["Message-ID"].endswith("@example.org>") and message["Date"].datetime
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert not (message.defects or plain.defects or html.defects)
    token = plain.get_content().split("/verify?token=")[1].split()[0]
    assert f"Guten Tag {body['name']}," in plain.get_content() and html.get_content().count(f"/verify?token={token}") == 2
    with server.http() as http:
        assert http.post("/api/v1/auth/verify", json={"token": token}).status_code == 204
    wait_for(lambda: waiting(server) == (0, 0), 10, "the outbox to be empty")
    assert not (server.data / "mail").exists() or not list((server.data / "mail").glob("*.eml"))
    wait_for(lambda: counted(server, "sent") == 1, 15, "the count")
    for log in (server.data / "log").glob("*.log"):
        text = log.read_text(errors="replace")
        assert SECRET not in text and token not in text and body["email"] not in text, log.name


def test_mail_goes_by_tls(start_dms, smtp, keys):
    box, url = smtp("tls")
    server = start_dms(env=settings(url, keys))
    body = register(server)
    wait_for(lambda: box.messages(body["email"]), 20, "the mail")


@pytest.mark.parametrize("kind, root", [("plain", "root.pem"), ("starttls", "other.pem"), ("tls", "other.pem")])
def test_without_a_trusted_connection_nothing_is_said(start_dms, smtp, keys, kind, root):
    box, url = smtp(kind)
    server = start_dms(env=settings(url, keys, DMS_SMTP_CA_FILE=str(keys / root), DMS_SMTP_USER=USER, DMS_SMTP_PASSWORD=SECRET))
    register(server)
    wait_for(lambda: waiting(server)[1] >= 2, 20, "a second try")
    assert box.tried == 0 and waiting(server)[0] == 1, "it waits for the operator"


def test_a_server_on_this_machine_may_be_plain(start_dms, smtp, keys):
    box, url = smtp("plain")
    server = start_dms(env=settings(url, keys, DMS_SMTP_STARTTLS="auto"))
    body = register(server)
    wait_for(lambda: box.messages(body["email"]), 20, "the mail")


def test_what_is_not_taken_is_tried_again(start_dms, smtp, keys):
    box, url = smtp("plain")
    server = start_dms(env=settings(url, keys, DMS_SMTP_STARTTLS="off"))
    box.answers = ["451 later", "451 later"]
    body = register(server)
    wait_for(lambda: box.messages(body["email"]), 30, "the third try")
    assert box.tried == 3
    wait_for(lambda: waiting(server) == (0, 0), 10, "the outbox to be empty")
    wait_for(lambda: (counted(server, "retried"), counted(server, "sent")) == (2, 1), 15, "the counts")


def test_what_is_refused_for_good_is_given_up(start_dms, smtp, keys):
    box, url = smtp("plain")
    server = start_dms(env=settings(url, keys, DMS_SMTP_STARTTLS="off"))
    box.answers = ["550 nobody of that name"]
    body = register(server)
    wait_for(lambda: box.tried == 1 and waiting(server) == (0, 0), 20, "the mail to be given up")
    wait_for(lambda: counted(server, "given_up") == 1, 15, "the count")
    log = (server.data / "log" / "worker.log").read_text()
    assert "given up" in log and body["email"] not in log
    assert box.mails == []


def test_no_server_for_too_long_is_given_up(start_dms, keys):
    server = start_dms(env=settings("smtp://127.0.0.1:9", keys, DMS_MAIL_GIVE_UP="2"))
    register(server)
    wait_for(lambda: waiting(server) == (0, 0), 30, "the mail to be given up")
    wait_for(lambda: counted(server, "given_up") == 1 and counted(server, "retried") >= 1, 15, "the counts")


def test_a_mail_outlives_the_workers(start_dms, smtp, keys):
    box, url = smtp("plain")
    server = start_dms(env=settings("smtp://127.0.0.1:9", keys, DMS_SMTP_STARTTLS="off"))
    body = register(server)
    wait_for(lambda: waiting(server)[1] >= 1, 20, "a try")
    server.kill()
    server.env["DMS_SMTP_URL"] = url
    server.start()
    wait_for(lambda: box.messages(body["email"]), 60, "the mail after the start")


@pytest.mark.parametrize("name, value", [("DMS_MAIL_FROM", "A\r\nBcc: b@example.org"), ("DMS_MAIL_FROM", "A\nB <a@example.org>"), ("DMS_MAIL_FROM", "nobody"), ("DMS_SMTP_URL", "http://localhost"),
                                         ("DMS_SMTP_URL", "smtp://user:secret@localhost"), ("DMS_SMTP_URL", "smtp://")])
def test_BI_M12_settings_that_would_break_a_mail_are_refused(dms, name, value):
    done = dms.run("worker", env={name: value}, check=False)
    assert done.returncode == 1 and name[4:].lower() in done.stderr and "must be" in done.stderr, done.stderr


def test_in_production_mail_does_not_leave_without_tls(dms):
    done = dms.run("config", "--check", env={"DMS_ENV": "prod", "DMS_SMTP_URL": "smtp://mail.example.org", "DMS_SMTP_STARTTLS": "off"}, check=False)
    assert done.returncode != 0 and "smtp_starttls" in done.stdout + done.stderr


def test_mails_that_wait_together_go_together(dms):
    """One is taken at a time, and only that one is held for its sender."""
    addresses = [f"together-{i}-{uuid.uuid4().hex[:8]}@example.com" for i in range(12)]
    with dms.database() as db:  # in one transaction, so that all are there at once
        with db.transaction():
            for to in addresses:
                db.execute("SELECT mail_add(gen_random_uuid(), 'known_address', %s, 'en', %s)", (to, '{"name": "A person", "link": "http://localhost/sign-in"}'))
    for to in addresses:
        wait_for(lambda: dms.mails(to), 20, f"the mail to {to}")
