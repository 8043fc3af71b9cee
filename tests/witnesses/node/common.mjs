// What every vendor's script shares: where the twin is, how to connect to it, and how to say what was done. A script makes
// exactly one request for each `said`, in the same order; it ends by itself.

import http from 'node:http';
import https from 'node:https';

export const twin = process.env.TWIN_URL;
export const { credentials = {}, picked = {} } = JSON.parse(process.env.TWIN_CONNECT ?? '{}');

/** The contact of every sync-new fixture. */
export const ann = { email: 'ann@example.com', first: 'Ann', last: 'Lee' };

/**
 * One call of the connector was made by the library too.
 * `fixture`: where the connector makes it; `understood`: what the library read in the answer;
 * `same`: what the twin calls something -> what the fixture calls it.
 */
export function said(call, fixture, understood, same = {}) {
  process.stdout.write(`${JSON.stringify({ call, fixture, understood, same })}\n`);
}

/**
 * For a library whose host cannot be set: every request that it makes by `node:https` or `fetch` goes to the twin instead,
 * with path, query, headers and body as the library made them.
 */
export function redirected() {
  const at = new URL(twin);
  https.request = (first, second, third) => {
    const url = typeof first === 'string' ? new URL(first) : first instanceof URL ? first : undefined;
    const options = { ...(url ? {} : first), ...(typeof second === 'object' ? second : {}) };
    const path = options.path ?? (url ? url.pathname + url.search : '/');
    const callback = [second, third].find((argument) => typeof argument === 'function');
    const rest = { ...options, path, protocol: 'http:', host: at.hostname, hostname: at.hostname, port: at.port, agent: undefined, agents: undefined };
    return http.request(rest, callback);
  };
  https.get = (...given) => https.request(...given).end();
  const real = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const asked = new Request(input, init);
    const { pathname, search } = new URL(asked.url);
    const body = ['GET', 'HEAD'].includes(asked.method) ? undefined : await asked.text();
    return real(new URL(pathname + search, at), { method: asked.method, headers: asked.headers, body });
  };
}
