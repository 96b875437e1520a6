import dgram from 'node:dgram';
import { SrtpSession } from 'werift';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.js';
import { SrtpSender } from '../../../src/media/srtp/srtp-sender.js';
import { OwnPackets } from '../../../src/media/webrtc-packets.js';
import { checkPackets } from '../../../src/media/werift-self-test.js';
import { pathThatWorks } from '../../../src/media/werift-warm-up.js';
import { RecordingLogger } from '../../support/recording-logger.js';

afterEach(() => vi.restoreAllMocks());

async function pathNow(): Promise<{ path: string; warnings: number }> {
  const logger = new RecordingLogger();
  const path = await pathThatWorks(checkPackets(), logger);
  return { path, warnings: logger.lines.filter(({ level }) => level === 'warn').length };
}

describe('the check of the packet path at start', () => {
  it('finds it live, without a socket', async () => {
    const created = vi.spyOn(dgram, 'createSocket');
    expect(await pathNow()).toEqual({ path: 'own', warnings: 0 });
    expect(created).not.toHaveBeenCalled();
  });

  it.each([
    ['nothing reaches us', () => vi.spyOn(OwnPackets.prototype, 'receive').mockReturnValue(undefined)],
    ['what comes is not understood', () => vi.spyOn(SrtpReceiver.prototype, 'openRtp').mockReturnValue(undefined)],
    ['reports are not understood', () => vi.spyOn(SrtpReceiver.prototype, 'openRtcp').mockReturnValue(undefined)],
    ['what goes out is not understood', () => vi.spyOn(SrtpSender.prototype, 'sealRtp').mockImplementation((p) => p)],
    ['werift sends something else', () => vi.spyOn(SrtpSession.prototype, 'encrypt').mockImplementation((p) => p)],
  ])('falls back to the events of werift, with a warning, if %s', async (_what, breakIt) => {
    breakIt();
    expect(await pathNow()).toEqual({ path: 'werift', warnings: 1 });
  });
});
