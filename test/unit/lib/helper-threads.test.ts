import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { yieldHelperThreads } from '../../../src/lib/helper-threads.js';

const folder = mkdtempSync(join(tmpdir(), 'sip2wa-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('threads that help', () => {
  it('are the first five after the main one, whatever order they are listed in', () => {
    // The fifth and later came when numbers began anew.
    const threads = [0, 4, 1, 2, 3].map((i) => process.pid + i).concat(2, 1, 3);
    threads.forEach((thread) => mkdirSync(join(folder, String(thread))));
    const given: [number, number][] = [];
    const setPriority = (thread: number, priority: number): void => void given.push([thread, priority]);
    expect(yieldHelperThreads({ tasks: folder, setPriority })).toBe(5);
    expect(given).toEqual(
      [process.pid + 1, process.pid + 2, process.pid + 3, process.pid + 4, 1].map((thread) => [thread, 19]),
    );
  });

  it('are left alone where it is forbidden or cannot be done', () => {
    const setPriority = (): never => {
      throw new Error('EPERM');
    };
    expect(yieldHelperThreads({ tasks: folder, setPriority })).toBe(0);
    expect(yieldHelperThreads({ tasks: join(folder, 'nothing') })).toBe(0);
  });
});
