import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datagramKind } from '../../src/media/source-guard.js';
import { FailingCall } from '../support/failing-call.js';
import { LibWebRtcProcess } from '../support/libwebrtc-process.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import type { RelayRule } from '../support/udp-relay.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

/** What each failure needs until its end, on a machine that does other things as well. */
const longestMs = 50_000;
/** A limit, and how late at most it is noticed. */
const within = (limitMs: number, lateMs = 2_000) => ({ least: limitMs - 300, most: limitMs + lateMs });
const expectAfter = (afterMs: number, { least, most }: { least: number; most: number }): void => {
  expect(afterMs).toBeGreaterThanOrEqual(least);
  expect(afterMs).toBeLessThanOrEqual(most);
};

const noMedia = (data: Buffer, way: string): number => (way === 'from_peer' && datagramKind(data) === 'srtp' ? 0 : 1);
const wrongFingerprint = (sdp: string): string =>
  sdp.replace(/(a=fingerprint:sha-256 )\S+/, `$1${Array<string>(32).fill('AB').join(':')}`);

// Failures of media as the whole daemon sees them, by its real time limits: every call fails in its own way at the same time.
describe('a call whose media fails', () => {
  let bridge: ScriptedBridge;
  const calls: { close(): void }[] = [];
  let userKilled: FailingCall<LibWebRtcProcess>;
  let userGone: FailingCall;
  let pbxGone: FailingCall;
  let pbxPauses: FailingCall;
  let userSilent: FailingCall;
  let pbxSilent: FailingCall;
  let closedDtls: FailingCall;
  let noPath: FailingCall;
  let noDtls: FailingCall;
  let foreignCertificate: FailingCall;
  let well: FailingCall;

  beforeAll(async () => {
    bridge = await ScriptedBridge.start({});
    const open = async (id: string, rule?: RelayRule, edit?: (offer: string) => string): Promise<FailingCall> => {
      const call = await FailingCall.open(bridge, id, rule, edit);
      calls.push(call);
      return call;
    };
    const talking = async (id: string): Promise<FailingCall> => {
      const call = await open(id);
      await call.user.reaches('connected');
      call.user.play();
      await call.talk();
      return call;
    };
    userKilled = await FailingCall.openFor(new LibWebRtcProcess(), bridge, 'wacid.user-killed');
    calls.push(userKilled);
    await userKilled.talk();
    userGone = await talking('wacid.user-gone');
    pbxGone = await talking('wacid.pbx-gone');
    pbxPauses = await talking('wacid.pbx-pauses');
    closedDtls = await talking('wacid.dtls-closed');
    well = await talking('wacid.well');
    userSilent = await open('wacid.user-silent', noMedia);
    userSilent.fails(() => userSilent.speak());
    pbxSilent = await open('wacid.pbx-silent');
    pbxSilent.fails(() => pbxSilent.user.play());
    noPath = await open('wacid.path', () => 0);
    noPath.fails();
    noDtls = await open('wacid.dtls', (data) => (datagramKind(data) === 'dtls' ? 0 : 1));
    noDtls.fails();
    foreignCertificate = await open('wacid.certificate', () => 1, wrongFingerprint);
    foreignCertificate.fails();
    userKilled.fails(() => userKilled.user.kill());
    userGone.fails(() => (userGone.path.rule = () => 0));
    pbxGone.fails(() => pbxGone.pbx.close());
    pbxPauses.fails(() => pbxPauses.pbx.hush());
    closedDtls.fails(() => closedDtls.user.close());
  }, longestMs);
  afterAll(async () => {
    for (const call of calls) call.close();
    await bridge.stop();
  });

  it('certificate of somebody else: ends at once (F-27)', async () => {
    const { byeMs, reason, record } = await foreignCertificate.ended(10_000);
    expect(byeMs).toBeLessThan(3_000);
    expect(reason).toContain('cause=41');
    expect(record).toMatchObject({ code: 'media_failed', endedBy: 'a' });
  });

  it('ICE does not come up: ends 8 s after accept (F-26)', async () => {
    const { afterMs, detail } = await noPath.step('media.failed', { from: 'whatsapp' }, longestMs);
    expectAfter(afterMs, within(8_000));
    expect(detail).toMatchObject({ code: 'media_failed', why: 'ICE did not come up in time' });
    const { reason, record } = await noPath.ended(5_000);
    expect(reason).toContain('cause=41');
    expect(record).toMatchObject({ code: 'media_failed', endedBy: 'a' });
  });

  it('DTLS does not come up: ends 8 s after accept (F-27)', async () => {
    const { afterMs, detail } = await noDtls.step('media.failed', { from: 'whatsapp' }, longestMs);
    expectAfter(afterMs, within(8_000));
    expect(detail).toMatchObject({ why: 'DTLS did not come up in time' });
    expect((await noDtls.ended(5_000)).record).toMatchObject({ code: 'media_failed' });
  });

  it('DTLS is closed: said at once, ends when 5 s were silent as well (F-28)', async () => {
    const closed = await closedDtls.step('dtls.closed', { from: 'whatsapp' }, 10_000);
    expect(closed.afterMs).toBeLessThan(1_000);
    const { byeMs, terminateMs, record } = await closedDtls.ended(longestMs);
    expectAfter(byeMs, within(5_000));
    expect(terminateMs).toBeLessThan(8_000);
    // libwebrtc says RTCP BYE as well: 5 s of silence end the call for either, whichever is looked at first.
    expect(['media_failed', 'media_timeout']).toContain(record.code);
  });

  it('audio from one side alone: said after 5 s, and when it is over; ends nothing (F-31)', async () => {
    const said = await pbxPauses.step('media.one_way', { from: 'pbx' }, 15_000);
    expectAfter(said.afterMs, within(5_000));
    expect(said.detail['over']).toBeUndefined();
    pbxPauses.speak();
    await pbxPauses.step('media.one_way', { from: 'pbx', over: true }, 5_000);
    expect(pbxPauses.isUp).toBe(true);
  });

  it.each([
    ['the path to the user', 'whatsapp', () => userGone],
    ['the user’s process, killed,', 'whatsapp', () => userKilled],
    ['the PBX’s side', 'pbx', () => pbxGone],
  ] as const)('%s is gone: noticed within 10 s, both sides told after 30 s (F-29, F-30)', async (_, from, which) => {
    const call = which();
    expectAfter((await call.step('media.one_way', { from }, longestMs)).afterMs, within(5_000));
    expectAfter((await call.step('media.peer_silent', { from }, longestMs)).afterMs, within(8_000));
    const { byeMs, terminateMs, reason, record } = await call.ended(longestMs);
    // Without the user's side ICE has no consent either: whichever of the two is noticed first.
    expectAfter(byeMs, { least: 25_000, most: 33_000 });
    expect(terminateMs).toBeLessThan(34_000);
    expect(reason).toMatch(/cause=(?:41|102)/);
    expect(['media_timeout', 'media_failed']).toContain(record.code);
  });

  it.each([
    ['the user', 'whatsapp', () => userSilent],
    ['the PBX', 'pbx', () => pbxSilent],
  ] as const)('no first packet of %s: both sides told after 20 s (F-29, F-30)', async (_, from, which) => {
    const call = which();
    const { afterMs, detail } = await call.step('media.timeout', { from }, longestMs);
    expectAfter(afterMs, within(20_000, 3_000));
    expect(detail).toMatchObject({ limit: 'first' });
    const { reason, record } = await call.ended(5_000);
    expect(reason).toContain('cause=102');
    expect(record).toMatchObject({ code: 'media_timeout', endedBy: 'bridge' });
  });

  it('beside a call that is well: nothing is said of it, and it goes on', async () => {
    expect(well.isUp).toBe(true);
    expect(well.told).not.toMatch(/media\.(?:one_way|peer_silent|timeout|failed)|dtls\.closed/);
    const [before] = await well.user.stats('inbound-rtp');
    well.pbx.forget();
    const heard = async (): Promise<boolean> => {
      const [now] = await well.user.stats('inbound-rtp');
      const received = Number(now?.['packetsReceived']) - Number(before?.['packetsReceived']);
      return received > 15 && well.pbx.audio.length > 15;
    };
    await until(heard, 'audio both ways', 1_000);
  });
});

describe('a call of the PBX whose media fails while it rings', () => {
  it('certificate of somebody else: 488, and the WhatsApp call is terminated (F-27)', async () => {
    const bridge = await ScriptedBridge.start({});
    const user = new WrtcPeer();
    try {
      bridge.pbxCalls();
      await bridge.step('graph.connect');
      const { sdp } = bridge.session();
      await bridge.deliver(bridge.status('wacid.double-1', 'RINGING'));
      await bridge.deliver(bridge.businessConnect('wacid.double-1', wrongFingerprint(await user.answer(sdp))));
      await bridge.pbx.response(488, 'INVITE');
      expect(await bridge.record()).toMatchObject({ code: 'media_failed', sipStatus: 488 });
      expect(bridge.actions).toEqual(['connect', 'terminate']);
    } finally {
      user.close();
      await bridge.stop();
    }
  });
});
