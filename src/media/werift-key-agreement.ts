import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type ECDH,
} from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import nacl from 'tweetnacl';
import { MediaError } from './media-error.js';

/** What stands before the 32 octets of an X25519 key in DER (RFC 8410 §7, §4). */
const x25519Private = Buffer.from('302e020100300506032b656e04220420', 'hex');
const x25519Public = Buffer.from('302a300506032b656e032100', 'hex');
const x25519Bytes = 32;
const pkcs8 = { format: 'der', type: 'pkcs8' } as const;
const spki = { format: 'der', type: 'spki' } as const;

/** What werift calls of two libraries, in JavaScript, to agree on the keys of a handshake (RFC 8422). */
const { getPublicKey, getSharedSecret } = p256;
const { scalarMult } = nacl;
const { keyPair } = nacl.box;

/** Which of ours were called since they took over. */
const called = new Set<string>();

/**
 * Ours, by OpenSSL, in a fraction of the time. They throw, as those of the libraries do, if what the peer sent is no public key.
 * Calls in another form than werift's are left to the libraries.
 */
const ours = {
  getPublicKey: (privateKey: Uint8Array, isCompressed?: boolean): Uint8Array => {
    if (isCompressed !== false) return getPublicKey(privateKey, isCompressed);
    called.add('getPublicKey');
    return p256Key(privateKey).getPublicKey();
  },
  /** A point, of which werift takes the first coordinate alone. The sign of the other, in the first octet, is not known. */
  getSharedSecret: (privateKey: Uint8Array, publicKey: Uint8Array, isCompressed?: boolean): Uint8Array => {
    if (isCompressed !== undefined) return getSharedSecret(privateKey, publicKey, isCompressed);
    called.add('getSharedSecret');
    return Buffer.concat([Buffer.of(2), p256Key(privateKey).computeSecret(publicKey)]);
  },
  keyPair: (): nacl.BoxKeyPair => {
    called.add('keyPair');
    const made = generateKeyPairSync('x25519');
    return {
      publicKey: octetsOf(made.publicKey.export(spki)),
      secretKey: octetsOf(made.privateKey.export(pkcs8)),
    };
  },
  scalarMult: (privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array => {
    called.add('scalarMult');
    // OpenSSL would overlook what is behind the key.
    if (publicKey.length !== x25519Bytes) throw new MediaError('internal', 'what the peer sent is no key of X25519');
    return diffieHellman({
      privateKey: createPrivateKey({ ...pkcs8, key: Buffer.concat([x25519Private, privateKey]) }),
      publicKey: createPublicKey({ ...spki, key: Buffer.concat([x25519Public, publicKey]) }),
    });
  },
};

/**
 * Puts OpenSSL's key agreement in the place of the libraries', which hold up the event loop for milliseconds with each call. The
 * place is the libraries themselves, as werift has none for it: for all of this process, which has no other use of them.
 * @throws MediaError `internal`, or whatever OpenSSL says, if it cannot be done; then nothing has changed.
 */
export function takeOverKeyAgreement(): void {
  checkVectors();
  if ([p256, nacl, nacl.box].some((library) => Object.isFrozen(library))) {
    throw new MediaError('internal', 'the libraries by which werift agrees on keys are not built as expected');
  }
  try {
    Object.assign(p256, { getPublicKey: ours.getPublicKey, getSharedSecret: ours.getSharedSecret });
    Object.assign(nacl, { scalarMult: Object.assign(ours.scalarMult, scalarMult) });
    Object.assign(nacl.box, { keyPair: Object.assign(ours.keyPair, keyPair) });
  } catch (err) {
    giveBackKeyAgreement();
    throw err;
  }
  called.clear();
}

/** Puts the libraries' own back. */
export function giveBackKeyAgreement(): void {
  Object.assign(p256, { getPublicKey, getSharedSecret });
  Object.assign(nacl, { scalarMult });
  Object.assign(nacl.box, { keyPair });
}

/** To be asked after a handshake with each curve. @throws MediaError `internal` if werift did not go by ours. */
export function expectKeyAgreement(): void {
  const passedOver = Object.keys(ours).filter((name) => !called.has(name));
  if (passedOver.length > 0) {
    throw new MediaError('internal', `werift agrees on keys by other means than ${passedOver.join(', ')}`);
  }
}

function p256Key(privateKey: Uint8Array): ECDH {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  return ecdh;
}

/** The key at the end of its DER, in memory of its own: werift takes all that the array stands in. */
function octetsOf(der: Buffer): Uint8Array {
  return Uint8Array.from(der.subarray(-x25519Bytes));
}

/** RFC 5903 §8.1, RFC 7748 §6.1: a private key and the other side's public one. */
const p256Own = Buffer.from('c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433', 'hex');
const p256Other = Buffer.from(
  '04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63' +
    '56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab',
  'hex',
);
const x25519Own = Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex');
const x25519Other = Buffer.from('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f', 'hex');

/** @throws MediaError `internal`, or what OpenSSL says, unless ours come to what the standards say, and pairs are pairs. */
function checkVectors(): void {
  const [first, second] = [ours.keyPair(), ours.keyPair()];
  const results = [
    [
      ours.getPublicKey(p256Own, false),
      '04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180' +
        '5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3',
    ],
    [
      ours.getSharedSecret(p256Own, p256Other).subarray(1),
      'd6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de',
    ],
    [ours.scalarMult(x25519Own, x25519Other), '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'],
    [ours.scalarMult(first.secretKey, second.publicKey), hex(ours.scalarMult(second.secretKey, first.publicKey))],
  ] as const;
  if (!results.every(([result, expected]) => hex(result) === expected)) {
    throw new MediaError('internal', 'OpenSSL agrees on other keys than it should');
  }
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
