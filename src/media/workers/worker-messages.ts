import { z } from 'zod';
import { causeTable } from '../../call/failure-table.js';
import type { EndCode } from '../../call/end-reason.js';
import type { CallId } from '../../lib/ids.js';
import type { LogFields } from '../../lib/logger.js';
import { BadInputError } from '../../lib/bridge-error.js';
import type { MediaEndpointEvent, RtpEndpointOptions, WebRtcEndpointOptions } from '../media-engine.js';
import type { MediaUsage } from '../media-usage.js';
import type { CapturedBatch } from '../packet-capture.js';
import type { WorkerSettings } from './worker-settings.js';

/** An SDP that is longer is refused by the legs anyway. */
const maxSdp = 65_536;
const maxText = 16_384;
const maxId = 128;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const hasKeys =
  (...keys: readonly string[]) =>
  (value: unknown): boolean =>
    isRecord(value) && keys.every((key) => value[key] !== undefined);

const endCode = z.custom<EndCode>((value) => typeof value === 'string' && Object.hasOwn(causeTable, value));
const call = z.custom<CallId>((value) => typeof value === 'string' && value.length <= maxId);
const endpoint = z.string().max(maxId);
const dtmf = { endpoint, digit: z.string().max(8), durationMs: z.number() };
const request = z.int().positive();
const level = z.enum(['error', 'warn', 'info', 'debug']);
const levels = z.object({ level, calls: z.record(z.string(), level) });

/** What is asked of an endpoint and answered. */
const question = z.enum(['create_offer', 'create_answer', 'accept_answer', 'start', 'stats', 'close']);
export type Question = z.infer<typeof question>;

/**
 * Signalling to a media worker. What other files define (settings, options, events) is passed on whole, so that a field added
 * there crosses without a change here.
 */
const toWorker = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('configure'),
    request,
    settings: z.custom<WorkerSettings>(
      hasKeys('listenIp', 'advertisedIp', 'rtpPorts', 'webrtcPorts', 'remoteNetworks'),
    ),
    levels,
  }),
  z.object({ type: z.literal('levels'), levels }),
  z.object({
    type: z.literal('create_webrtc'),
    ...{ request, endpoint, options: z.custom<WebRtcEndpointOptions>(hasKeys('call')) },
  }),
  z.object({
    type: z.literal('create_rtp'),
    ...{ request, endpoint, options: z.custom<RtpEndpointOptions>(hasKeys('call', 'codecs', 'remoteNetworks')) },
  }),
  z.object({ type: z.literal('ask'), request, endpoint, question, sdp: z.string().max(maxSdp).optional() }),
  z.object({ type: z.literal('open_sending'), endpoint }),
  z.object({ type: z.literal('send_dtmf'), ...dtmf }),
  z.object({ type: z.literal('prepare'), call, endpoint }),
  z.object({ type: z.literal('connect'), call, endpoints: z.tuple([endpoint, endpoint]) }),
  z.object({ type: z.literal('disconnect'), call }),
  z.object({ type: z.literal('capture'), call, isOn: z.boolean() }),
  z.object({ type: z.literal('play_dtmf'), call, ...dtmf }),
  z.object({ type: z.literal('stop'), request }),
]);
export type ToWorker = z.infer<typeof toWorker>;

const codecName = z.string().max(16);
const usage = z.object({
  ...{ rtpPorts: z.number(), webrtcPorts: z.number() },
  transcoded: z
    .array(z.object({ from: codecName, to: codecName, frames: z.number() }))
    .max(100)
    .readonly(),
}) satisfies z.ZodType<MediaUsage>;

/** How a worker is doing. */
const load = z.object({
  /** Lateness of its event loop since the last report, in milliseconds: the 99th percentile, and the mean. */
  loopDelayMs: z.number(),
  loopDelayMeanMs: z.number(),
  /** Processor time that it has used since its start, in milliseconds. */
  cpuMs: z.number(),
  rssBytes: z.number(),
  /** Endpoints that are not closed. */
  endpoints: z.number(),
  /** Complexity that Opus is coded with: less when it has too much to do. */
  opusComplexity: z.number(),
  /** Log lines that it threw away since its start, as they were too many. */
  lostLogLines: z.number(),
  usage,
});
export type WorkerLoad = z.infer<typeof load>;

const isEvent = (value: unknown): boolean => {
  if (!isRecord(value) || typeof value['type'] !== 'string') return false;
  return (
    value['type'] !== 'failed' || (isRecord(value['reason']) && endCode.safeParse(value['reason']['code']).success)
  );
};

/** A media worker to signalling. */
const fromWorker = z.discriminatedUnion('type', [
  z.object({ type: z.literal('reply'), request, value: z.unknown() }),
  z.object({
    type: z.literal('refusal'),
    ...{ request, endCode, message: z.string().max(maxText), cause: z.string().max(maxText).optional() },
  }),
  z.object({ type: z.literal('event'), endpoint, event: z.custom<MediaEndpointEvent>(isEvent) }),
  z.object({ type: z.literal('timeout'), call, kind: z.enum(['first', 'idle']) }),
  z.object({ type: z.literal('log'), level, message: z.string().max(maxText), fields: z.custom<LogFields>(isRecord) }),
  z.object({ type: z.literal('captured'), call, batch: z.custom<CapturedBatch>(hasKeys('packets', 'lost')) }),
  z.object({ type: z.literal('beat'), load }),
]);
export type FromWorker = z.infer<typeof fromWorker>;

/** @throws BadInputError if it is no message of signalling's. */
export const readToWorker = (message: unknown): ToWorker => read(toWorker, message);

/** @throws BadInputError if it is no message of a worker's. */
export const readFromWorker = (message: unknown): FromWorker => read(fromWorker, message);

function read<T>(schema: z.ZodType<T>, message: unknown): T {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  const type = isRecord(message) ? String(message['type']).slice(0, 32) : typeof message;
  const where = result.error.issues[0]?.path.join('.') ?? '';
  throw new BadInputError('SIP2WA_MEDIA_WORKER', `not a message between signalling and media: ${type} ${where}`.trim());
}
