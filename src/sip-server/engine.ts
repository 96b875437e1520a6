import type { Socket } from 'node:net';
import { guardedClock, type Clock } from '../lib/clock.js';
import type { DnsClient } from '../lib/dns-client.js';
import type { IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { AppDispatch } from './core/app-dispatch.js';
import { AppRequests } from './core/app-requests.js';
import type { Core } from './core/core.js';
import { uuid } from './core/core.js';
import { IdPool } from './core/id-pool.js';
import type { SourceLimits } from './core/doorkeeper.js';
import { Doorkeeper } from './core/doorkeeper.js';
import { Inbound } from './core/inbound.js';
import type { Backlog, OverloadLimits } from './core/overload.js';
import { Overload } from './core/overload.js';
import type { AnswerChallenge } from './core/answer-challenge.js';
import { RegisteredFlows } from './core/registered-flows.js';
import { RequestTable } from './core/request-table.js';
import { UserAgentClient } from './core/uac.js';
import { UserAgentServer } from './core/uas.js';
import { DialogTable } from './dialog/dialog-table.js';
import type { SessionPolicy } from './dialog/session-timer-terms.js';
import type { CallRecord, OpenCall } from './recovery/call-record.js';
import type { Endings } from './recovery/end-calls.js';
import { endCalls } from './recovery/end-calls.js';
import type { SipTimers } from './timers.js';
import { EndedTransactions } from './transaction/ended-transactions.js';
import { TransactionTable } from './transaction/transaction-table.js';
import { restingArrivals } from './transport/arrivals.js';
import { ContactedHosts } from './transport/contacted-hosts.js';
import type { Address, Flow, Protocol, TransportSink } from './transport/flow.js';
import { systemResolver } from './transport/resolver.js';
import type { TlsSettings } from './transport/tls-settings.js';
import type { ListenAddress } from './transport/transports.js';
import { Transports } from './transport/transports.js';
import { AppListener } from './wire/app-listener.js';
import type { ClientSession } from './wire/client-session.js';

/** At or above this, drachtio-srf sends pings. */
const PROTOCOL_VERSION = 'v0.9.10-embedded';
const SECRET_BYTES = 24;

/** One SIP message on the wire, whoever made it: the application, or this server by itself. */
export interface TracedMessage {
  readonly direction: 'in' | 'out';
  readonly transport: Protocol;
  readonly remote: Address;
  /** What Via and Contact show; undefined as long as it is not known what that is towards this peer. */
  readonly local: Address | undefined;
  readonly text: string;
}

export interface EngineOptions {
  readonly listen: readonly ListenAddress[];
  readonly advertisedHost: string | undefined;
  readonly tls: TlsSettings | undefined;
  readonly timers: SipTimers;
  readonly session: SessionPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly onMessage: ((message: TracedMessage) => void) | undefined;
  readonly dns: DnsClient | undefined;
  /** While busy this process may block for some milliseconds. */
  readonly rests: boolean;
  readonly isKnownSource: ((address: string) => boolean) | undefined;
  readonly answerChallenge: AnswerChallenge | undefined;
  readonly sourceLimits: SourceLimits;
  readonly overloadLimits: OverloadLimits;
  /** A connection that this server opened is gone. */
  readonly onConnectionLost: (farEnd: Address & { readonly protocol: Protocol }) => void;
  /** Opens the record of open calls; called once the listeners are bound, so that no other server has it. */
  readonly record: () => CallRecord;
}

/** Puts the layers together: transports, transactions, dialogs, and the protocol towards the application. */
export class Engine {
  readonly secret: string;
  readonly #core: Core;
  readonly #apps: AppListener;
  readonly #inbound: Inbound;
  readonly #requests: AppRequests;
  readonly #uac: UserAgentClient;
  readonly #uas: UserAgentServer;
  readonly #doorkeeper: Doorkeeper;
  #stopped = false;

  private constructor(
    private readonly options: EngineOptions,
    private readonly transports: Transports,
    contacted: ContactedHosts,
    clock: Clock,
  ) {
    const ids = new IdPool(options.ids);
    this.secret = options.ids.hex(SECRET_BYTES);
    this.#core = {
      clock,
      ids,
      logger: options.logger,
      timers: options.timers,
      session: options.session,
      transports,
      resolver: systemResolver({ clock, deadlineMs: options.timers.resolveMs, dns: options.dns }),
      transactions: new TransactionTable(),
      dialogs: new DialogTable(),
      registered: new RegisteredFlows(clock),
      ended: new EndedTransactions(clock, options.timers),
      serverRequests: new RequestTable(),
      clientRequests: new RequestTable(),
      record: options.record(),
      answerChallenge: options.answerChallenge,
      pick: (method) => this.#apps.pick(method),
    };
    this.#uac = new UserAgentClient(this.#core);
    this.#uas = new UserAgentServer(this.#core, this.#uac);
    this.#requests = new AppRequests(this.#core, this.#uac);
    this.#inbound = new Inbound(this.#core, this.#uas, this.#uac, this.secret);
    const dispatch = new AppDispatch(this.#core, this.#uas, this.#requests);
    this.#apps = new AppListener({
      secret: this.secret,
      version: PROTOCOL_VERSION,
      clock,
      logger: options.logger,
      uuid: () => uuid(ids),
      hostPorts: () => transports.hostPorts(),
      onSip: (client, frame) => dispatch.onSip(client, frame),
      onClosed: (client) => this.#onAppGone(client),
    });
    this.#doorkeeper = this.#hireDoorkeeper(contacted, clock);
  }

  #hireDoorkeeper(contacted: ContactedHosts, clock: Clock): Doorkeeper {
    const { logger, isKnownSource, sourceLimits: limits, overloadLimits } = this.options;
    const backlog = (): Backlog => ({ requests: this.#core.serverRequests.size, bytes: this.#apps.backlogBytes });
    return new Doorkeeper({
      ...{ clock, logger, isKnownSource, contacted, limits },
      hasCall: (callId) => this.#core.dialogs.hasCall(callId),
      overload: new Overload(clock, overloadLimits, backlog, logger),
    });
  }

  /** @throws BridgeError when a listener cannot be bound. */
  static async start(options: EngineOptions): Promise<Engine> {
    // An error in one timer must not lose another's timeout.
    const clock = guardedClock(options.clock, (err) => options.logger.error('sip timer failed', { err }));
    const late: { engine?: Engine } = {};
    const sink: TransportSink = {
      onMessage: (bytes, flow) => late.engine?.onMessage(bytes, flow),
      onSent: (bytes, flow) => late.engine?.traced('out', bytes, flow),
      onError: (what, err) => options.logger.warn('sip transport error', { what, err }),
      onLost: ({ protocol, remote }) => options.onConnectionLost({ protocol, ...remote }),
    };
    const contacted = new ContactedHosts(clock);
    const transports = await Transports.bind(options.listen, options.advertisedHost, {
      clock,
      timers: options.timers,
      sink,
      logger: options.logger,
      tls: options.tls,
      dns: options.dns,
      contacted,
      arrivals: options.rests ? restingArrivals(() => clock.monotonicMs()) : undefined,
      admits: (host, protocol) => late.engine?.admitsConnection(host, protocol) ?? false,
    });
    const engine = new Engine(options, transports, contacted, clock);
    late.engine = engine;
    await engine.#apps.start();
    return engine;
  }

  get address(): { host: string; port: number } {
    return { host: this.#apps.host, port: this.#apps.port };
  }

  connectInProcess(): Socket {
    return this.#apps.connectInProcess();
  }

  get sockets(): { transport: string; host: string; port: number }[] {
    return this.transports.sockets;
  }

  counts(): { transactions: number; dialogs: number; pending: number } {
    const { transactions, dialogs, serverRequests, clientRequests } = this.#core;
    const pending = serverRequests.size + clientRequests.size + this.#requests.busy;
    return { transactions: transactions.size, dialogs: dialogs.size, pending };
  }

  /** Ends everything here and now; the peers are not told. Calls are to be hung up before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#apps.stop();
    this.#core.transactions.terminateAll();
    this.#core.ended.stop();
    this.#core.registered.clear();
    for (const dialog of this.#core.dialogs.all()) this.#core.dialogs.remove(dialog);
    for (const record of this.#core.serverRequests.all()) {
      record.silence?.cancel();
      record.reliable?.stop();
    }
    for (const record of this.#core.clientRequests.all()) record.cancelTimer?.cancel();
    this.#core.serverRequests.clear();
    this.#core.clientRequests.clear();
    await this.transports.stop();
  }

  /** Ends calls that a process before this one left open; to be called before an application connects. */
  endCalls(left: readonly OpenCall[]): Endings {
    return endCalls({ core: this.#core, uas: this.#uas, uac: this.#uac }, left);
  }

  admitsConnection(host: string, protocol: Protocol): boolean {
    return this.#doorkeeper.admitsConnection(host, protocol);
  }

  onMessage(bytes: Buffer, flow: Flow): void {
    const failed = (err: unknown): void => this.options.logger.error('sip message failed', { err });
    try {
      const admission = this.#doorkeeper.judge(bytes, flow);
      if (!admission) return;
      this.traced('in', bytes, flow);
      this.#inbound.receive(bytes, flow, admission)?.catch(failed);
    } catch (err) {
      failed(err);
    }
  }

  /** Costs nothing when nobody wants to know. */
  traced(direction: 'in' | 'out', bytes: Buffer, flow: Flow): void {
    const { onMessage, logger } = this.options;
    if (!onMessage) return;
    const { protocol: transport, remote } = flow;
    try {
      const local = this.transports.shownSoFar(flow);
      onMessage({ direction, transport, remote, local, text: bytes.toString('utf8') });
    } catch (err) {
      logger.error('sip trace failed', { err });
    }
  }

  /** Nobody can ever use this application's calls again: they are ended, so that no peer waits for a dead one. */
  #onAppGone(client: ClientSession): void {
    if (this.#stopped) return;
    for (const record of this.#core.serverRequests.all()) {
      if (record.client === client) this.#uas.preempt(record, 503);
    }
    for (const record of this.#core.clientRequests.all()) {
      if (record.client === client && record.request.method === 'INVITE') this.#uac.cancel(record, []);
    }
    for (const dialog of this.#core.dialogs.ownedBy(client)) {
      if (dialog.state === 'confirmed') this.#uac.endDialog(dialog, 'application gone');
    }
  }
}
