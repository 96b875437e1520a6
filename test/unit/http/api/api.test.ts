import { describe, expect, it } from 'vitest';
import { createAdminApp } from '../../../../src/http/admin-listener.js';
import type { AdminPort } from '../../../../src/http/api/admin-port.js';
import { openApiDocument } from '../../../../src/http/api/openapi.js';
import { operations, type Operation } from '../../../../src/http/api/operations.js';
import { ProblemError } from '../../../../src/http/api/problem.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import { EventBus } from '../../../../src/observability/event-bus.js';

const TOKEN = 'admin-token-of-the-test';

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly host?: string;
  readonly remote?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Where the listener is. */
  readonly listen?: string;
}

/** Asks an API with this token; the port notes what reached it. */
async function ask(configured: string, { method = 'GET', path, listen = '127.0.0.1', ...asked }: Asked) {
  const reached: string[] = [];
  const port = new Proxy({} as AdminPort, {
    get: (_, name) => () => {
      reached.push(String(name));
      if (name === 'reload') throw new ProblemError('configuration_refused', 'one error', { errors: [] });
      return {};
    },
  });
  const app = createAdminApp({
    ...{ listen: { host: listen, port: 0 }, token: () => configured, checks: () => [], api: port },
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
    ...{ events: new EventBus(), logger: silentLogger },
  });
  const { token, host = '127.0.0.1:8081', remote = '127.0.0.1', body } = asked;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await app.inject({
    ...{ method: method as 'GET', url: path, remoteAddress: remote },
    headers: { host, ...authorization, ...asked.headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  await app.close();
  return { status: response.statusCode, text: response.body, headers: response.headers, reached };
}

const json = { 'content-type': 'application/json' };
const pathOf = ({ path }: Operation): string => path.replace('{id}', '01JD3Q8Z5KABCDEFGHJKMNPQRS');
const bodyOf = ({ id }: Operation): string => (id === 'setLogLevel' ? '{"level":"debug"}' : '{}');
const reading = operations.filter(({ method }) => method === 'GET');
const changing = operations.filter(({ method }) => method !== 'GET');

describe.each(reading)('reading: $method $path', (operation) => {
  const path = pathOf(operation);

  it.each([
    ['on this machine', {}, 200],
    ['on this machine, as localhost', { host: 'localhost' }, 200],
    ['from elsewhere', { remote: '10.0.0.9', host: '10.0.0.1' }, 401],
    ['from elsewhere with a wrong token', { remote: '10.0.0.9', token: `${TOKEN}x` }, 401],
    ['from elsewhere with the token', { remote: '10.0.0.9', host: 'sip2wa.example.com', token: TOKEN }, 200],
    ['through a rebound domain', { host: 'evil.example.com' }, 401],
    ['through a proxy on this machine', { headers: { 'x-forwarded-for': '10.0.0.9' } }, 401],
  ])('%s', async (_, asked, status) => {
    const answer = await ask(TOKEN, { path, listen: '0.0.0.0', ...asked });
    expect(answer.status).toBe(status);
    expect(answer.reached).toHaveLength(status === 200 ? 1 : 0);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('a listener without a token tells nobody from elsewhere', async () => {
    const empty = { path, listen: '0.0.0.0', remote: '10.0.0.9', headers: { authorization: 'Bearer ' } };
    expect(await ask('', empty)).toMatchObject({ status: 401, reached: [] });
  });
});

describe.each(changing)('changing: $method $path', (operation) => {
  const { method, body: schema } = operation;
  const body = schema === undefined ? {} : { body: bodyOf(operation), headers: json };
  const asked = { method, path: pathOf(operation), ...body };
  const withHeaders = (more: Record<string, string>) => ({ ...asked, headers: { ...body.headers, ...more } });
  const done = operation.id === 'reload' ? 422 : 200;

  it.each([
    ['on this machine where no token is configured', '', {}, done],
    ['on this machine without the token that is configured', TOKEN, {}, 401],
    ['on this machine with it', TOKEN, { token: TOKEN }, done],
    ['from elsewhere without it', TOKEN, { remote: '10.0.0.9' }, 401],
    ['from elsewhere with it', TOKEN, { remote: '10.0.0.9', token: TOKEN, host: 'sip2wa.example.com' }, done],
    ['through a rebound domain', '', { host: 'evil.example.com' }, 401],
  ])('%s', async (_, configured, more, status) => {
    const answer = await ask(configured, { ...asked, listen: '0.0.0.0', ...more });
    expect(answer.status).toBe(status);
    expect(answer.reached.length > 0).toBe(status === done);
  });

  it.each([
    ['of another origin', { origin: 'https://evil.example.com' }, 403],
    ['of another origin, hidden', { origin: 'null' }, 403],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['of another port of this machine', { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }, 403],
    ['of its own', { origin: 'http://127.0.0.1:8081', 'sec-fetch-site': 'same-origin' }, done],
  ])('from a page %s', async (_, headers, status) => {
    const answer = await ask('', withHeaders(headers));
    expect(answer.status).toBe(status);
    expect(answer.reached.length > 0).toBe(status === done);
  });

  it('is not done by GET', async () => {
    const answer = await ask('', { path: asked.path });
    if (!reading.some(({ path }) => path === operation.path)) expect(answer.status).toBe(404);
    expect(answer.reached).not.toContain(operation.id);
  });
});

describe.each(changing.filter(({ body }) => body !== undefined))('what comes with $method $path', (operation) => {
  const asked = { method: operation.method, path: pathOf(operation), body: bodyOf(operation) };

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'is not %s',
    async (type) => {
      const answer = await ask('', { ...asked, headers: { 'content-type': type } });
      expect(answer).toMatchObject({ status: 415, reached: [] });
    },
  );

  it('is not nothing', async () => {
    const { method, path } = asked;
    expect(await ask('', { method, path })).toMatchObject({ status: 415, reached: [] });
  });

  it.each(['{"unknown":1}', '[]', '{', ''])('is not %s', async (body) => {
    expect(await ask('', { ...asked, body, headers: json })).toMatchObject({ status: 400, reached: [] });
  });
});

describe('what goes wrong', () => {
  it('is told by a problem document', async () => {
    const { status, headers, text } = await ask('', { method: 'POST', path: '/v1/reload', body: '{}', headers: json });
    expect([status, headers['content-type']]).toEqual([422, 'application/problem+json; charset=utf-8']);
    expect(JSON.parse(text)).toEqual({
      ...{ type: 'urn:sip2wa:problem:configuration_refused', code: 'configuration_refused', status: 422 },
      title: 'The configuration has errors; the old one stays in use',
      ...{ detail: 'one error', errors: [] },
    });
  });

  it('never repeats a value', async () => {
    const body = '{"level":"canary-of-the-test"}';
    const { status, text } = await ask('', { method: 'PUT', path: '/v1/log-level', body, headers: json });
    expect(status).toBe(400);
    expect(text).not.toContain('canary');
  });

  it.each([
    ['nothing there', { path: '/v1/nothing' }, 404, 'not_found'],
    ['no token', { path: '/v1/calls', remote: '10.0.0.9' }, 401, 'unauthorized'],
    ['a rebound domain', { path: '/v1/calls', host: 'evil.example.com' }, 421, 'misdirected'],
    ['a query that makes no sense', { path: '/v1/calls?state=loud' }, 400, 'bad_request'],
    ['a limit that is none', { path: '/v1/calls?limit=0' }, 400, 'bad_request'],
    [
      'a body as large as a book',
      { method: 'POST', path: '/v1/drain', body: `"${'x'.repeat(70_000)}"` },
      413,
      'too_large',
    ],
  ])('%s', async (_, asked, status, code) => {
    const headers = 'body' in asked ? json : {};
    const answer = await ask('', { ...asked, headers });
    expect([answer.status, (JSON.parse(answer.text) as { code: string }).code]).toEqual([status, code]);
  });
});

describe('the OpenAPI document', () => {
  const document = JSON.parse(JSON.stringify(openApiDocument())) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; responses: object; requestBody?: object }>>;
    components: { schemas: Record<string, object> };
  };
  const text = JSON.stringify(document);

  it('has every operation, with what it takes and answers', async () => {
    expect(document.openapi).toBe('3.1.0');
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => `${operationId} ${method.toUpperCase()} ${path}`),
    );
    const known = operations.map(({ id, method, path }) => `${id} ${method} ${path}`);
    expect(described.sort()).toEqual([...known, 'events GET /v1/events'].sort());
    for (const { path, method, body } of operations) {
      const { responses, requestBody } = document.paths[path]?.[method.toLowerCase()] ?? { responses: {} };
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '401']));
      expect(requestBody !== undefined).toBe(body !== undefined);
    }
    const served = await ask('', { path: '/v1/openapi.json' });
    expect(JSON.parse(served.text)).toEqual(document);
  });

  it('refers to nothing that it has not', () => {
    const refs = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = '']) => ref);
    expect(refs.length).toBeGreaterThan(20);
    for (const ref of refs) {
      expect(document.components.schemas).toHaveProperty([ref.replace('#/components/schemas/', '')]);
    }
    expect(text).not.toContain('$defs');
  });

  it('changes nothing by GET', () => {
    for (const methods of Object.values(document.paths)) expect(methods['get']?.requestBody).toBeUndefined();
  });
});
