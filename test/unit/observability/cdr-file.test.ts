import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CallRecord } from '../../../src/call/call-record.js';
import { endReason } from '../../../src/call/end-reason.js';
import { deferred } from '../../../src/lib/deferred.js';
import type { CallId } from '../../../src/lib/ids.js';
import { CdrFile } from '../../../src/observability/cdr-file.js';
import type { CdrFiles } from '../../../src/observability/cdr-file.js';
import { createLogger } from '../../../src/observability/logger.js';
import { Lines } from './lines.js';

function record(call: string, more: Partial<CallRecord> = {}): CallRecord {
  const { code, sipStatus, q850, result } = endReason('hangup');
  return {
    version: 1,
    call: call as CallId,
    direction: 'user_initiated',
    number: 'sales',
    user: '+4930123456',
    start: '2026-11-22T11:00:00.000Z',
    answer: '2026-11-22T11:00:02.000Z',
    end: '2026-11-22T11:00:12.000Z',
    durationMs: 12_000,
    billsecMs: 10_000,
    endedBy: 'a',
    code,
    sipStatus,
    q850,
    result,
    ...more,
  };
}

/** A file system in memory whose disk can be full, and slow. */
class FakeDisk implements CdrFiles {
  text = '';
  appends = 0;
  full = false;
  gate: Promise<void> = Promise.resolve();

  mkdir(): Promise<void> {
    return this.full ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) : Promise.resolve();
  }

  async append(_path: string, text: string): Promise<void> {
    this.appends += 1;
    await this.gate;
    this.text += text;
  }
}

function sink(disk: CdrFiles) {
  const out = new Lines();
  const log = createLogger({ level: 'info', format: 'json', stream: out });
  return { out, cdr: new CdrFile('/var/cdr.jsonl', log, disk) };
}

describe('CdrFile', () => {
  it('appends records to a real file, in order, making its directory', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cdr-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'a', 'b', 'cdr.jsonl');
    const out = new Lines();
    const log = createLogger({ level: 'info', format: 'json', stream: out });
    for (const calls of [['1', '2'], ['3']]) {
      const cdr = new CdrFile(path, log);
      for (const call of calls) cdr.write(record(call));
      await cdr.close();
    }
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([record('1'), record('2'), record('3')]);
    expect(statSync(path).mode & 0o007).toBe(0);
    expect(out.text).toBe('');
  });

  it('keeps a record on one line whatever its text', async () => {
    const disk = new FakeDisk();
    const { cdr } = sink(disk);
    const text = 'a\r\nb\u2028c\u0085d';
    cdr.write(record('1', { text }));
    await cdr.close();
    expect(disk.text.slice(0, -1)).not.toMatch(/[\r\n\u2028\u0085]/);
    expect((JSON.parse(disk.text) as CallRecord).text).toBe(text);
  });

  it('writes what came in meanwhile in one step, and misses none', async () => {
    const disk = new FakeDisk();
    const { cdr } = sink(disk);
    const gate = deferred<undefined>();
    disk.gate = gate.promise;
    cdr.write(record('1'));
    while (disk.appends === 0) await Promise.resolve();
    for (const call of ['2', '3', '4']) cdr.write(record(call));
    gate.resolve(undefined);
    await cdr.close();
    expect(disk.appends).toBe(2);
    expect(
      disk.text
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as CallRecord).call),
    ).toEqual(['1', '2', '3', '4']);
    for (let i = 0; i < 20; i++) {
      cdr.write(record(`x${i}`));
      for (let turn = 0; turn < i; turn++) await Promise.resolve();
    }
    await cdr.close();
    expect(disk.text.split('\n')).toHaveLength(25);
    expect(cdr.lost).toBe(0);
  });

  it('survives a full disk: counts, says so once, and says when it works again', async () => {
    const disk = new FakeDisk();
    const { cdr, out } = sink(disk);
    disk.full = true;
    for (const call of ['1', '2', '3']) {
      cdr.write(record(call));
      await cdr.close();
    }
    expect(cdr.lost).toBe(3);
    disk.full = false;
    cdr.write(record('4'));
    await cdr.close();
    expect(out.records.map(({ level, msg, lost }) => [level, msg, lost])).toEqual([
      ['error', 'call records cannot be written', 1],
      ['warn', 'call records are written again', 3],
    ]);
    expect(out.records[0]?.['err']).toMatchObject({ code: 'ENOSPC' });
    expect((JSON.parse(disk.text) as CallRecord).call).toBe('4');
  });

  it('holds back no more than it can, and drops the rest', async () => {
    const disk = new FakeDisk();
    const { cdr, out } = sink(disk);
    const gate = deferred<undefined>();
    disk.gate = gate.promise;
    cdr.write(record('first'));
    while (disk.appends === 0) await Promise.resolve();
    const one = record('more');
    for (let i = 0; i < 10_005; i++) cdr.write(one);
    expect(cdr.lost).toBe(5);
    expect(out.records).toHaveLength(1);
    gate.resolve(undefined);
    await cdr.close();
    expect(disk.text.split('\n')).toHaveLength(10_002);
  });

  it('has nothing to wait for when nothing was written', async () => {
    await expect(sink(new FakeDisk()).cdr.close()).resolves.toBeUndefined();
  });
});
