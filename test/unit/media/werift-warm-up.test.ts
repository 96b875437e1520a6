import dgram from 'node:dgram';
import { afterEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/lib/logger.js';
import { SourceGuard } from '../../../src/media/source-guard.js';
import { warmUpWerift } from '../../../src/media/werift-warm-up.js';

afterEach(() => vi.restoreAllMocks());

it('finds the guard in the path, twice, without opening a socket', async () => {
  const created = vi.spyOn(dgram, 'createSocket');
  await warmUpWerift(silentLogger);
  await warmUpWerift(silentLogger);
  expect(created).not.toHaveBeenCalled();
});

it('refuses to start when what strangers send reaches werift', async () => {
  vi.spyOn(SourceGuard.prototype, 'admits').mockReturnValue(true);
  await expect(warmUpWerift(silentLogger)).rejects.toMatchObject({ code: 'SIP2WA_MEDIA', endCode: 'internal' });
});

it('refuses to start when nothing reaches werift', async () => {
  vi.spyOn(SourceGuard.prototype, 'admits').mockReturnValue(false);
  await expect(warmUpWerift(silentLogger)).rejects.toMatchObject({ code: 'SIP2WA_MEDIA', endCode: 'internal' });
});
