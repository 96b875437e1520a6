import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptItems } from '../../../src/journal/kept-items.js';
import { SeenFile } from '../../../src/journal/seen-file.js';
import { FakeClock, type Clock } from '../../../src/lib/clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const DAY_MS = 24 * 3600_000;
let dir: string;
let clock: FakeClock;
let logger: RecordingLogger;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-seen-'));
  clock = new FakeClock();
  logger = new RecordingLogger();
});
afterEach(() => {
  if (existsSync(dir)) rmSync(dir, { recursive: true });
});

const load = (options: { capacity?: number; clock?: Clock } = {}): Promise<SeenFile> =>
  SeenFile.load({ dir, clock, logger, ...options });
const files = (): string[] => readdirSync(dir).sort();

describe('seen keys', () => {
  it('are known after a restart, for 8 days and over every day between', async () => {
    let seen = await load();
    for (let day = 0; day <= 8; day++) {
      seen.add(`event of day ${day}`);
      await seen.close();
      clock.advance(DAY_MS);
      seen = await load();
      for (let known = 0; known <= day; known++) expect(seen.has(`event of day ${known}`)).toBe(true);
    }
    expect(seen.has('event of day 9')).toBe(false);
    expect(files()).toHaveLength(9);
  });

  it('take bounded space: one file a day, of nine days', async () => {
    const seen = await load();
    for (let day = 0; day < 20; day++) {
      seen.add(`event of day ${day}`);
      await seen.close();
      clock.advance(DAY_MS);
    }
    expect(files()).toEqual(Array.from({ length: 9 }, (_, n) => `seen-2026-01-${12 + n}.0000.keys`));
    expect((await load()).size).toBe(9);
  });

  it.each([
    ['a year ahead', 365 * DAY_MS],
    ['a year back', -365 * DAY_MS],
    ['an hour back', -3600_000],
  ])('survive a clock that steps %s, and its coming back', async (_, stepMs) => {
    let nowMs = Date.UTC(2026, 5, 1);
    const stepping: Clock = { now: () => nowMs, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };
    const seen = await load({ clock: stepping });
    seen.add('before');
    await seen.close();
    nowMs += stepMs;
    seen.add('while');
    await seen.close();
    expect([seen.has('before'), seen.has('while')]).toEqual([true, true]);
    const wrong = await load({ clock: stepping });
    expect([wrong.has('before'), wrong.has('while')]).toEqual([true, true]);
    nowMs -= stepMs;
    wrong.add('after');
    await wrong.close();
    const again = await load({ clock: stepping });
    expect(['before', 'while', 'after'].map((key) => again.has(key))).toEqual([true, true, true]);
  });

  it('are bounded in number, the newest being kept, in memory and on disk', async () => {
    const seen = await load({ capacity: 100 });
    for (let n = 0; n < 1000; n++) {
      seen.add(`key ${n}`);
      if (n % 10 === 0) await seen.close();
    }
    await seen.close();
    for (const one of [seen, await load({ capacity: 100 })]) {
      expect(one.size).toBe(100);
      expect([one.has('key 999'), one.has('key 900'), one.has('key 899')]).toEqual([true, true, false]);
    }
    const bytes = files().map((name) => statSync(join(dir, name)).size);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3 * 120 * 17);
  });

  it('are read up to where a crash cut the file, which loses no later one', async () => {
    const seen = await load();
    seen.add('one');
    seen.add('two');
    await seen.close();
    appendFileSync(join(dir, files()[0]!), 'half-a-ha');
    const after = await load();
    after.add('three');
    await after.close();
    const again = await load();
    expect(['one', 'two', 'three'].map((key) => again.has(key))).toEqual([true, true, true]);
  });

  it('are kept in memory when the disk takes none', async () => {
    const seen = await load();
    rmSync(dir, { recursive: true });
    seen.add('one');
    await seen.close();
    expect(seen.has('one')).toBe(true);
    expect(logger.lines.map(({ message }) => message)).toEqual(['webhook keys cannot be written']);
  });
});

describe('kept items', () => {
  it('take bounded space', async () => {
    const path = join(dir, 'unknown-webhooks.jsonl');
    const kept = new KeptItems({ path, logger, fileBytes: 20_000 });
    for (let n = 0; n < 50; n++) {
      kept.keep(`${n} ${'x'.repeat(20_000)}`);
      await kept.close();
    }
    expect(files()).toEqual(['unknown-webhooks.jsonl', 'unknown-webhooks.jsonl.1']);
    for (const name of files()) {
      expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(20_000);
      expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    }
  });

  it('that cannot be written are lost without more than one word', async () => {
    const path = join(dir, 'a-file', 'items');
    writeFileSync(join(dir, 'a-file'), '');
    const kept = new KeptItems({ path, logger });
    for (let n = 0; n < 3; n++) {
      kept.keep('item');
      await kept.close();
    }
    expect(logger.lines.map(({ message }) => message)).toEqual(['items cannot be kept']);
  });
});
