import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { Departures } from '../../../src/media/departures.js';
import { PortPool } from '../../../src/media/port-pool.js';
import { RtpSockets } from '../../../src/media/rtp-sockets.js';
import { SourceGuard } from '../../../src/media/source-guard.js';
import { batchDatagrams } from '../../../src/media/udp-batches.js';
import { addressOnly, disableDirectSending, enableDirectSending } from '../../../src/media/udp-sending.js';
import { WeriftSocket } from '../../../src/media/werift-socket.js';
import { rtpPorts, webrtcPorts } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';

const host = '127.0.0.1';
const pool = new PortPool({ range: rtpPorts, clock: systemClock, random: Math.random, quarantineMs: 0 });
const closers: (() => Promise<void>)[] = [];

/** So that the first octet is that of SRTP, which alone waits for a batch on the WhatsApp side. */
const packetOf = (text: string): Buffer => Buffer.from(`\u0080${text}`, 'latin1');
const textOf = (packet: Buffer): string => packet.toString('latin1', 1);

/** What one leg's far end says and hears. */
class FarEnd {
  /** With the port that it came from. */
  readonly heard: string[] = [];

  private constructor(private readonly socket: Socket) {
    socket.on('message', (packet, { port }) => this.heard.push(`${textOf(packet)} from ${port}`));
  }

  static async open(): Promise<FarEnd> {
    // Sends within the same turn, so that what several far ends say lies there before any of it is read.
    const socket = createSocket({ type: 'udp4', lookup: addressOnly });
    await new Promise<void>((resolve) => socket.bind(0, host, () => resolve()));
    closers.push(() => new Promise((resolve) => socket.close(() => resolve())));
    return new FarEnd(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  say(text: string, to: Leg): void {
    this.socket.send(packetOf(text), to.port, host);
  }
}

interface Leg {
  readonly far: FarEnd;
  readonly port: number;
  /** What its receiver was given. */
  readonly got: string[];
  /** How often its receiver threw. */
  readonly faults: () => number;
  onPacket: (text: string) => void;
  send(text: string): void;
  close(): Promise<void>;
}

async function rtpLeg(): Promise<Leg> {
  const far = await FarEnd.open();
  const sockets = await RtpSockets.open(pool, host, systemClock);
  let faults = 0;
  const leg: Leg = {
    ...{ far, port: sockets.rtpPort, got: [], faults: () => faults, onPacket: () => undefined },
    send: (text) => sockets.sendRtp(packetOf(text), far.port, host),
    close: () => sockets.close(),
  };
  sockets.listen(take(leg), take(leg), () => faults++);
  closers.push(() => sockets.close());
  return leg;
}

async function webRtcLeg(): Promise<Leg> {
  const far = await FarEnd.open();
  const guard = new SourceGuard(() => true);
  guard.nominate({ address: host, port: far.port });
  const logger = new RecordingLogger();
  const socket = await WeriftSocket.bind(host, webrtcPorts, guard, logger);
  const leg: Leg = {
    ...{ far, port: socket.address.port, got: [], faults: () => logger.lines.length, onPacket: () => undefined },
    send: (text) => socket.transmit(packetOf(text), far.port, host),
    close: () => socket.close(),
  };
  socket.onData = take(leg);
  closers.push(() => socket.close());
  return leg;
}

const take =
  (leg: Leg) =>
  (packet: Buffer): void => {
    leg.got.push(textOf(packet));
    leg.onPacket(textOf(packet));
  };

/** Says back what it hears. */
function echo(leg: Leg): (text: string) => void {
  return (text) => leg.send(`echo of ${text}`);
}

const echoes = (leg: Leg, ...texts: string[]): string[] => texts.map((text) => `echo of ${text} from ${leg.port}`);

beforeAll(() => batchDatagrams(false));
/** What waited for the end of a batch. */
let waiting: MockInstance<Departures['add']>;

beforeEach(() => {
  waiting = vi.spyOn(Departures.prototype, 'add');
});
afterEach(async () => {
  vi.restoreAllMocks();
  disableDirectSending();
  await Promise.all(closers.splice(0).map((close) => close()));
});

const legs = { RTP: rtpLeg, WebRTC: webRtcLeg };

describe.each(['RTP', 'WebRTC'] as const)('in the midst of a batch, a leg of %s', (kind) => {
  async function scene(): Promise<{ one: Leg; others: [Leg, Leg] }> {
    const [first, one, last] = [await rtpLeg(), await legs[kind](), await webRtcLeg()];
    for (const leg of [first, last]) leg.onPacket = echo(leg);
    return { one, others: [first, last] };
  }

  /** Two packets each, all there before the first is read; and the echoes of the others. */
  async function batch(one: Leg, others: readonly Leg[]): Promise<void> {
    const all = [others[0]!, one, others[1]!];
    for (const text of ['1', '2']) for (const leg of all) leg.far.say(text, leg);
    await until(() => others.every(({ far }) => far.heard.length >= 2), 'what the others send back');
    // Whatever else was sent has gone out before this, and come.
    for (const leg of others) leg.far.say('fence', leg);
    await until(() => others.every(({ far }) => far.heard.some((heard) => heard.includes('fence'))), 'the fence');
  }

  it.each(['directly', 'the public way'])('is closed: what it sent leaves %s, and nothing after it', async (way) => {
    if (way === 'directly') await enableDirectSending(silentLogger);
    const { one, others } = await scene();
    let closed: Promise<void> | undefined;
    one.onPacket = (text) => {
      echo(one)(text);
      closed = one.close();
      one.send('too late');
    };
    for (const leg of others) {
      leg.onPacket = (text) => {
        echo(leg)(text);
        if (closed) one.send('too late');
      };
    }
    await batch(one, others);
    await closed;
    expect(one.got).toEqual(['1']);
    expect(one.far.heard).toEqual(echoes(one, '1'));
    for (const leg of others) expect(leg.far.heard).toEqual(echoes(leg, '1', '2', 'fence'));
    // Else nothing of this was about what waits.
    expect(waiting.mock.calls.length > 0).toBe(way === 'directly');
  });

  it('throws: the packets of all others come through, and its own next one does', async () => {
    await enableDirectSending(silentLogger);
    const { one, others } = await scene();
    one.onPacket = (text) => {
      if (text === '1') throw new Error('a receiver that fails');
      echo(one)(text);
    };
    await batch(one, others);
    await until(() => one.far.heard.length > 0, 'the next packet');
    expect([one.got, one.faults()]).toEqual([['1', '2'], 1]);
    expect(one.far.heard).toEqual(echoes(one, '2'));
    for (const leg of others) expect(leg.far.heard).toEqual(echoes(leg, '1', '2', 'fence'));
  });

  it('is closed by another one’s packet: what waits for it is not handed over', async () => {
    await enableDirectSending(silentLogger);
    const { one, others } = await scene();
    const [first] = others;
    let gotBefore = -1;
    first.onPacket = (text) => {
      echo(first)(text);
      if (text !== '1') return;
      gotBefore = one.got.length;
      void one.close();
    };
    await batch(one, others);
    expect(one.got.length).toBe(gotBefore);
    // Sockets are read in the order in which something came: else nothing would have waited.
    expect(gotBefore).toBeLessThan(2);
    for (const leg of others) expect(leg.far.heard).toEqual(echoes(leg, '1', '2', 'fence'));
  });
});
