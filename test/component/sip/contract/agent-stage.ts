import { MemoryJournal } from '../../../../src/journal/memory-journal.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { systemIds } from '../../../../src/lib/ids.js';
import type { SipServer, Trunk } from '../../../../src/routing/types.js';
import type { InboundCall } from '../../../../src/sip/inbound-call.js';
import { SipUserAgent } from '../../../../src/sip/sip-user-agent.js';
import { eventually } from '../../../support/eventually.js';
import { FakeMediaEngine } from '../../../support/fake-media-engine.js';
import { LegLog } from '../../../support/leg-log.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import type { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { sceneTrunk } from '../../../support/sip-scene.js';

/** The PBX where one takes part, and where its SIP server listens. */
export interface LivePbx {
  readonly peer: SipScriptPeer;
  readonly sip: { readonly host: string; readonly port: number };
}

/** What stands on the other side of the user agent: a SIP server with a PBX behind it, or a recording of both. */
export interface OtherSide {
  readonly connect: { readonly host: string; readonly port: number; readonly secret: string };
  readonly pbxPort: number;
  readonly serverEndsOrphans: boolean;
  /** Lets the network do this: the PBX acts, or the recording goes on. */
  network(what: string, act: (pbx: LivePbx) => Promise<void>): Promise<void>;
  cutLink(): Promise<void>;
  /** Resolves when nothing is on its way any more. */
  finished(): Promise<void>;
}

/** A user agent in front of one or the other. */
export class AgentStage {
  readonly #calls: InboundCall[] = [];

  private constructor(
    readonly agent: SipUserAgent,
    readonly media: FakeMediaEngine,
    readonly journal: MemoryJournal,
    readonly trunk: Trunk,
    readonly other: OtherSide,
  ) {
    agent.onInboundCall((call) => this.#calls.push(call));
  }

  static async before(other: OtherSide, overrides: Partial<Trunk> = {}): Promise<AgentStage> {
    const media = new FakeMediaEngine();
    const journal = new MemoryJournal();
    const trunk = { ...sceneTrunk, ...overrides };
    const agent = new SipUserAgent({
      ...{ connect: other.connect, trunks: [trunk], media, journal, clock: systemClock, ids: systemIds },
      observer: { step: () => undefined },
      logger: new RecordingLogger(),
      ...(other.serverEndsOrphans ? { serverEndsOrphans: () => true } : {}),
      timeouts: { closeMs: 300 },
    });
    await agent.connect();
    return new AgentStage(agent, media, journal, trunk, other);
  }

  network(what: string, act: (pbx: LivePbx) => Promise<void>): Promise<void> {
    return this.other.network(what, act);
  }

  /** The next call that arrives, listened to. */
  async call(): Promise<{ readonly call: InboundCall; readonly log: LegLog }> {
    await eventually(() => this.#calls.length > 0, 'a call');
    const call = this.#calls.shift()!;
    return { call, log: new LegLog(call.leg) };
  }

  /** A call to the PBX, dialled. */
  dial(overrides: Partial<SipServer> = {}) {
    const address = { hostname: '127.0.0.1', port: this.other.pbxPort, transport: 'udp' as const };
    const server: SipServer = { ...address, priority: 1, weight: 1, requestUriUserParams: {}, ...overrides };
    const leg = this.agent.createOutboundLeg({
      call: systemIds.callId(),
      target: { trunk: { ...this.trunk, servers: [server] }, server, user: '+15551112222' },
      caller: { user: '+4915112345678', name: 'Anna' },
      whatsApp: { numberId: '105', callId: 'wacid.ABC==', direction: 'user_initiated' },
    });
    const log = new LegLog(leg);
    leg.dial();
    return { leg, log };
  }
}

/** What a leg reported, with the reasons. */
export const told = ({ events }: LegLog): string[] =>
  events.map((event) => ('reason' in event ? `${event.type} ${event.reason.code}` : event.type));
