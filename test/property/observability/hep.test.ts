import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEP_TYPE, hepPacket } from '../../../src/observability/hep/hep-packet.js';
import { canonicalIp } from '../../../src/lib/canonical-ip.js';
import { readHep } from '../../support/hep-reader.js';

const place = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 0, max: 65_535 }) });
const packets = fc.record({
  type: fc.constantFrom(...Object.values(HEP_TYPE)),
  from: place,
  to: place,
  isTcp: fc.boolean(),
  atUs: fc.integer({ min: 0, max: 4_294_967_295_999_999 }),
  captureId: fc.integer({ min: 0, max: 0xffff_ffff }),
  password: fc.string({ maxLength: 40, unit: 'grapheme' }),
  correlationId: fc.string({ maxLength: 200, unit: 'grapheme' }),
  payload: fc.string({ maxLength: 3_000, unit: 'grapheme' }),
});

/** What an address written in eight words is, in its one spelling; an IPv4 address in IPv6 clothes is that address. */
const plain = (address: string): string => canonicalIp(address);

describe('HEP3 packets', () => {
  it('are read as they were written, whatever is in them', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = hepPacket({ ...packet, payload: Buffer.from(packet.payload) });
        const read = readHep(bytes ?? Buffer.alloc(0));
        const { from, to, isTcp, password, ...same } = packet;
        expect(read).toMatchObject({ ...same, protocol: isTcp ? 6 : 17, fromPort: from.port, toPort: to.port });
        expect(read.password).toBe(password === '' ? undefined : password);
        expect([plain(read.from), plain(read.to)]).toEqual([plain(from.address), plain(to.address)]);
      }),
      { numRuns: 300 },
    );
  });
});
