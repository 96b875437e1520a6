import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { JournalEntry } from '../../../src/call/journal.js';
import type { LegEvent } from '../../../src/call/leg.js';
import type { HttpListener } from '../../../src/http/http-listener.js';
import { startWebhookListener } from '../../../src/http/webhook-listener.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds, type WaCallId } from '../../../src/lib/ids.js';
import { BusinessInitiatedLeg } from '../../../src/whatsapp/business-initiated-leg.js';
import { CallDirectory } from '../../../src/whatsapp/call-directory.js';
import { GraphClient } from '../../../src/whatsapp/graph-client.js';
import { UserInitiatedLeg } from '../../../src/whatsapp/user-initiated-leg.js';
import { WebhookRouter, type UserCall } from '../../../src/whatsapp/webhook-router.js';
import { eventually } from '../../support/eventually.js';
import { GraphDouble, metaError } from '../../support/graph-double.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { FakeMediaEngine, someNumber, someUser } from '../../support/whatsapp-fakes.js';

/*
 * The WhatsApp side as the daemon builds it, but for the media: signed webhooks over HTTP to the legs, and the legs' requests
 * over HTTP to a double of Meta's calls endpoint.
 */

const secret = 'canary-secret';
const hangup = endReason('hangup');
let graph: GraphDouble;
let listener: HttpListener;
let world: ReturnType<typeof build>;

function build() {
  const logger = new RecordingLogger();
  const clock = systemClock;
  const directory = new CallDirectory(clock);
  const entries: JournalEntry[] = [];
  const steps: string[] = [];
  const journal = { append: (entry: JournalEntry) => Promise.resolve(void entries.push(entry)) };
  const token = (): string => 'canary-token';
  const wire = { baseUrl: graph.baseUrl, version: 'v23.0', token, timeoutMs: 500, clock, logger, backoffMs: 5 };
  const client = new GraphClient(wire);
  const media = new FakeMediaEngine();
  const observer = { step: (_: unknown, step: string) => void steps.push(step) };
  const deps = { graph: client, media, directory, journal, observer, clock, logger };
  const calls: UserCall[] = [];
  const router = new WebhookRouter({
    numbers: () => [someNumber],
    directory,
    createUserLeg: (seed) => new UserInitiatedLeg({ ...deps, ...seed, preAccept: 'immediate' }),
    onUserCall: (call) => calls.push(call),
    endAbandoned: (numberId, waCallId) => void client.terminate({ numberId, waCallId }),
    ids: systemIds,
    clock,
    observer,
    logger,
  });
  return { logger, directory, entries, steps, journal, media, deps, calls, router };
}

beforeEach(async () => {
  graph = await GraphDouble.start();
  world = build();
  listener = await startWebhookListener({
    listen: { host: '127.0.0.1', port: 0 },
    path: '/webhook',
    verifyToken: 'verify',
    appSecrets: () => [secret],
    onDelivery: (events) => world.router.handle(events),
    journal: world.journal,
    logger: world.logger,
  });
});
afterEach(async () => {
  await listener.close();
  await graph.close();
  expect(world.logger.text()).not.toMatch(/canary|a=ice-pwd/);
});

async function deliver(value: object): Promise<void> {
  const metadata = { phone_number_id: someNumber.id, display_phone_number: '15551112222' };
  const body = JSON.stringify({ entry: [{ changes: [{ field: 'calls', value: { metadata, ...value } }] }] });
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const headers = { 'x-hub-signature-256': signature, 'content-type': 'application/json' };
  const response = await fetch(`http://127.0.0.1:${listener.port}/webhook`, { method: 'POST', body, headers });
  expect(response.status).toBe(200);
}

const now = (): string => String(Math.floor(Date.now() / 1000));
const ends = { from: '13057765456', to: '15551112222' };
const userConnect = {
  calls: [
    {
      id: 'wacid.user',
      event: 'connect',
      direction: 'USER_INITIATED',
      timestamp: now(),
      ...ends,
      session: { sdp_type: 'offer', sdp: 'v=0\r\na=ice-pwd:x\r\n' },
    },
  ],
};
const terminated = (id: string, direction: string) => ({
  calls: [{ id, event: 'terminate', direction, timestamp: now(), status: 'COMPLETED' }],
});
const status = (id: string, word: string, opaque?: unknown) => ({
  statuses: [
    { id, type: 'call', status: word, timestamp: now(), recipient_id: '13057765456', biz_opaque_callback_data: opaque },
  ],
});
const answer = (id: string) => ({
  calls: [
    {
      id,
      event: 'connect',
      direction: 'BUSINESS_INITIATED',
      timestamp: now(),
      session: { sdp_type: 'answer', sdp: 'v=0\r\n' },
    },
  ],
});

function heard(leg: { listen(listener: (event: LegEvent) => void): void }): string[] {
  const types: string[] = [];
  leg.listen((event) => types.push(event.type));
  return types;
}

describe('user-initiated call over HTTP', () => {
  async function offered() {
    await deliver(userConnect);
    await eventually(() => world.calls.length === 1, 'a call');
    const { leg } = world.calls[0]!;
    return { leg, types: heard(leg) };
  }

  it('is pre-accepted, accepted and hung up by us', async () => {
    const { leg, types } = await offered();
    leg.trying();
    await eventually(() => world.media.endpoint.log.includes('start'), 'media start');
    leg.answer();
    await eventually(() => types.includes('confirmed'), 'confirmed');
    leg.hangup(hangup);
    await eventually(() => types.includes('terminated'), 'terminated');
    expect(types).toEqual(['confirmed', 'terminated']);
    expect(graph.actions).toEqual(['pre_accept', 'accept', 'terminate']);
    expect(new Set(graph.seen.map(({ body }) => body['call_id']))).toEqual(new Set(['wacid.user']));
    expect(graph.seen[0]?.body['session']).toEqual(graph.seen[1]?.body['session']);
    expect(world.entries.map(({ event }) => event)).toEqual(['webhook', 'accept']);
    expect(world.directory.size).toBe(0);
  });

  it('comes once, however often it is delivered', async () => {
    await Promise.all(Array.from({ length: 50 }, () => deliver(userConnect)));
    await eventually(() => world.entries.length === 50, 'all journalled');
    await deliver(userConnect);
    expect(world.calls).toHaveLength(1);
  });

  it('is given up by the user while the PBX rings', async () => {
    const { leg, types } = await offered();
    leg.trying();
    await eventually(() => graph.actions.includes('pre_accept'), 'pre_accept');
    await deliver(terminated('wacid.user', 'USER_INITIATED'));
    await eventually(() => types.includes('terminated'), 'terminated');
    expect(types).toEqual(['cancelled', 'terminated']);
    expect(graph.actions).toEqual(['pre_accept']);
  });

  it('is ended although Meta stumbles over the terminate twice', async () => {
    const { leg, types } = await offered();
    leg.trying();
    await eventually(() => world.media.endpoint.log.includes('start'), 'media start');
    graph.replies(metaError(500, 131000, 'Something went wrong'), (response) => response.destroy());
    leg.reject(endReason('busy'));
    await eventually(() => types.includes('terminated'), 'terminated');
    expect(graph.actions).toEqual(['pre_accept', 'terminate', 'terminate', 'terminate']);
  });
});

describe('business-initiated call over HTTP', () => {
  function dialled() {
    const call = systemIds.callId();
    const leg = new BusinessInitiatedLeg({ ...world.deps, call, number: someNumber, to: { number: someUser } });
    const types = heard(leg);
    leg.dial();
    return { leg, types };
  }

  it('rings, is answered and ended by the user', async () => {
    const { types, leg } = dialled();
    await eventually(() => leg.facts['waCallId'] !== undefined, 'call id');
    const id = leg.facts['waCallId'] as WaCallId;
    await deliver(status(id, 'RINGING'));
    await deliver(answer(id));
    await deliver(status(id, 'ACCEPTED'));
    await eventually(() => types.includes('answered'), 'answered');
    await deliver(terminated(id, 'BUSINESS_INITIATED'));
    await eventually(() => types.includes('terminated'), 'terminated');
    expect(types).toEqual(['progress', 'answered', 'ended', 'terminated']);
    expect(graph.actions).toEqual(['connect']);
    expect(graph.seen[0]?.body).toMatchObject({ to: '13057765456', session: { sdp_type: 'offer', sdp: 'our offer' } });
  });

  it('takes webhooks that outrun the HTTP reply, with our key and without', async () => {
    let reply: (() => void) | undefined;
    graph.replies((response) => {
      reply = () => response.end(JSON.stringify({ calls: [{ id: 'wacid.slow' }] }));
    });
    const { types } = dialled();
    await eventually(() => reply !== undefined, 'the connect request');
    await deliver(answer('wacid.slow'));
    await deliver(status('wacid.slow', 'RINGING', graph.seen[0]?.body['biz_opaque_callback_data']));
    await eventually(() => types.includes('progress'), 'ringing before the reply');
    reply?.();
    await deliver(status('wacid.slow', 'ACCEPTED'));
    await eventually(() => types.includes('answered'), 'answered');
    expect(types).toEqual(['progress', 'answered']);
  });

  it('adopts a call whose connect got no answer, and never connects twice', async () => {
    graph.replies((response) => response.destroy());
    const { types, leg } = dialled();
    await eventually(() => leg.phase === 'uncertain', 'an unknown outcome');
    const opaque = graph.seen[0]?.body['biz_opaque_callback_data'];
    await deliver(status('wacid.lost', 'RINGING', opaque));
    await eventually(() => types.includes('progress'), 'adopted');
    leg.hangup(hangup);
    await eventually(() => types.includes('terminated'), 'terminated');
    expect(graph.seen.map(({ body }) => [body['action'], body['call_id']])).toEqual([
      ['connect', undefined],
      ['terminate', 'wacid.lost'],
    ]);
  });

  it('ends at Meta a call that turns up after it was given up', async () => {
    graph.replies((response) => response.destroy());
    const { types, leg } = dialled();
    await eventually(() => leg.phase === 'uncertain', 'an unknown outcome');
    leg.hangup(hangup);
    await eventually(() => types.includes('terminated'), 'terminated');
    await deliver(status('wacid.late', 'RINGING', graph.seen[0]?.body['biz_opaque_callback_data']));
    await eventually(() => graph.actions.includes('terminate'), 'terminate');
    expect(graph.seen[1]?.body).toMatchObject({ action: 'terminate', call_id: 'wacid.late' });
  });
});
