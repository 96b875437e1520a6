import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/lib/deadline.js';
import type { PhoneCall } from '../../src/sandbox/phone/phone-call.js';
import { address } from '../support/peers/addresses.js';
import { Asterisk, tone as asteriskTone } from '../support/peers/asterisk.js';
import { startPhone } from '../support/peers/asterisk-scene.js';
import type { Baresip } from '../support/peers/baresip.js';
import type { BridgeOptions } from '../support/peers/bridge.js';
import { expectTones, type ExpectedTone } from '../support/peers/hearing.js';
import { business, user } from '../support/peers/meta.js';
import { heardBy, say, startWithSandbox, type SandboxSide } from '../support/peers/sandbox-scene.js';
import { Scene } from '../support/peers/scene.js';
import type { Sound } from '../support/peers/wav.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

/** A tone that every telephone has, and one that needs a wide band. */
const userHz = [1300, 5200];
const phoneHz = [700, 4600];
const eachMs = 1_500;
/** libwebrtc stretches the first second of what it hears, and a busy machine makes holes. */
const leastMs = 400;

/** Two tones one after the other, at half scale, over and over. */
function twoTones(rateHz: number): Sound {
  const length = (rateHz * eachMs) / 1000;
  const samples = new Float64Array(2 * length);
  samples.forEach((_, i) => {
    samples[i] = 0.5 * Math.sin((2 * Math.PI * (phoneHz[i < length ? 0 : 1] ?? 0) * i) / rateHz);
  });
  return { rateHz, samples };
}

interface Way {
  readonly codec: 'G722' | 'opus';
  /** As Asterisk's `allow` has it. */
  readonly asterisk: string;
  readonly baresip: string;
  readonly rateHz: number;
  /** How near the level has to be: what is handed on as it came is not changed by us, what is transcoded by up to 3 dB. */
  readonly withinDb: number;
}

const ways: readonly Way[] = [
  { codec: 'G722', asterisk: 'g722', baresip: 'g722/16000/1', rateHz: 16_000, withinDb: 3 },
  { codec: 'opus', asterisk: 'opus', baresip: 'opus/48000/1', rateHz: 48_000, withinDb: 1 },
];

describe.each(ways)('a trunk with $codec', ({ codec, asterisk: allow, baresip, rateHz, withinDb }) => {
  const codecs = `[${codec}]`;
  const heardTones = (frequencies: readonly number[]): ExpectedTone[] =>
    frequencies.map((hz) => ({ hz, withinDb, atLeastMs: leastMs }));

  const startAsterisk = async (options: Partial<BridgeOptions>): Promise<SandboxSide & { asterisk: Asterisk }> => {
    const side = await startWithSandbox(scene, { pbx: address.asterisk, codecs, ...options });
    const place = { address: address.asterisk, trunk: address.bridge, folder: scene.path('asterisk') };
    const changes = { 'sip2wa/endpoint': { allow } };
    return { ...side, asterisk: scene.add(await Asterisk.start({ ...place, changes })) };
  };
  const startBaresip = async (): Promise<SandboxSide & { pbx: Baresip }> => {
    const side = await startWithSandbox(scene, { pbx: address.baresip, codecs });
    const options = { codecs: baresip, play: twoTones(rateHz) };
    return { ...side, pbx: await startPhone(scene, `+${business.number}`, options) };
  };
  const expectNoComplaints = ({ bridge }: SandboxSide, call: PhoneCall): void => {
    expect(bridge.complaints).toEqual([]);
    expect(call.packetsBeforeAnswer).toBe(0);
  };

  it('and Asterisk: the user calls and hears herself, in the wide band', async () => {
    const side = await startAsterisk({ to: '624' });
    const { asterisk, bridge, phone } = side;
    const call = await phone.call();
    await say(call, userHz, eachMs);
    call.hangup();
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTones(await asterisk.heard('wide'), heardTones(userHz));
    expectTones(heardBy(call), heardTones(userHz));
    expectNoComplaints(side, call);
  });

  it('and Asterisk: the user is called, both hear the other', async () => {
    const side = await startAsterisk({});
    const { asterisk, bridge, phone } = side;
    await asterisk.callOut(`00${user}`);
    const call = await phone.nextCall(10_000);
    await call.accept();
    await say(call, userHz.slice(0, 1), eachMs);
    await asterisk.hangupAll();
    await withDeadline(call.ended, 5_000, 'the end of the call');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTones(await asterisk.heard(), heardTones(userHz.slice(0, 1)));
    expectTones(heardBy(call), [{ ...asteriskTone, withinDb, atLeastMs: leastMs }]);
    expectNoComplaints(side, call);
  });

  /** The phone's two tones come round and round. */
  const expectBothHeard = async (call: PhoneCall, pbx: Baresip): Promise<void> => {
    expectTones(await pbx.heard(), heardTones(userHz));
    for (const hz of phoneHz) expectTones(heardBy(call), [{ hz, withinDb, atLeastMs: leastMs }]);
  };

  it('and baresip: the user calls, both hear the other in the wide band', async () => {
    const side = await startBaresip();
    const { bridge, phone, pbx } = side;
    const call = await phone.call();
    await say(call, userHz, eachMs);
    await pbx.command('hangup');
    await withDeadline(call.ended, 5_000, 'the end of the call');
    await bridge.idle(5_000);
    await expectBothHeard(call, pbx);
    expectNoComplaints(side, call);
  });

  it('and baresip: the user is called, both hear the other in the wide band', async () => {
    const side = await startBaresip();
    const { bridge, phone, pbx } = side;
    await pbx.command('dial', `sip:+${user}@${address.bridge}:5060`);
    const call = await phone.nextCall(10_000);
    await call.accept();
    await say(call, userHz, eachMs);
    call.hangup();
    await pbx.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    await expectBothHeard(call, pbx);
    expectNoComplaints(side, call);
  });
});
