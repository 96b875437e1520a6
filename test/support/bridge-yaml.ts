import { rtpPorts, webrtcPorts } from './ports.js';
import type { SipScriptPeer } from './sip-script-peer.js';
import { APP_SECRET, BUSINESS, NUMBER_ID } from './test-number.js';

/** What of a scripted bridge's file is not as usual. */
export interface BridgeYaml {
  /** YAML appended to the file: whole top-level sections. */
  readonly more?: string;
  /** YAML of the trunk and number sections; the default is one trunk that is the scripted PBX, and one number. */
  readonly trunks?: (pbx: SipScriptPeer) => string;
  /** More keys of that trunk, as a flow mapping's content. */
  readonly trunk?: string;
  /** More keys of that number, as a flow mapping's content. */
  readonly number?: string;
  /** YAML of the sip section. */
  readonly sip?: string;
  /** YAML of the media section without its ports, as a flow mapping's content. */
  readonly media?: string;
  /** As written in the file: a literal or a reference. */
  readonly accessToken?: string;
  /** YAML of the admin section beside its socket, as a flow mapping's content. */
  readonly admin?: string;
  /** Media worker processes; default: `SIP2WA_MEDIA_WORKERS`, else none: media runs in the process of the test. */
  readonly workers?: number;
}

/** What stands around the bridge. */
interface Surroundings {
  readonly pbx: SipScriptPeer;
  readonly graphUrl: string;
  readonly journalDir: string;
}

export const workersOfAll = Number(process.env['SIP2WA_MEDIA_WORKERS'] ?? 0);

/** The configuration of a bridge between a scripted PBX and a Graph API by script. */
export function bridgeYaml({ pbx, graphUrl, journalDir }: Surroundings, options: BridgeYaml): string {
  const {
    trunks = (peer: SipScriptPeer) => numberWithTrunk(peer, options),
    more = '',
    accessToken = 'token-of-the-test',
    sip = sipSection(),
    media = 'listen_ip: 127.0.0.1, remote_networks: [127.0.0.0/8]',
    workers = workersOfAll,
    admin = '',
  } = options;
  // A PBX by script hears of nothing but calls, unless the test is about that.
  const quiet = trunks(pbx).includes('qualify:') ? '' : 'trunk_defaults: { qualify: 0s }';
  return `
graph: { base_url: "${graphUrl}", access_token: "${accessToken}", app_secret: ${APP_SECRET}, timeout: 2s }
webhook: { listen: "127.0.0.1:0", verify_token: verify-of-the-test }
admin: { listen: "127.0.0.1:0", ${admin} }
${sip}
media: { ${media}, workers: ${workers || 'auto'}, rtp_ports: ${rtpPorts.join('-')}, webrtc_ports: ${webrtcPorts.join('-')} }
settings: { push: "off" }
journal: { dir: "${journalDir}" }
${trunks(pbx)}
${quiet}
${more}`;
}

const numberWithTrunk = ({ port }: SipScriptPeer, { trunk = '', number = '' }: BridgeYaml): string => `
trunks:
  - { name: pbx, servers: [{ hostname: 127.0.0.1, port: ${port} }], accept_from: [127.0.0.1/32]${trunk && `, ${trunk}`} }
numbers:
  - { id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales${number && `, ${number}`}, trunk: pbx }
`;

/**
 * The same scenarios run on a drachtio-server that is at hand: `SIP2WA_TEST_DRACHTIO=ADMIN_PORT:SECRET:SIP_PORT`, all on
 * 127.0.0.1. Without it they run on the embedded server.
 */
export function externalServer() {
  const [adminPort, secret, sipPort] = (process.env['SIP2WA_TEST_DRACHTIO'] ?? '').split(':');
  if (!adminPort || !secret || !sipPort) return undefined;
  return { adminPort, secret, sip: { host: '127.0.0.1', port: Number(sipPort) } };
}

function sipSection(): string {
  const external = externalServer();
  if (!external) return 'sip: { listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] }';
  const { adminPort, secret } = external;
  return `sip: { server: drachtio, drachtio: { host: 127.0.0.1, port: ${adminPort}, secret: "${secret}" } }`;
}
