import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { startPhone, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import type { Asterisk } from '../support/peers/asterisk.js';
import { Bridge } from '../support/peers/bridge.js';
import { digitsIn, type Digit } from '../support/peers/digits.js';
import { expectKeys } from '../support/peers/hearing.js';
import { business } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor, until } from '../support/peers/until.js';
import { WhatsAppCall } from '../support/peers/whatsapp-call.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

const keys = '0123456789*#';
/** What extension 630 asks for. */
const asteriskPressMs = 160;
const userPressMs = 200;

/** The keys that Asterisk was told of through the trunk, once they are all there. */
async function heardByAsterisk(asterisk: Asterisk): Promise<Digit[]> {
  const channel = await asterisk.channel('PJSIP/sip2wa');
  const ends = await until('all keys at Asterisk', 15_000, () => {
    const all = asterisk.ami.all({ Event: 'DTMFEnd', Direction: 'Received', Channel: channel });
    return all.length >= keys.length ? all : undefined;
  });
  return ends.map(({ Digit: digit = '', DurationMs }) => ({ digit, durationMs: Number(DurationMs) }));
}

// Keys as SIP INFO, and as tones in the audio: what the trunk says is what both sides do, whatever WhatsApp's side has (RFC 4733).
describe.each([
  // The wire says how long: Asterisk's 160 ms, and ours.
  { mode: 'info', toUserMs: 20, toPbxMs: 20 },
  // Ears judge by windows, on both sides; Asterisk's by 12.75 ms, its end of a tone by two of them.
  { mode: 'inband', toUserMs: 40, toPbxMs: 60 },
])('a trunk with dtmf: $mode', ({ mode, toUserMs, toPbxMs }) => {
  const trunk = `dtmf: ${mode}`;

  it('carries every key both ways with Asterisk, each once and as long as it was pressed', async () => {
    const changes = { 'sip2wa/endpoint': { dtmf_mode: mode } };
    const { asterisk, bridge } = await startWithAsterisk(scene, { changes }, { to: '630', trunk });
    await asterisk.logSip();
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    const heardByUser = await call.relay.pressed(keys.length, 15_000);
    call.relay.press(keys, userPressMs);
    const atAsterisk = await heardByAsterisk(asterisk);
    await listenFor(1_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectKeys(heardByUser, keys, asteriskPressMs, toUserMs);
    expectKeys(atAsterisk, keys, userPressMs, toPbxMs);
    const { heard, stats } = await call.judge();
    expect(stats.events).toBe(keys.length);
    // What is told as an event is not heard as a tone as well.
    expect(digitsIn(heard)).toEqual([]);
    // Tones that Asterisk recognises it mutes, but for their beginning.
    if (mode === 'info') expect(digitsIn(await asterisk.heard())).toEqual([]);
    expect(/^INFO sip:/m.test(asterisk.log())).toBe(mode === 'info');
    expect(asterisk.log()).not.toContain('telephone-event');
    expect(bridge.complaints).toEqual([]);
  });

  // baresip 1.0 says its own keys by RTP events alone, for which such a trunk has no place.
  it('carries every key to baresip', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.baresip, trunk });
    const phone = await startPhone(scene, `+${business.number}`);
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await phone.event('CALL_ESTABLISHED', 5_000);
    call.relay.press(keys, userPressMs);
    if (mode === 'info') expect(await phone.pressed(keys.length, 10_000)).toBe(keys);
    // twelve keys and the pauses between them
    else await listenFor(keys.length * (userPressMs + 100) + 500);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    const tones = digitsIn(await phone.heard());
    if (mode === 'inband') expectKeys(tones, keys, userPressMs, 40);
    else expect(tones).toEqual([]);
    expect(bridge.complaints).toEqual([]);
  });
});
