import { isIP } from 'node:net';

/** The 4 bytes of an IPv4 address; what is no address is the unspecified one. */
export const bytesOfV4 = (address: string): Buffer =>
  isIP(address) === 4 ? Buffer.from(address.split('.').map(Number)) : Buffer.alloc(4);

/** The 16 bytes of an IPv6 address; an IPv4 address is mapped (RFC 4291 §2.5.5.2), what is no address is the unspecified one. */
export function bytesOfV6(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (isIP(address) === 4) {
    bytes.writeUInt16BE(0xffff, 10);
    bytes.set(bytesOfV4(address), 12);
    return bytes;
  }
  if (isIP(address) !== 6) return bytes;
  const [head = '', tail] = address.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  words(head).forEach((word, index) => bytes.writeUInt16BE(parseInt(word, 16), 2 * index));
  const last = words(tail ?? '');
  last.forEach((word, index) => bytes.writeUInt16BE(parseInt(word, 16), 16 - 2 * (last.length - index)));
  return bytes;
}
