import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import type { MediaPacket, PacketPort } from '../../../src/media/packet-port.js';
import { RtpSender } from '../../../src/media/rtp-sender.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { g711Audio, whatsAppAudio } from '../../support/packet-ports.js';
import { toG711, ToneSource } from '../../support/tones.js';

setFlagsFromString('--expose-gc');
// Code is compiled when it is found hot, not some time later on a thread that others hold up.
setFlagsFromString('--no-concurrent-recompilation');
const collectGarbage = runInNewContext('gc') as () => void;

const [warmUp, callsPerRound] = [2000, 500];
/** As many as the compiler may need. */
const mostRounds = 20;

/**
 * Bytes of garbage that one call of `step` makes, and how often it was called: the first round below `limit`, or else the least of
 * all, since the compiler puts its own things on the heap now and then. Infinity if the collector had to run in every round.
 */
async function garbageOf(step: (i: number) => void, limit: number): Promise<{ bytes: number; calls: number }> {
  let [next, collections, least] = [0, 0, Number.POSITIVE_INFINITY];
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  while (next < warmUp) step(next++);
  for (let round = 0; round < mostRounds && least >= limit; round++) {
    collectGarbage();
    observer.observe({ entryTypes: ['gc'] });
    collections = 0;
    const before = getHeapStatistics().used_heap_size;
    for (let i = 0; i < callsPerRound; i++) step(next++);
    const after = getHeapStatistics().used_heap_size;
    await new Promise((resolve) => setImmediate(resolve));
    observer.disconnect();
    if (collections === 0) least = Math.min(least, (after - before) / callsPerRound);
  }
  return { bytes: least, calls: next };
}

/** A port that keeps nothing. */
function sinkPort(audio: PacketPort['audio']): PacketPort & { frames: number } {
  return {
    audio,
    onAudio: undefined,
    onTelephoneEvent: undefined,
    frames: 0,
    sendAudio() {
      this.frames++;
    },
    sendDtmf: () => undefined,
  };
}

describe('the 20 ms path', () => {
  const whatsApp = sinkPort(whatsAppAudio);
  const pbx = sinkPort(g711Audio('PCMA'));
  const bridge = new TranscodingBridge({
    portOf: (id) => (id === 'wa' ? whatsApp : pbx),
    codecs: standardCodecs(),
    clock: new FakeClock(),
    logger: silentLogger,
  });
  const pcm = new ToneSource(1000).next(160);
  const packet = { sequence: 0, timestamp: 0, marker: false, payload: new Uint8Array(0) as Uint8Array };
  const show = (port: PacketPort, i: number, ticks: number, payload: Uint8Array): void => {
    packet.sequence = i & 0xffff;
    packet.timestamp = (i * ticks) >>> 0;
    packet.payload = payload;
    port.onAudio?.(packet satisfies MediaPacket);
  };

  it('makes no garbage from WhatsApp to the PBX', async () => {
    bridge.connect('wa', 'pbx');
    const opus = Uint8Array.from(createOpusCodec('wasm').createEncoder(8000, 160).encode(pcm));
    // A few numbers that are boxed, more of them where other tests have made the code forget its types; one array would be 100 more.
    const limit = 112;
    const { bytes, calls } = await garbageOf((i) => show(whatsApp, i, 960, opus), limit);
    expect(bytes).toBeLessThan(limit);
    expect(pbx.frames).toBe(calls);
    bridge.disconnect();
  });

  it('makes no more than the coded frame from the PBX to WhatsApp', async () => {
    bridge.connect('wa', 'pbx');
    const alaw = toG711('PCMA', pcm);
    // The add-on hands out each packet as a fresh array: its object and its bytes.
    const limit = 600;
    const { bytes, calls } = await garbageOf((i) => show(pbx, i, 160, alaw), limit);
    expect(bytes).toBeLessThan(limit);
    expect(whatsApp.frames).toBe(calls);
    bridge.disconnect();
  });

  it('builds RTP packets without garbage', async () => {
    let sent = 0;
    const sender = new RtpSender(1, 0, 0, (datagram) => (sent += datagram.length));
    const payload = new Uint8Array(160);
    const limit = 32;
    const { bytes, calls } = await garbageOf(() => sender.sendAudio(8, payload, 160), limit);
    expect(bytes).toBeLessThan(limit);
    expect(sent).toBe(calls * 172);
  });
});
