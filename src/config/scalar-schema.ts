import { cdrSchema } from './cdr-schema.js';
import type { Format } from './formats.js';
import * as formats from './formats.js';
import { hepKeys } from './hep-keys.js';
import { tracingKeys } from './tracing-keys.js';

/** A single value of the file: everything about it stands here once. */
export interface Leaf {
  readonly default: string | number | boolean;
  readonly doc: string;
  readonly format: Format;
  /** Environment variable that overrides the file. Never given to secrets: those use `${env:NAME}`. */
  readonly env?: string;
  readonly sensitive?: boolean;
}

export type LeafSection = Readonly<Record<string, Leaf>>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * Every key of the file that holds one value, by section. Lists (trunks, numbers, routes, sip.listen, graph.app_secret,
 * media.remote_networks) are in list-schemas.ts.
 */
export const scalarSchema = {
  graph: {
    base_url: {
      default: 'https://graph.facebook.com',
      doc: "Meta's Graph API; plain http only for a loopback address.",
      format: formats.graphUrl,
      env: 'SIP2WA_GRAPH_BASE_URL',
    },
    version: {
      default: 'v23.0',
      doc: 'Version of the Graph API, in every request.',
      format: formats.graphVersion,
      env: 'SIP2WA_GRAPH_VERSION',
    },
    access_token: {
      default: '',
      doc: 'Access token with whatsapp_business_messaging and whatsapp_business_management.',
      format: formats.secretText,
      sensitive: true,
    },
    appsecret_proof: {
      default: false,
      doc: 'Sign the token with the first app secret in every request; for apps that Meta is told to require it of.',
      format: formats.yesOrNo,
    },
    timeout: {
      default: '10s',
      doc: 'Longest wait for an answer of the Graph API.',
      format: formats.duration(100, MINUTE_MS),
    },
  },
  webhook: {
    listen: {
      default: '0.0.0.0:8080',
      doc: 'Socket that takes webhooks; TLS ends in front of it.',
      format: formats.listenAddress,
      env: 'SIP2WA_WEBHOOK_LISTEN',
    },
    path: { default: '/webhook', doc: 'Path of the callback URL given to Meta.', format: formats.httpPath },
    verify_token: {
      default: '',
      doc: 'Verify token given to Meta together with the callback URL.',
      format: formats.secretText,
      sensitive: true,
    },
  },
  admin: {
    listen: {
      default: '127.0.0.1:8081',
      doc: 'Socket of health checks and admin API; beyond loopback it needs a token.',
      format: formats.listenAddress,
      env: 'SIP2WA_ADMIN_LISTEN',
    },
    token: { default: '', doc: 'Bearer token of the admin API.', format: formats.secretText, sensitive: true },
  },
  sip: {
    server: {
      default: 'embedded',
      doc: 'SIP stack: the embedded server, or a drachtio-server.',
      format: formats.oneOf('embedded', 'drachtio'),
      env: 'SIP2WA_SIP_SERVER',
    },
    advertised_host: {
      default: '',
      doc: "What the embedded server's Via, Contact and Record-Route show; empty: the socket's address.",
      format: formats.hostOrEmpty,
      env: 'SIP2WA_SIP_ADVERTISED_HOST',
    },
    session_expires: {
      default: '10m',
      doc: "Session timer that the embedded server asks for, 0s for none: a call whose BYE was lost ends by then. Refreshes that are challenged get the trunk's auth; those of a drachtio-server cannot.",
      format: formats.durationOrNone(90_000, 24 * HOUR_MS),
    },
    timer_t1: {
      default: '500ms',
      doc: 'Round-trip time of RFC 3261 §17 that the embedded server reckons with: repetitions begin after it.',
      format: formats.duration(50, 5_000),
    },
    timer_t2: {
      default: '4s',
      doc: 'Longest time between two repetitions.',
      format: formats.duration(50, 60_000),
    },
    timer_t4: {
      default: '5s',
      doc: 'Longest life of a message in the network.',
      format: formats.duration(50, 60_000),
    },
  },
  'sip.drachtio': {
    host: {
      default: '127.0.0.1',
      doc: 'Host of the drachtio-server.',
      format: formats.host,
      env: 'SIP2WA_DRACHTIO_HOST',
    },
    port: {
      default: 9022,
      doc: 'Command port of the drachtio-server.',
      format: formats.port,
      env: 'SIP2WA_DRACHTIO_PORT',
    },
    secret: { default: '', doc: 'Shared secret of the drachtio-server.', format: formats.secretText, sensitive: true },
  },
  media: {
    engine: { default: 'werift', doc: 'WebRTC engine.', format: formats.oneOf('werift') },
    listen_ip: {
      default: '0.0.0.0',
      doc: 'Address that media sockets are bound to; "::" for IPv6 and IPv4.',
      format: formats.ipAddress,
      env: 'SIP2WA_MEDIA_LISTEN_IP',
    },
    advertised_ip: {
      default: '',
      doc: 'Public address behind 1:1 address translation, for sockets of its IP version; empty: the own address.',
      format: formats.ipAddressOrEmpty,
      env: 'SIP2WA_MEDIA_ADVERTISED_IP',
    },
    rtp_ports: {
      default: '20000-29999',
      doc: 'UDP ports towards the PBX; below the ephemeral range (32768).',
      format: formats.portRange,
      env: 'SIP2WA_MEDIA_RTP_PORTS',
    },
    webrtc_ports: {
      default: '10000-19999',
      doc: 'UDP ports towards WhatsApp; below the ephemeral range (32768).',
      format: formats.portRange,
      env: 'SIP2WA_MEDIA_WEBRTC_PORTS',
    },
    workers: {
      default: 'auto',
      doc: 'Media processes: auto, which is one per core as far as the ports go, or a number.',
      format: formats.workers,
    },
  },
  settings: {
    push: {
      default: 'apply',
      doc: "What to do with numbers' settings on start and reload: apply (write what differs), report (only say) or off.",
      format: formats.oneOf('apply', 'report', 'off'),
    },
    poll: {
      default: '15m',
      doc: 'How often Meta is asked whether it still holds what the file wants, 0s: at the start alone; what differs then is told and left as it is.',
      format: formats.durationOrNone(60_000, 24 * HOUR_MS),
    },
  },
  calls: {
    answer_timeout: {
      default: '25s',
      doc: "The PBX must answer a user's call by then; Meta gives 30 to 60 s.",
      format: formats.duration(1_000, MINUTE_MS),
    },
    ring_timeout: {
      default: '60s',
      doc: 'A called WhatsApp user may ring this long.',
      format: formats.duration(1_000, 5 * MINUTE_MS),
    },
    max_duration: {
      default: '4h',
      doc: 'An answered call is ended after this time.',
      format: formats.duration(1_000, 24 * HOUR_MS),
    },
    drain_timeout: {
      default: '120s',
      doc: 'How long calls go on after SIGTERM before they are ended; new ones are refused meanwhile.',
      format: formats.durationOrNone(1_000, 24 * HOUR_MS),
    },
    pre_accept: {
      default: 'immediate',
      doc: "When a user's call is pre-accepted, so that media is up before the answer: immediate (at once), on_progress (when the PBX rings) or never.",
      format: formats.oneOf('immediate', 'on_progress', 'never'),
    },
  },
  permissions: {
    request_text: {
      default: 'We would like to call you on WhatsApp. May we?',
      doc: 'Text of the message that asks a user for call permission.',
      format: formats.messageText,
    },
    request_template: {
      default: '',
      doc: 'Approved template with a call_permission_request component, sent instead of the text; needed outside the 24-hour window.',
      format: formats.templateNameOrEmpty,
    },
    request_language: { default: 'en', doc: 'Language code of the template.', format: formats.languageCode },
    max_age: {
      default: '1h',
      doc: 'Longest time that a looked-up permission is believed; one that expires sooner is not kept longer.',
      format: formats.duration(1_000, 24 * HOUR_MS),
    },
    lookups_per_second: {
      default: 5,
      doc: "Most permission look-ups a second and number; Meta's own limit is 5 or 100, by page.",
      format: formats.wholeNumber(1, 1000),
    },
    requests_per_day: {
      default: 1,
      doc: 'Permission requests to one user in 24 hours, while Meta has not said its limit; 0: no limit of ours.',
      format: formats.wholeNumber(0, 1000),
    },
    requests_per_week: {
      default: 2,
      doc: 'Permission requests to one user in 7 days, while Meta has not said its limit; 0: no limit of ours.',
      format: formats.wholeNumber(0, 1000),
    },
    connected_calls_per_day: {
      default: 100,
      doc: 'Connected calls to one user in 24 hours, while Meta has not said its limit; 0: no limit of ours.',
      format: formats.wholeNumber(0, 100_000),
    },
    unanswered_in_a_row: {
      default: 4,
      doc: 'Unanswered calls to one user in a row after which Meta takes the permission away, so that no further one is placed; 0: no limit of ours.',
      format: formats.wholeNumber(0, 1000),
    },
  },
  log: {
    level: {
      default: 'info',
      doc: 'Least severe level that is logged.',
      format: formats.oneOf(...formats.LOG_LEVELS),
      env: 'SIP2WA_LOG_LEVEL',
    },
    format: {
      default: 'json',
      doc: 'One JSON object a line, or text for people.',
      format: formats.oneOf('json', 'pretty'),
      env: 'SIP2WA_LOG_FORMAT',
    },
  },
  journal: {
    dir: {
      default: './var/journal',
      doc: 'Directory of the call journal, from which a restart after a crash ends what was left open.',
      format: formats.filePath,
      env: 'SIP2WA_JOURNAL_DIR',
    },
  },
  cdr: cdrSchema,
  hep: hepKeys,
  tracing: tracingKeys,
} as const satisfies Readonly<Record<string, LeafSection>>;

/** `section.key` of every single value. */
export type ScalarKey = {
  [Section in keyof typeof scalarSchema]: `${Section & string}.${keyof (typeof scalarSchema)[Section] & string}`;
}[keyof typeof scalarSchema];

/** The leaf of `section.key`, whatever the section. */
export function leaves(): { readonly key: ScalarKey; readonly path: readonly string[]; readonly leaf: Leaf }[] {
  return Object.entries(scalarSchema as Record<string, LeafSection>).flatMap(([section, keys]) =>
    Object.entries(keys).map(([name, leaf]) => {
      const key = `${section}.${name}`;
      return { key: key as ScalarKey, path: key.split('.'), leaf };
    }),
  );
}
