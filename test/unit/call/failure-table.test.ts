import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import {
  causeTable,
  metaFailures,
  sipFailures,
  sipFailuresByClass,
  type EndCode,
  type ResultClass,
} from '../../../src/call/failure-table.js';

const inRange = ({ sipStatus, q850 }: { sipStatus: number; q850: number }): boolean =>
  sipStatus >= 400 && sipStatus < 700 && q850 >= 1 && q850 <= 127;

describe('failure table', () => {
  /** End code, SIP status, Q.850 cause, result class: by hand, so that a change of the table is a change here. */
  it.each<[EndCode, number, number, ResultClass]>([
    ['hangup', 480, 16, 'success'],
    ['cancelled', 487, 16, 'client_error'],
    ['no_answer', 480, 19, 'client_error'],
    ['busy', 486, 17, 'client_error'],
    ['declined', 486, 21, 'client_error'],
    ['not_found', 404, 1, 'client_error'],
    ['bad_number', 484, 28, 'client_error'],
    ['not_allowed', 403, 21, 'client_error'],
    ['no_permission', 403, 21, 'client_error'],
    ['permission_requested', 480, 20, 'client_error'],
    ['no_route', 404, 3, 'client_error'],
    ['closed', 480, 20, 'client_error'],
    ['no_codec', 488, 88, 'client_error'],
    ['bad_request', 400, 95, 'client_error'],
    ['limit', 503, 42, 'upstream_error'],
    ['unavailable', 480, 20, 'client_error'],
    ['trunk_down', 503, 38, 'upstream_error'],
    ['upstream', 503, 41, 'upstream_error'],
    ['credentials', 503, 41, 'server_error'],
    ['media_failed', 504, 41, 'upstream_error'],
    ['media_timeout', 480, 102, 'upstream_error'],
    ['max_duration', 480, 102, 'success'],
    ['admin', 480, 16, 'success'],
    ['shutdown', 503, 41, 'server_error'],
    ['internal', 500, 41, 'server_error'],
  ])('%s: SIP %i, cause %i, %s', (code, sipStatus, q850, result) => {
    expect(endReason(code)).toEqual({ code, sipStatus, q850, result });
  });

  it('lets what the far side said override the table', () => {
    expect(endReason('busy', { q850: 34, text: 'circuits' })).toMatchObject({
      sipStatus: 486,
      q850: 34,
      text: 'circuits',
    });
  });

  /** Meta's pages of errors: general, messaging where a call can meet it, calling. 138010 and 138016 are nowhere explained. */
  it('knows every code that Meta documents for calls', () => {
    const general = [1, 2, 4, 10, 102, 190, 613, 80007, 130429, 130497];
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
