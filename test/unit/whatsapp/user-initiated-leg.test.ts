import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { deferred } from '../../../src/lib/deferred.js';
import { MediaError } from '../../../src/media/media-error.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { UserInitiatedLeg } from '../../../src/whatsapp/user-initiated-leg.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import { callTerminate, someWaUser } from '../../support/call-events.js';
import { settled } from '../../support/eventually.js';
import { legWorld, someCall, someNumber, someUser, someWaCall } from '../../support/whatsapp-fakes.js';
import { userLegWorld } from '../../support/whatsapp-legs.js';

const hangup = endReason('hangup');
const busy = endReason('busy');

describe('user-initiated leg', () => {
  it('pre-accepts, starts media, accepts with the same SDP and sends only after the 200', async () => {
    const { leg, graph, endpoint, types, journal, steps, logger } = userLegWorld();
    leg.trying();
    await settled();
    expect(graph.requests[0]).toMatchObject({
      action: 'preAccept',
      args: { numberId: someNumber.id, waCallId: someWaCall, sdp: 'answer to meta offer' },
    });
    expect(endpoint.log).toEqual(['createAnswer']);
    graph.succeed('preAccept');
    await settled();
    expect(endpoint.log).toEqual(['createAnswer', 'start']);
    leg.answer();
    await settled();
    expect(graph.requests[1]).toMatchObject({ action: 'accept', args: { sdp: 'answer to meta offer' } });
    expect(graph.requests[1]?.args['opaque']).toBe(opaqueOf(someCall));
    expect(journal.entries).toEqual([
      { call: someCall, event: 'accept', data: { leg: 'whatsapp', numberId: someNumber.id, waCallId: someWaCall } },
    ]);
    expect(endpoint.log).not.toContain('openSending');
    expect(types()).toEqual([]);
    graph.succeed('accept');
    await settled();
    expect(endpoint.log).toContain('openSending');
    expect(types()).toEqual(['confirmed']);
    expect(steps.map(({ step }) => step)).toEqual(['graph.pre_accept', 'graph.accept']);
    expect(graph.loggers).toEqual([logger, logger]);
    expect(leg.mediaId).toBe('media-1');
    expect(leg.facts).toEqual({ waCallId: someWaCall, numberId: someNumber.id, waUser: someUser });
  });

  it('rejects while nothing was pre-accepted', async () => {
    const { leg, graph, types, endpoint } = userLegWorld('never');
    leg.trying();
    await settled();
    leg.reject(busy);
    await settled();
    expect(graph.actions).toEqual(['reject']);
    graph.succeed('reject');
    await settled();
    expect(types()).toEqual(['terminated']);
    expect(endpoint.log.filter((word) => word === 'close')).toHaveLength(1);
  });

  it.each(['in flight', 'done'])('terminates instead of rejecting while the pre_accept is %s', async (state) => {
    const { leg, graph, types } = userLegWorld();
    leg.trying();
    await settled();
    if (state === 'done') graph.succeed('preAccept');
    await settled();
    leg.reject(busy);
    await settled();
    expect(graph.actions).toEqual(['preAccept', 'terminate']);
    if (state === 'in flight') graph.succeed('preAccept');
    graph.succeed('terminate');
    await settled();
    expect(types()).toEqual(['terminated']);
    expect((graph.requests[0]?.args['signal'] as AbortSignal).aborted).toBe(true);
  });

  it('is cancelled by a terminate webhook before the answer, and posts nothing', async () => {
    const { leg, graph, types, events, steps } = userLegWorld();
    leg.trying();
    await settled();
    graph.succeed('preAccept');
    await settled();
    leg.onWebhook(callTerminate());
    await settled();
    expect(types()).toEqual(['cancelled', 'terminated']);
    expect(events[0]).toMatchObject({ reason: { code: 'cancelled' } });
    expect(graph.actions).toEqual(['preAccept']);
    expect(steps.at(-1)).toMatchObject({ step: 'webhook.terminate', detail: { outcome: 'COMPLETED' } });
  });

  it('is cancelled, not confirmed, when the terminate webhook overtakes the 200 to accept', async () => {
    const { leg, graph, types, endpoint } = userLegWorld();
    leg.answer();
    await settled();
    leg.onWebhook(callTerminate());
    graph.succeed('accept');
    await settled();
    expect(types()).toEqual(['cancelled', 'terminated']);
    expect(endpoint.log).not.toContain('openSending');
  });

  it('ends by a terminate webhook after the answer, with the reason Meta gave', async () => {
    const { leg, graph, types, events } = userLegWorld();
    graph.prompt.add('accept');
    leg.answer();
    await settled();
    const errors = [{ code: 138021, title: 'Media timeout', details: undefined }];
    leg.onWebhook(callTerminate({ outcome: 'FAILED', errors }));
    await settled();
    expect(types()).toEqual(['confirmed', 'ended', 'terminated']);
    expect(events[1]).toMatchObject({ reason: { code: 'media_timeout', metaCode: 138021, q850: 102 } });
    expect(graph.actions).toEqual(['accept']);
  });

  it('ends as hung up by a terminate webhook after the answer that names no error', async () => {
    const { leg, graph, events } = userLegWorld();
    graph.prompt.add('accept');
    leg.answer();
    await settled();
    leg.onWebhook(callTerminate());
    expect(events[1]).toMatchObject({ type: 'ended', reason: { code: 'hangup', q850: 16 } });
  });

  it('posts one terminate for any number of hang-ups, and nothing after the end', async () => {
    const { leg, graph, types, clock } = userLegWorld();
    graph.prompt.add('accept').add('terminate');
    leg.answer();
    await settled();
    leg.hangup(hangup);
    leg.hangup(hangup);
    leg.reject(busy);
    await settled();
    leg.hangup(hangup);
    leg.answer();
    leg.onWebhook(callTerminate());
    await settled();
    expect(graph.actions).toEqual(['accept', 'terminate']);
    expect(types()).toEqual(['confirmed', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('ends within its deadline although Meta never answers the terminate', async () => {
    const { leg, graph, types, clock } = userLegWorld();
    graph.prompt.add('accept');
    leg.answer();
    await settled();
    leg.hangup(hangup);
    await settled();
    expect(types()).toEqual(['confirmed']);
    clock.advance(15_000);
    await settled();
    expect(types()).toEqual(['confirmed', 'terminated']);
  });

  it('fails and terminates when accept is refused', async () => {
    const { leg, graph, events, types } = userLegWorld();
    graph.prompt.add('terminate');
    leg.answer();
    await settled();
    graph.fail('accept', new GraphError('api', 'SDP', { httpStatus: 500, metaCode: 138007, details: 'late' }));
    await settled();
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({
      reason: { code: 'media_failed', sipStatus: 504, metaCode: 138007, text: 'late' },
    });
    expect(graph.actions).toEqual(['accept', 'terminate']);
  });

  it('fails when Meta refuses the pre_accept, but goes on when it was lost on the way', async () => {
    const refused = userLegWorld();
    refused.graph.prompt.add('terminate');
    refused.leg.trying();
    await settled();
    refused.graph.fail('preAccept', new GraphError('api', 'bad SDP', { httpStatus: 400, metaCode: 138008 }));
    await settled();
    expect(refused.types()).toEqual(['failed', 'terminated']);

    const lost = userLegWorld();
    lost.graph.prompt.add('accept');
    lost.leg.trying();
    await settled();
    lost.graph.fail('preAccept', new GraphError('timeout', 'late'));
    await settled();
    lost.leg.answer();
    await settled();
    expect(lost.types()).toEqual(['confirmed']);
    expect(lost.endpoint.log).toEqual(['createAnswer', 'start', 'openSending']);
  });

  it('rejects a call whose offer is unusable, with the reason the media gave', async () => {
    const { leg, graph, media, events, types } = userLegWorld();
    graph.prompt.add('reject');
    media.endpoint.answerFails = new MediaError('no_codec', 'no Opus');
    leg.trying();
    await settled();
    expect(graph.actions).toEqual(['reject']);
    expect(types()).toEqual(['failed', 'terminated']);
    expect(events[0]).toMatchObject({ reason: { code: 'no_codec', sipStatus: 488, text: 'no Opus' } });
  });

  it('ends when its media fails in the call', async () => {
    const { leg, graph, endpoint, types, clock } = userLegWorld();
    graph.prompt.add('accept').add('terminate');
    leg.answer();
    await settled();
    endpoint.failMedia();
    await settled();
    expect(types()).toEqual(['confirmed', 'ended']);
    clock.advance(1000);
    expect(types()).toEqual(['confirmed', 'ended', 'terminated']);
    expect(graph.actions).toEqual(['accept', 'terminate']);
  });

  it('does not keep a daemon waiting that stops', async () => {
    const { leg, graph, types, clock } = userLegWorld();
    graph.prompt.add('accept').add('terminate');
    leg.answer();
    await settled();
    leg.hangup(endReason('shutdown'));
    await settled();
    expect(types()).toEqual(['confirmed', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('gives Meta the PBX’s string with accept, and has payloads and Meta’s times for its record', async () => {
    const { leg, graph, directory, logger } = userLegWorld();
    graph.prompt.add('accept');
    leg.answer({ opaque: 'room 12' });
    await settled();
    expect(graph.requests[0]?.args['opaque']).toBe(`${opaqueOf(someCall)};room 12`);
    const times = { startMs: 1000, endMs: 4000, durationS: 3, ctaPayload: 'late' };
    directory.deliver(callTerminate({ ...times, opaque: opaqueOf(someCall) }));
    await settled();
    expect(leg.facts).toEqual({
      ...{
        waCallId: someWaCall,
        numberId: someNumber.id,
        waUser: someUser,
        ctaPayload: 'late',
        metaStatus: 'COMPLETED',
      },
      ...{ metaStart: '1970-01-01T00:00:01.000Z', metaEnd: '1970-01-01T00:00:04.000Z', metaDurationS: '3' },
    });
    expect(logger.lines.find(({ message }) => message === 'opaque string came back changed')?.fields).toEqual({
      sent: `${opaqueOf(someCall)};room 12`,
      returned: opaqueOf(someCall),
    });
  });

  it('does not accept what the journal cannot remember', async () => {
    const { leg, graph, journal, events } = userLegWorld();
    graph.prompt.add('terminate');
    journal.fails = new Error('disk full');
    leg.answer();
    await settled();
    expect(graph.actions).toEqual(['terminate']);
    expect(events[0]).toMatchObject({ type: 'failed', reason: { sipStatus: 503 } });
  });

  it('closes an endpoint that comes to be after the leg has ended', async () => {
    const { leg, media, graph, endpoint, types, clock } = userLegWorld();
    graph.prompt.add('reject');
    media.gate = deferred();
    leg.trying();
    leg.hangup(hangup);
    await settled();
    expect(types()).toEqual([]);
    clock.advance(15_000);
    await settled();
    expect(types()).toEqual(['terminated']);
    media.gate.resolve(undefined);
    await settled();
    expect(endpoint.log).toContain('close');
  });

  it('keeps its events for a listener that comes late, and puts media on the timeline', async () => {
    const world = legWorld();
    const user = { ...someWaUser, number: undefined, userId: 'US.1' };
    const ids = { call: someCall, number: someNumber, waCallId: someWaCall };
    const leg = new UserInitiatedLeg({ ...world.deps, ...ids, offer: 'o', user, preAccept: 'immediate' });
    world.graph.prompt.add('accept');
    leg.answer();
    await settled();
    for (const type of ['ice_connected', 'dtls_connected', 'first_packet'] as const) world.endpoint.report({ type });
    leg.onWebhook(callTerminate());
    await settled();
    leg.listen((event) => world.events.push(event));
    expect(world.types()).toEqual(['confirmed', 'ended', 'terminated']);
    const media = ['ice.connected', 'dtls.connected', 'media.first_from_whatsapp'];
    expect(world.steps.map(({ step }) => step)).toEqual(['graph.accept', ...media, 'webhook.terminate']);
    expect(leg.facts).toMatchObject({ waUserId: 'US.1' });
  });
});
