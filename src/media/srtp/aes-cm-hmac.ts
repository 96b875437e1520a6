import type { PacketTransform, SessionKeys } from './packet-transform.js';
import { srtpModule } from './srtp-module.js';

const rtcpHeaderBytes = 8;
const rtcpTagBytes = 10;
const indexBytes = 4;
const cycle = 0x1_0000;

/**
 * AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1): RTP has a tag of 80 or 32 bits, RTCP always one of 80
 * (RFC 4568 §6.2.2). A packet is worked on in the memory of a WebAssembly module that all sessions share; theirs is only the
 * state that is put beside it.
 */
export class AesCmHmac implements PacketTransform {
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
  readonly #module = srtpModule();
  readonly #rtp: Uint8Array;
  readonly #rtcp: Uint8Array;

  constructor(rtp: SessionKeys, rtcp: SessionKeys, rtpTagBytes: 4 | 10) {
    this.tagBytes = { rtp: rtpTagBytes, rtcp: rtcpTagBytes };
    this.overheadBytes = { rtp: rtpTagBytes, rtcp: indexBytes + rtcpTagBytes };
    this.#rtp = this.#module.stateOf(rtp);
    this.#rtcp = this.#module.stateOf(rtcp);
  }

  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer {
    const { run, sealed } = this.#put(this.#rtp, packet, false);
    const tagBytes = this.tagBytes.rtp;
    run.sealRtp(packet.length, headerBytes, ssrc, Math.floor(index / cycle), index & 0xffff, tagBytes);
    return sealed.of(packet.length + tagBytes);
  }

  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined {
    const { run, memory, openAt } = this.#put(this.#rtp, packet, true);
    const tagBytes = this.tagBytes.rtp;
    const end = packet.length - tagBytes;
    if (run.openRtp(end, headerBytes, ssrc, Math.floor(index / cycle), index & 0xffff, tagBytes) === 0)
      return undefined;
    memory.copy(packet, headerBytes, openAt + headerBytes, openAt + end);
    return packet.subarray(0, end);
  }

  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer {
    const { run, sealed } = this.#put(this.#rtcp, packet, false);
    run.sealRtcp(packet.length, rtcpHeaderBytes, ssrc, index, rtcpTagBytes);
    return sealed.of(packet.length + this.overheadBytes.rtcp);
  }

  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const { run, memory, openAt } = this.#put(this.#rtcp, packet, true);
    const end = packet.length - this.overheadBytes.rtcp;
    if (run.openRtcp(end, rtcpHeaderBytes, ssrc, index, rtcpTagBytes) === 0) return undefined;
    memory.copy(packet, rtcpHeaderBytes, openAt + rtcpHeaderBytes, openAt + end);
    return packet.subarray(0, end);
  }

  #put(state: Uint8Array, packet: Buffer, isToOpen: boolean): ReturnType<typeof srtpModule> {
    const module = this.#module;
    module.memory.set(state, module.stateAt);
    module.memory.set(packet, isToOpen ? module.openAt : module.sealAt);
    return module;
  }
}
