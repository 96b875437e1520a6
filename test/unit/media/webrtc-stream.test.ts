import { RtpHeader, RtpPacket } from 'werift';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';

const remote = {
  formats: [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }],
  telephoneEventPayloadType: 126,
} as unknown as WhatsAppRemote;

function negotiated(): { clock: FakeClock; stream: WebRtcStream; receive: (sequence: number, type?: number) => void } {
  const clock = new FakeClock();
  const stream = new WebRtcStream(clock);
  stream.negotiate(remote);
  const receive = (sequence: number, payloadType = 111): void => {
    const header = new RtpHeader({ sequenceNumber: sequence, timestamp: sequence * 960, payloadType, ssrc: 7 });
    stream.receive(new RtpPacket(header, Buffer.of(sequence)).serialize());
    clock.advance(20);
  };
  return { clock, stream, receive };
}

describe('stream from and to WhatsApp, before it is bridged', () => {
  it("keeps the user's first words that are faster than the webhook, audio only, and hands them over once", () => {
    const { stream, receive } = negotiated();
    for (const sequence of [1, 2, 3]) receive(sequence);
    receive(4, 126);
    const heard: number[] = [];
    stream.onAudio = ({ payload }) => heard.push(payload[0] ?? -1);
    stream.recall?.();
    stream.recall?.();
    receive(5);
    expect(heard).toEqual([1, 2, 3, 5]);
  });

  it('keeps 60 ms of a stream that has been there for long', () => {
    const { stream, receive } = negotiated();
    for (let sequence = 1; sequence <= 100; sequence++) receive(sequence);
    const heard: number[] = [];
    stream.onAudio = ({ payload }) => heard.push(payload[0] ?? -1);
    stream.recall?.();
    expect(heard).toEqual([98, 99, 100]);
  });

  it('says that it sends from its start to its end', () => {
    const { stream } = negotiated();
    const seen = [stream.sending];
    stream.start({ sendRtp: () => undefined, sendRtcp: () => undefined });
    seen.push(stream.sending);
    stream.stop(false);
    seen.push(stream.sending);
    expect(seen).toEqual([false, true, false]);
  });
});
