import { beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord, CallStart } from '../../../src/call/call-record.js';
import { PcapngBlocks } from '../../../src/cli/pcapng-blocks.js';
import { CallCaptures } from '../../../src/daemon/admin/call-capture.js';
import { ProblemError } from '../../../src/http/api/problem.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { CaptureListener } from '../../../src/media/packet-capture.js';
import { CallHistory } from '../../../src/observability/call-history.js';
import { SipRings } from '../../../src/observability/capture/sip-rings.js';
import { Timeline } from '../../../src/observability/timeline.js';

const call = 'call-1' as CallId;
const place = { address: '127.0.0.1', port: 5060 };

describe('recordings under way', () => {
  let clock: FakeClock;
  let history: CallHistory;
  let timeline: Timeline;
  let sipRings: SipRings;
  let captures: CallCaptures;
  let listeners: Map<CallId, CaptureListener>;

  beforeEach(() => {
    clock = new FakeClock();
    history = new CallHistory();
    timeline = new Timeline(silentLogger, clock);
    sipRings = new SipRings(() => clock.now() * 1000);
    listeners = new Map();
    const media = {
      capture: (id: CallId, listener: CaptureListener) => {
        listeners.set(id, listener);
        return () => void listeners.delete(id);
      },
    };
    captures = new CallCaptures({ history, timeline, sipRings, media, clock, logger: silentLogger });
    for (let n = 1; n <= 5; n++) history.started({ call: `call-${n}` } as CallStart);
    sipRings.belongs('sip-1', call);
  });

  const message = (): void => {
    const about = { sipCallId: 'sip-1', isOutgoing: true, transport: 'udp', remote: place, local: place };
    sipRings.seen({ ...about, text: 'OPTIONS sip:a SIP/2.0\r\nCall-ID: sip-1\r\n\r\n' });
  };
  const audio = (bytes = 160) => {
    const packet = { side: 'pbx' as const, isOutgoing: true, atUs: 1, local: place, remote: place };
    return listeners.get(call)?.({ packets: [{ ...packet, data: new Uint8Array(bytes) }], lost: 0 });
  };
  const read = async (stream: AsyncIterable<Buffer>): Promise<PcapngBlocks> => {
    const blocks = new PcapngBlocks();
    for await (const chunk of stream) blocks.take(chunk);
    return blocks;
  };
  const problem = (id: string): string => {
    try {
      captures.start(id as CallId, { forMs: 1_000 });
    } catch (error) {
      if (error instanceof ProblemError) return error.code;
    }
    return 'none';
  };

  it('SIP so far, then SIP and audio until the time is up', async () => {
    message();
    const stream = captures.start(call, { forMs: 5_000 });
    message();
    void audio();
    clock.advance(5_000);
    expect(listeners.size).toBe(0);
    message();
    expect(await read(stream)).toMatchObject({ packets: 3, dropped: 0 });
    expect(clock.armed).toBe(0);
  });

  it('ends a moment after the call, with its last response', async () => {
    const stream = captures.start(call, { forMs: 60_000 });
    timeline.step(call, 'call.ended');
    message();
    clock.advance(1_000);
    expect(listeners.size).toBe(0);
    expect(await read(stream)).toMatchObject({ packets: 1 });
  });

  it('a call that is over, and 0 s of a live one: SIP alone, at once', async () => {
    message();
    expect(await read(captures.start(call, { forMs: 0 }))).toMatchObject({ packets: 1 });
    history.ended({ call } as CallRecord);
    expect(await read(captures.start(call, { forMs: 10_000 }))).toMatchObject({ packets: 1 });
    expect(listeners.size).toBe(0);
  });

  it('one recording a call, four at once, and room again when a reader goes away', () => {
    expect(problem('call-9')).toBe('no_such_call');
    const stream = captures.start(call, { forMs: 1_000 });
    expect(problem('call-1')).toBe('captured_already');
    for (const n of [2, 3, 4]) expect(problem(`call-${n}`)).toBe('none');
    expect(problem('call-5')).toBe('unavailable');
    stream.destroy();
    expect(listeners.has(call)).toBe(false);
    expect(problem('call-5')).toBe('none');
  });

  it('a reader that takes nothing loses packets, counted, and is cut off in the end', async () => {
    const stalled = captures.start(call, { forMs: 60_000 });
    for (let sent = 0; sent < 100; sent++) void audio(60_000);
    expect(stalled.readableLength).toBeLessThan(2.2 * 2 ** 20);
    clock.advance(60_000);
    clock.advance(30_000);
    expect(stalled.destroyed).toBe(true);
    const read2 = captures.start(call, { forMs: 1_000 });
    for (let sent = 0; sent < 100; sent++) void audio(60_000);
    clock.advance(1_000);
    const { packets, dropped } = await read(read2);
    expect(packets + dropped).toBe(100);
    expect(dropped).toBeGreaterThan(50);
  });
});
