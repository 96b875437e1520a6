import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/call/journal.js';
import { decodeLine, encodeLine } from '../../../src/journal/line-codec.js';
import { LineSplitter } from '../../../src/journal/segment-reader.js';
import type { CallId } from '../../../src/lib/ids.js';

const entry = (n: number, data: Record<string, string> = {}): JournalEntry => ({
  call: `CALL${n}` as CallId,
  event: 'began',
  data: { direction: 'user_initiated', ...data },
});
const line = (n: number, data?: Record<string, string>): Buffer => Buffer.from(encodeLine(entry(n, data), 5));

function read(...chunks: Buffer[]) {
  const entries: JournalEntry[] = [];
  const splitter = new LineSplitter((one) => entries.push(one));
  for (const chunk of chunks) splitter.push(chunk);
  return { calls: entries.map(({ call }) => call), ...splitter.reading };
}

describe('journal lines', () => {
  it('come back as they were written, whatever is in them', () => {
    const data = { remoteParty: '"Ana \\"Ñ\\" 🙂" <sip:a@b>', odd: 'line\nend\u2028 and \u0000' };
    const text = encodeLine(entry(1, data), 1764000000000.4);
    expect(text).toMatch(/^[0-9a-f]{8} \{"at":1764000000000,/);
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(decodeLine(Buffer.from(text.trimEnd()))).toEqual(entry(1, data));
  });

  it('are not believed once a byte of them has changed', () => {
    const good = line(1, { sipCallId: 'abc' }).subarray(0, -1);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = bad[at]! ^ 0x01;
      expect(decodeLine(bad), `byte ${at}`).toBeUndefined();
    }
  });

  it('that hold something else than an entry are none, checksum or not', () => {
    for (const value of [null, 7, [], 'text', { call: 'c' }, { call: 'c', event: 'began', data: { a: 1 } }]) {
      const json = JSON.stringify(value);
      expect(decodeLine(Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}`)), json).toBeUndefined();
    }
    expect(decodeLine(Buffer.from(''))).toBeUndefined();
    expect(decodeLine(Buffer.from('00000000 '))).toBeUndefined();
  });
});

describe('a segment', () => {
  const whole = Buffer.concat([line(1), line(2), line(3)]);

  it('cut at any byte gives the entries whose line end is there, and no other', () => {
    const ends = [...whole.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at + 1);
    for (let cut = 0; cut <= whole.length; cut++) {
      const known = ends.filter((end) => end <= cut).length;
      const { calls, badLines, tornBytes } = read(whole.subarray(0, cut));
      expect([calls.length, badLines, tornBytes]).toEqual([known, 0, cut - (ends[known - 1] ?? 0)]);
    }
  });

  it('reads the same however the bytes arrive', () => {
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(read(whole.subarray(0, cut), whole.subarray(cut)).calls).toEqual(['CALL1', 'CALL2', 'CALL3']);
    }
  });

  it('loses a damaged line alone', () => {
    const bad = Buffer.from(whole);
    bad[line(1).length + 20] = 0x00;
    expect(read(bad)).toMatchObject({ calls: ['CALL1', 'CALL3'], badLines: 1, tornBytes: 0 });
  });

  it('bounds what it holds of a line without an end', () => {
    const noise = Buffer.alloc(200 * 1024, 0x41);
    const after = read(noise, noise, noise, Buffer.from('\n'), line(9));
    expect(after).toMatchObject({ calls: ['CALL9'], badLines: 1 });
  });
});
