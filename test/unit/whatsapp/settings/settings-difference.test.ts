import { describe, expect, it } from 'vitest';
import type { DesiredCalling } from '../../../../src/routing/calling-settings.js';
import { settingsDifference, settingsWrites } from '../../../../src/whatsapp/settings/settings-difference.js';
import { settingsFields, valueAt } from '../../../../src/whatsapp/settings/settings-fields.js';

const today = '2026-11-22';
const hours = {
  status: 'ENABLED' as const,
  timezone_id: 'America/Manaus',
  weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' }],
  holiday_schedule: [{ date: '2027-01-01', start_time: '0000', end_time: '2359' }],
};
const bodies = (desired: DesiredCalling, live: Record<string, unknown>) =>
  settingsWrites(desired, live, today).map(({ body }) => body.calling);

describe('a difference', () => {
  it('is told field by field, in canonical form', () => {
    const live = { status: 'ENABLED', call_hours: { ...hours, timezone_id: 'Europe/Berlin', holiday_schedule: [] } };
    expect(settingsDifference({ status: 'DISABLED', call_hours: hours }, live, today)).toEqual([
      { path: 'status', from: 'ENABLED', to: 'DISABLED' },
      { path: 'call_hours.timezone_id', from: 'Europe/Berlin', to: 'America/Manaus' },
      { path: 'call_hours.holiday_schedule', from: [], to: ['2027-01-01 0000-2359'] },
    ]);
  });

  it.each<[string, DesiredCalling, Record<string, unknown>]>([
    [
      'time forms, names of holiday times, order',
      { call_hours: hours },
      {
        call_hours: {
          status: 'ENABLED',
          timezone_id: 'America/Manaus',
          weekly_operating_hours: [{ close_time: '10:20', open_time: '04:00', day_of_week: 'MONDAY' }],
          holiday_schedule: [{ date: '2027-01-01', open_time: '00:00', close_time: '23:59' }],
        },
      },
    ],
    [
      'holidays that have passed, on either side',
      { call_hours: { ...hours, holiday_schedule: [{ date: '2026-11-21', start_time: '0000', end_time: '2359' }] } },
      { call_hours: { ...hours, holiday_schedule: [{ date: '2020-01-01', start_time: '0000', end_time: '2359' }] } },
    ],
    [
      'holidays of Meta where the file has no holiday_schedule',
      {
        call_hours: {
          status: hours.status,
          timezone_id: hours.timezone_id,
          weekly_operating_hours: hours.weekly_operating_hours,
        },
      },
      { call_hours: hours },
    ],
    [
      'defaults that Meta does not return',
      { srtp_key_exchange_protocol: 'DTLS', sip: { status: 'DISABLED' }, audio: { additional_codecs: [] } },
      {},
    ],
    [
      'what Meta adds to a server, its case and default port',
      { sip: { servers: [{ hostname: 'pbx.example.com', port: 5061 }] } },
      {
        sip: {
          servers: [{ hostname: 'PBX.example.com', app_id: 1, sip_user_password: 'x', request_uri_user_params: {} }],
        },
      },
    ],
    [
      'port and parameters that Meta has of a server, where the file has none',
      { sip: { servers: [{ hostname: 'PBX.example.com' }] } },
      { sip: { servers: [{ hostname: 'pbx.example.com', port: 5060, request_uri_user_params: { tgrp: 'wa' } }] } },
    ],
    [
      'order of lists',
      { audio: { additional_codecs: ['PCMA', 'PCMU'] } },
      { audio: { additional_codecs: ['PCMU', 'PCMA'] } },
    ],
  ])('is none: %s', (_, desired, live) => {
    expect(settingsDifference(desired, live, today)).toEqual([]);
    expect(settingsWrites(desired, live, today)).toEqual([]);
  });

  it('today is no past date', () => {
    const wanted = {
      call_hours: { ...hours, holiday_schedule: [{ date: today, start_time: '0000', end_time: '2359' }] },
    };
    expect(settingsDifference(wanted, { call_hours: { ...hours, holiday_schedule: [] } }, today)).toHaveLength(1);
  });

  it('from what cannot be read is one, and shows it', () => {
    const live = { call_hours: { ...hours, weekly_operating_hours: 'always' } };
    expect(settingsDifference({ call_hours: hours }, live, today)).toEqual([
      { path: 'call_hours.weekly_operating_hours', from: { unreadable: 'always' }, to: ['MONDAY 0400-1020'] },
    ]);
  });
});

describe('what is sent', () => {
  it('is what differs, and nothing that the file does not say', () => {
    const live = {
      status: 'ENABLED',
      sip: {
        status: 'ENABLED',
        webhook_delivery: 'ENABLED',
        servers: [{ hostname: 'a.example.com', port: 5060, app_id: 7 }],
      },
    };
    expect(bodies({ status: 'ENABLED', sip: { status: 'DISABLED' } }, live)).toEqual([{ sip: { status: 'DISABLED' } }]);
    const servers = [{ hostname: 'a.example.com', port: 5060 }];
    const both = { webhook_delivery: 'DISABLED' as const, servers };
    expect(bodies({ status: 'DISABLED', sip: both }, live)).toEqual([
      { status: 'DISABLED', sip: { webhook_delivery: 'DISABLED' } },
    ]);
  });

  it('of a server is what the file says, with what Meta has of it: no default of ours', () => {
    const params = { tgrp: 'wa' };
    const live = { sip: { servers: [{ hostname: 'a.example.com', port: 5060, app_id: 7 }] } };
    const wanted = (...servers: { hostname: string; request_uri_user_params?: Record<string, string> }[]) =>
      bodies({ sip: { servers } }, live);
    expect(wanted({ hostname: 'a.example.com', request_uri_user_params: params })).toEqual([
      { sip: { servers: [{ hostname: 'a.example.com', port: 5060, request_uri_user_params: params }] } },
    ]);
    expect(wanted({ hostname: 'b.example.com' })).toEqual([{ sip: { servers: [{ hostname: 'b.example.com' }] } }]);
    expect(wanted()).toEqual([{ sip: { servers: [] } }]);
  });

  it('of voicemail is all that the file says of it', () => {
    const live = { voicemail: { status: 'ENABLED', triggers: ['REJECT'], audio: { default: { timeout_seconds: 5 } } } };
    const wanted = { status: 'ENABLED' as const, triggers: ['REJECT', 'TIMEOUT'] };
    expect(bodies({ voicemail: wanted }, live)).toEqual([{ voicemail: wanted }]);
  });

  it('of call_hours is whole: what this project does not know of it is kept', () => {
    const live = { call_hours: { ...hours, status: 'DISABLED', lunch_break: { status: 'ENABLED' } } };
    expect(bodies({ call_hours: hours }, live)).toEqual([
      { call_hours: { ...hours, lunch_break: { status: 'ENABLED' } } },
    ]);
  });

  it('keeps the holidays of Meta that are to come, where the file does not speak of holidays', () => {
    const { holiday_schedule: _, ...silent } = hours;
    const stored = [
      { date: '2020-01-01', start_time: '0000', end_time: '2359' },
      { date: '2027-05-01', open_time: '0000', close_time: '1200' },
    ];
    const live = { call_hours: { ...hours, status: 'DISABLED', holiday_schedule: stored } };
    expect(bodies({ call_hours: silent }, live)).toEqual([
      { call_hours: { ...silent, holiday_schedule: [{ date: '2027-05-01', start_time: '0000', end_time: '1200' }] } },
    ]);
  });

  it('leaves out holidays of the file that have passed', () => {
    const old = { date: '2026-01-01', start_time: '0000', end_time: '2359' };
    const wanted = { call_hours: { ...hours, holiday_schedule: [old, ...hours.holiday_schedule] } };
    expect(bodies(wanted, {})).toEqual([{ call_hours: hours }]);
  });

  it('goes to SDES last, and away from it first; voicemail goes by itself', () => {
    const servers = [{ hostname: 'a.example.com', port: 5061 }];
    const voicemail = { status: 'ENABLED' as const, triggers: ['REJECT'] };
    const on = { srtp_key_exchange_protocol: 'SDES' as const, sip: { status: 'ENABLED' as const, servers }, voicemail };
    expect(bodies(on, {}).map((calling) => Object.keys(calling))).toEqual([
      ['sip'],
      ['voicemail'],
      ['srtp_key_exchange_protocol'],
    ]);
    const off = { srtp_key_exchange_protocol: 'DTLS' as const, sip: { status: 'DISABLED' as const } };
    expect(bodies(off, on).map((calling) => Object.keys(calling))).toEqual([['srtp_key_exchange_protocol'], ['sip']]);
  });

  it('never takes a key that is not its own', () => {
    expect(valueAt({}, ['constructor'])).toBeUndefined();
    expect(valueAt(JSON.parse('{"sip":{"__proto__":{"status":"ENABLED"}}}'), ['sip', 'status'])).toBeUndefined();
    expect(new Set(settingsFields.map(({ path }) => path.join('.'))).size).toBe(settingsFields.length);
  });
});
