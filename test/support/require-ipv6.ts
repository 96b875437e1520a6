import { createSocket } from 'node:dgram';

/** Fails where `::1` cannot be bound: a test of IPv6 must not pass because the machine has none. */
export function requireIpv6(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp6');
    socket.once('error', (cause) =>
      reject(new Error('this machine has no ::1: `ip link set lo up` and net.ipv6.conf.lo.disable_ipv6=0', { cause })),
    );
    socket.bind(0, '::1', () => socket.close(() => resolve()));
  });
}
