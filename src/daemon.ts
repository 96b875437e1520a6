import type { CdrSink } from './call/call-record.js';
import type { Config } from './config/config.js';
import { LiveSecrets } from './config/live-secrets.js';
import type { LoadResult } from './config/load-config.js';
import type { LevelSwitch } from './daemon/admin/log-levels.js';
import { createBase, type Base } from './daemon/base.js';
import { createCallRecords, recordsTo } from './daemon/call-records.js';
import { Control } from './daemon/control.js';
import { createSwitchboard } from './daemon/create-switchboard.js';
import type { MediaPlacement } from './daemon/media-plane.js';
import { createSettingsWatch, settingsChecks } from './daemon/settings-keeper.js';
import { withHep } from './daemon/start-hep.js';
import { startSip, type SipServer } from './daemon/start-sip.js';
import type { ReloadOutcome } from './daemon/reload.js';
import { ServerReports } from './daemon/server-reports.js';
import { tracedRecords } from './daemon/start-tracing.js';
import { WhatsAppSide } from './daemon/whatsapp-side.js';
import { startAdminListener, type ReadinessCheck } from './http/admin-listener.js';
import type { HttpListener } from './http/http-listener.js';
import { startWebhookListener, type WebhookListenerOptions } from './http/webhook-listener.js';
import { Recovery, type RecoverableJournal } from './journal/recovery.js';
import { openStore, type Store } from './journal/store.js';
import { systemClock, type Clock } from './lib/clock.js';
import type { DnsClient } from './lib/dns-client.js';
import type { CallLineSource, Logger } from './lib/logger.js';
import { StopStack } from './lib/stop-stack.js';
import { CallReports } from './observability/call-reports.js';
import type { EventBus } from './observability/event-bus.js';
import type { Metrics } from './observability/metrics.js';
import type { Timeline } from './observability/timeline.js';
import type { SipUserAgent } from './sip/sip-user-agent.js';
import { replyOf } from './whatsapp/webhook-journal.js';
import type { SettingsWatch } from './whatsapp/settings/settings-watch.js';
import type { WebhookRouter } from './whatsapp/webhook-router.js';
import type { Switchboard } from './switchboard.js';

export interface DaemonOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Where call records go; default: where the configuration says. */
  readonly cdr?: CdrSink;
  /** Told secrets that are replaced while the daemon runs, so that no log line can show them. */
  readonly redact?: (secrets: readonly string[]) => void;
  /** Every secret of the configuration, none of which is shown by the admin API. */
  readonly secrets?: readonly string[];
  /** Reads the configuration anew, for reloads; default: there is nothing to read. */
  readonly load?: () => LoadResult;
  /** What of the log can be changed; default: nothing. */
  readonly log?: LevelSwitch;
  /** Lines that calls log, for the HEP receiver; default: it gets none. */
  readonly lines?: CallLineSource;
  /** Where media runs; default: in this process, which is for the demo and for tests. */
  readonly media?: MediaPlacement;
  /** Default: the system's. */
  readonly dns?: DnsClient;
  /** Of the embedded SIP server's timers; default: the system's. */
  readonly sipServerClock?: Clock;
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
  /** Resolves when the admin API was asked to end the process. */
  readonly stopAsked: Promise<unknown>;
  /** Reads the configuration anew, all or nothing. Never throws. */
  reload(): ReloadOutcome;
  /** Takes no new calls; resolves when none is left, or `calls.drain_timeout` has passed. */
  drain(): Promise<void>;
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

async function start(options: DaemonOptions, stack: StopStack): Promise<Daemon> {
  const { config, logger } = options;
  if (config.graph.appSecrets.length === 0) logger.warn('graph.app_secret is not set: every webhook is refused');
  const store = await openStore({ dir: config.journal.dir, clock: systemClock, logger });
  stack.add('journal', () => store.close());
  const base = createBase(config, logger, store.journal, options);
  stack.add('HEP', () => base.hep?.close());
  const sinks = options.cdr ? recordsTo(options.cdr) : createCallRecords(base);
  stack.add('call records', () => sinks.sink.close());
  const records = await tracedRecords(base, sinks.sink, stack);
  const { readiness, servers, kept, checks } = createReadiness(base);
  const { metrics, events } = base;
  const control = createControl(options, base, checks);
  const admin = await startAdmin(base, control, checks);
  stack.add('admin listener', () => admin.close());
  for (const part of ['sip', 'recovery', 'webhook']) readiness.set(part, () => false);

  stack.add('media', () => base.media.stop());
  const mediaStarted = base.mediaPlane.beginStart();
  const { server, sip } = await startSip(base, stack, control);
  readiness.set('sip', () => sip.ready);
  servers.watch(sip);

  const cdr = withHep(base.hep, new CallReports(records, metrics, events, base.history));
  const secrets = liveSecrets(options, base, stack);
  const whatsapp = new WhatsAppSide(base, secrets);
  stack.add('Graph client', () => Promise.resolve(whatsapp.graph.close()));
  readiness.set('whatsapp credentials', () => whatsapp.graph.credentialsOk);
  metrics.probe({ isSipConnected: () => sip.ready, parkedWebhooks: () => whatsapp.legDeps.directory.parked });
  const settings = (kept.settings = createSettingsWatch(base, whatsapp.graph));
  const switchboard = createSwitchboard(base, sip, whatsapp, { cdr, takesCalls: control.takesCalls });
  const router = whatsapp.router((call) => switchboard.userCall(call), store.seen, settings);
  await recover(store.recoverable, { base, sip, whatsapp, router, cdr }, stack);
  const webhook = await startWebhooks(base, secrets, router, store);
  let stopping: Promise<void> | undefined;
  stack.add('webhook listener', () => webhook.close());
  readiness.set('webhook', () => true);
  stack.add('calls', () => switchboard.close(options.stopCallsMs ?? STOP_CALLS_MS));
  // Warms the codecs up, which takes a moment: the orphans of a crash do not wait for it, and users' calls not for long.
  await mediaStarted();
  // An orphan whose id at Meta is not known yet is named by a webhook: that does not wait for a PBX that is gone.
  await server.recovered;
  readiness.set('recovery', () => true);
  takeTrunkCalls(sip, switchboard, stack);
  settings.start();
  stack.add('settings', () => Promise.resolve(settings.stop()));
  readiness.set('not stopping', () => stopping === undefined);
  readiness.set('not draining', control.takesCalls);
  control.attach({ sip, graph: whatsapp.graph, secrets, settings, switchboard, records: sinks });
  sinks.reconfigured();
  const addresses = addressesOf(config, server, webhook, admin);
  logger.info('ready', { ...addresses });
  return {
    timeline: base.timeline,
    ...{ metrics, events, addresses },
    calls: () => switchboard.calls.size,
    stopAsked: control.drain.stopAsked,
    reload: () => control.reload.run(),
    drain: () => control.drain.finished(),
    stop: () => (stopping ??= stack.unwind()),
  };
}

/** What `/readyz` asks: parts that are set as they come up, media, servers of trunks, settings. */
function createReadiness(base: Base) {
  const readiness = new Map<string, () => boolean>();
  const servers = new ServerReports(base.metrics, base.events);
  const kept: { settings?: SettingsWatch } = {};
  const settingsState = (): ReadinessCheck[] => (kept.settings ? settingsChecks(kept.settings) : []);
  const checks = (): ReadinessCheck[] => [
    ...partsOf(readiness),
    ...base.mediaPlane.checks(),
    ...servers.checks(),
    ...settingsState(),
  ];
  return { readiness, servers, kept, checks };
}

function startAdmin(base: Base, control: Control, checks: () => readonly ReadinessCheck[]): Promise<HttpListener> {
  const { config, metrics, events, live, logger } = base;
  const token = (): string => live.current.admin.token;
  const { listen } = config.admin;
  return startAdminListener({ listen, token, checks, metrics: metrics.read, events, api: control.admin, logger });
}

function createControl(options: DaemonOptions, base: Base, checks: () => readonly ReadinessCheck[]): Control {
  const { load, log, secrets = [], redact = () => undefined } = options;
  base.redaction.add(secrets);
  const both = (values: readonly string[]): void => {
    base.redaction.add(values);
    redact(values);
  };
  return new Control(base, { load, log, checks, redact: both });
}

function startWebhooks(base: Base, secrets: LiveSecrets, router: WebhookRouter, store: Store): Promise<HttpListener> {
  const { config, live, clock, journal, logger, metrics } = base;
  return startWebhookListener({
    ...config.webhook,
    get verifyToken() {
      return live.current.webhook.verifyToken;
    },
    appSecrets: () => secrets.appSecrets(),
    onDelivery: (delivered) => {
      metrics.webhooksReceived(delivered, clock.now());
      return router.handle(delivered);
    },
    journal,
    onRefused: (reason) => metrics.webhookRefused(reason),
    isOurNumber: (id) => live.current.numbers.some((number) => number.id === id),
    ...keepUnknown(store),
    logger,
  });
}

/** Only now are trunks registered, and first they are un-registered: a registrar sends calls as long as we are. */
function takeTrunkCalls(sip: SipUserAgent, switchboard: Switchboard, stack: StopStack): void {
  sip.onInboundCall((call) => switchboard.trunkCall({ ...call, namedNumber: call.header('X-WA-Number-Id') }));
  sip.registrations.start();
  stack.add('registrations', () => sip.registrations.stop());
}

const partsOf = (readiness: ReadonlyMap<string, () => boolean>): ReadinessCheck[] =>
  [...readiness].map(([name, isOk]) => ({ name, ok: isOk() }));

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
async function recover(journal: RecoverableJournal | undefined, parts: Recovered, stack: StopStack): Promise<void> {
  if (!journal) return;
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
