import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { ListenAddress } from '../../config/config.js';
import { uriHost } from '../../sip/sip-uri.js';
import { failed, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';

/** Whether what the daemon listens on can be had, or is had by the daemon that runs. */
export function socketChecks(scope: DoctorScope): Check[] {
  const { sip, webhook, admin, media } = scope.config;
  const sipSockets = sip.listen.map((listen) => ({
    name: `listen ${listen.transport}://${uriHost(listen.host)}:${listen.port}`,
    run: () => listenCheck(scope, listen, listen.transport === 'udp' ? 'udp' : 'tcp'),
  }));
  return [
    ...(sip.server === 'embedded' ? sipSockets : []),
    { name: 'webhook.listen', run: () => listenCheck(scope, webhook.listen, 'tcp') },
    { name: 'admin.listen', run: () => listenCheck(scope, admin.listen, 'tcp') },
    { name: 'media.rtp_ports', run: () => rangeCheck(scope, media.rtpPorts) },
    { name: 'media.webrtc_ports', run: () => rangeCheck(scope, media.webrtcPorts) },
    { name: 'ephemeral ports', run: () => ephemeralCheck([media.rtpPorts, media.webrtcPorts]) },
  ];
}

const cures: Readonly<Record<string, string>> = {
  EADDRINUSE: 'stop what holds it (ss -lnp shows it), or choose another port',
  EACCES: 'ports below 1024 need AmbientCapabilities=CAP_NET_BIND_SERVICE, or choose another port',
  EADDRNOTAVAIL: 'write an address of this machine (ip addr shows them), or 0.0.0.0',
};
const othersCure = 'correct the address in the file';

async function listenCheck(
  { running }: DoctorScope,
  { host, port }: ListenAddress,
  kind: 'udp' | 'tcp',
): Promise<Finding> {
  const place = `${uriHost(host)}:${port}`;
  const code = await (kind === 'udp' ? bindUdp(host, port) : listenTcp(host, port));
  if (code === undefined) return ok(`${place} is free`);
  if (code === 'EADDRINUSE' && (await running)) return ok(`${place} is in use by a running sip2wa`);
  return failed(`${place} cannot be had: ${code}`, cures[code] ?? othersCure);
}

/** Of the ports of a range so many are tried, besides the first and the last. */
const sampled = 20;

async function rangeCheck(
  { running, config, random }: DoctorScope,
  range: readonly [number, number],
): Promise<Finding> {
  const ports = sampleOf(range, random);
  const codes = await Promise.all(ports.map((port) => bindUdp(config.media.listenIp, port)));
  const other = codes.find((code) => code !== undefined && code !== 'EADDRINUSE');
  const what = `${range[0]}-${range[1]}`;
  if (other !== undefined) return failed(`${what} cannot be had: ${other}`, cures[other] ?? othersCure);
  const taken = ports.filter((_port, index) => codes[index] !== undefined);
  if (taken.length === 0) return ok(`${ports.length} of ${what} tried: all are free`);
  if (await running) return ok(`${taken.length} of ${ports.length} tried of ${what} are in use by a running sip2wa`);
  const detail = `${taken.length} of ${ports.length} tried of ${what} are taken: ${taken.slice(0, 5).join(', ')}`;
  const cure = 'choose a range that nothing else uses (ss -lnup shows who has them)';
  return taken.length * 2 >= ports.length ? failed(detail, cure) : warning(detail, cure);
}

function sampleOf([first, last]: readonly [number, number], random: () => number): number[] {
  const drawn = Array.from({ length: sampled }, () => first + Math.floor(random() * (last - first + 1)));
  return [...new Set([first, last, ...drawn])].sort((a, b) => a - b);
}

const ephemeralFile = '/proc/sys/net/ipv4/ip_local_port_range';

/** The system gives ports of its range to anybody: then a call now and then finds none. */
export function ephemeralCheck(
  ranges: readonly (readonly [number, number])[],
  read = (): string => readFileSync(ephemeralFile, 'utf8'),
): Finding {
  let text: string;
  try {
    text = read();
  } catch {
    return skipped('this system does not tell its ephemeral ports');
  }
  const [low = 0, high = 0] = text.trim().split(/\s+/).map(Number);
  const inside = ranges.filter(([first, last]) => first <= high && last >= low).map((range) => range.join('-'));
  const detail = `the system gives ${low}-${high} to anybody`;
  if (inside.length === 0) return ok(`${detail}; media ports lie outside`);
  return warning(
    `${detail}; ${inside.join(' and ')} of the media ports lie inside`,
    'choose media ports below it, or reserve them: sysctl net.ipv4.ip_local_reserved_ports',
  );
}

/** The system's code if it cannot be bound. */
function bindUdp(host: string, port: number): Promise<string | undefined> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    socket.once('error', (error) => {
      socket.close();
      resolve(codeOf(error));
    });
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

function listenTcp(host: string, port: number): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(codeOf(error)));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.message;
