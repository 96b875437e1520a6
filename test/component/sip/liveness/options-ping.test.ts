import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/lib/clock.js';
import { DeadlineError } from '../../../../src/lib/deadline.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { optionsPing, type SipSocket } from '../../../../src/sip/liveness/options-ping.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const ping = optionsPing(systemClock, 300);

async function udpPeer(answer: (text: string) => string | undefined): Promise<SipSocket> {
  const socket: UdpSocket = createSocket('udp4');
  closers.push(() => socket.close());
  socket.on('message', (bytes, from) => {
    const reply = answer(bytes.toString());
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { transport: 'udp', host: '127.0.0.1', port: socket.address().port };
}

async function tcpPeer(answer: (text: string) => readonly string[]): Promise<SipSocket> {
  const server: Server = createServer((socket) => {
    closers.push(() => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (const part of answer(bytes.toString())) socket.write(part);
    });
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { transport: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** A response with the request's Via, From, To, Call-ID and CSeq. */
const responseTo = (text: string, status = '503 Service Unavailable'): string => {
  const copied = text.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  return [`SIP/2.0 ${status}`, ...copied, 'Content-Length: 0', '', ''].join('\r\n');
};

describe('OPTIONS to a SIP server', () => {
  it('over UDP: any response is a sign of life', async () => {
    await expect(ping(await udpPeer((text) => responseTo(text)), 'abc')).resolves.toBeUndefined();
  });

  it('over TCP: also one that comes in pieces', async () => {
    const peer = await tcpPeer((text) => {
      const response = responseTo(text);
      return [response.slice(0, 5), response.slice(5, 60), response.slice(60)];
    });
    await expect(ping(peer, 'abc')).resolves.toBeUndefined();
  });

  it('silence, and a response to another question, is none', async () => {
    await expect(ping(await udpPeer(() => undefined), 'abc')).rejects.toThrow(DeadlineError);
    await expect(ping(await udpPeer((text) => responseTo(text).replaceAll('abc', 'xyz')), 'abc')).rejects.toThrow(
      DeadlineError,
    );
  });

  it('nor is a port that is closed', async () => {
    const peer = await udpPeer(() => undefined);
    closers.pop()?.();
    await expect(ping(peer, 'abc')).rejects.toThrow();
    await expect(ping({ ...peer, transport: 'tcp' }, 'abc')).rejects.toThrow('ECONNREFUSED');
  });

  it('nor is an address that the system refuses to send to', async () => {
    // Broadcast, which a socket is not allowed by itself: nothing leaves the machine.
    await expect(ping({ transport: 'udp', host: '255.255.255.255', port: 9 }, 'abc')).rejects.toThrow('EACCES');
  });

  it('nor is a connection that is closed without a word', async () => {
    const server = createServer((socket) => socket.end());
    closers.push(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const port = (server.address() as AddressInfo).port;
    await expect(ping({ transport: 'tcp', host: '127.0.0.1', port }, 'abc')).rejects.toThrow('connection closed');
  });

  it('is a request that a SIP server takes', async () => {
    const seen: string[] = [];
    const server = await startEmbeddedSipServer({
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 0 },
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
      ],
      logger: silentLogger,
      onMessage: ({ direction, text }) => {
        if (direction === 'out') seen.push(text.split('\r\n', 1)[0] ?? '');
      },
    });
    closers.push(() => void server.stop());
    for (const { transport, host, port } of server.sockets) {
      await ping({ transport: transport as 'udp' | 'tcp', host, port }, `question-${transport}`);
    }
    // No application is connected: nobody to answer, and that is said.
    expect(seen).toEqual(['SIP/2.0 503 Service Unavailable', 'SIP/2.0 503 Service Unavailable']);
  });
});
