"""OpenID providers for the tests, run by Node from test/oidc, and a browser that goes to them and back."""
import html
import json
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.parse

import httpx
from conftest import Server

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "oidc"
CLIENT = {"real": ("dms client", "se+cret/with:every%kind=of&letter"), "hostile": ("dms", "secret")}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Provider:
    """One that runs; issuer is its address."""

    def __init__(self, program, config=None):
        assert shutil.which("node") and (FOLDER / "node_modules").is_dir(), "no provider: script/setup --test"
        self.process = subprocess.Popen(["node", program], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if config:
            self.process.stdin.write(json.dumps(config) + "\n")
            self.process.stdin.flush()
        self.issuer = self.process.stdout.readline().strip()
        assert self.issuer.startswith("http://127.0.0.1:"), self.issuer

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    # of hostile.mjs

    def control(self, fault="", **more):
        assert httpx.put(f"{self.issuer}/control", json={"fault": fault, **more}, trust_env=False).is_success

    def asked(self):
        return httpx.get(f"{self.issuer}/asked", trust_env=False).json()


def start(provider, kind="real", env=None, issuer=None):
    """An installation that knows the provider as its `oidc`. provider: a Provider, or what makes one of the redirect address."""
    port = free_port()
    if not isinstance(provider, Provider):
        provider = provider(f"http://localhost:{port}/api/v1/auth/oidc/oidc/callback")
    client, secret = CLIENT[kind]
    server = Server(env={"DMS_OIDC_ISSUER": issuer or provider.issuer, "DMS_OIDC_CLIENT_ID": client, "DMS_OIDC_CLIENT_SECRET": secret,
                         "DMS_OIDC_NAME": "The Test's", "DMS_EMBED_PROVIDER": "none", **(env or {})})
    server.port = port
    server.provider = provider
    return server.start()


class Browser(httpx.Client):
    """Goes where it is sent, one step at a time; keeps cookies."""

    def __init__(self, server):
        super().__init__(timeout=60, trust_env=False, follow_redirects=False)
        self.server = server

    def begin(self, provider="oidc"):
        """To the provider's door: the address that start sends to."""
        answer = self.get(f"{self.server.url}/api/v1/auth/oidc/{provider}/start")
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def at_provider(self, there, login="ada"):
        """Signs in there, by its forms as a person would; the address it sends back to, not yet gone to."""
        callback = f"{self.server.url}/api/v1/auth/oidc/"
        answer = self.get(there)
        for _ in range(12):
            if answer.is_redirect:
                there = urllib.parse.urljoin(str(answer.url), answer.headers["location"])
                if there.startswith(callback):
                    return there
                answer = self.get(there)
                continue
            assert answer.status_code == 200, answer.text
            action = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', answer.text)[1])
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', answer.text))
            if fields["prompt"] == "login":
                fields |= {"login": login, "password": "anything"}
            answer = self.post(urllib.parse.urljoin(str(answer.url), action), data=fields)
        raise AssertionError("the provider does not come to an end")

    def arrive(self, back):
        """Follows the way back: (code, None) or (None, error)."""
        answer = self.get(back)
        assert answer.status_code == 302, answer.text
        there = urllib.parse.urlsplit(answer.headers["location"])
        assert there.path in ("/sign-in", "/account/providers") and not there.netloc, there
        if there.fragment:
            assert there.fragment.startswith("code=") and not there.query
            return there.fragment.removeprefix("code="), None
        return None, urllib.parse.parse_qs(there.query).get("error", [there.query])[0]

    def go(self, login="ada"):
        return self.arrive(self.at_provider(self.begin(), login))

    def exchange(self, code):
        return self.post(f"{self.server.url}/api/v1/auth/oidc/exchange", json={"code": code})

    def sign_in(self, login="ada"):
        """The tokens."""
        code, error = self.go(login)
        assert code, error
        answer = self.exchange(code)
        assert answer.status_code == 200, answer.text
        return answer.json()
