import type { TappedFrame } from '../../sip-server/contract/frame-tap.js';

/** Shorter values say nothing about where they came from. */
const MIN_LENGTH = 6;

/** What the application chose by itself: the recorded values, and those of this run in their place. */
export class LearntValues {
  readonly #live = new Map<string, string>();

  /** Holds two frames of the application side by side. */
  learn(recorded: TappedFrame, live: TappedFrame): void {
    recorded.tokens.forEach((token, at) => this.#pair(token, live.tokens[at]));
    const [before, now] = [recorded, live].map(({ sip = '' }) => sip.split('\r\n'));
    const inBefore = new Map(before?.map((line) => named(line)));
    for (const [name, value] of (now ?? []).map(named)) this.#pair(inBefore.get(name), value);
  }

  /** A recorded frame of the server, as it would have said it to this application. */
  fill(payload: string): string {
    let filled = payload;
    for (const [recorded, live] of this.#live) filled = filled.replaceAll(recorded, live);
    return filled;
  }

  #pair(recorded: string | undefined, live: string | undefined): void {
    if (recorded === undefined || live === undefined || recorded === live || recorded.length < MIN_LENGTH) return;
    this.#live.set(recorded, live);
  }
}

/** A header, or a line of a description, by its name. */
function named(line: string): [name: string, value: string] {
  const [, name = '', value = ''] = /^([^:=]+)[:=] ?(.*)$/.exec(line) ?? [];
  return [name.toLowerCase(), value];
}
