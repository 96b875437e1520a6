import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
/** A string that only its own maker may produce, so that ids of different kinds are not mixed up. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Our id of a call: a ULID. */
export type CallId = Branded<'CallId'>;
/** The Call-ID header of a SIP dialog. */
export type SipCallId = Branded<'SipCallId'>;
/** Meta's id of a call: `wacid.…`, opaque. */
export type WaCallId = Branded<'WaCallId'>;
/** A telephone number in E.164 form with a leading plus. */
export type E164 = Branded<'E164'>;

/** Source of randomness for ids; injected so that tests are repeatable. */
export interface IdSource {
  /** A fresh call id that sorts by time. */
  callId(): CallId;
  /** `bytes` random bytes in lower-case hex. */
  hex(bytes: number): string;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Encodes a ULID: 48 bits of time, 80 bits of randomness, 26 Crockford base-32 characters. */
export function ulid(timeMs: number, random: Uint8Array): string {
  let value = BigInt(Math.floor(timeMs));
  for (const byte of random.subarray(0, 10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < 26; i++) {
    text = CROCKFORD.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return text;
}

/** Ids from the system's random source. */
export const systemIds: IdSource = {
  callId: () => ulid(Date.now(), randomBytes(10)) as CallId,
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
