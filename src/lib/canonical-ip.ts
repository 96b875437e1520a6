import { isIP } from 'node:net';

/**
 * The one spelling of an IP address, as the operating system names the source of a datagram (RFC 5952); an IPv4 address in IPv6
 * clothes (RFC 4291 §2.5.5) becomes the IPv4 address, a zone is left out. What is no address comes back as it is.
 */
export function canonicalIp(address: string): string {
  if (isIP(address) !== 6) return address;
  const canonical = new URL(`http://[${address.split('%', 1)[0] ?? ''}]`).hostname.slice(1, -1);
  const mapped = /^::(?:ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = parseInt(String(mapped[1]), 16);
  const low = parseInt(String(mapped[2]), 16);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
