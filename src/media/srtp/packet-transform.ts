/**
 * How packets of one direction are encrypted and authenticated. `index` is the packet index of RFC 3711 §3.3.1 (48 bits) for
 * RTP, the SRTCP index (31 bits) for RTCP. What does not authenticate is undefined, and its bytes are as they were; what does
 * may have been decrypted in place. What was sealed or opened is only good until the next packet is, of whatever session: it is
 * sent, or done with, at once.
 */
export interface PacketTransform {
  /** Bytes of the tag that stands after an MKI, for RTP and for RTCP. */
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  /** Bytes that a sealed packet is longer by. */
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer;
  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined;
  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer;
  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined;
}

/** Keys of one protocol of one direction. */
export interface SessionKeys {
  readonly key: Buffer;
  readonly salt: Buffer;
  /** Unused by AEAD. */
  readonly authKey: Buffer;
}
