import { describe, expect, it } from 'vitest';
import { numberViews } from '../../../../src/daemon/admin/number-views.js';
import { trunkViews } from '../../../../src/daemon/admin/trunk-views.js';
import * as schemas from '../../../../src/http/api/schemas.js';
import type { E164 } from '../../../../src/lib/ids.js';
import type { CallHours, WaNumber } from '../../../../src/routing/types.js';
import { sceneTrunk } from '../../../support/sip-scene.js';

const callHours: CallHours = {
  ...{ status: 'ENABLED', timezoneId: 'America/Manaus', holidays: [] },
  weekly: [{ day: 'MONDAY', open: '0800', close: '1659' }],
};
const number: WaNumber = {
  ...{ id: '105', number: '+15551112222' as E164, name: 'sales', signaling: 'graph', permission: 'none' },
  ...{ trunk: 'pbx', callHours, settings: { status: 'ENABLED' } },
};
/** A Monday, 10:00 in Manaus. */
const nowMs = Date.UTC(2026, 10, 23, 14, 0);

describe('numbers as the admin API shows them', () => {
  const shown = (facts: Partial<Parameters<typeof numberViews>[1]> = {}, over: Partial<WaNumber> = {}) => {
    const [view] = numberViews([{ ...number, ...over }], { settings: [], callsOf: () => 2, nowMs, ...facts });
    return schemas.number.parse(JSON.parse(JSON.stringify(view)));
  };

  it('open, until when by its own clocks', () => {
    expect(shown()).toMatchObject({
      ...{ calls: 2, calling: 'on', trunk: 'pbx' },
      hours: { open: true, timezone: 'America/Manaus', next: { at: '2026-11-23T21:00:00.000Z', state: 'closed' } },
    });
    expect(shown({ nowMs: nowMs + 12 * 3_600_000 }).hours).toMatchObject({ open: false, next: { state: 'open' } });
    expect(shown({}, { callHours: undefined }).hours).toEqual({ open: true, why: 'no call hours are set' });
  });

  it('in step with Meta, drifted with the differing fields, or not asked about yet', () => {
    const status = { numberId: '105', number: 'sales' };
    const changes = [{ path: 'call_hours.status', from: undefined, to: 'ENABLED' }];
    expect(shown().settings).toEqual({ state: 'unknown', differing: [] });
    expect(shown({ settings: [{ ...status, state: 'in step', changes: [] }] }).settings.state).toBe('in step');
    expect(shown({ settings: [{ ...status, state: 'differs', changes }] }).settings).toEqual({
      ...{ state: 'differs', differing: [{ path: 'call_hours.status', from: null, to: 'ENABLED' }] },
    });
    expect(shown({}, { settings: undefined })).toMatchObject({
      calling: 'unmanaged',
      settings: { state: 'unmanaged' },
    });
    expect(shown({}, { settings: { status: 'DISABLED' } }).calling).toBe('off');
  });
});

describe('trunks as the admin API shows them', () => {
  const of = (health: 'up' | 'down' | 'unknown', server = 'a:5060') => ({
    ...{ trunk: sceneTrunk.name, server, health, isHeldOff: false },
  });
  const shown = (...servers: ReturnType<typeof of>[]) => {
    const why = 'refused: 403';
    const registrations = [{ trunk: sceneTrunk.name, server: 'b:5060', isRegistered: false, why }];
    const [view] = trunkViews([{ ...sceneTrunk, maxCallsPerSecond: 5 }], { servers, registrations, callsOf: () => 3 });
    return schemas.trunk.parse(JSON.parse(JSON.stringify(view)));
  };

  it('up with one server, down with all, unknown otherwise', () => {
    expect(shown(of('down'), of('up', 'b:5060')).state).toBe('up');
    expect(shown(of('down'), of('down', 'b:5060')).state).toBe('down');
    expect(shown(of('down'), of('unknown', 'b:5060')).state).toBe('unknown');
    expect(shown().state).toBe('unknown');
  });

  it('with calls, limits and registrations', () => {
    expect(shown(of('up'), of('up', 'b:5060'))).toMatchObject({
      ...{ calls: 3, limits: { calls: sceneTrunk.maxCalls, callsPerSecond: 5 } },
      servers: [{ server: 'a:5060' }, { server: 'b:5060', registration: { registered: false, why: 'refused: 403' } }],
    });
  });
});
