import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveSecrets } from '../../../src/config/live-secrets.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { E164 } from '../../../src/lib/ids.js';
import { z } from 'zod';
import { GraphClient } from '../../../src/whatsapp/graph-client.js';
import { GraphDouble, metaError } from '../../support/graph-double.js';
import { graphFailure } from '../../support/graph-failure.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';
import { someWaCall } from '../../support/whatsapp-fakes.js';

const user = { number: '+13057765456' as E164 };
const sdp = 'v=0\r\n';
const [sales, care] = ['106540352242922', '106540352242923'];

let graph: GraphDouble;
let logger: RecordingLogger;
let clock: FakeClock;
let client: GraphClient;
let token: string;
/** Tokens that Meta takes. */
let good: Set<string>;
beforeEach(async () => {
  [graph, logger, clock] = [await GraphDouble.start(), new RecordingLogger(), new FakeClock()];
  [token, good] = ['canary-first', new Set(['canary-first'])];
  graph.always = ({ headers }) => {
    const given = headers.authorization?.replace('Bearer ', '') ?? '';
    return good.has(given) ? undefined : metaError(401, 190, 'Error validating access token: expired');
  };
  client = started([sales, care]);
});
afterEach(async () => {
  client.close();
  await graph.close();
  expect(logger.text()).not.toMatch(/canary/);
});

function started(numberIds: string[]): GraphClient {
  const wire = { baseUrl: graph.baseUrl, version: 'v23.0', timeoutMs: 10_000, clock, logger };
  return new GraphClient({ ...wire, token: () => token, numberIds });
}

const connect = (numberId = sales): Promise<string> => client.connect({ numberId, user, sdp });
const accept = (numberId = sales): Promise<void> => client.accept({ numberId, waCallId: someWaCall, sdp });

const errors = (): unknown[] => logger.lines.filter(({ level }) => level === 'error');
const probed = async (count: number): Promise<void> => {
  await until(() => graph.probes.length === count, `${count} looks at the credentials`);
};

describe('a token that Meta refuses', () => {
  beforeEach(async () => {
    good.clear();
    expect(await graphFailure(connect())).toMatchObject({ fault: 'api', metaCode: 190 });
  });

  it('stops new calls of every number at once, with one line in the log; answering is tried anyway', async () => {
    expect(client.credentialsOk).toBe(false);
    for (const numberId of [sales, care, sales]) {
      const held = { fault: 'held', metaCode: 190, retryAfterS: 60, unsent: true };
      expect(await graphFailure(connect(numberId))).toMatchObject(held);
    }
    expect(await graphFailure(accept())).toMatchObject({ fault: 'api', metaCode: 190 });
    expect(graph.actions).toEqual(['connect', 'accept']);
    expect(errors()).toMatchObject([{ message: 'Meta refuses the credentials: no calls can be placed' }]);
  });

  it('is tried again after 5 s, 10 s, 20 s … 60 s, and heals when Meta takes it', async () => {
    const pauses = [5_000, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000];
    for (const [at, pauseMs] of pauses.entries()) {
      clock.advance(pauseMs - 1);
      expect(graph.probes).toHaveLength(at);
      clock.advance(1);
      await probed(at + 1);
    }
    good.add(token);
    clock.advance(60_000);
    await until(() => client.credentialsOk, 'credentials that work');
    await connect();
    expect(errors()).toHaveLength(1);
    expect(graph.probes[0]).toMatchObject({ method: 'GET', path: `/v23.0/${sales}?fields=id` });
  });

  it('is healed by any request that Meta answers', async () => {
    good.add(token);
    await accept();
    expect(client.credentialsOk).toBe(true);
    await connect();
  });

  it('is healed at once by another token, which is looked at', async () => {
    [token] = ['canary-second'];
    good.add(token);
    expect(client.credentialsOk).toBe(true);
    client.tokenChanged();
    clock.advance(0);
    await probed(1);
    await until(() => logger.lines.some(({ message }) => message === 'Meta takes the credentials again'), 'the news');
    await connect();
  });

  it('and another that is no better is found out by the look, not by a call', async () => {
    [token] = ['canary-worse'];
    client.tokenChanged();
    clock.advance(0);
    await until(() => !client.credentialsOk, 'the judgement');
    expect(await graphFailure(connect())).toMatchObject({ fault: 'held', metaCode: 190 });
    expect(errors()).toHaveLength(2);
  });
});

it('an answer to the old token says nothing of the new one', async () => {
  let refuse: (() => void) | undefined;
  graph.replies((response) => {
    const error = { message: 'Session has expired', code: 190 };
    refuse = () => response.writeHead(401).end(JSON.stringify({ error }));
  });
  const late = graphFailure(connect());
  await until(() => refuse !== undefined, 'the request at Meta');
  token = 'canary-second';
  good.add(token);
  refuse?.();
  expect(await late).toMatchObject({ metaCode: 190 });
  expect(client.credentialsOk).toBe(true);
  expect(errors()).toEqual([]);
});

describe('a token without the right to a number', () => {
  it.each([
    [403, 10],
    [403, 200],
    [403, 299],
  ])('HTTP %i with code %i stops that number only', async (status, code) => {
    graph.replies(metaError(status, code, 'Permissions error'));
    expect(await graphFailure(connect())).toMatchObject({ metaCode: code });
    expect(await graphFailure(connect())).toMatchObject({ fault: 'held', metaCode: code, retryAfterS: 60 });
    await connect(care);
    expect(client.credentialsOk).toBe(true);
    graph.replies(metaError(status, code, 'Permissions error'));
    await graphFailure(connect(care));
    expect(client.credentialsOk).toBe(false);
    clock.advance(5_000);
    await probed(1);
    await until(() => client.credentialsOk, 'one number that works');
  });
});

it.each([
  [403, 10],
  [400, 100],
])('HTTP %i with code %i to a look-up keeps nobody from calling', async (status, code) => {
  graph.replies({ status, json: { error: { message: 'Unsupported get request', code, error_subcode: 33 } } });
  const ask = { lane: 'other', method: 'GET', path: `${sales}/call_permissions`, answer: z.unknown() } as const;
  await graphFailure(client.request({ ...ask, numberId: sales, what: 'call_permissions' }));
  await connect();
  expect(errors()).toEqual([]);
});

it('a token that is refused to a look-up stops new calls', async () => {
  good.clear();
  const ask = { lane: 'other', method: 'GET', path: `${sales}/call_permissions`, answer: z.unknown() } as const;
  await graphFailure(client.request({ ...ask, numberId: sales, what: 'call_permissions' }));
  expect(await graphFailure(connect())).toMatchObject({ fault: 'held', metaCode: 190 });
});

it('the proof that we know the app secret goes with every request, by token and secret of the moment', async () => {
  client.close();
  let appSecret = 'canary-secret';
  const wire = { baseUrl: graph.baseUrl, version: 'v23.0', timeoutMs: 10_000, clock, logger };
  client = new GraphClient({ ...wire, token: () => token, appSecret: () => appSecret, numberIds: [sales] });
  await connect();
  [token, appSecret] = ['canary-second', 'canary-other'];
  good.add(token);
  const query = { fields: 'name', x: '&' };
  const ask = { lane: 'other', method: 'GET', path: sales, query, answer: z.unknown() } as const;
  await client.request({ ...ask, numberId: sales, what: 'name' });
  // By: printf %s TOKEN | openssl dgst -sha256 -hmac SECRET
  expect(graph.seen.map(({ path }) => path)).toEqual([
    `/v23.0/${sales}/calls?appsecret_proof=74f29e5c7999cb373c0f67ec18662fc66d9022cd37fb67c2235d46e02713911f`,
    `/v23.0/${sales}?fields=name&x=%26&appsecret_proof=af51a350817d1ff854a7201cca6995cb4a9c9547ab4a83b03aa2b4b083c9a309`,
  ]);
});

it.each([
  [401, 138000],
  [401, 138006],
])('HTTP %i with code %i is about the call, not about the token', async (status, code) => {
  graph.replies(metaError(status, code, 'Calling not enabled'));
  await graphFailure(connect());
  expect(client.credentialsOk).toBe(true);
  await connect();
  expect(errors()).toEqual([]);
});

it('are looked at every five minutes while all is well, number by number', async () => {
  clock.advance(300_000);
  await probed(1);
  clock.advance(300_000);
  await probed(2);
  expect(graph.probes.map(({ path }) => path)).toEqual([`/v23.0/${sales}?fields=id`, `/v23.0/${care}?fields=id`]);
  good.clear();
  clock.advance(300_000);
  await until(() => !client.credentialsOk, 'the judgement');
  client.close();
  clock.advance(3_600_000);
  expect(graph.probes).toHaveLength(3);
});

it('without a number nothing is looked at', () => {
  client.close();
  client = started([]);
  clock.advance(3_600_000);
  expect([graph.probes, client.credentialsOk]).toEqual([[], true]);
});

describe('a token file', () => {
  let folder: string;
  let secrets: LiveSecrets;
  const file = (): string => join(folder, 'token');

  /** As Kubernetes mounts a secret: the name is a link to a link to a folder, and the middle link is swapped. */
  function mount(version: string, text: string): void {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'token'), text);
    symlinkSync(version, join(folder, `..data_tmp`));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-'));
    mount('..v1', 'canary-first\n');
    symlinkSync('..data/token', file());
    const secretFiles = { accessToken: file(), appSecrets: [] };
    const found = { accessToken: 'canary-first', appSecrets: [], secretFiles };
    secrets = new LiveSecrets({ graph: found, redact: () => undefined, clock, logger });
    client.close();
    const wire = { baseUrl: graph.baseUrl, version: 'v23.0', timeoutMs: 10_000, clock, logger };
    client = new GraphClient({ ...wire, token: () => secrets.accessToken(), numberIds: [sales] });
    secrets.onTokenChange(() => client.tokenChanged());
  });
  afterEach(() => {
    secrets.close();
    rmSync(folder, { recursive: true });
  });

  it('swapped by its link heals refused credentials without a restart, within 2 s', async () => {
    good = new Set(['canary-rotated']);
    await graphFailure(connect());
    expect(client.credentialsOk).toBe(false);
    mount('..v2', 'canary-rotated\n');
    // By the clock of the daemon, one look at the file and one at Meta.
    clock.advance(1_000);
    await until(() => secrets.accessToken() === 'canary-rotated', 'the new token');
    clock.advance(0);
    await until(() => graph.probes.length === 1, 'a look at the credentials');
    expect(client.credentialsOk).toBe(true);
    await connect();
    expect(graph.seen.at(-1)?.headers.authorization).toBe('Bearer canary-rotated');
  });
});
