import type { Logger } from '../lib/logger.js';

/** A key pressed at the PBX and told by INFO. */
export interface InfoDtmf {
  readonly digit: string;
  readonly durationMs: number;
}

/** Bodies of INFO that carry a key; for the Accept header of a 415. */
export const dtmfContentTypes = 'application/dtmf-relay, application/dtmf';

const defaultDurationMs = 250;
const shortestMs = 40;
const longestMs = 6_000;
/** Events 10 to 15 by number (RFC 4733 §3.2), as some PBXs write them. */
const numbered: Readonly<Record<string, string>> = { 10: '*', 11: '#', 12: 'A', 13: 'B', 14: 'C', 15: 'D' };

/** A key press is a line or two. */
const longestBody = 256;

/** Reads `Signal=5 CRLF Duration=160` (application/dtmf-relay) or a bare `5` (application/dtmf); undefined for the rest. */
export function parseInfoDtmf(contentType: string | undefined, body: string): InfoDtmf | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/dtmf-relay' && type !== 'application/dtmf') return undefined;
  if (body.length > longestBody) return undefined;
  const digit = digitOf(body);
  return digit === undefined ? undefined : { digit, durationMs: durationOf(body) };
}

function digitOf(body: string): string | undefined {
  const written = /^[ \t]*signal[ \t]*=[ \t]*(\S{1,8})/im.exec(body) ?? /^\s*(\S{1,2})\s*$/.exec(body);
  const signal = written?.[1] ?? '';
  const digit = numbered[signal] ?? signal.toUpperCase();
  return /^[0-9*#A-D]$/.test(digit) ? digit : undefined;
}

function durationOf(body: string): number {
  const written = /^[ \t]*duration[ \t]*=[ \t]*(\d{1,6})/im.exec(body)?.[1];
  const durationMs = written === undefined ? defaultDurationMs : Number(written);
  return Math.min(longestMs, Math.max(shortestMs, durationMs));
}

/** Sends one INFO with this body in the dialog; calls back with its final status, `undefined` if there was none. */
export type InfoSender = (contentType: string, body: string, done: (status: number | undefined) => void) => void;

const relayType = 'application/dtmf-relay';
const bareType = 'application/dtmf';
/** Unsupported Media Type (RFC 3261 §21.4.13). */
const unsupported = 415;
const mostWaiting = 64;

/**
 * Tells a PBX of keys by INFO, one after the other, so that none overtakes another. A PBX that knows no `dtmf-relay` is told by
 * `application/dtmf` from then on.
 */
export class InfoKeys {
  readonly #waiting: InfoDtmf[] = [];
  #isBusy = false;
  #contentType = relayType;

  constructor(
    private readonly send: InfoSender,
    private readonly logger: Logger,
  ) {}

  press(digit: string, durationMs: number): void {
    if (this.#waiting.length >= mostWaiting) return this.logger.warn('DTMF digit dropped: too many wait');
    this.#waiting.push({ digit, durationMs: Math.round(durationMs) });
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    const key = this.#waiting[0];
    this.#isBusy = key !== undefined;
    if (!key) return;
    this.send(this.#contentType, bodyOf(this.#contentType, key), (status) => this.#sent(status));
  }

  #sent(status: number | undefined): void {
    if (status === unsupported && this.#contentType === relayType) {
      this.#contentType = bareType;
    } else {
      if (status === undefined || status >= 300) this.logger.warn('DTMF digit refused by the PBX', { status });
      this.#waiting.shift();
    }
    this.#next();
  }
}

const bodyOf = (contentType: string, { digit, durationMs }: InfoDtmf): string =>
  contentType === bareType ? digit : `Signal=${digit}\r\nDuration=${durationMs}\r\n`;
