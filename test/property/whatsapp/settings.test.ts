import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DesiredCalling } from '../../../src/routing/calling-settings.js';
import { DAYS } from '../../../src/routing/week.js';
import { CallingSettings } from '../../../src/sandbox/graph/settings.js';
import { settingsDifference, settingsWrites } from '../../../src/whatsapp/settings/settings-difference.js';
import { isBlock, valueAt, type Block } from '../../../src/whatsapp/settings/settings-fields.js';
import { runsOf } from '../../support/runs.js';

const today = '2026-11-22';

const onOff = fc.constantFrom('ENABLED' as const, 'DISABLED' as const);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const hhmm = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}${String(minutes % 60).padStart(2, '0')}`;
/** Times in either of Meta's forms. */
const timeForm = (isLive: boolean) =>
  isLive ? fc.constantFrom(hhmm, (m: number) => hhmm(m).replace(/^../, '$&:')) : fc.constant(hhmm);

/** At most two entries a day that do not overlap; at least one in the week. */
const week = (isLive: boolean) =>
  fc
    .array(
      fc.record({
        day: fc.constantFrom(...DAYS),
        cuts: fc.uniqueArray(fc.integer({ min: 0, max: 1439 }), { minLength: 4, maxLength: 4 }),
        isTwo: fc.boolean(),
        form: timeForm(isLive),
      }),
      { minLength: 1, maxLength: 7 },
    )
    .map((days) => {
      const seen = new Set<string>();
      return days.flatMap(({ day, cuts, isTwo, form }) => {
        if (seen.has(day)) return [];
        seen.add(day);
        const [a = 0, b = 0, c = 0, d = 0] = [...cuts].sort((x, y) => x - y);
        const first = { day_of_week: day, open_time: form(a), close_time: form(b) };
        return isTwo ? [{ day_of_week: day, open_time: form(c), close_time: form(d) }, first] : [first];
      });
    });

const holiday = (isLive: boolean) =>
  fc
    .record({
      date: fc.constantFrom('2026-11-22', '2026-12-24', '2027-01-01', '2027-05-01', ...(isLive ? [] : ['2020-01-01'])),
      span: fc.uniqueArray(fc.integer({ min: 0, max: 1439 }), { minLength: 2, maxLength: 2 }),
      form: timeForm(isLive),
      isOld: fc.boolean(),
    })
    .map(({ date, span, form, isOld }) => {
      const [from = 0, until = 0] = [...span].sort((a, b) => a - b);
      return isLive && isOld
        ? { date, open_time: form(from), close_time: form(until) }
        : { date, start_time: form(from), end_time: form(until) };
    });

const hours = (isLive: boolean) =>
  fc.record(
    {
      status: onOff,
      timezone_id: fc.constantFrom('America/Manaus', 'Europe/Berlin', 'Australia/Lord_Howe'),
      weekly_operating_hours: week(isLive),
      holiday_schedule: fc.uniqueArray(holiday(isLive), { maxLength: 4, selector: ({ date }) => date }),
    },
    { requiredKeys: ['status', 'timezone_id', 'weekly_operating_hours'] },
  );

const server = (isLive: boolean) =>
  fc.record(
    {
      hostname: fc.constantFrom('pbx.example.com', 'PBX.example.com', 'other.example.org'),
      port: fc.constantFrom(5060, 5061),
      request_uri_user_params: fc.dictionary(fc.constantFrom('tgrp', 'ctx'), fc.constantFrom('a', 'b')),
    },
    { requiredKeys: isLive ? ['hostname', 'port'] : ['hostname'] },
  );

const compact = (block: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(block).filter(([, value]) => value !== undefined));

/** A `calling` block that Meta could hold, or a file could want. */
const calling = (isLive: boolean): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .record({
      status: maybe(onOff),
      call_icon_visibility: maybe(fc.constantFrom('DEFAULT', 'DISABLE_ALL')),
      call_icons: maybe(fc.record({ restrict_to_user_countries: fc.uniqueArray(fc.constantFrom('DE', 'BR', 'US')) })),
      call_hours: maybe(hours(isLive)),
      callback_permission_status: maybe(onOff),
      sip: maybe(
        fc.record(
          { status: onOff, webhook_delivery: onOff, servers: fc.array(server(isLive), { maxLength: 1 }) },
          { requiredKeys: [] },
        ),
      ),
      srtp_key_exchange_protocol: maybe(fc.constantFrom('DTLS', 'SDES')),
      audio: maybe(fc.record({ additional_codecs: fc.uniqueArray(fc.constantFrom('PCMA', 'PCMU')) })),
      voicemail: maybe(
        fc.record({ status: onOff, triggers: fc.uniqueArray(fc.constantFrom('REJECT', 'TIMEOUT'), { minLength: 1 }) }),
      ),
    })
    .map(compact)
    .filter((block) => !isLive || hasServers(block));

/** SIP is on only with a server. */
function hasServers(block: Record<string, unknown>): boolean {
  const sip = (block['sip'] ?? {}) as { status?: string; servers?: readonly unknown[] };
  return sip.status !== 'ENABLED' || (sip.servers?.length ?? 0) > 0;
}

/** What Meta will hold of SIP once the file's word is in it. */
function sipWorks(desired: Record<string, unknown>, live: Record<string, unknown>): boolean {
  return hasServers({ sip: { ...(live['sip'] as object), ...(desired['sip'] as object) } });
}

const liveOf = (settings: CallingSettings): Block => settings.read(false)['calling'] as Block;

describe('settings at Meta and in the file', () => {
  it(
    'after the writes Meta holds what the file wants, all else is as before, and nothing is left to write',
    () => {
      const { runs } = runsOf(1_000, 0);
      fc.assert(
        fc.property(calling(false), calling(true), (desired, initial) => {
          fc.pre(sipWorks(desired, initial));
          const settings = new CallingSettings(initial);
          const before = structuredClone(liveOf(settings));
          const writes = settingsWrites(desired, before, today);
          for (const { body } of writes) settings.write(body, today);
          expect(keysOf(writes.map(({ body }) => body.calling)).filter((key) => !isSaid(key, desired))).toEqual([]);
          const after = liveOf(settings);
          expect(settingsDifference(desired as DesiredCalling, after, today)).toEqual([]);
          expect(settingsWrites(desired as DesiredCalling, after, today)).toEqual([]);
          expect(settingsDifference(unwanted(desired, before) as DesiredCalling, after, today)).toEqual([]);
        }),
        { numRuns: runs },
      );
    },
    runsOf(1_000, 20_000).timeoutMs,
  );

  it('a crash after any of the writes is repaired by those that are planned next', () => {
    fc.assert(
      fc.property(calling(false), calling(true), fc.nat(3), (desired, initial, crashAfter) => {
        fc.pre(sipWorks(desired, initial));
        const settings = new CallingSettings(initial);
        const first = settingsWrites(desired, liveOf(settings), today);
        for (const { body } of first.slice(0, crashAfter)) settings.write(body, today);
        for (const { body } of settingsWrites(desired, liveOf(settings), today)) settings.write(body, today);
        expect(settingsDifference(desired as DesiredCalling, liveOf(settings), today)).toEqual([]);
      }),
      { numRuns: runsOf(300, 0).runs },
    );
  });

  it('a file that says nothing wants nothing, whatever Meta holds', () => {
    fc.assert(
      fc.property(calling(true), (live) => {
        expect(settingsDifference({}, live, today)).toEqual([]);
        expect(settingsWrites({}, live, today)).toEqual([]);
      }),
    );
  });
});

/** Below `calling`, with dots; lists are one. */
function keysOf(blocks: readonly Block[]): string[] {
  const below = (block: Block, path: string): string[] =>
    Object.entries(block).flatMap(([key, value]) => (isBlock(value) ? below(value, `${path}${key}.`) : [path + key]));
  return blocks.flatMap((block) => below(block, ''));
}

/** What the file does not say is never sent; but holidays, which Meta deletes otherwise. */
function isSaid(key: string, desired: Record<string, unknown>): boolean {
  if (key === 'call_hours.holiday_schedule') return 'call_hours' in desired;
  return valueAt(desired, key.split('.')) !== undefined;
}

/** What Meta held before, but for what the file speaks of. */
function unwanted(desired: Record<string, unknown>, before: Block): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(before)) {
    if (!(key in desired)) rest[key] = value;
    else if (key === 'sip')
      rest[key] = Object.fromEntries(
        Object.entries(value as object).filter(([name]) => !(name in (desired['sip'] as object))),
      );
    else if (key === 'call_hours' && !('holiday_schedule' in (desired['call_hours'] as object)))
      rest[key] = compact({ holiday_schedule: (value as Record<string, unknown>)['holiday_schedule'] });
  }
  return rest;
}
