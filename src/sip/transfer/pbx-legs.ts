import type { EndReason } from '../../call/end-reason.js';
import type { DialledLeg, LegFacts, OriginatingLeg } from '../../call/leg.js';
import type { Logger } from '../../lib/logger.js';
import type { SipServer, Trunk } from '../../routing/types.js';
import { InboundSipLeg, type InboundLegOptions } from '../inbound-sip-leg.js';
import type { LiveLegs } from '../live-legs.js';
import { OutboundSipLeg, type OutboundLegOptions } from '../outbound-sip-leg.js';
import type { SrfRequest } from '../drachtio-types.js';
import type { SipLegContext } from '../sip-leg-context.js';
import type { TrunkLoad } from '../trunk-load.js';
import { placeOfUri } from './refer-to.js';
import type { Referral } from './referral.js';
import { parseReplaces, type Replaces } from './replaces.js';
import { planTransfer, type TransferPlan } from './transfer-plan.js';
import { TransferableLeg, type TransferableOptions } from './transferable-leg.js';
import { homeOf } from './trunk-place.js';

/** An INVITE that was let in: what its leg is made of. `release` gives the trunk's place back. */
export type ArrivedCall = Omit<InboundLegOptions, 'onReferral' | 'onOver'> & {
  readonly logger: Logger;
  readonly release: () => void;
};

type ReplacingCall = Pick<ArrivedCall, 'trunk' | 'request' | 'response' | 'release'>;

/** What is to become of an INVITE with Replaces. */
export type Replacement =
  | { readonly leg: TransferableLeg; readonly trunk: Trunk; readonly replaces: Replaces; readonly status?: undefined }
  | { readonly status: 400 | 481; readonly trunk?: undefined };

/** Who is put through when a leg is transferred. */
type PutThrough = Pick<OutboundLegOptions, 'caller' | 'whatsApp'>;

/** Makes the SIP legs of calls, which may be transferred, and knows those that live. */
export class PbxLegs {
  readonly #all = new Map<TransferableLeg, Trunk>();

  constructor(
    private readonly context: SipLegContext,
    private readonly load: TrunkLoad,
    private readonly live: LiveLegs,
    private readonly logger: Logger,
    /** Whether calls may be placed at all. */
    private readonly isOpen: () => boolean,
  ) {}

  /** A leg to be dialled. */
  dialled(options: OutboundLegOptions): DialledLeg {
    const logger = this.logger.child({ call: options.call, leg: 'b' });
    const { trunk, server } = options.target;
    const common = this.#options(options, trunk, server, logger, () => options);
    const leg: TransferableDialledLeg = new TransferableDialledLeg(
      { ...common, onOver: () => void this.#all.delete(leg) },
      (onReferral) => this.#single(options, logger, onReferral),
    );
    this.#all.set(leg, trunk);
    return leg;
  }

  /** The leg of a call that arrived; to be started. */
  arrived(arrived: ArrivedCall): OriginatingLeg & { start(): void } {
    const { trunk, logger } = arrived;
    const common = this.#options(arrived, trunk, this.#homeOf(arrived), logger, () => leg.caller);
    const leg: TransferableArrivedLeg = new TransferableArrivedLeg(
      { ...common, onOver: () => void this.#all.delete(leg) },
      (onReferral) => this.#arrivedSingle(arrived, onReferral),
    );
    this.#all.set(leg, trunk);
    return leg;
  }

  /** What an INVITE with Replaces (RFC 3891 §3) means: a leg of one of these trunks, or a refusal. Undefined without one. */
  replacedBy(invite: SrfRequest, trunks: readonly Trunk[]): Replacement | undefined {
    const header = invite.get('Replaces');
    if (header === undefined) return undefined;
    const replaces = parseReplaces(header);
    if (!replaces) return { status: 400 };
    const found = [...this.#all].find(([leg, trunk]) => trunks.includes(trunk) && leg.isMeantBy(replaces));
    return found ? { leg: found[0], trunk: found[1], replaces } : { status: 481 };
  }

  /** Hands an INVITE that was let in to the leg that it is meant for; whether it takes its place is up to that. */
  replace({ leg: meant, replaces }: Extract<Replacement, { replaces: Replaces }>, arrived: ReplacingCall): void {
    const logger = this.logger.child({ call: meant.call, leg: 'a' });
    meant.replacedBy(replaces, {
      home: this.#homeOf(arrived),
      accept: (onReferral) => {
        const onReady = (): void => leg.answer();
        const leg = this.#arrivedSingle({ ...arrived, call: meant.call, logger, onReady }, onReferral);
        leg.start();
        return leg;
      },
      refuse: (status) => {
        arrived.release();
        logger.info('INVITE with Replaces refused', { status });
        arrived.response.send(status);
      },
    });
  }

  #options(
    { call }: Pick<OutboundLegOptions, 'call'>,
    trunk: Trunk,
    home: SipServer,
    logger: Logger,
    putThrough: () => PutThrough,
  ): Omit<TransferableOptions, 'onOver'> {
    const { addresses } = this.context;
    const addressesOf = (server: SipServer): readonly string[] => addresses.knownAddresses(server);
    const isOurs = (callId: string): boolean => [...this.#all.keys()].some((leg) => leg.hasDialog(callId));
    const successor = ({ target, headers }: TransferPlan, onReferral: (referral: Referral) => void): OutboundSipLeg => {
      const { caller, whatsApp } = putThrough();
      return this.#single({ call, target, headers, caller, whatsApp }, logger, onReferral);
    };
    const plan: TransferableOptions['plan'] = (refer, from) =>
      planTransfer(refer, { trunk, home: from, addressesOf, isOurs });
    return { context: this.context, call, logger, home, plan, successor };
  }

  #single(options: OutboundLegOptions, logger: Logger, onReferral: (referral: Referral) => void): OutboundSipLeg {
    const release = this.load.take(options.target.trunk);
    const leg: OutboundSipLeg = new OutboundSipLeg(this.context, options, logger, {
      isAdmitted: release !== undefined && this.isOpen(),
      onReferral,
      onOver: () => {
        release?.();
        this.live.remove(leg);
      },
    });
    this.live.add(leg, options.call);
    return leg;
  }

  #arrivedSingle(
    { logger, release, ...options }: ArrivedCall,
    onReferral: (referral: Referral) => void,
  ): InboundSipLeg {
    const onOver = (): void => {
      release();
      this.live.remove(leg);
    };
    const leg: InboundSipLeg = new InboundSipLeg(this.context, { ...options, onReferral, onOver }, logger);
    this.live.add(leg, options.call);
    return leg;
  }

  /** What stands for the PBX that sent an INVITE. */
  #homeOf({ trunk, request }: Pick<ArrivedCall, 'trunk' | 'request'>): SipServer {
    const { addresses } = this.context;
    const contact = placeOfUri(request.getParsedHeader('contact')[0]?.uri ?? '');
    const source = { address: request.source_address, contact, transport: request.protocol };
    return homeOf(trunk, source, (server) => addresses.knownAddresses(server));
  }
}

class TransferableDialledLeg extends TransferableLeg implements DialledLeg {
  readonly #original: OutboundSipLeg;

  constructor(options: TransferableOptions, make: (onReferral: (referral: Referral) => void) => OutboundSipLeg) {
    super(options);
    this.#original = make(this.onReferral);
    this.begin(this.#original);
  }

  dial(): void {
    this.#original.dial();
  }
}

class TransferableArrivedLeg extends TransferableLeg implements OriginatingLeg {
  readonly #original: InboundSipLeg;
  /** The WhatsApp side, for whom it is put through to. */
  #dialled: LegFacts = {};

  constructor(options: TransferableOptions, make: (onReferral: (referral: Referral) => void) => InboundSipLeg) {
    super(options);
    this.#original = make(this.onReferral);
    this.begin(this.#original);
  }

  get caller(): PutThrough {
    const { waUser, waUserId, numberId, waCallId } = this.#dialled;
    return {
      caller: { user: waUser ?? waUserId ?? 'anonymous', name: undefined },
      whatsApp: { numberId, callId: waCallId, direction: 'business_initiated' },
    };
  }

  start(): void {
    this.#original.start();
  }

  trying(): void {
    this.#original.trying();
  }

  ring(dialled?: LegFacts): void {
    this.#original.ring(dialled);
  }

  answer(dialled?: LegFacts): void {
    this.#dialled = dialled ?? {};
    this.#original.answer(dialled);
  }

  reject(reason: EndReason, dialled?: LegFacts): void {
    this.#original.reject(reason, dialled);
  }
}
