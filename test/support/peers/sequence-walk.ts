import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { Dice } from '../dice.js';

const ssrc = 0x5eed_cafe;
const cycle = 0x1_0000;
const rowLength = 8;
const csrc = Buffer.of(1, 2, 3, 4);
/** One-byte header extension (RFC 8285) with an audio level. */
const extension = Buffer.of(0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0);

/**
 * Plain RTP packets of one stream whose sequence numbers wrap again and again, by single steps and by gaps of so many packets:
 * each wrap is crossed by one or the other. Lengths, CSRCs, header extensions and content vary by the seed.
 */
export function sequenceWalk(count: number, gap: number, seed = 11): Buffer[] {
  const dice = new Dice(seed);
  const packets: Buffer[] = [];
  for (let index = cycle - 40; packets.length < count;) {
    packets.push(packetAt(index, dice));
    index = packets.length % rowLength === 0 ? behindRow(index, gap) : index + 1;
  }
  return packets;
}

/** A gap, but for every other wrap, which the next row crosses in its middle. */
function behindRow(index: number, gap: number): number {
  const wrap = (Math.floor(index / cycle) + 1) * cycle;
  const isSingleStep = (wrap / cycle) % 2 === 0 && index + gap >= wrap;
  return isSingleStep ? Math.max(index + 1, wrap - rowLength / 2) : index + gap;
}

function packetAt(index: number, dice: Dice): Buffer {
  const [hasSource, hasExtension] = [dice.next() < 0.2, dice.next() < 0.2];
  const header = Buffer.alloc(12);
  writeRtpHeader(header, 8, dice.next() < 0.1, index % cycle, (index * 160) >>> 0, ssrc);
  header[0] = 0x80 | (hasSource ? 1 : 0) | (hasExtension ? 0x10 : 0);
  const payload = Buffer.from(Array.from({ length: dice.int(400) }, () => dice.int(256)));
  return Buffer.concat([header, ...(hasSource ? [csrc] : []), ...(hasExtension ? [extension] : []), payload]);
}

/** How often the sequence numbers of a walk wrapped, by how far they went on in the step that did it. */
export function wrapsOf(packets: readonly Buffer[]): number[] {
  return packets.slice(1).flatMap((packet, i) => {
    const [before, now] = [packets[i]?.readUInt16BE(2) ?? 0, packet.readUInt16BE(2)];
    return now < before ? [now + cycle - before] : [];
  });
}
