import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DnsClient } from '../../../../src/lib/dns-client.js';
import { DoctorScene } from './doctor-scene.js';
import { boundSocket } from '../../../support/bound-socket.js';

const deadlineMs = 1_000;
/** For the work of the other checks, on a machine that has others to do. */
const patienceMs = 5_000;
let scene: DoctorScene;
let hole: Server;
let held: Set<Socket>;
beforeEach(async () => {
  scene = await DoctorScene.start();
  held = new Set();
  // Takes connections and says nothing, ever.
  hole = createServer((socket) => held.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of held) socket.destroy();
  await new Promise((resolve) => hole.close(resolve));
  await scene.close();
});

const port = (): number => (hole.address() as AddressInfo).port;

async function timed(more: { dns?: DnsClient } = {}): Promise<{ code: number; tookMs: number }> {
  const began = performance.now();
  const code = await scene.run([], { deadlineMs, ...more });
  return { code, tookMs: performance.now() - began };
}

describe('whatever hangs, the doctor does not', () => {
  it('Meta that is silent', async () => {
    scene.write({ graph: `http://127.0.0.1:${port()}` });
    const { code, tookMs } = await timed();
    expect(code).toBe(1);
    expect(tookMs).toBeLessThan(deadlineMs + patienceMs);
    expect(scene.out).toMatch(
      /failed +access token +the token cannot be looked at: no answer to look at the token in time/,
    );
    expect(scene.out).toMatch(/skipped +number sales +Meta does not answer/);
  });

  it.each(['udp', 'tcp', 'tls'])('a PBX that is silent over %s', async (transport) => {
    const socket = await boundSocket();
    const at = transport === 'udp' ? socket.address().port : port();
    const tls = '{ server: drachtio, drachtio: { host: 127.0.0.1, port: 1, secret: canary-drachtio } }';
    scene.write({
      trunk: `servers: [{ hostname: 127.0.0.1, port: ${at}, transport: ${transport} }]`,
      ...(transport === 'tls' && { sip: tls }),
    });
    const { code, tookMs } = await timed();
    expect(code).toBe(1);
    expect(tookMs).toBeLessThan(deadlineMs + patienceMs);
    expect(scene.out).toMatch(
      new RegExp(`failed +trunk pbx 127.0.0.1:${at} ${transport} +${transport} 127.0.0.1:${at}: no answer to OPTIONS`),
    );
    if (transport === 'tls') expect(scene.out).toMatch(/failed +certificate .*: no answer to the TLS handshake/);
    await new Promise<void>((resolve) => socket.close(resolve));
  });

  it('DNS that is silent', async () => {
    const never = (): Promise<never> => new Promise(() => undefined);
    scene.write({ trunk: 'servers: [{ hostname: pbx.example.com }]' });
    const { code, tookMs } = await timed({ dns: { addresses: never, srv: never, naptr: never } });
    expect(code).toBe(1);
    expect(tookMs).toBeLessThan(deadlineMs + patienceMs);
    expect(scene.out).toMatch(/failed +name pbx\.example\.com +pbx\.example\.com cannot be found: .*took longer than/);
  });

  it('something at admin.listen and webhook.listen that takes connections and is silent', async () => {
    scene.write({ admin: `127.0.0.1:${port()}` });
    const { tookMs } = await timed();
    expect(tookMs).toBeLessThan(deadlineMs + patienceMs);
    expect(scene.out).toMatch(/skipped +daemon +no sip2wa answers at admin\.listen/);
    expect(scene.out).toMatch(/failed +admin\.listen .*EADDRINUSE/);
  });
});
