import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadInputError } from '../../../src/lib/bridge-error.js';
import { systemClock } from '../../../src/lib/clock.js';
import type { E164 } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { GraphClient } from '../../../src/whatsapp/graph-client.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { reasonFromGraphError } from '../../../src/whatsapp/graph-cause.js';
import { isWaId } from '../../../src/whatsapp/wa-ids.js';
import { parseWebhookBody } from '../../../src/whatsapp/webhook-parse.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { isSigned } from '../../../src/whatsapp/webhook-verify.js';
import { metaIndex, readFixture } from '../../support/fixtures.js';
import { someWaCall } from '../../support/whatsapp-fakes.js';

const bodies = [
  ...metaIndex()
    .filter(({ kind }) => kind === 'event')
    .map(({ file }) => readFixture(`meta-reference/${file}`)),
  readFixture('webhooks/user-initiated-connect.json'),
];

/** Values that stand where something else was expected. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, 0, -1, 1e308, '', 'x'.repeat(5000), '__proto__', [], {}, [[]], '\u0000', '١٢٣', true),
);

/** Replaces the value at a random place of a JSON document. */
function replaced(json: unknown, path: readonly number[], value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined || typeof json !== 'object' || json === null) return value;
  const keys = Object.keys(json);
  if (keys.length === 0) return value;
  const key = keys[head % keys.length]!;
  const child = replaced((json as Record<string, unknown>)[key], rest, value);
  return Array.isArray(json)
    ? json.map((item, i) => (String(i) === key ? child : (item as unknown)))
    : { ...json, [key]: child };
}

/** What is wrong with the outcome: nothing, for events of the promised form or for the one typed error. */
function faultsOf(body: Uint8Array): string[] {
  try {
    return parseWebhookBody(body).flatMap(formFaults);
  } catch (error) {
    return error instanceof BadInputError ? [] : [String(error)];
  }
}

function formFaults(event: WebhookEvent): string[] {
  const faults = Object.getPrototypeOf(event) === Object.prototype ? [] : ['prototype'];
  if (!('waCallId' in event)) return faults;
  if (!isWaId(event.waCallId)) faults.push('id');
  if (typeof event.numberId !== 'string') faults.push('number id');
  if (event.kind === 'user_connect' && typeof event.offer !== 'string') faults.push('offer');
  if (event.kind === 'business_connect' && typeof event.answer !== 'string') faults.push('answer');
  const number = 'user' in event ? event.user.number : undefined;
  if (number !== undefined && !/^\+[1-9]\d{6,14}$/.test(number)) faults.push('user');
  if (event.timestampMs !== undefined && !Number.isFinite(event.timestampMs)) faults.push('timestamp');
  return faults;
}

describe('webhook bodies', () => {
  it('with odd values anywhere are parsed or refused', () => {
    const path = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        fc.constantFrom(...bodies),
        fc.array(fc.tuple(path, odd), { minLength: 1, maxLength: 4 }),
        (body, edits) => {
          const json = edits.reduce<unknown>((doc, [at, value]) => replaced(doc, at, value), JSON.parse(body));
          expect(faultsOf(Buffer.from(JSON.stringify(json)))).toEqual([]);
        },
      ),
      { numRuns: 5000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('with odd bytes anywhere are parsed or refused', () => {
    const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...bodies),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (body, edits, cut) => {
          const bytes = Buffer.from(body);
          for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
          expect(faultsOf(cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes)).toEqual([]);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('are never taken for signed unless the secret signed exactly these bytes', () => {
    const secret = 'app-secret';
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (body, at, flip) => {
        const mac = createHmac('sha256', secret).update(body).digest();
        expect(isSigned(body, `sha256=${mac.toString('hex')}`, ['other', secret])).toBe(true);
        mac[at % mac.length]! ^= flip;
        expect(isSigned(body, `sha256=${mac.toString('hex')}`, ['other', secret])).toBe(false);
        if (body.length === 0) return;
        const header = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
        body[at % body.length]! ^= flip;
        expect(isSigned(body, header, ['other', secret])).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('are never taken for signed by a made-up header', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `sha256=${text}`),
        ),
        (header) => {
          expect(isSigned(Buffer.from('{}'), header, ['app-secret'])).toBe(false);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('Graph answers', () => {
  const headerValue = fc.oneof(
    fc.string().map((text) => text.replace(/[^\x20-\x7e]/g, '')),
    fc.json().map((text) => text.replace(/[^\x20-\x7e]/g, '')),
    fc.integer().map(String),
  );
  const headerNames = ['x-app-usage', 'x-business-use-case-usage', 'content-type', 'www-authenticate', 'x-odd'];
  const anyHeaders = fc.dictionary(fc.constantFrom(...headerNames), headerValue);
  const answer = fc.record({
    status: fc.constantFrom(200, 201, 204, 301, 400, 401, 404, 429, 500, 503),
    body: fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ error: odd }).map((value) => JSON.stringify(value)),
      fc
        .record({ error: fc.record({ code: odd, message: odd, error_data: odd }) })
        .map((value) => JSON.stringify(value)),
      fc.record({ calls: fc.array(fc.record({ id: odd })) }).map((value) => JSON.stringify(value)),
    ),
    retryAfter: fc.constantFrom('', '5', '-1', 'soon', 'Wed, 21 Oct 2099 07:28:00 GMT', '99999999999999999999'),
    more: anyHeaders,
  });

  it('of any form are an id or a typed error with a SIP status', async () => {
    await fc.assert(
      fc.asyncProperty(answer, async ({ status, body, retryAfter, more }) => {
        const client = new GraphClient({
          baseUrl: 'http://127.0.0.1:1',
          version: 'v23.0',
          token: () => 'token',
          timeoutMs: 1000,
          clock: systemClock,
          logger: silentLogger,
          fetch: () =>
            Promise.resolve(
              new Response(status === 204 ? null : body, { status, headers: { ...more, 'retry-after': retryAfter } }),
            ),
        });
        try {
          expect(
            isWaId(await client.connect({ numberId: '1', user: { number: '+13057765456' as E164 }, sdp: 'x' })),
          ).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(GraphError);
          const reason = reasonFromGraphError(error as GraphError);
          expect(reason.sipStatus).toBeGreaterThanOrEqual(400);
          expect(reason.sipStatus).toBeLessThan(600);
          expect((reason.text ?? '').length).toBeLessThanOrEqual(500);
          expect(reason.retryAfterS === undefined || reason.retryAfterS > 0 || retryAfter === '').toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('to a terminate never throw anything but a typed error', async () => {
    await fc.assert(
      fc.asyncProperty(answer, async ({ status, body }) => {
        const client = new GraphClient({
          baseUrl: 'http://127.0.0.1:1',
          version: 'v23.0',
          token: () => 'token',
          timeoutMs: 1000,
          clock: { ...systemClock, after: (_, callback) => systemClock.after(0, callback) },
          logger: silentLogger,
          fetch: () => Promise.resolve(new Response(status === 204 ? null : body, { status })),
        });
        const failure: unknown = await client
          .terminate({ numberId: '1', waCallId: someWaCall })
          .catch((e: unknown) => e);
        expect(failure === undefined || failure instanceof GraphError).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
