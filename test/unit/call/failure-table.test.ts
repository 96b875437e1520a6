import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { causeTable, metaFailures, sipFailures, sipFailuresByClass } from '../../../src/call/failure-table.js';

const inRange = ({ sipStatus, q850 }: { sipStatus: number; q850: number }): boolean =>
  sipStatus >= 400 && sipStatus < 700 && q850 >= 1 && q850 <= 127;

describe('failure table', () => {
  it.each(Object.entries(causeTable))('%s has a final failure status and a Q.850 cause', (_code, row) => {
    expect(inRange(row)).toBe(true);
  });

  it('lets what the far side said override the table', () => {
    expect(endReason('busy', { q850: 34, text: 'circuits' })).toMatchObject({
      sipStatus: 486,
      q850: 34,
      text: 'circuits',
    });
  });

  it('asked for permission is not the same as none: the PBX may try again', () => {
    expect(causeTable.permission_requested).toMatchObject({ sipStatus: 480, q850: 20, result: 'client_error' });
    expect(causeTable.no_permission).toMatchObject({ sipStatus: 403 });
  });

  /** Meta's pages of errors: general, messaging where a call can meet it, calling. 138010 and 138016 are nowhere explained. */
  it('knows every code that Meta documents for calls', () => {
    const general = [1, 2, 4, 10, 190, 613, 80007, 130429, 130497];
    const messaging = [131000, 131009, 131016, 131026, 131030, 131044, 131055];
    const calling = Array.from({ length: 26 }, (_, i) => 138000 + i).filter((code) => ![138010, 138016].includes(code));
    expect([...metaFailures.keys()]).toEqual([...general, ...messaging, ...calling]);
  });

  it('gives each of Meta’s codes a status and a cause that exist, in a call and before it', () => {
    for (const failure of metaFailures.values()) {
      for (const { code, ...more } of [failure, failure.afterAnswer ?? failure]) {
        expect(inRange({ ...causeTable[code], ...more })).toBe(true);
      }
    }
  });

  it('knows every final status that IANA has registered', () => {
    expect([...sipFailures.keys()]).toEqual([
      ...[300, 301, 302, 305, 380],
      ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425],
      ...[428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489],
      ...[491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608],
    ]);
  });

  it('tries another server where one failed, never where the call was refused', () => {
    const retried = [...sipFailures].filter(([, { retry }]) => retry).map(([status]) => status);
    expect(retried).toEqual([500, 501, 502, 503, 504, 505, 513, 555, 580]);
    expect(Object.entries(sipFailuresByClass).map(([digit, { retry }]) => [digit, retry])).toEqual([
      ['3', false],
      ['4', false],
      ['5', true],
      ['6', false],
    ]);
  });
});
