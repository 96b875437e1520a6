import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { FakePacketPort, whatsAppAudio } from '../../support/packet-ports.js';

/** A frame of Opus: 20 ms, SILK. */
const opus = (i: number): Uint8Array => Uint8Array.of(0x08, i);

function scene() {
  const clock = new FakeClock();
  let looks = 0;
  const counting = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    after: (ms: number, callback: () => void) => clock.after(ms, () => (looks++, callback())),
  };
  const [whatsApp, pbx] = [new FakePacketPort(whatsAppAudio), new FakePacketPort(whatsAppAudio)];
  const portOf = (id: string): FakePacketPort => (id === 'wa' ? whatsApp : pbx);
  const bridge = new TranscodingBridge({ portOf, codecs: standardCodecs(), clock: counting, logger: silentLogger });
  bridge.connect('wa', 'pbx');
  const show = (i: number): void =>
    whatsApp.onAudio?.({ sequence: i, timestamp: i * 960, marker: false, payload: opus(i) });
  const run = (from: number, to: number, lost: readonly number[] = []): void => {
    for (let i = from; i < to; i++) {
      if (!lost.includes(i)) show(i);
      clock.advance(20);
    }
  };
  return { clock, bridge, pbx, run, show, looked: () => looks };
}

describe('a bridge through which Opus passes as it is', () => {
  it('looks ten times a second while nothing waits, instead of fifty', () => {
    const { run, looked } = scene();
    run(0, 10);
    const before = looked();
    run(10, 60);
    expect(looked() - before).toBeGreaterThanOrEqual(9);
    expect(looked() - before).toBeLessThanOrEqual(11);
  });

  it('wakes for what waits behind a gap, and rests again', () => {
    const { clock, run, show, pbx, looked } = scene();
    run(0, 10);
    const played = pbx.sent.length;
    // 10 is lost; nothing comes behind 11.
    clock.advance(20);
    show(11);
    expect(pbx.sent).toHaveLength(played);
    clock.advance(60);
    expect(pbx.sent).toHaveLength(played + 1);
    run(14, 20);
    const before = looked();
    run(20, 70);
    expect(looked() - before).toBeLessThanOrEqual(11);
  });
});
