import { describe, expect, it } from 'vitest';
import type { EndReason } from '../../../src/call/end-reason.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId, WaCallId } from '../../../src/lib/ids.js';
import { CallDirectory, type LaterEvent } from '../../../src/whatsapp/call-directory.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import type { UserConnect, WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { WebhookRouter, type UserCall, type UserLegSeed } from '../../../src/whatsapp/webhook-router.js';
import { callStatus, callTerminate, someWaUser } from '../../support/call-events.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { someCall, someNumber, someUser, someWaCall } from '../../support/whatsapp-fakes.js';

class FakeLeg {
  readonly kind = 'whatsapp';
  readonly mediaId = undefined;
  readonly facts = {};
  readonly webhooks: LaterEvent[] = [];
  readonly rejected: EndReason[] = [];
  readonly call: CallId;
  constructor(readonly seed: UserLegSeed) {
    this.call = seed.call;
  }
  onWebhook(event: LaterEvent): void {
    this.webhooks.push(event);
  }
  reject(reason: EndReason): void {
    this.rejected.push(reason);
  }
  listen(): void {}
  hangup(): void {}
  trying(): void {}
  ring(): void {}
  answer(): void {}
}

function setUp(onUserCall?: (call: UserCall) => void) {
  const clock = new FakeClock();
  const directory = new CallDirectory(clock);
  const legs: FakeLeg[] = [];
  const calls: UserCall[] = [];
  const results: string[] = [];
  const abandoned: string[] = [];
  const abandonedCalls: (CallId | undefined)[] = [];
  const replies: WebhookEvent[] = [];
  const steps: string[] = [];
  const logger = new RecordingLogger();
  let next = 0;
  const router = new WebhookRouter({
    numbers: () => [someNumber, { ...someNumber, id: '2', name: 'sip-number', signaling: 'sip' }],
    directory,
    createUserLeg: (seed) => {
      const leg = new FakeLeg(seed);
      legs.push(leg);
      return leg;
    },
    onUserCall: onUserCall ?? ((call) => calls.push(call)),
    endAbandoned: (_, waCallId, call) => {
      abandoned.push(waCallId);
      abandonedCalls.push(call);
    },
    onPermissionReply: (reply) => replies.push(reply),
    count: (result, kind, number) => results.push([result, kind, number].join(' ').trim()),
    ids: { callId: () => `01JDB2ZV4QXK00000000000000${next++}` as CallId, hex: () => '' },
    clock,
    observer: { step: (_, step) => steps.push(step) },
    logger,
  });
  return { router, clock, directory, legs, calls, results, abandoned, abandonedCalls, replies, steps, logger };
}

const connect = (clock: FakeClock, extra: Partial<UserConnect> = {}): UserConnect => ({
  kind: 'user_connect',
  numberId: someNumber.id,
  waCallId: someWaCall,
  opaque: undefined,
  timestampMs: clock.now(),
  user: { ...someWaUser, name: 'Ana' },
  offer: 'meta offer',
  ctaPayload: 'cta',
  deeplinkPayload: undefined,
  ...extra,
});
describe('webhook router', () => {
  it('makes a leg and a call of a user’s connect', () => {
    const { router, clock, calls, legs, steps } = setUp();
    router.handle([connect(clock)]);
    expect(calls).toMatchObject([
      {
        call: '01JDB2ZV4QXK000000000000000',
        leg: legs[0],
        number: someNumber,
        from: someUser,
        fromName: 'Ana',
        waCallId: someWaCall,
        ctaPayload: 'cta',
        deeplinkPayload: undefined,
        offer: 'meta offer',
      },
    ]);
    expect(legs[0]?.seed).toMatchObject({ offer: 'meta offer', waCallId: someWaCall });
    expect(steps).toEqual(['webhook.connect']);
  });

  it('takes one call of a connect that comes 50 times, also a week later', () => {
    const { router, clock, calls, results } = setUp();
    const first = connect(clock);
    router.handle(Array<WebhookEvent>(50).fill(first));
    clock.advance(7 * 24 * 3600_000);
    router.handle([first]);
    expect(calls).toHaveLength(1);
    expect(results).toEqual(['handled user_connect sales', ...Array<string>(50).fill('duplicate user_connect sales')]);
  });

  it('hands later webhooks to the leg once', () => {
    const { router, clock, legs } = setUp();
    router.handle([connect(clock), callTerminate(), callTerminate()]);
    expect(legs[0]?.webhooks).toEqual([callTerminate()]);
  });

  it.each([
    [45_000, 'handled'],
    [45_001, 'stale'],
    [3600_000, 'stale'],
    [-60_000, 'handled'],
    [-60_001, 'stale'],
  ])('a connect of %i ms ago is %s', (ageMs, result) => {
    const { router, clock, results } = setUp();
    router.handle([connect(clock, { timestampMs: clock.now() - ageMs })]);
    expect(results).toEqual([`${result} user_connect sales`]);
  });

  it('takes a connect without a timestamp', () => {
    const { router, clock, calls } = setUp();
    router.handle([connect(clock, { timestampMs: undefined })]);
    expect(calls).toHaveLength(1);
  });

  it.each(['user_initiated', undefined] as const)(
    'drops a connect after its own terminate (direction %s)',
    (direction) => {
      const { router, clock, calls, results } = setUp();
      router.handle([callTerminate({ direction })]);
      clock.advance(20_000);
      router.handle([connect(clock)]);
      expect(calls).toEqual([]);
      expect(results.at(-1)).toBe('ended_before user_connect sales');
    },
  );

  it('drops what belongs to other apps’ numbers', () => {
    const { router, clock, calls, results } = setUp();
    router.handle([connect(clock, { numberId: '999' }), callTerminate({ numberId: '999' })]);
    expect(calls).toEqual([]);
    expect(results).toEqual(['foreign_number user_connect', 'foreign_number call_terminate']);
  });

  it('does not answer a Graph call on a number that is set to SIP signalling, and says so', () => {
    const { router, clock, calls, logger } = setUp();
    router.handle([connect(clock, { numberId: '2' })]);
    expect(calls).toEqual([]);
    expect(logger.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { numberId: '2' } }]);
  });

  it('rejects the call when its owner throws, and goes on with the batch', () => {
    const { router, clock, legs, results } = setUp(() => {
      throw new Error('no memory');
    });
    router.handle([connect(clock), callTerminate()]);
    expect(legs[0]?.rejected).toMatchObject([{ code: 'internal' }]);
    expect(legs[0]?.webhooks).toHaveLength(1);
    expect(results).toEqual(['failed user_connect sales', 'handled call_terminate sales']);
  });

  it('parks what outruns the HTTP reply for 10 s and replays it in order', () => {
    const { router, clock, directory, results } = setUp();
    router.handle([callStatus('RINGING'), callStatus('ACCEPTED'), callTerminate({ direction: 'business_initiated' })]);
    clock.advance(9_999);
    const got: string[] = [];
    directory.claim(someWaCall, { onWebhook: (event) => got.push(event.kind) });
    expect(got).toEqual(['call_status', 'call_status', 'call_terminate']);
    expect(results).toContain('parked call_status sales');
  });

  it('forgets parked webhooks after 10 s and bounds them', () => {
    const forgotten: number[] = [];
    const clock = new FakeClock();
    const directory = new CallDirectory(clock, (events) => forgotten.push(events.length));
    for (let i = 0; i < 9; i++) directory.deliver(callStatus('RINGING', { waCallId: 'wacid.1' }));
    expect(directory.deliver(callStatus('RINGING', { waCallId: 'wacid.1' }))).toBe('overflow');
    clock.advance(10_000);
    const got: LaterEvent[] = [];
    directory.claim('wacid.1' as WaCallId, { onWebhook: (event) => got.push(event) });
    expect(got).toEqual([]);
    expect(forgotten).toEqual([8]);
    for (let i = 0; i < 1500; i++) directory.deliver(callStatus('RINGING', { waCallId: `wacid.x${i}` }));
    expect(forgotten).toHaveLength(501);
  });

  it('finds a leg by our key, and ends an abandoned call that turns up, once', () => {
    const { router, directory, abandoned, abandonedCalls, results } = setUp();
    const opaque = opaqueOf(someCall);
    const got: LaterEvent[] = [];
    directory.expect(someCall, { onWebhook: (event) => got.push(event) });
    router.handle([callStatus('RINGING', { opaque })]);
    expect(got).toHaveLength(1);
    directory.abandon(someCall);
    router.handle([callStatus('ACCEPTED', { opaque }), callStatus('RINGING', { opaque, waCallId: 'wacid.2' })]);
    router.handle([callStatus('ACCEPTED', { opaque, waCallId: 'wacid.2' })]);
    expect(abandoned).toEqual([someWaCall, 'wacid.2']);
    expect(abandonedCalls).toEqual([someCall, someCall]);
    expect(results.filter((result) => result.startsWith('abandoned'))).toHaveLength(3);
  });

  it('does not end an abandoned call that Meta has ended', () => {
    const { router, directory, abandoned } = setUp();
    directory.abandon(someCall);
    router.handle([callTerminate({ direction: 'business_initiated', opaque: opaqueOf(someCall) })]);
    expect(abandoned).toEqual([]);
  });

  it('counts unknown events and hands permission replies on once', () => {
    const { router, replies, results } = setUp();
    const reply: WebhookEvent = {
      kind: 'permission_reply',
      numberId: someNumber.id,
      timestampMs: undefined,
      user: someWaUser,
      messageId: 'wamid.1',
      contextId: undefined,
      response: 'accept',
      permanent: true,
      expiresAtMs: undefined,
      source: 'user_action',
    };
    router.handle([reply, reply, { kind: 'unknown', numberId: undefined, field: 'x', what: 'y' }]);
    expect(replies).toEqual([reply]);
    expect(results.at(-1)).toBe('unknown unknown');
    // Without an id nothing tells a repetition from a second reply.
    const nameless: WebhookEvent = { ...reply, messageId: undefined };
    router.handle([nameless, nameless]);
    expect(replies).toHaveLength(3);
  });
});

describe('what the webhook router says', () => {
  const warnings = ({ logger }: ReturnType<typeof setUp>) => logger.lines.filter(({ level }) => level === 'warn');

  it.each([
    [600_000, 600, 'ahead'],
    [-600_000, -600, 'behind'],
  ])('warns of connects that are too old or too new (%i ms), once a minute', (ageMs, ageS, direction) => {
    const world = setUp();
    const { router, clock } = world;
    const stale = (n: number) =>
      connect(clock, { timestampMs: clock.now() - ageMs, waCallId: `wacid.${n}` as WaCallId });
    router.handle([stale(1), stale(2)]);
    expect(warnings(world)).toMatchObject([
      { fields: { kind: 'user_connect', numberId: someNumber.id, waCallId: 'wacid.1', ageS } },
    ]);
    expect(warnings(world)[0]?.fields['hint']).toContain(direction);
    clock.advance(59_999);
    router.handle([stale(3)]);
    expect(warnings(world)).toHaveLength(1);
    clock.advance(1);
    router.handle([stale(4)]);
    expect(warnings(world)).toHaveLength(2);
  });

  it('warns of each foreign number at its first sight', () => {
    const world = setUp();
    const { router, clock } = world;
    const foreign = (numberId: string) => [connect(clock, { numberId }), callTerminate({ numberId })];
    router.handle([...foreign('998'), ...foreign('999')]);
    clock.advance(3600_000);
    router.handle(foreign('998'));
    expect(warnings(world).map(({ fields }) => fields['numberId'])).toEqual(['998', '999']);
  });

  const timedOut = { code: 138021, title: 'Media timeout', details: 'No media received' };
  const errors = [timedOut];
  const said = { metaCode: 138021, title: 'Media timeout', details: 'No media received' };

  it('warns of errors that belong to no call', () => {
    const world = setUp();
    const unusable = { kind: 'unknown', numberId: someNumber.id, field: 'calls', what: 'errors 138021' } as const;
    world.router.handle([{ ...unusable, errors }, unusable]);
    expect(warnings(world)).toMatchObject([{ fields: { kind: 'unknown', numberId: someNumber.id, ...said } }]);
  });

  it('warns of errors for a call that is over or was never here, each code once a minute', () => {
    const world = setUp();
    world.router.handle([
      callTerminate({ errors }),
      callTerminate({ errors, waCallId: 'wacid.2' }),
      callTerminate({ errors: [{ ...timedOut, code: 131044 }], waCallId: 'wacid.3' }),
    ]);
    expect(warnings(world)).toMatchObject([
      { fields: { waCallId: someWaCall, result: 'ended_before', ...said } },
      { fields: { waCallId: 'wacid.3', metaCode: 131044 } },
    ]);
  });

  it('warns of parked errors only when no call has claimed them', () => {
    const world = setUp();
    const parked = (waCallId: string) => callTerminate({ errors, waCallId, direction: 'business_initiated' });
    world.router.handle([parked('wacid.1'), parked('wacid.2')]);
    world.directory.claim('wacid.1' as WaCallId, { onWebhook: () => undefined });
    expect(warnings(world)).toEqual([]);
    world.clock.advance(10_000);
    expect(warnings(world)).toMatchObject([{ fields: { waCallId: 'wacid.2', result: 'parked', ...said } }]);
  });

  it('does not warn of errors that a call has, nor of their repetition', () => {
    const world = setUp();
    world.router.handle([connect(world.clock), callTerminate({ errors }), callTerminate({ errors })]);
    expect(world.legs[0]?.webhooks).toHaveLength(1);
    expect(warnings(world)).toEqual([]);
  });

  it('names our call on every line about one, also when it is over', () => {
    const { router, clock, directory, legs, logger } = setUp();
    const opaque = opaqueOf(someCall);
    router.handle([connect(clock), connect(clock), callTerminate()]);
    const call = legs[0]!.call;
    directory.release(call, someWaCall);
    router.handle([callTerminate(), callTerminate({ direction: undefined, numberId: '2' })]);
    router.handle([
      callStatus('RINGING', { waCallId: 'wacid.2', opaque }),
      callStatus('RINGING', { waCallId: 'wacid.3' }),
    ]);
    const lines = logger.lines.filter(({ message }) => message === 'webhook event');
    expect(lines.map(({ fields }) => fields['call'])).toEqual([call, call, call, call, call, someCall, undefined]);
  });

  it('names our call when its webhook fails', () => {
    const { router, clock, logger, legs } = setUp(() => {
      throw new Error('no memory');
    });
    router.handle([connect(clock)]);
    const failed = logger.lines.find(({ message }) => message === 'webhook event failed');
    expect(failed?.fields['call']).toBe(legs[0]?.call);
  });
});
