import { createSocket, Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addressOnly,
  disableDirectSending,
  enableDirectSending,
  onDatagram,
  UdpSender,
} from '../../../src/media/udp-sending.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';

const logger = new RecordingLogger();
const sockets: Socket[] = [];

async function bound(address = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket({ type: address === '::1' ? 'udp6' : 'udp4', lookup: addressOnly });
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, address, () => resolve()));
  return socket;
}

beforeEach(() => logger.lines.splice(0));
afterEach(() => {
  vi.restoreAllMocks();
  disableDirectSending();
  for (const socket of sockets.splice(0)) socket.close();
});

/** Sends so many datagrams from one memory; how many went by Node's public way. */
async function sendMany(count: number, address = '127.0.0.1'): Promise<{ heard: string[]; publicly: number }> {
  const [from, to] = [await bound(address), await bound(address)];
  const heard: string[] = [];
  to.on('message', (datagram) => heard.push(datagram.toString()));
  const publicly = vi.spyOn(from, 'send');
  const sender = new UdpSender(from);
  const memory = Buffer.alloc(8);
  for (let i = 0; i < count; i++) sender.send(memory.fill(`${1000 + i}`), to.address().port, address);
  await until(() => heard.length === count, 'all datagrams');
  return { heard, publicly: publicly.mock.calls.length };
}

const expected = Array.from({ length: 50 }, (_, i) => `${1000 + i}${1000 + i}`);

describe('datagrams from memory that is used again', () => {
  it.each(['127.0.0.1', '::1'])('arrive as they were, sent directly, at %s', async (address) => {
    await enableDirectSending(logger);
    expect(await sendMany(50, address)).toEqual({ heard: expected, publicly: 0 });
    expect(logger.lines).toEqual([]);
  });

  it('arrive as they were, sent the public way, before direct sending is enabled', async () => {
    expect(await sendMany(50)).toEqual({ heard: expected, publicly: 50 });
  });

  it('are sent the public way once somebody watches it, as the tests that look for strays do', async () => {
    await enableDirectSending(logger);
    const [from, to] = [await bound(), await bound()];
    const sender = new UdpSender(from);
    const watched = vi.spyOn(Socket.prototype, 'send');
    sender.send(Buffer.from('x'), to.address().port, '127.0.0.1');
    expect(watched).toHaveBeenCalledTimes(1);
  });

  it('are dropped without an error once the socket is closed, or for a peer that is not there', async () => {
    await enableDirectSending(logger);
    const [from, gone] = [await bound(), await bound()];
    const { port } = gone.address();
    const sender = new UdpSender(from);
    await new Promise<void>((resolve) => sockets.splice(sockets.indexOf(gone), 1)[0]?.close(() => resolve()));
    for (let i = 0; i < 3; i++) sender.send(Buffer.from('x'), port, '127.0.0.1');
    await new Promise<void>((resolve) => sockets.splice(sockets.indexOf(from), 1)[0]?.close(() => resolve()));
    expect(() => sender.send(Buffer.from('x'), port, '127.0.0.1')).not.toThrow();
  });
});

describe('datagrams that arrive', () => {
  /** What a listener is told of two datagrams, and how often Node's own event was seen. */
  async function receiveTwo(): Promise<{ told: unknown[]; port: number; events: number }> {
    const [from, to] = [await bound(), await bound()];
    const told: unknown[] = [];
    onDatagram(to, (datagram, { address, port }) => told.push([datagram.toString(), address, port]));
    const emitted = vi.spyOn(to, 'emit');
    for (const text of ['one', '']) from.send(text, to.address().port, '127.0.0.1');
    await until(() => told.length === 2, 'both datagrams');
    return { told, port: from.address().port, events: emitted.mock.calls.length };
  }

  it('are handed on with their source from below the socket, empty ones too', async () => {
    await enableDirectSending(logger);
    const { told, port, events } = await receiveTwo();
    expect(told).toEqual(['one', ''].map((text) => [text, '127.0.0.1', port]));
    expect(events).toBe(0);
  });

  it('are handed on by Node before that is known to work', async () => {
    const { told, port, events } = await receiveTwo();
    expect(told).toEqual(['one', ''].map((text) => [text, '127.0.0.1', port]));
    expect(events).toBe(2);
  });

  it("an error in their place is Node's to tell of", async () => {
    await enableDirectSending(logger);
    const socket = await bound();
    onDatagram(socket, () => expect.unreachable());
    const errors: unknown[] = [];
    socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.syscall));
    const handle = handleOf(socket) as { onmessage: (...words: unknown[]) => void };
    handle.onmessage(-111, handle, undefined, undefined);
    expect(errors).toEqual(['recvmsg']);
  });
});

describe('a datagram for which the kernel has no room', () => {
  it('keeps its request and its memory, and the next one gets others', async () => {
    await enableDirectSending(logger);
    const seen: { request: object; list: readonly Buffer[] }[] = [];
    const handle = {
      send: (request: object, list: readonly Buffer[]): number => {
        seen.push({ request, list });
        return seen.length === 2 ? 0 : 9;
      },
    };
    const sender = new UdpSender({ [Symbol('state symbol')]: { handle } } as unknown as Socket);
    const memory = Buffer.alloc(1);
    for (let i = 0; i < 4; i++) sender.send(memory.fill(i), 4000, '127.0.0.1');
    const [first, waiting, next, last] = seen;
    expect([first?.request === waiting?.request, next?.request === last?.request]).toEqual([true, true]);
    expect(next?.request).not.toBe(waiting?.request);
    expect(next?.request.constructor).toBe(waiting?.request.constructor);
    expect(waiting?.list).toEqual([Buffer.of(1)]);
    expect(waiting?.request).toMatchObject({ list: waiting?.list });
  });
});

/** Nobody gets to know of datagrams any more. */
function deafen(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the socket it was taken from
  const { address } = Socket.prototype;
  vi.spyOn(Socket.prototype, 'address').mockImplementation(function (this: Socket) {
    Object.defineProperty(handleOf(this), 'onmessage', { get: () => () => undefined, set: () => undefined });
    return address.call(this);
  });
}

function handleOf(socket: Socket): object {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  return (Reflect.get(socket, symbol!) as { handle: object }).handle;
}

describe('the check of direct sending at start', () => {
  it.each([
    ['no socket has what is below it', () => vi.spyOn(Object, 'getOwnPropertySymbols').mockReturnValue([])],
    ['nothing arrives', deafen],
  ])('falls back to the public way, with one warning, if %s', async (_what, breakIt) => {
    breakIt();
    await enableDirectSending(logger);
    vi.restoreAllMocks();
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
    expect((await sendMany(50)).publicly).toBe(50);
  });
});
