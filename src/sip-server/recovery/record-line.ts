import { crc32 } from 'node:zlib';
import type { SipHeader, WithHeaders } from '../sip/message.js';
import { header } from '../sip/message.js';
import type { Flow, Protocol } from '../transport/flow.js';
import type { Hop } from './call-record.js';

type Pairs = readonly (readonly [string, string])[];
type Place = readonly [protocol: string, host: string, port: number];

/** A call begins. */
export type BeginLine = readonly [event: 'arrived' | 'calling', id: string, place: Place, uri: string, headers: Pairs];
/** A call goes on. */
export type StepLine =
  | readonly ['heard', id: string, place: Place, status: number, headers: Pairs]
  | readonly ['moved', id: string, place: Place, target: string]
  | readonly ['tagged' | 'answered', id: string, localTag: string]
  | readonly ['acknowledged', id: string];
/** One line of the record file, as it stands there between checksum and line end. */
export type RecordLine = BeginLine | StepLine | readonly ['ended', id: string];

const CHECKSUM_DIGITS = 8;

/** `<CRC-32 in hex> <JSON array>` and a line end. */
export function encodeLine(line: RecordLine): string {
  const text = JSON.stringify(line);
  return `${checksum(text)} ${text}\n`;
}

/** Reads a line without its end; undefined when it is torn, damaged or none of ours. */
export function decodeLine(text: string): RecordLine | undefined {
  const json = text.slice(CHECKSUM_DIGITS + 1);
  if (text[CHECKSUM_DIGITS] !== ' ' || text.slice(0, CHECKSUM_DIGITS) !== checksum(json)) return undefined;
  try {
    const line: unknown = JSON.parse(json);
    return isRecordLine(line) ? line : undefined;
  } catch {
    return undefined;
  }
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(CHECKSUM_DIGITS, '0');

/** The lines of these headers, as name and value. */
export function pickHeaders(message: WithHeaders, keys: ReadonlySet<string>): Pairs {
  const picked: [string, string][] = [];
  for (const line of message.headers) if (keys.has(line.key)) picked.push([line.name, line.value]);
  return picked;
}

export const headersOf = (pairs: Pairs): SipHeader[] => pairs.map(([name, value]) => header(name, value));

export const placeOf = (flow: Pick<Flow, 'protocol' | 'remote'>): Place => [
  flow.protocol,
  flow.remote.host,
  flow.remote.port,
];

export const hopOf = ([protocol, host, port]: Place): Hop => ({
  protocol: protocol as Protocol,
  host,
  port,
});

const PROTOCOLS: ReadonlySet<unknown> = new Set(['udp', 'tcp', 'tls']);

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isInteger(value);
const isPlace: Check = (value) =>
  Array.isArray(value) && value.length === 3 && PROTOCOLS.has(value[0]) && isText(value[1]) && isCount(value[2]);
const isPairs: Check = (value) =>
  Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText));

const SHAPES: Readonly<Record<RecordLine[0], readonly Check[]>> = {
  arrived: [isText, isPlace, isText, isPairs],
  calling: [isText, isPlace, isText, isPairs],
  heard: [isText, isPlace, isCount, isPairs],
  moved: [isText, isPlace, isText],
  tagged: [isText, isText],
  answered: [isText, isText],
  acknowledged: [isText],
  ended: [isText],
};

function isRecordLine(value: unknown): value is RecordLine {
  if (!Array.isArray(value)) return false;
  const [event, ...rest] = value as unknown[];
  const shape = typeof event === 'string' && Object.hasOwn(SHAPES, event) ? SHAPES[event as RecordLine[0]] : undefined;
  return shape?.length === rest.length && shape.every((check, index) => check(rest[index]));
}
