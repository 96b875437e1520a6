import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeClock } from '../../../src/lib/clock.js';
import type { E164 } from '../../../src/lib/ids.js';
import { GraphClient, type GraphClientOptions } from '../../../src/whatsapp/graph-client.js';
import type { RequestSeen } from '../../../src/whatsapp/graph-dispatch.js';
import { settled } from '../../support/eventually.js';
import { GraphDouble, metaError, type Reply } from '../../support/graph-double.js';
import { graphFailure } from '../../support/graph-failure.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';
import { someWaCall } from '../../support/whatsapp-fakes.js';

const user = { number: '+13057765456' as E164 };
const sdp = 'v=0\r\n';
const [sales, care] = ['106540352242922', '106540352242923'];
const answer = z.object({ success: z.literal(true) });

let graph: GraphDouble;
let logger: RecordingLogger;
let clock: FakeClock;
let seen: RequestSeen[];
let clients: GraphClient[];
beforeEach(async () => {
  [graph, logger, clock] = [await GraphDouble.start(), new RecordingLogger(), new FakeClock()];
  [seen, clients] = [[], []];
});
afterEach(async () => {
  for (const client of clients) client.close();
  await graph.close();
});

function client(extra: Partial<GraphClientOptions> = {}): GraphClient {
  const made = new GraphClient({
    ...{ baseUrl: graph.baseUrl, version: 'v23.0', token: () => 'token', timeoutMs: 10_000, clock, logger },
    ...{ random: () => 0.5, onRequest: (one) => void seen.push(one), ...extra },
  });
  clients.push(made);
  return made;
}

const connect = (to: GraphClient, numberId = sales): Promise<string> => to.connect({ numberId, user, sdp });
const accept = (to: GraphClient, numberId = sales): Promise<void> => to.accept({ numberId, waCallId: someWaCall, sdp });
const terminate = (to: GraphClient, numberId = sales): Promise<void> =>
  to.terminate({ numberId, waCallId: someWaCall });
const lookUp = (to: GraphClient, numberId = sales): Promise<unknown> =>
  to.request({ lane: 'other', method: 'GET', path: `${numberId}/things`, answer, numberId, what: 'things' });

const limited = (headers: Record<string, string> = {}, status = 429, code = 130429): Reply => ({
  status,
  json: { error: { message: 'Rate limit hit', code } },
  headers,
});
const lines = (message: string): unknown[] => logger.lines.filter((line) => line.message === message);

describe('a limit on a number', () => {
  it('refuses its new calls at once and says until when; calls that are on and other numbers go on', async () => {
    const at = client();
    graph.replies(limited({ 'retry-after': '7' }));
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'api', retryAfterS: 7 });
    const held = await graphFailure(connect(at));
    expect(held).toMatchObject({
      fault: 'held',
      metaCode: 130429,
      retryAfterS: 7,
      unsent: true,
      title: 'Rate limit hit',
    });
    await Promise.all([accept(at), terminate(at), connect(at, care)]);
    expect(graph.actions.sort()).toEqual(['accept', 'connect', 'connect', 'terminate']);
    expect(lines('new requests to Meta are held back')).toHaveLength(1);
  });

  it('is over by time, with one request that looks first', async () => {
    const at = client();
    graph.replies(limited({ 'retry-after': '7' }));
    await graphFailure(connect(at));
    clock.advance(6_999);
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'held', retryAfterS: 1 });
    clock.advance(1);
    let answerProbe: (() => void) | undefined;
    graph.replies((response) => {
      answerProbe = () => response.writeHead(200).end('{"calls":[{"id":"wacid.probe"}]}');
    });
    const probe = connect(at);
    await until(() => answerProbe !== undefined, 'the probe at Meta');
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'held', retryAfterS: 1 });
    answerProbe?.();
    expect(await probe).toBe('wacid.probe');
    await connect(at);
    expect(lines('requests to Meta are no longer held back')).toHaveLength(1);
  });

  it.each([
    [429, 130429],
    [400, 80007],
    [400, 130429],
    [429, 138005],
    [429, 138002],
    [429, 999],
  ])('HTTP %i with code %i is one', async (status, code) => {
    const at = client();
    graph.replies(limited({}, status, code));
    await graphFailure(connect(at));
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'held', metaCode: code });
    await connect(at, care);
  });

  it.each([
    [400, 138003],
    [429, 138012],
    [400, 138006],
  ])('HTTP %i with code %i is about one user and holds nobody back', async (status, code) => {
    const at = client();
    graph.replies(limited({ 'retry-after': '60' }, status, code));
    await graphFailure(connect(at));
    await connect(at);
  });

  it('on look-ups keeps nobody from calling, nor the other way round', async () => {
    const at = client();
    graph.replies(limited({ 'retry-after': '3' }, 429, 613));
    await graphFailure(lookUp(at));
    expect(await graphFailure(lookUp(at))).toMatchObject({ fault: 'held', retryAfterS: 3, metaCode: 613 });
    await connect(at);
    graph.replies(limited({ 'retry-after': '3' }));
    await graphFailure(connect(at));
    clock.advance(3_000);
    await lookUp(at);
  });
});

describe('a limit on the app', () => {
  it('holds back every number', async () => {
    const at = client();
    graph.replies(limited({}, 400, 4));
    await graphFailure(connect(at));
    expect(await graphFailure(connect(at, care))).toMatchObject({ fault: 'held', metaCode: 4, retryAfterS: 5 });
    expect(await graphFailure(lookUp(at, care))).toMatchObject({ fault: 'held' });
    await terminate(at);
    clock.advance(5_000);
    await connect(at, care);
    await connect(at);
  });
});

describe('usage headers', () => {
  const used = (percent: number, minutes = 0): Reply => {
    const figures = { type: 'x', call_count: percent, estimated_time_to_regain_access: minutes };
    const headers = { 'x-business-use-case-usage': JSON.stringify({ '1': [figures] }) };
    return { status: 200, json: { success: true }, headers };
  };

  it('warn once above 80 %, and again only after it was quiet', async () => {
    const at = client();
    for (const percent of [79, 81, 90, 99, 70, 85, 40, 82]) {
      graph.replies(used(percent));
      await terminate(at);
    }
    const percents = logger.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields['percent']);
    expect(percents).toEqual([81, 82]);
  });

  it('hold new work back for as long as they say', async () => {
    const at = client();
    graph.replies(used(100, 2));
    await accept(at);
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'held', httpStatus: 429, retryAfterS: 120 });
    expect(await graphFailure(lookUp(at))).toMatchObject({ fault: 'held', retryAfterS: 120 });
    await connect(at, care);
    graph.replies({ status: 200, json: { success: true }, headers: { 'x-app-usage': '{"call_count":100}' } });
    await terminate(at, care);
    expect(await graphFailure(connect(at, care))).toMatchObject({ fault: 'held', retryAfterS: 60 });
  });
});

describe('Meta out of reach', () => {
  const gone: Reply = (response) => void response.destroy();

  it('refuses new calls after five connections in a row that failed, until something gets through', async () => {
    const at = client();
    graph.replies(gone, gone, gone, gone, gone);
    for (let i = 0; i < 5; i++) expect(await graphFailure(connect(at))).toMatchObject({ fault: 'transport' });
    expect(await graphFailure(connect(at, care))).toMatchObject({ fault: 'held', retryAfterS: 2, metaCode: undefined });
    await terminate(at);
    await connect(at, care);
  });

  it('for one number, by errors of the server, touches no other', async () => {
    const at = client();
    graph.replies(...Array<Reply>(5).fill(metaError(500, 131000, 'Something went wrong')));
    for (let i = 0; i < 5; i++) await graphFailure(connect(at));
    expect(await graphFailure(connect(at))).toMatchObject({ fault: 'held', metaCode: 131000 });
    await connect(at, care);
  });
});

describe('lanes under load', () => {
  /** Meta takes its time: answers are given when the test says so. */
  function holdAll(): { readonly path: string; readonly action: unknown; reply: () => void }[] {
    const open: { path: string; action: unknown; reply: () => void }[] = [];
    const body = JSON.stringify({ success: true, calls: [{ id: 'wacid.1' }] });
    graph.always =
      ({ path, body: { action } }) =>
      (response: ServerResponse) => {
        open.push({ path, action, reply: () => void response.writeHead(200).end(body) });
      };
    return open;
  }

  it('what ends a call goes first, then what answers one, then new calls, and each number in its turn', async () => {
    const open = holdAll();
    const at = client();
    const all: Promise<unknown>[] = [];
    const start = (count: number, what: (client: GraphClient, numberId?: string) => Promise<unknown>): void => {
      for (let i = 0; i < count; i++) all.push(what(at, `10${i % 4}`));
    };
    start(40, connect);
    await until(() => open.length === 24, 'as many connects as may be on their way');
    start(20, accept);
    await until(() => open.length === 36, 'accepts in the places kept for them');
    start(12, terminate);
    await until(() => open.length === 48, 'terminates in theirs');
    expect(open.slice(24, 36).every(({ action }) => action === 'accept')).toBe(true);
    expect(open.slice(36).every(({ action }) => action === 'terminate')).toBe(true);
    // Everything is taken. What now waits goes by lanes as places come free.
    start(1, terminate);
    for (const { reply } of open.splice(0, 48)) reply();
    await until(() => open.length === 24, 'those that may go now');
    const count = (wanted: string): number => open.filter(({ action }) => action === wanted).length;
    expect(['terminate', 'accept', 'connect'].map(count)).toEqual([1, 8, 15]);
    for (const { reply } of open.splice(0)) reply();
    await until(() => open.length === 1, 'the last one');
    expect(open[0]?.action).toBe('connect');
    open[0]?.reply();
    await Promise.all(all);
    expect(seen.filter(({ code }) => code === 'ok')).toHaveLength(73);
  });

  it('a deadline holds from the moment it is asked for, in the queue too', async () => {
    const open = holdAll();
    const at = client();
    const flying = Array.from({ length: 24 }, (_, i) => graphFailure(connect(at, `10${i % 4}`)));
    await until(() => open.length === 24, 'all places taken');
    clock.advance(4_000);
    const late = connect(at, sales);
    clock.advance(6_000);
    await Promise.all(flying);
    await until(() => open.length === 25, 'the one that waited');
    clock.advance(4_000);
    expect(await graphFailure(late)).toMatchObject({ fault: 'timeout', unsent: false });
    expect(seen.at(-1)).toMatchObject({ action: 'connect', lane: 'connect', code: 'timeout', tookMs: 10_000 });
  });

  it('what waits beyond its deadline was never sent', async () => {
    const open = holdAll();
    const at = client({ timeoutMs: 10_000 });
    for (let i = 0; i < 24; i++) void graphFailure(accept(at, `10${i % 4}`));
    await until(() => open.length === 24, 'places taken');
    const late = graphFailure(connect(at, sales));
    clock.advance(10_000);
    expect(await late).toMatchObject({ fault: 'timeout', unsent: true });
  });

  it('a call that comes to its turn without time for an answer is not placed', async () => {
    const open = holdAll();
    const at = client();
    const flying = Array.from({ length: 24 }, (_, i) => accept(at, `10${i % 4}`));
    await until(() => open.length === 24, 'places taken');
    const late = graphFailure(connect(at, sales));
    clock.advance(9_500);
    for (const { reply } of open.splice(0)) reply();
    expect(await late).toMatchObject({ fault: 'timeout', unsent: true });
    await Promise.all(flying);
    expect(open).toEqual([]);
  });

  it('what waits is refused as soon as the gate shuts, and what was given up leaves', async () => {
    const open = holdAll();
    const at = client();
    for (let i = 0; i < 24; i++) void graphFailure(connect(at, `10${i % 4}`));
    await until(() => open.length === 24, 'places taken');
    const abort = new AbortController();
    const waiting = graphFailure(connect(at, '100'));
    const unwanted = graphFailure(
      at.request({
        ...{ lane: 'other', method: 'GET', path: 'x', answer, numberId: sales, what: 'x' },
        signal: abort.signal,
      }),
    );
    abort.abort();
    expect(await unwanted).toMatchObject({ fault: 'held', unsent: true });
    graph.always = undefined;
    graph.replies(limited({ 'retry-after': '9' }, 400, 4));
    const accepted = accept(at);
    expect(await waiting).toMatchObject({ fault: 'held', retryAfterS: 9 });
    await settled();
    clock.advance(2_000);
    await accepted;
  });
});

describe('answers that cannot be used', () => {
  it('50 MB are not read to their end', async () => {
    let sentBytes = 0;
    graph.replies((response) => {
      const chunk = Buffer.alloc(256 * 1024, 'x');
      const more = (): void => {
        while (!response.destroyed && sentBytes < 50 * 1024 * 1024) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    expect(await graphFailure(connect(client()))).toMatchObject({ fault: 'answer', message: 'longer than 1 MiB' });
    expect(sentBytes).toBeLessThan(50 * 1024 * 1024);
  });

  it('a body that comes by drops ends at the deadline', async () => {
    const began: ServerResponse[] = [];
    graph.replies((response) => {
      response.writeHead(200).write('{"calls":');
      began.push(response);
    });
    const slow = graphFailure(connect(client()));
    await until(() => began.length === 1, 'the first drop');
    await settled();
    clock.advance(10_000);
    expect(await slow).toMatchObject({ fault: 'timeout', unsent: false });
  });

  it('a redirect is not followed, wherever it leads', async () => {
    graph.replies({ status: 307, headers: { location: `${graph.baseUrl}/v23.0/elsewhere` }, text: '' });
    expect(await graphFailure(connect(client()))).toMatchObject({ fault: 'answer', httpStatus: 307 });
    expect(graph.seen).toHaveLength(1);
  });
});

describe('requests other than calls', () => {
  it('carry their query, their body and their checked answer', async () => {
    const at = client();
    graph.replies({ status: 200, json: { success: true, more: 1 } }, { status: 200, json: { success: true } });
    const query = { user_wa_id: '1 3&5' };
    const ask = { lane: 'other', answer, numberId: sales, what: 'things' } as const;
    expect(await at.request({ ...ask, method: 'GET', path: `${sales}/things`, query })).toEqual({ success: true });
    await at.request({ ...ask, method: 'POST', path: `${sales}/a b`, body: { x: 1 } });
    const requests = graph.seen.map(({ method, path, body }) => [method, path, body]);
    expect(requests).toEqual([
      ['GET', `/v23.0/${sales}/things?user_wa_id=1+3%265`, {}],
      ['POST', `/v23.0/${sales}/a%20b`, { x: 1 }],
    ]);
    expect(graph.seen[0]?.headers).not.toHaveProperty('content-type');
    expect(seen).toMatchObject([
      { action: 'things', lane: 'other', numberId: sales, attempt: 0, code: 'ok' },
      { action: 'things', code: 'ok' },
    ]);
    graph.replies({ status: 200, json: { success: 'no' } });
    expect(await graphFailure(lookUp(at))).toMatchObject({
      fault: 'answer',
      message: 'answer to things has another form',
    });
  });
});
