import { afterEach, describe, expect, it } from 'vitest';
import { eventually, settled } from '../../../support/eventually.js';
import { freePort } from '../../../support/ports.js';
import { sceneAuth } from '../../../support/sip-scene.js';
import { PEER_SDP } from '../../../support/sip-script-peer.js';
import { credentialsOf, expectedResponse } from './registrar.js';
import { RegistrationScene, type RegistrationSceneOptions } from './registration-scene.js';

let scene: RegistrationScene;

const start = async (options?: RegistrationSceneOptions) => {
  scene = await RegistrationScene.start(options);
  return scene.registrar;
};
const isUp = (): Promise<void> => eventually(() => scene.state === 'up', 'registered');
const isDown = (why: string): Promise<void> => eventually(() => scene.state === why, `not registered: ${why}`);

/** No REGISTER comes within this time of the clock's, then one does. */
async function nextAfter(quietMs: number, moreMs: number) {
  const { registrar, clock } = scene;
  const before = registrar.registers;
  clock.skip(quietMs);
  await settled();
  expect(registrar.registers).toBe(before);
  clock.skip(moreMs);
  return registrar.register();
}

describe('a trunk that registers', () => {
  afterEach(async () => {
    await scene.stop();
    expect(scene.logger.text()).not.toContain(sceneAuth.password);
  });

  it.each([
    ['udp', 'MD5', 'md5', ''],
    ['tcp', 'SHA-256', 'sha256', ';transport=tcp'],
  ] as const)(
    'over %s proves by %s who it is, and refreshes in the same dialogue',
    async (transport, algorithm, hash, parameter) => {
      const registrar = await start({ transport, trunk: { registerExpiresMs: 600_000 } });
      const first = await registrar.register();
      const { place } = registrar.peer;
      const { host, port } = scene.address;
      expect(first.uri).toBe(`sip:${place}`);
      expect(first.get('To')).toBe('<sip:bridge@127.0.0.1>');
      expect(first.get('From')).toBe(`<sip:bridge@127.0.0.1>;tag=${first.tag('From')}`);
      const contact = `<sip:bridge@${host}:${port}${parameter}>`;
      const instance = /^;\+sip\.instance="<urn:uuid:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}>";reg-id=1$/;
      // RFC 5626: a connection can carry calls to us, a datagram's way is nothing of the kind.
      expect(first.get('Contact').slice(0, contact.length)).toBe(contact);
      if (transport === 'tcp') expect(first.get('Contact').slice(contact.length)).toMatch(instance);
      else expect(first.get('Contact')).toBe(contact);
      expect(first.get('Supported')).toBe(transport === 'tcp' ? 'path, outbound' : 'path');
      expect(first.get('Expires')).toBe('600');
      registrar.challenge(first, { algorithm });
      const second = await registrar.register();
      expect(credentialsOf(second)).toMatchObject({
        ...{ username: 'bridge', realm: 'pbx.example', uri: second.uri, algorithm },
        response: expectedResponse(second, sceneAuth.password, hash),
      });
      expect(scene.state).toBe('?');
      registrar.grant(second, 100);
      await isUp();
      expect(scene.changes).toEqual([{ trunk: 'pbx', server: place, state: 'registered' }]);
      // 75 % of what was granted, not of what was asked for.
      const refresh = await nextAfter(74_000, 1_000);
      registrar.challenge(refresh, { algorithm, nonce: 'def' });
      const proven = await registrar.register();
      registrar.grant(proven, 100);
      for (const header of ['Call-ID', 'From', 'To', 'Contact', 'Expires']) {
        expect(proven.get(header)).toBe(first.get(header));
        expect(refresh.get(header)).toBe(first.get(header));
      }
      expect([second, refresh, proven].map(({ cseq }) => cseq - first.cseq)).toEqual([1, 2, 3]);
      await eventually(() => scene.grants === 2, 'refreshed');
      expect(scene.changes).toHaveLength(1);
    },
  );

  it('as user@domain registers that address, with its user as Contact; the digest has it as written', async () => {
    const registrar = await start({ trunk: { auth: { ...sceneAuth, username: 'bridge@carrier.example' } } });
    const first = await registrar.register();
    const { host, port } = scene.address;
    expect(first.uri).toBe(`sip:${registrar.peer.place}`);
    expect(first.get('To')).toBe('<sip:bridge@carrier.example>');
    expect(first.get('From')).toBe(`<sip:bridge@carrier.example>;tag=${first.tag('From')}`);
    expect(first.get('Contact')).toBe(`<sip:bridge@${host}:${port}>`);
    registrar.challenge(first);
    const second = await registrar.register();
    expect(credentialsOf(second)).toMatchObject({
      username: 'bridge@carrier.example',
      response: expectedResponse(second, sceneAuth.password, 'md5'),
    });
    registrar.grant(second, 100);
    await isUp();
    const invite = registrar.peer.newRequest('INVITE', second.contactUri, { body: PEER_SDP });
    const dialled = invite.replace(/^To: .*$/m, 'To: <sip:+4915112345678@carrier.example>');
    registrar.peer.send(dialled, scene.address);
    await eventually(() => scene.calls.length === 1, 'call announced');
    expect(scene.calls[0]!.calledUser).toBe('+4915112345678');
  });

  it('takes its registration back when it stops, with credentials', async () => {
    const registrar = await start();
    const granted = await registrar.admit(100);
    await isUp();
    const stopped = scene.agent.close();
    const last = await registrar.register();
    expect([last.get('Expires'), last.get('Contact'), last.get('Call-ID')]).toEqual([
      ...['0', granted.get('Contact'), granted.get('Call-ID')],
    ]);
    registrar.challenge(last, { nonce: 'x' });
    const proven = await registrar.register();
    expect(proven.get('Expires')).toBe('0');
    registrar.grant(proven);
    await stopped;
    expect(scene.changes.map(({ state }) => state)).toEqual(['registered', 'unregistered']);
  });

  it('whose registrar is silent stops within its deadline', async () => {
    const registrar = await start();
    await registrar.admit(100);
    await isUp();
    const stopped = scene.agent.close();
    await registrar.register();
    scene.clock.skip(2_000);
    await stopped;
    expect(scene.logged('warn')).toEqual(['registration not taken back']);
  });

  it('answers a stale nonce once more', async () => {
    const registrar = await start();
    registrar.challenge(await registrar.register(), { nonce: 'one' });
    registrar.challenge(await registrar.register(), { nonce: 'two', isStale: true });
    const third = await registrar.register();
    expect(credentialsOf(third)['nonce']).toBe('two');
    registrar.grant(third, 100);
    await isUp();
  });

  it('with a wrong password does not hammer, and says so once', async () => {
    const registrar = await start();
    for (const round of [1, 2]) {
      const first = round === 1 ? await registrar.register() : await nextAfter(299_000, 1_000);
      registrar.challenge(first, { nonce: `a${round}` });
      registrar.challenge(await registrar.register(), { nonce: `b${round}` });
      await eventually(() => scene.failures === round, 'refused');
      expect(scene.state).toBe('401 Unauthorized');
    }
    expect(registrar.registers).toBe(4);
    expect(scene.logged('error')).toEqual(['registrar refuses the trunk']);
    expect(scene.agent.isWell({ trunk: scene.trunk, server: scene.trunk.servers[0]! })).toBe(false);
  });

  it.each([
    ['403 Forbidden', [], 300_000],
    ['404 Not Found', [], 300_000],
    ['302 Moved Temporarily', [], 300_000],
    ['503 Service Unavailable', ['Retry-After: 120'], 120_000],
    ['503 Service Unavailable', ['Retry-After: 86400'], 1_800_000],
    ['500 Server Internal Error', [], 30_000],
  ] as const)('that hears %s %j comes back after %i ms', async (line, headers, pauseMs) => {
    const registrar = await start();
    const [status = '', ...reason] = line.split(' ');
    registrar.refuse(await registrar.register(), Number(status), reason.join(' '), headers);
    await isDown(line);
    registrar.grant(await nextAfter(pauseMs - 1_000, 1_000), 100);
    await isUp();
    expect(scene.changes.map(({ state }) => state)).toEqual(['failed', 'registered']);
  });

  it('asks for as long as a 423 wants', async () => {
    const registrar = await start();
    registrar.refuse(await registrar.register(), 423, 'Interval Too Brief', ['Min-Expires: 900']);
    const longer = await registrar.register();
    expect(longer.get('Expires')).toBe('900');
    // Without a word of the binding's own, what the whole response says counts.
    registrar.refuse(longer, 200, 'OK', ['Expires: 1000']);
    await isUp();
    expect((await nextAfter(749_000, 1_000)).get('Expires')).toBe('900');
  });

  it('counts the time of its own binding, not of others', async () => {
    const registrar = await start();
    const request = await registrar.register();
    registrar.refuse(request, 200, 'OK', [
      'Contact: <sip:bridge@192.0.2.9:5060>;expires=3600, "Desk" <sip:desk@192.0.2.9>;expires=20',
      `Contact: <${request.contactUri}>;q=0.5;expires=200`,
      'Expires: 7200',
    ]);
    await isUp();
    await nextAfter(149_000, 1_000);
  });

  it('granted half a minute is refreshed 5 s before its end at the latest', async () => {
    const registrar = await start();
    await registrar.admit(30);
    await isUp();
    await nextAfter(22_000, 500);
  });

  it('whose registrar is silent waits longer each time', async () => {
    const registrar = await start();
    const first = await registrar.register();
    for (const [round, pauseMs] of [30_000, 60_000, 120_000].entries()) {
      // 64·T1 of the scene's timers.
      scene.clock.skip(3_200);
      await eventually(() => scene.failures === round + 1, 'given up');
      expect(scene.state).toBe('no answer: 408');
      const next = await nextAfter(pauseMs - 1_000, 1_000);
      expect(next.get('Call-ID')).toBe(first.get('Call-ID'));
    }
    expect(scene.logged('warn')).toEqual(['trunk not registered']);
  });

  it('whose registrar is not there is told so at once', async () => {
    const place = { hostname: '127.0.0.1', port: await freePort(), transport: 'udp', priority: 1, weight: 1 } as const;
    await start({ trunk: { servers: [{ ...place, requestUriUserParams: {} }] } });
    await isDown('no answer: 503');
    expect(scene.changes.map(({ state }) => state)).toEqual(['failed']);
  });

  it('registers at each of its servers, whatever becomes of the others', async () => {
    await start({ servers: 2 });
    const [first, second] = scene.registrars;
    first!.refuse(await first!.register(), 503, 'Service Unavailable');
    second!.grant(await second!.register(), 100);
    await eventually(() => scene.state === '503 Service Unavailable,up', 'one of two');
    const wells = scene.trunk.servers.map((server) => scene.agent.isWell({ trunk: scene.trunk, server }));
    expect(wells).toEqual([false, true]);
  });

  it('registers again as soon as a lost link to the SIP server is back', async () => {
    const registrar = await start({ cable: true });
    await registrar.admit(600);
    await isUp();
    scene.cable!.snap();
    await isDown('the link to the SIP server is lost');
    scene.clock.skip(1_000);
    registrar.grant(await registrar.register(), 600);
    await isUp();
    expect(scene.changes.map(({ state }) => state)).toEqual(['registered', 'failed', 'registered']);
  });

  it('registers again when the registrar sees it elsewhere', async () => {
    const registrar = await start({ trunk: { qualifyMs: 61_000 } });
    const via = (request: { get(name: string): string }, port: number) =>
      request.get('Via').replace(/;rport[^;]*/, `;rport=${port};received=192.0.2.1`);
    const answer = async (method: string, port: number) => {
      const request = await registrar.peer.request(method);
      const text = registrar.peer.responseText(request, 200, 'OK', { noContact: true });
      registrar.peer.send(text.replace(/^Via: .*$/m, `Via: ${via(request, port)}`), request.from);
    };
    // Once an answer has been read, the next question is due in a minute.
    const question = async (port: number) => {
      await answer('OPTIONS', port);
      await eventually(() => scene.clock.isArmedWithin(55_000, 61_000), 'answer read');
    };
    await answer('REGISTER', 1111);
    await question(2222);
    await isUp();
    // Too soon after the registration: the next question will tell.
    scene.clock.skip(61_000);
    await question(1111);
    expect(registrar.registers).toBe(1);
    scene.clock.skip(61_000);
    await question(2222);
    await answer('REGISTER', 2222);
    await eventually(() => scene.grants === 2, 'granted again');
    scene.clock.skip(61_000);
    await question(2222);
    expect(registrar.registers).toBe(2);
    expect(scene.changes).toHaveLength(1);
  });
});
