import { createSocket, type Socket } from 'node:dgram';
import { until } from './until.js';

/** What a packet of HEP3 says, read by the specification alone: chunks are vendor, type, length with the head, data. */
export interface ReadHep {
  readonly family: number;
  readonly protocol: number;
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly atUs: number;
  readonly type: number;
  readonly captureId: number;
  readonly password: string | undefined;
  readonly correlationId: string | undefined;
  readonly payload: string;
}

const LENGTHS: Readonly<Record<number, number>> = {
  ...{ 1: 1, 2: 1, 3: 4, 4: 4, 5: 16, 6: 16, 7: 2, 8: 2, 9: 4, 10: 4, 11: 1, 12: 4 },
};

/** @throws Error naming what the specification does not allow */
export function readHep(packet: Buffer): ReadHep {
  if (packet.toString('latin1', 0, 4) !== 'HEP3') throw new Error('no HEP3');
  if (packet.readUInt16BE(4) !== packet.length) throw new Error('a wrong length');
  const chunks = new Map<number, Buffer>();
  for (let at = 6; at < packet.length;) {
    const [vendor, type, length] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2), packet.readUInt16BE(at + 4)];
    if (vendor !== 0 || length < 6 || at + length > packet.length) throw new Error(`a wrong chunk ${type}`);
    if (chunks.has(type)) throw new Error(`chunk ${type} twice`);
    const data = packet.subarray(at + 6, at + length);
    if (LENGTHS[type] !== undefined && LENGTHS[type] !== data.length)
      throw new Error(`a wrong length of chunk ${type}`);
    chunks.set(type, data);
    at += length;
  }
  const the = (type: number): Buffer => {
    const data = chunks.get(type);
    if (!data) throw new Error(`no chunk ${type}`);
    return data;
  };
  const family = the(1).readUInt8(0);
  if (family !== 2 && family !== 10) throw new Error('a wrong family');
  const [source, target] = family === 2 ? [3, 4] : [5, 6];
  return {
    ...{ family, protocol: the(2).readUInt8(0), from: addressOf(the(source)), to: addressOf(the(target)) },
    ...{ fromPort: the(7).readUInt16BE(0), toPort: the(8).readUInt16BE(0) },
    atUs: the(9).readUInt32BE(0) * 1e6 + the(10).readUInt32BE(0),
    ...{ type: the(11).readUInt8(0), captureId: the(12).readUInt32BE(0), payload: the(15).toString('utf8') },
    ...{ password: chunks.get(14)?.toString('utf8'), correlationId: chunks.get(17)?.toString('utf8') },
  };
}

/** IPv6 in all its eight words. */
function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  return Array.from({ length: 8 }, (_, word) => bytes.readUInt16BE(2 * word).toString(16)).join(':');
}

/** Takes HEP packets on loopback. */
export class HepReceiver {
  readonly packets: ReadHep[] = [];
  readonly datagrams: Buffer[] = [];

  private constructor(private readonly socket: Socket) {
    socket.on('message', (datagram) => {
      this.datagrams.push(datagram);
      this.packets.push(readHep(datagram));
    });
  }

  static async start(port = 0): Promise<HepReceiver> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, '127.0.0.1', resolve);
    });
    return new HepReceiver(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** The packets that fit, once there are so many. */
  async have(count: number, fits: (packet: ReadHep) => boolean, what: string): Promise<ReadHep[]> {
    await until(() => this.packets.filter(fits).length >= count, `${count} of ${what}`, 10_000);
    return this.packets.filter(fits);
  }

  close(): void {
    this.socket.close();
  }
}
