import { expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemLocalAddress } from '../../../src/sip/local-address.js';

const find = systemLocalAddress(systemClock, 1_000);

it('the local address towards another is that of the interface there', async () => {
  expect(await find('127.0.0.1')).toBe('127.0.0.1');
});

it('there is none where the system has no way, rather than 0.0.0.0, which would put the call on hold', async () => {
  // Broadcast, which a socket is not allowed by itself.
  expect(await find('255.255.255.255')).toBeUndefined();
});
