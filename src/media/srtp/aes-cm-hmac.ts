import type { PacketTransform, SessionKeys } from './packet-transform.js';
import { srtpModule } from './srtp-module.js';

const rtcpHeaderBytes = 8;
const rtcpTagBytes = 10;
const indexBytes = 4;
const cycle = 0x1_0000;

interface Lengths {
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
}

const lengthsWith = (rtpTagBytes: number): Lengths => ({
  tagBytes: { rtp: rtpTagBytes, rtcp: rtcpTagBytes },
  overheadBytes: { rtp: rtpTagBytes, rtcp: indexBytes + rtcpTagBytes },
});
/** Once in the process, by the length of RTP's tag. */
const lengths = { 4: lengthsWith(4), 10: lengthsWith(10) };

/**
 * AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1): RTP has a tag of 80 or 32 bits, RTCP always one of 80
 * (RFC 4568 §6.2.2). A packet is worked on in the memory of a WebAssembly module that all sessions share; theirs is only the
 * state that is put beside it.
 */
export class AesCmHmac implements PacketTransform {
  readonly tagBytes: Lengths['tagBytes'];
  readonly overheadBytes: Lengths['overheadBytes'];
  readonly #module = srtpModule();
  readonly #rtp: Uint8Array;
  readonly #rtcp: Uint8Array;

  constructor(rtp: SessionKeys, rtcp: SessionKeys, rtpTagBytes: 4 | 10) {
    this.tagBytes = lengths[rtpTagBytes].tagBytes;
    this.overheadBytes = lengths[rtpTagBytes].overheadBytes;
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
    const { run, opened } = this.#put(this.#rtp, packet, true);
    const tagBytes = this.tagBytes.rtp;
    const end = packet.length - tagBytes;
    if (run.openRtp(end, headerBytes, ssrc, Math.floor(index / cycle), index & 0xffff, tagBytes) === 0)
      return undefined;
    return opened.of(end);
  }

  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer {
    const { run, sealed } = this.#put(this.#rtcp, packet, false);
    run.sealRtcp(packet.length, rtcpHeaderBytes, ssrc, index, rtcpTagBytes);
    return sealed.of(packet.length + this.overheadBytes.rtcp);
  }

  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const { run, opened } = this.#put(this.#rtcp, packet, true);
    const end = packet.length - this.overheadBytes.rtcp;
    if (run.openRtcp(end, rtcpHeaderBytes, ssrc, index, rtcpTagBytes) === 0) return undefined;
    return opened.of(end);
  }

  #put(state: Uint8Array, packet: Buffer, isToOpen: boolean): ReturnType<typeof srtpModule> {
    const module = this.#module;
    module.memory.set(state, module.stateAt);
    module.memory.set(packet, isToOpen ? module.openAt : module.sealAt);
    return module;
  }
}
