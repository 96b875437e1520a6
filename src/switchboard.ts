import { Call, fixedTimeouts, shuttingDown, type CallOutcome } from './call/call.js';
import type { CallRecord, CdrSink } from './call/call-record.js';
import { endReason, type EndReason } from './call/end-reason.js';
import type { Journal, JournalData, JournalEvent } from './call/journal.js';
import type { DialledLeg, LegFacts, OriginatingLeg } from './call/leg.js';
import type { MediaBridge } from './call/media-bridge.js';
import { roundedQuality } from './call/media-quality.js';
import type { CallObserver } from './call/observer.js';
import { CallRegistry } from './call/registry.js';
import type { Clock } from './lib/clock.js';
import { withDeadline } from './lib/deadline.js';
import { given } from './lib/given.js';
import type { CallId, E164, WaCallId } from './lib/ids.js';
import type { Logger } from './lib/logger.js';
import { routeUserCall, wellFirst } from './routing/route-table.js';
import { decideTrunkCall } from './routing/trunk-call.js';
import type { Route, Target, Trunk, WaNumber } from './routing/types.js';
import type { UserAddress } from './routing/user-address.js';

/** A WhatsApp user calls the business. */
export interface ArrivingUserCall {
  readonly call: CallId;
  readonly leg: OriginatingLeg;
  readonly number: WaNumber;
  /** The user's number; undefined for users who hide it behind a username. */
  readonly from: E164 | undefined;
  /** The user's business-scoped id, where Meta gives one. */
  readonly fromUserId: string | undefined;
  readonly fromName: string | undefined;
  readonly waCallId: WaCallId;
  /** Payload of the call button the user came by. */
  readonly ctaPayload: string | undefined;
  /** Payload of the deep link the user came by. */
  readonly deeplinkPayload: string | undefined;
}

/** The PBX calls a WhatsApp user. */
export interface ArrivingTrunkCall {
  readonly call: CallId;
  readonly leg: OriginatingLeg;
  readonly trunk: Trunk;
  /** All trunks that take calls from the PBX's address, `trunk` among them: a number of any of them may be meant. */
  readonly trunks: readonly Trunk[];
  /** User part of the Request-URI. */
  readonly calledUser: string;
  readonly callerUser: string | undefined;
  /** Callers that a trusted PBX vouches for, and whom it says the call was forwarded by. */
  readonly assertedUsers?: readonly string[];
  readonly divertedBy?: readonly string[];
  /** `X-WA-Number-Id`, when the PBX names the number to call with. */
  readonly namedNumber: string | undefined;
  /** `X-WA-Opaque`: what the PBX wants Meta to carry along. */
  readonly opaque: string | undefined;
}

/** Decides whether users may be called, and learns from what becomes of calls. Neither throws nor rejects. */
export interface CallGate {
  /** Why the user may not be called now, if so; takes a few seconds at most. */
  mayCall(
    number: WaNumber,
    user: UserAddress,
    call: { readonly id: CallId; readonly isOver: () => boolean },
  ): Promise<EndReason | undefined>;
  onCallOver(number: WaNumber, user: { number?: string; userId?: string }, outcome: CallOutcome): void;
}

/** Read for each call, so that the values may be others after a reload. */
export interface SwitchboardOptions {
  readonly numbers: readonly WaNumber[];
  readonly trunks: ReadonlyMap<string, Trunk>;
  readonly routes: readonly Route[];
  readonly answerTimeoutMs: number;
  readonly ringTimeoutMs: number;
  readonly maxDurationMs: number;
  readonly createBridge: (call: CallId) => MediaBridge;
  /** Makes the SIP leg that rings a target for a user's call. */
  readonly dialTrunk: (target: Target, from: ArrivingUserCall) => DialledLeg;
  /** Whether a target is to be tried before others; default: all are. */
  readonly isWell?: (target: Target) => boolean;
  /** The targets with the places of their servers, each to be dialled by itself; default: as they are. */
  readonly placed?: (targets: readonly Target[]) => readonly Target[] | Promise<readonly Target[]>;
  /** Makes the WhatsApp leg that rings a user for a call from the PBX. */
  readonly dialUser: (number: WaNumber, to: UserAddress, from: ArrivingTrunkCall) => DialledLeg;
  /** Without one every user may be called. */
  readonly gate?: CallGate;
  /** Whether new calls are taken at the moment; default: they are. */
  readonly takesCalls?: () => boolean;
  readonly clock: Clock;
  /** 0 to 1; shares calls among servers by weight. */
  readonly random: () => number;
  readonly observer: CallObserver;
  readonly journal: Journal;
  readonly cdr: CdrSink;
  readonly logger: Logger;
}

/** What the CDR says of a call beyond its outcome. */
type Parties = Pick<CallRecord, 'number' | 'user' | 'userId' | 'trunk' | 'opaque'>;

/** Takes arriving calls of both sides, decides where they go, and keeps them until they are over. */
export class Switchboard {
  readonly calls = new CallRegistry();
  #closed = false;

  constructor(private readonly options: SwitchboardOptions) {}

  /** A user's call: routed to a trunk. */
  userCall(arriving: ArrivingUserCall): void {
    const { options } = this;
    const { number, from } = arriving;
    const atMs = options.clock.now();
    const route = routeUserCall({ number, from, atMs }, options.routes, options.trunks, options.random);
    const trunk = route.ok ? route.targets[0]?.trunk.name : undefined;
    const user = { ...given('user', from), ...given('userId', arriving.fromUserId) };
    const parties = { number: number.name, ...user, ...given('trunk', trunk) };
    const call = this.#open('user_initiated', arriving, options.answerTimeoutMs, parties);
    if (!this.#takesCalls) return call.refuse(shuttingDown);
    if (!route.ok) return call.refuse(endReason(route.code, { text: route.why }));
    const placed = options.placed?.(route.targets) ?? route.targets;
    if (placed instanceof Promise) void placed.then((targets) => this.#dialTrunk(call, targets, arriving));
    else this.#dialTrunk(call, placed, arriving);
  }

  #dialTrunk(call: Call, placed: readonly Target[], arriving: ArrivingUserCall): void {
    const targets = wellFirst(placed, this.options.isWell ?? (() => true));
    call.route(targets.map((target) => () => this.options.dialTrunk(target, arriving)));
  }

  /** A call from the PBX: placed to a WhatsApp user. */
  trunkCall(arriving: ArrivingTrunkCall): void {
    const trunks = arriving.trunks.map(({ name }) => name);
    const { destinations } = arriving.trunk;
    const decision = decideTrunkCall({ ...arriving, trunks, destinations }, this.options.numbers);
    const { number, user } = decision;
    const called = user && 'number' in user ? { user: user.number } : { ...user };
    const own = given('opaque', arriving.opaque);
    const parties = { trunk: arriving.trunk.name, ...given('number', number?.name), ...called, ...own };
    const call = this.#open('business_initiated', arriving, this.options.ringTimeoutMs, parties);
    if (!this.#takesCalls) return call.refuse(shuttingDown);
    if (!decision.ok) return call.refuse(endReason(decision.code, { text: decision.why }));
    void this.#place(call, decision, arriving);
  }

  /** Calls the user once that is known to be allowed. A caller who has given up meanwhile is past being routed or refused. */
  async #place(call: Call, { number, user }: Called, arriving: ArrivingTrunkCall): Promise<void> {
    const { gate } = this.options;
    const isOver = (): boolean => call.state !== 'offered';
    const refusal = gate && (await gate.mayCall(number, user, { id: call.id, isOver }));
    if (refusal) return call.refuse(refusal);
    call.route([() => this.options.dialUser(number, user, arriving)]);
  }

  /**
   * Takes no new calls from now on and ends the live ones. Legs that are not gone after `deadlineMs` are given up, so that every
   * call has its record when this resolves.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    for (const call of this.calls.all()) call.end('shutdown');
    try {
      await withDeadline(this.calls.none(), deadlineMs, 'end of the live calls', this.options.clock);
    } catch (err) {
      this.options.logger.warn('calls given up', { calls: this.calls.size, err });
      for (const call of this.calls.all()) call.giveUp();
    }
  }

  get #takesCalls(): boolean {
    return !this.#closed && (this.options.takesCalls?.() ?? true);
  }

  #open(direction: Call['direction'], arriving: Arriving, noAnswer: number, parties: Parties): Call {
    const { options } = this;
    const logger = options.logger.child({ call: arriving.call });
    const call = new Call({
      id: arriving.call,
      direction,
      a: arriving.leg,
      bridge: options.createBridge(arriving.call),
      timeouts: { ...fixedTimeouts, noAnswer, maxDuration: options.maxDurationMs },
      clock: options.clock,
      observer: options.observer,
      logger,
      onEnded: (outcome) => this.#over(outcome, parties, logger),
    });
    this.calls.add(call);
    this.#note(call.id, 'began', journalledStart(call, arriving.leg.facts, parties, options.clock.now()));
    logger.info('call offered', { direction, ...parties });
    options.cdr.started?.({ call: arriving.call, direction, ...parties, start: iso(options.clock.now()) });
    return call;
  }

  #over(outcome: CallOutcome, parties: Parties, logger: Logger): void {
    this.calls.remove(outcome.call);
    const record = callRecord(outcome, parties);
    logger.info('call ended', { ...record });
    const stored = this.options.cdr.write(record);
    const number = this.options.numbers.find(({ name }) => name === parties.number);
    const user = { ...given('number', parties.user), ...given('userId', parties.userId) };
    if (number) this.options.gate?.onCallOver(number, user, outcome);
    // Once its record is safe: a crash in between leaves a call without `ended`, of which recovery writes one.
    const ended = (): void => this.#note(outcome.call, 'ended', given('waCallId', record.waCallId));
    if (stored) void stored.then(ended);
    else ended();
  }

  /** Not waited for: what must not happen without its entry is journalled by the leg that does it. */
  #note(call: CallId, event: JournalEvent, data: JournalData): void {
    this.options.journal.append({ call, event, data }).catch((err: unknown) => {
      this.options.logger.error('journal entry not stored', { call, event, err });
    });
  }
}

/** Who is called, with which number. */
interface Called {
  readonly number: WaNumber;
  readonly user: UserAddress;
}

type Arriving = Pick<ArrivingUserCall, 'call' | 'leg'>;

const iso = (ms: number): string => new Date(ms).toISOString();

/** What recovery is to know of a call that it finds open; the user's number is none of it. */
function journalledStart(
  { direction }: Call,
  facts: LegFacts,
  { number, trunk }: Parties,
  startMs: number,
): JournalData {
  const meta = { ...given('waCallId', facts['waCallId']), ...given('numberId', facts['numberId']) };
  return { direction, startMs: String(startMs), ...given('number', number), ...given('trunk', trunk), ...meta };
}

/** The CDR of a finished call. */
export function callRecord(outcome: CallOutcome, parties: Parties): CallRecord {
  const { reason, a, b } = outcome;
  return {
    version: 1,
    call: outcome.call,
    direction: outcome.direction,
    ...parties,
    start: iso(outcome.startMs),
    ...(outcome.answerMs === undefined ? {} : { answer: iso(outcome.answerMs) }),
    end: iso(outcome.endMs),
    durationMs: Math.round(outcome.durationMs),
    billsecMs: Math.round(outcome.billsecMs),
    endedBy: outcome.endedBy,
    code: reason.code,
    result: reason.result,
    sipStatus: reason.sipStatus,
    q850: reason.q850,
    ...given('metaCode', reason.metaCode),
    ...given('text', reason.text),
    ...given('waCallId', a['waCallId'] ?? b['waCallId']),
    ...given('sipCallIdA', a['sipCallId']),
    ...given('sipCallIdB', b['sipCallId']),
    ...given('srtp', a['srtp'] ?? b['srtp']),
    ...given('caller', a['caller']),
    ...given('divertedBy', a['divertedBy']),
    ...given('codec', outcome.quality?.pbx?.codec),
    ...given('quality', roundedQuality(outcome.quality)),
    ...metaFacts({ ...b, ...a }),
  };
}

/** What the WhatsApp leg has from Meta, and the operator's string as a leg has it. */
function metaFacts(facts: LegFacts): Partial<CallRecord> {
  const durationS = facts['metaDurationS'];
  return {
    ...given('metaStart', facts['metaStart']),
    ...given('metaEnd', facts['metaEnd']),
    ...given('metaDurationS', durationS === undefined ? undefined : Number(durationS)),
    ...given('metaStatus', facts['metaStatus']),
    ...given('ctaPayload', facts['ctaPayload']),
    ...given('deeplinkPayload', facts['deeplinkPayload']),
    ...given('opaque', facts['opaque']),
  };
}
