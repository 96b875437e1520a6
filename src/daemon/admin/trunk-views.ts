import type { TrunkOut } from '../../http/api/schemas.js';
import { given } from '../../lib/given.js';
import type { Trunk } from '../../routing/types.js';
import type { RegistrationStatus } from '../../sip/registration/registrations.js';
import type { ServerStatus } from '../../sip/server-watch.js';

/** What is known of the trunks at the moment. */
export interface TrunkFacts {
  readonly servers: readonly ServerStatus[];
  readonly registrations: readonly RegistrationStatus[];
  readonly callsOf: (trunk: string) => number;
}

/** Trunks as the admin API shows them. */
export const trunkViews = (trunks: readonly Trunk[], facts: TrunkFacts): TrunkOut[] =>
  trunks.map((trunk) => {
    const servers = facts.servers.filter((one) => one.trunk === trunk.name).map((one) => serverView(one, facts));
    const { name, codecs, srtp, register, acceptFrom } = trunk;
    return {
      ...{ name, state: stateOf(servers), servers, calls: facts.callsOf(name) },
      limits: {
        calls: trunk.maxCalls,
        ...given('callsPerSecond', trunk.maxCallsPerSecond),
        ...given('callsPerDay', trunk.maxCallsPerDay),
      },
      ...{ codecs: [...codecs], srtp, registers: register, acceptFrom: [...acceptFrom] },
    };
  });

type ServerOut = TrunkOut['servers'][number];

function serverView({ trunk, server, health, isHeldOff }: ServerStatus, { registrations }: TrunkFacts): ServerOut {
  const registration = registrations.find((one) => one.trunk === trunk && one.server === server);
  const shown = registration && { registered: registration.isRegistered, ...given('why', registration.why) };
  return { server, health, heldOff: isHeldOff, ...given('registration', shown) };
}

function stateOf(servers: readonly ServerOut[]): TrunkOut['state'] {
  if (servers.some(({ health }) => health === 'up')) return 'up';
  return servers.length > 0 && servers.every(({ health }) => health === 'down') ? 'down' : 'unknown';
}
