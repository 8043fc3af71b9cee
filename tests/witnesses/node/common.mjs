// What every vendor's script shares: where the twin is, how to connect to it, and how to say what was done. A script makes
// exactly one request for each `said`, in the same order; it ends by itself.

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
