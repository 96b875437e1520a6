import { createOpusCodec } from '../../../src/media/opus-codec.js';
import { toG711, ToneSource } from '../tones.js';

/** What the user says, and what the telephone system's phone does. */
export const userHz = 1300;
export const pbxHz = 700;
const amplitude = 8000;
/** A whole number of both tones' periods, so that frames can follow each other for ever. */
const frames = 50;

const pbxTone = new ToneSource(pbxHz, amplitude);
/** The user's tone in Opus. */
export const userTone = codedTone(userHz);
/** The phone's in A-law, and in Opus for a PBX that speaks it. */
export const pbxFrames = Array.from({ length: frames }, () => toG711('PCMA', pbxTone.next(160)));

function codedTone(hz: number): readonly Uint8Array[] {
  const encoder = createOpusCodec('wasm').createEncoder(8000, 160);
  const tone = new ToneSource(hz, amplitude);
  return Array.from({ length: frames }, () => Uint8Array.from(encoder.encode(tone.next(160))));
}
