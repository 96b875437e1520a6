import { describe, expect, it } from 'vitest';
import { SourceGuard, datagramKind } from '../../../src/media/source-guard.js';

const peer = { address: '192.0.2.1', port: 3478 };
const second = { address: '192.0.2.1', port: 3480 };
const stun = (type: number, cookie = 0x2112a442) => {
  const data = Buffer.alloc(20);
  data.writeUInt16BE(type, 0);
  data.writeUInt32BE(cookie, 4);
  return data;
};
const record = (type: number, epoch: number, ...body: number[]) =>
  Buffer.from([type, 0xfe, 0xfd, epoch >> 8, epoch & 0xff, 0, 0, 0, 0, 0, 1, 0, body.length, ...body]);
const rtp = Buffer.from([0x80, 111, 0, 1]);

function guard(isAuthentic = false): SourceGuard {
  const made = new SourceGuard(() => isAuthentic);
  made.expect([peer, second]);
  return made;
}

describe('before a pair is nominated', () => {
  it.each([peer, second])('admits and serves candidate %o', ({ address, port }) => {
    expect(guard().admits(rtp, address, port)).toBe(true);
    expect(guard().maySendTo(address, port)).toBe(true);
  });

  it.each([
    ['192.0.2.2', 3478],
    ['192.0.2.1', 3479],
  ])('knows nothing of %s:%i', (address, port) => {
    const made = guard();
    expect(made.admits(rtp, address, port)).toBe(false);
    expect(made.maySendTo(address, port)).toBe(false);
    expect(made.counters).toEqual({ foreign: 1, forged: 0 });
  });

  it('lets nobody in while no SDP has come', () => {
    const made = new SourceGuard(() => true);
    expect(made.admits(rtp, peer.address, peer.port)).toBe(false);
    expect(made.maySendTo(peer.address, peer.port)).toBe(false);
  });
});

it('knows only the nominated pair once there is one', () => {
  const made = guard();
  made.nominate(second);
  expect(made.admits(rtp, second.address, second.port)).toBe(true);
  expect(made.admits(rtp, peer.address, peer.port)).toBe(false);
  expect(made.maySendTo(second.address, second.port)).toBe(true);
  expect(made.maySendTo(peer.address, peer.port)).toBe(false);
});

describe('STUN from the peer', () => {
  it.each<[string, Buffer, boolean, boolean]>([
    ['a signed binding request', stun(0x0001), true, true],
    ['an unsigned binding request', stun(0x0001), false, false],
    ['another signed request', stun(0x0003), true, false],
    ['a success response', stun(0x0101), false, true],
    ['an error response', stun(0x0111), false, true],
    ['an indication', stun(0x0011), true, false],
    ['a wrong cookie', stun(0x0101, 1), true, false],
    ['nineteen bytes', stun(0x0101).subarray(0, 19), true, false],
  ])('%s', (_what, data, isAuthentic, expected) => {
    expect(guard(isAuthentic).admits(data, peer.address, peer.port)).toBe(expected);
  });
});

describe('DTLS from the peer', () => {
  const hello = record(22, 0, 1, 0, 0, 0);
  const certificate = record(22, 0, 11, 0, 0, 0);
  const keyExchange = record(22, 0, 16, 0, 0, 0);
  const changeCipher = record(20, 0, 1);
  const finished = record(22, 1, 99, 98, 97);
  const flight = Buffer.concat([certificate, keyExchange, record(22, 0, 15), changeCipher, finished]);

  it.each([hello, certificate, record(21, 0, 1, 0), record(63, 0)])('is free until the handshake is done', (data) => {
    expect(guard().admits(data, peer.address, peer.port)).toBe(true);
  });

  it.each<[string, Buffer, boolean]>([
    ['an encrypted record', record(23, 1, 1, 2, 3), true],
    ['an encrypted alert', record(21, 1, 0, 1, 0, 0, 0, 0, 0, 9, 7, 7), true],
    ['the repeated last flight of the peer', flight, true],
    ['part of that flight', keyExchange, true],
    ['that flight with another certificate in it', Buffer.concat([record(22, 0, 11, 1), keyExchange]), false],
    ['a Certificate that the peer never sent', record(22, 0, 11, 1), false],
    ['a CertificateVerify that the peer never sent', record(22, 0, 15, 1), false],
    ['a ClientHello', hello, false],
    ['a HelloRequest', record(22, 0, 0), false],
    ['a HelloVerifyRequest', record(22, 0, 3), false],
    ['a ServerHello', record(22, 0, 2), false],
    ['a plaintext alert', record(21, 0, 1, 0), false],
    ['an unknown content type', record(63, 0), false],
    ['an unknown content type that claims to be encrypted', record(63, 1, 1, 2, 3), false],
    ['an alert of an epoch that never began', record(21, 2, 1, 0), false],
    ['a plaintext alert that claims to be encrypted', record(21, 1, ...Array<number>(26).fill(0)), false],
    ['a fatal one', record(21, 1, 2, 40), false],
    ['another version', Buffer.concat([Buffer.of(23, 0xfe, 0xff), record(23, 1, 1, 2, 3).subarray(3)]), false],
    ['a record cut off', record(23, 1, 1, 2, 3).subarray(0, 15), false],
    ['a ChangeCipherSpec that is none', record(20, 0, 2), false],
    ['a ClientHello behind an encrypted record', Buffer.concat([finished, hello]), false],
    ['a cut-off header', finished.subarray(0, 12), false],
    ['a header cut off behind a record', Buffer.concat([finished, hello.subarray(0, 5)]), false],
    ['a handshake without a body', record(22, 0), false],
  ])('afterwards %s: %s', (_what, data, expected) => {
    const made = guard();
    for (const seen of [hello, flight]) made.admits(seen, peer.address, peer.port);
    made.finishHandshake();
    expect(made.admits(data, peer.address, peer.port)).toBe(expected);
    expect(made.counters.forged).toBe(expected ? 0 : 1);
  });

  it('keeps no more of a handshake than one can be long', () => {
    const made = guard();
    for (let i = 0; i < 100; i++) made.admits(record(22, 0, 11, i), peer.address, peer.port);
    made.finishHandshake();
    const isKnown = (i: number) => made.admits(record(22, 0, 11, i), peer.address, peer.port);
    expect(Array.from({ length: 100 }, (_, i) => isKnown(i)).filter(Boolean)).toHaveLength(16);
  });
});

describe('kinds of datagram', () => {
  it.each([
    [0, 'stun'],
    [3, 'stun'],
    [4, 'other'],
    [16, 'other'],
    [19, 'other'],
    [20, 'dtls'],
    [63, 'dtls'],
    [64, 'other'],
    [127, 'other'],
    [128, 'srtp'],
    [191, 'srtp'],
    [192, 'other'],
    [255, 'other'],
  ])('first byte %i: %s', (first, kind) => expect(datagramKind(Buffer.from([first]))).toBe(kind));

  it('an empty datagram is none', () => {
    expect(datagramKind(Buffer.alloc(0))).toBe('other');
    expect(guard().admits(Buffer.alloc(0), peer.address, peer.port)).toBe(false);
  });
});
