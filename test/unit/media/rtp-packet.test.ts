import { describe, expect, it } from 'vitest';
import {
  emptyRtpFields,
  isRtcp,
  parseRtp,
  patchSequence,
  patchTimestamp,
  sequenceDelta,
  timestampDelta,
  writeRtpHeader,
} from '../../../src/media/rtp-packet.js';

const plain = (payload: number[] = [1, 2, 3]): Uint8Array => {
  const packet = new Uint8Array(12 + payload.length);
  writeRtpHeader(packet, 8, true, 0xfffe, 0xdeadbeef, 0x01020304);
  packet.set(payload, 12);
  return packet;
};

describe('RTP packets', () => {
  it('reads what it wrote', () => {
    const fields = emptyRtpFields();
    expect(parseRtp(plain(), fields)).toBe(true);
    expect(fields).toEqual({
      payloadType: 8,
      marker: true,
      sequence: 0xfffe,
      timestamp: 0xdeadbeef,
      ssrc: 0x01020304,
      payloadStart: 12,
      payloadEnd: 15,
    });
  });

  it('leaves out CSRCs, extension and padding', () => {
    const header = plain([]);
    header[0] = 0x80 | 0x20 | 0x10 | 2; // padding, extension, two CSRCs
    const csrcs = [0, 0, 0, 1, 0, 0, 0, 2];
    const extension = [0xbe, 0xde, 0, 1, 9, 9, 9, 9];
    const packet = Uint8Array.from([...header, ...csrcs, ...extension, 7, 7, 0, 0, 3]);
    const fields = emptyRtpFields();
    expect(parseRtp(packet, fields)).toBe(true);
    expect([...packet.subarray(fields.payloadStart, fields.payloadEnd)]).toEqual([7, 7]);
  });

  it.each([
    ['an empty datagram', []],
    ['a short header', [...plain().subarray(0, 11)]],
    ['another version', [0x40, ...plain().subarray(1)]],
    ['CSRCs beyond the end', [0x8f, ...plain().subarray(1)]],
    ['an extension beyond the end', [0x90, ...plain([0xbe, 0xde, 0, 9]).subarray(1)]],
    ['an extension header that is cut off', [0x90, ...plain([0xbe]).subarray(1)]],
    ['padding longer than the payload', [0xa0, ...plain([0, 0, 200]).subarray(1)]],
    ['padding of length zero', [0xa0, ...plain([1, 1, 0]).subarray(1)]],
  ])('refuses %s', (_name, bytes) => {
    expect(parseRtp(Uint8Array.from(bytes), emptyRtpFields())).toBe(false);
  });

  it('patches sequence and timestamp in place', () => {
    const packet = plain();
    patchSequence(packet, 0x1_0005);
    patchTimestamp(packet, 0x1_0000_0007);
    const fields = emptyRtpFields();
    parseRtp(packet, fields);
    expect([fields.sequence, fields.timestamp, fields.ssrc]).toEqual([5, 7, 0x01020304]);
  });

  it('tells RTCP from RTP on one port', () => {
    expect([192, 200, 201, 223].map((type) => isRtcp(Uint8Array.of(0x80, type)))).toEqual([true, true, true, true]);
    expect([0, 8, 127, 0x80 | 8, 224].map((type) => isRtcp(Uint8Array.of(0x80, type)))).toEqual(Array(5).fill(false));
    expect(isRtcp(new Uint8Array(0))).toBe(false);
  });

  it('sees wrap-around when comparing', () => {
    expect(sequenceDelta(0xffff, 0)).toBe(1);
    expect(sequenceDelta(0, 0xffff)).toBe(-1);
    expect(timestampDelta(0xffff_ff60, 0)).toBe(160);
    expect(timestampDelta(0, 0xffff_ff60)).toBe(-160);
  });
});
