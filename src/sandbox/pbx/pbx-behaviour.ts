import type { Pcm } from '../audio/pcm.js';

/** How the PBX answers. */
export interface PbxAnswer {
  readonly do: 'answer';
  readonly afterMs?: number;
  readonly ring?: boolean;
  /** Spoken from the first RTP packet after the 200 on. */
  readonly says?: Pcm;
  /** Plays back what it hears whenever it says nothing. */
  readonly echo?: boolean;
  /** Early media: 183 with SDP in place of 180, and this is played until the answer. */
  readonly early?: Pcm;
  /** The 200 has no SDP: the answer was in the 183 already. */
  readonly bare?: boolean;
}

/** What the PBX does with a call that comes in. */
export type PbxBehaviour =
  | PbxAnswer
  | { readonly do: 'refuse'; readonly status: number; readonly reason: string; readonly afterMs?: number }
  /** Rings and never answers. */
  | { readonly do: 'ring' }
  /** Not even 100 Trying. */
  | { readonly do: 'silent' };
