import { randomBytes } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import nacl from 'tweetnacl';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  expectKeyAgreement,
  giveBackKeyAgreement,
  takeOverKeyAgreement,
} from '../../../src/media/werift-key-agreement.js';
import { checkPackets } from '../../../src/media/werift-self-test.js';
import { withQuickKeys } from '../../../src/media/werift-warm-up.js';
import { RecordingLogger } from '../../support/recording-logger.js';

afterEach(() => {
  vi.restoreAllMocks();
  giveBackKeyAgreement();
});

giveBackKeyAgreement();
/** What werift uses by itself. */
const libraries = { ...p256, scalarMult: nacl.scalarMult, keyPair: nacl.box.keyPair };
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const isOurs = (): boolean[] => [
  p256.getPublicKey !== libraries.getPublicKey,
  p256.getSharedSecret !== libraries.getSharedSecret,
  nacl.scalarMult !== libraries.scalarMult,
  nacl.box.keyPair !== libraries.keyPair,
];

describe('key agreement by OpenSSL', () => {
  it('comes to what the libraries of werift come to, on P-256', () => {
    takeOverKeyAgreement();
    const own = Buffer.from(p256.utils.randomSecretKey());
    // A key that begins with zeros is no shorter.
    const other = Buffer.concat([Buffer.alloc(3), randomBytes(29)]);
    for (const [mine, theirs] of [[own, other] as const, [other, own] as const]) {
      const publicKey = Buffer.from(p256.getPublicKey(theirs, false));
      expect(hex(publicKey)).toBe(hex(libraries.getPublicKey(theirs, false)));
      const secret = Buffer.from(p256.getSharedSecret(mine, publicKey)).subarray(1);
      expect(hex(secret)).toBe(hex(libraries.getSharedSecret(mine, publicKey)).slice(2));
    }
  });

  it('comes to what the libraries of werift come to, on X25519', () => {
    takeOverKeyAgreement();
    for (let i = 0; i < 20; i++) {
      const [own, other] = [nacl.box.keyPair(), libraries.keyPair()];
      expect([own.publicKey.buffer.byteLength, own.secretKey.buffer.byteLength]).toEqual([32, 32]);
      expect(hex(nacl.scalarMult.base(own.secretKey))).toBe(hex(own.publicKey));
      expect(hex(nacl.scalarMult(own.secretKey, other.publicKey))).toBe(
        hex(libraries.scalarMult(other.secretKey, own.publicKey)),
      );
    }
  });

  it('leaves to the libraries what werift does not ask for', () => {
    takeOverKeyAgreement();
    const own = p256.utils.randomSecretKey();
    const publicKey = p256.getPublicKey(own);
    expect(hex(publicKey)).toBe(hex(libraries.getPublicKey(own)));
    expect(hex(p256.getSharedSecret(own, publicKey, true))).toBe(hex(libraries.getSharedSecret(own, publicKey, true)));
    expect(nacl.box.keyPair.fromSecretKey(Buffer.from(own)).publicKey).toHaveLength(32);
  });

  it.each([
    ['a point beside the curve', () => p256.getSharedSecret(randomBytes(32), Buffer.alloc(65, 4))],
    ['no point at all', () => p256.getSharedSecret(randomBytes(32), randomBytes(64))],
    ['nothing', () => p256.getSharedSecret(randomBytes(32), Buffer.alloc(0))],
    // RFC 8422 §5.11: a secret of zeros ends the handshake.
    ['a point of low order', () => nacl.scalarMult(randomBytes(32), Buffer.alloc(32))],
    ['31 octets', () => nacl.scalarMult(randomBytes(32), randomBytes(31))],
    ['33 octets', () => nacl.scalarMult(randomBytes(32), randomBytes(33))],
  ])('refuses %s for a public key', (_what, agree) => {
    takeOverKeyAgreement();
    expect(agree).toThrow();
  });
});

describe('at start', () => {
  const warnings = (logger: RecordingLogger): number => logger.lines.filter(({ level }) => level === 'warn').length;

  it('calls with oneself show that werift goes by it, with each curve', async () => {
    const logger = new RecordingLogger();
    await withQuickKeys(checkPackets, logger);
    expect([warnings(logger), isOurs()]).toEqual([0, [true, true, true, true]]);
    expect(expectKeyAgreement).not.toThrow();
  });

  it('it is given up, with a warning, if they do not', async () => {
    const logger = new RecordingLogger();
    await withQuickKeys(() => Promise.resolve(), logger);
    expect([warnings(logger), isOurs()]).toEqual([1, [false, false, false, false]]);
    expect(logger.lines[0]?.fields).toMatchObject({ err: { endCode: 'internal' } });
  });

  it('it is given up, with a warning, if a call fails, which is tried again without it', async () => {
    const logger = new RecordingLogger();
    const seen: boolean[][] = [];
    await withQuickKeys(() => {
      seen.push(isOurs());
      return seen.length === 1 ? Promise.reject(new Error('no key')) : Promise.resolve();
    }, logger);
    expect(seen).toEqual([
      [true, true, true, true],
      [false, false, false, false],
    ]);
    expect([warnings(logger), isOurs()]).toEqual([1, [false, false, false, false]]);
  });

  it('it is not begun, with a warning, if there is no place for it', async () => {
    const logger = new RecordingLogger();
    vi.spyOn(Object, 'isFrozen').mockReturnValue(true);
    const calls = vi.fn(() => Promise.resolve());
    await withQuickKeys(calls, logger);
    expect(calls).toHaveBeenCalledTimes(1);
    expect([warnings(logger), isOurs()]).toEqual([1, [false, false, false, false]]);
  });

  it('calls with oneself come about without it, too', async () => {
    await checkPackets();
    expect(isOurs()).toEqual([false, false, false, false]);
  });
});
