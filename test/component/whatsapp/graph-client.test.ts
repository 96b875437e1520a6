import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { E164, WaCallId } from '../../../src/lib/ids.js';
import type { WaUserId } from '../../../src/routing/user-address.js';
import { GraphClient, type GraphClientOptions } from '../../../src/whatsapp/graph-client.js';
import type { GraphError } from '../../../src/whatsapp/graph-error.js';
import { metaFixture } from '../../support/fixtures.js';
import { GraphDouble, metaError, type Reply } from '../../support/graph-double.js';
import { graphFailure } from '../../support/graph-failure.js';
import { freePort } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { someWaCall } from '../../support/whatsapp-fakes.js';

const numberId = '106540352242922';
const token = 'EAAcanaryTOKEN123';
const user = { number: '+13057765456' as E164 };
const sdp = 'v=0\r\na=ice-pwd:canarySDP\r\n';
const ref = { numberId, waCallId: someWaCall };
const overloaded: Reply = metaError(500, 131000, 'Something went wrong');

let graph: GraphDouble;
let logger: RecordingLogger;
beforeEach(async () => {
  graph = await GraphDouble.start();
  logger = new RecordingLogger();
});
afterEach(async () => {
  expect(logger.text()).not.toMatch(/canary/);
  await graph.close();
});

function client(extra: Partial<GraphClientOptions> = {}): GraphClient {
  const fixed = { baseUrl: graph.baseUrl, version: 'v23.0', timeoutMs: 1000, clock: systemClock };
  return new GraphClient({ ...fixed, token: () => token, logger, backoffMs: 1, ...extra });
}

async function failure(request: Promise<unknown>): Promise<GraphError> {
  const error = await graphFailure(request);
  expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/canary/);
  return error;
}

describe('requests have the shape of Meta’s reference', () => {
  const sdpOf = (body: unknown): string => (body as { session: { sdp: string } }).session.sdp;

  it('connect', async () => {
    const expected = metaFixture('connect-request.json') as Record<string, unknown>;
    const args = { numberId, user: { number: '+14085551234' as E164 }, sdp: sdpOf(expected), opaque: '0fS5cePMok' };
    expect(await client().connect(args)).toBe('wacid.double-1');
    expect(graph.seen[0]).toMatchObject({ method: 'POST', path: `/v23.0/${numberId}/calls`, body: expected });
    expect(graph.seen[0]?.body).toEqual(expected);
    expect(graph.seen[0]?.headers).toMatchObject({
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    });
  });

  it('connect to a user who hides the number names the business-scoped id, and nothing else', async () => {
    const userId = 'US.13491208655302741918' as WaUserId;
    await client().connect({ numberId, user: { userId }, sdp });
    const session = { sdp_type: 'offer', sdp };
    const expected = { messaging_product: 'whatsapp', action: 'connect', recipient: userId, session };
    expect(graph.seen[0]?.body).toEqual(expected);
  });

  const waCallId = 'wacid.ABGGFjFVU2AfAgo6V-Hc5eCgK5Gh' as WaCallId;

  it('pre_accept and accept', async () => {
    const [pre, accept] = [metaFixture('pre-accept-request.json'), metaFixture('accept-request.json')];
    await client().preAccept({ numberId, waCallId, sdp: sdpOf(pre) });
    await client().accept({ numberId, waCallId, sdp: sdpOf(accept), opaque: 'random_string' });
    expect(graph.seen.map(({ body }) => body)).toEqual([pre, accept]);
  });

  it('a base URL with a slash at its end is as good', async () => {
    await client({ baseUrl: `${graph.baseUrl}/` }).terminate(ref);
    expect(graph.seen[0]?.path).toBe(`/v23.0/${numberId}/calls`);
  });

  it('reject and terminate', async () => {
    await client().reject({ numberId, waCallId });
    await client().terminate({ numberId, waCallId });
    const expected = [metaFixture('reject-request.json'), metaFixture('terminate-request.json')];
    expect(graph.seen.map(({ body }) => body)).toEqual(expected);
  });
});

describe('requests have the shape of Meta’s cURL samples', () => {
  interface Sample {
    readonly to?: string;
    readonly call_id: WaCallId;
    readonly session: { readonly sdp: string };
  }
  const sample = (name: string): Sample => metaFixture(`curl-${name}-request.json`) as Sample;

  it('connect, accept and terminate', async () => {
    const [connect, accept, terminate] = [sample('connect'), sample('accept'), sample('terminate')];
    await client().connect({ numberId, user: { number: `+${connect.to ?? ''}` as E164 }, sdp: connect.session.sdp });
    await client().accept({ numberId, waCallId: accept.call_id, sdp: accept.session.sdp });
    await client().terminate({ numberId, waCallId: terminate.call_id });
    // The sample's "to" is no part of accept.
    const { to: _, ...withoutTo } = accept;
    expect(graph.seen.map(({ body }) => body)).toEqual([connect, withoutTo, terminate]);
  });
});

describe('answers', () => {
  it('reads Meta’s sample answers', async () => {
    graph.replies({ status: 200, json: metaFixture('connect-response.json') });
    graph.replies({ status: 200, json: metaFixture('pre-accept-response.json') });
    expect(await client().connect({ numberId, user, sdp })).toBe('wacid.ABGGFjFVU2AfAgo6V');
    await client().preAccept({ ...ref, sdp });
  });

  it('types an error body, with the time a limit names', async () => {
    const details = 'Limit reached. Try again after 2999-01-01T00:00:00+0000';
    graph.replies(metaError(400, 138012, 'Call limit', details));
    const error = await failure(client().connect({ numberId, user, sdp }));
    expect(error).toMatchObject({ fault: 'api', httpStatus: 400, metaCode: 138012, title: 'Call limit', details });
    expect(error.retryAfterS).toBeGreaterThan(1e9);
  });

  it('takes Retry-After from the header, and user titles and subcodes from the body', async () => {
    const json = {
      error: { message: 'm', code: '4', error_subcode: 2494010, error_user_title: 't', error_user_msg: 'u' },
    };
    graph.replies({ status: 429, json, headers: { 'retry-after': '7' } });
    const expected = { metaCode: 4, metaSubcode: 2494010, title: 't', details: 'u', retryAfterS: 7 };
    expect(await failure(client().connect({ numberId, user, sdp }))).toMatchObject(expected);
  });

  it.each<[string, Reply, object]>([
    ['HTML', { status: 200, text: '<html>captive portal</html>' }, { fault: 'answer', httpStatus: 200 }],
    ['cut JSON', { status: 200, text: '{"calls":[{"id":"wac' }, { fault: 'answer' }],
    ['wrong types', { status: 200, json: { calls: [{ id: 7 }] } }, { fault: 'answer' }],
    ['an unusable id', { status: 200, json: { calls: [{ id: 'wacid.\r\nVia: x' }] } }, { fault: 'answer' }],
    ['no calls', { status: 200, json: { calls: [] } }, { fault: 'answer' }],
    ['an error in a 200', { status: 200, json: { error: { code: 1, message: 'x' } } }, { fault: 'api', metaCode: 1 }],
    ['JSON of another form', { status: 502, json: { oops: true } }, { fault: 'answer', httpStatus: 502 }],
    ['a redirect', { status: 302, text: '', headers: { location: 'http://127.0.0.1:1/' } }, { httpStatus: 302 }],
    [
      'more than 1 MiB',
      { status: 200, json: { calls: [{ id: 'wacid.1' }], pad: 'x'.repeat(2 ** 20) } },
      { fault: 'answer' },
    ],
    ['nothing', (response) => response.destroy(), { fault: 'transport', unsent: false }],
    ['silence', () => undefined, { fault: 'timeout' }],
  ])('%s is a typed error, and connect is not repeated', async (what, reply, expected) => {
    graph.replies(reply);
    const timeoutMs = what === 'silence' ? 150 : 10_000;
    expect(await failure(client({ timeoutMs }).connect({ numberId, user, sdp }))).toMatchObject(expected);
    expect(graph.seen).toHaveLength(1);
  });

  it('stops a body that never ends at the deadline', async () => {
    graph.replies((response) => void response.writeHead(200).write('{"success":'));
    expect(await failure(client({ timeoutMs: 100 }).connect({ numberId, user, sdp }))).toMatchObject({
      fault: 'timeout',
    });
  });
});

describe('repeats', () => {
  it('knows that nothing was sent when nobody listens', async () => {
    const baseUrl = `http://127.0.0.1:${await freePort()}`;
    const error = await failure(client({ baseUrl }).connect({ numberId, user, sdp }));
    expect(error).toMatchObject({ fault: 'transport', unsent: true });
    expect(logger.lines).toHaveLength(2);
  });

  it.each(['reject', 'terminate'] as const)('%s is persistent, up to eight times', async (action) => {
    graph.replies(overloaded, metaError(429, 4, 'slow down'), metaError(401, 190, 'token expired'));
    await client()[action](ref);
    expect(graph.actions).toEqual([action, action, action, action]);
    graph.replies(...Array<Reply>(8).fill(overloaded));
    expect(await failure(client()[action](ref))).toMatchObject({ metaCode: 131000 });
    expect(graph.seen).toHaveLength(12);
  });

  it.each(['accept', 'preAccept'] as const)('%s once, with the same SDP', async (action) => {
    graph.replies((response) => response.destroy());
    await client()[action]({ ...ref, sdp });
    expect(graph.seen).toHaveLength(2);
    expect(graph.seen[0]?.body).toEqual(graph.seen[1]?.body);
    graph.replies(overloaded, overloaded);
    await failure(client()[action]({ ...ref, sdp }));
    expect(graph.seen).toHaveLength(4);
  });

  it.each([
    ['accept', metaError(429, 4, 'Application request limit reached')],
    ['accept', metaError(400, 130429, 'Rate limit hit')],
    ['accept', metaError(400, 80007, 'Rate limit issues')],
    ['preAccept', metaError(400, 4, 'Application request limit reached')],
  ] as const)('%s once when Meta asks to slow down (%j)', async (action, limited) => {
    graph.replies(limited);
    await client()[action]({ ...ref, sdp });
    expect(graph.seen).toHaveLength(2);
    expect(graph.seen[0]?.body).toEqual(graph.seen[1]?.body);
    graph.replies(limited, limited);
    expect(await failure(client()[action]({ ...ref, sdp }))).toMatchObject({ fault: 'api' });
    expect(graph.seen).toHaveLength(4);
  });

  it('does not repeat a connect that met a limit', async () => {
    graph.replies(metaError(429, 4, 'Application request limit reached'));
    expect(await failure(client().connect({ numberId, user, sdp }))).toMatchObject({ metaCode: 4 });
    expect(graph.seen).toHaveLength(1);
  });

  it('does not repeat an accept that was refused', async () => {
    graph.replies(metaError(400, 138008, 'SDP validation error'));
    await failure(client().accept({ ...ref, sdp }));
    expect(graph.seen).toHaveLength(1);
  });

  it.each([
    ['accept', 'Call already in progress'],
    ['accept', 'accept: the call is in progress already'],
    ['preAccept', 'pre_accept: the call has been pre-accepted already'],
  ] as const)('%s: takes "%s" for success only when it answers a repeat', async (action, details) => {
    const already = metaError(400, 100, 'Invalid parameter', details);
    graph.replies((response) => response.destroy(), already);
    await client()[action]({ ...ref, sdp });
    graph.replies(already);
    await failure(client()[action]({ ...ref, sdp }));
  });

  it('does not repeat what was aborted meanwhile', async () => {
    const abort = new AbortController();
    graph.replies((response) => {
      abort.abort();
      response.destroy();
    });
    await failure(client().accept({ ...ref, sdp, signal: abort.signal }));
    expect(graph.seen).toHaveLength(1);
  });

  it.each(['reject', 'terminate'] as const)('%s of a call that is over is success', async (action) => {
    for (const details of [
      'The call is already in progress, completed or failed',
      'Call already terminated',
      'terminate: the call has ended already',
      'Call has been completed',
    ]) {
      graph.replies(metaError(400, 100, 'Invalid parameter', details));
      await client()[action](ref);
    }
    graph.replies(metaError(400, 100, 'Invalid parameter', 'call_id is malformed'));
    await failure(client()[action](ref));
    graph.replies(...Array<Reply>(8).fill(metaError(401, 190, 'Session has expired: the call is over')));
    await failure(client()[action](ref));
  });
});

describe('log lines', () => {
  it('are those of the call whose leg asks', async () => {
    const own = { ...ref, sdp, logger: logger.child({ call: 'CALL', leg: 'a' }) };
    const fault = (response: { destroy: () => unknown }): void => void response.destroy();
    const over = metaError(400, 100, 'Invalid parameter', 'Call already terminated');
    graph.replies(fault, { status: 200, json: { success: true } }, fault);
    await client().preAccept(own);
    await client().accept(own);
    graph.replies(over, over);
    await client().reject(own);
    await client().terminate(own);
    await client().connect({ ...own, user });
    const said = logger.lines.map(({ message }) => message);
    expect(new Set(said)).toEqual(new Set(['graph request done', 'graph request failed', 'call was over already']));
    expect(logger.lines.map(({ fields }) => fields['call'])).toEqual(said.map(() => 'CALL'));
    logger.lines.length = 0;
    await client().terminate(ref);
    expect(logger.lines).toMatchObject([{ message: 'graph request done' }]);
    expect(logger.lines[0]?.fields).not.toHaveProperty('call');
  });
});

describe('token', () => {
  it('is asked for each request', async () => {
    let current = 'one';
    const rotating = client({ token: () => current });
    await rotating.terminate(ref);
    current = 'two';
    await rotating.terminate(ref);
    expect(graph.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
  });

  it.each(['', 'canary\ntoken', 'canary token'])('is not sent, nor shown, when it is %j', async (bad) => {
    const error = await failure(client({ token: () => bad }).terminate(ref));
    expect(error).toMatchObject({ fault: 'token' });
    expect(graph.seen).toEqual([]);
  });
});
