import { FakeClock } from '../../src/lib/clock.js';
import type { UserAddress } from '../../src/routing/user-address.js';
import { BusinessInitiatedLeg } from '../../src/whatsapp/business-initiated-leg.js';
import { UserInitiatedLeg } from '../../src/whatsapp/user-initiated-leg.js';
import type { PreAcceptPolicy } from '../../src/whatsapp/user-initiated-machine.js';
import { someWaUser } from './call-events.js';
import { legWorld, someCall, someNumber, someUser, someWaCall } from './whatsapp-fakes.js';

/** A leg of a user's call in a world of its own, which keeps what it reports. */
export function userLegWorld(preAccept: PreAcceptPolicy = 'immediate') {
  const clock = new FakeClock();
  const world = legWorld(clock);
  const ids = { call: someCall, number: someNumber, waCallId: someWaCall };
  const user = { ...someWaUser, name: 'Ana' };
  const leg = new UserInitiatedLeg({ ...world.deps, ...ids, offer: 'meta offer', user, preAccept });
  world.directory.claim(someWaCall, leg);
  leg.listen((event) => world.events.push(event));
  return { ...world, leg, clock };
}

/** The same for a leg that calls a user. */
export function businessLegWorld(to: UserAddress = { number: someUser }, opaque?: string) {
  const clock = new FakeClock();
  const world = legWorld(clock);
  const leg = new BusinessInitiatedLeg({ ...world.deps, call: someCall, number: someNumber, to, opaque });
  leg.listen((event) => world.events.push(event));
  return { ...world, leg, clock };
}
