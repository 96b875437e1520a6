import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as idle } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blockProcess } from '../../../src/lib/datagram-batches.js';
import { arrived, batchDatagrams, heldUpMs } from '../../../src/media/udp-batches.js';

/** RTP of version 2. */
const packet = Buffer.alloc(12, 0x80);
const blockedMs = 40;

describe('a packet that the process kept waiting', () => {
  let [receiver, sender]: Socket[] = [];
  let onHeard: (heldUp: number) => void = () => undefined;

  beforeAll(async () => {
    batchDatagrams(false);
    receiver = createSocket('udp4', (datagram, from) => arrived(() => onHeard(heldUpMs()), datagram, from));
    sender = createSocket('udp4');
    receiver.bind(0, '127.0.0.1');
    await once(receiver, 'listening');
  });
  afterAll(() => {
    receiver?.close();
    sender?.close();
  });

  async function heard(meanwhile: () => void = () => undefined): Promise<number> {
    const heldUp = new Promise<number>((resolve) => (onHeard = resolve));
    // With an address, Node hands it to the kernel a turn later.
    sender?.send(packet, receiver?.address().port ?? 0, '127.0.0.1', meanwhile);
    return heldUp;
  }

  it('says so: by as long as the process was busy, not by as long as it was idle', async () => {
    await heard();
    await idle(4 * blockedMs);
    expect(await heard()).toBeLessThan(blockedMs);
    expect(await heard(() => blockProcess(blockedMs))).toBeGreaterThanOrEqual(blockedMs - 1);
    expect(heldUpMs()).toBe(0);
  });
});
