import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LiveSecrets } from '../../../src/config/live-secrets.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';

let folder: string;
let clock: FakeClock;
let logger: RecordingLogger;
let redacted: string[];
let changes: number;
let secrets: LiveSecrets;
const path = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-'));
  [clock, logger, redacted, changes] = [new FakeClock(), new RecordingLogger(), [], 0];
  writeFileSync(path('token'), 'canary-1\n');
  writeFileSync(path('app'), 'canary-app-1\r\n');
  const secretFiles = { accessToken: path('token'), appSecrets: [undefined, path('app')] };
  const graph = { accessToken: 'canary-1', appSecrets: ['canary-literal', 'canary-app-1'], secretFiles };
  secrets = new LiveSecrets({ graph, redact: (values) => void redacted.push(...values), clock, logger });
  secrets.onTokenChange(() => {
    changes += 1;
  });
});
afterEach(() => {
  secrets.close();
  rmSync(folder, { recursive: true });
  expect(logger.text()).not.toContain('canary');
});

const messages = (): string[] => logger.lines.map(({ message }) => message);

it('files that stay as they are change nothing', async () => {
  await secrets.poll();
  await secrets.poll();
  expect([secrets.accessToken(), secrets.appSecrets()]).toEqual(['canary-1', ['canary-literal', 'canary-app-1']]);
  expect([messages(), changes, redacted]).toEqual([[], 0, []]);
});

it('a replaced token is used, redacted and announced; a replaced app secret too, in its place', async () => {
  await secrets.poll();
  writeFileSync(path('token'), 'canary-2');
  writeFileSync(path('app'), 'canary-app-2\n');
  await secrets.poll();
  expect([secrets.accessToken(), secrets.appSecrets()]).toEqual(['canary-2', ['canary-literal', 'canary-app-2']]);
  expect(redacted).toEqual(['canary-2', 'canary-app-2']);
  expect(logger.lines).toMatchObject([
    { level: 'info', message: 'secret replaced', fields: { key: 'graph.access_token' } },
    { level: 'info', message: 'secret replaced', fields: { key: 'graph.app_secret' } },
  ]);
  expect(changes).toBe(1);
});

it('what was written between the start and the first look is not missed', async () => {
  writeFileSync(path('token'), 'canary-2');
  await secrets.poll();
  expect(secrets.accessToken()).toBe('canary-2');
});

it.each<[string, () => void, string]>([
  ['empty', () => truncateSync(path('token')), 'secret is unusable; the old one stays'],
  ['a line break', () => writeFileSync(path('token'), '\n'), 'secret is unusable; the old one stays'],
  ['two lines', () => writeFileSync(path('token'), 'canary\nmore\n'), 'secret is unusable; the old one stays'],
  ['too long', () => writeFileSync(path('token'), 'x'.repeat(20_000)), 'secret is unusable; the old one stays'],
  ['huge', () => writeFileSync(path('token'), 'x'.repeat(70_000)), 'secret cannot be read; the old one stays'],
  ['gone', () => unlinkSync(path('token')), 'secret cannot be read; the old one stays'],
])('a file that is %s leaves the old one in place, says so once, and heals', async (_, spoil, message) => {
  await secrets.poll();
  spoil();
  await secrets.poll();
  await secrets.poll();
  expect([secrets.accessToken(), messages(), changes]).toEqual(['canary-1', [message], 0]);
  writeFileSync(path('token'), 'canary-3\n');
  await secrets.poll();
  expect([secrets.accessToken(), changes]).toEqual(['canary-3', 1]);
});

it('a file that takes its time is waited for by one look alone, with one warning, and its late answer counts', async () => {
  await secrets.poll();
  unlinkSync(path('token'));
  // Reading a pipe hangs, as on a mount whose server is away, until somebody writes to it.
  execFileSync('mkfifo', [path('token')]);
  clock.advance(1_000);
  await until(() => clock.armed === 1, 'the read, which is on its way');
  clock.advance(5_000);
  expect(logger.lines).toMatchObject([
    { level: 'warn', message: 'secret cannot be read yet; the old one stays', fields: { key: 'graph.access_token' } },
  ]);
  clock.advance(60_000);
  expect([clock.armed, messages().length]).toEqual([0, 1]);
  await writeFile(path('token'), 'canary-late\n');
  await until(() => secrets.accessToken() === 'canary-late', 'the late token');
});

it('looks about every second until it is closed', async () => {
  writeFileSync(path('token'), 'canary-2');
  clock.advance(999);
  expect(clock.armed).toBe(1);
  clock.advance(1);
  await until(() => secrets.accessToken() === 'canary-2', 'the new token');
  writeFileSync(path('token'), 'canary-3');
  const looksAgain = (): boolean => {
    clock.advance(1_000);
    return secrets.accessToken() === 'canary-3';
  };
  await until(looksAgain, 'the token after that');
  secrets.close();
  await until(() => clock.armed === 0, 'the end of the last look');
});

it('without files nothing is looked at', () => {
  const idle = new FakeClock();
  const graph = { accessToken: 'x', appSecrets: ['y'], secretFiles: { accessToken: undefined, appSecrets: [] } };
  const fixed = new LiveSecrets({ graph, redact: () => undefined, clock: idle, logger });
  expect([idle.armed, fixed.accessToken(), fixed.appSecrets()]).toEqual([0, 'x', ['y']]);
});

it('after a reload the new ones count, from wherever they come now', async () => {
  writeFileSync(path('next'), 'canary-3');
  const secretFiles = { accessToken: path('next'), appSecrets: [undefined] };
  secrets.use({ accessToken: 'canary-3', appSecrets: ['canary-literal-2'], secretFiles });
  expect([secrets.accessToken(), secrets.appSecrets(), changes]).toEqual(['canary-3', ['canary-literal-2'], 1]);
  writeFileSync(path('token'), 'canary-4');
  writeFileSync(path('next'), 'canary-5');
  await secrets.poll();
  expect([secrets.accessToken(), changes, clock.armed]).toEqual(['canary-5', 2, 1]);
  secrets.use({ accessToken: 'canary-5', appSecrets: [], secretFiles: { accessToken: undefined, appSecrets: [] } });
  expect([changes, clock.armed]).toEqual([2, 0]);
});
