import { BlockList, isIP } from 'node:net';
import { checkMediaWorkers } from './check-media-workers.js';
import { isLoopback, parseListen, parsePortRange, parseSipListen } from './formats.js';
import type { Findings, KeyPath } from './issue.js';
import type { Lists } from './lists.js';
import { toE164 } from './phone-formats.js';
import type { Scalars } from './scalars.js';
import type { YamlSource } from './yaml-source.js';

/** First port of Linux' ephemeral range (ip_local_port_range): other programs' sockets may hold those above. */
const EPHEMERAL_START = 32_768;
/** Meta rings a user's call for 30 to 60 s. */
const META_ANSWER_MS = 30_000;

interface Socket {
  readonly path: KeyPath;
  readonly host: string;
  readonly port: number;
}

/** Rules that join several keys, and keys that this version does not act upon. */
export function crossCheck(
  scalars: Scalars,
  lists: Lists,
  source: YamlSource,
  answerTimeoutMs: number,
  findings: Findings,
): void {
  checkPortRanges(scalars, lists, findings);
  checkMediaWorkers(scalars, findings);
  checkSockets(scalars, lists, findings);
  checkNames(source.data, findings);
  if (scalars['sip.server'] === 'drachtio') checkUserParams(source, findings);
  warnSharedNetworks(lists.trunks, findings);
  warnUnquoted(lists, source, findings);
  warnUnbuilt(source, findings);
  if (answerTimeoutMs > META_ANSWER_MS) {
    const message = 'is longer than the 30 s after which WhatsApp may give up';
    findings.warn(['calls', 'answer_timeout'], { message, cure: 'write 30s or less' });
  }
}

function checkPortRanges(scalars: Scalars, lists: Lists, findings: Findings): void {
  const rtp = parsePortRange(scalars['media.rtp_ports']) ?? [0, 0];
  const webrtc = parsePortRange(scalars['media.webrtc_ports']) ?? [0, 0];
  if (rtp[0] <= webrtc[1] && webrtc[0] <= rtp[1]) {
    findings.error(['media', 'webrtc_ports'], {
      message: 'overlaps media.rtp_ports',
      cure: 'choose two ranges that are apart',
    });
  }
  for (const [key, range] of Object.entries({ rtp_ports: rtp, webrtc_ports: webrtc })) {
    if (range[1] >= EPHEMERAL_START) {
      const message = `reaches into the ephemeral range, which begins at ${EPHEMERAL_START}`;
      findings.warn(['media', key], { message, cure: 'stay below it, or other programs may hold a port' });
    }
    lists.sipListen.forEach((text, index) => {
      const listen = parseSipListen(text);
      if (listen?.transport !== 'udp' || listen.port < range[0] || listen.port > range[1]) return;
      findings.error(['sip', 'listen', index], { message: `lies within media.${key}`, cure: 'move one of the two' });
    });
  }
}

function checkSockets(scalars: Scalars, lists: Lists, findings: Findings): void {
  const tcp: Socket[] = [];
  const udp: Socket[] = [];
  for (const section of ['webhook', 'admin'] as const) {
    const listen = parseListen(scalars[`${section}.listen`]);
    if (listen) tcp.push({ ...listen, path: [section, 'listen'] });
  }
  if (scalars['sip.server'] === 'embedded') {
    lists.sipListen.forEach((text, index) => {
      const listen = parseSipListen(text);
      const path = ['sip', 'listen', index];
      if (listen) (listen.transport === 'udp' ? udp : tcp).push({ host: listen.host, port: listen.port, path });
    });
  }
  for (const sockets of [tcp, udp]) reportClashes(sockets, findings);
}

function reportClashes(sockets: readonly Socket[], findings: Findings): void {
  sockets.forEach((socket, index) => {
    const other = sockets.slice(0, index).find((earlier) => clash(earlier, socket));
    if (!other) return;
    const message = `is the socket of ${other.path.slice(0, 2).join('.')}`;
    findings.error(socket.path, { message, cure: 'choose another port' });
  });
}

function clash(a: Socket, b: Socket): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Whether a socket can be reached from other machines. */
export function isExposed(listen: unknown): boolean {
  const address = parseListen(listen);
  return address !== undefined && !isLoopback(address.host);
}

/** Names are compared as written, so that an item with another error still counts. */
function checkNames(data: unknown, findings: Findings): void {
  const unique = (list: string, key: string, fallback?: string) => {
    const seen = new Set<string>();
    itemsOf(data, list).forEach((item, index) => {
      const at = typeof item[key] === 'string' || fallback === undefined ? key : fallback;
      const written = item[at];
      if (typeof written !== 'string') return;
      const name = at === 'number' ? (toE164(written) ?? written) : written;
      if (seen.has(name))
        findings.error([list, index, at], {
          message: `is used by an earlier item of ${list} too`,
          cure: 'choose another',
        });
      seen.add(name);
    });
  };
  unique('trunks', 'name');
  unique('numbers', 'id');
  unique('numbers', 'number');
  unique('numbers', 'name', 'id');
}

/** The blocks of a list as written, errors and all. */
export function itemsOf(data: unknown, list: string): Record<string, unknown>[] {
  const items = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[list] : undefined;
  if (!Array.isArray(items)) return [];
  return items.map((item: unknown) =>
    typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {},
  );
}

/** YAML reads an unquoted +1555… as a number; we kept the digits, other tools will not. */
function warnUnquoted(lists: Lists, source: YamlSource, findings: Findings): void {
  const warn = (path: KeyPath, onlyIfChanged: boolean) => {
    const text = source.unquotedText(path);
    if (text === undefined || (onlyIfChanged && !/^[+0]/.test(text))) return;
    findings.warn(path, {
      message: 'is not quoted, so YAML reads it as a number; the digits are kept',
      cure: 'quote it',
    });
  };
  for (const { path } of lists.numbers) for (const key of ['id', 'number']) warn([...path, key], false);
  for (const { path } of lists.routes) for (const key of ['from', 'to']) warn([...path, key], true);
}

function warnUnbuilt(source: YamlSource, findings: Findings): void {
  if (source.has(['webhook', 'tls'])) {
    const cure = 'remove it and end TLS in front, in a reverse proxy';
    findings.error(['webhook', 'tls'], { message: 'TLS is not in this version', cure }, 'key');
  }
  warnUnusedTrunks(source.data, findings);
}

/** A drachtio-server takes no parameters in the user part: it reads them as header parameters and refuses the request. */
function checkUserParams(source: YamlSource, findings: Findings): void {
  const servers = [
    ...itemsOf(source.data, 'trunks').map((_, index) => ['trunks', index, 'servers']),
    ...itemsOf(source.data, 'numbers').map((_, index) => ['numbers', index, 'settings', 'calling', 'sip', 'servers']),
  ];
  for (const list of servers) {
    for (let index = 0; source.has([...list, index]); index++) {
      const path = [...list, index, 'request_uri_user_params'];
      if (!source.has(path) || source.has([...list.slice(0, 2), 'trunk'])) continue;
      const message = 'cannot be sent by a drachtio-server, which refuses parameters in the user part';
      findings.error(path, { message, cure: 'use sip.server: embedded, or leave them out' }, 'key');
    }
  }
}

/** Calls from a trunk are placed with a number of that trunk; one that nothing names serves no call. */
function warnUnusedTrunks(data: unknown, findings: Findings): void {
  const users = [...itemsOf(data, 'numbers'), ...itemsOf(data, 'routes')];
  if (itemsOf(data, 'numbers').length === 0) return;
  itemsOf(data, 'trunks').forEach((trunk, index) => {
    if (typeof trunk['name'] !== 'string' || users.some((user) => user['trunk'] === trunk['name'])) return;
    const message = 'is used by no number and no route, so calls from it are refused and none go to it';
    findings.warn(['trunks', index, 'name'], { message, cure: 'name it as the trunk of a number, or remove it' });
  });
}

/** A call from a network of two trunks is told apart by what it says of itself; one that says nothing is refused. */
function warnSharedNetworks(trunks: Lists['trunks'], findings: Findings): void {
  trunks.forEach(({ path, value }, index) => {
    value.accept_from?.forEach((network, at) => {
      const accepts = ({ accept_from: others = [] }: typeof value) => others.some((other) => isSame(other, network));
      const earlier = trunks.slice(0, index).find((trunk) => accepts(trunk.value));
      if (!earlier) return;
      const message = `is accepted by trunk ${earlier.value.name} too, so only From or X-WA-Number-Id tells whose call it is`;
      const cure = 'let one trunk serve both numbers, or let the PBX name the number in each call';
      findings.warn([...path, 'accept_from', at], { message, cure });
    });
  });
}

/** Whether two networks in CIDR form are one, whatever their host bits and spelling. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => {
    const [address = '', prefix] = text.split('/', 2);
    const family = isIP(address) === 6 ? ('ipv6' as const) : ('ipv4' as const);
    return { address, family, length: Number(prefix ?? (family === 'ipv6' ? 128 : 32)) };
  });
  if (!a || !b || a.family !== b.family || a.length !== b.length) return false;
  const network = new BlockList();
  network.addSubnet(a.address, a.length, a.family);
  return network.check(b.address, b.family);
}
