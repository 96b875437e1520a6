import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.js';
import { SrtpKey, srtpSuites } from '../../../src/sdp/sdes.js';
import { KeepingSrtpSender } from '../../support/srtp-keys.js';
import { runsOf } from '../../support/runs.js';

const suite = fc.constantFrom(...srtpSuites);
const key = fc
  .tuple(suite, fc.uint8Array({ minLength: 30, maxLength: 30 }))
  .map(([of, bytes]) => SrtpKey.random(of, (length) => Buffer.from(bytes).toString('hex', 0, length)));

/** A well-formed packet: any flags, CSRCs, extension and payload. */
const packet = fc
  .record({
    second: fc.integer({ min: 0, max: 255 }).filter((byte) => byte < 192 || byte > 223),
    flags: fc.constantFrom(0x80, 0x81, 0x8f, 0x90, 0x95, 0xa0),
    extension: fc.uint8Array({ maxLength: 6 }),
    payload: fc.uint8Array({ maxLength: 400 }),
  })
  .map(({ second, flags, extension, payload }) => {
    const csrcs = Buffer.alloc(4 * (flags & 0x0f), 7);
    const words = Buffer.alloc(4 * extension.length, 9);
    const head = Buffer.from([0xbe, 0xde, 0, extension.length]);
    const parts = [Buffer.alloc(12), csrcs, ...((flags & 0x10) === 0 ? [] : [head, words]), payload];
    const bytes = Buffer.concat(parts);
    bytes[0] = flags;
    bytes[1] = second;
    return bytes;
  });

const at = (template: Buffer, sequence: number, ssrc: number): Buffer => {
  const copy = Buffer.from(template);
  copy.writeUInt16BE(sequence & 0xffff, 2);
  copy.writeUInt32BE(ssrc, 8);
  return copy;
};

describe('SRTP', () => {
  const { runs, timeoutMs } = runsOf(200, 30_000);

  it(
    'comes back as it went in, whatever the packet, over wraps, losses and disorder',
    () => {
      fc.assert(
        fc.property(
          key,
          packet,
          fc.integer({ min: 0, max: 0x7fff }),
          fc.array(fc.record({ skip: fc.integer({ min: 1, max: 20_000 }), lost: fc.boolean(), late: fc.boolean() }), {
            minLength: 1,
            maxLength: 40,
          }),
          (of, template, first, steps) => {
            const [sender, refused] = [new KeepingSrtpSender(of), { unauthentic: 0, replayed: 0 }];
            const receiver = new SrtpReceiver(of, refused);
            const take = (sequence: number, sealed: Buffer): void =>
              expect(receiver.openRtp(sealed)).toEqual(at(template, sequence, 0xfeed));
            let sequence = first;
            take(sequence, sender.sealRtp(at(template, sequence, 0xfeed)));
            for (const { skip, lost, late } of steps) {
              const before = ++sequence;
              const sealedBefore = sender.sealRtp(at(template, before, 0xfeed));
              sequence += lost ? skip : 1;
              const sealed = sender.sealRtp(at(template, sequence, 0xfeed));
              if (!lost && !late) take(before, sealedBefore);
              take(sequence, sealed);
              if (!lost && late) take(before, sealedBefore);
            }
            expect(refused).toEqual({ unauthentic: 0, replayed: 0 });
          },
        ),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  it(
    'is never opened, and never throws, for bytes that nobody sealed',
    () => {
      const bytes = fc.oneof(fc.uint8Array({ maxLength: 120 }), packet);
      fc.assert(
        fc.property(key, fc.array(bytes, { maxLength: 20 }), (of, datagrams) => {
          const refused = { unauthentic: 0, replayed: 0 };
          const receiver = new SrtpReceiver(of, refused);
          for (const datagram of datagrams) {
            // 2^-32 is what the tag of 32 bits leaves to chance.
            expect(receiver.openRtp(Buffer.from(datagram))).toBeUndefined();
            expect(receiver.openRtcp(Buffer.from(datagram))).toBeUndefined();
          }
          expect(refused).toEqual({ unauthentic: 2 * datagrams.length, replayed: 0 });
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );
});
