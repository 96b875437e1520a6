/*
 * Blocks of the pcapng format (draft-ietf-opsawg-pcapng), little-endian, one section. Each call returns whole blocks, so that a
 * file that ends anywhere between two of them is a good one.
 */

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Packets begin with an IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;
const SNAP_BYTES = 65_535;
const MICROSECONDS = 6;

const OPTION = { comment: 1, userApplication: 4, name: 2, resolution: 9, flags: 2, received: 4, dropped: 5 } as const;

type Option = readonly [code: number, value: Buffer];

const text = (code: number, value: string): Option => [code, Buffer.from(value)];

/** The head of a file: the section, and one interface for each name, in their order from 0 on. */
export function pcapngHead(application: string, interfaces: readonly string[]): Buffer {
  const section = Buffer.alloc(16, 0xff); // the length of the section is not known: all ones
  section.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  section.writeUInt16LE(1, 4);
  section.writeUInt16LE(0, 6);
  return Buffer.concat([
    block(SECTION_HEADER, section, [text(OPTION.userApplication, application)]),
    ...interfaces.map((name) => {
      const fixed = Buffer.alloc(8);
      fixed.writeUInt16LE(LINKTYPE_RAW, 0);
      fixed.writeUInt32LE(SNAP_BYTES, 4);
      return block(INTERFACE_DESCRIPTION, fixed, [
        text(OPTION.name, name),
        [OPTION.resolution, Buffer.of(MICROSECONDS)],
      ]);
    }),
  ]);
}

export interface PacketRecord {
  /** Index of the interface. */
  readonly port: number;
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
  readonly isOutgoing: boolean;
  /** From the IP header on. */
  readonly packet: Buffer;
  readonly comment?: string | undefined;
}

/** One packet. */
export function pcapngPacket({ port, atUs, isOutgoing, packet, comment }: PacketRecord): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(port, 0);
  writeTime(fixed, 4, atUs);
  fixed.writeUInt32LE(packet.length, 12);
  fixed.writeUInt32LE(packet.length, 16);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(isOutgoing ? 2 : 1);
  const body = Buffer.concat([fixed, padded(packet)]);
  return block(ENHANCED_PACKET, body, [
    ...(comment === undefined ? [] : [text(OPTION.comment, comment)]),
    [OPTION.flags, flags],
  ]);
}

/** How many packets an interface had, and how many of them are not in the file. */
export function pcapngStatistics(
  port: number,
  atUs: number,
  counts: { readonly received: number; readonly dropped: number },
): Buffer {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt32LE(port, 0);
  writeTime(fixed, 4, atUs);
  const count = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  return block(INTERFACE_STATISTICS, fixed, [
    [OPTION.received, count(counts.received)],
    [OPTION.dropped, count(counts.dropped)],
  ]);
}

function writeTime(target: Buffer, offset: number, atUs: number): void {
  target.writeUInt32LE(Math.floor(atUs / 2 ** 32), offset);
  target.writeUInt32LE(Math.floor(atUs) % 2 ** 32, offset + 4);
}

function block(type: number, body: Buffer, options: readonly Option[]): Buffer {
  const tail = options.length === 0 ? [] : [...options.map(optionBytes), Buffer.alloc(4)];
  const inner = Buffer.concat([body, ...tail]);
  const bytes = Buffer.alloc(inner.length + 12);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  inner.copy(bytes, 8);
  bytes.writeUInt32LE(bytes.length, bytes.length - 4);
  return bytes;
}

function optionBytes([code, value]: Option): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

/** To a whole number of 32-bit words. */
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
