import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** Any port serves: nothing is sent. */
const PROBE_PORT = 9;

/** The local address from which a host is reached: that of a connected datagram socket. Undefined when there is no way to it. */
export function probeLocalAddress(peerHost: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(peerHost) ? 'udp6' : 'udp4');
    const finish = (address: string | undefined): void => {
      resolve(address);
      socket.close();
    };
    socket.once('error', () => finish(undefined));
    // With a callback Node tells it of a failure to connect, and emits no 'error'.
    socket.connect(PROBE_PORT, peerHost, (error?: Error) => finish(error ? undefined : socket.address().address));
  });
}
