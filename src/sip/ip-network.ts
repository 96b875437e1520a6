import { isIPv4, isIPv6 } from 'node:net';

/** An address as a number; IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) has become IPv4. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A CIDR block. */
export interface IpNetwork extends IpAddress {
  readonly prefixLength: number;
}

const mappedPrefix = 0xffffn;

/** No address is longer, brackets and zone id included. */
const longestAddress = 64;

/** Reads an address, zone id and brackets tolerated; undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > longestAddress) return undefined;
  const bare = bareAddress(text);
  if (isIPv4(bare)) return { family: 4, value: ipv4Value(bare) };
  if (!isIPv6(bare)) return undefined;
  const value = ipv6Value(bare);
  return value >> 32n === mappedPrefix ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** Reads `address/length` or a bare address; undefined for anything else. Host bits may be set; they do not count. */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const [host = '', length, ...rest] = text.trim().split('/');
  const address = parseIpAddress(host);
  if (!address || rest.length > 0) return undefined;
  const written = isIPv4(host.trim()) ? 32 : 128;
  if (length === undefined) return { ...address, prefixLength: address.family === 4 ? 32 : 128 };
  if (!/^\d{1,3}$/.test(length) || Number(length) > written) return undefined;
  // A mapped network counts its first 96 bits too; one shorter than that would reach beyond IPv4.
  const prefixLength = Number(length) - (written - (address.family === 4 ? 32 : 128));
  return prefixLength < 0 ? undefined : { ...address, prefixLength };
}

export function contains(network: IpNetwork, address: IpAddress): boolean {
  if (network.family !== address.family) return false;
  const hostBits = BigInt((network.family === 4 ? 32 : 128) - network.prefixLength);
  return network.value >> hostBits === address.value >> hostBits;
}

/** Whether two texts name the same address, in whatever notation. */
export function isSameAddress(a: string, b: string): boolean {
  const [first, second] = [parseIpAddress(a), parseIpAddress(b)];
  return first !== undefined && first.family === second?.family && first.value === second.value;
}

/** `address` as a network of its own: `/32` or `/128`. @throws RangeError if it is no IP address. */
export function hostNetwork(address: string): string {
  const parsed = parseIpAddress(address);
  if (!parsed) throw new RangeError('not an IP address');
  if (parsed.family === 6) return `${bareAddress(address)}/128`;
  const octets = [24n, 16n, 8n, 0n].map((shift) => Number((parsed.value >> shift) & 255n));
  return `${octets.join('.')}/32`;
}

/** Whether it is `0.0.0.0` or `::`: a listener there says nothing about the address that was called. */
export function isUnspecified(address: string): boolean {
  return parseIpAddress(address)?.value === 0n;
}

function bareAddress(text: string): string {
  return text
    .trim()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '');
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function ipv6Value(text: string): bigint {
  const [head = '', tail] = dottedToHex(text).split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...middle, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

/** `::ffff:1.2.3.4` to `::ffff:102:304`. */
function dottedToHex(text: string): string {
  const dotted = /\d+\.\d+\.\d+\.\d+$/.exec(text)?.[0];
  if (dotted === undefined) return text;
  const value = ipv4Value(dotted);
  return text.slice(0, -dotted.length) + `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}
