import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { MediaError } from '../../../src/media/media-error.js';
import { LegMedia, reasonOfOfferError } from '../../../src/sip/leg-media.js';
import { settled } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { RecordingLogger } from '../../support/recording-logger.js';

describe('media of a leg', () => {
  it('is closed in its time although the engine never opened it, and closes what comes late', async () => {
    const clock = new FakeClock();
    const engine = new FakeMediaEngine();
    const logger = new RecordingLogger();
    let open = (): void => undefined;
    engine.gate = new Promise((resolve) => (open = resolve));
    const media = new LegMedia({ engine, clock, logger, mediaMs: 3_000 });
    const options = { call: 'C1' as CallId, codecs: ['PCMA'] as const, remoteNetworks: ['127.0.0.0/8'] };
    const opened = media.open(options, () => undefined).catch((err: unknown) => String(err));

    let isClosed = false;
    const closed = media.close().then(() => (isClosed = true));
    await settled();
    expect(isClosed).toBe(false);
    clock.advance(3_000);
    await closed;
    expect(logger.lines.map(({ message }) => message)).toEqual(['media not closed']);
    expect(await opened).toContain('media endpoint took longer than 3000 ms');

    open();
    await settled();
    expect([engine.endpoints.length, engine.open]).toEqual([1, 0]);
    expect(clock.armed).toBe(0);
  });

  it('is closed at once when it could not be opened', async () => {
    const clock = new FakeClock();
    const engine = new FakeMediaEngine();
    engine.refuseNext = new MediaError('limit', 'all ports taken');
    const logger = new RecordingLogger();
    const media = new LegMedia({ engine, clock, logger, mediaMs: 3_000 });
    const options = { call: 'C1' as CallId, codecs: ['PCMA'] as const, remoteNetworks: [] };
    await expect(media.open(options, () => undefined)).rejects.toThrow('all ports taken');
    await media.close();
    expect(logger.lines).toEqual([]);
    expect(clock.armed).toBe(0);
  });

  it.each([
    [new MediaError('not_allowed', 'media address is outside'), { code: 'not_allowed', sipStatus: 488, q850: 88 }],
    [new MediaError('no_codec', 'none'), { code: 'no_codec', sipStatus: 488, q850: 88 }],
    [new MediaError('limit', 'full'), { code: 'limit', sipStatus: 503 }],
    [new Error('odd'), { code: 'internal', sipStatus: 500 }],
  ])('tells why an offer is not taken: %s', (error, reason) => {
    expect(reasonOfOfferError(error)).toMatchObject(reason);
  });
});
