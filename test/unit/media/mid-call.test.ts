import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gaps, levelDbfs, strongestHz, toneLoss } from '../../../src/sandbox/audio/measure.js';
import { MidCallScene, pbxHz, userHz, type PbxStream } from '../../support/mid-call-scene.js';

let scene: MidCallScene;
beforeEach(async () => {
  scene = await MidCallScene.talking();
});
afterEach(() => scene.close());

/** One stream towards Meta, a packet every 20 ms: it cannot tell that anything happened. */
function expectOneStreamToMeta(): void {
  const { out } = scene.whatsApp;
  const first = out[0]!;
  out.forEach((packet, i) => {
    expect(packet.sequence).toBe((first.sequence + i) & 0xffff);
    expect(packet.timestamp).toBe((first.timestamp + i * 960) >>> 0);
  });
  expect(Math.max(...out.slice(1).map(({ atMs }, i) => atMs - out[i]!.atMs))).toBeLessThanOrEqual(40);
}

/** One stream towards the PBX: numbers and SSRC go on, whatever the payload type. */
function expectOneStreamToPbx(): void {
  const { sent } = scene.wire;
  expect(new Set(sent.map(({ ssrc }) => ssrc)).size).toBe(1);
  sent.forEach(({ sequence }, i) => expect(sequence).toBe((sent[0]!.sequence + i) & 0xffff));
}

const mark = (): number => scene.whatsApp.out.length;
/** Of the tone from a mark on, how much is missing, in milliseconds. */
const lostMs = (from: number): number => {
  const heard = scene.atWhatsApp(from);
  return toneLoss(heard, pbxHz) * (heard.samples.length / 8);
};

describe('hold', () => {
  it.each([
    ['sendonly', { direction: 'sendonly' }, 'recvonly'],
    ['inactive', { direction: 'inactive' }, 'inactive'],
    ['0.0.0.0', { connection: 'IN IP4 0.0.0.0' }, 'recvonly'],
    ['0.0.0.0 and inactive', { connection: 'IN IP4 0.0.0.0', direction: 'inactive' }, 'inactive'],
    ['::', { connection: 'IN IP6 ::' }, 'recvonly'],
  ])('by %s: nothing goes to the PBX, WhatsApp is fed, and both talk on afterwards', async (_how, offer, direction) => {
    expect(await scene.reoffer(offer)).toContain(`a=${direction}\r\n`);
    const [sentBefore, heldAt] = [scene.wire.sent.length, mark()];
    scene.talk(2000, { pbx: false });
    expect(scene.wire.sent.length).toBe(sentBefore);
    const silence = scene.atWhatsApp(heldAt + 5);
    expect(silence.samples.length).toBeGreaterThan(1800 * 8);
    expect(levelDbfs(silence)).toBeLessThan(-50);
    expect(await scene.reoffer()).toContain('a=sendrecv\r\n');
    const resumedAt = mark();
    scene.talk(1000);
    expect(lostMs(resumedAt)).toBeLessThanOrEqual(100);
    expect(toneLoss(scene.atPbx(sentBefore), userHz)).toBeLessThan(0.1);
    expect(scene.wire.sent[sentBefore]).toMatchObject({ marker: true, to: '192.0.2.10:4000' });
    expectOneStreamToMeta();
    expectOneStreamToPbx();
  });

  it('with music: the user hears it, from the first packet to the last', async () => {
    await scene.reoffer({ direction: 'sendonly' });
    const [heldAt, sentBefore] = [mark(), scene.wire.sent.length];
    scene.talk(2000);
    const music = scene.atWhatsApp(heldAt);
    expect(strongestHz(music)).toBeCloseTo(pbxHz, -1);
    expect(toneLoss(music, pbxHz)).toBe(0);
    expect(scene.wire.sent.length).toBe(sentBefore);
    await scene.reoffer();
    scene.talk(500);
    expect(gaps(scene.atWhatsApp(heldAt))).toEqual([]);
    expectOneStreamToMeta();
  });

  it('with music from another machine than the call: it is heard, and the old one is not', async () => {
    const call = { ...scene.pbx };
    Object.assign(scene.pbx, { address: '192.0.2.20', port: 5000, ssrc: 0x777, timestamp: 999_000 });
    await scene.reoffer({ direction: 'sendonly' });
    const heldAt = mark();
    scene.talk(1000);
    expect(lostMs(heldAt)).toBeLessThanOrEqual(100);
    const foreign = scene.endpoint.foreignPackets;
    scene.pbxSays({ address: call.address, port: call.port });
    expect(scene.endpoint.foreignPackets).toBe(foreign + 1);
    Object.assign(scene.pbx, call, { timestamp: 40_000 });
    await scene.reoffer();
    const resumedAt = mark();
    scene.talk(1000);
    expect(lostMs(resumedAt)).toBeLessThanOrEqual(100);
    expect(scene.wire.sent.at(-1)!.to).toBe('192.0.2.10:4000');
    expectOneStreamToMeta();
  });

  it('of 40 s with silence does not end the call, and 30 s of silence without a hold does', async () => {
    const timeouts: string[] = [];
    scene.bridge.onTimeout((kind) => timeouts.push(kind));
    await scene.reoffer({ direction: 'sendonly' });
    scene.talk(40_000, { pbx: false });
    expect(timeouts).toEqual([]);
    await scene.reoffer();
    scene.talk(29_000, { pbx: false });
    expect(timeouts).toEqual([]);
    scene.talk(2_000, { pbx: false });
    expect(timeouts).toEqual(['idle']);
  });
});

describe('another codec', () => {
  it.each([
    ['the other law', { law: 'PCMU', payloadType: 0 }],
    ['the same law by another number', { payloadType: 96 }],
    ['the other law by a dynamic number', { law: 'PCMU', payloadType: 97 }],
  ] as const)('%s: not a frame is lost either way, and Meta sees one stream', async (_what, next) => {
    const sentBefore = scene.wire.sent.length;
    const changedAt = mark();
    const old = { law: scene.pbx.law, payloadType: scene.pbx.payloadType } as const;
    Object.assign(scene.pbx, next);
    const answer = await scene.reoffer();
    expect(answer).toContain(`RTP/AVP ${scene.pbx.payloadType} 101`);
    // Packets under way were made before the PBX got our answer.
    for (let i = 0; i < 5; i++) {
      scene.pbxSays(old);
      scene.clock.advance(20);
    }
    scene.talk(1000);
    expect(gaps(scene.atWhatsApp(changedAt - 10))).toEqual([]);
    expect(toneLoss(scene.atWhatsApp(changedAt - 10), pbxHz)).toBe(0);
    const levels = [scene.atWhatsApp(changedAt - 40), scene.atWhatsApp(changedAt + 10)].map(levelDbfs);
    expect(Math.abs(levels[0]! - levels[1]!)).toBeLessThan(1);
    const sent = scene.wire.sent.slice(sentBefore);
    expect(new Set(sent.map(({ payloadType }) => payloadType))).toEqual(new Set([scene.pbx.payloadType]));
    expect(toneLoss(scene.atPbx(sentBefore + 10), userHz)).toBeLessThan(0.05);
    expectOneStreamToMeta();
    expectOneStreamToPbx();
  });

  it('telephone-event by another number: keys of before and after are passed on, each once, both ways', async () => {
    scene.press(1);
    scene.talk(400);
    scene.pbx.eventType = 96;
    await scene.reoffer();
    scene.press(2, 101);
    scene.talk(400);
    scene.press(3);
    scene.talk(400);
    expect(scene.whatsApp.digits.map(({ digit }) => digit)).toEqual(['1', '2', '3']);
    const before = scene.wire.sent.length;
    scene.endpoint.sendDtmf('7', 100);
    scene.talk(400);
    const events = scene.wire.sent.slice(before).filter(({ payloadType }) => payloadType !== scene.pbx.payloadType);
    expect(new Set(events.map(({ payloadType }) => payloadType))).toEqual(new Set([96]));
  });

  it('a number that has a new meaning has only that', async () => {
    const audioBefore = scene.pbx.payloadType;
    scene.pbx.eventType = audioBefore;
    scene.pbx.payloadType = 101;
    await scene.reoffer();
    scene.press(5);
    scene.talk(600);
    expect(scene.whatsApp.digits.map(({ digit }) => digit)).toEqual(['5']);
    expect(toneLoss(scene.atWhatsApp(mark() - 20), pbxHz)).toBe(0);
  });
});

describe('a PBX that moves its media', () => {
  it.each([
    ['to another port', { port: 4010 }],
    ['to another address (direct media)', { address: '192.0.2.30', port: 7000, ssrc: 0x999, timestamp: 5_000_000 }],
  ] as const)('%s is followed at once, and where it was is nobody any more', async (_how, next) => {
    const [old, sentBefore, movedAt] = [{ ...scene.pbx }, scene.wire.sent.length, mark()];
    Object.assign(scene.pbx, next);
    await scene.reoffer();
    scene.talk(1000);
    const target = `${scene.pbx.address}:${scene.pbx.port}`;
    expect(new Set(scene.wire.sent.slice(sentBefore).map(({ to }) => to))).toEqual(new Set([target]));
    expect(lostMs(movedAt)).toBeLessThanOrEqual(100);
    const [foreign, heard] = [scene.endpoint.foreignPackets, scene.endpoint.port.heard];
    for (let i = 0; i < 10; i++) scene.pbxSays({ address: old.address, port: old.port, ssrc: old.ssrc });
    scene.wire.receiveRtcp(Buffer.from([0x81, 201, 0, 1, 0, 0, 0, 1]), old.address, old.port + 1);
    expect(scene.endpoint.foreignPackets - foreign).toBe(11);
    expect(scene.endpoint.port.heard).toBe(heard);
    expectOneStreamToMeta();
    expectOneStreamToPbx();
  });

  it('behind address translation is learnt anew where it moved, and only then', async () => {
    await scene.close();
    scene = await MidCallScene.talking(true);
    const home = { ...scene.pbx };
    // Without a word in the signalling nobody else gets in, whatever they send.
    const before = scene.endpoint.foreignPackets;
    for (let i = 0; i < 20; i++) scene.pbxSays({ port: 4444 });
    expect(scene.endpoint.foreignPackets - before).toBe(20);
    const moved: PbxStream = { ...scene.pbx, address: '10.1.1.1', port: 6000 };
    Object.assign(scene.pbx, moved);
    await scene.reoffer();
    const [sentBefore, movedAt] = [scene.wire.sent.length, mark()];
    Object.assign(scene.pbx, { address: home.address, port: 4444 });
    scene.talk(1000);
    expect(scene.wire.sent.slice(sentBefore).every(({ to }) => to === '192.0.2.10:4444')).toBe(true);
    expect(scene.wire.sent.length - sentBefore).toBeGreaterThan(40);
    expect(lostMs(movedAt)).toBeLessThanOrEqual(100);
  });
});

describe('a stream that changes by itself (F-33)', () => {
  it.each<[string, Partial<PbxStream>]>([
    ['another SSRC, with numbers of its own', { ssrc: 0xbeef, sequence: 9, timestamp: 2_000_000_000 }],
    ['another SSRC, the same time', { ssrc: 0xbeef, sequence: 5000 }],
    ['a timestamp far ahead', { timestamp: 16_000 + 3_000_000 }],
    ['a timestamp half a second ahead', { timestamp: 16_000 + 8000 + 4000 }],
    ['a timestamp far behind', { timestamp: 0xf000_0000 }],
    ['a timestamp half a second behind', { timestamp: 16_000 + 8000 - 4000 }],
    ['a sequence number that starts over', { sequence: 0 }],
    ['a sequence number far ahead', { sequence: 40_000 }],
  ])('%s: no hole of more than 100 ms', (_what, jump) => {
    const at = mark();
    Object.assign(scene.pbx, jump);
    scene.talk(1000);
    expect(lostMs(at)).toBeLessThanOrEqual(100);
    const holes = gaps(scene.atWhatsApp(at - 10)).map(({ lengthMs }) => lengthMs);
    expect(Math.max(0, ...holes)).toBeLessThanOrEqual(100);
    expectOneStreamToMeta();
  });

  it.each<[string, Partial<PbxStream>]>([
    ['sequence numbers', { sequence: 65_530 }],
    ['timestamps', { timestamp: 0xffff_ffff - 800 }],
  ])('%s that wrap are no change at all', (_what, jump) => {
    Object.assign(scene.pbx, jump);
    scene.talk(200);
    const at = mark();
    scene.talk(1000);
    expect(lostMs(at)).toBe(0);
    expect(gaps(scene.atWhatsApp(at - 5))).toEqual([]);
  });
});
