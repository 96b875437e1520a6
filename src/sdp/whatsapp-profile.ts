import type { MediaDescription, SessionDescription } from 'sdp-transform';
import { pbxFormats } from './audio-formats.js';
import { writeSdp } from './sdp-text.js';
import type { WhatsAppCodec, WhatsAppFormat, WhatsAppRemote } from './whatsapp-remote.js';

/** What our side of a WhatsApp call says about itself. */
export interface WhatsAppLocal {
  /** Digits of the `o=` line. */
  readonly sessionId: string;
  readonly ice: { readonly usernameFragment: string; readonly password: string };
  /** SHA-256 of our certificate, upper-case hex pairs with colons. */
  readonly fingerprint: string;
  /** The one SSRC of the whole call. */
  readonly ssrc: number;
  readonly cname: string;
}

/** Parts of a description in which offers and answers differ. */
interface Agreed {
  readonly setup: 'actpass' | 'active' | 'passive';
  readonly mid: string;
  /** The most wanted first. */
  readonly formats: readonly Pick<WhatsAppFormat, 'codec' | 'payloadType'>[];
  readonly telephoneEventPayloadType: number | undefined;
}

/** Meta's rule: 20 ms, no other packet length. */
const ptimeMs = 20;
const trackName = 'audio0';

/**
 * Our offer in the form Meta accepts: one audio section, `codecs` (Opus alone unless the number's settings have more) and
 * telephone-event/8000, `actpass`, one SHA-256 fingerprint, no candidates (Meta is ICE-lite and learns our address from our
 * checks), no header extensions, no RTCP feedback.
 */
export function writeWhatsAppOffer(local: WhatsAppLocal, codecs: readonly WhatsAppCodec[] = ['opus']): string {
  const offered = codecs.map((codec) => ({ codec, payloadType: pbxFormats[codec].payloadType }));
  return writeSdp(description(local, { setup: 'actpass', mid: '0', formats: offered, telephoneEventPayloadType: 126 }));
}

/** Our answer to Meta's offer, which holds the formats that are to be used: its payload types and mid are kept, the DTLS role is the one opposite to `remote.setup`. */
export function writeWhatsAppAnswer(local: WhatsAppLocal, remote: WhatsAppRemote): string {
  return writeSdp(description(local, { ...remote, setup: answerSetup(remote.setup) }));
}

/** RFC 5763 §5: `active` unless the offer claims that role itself. Meta offers `actpass` and wants `active`. */
export function answerSetup(theirs: WhatsAppRemote['setup']): 'active' | 'passive' {
  return theirs === 'active' ? 'passive' : 'active';
}

/** Whether we are the DTLS client once `answer` came to our `actpass`; an answer of `actpass` leaves the choice to us. */
export function isClientAfterAnswer(answer: WhatsAppRemote['setup']): boolean {
  return answer !== 'active';
}

function description(local: WhatsAppLocal, agreed: Agreed): SessionDescription {
  const anyAddress = '0.0.0.0';
  return {
    version: 0,
    origin: {
      username: '-',
      sessionId: local.sessionId,
      sessionVersion: 2,
      netType: 'IN',
      ipVer: 4,
      address: '127.0.0.1',
    },
    name: '-',
    timing: { start: 0, stop: 0 },
    groups: [{ type: 'BUNDLE', mids: agreed.mid }],
    msidSemantic: { semantic: 'WMS', token: local.cname },
    media: [
      {
        type: 'audio',
        port: 9,
        protocol: 'UDP/TLS/RTP/SAVPF',
        ...formats(agreed),
        connection: { version: 4, ip: anyAddress },
        rtcp: { port: 9, netType: 'IN', ipVer: 4, address: anyAddress },
        iceUfrag: local.ice.usernameFragment,
        icePwd: local.ice.password,
        fingerprint: { type: 'sha-256', hash: local.fingerprint },
        setup: agreed.setup,
        mid: agreed.mid,
        direction: 'sendrecv',
        msid: [{ id: local.cname, appdata: trackName }],
        rtcpMux: 'rtcp-mux',
        ptime: ptimeMs,
        maxptime: ptimeMs,
        ssrcs: [
          { id: local.ssrc, attribute: 'cname', value: local.cname },
          { id: local.ssrc, attribute: 'msid', value: `${local.cname} ${trackName}` },
        ],
      },
    ],
  };
}

function formats(agreed: Agreed): Pick<MediaDescription, 'payloads' | 'rtp' | 'fmtp'> {
  const event = agreed.telephoneEventPayloadType;
  const audio = agreed.formats.map(({ codec, payloadType }) => {
    const { name, clockRate, channels } = pbxFormats[codec];
    return { payload: payloadType, codec: name, rate: clockRate, ...(channels > 1 ? { encoding: channels } : {}) };
  });
  const rtp = [...audio, ...(event === undefined ? [] : [{ payload: event, codec: 'telephone-event', rate: 8000 }])];
  return {
    payloads: rtp.map(({ payload }) => payload).join(' '),
    rtp,
    fmtp: agreed.formats.flatMap(({ codec, payloadType }) =>
      codec === 'opus' ? [{ payload: payloadType, config: 'minptime=10;useinbandfec=1' }] : [],
    ),
  };
}
