import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { DtmfOutlet } from '../../../src/media/dtmf-outlet.js';
import type { MediaEndpointEvent } from '../../../src/media/media-engine.js';
import { emptyRtpFields, parseRtp } from '../../../src/media/rtp-packet.js';
import { RtpSender } from '../../../src/media/rtp-sender.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { PbxMedia } from '../../../src/sdp/pbx-sdp.js';
import type { WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';
import { silentLogger } from '../../../src/lib/logger.js';

const flood = 500;
/** What plays when the flood begins, and 3 s of what waits. */
const longestMs = 5000 + 3000;

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

describe('a flood of digits', () => {
  it('for WhatsApp keeps audio away for eight seconds at most, and is told of once', () => {
    const stream = new WebRtcStream(clock);
    const events: MediaEndpointEvent[] = [];
    stream.onEvent = (event) => events.push(event);
    const formats = [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }];
    stream.negotiate({ formats, telephoneEventPayloadType: 126 } as unknown as WhatsAppRemote);
    const eventsAtMs: number[] = [];
    const fields = emptyRtpFields();
    const sendRtp = (datagram: Buffer): void => {
      if (parseRtp(datagram, fields) && fields.payloadType === 126) eventsAtMs.push(clock.monotonicMs());
    };
    stream.start({ sendRtp, sendRtcp: () => undefined });
    clock.advance(200);
    const startMs = clock.monotonicMs();
    for (let i = 0; i < flood; i++) stream.sendDtmf(String(i % 10), 60_000);
    clock.advance(20_000);
    expect(eventsAtMs.at(-1)! - startMs).toBeLessThanOrEqual(longestMs + 100);
    expect(eventsAtMs.length).toBeGreaterThan(0);
    expect(stream.droppedDigits).toBeGreaterThan(flood - 10);
    const troubles = events.filter(({ type }) => type === 'trouble');
    expect(troubles).toEqual([{ type: 'trouble', trouble: { kind: 'digits_dropped' } }]);
    // And the next one is played as ever.
    const before = eventsAtMs.length;
    stream.sendDtmf('5', 100);
    clock.advance(1000);
    expect(eventsAtMs.length).toBe(before + 4 + 3);
    stream.stop(false);
  });

  it.each(['rfc4733', 'inband'] as const)('for a PBX that takes them as %s, likewise', (mode) => {
    const sentAtMs: number[] = [];
    const sender = new RtpSender(1, 0, 0, () => void sentAtMs.push(clock.monotonicMs()));
    const media = { codec: 'PCMA', clockRate: 8000, ptimeMs: 20, telephoneEventPayloadType: 101 } as PbxMedia;
    let drops = 0;
    const outlet = new DtmfOutlet({
      ...{ mode, clock, sender, logger: silentLogger, codecs: standardCodecs, media: () => media },
      ...{ maySend: () => true, onInfo: () => undefined, onDropped: () => drops++ },
    });
    for (let i = 0; i < flood; i++) outlet.play(String(i % 10), 60_000);
    let tonesMs = 0;
    while (mode === 'inband' && outlet.toneFrame(20)) tonesMs += 20;
    clock.advance(20_000);
    const lastedMs = mode === 'inband' ? tonesMs : sentAtMs.at(-1)! - sentAtMs[0]!;
    expect(lastedMs).toBeGreaterThan(2900);
    expect(lastedMs).toBeLessThanOrEqual(longestMs + 200);
    expect(outlet.dropped).toBeGreaterThan(flood - 10);
    expect(drops).toBe(1);
    outlet.close();
  });
});
