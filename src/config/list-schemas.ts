import { z } from 'zod';
import type { DigestAlgorithm, SrtpSuite } from '../routing/types.js';
import * as formats from './formats.js';
import { destination, numberId, phoneNumber, routeFrom, sipUser, uriParameters } from './phone-formats.js';
import { value } from './schema-value.js';
import { settingsSchema } from './settings-schema.js';

const server = z.strictObject({
  hostname: value<string>(formats.host, 'Host name or address of the SIP server.'),
  port: value<number>(formats.port, 'Its port; left out: what SRV says, else 5060, or 5061 for tls.', 5060).optional(),
  transport: value<'udp' | 'tcp' | 'tls'>(
    formats.oneOf('udp', 'tcp', 'tls'),
    'How it is reached; left out, without a port too: what NAPTR and SRV say. tls needs a tls:// socket in sip.listen.',
    'udp',
  ).optional(),
  priority: value<number>(formats.wholeNumber(0, 65_535), 'Lower is tried first.', 1).optional(),
  weight: value<number>(formats.wholeNumber(0, 65_535), 'Share of calls within one priority.', 1).optional(),
  request_uri_user_params: value<Record<string, string>>(
    uriParameters,
    "Parameters of the Request-URI's user part (RFC 4904 and the like).",
  ).optional(),
});

/** Digest algorithms of a trunk that names none. */
export const defaultDigest: readonly DigestAlgorithm[] = ['SHA-256', 'MD5'];

const digestAlgorithm = value<DigestAlgorithm>(
  formats.oneOf('SHA-512-256', 'SHA-256', 'MD5'),
  'Hash of digest authentication (RFC 8760).',
);

const auth = z.strictObject({
  username: value<string>(formats.plainText, 'User name for digest authentication.'),
  password: value<string>(formats.secretText, 'Its password: ${env:NAME} or ${file:/path}.'),
  realm: value<string>(
    formats.plainText,
    'The only realm that is answered; left out: the one that a server names first.',
  ).optional(),
  algorithms: z
    .array(digestAlgorithm)
    .min(1)
    .meta({ description: 'Challenges that are answered; MD5 only if there is no better one.', default: defaultDigest })
    .optional(),
  uri: value<'request' | 'host'>(
    formats.oneOf('request', 'host'),
    'The digest-uri: the Request-URI (request), or without its user part (host).',
    'request',
  ).optional(),
});

const acceptAuth = z.strictObject({
  username: value<string>(formats.plainText, 'User name its calls must prove.'),
  password: value<string>(formats.secretText, 'Its password: ${env:NAME} or ${file:/path}.'),
  realm: value<string>(formats.plainText, 'Realm it is asked in.', 'sip2wa').optional(),
  algorithms: z
    .array(digestAlgorithm)
    .min(1)
    .meta({ description: 'What it is asked for, in this order.', default: defaultDigest })
    .optional(),
});

const trunkTls = z.strictObject({
  ca: value<string>(
    formats.filePath,
    'PEM file of the authorities that its certificate may be of; left out: the public ones.',
  ).optional(),
  verify: value<boolean>(
    formats.yesOrNo,
    'Check its certificate and name; false only to try things out.',
    true,
  ).optional(),
  server_name: value<string>(
    formats.host,
    'What SNI says and the certificate must prove; left out: the hostname.',
  ).optional(),
  alpn: z
    .array(value<string>(formats.plainText, 'Protocol name (RFC 7301).'))
    .meta({ description: 'Application protocols to offer; sip only where a carrier asks for it.', default: [] })
    .optional(),
});

const outboundProxy = z.strictObject({
  hostname: value<string>(formats.host, 'Host name or address of the proxy.'),
  port: value<number>(formats.port, 'Its port; left out: what SRV says, else 5060, or 5061 for tls.', 5060).optional(),
  transport: value<'udp' | 'tcp' | 'tls'>(
    formats.oneOf('udp', 'tcp', 'tls'),
    'How it is reached; left out, without a port too: what NAPTR and SRV say.',
    'udp',
  ).optional(),
});

const srtpSuite = value<SrtpSuite>(
  formats.oneOf('AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'),
  'Crypto suite by its SDES name (RFC 4568, RFC 7714).',
);

/** Crypto suites of a trunk that names none. */
export const defaultSrtpSuites: readonly SrtpSuite[] = [
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
];

const trunkBehaviour = {
  codecs: z
    .array(
      value<'PCMA' | 'PCMU' | 'G722' | 'opus'>(formats.oneOf('PCMA', 'PCMU', 'G722', 'opus'), 'Codec by its RTP name.'),
    )
    .min(1)
    .meta({
      description:
        'Codecs in order of preference. With opus first, audio passes as WhatsApp sent it; the others are transcoded.',
      default: ['PCMA', 'PCMU'],
    })
    .optional(),
  auth: auth.meta({ description: 'Credentials for the trunk.' }).optional(),
  from: value<'caller' | 'account'>(
    formats.oneOf('caller', 'account'),
    'Who calls by From: the WhatsApp user (caller) or auth.username (account), with the user in P-Asserted-Identity alone.',
    'caller',
  ).optional(),
  accept_auth: acceptAuth
    .meta({ description: 'Credentials its own calls must carry, besides accept_from.' })
    .optional(),
  tls: trunkTls.meta({ description: 'For servers with transport: tls.' }).optional(),
  register: value<boolean>(formats.yesOrNo, 'Register with the trunk as auth.username.', false).optional(),
  register_expires: value<string>(
    formats.duration(60_000, 24 * 3_600_000),
    'Lifetime asked for with each registration; the registrar may shorten it.',
    '10m',
  ).optional(),
  outbound_proxy: outboundProxy.meta({ description: 'Where every request to the trunk is sent first.' }).optional(),
  trust_identity: value<boolean>(
    formats.yesOrNo,
    'Believe its P-Asserted-Identity, Diversion and History-Info.',
    false,
  ).optional(),
  dtmf: value<'rfc4733' | 'info' | 'inband'>(
    formats.oneOf('rfc4733', 'info', 'inband'),
    'How keys travel between us and the trunk: as RTP events, by SIP INFO, or as tones in the audio.',
    'rfc4733',
  ).optional(),
  srtp: value<'off' | 'optional' | 'required'>(
    formats.oneOf('off', 'optional', 'required'),
    'Encryption of audio (SDES): off, optional (offered, and taken when offered) or required.',
    'off',
  ).optional(),
  srtp_suites: z
    .array(srtpSuite)
    .min(1)
    .meta({ description: 'Crypto suites in order of preference.', default: defaultSrtpSuites })
    .optional(),
  srtp_without_tls: value<boolean>(
    formats.yesOrNo,
    'Send the keys of SRTP in signalling that is not encrypted: only where the network is.',
    false,
  ).optional(),
  media_networks: z
    .array(value<string>(formats.cidr, 'Address or network.'))
    .meta({
      description:
        'Where its audio may be besides its servers and accept_from: phones that the PBX lets talk to us directly.',
    })
    .optional(),
  symmetric_rtp: value<boolean>(
    formats.yesOrNo,
    'Send audio to where it comes from, for a PBX behind address translation.',
    false,
  ).optional(),
  permission: value<'none' | 'check' | 'ask'>(
    formats.oneOf('none', 'check', 'ask'),
    'Before its calls to users: nothing (none), look the permission up (check), or ask the user for it as well (ask).',
    'none',
  ).optional(),
  max_calls: value<number>(formats.wholeNumber(1, 100_000), 'Most calls at a time over the trunk.', 100).optional(),
  max_calls_per_second: value<number>(
    formats.wholeNumber(0, 10_000),
    'Most calls from the trunk in any second; 0: no limit.',
    0,
  ).optional(),
  max_calls_per_day: value<number>(
    formats.wholeNumber(0, 1_000_000),
    'Most calls from the trunk in any 24 hours, counted anew when the daemon starts; 0: no limit.',
    0,
  ).optional(),
  qualify: value<string>(
    formats.durationOrNone(1_000, 3_600_000),
    'How often its servers are asked by OPTIONS whether they live; 0s: never.',
    '30s',
  ).optional(),
  destinations: z
    .array(value<string>(destination, 'Number, or how numbers begin, with a * at the end.'))
    .meta({ description: 'Whom the trunk may call; left out: everybody, empty: nobody.' })
    .optional(),
};

const acceptFrom = z
  .array(value<string>(formats.cidr, 'Address or network.'))
  .meta({ description: 'Who may call in; empty means nobody.', default: [] });

/** One of `trunks`. */
export const trunkSchema = z.strictObject({
  name: value<string>(formats.alias, 'Name of the trunk, for routes, logs and metrics.'),
  servers: z.array(server).min(1).meta({ description: 'Tried by priority, then weight.' }),
  accept_from: acceptFrom.optional(),
  ...trunkBehaviour,
});

/** `trunk_defaults`. */
export const trunkDefaultsSchema = z.strictObject(trunkBehaviour);

/** One of `numbers`; `settings` is as Meta spells it and checked apart. */
export const numberSchema = z.strictObject({
  id: value<string>(numberId, "Meta's phone_number_id."),
  number: value<string>(phoneNumber, 'The number itself with + and country code, quoted.'),
  name: value<string>(formats.alias, 'Alias for logs and metric labels; default: the id.').optional(),
  signaling: value<'graph' | 'sip'>(
    formats.oneOf('graph', 'sip'),
    'graph: webhooks and Graph API. sip: reserved, not in this version.',
    'graph',
  ).optional(),
  permission: value<'none' | 'check' | 'ask'>(
    formats.oneOf('none', 'check', 'ask'),
    "Before calling a user: nothing (none), look the permission up (check), or ask the user for it as well (ask); default: the trunk's.",
    'none',
  ).optional(),
  trunk: value<string>(
    formats.alias,
    'Name of its trunk; left out: settings.calling.sip.servers are the trunk.',
  ).optional(),
  settings: settingsSchema
    .meta({ description: 'What Meta shall hold for this number, keys as Meta spells them.' })
    .optional(),
});

/** One of `routes`. */
export const routeSchema = z.strictObject({
  number: value<string>(formats.alias, 'Name of the number that was called; left out: any.').optional(),
  from: value<string>(routeFrom, 'Caller with + and country code; a * at the end stands for the rest.').optional(),
  hours: value<'open' | 'closed'>(
    formats.oneOf('open', 'closed'),
    "Within or outside the number's call hours. While it is closed, only routes with closed take its calls.",
    'open',
  ).optional(),
  trunk: value<string>(formats.alias, 'Name of the trunk to dial.'),
  to: value<string>(sipUser, 'User part to dial at the trunk; default: the business number.').optional(),
});

/** `sip.listen`. */
export const sipListenSchema = z
  .array(value<string>(formats.sipListen, 'TRANSPORT://HOST:PORT; TRANSPORT is udp, tcp or tls.'))
  .min(1)
  .meta({ description: 'Sockets of the embedded SIP server.', default: ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060'] });

/** `sip.tls`. */
export const sipTlsSchema = z.strictObject({
  cert: value<string>(formats.filePath, 'PEM file of the certificate, its chain after it; replaced without a restart.'),
  key: value<string>(formats.filePath, 'PEM file of its private key, without a passphrase.'),
  ca: value<string>(
    formats.filePath,
    "PEM file of the authorities that peers' certificates may be of; left out: the public ones.",
  ).optional(),
  client_certificates: value<'none' | 'request' | 'require'>(
    formats.oneOf('none', 'request', 'require'),
    'Whether a peer that connects must show a certificate (require), may (request) or is not asked (none).',
    'none',
  ).optional(),
});

/** `graph.app_secret` when it is a list. */
export const appSecretListSchema = z.array(value<string>(formats.secretText, 'App secret.')).min(1).max(2);

/** `media.remote_networks` when it is a list. */
export const networkListSchema = z.array(value<string>(formats.cidr, 'Address or network.')).min(1);

export type TrunkItem = z.infer<typeof trunkSchema>;
export type TrunkDefaults = z.infer<typeof trunkDefaultsSchema>;
export type SipTlsItem = z.infer<typeof sipTlsSchema>;
export type TrunkTlsItem = z.infer<typeof trunkTls>;
export type ServerItem = z.infer<typeof server>;
export type NumberItem = z.infer<typeof numberSchema>;
export type RouteItem = z.infer<typeof routeSchema>;
