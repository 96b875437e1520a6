import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { Message, classes, methods } from 'werift';
import { systemClock } from '../lib/clock.js';
import { silentLogger } from '../lib/logger.js';
import { MediaError } from './media-error.js';
import { processCertificate } from './werift-certificate.js';
import { WeriftIce } from './werift-ice.js';
import { WeriftSocket } from './werift-socket.js';

const peer = { address: '192.0.2.1', port: 4000 };
const stranger = { address: '192.0.2.2', port: 4000 };

/**
 * Readies WebRTC for the first call: makes the process's certificate and proves that the source guard is in the path. Binds
 * and sends nothing.
 * @throws MediaError `internal` if werift is not the version this was written for.
 */
export async function warmUpWerift(): Promise<void> {
  await processCertificate();
  await checkGuard();
}

/** Has the events of a UDP socket but no network: werift answers what it is shown, and that answer must not leave. */
class DetachedSocket extends EventEmitter {
  send(): void {
    // no network
  }

  close(done: () => void): void {
    done();
  }
}

/** Shows a socket what the network would and looks at what reaches werift's ICE agent. */
async function checkGuard(): Promise<void> {
  const socket = new DetachedSocket();
  const ice = new WeriftIce({
    listenIp: '127.0.0.1',
    advertisedIp: '127.0.0.1',
    ports: [0, 0],
    clock: systemClock,
    logger: silentLogger,
  });
  ice.attach(new WeriftSocket(socket as unknown as Socket, ice.guard, silentLogger));
  ice.guard.expect([peer]);
  let requests = 0;
  ice.onRequest = () => requests++;
  const signed = new Message(methods.BINDING, classes.REQUEST).setAttribute('USERNAME', 'a:b');
  signed.addMessageIntegrity(Buffer.from(ice.local.password)).addFingerprint();
  const unsigned = new Message(methods.BINDING, classes.REQUEST).setAttribute('USERNAME', 'a:b');
  show(socket, unsigned.bytes, peer);
  show(socket, signed.bytes, stranger);
  const before = requests;
  show(socket, signed.bytes, peer);
  await ice.close();
  if (before !== 0 || requests !== 1) throw new MediaError('internal', 'the source guard is not in the path of WebRTC');
}

function show(socket: DetachedSocket, datagram: Buffer, from: typeof peer): void {
  const info: RemoteInfo = { ...from, family: 'IPv4', size: datagram.length };
  socket.emit('message', datagram, info);
}
