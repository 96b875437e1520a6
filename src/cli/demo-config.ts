import { randomBytes, randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import type { Config } from '../config/config.js';
import type { E164 } from '../lib/ids.js';
import type { Trunk, WaNumber } from '../routing/types.js';

/** Numbers of the ranges kept for fiction. */
export const BUSINESS_NUMBER = '+12025550142';
export const USER_WA_ID = '12025550173';
const NUMBER_ID = '105615555715855';
const TRUNK = 'pbx';
/** Even, and enough for two calls and their quarantine. */
const PORTS = 64;

export interface PbxAddress {
  readonly host: string;
  readonly port: number;
}

export interface DemoIdentity {
  readonly appSecret: string;
  readonly accessToken: string;
  readonly verifyToken: string;
  readonly numberId: string;
}

/** Secrets made afresh for every run. */
export function demoIdentity(): DemoIdentity {
  const secret = (): string => randomBytes(16).toString('hex');
  return { appSecret: secret(), accessToken: secret(), verifyToken: secret(), numberId: NUMBER_ID };
}

/** `HOST:PORT` or `HOST`; null if it is neither. */
export function parsePbx(text: string): PbxAddress | null {
  const match = /^([A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[2] ?? 5060);
  return match?.[1] !== undefined && port > 0 && port < 65_536 ? { host: match[1], port } : null;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.');
}

/** A range of ports below the ephemeral ones, at a random place so that two demos may run at once. */
function portRange(from: number): readonly [number, number] {
  const first = from + PORTS * randomInt(0, 140);
  return [first, first + PORTS - 1];
}

function trunkTo({ host, port }: PbxAddress): Trunk {
  return {
    name: TRUNK,
    servers: [{ hostname: host, port, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} }],
    acceptFrom: isLoopback(host) ? ['127.0.0.0/8'] : isIP(host) === 4 ? [`${host}/32`] : [],
    acceptFromServers: true,
    codecs: ['PCMA', 'PCMU'],
    auth: undefined,
    register: false,
    dtmf: 'rfc4733',
    srtp: 'off',
    permission: 'none',
    maxCalls: 10,
  };
}

function numberOf({ numberId }: DemoIdentity): WaNumber {
  return {
    id: numberId,
    number: BUSINESS_NUMBER as E164,
    name: 'demo',
    signaling: 'graph',
    permission: 'none',
    trunk: TRUNK,
    callHours: undefined,
    settings: undefined,
  };
}

const callTerms = {
  ...{ answerTimeoutMs: 30_000, ringTimeoutMs: 30_000, maxDurationMs: 3_600_000, drainTimeoutMs: 0 },
  preAccept: 'immediate',
} as const;

const nothingLeftBehind = {
  // in memory
  journal: { dir: '' },
  cdr: { file: '', csvFile: '', httpUrl: '', httpToken: '', httpSpoolDir: '', httpSpoolMaxBytes: 0 },
  hep: undefined,
  tracing: undefined,
} as const;

/** A whole configuration on loopback; on all addresses for SIP and RTP if the PBX is another machine. */
export function demoConfig(options: {
  readonly identity: DemoIdentity;
  readonly graphUrl: string;
  readonly pbx: PbxAddress | undefined;
}): Config {
  const { identity, graphUrl, pbx } = options;
  const ip = pbx && !isLoopback(pbx.host) ? '0.0.0.0' : '127.0.0.1';
  const loopback = { host: '127.0.0.1', port: 0 };
  return {
    graph: {
      baseUrl: graphUrl,
      version: 'v23.0',
      accessToken: identity.accessToken,
      appSecrets: [identity.appSecret],
      secretFiles: { accessToken: undefined, appSecrets: [undefined] },
      appsecretProof: false,
      timeoutMs: 10_000,
    },
    webhook: { listen: loopback, path: '/webhook', verifyToken: identity.verifyToken },
    admin: { listen: loopback, token: randomBytes(16).toString('hex') },
    sip: {
      server: 'embedded',
      listen: [{ transport: 'udp', host: ip, port: 0 }],
      advertisedHost: '',
      sessionExpiresMs: 0,
      timers: { t1Ms: 500, t2Ms: 4_000, t4Ms: 5_000 },
      tls: undefined,
      drachtio: { host: '127.0.0.1', port: 9022, secret: '' },
    },
    media: {
      engine: 'werift',
      listenIp: ip,
      advertisedIp: '',
      rtpPorts: portRange(20_000),
      webrtcPorts: portRange(10_000),
      workers: 1,
      remoteNetworks: ['127.0.0.0/8'],
    },
    trunks: pbx ? [trunkTo(pbx)] : [],
    numbers: [numberOf(identity)],
    routes: [],
    settings: { push: 'off', pollMs: undefined },
    calls: callTerms,
    permissions: {
      requestText: 'May we call you?',
      requestTemplate: undefined,
      requestLanguage: 'en',
      maxAgeMs: 3_600_000,
      lookupsPerSecond: 5,
      requestsPerDay: 1,
      requestsPerWeek: 2,
      connectedCallsPerDay: 100,
      unansweredInARow: 4,
    },
    log: { level: 'warn', format: 'pretty' },
    ...nothingLeftBehind,
  };
}
