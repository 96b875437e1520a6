import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { phonesPort, tone, type Asterisk } from '../support/peers/asterisk.js';
import { phoneToneHz, startPhone, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import type { Baresip } from '../support/peers/baresip.js';
import { phoneCallsUser, userCallsPhone } from '../support/peers/baresip-scene.js';
import { Bridge } from '../support/peers/bridge.js';
import { expectTone, expectTones } from '../support/peers/hearing.js';
import { business, user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

const keys = '0123456789*#';
const trunkUser = `+${business.number}`;

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

// A phone alone as the trunk's other side: what it does in a call comes to the bridge itself, with no PBX that takes it up.
describe('baresip in a call', () => {
  const ways = [
    ['a user-initiated call', userCallsPhone],
    ['a business-initiated call', phoneCallsUser],
  ] as const;

  it('hears each key once, and its own are heard', async () => {
    const { bridge, phone, call } = await userCallsPhone(scene);
    call.relay.press(keys, 120);
    expect(await phone.pressed(keys.length, 10_000)).toBe(keys);
    for (const [index, key] of Array.from(keys).entries()) {
      await phone.command('sndcode', key);
      await call.relay.pressed(index + 1, 2_000);
    }
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    const presses = await call.relay.pressed(keys.length, 1_000);
    expect(presses.map(({ digit }) => digit).join('')).toBe(keys);
    for (const { durationMs } of presses) expect(durationMs).toBeGreaterThanOrEqual(100);
    for (const { durationMs } of presses) expect(durationMs).toBeLessThanOrEqual(200);
    expectTones((await call.judge()).heard, [{ hz: phoneToneHz, atLeastMs: 2_000 }]);
    expectTones(await phone.heard(), [{ hz: userToneHz, atLeastMs: 2_000 }]);
    expect(bridge.complaints).toEqual([]);
  });

  it.each(ways)('holds and resumes %s', async (_, start) => {
    const { bridge, phone, call } = await start(scene);
    const offers = (direction: string): number => bridge.log.split(`"direction":"${direction}"`).length - 1;
    await listenFor(1_200);
    await phone.command('hold');
    await until('the bridge is held', 5_000, () => offers('recvonly') > 0 || offers('sendonly') > 0 || undefined);
    await listenFor(1_000);
    const before = offers('sendrecv');
    await phone.command('resume');
    await until('the bridge is resumed', 5_000, () => offers('sendrecv') > before || undefined);
    call.relay.press('5', 120);
    expect(await phone.pressed(1, 5_000)).toBe('5');
    await listenFor(1_000);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    // Nothing comes from the phone while it holds; its own recording ends there, so that it hears again is told by a key.
    expectTones((await call.judge()).heard, [{ hz: phoneToneHz, atLeastMs: 1_700, atMostMs: 2_900 }]);
    expectTones(await phone.heard(), [{ hz: userToneHz, atLeastMs: 600 }]);
    expect(bridge.complaints).toEqual([]);
  });
});

// baresip refers the bridge to extensions of a real Asterisk.
describe('transfers by baresip to Asterisk', () => {
  const start = async (): Promise<{ asterisk: Asterisk; bridge: Bridge; phone: Baresip }> => {
    const acceptFrom = `[${address.asterisk}/32, ${address.baresip}/32]`;
    const pbx = { pbx: address.baresip, acceptFrom, to: '100' };
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, pbx);
    return { asterisk, bridge, phone: await startPhone(scene, '100') };
  };

  it.each(['USER_INITIATED', 'BUSINESS_INITIATED'] as const)('blind, of a call that is %s', async (direction) => {
    const { asterisk, bridge, phone } = await start();
    const call = await established(direction, bridge, phone);
    await listenFor(1_000);
    await phone.command('transfer', `sip:641@${address.asterisk}:5060`);
    await phone.event('CALL_CLOSED', 5_000);
    await listenFor(1_500);
    await bridge.meta.userHangsUp(direction);
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTones((await call.judge()).heard, [
      { hz: phoneToneHz, atLeastMs: 600 },
      { ...tone, atLeastMs: 600 },
    ]);
    expectTones(await phone.heard(), [{ hz: userToneHz, atLeastMs: 600 }]);
    expectTone(await asterisk.heard(), userToneHz, 700);
    expect(bridge.complaints).toEqual([]);
  });

  it.each(['USER_INITIATED', 'BUSINESS_INITIATED'] as const)('attended, of a call that is %s', async (direction) => {
    const { asterisk, bridge, phone } = await start();
    await asterisk.logSip();
    const call = await established(direction, bridge, phone);
    await listenFor(1_000);
    const seen = phone.seen;
    await phone.command('dial', `sip:620@${address.asterisk}:${phonesPort}`);
    const { id = '' } = await phone.event('CALL_ESTABLISHED', 5_000, seen);
    const consulted = await asterisk.channel('PJSIP/100');
    const [local, remote] = await Promise.all(
      ['local_tag', 'remote_tag'].map((name) => asterisk.valueOf(consulted, `CHANNEL(pjsip,${name})`)),
    );
    await listenFor(1_000);
    await phone.command('line', '1');
    const replaces = encodeURIComponent(`${id};to-tag=${local ?? ''};from-tag=${remote ?? ''}`);
    await phone.command('transfer', `<sip:620@${address.asterisk}:5060?Replaces=${replaces}>`);
    await until('the consultation is over', 5_000, async () =>
      (await asterisk.ami.command('core show channels concise')).includes('PJSIP/100-') ? undefined : true,
    );
    await listenFor(1_500);
    await bridge.meta.userHangsUp(direction);
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTones((await call.judge()).heard, [
      { hz: phoneToneHz, atLeastMs: 600 },
      { hz: userToneHz, atLeastMs: 600 },
    ]);
    // Asterisk's extension heard the phone first, then the user; each had sent back what it heard
    expectTones(await asterisk.heard(), [
      { hz: phoneToneHz, atLeastMs: 600 },
      { hz: userToneHz, atLeastMs: 600 },
    ]);
    expect(asterisk.log()).toMatch(/^Replaces: /m);
    expect(bridge.complaints).toEqual([]);
  });

  const established = async (
    direction: 'USER_INITIATED' | 'BUSINESS_INITIATED',
    bridge: Bridge,
    phone: Baresip,
  ): Promise<WhatsAppCall> => {
    const isOurs = direction === 'USER_INITIATED';
    const call = isOurs ? await WhatsAppCall.fromUser(scene, bridge) : await WhatsAppCall.toUser(scene, bridge);
    if (isOurs) await call.accepted();
    else {
      await phone.command('dial', `sip:+${user}@${address.bridge}:5060`);
      await call.ringsAndPicksUp();
    }
    await phone.event('CALL_ESTABLISHED', 5_000);
    return call;
  };
});

describe('baresip over TLS with SDES', () => {
  const tls = { pbx: address.baresip, transport: 'tls', trunk: 'srtp: required' } as const;
  const encrypted = { tls: true, mediaenc: 'srtp-mand' };

  it('takes a user-initiated call', async () => {
    const bridge = await Bridge.start(scene, tls);
    const phone = await startPhone(scene, trunkUser, encrypted);
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_500);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, phoneToneHz, 700);
    expectTone(await phone.heard(), userToneHz, 700);
    expect(bridge.complaints).toEqual([]);
  });

  it('places a business-initiated call', async () => {
    const bridge = await Bridge.start(scene, tls);
    const phone = await startPhone(scene, trunkUser, encrypted);
    const call = await WhatsAppCall.toUser(scene, bridge);
    await phone.command('dial', `sip:+${user}@${address.bridge}:5061;transport=tls`);
    await call.ringsAndPicksUp();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_500);
    await bridge.meta.userHangsUp('BUSINESS_INITIATED');
    await phone.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, phoneToneHz, 700);
    expectTone(await phone.heard(), userToneHz, 700);
    expect(bridge.complaints).toEqual([]);
  });
});
