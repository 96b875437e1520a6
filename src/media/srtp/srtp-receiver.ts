import type { SrtpKey } from '../../sdp/sdes.js';
import { rtpHeaderLength, sequenceDelta, uint16At, uint32At } from '../rtp-packet.js';
import { ReplayWindow } from './replay-window.js';
import type { PacketTransform } from './packet-transform.js';
import { srtpTransform } from './srtp-transform.js';

/** Streams of one peer that are followed at once: a PBX that keeps changing its SSRC must neither fall silent nor fill memory. */
const maxStreams = 8;
const cycle = 0x1_0000;
const rtcpHeaderBytes = 8;
const encryptedFlag = 0x80;

/** Packets thrown away, by why. */
export interface SrtpRefusals {
  /** Not made with the peer's key: forged, damaged, not encrypted, or of a key that is not known yet. */
  unauthentic: number;
  /** Received before, or too old to tell. */
  replayed: number;
}

/** Decrypts what a peer makes with one master key: RTP and RTCP, each SSRC with a rollover counter and replay window of its own. */
export class SrtpReceiver {
  readonly #transform: PacketTransform;
  readonly #mki: Buffer;
  readonly #rtp = new Streams();
  readonly #rtcp = new Streams();

  constructor(
    readonly key: SrtpKey,
    private readonly refused: SrtpRefusals,
  ) {
    this.#transform = srtpTransform(key);
    this.#mki = key.mki;
  }

  /**
   * The RTP packet in a datagram, which may be decrypted in place; undefined if it must not be delivered. Only good until another
   * one is opened. Never throws.
   */
  openRtp(datagram: Buffer): Buffer | undefined {
    const { overheadBytes, tagBytes } = this.#transform;
    const headerBytes = rtpHeaderLength(datagram);
    const packet = this.#withoutMki(datagram, tagBytes.rtp);
    if (!packet || headerBytes + overheadBytes.rtp > packet.length) return this.#unauthentic();
    const ssrc = uint32At(packet, 8);
    const window = this.#rtp.of(ssrc);
    if (window) return this.#openKnown(packet, headerBytes, ssrc, window);
    // A stream whose beginning was missed may have wrapped once before its first packet here.
    const sequence = uint16At(packet, 2);
    for (const index of [sequence, sequence + cycle]) {
      const opened = this.#transform.openRtp(packet, headerBytes, ssrc, index);
      if (opened) {
        this.#rtp.follow(ssrc).accept(index);
        return opened;
      }
    }
    return this.#unauthentic();
  }

  /** The same for RTCP. What is authenticated but not encrypted is refused: UNENCRYPTED_SRTCP is never agreed on. */
  openRtcp(datagram: Buffer): Buffer | undefined {
    const { overheadBytes, tagBytes } = this.#transform;
    const packet = this.#withoutMki(datagram, tagBytes.rtcp);
    if (!packet || rtcpHeaderBytes + overheadBytes.rtcp > packet.length) return this.#unauthentic();
    const trailer = packet.length - tagBytes.rtcp - 4;
    if (((packet[trailer] ?? 0) & encryptedFlag) === 0) return this.#unauthentic();
    const [ssrc, index] = [uint32At(packet, 4), uint32At(packet, trailer) & 0x7fff_ffff];
    if (this.#rtcp.of(ssrc)?.isNew(index) === false) return this.#replayed();
    const opened = this.#transform.openRtcp(packet, ssrc, index);
    if (!opened) return this.#unauthentic();
    this.#rtcp.follow(ssrc).accept(index);
    return opened;
  }

  /** The index is the one nearest to the highest seen (RFC 3711 §3.3.1). */
  #openKnown(packet: Buffer, headerBytes: number, ssrc: number, window: ReplayWindow): Buffer | undefined {
    const index = window.highest + sequenceDelta(window.highest % cycle, uint16At(packet, 2));
    if (index < 0 || !window.isNew(index)) return this.#replayed();
    const opened = this.#transform.openRtp(packet, headerBytes, ssrc, index);
    if (!opened) return this.#unauthentic();
    this.#rtp.follow(ssrc).accept(index);
    return opened;
  }

  /** An MKI stands between the packet and its tag (RFC 3711 §3.1); a packet with another one is of another key. */
  #withoutMki(datagram: Buffer, tagBytes: number): Buffer | undefined {
    const mki = this.#mki;
    if (mki.length === 0) return datagram;
    const end = datagram.length - tagBytes;
    const start = end - mki.length;
    if (start < 0 || !datagram.subarray(start, end).equals(mki)) return undefined;
    return Buffer.concat([datagram.subarray(0, start), datagram.subarray(end)]);
  }

  #unauthentic(): undefined {
    this.refused.unauthentic++;
  }

  #replayed(): undefined {
    this.refused.replayed++;
  }
}

/** Replay windows by SSRC; the one that was silent longest makes room. Only authentic packets open one. */
class Streams {
  readonly #windows = new Map<number, ReplayWindow>();
  #lastSsrc = -1;
  #last: ReplayWindow | undefined;

  of(ssrc: number): ReplayWindow | undefined {
    return ssrc === this.#lastSsrc ? this.#last : this.#windows.get(ssrc);
  }

  /** The window of this SSRC, which becomes the last one heard. */
  follow(ssrc: number): ReplayWindow {
    if (ssrc === this.#lastSsrc && this.#last) return this.#last;
    const window = this.#windows.get(ssrc) ?? new ReplayWindow();
    this.#windows.delete(ssrc);
    this.#windows.set(ssrc, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > maxStreams && oldest !== undefined) this.#windows.delete(oldest);
    this.#lastSsrc = ssrc;
    this.#last = window;
    return window;
  }
}
