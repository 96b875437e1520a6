import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { RtpStream } from '../../../src/media/rtp-stream.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';
import { WireSockets } from '../../support/wire-sockets.js';

const [address, port, payloadType] = ['192.0.2.10', 4000, 111];
/** Where all packets that were opened lie, one after the other. */
const memory = Buffer.alloc(12 + 4);

function packet(sequence: number, said: string): Buffer {
  writeRtpHeader(memory, payloadType, false, sequence, sequence * 960, 7);
  memory.write(said, 12);
  return memory;
}

function pbxLeg(latch: boolean) {
  const clock = new FakeClock();
  const wire = new WireSockets(() => clock.monotonicMs());
  const stream = new RtpStream({
    ...{ sockets: wire, clock, ids: systemIds, codecs: ['opus'], latch, logger: silentLogger },
    mayLearn: () => true,
    onEvent: () => undefined,
  });
  const agree = (): void =>
    stream.apply({
      ...{ address, port, codec: 'opus', payloadType, clockRate: 48_000, ptimeMs: 20, direction: 'sendrecv' },
      ...{ telephoneEventPayloadType: undefined, rtcpPort: undefined, srtp: undefined },
    });
  const heard: string[] = [];
  const listen = (): void => {
    stream.onAudio = ({ payload }) => heard.push(Buffer.from(payload).toString());
  };
  return { wire, stream, agree, listen, heard };
}

describe('a packet whose memory is used for the next one', () => {
  it('is kept as it was while nobody listens to the PBX', () => {
    const { wire, stream, agree, listen, heard } = pbxLeg(false);
    for (const [i, said] of ['one ', 'two ', 'more'].entries()) wire.receive(packet(i, said), address, port);
    agree();
    packet(9, 'else');
    listen();
    stream.recall();
    expect(heard).toEqual(['one ', 'two ', 'more']);
  });

  it('is kept as it was while the address of the PBX is learnt', () => {
    const { wire, agree, listen, heard } = pbxLeg(true);
    agree();
    listen();
    for (const [i, said] of ['one ', 'two ', 'more'].entries()) wire.receive(packet(i, said), '192.0.2.11', 5000);
    expect(heard).toEqual(['one ', 'two ', 'more']);
  });

  it('is heard as it was by who is told of the first one and has another one opened', () => {
    const stream = new WebRtcStream(new FakeClock());
    const heard: string[] = [];
    stream.negotiate({ formats: [{ codec: 'opus', payloadType, clockRate: 48_000 }] } as unknown as WhatsAppRemote);
    stream.onEvent = () => void packet(2, 'else');
    stream.onAudio = ({ payload }) => heard.push(Buffer.from(payload).toString());
    stream.receive(packet(1, 'one '));
    expect(heard).toEqual(['one ']);
  });
});
