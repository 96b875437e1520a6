import type { CallRecord } from '../../../src/call/call-record.js';
import { endReason, type EndReason } from '../../../src/call/end-reason.js';
import type { Journal, JournalEntry } from '../../../src/call/journal.js';
import type { DialledLeg, Leg, LegEvent, OriginatingLeg } from '../../../src/call/leg.js';
import type { CallObserver } from '../../../src/call/observer.js';
import type { Clock } from '../../../src/lib/clock.js';
import type { CallId, E164, IdSource } from '../../../src/lib/ids.js';
import type { LogFields, Logger } from '../../../src/lib/logger.js';
import type { Trunk, WaNumber } from '../../../src/routing/types.js';
import { TrunkLogins } from '../../../src/sip/digest/trunk-login.js';
import { InboundSipLeg } from '../../../src/sip/inbound-sip-leg.js';
import { LiveLegs } from '../../../src/sip/live-legs.js';
import { OutboundSipLeg } from '../../../src/sip/outbound-sip-leg.js';
import { addressDns } from '../dns-fakes.js';
import { ServerAddresses } from '../../../src/sip/server-addresses.js';
import { ServerWatch } from '../../../src/sip/server-watch.js';
import type { SipLegContext } from '../../../src/sip/sip-leg-context.js';
import { defaultSipTimeouts } from '../../../src/sip/sip-timeouts.js';
import { Switchboard, type CallGate } from '../../../src/switchboard.js';
import { BusinessInitiatedLeg } from '../../../src/whatsapp/business-initiated-leg.js';
import { CallDirectory } from '../../../src/whatsapp/call-directory.js';
import { GraphClient } from '../../../src/whatsapp/graph-client.js';
import type { WhatsAppLegDeps } from '../../../src/whatsapp/leg-wire.js';
import { UserInitiatedLeg } from '../../../src/whatsapp/user-initiated-leg.js';
import { type PreAcceptPolicy } from '../../../src/whatsapp/user-initiated-machine.js';
import type { WebhookEvent, WebhookResult } from '../../../src/whatsapp/webhook-events.js';
import { parseWebhook } from '../../../src/whatsapp/webhook-parse.js';
import { WebhookRouter } from '../../../src/whatsapp/webhook-router.js';
import { FakeMedia } from './fake-media.js';
import { FakeMeta, phoneNumberId } from './fake-meta.js';
import { FakeSrf, type IncomingInvite } from './fake-srf.js';
import { SteppingClock, turn } from './stepping-clock.js';
import { Wire } from './wire.js';

const server = { port: 5060, transport: 'udp', weight: 1, requestUriUserParams: {} } as const;
const trunk: Trunk = {
  ...{ name: 'pbx', acceptFrom: ['127.0.0.0/8'], acceptFromServers: false, codecs: ['PCMA', 'PCMU'], auth: undefined },
  ...{ register: false, dtmf: 'rfc4733', srtp: 'off', permission: 'none', maxCalls: 10 },
  servers: [
    { ...server, hostname: '127.0.0.1', priority: 0 },
    { ...server, hostname: '127.0.0.2', priority: 1 },
  ],
};
const number: WaNumber = {
  ...{ id: phoneNumberId, number: '+15551112222' as E164, name: 'sales', signaling: 'graph', permission: 'none' },
  ...{ trunk: 'pbx', callHours: undefined, settings: undefined },
};

const graphTimeoutMs = 10_000;
export const maxDurationMs = 300_000;

/** What a leg was made for and said, for the checks. */
export interface TappedLeg {
  readonly call: CallId;
  readonly role: 'a' | 'b';
  readonly leg: Leg;
  readonly events: LegEvent['type'][];
}

/** Keeps error lines only: none but the expected ones may appear. */
class ErrorLog implements Logger {
  constructor(readonly lines: { readonly message: string; readonly fields: LogFields }[] = []) {}
  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ message, fields });
  }
  warn(): void {
    // Trouble is what these tests make.
  }
  info(): void {
    // Of no interest here.
  }
  debug(): void {
    // Of no interest here.
  }
  child(): Logger {
    return this;
  }
}

class MoodyJournal implements Journal {
  mood: 'prompt' | 'failing' | 'held' = 'prompt';
  readonly entries: JournalEntry[] = [];
  #held: (() => void)[] = [];

  append(entry: JournalEntry): Promise<void> {
    if (this.mood === 'failing') return Promise.reject(new Error('disk full'));
    if (this.mood === 'prompt') return Promise.resolve(this.#keep(entry));
    return new Promise((resolve) => this.#held.push(() => resolve(this.#keep(entry))));
  }

  /** The disk catches up. */
  release(): void {
    this.mood = 'prompt';
    for (const write of this.#held.splice(0)) write();
  }

  #keep(entry: JournalEntry): void {
    this.entries.push(entry);
  }
}

/** Lets calls to users pass, or not, at once or after its few seconds. */
class MoodyGate implements CallGate {
  mood: 'allows' | 'refuses' | 'takes its time' = 'allows';

  constructor(private readonly clock: Clock) {}

  mayCall(): Promise<EndReason | undefined> {
    const verdict = this.mood === 'refuses' ? endReason('no_permission') : undefined;
    if (this.mood !== 'takes its time') return Promise.resolve(verdict);
    return new Promise((resolve) => this.clock.after(3_000, () => resolve(undefined)));
  }

  onCallOver(): void {
    // Learns nothing.
  }
}

export interface BridgeSceneOptions {
  readonly preAccept: PreAcceptPolicy;
  /** What Meta calls our numbers; default: one. */
  readonly numberIds?: readonly string[];
  /** Wall clock at the beginning. */
  readonly epochMs?: number;
}

/**
 * The bridge from webhooks and Graph requests to SIP transactions: switchboard, calls, directory, router, all four legs and
 * the Graph client for real; the network, the media engine, the journal's disk and time are the test's.
 */
export class BridgeScene {
  readonly clock: SteppingClock;
  readonly wire = new Wire(() => this.clock.monotonicMs());
  readonly meta = new FakeMeta(this.wire, () => this.clock.now());
  readonly srf = new FakeSrf(this.wire);
  readonly media = new FakeMedia();
  readonly journal = new MoodyJournal();
  readonly gate: MoodyGate;
  readonly log = new ErrorLog();
  readonly records: CallRecord[] = [];
  readonly legs: TappedLeg[] = [];
  readonly sipLegs = new LiveLegs();
  readonly directory: CallDirectory;
  readonly board: Switchboard;
  /** What became of webhook events. */
  readonly results = new Map<WebhookResult, number>();
  /** Calls the switchboard was given. */
  readonly offered: CallId[] = [];
  /** Graph client calls and the like that have not come back. */
  pending = 0;
  closed: 'no' | 'closing' | 'yes' = 'no';
  readonly #router: WebhookRouter;
  readonly #context: SipLegContext;
  readonly #deps: WhatsAppLegDeps;
  #calls = 0;
  #hex = 0;

  constructor(private readonly options: BridgeSceneOptions) {
    this.clock = new SteppingClock(options.epochMs);
    this.gate = new MoodyGate(this.clock);
    const { clock, log } = this;
    const numbers = (options.numberIds ?? [phoneNumberId]).map((id) => ({ ...number, id }));
    this.directory = new CallDirectory(clock);
    this.#context = this.#sipContext();
    this.#deps = this.#whatsAppDeps();
    this.board = this.#switchboard();
    this.#router = new WebhookRouter({
      numbers: () => numbers,
      directory: this.directory,
      createUserLeg: (seed) => new UserInitiatedLeg({ ...this.#deps, ...seed, preAccept: this.options.preAccept }),
      onUserCall: (call) => {
        this.#offer(call.call, call.leg, call.waCallId);
        this.board.userCall(call);
      },
      endAbandoned: (numberId, waCallId) => {
        this.#deps.graph.terminate({ numberId, waCallId }).catch(() => undefined);
      },
      count: (result) => void this.results.set(result, (this.results.get(result) ?? 0) + 1),
      ids: this.#ids(),
      clock,
      observer: this.#observer(),
      logger: log,
    });
  }

  /** A webhook reaches the listener; false: it was answered with 503, and nothing was done. */
  deliver(json: unknown, onTaken: () => void): boolean {
    if (this.journal.mood !== 'prompt') return false;
    onTaken();
    this.handle(parseWebhook(json));
    return true;
  }

  /** What the listener hands over. */
  handle(events: readonly WebhookEvent[]): void {
    this.#router.handle(events);
  }

  /** An INVITE of the PBX reaches the bridge. */
  invite(offer: string): IncomingInvite {
    const invite = this.srf.arrive(offer);
    const call = this.#ids().callId();
    const onReady = (): void => {
      this.#offer(call, leg, invite.of);
      const arriving = { call, leg, trunk, trunks: [trunk], calledUser: '+13057765456', callerUser: '100' };
      this.board.trunkCall({ ...arriving, namedNumber: undefined, opaque: undefined });
    };
    const { request, response } = invite;
    const onOver = (): void => this.sipLegs.remove(leg);
    const leg: InboundSipLeg = new InboundSipLeg(
      this.#context,
      { call, trunk, request, response, onReady, onOver },
      this.log,
    );
    this.sipLegs.add(leg, call);
    this.wire.note('call', 'arrived', call, { of: invite.of });
    leg.start();
    return invite;
  }

  loseLink(): void {
    this.srf.lose();
    this.sipLegs.linkLost();
  }

  close(): void {
    if (this.closed !== 'no') return;
    this.closed = 'closing';
    void this.board.close(10_000).then(() => (this.closed = 'yes'));
  }

  /** Everything that is ready to happen happens; time stands still. */
  async settle(): Promise<void> {
    do await turn();
    while (this.srf.drain());
  }

  /** Time goes on. */
  async run(ms: number): Promise<void> {
    await this.settle();
    await this.clock.run(ms, () => this.settle());
  }

  #offer(call: CallId, leg: OriginatingLeg, of: string): void {
    this.offered.push(call);
    this.wire.note('call', 'offered', call, { of });
    this.#tap(call, 'a', leg);
  }

  #tap<L extends Leg>(call: CallId, role: 'a' | 'b', leg: L): L {
    const tapped: TappedLeg = { call, role, leg, events: [] };
    this.legs.push(tapped);
    const listen = leg.listen.bind(leg);
    leg.listen = (listener) => {
      listen((event) => {
        tapped.events.push(event.type);
        listener(event);
      });
    };
    return leg;
  }

  #ids(): IdSource {
    return {
      callId: () => `01JDB2ZV4QXK00000000000${String(100 + this.#calls++)}` as CallId,
      hex: (bytes) => String(this.#hex++).padStart(bytes * 2, '0'),
    };
  }

  #observer(): CallObserver {
    return {
      step: (call, step, detail = {}) => {
        if (step === 'call.state') this.wire.note('call', String(detail['to']), call);
      },
    };
  }

  #sipContext(): SipLegContext {
    const { clock, log, srf, media, journal } = this;
    const addresses = new ServerAddresses({
      ...{ dns: addressDns(), random: () => 0, clock, logger: log, dnsMs: 1000, dnsRefreshMs: 1000 },
    });
    return {
      ...{
        srf,
        engine: media,
        journal,
        observer: this.#observer(),
        clock,
        ids: this.#ids(),
        addresses,
        servers: new ServerWatch({ srf, clock, logger: log, addresses, trunks: [], answerMs: 4000, random: () => 0 }),
        notesTransactions: true,
      },
      timeouts: defaultSipTimeouts,
      localAddressFor: () => Promise.resolve('127.0.0.1'),
      logins: new TrunkLogins(addresses, this.#ids(), log),
    };
  }

  #whatsAppDeps(): WhatsAppLegDeps {
    const { clock, log, media, journal, directory, meta } = this;
    const client = new GraphClient({
      ...{ baseUrl: 'http://127.0.0.1', version: 'v23.0', token: () => 'token', timeoutMs: graphTimeoutMs },
      ...{ clock, logger: log, random: () => 0.5, fetch: meta.fetch },
    });
    const counted = <Args extends unknown[], T>(work: (...args: Args) => Promise<T>) => {
      return async (...args: Args): Promise<T> => {
        this.pending++;
        try {
          return await work(...args);
        } finally {
          this.pending--;
        }
      };
    };
    const graph: WhatsAppLegDeps['graph'] = {
      connect: counted((args) => client.connect(args)),
      preAccept: counted((args) => client.preAccept(args)),
      accept: counted((args) => client.accept(args)),
      reject: counted((args) => client.reject(args)),
      terminate: counted((args) => client.terminate(args)),
    };
    return { graph, media, directory, journal, observer: this.#observer(), clock, logger: log };
  }

  #switchboard(): Switchboard {
    const { clock, log, media, records, gate, journal } = this;
    return new Switchboard({
      numbers: [number],
      trunks: new Map([[trunk.name, trunk]]),
      routes: [],
      ...{ answerTimeoutMs: 25_000, ringTimeoutMs: 60_000, maxDurationMs },
      createBridge: () => media.createBridge(),
      dialTrunk: (target, from) => this.#dialTrunk(target, from),
      dialUser: (line, to, { call }): DialledLeg =>
        this.#tap(call, 'b', new BusinessInitiatedLeg({ ...this.#deps, call, number: line, to })),
      ...{ gate, journal, clock },
      random: () => 0,
      observer: this.#observer(),
      journal: this.journal,
      cdr: {
        write: (record) => {
          records.push(record);
          this.wire.note('call', 'record', record.call, { code: record.code, by: record.endedBy });
        },
        close: () => Promise.resolve(),
      },
      logger: log,
    });
  }

  #dialTrunk(...[target, from]: Parameters<ConstructorParameters<typeof Switchboard>[0]['dialTrunk']>): DialledLeg {
    const { call, waCallId: callId } = from;
    const onOver = (): void => this.sipLegs.remove(leg);
    const leg: OutboundSipLeg = new OutboundSipLeg(
      this.#context,
      {
        ...{ call, target, caller: { user: from.from ?? 'anonymous', name: from.fromName } },
        whatsApp: { numberId: from.number.id, callId, direction: 'user_initiated', payload: undefined },
      },
      this.log,
      { isAdmitted: true, onOver },
    );
    this.sipLegs.add(leg, call);
    return this.#tap(call, 'b', leg);
  }

  hangUpByOperator(nth: number): void {
    pick(this.board.calls.all(), nth)?.end('admin');
  }
}

/** The `nth` of those there are, or none. */
export function pick<T>(items: readonly T[], nth: number): T | undefined {
  return items.length === 0 ? undefined : items[nth % items.length];
}
