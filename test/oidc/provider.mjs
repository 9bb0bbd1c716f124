// provider.mjs - a real OpenID provider (oidc-provider) for test/identity/test_oidc.py. Takes {redirect_uri, alg, auth_method, id_token_claims, accounts}
// as JSON on its first line of input, accounts: {login: claims}; prints its issuer; ends with its input.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const config = JSON.parse(await new Promise((done) => lines.once('line', done)));
lines.once('close', () => process.exit(0));

const key = (kid, type, options) => ({ kid, use: 'sig', ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }) });
const server = createServer((req, res) => handle(req, res));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'dms client', // the space and the letters of the secret have to survive the Basic header
    client_secret: 'se+cret/with:every%kind=of&letter',
    redirect_uris: [config.redirect_uri],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: config.alg,
    token_endpoint_auth_method: config.auth_method,
  }],
  jwks: { keys: [key('r', 'rsa', { modulusLength: 2048 }), key('e', 'ec', { namedCurve: 'P-256' }), key('d', 'ed25519', {})] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  clientAuthMethods: [config.auth_method],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: !config.id_token_claims, // true: the address stands at the userinfo endpoint only
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...config.accounts[id] }) }),
  cookies: { keys: ['of a test'] },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
});
const handle = provider.callback();
provider.on('server_error', (_, e) => console.error(e));
console.log(issuer);
