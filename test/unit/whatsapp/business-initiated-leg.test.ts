import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { MediaError } from '../../../src/media/media-error.js';
import { toUserAddress, type UserAddress } from '../../../src/routing/user-address.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import type { CallStatus } from '../../../src/whatsapp/webhook-events.js';
import { businessConnect, callStatus, callTerminate } from '../../support/call-events.js';
import { settled } from '../../support/eventually.js';
import { someCall, someNumber, someUser, someWaCall } from '../../support/whatsapp-fakes.js';
import { businessLegWorld } from '../../support/whatsapp-legs.js';

const hangup = endReason('hangup');
const ours = { opaque: opaqueOf(someCall) };
const connect = businessConnect(ours);
const status = (word: CallStatus['status']): CallStatus => callStatus(word, ours);
const terminate = callTerminate({ ...ours, direction: 'business_initiated' });
const lost = new GraphError('timeout', 'late');

async function dialled(to?: UserAddress, opaque?: string) {
  const world = businessLegWorld(to, opaque);
  world.leg.dial();
  await settled();
  world.graph.succeed('connect', someWaCall);
  await settled();
  return world;
}

/** Picked up, then hung up by us; our terminate is through. */
async function hungUpAfterAnswer(reason = hangup) {
  const world = await dialled();
  for (const event of [connect, status('ACCEPTED')]) world.directory.deliver(event);
  await settled();
  world.graph.prompt.add('terminate');
  world.leg.hangup(reason);
  await settled();
  return world;
}

describe('business-initiated leg', () => {
  it('journals, connects with our key, rings, brings media up early and is answered on ACCEPTED', async () => {
    const { leg, graph, endpoint, directory, journal, types, steps } = businessLegWorld();
    leg.dial();
    await settled();
    const session = {
      numberId: someNumber.id,
      user: { number: someUser },
      sdp: 'our offer',
      opaque: opaqueOf(someCall),
    };
    expect(graph.requests).toMatchObject([{ action: 'connect', args: session }]);
    expect(Object.keys(graph.requests[0]!.args).sort()).toEqual([...Object.keys(session), 'signal'].sort());
    expect(journal.entries).toMatchObject([{ call: someCall, event: 'dial', data: { opaque: opaqueOf(someCall) } }]);
    graph.succeed('connect', someWaCall);
    await settled();
    expect(journal.entries[1]).toMatchObject({ event: 'connected', data: { waCallId: someWaCall } });
    directory.deliver(connect);
    directory.deliver(status('RINGING'));
    await settled();
    expect(endpoint.log).toEqual(['createOffer', 'acceptAnswer meta answer']);
    expect(types()).toEqual(['progress']);
    directory.deliver(status('ACCEPTED'));
    expect(endpoint.log).toContain('openSending');
    expect(types()).toEqual(['progress', 'answered']);
    expect(leg.facts).toEqual({ numberId: someNumber.id, waUser: someUser, waCallId: someWaCall });
    const said = ['graph.connect', 'webhook.connect', 'webhook.ringing', 'webhook.accepted'];
    expect(steps.map(({ step }) => step)).toEqual(said);
  });

  it('is answered by the connect webhook when ACCEPTED came first', async () => {
    const { directory, types, endpoint } = await dialled();
    directory.deliver(status('ACCEPTED'));
    await settled();
    expect(types()).toEqual([]);
    directory.deliver(connect);
    await settled();
    expect(types()).toEqual(['answered']);
    expect(endpoint.log.at(-1)).toBe('openSending');
  });

  it('takes webhooks that outrun the HTTP reply by our key', async () => {
    const { leg, directory, graph, types } = businessLegWorld();
    leg.dial();
    await settled();
    for (const event of [connect, status('RINGING'), status('ACCEPTED')])
      expect(directory.deliver(event)).toBe('delivered');
    graph.succeed('connect', someWaCall);
    await settled();
    expect(types()).toEqual(['progress', 'answered']);
  });

  it('takes webhooks without our key once the HTTP reply names the id', async () => {
    const { leg, directory, graph, types } = businessLegWorld();
    leg.dial();
    await settled();
    for (const event of [status('RINGING'), connect, status('ACCEPTED')]) {
      expect(directory.deliver({ ...event, opaque: undefined })).toBe('parked');
    }
    graph.succeed('connect', someWaCall);
    await settled();
    expect(types()).toEqual(['progress', 'answered']);
  });

  it('fails as declined on REJECTED and posts nothing', async () => {
    const { directory, graph, events, types } = await dialled();
    directory.deliver(status('REJECTED'));
    directory.deliver(terminate);
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({ retry: false, reason: { code: 'declined', sipStatus: 486 } });
    expect(graph.actions).toEqual(['connect']);
    expect(directory.deliver(terminate)).toBe('gone');
  });

  it('fails as unanswered on a terminate before the answer, ends on one after', async () => {
    const unanswered = await dialled();
    unanswered.directory.deliver(terminate);
    await settled();
    expect(unanswered.types()).toEqual(['failed', 'terminated']);
    expect(unanswered.events[0]).toMatchObject({ reason: { code: 'no_answer', sipStatus: 480 } });

    const answered = await dialled();
    for (const event of [connect, status('ACCEPTED')]) answered.directory.deliver(event);
    await settled();
    answered.directory.deliver(terminate);
    await settled();
    expect(answered.types()).toEqual(['answered', 'ended', 'terminated']);
    expect(answered.events[1]).toMatchObject({ reason: { code: 'hangup' } });
    expect(answered.graph.actions).toEqual(['connect']);
  });

  it('terminates once when hung up', async () => {
    const { leg, graph, types, clock, logger } = await dialled();
    graph.prompt.add('terminate');
    leg.hangup(hangup);
    leg.hangup(hangup);
    await settled();
    expect(graph.requests[1]).toEqual({
      action: 'terminate',
      args: { numberId: someNumber.id, waCallId: someWaCall },
    });
    expect(graph.actions).toEqual(['connect', 'terminate']);
    expect(graph.loggers).toEqual([logger, logger]);
    expect(types()).toEqual(['terminated']);
    expect(clock.armed).toBe(0);
  });

  it('terminates as soon as the id is known when hung up while connect is on its way', async () => {
    const { leg, graph, types } = businessLegWorld();
    graph.prompt.add('terminate');
    leg.dial();
    await settled();
    leg.hangup(hangup);
    await settled();
    expect(types()).toEqual([]);
    graph.succeed('connect', someWaCall);
    await settled();
    expect(graph.actions).toEqual(['connect', 'terminate']);
    expect(types()).toEqual(['terminated']);
  });

  it('never posts anything when hung up before the connect went out', async () => {
    const { leg, graph, types } = businessLegWorld();
    leg.dial();
    leg.hangup(hangup);
    await settled();
    expect(graph.actions).toEqual([]);
    expect(types()).toEqual(['terminated']);
  });

  it('fails with Meta’s reason when connect is refused', async () => {
    const { leg, graph, events, types } = businessLegWorld();
    leg.dial();
    await settled();
    graph.fail('connect', new GraphError('api', 'no', { httpStatus: 401, metaCode: 138006, details: 'No permission' }));
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    const reason = { code: 'no_permission', sipStatus: 403, metaCode: 138006, text: 'No permission' };
    expect(events[0]).toMatchObject({ retry: false, reason });
  });

  it('adopts a call whose connect got no answer when a webhook names it', async () => {
    const { leg, graph, directory, types, clock } = businessLegWorld();
    leg.dial();
    await settled();
    graph.fail('connect', lost);
    await settled();
    expect(leg.phase).toBe('uncertain');
    for (const event of [status('RINGING'), connect, status('ACCEPTED')]) directory.deliver(event);
    await settled();
    expect(types()).toEqual(['progress', 'answered']);
    expect(graph.actions).toEqual(['connect']);
    expect(clock.armed).toBe(0);
  });

  it('gives up on a connect without an answer after 10 s with 504, and leaves its key to be ended later', async () => {
    const { leg, graph, directory, events, types, clock } = businessLegWorld();
    leg.dial();
    await settled();
    graph.fail('connect', lost);
    await settled();
    clock.advance(9_999);
    expect(types()).toEqual([]);
    clock.advance(1);
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({ reason: { code: 'upstream', sipStatus: 504 } });
    expect(directory.deliver(status('RINGING'))).toBe('abandoned');
  });

  it.each([
    ['a web page', new GraphError('answer', 'not JSON', { httpStatus: 200 }), 503],
    ['a redirect', new GraphError('answer', 'redirected', { httpStatus: 302 }), 503],
  ])('fails at once on %s for an answer, and leaves its key to be ended later', async (_, error, sipStatus) => {
    const { leg, graph, directory, events, types, clock } = businessLegWorld();
    leg.dial();
    await settled();
    graph.fail('connect', error);
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({ retry: false, reason: { code: 'upstream', sipStatus } });
    expect(directory.deliver(status('RINGING'))).toBe('abandoned');
    expect(clock.armed).toBe(0);
  });

  it('waits for a webhook when a server of Meta’s fails without a code', async () => {
    const { leg, graph, types } = businessLegWorld();
    leg.dial();
    await settled();
    graph.fail('connect', new GraphError('answer', 'not JSON', { httpStatus: 502 }));
    await settled();
    expect([leg.phase, types()]).toEqual(['uncertain', []]);
  });

  it('calls a user who is known by id alone', async () => {
    const userId = 'US.13491208655302741918';
    const { leg, graph, journal } = await dialled(toUserAddress(userId));
    expect(graph.requests[0]?.args['user']).toEqual({ userId });
    expect(journal.entries[0]?.data).toMatchObject({ userId });
    expect(leg.facts).toEqual({ numberId: someNumber.id, waUserId: userId, waCallId: someWaCall });
  });

  it('carries the operator’s string behind our key, and keeps only the key in the journal', async () => {
    const { graph, journal, logger } = await dialled(undefined, 'ticket 4711');
    expect(graph.requests[0]?.args['opaque']).toBe(`${opaqueOf(someCall)};ticket 4711`);
    expect(journal.entries[0]?.data['opaque']).toBe(opaqueOf(someCall));
    expect(logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it.each(['x', ';'])('says that a string of %j was too long for Meta', async (char) => {
    const { logger } = await dialled(undefined, char.repeat(482));
    expect(logger.lines.find(({ level }) => level === 'warn')?.fields).toEqual({ characters: 482, sent: 512 });
  });

  it.each([
    ['our key with the operator’s string', `${opaqueOf(someCall)};own`, 0],
    ['our key alone', opaqueOf(someCall), 1],
    ['another app’s string', 'random_string', 1],
    ['nothing', undefined, 1],
  ])('takes a terminate that brings back %s', async (_, opaque, differences) => {
    const { directory, types, logger } = await dialled(undefined, 'own');
    directory.deliver({ ...terminate, opaque });
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(logger.lines.filter(({ message }) => message === 'opaque string came back changed')).toHaveLength(
      differences,
    );
  });

  it('has Meta’s times for its record, also when ours was the first terminate', async () => {
    const { leg, directory, types, clock } = await hungUpAfterAnswer();
    expect(types()).toEqual(['answered']);
    const times = { startMs: 1_671_644_824_000, endMs: 1_671_644_944_000, durationS: 120 };
    directory.deliver({ ...terminate, ...times, ctaPayload: 'cta', deeplinkPayload: 'link' });
    expect(types()).toEqual(['answered', 'terminated']);
    expect(leg.facts).toMatchObject({
      ...{ metaStart: '2022-12-21T17:47:04.000Z', metaEnd: '2022-12-21T17:49:04.000Z', metaDurationS: '120' },
      ...{ metaStatus: 'COMPLETED', ctaPayload: 'cta', deeplinkPayload: 'link' },
    });
    expect(clock.armed).toBe(0);
  });

  it('is over a second after its terminate when Meta’s does not come', async () => {
    const { types, clock } = await hungUpAfterAnswer();
    clock.advance(999);
    expect(types()).toEqual(['answered']);
    clock.advance(1);
    expect(types()).toEqual(['answered', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('does not keep a daemon waiting that stops', async () => {
    const { types, clock } = await hungUpAfterAnswer(endReason('shutdown'));
    expect(types()).toEqual(['answered', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('waits for Meta’s times also when a call was picked up whose answer had not come', async () => {
    const { leg, graph, directory, types } = await dialled();
    directory.deliver(status('ACCEPTED'));
    graph.prompt.add('terminate');
    leg.hangup(hangup);
    await settled();
    expect(types()).toEqual([]);
    directory.deliver({ ...terminate, startMs: 1000, endMs: 2000, durationS: 1 });
    expect(types()).toEqual(['terminated']);
    expect(leg.facts).toMatchObject({ metaDurationS: '1' });
  });

  it('ends on a terminate that comes before RINGING, and takes nothing that comes after', async () => {
    const { directory, graph, types } = await dialled();
    directory.deliver(terminate);
    await settled();
    for (const late of [status('RINGING'), connect, status('ACCEPTED'), status('REJECTED'), terminate]) {
      expect(directory.deliver(late)).toBe('gone');
    }
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(graph.actions).toEqual(['connect']);
  });

  it('terminates a call whose HTTP reply comes after the leg gave up waiting', async () => {
    const { leg, graph, types, clock } = businessLegWorld();
    leg.dial();
    await settled();
    leg.hangup(hangup);
    await settled();
    clock.advance(15_000);
    await settled();
    expect(types()).toEqual(['terminated']);
    graph.succeed('connect', someWaCall);
    await settled();
    expect(graph.actions).toEqual(['connect', 'terminate']);
  });

  it('fails and terminates when Meta’s answer is unusable', async () => {
    const { directory, graph, endpoint, events } = await dialled();
    endpoint.applyFails = new MediaError('media_failed', 'no fingerprint');
    directory.deliver(connect);
    await settled();
    expect(events[0]).toMatchObject({ type: 'failed', reason: { code: 'media_failed', text: 'no fingerprint' } });
    expect(graph.actions).toEqual(['connect', 'terminate']);
  });

  it('does not connect what the journal cannot remember', async () => {
    const { leg, graph, journal, events, types } = businessLegWorld();
    journal.fails = new Error('disk full');
    leg.dial();
    await settled();
    expect(graph.actions).toEqual([]);
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({ reason: { sipStatus: 503 } });
  });

  it('does not follow a webhook that has our key and another call id', async () => {
    const { directory, types, logger } = await dialled();
    directory.deliver(callStatus('ACCEPTED', { ...ours, waCallId: 'wacid.other' }));
    expect(types()).toEqual([]);
    expect(logger.lines.at(-1)).toMatchObject({ level: 'warn' });
  });
});
