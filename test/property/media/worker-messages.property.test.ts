import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causeTable } from '../../../src/call/failure-table.js';
import { readFromWorker, readToWorker } from '../../../src/media/workers/worker-messages.js';

/** As Node's `advanced` serialisation between processes. */
const crossed = (message: unknown): unknown => deserialize(serialize(message));

const record = (model: Record<string, fc.Arbitrary<unknown>>) => fc.record(model, { noNullPrototype: true });
const text = fc.string({ maxLength: 100, unit: 'binary' });
const id = fc.string({ maxLength: 32 });
const request = fc.integer({ min: 1, max: 2 ** 31 });
const level = fc.constantFrom('error', 'warn', 'info', 'debug');
const levels = record({
  level,
  calls: fc.dictionary(
    id.filter((key) => key !== '__proto__'),
    level,
    { noNullPrototype: true },
  ),
});
const digit = { endpoint: id, digit: fc.constantFrom('0', '5', '9', '*', '#', 'D'), durationMs: fc.nat(10_000) };
/** Whatever other files put into options, events and fields: no functions, nothing that is not data. */
const data = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(
    text,
    fc.double(),
    fc.boolean(),
    fc.constant(undefined),
    fc.constant(null),
    fc.array(fc.nat()),
    fc.uint8Array(),
  ),
  { noNullPrototype: true },
);
const tagged = (type: string, model: Record<string, fc.Arbitrary<unknown>>) =>
  record({ type: fc.constant(type), ...model });
const settings = record({
  ...{
    listenIp: id,
    advertisedIp: id,
    rtpPorts: fc.tuple(fc.nat(), fc.nat()),
    webrtcPorts: fc.tuple(fc.nat(), fc.nat()),
  },
  remoteNetworks: fc.oneof(fc.constant('public'), fc.array(id)),
});
const options = fc.tuple(data, id).map(([more, call]) => ({ ...more, call, codecs: ['PCMA'], remoteNetworks: [] }));

const toWorker = fc.oneof(
  tagged('configure', { request, settings, levels }),
  tagged('levels', { levels }),
  tagged('create_webrtc', { request, endpoint: id, options }),
  tagged('create_rtp', { request, endpoint: id, options }),
  tagged('ask', { request, endpoint: id, question: fc.constantFrom('create_offer', 'start', 'stats', 'close') }),
  tagged('ask', { request, endpoint: id, question: fc.constantFrom('create_answer', 'accept_answer'), sdp: text }),
  tagged('open_sending', { endpoint: id }),
  tagged('send_dtmf', digit),
  tagged('play_dtmf', { call: id, ...digit }),
  tagged('prepare', { call: id, endpoint: id }),
  tagged('connect', { call: id, endpoints: fc.tuple(id, id) }),
  tagged('disconnect', { call: id }),
  tagged('stop', { request }),
);

const endCode = fc.constantFrom(...Object.keys(causeTable));
const event = fc.oneof(
  fc
    .tuple(data, fc.constantFrom('ice_connected', 'quality', 'trouble', 'dtmf'))
    .map(([more, type]) => ({ ...more, type })),
  fc.tuple(data, endCode).map(([more, code]) => ({ type: 'failed', reason: { ...more, code } })),
);
const number = fc.double({ noNaN: true, noDefaultInfinity: true });
const codec = fc.constantFrom('opus', 'PCMA', 'PCMU', 'G722');
const load = record({
  ...{ loopDelayMs: number, loopDelayMeanMs: number, cpuMs: number },
  ...{ rssBytes: number, endpoints: number, lostLogLines: number, opusComplexity: number },
  usage: record({
    ...{ rtpPorts: number, webrtcPorts: number },
    transcoded: fc.array(record({ from: codec, to: codec, frames: number }), { maxLength: 5 }),
  }),
});
const fromWorker = fc.oneof(
  tagged('reply', { request, value: fc.oneof(text, data, fc.nat(), fc.constant(undefined)) }),
  tagged('refusal', { request, endCode, message: text, cause: text }),
  tagged('refusal', { request, endCode, message: text }),
  tagged('event', { endpoint: id, event }),
  tagged('timeout', { call: id, kind: fc.constantFrom('first', 'idle') }),
  tagged('log', { level, message: text, fields: data }),
  tagged('beat', { load }),
);

describe('messages between signalling and media', () => {
  it('arrive as they were posted, to a worker', () => {
    fc.assert(
      fc.property(toWorker, (message) => {
        expect(readToWorker(crossed(message))).toStrictEqual(message);
      }),
    );
  });

  it('arrive as they were posted, from a worker', () => {
    fc.assert(
      fc.property(fromWorker, (message) => {
        expect(readFromWorker(crossed(message))).toStrictEqual(message);
      }),
    );
  });

  it('are refused when they are anything else, and nothing of them stands in the error but their type', () => {
    const broken = fc.oneof(
      fc.anything(),
      fc
        .tuple(fromWorker, fc.constantFrom('request', 'endpoint', 'event', 'level', 'kind', 'load'))
        .chain(([message, key]) =>
          key in message ? fc.constant({ ...message, [key]: { secret: 'a=ice-pwd' } }) : fc.constant(undefined),
        ),
    );
    fc.assert(
      fc.property(broken, (message) => {
        expect(() => readFromWorker(message)).toThrow(/^not a message between signalling and media: /);
        expect(() => readFromWorker(message)).not.toThrow(/ice-pwd/);
      }),
    );
  });

  it.each([
    { type: 'event', endpoint: 'e', event: { type: 'failed', reason: { code: 'made_up' } } },
    { type: 'event', endpoint: 'e', event: { type: 'failed' } },
    { type: 'refusal', request: 1, endCode: 'constructor', message: 'm' },
    { type: 'reply', request: 0 },
  ])('%j is refused', (message) => expect(() => readFromWorker(message)).toThrow());
});
