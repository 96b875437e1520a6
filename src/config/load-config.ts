import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../lib/clock.js';
import type { LogLevel } from '../lib/logger.js';
import { todayIn } from '../routing/today.js';
import type { Trunk } from '../routing/types.js';
import { buildCdr } from './build-cdr.js';
import { buildHep } from './build-hep.js';
import { buildNumbers } from './build-numbers.js';
import { buildRoutes } from './build-routes.js';
import { buildSipTls, canSpeakTls, checkTls } from './build-tls.js';
import { buildTracing } from './build-tracing.js';
import { buildTrunks } from './build-trunks.js';
import type { Config, ListenAddress } from './config.js';
import { crossCheck, isExposed, itemsOf } from './cross-checks.js';
import type { FileReader } from './file-reader.js';
import { systemFileReader } from './file-reader.js';
import { alias, parseDuration, parseListen, parsePortRange, parseSipListen } from './formats.js';
import { warnIgnored } from './ignored-keys.js';
import type { Complaint, ConfigIssue } from './issue.js';
import { byPlace, Findings, keyText } from './issue.js';
import type { Item, Lists } from './lists.js';
import { isBlock, readLists, reportUnknownKeys } from './lists.js';
import type { ScalarKey } from './scalar-schema.js';
import type { Scalars } from './scalars.js';
import { readScalars } from './scalars.js';
import { errorCode, Secrets } from './secrets.js';
import type { SourceProblem } from './yaml-source.js';
import { YamlSource } from './yaml-source.js';

export interface LoadOptions {
  /** The file to read; default: SIP2WA_CONFIG, then config/default.yaml here, then the one of this package. */
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** How files are read: the configuration, and secrets by `${file:…}`. */
  readonly readFile?: FileReader;
  /** Unix milliseconds; default: now. Holidays before it have passed. */
  readonly nowMs?: number;
  /** What keeps traces from being made, asked for when the file wants them; it is a warning. Default: nothing is known of any. */
  readonly tracingFault?: () => Complaint | undefined;
}

/** What came of reading a configuration; `file` is the one that was read. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly file: string;
      readonly config: Config;
      readonly warnings: readonly ConfigIssue[];
      /** Every secret that is in use, for the logger's redaction. Never to be shown. */
      readonly secrets: readonly string[];
    }
  | {
      readonly ok: false;
      readonly file: string;
      readonly errors: readonly ConfigIssue[];
      readonly warnings: readonly ConfigIssue[];
    };

const DEFAULT_FILE = './config/default.yaml';

/** The file that is read when none is named. */
export function defaultConfigFile(env: NodeJS.ProcessEnv): string {
  if (env['SIP2WA_CONFIG']) return env['SIP2WA_CONFIG'];
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : fileURLToPath(new URL('../../config/default.yaml', import.meta.url));
}

/** Reads and checks a configuration file; finds everything that is wrong with it in one run. Never throws. */
export function loadConfig(options: LoadOptions): LoadResult {
  const file = options.file ?? defaultConfigFile(options.env);
  const readFile = options.readFile ?? systemFileReader;
  let text: string;
  let mode: number;
  try {
    ({ text, mode } = readFile(file));
  } catch (error) {
    const message = `the file cannot be read (${errorCode(error)})`;
    const cure = 'name a readable file with --config or SIP2WA_CONFIG';
    return { ok: false, file, errors: [{ file, line: 0, column: 0, key: '', message, cure }], warnings: [] };
  }
  const source = new YamlSource(text);
  const findings = new Findings(file, (path, spot) => source.position(path, spot));
  const secrets = new Secrets(findings, options.env, readFile, { file, isPrivate: (mode & 0o077) === 0 });
  const data = topLevel(source, findings);
  const config = data && build(data, source, options, secrets, findings);
  const errors = [...source.problems.map((problem) => sourceIssue(file, problem)), ...findings.errors].sort(byPlace);
  const { warnings } = findings;
  if (config && errors.length === 0) return { ok: true, file, config, warnings, secrets: secrets.resolved };
  return { ok: false, file, errors, warnings };
}

function sourceIssue(file: string, problem: SourceProblem): ConfigIssue {
  const { line, column, path, message, cure } = problem;
  return { file, line, column, key: keyText(path), message, cure };
}

/** The file's keys; nothing when it is no YAML or no block of keys. An empty file is all defaults. */
function topLevel(source: YamlSource, findings: Findings): Record<string, unknown> | undefined {
  if (source.data === undefined) return undefined;
  if (source.data === null) return {};
  if (isBlock(source.data)) return source.data;
  findings.error([], { message: 'the file must be a block of keys', cure: 'see config/example.yaml' });
  return undefined;
}

function build(
  data: Record<string, unknown>,
  source: YamlSource,
  { env, nowMs = systemClock.now(), tracingFault }: LoadOptions,
  secrets: Secrets,
  findings: Findings,
): Config {
  reportUnknownKeys(data, findings);
  const scalars = readScalars(data, env, findings);
  const lists = readLists(data, findings);
  const trunkNames = writtenNames(data, 'trunks');
  const { trunkDefaults } = lists;
  const trunkContext = { trunkDefaults, canSpeakTls: canSpeakTls(scalars, lists), secrets, findings };
  const trunks = buildTrunks(lists.trunks, trunkContext);
  const trunkPermission = (name: string | undefined) => trunks.find((trunk) => trunk.name === name)?.permission;
  const isPushed = scalars['settings.push'] !== 'off';
  const todayInZone = (timezoneId: string): string => todayIn(timezoneId, nowMs);
  const context = { ...trunkContext, trunkNames, trunkPermission, isPushed, todayIn: todayInZone };
  const { numbers, settingsTrunks } = buildNumbers(lists.numbers, context);
  const allTrunks = [...trunks, ...settingsTrunks];
  const routes = buildRoutes(lists.routes, writtenNames(data, 'numbers', 'id'), trunkNames, findings);
  crossCheck(scalars, lists, source, milliseconds(scalars, 'calls.answer_timeout'), findings);
  if (scalars['sip.server'] !== 'drachtio') checkTls(lists, allTrunks, secrets, findings);
  warnIgnored(scalars, source, findings);
  const inUse = itemsOf(data, 'numbers').length > 0;
  if (!inUse) {
    const message = 'no numbers are configured, so no calls can be made';
    findings.warn(['numbers'], { message, cure: 'add one; config/example.yaml shows how' }, 'key');
  }
  return {
    ...whatsappSide(scalars, lists, inUse, secrets, findings),
    ...sipAndMedia(scalars, lists, allTrunks, secrets),
    trunks: allTrunks,
    numbers,
    routes,
    ...conduct(scalars),
    hep: buildHep(scalars, secrets),
    cdr: buildCdr(scalars, secrets, findings),
    tracing: buildTracing(scalars, secrets, findings, tracingFault),
  };
}

/** Secrets of Meta are needed, and resolved, only when there are numbers. */
function whatsappSide(
  scalars: Scalars,
  lists: Lists,
  inUse: boolean,
  secrets: Secrets,
  findings: Findings,
): Pick<Config, 'graph' | 'webhook' | 'admin'> {
  const why = 'when there are numbers';
  const needed = (key: 'graph.access_token' | 'webhook.verify_token') =>
    inUse ? secrets.required(key.split('.'), text(scalars, key), why) : '';
  const written: readonly Item<string>[] =
    lists.appSecrets.length > 0 ? lists.appSecrets : [{ path: ['graph', 'app_secret'], value: '' }];
  const adminToken = secrets.optional(['admin', 'token'], text(scalars, 'admin.token'));
  if (text(scalars, 'admin.token') === '' && isExposed(scalars['admin.listen'])) {
    const message = 'can be reached from other machines, and there is no admin.token';
    findings.error(['admin', 'listen'], { message, cure: 'set admin.token to ${env:NAME}, or listen on 127.0.0.1' });
  }
  return {
    graph: {
      baseUrl: text(scalars, 'graph.base_url').replace(/\/+$/, ''),
      version: text(scalars, 'graph.version'),
      accessToken: needed('graph.access_token'),
      appSecrets: inUse ? written.map(({ path, value }) => secrets.required(path, value, why)) : [],
      secretFiles: {
        accessToken: inUse ? secrets.fileOf(text(scalars, 'graph.access_token')) : undefined,
        appSecrets: inUse ? written.map(({ value }) => secrets.fileOf(value)) : [],
      },
      appsecretProof: scalars['graph.appsecret_proof'] === true,
      timeoutMs: milliseconds(scalars, 'graph.timeout'),
    },
    webhook: {
      listen: listen(scalars, 'webhook.listen'),
      path: text(scalars, 'webhook.path'),
      verifyToken: needed('webhook.verify_token'),
    },
    admin: { listen: listen(scalars, 'admin.listen'), token: adminToken },
  };
}

function sipAndMedia(
  scalars: Scalars,
  lists: Lists,
  trunks: readonly Trunk[],
  secrets: Secrets,
): Pick<Config, 'sip' | 'media'> {
  const server = scalars['sip.server'] === 'drachtio' ? 'drachtio' : 'embedded';
  const secretPath = ['sip', 'drachtio', 'secret'];
  const workers = scalars['media.workers'];
  return {
    sip: {
      server,
      listen: lists.sipListen.flatMap((written) => parseSipListen(written) ?? []),
      advertisedHost: text(scalars, 'sip.advertised_host'),
      sessionExpiresMs: milliseconds(scalars, 'sip.session_expires'),
      timers: {
        t1Ms: milliseconds(scalars, 'sip.timer_t1'),
        t2Ms: milliseconds(scalars, 'sip.timer_t2'),
        t4Ms: milliseconds(scalars, 'sip.timer_t4'),
      },
      tls: buildSipTls(lists, trunks, secrets),
      drachtio: {
        host: text(scalars, 'sip.drachtio.host'),
        port: Number(scalars['sip.drachtio.port']),
        secret: server === 'drachtio' ? secrets.drachtio(secretPath, text(scalars, 'sip.drachtio.secret')) : '',
      },
    },
    media: {
      engine: 'werift',
      listenIp: text(scalars, 'media.listen_ip'),
      advertisedIp: text(scalars, 'media.advertised_ip'),
      rtpPorts: portRange(scalars, 'media.rtp_ports'),
      webrtcPorts: portRange(scalars, 'media.webrtc_ports'),
      workers: workers === 'auto' ? 'auto' : Number(workers),
      remoteNetworks: lists.remoteNetworks,
    },
  };
}

function conduct(scalars: Scalars): Pick<Config, 'settings' | 'calls' | 'permissions' | 'log' | 'journal'> {
  return {
    settings: {
      push: text(scalars, 'settings.push') as Config['settings']['push'],
      pollMs: milliseconds(scalars, 'settings.poll') || undefined,
    },
    calls: {
      answerTimeoutMs: milliseconds(scalars, 'calls.answer_timeout'),
      ringTimeoutMs: milliseconds(scalars, 'calls.ring_timeout'),
      maxDurationMs: milliseconds(scalars, 'calls.max_duration'),
      drainTimeoutMs: milliseconds(scalars, 'calls.drain_timeout'),
      preAccept: text(scalars, 'calls.pre_accept') as Config['calls']['preAccept'],
    },
    permissions: permissions(scalars),
    log: {
      level: text(scalars, 'log.level') as LogLevel,
      format: text(scalars, 'log.format') as Config['log']['format'],
    },
    journal: { dir: text(scalars, 'journal.dir') },
  };
}

function permissions(scalars: Scalars): Config['permissions'] {
  const template = text(scalars, 'permissions.request_template');
  return {
    requestText: text(scalars, 'permissions.request_text'),
    requestTemplate: template === '' ? undefined : template,
    requestLanguage: text(scalars, 'permissions.request_language'),
    maxAgeMs: milliseconds(scalars, 'permissions.max_age'),
    lookupsPerSecond: Number(scalars['permissions.lookups_per_second']),
    requestsPerDay: Number(scalars['permissions.requests_per_day']),
    requestsPerWeek: Number(scalars['permissions.requests_per_week']),
    connectedCallsPerDay: Number(scalars['permissions.connected_calls_per_day']),
    unansweredInARow: Number(scalars['permissions.unanswered_in_a_row']),
  };
}

/** Names in a list as written, so that an item with another error can still be referred to. */
function writtenNames(data: unknown, list: string, fallback?: string): string[] {
  return itemsOf(data, list).flatMap((item) => {
    const name = item['name'] ?? (fallback === undefined ? undefined : item[fallback]);
    return typeof name === 'string' && alias.complaint(name) === undefined ? [name] : [];
  });
}

function text(scalars: Scalars, key: ScalarKey): string {
  return String(scalars[key]);
}

function milliseconds(scalars: Scalars, key: ScalarKey): number {
  return parseDuration(scalars[key]) ?? 0;
}

function listen(scalars: Scalars, key: ScalarKey): ListenAddress {
  return parseListen(scalars[key]) ?? { host: '', port: 0 };
}

function portRange(scalars: Scalars, key: ScalarKey): readonly [number, number] {
  return parsePortRange(scalars[key]) ?? [0, 0];
}
