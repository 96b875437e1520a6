import type { PbxCodec } from '../routing/types.js';
import type { PbxMedia } from '../sdp/pbx-sdp.js';

/** What a packet carries, by its payload type. */
export const payloadKind = { unknown: 0, audio: 1, otherLaw: 2, event: 3, comfortNoise: 4 } as const;

/** Payload types that mean the same everywhere (RFC 3551 §6). */
const comfortNoise = 13;
const lawOf = { PCMU: 0, PCMA: 8 } as const;
const payloadTypes = 128;

/**
 * What the payload types of a stream mean. Either law of G.711 is understood when the trunk lists both: RFC 3264 §6.1 lets a
 * sender use any format of the answer, and some PBXs use the other law without asking. After another description the types of
 * the one before it are still understood where they mean nothing else now: packets are under way (RFC 3264 §8.3.2).
 */
export class PayloadTypes {
  readonly #kinds = new Uint8Array(payloadTypes);
  #current: PbxMedia | undefined;

  /** @param codecs those of the trunk */
  constructor(private readonly codecs: readonly PbxCodec[]) {}

  agree(media: PbxMedia): void {
    const former = this.#current;
    this.#current = media;
    this.#kinds.fill(payloadKind.unknown);
    if (former) this.#add(former, media.codec);
    this.#kinds[comfortNoise] = payloadKind.comfortNoise;
    const other = otherLaw(media.codec);
    if (other && this.codecs.includes(other)) this.#kinds[lawOf[other]] = payloadKind.otherLaw;
    this.#add(media, media.codec);
  }

  /** One of `payloadKind`. */
  kindOf(payloadType: number): number {
    return this.#kinds[payloadType] ?? payloadKind.unknown;
  }

  #add({ codec, payloadType, telephoneEventPayloadType: event }: PbxMedia, current: PbxCodec): void {
    if (event !== undefined) this.#kinds[event] = payloadKind.event;
    if (codec === current) this.#kinds[payloadType] = payloadKind.audio;
    else if (codec === otherLaw(current)) this.#kinds[payloadType] = payloadKind.otherLaw;
  }
}

function otherLaw(codec: PbxCodec): 'PCMA' | 'PCMU' | undefined {
  return codec === 'PCMA' ? 'PCMU' : codec === 'PCMU' ? 'PCMA' : undefined;
}
