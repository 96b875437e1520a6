import * as sdpTransform from 'sdp-transform';
import type { G711Law } from '../audio/g711.js';
import type { RtpRemote } from './rtp-stream.js';

const PAYLOAD_TYPES: Readonly<Record<G711Law, number>> = { PCMA: 8, PCMU: 0 };
const EVENT_PAYLOAD_TYPE = 101;

type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

interface Described {
  readonly host: string;
  readonly port: number;
  readonly codecs: readonly G711Law[];
  readonly eventPayloadType: number | undefined;
  readonly direction: Direction;
}

function describe({ host, port, codecs, eventPayloadType, direction }: Described): string {
  const audio = codecs.map((law) => ({ payload: PAYLOAD_TYPES[law], codec: law, rate: 8000 }));
  const events =
    eventPayloadType === undefined ? [] : [{ payload: eventPayloadType, codec: 'telephone-event', rate: 8000 }];
  const rtp = [...audio, ...events];
  return sdpTransform.write({
    version: 0,
    origin: { username: '-', sessionId: Date.now(), sessionVersion: 1, netType: 'IN', ipVer: 4, address: host },
    name: 'sandbox-pbx',
    connection: { version: 4, ip: host },
    timing: { start: 0, stop: 0 },
    media: [
      {
        type: 'audio',
        port,
        protocol: 'RTP/AVP',
        payloads: rtp.map(({ payload }) => payload).join(' '),
        rtp,
        fmtp: events.map(({ payload }) => ({ payload, config: '0-15' })),
        ptime: 20,
        direction,
      },
    ],
  });
}

/** The PBX's offer. */
export function pbxOffer(host: string, port: number, codecs: readonly G711Law[]): string {
  return describe({ host, port, codecs, eventPayloadType: EVENT_PAYLOAD_TYPE, direction: 'sendrecv' });
}

interface Remote {
  readonly remote: Omit<RtpRemote, 'law' | 'payloadType'>;
  readonly codecs: readonly G711Law[];
  readonly direction: Direction;
}

function lawOf(payload: number): G711Law | undefined {
  return payload === 8 ? 'PCMA' : payload === 0 ? 'PCMU' : undefined;
}

function read(sdp: string): Remote | undefined {
  const session = sdpTransform.parse(sdp);
  const media = session.media.find(({ type, port }) => type === 'audio' && port !== 0);
  const host = media?.connection?.ip ?? session.connection?.ip;
  if (!media || host === undefined) return undefined;
  const payloads = sdpTransform.parsePayloads(media.payloads ?? '');
  const events = media.rtp.find(({ codec, rate }) => codec.toLowerCase() === 'telephone-event' && rate === 8000);
  const direction = media.direction ?? 'sendrecv';
  const silent = direction === 'sendonly' || direction === 'inactive' || host === '0.0.0.0';
  return {
    remote: { host, port: media.port, eventPayloadType: events?.payload, silent },
    codecs: payloads.flatMap((payload) => lawOf(payload) ?? []),
    direction,
  };
}

function remoteWith(remote: Remote, law: G711Law): RtpRemote {
  return { ...remote.remote, law, payloadType: PAYLOAD_TYPES[law] };
}

/** What the far end's answer says; undefined if it left us no codec. */
export function readAnswer(sdp: string): RtpRemote | undefined {
  const remote = read(sdp);
  const law = remote?.codecs[0];
  return remote && law ? remoteWith(remote, law) : undefined;
}

const MIRROR: Readonly<Record<Direction, Direction>> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

/** Our answer to an offer, by our own order of codecs; undefined if none fits (488). */
export function answerTo(
  offer: string,
  host: string,
  port: number,
  codecs: readonly G711Law[],
): { readonly sdp: string; readonly remote: RtpRemote } | undefined {
  const remote = read(offer);
  const law = codecs.find((wanted) => remote?.codecs.includes(wanted));
  if (!remote || !law) return undefined;
  const { eventPayloadType } = remote.remote;
  const direction = MIRROR[remote.direction];
  return { sdp: describe({ host, port, codecs: [law], eventPayloadType, direction }), remote: remoteWith(remote, law) };
}
