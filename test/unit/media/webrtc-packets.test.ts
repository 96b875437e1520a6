import { RtpPacket, SrtcpSession, SrtpSession } from 'werift';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { buildRtcp } from '../../../src/media/rtcp-packet.js';
import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { OwnPackets } from '../../../src/media/webrtc-packets.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';
import { testKey } from '../../support/srtp-keys.js';

const suite = 'AES_CM_128_HMAC_SHA1_80';
const [local, remote] = [testKey(suite, 0x11), testKey(suite, 0x22)];
const keysOf = (ours: typeof local, theirs: typeof local) => ({
  localMasterKey: ours.masterKey,
  localMasterSalt: ours.masterSalt,
  remoteMasterKey: theirs.masterKey,
  remoteMasterSalt: theirs.masterSalt,
});
/** werift's SRTP at the peer's end. */
const peerConfig = { keys: keysOf(remote, local), profile: 1 } as const;

function rtp(sequence: number, text = `frame ${sequence}`): Buffer {
  const packet = Buffer.alloc(12 + text.length);
  writeRtpHeader(packet, 111, false, sequence & 0xffff, (sequence * 960) >>> 0, 7);
  packet.write(text, 12);
  return packet;
}

describe('packets by our own SRTP, and werift at the other end', () => {
  let wire: Buffer[];
  let heard: Buffer[];
  let packets: OwnPackets;
  let peer: SrtpSession;
  const sealedByPeer = (packet: Buffer): Buffer => {
    const { header, payload } = RtpPacket.deSerialize(packet);
    return peer.encrypt(payload, header);
  };

  beforeEach(() => {
    [wire, heard] = [[], []];
    const hear = (packet: Buffer): number => heard.push(Buffer.from(packet));
    packets = new OwnPackets(
      { local, remote },
      { receive: hear, receiveReport: hear },
      { send: (sent) => wire.push(Buffer.from(sent)) },
    );
    peer = new SrtpSession(peerConfig);
  });

  it('are the same bytes as werift makes of them, over a wrap of the sequence numbers', () => {
    const twin = new SrtpSession({ keys: keysOf(local, remote), profile: 1 });
    for (let sequence = 65_500; sequence < 65_600; sequence++) packets.sendRtp(rtp(sequence));
    const expected = Array.from({ length: 100 }, (_, i) => {
      const { header, payload } = RtpPacket.deSerialize(rtp(65_500 + i));
      return twin.encrypt(payload, header).toString('hex');
    });
    expect(wire.map((datagram) => datagram.toString('hex'))).toEqual(expected);
  });

  it('are understood both ways, reports too', () => {
    packets.sendRtp(rtp(1));
    expect(peer.decrypt(wire[0]!)).toEqual(rtp(1));
    packets.receive(sealedByPeer(rtp(5)));
    const report = buildRtcp({ ssrc: 7, cname: 'somebody', sender: undefined, block: undefined, bye: true });
    packets.receive(new SrtcpSession(peerConfig).encrypt(report));
    expect(heard).toEqual([rtp(5), report]);
    packets.sendRtcp(report);
    expect(new SrtcpSession(peerConfig).decrypt(wire[1]!)).toEqual(report);
  });

  it('are followed over a wrap in which 5,000 of them were lost', () => {
    const sealed = new Map<number, Buffer>();
    for (let sequence = 62_000; sequence < 67_100; sequence++) sealed.set(sequence, sealedByPeer(rtp(sequence)));
    for (const sequence of [62_000, 62_001, 67_001, 67_002]) packets.receive(sealed.get(sequence)!);
    expect(heard).toEqual([62_000, 62_001, 67_001, 67_002].map((sequence) => rtp(sequence)));
  });

  it('are refused when they come again, or were changed, and counted', () => {
    const sealed = sealedByPeer(rtp(1));
    const forged = Buffer.from(sealed);
    forged[20]! ^= 1;
    for (const datagram of [forged, sealed, sealed]) packets.receive(Buffer.from(datagram));
    expect(heard).toEqual([rtp(1)]);
    expect(packets.refused).toEqual({ unauthentic: 1, replayed: 1 });
  });
});

describe('header extensions of the peer', () => {
  it('go no further than the stream: the bridge gets the payload alone', () => {
    const stream = new WebRtcStream(new FakeClock());
    stream.negotiate({
      formats: [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }],
      telephoneEventPayloadType: 126,
    } as unknown as WhatsAppRemote);
    const heard: string[] = [];
    stream.onAudio = ({ payload }) => heard.push(Buffer.from(payload).toString());
    const plain = rtp(1, 'sound');
    const extension = Buffer.from([0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0]);
    const packet = Buffer.concat([plain.subarray(0, 12), extension, plain.subarray(12)]);
    packet[0]! |= 0x10;
    stream.receive(packet);
    expect(heard).toEqual(['sound']);
  });
});
