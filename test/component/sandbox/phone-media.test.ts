import { afterEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/lib/deadline.js';
import { judge, makeProgramme, programmeMs } from '../../../src/sandbox/audio/programme.js';
import { PhoneMedia } from '../../../src/sandbox/phone/phone-media.js';
import { loadWrtc, WrtcMissingError } from '../../../src/sandbox/phone/wrtc.js';
import { businessDress } from './business-dress.js';

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

/** A phone and a plain libwebrtc peer in the daemon's place: its descriptions carry no candidates, as ours do. */
async function pair(): Promise<{ phone: PhoneMedia; peer: PhoneMedia }> {
  const wrtc = await loadWrtc();
  const [phone, peer] = [new PhoneMedia(wrtc), new PhoneMedia(wrtc, businessDress)];
  closers.push(
    () => phone.close(),
    () => peer.close(),
  );
  return { phone, peer };
}

describe('phone media on libwebrtc, dressed as Meta', () => {
  it('user-initiated: the offer has the form of the sample and comes up with an answer that names no address', async () => {
    const { phone, peer } = await pair();
    const offer = await phone.offer();
    expect(offer).toMatch(/^a=ice-lite\r$/m);
    expect(offer.match(/^a=candidate:.*$/gm)).toEqual([
      expect.stringMatching(
        /^a=candidate:\d+ 1 udp 2113937151 127\.0\.0\.1 \d+ typ host generation 0 network-cost 50 ufrag \S+$/,
      ),
    ]);
    expect(offer).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF 111 126\r$/m);
    expect(offer).toMatch(/^a=setup:actpass\r$/m);
    expect(offer).toMatch(/^a=mid:audio\r$/m);
    const answer = await peer.answer(offer);
    expect(answer).not.toContain('a=candidate');
    await phone.acceptAnswer(answer);
    await withDeadline(Promise.all([phone.connected, peer.connected]), 10_000, 'connect');
    expect(phone.times.iceConnectedAtMs).toBeLessThanOrEqual(phone.times.dtlsConnectedAtMs!);
    expect(await phone.packetsReceived()).toBe(0);
  });

  it('business-initiated: answers setup:active and comes up', async () => {
    const { phone, peer } = await pair();
    const answer = await phone.answer(await peer.offer());
    expect(answer).toMatch(/^a=ice-lite\r$/m);
    expect(answer).toMatch(/^a=setup:active\r$/m);
    expect(answer).toMatch(/^a=mid:0\r$/m);
    await peer.acceptAnswer(answer);
    await withDeadline(Promise.all([phone.connected, peer.connected]), 10_000, 'connect');
  });

  it('what is played at one end is measured at the other, both ways', async () => {
    const { phone, peer } = await pair();
    await phone.acceptAnswer(await peer.answer(await phone.offer()));
    await withDeadline(Promise.all([phone.connected, peer.connected]), 10_000, 'connect');
    const up = makeProgramme({ rateHz: 48_000, toneHz: 620, toneMs: 1000, withSpeech: false });
    const down = makeProgramme({ rateHz: 48_000, toneHz: 840, toneMs: 1000, withSpeech: false });
    const [upAt, downAt] = [phone.play(up.pcm), peer.play(down.pcm)];
    phone.openMicrophone();
    peer.openMicrophone();
    await withDeadline(Promise.all([upAt.finished, downAt.finished]), programmeMs(up) + 5000, 'playing');
    await withDeadline(Promise.all([peer.hear(300), phone.hear(300)]), 5000, 'tail');
    const [heardDown, heardUp] = [
      judge(phone.heard(), down, await downAt.started),
      judge(peer.heard(), up, await upAt.started),
    ];
    for (const [heard, hz] of [
      [heardDown, 840],
      [heardUp, 620],
    ] as const) {
      expect(Math.abs(heard.toneHz! - hz)).toBeLessThan(hz * 0.01);
      expect(heard.levelDb).toBeGreaterThan(-13);
      expect(heard.levelDb).toBeLessThan(-6);
      expect(heard.loss).toBeLessThan(0.25); // other tests run beside this one; the demo is where loss is judged
      expect(heard.delayMs!).toBeGreaterThan(0);
      expect(heard.delayMs!).toBeLessThan(450);
    }
  });

  it('presses no keys without a DTMF sender, and says so', async () => {
    const { phone } = await pair();
    expect(phone.sendDtmf('5', 100)).toBe(false);
  });
});

it('a missing optional package is named, with the cure', async () => {
  const failure = await loadWrtc('@roamhq/not-there').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WrtcMissingError);
  expect((failure as Error).message).toMatch(/@roamhq\/wrtc.*npm install/);
});
