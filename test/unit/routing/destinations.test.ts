import { describe, expect, it } from 'vitest';
import { isDestination } from '../../../src/routing/destinations.js';
import { toUserAddress } from '../../../src/routing/user-address.js';
import { explainTrunkCall } from '../../../src/routing/trunk-call.js';
import type { E164 } from '../../../src/lib/ids.js';
import type { WaNumber } from '../../../src/routing/types.js';

describe('whom a trunk may call', () => {
  it.each([
    ['+49301234567', undefined, true],
    ['+49301234567', [], false],
    ['+49301234567', ['+49*'], true],
    ['49301234567', ['+49*'], true],
    ['+4930(123)4567', ['+49*'], true],
    ['+41301234567', ['+49*', '+1*'], false],
    ['+41301234567', ['+49*', '+41301234567'], true],
    ['+413012345678', ['+41301234567'], false],
    ['+4130123456', ['+41301234567'], false],
    ['+14930123456', ['+49*'], false],
    ['US.13491208655302741918', ['+49*', '+1*'], false],
    ['US.13491208655302741918', ['US.*'], true],
    ['DE.13491208655302741918', ['US.*'], false],
    ['DE.13491208655302741918', ['*'], true],
  ])('%s by %j: %s', (dialled, destinations, expected) => {
    expect(isDestination(toUserAddress(dialled)!, destinations)).toBe(expected);
  });

  it('refuses the call, and says so where routes are explained', () => {
    const sales: WaNumber = {
      ...{ id: '1055', number: '+15551112222' as E164, name: 'sales', signaling: 'graph', permission: 'none' },
      ...{ trunk: 'pbx', callHours: undefined, settings: undefined },
    };
    const asked = { trunks: ['pbx'], calledUser: '+41301234567', callerUser: undefined, namedNumber: undefined };
    expect(explainTrunkCall({ ...asked, destinations: ['+49*'] }, [sales]).decision).toEqual({
      ...{ ok: false, code: 'not_allowed', why: 'not among the destinations of the trunk' },
      ...{ number: sales, user: { number: '+41301234567' } },
    });
  });
});
