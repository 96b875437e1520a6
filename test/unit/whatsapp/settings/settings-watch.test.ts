import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import type { E164 } from '../../../../src/lib/ids.js';
import type { DesiredCalling } from '../../../../src/routing/calling-settings.js';
import type { WaNumber } from '../../../../src/routing/types.js';
import { settingsDifference } from '../../../../src/whatsapp/settings/settings-difference.js';
import {
  SettingsWatch,
  type SettingsStatus,
  type SettingsWatchOptions,
} from '../../../../src/whatsapp/settings/settings-watch.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const number = (settings: DesiredCalling | undefined, id = '105'): WaNumber => ({
  ...{ id, number: '+15551112222' as E164, name: `n${id}`, signaling: 'graph', permission: 'none', trunk: 'pbx' },
  ...{ callHours: undefined, settings },
});

/** Meta, that holds one block for each number and may be out of reach. */
function watch(options: Partial<SettingsWatchOptions> & { readonly numbers: readonly WaNumber[] }) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const live = new Map<string, Record<string, unknown>>();
  const told: SettingsStatus[] = [];
  const meta = { isDown: false, applied: 0, pulled: 0 };
  const pull = (id: string): Promise<Record<string, unknown>> => {
    meta.pulled++;
    return meta.isDown ? Promise.reject(new Error('down')) : Promise.resolve(live.get(id) ?? {});
  };
  const apply: SettingsWatchOptions['client']['apply'] = async (id, desired, today) => {
    const before = await pull(id);
    const changes = settingsDifference(desired, before, today);
    if (changes.length > 0) meta.applied++;
    live.set(id, { ...before, ...desired });
    return { changes, writes: [], remaining: [] };
  };
  const subject = new SettingsWatch({
    ...{ client: { pull, apply }, push: 'apply', pollMs: 900_000, clock, logger, random: () => 0 },
    onChange: (status) => void told.push(status),
    ...options,
  });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const said = (): string[] => logger.lines.map(({ level, message }) => `${level} ${message}`);
  return { subject, live, meta, told, pass, said, clock };
}

const states = (subject: SettingsWatch): string[] => subject.statuses().map(({ state }) => state);

describe('settings at the start', () => {
  it('apply writes what differs, once, and then finds them in step', async () => {
    const { subject, live, meta, pass, said } = watch({ numbers: [number({ status: 'ENABLED' })] });
    expect(states(subject)).toEqual(['unknown']);
    subject.start();
    await pass(0);
    expect([live.get('105'), states(subject), meta.applied]).toEqual([{ status: 'ENABLED' }, ['in step'], 1]);
    expect(said()).toEqual(['info settings applied at Meta', 'info settings at Meta are as in the file']);
    await pass(900_000);
    expect([meta.applied, said().length]).toEqual([1, 2]);
  });

  it('report writes nothing and says what differs', async () => {
    const { subject, live, told, pass, said } = watch({ push: 'report', numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    expect([live.size, states(subject)]).toEqual([0, ['differs']]);
    expect(told).toEqual([
      {
        numberId: '105',
        number: 'n105',
        state: 'differs',
        changes: [{ path: 'status', from: 'DISABLED', to: 'ENABLED' }],
      },
    ]);
    expect(said()).toEqual(['warn settings at Meta differ from the file']);
  });

  it.each([
    ['off', number({ status: 'ENABLED' })],
    ['apply', number(undefined)],
  ] as const)('%s: nothing is asked where nothing is wanted', async (push, one) => {
    const { subject, meta, pass, clock } = watch({ push, numbers: [one] });
    subject.start();
    await pass(10_000_000);
    expect([meta.pulled, subject.statuses(), clock.armed]).toEqual([0, [], 0]);
  });

  it('never turns SIP on for a number of webhooks, whatever it is handed', async () => {
    const { subject, live, pass, said } = watch({ numbers: [number({ sip: { status: 'ENABLED' } })] });
    subject.start();
    await pass(0);
    expect([live.size, states(subject)]).toEqual([0, ['unknown']]);
    expect(said()).toEqual(['warn settings could not be compared with Meta']);
  });

  it('is tried again when Meta is out of reach, said once, and each number by itself', async () => {
    const { subject, meta, pass, said } = watch({ numbers: [number({ status: 'ENABLED' })] });
    meta.isDown = true;
    subject.start();
    await pass(0);
    await pass(60_000);
    await pass(120_000);
    expect([meta.pulled, said()]).toEqual([3, ['warn settings could not be compared with Meta']]);
    meta.isDown = false;
    await pass(240_000);
    expect([states(subject), meta.applied]).toEqual([['in step'], 1]);
  });
});

describe('settings later', () => {
  it('changed at Meta are told and left alone', async () => {
    const { subject, live, meta, told, pass, said } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    live.set('105', { status: 'DISABLED' });
    await pass(900_000);
    expect([live.get('105'), states(subject), meta.applied]).toEqual([{ status: 'DISABLED' }, ['differs'], 1]);
    await pass(900_000);
    expect(told.map(({ state }) => state)).toEqual(['in step', 'differs']);
    live.set('105', { status: 'ENABLED' });
    await pass(900_000);
    expect(said().slice(2)).toEqual([
      'warn settings at Meta differ from the file',
      'info settings at Meta are as in the file',
    ]);
  });

  it('a webhook has them looked at soon, once for several', async () => {
    const { subject, live, meta, pass } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    const before = meta.pulled;
    live.set('105', { status: 'DISABLED' });
    for (let times = 0; times < 3; times++) subject.changed('105');
    subject.changed('unknown');
    await pass(2_000);
    expect([meta.pulled - before, states(subject)]).toEqual([1, ['differs']]);
  });

  it('nothing is asked after the stop', async () => {
    const { subject, meta, pass, clock } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    const before = meta.pulled;
    subject.stop();
    subject.changed('105');
    await pass(10_000_000);
    expect([meta.pulled - before, clock.armed]).toEqual([0, 0]);
  });

  it('without polling they are looked at once', async () => {
    const { subject, meta, pass, clock } = watch({ numbers: [number({ status: 'ENABLED' })], pollMs: undefined });
    subject.start();
    await pass(10_000);
    expect([meta.pulled, clock.armed]).toEqual([1, 0]);
  });
});

describe('settings after a reload', () => {
  const rules = (numbers: readonly WaNumber[], push: 'apply' | 'report' = 'apply') => ({
    ...{ numbers, push, pollMs: 900_000 },
  });

  it('are pushed again, as at the start', async () => {
    const { subject, live, meta, pass } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    subject.use(rules([number({ status: 'DISABLED' }), number({ status: 'ENABLED' }, '106')]));
    await pass(0);
    expect([live.get('105'), live.get('106'), meta.applied]).toEqual([
      { status: 'DISABLED' },
      { status: 'ENABLED' },
      3,
    ]);
    expect(states(subject)).toEqual(['in step', 'in step']);
  });

  it('are only told of where that is wanted now', async () => {
    const { subject, live, meta, pass } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    subject.use(rules([number({ status: 'DISABLED' })], 'report'));
    await pass(0);
    expect([live.get('105'), meta.applied, states(subject)]).toEqual([{ status: 'ENABLED' }, 1, ['differs']]);
  });

  it('of a number that is being worked on wait for it, and count then', async () => {
    const gate: { open: () => void } = { open: () => undefined };
    const applied: unknown[] = [];
    const client: SettingsWatchOptions['client'] = {
      pull: () => Promise.resolve({}),
      apply: async (_id, desired) => {
        await new Promise<void>((resolve) => (gate.open = resolve));
        applied.push(desired.status);
        return { changes: [], writes: [], remaining: [] };
      },
    };
    const { subject, pass } = watch({ numbers: [number({ status: 'ENABLED' })], client });
    subject.start();
    await pass(0);
    subject.use(rules([number({ status: 'DISABLED' })]));
    await pass(0);
    gate.open();
    await pass(0);
    expect([applied, states(subject)]).toEqual([['ENABLED'], ['unknown']]);
    await pass(2_000);
    gate.open();
    await pass(0);
    expect([applied, states(subject)]).toEqual([['ENABLED', 'DISABLED'], ['in step']]);
  });

  it('of numbers that are gone are not looked at any more', async () => {
    const { subject, meta, pass } = watch({ numbers: [number({ status: 'ENABLED' })] });
    subject.start();
    await pass(0);
    subject.use(rules([]));
    const { pulled } = meta;
    await pass(86_400_000);
    expect([meta.pulled, subject.statuses()]).toEqual([pulled, []]);
  });
});
