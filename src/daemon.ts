import { join } from 'node:path';
import type { CdrSink } from './call/call-record.js';
import type { Config } from './config/config.js';
import { LiveSecrets } from './config/live-secrets.js';
import { startAdminListener, type ReadinessCheck } from './http/admin-listener.js';
import type { HttpListener } from './http/http-listener.js';
import { startWebhookListener, type WebhookListenerOptions } from './http/webhook-listener.js';
import type { Journal, SeenKeys } from './call/journal.js';
import { Recovery, type RecoverableJournal } from './journal/recovery.js';
import { openStore, type Store } from './journal/store.js';
import { systemClock, type Clock } from './lib/clock.js';
import { systemIds, type IdSource } from './lib/ids.js';
import type { Logger } from './lib/logger.js';
import { StopStack } from './lib/stop-stack.js';
import { WeriftMediaEngine } from './media/werift-media-engine.js';
import { packageVersion } from './lib/package-version.js';
import { CallReports } from './observability/call-reports.js';
import { CdrFile } from './observability/cdr-file.js';
import { countedJournal } from './observability/counted-journal.js';
import { EventBus } from './observability/event-bus.js';
import { Metrics } from './observability/metrics.js';
import { Timeline } from './observability/timeline.js';
import { startEmbeddedSipServer } from './sip-server/start-embedded-sip-server.js';
import { SipUserAgent, type SipUserAgentOptions } from './sip/sip-user-agent.js';
import type { WhatsAppFacts } from './sip/invite-headers.js';
import type { OutboundLegOptions } from './sip/outbound-sip-leg.js';
import { Switchboard, type ArrivingUserCall } from './switchboard.js';
import { BusinessInitiatedLeg } from './whatsapp/business-initiated-leg.js';
import { CallDirectory } from './whatsapp/call-directory.js';
import { GraphClient } from './whatsapp/graph-client.js';
import type { WhatsAppLegDeps } from './whatsapp/leg-wire.js';
import { createPermissionGate } from './whatsapp/permissions/create-permission-gate.js';
import type { PermissionEvent } from './whatsapp/permissions/permission-event.js';
import type { PermissionGate } from './whatsapp/permissions/permission-gate.js';
import { UserInitiatedLeg } from './whatsapp/user-initiated-leg.js';
import { replyOf } from './whatsapp/webhook-journal.js';
import { WebhookRouter, type WebhookRouterOptions } from './whatsapp/webhook-router.js';
import { trunkOfCall } from './routing/number-of-call.js';
import type { Target } from './routing/types.js';

export interface DaemonOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Where call records go; default: the file of the configuration. */
  readonly cdr?: CdrSink;
  /** Told secrets that are replaced while the daemon runs, so that no log line can show them. */
  readonly redact?: (secrets: readonly string[]) => void;
  /** Longest wait for live calls to end when the daemon stops, in milliseconds. */
  readonly stopCallsMs?: number;
}

export interface DaemonAddresses {
  readonly sip: readonly { readonly transport: string; readonly host: string; readonly port: number }[];
  readonly webhook: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number };
}

/** The running daemon. */
export interface Daemon {
  /** Steps of the calls as they happen. */
  readonly timeline: Timeline;
  /** What `/metrics` shows, and what `/v1/events` tells. */
  readonly metrics: Metrics;
  readonly events: EventBus;
  /** Where it listens; the SIP list is empty with a drachtio-server, which listens itself. */
  readonly addresses: DaemonAddresses;
  /** Live calls. */
  readonly calls: () => number;
  /** Ends all calls on both sides, then everything else. Idempotent. */
  stop(): Promise<void>;
}

const STOP_CALLS_MS = 10_000;

/**
 * Starts everything in the order in which it is needed; what was started is stopped again when a later part fails.
 * @throws BridgeError naming what could not be started
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const stack = new StopStack(options.logger);
  try {
    return await start(options, stack);
  } catch (error) {
    await stack.unwind();
    throw error;
  }
}

/** What every room works with. */
interface Base {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly journal: Journal;
  readonly timeline: Timeline;
  readonly metrics: Metrics;
  readonly events: EventBus;
  readonly media: WeriftMediaEngine;
}

async function start(options: DaemonOptions, stack: StopStack): Promise<Daemon> {
  const { config, logger } = options;
  if (config.graph.appSecrets.length === 0) logger.warn('graph.app_secret is not set: every webhook is refused');
  const store = await openStore({ dir: config.journal.dir, clock: systemClock, logger });
  stack.add('journal', () => store.close());
  const base = createBase(config, logger, store.journal);
  const readiness = new Map<string, () => boolean>();
  const checks = (): ReadinessCheck[] => [...readiness].map(([name, isOk]) => ({ name, ok: isOk() }));
  const { metrics, events } = base;
  const admin = await startAdminListener({ ...config.admin, checks, metrics: metrics.read, events, logger });
  stack.add('admin listener', () => admin.close());
  for (const part of ['sip', 'recovery', 'webhook']) readiness.set(part, () => false);

  stack.add('media', () => base.media.stop());
  const server = await startSipServer(base, stack);
  const sip = new SipUserAgent({ ...sipOptions(base), ...server.options });
  stack.add('SIP user agent', () => sip.close());
  await sip.connect();
  readiness.set('sip', () => sip.ready);

  const cdr = new CallReports(options.cdr ?? new CdrFile(config.cdr.file, logger), metrics, events);
  stack.add('call records', () => cdr.close());
  const secrets = liveSecrets(options, base, stack);
  const whatsapp = new WhatsAppSide(base, secrets);
  stack.add('Graph client', () => Promise.resolve(whatsapp.graph.close()));
  readiness.set('whatsapp credentials', () => whatsapp.graph.credentialsOk);
  metrics.probe({ isSipConnected: () => sip.ready, parkedWebhooks: () => whatsapp.legDeps.directory.parked });
  const switchboard = createSwitchboard(base, sip, whatsapp, cdr);
  const router = whatsapp.router((call) => switchboard.userCall(call), store.seen);
  if (store.recoverable) await recover(store.recoverable, { base, sip, whatsapp, router, cdr }, stack);
  readiness.set('recovery', () => true);
  // Warms the codecs up, which takes a moment: the orphans of a crash do not wait for it.
  await base.media.start();
  sip.onInboundCall((call) => switchboard.trunkCall({ ...call, namedNumber: call.header('X-WA-Number-Id') }));

  const webhook = await startWebhookListener({
    listen: config.webhook.listen,
    path: config.webhook.path,
    verifyToken: config.webhook.verifyToken,
    appSecrets: () => secrets.appSecrets(),
    onDelivery: (delivered) => {
      metrics.webhooksReceived(delivered, base.clock.now());
      return router.handle(delivered);
    },
    journal: base.journal,
    isOurNumber: (id) => config.numbers.some((number) => number.id === id),
    ...keepUnknown(store),
    logger,
  });
  let stopping: Promise<void> | undefined;
  stack.add('webhook listener', () => webhook.close());
  readiness.set('webhook', () => true);
  stack.add('calls', () => switchboard.close(options.stopCallsMs ?? STOP_CALLS_MS));
  readiness.set('not stopping', () => stopping === undefined);
  const addresses = addressesOf(config, server, webhook, admin);
  logger.info('ready', { ...addresses });
  return {
    timeline: base.timeline,
    ...{ metrics, events },
    addresses,
    calls: () => switchboard.calls.size,
    stop: () => (stopping ??= stack.unwind()),
  };
}

/** The secrets of the Graph API, which may be replaced while the daemon runs. */
function liveSecrets({ config, redact = () => undefined }: DaemonOptions, base: Base, stack: StopStack): LiveSecrets {
  const { clock, logger } = base;
  const secrets = new LiveSecrets({ graph: config.graph, redact, clock, logger });
  stack.add('secret files', () => Promise.resolve(secrets.close()));
  return secrets;
}

function addressesOf(
  { webhook, admin }: Config,
  { sockets }: SipServer,
  webhookListener: HttpListener,
  adminListener: HttpListener,
): DaemonAddresses {
  return {
    sip: sockets,
    webhook: { host: webhook.listen.host, port: webhookListener.port },
    admin: { host: admin.listen.host, port: adminListener.port },
  };
}

/** The rest of the daemon as recovery needs it. */
interface Recovered {
  readonly base: Base;
  readonly sip: SipUserAgent;
  readonly whatsapp: WhatsAppSide;
  readonly router: WebhookRouter;
  readonly cdr: CdrSink;
}

/** Ends what a crash left up on both sides; takes a few seconds at most. */
async function recover(journal: RecoverableJournal, parts: Recovered, stack: StopStack): Promise<void> {
  const { base, sip, whatsapp, router, cdr } = parts;
  const { config, ids, clock, logger } = base;
  const recovery = new Recovery({
    journal,
    terminate: (orphan, log) => whatsapp.graph.terminate({ ...orphan, logger: log }),
    forget: (orphan) => router.forget(orphan),
    abandon: (call) => whatsapp.legDeps.directory.abandon(call),
    endDialogs: (orphans) => sip.endOrphanDialogs(orphans),
    replayReply: (data) => router.replay(replyOf(data)),
    nameOf: (numberId) => config.numbers.find(({ id }) => id === numberId)?.name,
    ...{ cdr, ids, clock, logger },
  });
  stack.add('recovery', () => Promise.resolve(recovery.stop()));
  await recovery.run();
}

const keepUnknown = ({ unknownWebhooks }: Store): Pick<WebhookListenerOptions, 'keepUnknown'> =>
  unknownWebhooks ? { keepUnknown: (items) => unknownWebhooks.keep(items) } : {};

function createBase(config: Config, logger: Logger, journal: Journal): Base {
  const [clock, ids] = [systemClock, systemIds];
  const { listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks } = config.media;
  const metrics = new Metrics({ version: packageVersion() });
  const timeline = new Timeline(logger, clock);
  timeline.subscribe(({ step }) => {
    if (step === 'call.end_forced') metrics.callEndForced();
  });
  return {
    ...{ config, logger, clock, ids, metrics, timeline },
    journal: countedJournal(journal, () => metrics.journalFailed()),
    events: new EventBus(),
    media: new WeriftMediaEngine({ listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks, logger, clock, ids }),
  };
}

interface SipServer {
  readonly options: Pick<SipUserAgentOptions, 'connect' | 'serverEndsOrphans'>;
  readonly sockets: DaemonAddresses['sip'];
}

/** The SIP server that drachtio-srf talks to: the embedded one, or a drachtio-server that runs by itself. */
async function startSipServer({ config, logger }: Base, stack: StopStack): Promise<SipServer> {
  if (config.sip.server === 'drachtio') return { options: { connect: config.sip.drachtio }, sockets: [] };
  const { listen, advertisedHost, tls } = config.sip;
  const server = await startEmbeddedSipServer({
    listen,
    tls,
    logger: logger.child({ room: 'sip-server' }),
    ...(config.journal.dir === '' ? {} : { recordFile: join(config.journal.dir, 'sip-open-calls.record') }),
    ...(advertisedHost === '' ? {} : { advertisedHost }),
  });
  stack.add('embedded SIP server', () => server.stop());
  const { host, port, secret, sockets } = server;
  return { options: { connect: { host, port, secret }, serverEndsOrphans: true }, sockets };
}

function sipOptions({
  config,
  logger,
  clock,
  ids,
  journal,
  timeline,
  media,
}: Base): Omit<SipUserAgentOptions, 'connect'> {
  const chooseTrunk: SipUserAgentOptions['chooseTrunk'] = (...asked) => trunkOfCall(config.numbers, ...asked);
  return { trunks: config.trunks, chooseTrunk, media, journal, observer: timeline, logger, clock, ids };
}

function createSwitchboard(base: Base, sip: SipUserAgent, whatsapp: WhatsAppSide, cdr: CdrSink): Switchboard {
  const { config, clock, logger, media, timeline, journal } = base;
  return new Switchboard({
    numbers: config.numbers,
    trunks: new Map(config.trunks.map((trunk) => [trunk.name, trunk])),
    routes: config.routes,
    ...config.calls,
    createBridge: (call) => media.createBridge(call),
    dialTrunk: (target, from) => sip.createOutboundLeg(toPbx(target, from)),
    dialUser: (number, to, { call, opaque }) => {
      const log = logger.child({ call, leg: 'b' });
      return new BusinessInitiatedLeg({ ...whatsapp.legDeps, call, number, to, opaque, logger: log });
    },
    gate: whatsapp.permissions,
    clock,
    random: Math.random,
    observer: timeline,
    journal,
    cdr,
    logger,
  });
}

/** What a PBX is told of a user's call. */
function toPbx(target: Target, from: ArrivingUserCall): OutboundLegOptions {
  return {
    call: from.call,
    target,
    caller: { user: from.from ?? from.fromUserId ?? 'anonymous', name: from.fromName },
    whatsApp: {
      numberId: from.number.id,
      callId: from.waCallId,
      direction: 'user_initiated',
      payload: payloadOf(from),
    },
  };
}

/** A user comes by a button or by a link, never by both. */
function payloadOf({ ctaPayload, deeplinkPayload }: ArrivingUserCall): WhatsAppFacts['payload'] {
  if (ctaPayload !== undefined) return { type: 'cta', text: ctaPayload };
  return deeplinkPayload === undefined ? undefined : { type: 'deeplink', text: deeplinkPayload };
}

/** The Meta side: Graph client, call directory, webhook router. */
class WhatsAppSide {
  readonly legDeps: WhatsAppLegDeps;
  readonly graph: GraphClient;
  readonly permissions: PermissionGate;

  constructor(
    private readonly base: Base,
    secrets: LiveSecrets,
  ) {
    const { config, clock, logger, media, journal, timeline, metrics } = base;
    const { baseUrl, version, timeoutMs } = config.graph;
    this.graph = new GraphClient({
      baseUrl,
      version,
      token: () => secrets.accessToken(),
      numberIds: config.numbers.map(({ id }) => id),
      timeoutMs,
      clock,
      logger,
      onRequest: (seen) => metrics.graphRequest(seen),
    });
    const onEvent = (event: PermissionEvent): void => {
      metrics.permissionReply(event.response, event.source);
      base.events.publish({ type: 'permission', data: event });
    };
    this.permissions = createPermissionGate(this.graph, config.permissions, { clock, logger, onEvent });
    secrets.onTokenChange(() => this.graph.tokenChanged());
    const nameOf = (numberId: string): string => config.numbers.find(({ id }) => id === numberId)?.name ?? '';
    const directory = new CallDirectory(clock, (events) => {
      for (const { kind, numberId } of events) metrics.webhookEvent('parked_forgotten', kind, nameOf(numberId));
      logger.warn('webhooks that no call claimed', {
        events: events.map(({ kind, waCallId }) => `${kind} ${waCallId}`),
      });
    });
    this.legDeps = { graph: this.graph, media, directory, journal, observer: timeline, clock, logger };
  }

  router(onUserCall: WebhookRouterOptions['onUserCall'], seen: SeenKeys | undefined): WebhookRouter {
    const { config, clock, ids, logger, timeline, journal, metrics } = this.base;
    const { preAccept } = config.calls;
    return new WebhookRouter({
      numbers: () => config.numbers,
      directory: this.legDeps.directory,
      createUserLeg: (seed) =>
        new UserInitiatedLeg({
          ...this.legDeps,
          ...seed,
          preAccept,
          logger: logger.child({ call: seed.call, leg: 'a' }),
        }),
      onUserCall,
      onPermissionReply: (reply, number) => this.permissions.onReply(reply, number),
      count: (result, event, number) => metrics.webhookEvent(result, event, number),
      ...(seen && { seen }),
      journal,
      endAbandoned: (numberId, waCallId, call) => {
        const log = call === undefined ? logger : logger.child({ call });
        this.graph.terminate({ numberId, waCallId, logger: log }).catch((err: unknown) => {
          log.error('abandoned call could not be ended at Meta', { waCallId, err });
        });
      },
      ids,
      clock,
      observer: timeline,
      logger,
    });
  }
}
