import type { LogLevel } from '../lib/logger.js';
import type { Route, Trunk, WaNumber } from '../routing/types.js';

/** A socket to listen on; `transport` as in the URL of `sip.listen`. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}
export interface SipListen extends ListenAddress {
  readonly transport: 'udp' | 'tcp' | 'tls';
}

/** How a trunk's server is reached by TLS. */
export interface TlsServer {
  readonly host: string;
  /** Undefined: any, as DNS says it. */
  readonly port: number | undefined;
  /** Absolute path of a PEM file: the authorities that its certificate may be of; undefined: the public ones. */
  readonly caFile: string | undefined;
  /** False: whatever certificate it shows is taken. */
  readonly verify: boolean;
  /** What SNI says and the certificate must prove; undefined: `host`. */
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
}

/** The whole configuration, validated, defaults filled in, secrets resolved, durations in milliseconds. */
export interface Config {
  readonly graph: {
    readonly baseUrl: string;
    readonly version: string;
    readonly accessToken: string;
    /** One, or two while rotating. */
    readonly appSecrets: readonly string[];
    /** Absolute paths of the files these came from, so that they can be rotated; undefined: from elsewhere. In the same order. */
    readonly secretFiles: {
      readonly accessToken: string | undefined;
      readonly appSecrets: readonly (string | undefined)[];
    };
    /** Whether requests carry the proof that we know the first app secret. */
    readonly appsecretProof: boolean;
    readonly timeoutMs: number;
  };
  readonly webhook: { readonly listen: ListenAddress; readonly path: string; readonly verifyToken: string };
  readonly admin: { readonly listen: ListenAddress; readonly token: string };
  readonly sip: {
    readonly server: 'embedded' | 'drachtio';
    readonly listen: readonly SipListen[];
    readonly advertisedHost: string;
    /** RFC 4028; 0 is none. */
    readonly sessionExpiresMs: number;
    /** Timers of the embedded server (RFC 3261 §17). */
    readonly timers: { readonly t1Ms: number; readonly t2Ms: number; readonly t4Ms: number };
    /** Absolute paths of PEM files. */
    readonly tls:
      | {
          readonly certFile: string;
          readonly keyFile: string;
          readonly caFile: string | undefined;
          readonly clientCertificates: 'none' | 'request' | 'require';
          /** Servers of trunks that have TLS keys of their own; any other must prove its name by a public authority. */
          readonly servers: readonly TlsServer[];
        }
      | undefined;
    readonly drachtio: { readonly host: string; readonly port: number; readonly secret: string };
  };
  readonly media: {
    readonly engine: 'werift';
    readonly listenIp: string;
    readonly advertisedIp: string;
    readonly rtpPorts: readonly [number, number];
    readonly webrtcPorts: readonly [number, number];
    readonly workers: number | 'auto';
    readonly remoteNetworks: 'public' | 'any' | readonly string[];
  };
  /** Trunks of the file and those made of numbers' settings. */
  readonly trunks: readonly Trunk[];
  /** Every number has a trunk name here, its own or the one made of its settings, unless it has neither. */
  readonly numbers: readonly WaNumber[];
  readonly routes: readonly Route[];
  readonly settings: {
    readonly push: 'apply' | 'report' | 'off';
    /** Between two looks at what Meta holds; undefined: only at the start. */
    readonly pollMs: number | undefined;
  };
  readonly calls: {
    readonly answerTimeoutMs: number;
    readonly ringTimeoutMs: number;
    readonly maxDurationMs: number;
    /** How long live calls go on once the daemon is to stop. */
    readonly drainTimeoutMs: number;
    readonly preAccept: 'immediate' | 'on_progress' | 'never';
  };
  readonly permissions: {
    /** Text of a permission request. */
    readonly requestText: string;
    /** Name of the template to ask with; undefined: a free-form message. */
    readonly requestTemplate: string | undefined;
    readonly requestLanguage: string;
    readonly maxAgeMs: number;
    readonly lookupsPerSecond: number;
    /** Our own limits per user while Meta has not said its own; 0: none. */
    readonly requestsPerDay: number;
    readonly requestsPerWeek: number;
    readonly connectedCallsPerDay: number;
    readonly unansweredInARow: number;
  };
  readonly log: { readonly level: LogLevel; readonly format: 'json' | 'pretty' };
  /** Directory of the journal; empty: in memory only. */
  readonly journal: { readonly dir: string };
  readonly cdr: {
    readonly file: string;
    /** Empty: none. */
    readonly csvFile: string;
    /** Where each record is posted; empty: nowhere. */
    readonly httpUrl: string;
    readonly httpToken: string;
    readonly httpSpoolDir: string;
    readonly httpSpoolMaxBytes: number;
  };
  /** Undefined: nothing is sent to a HEP receiver. */
  readonly hep:
    | {
        readonly receiver: ListenAddress;
        readonly captureId: number;
        /** Empty: none. */
        readonly password: string;
      }
    | undefined;
  /** Undefined: calls are not traced. */
  readonly tracing:
    | {
        /** Where traces are posted. */
        readonly otlpUrl: string;
        /** Share of calls that are traced, 0 to 1. */
        readonly sampleRatio: number;
        /** Secrets; names in lower case. */
        readonly headers: Readonly<Record<string, string>>;
      }
    | undefined;
}
