// hostile.mjs - an OpenID provider that answers wrongly in the one way it is told, for test/identity/test_oidc.py. Prints its address; PUT /control
// {fault, claims, sign} says what comes next, GET /asked what was asked for since then. Signs whoever comes in at once.
import { createServer } from 'node:http';
import { createHash, createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const rsa = (bits) => generateKeyPairSync('rsa', { modulusLength: bits });
const keys = { good: rsa(2048), foreign: rsa(2048), weak: rsa(1024), ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
const jwk = (name, more) => ({ kid: name, use: 'sig', ...keys[name].publicKey.export({ format: 'jwk' }), ...more });
const b64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');
const codes = new Map();
let control = { fault: '', claims: {} }, asked = [], issuer;

function token(nonce, access) {
  const now = Math.floor(Date.now() / 1000), { fault } = control;
  const header = { alg: 'RS256', kid: 'good', typ: 'JWT', ...control.header };
  for (const name of Object.keys(header)) if (header[name] === null) delete header[name];
  let claims = { iss: issuer, aud: 'dms', sub: 'hostile-1', iat: now, exp: now + 300, nonce,
    at_hash: createHash('sha256').update(access).digest().subarray(0, 16).toString('base64url'), ...control.claims };
  for (const [name, value] of Object.entries(claims)) {
    if (value === null) delete claims[name];
    if (value && typeof value === 'object' && 'from_now' in value) claims[name] = now + value.from_now;
  }
  let payload = JSON.stringify(claims), key = keys[control.key ?? 'good'].privateKey;
  if (fault === 'claims twice') payload = payload.replace('{', '{"sub":"somebody else",');
  if (fault === 'digits') payload = payload.replace(/"exp":\d+/, `"exp":${'9'.repeat(5000)}`);
  if (fault === 'claims nested') payload = payload.replace('{', `{"x":${'['.repeat(1000)}${']'.repeat(1000)},`);
  const text = `${b64(header)}.${b64(payload)}`;
  let signature = sign('sha256', Buffer.from(text), header.alg === 'ES256' && fault !== 'der' ? { key, dsaEncoding: 'ieee-p1363' } : key);
  if (fault === 'unsigned') return `${text}.`;
  if (fault === 'hmac') signature = createHmac('sha256', createPublicKey(keys.good.privateKey).export({ type: 'spki', format: 'pem' })).update(text).digest();
  if (fault === 'flipped') signature[10] ^= 1;
  if (fault === 'long') return `${text}.${signature.toString('base64url')}${'A'.repeat(20000)}`;
  if (fault === 'padded') return `${text}.${signature.toString('base64url')}==`;
  if (fault === 'four parts') return `${text}.${signature.toString('base64url')}.x`;
  return `${text}.${signature.toString('base64url')}`;
}

function configuration() {
  const c = { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`, authorization_response_iss_parameter_supported: true, ...control.configuration };
  return c;
}

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost'), { fault } = control;
  const json = (v, status = 200) => { res.writeHead(status, { 'Content-Type': 'application/json' }); res.end(typeof v === 'string' ? v : JSON.stringify(v)); };
  let body = '';
  for await (const piece of req) body += piece;
  if (url.pathname === '/control') { control = { fault: '', claims: {}, ...JSON.parse(body) }; asked = []; return json({}); }
  if (url.pathname === '/asked') return json(asked);
  asked.push(`${req.method} ${url.pathname}`);
  if (url.pathname.endsWith('/.well-known/openid-configuration')) return fault === 'down' ? res.destroy() : json(configuration());
  if (url.pathname === '/jwks') return json({ keys: [jwk('good'), jwk('weak'), jwk('ec')] });
  if (url.pathname === '/auth') {
    const code = randomUUID(), back = new URL(url.searchParams.get('redirect_uri'));
    codes.set(code, url.searchParams.get('nonce'));
    const answer = { code, state: url.searchParams.get('state'), iss: issuer, session_state: 'unknown to us', ...control.answer };
    for (const [name, value] of Object.entries(answer)) if (value !== null) back.searchParams.set(name, value);
    res.writeHead(302, { Location: back.href });
    return res.end();
  }
  if (url.pathname === '/token') {
    const access = randomUUID(), nonce = codes.get(new URLSearchParams(body).get('code'));
    if (fault === 'silent') return; // never answers
    if (fault === 'elsewhere') { res.writeHead(302, { Location: `${issuer}/elsewhere` }); return res.end(); }
    if (fault === 'endless') { res.writeHead(200, { 'Content-Type': 'application/json' }); return res.end(`{"id_token": "${'x'.repeat(2 ** 20)}"}`); }
    if (fault === 'html') { res.writeHead(200, { 'Content-Type': 'text/html' }); return res.end('<h1>sign in</h1>'); }
    if (fault === 'no token') return json({ access_token: access });
    if (fault === 'refused') return json({ error: 'invalid_grant', error_description: 'canary-description' }, 400);
    if (fault === 'broken') return json({ error: 'server_error' }, 500);
    return json({ id_token: token(nonce, access), access_token: access, token_type: 'Bearer' });
  }
  if (url.pathname === '/userinfo') return json({ sub: 'hostile-1', ...control.userinfo });
  return json({}, 404);
});
server.listen(0, '127.0.0.1', () => { issuer = `http://127.0.0.1:${server.address().port}`; console.log(issuer); });
process.stdin.on('end', () => process.exit(0)).resume();
