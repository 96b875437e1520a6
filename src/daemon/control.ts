import type { ReadinessCheck } from '../http/admin-listener.js';
import type { LoadResult } from '../config/load-config.js';
import type { LiveSecrets } from '../config/live-secrets.js';
import type { Config } from '../config/config.js';
import type { SipUserAgent } from '../sip/sip-user-agent.js';
import type { Switchboard } from '../switchboard.js';
import type { GraphClient } from '../whatsapp/graph-client.js';
import type { SettingsWatch } from '../whatsapp/settings/settings-watch.js';
import { AdminService } from './admin/admin-service.js';
import { LogLevels, type LevelSwitch } from './admin/log-levels.js';
import type { Base } from './base.js';
import type { CallRecords } from './call-records.js';
import { Drain } from './drain.js';
import { Reload } from './reload.js';

export interface ControlOptions {
  /** Reads the configuration file anew; undefined: there is none. */
  readonly load: (() => LoadResult) | undefined;
  /** Undefined: the log has no levels. */
  readonly log: LevelSwitch | undefined;
  readonly redact: (secrets: readonly string[]) => void;
  readonly checks: () => readonly ReadinessCheck[];
}

/** What of the running daemon is looked at, and told of a new configuration. */
export interface Rooms {
  readonly sip: SipUserAgent;
  readonly graph: GraphClient;
  readonly secrets: LiveSecrets;
  readonly settings: SettingsWatch;
  readonly switchboard: Switchboard;
  readonly records: Pick<CallRecords, 'reconfigured'>;
}

const noLevels: LevelSwitch = { setLevel: () => undefined, setCallLevel: () => undefined };

/** What an operator can do to the running daemon: drain, reload, look, end calls, change what is logged. */
export class Control {
  readonly drain: Drain;
  readonly reload: Reload;
  readonly admin: AdminService;
  readonly takesCalls = (): boolean => this.drain.state === 'off';
  readonly #levels: LogLevels;
  #rooms: Rooms | undefined;

  constructor(base: Base, { load, log = noLevels, redact, checks }: ControlOptions) {
    const { live, clock, logger, metrics, events, history, timeline } = base;
    this.drain = new Drain({
      noCalls: () => this.#rooms?.switchboard.calls.none() ?? Promise.resolve(),
      calls: () => this.#rooms?.switchboard.calls.size ?? 0,
      timeoutMs: () => live.current.calls.drainTimeoutMs,
      onChange: (state) => events.publish({ type: 'drain', data: { state } }),
      onForced: (calls) => metrics.drainForced(calls),
      ...{ clock, logger },
    });
    this.reload = new Reload({
      ...{ load, live, redact, clock, logger },
      apply: (config) => this.#apply(config),
      onOutcome: (outcome) => {
        metrics.configReloaded(outcome.result);
        if (outcome.result === 'ok') metrics.configRead(clock.now());
        const restart = outcome.result === 'ok' ? outcome.restart : [];
        events.publish({ type: 'reload', data: { result: outcome.result, restart } });
      },
    });
    const isLive = (call: string): boolean => history.live().some(({ start }) => start.call === call);
    this.#levels = new LogLevels({ log, configured: () => live.current.log.level, isLive, clock });
    this.admin = new AdminService({ base, checks, drain: this.drain, reload: this.reload, levels: this.#levels });
    metrics.configRead(clock.now());
    metrics.probe({ isDraining: () => this.drain.state !== 'off' });
    timeline.subscribe(({ call, step }) => {
      if (step === 'call.ended') this.#levels.callEnded(call);
    });
  }

  /** Everything is up. */
  attach(rooms: Rooms): void {
    const { sip, settings, switchboard } = rooms;
    this.#rooms = rooms;
    this.admin.attach({
      call: (id) => switchboard.calls.get(id),
      trunks: () => ({
        servers: sip.servers.statuses(),
        registrations: sip.registrations.statuses(),
        callsOf: (trunk) => sip.callsOf(trunk),
      }),
      settings: () => settings.statuses(),
    });
  }

  #apply(config: Config): void {
    const { sip, graph, secrets, settings, records } = this.#rooms ?? {};
    // What may refuse comes first.
    sip?.useTrunks(config.trunks);
    secrets?.use(config.graph);
    graph?.useNumbers(config.numbers.map(({ id }) => id));
    settings?.use({ numbers: config.numbers, ...config.settings });
    records?.reconfigured();
    this.#levels.configured();
  }
}
