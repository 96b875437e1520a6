import { BridgeError } from '../lib/bridge-error.js';

/**
 * What kind of trouble a request to the Graph API met:
 * `api` Meta answered with an error body; `answer` Meta (or something before it) answered in a form we cannot use;
 * `timeout` no whole answer in time; `transport` the connection failed; `token` ours cannot be sent at all;
 * `held` not sent, because Meta asked for quiet, cannot be reached or refuses our credentials: what it said then is in the facts.
 */
export type GraphFault = 'api' | 'answer' | 'timeout' | 'transport' | 'token' | 'held';

/** What is known about a failed request; texts come from outside and are not yet fit for headers. */
export interface GraphErrorFacts {
  readonly httpStatus?: number | undefined;
  /** `error.code` of Meta's error body. */
  readonly metaCode?: number | undefined;
  readonly metaSubcode?: number | undefined;
  readonly title?: string | undefined;
  readonly details?: string | undefined;
  /** Seconds after which a new attempt makes sense, when the answer says so. */
  readonly retryAfterS?: number | undefined;
  /** True when no byte of the request can have reached Meta. */
  readonly unsent?: boolean | undefined;
}

const codeOf: Readonly<Record<GraphFault, `SIP2WA_${string}`>> = {
  api: 'SIP2WA_GRAPH_API',
  answer: 'SIP2WA_GRAPH_ANSWER',
  timeout: 'SIP2WA_GRAPH_TIMEOUT',
  transport: 'SIP2WA_GRAPH_TRANSPORT',
  token: 'SIP2WA_GRAPH_TOKEN',
  held: 'SIP2WA_GRAPH_HELD',
};

/** A request to the Graph API that did not succeed. Never holds the token, the request or an SDP. */
export class GraphError extends BridgeError {
  readonly httpStatus: number | undefined;
  readonly metaCode: number | undefined;
  readonly metaSubcode: number | undefined;
  readonly title: string | undefined;
  readonly details: string | undefined;
  readonly retryAfterS: number | undefined;
  readonly unsent: boolean;

  constructor(
    readonly fault: GraphFault,
    message: string,
    facts: GraphErrorFacts = {},
  ) {
    super(codeOf[fault], message);
    this.httpStatus = facts.httpStatus;
    this.metaCode = facts.metaCode;
    this.metaSubcode = facts.metaSubcode;
    this.title = facts.title;
    this.details = facts.details;
    this.retryAfterS = facts.retryAfterS;
    this.unsent = facts.unsent ?? false;
  }
}
