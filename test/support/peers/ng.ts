import { createSocket, type Socket } from 'node:dgram';
import { randomBytes } from 'node:crypto';

/** A value of the ng protocol: what bencoding can say. */
export type NgValue = string | number | readonly NgValue[] | { readonly [key: string]: NgValue };
export type NgDictionary = Readonly<Record<string, NgValue>>;

/** Bencoding, as BEP 3 has it; strings count in bytes. */
export function bencode(value: NgValue): string {
  if (typeof value === 'number') return `i${value}e`;
  if (typeof value === 'string') return `${Buffer.byteLength(value)}:${value}`;
  if (Array.isArray(value)) return `l${value.map((one: NgValue) => bencode(one)).join('')}e`;
  return `d${Object.entries(value)
    .map(([key, one]: [string, NgValue]) => bencode(key) + bencode(one))
    .join('')}e`;
}

/** The inverse. @throws Error for anything that is not one bencoded value */
export function bdecode(bytes: Buffer): NgValue {
  let at = 0;
  const until = (mark: string): string => {
    const end = bytes.indexOf(mark, at, 'latin1');
    if (end < 0) throw new Error(`bencoding ends early at ${at}`);
    const text = bytes.toString('latin1', at, end);
    at = end + 1;
    return text;
  };
  const list = (): NgValue[] => {
    const all: NgValue[] = [];
    for (; bytes[at] !== 0x65;) all.push(next());
    at += 1;
    return all;
  };
  const next = (): NgValue => {
    const kind = String.fromCharCode(bytes[at] ?? 0);
    if (kind === 'i' || kind === 'l' || kind === 'd') at += 1;
    if (kind === 'i') return Number(until('e'));
    if (kind === 'l') return list();
    if (kind === 'd') return pairs(list());
    const length = Number(until(':'));
    if (!Number.isInteger(length) || at + length > bytes.length) throw new Error(`bad bencoding at ${at}`);
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  return next();
}

function pairs(all: readonly NgValue[]): NgDictionary {
  const entries = all.flatMap((key, index) => (index % 2 === 0 ? [[key, all[index + 1]] as const] : []));
  return Object.fromEntries(entries) as NgDictionary;
}

/** rtpengine's control protocol: `<cookie> <bencoded dictionary>` over UDP. */
export class NgClient {
  readonly #socket: Socket = createSocket('udp4');
  readonly #answers = new Map<string, (answer: NgDictionary) => void>();

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {
    this.#socket.on('message', (message) => {
      const cookie = message.toString('latin1', 0, message.indexOf(0x20));
      this.#answers.get(cookie)?.(bdecode(message.subarray(cookie.length + 1)) as NgDictionary);
    });
  }

  /** Sends one command, again every 500 ms with the same cookie (answered from rtpengine's cache). @throws Error on refusal or silence */
  async request(command: NgDictionary): Promise<NgDictionary> {
    const cookie = randomBytes(6).toString('hex');
    const datagram = Buffer.from(`${cookie} ${bencode(command)}`);
    const answer = await this.#exchange(cookie, datagram);
    if (answer.result === 'error') throw new Error(`rtpengine refused: ${JSON.stringify(answer)}`);
    return answer;
  }

  #exchange(cookie: string, datagram: Buffer): Promise<NgDictionary> {
    return new Promise((resolve, reject) => {
      let left = 6;
      const send = (): void => {
        if (left-- === 0) done(() => reject(new Error('rtpengine does not answer')));
        else this.#socket.send(datagram, this.port, this.host);
      };
      const timer = setInterval(send, 500);
      const done = (settle: () => void): void => {
        clearInterval(timer);
        this.#answers.delete(cookie);
        settle();
      };
      this.#answers.set(cookie, (answer) => done(() => resolve(answer)));
      send();
    });
  }

  close(): void {
    this.#socket.close();
  }
}
