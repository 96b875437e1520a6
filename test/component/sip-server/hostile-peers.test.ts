import { Socket as DatagramSocket } from 'node:dgram';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { Flow, TransportSink } from '../../../src/sip-server/transport/flow.js';
import { LocalAddresses } from '../../../src/sip-server/transport/local-address.js';
import { TcpConnection } from '../../../src/sip-server/transport/tcp-connection.js';
import { UdpTransport } from '../../../src/sip-server/transport/udp.js';
import { eventually } from '../../support/eventually.js';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  vi.restoreAllMocks();
});

class RecordingSink implements TransportSink {
  readonly received: Buffer[] = [];
  readonly errors: { what: string; error: unknown }[] = [];
  onMessage(bytes: Buffer): void {
    this.received.push(bytes);
  }
  onSent(): void {
    // What goes out is seen by the peer.
  }
  onError(what: string, error: unknown): void {
    this.errors.push({ what, error });
  }
}

const OPTIONS = Buffer.from('OPTIONS sip:x@y SIP/2.0\r\n\r\n');
const LOOPBACK = '127.0.0.1';

async function udp(sink: TransportSink): Promise<UdpTransport> {
  const transport = await UdpTransport.bind({ host: LOOPBACK, port: 0 }, sink);
  ending.push(() => transport.stop());
  return transport;
}

describe('datagrams', () => {
  it('from port 0 are dropped: nobody can be answered there', async () => {
    const bound = vi.spyOn(DatagramSocket.prototype, 'bind');
    const sink = new RecordingSink();
    await udp(sink);
    const socket = bound.mock.contexts.at(-1) as DatagramSocket;
    const from = { address: LOOPBACK, family: 'IPv4' as const, size: OPTIONS.length };
    socket.emit('message', OPTIONS, { ...from, port: 0 });
    expect(sink.received).toHaveLength(0);
    socket.emit('message', OPTIONS, { ...from, port: 5060 });
    expect(sink.received).toHaveLength(1);
  });

  it('that cannot be sent are reported, not thrown', async () => {
    const sink = new RecordingSink();
    const transport = await udp(sink);
    expect(() => transport.flowTo({ host: LOOPBACK, port: 0 }).send(OPTIONS)).not.toThrow();
    expect(sink.errors).toMatchObject([{ what: 'udp send', error: { code: 'ERR_SOCKET_BAD_PORT' } }]);
  });

  it('to a closed port fail for every request on the way there, though one of them cannot bear it', async () => {
    const sink = new RecordingSink();
    const transport = await udp(sink);
    const gone = await UdpTransport.bind({ host: LOOPBACK, port: 0 }, sink);
    await gone.stop();
    const flow = await transport.connect(gone.local);
    ending.push(() => flow.release());
    const failed: Error[] = [];
    flow.onFailure(() => {
      throw new Error('boom');
    });
    flow.onFailure((error) => failed.push(error));
    flow.send(OPTIONS);
    await eventually(() => failed.length === 1, 'the failure of the other');
    expect(sink.errors).toMatchObject([{ what: 'udp failure', error: { message: 'boom' } }]);
  });
});

async function line(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const far = connect((server.address() as AddressInfo).port, LOOPBACK);
  far.on('error', () => undefined);
  const near = await accepted;
  ending.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => near.destroy(),
    () => far.destroy(),
  );
  return { near, far };
}

const GRACE_MS = 32_000;
async function connection(): Promise<{ flow: Flow; far: Socket; near: Socket; clock: FakeClock; sink: RecordingSink }> {
  const { near, far } = await line();
  const clock = new FakeClock();
  const sink = new RecordingSink();
  const address = { host: LOOPBACK, port: 1 };
  const flow = new TcpConnection({
    protocol: 'tcp',
    socket: near,
    remote: address,
    local: address,
    clock,
    idleMs: 60 * GRACE_MS,
    graceMs: GRACE_MS,
    sink,
    onClosed: () => undefined,
  });
  return { flow, far, near, clock, sink };
}

describe('a connection', () => {
  it('that only sends keep-alives is closed when its grace is over', async () => {
    const { flow, far, clock } = await connection();
    const pongs: Buffer[] = [];
    far.on('data', (bytes) => pongs.push(bytes));
    clock.advance(GRACE_MS - 1);
    far.write('\r\n\r\n');
    await eventually(() => pongs.length === 1, 'a pong');
    clock.advance(1);
    expect(flow.open).toBe(false);
  });

  it('that has sent a message is kept, by keep-alives too', async () => {
    const { flow, far, clock, sink } = await connection();
    far.write(OPTIONS);
    await eventually(() => sink.received.length === 1, 'the message');
    clock.advance(59 * GRACE_MS);
    far.write('\r\n\r\n');
    await new Promise((resolve) => far.once('data', resolve));
    clock.advance(59 * GRACE_MS);
    expect(flow.open).toBe(true);
  });

  it('gets one pong for a piece full of pings, and a message among them is taken', async () => {
    const { near, sink } = await connection();
    const write = vi.spyOn(near, 'write');
    near.emit('data', Buffer.from('\r\n\r\n'.repeat(1000) + OPTIONS.toString() + '\r\n\r\n'.repeat(1000)));
    expect(write).toHaveBeenCalledTimes(1);
    expect(sink.received).toHaveLength(1);
  });

  it('that pings and does not read is closed before its pongs fill the memory', async () => {
    const { flow, near } = await connection();
    const write = vi.spyOn(near, 'write');
    near.cork();
    near.write(Buffer.alloc(1024 * 1024 + 1));
    write.mockClear();
    near.emit('data', Buffer.from('\r\n\r\n'));
    expect(write).not.toHaveBeenCalled();
    expect(flow.open).toBe(false);
  });
});

describe('the local address towards a peer', () => {
  it('is never the wildcard when there is no way to the peer', async () => {
    // The kernel refuses to connect a datagram socket to the broadcast address: no way, and nothing is sent.
    const clock = new FakeClock();
    expect(await new LocalAddresses(clock).towards('255.255.255.255')).toBe(LOOPBACK);
    expect(await new LocalAddresses(clock).towards('127.0.0.5')).toBe(LOOPBACK);
  });
});
