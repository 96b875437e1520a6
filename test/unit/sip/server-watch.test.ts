import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { SipServer, Trunk } from '../../../src/routing/types.js';
import type { SrfApi, SrfRequest, SrfResponse } from '../../../src/sip/drachtio-types.js';
import { newsOfInvite } from '../../../src/sip/invite-news.js';
import { ServerAddresses } from '../../../src/sip/server-addresses.js';
import { ServerWatch } from '../../../src/sip/server-watch.js';
import { addressDns } from '../../support/dns-fakes.js';
import { settled } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { sceneTrunk } from '../../support/sip-scene.js';

const server = (hostname: string): SipServer => ({
  ...{ hostname, port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
});

/** A watch over two servers whose answers the test gives: each question is kept until then. */
function scene(over: Partial<Trunk> = {}, random = 0, dnsRefreshMs = 1) {
  const [clock, logger] = [new FakeClock(), new RecordingLogger()];
  const trunk: Trunk = { ...sceneTrunk, servers: [server('10.0.0.1'), server('pbx.test')], qualifyMs: 30_000, ...over };
  const asked: { uri: string; proxy: string | undefined; atMs: number; answer: (from: string) => void }[] = [];
  const names = { failing: false, link: true, answer: ['10.0.0.2'] };
  const srf: Pick<SrfApi, 'request'> = {
    request: (uri, { proxy }, callback) => {
      if (!names.link) throw new Error('no link');
      const listeners: ((response: SrfResponse) => void)[] = [];
      const on = (_event: string, listener: (response: SrfResponse) => void): void => void listeners.push(listener);
      callback(null, { on } as unknown as SrfRequest);
      const answer = (from: string): void => {
        for (const listener of listeners) listener({ source_address: from } as SrfResponse);
      };
      asked.push({ uri, proxy, atMs: clock.monotonicMs(), answer });
    },
  };
  const lookup = () => (names.failing ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(names.answer));
  const addresses = new ServerAddresses({
    dns: addressDns(lookup),
    random: () => 0,
    clock,
    logger,
    dnsMs: 1000,
    dnsRefreshMs,
  });
  const watch = new ServerWatch({
    ...{ srf: srf as SrfApi, clock, logger, addresses, trunks: [trunk], answerMs: 4_000, random: () => random },
  });
  const [first, second] = trunk.servers.map((one) => ({ trunk, server: one }));
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settled();
  };
  const health = () => watch.statuses().map((status) => status.health);
  return { clock, logger, watch, asked, names, first: first!, second: second!, pass, health };
}

describe('ServerWatch', () => {
  it('tells how long each answer took, and nothing of questions without one', async () => {
    const { watch, asked, pass } = scene();
    const answers: { trunk: string; tookMs: number }[] = [];
    watch.onQualified((answer) => answers.push(answer));
    watch.start();
    await pass(0);
    await pass(30);
    asked[0]?.answer('10.0.0.1');
    await pass(12);
    asked[1]?.answer('10.0.0.2');
    expect(answers).toEqual([
      { trunk: sceneTrunk.name, tookMs: 30 },
      { trunk: sceneTrunk.name, tookMs: 42 },
    ]);
    await pass(30_000);
    await pass(4_000);
    expect(asked.length).toBeGreaterThan(2);
    expect(answers).toHaveLength(2);
    watch.stop();
  });

  it('asks each server, by its address if it has a name, and again after the interval', async () => {
    const { watch, asked, pass, health, logger } = scene();
    watch.start();
    await pass(0);
    expect(asked.map(({ uri, proxy }) => [uri, proxy])).toEqual([
      ['sip:10.0.0.1:5060', undefined],
      ['sip:pbx.test:5060', 'sip:10.0.0.2:5060'],
    ]);
    expect(health()).toEqual(['unknown', 'unknown']);
    for (const { answer } of asked) answer('10.0.0.9');
    expect(health()).toEqual(['up', 'up']);
    await pass(29_999);
    expect(asked).toHaveLength(2);
    await pass(1);
    expect(asked).toHaveLength(4);
    expect(logger.lines.map(({ level, message }) => [level, message])).toEqual([
      ['info', 'server answers'],
      ['info', 'server answers'],
    ]);
  });

  it('takes two misses for down, looks sooner, and one answer for up', async () => {
    const { watch, asked, pass, health, first, logger } = scene({ servers: [server('10.0.0.1')] });
    watch.start();
    await pass(0);
    await pass(4_000);
    expect([health(), watch.isWell(first)]).toEqual([['unknown'], true]);
    await pass(10_000);
    asked[1]!.answer('');
    expect([health(), watch.isWell(first)]).toEqual([['down'], false]);
    // An answer that comes after its time is none.
    asked[0]!.answer('10.0.0.1');
    expect(health()).toEqual(['down']);
    await pass(10_000);
    asked[2]!.answer('10.0.0.1');
    expect([health(), watch.isWell(first)]).toEqual([['up'], true]);
    expect(logger.lines.map(({ level, fields }) => [level, fields])).toEqual([
      ['warn', { trunk: 'pbx', server: '10.0.0.1:5060' }],
      ['info', { trunk: 'pbx', server: '10.0.0.1:5060' }],
    ]);
  });

  it('asks at once after a call that got no answer, one question at a time', async () => {
    const { watch, asked, pass, first, health } = scene({ servers: [server('10.0.0.1')] });
    watch.start();
    await pass(0);
    asked[0]!.answer('10.0.0.1');
    watch.learn(first, 'miss');
    await pass(0);
    expect([asked.length, health()]).toEqual([2, ['up']]);
    watch.learn(first, 'miss');
    for (let i = 0; i < 50; i++) watch.learn(first, 'miss');
    await pass(3_999);
    expect([asked.length, health()]).toEqual([2, ['down']]);
    watch.learn(first, 'accepted');
    expect(health()).toEqual(['up']);
  });

  it('counts a name that leads nowhere as a miss, and a lost link as nothing', async () => {
    const { watch, pass, names, health, asked } = scene();
    names.failing = true;
    watch.start();
    await pass(0);
    asked[0]!.answer('10.0.0.1');
    await pass(10_000);
    expect(health()).toEqual(['up', 'down']);
    names.link = false;
    await pass(600_000);
    expect(health()).toEqual(['up', 'down']);
  });

  it('is bounded: of a dead server in an hour, six questions a minute', async () => {
    const { watch, pass, asked } = scene({ servers: [server('10.0.0.1')] });
    watch.start();
    for (let s = 0; s < 3600; s++) await pass(1_000);
    expect(asked.length).toBeGreaterThan(200);
    expect(asked.length).toBeLessThanOrEqual(360);
  });

  it('asks nobody after it was stopped, nor where qualify is off', async () => {
    const { watch, pass, asked, clock } = scene();
    watch.start();
    await pass(0);
    watch.stop();
    await pass(60_000);
    expect([asked.length, clock.armed]).toEqual([2, 0]);
    const quiet = scene({ qualifyMs: undefined });
    quiet.watch.start();
    quiet.watch.learn(quiet.first, 'miss');
    quiet.watch.learn(quiet.first, 'miss');
    await quiet.pass(60_000);
    expect([quiet.asked.length, quiet.health(), quiet.watch.isWell(quiet.first)]).toEqual([
      ...[0, ['unknown', 'unknown'], true],
    ]);
  });

  it.each([
    [5, 0, 5_000],
    [5, 1, 5_500],
    [3600, 0, 54_545],
    [3600, 1, 60_000],
  ])('holds a server off for Retry-After %i (chance %i): %i ms', (retryAfterS, chance, pauseMs) => {
    const { watch, clock, first, second, logger } = scene({ qualifyMs: undefined }, chance);
    watch.learn(first, { retryAfterS });
    watch.learn(first, { retryAfterS });
    expect([watch.isWell(first), watch.isWell(second)]).toEqual([false, true]);
    expect(watch.statuses()[0]).toMatchObject({ isHeldOff: true });
    clock.advance(pauseMs - 1);
    expect(watch.isWell(first)).toBe(false);
    clock.advance(1);
    expect(watch.isWell(first)).toBe(true);
    expect(logger.lines.map(({ level, fields }) => [level, fields?.['pauseMs']])).toEqual([['warn', pauseMs]]);
  });

  it('ends a pause when the server takes a call all the same', () => {
    const { watch, first } = scene();
    watch.learn(first, { retryAfterS: 30 });
    watch.learn(first, 'hit');
    expect(watch.isWell(first)).toBe(false);
    watch.learn(first, 'accepted');
    expect(watch.isWell(first)).toBe(true);
  });
});

describe('ServerWatch of a server with several places', () => {
  const place = (address: string) => ({ transport: 'udp', address, port: 5060 }) as const;
  const [a, b] = [place('10.0.0.2'), place('10.0.0.3')];

  it('asks each, is up with one, and knows which is dead', async () => {
    const { watch, asked, names, pass, health, first } = scene({ servers: [server('pbx.test')] });
    names.answer = [a.address, b.address];
    watch.start();
    await pass(0);
    expect(asked.map(({ proxy }) => proxy)).toEqual(['sip:10.0.0.2:5060', 'sip:10.0.0.3:5060']);
    asked[0]!.answer(a.address);
    for (let i = 0; i < 3; i++) await pass(10_000);
    expect(health()).toEqual(['up']);
    expect([watch.isWell({ ...first, place: a }), watch.isWell({ ...first, place: b }), watch.isWell(first)]).toEqual([
      ...[true, false, true],
    ]);
  });

  it('forgets a place that DNS no longer names, and asks a new one', async () => {
    const { watch, asked, names, pass } = scene({ servers: [server('pbx.test')] });
    names.answer = [a.address];
    watch.start();
    await pass(0);
    asked[0]!.answer(a.address);
    names.answer = [b.address];
    for (let i = 0; i < 4; i++) await pass(30_000);
    expect(asked.slice(-2).map(({ proxy }) => proxy)).toEqual(['sip:10.0.0.3:5060', 'sip:10.0.0.3:5060']);
  });

  it('has DNS asked anew as soon as a place is down, not when the answer of before is old', async () => {
    const { watch, asked, names, pass, first } = scene({ servers: [server('pbx.test')] }, 0, 3_600_000);
    names.answer = [a.address];
    watch.start();
    await pass(0);
    names.answer = [b.address];
    await pass(4_000);
    await pass(10_000);
    expect(asked.map(({ proxy }) => proxy)).toEqual(['sip:10.0.0.2:5060', 'sip:10.0.0.2:5060']);
    await pass(4_000);
    await pass(0);
    expect(asked.at(-1)?.proxy).toBe('sip:10.0.0.3:5060');
    asked.at(-1)?.answer(b.address);
    expect([watch.isWell({ ...first, place: b }), watch.isWell(first)]).toEqual([true, true]);
  });

  it('holds one place off, not its server, and keeps no more than 16 without asking', () => {
    const { watch, first } = scene({ servers: [server('pbx.test')], qualifyMs: undefined });
    watch.learn({ ...first, place: a }, { retryAfterS: 30 });
    watch.learn({ ...first, place: b }, 'accepted');
    expect([watch.isWell({ ...first, place: a }), watch.isWell({ ...first, place: b }), watch.isWell(first)]).toEqual([
      ...[false, true, true],
    ]);
    for (let i = 0; i < 16; i++) watch.learn({ ...first, place: place(`10.0.1.${i}`) }, 'hit');
    expect(watch.isWell({ ...first, place: a })).toBe(true);
  });

  it('is down when all places are', async () => {
    const { watch, names, pass, health } = scene({ servers: [server('pbx.test')] });
    names.answer = [a.address, b.address];
    watch.start();
    await pass(0);
    for (let i = 0; i < 4; i++) await pass(10_000);
    expect(health()).toEqual(['down']);
  });
});

describe('what an INVITE tells of its server', () => {
  const refused = { type: 'refused', retry: true, from: '10.0.0.1', status: 486, reason: endReason('busy') } as const;
  const wait = endReason('trunk_down', { retryAfterS: 7 });
  const ringing = {
    type: 'provisional',
    status: 180,
    sdp: '',
    from: '10.0.0.1',
    opaque: undefined,
    tag: '',
    isReliable: false,
  } as const;
  it.each([
    [{ type: 'silent', reason: wait } as const, 'miss'],
    [{ ...refused }, 'hit'],
    [{ ...refused, from: '', status: 503 }, 'miss'],
    [{ ...refused, from: '', status: undefined }, undefined],
    [{ ...refused, status: 503 }, 'hit'],
    [{ ...refused, status: 503, reason: wait }, { retryAfterS: 7 }],
    [{ ...refused, status: 486, reason: wait }, 'hit'],
    [{ type: 'sent', txn: 'x' } as const, undefined],
    [ringing, 'hit'],
  ])('%j: %j', (outcome, expected) => {
    expect(newsOfInvite(outcome)).toEqual(expected);
  });
});

describe('ServerWatch after a reload', () => {
  it('keeps what it knows of servers that stay, forgets others, and asks new ones', async () => {
    const { watch, asked, first, pass, health } = scene();
    const told: string[] = [];
    watch.onChange(({ trunk, server: place, health: now }) => told.push(`${trunk} ${place} ${now}`));
    watch.start();
    await pass(0);
    for (const { answer } of asked) answer('10.0.0.9');
    expect(told).toEqual(['pbx 10.0.0.1:5060 up', 'pbx pbx.test:5060 up']);
    const trunk = { ...first.trunk, maxCalls: 3, servers: [server('10.0.0.1'), server('10.0.0.3')] };
    watch.use([trunk]);
    expect(health()).toEqual(['up', 'unknown']);
    await pass(0);
    expect(asked.slice(2).map(({ uri }) => uri)).toEqual(['sip:10.0.0.1:5060', 'sip:10.0.0.3:5060']);
    asked[3]!.answer('10.0.0.9');
    expect([health(), told.at(-1)]).toEqual([['up', 'up'], 'pbx 10.0.0.3:5060 up']);
    asked[2]!.answer('10.0.0.9');
    await pass(30_000);
    expect(new Set(asked.slice(4).map(({ uri }) => uri))).toEqual(new Set(['sip:10.0.0.1:5060', 'sip:10.0.0.3:5060']));
  });

  it('does not go on asking servers that are gone, not even those it was asking', async () => {
    const { watch, asked, pass } = scene();
    watch.start();
    await pass(0);
    watch.use([]);
    for (const { answer } of asked) answer('10.0.0.9');
    await pass(3_600_000);
    expect([asked.length, watch.statuses()]).toEqual([2, []]);
  });

  it('begins anew with a server that is reached through a proxy now', async () => {
    const { watch, asked, first, pass, health } = scene({ servers: [server('10.0.0.1')] });
    watch.start();
    await pass(0);
    asked[0]!.answer('10.0.0.9');
    watch.use([{ ...first.trunk, outboundProxy: { hostname: '10.0.0.7', port: 5060, transport: 'udp' } }]);
    expect(health()).toEqual(['unknown']);
    await pass(0);
    expect(asked.at(-1)?.proxy).toContain('10.0.0.7');
  });
});
