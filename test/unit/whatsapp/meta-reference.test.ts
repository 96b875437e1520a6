import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { BusinessInitiatedLeg } from '../../../src/whatsapp/business-initiated-leg.js';
import { UserInitiatedLeg } from '../../../src/whatsapp/user-initiated-leg.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { parseWebhook } from '../../../src/whatsapp/webhook-parse.js';
import { WebhookRouter, type UserCall } from '../../../src/whatsapp/webhook-router.js';
import { settled } from '../../support/eventually.js';
import { jsonFixture, metaFixture, metaIndex } from '../../support/fixtures.js';
import { loopbackSdp } from '../../support/loopback-sdp.js';
import { legWorld, someCall, someNumber, someUser } from '../../support/whatsapp-fakes.js';

const dir = new URL('../../fixtures/meta-reference/', import.meta.url);
const ids = ['106540352242922', '105615555715855'];

/** What the parser makes of each event of the reference. */
const expected: Record<string, object> = {
  'business-connect-event.json': { kind: 'business_connect', user: { number: '+16315553602', name: 'Callee Name' } },
  'business-connect-legacy-connection-event.json': { kind: 'business_connect', user: { number: '+16501230000' } },
  'status-ringing-event.json': { kind: 'call_status', status: 'RINGING', opaque: 'random_string' },
  'status-accepted-event.json': { kind: 'call_status', status: 'ACCEPTED', opaque: 'random_string' },
  'status-rejected-event.json': { kind: 'call_status', status: 'REJECTED', opaque: 'random_string' },
  'terminate-completed-event.json': {
    kind: 'call_terminate',
    direction: 'business_initiated',
    outcome: 'COMPLETED',
    startMs: 1_671_644_824_000,
    endMs: 1_671_644_944_000,
    durationS: 120,
    opaque: 'random_string',
    errors: [],
  },
  'terminate-failed-event.json': {
    kind: 'call_terminate',
    outcome: 'FAILED',
    errors: [{ code: 138021, title: 'Media timeout', details: 'No media received from the business' }],
  },
  'permission-reply-user-event.json': {
    kind: 'permission_reply',
    response: 'accept',
    permanent: false,
    source: 'user_action',
    expiresAtMs: 1_745_343_479_000,
    contextId: 'wacid.gBGGFlaCmZ9plHrf2Mh-o',
    messageId: 'wamid.sH0kFlaCGg0xcvZbgmg90lHrg2dL',
    user: { number: '+13057765456' },
  },
  'permission-reply-automatic-event.json': { kind: 'permission_reply', source: 'automatic' },
};

const onLoopback = (event: WebhookEvent): WebhookEvent => {
  if (event.kind === 'business_connect') return { ...event, answer: loopbackSdp(event.answer) };
  return event.kind === 'user_connect' ? { ...event, offer: loopbackSdp(event.offer) } : event;
};

function routed() {
  const clock = new FakeClock(1_671_644_824_000);
  const world = legWorld(clock);
  const calls: UserCall[] = [];
  const results: string[] = [];
  const router = new WebhookRouter({
    numbers: () => ids.map((id) => ({ ...someNumber, id })),
    directory: world.directory,
    createUserLeg: (seed) => new UserInitiatedLeg({ ...world.deps, ...seed, preAccept: 'immediate' }),
    onUserCall: (call) => calls.push(call),
    endAbandoned: () => undefined,
    count: (result) => results.push(result),
    ids: { callId: () => '01JDB2ZV4QXK0000000000000B' as CallId, hex: () => '' },
    clock,
    observer: world.deps.observer,
    logger: world.logger,
  });
  return { ...world, router, calls, results, clock };
}

describe('Meta’s reference as fixtures', () => {
  const index = metaIndex();

  it('lists every file and nothing else', () => {
    const files = readdirSync(dir).filter((file) => file !== 'index.json');
    expect(index.map(({ file }) => file).sort()).toEqual(files.sort());
    const events = index.filter(({ kind }) => kind === 'event').map(({ file }) => file);
    expect(Object.keys(expected).sort()).toEqual(events.sort());
  });

  it.each(index.map(({ file, kind }) => ({ file, kind })))('$file is JSON of a $kind', ({ file, kind }) => {
    const json = metaFixture(file) as Record<string, unknown>;
    if (kind === 'event') expect(json['object']).toBe('whatsapp_business_account');
    else expect(json['calling'] ?? json['messaging_product'] ?? json['success']).toBeDefined();
    // Placeholders are gone.
    expect(JSON.stringify(json)).not.toMatch(/<<|<[A-Z_]+>|\. \. \.|\{[a-z_]+\}/);
  });

  it.each(Object.entries(expected))('%s is understood', (file, event) => {
    expect(parseWebhook(metaFixture(file))).toMatchObject([event]);
  });

  it('knows every event, and one call goes its whole way by them', async () => {
    const { router, deps, graph, endpoint, types, events, results, directory } = routed();
    const leg = new BusinessInitiatedLeg({ ...deps, call: someCall, number: someNumber, to: { number: someUser } });
    leg.listen((event) => events.push(event));
    leg.dial();
    await settled();
    // The samples of one story do not all carry the same id; the connect's is taken for all.
    const id = 'wacid.ABGGFjFVU2AfAgo6V-Hc5eCgK5Gh';
    graph.succeed('connect', id);
    await settled();
    const files = ['status-ringing-event', 'business-connect-event', 'status-accepted-event', 'terminate-failed-event'];
    for (const file of files) {
      const found = parseWebhook(metaFixture(`${file}.json`)).map(onLoopback);
      router.handle(found.map((event) => ('waCallId' in event ? { ...event, waCallId: id } : event) as WebhookEvent));
      await settled();
    }
    expect(results).toEqual(['handled', 'handled', 'handled', 'handled']);
    expect(types()).toEqual(['progress', 'answered', 'ended', 'terminated']);
    expect(endpoint.log.join('\n')).toContain('a=candidate:2754936280 1 udp 2113937151 127.0.0.1 3482');
    expect(endpoint.log.join('\n')).not.toMatch(/31\.13\.|2a03:/);
    expect(graph.actions).toEqual(['connect']);
    expect(directory.size).toBe(0);
  });

  it('a user’s call goes its whole way', async () => {
    const { router, graph, calls, events, types, endpoint, clock } = routed();
    const delivery = parseWebhook(jsonFixture('webhooks/user-initiated-connect.json')).map(onLoopback);
    router.handle(delivery);
    expect(calls).toMatchObject([{ from: '+13057765456', fromName: 'Ana "Nina" Ñandú 🙂', ctaPayload: 'order-4711' }]);
    const leg = calls[0]!.leg;
    leg.listen((event) => events.push(event));
    graph.prompt.add('preAccept').add('accept').add('terminate');
    leg.trying();
    await settled();
    leg.answer();
    await settled();
    leg.hangup({ code: 'hangup', sipStatus: 480, q850: 16, result: 'success' });
    await settled();
    clock.advance(1000);
    expect(graph.actions).toEqual(['preAccept', 'accept', 'terminate']);
    expect(types()).toEqual(['confirmed', 'terminated']);
    expect(endpoint.log).toEqual(['createAnswer', 'start', 'start', 'openSending', 'close']);
  });

  it('events that are only acknowledged do not disturb', () => {
    const { router, results } = routed();
    for (const { file } of index.filter(({ kind }) => kind === 'event')) router.handle(parseWebhook(metaFixture(file)));
    expect(results).not.toContain('failed');
    expect(results).not.toContain('unknown');
  });
});
