import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import type { PacketPort } from '../../../src/media/packet-port.js';
import { parseRtcp } from '../../../src/media/rtcp-packet.js';
import { emptyRtpFields, parseRtp, sequenceDelta, timestampDelta } from '../../../src/media/rtp-packet.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';
import { FakePacketPort, g711Audio } from '../../support/packet-ports.js';
import { runsOf } from '../../support/runs.js';

const { runs, timeoutMs } = runsOf(25, 60_000);
const remote = {
  formats: [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }],
  telephoneEventPayloadType: 126,
} as unknown as WhatsAppRemote;

/** What the PBX side does, for so many 20 ms frames. */
const scene = fc.array(
  fc.record({
    what: fc.constantFrom('talk', 'hold', 'transfer', 'part', 'key', 'otherLaw', 'otherSource'),
    frames: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 12 },
);

interface Sent {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payloadType: number;
  readonly atMs: number;
}

describe('what Meta gets', { timeout: timeoutMs }, () => {
  it('is one SSRC, no gap in its numbers and a packet every 20 ms, whatever the PBX does', () => {
    fc.assert(
      fc.property(scene, (acts) => {
        const clock = new FakeClock();
        const stream = new WebRtcStream(clock);
        stream.negotiate(remote);
        const sent: Sent[] = [];
        const reports: number[] = [];
        const fields = emptyRtpFields();
        stream.start({
          sendRtp: (packet: Buffer) => {
            expect(parseRtp(packet, fields)).toBe(true);
            sent.push({ ...fields, atMs: clock.monotonicMs() });
          },
          sendRtcp: (compound: Buffer) => {
            expect(parseRtcp(compound)?.sender?.ssrc).toBe(stream.ssrc);
            reports.push(clock.monotonicMs());
          },
        });
        const pbxs: FakePacketPort[] = [new FakePacketPort(g711Audio('PCMA'))];
        const ports = (id: string): PacketPort | undefined => (id === 'wa' ? stream : pbxs[Number(id)]);
        const bridge = new TranscodingBridge({ portOf: ports, codecs: standardCodecs(), clock, logger: silentLogger });
        bridge.connect('wa', '0');
        let [count, base] = [0, 0];
        for (const { what, frames } of acts) {
          const pbx = pbxs.at(-1)!;
          if (what === 'transfer') {
            pbxs.push(new FakePacketPort(g711Audio('PCMU')));
            bridge.connect('wa', String(pbxs.length - 1));
          } else if (what === 'part') bridge.disconnect();
          else if (what === 'key') pbx.receiveEvent(count * 160, 5, 800, true);
          else if (what === 'otherLaw') pbx.audio = g711Audio(pbx.audio?.codec === 'PCMA' ? 'PCMU' : 'PCMA');
          else if (what === 'otherSource') base = (base + 1_234_567) >>> 0;
          if (what !== 'part') bridge.connect('wa', String(pbxs.length - 1));
          for (let i = 0; i < frames; i++, count++) {
            if (what !== 'hold') pbxs.at(-1)!.receive(count + base, count * 160 + base, new Uint8Array(160).fill(0x55));
            clock.advance(20);
          }
        }
        bridge.disconnect();
        stream.stop(false);
        const [first] = sent;
        expect(first).toMatchObject({ atMs: 0, payloadType: 111 });
        for (const [i, packet] of sent.entries()) {
          const before = sent[i - 1];
          expect(packet.ssrc).toBe(stream.ssrc);
          if (!before) continue;
          expect(sequenceDelta(before.sequence, packet.sequence)).toBe(1);
          // Frames may come early by a few, never late: F-33 bears 100 ms.
          expect(packet.atMs - before.atMs).toBeLessThanOrEqual(100);
          if (before.payloadType === 111 && packet.payloadType === 111) {
            expect(timestampDelta(before.timestamp, packet.timestamp)).toBe(960);
          }
        }
        const elapsed = clock.monotonicMs() / 20;
        const slots = timestampDelta(first?.timestamp ?? 0, sent.at(-1)?.timestamp ?? 0) / 960;
        expect(Math.abs(slots - elapsed)).toBeLessThanOrEqual(8);
        expect(reports).toEqual(reports.map((_, i) => i * 5000));
        expect(clock.armed).toBe(0);
      }),
      { numRuns: runs },
    );
  });
});
