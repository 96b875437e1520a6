import type { MediaBridge } from '../call/media-bridge.js';
import type { EndReason } from '../call/end-reason.js';
import type { LegQuality, QualityReport } from '../call/media-quality.js';
import type { CallId } from '../lib/ids.js';
import type { PbxCodec, SrtpSuite } from '../routing/types.js';
import type { SrtpPolicy } from '../sdp/srtp-negotiation.js';

/** What one endpoint has seen so far. */
export interface MediaStats {
  readonly codec: string;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly packetsLost: number;
  /** Interarrival jitter in milliseconds (RFC 3550 §6.4.1). */
  readonly jitterMs: number;
  /** Between us and the far end, in milliseconds, by its last report; absent before. */
  readonly roundTripMs?: number;
  /** Share of our packets that the far end's last report says were lost on the way: 0 to 1; absent before. */
  readonly lossSeenByPeer?: number;
  /** The whole call so far. */
  readonly quality?: LegQuality;
}

/** How keys travel between us and a PBX. */
export type DtmfMode = 'rfc4733' | 'info' | 'inband';

/** Something wrong with a leg's media that ends nothing by itself; `isOver` when it has mended. */
export interface MediaTrouble {
  readonly kind:
    /** Audio flows in one direction alone: none comes from this endpoint (F-31). */
    | 'one_way_audio'
    /** Neither RTP nor RTCP comes from this endpoint: its peer may be dead. */
    | 'peer_silent'
    /** No first packet, or none for too long: the call is being ended (F-29, F-30). */
    | 'first_timeout'
    | 'idle_timeout'
    /** DTLS was closed in the call, by the peer or a stranger (F-28). */
    | 'dtls_closed'
    /** The peer said RTCP BYE: the limit of silence is a short one now. */
    | 'bye'
    /** Digits for this endpoint came faster than they can be played, and some were dropped. Told once. */
    | 'digits_dropped';
  readonly isOver?: boolean;
  readonly silentMs?: number;
}

export type MediaEndpointEvent =
  | { readonly type: 'ice_connected' }
  | { readonly type: 'dtls_connected' }
  | { readonly type: 'first_packet' }
  /** SRTP was agreed on with the PBX, for the first time or with another suite. */
  | { readonly type: 'secured'; readonly suite: SrtpSuite }
  /** A key for the PBX that its trunk is told of by INFO. */
  | { readonly type: 'dtmf'; readonly digit: string; readonly durationMs: number }
  /** Every 5 s while media flows, and once at the end. */
  | { readonly type: 'quality'; readonly report: QualityReport; readonly total: LegQuality }
  | { readonly type: 'trouble'; readonly trouble: MediaTrouble }
  /** ICE or DTLS failed, or the peer is gone for good. */
  | { readonly type: 'failed'; readonly reason: EndReason };

/** One leg's media, wherever it lives: every method may cross a process boundary. */
export interface MediaEndpoint {
  readonly id: string;
  /** Sets the one receiver of this endpoint's events. */
  listen(listener: (event: MediaEndpointEvent) => void): void;
  stats(): Promise<MediaStats>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The WhatsApp side: ICE, DTLS-SRTP, Opus or G.711. SDP texts are what is exchanged with Meta. */
export interface WebRtcEndpoint extends MediaEndpoint {
  /** Answers Meta's offer with `setup:active`. Nothing is sent before `start`. @throws MediaError if the offer is unusable. */
  createAnswer(offer: string): Promise<string>;
  /** Our offer, `setup:actpass`, without candidates. */
  createOffer(): Promise<string>;
  /** Applies Meta's answer to our offer and starts ICE and DTLS. @throws MediaError if the answer is unusable. */
  acceptAnswer(answer: string): Promise<void>;
  /** Starts ICE and DTLS after `createAnswer`: once Meta knows our answer (pre_accept or accept returned 200). Idempotent. */
  start(): Promise<void>;
  /** RTP may flow to Meta from now on (accept returned 200; ACCEPTED): at once, every 20 ms, silence if need be. Idempotent. */
  openSending(): void;
}

/** The PBX side: RTP, or SRTP with keys in the SDP (RFC 4568), with G.711. */
export interface RtpEndpoint extends MediaEndpoint {
  /** The even port that its RTP comes to; its RTCP comes to the one above. */
  readonly rtpPort: number;
  /** Our offer: the endpoint's codecs in order, telephone-event, ptime 20. */
  createOffer(): Promise<string>;
  /** Applies the PBX's answer. @throws MediaError (`no_codec` and the like) if it is unusable. */
  acceptAnswer(answer: string): Promise<void>;
  /** Answers the PBX's offer, also a later one in the same dialog (hold, refresh). @throws MediaError if nothing in it is usable. */
  createAnswer(offer: string): Promise<string>;
  /** Plays a DTMF digit to the PBX, in the way its trunk takes them. */
  sendDtmf(digit: string, durationMs: number): void;
}

export interface WebRtcEndpointOptions {
  readonly call: CallId;
  /** Codecs that Meta takes of the number beside Opus (`audio.additional_codecs`); absent: none. */
  readonly additionalCodecs?: readonly PbxCodec[];
  /** Of the trunk that the call goes to, the best first: what its PBX will speak as far as that is not agreed on yet. */
  readonly trunkCodecs?: readonly PbxCodec[];
}

export interface RtpEndpointOptions {
  readonly call: CallId;
  readonly codecs: readonly PbxCodec[];
  /** Address that the SDP shows and the socket binds when `media.listen_ip` is a wildcard: the local address the PBX is reached from. */
  readonly localAddress?: string;
  /** Where media may be sent: CIDRs. Anything else is refused as `no_codec`/`not_allowed` before a packet leaves. */
  readonly remoteNetworks: readonly string[];
  /** Learn from where its packets come, within `remoteNetworks`, where the PBX is: for one behind address translation. */
  readonly symmetricRtp?: boolean;
  /** Absent: plain RTP only. */
  readonly srtp?: SrtpPolicy;
  /** Absent: RFC 4733, and tones in the audio with a PBX that negotiates no telephone-events. */
  readonly dtmf?: DtmfMode;
}

/** The media plane as signalling sees it: no packet ever crosses this port. */
export interface MediaEngine {
  /** Binds nothing yet; warms up codecs and the DTLS certificate. */
  start(): Promise<void>;
  /** Closes every endpoint. */
  stop(): Promise<void>;
  createWebRtcEndpoint(options: WebRtcEndpointOptions): Promise<WebRtcEndpoint>;
  createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint>;
  /** The bridge of one call; joins endpoints made by this engine. */
  createBridge(call: CallId): MediaBridge;
}
