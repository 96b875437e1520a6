import { describe, expect, it } from 'vitest';
import { Redaction } from '../../../../src/observability/redaction.js';
import type { CallSpan } from '../../../../src/observability/tracing/call-span.js';
import { callSpans } from '../../../../src/observability/tracing/call-spans.js';
import { businessCall, CALL, recordOf, refusedCall, START_MS, timelineOf, userCall, type Step } from './call-steps.js';

type Drawn = readonly [name: string, fromMs: number, untilMs: number, ...children: unknown[]];

/** Names and times since the start of the call, children within. */
const drawn = ({ name, startMs, endMs, children }: CallSpan): Drawn => [
  name,
  startMs - START_MS,
  endMs - START_MS,
  ...children.map(drawn),
];

function treeOf(
  steps: readonly Step[],
  record = recordOf(steps.at(-1)?.[0] ?? 0),
  redaction = new Redaction(),
): CallSpan {
  return callSpans(record, timelineOf(steps).stepsOf(record.call), redaction);
}

/** The one span of this name. */
function named(root: CallSpan, name: string): CallSpan {
  const found = all(root).filter((one) => one.name === name);
  if (found.length !== 1) throw new Error(`${found.length} spans called ${name}`);
  return found[0]!;
}

const all = (root: CallSpan): CallSpan[] => [root, ...root.children.flatMap(all)];

describe('the spans of a call', () => {
  it('a user calls: both sides, from the webhook to the last word of Meta', () => {
    expect(drawn(treeOf(userCall))).toEqual([
      ...['call', 0, 62_200],
      ['route', 0, 2],
      ['graph pre_accept', 2, 100],
      ['sip invite', 3, 2_001, ['dial', 3, 40], ['ring', 40, 2_000], ['answer', 2_000, 2_001]],
      ['media set-up', 100, 190, ['ice', 100, 150], ['dtls', 150, 190]],
      ['graph accept', 2_003, 2_100],
      ['bridged', 2_101, 62_001],
      ['hang-up', 62_001, 62_200, ['graph terminate', 62_002, 62_080]],
    ]);
  });

  it('the PBX calls: the request to Meta is part of the dialling of the user', () => {
    expect(drawn(treeOf(businessCall, recordOf(9_010, { direction: 'business_initiated' })))).toEqual([
      ...['call', 0, 9_010],
      ['route', 0, 5],
      ['sip invite', 0, 5_020, ['dial', 0, 901], ['ring', 901, 5_002], ['answer', 5_002, 5_020]],
      ['whatsapp dial', 10, 5_000, ['graph connect', 10, 300], ['ring', 900, 5_000]],
      ['media set-up', 950, 1_060, ['ice', 950, 1_000], ['dtls', 1_000, 1_060]],
      ['bridged', 5_021, 9_001],
      ['hang-up', 9_001, 9_010],
    ]);
  });

  it('who asks whom: their kinds', () => {
    const kinds = (steps: readonly Step[]) => new Map(all(treeOf(steps)).map(({ name, kind }) => [name, kind]));
    expect([...kinds(userCall)].filter(([, kind]) => kind !== 'internal')).toEqual([
      ['call', 'server'],
      ['graph pre_accept', 'client'],
      ['sip invite', 'client'],
      ['graph accept', 'client'],
      ['graph terminate', 'client'],
    ]);
    expect(kinds(businessCall).get('sip invite')).toBe('server');
    expect(kinds(businessCall).get('whatsapp dial')).toBe('client');
  });

  it('what begins or ends no span is an event of the call', () => {
    const { events } = treeOf(userCall);
    expect(events.map(({ name, atMs }) => [name, atMs - START_MS])).toEqual([
      ['webhook.connect', 0],
      ['media.first_from_pbx', 2_130],
      ['sip.bye', 62_000],
      ['webhook.terminate', 62_200],
    ]);
    expect(events[0]?.attributes).toEqual({ 'sip2wa.direction': 'in', 'sip2wa.wa_call_id': 'wacid.1' });
  });

  it('lie within the call, and children within their parents', () => {
    for (const steps of [userCall, businessCall, refusedCall]) {
      const inside = (parent: CallSpan): void => {
        for (const child of parent.children) {
          expect([child.name, child.startMs >= parent.startMs, child.endMs <= parent.endMs]).toEqual([
            child.name,
            true,
            true,
          ]);
          expect(child.endMs).toBeGreaterThanOrEqual(child.startMs);
          inside(child);
        }
      };
      inside(treeOf(steps));
    }
  });

  it('are cut to their parents where rounding lets them begin too soon', () => {
    const steps: Step[] = [
      [0, 'webhook.connect'],
      [100, 'call.state', { from: 'dialing', to: 'ending', event: 'b.failed' }],
      [150, 'graph.terminate', { ok: true, tookMs: 51 }],
      [160, 'call.ended'],
    ];
    expect(drawn(named(treeOf(steps), 'hang-up'))).toEqual(['hang-up', 100, 160, ['graph terminate', 100, 150]]);
  });

  it('begin and end as the record says, whatever the steps do', () => {
    const late: Step[] = [...userCall, [70_000, 'webhook.terminate', { direction: 'in' }]];
    const root = treeOf(late, recordOf(61_000));
    expect([root.startMs, root.endMs]).toEqual([START_MS, START_MS + 61_000]);
    expect(Math.max(...all(root).map(({ endMs }) => endMs))).toBe(START_MS + 61_000);
    expect(Math.max(...root.events.map(({ atMs }) => atMs))).toBe(START_MS + 61_000);
  });

  it('of a call whose steps are not known: the record alone', () => {
    expect(drawn(callSpans(recordOf(5_000), [], new Redaction()))).toEqual(['call', 0, 5_000]);
  });

  it('of a call that the wall clock was set back under: no span is turned around', () => {
    const back = { ...recordOf(1_000), end: new Date(START_MS - 3_600_000).toISOString() };
    expect(drawn(callSpans(back, [], new Redaction()))).toEqual(['call', 0, 0]);
  });
});

describe('what failed', () => {
  it('nothing did in a call that went well', () => {
    expect(all(treeOf(userCall)).filter(({ error }) => error !== undefined)).toEqual([]);
  });

  it('the PBX refused: the INVITE has its status, the call its code, a request to Meta its code', () => {
    const root = treeOf(
      refusedCall,
      recordOf(201, { code: 'busy', result: 'client_error', sipStatus: 486, endedBy: 'b' }),
    );
    expect(root.error).toBe('busy');
    expect(named(root, 'sip invite')).toMatchObject({ error: '486', attributes: { 'sip2wa.sip_status': 486 } });
    expect(named(root, 'graph terminate')).toMatchObject({
      error: '138021',
      attributes: { 'sip2wa.action': 'terminate' },
    });
    expect(named(root, 'route').error).toBeUndefined();
    expect(named(root, 'media set-up')).toMatchObject({ error: undefined, attributes: { 'sip2wa.connected': false } });
    expect(drawn(named(root, 'hang-up'))).toEqual(['hang-up', 121, 201, ['graph terminate', 130, 200]]);
  });

  it('no route: the routing failed, and nothing was dialled', () => {
    const steps: Step[] = [
      [0, 'sip.invite', { direction: 'in', from: '127.0.0.1' }],
      [30, 'call.state', { from: 'offered', to: 'ending', event: 'refused' }],
      [31, 'sip.refused', { direction: 'out', status: 404 }],
      [32, 'call.ended', { code: 'no_route' }],
    ];
    const root = treeOf(steps, recordOf(32, { code: 'no_route', result: 'client_error' }));
    expect(named(root, 'route')).toMatchObject({ error: 'no_route', endMs: START_MS + 30 });
    expect(named(root, 'sip invite')).toMatchObject({ error: '404', endMs: START_MS + 31 });
    expect(all(root).map(({ name }) => name)).toEqual(['call', 'route', 'sip invite', 'dial', 'hang-up']);
  });

  it('a server that says nothing, then one that answers: an INVITE each', () => {
    const steps: Step[] = [
      [0, 'webhook.connect'],
      [1, 'call.state', { from: 'offered', to: 'dialing', event: 'routed' }],
      [2, 'sip.invite', { direction: 'out', trunk: 'first' }],
      [4_000, 'sip.refused', { direction: 'in', status: 0 }],
      [4_001, 'sip.invite', { direction: 'out', trunk: 'second' }],
      [4_100, 'sip.progress', { direction: 'in', status: 183 }],
      [4_500, 'sip.cancel', { direction: 'out' }],
      [4_600, 'call.ended'],
    ];
    const [first, second] = treeOf(steps).children.filter(({ name }) => name === 'sip invite');
    expect([first?.error, first?.attributes['sip2wa.trunk'], drawn(first!)]).toEqual([
      'no_response',
      'first',
      ['sip invite', 2, 4_000, ['dial', 2, 4_000]],
    ]);
    expect([second?.error, second?.attributes['sip2wa.trunk'], drawn(second!)]).toEqual([
      undefined,
      'second',
      ['sip invite', 4_001, 4_500, ['dial', 4_001, 4_100], ['ring', 4_100, 4_500]],
    ]);
  });

  it('ICE did not come up', () => {
    const steps: Step[] = [
      [0, 'webhook.connect'],
      [90, 'graph.pre_accept', { ok: true, tookMs: 80 }],
      [20_000, 'media.failed', { from: 'whatsapp', code: 'media_failed', why: 'ICE' }],
      [20_001, 'call.state', { from: 'dialing', to: 'ending', event: 'a.failed' }],
      [20_100, 'call.ended'],
    ];
    const setUp = named(treeOf(steps), 'media set-up');
    expect([setUp.error, drawn(setUp)]).toEqual(['media_failed', ['media set-up', 90, 20_000, ['ice', 90, 20_000]]]);
  });

  it('the user declined', () => {
    const declined: Step[] = [
      ...businessCall.slice(0, 9),
      [3_000, 'webhook.rejected', { direction: 'in' }],
      [3_100, 'call.ended'],
    ];
    const dial = named(treeOf(declined), 'whatsapp dial');
    expect([dial.error, dial.endMs - START_MS]).toEqual(['rejected', 3_000]);
  });
});

describe('what is told', () => {
  it('is what the log tells: telephone numbers to their last digits, secrets not at all', () => {
    const redaction = new Redaction();
    redaction.add(['hunter22-the-secret']);
    const steps: Step[] = [
      [0, 'webhook.connect', { direction: 'in', from: '12025550173' }],
      [3, 'sip.invite', { direction: 'out', uri: 'sip:+12025550142@pbx.example.com;x=hunter22-the-secret' }],
      [9, 'call.ended'],
    ];
    const record = recordOf(9, {
      ...{
        text: 'hunter22-the-secret of +12025550173',
        opaque: 'opaque-of-the-customer',
        ctaPayload: 'payload-of-the-button',
      },
      ...{
        deeplinkPayload: 'payload-of-the-link',
        userId: 'US.13491208655302741918',
        waCallId: 'wacid.1',
        sipCallIdB: 'b@host',
      },
    });
    const root = treeOf(steps, record, redaction);
    const text = JSON.stringify(root);
    for (const hidden of ['12025550173', '12025550142', 'hunter22', 'customer', 'payload', '13491208655302741918']) {
      expect(text).not.toContain(hidden);
    }
    expect(root.attributes).toMatchObject({
      ...{
        'sip2wa.call': CALL,
        'sip2wa.direction': 'user_initiated',
        'sip2wa.number': 'sales',
        'sip2wa.user': '…0173',
      },
      ...{ 'sip2wa.trunk': 'pbx', 'sip2wa.code': 'hangup', 'sip2wa.ended_by': 'a', 'sip2wa.q850': 16 },
      ...{ 'sip2wa.wa_call_id': 'wacid.1', 'sip2wa.sip_call_id_b': 'b@host', 'sip2wa.duration_ms': 9 },
    });
    expect(named(root, 'sip invite').attributes['sip2wa.uri']).toBe('sip:…0142@pbx.example.com;x=[redacted]');
  });
});
