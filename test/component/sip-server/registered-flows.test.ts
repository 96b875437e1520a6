import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { eventually, settled } from '../../support/eventually.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { Bench } from './bench.js';

const CONTACT = 'sip:alice@127.0.0.77:5999;transport=tcp';

let bench: Bench;
let line: Socket;
/** What the application grants, in seconds. */
let grantS: number;

beforeEach(async () => {
  bench = await Bench.start({ peer: 'tcp' });
  line = await bench.peer.dial(bench.sip);
  grantS = 600;
  bench.srf.use('register', (_req, res) =>
    res.send(200, { headers: { Contact: `<${CONTACT}>;expires=${grantS}`, Expires: '7200' } }),
  );
  await bench.routed();
});
afterEach(() => bench.stop());

async function register(user = '100', over = line): Promise<void> {
  const text = bench.peer.newRequest('REGISTER', bench.uri(user), { headers: ['Expires: 3600'] });
  bench.peer.send(text.replace(/Contact: .*/, `Contact: "Alice" <${CONTACT}>;+sip.instance="<urn:x>";reg-id=1`), over);
  await bench.peer.response(200, 'REGISTER');
}

const ask = (method: string): Promise<{ status: number }> =>
  new Promise((resolve, reject) => {
    bench.srf.request(CONTACT, { method, headers: { Event: 'x' } }, (err, request) => {
      if (err || !request) return reject(err instanceof Error ? err : new Error('not sent'));
      request.on('response', (response: { status: number }) => resolve(response));
    });
  });

async function answered(method: string): Promise<PeerMessage> {
  const asked = ask(method);
  const request = await bench.peer.request(method);
  bench.peer.reply(request, 202, 'Accepted', { noContact: true });
  expect((await asked).status).toBe(202);
  return request;
}

describe('a contact that was registered over a connection', () => {
  it.each(['OPTIONS', 'MESSAGE', 'NOTIFY'])(
    'is sent %s over it, though its address leads elsewhere',
    async (method) => {
      await register();
      const request = await answered(method);
      expect(request.connection).toBe(line);
      expect(request.uri).toBe(CONTACT);
      expect(request.get('Via')).toContain(`SIP/2.0/TCP 127.0.0.1:${bench.sip.port};`);
    },
  );

  it('is called over it, and the call stays on it', async () => {
    await register();
    const calling = bench.srf.createUAC(CONTACT, { localSdp: 'v=0\r\n' });
    const invite = await bench.peer.request('INVITE');
    expect(invite.connection).toBe(line);
    bench.peer.reply(invite, 200, 'OK', { toTag: 'a', body: 'v=0\r\n' });
    const dialog = await calling;
    expect((await bench.peer.request('ACK')).connection).toBe(line);
    expect((await bench.appHangsUp(dialog)).connection).toBe(line);
  });

  it('is reached over the connection of whom the request names, where another phone has the same contact', async () => {
    const other = await bench.peer.dial(bench.sip);
    await register('alice');
    await register('bob', other);
    for (const [user, connection] of [
      ['alice', line],
      ['bob', other],
    ] as const) {
      bench.srf.request(CONTACT, { method: 'OPTIONS', headers: { To: `<${bench.uri(user)}>` } }, () => undefined);
      const request = await bench.peer.request('OPTIONS');
      expect([request.connection === connection, request.get('To')]).toEqual([true, `<${bench.uri(user)}>`]);
      bench.peer.reply(request, 200, 'OK', { noContact: true });
    }
    other.destroy();
  });

  it('is not reached by it once the binding has expired, was taken back, or the connection is gone', async () => {
    const isReached = async (): Promise<boolean> => {
      const before = bench.peer.count(({ method }) => method === 'OPTIONS');
      // The address of the contact is one that nobody has: without the connection it leads nowhere.
      const asked = ask('OPTIONS').then(
        () => undefined,
        () => undefined,
      );
      await settled();
      const request = bench.peer.received.filter(({ method }) => method === 'OPTIONS')[before];
      if (request) bench.peer.reply(request, 200, 'OK', { noContact: true });
      if (request) await asked;
      return request !== undefined;
    };
    await register();
    expect(await isReached()).toBe(true);
    bench.clock.skip(600_000);
    // Fires after what has fallen due.
    await new Promise<void>((resolve) => bench.clock.after(0, resolve));
    expect(await isReached()).toBe(false);
    await register();
    expect(await isReached()).toBe(true);
    grantS = 0;
    await register();
    expect(await isReached()).toBe(false);
    grantS = 600;
    await register();
    line.destroy();
    await eventually(() => bench.peer.received.length > 0 && line.destroyed, 'connection gone');
    await settled();
    expect(await isReached()).toBe(false);
  });
});

describe('a registrar that says when it takes a silent connection for dead', () => {
  it('is pinged before that', async () => {
    const done = new Promise<void>((resolve) => {
      bench.srf.request(
        bench.peerUri,
        { method: 'REGISTER', headers: { Contact: '<sip:a@localhost>' } },
        (_err, request) => request?.on('response', () => resolve()),
      );
    });
    const request = await bench.peer.request('REGISTER');
    bench.peer.reply(request, 200, 'OK', { noContact: true, headers: ['Require: outbound', 'Flow-Timer: 20'] });
    await done;
    const heard: string[] = [];
    request.connection!.on('data', (bytes: Buffer) => heard.push(bytes.toString()));
    bench.clock.skip(16_000);
    await settled();
    expect(heard).toEqual([]);
    bench.clock.skip(1_500);
    await eventually(() => heard.join('') === '\r\n\r\n', 'ping');
    bench.clock.skip(17_000);
    await eventually(() => heard.join('') === '\r\n\r\n\r\n\r\n', 'the next ping');
  });
});
