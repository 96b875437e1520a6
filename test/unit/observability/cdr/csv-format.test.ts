import { describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../../src/call/call-record.js';
import { csvColumns, csvFormat } from '../../../../src/observability/cdr/csv-format.js';
import { fullRecord, recordOf } from '../../../support/call-records.js';

/** A reader of RFC 4180 that is not ours in any line. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cells = /("(?:[^"]|"")*"|[^,\r\n"]*)(,|\r\n)/gy;
  for (let match = cells.exec(text); match; match = cells.exec(text)) {
    const [, cell = '', end] = match;
    rows.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end === '\r\n') rows.push([]);
    if (cells.lastIndex === text.length) return rows.slice(0, -1);
  }
  throw new Error(`not CSV: ${text}`);
}

/** Every value of a record that is not a block, by its path. */
function leavesOf(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, below]) => leavesOf(below, path === '' ? key : `${path}.${key}`));
}

const cell = (more: Partial<CallRecord>, column: (typeof csvColumns)[number]): string => {
  const [row = []] = readCsv(csvFormat.line(recordOf('1', more)));
  return row[csvColumns.indexOf(column)] ?? 'no such cell';
};

describe('call records as comma-separated values', () => {
  it('have every field of a record in a column of its name', () => {
    const [header = [], row = [], ...more] = readCsv(csvFormat.header + csvFormat.line(fullRecord));
    expect(more).toEqual([]);
    expect(header).toEqual([...csvColumns]);
    const shown = Object.fromEntries(header.map((name, index) => [name, row[index]]));
    expect(shown).toEqual(Object.fromEntries(leavesOf(fullRecord).map(([path, value]) => [path, String(value)])));
  });

  it('begin with the version and the call, in an order that stays', () => {
    expect(csvColumns.slice(0, 15).join(',')).toBe(
      'version,call,direction,number,user,userId,trunk,caller,divertedBy,start,answer,end,durationMs,billsecMs,endedBy',
    );
    expect(new Set(csvColumns).size).toBe(csvColumns.length);
  });

  it('leave out what is not known', () => {
    const row = readCsv(csvFormat.line(recordOf('1')))[0] ?? [];
    expect(row).toHaveLength(csvColumns.length);
    expect(row[csvColumns.indexOf('waCallId')]).toBe('');
    expect(row[csvColumns.indexOf('quality.pbx.roundTripAvgMs')]).toBe('');
  });

  it.each([
    ['a,b', 'a,b'],
    ['say "no"', 'say "no"'],
    [' led and trailed ', ' led and trailed '],
    ['one\r\ntwo\u2028three\u0085four\tfive', 'one two three four five'],
    ['Ørsted 🎉', 'Ørsted 🎉'],
  ])('give %j back as %j, on one line', (text, read) => {
    expect(csvFormat.line(recordOf('1', { text })).split(/[\r\n]+/)).toHaveLength(2);
    expect(cell({ text }, 'text')).toBe(read);
  });

  it.each([
    '=1+1',
    '+SUM(A1)',
    '-2+3',
    '@SUM(A1)',
    '\t=1',
    '  =1',
    '＝1+1',
    'x;=1',
    'x, @y',
    '+49abc',
    '+1234567890123456',
  ])('keep a spreadsheet from running %j', (text) => {
    for (const part of cell({ opaque: text }, 'opaque').split(/[;,]/)) expect(part.trim()).not.toMatch(/^[=+\-@＝]/);
    expect(cell({ opaque: text }, 'opaque')).toContain("'");
  });

  it('leave telephone numbers, dates and plain words as they are', () => {
    expect(cell({ user: '+4930123456' }, 'user')).toBe('+4930123456');
    expect(cell({}, 'start')).toBe('2026-11-22T11:00:00.000Z');
    expect(cell({ opaque: 'a=b+c-d@e' }, 'opaque')).toBe('a=b+c-d@e');
  });

  it('find the call of a line again, whatever stands behind it', () => {
    expect(csvFormat.callOf(csvFormat.line(recordOf('01ABC', { text: '"a","b' })).trimEnd())).toBe('01ABC');
    expect(csvFormat.callOf(csvFormat.header.trimEnd())).toBeUndefined();
    expect(csvFormat.callOf('1,')).toBeUndefined();
  });

  it('tells a row that was cut short, anywhere, from a whole one, also once it is ended', () => {
    const row = csvFormat.line(recordOf('01ABC', { text: '"a",\r\n"b' }));
    for (let length = 1; length < row.length; length++) {
      const cut = row.slice(0, length);
      const isWhole = length === row.length - 1;
      expect(csvFormat.isWhole(cut), cut).toBe(isWhole);
      const [line] = (cut + csvFormat.mend(cut)).split('\n');
      expect(csvFormat.callOf(line ?? ''), cut).toBe(isWhole ? '01ABC' : undefined);
    }
  });

  it('close what was cut within quotes, so that the next line is read', () => {
    const whole = csvFormat.line(recordOf('01ABC', { text: 'a, "b"' }));
    for (let at = 1; at < whole.length; at++) {
      const cut = whole.slice(0, at);
      if (cut.endsWith('\r')) continue;
      const next = readCsvLoosely(cut + csvFormat.mend(cut) + csvFormat.line(recordOf('01DEF'))).at(-1);
      expect(next, cut).toEqual(readCsv(csvFormat.line(recordOf('01DEF')))[0]);
    }
  });
});

/** As spreadsheets read: a quote within a cell that began without one stands for itself. */
function readCsvLoosely(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (isQuoted && char === '"' && text.charAt(at + 1) === '"') cell += text.charAt(++at);
    else if (char === '"' && (isQuoted || cell === '')) isQuoted = !isQuoted;
    else if (!isQuoted && (char === ',' || char === '\n')) {
      row.push(cell);
      cell = '';
      if (char === '\n') rows.push(row);
      if (char === '\n') row = [];
    } else if (char !== '\r') cell += char;
  }
  return rows;
}
