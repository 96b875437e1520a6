import { randomBytes, randomUUID } from 'node:crypto';
import * as sdpTransform from 'sdp-transform';

type Session = sdpTransform.SessionDescription;
type Media = Session['media'][number];

const LOOPBACK = '127.0.0.1';
/** Payload type of Opus in the samples. */
const OPUS = 111;
const HEADER_EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
];

function audioOf(session: Session): Media {
  const audio = session.media[0];
  if (!audio) throw new TypeError('SDP without media');
  return audio;
}

/** Keeps only Opus and telephone-event/8000 of the codecs, under the payload types they have. */
function keepCodecs(media: Media): void {
  const kept = media.rtp.filter(
    ({ codec, rate }) =>
      (/^opus$/i.test(codec) && rate === 48_000) || (/^telephone-event$/i.test(codec) && rate === 8000),
  );
  const numbers = new Set(kept.map(({ payload }) => payload));
  media.rtp = kept;
  media.fmtp = media.fmtp.filter(({ payload }) => numbers.has(payload));
  media.rtcpFb = (media.rtcpFb ?? []).filter(({ payload }) => numbers.has(Number(payload)));
  media.payloads = [...numbers].join(' ');
}

/**
 * libwebrtc's own offer, edited before libwebrtc is given it back as local description: `mid:audio` as in Meta's offers,
 * Opus and telephone-event/8000 alone, and `ice-lite`. libwebrtc has no lite mode, but a local description that claims
 * it makes the stack take the controlled role from the first check on, as Meta does (RFC 8445 §6.1.1), so that no
 * role conflict (487) arises.
 */
export function prepareLocalOffer(offer: string): string {
  const session = sdpTransform.parse(offer);
  const audio = audioOf(session);
  keepCodecs(audio);
  audio.mid = 'audio';
  session.groups = [{ type: 'BUNDLE', mids: 'audio' }];
  session.icelite = 'ice-lite';
  delete audio.iceOptions;
  delete session.extmapAllowMixed;
  return sdpTransform.write(session);
}

/** Meta names stream and track like this in its `a=ssrc` lines, and writes no `a=msid`. */
function nameSources(session: Session, audio: Media): void {
  const id = audio.ssrcs?.[0]?.id;
  const cname = audio.ssrcs?.find(({ attribute }) => attribute === 'cname')?.value;
  const stream = randomUUID();
  const track = `audio#${randomBytes(9).toString('base64url').slice(0, 11)}`;
  session.msidSemantic = { semantic: 'WMS', token: stream };
  delete audio.msid;
  if (id === undefined) return;
  audio.ssrcs = [
    { id, attribute: 'cname', value: cname ?? randomBytes(12).toString('base64') },
    { id, attribute: 'msid', value: `${stream} ${track}` },
    { id, attribute: 'mslabel', value: stream },
    { id, attribute: 'label', value: track },
  ];
}

/** One UDP candidate on loopback; its port is the media port (everything is muxed on it). */
function nameAddress(audio: Media): void {
  const local = (audio.candidates ?? []).find(
    ({ ip, transport, component }) => ip === LOOPBACK && component === 1 && transport.toLowerCase() === 'udp',
  );
  if (!local) throw new TypeError('libwebrtc gathered no UDP candidate on 127.0.0.1');
  audio.port = local.port;
  audio.connection = { version: 4, ip: LOOPBACK };
  audio.rtcp = { port: 9, netType: 'IN', ipVer: 4, address: '0.0.0.0' };
  audio.candidates = [
    {
      foundation: local.foundation,
      component: 1,
      transport: 'udp',
      priority: 2_113_937_151,
      ip: LOOPBACK,
      port: local.port,
      type: 'host',
      generation: 0,
      'network-cost': 50,
    },
  ];
  delete audio.endOfCandidates;
}

/**
 * libwebrtc's gathered description in the form of Meta's samples: ICE-lite, one host candidate (here on loopback),
 * `rtcp:9`, three header extensions, sources named in Meta's way. What was negotiated stays as it is.
 */
export function toMetaForm(description: string): string {
  const session = sdpTransform.parse(description);
  const audio = audioOf(session);
  keepCodecs(audio);
  session.icelite = 'ice-lite';
  nameAddress(audio);
  nameSources(session, audio);
  const fmtp = audio.fmtp.find(({ payload }) => payload === OPUS);
  if (fmtp) fmtp.config = 'minptime=10;useinbandfec=1';
  audio.ext = (audio.ext ?? []).filter(({ uri }) => HEADER_EXTENSIONS.includes(uri));
  const text = sdpTransform.write(session);
  // Meta ends its candidates with the user fragment, an attribute sdp-transform does not write.
  return text.replace(/^(a=candidate:.*)$/m, (line) => `${line} ufrag ${audio.iceUfrag ?? ''}`);
}

/**
 * What the business sent, as libwebrtc may see it. Candidates are taken out: Meta learns the business's address from
 * its checks alone, and an address in an SDP must never make the sandbox send to it.
 */
export function fromBusiness(description: string): string {
  const session = sdpTransform.parse(description);
  for (const media of session.media) {
    delete media.candidates;
    delete media.endOfCandidates;
    delete media.remoteCandidates;
    media.connection = { version: 4, ip: '0.0.0.0' };
  }
  return sdpTransform.write(session);
}
