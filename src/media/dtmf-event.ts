import { uint16At } from './rtp-packet.js';

/** Digits in the order of their event codes (RFC 4733 §3.2, table 7). */
const digits = '0123456789*#ABCD';

/** Content of a telephone-event payload (RFC 4733 §2.3). */
export interface DtmfEvent {
  /** 0 to 15 for the digits; others are events we do not know. */
  readonly code: number;
  readonly end: boolean;
  /** In ticks of the event's clock, since its beginning. */
  readonly duration: number;
}

/** Bytes of a payload. */
export const dtmfEventBytes = 4;

/** Level of the tone in dBm0 below zero, as most telephones say it. */
const volume = 10;

/** Event code of a digit (case ignored), undefined if it is none. */
export function dtmfCode(digit: string): number | undefined {
  const code = digit.length === 1 ? digits.indexOf(digit.toUpperCase()) : -1;
  return code < 0 ? undefined : code;
}

/** Digit of an event code, undefined for events that are no digit. */
export function dtmfDigit(code: number): string | undefined {
  return digits[code];
}

/** Reads the first event of a payload; undefined if it is cut off. */
export function parseDtmfEvent(payload: Uint8Array): DtmfEvent | undefined {
  if (payload.length < dtmfEventBytes) return undefined;
  return { code: payload[0] ?? 0, end: ((payload[1] ?? 0) & 0x80) !== 0, duration: uint16At(payload, 2) };
}

/** Writes a payload to the start of `into`. */
export function writeDtmfEvent(into: Uint8Array, event: DtmfEvent): void {
  into[0] = event.code;
  into[1] = (event.end ? 0x80 : 0) | volume;
  into[2] = (event.duration >>> 8) & 0xff;
  into[3] = event.duration & 0xff;
}
