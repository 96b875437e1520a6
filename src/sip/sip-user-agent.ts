import { hostname } from 'node:os';
import { endReason } from '../call/end-reason.js';
import type { Journal, OrphanDialog } from '../call/journal.js';
import type { DialledLeg } from '../call/leg.js';
import type { CallObserver } from '../call/observer.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import { systemDns, type DnsClient } from '../lib/dns-client.js';
import type { IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEngine } from '../media/media-engine.js';
import type { NumberHint } from '../routing/number-of-call.js';
import type { Target, Trunk } from '../routing/types.js';
import type { ChallengedRefresh } from './digest/challenged-refresh.js';
import { TrunkLogins, type Credentials } from './digest/trunk-login.js';
import type { InboundCall } from './inbound-call.js';
import { journalOrphan } from './leg-journal.js';
import { LiveLegs } from './live-legs.js';
import { optionsPing } from './liveness/options-ping.js';
import { ServerLiveness } from './liveness/server-liveness.js';
import { systemLocalAddress, type LocalAddressFinder } from './local-address.js';
import { OrphanDialogs } from './orphan-dialogs.js';
import { Reception } from './reception.js';
import { Registrations } from './registration/registrations.js';
import type { FarEnd } from './registration/seen-place.js';
import type { OutboundLegOptions } from './outbound-sip-leg.js';
import { placedTargets } from './next-hop.js';
import { ServerAddresses, sitesOf } from './server-addresses.js';
import { ServerWatch } from './server-watch.js';
import type { SipLegContext } from './sip-leg-context.js';
import { SipServerLink, type SipServerAddress } from './sip-server-link.js';
import { defaultSipTimeouts, type SipTimeouts } from './sip-timeouts.js';
import { SourceAcl } from './source-acl.js';
import { PbxLegs } from './transfer/pbx-legs.js';
import { TrunkLoad } from './trunk-load.js';
import { frameWatch, type WireWatcher } from './wire-watcher.js';

export interface SipUserAgentOptions {
  /** The SIP server, whichever it is: embedded or a drachtio-server. */
  readonly connect: SipServerAddress;
  readonly trunks: readonly Trunk[];
  /** Whether new calls are taken at the moment; default: they are. */
  readonly takesCalls?: () => boolean;
  /** Which of several trunks that take calls from one address a call is on; default: the first. */
  readonly chooseTrunk?: (trunks: readonly [Trunk, ...Trunk[]], hint: NumberHint) => Trunk;
  readonly media: MediaEngine;
  /**
   * For a SIP server that ends by itself what an application that is gone leaves open: whether it does so for the call
   * with this Call-ID, which a crash of both left. Default: it ends none, as a drachtio-server.
   */
  readonly serverEndsOrphans?: (sipCallId: string) => boolean;
  /** The SIP server is a process of its own, which may be wedged while our connection to it is up. */
  readonly watchesServer?: boolean;
  /** Tells of connections of the SIP server's that are gone; default: it cannot say, and is found out by asking. */
  readonly onConnectionLost?: (listener: (farEnd: FarEnd) => void) => void;
  readonly journal: Journal;
  readonly observer: CallObserver;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  /** 0 to 1; default: Math.random. */
  readonly random?: () => number;
  /** What tells this machine from others, and is the same after a restart; default: its name. */
  readonly machine?: string;
  readonly timeouts?: Partial<SipTimeouts>;
  /** Default: the system's. */
  readonly dns?: DnsClient;
  readonly localAddressFor?: LocalAddressFinder;
  /** Is shown the messages of calls, and of everybody else; default: nobody is. */
  readonly wire?: WireWatcher;
}

/** A SIP server of its own process has so long to answer, in milliseconds. */
const livenessMs = 1_000;

/** Our side of SIP: takes calls from the trunks, places calls to them. */
export class SipUserAgent {
  readonly #link: SipServerLink;
  readonly #liveness?: ServerLiveness;
  readonly #addresses: ServerAddresses;
  #acl: SourceAcl;
  /** Which servers answer. */
  readonly servers: ServerWatch;
  /** Of the trunks with `register`; started once calls can be taken. */
  readonly registrations: Registrations;
  readonly #load: TrunkLoad;
  readonly #legs = new LiveLegs((id, call) => this.options.wire?.belongs(id, call));
  readonly #timeouts: SipTimeouts;
  readonly #orphans: OrphanDialogs;
  /** What was up when the link was lost, until it is back. */
  #lost: OrphanDialog[] = [];
  readonly #context: SipLegContext;
  readonly #pbxLegs: PbxLegs;
  readonly #reception: Reception;
  #closing = false;

  /** @throws BadInputError when a trunk's `acceptFrom` holds no network */
  constructor(private readonly options: SipUserAgentOptions) {
    const { clock, logger, connect, dns = systemDns(), random = Math.random } = options;
    this.#timeouts = { ...defaultSipTimeouts, ...options.timeouts };
    const { connectMs, closeMs, dnsMs, dnsRefreshMs } = this.#timeouts;
    this.#addresses = new ServerAddresses({ dns, random, clock, logger, dnsMs, dnsRefreshMs });
    this.#acl = new SourceAcl(options.trunks, this.#addresses);
    this.#load = new TrunkLoad(clock);
    const ping = optionsPing(clock, livenessMs);
    if (options.watchesServer) this.#liveness = new ServerLiveness({ ping, clock, logger, ids: options.ids });
    this.#link = new SipServerLink(
      { connect, clock, logger, connectMs, closeMs, liveness: this.#liveness, onFrame: frameWatch(options.wire) },
      () => this.#linkLost(),
      () => this.#linkBack(),
    );
    this.#orphans = new OrphanDialogs({ srf: this.#link.srf, clock, logger, orphanMs: this.#timeouts.orphanMs });
    this.servers = new ServerWatch({
      ...{ srf: this.#link.srf, clock, logger, addresses: this.#addresses, trunks: options.trunks },
      ...{ answerMs: this.#timeouts.silenceMs, random },
      onAnswer: (target, response) => this.registrations.heard(target, response),
    });
    this.#context = {
      srf: this.#link.srf,
      engine: options.media,
      journal: options.journal,
      observer: options.observer,
      clock,
      ids: options.ids,
      timeouts: this.#timeouts,
      addresses: this.#addresses,
      servers: this.servers,
      localAddressFor: options.localAddressFor ?? systemLocalAddress(clock, dnsMs),
      logins: new TrunkLogins(this.#addresses, options.ids, logger),
      isFlow: (target) => this.registrations.isFlow(target),
      notesTransactions: options.serverEndsOrphans === undefined,
    };
    const { addresses, logins } = this.#context;
    this.registrations = new Registrations({
      ...{ srf: this.#link.srf, clock, ids: options.ids, logger, random, addresses, logins },
      ...{ trunks: options.trunks, timeouts: this.#timeouts, machine: options.machine ?? hostname() },
    });
    options.onConnectionLost?.((farEnd) => this.registrations.connectionLost(farEnd));
    this.#pbxLegs = new PbxLegs(this.#context, this.#load, this.#legs, logger, () => !this.#closing);
    this.#reception = new Reception({
      ...{ srf: this.#link.srf, clock, ids: options.ids, logger, acl: () => this.#acl, liveness: this.#liveness },
      ...{ legs: this.#legs, pbxLegs: this.#pbxLegs, load: this.#load },
      ...{ isOpen: () => !this.#closing, isReady: () => this.ready },
      ...{ takesCalls: options.takesCalls, chooseTrunk: options.chooseTrunk },
    });
    this.#reception.open();
  }

  /** Whether calls can be placed and taken. */
  get ready(): boolean {
    return this.#link.ready && !this.#closing;
  }

  /** Whether a server of a trunk is to be tried before others. */
  isWell(target: Pick<Target, 'trunk' | 'server'>): boolean {
    return this.servers.isWell(target) && this.registrations.isWell(target);
  }

  /** Live legs, both ways. */
  get legs(): number {
    return this.#legs.size;
  }

  /** @throws SipServerError when the SIP server is not reached in time or refuses the secret */
  async connect(): Promise<void> {
    await this.#addresses.keepFresh(sitesOf(this.options.trunks));
    await this.#link.connect();
    this.servers.start();
  }

  /**
   * The trunks are these from now on; calls that are up go on with those they began with.
   * @throws BadInputError when an `acceptFrom` holds no network; nothing has changed then
   */
  useTrunks(trunks: readonly Trunk[]): void {
    this.#acl = new SourceAcl(trunks, this.#addresses);
    void this.#addresses.keepFresh(sitesOf(trunks));
    this.servers.use(trunks);
    this.registrations.use(trunks);
  }

  /** Live calls of a trunk, both ways. */
  callsOf(trunk: string): number {
    return this.#load.legsOf(trunk);
  }

  /** Whether some trunk accepts requests from this transport source. The addresses of servers' names are learned over time. */
  isKnownSource(address: string): boolean {
    return this.#acl.trunksOf(address).length > 0;
  }

  /**
   * The credentials to repeat a session refresh with that the embedded SIP server made by itself and the PBX challenged: of
   * the trunk whose call it is, by the rule for all requests in dialogs (decision 0260). Undefined: it is not repeated.
   */
  answerChallenge(refresh: ChallengedRefresh): Credentials | undefined {
    return this.#legs.inDialog(refresh)?.answerRefresh(refresh);
  }

  /** Sets the one receiver of calls; without one they are refused. */
  onInboundCall(listener: (call: InboundCall) => void): void {
    this.#reception.onInboundCall(listener);
  }

  /**
   * Ends what an application before us left up, and notes in the journal what came of it. Resolves when each is over or
   * given up, after 4 s at most; never rejects.
   */
  endOrphanDialogs(orphans: readonly OrphanDialog[]): Promise<void> {
    return this.#endOrphans(orphans, ({ sipCallId }) => this.options.serverEndsOrphans?.(sipCallId) ?? false);
  }

  async #endOrphans(orphans: readonly OrphanDialog[], isServers: (orphan: OrphanDialog) => boolean): Promise<void> {
    const { logger } = this.options;
    const counts = { ended: 0, gone: 0, failed: 0 };
    await Promise.all(
      orphans.map(async (orphan) => {
        const outcome = isServers(orphan) ? 'ended' : await this.#orphans.end(orphan);
        counts[outcome]++;
        journalOrphan(this.#context, logger, orphan, outcome !== 'failed');
      }),
    );
    if (orphans.length > 0) logger.info('orphan dialogs ended', counts);
  }

  /** The targets with the places of their servers (RFC 3263), in the order of dialling. */
  placed(targets: readonly Target[]): readonly Target[] | Promise<readonly Target[]> {
    return placedTargets(this.#addresses, targets);
  }

  createOutboundLeg(options: OutboundLegOptions): DialledLeg {
    return this.#pbxLegs.dialled(options);
  }

  /** Refuses new calls, hangs up what is live and closes the connection; every step has a deadline. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#addresses.stop();
    this.servers.stop();
    this.#legs.hangup(endReason('shutdown'));
    const { closeMs } = this.#timeouts;
    const unregistered = this.registrations.stop();
    await withDeadline(this.#legs.none(), closeMs, 'end of the SIP legs', this.options.clock).catch((err: unknown) => {
      this.options.logger.warn('SIP legs left behind', { legs: this.#legs.size, err });
    });
    await unregistered;
    await this.#link.close();
  }

  #linkLost(): void {
    this.#lost = [...this.#lost, ...this.#legs.linkLost()];
    this.registrations.linkLost();
  }

  /** The dialogs outlive the link, and at the PBXs the SIP server too. */
  #linkBack(): void {
    this.registrations.linkBack();
    const lost = this.#lost;
    this.#lost = [];
    void this.#endOrphans(lost, () => this.options.serverEndsOrphans !== undefined);
  }
}
