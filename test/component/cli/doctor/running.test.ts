import { createSocket, type Socket } from 'node:dgram';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../../src/config/load-config.js';
import { startDaemon, type Daemon } from '../../../../src/daemon.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { freePort, rtpPorts } from '../../../support/ports.js';
import { NUMBER_ID } from '../cli-scene.js';
import { DoctorScene } from './doctor-scene.js';

let scene: DoctorScene;
let closing: (() => Promise<unknown>)[];
beforeEach(async () => {
  closing = [];
  scene = await DoctorScene.start();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await scene.close();
});

async function daemon(): Promise<Daemon> {
  const result = loadConfig({ file: scene.file, env: {} });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const running = await startDaemon({ config: result.config, logger: silentLogger, stopCallsMs: 100 });
  closing.push(() => running.stop());
  return running;
}

async function udpSocket(port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  closing.push(() => new Promise<void>((resolve) => socket.close(resolve)));
  return socket;
}

/** Something else that answers HTTP at a port of the file. */
async function stranger(
  port: number,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.closeAllConnections() ?? server.close(resolve)));
  return server;
}

describe('beside a running daemon', () => {
  it('sockets and journal are in use by it, and its webhook takes what Meta would send', async () => {
    const [udp, tcp, journal] = [await freePort(), await freePort(), join(scene.folder, 'journal')];
    scene.write({ sip: `{ listen: ["udp://127.0.0.1:${udp}", "tcp://127.0.0.1:${tcp}"] }`, journal });
    await daemon();
    const all = await scene.checks();
    const inUse = 'is in use by a running sip2wa';
    for (const [name, detail] of [
      [`listen udp://127.0.0.1:${udp}`, `127.0.0.1:${udp} ${inUse}`],
      [`listen tcp://127.0.0.1:${tcp}`, `127.0.0.1:${tcp} ${inUse}`],
      ['webhook.listen', `127.0.0.1:${scene.webhookPort} ${inUse}`],
      ['admin.listen', `127.0.0.1:${scene.adminPort} ${inUse}`],
      ['journal', `${journal} ${inUse}`],
      ['daemon', 'running and ready'],
      ['webhook here', 'verified, and takes a signed delivery'],
      ['webhook from outside', `http://127.0.0.1:${scene.webhookPort}/webhook takes a signed delivery`],
      ['callback sales', "the app's callback URL"],
    ] as const) {
      expect(all.get(name)).toMatchObject({ state: 'ok', detail });
    }
    expect([...all.values()].filter(({ state }) => state === 'failed')).toEqual([]);
  });

  it('the daemon has another secret than the file', async () => {
    scene.write({ secret: 'canary-verify' });
    await daemon();
    scene.write();
    const all = await scene.checks();
    expect(all.get('webhook here')).toMatchObject({
      ...{ state: 'failed', detail: 'it answers 401 to a delivery signed with graph.app_secret' },
      cure: 'restart the daemon, so that it has the secrets of this file',
    });
    expect(all.get('webhook from outside')).toMatchObject({
      ...{ state: 'failed', detail: `http://127.0.0.1:${scene.webhookPort}/webhook answers 401 to a signed delivery` },
      cure: 'put the secret of the very app that the callback URL belongs to into graph.app_secret',
    });
  });

  it('the callback URL leads past the path, or nowhere', async () => {
    scene.write();
    await daemon();
    scene.sandbox.account.callbackUrl = `http://127.0.0.1:${scene.webhookPort}/other`;
    expect(await scene.check('webhook from outside')).toMatchObject({
      ...{ state: 'failed', cure: 'let the callback URL end with /webhook, or the proxy rewrite it' },
    });
    const nowhere = `http://127.0.0.1:${await freePort()}/webhook`;
    scene.sandbox.account.callbackUrl = nowhere;
    const found = await scene.check('webhook from outside');
    expect([found.state, found.cure]).toEqual([
      'warning',
      'try the URL from another network: some routers do not let a machine reach its own address',
    ]);
    expect(found.detail).toContain(`${nowhere} cannot be reached from here: `);
    scene.sandbox.account.callbackUrl = 'http://192.0.2.1/webhook';
    expect(await scene.check('webhook from outside')).toMatchObject({
      ...{ state: 'skipped', detail: 'Meta does not tell the callback URL' },
    });
  });

  it('a callback URL of the number, or of its account, goes before the app’s', async () => {
    scene.write();
    await daemon();
    const { overrides } = scene.sandbox.account;
    const [ours, dead] = [`http://127.0.0.1:${scene.webhookPort}`, `http://127.0.0.1:${await freePort()}`];
    const takeAway = "set it to this bridge's, or take it away: POST /";
    overrides.account = `${ours}/other`;
    expect(await scene.check('callback sales')).toMatchObject({
      ...{ state: 'failed', cure: `${takeAway}<account id>/subscribed_apps without a body` },
      detail: `${ours}/other answers 404 to a signed delivery (set for the WhatsApp account in place of the app's callback URL)`,
    });
    expect(await scene.check('webhook from outside')).toMatchObject({
      ...{ state: 'skipped', detail: `every number has another one than ${ours}/webhook` },
    });
    overrides.number = `${dead}/webhook`;
    const found = await scene.check('callback sales');
    expect([found.state, found.cure]).toEqual([
      'warning',
      `${takeAway}${NUMBER_ID} {"webhook_configuration":{"override_callback_uri":""}}`,
    ]);
    expect(found.detail).toMatch(/cannot be reached from here: .*\(set for the number in place/);
    overrides.number = `${ours}/webhook`;
    expect(await scene.check('callback sales')).toMatchObject({
      state: 'ok',
      detail: `${ours}/webhook takes a signed delivery (set for the number in place of the app's callback URL)`,
    });
    overrides.number = 'http://192.0.2.1/webhook';
    expect(await scene.check('callback sales')).toMatchObject({
      state: 'warning',
      detail:
        "http://192.0.2.1/webhook, set for the number in place of the app's callback URL, is no URL that Meta delivers to",
    });
  });

  it('a daemon that is not ready is a warning that says what for', async () => {
    scene.write();
    await stranger(scene.adminPort, (request, response) => {
      const isLive = request.url === '/livez';
      response.writeHead(isLive ? 200 : 503).end(isLive ? 'ok\n' : '[+] webhook\n[-] sip\n[-] recovery\nnot ready\n');
    });
    expect(await scene.check('daemon')).toMatchObject({
      ...{ state: 'warning', detail: 'running, not ready: sip, recovery', cure: 'see its log' },
    });
  });
});

describe('without one', () => {
  it('a socket that something else holds fails', async () => {
    const held = await udpSocket();
    const { port } = held.address();
    scene.write({ sip: `{ listen: ["udp://127.0.0.1:${port}"] }` });
    await stranger(scene.webhookPort, (_request, response) => response.end());
    const all = await scene.checks();
    const cure = 'stop what holds it (ss -lnp shows it), or choose another port';
    expect(all.get(`listen udp://127.0.0.1:${port}`)).toMatchObject({
      ...{ state: 'failed', detail: `127.0.0.1:${port} cannot be had: EADDRINUSE`, cure },
    });
    expect(all.get('webhook.listen')).toMatchObject({ state: 'failed', cure });
  });

  it('something else at admin.listen is no daemon, and is not shown the token', async () => {
    const seen: (string | undefined)[] = [];
    scene.write();
    await stranger(scene.adminPort, (request, response) => {
      seen.push(request.headers.authorization);
      response.end('hello');
    });
    const all = await scene.checks();
    expect(all.get('daemon')?.state).toBe('skipped');
    expect(all.get('admin.listen')?.state).toBe('failed');
    expect(seen).toEqual([undefined]);
  });

  it('an address that is not this machine’s fails', async () => {
    scene.write({
      ...{ sip: '{ listen: ["tcp://192.0.2.1:5060"] }' },
      media: '{ listen_ip: 192.0.2.1, rtp_ports: 21000-21049, webrtc_ports: 21050-21099 }',
    });
    const all = await scene.checks();
    const cure = 'write an address of this machine (ip addr shows them), or 0.0.0.0';
    expect(all.get('listen tcp://192.0.2.1:5060')).toMatchObject({
      ...{ state: 'failed', detail: '192.0.2.1:5060 cannot be had: EADDRNOTAVAIL', cure },
    });
    expect(all.get('media.rtp_ports')).toMatchObject({ state: 'failed', cure });
  });

  it.each([
    [1, 'warning'],
    [30, 'failed'],
  ])('%i media ports that are taken: %s', async (count, state) => {
    const base = rtpPorts[0] + 300;
    for (let port = base; port < base + count; port++) await udpSocket(port);
    scene.write({
      media: `{ listen_ip: 127.0.0.1, rtp_ports: ${base}-${base + 29}, webrtc_ports: ${base + 40}-${base + 69} }`,
    });
    const found = await scene.check('media.rtp_ports');
    expect(found.state).toBe(state);
    expect(found.detail).toContain(`tried of ${base}-${base + 29} are taken: ${base}`);
    expect(found.cure).toBe('choose a range that nothing else uses (ss -lnup shows who has them)');
  });

  const drachtio = (port: number, secret: string): string =>
    `{ server: drachtio, drachtio: { host: 127.0.0.1, port: ${port}, secret: "${secret}" } }`;

  it('a drachtio-server that is not there fails', async () => {
    const port = await freePort();
    scene.write({ sip: drachtio(port, 'canary-drachtio') });
    expect(await scene.check('drachtio-server', { deadlineMs: 2_000 })).toMatchObject({
      ...{ state: 'failed', detail: `no SIP server at 127.0.0.1:${port}` },
      cure: 'see that it runs, and that sip.drachtio.secret is that of its configuration',
    });
  });

  it('a SIP server that takes the secret is well, one that refuses it fails', async () => {
    // It speaks drachtio's protocol.
    const listen = [{ transport: 'udp', host: '127.0.0.1', port: 0 }] as const;
    const server = await startEmbeddedSipServer({ listen, logger: silentLogger });
    closing.push(() => server.stop());
    const { port, secret } = server;
    scene.write({ sip: drachtio(port, secret) });
    expect(await scene.check('drachtio-server')).toMatchObject({
      ...{ state: 'ok', detail: `127.0.0.1:${port} takes our secret` },
    });
    scene.write({ sip: drachtio(port, 'canary-drachtio') });
    expect(await scene.check('drachtio-server')).toMatchObject({
      ...{ state: 'failed', detail: 'the SIP server refused our secret' },
    });
  });
});
