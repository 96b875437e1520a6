import { readFileSync } from 'node:fs';

/** Packets that were sent towards an address outside this machine: what the trap of in-namespace.sh has swallowed. */
export function escapedPackets(): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((one) => one.trim().startsWith('trap:'));
  if (line === undefined)
    throw new Error('no trap for packets here: run `npm run test:peers`, which makes the network');
  // name, 8 columns of reception, then sent bytes and sent packets
  return Number(line.trim().split(/\s+/)[10]);
}

/** IPv4 addresses that somebody tried to reach through the trap, as far as the kernel still knows them. */
export function escapeTargets(): string[] {
  return readFileSync('/proc/net/arp', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('trap'))
    .map((line) => line.split(/\s+/)[0] ?? '');
}
