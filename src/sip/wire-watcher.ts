import type { CallId } from '../lib/ids.js';

interface Place {
  readonly address: string;
  readonly port: number;
}

/** A SIP message that was on the wire. */
export interface WireMessage {
  readonly sipCallId: string;
  /** As it was on the wire, or as the SIP server wrote it down anew; with keys and credentials. */
  readonly text: string;
  readonly isOutgoing: boolean;
  readonly transport: string;
  readonly remote: Place;
  /** Our side, where the message or the SIP server tells. */
  readonly local?: Place;
}

/** Watches what goes to and fro on the wire. Never throws back. */
export interface WireWatcher {
  /** A leg of a call has this Call-ID; messages of it may have been seen already. */
  belongs(sipCallId: string, call: CallId): void;
  /** Is shown the messages in the SIP server's frames; absent where the SIP server shows them itself, and more. */
  seen?(message: WireMessage): void;
}

/** The headers end at the first empty line; a body could hold anything. */
const CALL_ID = /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im;

/** The Call-ID of a message as it was on the wire. */
export const callIdOf = (message: string): string | undefined => CALL_ID.exec(message)?.[1];

/** The topmost Via: who sent a request, and whom its response goes to. */
const VIA = /^(?:via|v)[ \t]*:[ \t]*SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*\w+[ \t]+(\[[^\]\s]+\]|[^\s:;,]+)(?::(\d+))?/im;

/**
 * The SIP message of a frame of drachtio's protocol, received or sent; undefined for other frames and for responses that the SIP
 * server made itself. Requests and responses that it sends by itself on the wire (100, ACK of a refusal, what is repeated) come in
 * no frame.
 */
export function messageOfFrame(frame: string): WireMessage | undefined {
  const end = frame.indexOf('\r');
  const about = end < 0 ? undefined : aboutMessage(frame.slice(0, end).split('|'));
  if (!about) return undefined;
  const [origin, , transport = '', address = '', port = '', , , ...more] = about;
  const text = frame.slice(end + 2);
  const sipCallId = callIdOf(text);
  if (sipCallId === undefined || address === '') return undefined;
  const isOutgoing = origin === 'application';
  const local = isOutgoing === isResponse(text) ? receivedOn(more) : sentBy(text);
  return {
    ...{ sipCallId, text, isOutgoing, transport, remote: { address: bare(address), port: Number(port) } },
    ...(local && { local }),
  };
}

/** Tokens of a frame that has a message: origin, length, transport, address, port, time, transaction, and more. */
function aboutMessage(tokens: readonly string[]): readonly string[] | undefined {
  if (tokens[1] === 'sip') return tokens.slice(2);
  return tokens[1] === 'response' && tokens[3] === 'OK' ? tokens.slice(4) : undefined;
}

const isResponse = (text: string): boolean => text.startsWith('SIP/2.0 ');

/** Of a request outside dialogs that came in: behind the id of the dialog. */
function receivedOn([, host, port]: readonly string[]): Place | undefined {
  return host && Number(port) > 0 ? { address: bare(host), port: Number(port) } : undefined;
}

/** Our own Via. */
function sentBy(text: string): Place | undefined {
  const via = VIA.exec(text);
  return via ? { address: bare(via[1] ?? ''), port: Number(via[2] ?? 5060) } : undefined;
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, '');

/** Shows a watcher the messages in frames; undefined without one that wants them. */
export function frameWatch(wire: WireWatcher | undefined): ((frame: string) => void) | undefined {
  if (!wire?.seen) return undefined;
  return (frame) => {
    const message = messageOfFrame(frame);
    if (message) wire.seen?.(message);
  };
}
