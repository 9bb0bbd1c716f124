"""Access tokens from outside: every kind of damage, keys that follow one another while servers run. What a token that our own key signed may say is tested in
test/unit/test_token.c; here the key's file is used for what needs a server."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import threading
import time
import uuid

import pytest
from conftest import wait_for
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from replicas import client_of, replica

SEEN_SECONDS = 5  # by then every server has seen what is revoked


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def segments(token):
    return [decode(p) for p in token.split(".")[:2]]


def own_key(server, file="jwt.key"):
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex((server.data / "secrets" / file).read_text().split()[0]))


def sign(key, header, claims):
    text = f"{header if isinstance(header, str) else encode(header)}.{claims if isinstance(claims, str) else encode(claims)}"
    return f"{text}.{b64(key.sign(text.encode()))}"


def status(dms, token):
    with dms.http() as http:
        return http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}".strip()}).status_code


@pytest.fixture(scope="module")
def signed_in(dms):
    """(header, claims, token) of somebody who is signed in, and our own key: what these make is refused for its content alone."""
    with dms.register() as client:
        token = client.tokens["access_token"]
        header, claims = segments(token)
        assert status(dms, sign(own_key(dms), header, claims)) == 200, "the key is the right one"
        yield header, claims, token


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", None])
def test_BI_D01_tokens_without_a_signature(dms, signed_in, alg):
    header, claims, token = signed_in
    header = {k: v for k, v in {**header, "alg": alg}.items() if v is not None}
    signature = token.split(".")[2]
    for end in ("", signature, b64(b"\0" * 64)):
        assert status(dms, f"{encode(header)}.{encode(claims)}.{end}") == 401
    assert status(dms, sign(own_key(dms), header, claims)) == 401, "not even with one"
    assert status(dms, token.rsplit(".", 1)[0] + ".") == status(dms, token.rsplit(".", 1)[0]) == 401


def test_BI_D02_damaged_signatures(dms, signed_in):
    header, claims, token = signed_in
    head, signature = token.rsplit(".", 1)
    raw = base64.urlsafe_b64decode(signature + "==")
    other = sign(own_key(dms), header, {**claims, "jti": str(uuid.uuid4())}).rsplit(".", 1)[1]
    bad = {"cut": token[:-2], "one short": f"{head}.{b64(raw[:-1])}", "one long": f"{head}.{b64(raw + b'x')}", "of another token": f"{head}.{other}",
           "padded": token + "==", "padded once": token + "=", "space": token[:-4] + " " + token[-4:], "tab": token[:-4] + "\t" + token[-4:],
           "trailing bits": token[:-1] + chr(ord(token[-1]) + 1), "standard alphabet": head + "." + base64.b64encode(raw).decode().rstrip("="),
           "twice": f"{token}.{signature}", "a dot more": token + ".", "a dot before": "." + token, "percent": token.replace(".", "%2E")}
    if not set("+/") & set(bad["standard alphabet"]):
        del bad["standard alphabet"]
    for bit in (0, 7, 255, 256, 511):
        bad[f"bit {bit}"] = f"{head}.{b64(bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(raw)))}"
    order = 2**252 + 27742317777372353535851937790883648493  # a second form of the same signature (S + L) is no second token
    bad["S + L"] = f"{head}.{b64(raw[:32] + (int.from_bytes(raw[32:], 'little') + order).to_bytes(32, 'little'))}"
    for name, one in bad.items():
        assert status(dms, one) == 401, name
    assert status(dms, token) == 200


def test_BI_D03_the_name_of_a_key_is_only_looked_up(dms, signed_in):
    header, claims, _ = signed_in
    for kid in ("", "../../../../etc/passwd", "jwt.key", "/dev/null", "' OR '1'='1", "http://127.0.0.1:9/key", "A" * 2000, "nul\0", "\u202e", header["kid"] + "\0",
                header["kid"].upper() + " ", 1, None, [header["kid"]], {"kid": header["kid"]}, str(uuid.uuid4())):
        assert status(dms, sign(own_key(dms), {**header, "kid": kid}, claims)) == 401, kid
    assert status(dms, sign(own_key(dms), {k: v for k, v in header.items() if k != "kid"}, claims)) == 401
    assert status(dms, sign(own_key(dms), {**header, "kid": "A" * 10240}, claims)) == 401
    foreign = ed25519.Ed25519PrivateKey.generate()
    assert status(dms, sign(foreign, header, claims)) == 401, "our key's name, another's signature"


def test_BI_D04_addresses_of_keys_are_not_followed(dms, signed_in):
    header, claims, _ = signed_in
    asked = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    attacker = ed25519.Ed25519PrivateKey.generate()
    public = attacker.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for more in ({"jku": f"{url}/jwks.json"}, {"x5u": f"{url}/cert.pem"}, {"x5c": [base64.b64encode(public).decode()]},
                     {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(public)}}):
            assert status(dms, sign(attacker, {**header, **more}, claims)) == 401, more
            assert status(dms, sign(attacker, {**header, **more, "kid": "theirs"}, claims)) == 401, more
            assert status(dms, sign(own_key(dms), {**header, **more}, claims)) == 200, f"ignored: {more}"
        time.sleep(0.2)
        server.shutdown()
    assert asked == [], "nobody was asked for a key"


def test_BI_D05_a_key_has_one_algorithm(dms, signed_in):
    header, claims, _ = signed_in
    public = own_key(dms).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with dms.http() as client:
        jwk = client.get("/.well-known/jwks.json").json()["keys"][0]
    assert base64.urlsafe_b64decode(jwk["x"] + "=") == raw
    for secret in (raw, pem, pem.strip(), jwk["x"].encode(), json.dumps(jwk).encode(), b"", raw.hex().encode()):
        for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            text = f"{encode({**header, 'alg': alg})}.{encode(claims)}"
            assert status(dms, f"{text}.{b64(hmac.new(secret, text.encode(), digest).digest())}") == 401
            text = f"{encode(header)}.{encode(claims)}"
            assert status(dms, f"{text}.{b64(hmac.new(secret, text.encode(), digest).digest())}") == 401
    text = f"{encode({**header, 'alg': 'RS256'})}.{encode(claims)}"
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert status(dms, f"{text}.{b64(foreign.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}") == 401
    for alg in ("RS256", "ES256", "PS256", "HS256", "Ed448", "eddsa", "EdDSA ", ["EdDSA"]):
        assert status(dms, sign(own_key(dms), {**header, "alg": alg}, claims)) == 401, alg


def test_BI_D06_times_that_are_none_or_over(dms, signed_in):
    header, claims, _ = signed_in
    key, now = own_key(dms), int(time.time())
    raw = json.dumps({k: v for k, v in claims.items() if k != "exp"}, separators=(",", ":"))[:-1]
    for exp in ("0", "-1", str(now - 60), f"{now + 60}.0", f"{now + 60}e0", f'"{now + 60}"', "null", "true", "[]", str(10**18), str(2**63 - 1), str(2**63), str(2**64 + now + 60),
                "1" + "0" * 1500, "NaN", "Infinity", "01", "+1"):
        assert status(dms, sign(key, header, b64(f'{raw},"exp":{exp}}}'.encode()))) == 401, exp
    assert status(dms, sign(key, header, b64((raw + "}").encode()))) == 401, "without exp"
    for name in ("iat", "nbf"):
        for value in (now + 60, now + 10**9, -1, "now", None, 1.5):
            assert status(dms, sign(key, header, {**claims, name: value})) == 401, (name, value)
        assert status(dms, sign(key, header, {k: v for k, v in claims.items() if k != name})) == 401, name
    long = b64(f'{raw},"exp":1{"0" * 40_000}}}'.encode())  # a million digits: test/unit/test_token.c
    assert status(dms, f"{encode(header)}.{long}.AAAA") == 431


def test_BI_D06_clocks_that_differ(dms, signed_in):
    """Half a minute of leeway, a whole one is too much, in both directions."""
    header, claims, _ = signed_in
    key, now = own_key(dms), int(time.time())
    assert status(dms, sign(key, header, {**claims, "iat": now + 20, "nbf": now + 20, "exp": now + 900})) == 200
    assert status(dms, sign(key, header, {**claims, "iat": now + 60, "nbf": now + 60, "exp": now + 900})) == 401
    assert status(dms, sign(key, header, {**claims, "iat": now - 900, "nbf": now - 900, "exp": now - 20})) == 200
    assert status(dms, sign(key, header, {**claims, "iat": now - 900, "nbf": now - 900, "exp": now - 60})) == 401


def test_BI_D06_a_token_that_was_known_runs_out_all_the_same(start_dms):
    server = start_dms(env={"DMS_ACCESS_TTL": "10"})
    with server.register() as client:
        header, claims = segments(client.tokens["access_token"])
        key = own_key(server)
        short = sign(key, header, {**claims, "exp": int(time.time()) - 28})
        assert status(server, short) == 200, "within the leeway, and now it is known"
        wait_for(lambda: status(server, short) == 401, 5, "its end")


def test_BI_D07_tokens_for_others(dms, signed_in):
    header, claims, _ = signed_in
    key = own_key(dms)
    for change in ({"aud": "other"}, {"aud": ["other"]}, {"aud": ""}, {"aud": None}, {"iss": "https://staging.example"}, {"iss": claims["iss"] + "/"}, {"iss": ""},
                   {"iss": [claims["iss"]]}, {"iss": None}):
        assert status(dms, sign(key, header, {**claims, **change})) == 401, change
    for name in ("iss", "aud", "sub", "tid", "sid", "jti", "role"):
        assert status(dms, sign(key, header, {k: v for k, v in claims.items() if k != name})) == 401, name
    for typ in ("JWT", "jwt", "id+jwt", "rt+jwt", "", None, "at+jwt ", ["at+jwt"]):
        assert status(dms, sign(key, {**header, "typ": typ}, claims)) == 401, typ
    assert status(dms, sign(key, {k: v for k, v in header.items() if k != "typ"}, claims)) == 401
    assert status(dms, sign(key, {**header, "typ": "application/at+jwt"}, claims)) == 200
    with dms.register() as client:
        assert status(dms, client.tokens["refresh_token"]) == 401, "a refresh token"
        assert client.post("/auth/refresh", json={"refresh_token": client.tokens["access_token"]}).status_code == 400, "nor the other way round: it is too long for one"


def test_BI_D07_a_token_of_another_installation(dms, signed_in, start_dms):
    _, _, token = signed_in
    other = start_dms()
    assert status(other, token) == 401
    with other.register() as client:
        assert status(dms, client.tokens["access_token"]) == 401


def test_BI_D08_claims_of_another_tenant_or_person(dms, signed_in):
    header, claims, token = signed_in
    head, _, signature = token.split(".")
    with dms.register() as other:
        _, theirs = segments(other.tokens["access_token"])
    key = own_key(dms)
    for change in ({"tid": theirs["tid"]}, {"sub": theirs["sub"]}, {"tid": theirs["tid"], "sub": theirs["sub"]}, {"sid": theirs["sid"]}, {"tid": str(uuid.uuid4())},
                   {"role": "Admin", "tid": theirs["tid"]}):
        assert status(dms, f"{head}.{encode({**claims, **change})}.{signature}") == 401, change
        assert status(dms, sign(key, header, {**claims, **change})) == 401, f"not even signed: {change}"


def test_BI_D08_a_role_in_a_token_gives_nothing(dms):
    """The database says what a session may do, the claim is for clients."""
    with dms.register() as client, dms.database() as db:
        header, claims = segments(client.tokens["access_token"])
        db.execute("UPDATE membership SET role = 'Viewer' WHERE tenant_id = %s", (claims["tid"],))
        forged = sign(own_key(dms), header, {**claims, "role": "Owner"})
        with dms.http(headers={"Authorization": f"Bearer {forged}"}) as http_client:
            assert http_client.get("/api/v1/auth/me").json()["role"] == "Viewer"
            assert http_client.post("/api/v1/folders", json={"name": "x"}).status_code == 403


def test_BI_D08_a_member_who_is_out_is_out_within_seconds(dms):
    with dms.register() as client, dms.database() as db:
        tenant = client.me()["organization"]["id"]
        assert client.get("/documents").status_code == 200
        db.execute("DELETE FROM membership WHERE tenant_id = %s", (tenant,))
        wait_for(lambda: client.get("/documents").status_code == 401, SEEN_SECONDS, "the member to be out")
        assert client.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]}).status_code == 401


def test_BI_D09_odd_shapes(dms, signed_in):
    header, claims, token = signed_in
    key = own_key(dms)
    raw = json.dumps(claims, separators=(",", ":"))
    deep = "[" * 1000 + "]" * 1000
    shapes = {
        "deep": sign(key, header, b64(f'{raw[:-1]},"x":{deep}}}'.encode())),
        "five deep": sign(key, header, b64(f'{raw[:-1]},"x":[[[[1]]]]}}'.encode())),
        "duplicate claim": sign(key, header, b64(f'{raw[:-1]},"sub":"{claims["sub"]}"}}'.encode())),
        "duplicate tenant": sign(key, header, b64(f'{{"tid":"{uuid.uuid4()}",{raw[1:]}'.encode())),
        "duplicate header": sign(key, b64(f'{{"alg":"EdDSA","alg":"EdDSA","typ":"at+jwt","kid":"{header["kid"]}"}}'.encode()), claims),
        "escaped duplicate": sign(key, b64(f'{{"alg":"EdDSA","\\u0061lg":"none","typ":"at+jwt","kid":"{header["kid"]}"}}'.encode()), claims),
        "crit": sign(key, {**header, "crit": ["exp"]}, claims),
        "crit unknown": sign(key, {**header, "crit": ["x"], "x": 1}, claims),
        "crit empty": sign(key, {**header, "crit": []}, claims),
        "no object": sign(key, header, b64(b"[]")),
        "not JSON": sign(key, header, b64(b"claims")),
        "not UTF-8": sign(key, header, b64(raw[:-1].encode() + b',"x":"\xff"}')),
        "a byte order mark": sign(key, header, b64(b"\xef\xbb\xbf" + raw.encode())),
        "two values": sign(key, header, b64(raw.encode() + b"{}")),
        "many members": sign(key, header, {**claims, **{f"m{i}": i for i in range(50)}}),
        "encrypted": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
        "JSON form": json.dumps({"protected": token.split(".")[0], "payload": token.split(".")[1], "signature": token.split(".")[2]}),
        "4 KiB": sign(key, header, {**claims, "x": "A" * 4096}),
    }
    for name, one in shapes.items():
        assert status(dms, one) == 401, name
    with dms.http() as client:
        assert client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}{'A' * 65536}"}).status_code in (401, 431)
        assert client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer  {token}"}).status_code in (200, 401)
    assert status(dms, token) == 200


# --- keys that follow one another ---


def kids(dms, url=None):
    with dms.http() as client:
        return [k["kid"] for k in client.get((url or "") + "/.well-known/jwks.json").json()["keys"]]


def kid_of(client):
    return segments(client.tokens["access_token"])[0]["kid"]


def rotate(server, *options):
    """The name of the new key."""
    before = {k["kid"] for k in json.loads(server.run("admin", "keys", "--json").stdout)}
    server.run("admin", "keys", "rotate", *options)
    return next(k["kid"] for k in json.loads(server.run("admin", "keys", "--json").stdout) if k["kid"] not in before)


@pytest.fixture
def two(start_dms):
    """(server, url of a second API process) that name themselves alike."""
    server = start_dms(env={"DMS_PUBLIC_URL": "https://dms.example", "DMS_ACCESS_TTL": "60"})
    with replica(server) as url:
        yield server, url


def test_a_new_key_is_published_before_it_signs_and_nobody_is_signed_out(two):
    server, other = two
    with server.register() as client:
        old = kid_of(client)
        token = client.tokens["access_token"]
        assert kids(server) == kids(server, other) == [old]
        new = rotate(server, "--after", "6")
        for url in ("", other):
            wait_for(lambda url=url: kids(server, url) == [old, new], SEEN_SECONDS, "the new key to be published")
        with server.login(client.email) as before:
            assert kid_of(before) == old, "it does not sign yet"
        there = client_of(other, client)

        def signed_by_new():
            renewed = there.post("/auth/refresh", json={"refresh_token": there.tokens["refresh_token"]})
            assert renewed.status_code == 200, renewed.text
            there.tokens = renewed.json()
            time.sleep(0.3)
            return kid_of(there) == new
        wait_for(signed_by_new, 15, "the new key to sign, at the other server too")
        assert status(server, token) == 200, "what the old key signed goes on"
        assert status(server, there.tokens["access_token"]) == 200, "what the other server signed with the new one is taken here"
        assert kids(server) == [old, new], "the old one is still published"
        there.close()


def test_a_key_that_is_taken_away_is_out_within_seconds_everywhere(two):
    server, other = two
    with server.register() as client, client_of(other, client) as there:
        old = kid_of(client)
        assert client.get("/documents").status_code == there.get("/documents").status_code == 200
        rotate(server, "--after", "0")
        server.run("admin", "keys", "remove", old)
        for one in (client, there):
            wait_for(lambda one=one: one.get("/documents").status_code == 401, SEEN_SECONDS, "its tokens to be refused")
        assert old not in kids(server) and old not in kids(server, other)
        renewed = client.post("/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})
        assert renewed.status_code == 200, "and a refresh makes a new one"
        assert status(server, renewed.json()["access_token"]) == 200


def put_key(server, name, text):
    """As an operator would: closed to others, and the servers' user's."""
    path, folder = server.data / "secrets" / name, server.data / "secrets"
    hidden = path.with_name(f".{name}")
    hidden.write_text(text)
    hidden.chmod(0o600)
    os.chown(hidden, folder.stat().st_uid, folder.stat().st_gid)
    hidden.rename(path)
    return path


def test_damaged_key_files_change_nothing(fresh_dms):
    server = fresh_dms
    with server.register() as client:
        for content in ("", "nonsense", "00" * 32 + "\nsigns-from never\n"):
            bad = put_key(server, "jwt-bad.key", content)
            time.sleep(2.5)
            assert status(server, client.tokens["access_token"]) == 200 and len(kids(server)) == 1
        bad.unlink()
        done = server.run("admin", "keys", "remove", "0000000000000000", check=False)
        assert done.returncode == 1 and "only key" in done.stderr
        assert server.run("admin", "keys", "burn", check=False).returncode == 2


def test_a_key_to_be_mounted_is_printed(fresh_dms):
    server = fresh_dms
    before = server.run("admin", "keys", "--json").stdout
    printed = server.run("admin", "keys", "rotate", "--print")
    assert server.run("admin", "keys", "--json").stdout == before, "nothing is written"
    seed, line = printed.stdout.splitlines()
    assert len(bytes.fromhex(seed)) == 32 and line.startswith("signs-from ") and "jwt-" in printed.stderr
    put_key(server, "jwt-mounted.key", printed.stdout)
    wait_for(lambda: len(kids(server)) == 2, SEEN_SECONDS, "the mounted key")


# --- links ---


@pytest.mark.parametrize("query", ["access_token={token}", "token={token}", "api_key={key}", "key={key}", "signature=&expires=9999999999", "signature=00&expires=9999999999",
                                   "sig={pepper}&exp=9999999999", "X-Amz-Signature=00&X-Amz-Credential=x&X-Amz-Expires=604800"])
def test_BI_D15_no_address_opens_anything_by_itself(dms, owner, query):
    """There are no signed addresses: a credential stands in a header, so it stands in no log and no history."""
    document = owner.upload("secret", name="secret.txt")["id"]
    made = owner.ok("POST", "/api-keys", 201, json={"name": "k", "scopes": ["document.read", "document.download"]})
    query = query.format(token=owner.tokens["access_token"], key=made["key"], pepper=hmac.digest(b"", document.encode(), "sha256").hex())
    with dms.http() as http:
        for path in (f"/api/v1/documents/{document}/content", f"/api/v1/documents/{document}", "/api/v1/documents"):
            for method in ("GET", "HEAD", "DELETE"):
                answer = http.request(method, f"{path}?{query}")
                assert answer.status_code in (400, 401, 405), (method, path)
                assert b"secret" not in answer.content
    assert owner.get(f"/documents/{document}").status_code == 200


@pytest.mark.parametrize("content", ["", "\n", "00", "g" * 64, "0" * 63, "0" * 65])
def test_BI_D15_without_a_proper_key_no_server_starts(dms, content):
    """An empty key would be everybody's."""
    pepper = dms.data / "secrets" / "pepper"
    before = pepper.read_text()
    try:
        pepper.write_text(content)
        done = subprocess.run([dms.program, "serve", "--data", str(dms.data), "--listen", "127.0.0.1", "--port", "0"], env=dms.env, cwd=dms.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
    finally:
        pepper.write_text(before)
    assert done.returncode != 0 and "does not hold a key" in done.stderr + done.stdout, done
