import type { PbxCodec } from '../routing/types.js';
import { isNullAddress } from '../sdp/media-address.js';
import { answerPbxOffer, buildPbxOffer, readPbxAnswer, type PbxLocal, type PbxMedia } from '../sdp/pbx-sdp.js';
import { SdpError } from '../sdp/sdp-error.js';
import type { MediaEndpointEvent, MediaStats, RtpEndpoint } from './media-engine.js';
import { MediaError } from './media-error.js';
import type { PacketTap, TappedEndpoint } from './packet-capture.js';
import type { PacketPort } from './packet-port.js';
import { RtpStream, type RtpStreamOptions } from './rtp-stream.js';
import type { SrtpPolicy } from '../sdp/srtp-negotiation.js';
import { SrtpKeyring } from './srtp/srtp-keyring.js';
import { SrtpSockets } from './srtp/srtp-sockets.js';

export interface UdpRtpEndpointOptions extends Omit<RtpStreamOptions, 'onEvent' | 'latch' | 'mayLearn'> {
  readonly id: string;
  /** Address that our SDP shows. */
  readonly address: string;
  /** Whether media may be sent to this address. */
  readonly maySendTo: (address: string) => boolean;
  /** Learn the PBX's address from its packets, for PBXs behind NAT; default: hold to its SDP. */
  readonly latch?: boolean;
  /** Absent: plain RTP only. */
  readonly srtp?: SrtpPolicy | undefined;
}

/** The PBX side of a call: offer and answer over one RTP stream, secured if that is agreed on. */
export class UdpRtpEndpoint implements RtpEndpoint, TappedEndpoint {
  readonly id: string;
  readonly #stream: RtpStream;
  readonly #sessionId: string;
  #sessionVersion = 1;
  #described: string | undefined;
  #codec: PbxCodec | undefined;
  readonly #srtp: { readonly keys: SrtpKeyring; readonly sockets: SrtpSockets } | undefined;
  #suite: string | undefined;
  #listener: ((event: MediaEndpointEvent) => void) | undefined;
  readonly #unheard: MediaEndpointEvent[] = [];
  #closing: Promise<void> | undefined;

  constructor(private readonly options: UdpRtpEndpointOptions) {
    this.id = options.id;
    // RFC 8866 §5.2 wants digits; 48 bits are exact in every reader's number type.
    this.#sessionId = String(Number.parseInt(options.ids.hex(6), 16));
    const { srtp, sockets, clock, ids } = options;
    this.#srtp = srtp && {
      keys: new SrtpKeyring(srtp, (bytes) => ids.hex(bytes)),
      sockets: new SrtpSockets(sockets, clock),
    };
    this.#stream = new RtpStream({
      ...options,
      sockets: this.#srtp?.sockets ?? sockets,
      latch: options.latch ?? false,
      mayLearn: options.maySendTo,
      onEvent: (event) => this.#report(event),
    });
  }

  get rtpPort(): number {
    return this.options.sockets.rtpPort;
  }

  /** Where the bridge takes hold. */
  get port(): PacketPort {
    return this.#stream;
  }

  /** Datagrams that came from elsewhere than the PBX's address. */
  get foreignPackets(): number {
    return this.#stream.foreignPackets;
  }

  /** Our side is the one that our SDP shows. */
  setTap(tap: PacketTap | undefined): void {
    const own = { address: this.options.address, port: this.rtpPort };
    const local = { rtp: own, rtcp: { ...own, port: own.port + 1 } };
    this.#stream.tap =
      tap &&
      ((packet, { address, port }, isOutgoing, ourPort) => {
        tap(packet, local[ourPort], { address, port }, isOutgoing);
      });
  }

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#unheard.splice(0)) listener(event);
  }

  createOffer(): Promise<string> {
    return attempt(() => this.#describe((local) => ({ sdp: buildPbxOffer(local), result: undefined })).sdp);
  }

  acceptAnswer(answer: string): Promise<void> {
    return attempt(() => this.#apply(readPbxAnswer(answer, this.#local())));
  }

  createAnswer(offer: string): Promise<string> {
    return attempt(() => {
      const answer = this.#describe((local) => {
        const { sdp, media } = answerPbxOffer(offer, local);
        this.#check(media);
        return { sdp, result: media };
      });
      this.#apply(answer.result);
      return answer.sdp;
    });
  }

  sendDtmf(digit: string, durationMs: number): void {
    this.#stream.sendDtmf(digit, durationMs);
  }

  stats(): Promise<MediaStats> {
    return Promise.resolve(this.#stream.stats());
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.options.logger.debug('PBX media closed', {
        ...this.#stream.stats(),
        ...this.#stream.details,
        ...this.#srtp?.sockets.refused,
      });
      this.#closing = this.#stream.close();
    }
    return this.#closing;
  }

  /** Our end of the session. The codec in use stays first, so that a later offer does not change it without need. */
  #local(): PbxLocal {
    const { address, sockets, codecs } = this.options;
    const current = this.#codec;
    return {
      address,
      port: sockets.rtpPort,
      codecs: current ? [current, ...codecs.filter((codec) => codec !== current)] : codecs,
      sessionId: this.#sessionId,
      sessionVersion: this.#sessionVersion,
      telephoneEvents: (this.options.dtmf ?? 'rfc4733') === 'rfc4733',
      srtp: this.#srtp?.keys.local,
    };
  }

  /** Counts the version up when the description differs from the last one, and only then (RFC 3264 §8). */
  #describe<T>(build: (local: PbxLocal) => { sdp: string; result: T }): { sdp: string; result: T } {
    let description = build(this.#local());
    if (this.#described !== undefined && description.sdp !== this.#described) {
      this.#sessionVersion++;
      description = build(this.#local());
    }
    this.#described = description.sdp;
    return description;
  }

  #apply(media: PbxMedia): void {
    this.#check(media);
    this.#codec = media.codec;
    this.#srtp?.keys.agree(media.srtp);
    this.#srtp?.sockets.agree(media.srtp);
    this.#stream.apply(media);
    const { codec, ptimeMs, direction } = media;
    const suite = media.srtp?.local.suite;
    this.options.logger.debug('PBX media agreed', { codec, ptimeMs, direction, srtp: suite });
    if (suite !== undefined && suite !== this.#suite) this.#report({ type: 'secured', suite });
    this.#suite = suite;
  }

  /** The address is the PBX's word only: it has to lie where the operator lets media go, or else one that does is learnt. */
  #check(media: PbxMedia): void {
    if (this.#closing) throw new MediaError('internal', 'the media endpoint is closed');
    const isHold = isNullAddress(media.address);
    if (!isHold && this.options.latch !== true && !this.options.maySendTo(media.address)) {
      throw new MediaError('not_allowed', 'media address is outside the networks of the trunk');
    }
  }

  #report(event: MediaEndpointEvent): void {
    if (this.#listener) this.#listener(event);
    else this.#unheard.push(event);
  }
}

/** Runs at once; an SDP error comes out as the media error that a leg understands. */
function attempt<T>(step: () => T): Promise<T> {
  try {
    return Promise.resolve(step());
  } catch (error) {
    if (error instanceof SdpError)
      return Promise.reject(new MediaError(error.endCode, error.message, { cause: error }));
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
