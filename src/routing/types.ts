import type { E164 } from '../lib/ids.js';
import type { DesiredCalling } from './calling-settings.js';
import type { Place } from '../lib/sip-location.js';

export type SipTransport = 'udp' | 'tcp' | 'tls';

/** A codec of the PBX side, by its RTP name (RFC 3551, RFC 7587). */
export type PbxCodec = 'PCMA' | 'PCMU' | 'G722' | 'opus';

/** One server of a trunk. Lower priority first; weight shares within one priority (RFC 3263's words). */
export interface SipServer {
  readonly hostname: string;
  readonly port: number;
  readonly transport: SipTransport;
  /**
   * What its name is looked up for (RFC 3263 §4), by what the file leaves unsaid: without a port SRV before addresses,
   * without a transport NAPTR before SRV. Absent: addresses alone. Where DNS has no more, port and transport count.
   */
  readonly lookup?: 'address' | 'srv' | 'naptr' | undefined;
  readonly priority: number;
  readonly weight: number;
  /** Parameters of the Request-URI's user part (RFC 4904 tgrp and the like). */
  readonly requestUriUserParams: Readonly<Record<string, string>>;
}

/** Hash of digest authentication, by its token (RFC 8760 §2.1). */
export type DigestAlgorithm = 'SHA-512-256' | 'SHA-256' | 'MD5';

/** What a trunk's servers are told when they ask who calls. */
export interface TrunkAuth {
  readonly username: string;
  readonly password: string;
  /** The only realm that is answered; undefined: the one that a server names first. */
  readonly realm: string | undefined;
  readonly algorithms: readonly DigestAlgorithm[];
  /** The digest-uri: the Request-URI as it is sent, or that without its user part. */
  readonly uri: 'request' | 'host';
}

/** What a trunk's calls to us must prove. */
export interface TrunkAcceptAuth {
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  /** As they are offered, the first being liked best. */
  readonly algorithms: readonly DigestAlgorithm[];
}

/** How SRTP keys and packets are made, by its SDES token (RFC 4568 §6.2, RFC 7714 §14.2). */
export type SrtpSuite = 'AEAD_AES_128_GCM' | 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32';

/** A SIP server that every request of a trunk goes through. */
export type OutboundProxy = Pick<SipServer, 'hostname' | 'port' | 'transport' | 'lookup'>;

/** A PBX or carrier peer. */
export interface Trunk {
  readonly name: string;
  readonly servers: readonly SipServer[];
  /** CIDRs that may call in; empty means nobody. */
  readonly acceptFrom: readonly string[];
  /** The servers' own addresses may call in as well (numbers served by their settings alone). */
  readonly acceptFromServers: boolean;
  /** In order of preference. */
  readonly codecs: readonly PbxCodec[];
  readonly auth: TrunkAuth | undefined;
  /** Whose address From holds in calls to it: the WhatsApp user's, or our own there (needs `auth`). Absent: the user's. */
  readonly from?: 'caller' | 'account' | undefined;
  /** Absent: calls from its networks are taken without a password. */
  readonly acceptAuth?: TrunkAcceptAuth | undefined;
  readonly register: boolean;
  /** Lifetime asked for with each registration, in milliseconds; absent: 10 minutes. */
  readonly registerExpiresMs?: number | undefined;
  /** Absent: requests go straight to the servers. */
  readonly outboundProxy?: OutboundProxy | undefined;
  /** Its P-Asserted-Identity, Diversion and History-Info are believed (RFC 3324 §2.3). Absent: no. */
  readonly trustIdentity?: boolean | undefined;
  readonly dtmf: 'rfc4733' | 'info' | 'inband';
  readonly srtp: 'off' | 'optional' | 'required';
  /** In order of preference; absent: all, the strongest first. */
  readonly srtpSuites?: readonly SrtpSuite[] | undefined;
  /** SDES keys may travel in signalling that is not TLS. Absent: no. */
  readonly srtpWithoutTls?: boolean | undefined;
  /** CIDRs and addresses its media may be at besides its servers and `acceptFrom`. Absent: none. */
  readonly mediaNetworks?: readonly string[] | undefined;
  /** RTP is sent to where the trunk's packets come from, not where its SDP says. Absent: no. */
  readonly symmetricRtp?: boolean | undefined;
  /** What is done before a user is called for it, unless the number says otherwise. */
  readonly permission: 'none' | 'check' | 'ask';
  readonly maxCalls: number;
  /** Of calls from it, in any second and in any 24 hours; absent: no limit. */
  readonly maxCallsPerSecond?: number | undefined;
  readonly maxCallsPerDay?: number | undefined;
  /** Between questions to its servers whether they live, in milliseconds; absent: they are not asked. */
  readonly qualifyMs?: number | undefined;
  /** Whom it may call, see destinations.ts; absent: everybody. */
  readonly destinations?: readonly string[] | undefined;
}

/** Meta's calling hours, as a number's settings hold them; times are HHMM. */
export interface CallHours {
  readonly status: 'ENABLED' | 'DISABLED';
  readonly timezoneId: string;
  readonly weekly: readonly { readonly day: string; readonly open: string; readonly close: string }[];
  readonly holidays: readonly { readonly date: string; readonly start: string; readonly end: string }[];
}

/** A WhatsApp business number. */
export interface WaNumber {
  /** Meta's phone_number_id. */
  readonly id: string;
  readonly number: E164;
  /** Alias for logs and metric labels. */
  readonly name: string;
  readonly signaling: 'graph' | 'sip';
  readonly permission: 'none' | 'check' | 'ask';
  /** Name of its trunk; a number without one in the file has a trunk made of its settings' servers. */
  readonly trunk: string | undefined;
  readonly callHours: CallHours | undefined;
  /** What the file wants Meta to hold of it; only what is written is managed. */
  readonly settings: DesiredCalling | undefined;
}

/** An ordered rule for users' calls; first match wins. Other absent fields match everything. */
export interface Route {
  readonly number: string | undefined;
  /** Caller: E.164 digits with optional trailing `*`. */
  readonly from: string | undefined;
  /** Absent: open. */
  readonly hours: 'open' | 'closed' | undefined;
  readonly trunk: string;
  /** User part to dial at the trunk; default: the business number. */
  readonly to: string | undefined;
}

/** One dialable destination of a route. */
export interface Target {
  readonly trunk: Trunk;
  readonly server: SipServer;
  /** User part of the Request-URI, parameters not included. */
  readonly user: string;
  /** The one of the server's places that is dialled; absent: whichever is the best. */
  readonly place?: Place | undefined;
}
