import { describe, expect, it } from 'vitest';
import type { EndReason } from '../../../src/call/end-reason.js';
import { BridgeError } from '../../../src/lib/bridge-error.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { DeadlineError } from '../../../src/lib/deadline.js';
import type { CallId } from '../../../src/lib/ids.js';
import { MediaError } from '../../../src/media/media-error.js';
import { BoundedMemory } from '../../../src/whatsapp/bounded-memory.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { LegMedia } from '../../../src/whatsapp/leg-media.js';
import { JournalError, reasonOf } from '../../../src/whatsapp/leg-reason.js';
import { isFatalForPreAccept } from '../../../src/whatsapp/leg-wire.js';
import { callOfOpaque, isWaId, opaqueOf, OPAQUE_CAP, userNumber } from '../../../src/whatsapp/wa-ids.js';
import { settled } from '../../support/eventually.js';
import { legWorld, someCall } from '../../support/whatsapp-fakes.js';

describe('bounded memory', () => {
  it('forgets by age and by number, and tells what it forgot', () => {
    const clock = new FakeClock();
    const forgotten: string[] = [];
    const memory = new BoundedMemory<number>(clock, 1000, 2, (key) => forgotten.push(key));
    memory.add('a', 1);
    clock.advance(500);
    memory.add('b', 2);
    memory.add('a', 3);
    expect([memory.get('a'), memory.size]).toEqual([1, 2]);
    memory.add('c', 4);
    expect(forgotten).toEqual(['a']);
    clock.advance(999);
    expect(memory.has('b')).toBe(true);
    expect(memory.take('b')).toBe(2);
    clock.advance(1);
    expect([memory.has('c'), memory.take('b'), memory.size]).toEqual([false, undefined, 0]);
    expect(forgotten).toEqual(['a', 'c']);
  });
});

describe('ids', () => {
  it.each([
    ['', 0],
    ['ticket 4711', 11],
    ['x'.repeat(481), 481],
    ['x'.repeat(482), 481],
    [`${'x'.repeat(480)}👍`, 480],
    [`${'x'.repeat(479)}👍👍`, 481],
    ['👍'.repeat(500), 480],
    [`${opaqueOf('01ARZ3NDEKTSV4RRFFQ69G5FAV' as CallId)};x`, 32],
  ])('%j behind our key: %i units of it go to Meta, and the call found is ours', (own, units) => {
    const opaque = opaqueOf(someCall, own);
    expect(opaque.length).toBeLessThanOrEqual(OPAQUE_CAP);
    expect(opaque).toBe(units === 0 ? opaqueOf(someCall) : `${opaqueOf(someCall)};${own.slice(0, units)}`);
    expect(() => encodeURIComponent(opaque)).not.toThrow(); // no half of a pair
    expect(callOfOpaque(opaque)).toBe(someCall);
  });

  it('finds our call in what Meta gives back, and only there', () => {
    const opaque = opaqueOf(someCall);
    expect(opaque.length).toBeLessThan(OPAQUE_CAP);
    expect(callOfOpaque(opaque)).toBe(someCall);
    expect(callOfOpaque(`${opaque};the operator's own`)).toBe(someCall);
    for (const other of [
      undefined,
      '',
      'random_string',
      someCall,
      `${opaque}X`,
      ` ${opaque}`,
      opaqueOf('x' as CallId),
    ]) {
      expect(callOfOpaque(other)).toBeUndefined();
    }
  });

  it.each([
    ['wacid.HBgLMTY1MDMxMzM5NzQVAgARGCBFRjNEODRBM0Q3NDZDM0Q0QzI4MzAwQjZBRkZGODM3NhwYCzEyMjQ1NTU0NDg5FQIAAA==', true],
    ['outgoing:wacid.a_b-c/d+e', true],
    ['', false],
    ['a b', false],
    ['a\r\nb', false],
    ['a%0d', false],
    ['x'.repeat(256), true],
    ['x'.repeat(257), false],
  ])('%j is an id: %s', (text, expected) => {
    expect(isWaId(text)).toBe(expected);
  });

  it.each([
    ['13057765456', '+13057765456'],
    ['+13057765456', '+13057765456'],
    ['US.13491208655302741918', undefined],
    ['0', undefined],
    ['1 305', undefined],
    [undefined, undefined],
  ])('%s is the number %s', (text, expected) => {
    expect(userNumber(text)).toBe(expected);
  });
});

describe('reasons', () => {
  it.each([
    [new GraphError('api', 'x', { metaCode: 138006, httpStatus: 401 }), 'no_permission', 403],
    [new MediaError('no_codec', 'no Opus'), 'no_codec', 488],
    [new DeadlineError('media answer', 5000), 'media_failed', 504],
    [new JournalError(new Error('disk full')), 'internal', 503],
    [new BridgeError('SIP2WA_OTHER', 'other'), 'internal', 500],
    [new Error('bug'), 'internal', 500],
    ['not even an error', 'internal', 500],
  ])('%s', (error, code, sipStatus) => {
    expect(reasonOf(error)).toMatchObject({ code, sipStatus });
  });

  it.each([
    [new GraphError('timeout', 'late'), false],
    [new GraphError('transport', 'reset'), false],
    [new GraphError('api', 'busy', { httpStatus: 500, metaCode: 131000 }), false],
    [new GraphError('api', 'slow down', { httpStatus: 429, metaCode: 4 }), false],
    [new GraphError('api', 'rate limit hit', { httpStatus: 400, metaCode: 130429 }), false],
    [new GraphError('api', 'rate limit issues', { httpStatus: 400, metaCode: 80007 }), false],
    [new GraphError('api', 'bad SDP', { httpStatus: 400, metaCode: 138008 }), true],
    [new GraphError('token', 'none'), true],
    [new Error('bug'), true],
  ])('%s is fatal for pre_accept: %s', (error, expected) => {
    expect(isFatalForPreAccept(error)).toBe(expected);
  });
});

describe('leg media', () => {
  function setUp() {
    const { deps, endpoint, media, logger } = legWorld();
    const failures: EndReason[] = [];
    const onFailed = (reason: EndReason): void => void failures.push(reason);
    const legMedia = new LegMedia({ ...deps, engine: media, call: someCall, onFailed });
    return { legMedia, endpoint, media, failures, logger };
  }

  it('reports a start that fails, unless the leg has ended', async () => {
    const { legMedia, endpoint, failures } = setUp();
    endpoint.startFails = new MediaError('media_failed', 'no candidates');
    await legMedia.createAnswer('offer');
    legMedia.start();
    await settled();
    expect(failures).toMatchObject([{ code: 'media_failed', text: 'no candidates' }]);
    legMedia.start();
    await legMedia.close();
    endpoint.failMedia();
    await settled();
    expect(failures).toHaveLength(1);
  });

  it('does nothing after its end', async () => {
    const { legMedia, endpoint } = setUp();
    await legMedia.createOffer();
    await Promise.all([legMedia.close(), legMedia.close()]);
    legMedia.start();
    legMedia.openSending();
    await expect(legMedia.createOffer()).rejects.toBeInstanceOf(MediaError);
    expect(endpoint.log).toEqual(['createOffer', 'close']);
  });

  it('ends although there is no endpoint, or none could be made', async () => {
    const none = setUp();
    await none.legMedia.close();
    expect(none.legMedia.id).toBeUndefined();
    const failed = setUp();
    failed.media.createFails = new MediaError('limit', 'no port');
    await expect(failed.legMedia.createOffer()).rejects.toMatchObject({ endCode: 'limit' });
    await failed.legMedia.close();
    expect(failed.logger.lines).toEqual([]);
  });
});
