import { randomBytes, randomUUID } from 'node:crypto';
import { isIPv4 } from 'node:net';
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

/** What the relay speaks beside Opus: the number's `audio.additional_codecs`. */
export type AdditionalCodecs = readonly string[];

/** Keeps only Opus, telephone-event/8000 and the additional ones of the codecs, under the payload types they have. */
function keepCodecs(media: Media, additional: AdditionalCodecs): void {
  const kept = media.rtp.filter(
    ({ codec, rate }) =>
      (/^opus$/i.test(codec) && rate === 48_000) ||
      (rate === 8000 && (/^telephone-event$/i.test(codec) || additional.includes(codec.toUpperCase()))),
  );
  const numbers = new Set(kept.map(({ payload }) => payload));
  media.rtp = kept;
  media.fmtp = media.fmtp.filter(({ payload }) => numbers.has(payload));
  media.rtcpFb = (media.rtcpFb ?? []).filter(({ payload }) => numbers.has(Number(payload)));
  media.payloads = [...numbers].join(' ');
}

/**
 * libwebrtc's own offer, edited before libwebrtc is given it back as local description: `mid:audio` as in Meta's offers,
 * Opus, telephone-event/8000 and the additional codecs alone, and `ice-lite`. libwebrtc has no lite mode, but a local description that claims
 * it makes the stack take the controlled role from the first check on, as Meta does (RFC 8445 §6.1.1), so that no
 * role conflict (487) arises.
 */
export function prepareLocalOffer(offer: string, additional: AdditionalCodecs = []): string {
  const session = sdpTransform.parse(offer);
  const audio = audioOf(session);
  keepCodecs(audio, additional);
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

/** Which of the gathered addresses are shown: this machine's loopback alone, or all that are IPv4. */
export type ShownAddresses = 'loopback' | 'every';

/** UDP host candidates; the first one's port is the media port (everything is muxed on it). */
function nameAddresses(audio: Media, shown: ShownAddresses): void {
  const candidates = (audio.candidates ?? []).filter(
    ({ ip, transport, component, type }) =>
      component === 1 &&
      transport.toLowerCase() === 'udp' &&
      (shown === 'loopback' ? ip === LOOPBACK : type === 'host' && isIPv4(ip)),
  );
  const [first] = shown === 'loopback' ? candidates.slice(0, 1) : candidates;
  if (!first) throw new TypeError(noCandidate[shown]);
  audio.port = first.port;
  audio.connection = { version: 4, ip: first.ip };
  audio.rtcp = { port: 9, netType: 'IN', ipVer: 4, address: '0.0.0.0' };
  audio.candidates = (shown === 'loopback' ? [first] : candidates).map(({ foundation, ip, port }, place) => ({
    foundation,
    component: 1,
    transport: 'udp',
    priority: 2_113_937_151 - place,
    ip,
    port,
    type: 'host',
    generation: 0,
    'network-cost': 50,
  }));
  delete audio.endOfCandidates;
}

const noCandidate: Readonly<Record<ShownAddresses, string>> = {
  loopback: 'libwebrtc gathered no UDP candidate on 127.0.0.1',
  every: 'the browser shows no address of its own: it does so only once it may use the microphone',
};

/**
 * libwebrtc's gathered description in the form of Meta's samples: ICE-lite, one host candidate (on loopback, or every one there is),
 * `rtcp:9`, three header extensions, sources named in Meta's way. What was negotiated stays as it is.
 */
export function toMetaForm(
  description: string,
  shown: ShownAddresses = 'loopback',
  additional: AdditionalCodecs = [],
): string {
  const session = sdpTransform.parse(description);
  const audio = audioOf(session);
  keepCodecs(audio, additional);
  session.icelite = 'ice-lite';
  nameAddresses(audio, shown);
  nameSources(session, audio);
  const fmtp = audio.fmtp.find(({ payload }) => payload === OPUS);
  if (fmtp) fmtp.config = 'minptime=10;useinbandfec=1';
  audio.ext = (audio.ext ?? []).filter(({ uri }) => HEADER_EXTENSIONS.includes(uri));
  const text = sdpTransform.write(session);
  // Meta ends its candidates with the user fragment, an attribute sdp-transform does not write.
  return text.replace(/^(a=candidate:.*)$/gm, (line) => `${line} ufrag ${audio.iceUfrag ?? ''}`);
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
