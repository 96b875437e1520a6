import { z } from 'zod';
import type { AdminPort } from './admin-port.js';
import * as schemas from './schemas.js';

/** One operation of the admin API: what the document says of it, what it takes, and what it does. */
export interface Operation {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` where a parameter stands. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** It answers with a stream of bytes, not JSON. */
  readonly isStream?: boolean;
  /** Problems that it may have beside those that all have. */
  readonly problems?: readonly number[];
  readonly run: (port: AdminPort, input: OperationInput) => unknown;
}

/** What came with a request, checked against the schemas of its operation. */
export interface OperationInput {
  readonly id: string;
  readonly query: unknown;
  readonly body: unknown;
}

interface Typed<Query extends z.ZodObject, Body extends z.ZodType> extends Omit<Operation, 'run' | 'query' | 'body'> {
  readonly query?: Query;
  readonly body?: Body;
  readonly run: (
    port: AdminPort,
    input: { readonly id: string; readonly query: z.infer<Query>; readonly body: z.infer<Body> },
  ) => unknown;
}

const operation = <Query extends z.ZodObject, Body extends z.ZodType>(typed: Typed<Query, Body>): Operation => ({
  ...typed,
  run: (port, { id, query, body }) =>
    typed.run(port, { id, query: query as z.infer<Query>, body: body as z.infer<Body> }),
});

const list = (name: string, item: z.ZodType): z.ZodObject => z.strictObject({ [name]: z.array(item) });

const CAPTURE =
  'The SIP messages of a call, and of a live one its decoded audio from now on, as pcapng. Telephone numbers are whole, keys and credentials crossed out.';

/** Everything under `/v1` that is asked and answered; `/v1/events` is a stream of its own. */
export const operations: readonly Operation[] = [
  operation({
    ...{ id: 'getStatus', method: 'GET', path: '/v1/status', summary: 'How the daemon is', answer: schemas.status },
    run: (port) => port.status(),
  }),
  operation({
    ...{ id: 'listCalls', method: 'GET', path: '/v1/calls', summary: 'Calls, live or recently ended' },
    ...{ query: schemas.callsQuery, answer: list('calls', schemas.call) },
    run: (port, { query }) => ({ calls: port.calls(query) }),
  }),
  operation({
    ...{ id: 'getCall', method: 'GET', path: '/v1/calls/{id}', summary: 'One call with its timeline' },
    ...{ answer: schemas.callDetail, problems: [404, 409] },
    run: (port, { id }) => port.call(id),
  }),
  operation({
    ...{ id: 'hangupCall', method: 'POST', path: '/v1/calls/{id}/hangup', summary: 'End a call on both sides' },
    ...{ body: schemas.nothing, answer: schemas.hangup, problems: [404, 409] },
    run: (port, { id }) => {
      port.hangup(id);
      return { call: id };
    },
  }),
  operation({
    ...{ id: 'captureCall', method: 'POST', path: '/v1/calls/{id}/capture', summary: CAPTURE },
    ...{ body: schemas.captureRequest, answer: schemas.capture, isStream: true, problems: [404, 409, 503] },
    run: (port, { id, body }) => port.capture(id, body),
  }),
  operation({
    ...{ id: 'listTrunks', method: 'GET', path: '/v1/trunks', summary: 'Trunks, with their servers and registrations' },
    answer: list('trunks', schemas.trunk),
    run: (port) => ({ trunks: port.trunks() }),
  }),
  operation({
    ...{ id: 'listNumbers', method: 'GET', path: '/v1/numbers', summary: 'Business numbers, with settings and hours' },
    answer: list('numbers', schemas.number),
    run: (port) => ({ numbers: port.numbers() }),
  }),
  operation({
    ...{ id: 'listFailures', method: 'GET', path: '/v1/failures', summary: 'Recent calls that did not succeed' },
    ...{ query: schemas.failuresQuery, answer: list('failures', schemas.call) },
    run: (port, { query }) => ({ failures: port.failures(query.limit) }),
  }),
  operation({
    ...{ id: 'getDrain', method: 'GET', path: '/v1/drain', summary: 'Whether new calls are taken' },
    answer: schemas.drain,
    run: (port) => port.drain(),
  }),
  operation({
    ...{ id: 'startDrain', method: 'POST', path: '/v1/drain', summary: 'Take no new calls; live ones go on' },
    ...{ body: schemas.drainRequest, answer: schemas.drain, problems: [409] },
    run: (port, { body }) => port.startDrain(body.stop),
  }),
  operation({
    ...{ id: 'endDrain', method: 'DELETE', path: '/v1/drain', summary: 'Take calls again, unless the process stops' },
    ...{ answer: schemas.drain, problems: [409] },
    run: (port) => port.endDrain(),
  }),
  operation({
    ...{ id: 'reload', method: 'POST', path: '/v1/reload', summary: 'Read the configuration anew, all or nothing' },
    ...{ body: schemas.nothing, answer: schemas.reload, problems: [409, 422] },
    run: (port) => port.reload(),
  }),
  operation({
    ...{ id: 'getLogLevel', method: 'GET', path: '/v1/log-level', summary: 'What is logged' },
    answer: schemas.logLevels,
    run: (port) => port.logLevels(),
  }),
  operation({
    ...{ id: 'setLogLevel', method: 'PUT', path: '/v1/log-level', summary: 'Log more or less, of all or of one call' },
    ...{ body: schemas.logLevelRequest, answer: schemas.logLevels, problems: [404] },
    run: (port, { body }) => port.setLogLevel(body),
  }),
];
