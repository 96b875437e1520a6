import { isHost, isToken, parsePort, splitOutsideQuotes } from './grammar.js';
import type { Params } from './params.js';
import { parseParams } from './params.js';
import { remembering } from './recent.js';

/** One Via element (RFC 3261 §20.42). */
export interface Via {
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

const SHAPE =
  /^SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*(\S+)[ \t]+(\[[^\]]*\]|[^\s:;]+)[ \t]*(?::[ \t]*(\d+)[ \t]*)?(;[\s\S]*)?$/i;

/** Reads one Via element; undefined when malformed. */
export const parseVia: (text: string) => Via | undefined = remembering(readVia);

function readVia(text: string): Via | undefined {
  const match = SHAPE.exec(text.trim());
  if (!match) return undefined;
  const [, transport = '', host = '', portText, paramText = ''] = match;
  const port = portText === undefined ? undefined : parsePort(portText);
  const params = parseParams(paramText);
  if (!isToken(transport) || !isHost(host) || !params) return undefined;
  if (portText !== undefined && port === undefined) return undefined;
  return { transport: transport.toUpperCase(), host, port, params };
}

/** `host:port` of the sent-by field, for comparing. */
export const sentBy = (via: Via): string => `${via.host.toLowerCase()}:${via.port ?? 5060}`;

/**
 * Adds `received` and `rport` to a Via element, keeping its text otherwise (RFC 3261 §18.2.1, RFC 3581 §4).
 * `rport` is filled in even if the peer did not ask: peers behind NAT seldom do, and answers go to the source anyway.
 */
export function completeVia(text: string, via: Via, source: { readonly host: string; readonly port: number }): string {
  const [sent = '', ...params] = splitOutsideQuotes(text, ';') ?? [text];
  const bare = [sent, ...params.filter((param) => !isFilledIn(param))].join(';').trimEnd();
  const named = via.host.replace(/^\[|\]$/g, '').toLowerCase() === source.host.toLowerCase();
  return `${bare};rport=${source.port}${named ? '' : `;received=${source.host}`}`;
}

function isFilledIn(param: string): boolean {
  const equals = param.indexOf('=');
  const name = (equals < 0 ? param : param.slice(0, equals)).trim().toLowerCase();
  return name === 'rport' || name === 'received';
}
