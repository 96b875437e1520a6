import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import {
  PacketCaptures,
  type CapturedBatch,
  type PacketTap,
  type TappedEndpoint,
} from '../../../src/media/packet-capture.js';

const call = 'call-1' as CallId;
const here = { address: '127.0.0.1', port: 1 };
const there = { address: '127.0.0.1', port: 2 };

class Leg implements TappedEndpoint {
  tap: PacketTap | undefined;

  setTap(tap: PacketTap | undefined): void {
    this.tap = tap;
  }

  packet(data: Uint8Array = Buffer.from([1, 2, 3]), isOutgoing = false): void {
    this.tap?.(data, here, there, isOutgoing);
  }
}

describe('recording the audio of a call', () => {
  const scene = () => {
    const clock = new FakeClock();
    return { clock, captures: new PacketCaptures(clock), batches: [] as CapturedBatch[] };
  };

  it('no leg has a tap while nobody listens, nor afterwards', () => {
    const { captures } = scene();
    const [leg, other] = [new Leg(), new Leg()];
    captures.opened(leg, call, 'pbx');
    captures.opened(other, 'call-2' as CallId, 'pbx');
    expect(leg.tap).toBeUndefined();
    const stop = captures.capture(call, () => undefined);
    expect(leg.tap).toBeDefined();
    expect(other.tap).toBeUndefined();
    stop();
    expect(leg.tap).toBeUndefined();
  });

  it('copies packets of the legs that are there and of those that come later, in their order', () => {
    const { clock, captures, batches } = scene();
    const [pbx, whatsapp] = [new Leg(), new Leg()];
    captures.opened(pbx, call, 'pbx');
    captures.capture(call, (batch) => void batches.push(batch));
    captures.opened(whatsapp, call, 'whatsapp');
    const reused = Buffer.from([1]);
    pbx.packet(reused, true);
    reused[0] = 9;
    clock.advance(20);
    whatsapp.packet(Buffer.from([2]));
    expect(batches).toEqual([]);
    clock.advance(100);
    expect(batches).toHaveLength(1);
    const [first, second] = batches[0]!.packets;
    expect(first).toMatchObject({ side: 'pbx', isOutgoing: true, local: here, remote: there, data: Uint8Array.of(1) });
    expect(second).toMatchObject({ side: 'whatsapp', isOutgoing: false, data: Uint8Array.of(2) });
    expect(second!.atUs - first!.atUs).toBe(20_000);
    captures.closed(whatsapp);
    expect(whatsapp.tap).toBeUndefined();
  });

  it('a listener that is busy loses what finds no room, counted, and nothing waits for it', async () => {
    const { clock, captures, batches } = scene();
    const leg = new Leg();
    captures.opened(leg, call, 'pbx');
    let take = (): void => undefined;
    captures.capture(call, (batch) => {
      batches.push(batch);
      return new Promise((resolve) => (take = resolve));
    });
    leg.packet();
    clock.advance(100);
    for (let sent = 0; sent < 1_000; sent++) leg.packet(Buffer.alloc(1_000));
    clock.advance(1_000);
    expect(batches).toHaveLength(1);
    take();
    await Promise.resolve();
    await Promise.resolve();
    expect(batches).toHaveLength(2);
    const { packets, lost } = batches[1]!;
    expect(packets.length + lost).toBe(1_000);
    expect(packets.length).toBeGreaterThan(200);
    expect(packets.length).toBeLessThan(256);
    take();
    leg.packet();
    await Promise.resolve();
    clock.advance(100);
    expect(batches[2]).toMatchObject({ lost: 0, packets: [{}] });
  });
});
