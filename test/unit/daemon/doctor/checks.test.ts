import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { failed, ok, runChecks, skipped, warning, type Finding } from '../../../../src/daemon/doctor/check.js';
import { diskChecks, spaceCheck } from '../../../../src/daemon/doctor/disk-checks.js';
import type { DoctorScope } from '../../../../src/daemon/doctor/doctor-scope.js';
import { ephemeralCheck } from '../../../../src/daemon/doctor/socket-checks.js';
import {
  dtlsCheck,
  nodeCheck,
  tracingCheck,
  openFilesCheck,
  opusCheck,
  zonesCheck,
} from '../../../../src/daemon/doctor/system-checks.js';
import { installCommand } from '../../../../src/observability/tracing/tracing-packages.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { CodecRegistry } from '../../../../src/media/codec-registry.js';
import { pcmaCodec } from '../../../../src/media/g711-codec.js';

const limits = (soft: string) => (): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 524288               files\n`;
const missing = (): never => {
  throw new Error('ENOENT');
};
const hours = (timezoneId: string) => ({
  callHours: { status: 'ENABLED' as const, timezoneId, weekly: [], holidays: [] },
});

describe('checks of this machine', () => {
  it.each<[string, () => Finding, Finding['state'], string, string | undefined]>([
    ['Node', () => nodeCheck('20.19.0'), 'ok', '20.19.0', undefined],
    ['Node', () => nodeCheck('24.1.0'), 'ok', '24.1.0', undefined],
    ['tracing', () => tracingCheck(), 'ok', 'installed', undefined],
    [
      'tracing',
      () => tracingCheck('@opentelemetry/api is not installed'),
      'failed',
      '@opentelemetry/api is not installed',
      `in the folder of sip2wa: ${installCommand()}`,
    ],
    ['Node', () => nodeCheck('20.18.9'), 'failed', '20.18.9 is too old', 'install Node 20.19 or later'],
    ['files', () => openFilesCheck(100, limits('524288')), 'ok', '524288, 100 calls need about 600', undefined],
    ['files', () => openFilesCheck(100, limits('unlimited')), 'ok', 'unlimited, 100 calls need about 600', undefined],
    [
      'files',
      () => openFilesCheck(100, limits('1024')),
      'warning',
      '1024, 100 calls need about 600',
      'LimitNOFILE=65536 in the systemd unit, ulimits in Docker',
    ],
    [
      'files',
      () => openFilesCheck(5000, limits('8192')),
      'warning',
      '8192, 5000 calls need about 20200',
      'LimitNOFILE=65536 in the systemd unit, ulimits in Docker',
    ],
    [
      'files',
      () => openFilesCheck(9, limits('256')),
      'failed',
      '256, 9 calls need about 236',
      'LimitNOFILE=65536 in the systemd unit, ulimits in Docker',
    ],
    ['files', () => openFilesCheck(9, missing), 'skipped', 'this system does not tell its limits', undefined],
    [
      'ephemeral ports',
      () => ephemeralCheck([[10_000, 19_999]], () => '32768\t60999\n'),
      'ok',
      'the system gives 32768-60999 to anybody; media ports lie outside',
      undefined,
    ],
    [
      'ephemeral ports',
      () =>
        ephemeralCheck(
          [
            [10_000, 19_999],
            [30_000, 32_768],
          ],
          () => '32768\t60999\n',
        ),
      'warning',
      'the system gives 32768-60999 to anybody; 30000-32768 of the media ports lie inside',
      'choose media ports below it, or reserve them: sysctl net.ipv4.ip_local_reserved_ports',
    ],
    [
      'ephemeral ports',
      () => ephemeralCheck([], missing),
      'skipped',
      'this system does not tell its ephemeral ports',
      undefined,
    ],
    ['opus', () => opusCheck(), 'ok', 'codes and decodes a tone', undefined],
    [
      'opus',
      () => opusCheck(() => new CodecRegistry([])),
      'failed',
      'it does not work: codec opus cannot be transcoded',
      'install again with npm ci; the codec comes with the package',
    ],
    [
      'opus',
      () => {
        const deaf = {
          ...pcmaCodec.createDecoder(8000),
          decode: (_from: Uint8Array, pcm: Int16Array) => pcm.fill(0, 0, 320) && 320,
        };
        return opusCheck(
          () =>
            new CodecRegistry([
              {
                ...pcmaCodec,
                name: 'opus',
                createDecoder: () => ({ ...deaf, close: () => undefined, conceal: () => undefined }),
              },
            ]),
        );
      },
      'failed',
      'a tone does not come out as it went in',
      'install again with npm ci; the codec comes with the package',
    ],
  ])('%s', (_what, check, state, detail, cure) => {
    expect(check()).toEqual(cure === undefined ? { state, detail } : { state, detail, cure });
  });

  it('time zones', () => {
    expect(zonesCheck([hours('Europe/Berlin'), {} as never])).toMatchObject({ state: 'ok' });
    const found = zonesCheck([hours('Europe/Berlin'), hours('Mars/Olympus')]);
    expect(found.state).toBe('failed');
    expect(found.detail).toMatch(/has no Mars\/Olympus$/);
    expect(found.cure).toBe('use a Node with full ICU data, not older than the zone');
  });

  it('DTLS', async () => {
    expect(await dtlsCheck()).toEqual(ok('makes a certificate with a SHA-256 fingerprint'));
    expect(await dtlsCheck(() => Promise.reject(new Error('no curve')))).toEqual(
      failed('no certificate can be made: no curve', 'use a Node with its own OpenSSL'),
    );
  });

  it.each([
    [5000, 'ok'],
    [500, 'warning'],
    [50, 'failed'],
  ])('%i MiB free: %s', async (mib, state) => {
    const found = await spaceCheck(['/'], () => Promise.resolve(mib * 1024 * 1024));
    expect([found.state, found.detail]).toEqual([state, `${mib} MiB free for journal and call records`]);
    if (state !== 'ok') expect(found.cure).toBe('make room on that disk: a full one stops journal and call records');
  });
});

describe('what is written to disk', () => {
  it('is nothing with neither journal nor call records', async () => {
    const config = { journal: { dir: '' }, cdr: { file: '', csvFile: '', httpUrl: '', httpSpoolDir: './var/spool' } };
    const checks = diskChecks({ config, running: Promise.resolve(undefined) } as unknown as DoctorScope);
    expect(await Promise.all(checks.map(async ({ run }) => run()))).toEqual([
      warning('in memory only: what a crash leaves open stays open', 'set journal.dir'),
      skipped('cdr.file is empty: no call records are written'),
      skipped('nothing is written to disk'),
    ]);
  });
});

describe('the spool of call records', () => {
  const found = async (httpSpoolDir: string): Promise<Finding | undefined> => {
    const cdr = { file: '', csvFile: '', httpUrl: 'https://x.example/', httpSpoolDir };
    const checks = diskChecks({ config: { journal: { dir: '' }, cdr } } as unknown as DoctorScope);
    return checks.find(({ name }) => name === 'call record spool')?.run();
  };

  it('is made by the daemon, tells what waits, and warns of what was refused', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'doctor-spool-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const spool = join(dir, 'spool');
    expect(await found(spool)).toEqual(ok(`${spool} is not there yet, and can be made`));
    mkdirSync(join(spool, 'rejected'), { recursive: true });
    writeFileSync(join(spool, '1.json'), '{}');
    expect(await found(spool)).toEqual(ok(`${spool} can be written; 1 records wait, 0 were refused`));
    writeFileSync(join(spool, 'rejected', '0.json'), '{}');
    expect(await found(spool)).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('1 were refused') as string,
    });
    expect(await found(join(spool, '1.json'))).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('is no directory') as string,
    });
  });
});

describe('running checks', () => {
  const terms = { deadlineMs: 10_000, secrets: ['s3cret/key', 'abc'] };

  it('keeps their order, ends those that hang, and says of those that throw', async () => {
    const clock = new FakeClock();
    const done: string[] = [];
    const running = runChecks(
      [
        { name: 'hangs', run: () => new Promise(() => undefined) },
        {
          name: 'throws',
          run: () => {
            throw Object.assign(new Error('broken'), { code: 'EWHAT' });
          },
        },
        { name: 'is well', run: () => ok('yes') },
      ],
      { ...terms, clock, onDone: (count, total) => done.push(`${count}/${total}`) },
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual(['1/3', '2/3']);
    clock.advance(10_000);
    expect(await running).toEqual([
      { name: 'hangs', ...failed('no answer within 10 s', 'see whether the network drops packets on the way there') },
      { name: 'throws', ...failed('could not be checked: EWHAT: broken', 'mend what it names, or report it as a bug') },
      { name: 'is well', ...ok('yes') },
    ]);
    expect(clock.armed).toBe(0);
  });

  it('shows no secret, no control characters and no endless line', async () => {
    const clock = new FakeClock();
    const text = `\u001b[31mabc s3cret/key s3cret%2Fkey\r\n${'x'.repeat(1000)}`;
    const [found] = await runChecks([{ name: 'one', run: () => warning(text, 's3cret/key') }], { ...terms, clock });
    expect(found?.detail).toMatch(/^\[31mabc \[redacted\] \[redacted\] x+$/);
    expect(found?.detail).toHaveLength(600);
    expect(found?.cure).toBe('[redacted]');
  });
});
