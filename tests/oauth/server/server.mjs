// A real authorization server on loopback (npm oidc-provider), and one protected resource beside it: what a vendor is to the host.
// Usage: node server.mjs REDIRECT_URI. Prints one JSON line when it is ready.
import http from 'node:http';
import Provider from 'oidc-provider';

const [redirectUri] = process.argv.slice(2);
let handle = (_req, res) => res.end();
const server = http.createServer((req, res) => handle(req, res));

server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: 'acme-app',
        client_secret: 'secret of the app: 100% + more',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
      {
        client_id: 'acme-robot',
        client_secret: 'secret-of-the-robot-4711',
        redirect_uris: [],
        grant_types: ['client_credentials'],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    scopes: ['openid', 'contacts.write'],
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
    },
    pkce: { required: () => true },
    // Every refresh token is good once; using one again ends the whole grant.
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // Ending the refresh token ends the grant, as vendors do.
    revokeGrantPolicy: () => true,
    cookies: { keys: ['only for tests'] },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  const issuer = provider.callback();
  handle = async (req, res) => {
    if (!req.url.startsWith('/api/')) return issuer(req, res);
    const presented = (req.headers.authorization ?? '').replace(/^Bearer /, '');
    const token = (await provider.AccessToken.find(presented)) ?? (await provider.ClientCredentials.find(presented));
    res.setHeader('content-type', 'application/json');
    res.statusCode = token ? 200 : 401;
    res.end(JSON.stringify(token ? { id: token.accountId ?? token.clientId } : { error: 'invalid_token' }));
  };
  console.log(JSON.stringify({ event: 'ready', url }));
});
