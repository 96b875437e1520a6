import type { WhatsAppCodec } from '../sdp/whatsapp-remote.js';
import { alawEncodeTable, ulawEncodeTable } from './g711.js';
import { silenceFrame } from './webrtc-beat.js';

const g711FrameOctets = 160;

/** 20 ms of silence in each codec of the WhatsApp side. */
export const silenceFrames: Readonly<Record<WhatsAppCodec, Uint8Array>> = {
  opus: silenceFrame,
  PCMA: new Uint8Array(g711FrameOctets).fill(alawEncodeTable[0] ?? 0),
  PCMU: new Uint8Array(g711FrameOctets).fill(ulawEncodeTable[0] ?? 0),
};
