// Runs Ghost on loopback until whoever started it is gone: run.js <ghost's folder> <data folder> <port, or 0 for the system's choice>.
// Prints {"event":"ready","url":...} once Ghost serves its API; everything else that is printed is Ghost's.
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const [ghost, data, wanted] = process.argv.slice(2);

// A test that is killed cannot end what it started.
const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(1), 500).unref();

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function ready(url) {
  for (;;) {
    // While it boots, Ghost refuses connections at first and answers 503 then.
    const answer = await fetch(`${url}/ghost/api/admin/site/`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((again) => setTimeout(again, 100));
  }
}

async function main() {
  const port = Number(wanted) || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const content = path.join(data, 'content');
  if (!fs.existsSync(content)) fs.cpSync(path.join(ghost, 'content'), content, { recursive: true });
  Object.assign(process.env, {
    NODE_ENV: 'production',
    url,
    server__host: '127.0.0.1',
    server__port: String(port),
    database__client: 'better-sqlite3',
    database__connection__filename: path.join(data, 'ghost.db'),
    database__useNullAsDefault: 'true',
    paths__contentPath: content,
    // No mail is sent and nobody outside is asked for anything.
    mail__transport: 'stub',
    privacy__useTinfoil: 'true',
    // The owner signs in without a code from a mail.
    security__staffDeviceVerification: 'false',
  });
  process.chdir(ghost);
  require(path.join(ghost, 'index.js'));
  await ready(url);
  console.log(JSON.stringify({ event: 'ready', url, port }));
}

main();
