import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallRecord } from '../../src/call/call-record.js';
import type { CallStep } from '../../src/call/observer.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { LevelSwitch } from '../../src/daemon/admin/log-levels.js';
import { startDaemon, type Daemon } from '../../src/daemon.js';
import type { JournalEntry } from '../../src/call/journal.js';
import { FileJournal } from '../../src/journal/file-journal.js';
import { encodeLine } from '../../src/journal/line-codec.js';
import type { OpenCall } from '../../src/journal/open-calls.js';
import { segmentName } from '../../src/journal/segment-files.js';
import type { Clock } from '../../src/lib/clock.js';
import type { DnsClient } from '../../src/lib/dns-client.js';
import { given } from '../../src/lib/given.js';
import type { CallLineSource, Logger } from '../../src/lib/logger.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { StepDetail, TimelineEntry } from '../../src/observability/timeline.js';
import { bridgeYaml, externalServer, workersOfAll, type BridgeYaml } from './bridge-yaml.js';
import { ConfigFile } from './config-file.js';
import { GraphDouble } from './graph-double.js';
import { hopByHop } from './hop-by-hop.js';
import { PeerMessage, SipScriptPeer, type ResponseExtras } from './sip-script-peer.js';
import { builtWorkerEntry } from './media-workers.js';
import { APP_SECRET, BUSINESS, NUMBER_ID, pbxSdp, USER } from './test-number.js';

export { APP_SECRET, BUSINESS, NUMBER_ID, pbxSdp, USER };

/** How a bridge is not as usual. */
export interface BridgeOptions extends BridgeYaml {
  /** The PBX; the default speaks UDP. */
  readonly pbx?: SipScriptPeer;
  readonly logger?: Logger;
  /** Call records go where the file says, which `more` must then do; default: to the test alone. */
  readonly ownRecords?: boolean;
  /** What of the log the admin API can change. */
  readonly log?: LevelSwitch;
  /** What of the log the HEP receiver gets. */
  readonly lines?: CallLineSource;
  /** Default: the system's. */
  readonly dns?: DnsClient;
  /** Of the embedded SIP server's timers; default: the system's. */
  readonly sipServerClock?: Clock;
  /** What an earlier run that was killed left in the journal. */
  readonly journal?: readonly JournalEntry[];
  /** Longest wait for live calls when the daemon stops. */
  readonly stopCallsMs?: number;
}

/** What is not as usual in an INVITE of the PBX. */
export interface PbxInvite {
  /** User part of the Request-URI. */
  readonly user?: string;
  readonly body?: string;
  readonly headers?: readonly string[];
}

/**
 * The whole daemon between two scripted sides: a PBX that does exactly what the test tells it, and a Graph API that answers
 * by script. The configuration goes through the real loader.
 */
export class ScriptedBridge {
  readonly records: CallRecord[] = [];
  readonly #file = new ConfigFile();
  #stamp = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(
    readonly graph: GraphDouble,
    readonly pbx: SipScriptPeer,
  ) {}

  daemon!: Daemon;

  static async start(options: BridgeOptions = {}): Promise<ScriptedBridge> {
    const bridge = new ScriptedBridge(await GraphDouble.start(), options.pbx ?? (await SipScriptPeer.udp()));
    const file = bridge.configFile;
    const around = { pbx: bridge.pbx, graphUrl: bridge.graph.baseUrl, journalDir: bridge.#journalDir };
    bridge.#file.write(bridgeYaml(around, options));
    if (options.journal) bridge.#writeJournal(options.journal);
    const result = loadConfig({ file, env: {} });
    if (!result.ok) throw new Error(result.errors.map(({ key, message }) => `${key}: ${message}`).join('\n'));
    bridge.daemon = await startDaemon({
      config: result.config,
      secrets: result.secrets,
      load: () => loadConfig({ file, env: {} }),
      logger: options.logger ?? silentLogger,
      stopCallsMs: options.stopCallsMs ?? 10_000,
      media: (options.workers ?? workersOfAll) > 0 ? { workerEntry: builtWorkerEntry() } : 'in-process',
      ...given('dns', options.dns),
      ...given('sipServerClock', options.sipServerClock),
      ...given('log', options.log),
      ...given('lines', options.lines),
      ...(options.ownRecords !== true && {
        cdr: { write: (record: CallRecord) => bridge.#recorded(record), close: () => Promise.resolve() },
      }),
    });
    if (options.ownRecords === true) void bridge.#readRecords();
    return bridge;
  }

  #recorded(record: CallRecord): void {
    this.records.push(record);
    for (const check of this.#waiting.splice(0)) check();
  }

  /** As whoever watches the daemon is told of them. */
  async #readRecords(): Promise<void> {
    for await (const event of this.daemon.events.subscribe((type) => type === 'call_ended')) {
      if (event.type === 'call_ended') this.#recorded(event.data);
    }
  }

  /** Read at the start, and anew with every reload. */
  get configFile(): string {
    return this.#file.path;
  }

  /** Changes the file; it counts with the next reload. */
  rewriteConfig(change: (yaml: string) => string): void {
    this.#file.write(change(readFileSync(this.configFile, 'utf8')));
  }

  get #journalDir(): string {
    return join(this.#file.folder, 'journal');
  }

  #writeJournal(entries: readonly JournalEntry[]): void {
    mkdirSync(this.#journalDir);
    const lines = entries.map((entry) => encodeLine(entry, Date.now()));
    writeFileSync(join(this.#journalDir, segmentName(1)), lines.join(''));
  }

  /** What the stopped daemon's journal says is still up. */
  async #leftOpen(): Promise<OpenCall[]> {
    const journal = await FileJournal.open({ dir: this.#journalDir, logger: silentLogger });
    await journal.close();
    return journal.open.calls();
  }

  get sip(): { host: string; port: number } {
    const external = externalServer();
    if (external) return external.sip;
    const udp = this.daemon.addresses.sip.find(({ transport }) => transport === 'udp');
    if (!udp) throw new Error('no UDP socket');
    return udp;
  }

  /** Posts a webhook body as Meta does; returns the HTTP status. */
  async deliver(body: unknown, signature?: string): Promise<number> {
    const raw = JSON.stringify(body);
    const { host, port } = this.daemon.addresses.webhook;
    const signed = signature ?? `sha256=${createHmac('sha256', APP_SECRET).update(raw).digest('hex')}`;
    const response = await fetch(`http://${host}:${port}/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': signed },
      body: raw,
    });
    await response.text();
    return response.status;
  }

  /** One event of the `calls` field. */
  event(part: { calls?: unknown[]; statuses?: unknown[]; errors?: unknown[]; contacts?: unknown[] }): unknown {
    const metadata = { display_phone_number: BUSINESS, phone_number_id: NUMBER_ID };
    const value = { messaging_product: 'whatsapp', metadata, ...part };
    return { object: 'whatsapp_business_account', entry: [{ id: '1', changes: [{ value, field: 'calls' }] }] };
  }

  get now(): string {
    return String(Math.floor(Date.now() / 1000) + this.#stamp);
  }

  userConnect(id: string, sdp: string): unknown {
    const call = { id, to: BUSINESS, from: USER, event: 'connect', timestamp: this.now, direction: 'USER_INITIATED' };
    const contacts = [{ profile: { name: 'Anna "A" Ørsted' }, wa_id: USER }];
    return this.event({ contacts, calls: [{ ...call, session: { sdp_type: 'offer', sdp } }] });
  }

  businessConnect(id: string, sdp: string): unknown {
    const call = {
      id,
      to: USER,
      from: BUSINESS,
      event: 'connect',
      timestamp: this.now,
      direction: 'BUSINESS_INITIATED',
    };
    return this.event({ calls: [{ ...call, session: { sdp_type: 'answer', sdp } }] });
  }

  status(id: string, status: 'RINGING' | 'ACCEPTED' | 'REJECTED'): unknown {
    return this.event({ statuses: [{ id, timestamp: this.now, type: 'call', status, recipient_id: USER }] });
  }

  terminate(
    id: string,
    direction: 'USER_INITIATED' | 'BUSINESS_INITIATED',
    more: Record<string, unknown> = {},
  ): unknown {
    const [from, to] = direction === 'USER_INITIATED' ? [USER, BUSINESS] : [BUSINESS, USER];
    return this.event({
      calls: [{ id, from, to, event: 'terminate', direction, timestamp: this.now, status: 'COMPLETED', ...more }],
    });
  }

  /** Actions that reached the Graph API, in order. */
  get actions(): string[] {
    return this.graph.actions.map(String);
  }

  /** The first step of this name, past or future, that fits. */
  async step(name: CallStep, fits: (detail: StepDetail) => boolean = () => true, deadlineMs = 5_000): Promise<void> {
    const { timeline } = this.daemon;
    const isIt = ({ step, detail }: TimelineEntry): boolean => step === name && fits(detail);
    if (timeline.calls.some((call) => timeline.stepsOf(call).some(isIt))) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        off();
        reject(new Error(`no ${name} within ${deadlineMs} ms`));
      }, deadlineMs);
      const off = timeline.subscribe((entry) => {
        if (!isIt(entry)) return;
        clearTimeout(timer);
        off();
        resolve();
      });
    });
  }

  /** A call is up. */
  connected(): Promise<void> {
    return this.step('call.state', (detail) => detail['to'] === 'connected');
  }

  /** The description that the n-th request to the Graph API carried. */
  session(index = 0): { sdp: string; sdp_type: string } {
    return this.graph.seen[index]?.body['session'] as { sdp: string; sdp_type: string };
  }

  /** The PBX calls a user; its INVITE, for what comes later in the dialog. */
  pbxCalls({ user = `+${USER}`, body = pbxSdp(40_000), headers = [] }: PbxInvite = {}): PeerMessage {
    const text = this.pbx.newRequest('INVITE', `sip:${user}@${this.sip.host}:${this.sip.port}`, { body, headers });
    this.pbx.send(text, this.sip);
    return new PeerMessage(text, this.pbx, undefined, 0);
  }

  /** The PBX gives its call up. */
  pbxCancels(invite: PeerMessage): void {
    this.pbx.send(hopByHop('CANCEL', invite), this.sip);
  }

  /** The final response of ours to an INVITE of the PBX, acknowledged. */
  async refusalOf(invite: PeerMessage): Promise<PeerMessage> {
    const id = invite.get('Call-ID');
    const isIts = (message: PeerMessage): boolean => (message.status ?? 0) >= 300 && message.get('Call-ID') === id;
    const refusal = await this.pbx.next(isIts, 'a refusal');
    this.pbx.send(hopByHop('ACK', invite, refusal.get('To')), this.sip);
    return refusal;
  }

  /** The PBX acknowledges our 200 to its INVITE, and the call is up. */
  async pbxAcknowledges(invite: PeerMessage, ok: PeerMessage): Promise<void> {
    this.pbx.send(this.pbx.inDialog('ACK', invite, ok, { cseq: 1 }), this.sip);
    await this.connected();
  }

  /** The PBX picks up a user's call, and it is up. */
  async pbxPicksUp(invite: PeerMessage, answer: ResponseExtras = {}): Promise<void> {
    this.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000), ...answer });
    await this.pbx.request('ACK');
    await this.connected();
  }

  /** The record of the n-th call that ended, as soon as there is one. */
  async record(index = 0, deadlineMs = 10_000): Promise<CallRecord> {
    const end = Date.now() + deadlineMs;
    while (this.records.length <= index) {
      const left = end - Date.now();
      if (left <= 0) throw new Error(`no call record within ${deadlineMs} ms; Graph saw ${this.actions.join(', ')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.records[index]!;
  }

  /**
   * Stops the daemon with a PBX that lets go of whatever the test left open. Its journal must then have every call closed.
   * `leaves` is for a test of what recovery has to try again.
   */
  async stop({ leaves = 0 } = {}): Promise<void> {
    let isStopped = false;
    const stopped = this.daemon.stop().finally(() => (isStopped = true));
    for (const invite of this.pbx.received.filter(({ method }) => method === 'INVITE')) {
      this.pbx.reply(invite, 480, 'Temporarily Unavailable', { toTag: 'gone' });
    }
    const letGo = async (): Promise<void> => {
      while (!isStopped) {
        const request = await this.pbx.next(({ method }) => method === 'BYE' || method === 'CANCEL', 'the end', 20_000);
        this.pbx.reply(request, 200, 'OK');
      }
    };
    await Promise.race([stopped, letGo()]);
    await stopped;
    await this.pbx.stop();
    await this.graph.close();
    const open = await this.#leftOpen();
    this.#file.remove();
    if (open.length !== leaves) throw new Error(`left open in the journal: ${JSON.stringify(open)}`);
  }
}
