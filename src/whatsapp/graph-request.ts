import type { z } from 'zod';
import type { Logger } from '../lib/logger.js';
import type { GraphError } from './graph-error.js';

/**
 * What a request is for, which decides its order, its repeats and whether it is held back while Meta asks for quiet:
 * `end` ends a call (terminate, reject) and waits behind nothing; `answer` answers one that rings (pre_accept, accept);
 * `connect` places one; `other` is all else: look-ups, messages, settings.
 */
export type Lane = 'end' | 'answer' | 'connect' | 'other';

/** The lanes in their order: what ends a call goes before what answers one, and that before what is new. */
export const lanes: readonly Lane[] = ['end', 'answer', 'connect', 'other'];

/** Whether it can be held back: ending and answering calls goes on whatever Meta says. */
export const isNewWork = ({ lane }: { readonly lane: Lane }): boolean => lane === 'connect' || lane === 'other';

/** One request to the Graph API. */
export interface GraphRequest<Answer> {
  readonly lane: Lane;
  readonly method: 'GET' | 'POST';
  /** Below the version, without a slash at its start: `<phone_number_id>/calls`. Its parts are percent-encoded when sent. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON, whole as it is (`messaging_product` included where Meta wants it). */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** What a usable answer looks like. */
  readonly answer: z.ZodType<Answer>;
  /** The business number it is about; limits and faults of one number touch no other. */
  readonly numberId: string;
  /** Short stable name for logs, metrics and error texts: `connect`, `call_permissions`. */
  readonly what: string;
  /** The answer, if the refusal of a repeat shows that an earlier attempt came through although its answer did not. */
  readonly cameThrough?: ((error: GraphError) => Answer | undefined) | undefined;
  /** Once aborted it leaves the queue and is not repeated. What is on its way is not taken back. */
  readonly signal?: AbortSignal | undefined;
  /** The leg's own logger, so that the lines about the request carry its call; the client's when there is no leg. */
  readonly logger?: Logger | undefined;
}
