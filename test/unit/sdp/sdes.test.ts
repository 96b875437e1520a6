import { describe, expect, it } from 'vitest';
import { inspect } from 'node:util';
import { cryptoLines, SrtpKey, srtpSuites } from '../../../src/sdp/sdes.js';

// 30 and 28 bytes.
const cm = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e';
const gcm = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHA==';
const s80 = 'AES_CM_128_HMAC_SHA1_80';

const read = (value: string): string[] =>
  cryptoLines([`a=crypto:${value}`]).map(
    ({ tag, key }) => `${tag} ${key.suite} ${key.inline} ${key.mki.toString('hex')}`,
  );

describe('an a=crypto line', () => {
  it.each([
    ['as most write it', `1 ${s80} inline:${cm}`, `1 ${s80} inline:${cm} `],
    ['of 32 bits', `2 AES_CM_128_HMAC_SHA1_32 inline:${cm}`, `2 AES_CM_128_HMAC_SHA1_32 inline:${cm} `],
    ['of GCM', `3 AEAD_AES_128_GCM inline:${gcm}`, `3 AEAD_AES_128_GCM inline:${gcm} `],
    ['without padding', '3 AEAD_AES_128_GCM inline:' + gcm.replace('==', ''), `3 AEAD_AES_128_GCM inline:${gcm} `],
    ['with a lifetime', `1 ${s80} inline:${cm}|2^31`, `1 ${s80} inline:${cm} `],
    ['with a lifetime in digits', `1 ${s80} inline:${cm}|1048576`, `1 ${s80} inline:${cm} `],
    ['with lifetime and MKI', `1 ${s80} inline:${cm}|2^31|1:4`, `1 ${s80} inline:${cm} 00000001`],
    ['with an MKI alone', `1 ${s80} inline:${cm}|258:2`, `1 ${s80} inline:${cm} 0102`],
    ['with the longest MKI', `1 ${s80} inline:${cm}|1:128`, `1 ${s80} inline:${cm} ${'00'.repeat(127)}01`],
    ['with a hint of the window', `1 ${s80} inline:${cm} WSH=128`, `1 ${s80} inline:${cm} `],
    ['with an extension that may be ignored', `1 ${s80} inline:${cm} -x=1`, `1 ${s80} inline:${cm} `],
    ['with more blanks than one', `1  ${s80}\tinline:${cm} `, `1 ${s80} inline:${cm} `],
    ['with the largest tag', `999999999 ${s80} inline:${cm}`, `999999999 ${s80} inline:${cm} `],
  ])('%s is read', (_what, line, expected) => expect(read(line)).toEqual([expected]));

  it.each([
    ['of another suite', `1 AES_256_CM_HMAC_SHA1_80 inline:${cm}`],
    ['of F8', `1 F8_128_HMAC_SHA1_80 inline:${cm}`],
    ['without a tag', ` ${s80} inline:${cm}`],
    ['with a tag of ten digits', `1234567890 ${s80} inline:${cm}`],
    ['with a key that is too short', `1 ${s80} inline:${gcm}`],
    ['with a key that is too long', `1 AEAD_AES_128_GCM inline:${cm}`],
    ['with a key that is no base64', `1 ${s80} inline:${cm.replace('A', '*')}`],
    ['with two keys', `1 ${s80} inline:${cm}|1:4;inline:${cm}|2:4`],
    ['with another key method', `1 ${s80} uri:${cm}`],
    ['without a key', `1 ${s80}`],
    ['that does not encrypt', `1 ${s80} inline:${cm} UNENCRYPTED_SRTP`],
    ['that does not encrypt RTCP', `1 ${s80} inline:${cm} UNENCRYPTED_SRTCP`],
    ['that does not authenticate', `1 ${s80} inline:${cm} UNAUTHENTICATED_SRTP`],
    ['that derives keys again', `1 ${s80} inline:${cm} KDR=10`],
    ['with forward error correction', `1 ${s80} inline:${cm} FEC_ORDER=FEC_SRTP`],
    ['with an unknown extension', `1 ${s80} inline:${cm} x=1`],
    ['with a harmless parameter and another', `1 ${s80} inline:${cm} WSH=128 KDR=1`],
    ['with an MKI of no length', `1 ${s80} inline:${cm}|1:0`],
    ['with an MKI that is too long', `1 ${s80} inline:${cm}|1:129`],
    ['with an MKI larger than its length', `1 ${s80} inline:${cm}|256:1`],
    ['with a lifetime that is none', `1 ${s80} inline:${cm}|2^x`],
  ])('%s is passed over', (_what, line) => expect(read(line)).toEqual([]));

  it('is passed over without harm to the next', () => {
    const lines = ['a=crypto:1 X inline:!', `a=crypto:2 ${s80} inline:${cm}`, 'a=sendrecv'];
    expect(cryptoLines(lines).map(({ tag }) => tag)).toEqual([2]);
  });
});

describe('a key', () => {
  it.each(srtpSuites)('of %s is random, of the right length, and read back', (suite) => {
    let seed = 0;
    const hex = (bytes: number): string => Buffer.alloc(bytes, ++seed).toString('hex');
    const [one, other] = [SrtpKey.random(suite, hex), SrtpKey.random(suite, hex)];
    expect(one.equals(other)).toBe(false);
    const [line] = cryptoLines([`a=crypto:7 ${suite} ${one.inline}`]);
    expect(line?.tag).toBe(7);
    expect(line?.key.equals(one)).toBe(true);
    expect(one.masterKey).toHaveLength(16);
    expect(one.masterSalt).toHaveLength(suite === 'AEAD_AES_128_GCM' ? 12 : 14);
  });

  it('shows itself to no log and no record', () => {
    const key = SrtpKey.random('AEAD_AES_128_GCM', (bytes) => Buffer.alloc(bytes, 0x41).toString('hex'));
    const shown = JSON.stringify({ key }) + inspect({ key }, { depth: 9, showHidden: true });
    expect(shown).not.toMatch(/4141|QUFB|65,\s*65|41 41/);
  });
});
