import { FrameDecoder, type Frame } from '../../../../src/sip-server/wire/frame-codec.js';
import type { TappedFrame } from '../../sip-server/contract/frame-tap.js';

/*
 * An exchange of our user agent with a drachtio-server, frame by frame and byte by byte: `> ` begins what the application
 * said, `< ` what the server said, `-- ` a cue: what the network did next.
 */

export type Exchange = readonly string[];

export const recordings = new URL('../../../fixtures/drachtio/agent-exchanges.json', import.meta.url);

/** The cue after which the application's connection breaks. */
export const LINK_CUT = 'the link breaks';

/** The cue at which what the network did was done, and all that came of it by itself had come. */
export const DONE = 'done';

/** In the place of the ports of one run. */
export const SIP_PORT = 5060;
export const PEER_PORT = 5070;

/** Names of the ports and the secret in a transcript of what was recorded. */
export const recordedNames = (secret: string): Map<string, string> =>
  new Map([
    [String(SIP_PORT), 'SIP'],
    [String(PEER_PORT), 'PEER'],
    [secret, 'SECRET'],
  ]);

export const payloadOf = ({ tokens, sip }: Pick<TappedFrame, 'tokens' | 'sip'>): string =>
  sip === undefined ? tokens.join('|') : `${tokens.join('|')}\r\n${sip}`;

export function tappedFrame(from: TappedFrame['from'], { tokens, sip, byteLength }: Frame): TappedFrame {
  return { from, tokens, sip: sip?.toString(), byteLength };
}

export function decoded(payload: string): Frame {
  const [frame] = new FrameDecoder().push(Buffer.from(`${Buffer.byteLength(payload)}#${payload}`));
  if (!frame) throw new Error('no frame');
  return frame;
}

/** The frames of an exchange. */
export const recordedFrames = (exchange: Exchange): TappedFrame[] =>
  exchange
    .filter((line) => !line.startsWith('-- '))
    .map((line) => tappedFrame(line.startsWith('> ') ? 'app' : 'server', decoded(line.slice(2))));

/** Frames and cues as they are written down, the ports of this run in their general form. */
export function writtenDown(
  frames: readonly TappedFrame[],
  cues: readonly { readonly at: number; readonly what: string }[],
  ports: { readonly sip: number; readonly peer: number },
): Exchange {
  const general = (text: string): string =>
    text
      .replaceAll(new RegExp(`\\b${ports.sip}\\b`, 'g'), String(SIP_PORT))
      .replaceAll(new RegExp(`\\b${ports.peer}\\b`, 'g'), String(PEER_PORT));
  const cuesAt = (at: number): string[] => cues.filter((cue) => cue.at === at).map(({ what }) => `-- ${what}`);
  const lines = frames.flatMap((frame, at) => [
    ...cuesAt(at),
    `${frame.from === 'app' ? '>' : '<'} ${general(payloadOf(frame))}`,
  ]);
  return [...lines, ...cuesAt(frames.length)];
}
