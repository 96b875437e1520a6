import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  readdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CallRecord } from '../../../../src/call/call-record.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { deferred } from '../../../../src/lib/deferred.js';
import { csvFormat } from '../../../../src/observability/cdr/csv-format.js';
import { jsonlFormat } from '../../../../src/observability/cdr/jsonl-format.js';
import type { OpenedFile, RecordDisk } from '../../../../src/observability/cdr/record-disk.js';
import { RecordFile } from '../../../../src/observability/cdr/record-file.js';
import { recordOf } from '../../../support/call-records.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

/** A disk in memory that can be full, and slow. */
class FakeDisk implements RecordDisk {
  text = '';
  appends = 0;
  full = false;
  gate: Promise<void> = Promise.resolve();

  open(): Promise<OpenedFile> {
    return Promise.resolve({ calls: new Set() });
  }

  async append(_path: string, text: string): Promise<void> {
    this.appends += 1;
    await this.gate;
    if (this.full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    this.text += text;
  }

  get calls(): string[] {
    const lines = this.text.split('\n').slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as CallRecord).call);
  }
}

function sink(disk: RecordDisk) {
  const logger = new RecordingLogger();
  const clock = new FakeClock();
  const counted = { stored: 0, lost: 0 };
  const count = (result: 'stored' | 'lost', records: number): void => void (counted[result] += records);
  const cdr = new RecordFile({ path: '/var/cdr.jsonl', format: jsonlFormat, clock, logger, disk, count });
  return { logger, clock, cdr, counted };
}

/** A file of a folder that is gone after the test. */
function realFile(name: string, format = jsonlFormat) {
  const dir = mkdtempSync(join(tmpdir(), 'cdr-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, name);
  const logger = new RecordingLogger();
  const open = (): RecordFile => new RecordFile({ path, format, clock: new FakeClock(), logger });
  const write = async (...calls: readonly string[]): Promise<void> => {
    const file = open();
    await Promise.all(calls.map((call) => file.write(recordOf(call))));
    await file.close();
  };
  return { dir, path, logger, open, write, text: () => readFileSync(path, 'utf8') };
}

describe('a file of call records', () => {
  it('gets records in order, making its directory, closed to others', async () => {
    const { path, write, text, logger } = realFile(join('a', 'b', 'cdr.jsonl'));
    await write('1', '2');
    await write('3');
    const lines = text().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(['1', '2', '3'].map((call) => recordOf(call)));
    expect(statSync(path).mode & 0o007).toBe(0);
    expect(logger.lines).toEqual([]);
  });

  it('says of a record that it is safe when it is, and not before', async () => {
    const disk = new FakeDisk();
    const { cdr } = sink(disk);
    const gate = deferred<undefined>();
    disk.gate = gate.promise;
    let isSafe = false;
    const written = cdr.write(recordOf('1')).then(() => (isSafe = true));
    while (disk.appends === 0) await Promise.resolve();
    expect([isSafe, disk.text]).toEqual([false, '']);
    gate.resolve(undefined);
    await written;
    expect(disk.calls).toEqual(['1']);
  });

  it('keeps a record on one line whatever its text', async () => {
    const disk = new FakeDisk();
    const { cdr } = sink(disk);
    const text = 'a\r\nb\u2028c\u0085d';
    await cdr.write(recordOf('1', { text }));
    expect(disk.text.slice(0, -1)).not.toMatch(/[\r\n\u2028\u0085]/);
    expect((JSON.parse(disk.text) as CallRecord).text).toBe(text);
  });

  it('writes what came in meanwhile in one step, and misses none', async () => {
    const disk = new FakeDisk();
    const { cdr, counted } = sink(disk);
    const gate = deferred<undefined>();
    disk.gate = gate.promise;
    void cdr.write(recordOf('1'));
    while (disk.appends === 0) await Promise.resolve();
    for (const call of ['2', '3', '4']) void cdr.write(recordOf(call));
    gate.resolve(undefined);
    await cdr.close();
    expect(disk.appends).toBe(2);
    expect(disk.calls).toEqual(['1', '2', '3', '4']);
    for (let i = 0; i < 20; i++) {
      void cdr.write(recordOf(`x${i}`));
      for (let turn = 0; turn < i; turn++) await Promise.resolve();
    }
    await cdr.close();
    expect(new Set(disk.calls).size).toBe(24);
    expect(counted).toEqual({ stored: 24, lost: 0 });
  });

  it('waits for a full disk, says so once, and loses nothing when it works again', async () => {
    const disk = new FakeDisk();
    const { cdr, logger, clock, counted } = sink(disk);
    disk.full = true;
    const written = ['1', '2', '3'].map((call) => cdr.write(recordOf(call)));
    while (clock.armed === 0) await Promise.resolve();
    void cdr.write(recordOf('4'));
    while (disk.appends < 2 || clock.armed === 0) await Promise.resolve();
    disk.full = false;
    clock.advance(5_000);
    await Promise.all(written);
    expect(disk.calls).toEqual(['1', '2', '3', '4']);
    expect(counted).toEqual({ stored: 4, lost: 0 });
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'call records cannot be written'],
      ['warn', 'call records are written again'],
    ]);
    expect(logger.lines[0]?.fields['err']).toMatchObject({ code: 'ENOSPC' });
    expect(clock.armed).toBe(0);
  });

  it('writes no row twice that a failed attempt left and the disk did not take back', async () => {
    const disk = new FakeDisk();
    disk.open = () => Promise.resolve({ calls: new Set(disk.calls) });
    const { cdr, clock } = sink(disk);
    disk.append = (_path, text) => {
      disk.appends += 1;
      disk.text += disk.appends === 1 ? text.slice(0, text.indexOf('\n') + 1) : text;
      return disk.appends === 1 ? Promise.reject(new Error('input/output error')) : Promise.resolve();
    };
    const written = ['1', '2'].map((call) => cdr.write(recordOf(call)));
    while (clock.armed === 0) await Promise.resolve();
    clock.advance(5_000);
    await Promise.all(written);
    expect(disk.calls).toEqual(['1', '2']);
  });

  it('gives up at its end what the disk does not take, and says how much', async () => {
    const disk = new FakeDisk();
    const { cdr, logger, counted, clock } = sink(disk);
    disk.full = true;
    const written = ['1', '2', '3'].map((call) => cdr.write(recordOf(call)));
    await cdr.close();
    await Promise.all(written);
    expect([cdr.lost, counted.lost, clock.armed]).toEqual([3, 3, 0]);
    expect(logger.lines.map(({ message, fields }) => [message, fields['lost']])).toEqual([
      ['call records cannot be written', undefined],
      ['call records are lost', 3],
    ]);
  });

  it('holds back no more than it can, and drops the rest with one word of it', async () => {
    const disk = new FakeDisk();
    const { cdr, logger } = sink(disk);
    const gate = deferred<undefined>();
    disk.gate = gate.promise;
    void cdr.write(recordOf('first'));
    while (disk.appends === 0) await Promise.resolve();
    const one = recordOf('more');
    for (let i = 0; i < 10_005; i++) void cdr.write(one);
    expect(cdr.lost).toBe(5);
    expect(logger.lines).toHaveLength(1);
    gate.resolve(undefined);
    await cdr.close();
    expect(disk.calls).toHaveLength(10_001);
  });

  it('has nothing to wait for when nothing was written', async () => {
    await expect(sink(new FakeDisk()).cdr.close()).resolves.toBeUndefined();
  });
});

describe.each([
  ['cdr.jsonl', jsonlFormat],
  ['cdr.csv', csvFormat],
])('%s', (name, format) => {
  const whole = (...calls: readonly string[]): string =>
    format.header + calls.map((call) => format.line(recordOf(call))).join('');

  it('gets its header once, over restarts', async () => {
    const { write, text } = realFile(name, format);
    await write('1', '2');
    await write('3');
    expect(text()).toBe(whole('1', '2', '3'));
  });

  it('is begun anew, header and all, when it was moved away under the daemon', async () => {
    const { path, open, text } = realFile(name, format);
    const file = open();
    await file.write(recordOf('1'));
    renameSync(path, `${path}.1`);
    await file.write(recordOf('2'));
    expect(readFileSync(`${path}.1`, 'utf8')).toBe(whole('1'));
    expect(text()).toBe(whole('2'));
    writeFileSync(path, '');
    await file.write(recordOf('3'));
    expect(text()).toBe(whole('3'));
  });

  it('gets no second record of a call after a crash', async () => {
    const { write, text } = realFile(name, format);
    await write('1', '2');
    await write('2', '3');
    expect(text()).toBe(whole('1', '2', '3'));
  });

  it('is readable again behind a line that was cut short, of which the record is written anew', async () => {
    const { path, write, text } = realFile(name, format);
    await write('1');
    const cut = format.line(recordOf('2', { text: 'a, "b' })).slice(0, -12);
    appendFileSync(path, cut);
    await write('2', '3');
    expect(text()).toBe(whole('1') + cut + format.mend(cut) + whole('2', '3').slice(format.header.length));
  });
});

describe('a CSV file', () => {
  it('of other columns is set aside, not mixed', async () => {
    const { dir, path, write, text, logger } = realFile('cdr.csv', csvFormat);
    writeFileSync(path, 'version,call,more\r\n1,0,x\r\n');
    await write('1');
    expect(text()).toBe(csvFormat.header + csvFormat.line(recordOf('1')));
    const [aside = '', ...others] = readdirSync(dir).filter((name) => name !== 'cdr.csv');
    expect(others).toEqual([]);
    expect(readFileSync(join(dir, aside), 'utf8')).toContain('1,0,x');
    expect(logger.lines).toMatchObject([
      { level: 'warn', message: 'file of call records has other columns: set aside' },
    ]);
  });
});
