/** Frames that were decoded from one codec and coded as another, since the start. */
export interface TranscodedFrames {
  readonly from: string;
  readonly to: string;
  readonly frames: number;
}

/** What an engine uses at the moment, and has done so far. */
export interface MediaUsage {
  /** UDP ports that are bound towards PBXs, RTCP's included. */
  readonly rtpPorts: number;
  /** UDP ports that are bound towards WhatsApp. */
  readonly webrtcPorts: number;
  readonly transcoded: readonly TranscodedFrames[];
}

export const noUsage: MediaUsage = { rtpPorts: 0, webrtcPorts: 0, transcoded: [] };

/** A count that its path adds to: looked up once for each stream, never for a packet. */
export interface FrameCount {
  frames: number;
}

/** Counts what is transcoded, by the two codecs. */
export class TranscodeTally {
  readonly #counts = new Map<string, FrameCount & { readonly from: string; readonly to: string }>();

  of(from: string, to: string): FrameCount {
    const key = `${from} ${to}`;
    const known = this.#counts.get(key) ?? { from, to, frames: 0 };
    this.#counts.set(key, known);
    return known;
  }

  read(): TranscodedFrames[] {
    return [...this.#counts.values()].map((count) => ({ ...count }));
  }
}

/** Of several engines together. */
export function usageOf(parts: readonly MediaUsage[]): MediaUsage {
  const tally = new TranscodeTally();
  for (const { from, to, frames } of parts.flatMap(({ transcoded }) => transcoded)) tally.of(from, to).frames += frames;
  return {
    rtpPorts: parts.reduce((sum, { rtpPorts }) => sum + rtpPorts, 0),
    webrtcPorts: parts.reduce((sum, { webrtcPorts }) => sum + webrtcPorts, 0),
    transcoded: tally.read(),
  };
}
