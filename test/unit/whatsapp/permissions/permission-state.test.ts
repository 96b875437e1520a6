import { describe, expect, it } from 'vitest';
import {
  isGranted,
  permissionTransition,
  REQUEST_LAPSE_MS,
  TEMPORARY_MS,
  unknownPermission,
  type PermissionInput,
  type PermissionName,
  type PermissionState,
} from '../../../../src/whatsapp/permissions/permission-state.js';

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;

const state = (name: PermissionName): PermissionState => ({
  name,
  askedAtMs: NOW,
  heardAtMs: NOW,
  reply: { stampMs: NOW, messageId: 'wamid.first' },
  ...(name === 'temporary' && { expiresAtMs: NOW + DAY }),
  ...(name === 'expired' && { expiresAtMs: NOW - DAY }),
  ...(name === 'requested' && { requestedAtMs: NOW - DAY }),
});

const lookedUp = (status: 'no_permission' | 'temporary' | 'permanent', expiresAtMs?: number): PermissionInput => ({
  ...{ type: 'looked_up', status, expiresAtMs, askedAtMs: NOW + 1000 },
});
const said = { stampMs: NOW + 1000, messageId: 'wamid.next', heardAtMs: NOW + 2000 };

const inputs = {
  'looked up: no': lookedUp('no_permission'),
  'looked up: temporary': lookedUp('temporary', NOW + 2 * DAY),
  'looked up: over already': lookedUp('temporary', NOW - 1),
  'looked up: permanent': lookedUp('permanent'),
  requested: { type: 'requested', sentAtMs: NOW + 1000 },
  'accepted for a time': { type: 'accepted', permanent: false, expiresAtMs: NOW + 3 * DAY, ...said },
  'accepted for good': { type: 'accepted', permanent: true, expiresAtMs: undefined, ...said },
  rejected: { type: 'rejected', automatic: false, ...said },
  'taken away': { type: 'rejected', automatic: true, ...said },
  'call refused': { type: 'call_refused', atMs: NOW + 1000 },
  'a minute': { type: 'time', atMs: NOW + 60_000 },
  'two days': { type: 'time', atMs: NOW + 2 * DAY },
  'eight days': { type: 'time', atMs: NOW + 8 * DAY },
} satisfies Record<string, PermissionInput>;

/** Every state and every input: what comes of it, in the order of `inputs`. */
const table: Record<PermissionName, string> = {
  unknown:
    'none temporary expired permanent requested temporary permanent none revoked unknown unknown unknown unknown',
  none: 'none temporary expired permanent requested temporary permanent none revoked unknown none none none',
  requested:
    'requested temporary expired permanent requested temporary permanent none revoked requested requested requested none',
  temporary:
    'none temporary expired permanent temporary temporary permanent revoked revoked unknown temporary expired expired',
  permanent:
    'none temporary expired permanent permanent temporary permanent revoked revoked unknown permanent permanent permanent',
  expired:
    'expired temporary expired permanent requested temporary permanent none revoked unknown expired expired expired',
  revoked:
    'revoked temporary expired permanent requested temporary permanent revoked revoked unknown revoked revoked revoked',
};

const rows = (Object.keys(table) as PermissionName[]).flatMap((from) =>
  Object.entries(inputs).map(([what, event], index) => ({ from, what, event, to: table[from].split(' ')[index] })),
);

describe('permission of a user', () => {
  it.each(rows)('$from, $what: $to', ({ from, event, to }) => {
    const next = permissionTransition(state(from), event);
    expect(next.name).toBe(to);
    expect(next.expiresAtMs === undefined).toBe(to !== 'temporary' && to !== 'expired');
    expect(next.requestedAtMs === undefined).toBe(to !== 'requested');
    expect(isGranted(next)).toBe(to === 'temporary' || to === 'permanent');
  });

  it('takes the end of a temporary permission from the reply, and 7 days when it has none', () => {
    const ends = (expiresAtMs: number | undefined) =>
      permissionTransition(unknownPermission, { type: 'accepted', permanent: false, expiresAtMs, ...said }).expiresAtMs;
    expect(ends(NOW + 5)).toBe(NOW + 5);
    expect(ends(undefined)).toBe(said.stampMs + TEMPORARY_MS);
  });

  it('believes a temporary permission without an end, as old answers have it', () => {
    const next = permissionTransition(unknownPermission, lookedUp('temporary'));
    expect(next).toMatchObject({ name: 'temporary' });
    expect(next.expiresAtMs).toBeUndefined();
  });

  it('lets a request lapse after 7 days, also when Meta is asked then', () => {
    const asked = { ...state('requested'), requestedAtMs: NOW - REQUEST_LAPSE_MS };
    expect(permissionTransition(asked, inputs['looked up: no']).name).toBe('none');
  });
});

describe('what is old changes nothing', () => {
  const granted = permissionTransition(unknownPermission, inputs['accepted for good']);
  const old: [string, PermissionInput][] = [
    ['the same reply again', { ...inputs.rejected, messageId: said.messageId }],
    ['a reply that was stamped before', { ...inputs.rejected, messageId: 'wamid.old', stampMs: said.stampMs - 1000 }],
    [
      'an answer to a look-up from before the reply',
      { ...inputs['looked up: no'], askedAtMs: said.heardAtMs - 1 } as PermissionInput,
    ],
    ['the confirmation of a request that the reply outran', { type: 'requested', sentAtMs: said.heardAtMs - 1 }],
    ['a call refused before the reply came', { type: 'call_refused', atMs: said.heardAtMs - 1 }],
  ];
  it.each(old)('%s', (_, event) => {
    expect(permissionTransition(granted, event)).toBe(granted);
  });

  it('a reply that is more than a minute older than a look-up; less may be the clocks', () => {
    const none = permissionTransition(unknownPermission, inputs['looked up: no']);
    const at = (stampMs: number) =>
      permissionTransition(none, { ...inputs['accepted for good'], stampMs, messageId: 'wamid.late' });
    expect(at(none.askedAtMs - 60_001)).toBe(none);
    expect(at(none.askedAtMs - 60_000).name).toBe('permanent');
  });

  it('a look-up that was overtaken by a later one', () => {
    const later = permissionTransition(unknownPermission, lookedUp('permanent'));
    const earlier = { ...lookedUp('no_permission'), askedAtMs: NOW } as PermissionInput;
    expect(permissionTransition(later, earlier)).toBe(later);
  });

  it('but a stamp from the future does not shut out later replies', () => {
    const future = { ...inputs['accepted for good'], stampMs: NOW + 900 * DAY };
    const next = permissionTransition(permissionTransition(unknownPermission, future), {
      ...{ type: 'rejected', automatic: false, messageId: 'wamid.later' },
      ...{ stampMs: said.heardAtMs + 1000, heardAtMs: said.heardAtMs + 1000 },
    });
    expect(next.name).toBe('revoked');
  });
});
