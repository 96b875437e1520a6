import type { RemoteInfo, Socket } from 'node:dgram';
import { boundSocket } from './bound-socket.js';

/** What a name of the responder has. Types that are not listed have no record. */
export interface DnsZone {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly SRV?: readonly { priority?: number; weight?: number; port: number; name: string }[];
  readonly NAPTR?: readonly {
    order: number;
    preference: number;
    flags?: string;
    service: string;
    replacement: string;
  }[];
}

/** Instead of records: an error of the server, or no answer at all. */
export type DnsTrouble = 'servfail' | 'silence';

type RecordType = keyof DnsZone;
const types: Readonly<Record<number, RecordType>> = { 1: 'A', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR' };
const typeNumber = (type: RecordType): number => Number(Object.entries(types).find(([, name]) => name === type)?.[0]);

/** A DNS server on loopback that answers from a table; a name that is not in it does not exist. */
export class DnsResponder {
  /** `TYPE name` of each question, in lower case names. */
  readonly asked: string[] = [];
  readonly zone = new Map<string, DnsZone | DnsTrouble>();

  private constructor(private readonly socket: Socket) {
    socket.on('message', (bytes, from) => this.#answer(bytes, from));
  }

  static async start(zone: Readonly<Record<string, DnsZone | DnsTrouble>> = {}): Promise<DnsResponder> {
    const socket = await boundSocket();
    const responder = new DnsResponder(socket);
    for (const [name, records] of Object.entries(zone)) responder.zone.set(name, records);
    return responder;
  }

  /** As `Resolver.setServers` takes it. */
  get server(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  /** How often this was asked. */
  count(question: string): number {
    return this.asked.filter((asked) => asked === question).length;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  #answer(query: Buffer, from: RemoteInfo): void {
    const { name, end } = readName(query, 12);
    const type = types[query.readUInt16BE(end)];
    this.asked.push(`${type ?? 'other'} ${name}`);
    const known = this.zone.get(name);
    if (known === 'silence') return;
    const code = known === undefined ? 3 : known === 'servfail' ? 2 : 0;
    const answers = type && typeof known === 'object' ? dataOf(type, known) : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180 | code, 2);
    header.writeUInt16BE(answers.length, 6);
    header.fill(0, 8, 12);
    const records = answers.map((data) => record(type ?? 'A', data));
    this.socket.send(Buffer.concat([header, query.subarray(12, end + 4), ...records]), from.port, from.address);
  }
}

function readName(message: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let position = at;
  for (let length = message[position] ?? 0; length > 0; length = message[position] ?? 0) {
    labels.push(message.toString('latin1', position + 1, position + 1 + length));
    position += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: position + 1 };
}

/** The record's own name is the question's, by a pointer to it (RFC 1035 §4.1.4). */
function record(type: RecordType, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(typeNumber(type), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(type: RecordType, zone: DnsZone): Buffer[] {
  if (type === 'A') return (zone.A ?? []).map((address) => Buffer.from(address.split('.').map(Number)));
  if (type === 'AAAA') return (zone.AAAA ?? []).map(ipv6Bytes);
  if (type === 'SRV')
    return (zone.SRV ?? []).map((it) =>
      Buffer.concat([numbers(it.priority ?? 0, it.weight ?? 0, it.port), nameBytes(it.name)]),
    );
  return (zone.NAPTR ?? []).map((it) => {
    const texts = [it.flags ?? 's', it.service, ''].map((text) =>
      Buffer.from(`${String.fromCharCode(text.length)}${text}`),
    );
    return Buffer.concat([numbers(it.order, it.preference), ...texts, nameBytes(it.replacement)]);
  });
}

const numbers = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
  return bytes;
};

const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split('.')
      .filter((label) => label !== '')
      .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.alloc(1),
  ]);

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text = ''): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail)];
  return numbers(...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right);
}
