import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** A UDP socket on a free port of this address. */
export async function boundSocket(host = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}
