import { randomBytes } from 'node:crypto';
import { ProtectionProfileAes128CmHmacSha1_80, RtpHeader, SrtpSession } from 'werift';
import { expect, it } from 'vitest';
import { correctRollover } from '../../../src/media/werift-rollover.js';

function pair(): { sender: SrtpSession; receiver: SrtpSession } {
  const [localMasterKey, localMasterSalt] = [randomBytes(16), randomBytes(14)];
  const [remoteMasterKey, remoteMasterSalt] = [randomBytes(16), randomBytes(14)];
  const profile = ProtectionProfileAes128CmHmacSha1_80;
  return {
    sender: new SrtpSession({ keys: { localMasterKey, localMasterSalt, remoteMasterKey, remoteMasterSalt }, profile }),
    receiver: new SrtpSession({
      keys: {
        localMasterKey: remoteMasterKey,
        localMasterSalt: remoteMasterSalt,
        remoteMasterKey: localMasterKey,
        remoteMasterSalt: localMasterSalt,
      },
      profile,
    }),
  };
}

/** Protects `count` packets in order, from sequence number `first` on. */
function protectedPackets(sender: SrtpSession, first: number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const header = new RtpHeader({
      payloadType: 111,
      sequenceNumber: (first + i) & 0xffff,
      timestamp: i * 960,
      ssrc: 5,
    });
    return sender.encrypt(Buffer.from([i >> 8, i & 0xff]), header);
  });
}

function decrypts(receiver: SrtpSession, packet: Buffer): boolean {
  try {
    receiver.decrypt(packet);
    return true;
  } catch {
    return false;
  }
}

it.each([
  ['without a gap', 0],
  ['with a gap of 99', 99],
  ['with a gap of 150', 150],
  ['with a gap of 5000', 5000],
  ['with a gap of 30 000', 30_000],
])('goes on over the wrap %s', (_what, gap) => {
  const { sender, receiver } = pair();
  correctRollover(receiver);
  const packets = protectedPackets(sender, 65_526, 10 + gap + 20);
  const arriving = [...packets.slice(0, 10), ...packets.slice(10 + gap)];
  expect(arriving.map((packet) => decrypts(receiver, packet))).toEqual(arriving.map(() => true));
});

it('reads packets that changed places at the wrap', () => {
  const { sender, receiver } = pair();
  correctRollover(receiver);
  const packets = protectedPackets(sender, 65_530, 12);
  const order = [0, 1, 2, 7, 3, 8, 4, 5, 6, 11, 9, 10];
  expect(order.map((i) => decrypts(receiver, packets[i]!))).toEqual(order.map(() => true));
});

it('is not led astray by forged packets', () => {
  const { sender, receiver } = pair();
  correctRollover(receiver);
  const packets = protectedPackets(sender, 65_500, 100);
  for (const [i, packet] of packets.entries()) {
    const forged = Buffer.from(packet);
    forged.writeUInt16BE((i * 7919) & 0xffff, 2);
    expect(decrypts(receiver, forged)).toBe(false);
    expect(decrypts(receiver, packet)).toBe(true);
  }
});

it('is still needed: werift alone loses the stream', () => {
  const { sender, receiver } = pair();
  const packets = protectedPackets(sender, 65_526, 10 + 150 + 20);
  const arriving = [...packets.slice(0, 10), ...packets.slice(160)];
  expect(arriving.filter((packet) => decrypts(receiver, packet))).toHaveLength(10);
});
