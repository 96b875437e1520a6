import { randomBytes } from 'node:crypto';

/** Where the load's two sides are; the relays are elsewhere in 127.0.0.0/8. */
export const WHATSAPP_ADDRESS = '127.0.0.61';
export const PBX_ADDRESS = '127.0.0.62';

/**
 * What goes over the two legs of a call. Passthrough carries frames that say when they left; a relay does not look into
 * them. `pbx` is the codec's name in SDP, as the engine has it. Who transcodes `buffers`: what held packets up is heard for longer.
 */
export const MODES = {
  passthrough: { whatsApp: 'stamped', pbx: 'stamped', codec: 'opus', format: 'opus/48000/2', payloadType: 111 },
  transcode: { whatsApp: 'opus', pbx: 'pcma', codec: 'PCMA', format: 'PCMA/8000', payloadType: 8, buffers: true },
  g722: { whatsApp: 'opus', pbx: 'g722', codec: 'G722', format: 'G722/8000', payloadType: 9, buffers: true },
};
export const OPUS_PAYLOAD_TYPE = 111;
/** Both sides have telephone-events, as Meta and nearly every PBX do: a relay need not listen for digits in the audio. */
const META_EVENTS = 126;
const PBX_EVENTS = 101;

export const credentials = () => ({ user: randomBytes(4).toString('hex'), password: randomBytes(12).toString('hex') });

/** Meta's form of an offer (`actpass`) or answer (`active`): ICE-lite, one candidate. */
export function metaDescription({ fingerprint, leg, own, setup }) {
  return lines([
    'v=0',
    'o=- 1 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=ice-lite',
    'a=group:BUNDLE audio',
    `m=audio ${leg.port} UDP/TLS/RTP/SAVPF ${OPUS_PAYLOAD_TYPE} ${META_EVENTS}`,
    `c=IN IP4 ${leg.address}`,
    `a=candidate:1 1 udp 2130706431 ${leg.address} ${leg.port} typ host`,
    `a=rtpmap:${OPUS_PAYLOAD_TYPE} opus/48000/2`,
    `a=fmtp:${OPUS_PAYLOAD_TYPE} minptime=20;useinbandfec=1`,
    `a=rtpmap:${META_EVENTS} telephone-event/8000`,
    ...security(fingerprint, own, setup),
    'a=mid:audio',
    'a=sendrecv',
    `a=ssrc:${leg.ssrc} cname:bench`,
    'a=ptime:20',
  ]);
}

/** An agent's answer to an ICE-lite relay: it checks, and starts DTLS. */
export function agentAnswer({ fingerprint, leg, own, payloadType }) {
  return plainDescription({
    leg,
    payloadType,
    format: 'opus/48000/2',
    protocol: 'UDP/TLS/RTP/SAVPF',
    more: [
      `a=candidate:1 1 UDP 2130706431 ${leg.address} ${leg.port} typ host`,
      ...security(fingerprint, own, 'active'),
    ],
  });
}

/** A PBX's side: one codec over RTP. */
export function plainDescription({ leg, payloadType, format, protocol = 'RTP/AVP', more = [] }) {
  return lines([
    'v=0',
    `o=- ${leg.port} 1 IN IP4 ${leg.address}`,
    's=-',
    `c=IN IP4 ${leg.address}`,
    't=0 0',
    `m=audio ${leg.port} ${protocol} ${payloadType} ${PBX_EVENTS}`,
    `a=rtpmap:${payloadType} ${format}`,
    `a=rtpmap:${PBX_EVENTS} telephone-event/8000`,
    `a=fmtp:${PBX_EVENTS} 0-16`,
    'a=ptime:20',
    'a=sendrecv',
    ...more,
  ]);
}

/** What of somebody's description is needed to send there. */
export function readDescription(sdp, format) {
  const find = (pattern) => pattern.exec(sdp)?.[1];
  const [name] = format.split('/');
  return {
    address: find(/^c=IN IP4 (\S+)/m),
    port: Number(find(/^m=audio (\d+)/m)),
    payloadType: Number(find(new RegExp(`^a=rtpmap:(\\d+) ${name}/`, 'im')) ?? NaN),
    credentials: { user: find(/^a=ice-ufrag:(\S+)/m), password: find(/^a=ice-pwd:(\S+)/m) },
  };
}

const security = (fingerprint, { user, password }, setup) => [
  `a=ice-ufrag:${user}`,
  `a=ice-pwd:${password}`,
  `a=fingerprint:sha-256 ${fingerprint}`,
  `a=setup:${setup}`,
  'a=rtcp-mux',
];

const lines = (all) => [...all, ''].join('\r\n');
