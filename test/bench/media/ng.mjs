import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';

const ANSWER_MS = 1000;
const TRIES = 5;

/** Bencoding of strings, whole numbers, lists and dictionaries. */
export function encode(value) {
  if (typeof value === 'number') return `i${value}e`;
  if (Array.isArray(value)) return `l${value.map(encode).join('')}e`;
  if (typeof value === 'object') {
    return `d${Object.entries(value)
      .map(([key, item]) => encode(key) + encode(item))
      .join('')}e`;
  }
  return `${Buffer.byteLength(value)}:${value}`;
}

export function decode(bytes) {
  let at = 0;
  const until = (mark) => {
    const end = bytes.indexOf(mark, at);
    const text = bytes.toString('latin1', at, end);
    at = end + 1;
    return text;
  };
  const item = () => {
    const kind = String.fromCharCode(bytes[at]);
    if (kind === 'i') {
      at += 1;
      return Number(until('e'));
    }
    if (kind === 'l' || kind === 'd') {
      at += 1;
      const items = [];
      while (bytes[at] !== 'e'.charCodeAt(0)) items.push(item());
      at += 1;
      if (kind === 'l') return items;
      return Object.fromEntries(items.flatMap((key, i) => (i % 2 === 0 ? [[key, items[i + 1]]] : [])));
    }
    const length = Number(until(':'));
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  return item();
}

/** rtpengine's control protocol "ng": a cookie and a bencoded dictionary in a datagram. */
export class NgClient {
  #socket = createSocket('udp4');
  #waiting = new Map();
  #address;
  #port;

  constructor(address, port) {
    this.#address = address;
    this.#port = port;
    this.#socket.on('message', (message) => {
      const end = message.indexOf(' ');
      this.#waiting.get(message.toString('latin1', 0, end))?.(decode(message.subarray(end + 1)));
    });
    this.#socket.on('error', () => undefined);
  }

  /** @throws Error when it refuses, or does not answer */
  async ask(question) {
    const cookie = randomBytes(6).toString('hex');
    const message = Buffer.from(`${cookie} ${encode(question)}`);
    for (let tries = 0; tries < TRIES; tries++) {
      // The same cookie is answered from its memory, so that a repeat does nothing twice.
      this.#socket.send(message, this.#port, this.#address);
      const answer = await this.#answer(cookie);
      if (answer === undefined) continue;
      if (answer.result === 'error') throw new Error(`rtpengine: ${answer['error-reason']}`);
      return answer;
    }
    throw new Error(`rtpengine does not answer ${question.command}`);
  }

  close() {
    this.#socket.close();
  }

  #answer(cookie) {
    return new Promise((resolve) => {
      const end = (answer) => {
        clearTimeout(timer);
        this.#waiting.delete(cookie);
        resolve(answer);
      };
      const timer = setTimeout(end, ANSWER_MS);
      this.#waiting.set(cookie, end);
    });
  }
}
