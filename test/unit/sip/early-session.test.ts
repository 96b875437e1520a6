import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/lib/logger.js';
import { EarlySession } from '../../../src/sip/early-session.js';
import type { LegMedia } from '../../../src/sip/leg-media.js';

it('keeps answers of so many branches of a fork only: each says its own again in its 200', async () => {
  const accepted: string[] = [];
  const media = { accept: (sdp: string) => Promise.resolve(void accepted.push(sdp)) } as unknown as LegMedia;
  const session = new EarlySession(media, ['PCMA'], silentLogger);
  for (let i = 0; i < 1_000; i++) session.answered(`tag${i}`, { sdp: `sdp${i}`, isReliable: false });
  session.answered('tag0', { sdp: 'changed', isReliable: true });
  await expect(session.settle('tag999', undefined)).rejects.toThrow('without SDP');
  await session.settle('tag999', 'sdp999');
  await session.settle('tag0', undefined);
  expect(accepted).toEqual(['sdp999', 'changed']);
});
