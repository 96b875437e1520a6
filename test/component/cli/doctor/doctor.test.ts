import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryLock } from '../../../../src/journal/directory-lock.js';
import { runCli } from '../../../../src/cli/program.js';
import { CapturedConsole } from '../../../support/captured-console.js';
import { DoctorScene } from './doctor-scene.js';

let scene: DoctorScene;
beforeEach(async () => {
  scene = await DoctorScene.start();
});
afterEach(() => scene.close());

/** Where the machine that tests has its own limits. */
const ofTheMachine = ['open files', 'disk space', 'media.rtp_ports', 'media.webrtc_ports', 'ephemeral ports'];

const lines = (): string[] => scene.out.trimEnd().split('\n');

describe('sip2wa doctor', () => {
  it('says of every check that all is well, one line each, and exits with 0', async () => {
    scene.write({ settings: 'status: ENABLED' });
    expect(await scene.run()).toBe(0);
    expect(scene.err).toBe('');
    const [checks, summary] = scene.out.split('\n\n');
    const found = (checks ?? '').split('\n').map((line) => /^ {2}(\w+) +(.*?) {2}/.exec(line)?.slice(1, 3) ?? []);
    expect(found.map(([, name]) => name)).toEqual([
      ...['node', 'time zones', 'open files', 'opus', 'dtls', 'journal', 'call records', 'disk space'],
      ...['listen udp://127.0.0.1:0', 'webhook.listen', 'admin.listen'],
      ...['media.rtp_ports', 'media.webrtc_ports', 'ephemeral ports', 'daemon', 'admin access'],
      `trunk pbx 127.0.0.1:${scene.pbx.port} udp`,
      ...['access token', 'clock', 'number sales', 'health sales', 'calling sales', 'signaling sales'],
      ...['settings sales', 'app secret', 'app webhooks', 'account webhooks sales'],
      ...['webhook here', 'webhook from outside', 'callback sales'],
    ]);
    const others = found.filter(([state, name = '']) => state !== 'ok' && !ofTheMachine.includes(name));
    expect(others).toEqual(['daemon', 'webhook here', 'webhook from outside'].map((name) => ['skipped', name]));
    expect(summary).toMatch(/^ {2}30 checks: \d+ ok, (\d+ warnings?, )?3 skipped\n$/);
  });

  it('changes nothing, here or at Meta', async () => {
    scene.write({ settings: 'status: DISABLED' });
    await scene.run();
    expect(scene.sandbox.graph.requests.map(({ method }) => method)).not.toContain('POST');
    const made = readdirSync(scene.folder);
    expect(made).toEqual(['sip2wa.yaml']);
  });

  it('asks Meta each question once, however many checks want the answer', async () => {
    scene.write({ settings: 'status: ENABLED' });
    await scene.run();
    const urls = scene.sandbox.graph.requests.map(({ url }) => url.replace(/input_token=.*/, ''));
    expect(urls).toHaveLength(new Set(urls).size);
    expect(urls).toHaveLength(7);
  });

  it('exits with 1 when something failed, and shows the cure on the same line', async () => {
    scene.write();
    scene.sandbox.account.isTokenValid = false;
    expect(await scene.run()).toBe(1);
    const cure = 'make a token of a system user with both WhatsApp permissions and put it into graph.access_token';
    expect(lines()).toContain(
      `  failed   access token                   Meta says that it is not valid; cure: ${cure}`,
    );
    expect(lines().at(-1)).toMatch(/^ {2}30 checks: .* 1 failed, 4 skipped$/);
  });

  it('exits with 0 when there are only warnings', async () => {
    scene.write({ settings: 'callback_permission_status: ENABLED' });
    expect(await scene.run()).toBe(0);
    expect(scene.out).toMatch(/warning {2}settings sales .*cure: sip2wa settings plan sales, then apply/);
    expect(lines().at(-1)).toMatch(/^ {2}30 checks: \d+ ok, \d+ warnings?, 3 skipped$/);
  });

  it('--json says the same for machines', async () => {
    scene.write({ numberId: '105615555715866' });
    const io = new CapturedConsole({}, true);
    expect(await runCli(['doctor', '--json', '-c', scene.file], io)).toBe(1);
    const report = JSON.parse(io.out) as { ok: boolean; counts: Record<string, number>; checks: unknown[] };
    expect(report.ok).toBe(false);
    expect(report.counts['failed']).toBe(1);
    expect(report.checks).toContainEqual({
      name: 'number sales',
      state: 'failed',
      detail:
        "105615555715866 cannot be looked at: (#100) Unsupported request: Object with ID '105615555715866' does not exist",
      cure: 'compare the id with WhatsApp Manager, and give the system user of the token the WhatsApp account',
    });
  });

  it('asks only about the numbers that are named', async () => {
    scene.write();
    const more = `  - { id: "105615555715866", number: "+12025550143", name: help, trunk: pbx }\n`;
    writeFileSync(scene.file, more, { flag: 'a' });
    expect(await scene.run(['sales'])).toBe(0);
    expect(scene.out).toContain('number sales');
    expect(scene.out).not.toContain('number help');
    expect(await scene.run([])).toBe(1);
    expect(scene.out).toMatch(/failed +number help/);
    expect(await scene.run(['sale'])).toBe(2);
    expect(scene.err).toBe('sip2wa doctor: the configuration has no number sale; did you mean sales?\n');
  });

  it('shows on a terminal how far it is, and clears that line', async () => {
    scene.write();
    await scene.run([], {}, true);
    expect(scene.err).toContain('\r\u001b[Ksip2wa doctor: 1 of 30 checks');
    expect(scene.err).toContain('29 of 30 checks\r\u001b[K');
    expect(scene.err).not.toContain('\n');
  });

  it('a file with errors is said as by check', async () => {
    scene.write({ media: '{ rtp_ports: 5-4 }' });
    expect(await scene.run()).toBe(1);
    expect(scene.err).toContain('media.rtp_ports');
  });

  it('explains itself', async () => {
    const io = new CapturedConsole();
    expect(await runCli(['doctor', '--help'], io)).toBe(0);
    for (const part of ['doctor [options] [number...]', '--json', 'Exit status: 0 nothing failed']) {
      expect(io.out).toContain(part);
    }
  });
});

describe('what is written to disk', () => {
  it('takes the lock of a journal that is there, and leaves nothing behind', async () => {
    const journal = join(scene.folder, 'journal');
    mkdirSync(journal);
    scene.write({ journal });
    expect(await scene.check('journal')).toMatchObject({ state: 'ok', detail: `${journal} can be written and locked` });
    expect(readdirSync(journal)).toEqual([]);
  });

  it.each([
    ['journal', 'journal', 'cannot be used', 'give the directory to the user that sip2wa runs as'],
    ['cdr', 'call records', 'cannot be made', 'give the file to the user that sip2wa runs as, or correct cdr.file'],
  ] as const)('a file in the way of %s fails', async (key, name, detail, cure) => {
    const file = join(scene.folder, 'file');
    writeFileSync(file, '');
    scene.write({ [key]: key === 'cdr' ? join(file, 'below') : file });
    const found = await scene.check(name);
    expect([found.state, found.cure]).toEqual(['failed', cure]);
    expect(found.detail).toContain(detail);
  });

  it('a directory in place of the call records fails', async () => {
    scene.write({ cdr: scene.folder });
    expect(await scene.check('call records')).toMatchObject({ state: 'failed', detail: `${scene.folder} is no file` });
  });

  it('a journal that another process holds fails, naming it', async () => {
    const journal = join(scene.folder, 'journal');
    const lock = await DirectoryLock.take(journal);
    scene.write({ journal });
    expect(await scene.check('journal')).toMatchObject({
      ...{ state: 'failed', detail: `journal directory ${journal} is in use by process ${process.pid}` },
      cure: 'give each daemon a journal.dir of its own, or stop that process',
    });
    lock.release();
  });
});

describe('a canary secret', () => {
  it('is in no output, even where Meta repeats it', async () => {
    scene.write();
    for (const action of ['token.read', 'number.read', 'settings.read', 'subscriptions'] as const) {
      const details = 'token canary-token or canary-secret, canary-verify, canary-admin-token';
      scene.sandbox.graph.failNext(action, { status: 400, code: 100, title: 'Bad canary-secret', details });
    }
    // The scene throws if it is.
    expect(await scene.run()).toBe(1);
    expect(scene.out).toContain('[redacted]');
  });
});
