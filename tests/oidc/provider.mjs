// A real OpenID provider (npm: oidc-provider) for tests: `node provider.mjs FOLDER`, where FOLDER has its node_modules.
// Prints its address as one line and ends when its standard input does.
//
// Beside the provider's own routes there are some for the test:
//   POST /test/login?user=…    a whole login (authorization code with PKCE) as a browser does it; answers the tokens
//   POST /test/client?audience=…  a token by client credentials, for that audience
//   POST /test/rotate          another signing key in the place of the one there is

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const { Provider } = await import(pathToFileURL(join(process.argv[2], 'node_modules/oidc-provider/lib/index.js')));

const AUDIENCE = 'https://promptory.example';
const CALLBACK = 'https://app.example/callback';
const GROUPS = { ada: ['/editors', 'staff'], bob: ['staff'] };

let provider, answer, keys = 0;
const server = createServer((request, response) => route(request, response));
server.listen(0, '127.0.0.1', () => {
  rotate();
  console.log(issuer());
});
process.stdin.on('end', () => process.exit()).resume();

function issuer() {
  return `http://127.0.0.1:${server.address().port}`;
}

function rotate() {
  keys += 1;
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  provider = new Provider(issuer(), {
    jwks: { keys: [{ ...key, kid: `key-${keys}`, use: 'sig', alg: 'RS256' }] },
    clients: [
      {
        client_id: 'app',
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      {
        client_id: 'robot',
        client_secret: 'robot-secret',
        redirect_uris: [],
        grant_types: ['client_credentials'],
        response_types: [],
      },
    ],
    claims: { openid: ['sub'], groups: ['groups'] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: GROUPS[id] ?? [] }) }),
    extraTokenClaims: (_, token) => ({ groups: GROUPS[token.accountId] ?? ['robots'] }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'openid',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 300 },
  });
  answer = provider.callback();
}

async function route(request, response) {
  const url = new URL(request.url, issuer());
  const routes = { '/test/login': login, '/test/client': client, '/test/rotate': async () => rotate() };
  const handler = routes[url.pathname];
  if (!handler) return answer(request, response);
  try {
    response.end(JSON.stringify((await handler(url.searchParams)) ?? {}));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack));
  }
}

async function token(parameters, headers = {}) {
  const answer = await fetch(`${issuer()}/token`, { method: 'POST', headers, body: new URLSearchParams(parameters) });
  return answer.json();
}

function client(parameters) {
  const authorization = `Basic ${Buffer.from('robot:robot-secret').toString('base64')}`;
  const resource = parameters.get('audience');
  return token({ grant_type: 'client_credentials', resource }, { authorization });
}

// What a browser does: it follows redirects with its cookies and fills in two forms.
async function login(parameters) {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const cookies = new Map();
  let next = `${issuer()}/auth?${new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid',
    resource: AUDIENCE,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  })}`;
  let body;
  for (let step = 0; step < 12; step += 1) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const page = await fetch(next, { method: body ? 'POST' : 'GET', headers, body, redirect: 'manual' });
    for (const cookie of page.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    body = undefined;
    const location = page.headers.get('location');
    if (location?.startsWith(CALLBACK)) {
      const code = new URL(location).searchParams.get('code');
      return token({
        grant_type: 'authorization_code', client_id: 'app', code, redirect_uri: CALLBACK, code_verifier: verifier,
      });
    }
    if (location) {
      next = new URL(location, issuer()).href;
      continue;
    }
    const prompt = (await page.text()).match(/name="prompt" value="(\w+)"/)?.[1];
    if (!prompt) throw new Error(`no form at ${next}: ${page.status}`);
    body = new URLSearchParams({ prompt, login: parameters.get('user'), password: 'any' });
  }
  throw new Error('the login does not end');
}
