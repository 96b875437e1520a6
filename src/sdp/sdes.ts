import type { SrtpSuite } from '../routing/types.js';

/** Every suite that is built, the strongest first. */
export const srtpSuites: readonly SrtpSuite[] = [
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
];

const masterKeyBytes = 16;
/** Length of the master salt (RFC 4568 §6.2, RFC 7714 §14.2). */
const masterSaltBytes: Readonly<Record<SrtpSuite, number>> = {
  AEAD_AES_128_GCM: 12,
  AES_CM_128_HMAC_SHA1_80: 14,
  AES_CM_128_HMAC_SHA1_32: 14,
};
/** RFC 4568 §9.1: the length of an MKI is at most this. */
const maxMkiBytes = 128;

/** Master key and salt of one direction. Its fields are private, so that no log and no record shows them by mistake. */
export class SrtpKey {
  readonly #master: Buffer;
  readonly #mki: Buffer;

  private constructor(
    readonly suite: SrtpSuite,
    master: Buffer,
    mki: Buffer,
  ) {
    this.#master = master;
    this.#mki = mki;
  }

  /** A fresh key; `hex` gives that many random bytes. */
  static random(suite: SrtpSuite, hex: (bytes: number) => string): SrtpKey {
    return new SrtpKey(suite, Buffer.from(hex(masterKeyBytes + masterSaltBytes[suite]), 'hex'), noMki);
  }

  /** Key and salt of this many bytes; undefined if the length is not the suite's. */
  static of(suite: SrtpSuite, master: Buffer, mki: Buffer = noMki): SrtpKey | undefined {
    return master.length === masterKeyBytes + masterSaltBytes[suite] ? new SrtpKey(suite, master, mki) : undefined;
  }

  get masterKey(): Buffer {
    return this.#master.subarray(0, masterKeyBytes);
  }

  get masterSalt(): Buffer {
    return this.#master.subarray(masterKeyBytes);
  }

  /** What stands in each packet before (GCM: after) the tag; empty for none (RFC 3711 §3.1). */
  get mki(): Buffer {
    return this.#mki;
  }

  /** As an `a=crypto` line has it. */
  get inline(): string {
    return `inline:${this.#master.toString('base64')}`;
  }

  equals(other: SrtpKey): boolean {
    return this.suite === other.suite && this.#master.equals(other.#master) && this.#mki.equals(other.#mki);
  }
}

const noMki = Buffer.alloc(0);

/** One usable `a=crypto` line. */
export interface CryptoLine {
  readonly tag: number;
  readonly key: SrtpKey;
}

/**
 * The `a=crypto` lines of a section that can be used, in order. Left out is what does not parse, has a suite that is not
 * built, several keys, or a session parameter that would change how packets are made (RFC 4568 §6.3: a line with one that is
 * not supported must not be chosen).
 */
export function cryptoLines(lines: readonly string[]): CryptoLine[] {
  return lines.flatMap((line) => parseCrypto(line) ?? []);
}

function parseCrypto(line: string): CryptoLine | undefined {
  const [, tag, name = '', keyParams = '', sessionParams = ''] =
    /^a=crypto:(\d{1,9})[ \t]+(\w+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*$/.exec(line) ?? [];
  const suite = srtpSuites.find((known) => known === name.toUpperCase());
  if (tag === undefined || !suite || !sessionParams.split(/[ \t]+/).every(isHarmless)) return undefined;
  const key = parseKey(suite, keyParams);
  return key && { tag: Number(tag), key };
}

/** A hint about the replay window (RFC 4568 §6.3.6), or an extension that says itself it may be ignored (§6.3.7). */
function isHarmless(parameter: string): boolean {
  return parameter === '' || /^WSH=\d{1,9}$/i.test(parameter) || parameter.startsWith('-');
}

/** `inline:<key and salt>[|lifetime][|MKI:length]`; a second key after `;` does not match. */
function parseKey(suite: SrtpSuite, text: string): SrtpKey | undefined {
  const form = /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^)?\d{1,15})?(?:\|(\d{1,10}):(\d{1,3}))?$/i;
  const [, base64 = '', mki, mkiLength = '0'] = form.exec(text) ?? [];
  const mkiBytes = Number(mkiLength);
  if (base64 === '' || mkiBytes > maxMkiBytes || (mki !== undefined && mkiBytes === 0)) return undefined;
  const value = mki === undefined ? noMki : bigEndian(Number(mki), mkiBytes);
  return value && SrtpKey.of(suite, Buffer.from(base64, 'base64'), value);
}

/** A number in so many bytes; undefined if it does not fit. */
function bigEndian(value: number, bytes: number): Buffer | undefined {
  const hex = value.toString(16).padStart(2 * bytes, '0');
  return hex.length === 2 * bytes ? Buffer.from(hex, 'hex') : undefined;
}
