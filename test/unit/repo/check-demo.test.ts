import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { top } from './repository.js';

const folder = mkdtempSync(join(tmpdir(), 'sip2wa-demo-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Heard {
  tone_hz: number | null;
  level_db: number;
  loss: number;
  delay_ms: number;
}

interface Call {
  direction: string;
  answered: boolean;
  setup_ms: number;
  heard_by_pbx: Heard;
  heard_by_phone: Heard;
}

/** Figures as a good demo prints them. */
function goodCall(direction: string): Call {
  const heard = { level_db: -9.1, loss: 0.0042, delay_ms: 64.2 };
  return {
    direction,
    answered: true,
    setup_ms: 812.4,
    heard_by_pbx: { tone_hz: 620.1, ...heard },
    heard_by_phone: { tone_hz: 839.8, ...heard },
  };
}

/** What `.ci/check-demo.mjs` says of a report with one thing changed: exit status and text. */
function judge(change: (call: Call, calls: Call[]) => void = () => undefined): readonly [number | null, string] {
  const calls = [goodCall('user_initiated'), goodCall('business_initiated')];
  change(calls[1]!, calls);
  const path = join(folder, 'demo.json');
  writeFileSync(path, JSON.stringify({ calls }));
  const { status, stderr } = spawnSync('node', ['.ci/check-demo.mjs', path], { cwd: top, encoding: 'utf8' });
  return [status, stderr];
}

// Each starts a Node of its own.
describe('the judging of the demo in CI', { timeout: 30_000 }, () => {
  it('takes good figures', () => expect(judge()).toEqual([0, '']));

  it('takes tones within 1 % of what is played', () => {
    expect(
      judge(({ heard_by_pbx, heard_by_phone }) => {
        heard_by_pbx.tone_hz = 620 * 1.0095;
        heard_by_phone.tone_hz = 840 * 0.9905;
      }),
    ).toEqual([0, '']);
  });

  it.each<[string, string, (call: Call, calls: Call[]) => void]>([
    ['a tone 1 % above', 'heard_by_pbx tone_hz', (call) => (call.heard_by_pbx.tone_hz = 620 * 1.011)],
    ['a tone 1 % below', 'heard_by_phone tone_hz', (call) => (call.heard_by_phone.tone_hz = 840 * 0.989)],
    [
      'sides that hear themselves',
      'heard_by_pbx tone_hz',
      ({ heard_by_pbx: pbx, heard_by_phone: phone }) => ([pbx.tone_hz, phone.tone_hz] = [phone.tone_hz, pbx.tone_hz]),
    ],
    ['no tone', 'heard_by_phone tone_hz is not a number', (call) => (call.heard_by_phone.tone_hz = null)],
    ['silence', 'level_db', (call) => (call.heard_by_phone.level_db = -60)],
    ['2 % loss', 'loss', (call) => (call.heard_by_pbx.loss = 0.02)],
    ['a late voice', 'delay_ms', (call) => (call.heard_by_pbx.delay_ms = 151)],
    ['no answer', 'was not answered', (call) => (call.answered = false)],
    ['one call alone', 'business_initiated', (_, calls) => calls.pop()],
  ])('refuses %s', (_what, expected, change) => {
    const [status, stderr] = judge(change);
    expect(status).toBe(1);
    expect(stderr).toContain(expected);
  });
});
