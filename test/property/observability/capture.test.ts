import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PcapngBlocks } from '../../../src/cli/pcapng-blocks.js';
import type { CallId } from '../../../src/lib/ids.js';
import { CallPcapng } from '../../../src/observability/capture/call-pcapng.js';
import { SipRings } from '../../../src/observability/capture/sip-rings.js';
import { withoutSipSecrets } from '../../../src/observability/capture/sip-secrets.js';
import { udpPacket } from '../../../src/observability/capture/udp-packet.js';

const place = (address: fc.Arbitrary<string>) => fc.record({ address, port: fc.integer({ min: 1, max: 65_535 }) });
const pairs = fc.oneof(
  fc.tuple(place(fc.ipV4()), place(fc.ipV4())),
  fc.tuple(place(fc.ipV6()), place(fc.ipV6())),
  fc.tuple(place(fc.ipV4()), place(fc.ipV6())),
);
const payload = fc.uint8Array({ maxLength: 1_500 });

/** The sum that a receiver makes over everything, the checksum included: all ones if it is right. */
function sumOf(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) sum += (part[at] ?? 0) * 256 + (part[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum;
}

describe('recordings of a call', () => {
  it('datagrams have good lengths and checksums', () => {
    fc.assert(
      fc.property(pairs, payload, ([from, to], data) => {
        const packet = udpPacket(from, to, data);
        const isV4 = packet.readUInt8(0) >> 4 === 4;
        const [start, addresses] = isV4 ? [20, packet.subarray(12, 20)] : [40, packet.subarray(8, 40)];
        const udp = packet.subarray(start);
        expect(isV4 ? packet.readUInt16BE(2) : packet.readUInt16BE(4) + 40).toBe(packet.length);
        if (isV4) expect(sumOf(packet.subarray(0, 20))).toBe(0xffff);
        expect([udp.readUInt16BE(0), udp.readUInt16BE(2), udp.readUInt16BE(4)]).toEqual([
          from.port,
          to.port,
          udp.length,
        ]);
        expect(sumOf(addresses, Buffer.of(0, 17, udp.length >> 8, udp.length & 0xff), udp)).toBe(0xffff);
        expect(udp.readUInt16BE(6)).not.toBe(0);
        expect(udp.subarray(8).equals(data)).toBe(true);
      }),
    );
  });

  it('is cut into whole blocks wherever the stream is torn, and nothing is lost', () => {
    const packets = fc.array(fc.tuple(pairs, payload, fc.boolean()), { maxLength: 20 });
    fc.assert(
      fc.property(packets, fc.integer({ min: 1, max: 700 }), (all, step) => {
        const pcapng = new CallPcapng('sip2wa of the test');
        const blocks = all.map(([[local, remote], data, isOutgoing]) =>
          pcapng.rtp({ side: 'pbx', isOutgoing, atUs: 1_795_000_000_123_456, local, remote, data }),
        );
        pcapng.lost(3);
        const file = Buffer.concat([pcapng.head(), ...blocks, pcapng.end(1_795_000_001_000_000)]);
        const reader = new PcapngBlocks();
        const read: Buffer[] = [];
        for (let at = 0; at < file.length; at += step) read.push(...reader.take(file.subarray(at, at + step)));
        expect(Buffer.concat(read).equals(file)).toBe(true);
        for (const block of read) {
          expect(block.length % 4).toBe(0);
          expect(block.readUInt32LE(block.length - 4)).toBe(block.length);
        }
        expect([reader.packets, reader.dropped]).toEqual([all.length, 3]);
      }),
    );
  });

  const secret = fc.string({
    minLength: 8,
    maxLength: 60,
    unit: fc.constantFrom(...'abcdefghijkABCDEFGHIJK0123456789+/=é'.split(/(?:)/u)),
  });

  it('has no key and no credential of any message, and every length in it stays right', () => {
    const header = fc.constantFrom('Authorization', 'Proxy-Authorization', 'AUTHORIZATION ', 'proxy-authorization');
    fc.assert(
      fc.property(header, secret, secret, secret, fc.boolean(), (name, response, key, password, isFolded) => {
        const gap = isFolded ? '\r\n   ' : ' ';
        const body = [
          'v=0',
          `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}|2^20|1:4`,
          `a=ice-pwd:${password}`,
          'a=fingerprint:sha-256 AB:CD',
          '',
        ].join('\r\n');
        const head = [
          'INVITE sip:+14085551234@192.0.2.1 SIP/2.0',
          `${name}: Digest username="u",${gap}response="${response}"`,
        ];
        const message = [...head, 'Call-ID: stays', `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
          '\r\n',
        );
        const shown = withoutSipSecrets(message);
        for (const hidden of [response, key, password]) expect(shown).not.toContain(hidden);
        for (const kept of ['+14085551234', 'Call-ID: stays', 'a=fingerprint:sha-256 AB:CD', 'Digest', 'AES_CM_128'])
          expect(shown).toContain(kept);
        expect(Buffer.byteLength(shown)).toBe(Buffer.byteLength(message));
        expect(withoutSipSecrets(shown)).toBe(shown);
      }),
    );
  });

  it('rings of SIP messages hold no more than they may, the beginning of each call first of all', () => {
    const limits = { messages: 12, characters: 4_000, allCharacters: 9_000, calls: 5 };
    const step = fc.record({ call: fc.integer({ min: 0, max: 8 }), size: fc.integer({ min: 1, max: 900 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 150 }), (steps) => {
        let now = 0;
        const rings = new SipRings(() => ++now, limits);
        const known = new Set<string>();
        for (const { call, size } of steps) {
          const sipCallId = `call-${call}`;
          if (!known.has(sipCallId)) rings.belongs(sipCallId, sipCallId as CallId);
          known.add(sipCallId);
          const message = { sipCallId, text: 'x'.repeat(size), isOutgoing: true, transport: 'udp' };
          rings.seen({ ...message, remote: { address: '192.0.2.1', port: 5060 } });
          expect(rings.characters).toBeLessThanOrEqual(limits.allCharacters);
          const all = [...known].map((id) => rings.of(id as CallId));
          expect(all.filter((kept) => kept.length > 0).length).toBeLessThanOrEqual(limits.calls);
          let sum = 0;
          for (const kept of all) {
            const characters = kept.reduce((so, { text }) => so + text.length, 0);
            sum += characters;
            expect(kept.length).toBeLessThanOrEqual(limits.messages);
            expect(characters).toBeLessThanOrEqual(limits.characters);
            expect(kept.map(({ atUs }) => atUs)).toEqual(kept.map(({ atUs }) => atUs).sort((a, b) => a - b));
          }
          expect(sum).toBe(rings.characters);
        }
      }),
      { numRuns: 50 },
    );
  });
});
